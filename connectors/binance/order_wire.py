"""Binance's private answers and events as types. The venue's one-letter field names are known only here.

Source: the venue's spot API documentation, state of July 2026. Times are ms; prices, quantities and money are JSON
strings. An order's id is the venue's, a client's id the one that we gave it.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Literal

import msgspec
from msgspec import field

from aggregator.domain.errors import FrameRefused
from connectors.decoding import TimeMs, Whole, decode

TradeId = Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)]
"""-1 where there is no trade."""

Code = Annotated[int, msgspec.Meta(ge=-(10**6), le=10**6)]
"""Of an error, of HTTP, of a reason."""


class VenueError(msgspec.Struct):
    code: Code
    text: str = field(name="msg", default="")


class PlacedFill(msgspec.Struct):
    price: str
    quantity: str = field(name="qty")
    fee: str = field(name="commission")
    fee_asset: str = field(name="commissionAsset")
    trade_id: Whole = field(name="tradeId")


class Placed(msgspec.Struct):
    """`status` and `executed` are missing from a mere acknowledgement."""

    symbol: str
    order_id: Whole = field(name="orderId")
    client_id: str = field(name="clientOrderId")
    time_ms: TimeMs = field(name="transactTime")
    status: str = ""
    executed: str | None = field(name="executedQty", default=None)
    fills: list[PlacedFill] = []


class Canceled(msgspec.Struct):
    """`clientOrderId` is the cancel's own here, and not read."""

    symbol: str
    order_id: Whole = field(name="orderId")
    client_id: str = field(name="origClientOrderId")
    status: str
    executed: str = field(name="executedQty")
    time_ms: TimeMs = field(name="transactTime", default=0)


class Order(msgspec.Struct):
    symbol: str
    order_id: Whole = field(name="orderId")
    client_id: str = field(name="clientOrderId")
    status: str
    executed: str = field(name="executedQty")
    time_ms: TimeMs = field(name="updateTime", default=0)


class PastFill(msgspec.Struct):
    """A fill in the account's history."""

    symbol: str
    trade_id: Whole = field(name="id")
    order_id: Whole = field(name="orderId")
    price: str
    quantity: str = field(name="qty")
    fee: str = field(name="commission")
    fee_asset: str = field(name="commissionAsset")
    time_ms: TimeMs = field(name="time")
    is_maker: bool = field(name="isMaker")


class AssetBalance(msgspec.Struct):
    asset: str
    free: str
    locked: str


class _Account(msgspec.Struct):
    balances: list[AssetBalance]


class Rates(msgspec.Struct):
    """Ratios. What the buyer or the seller pays comes on top of what the maker or the taker pays."""

    maker: str = "0"
    taker: str = "0"
    buyer: str = "0"
    seller: str = "0"


class Commission(msgspec.Struct):
    """The fees are the sum of the three."""

    symbol: str
    standard: Rates = field(name="standardCommission")
    special: Rates = field(name="specialCommission", default_factory=Rates)
    tax: Rates = field(name="taxCommission", default_factory=Rates)


class OrderEvent(msgspec.Struct, tag_field="e", tag="executionReport"):
    """`happened` is what has just happened, `status` what the order is since. `last_` is the fill that it tells of.
    `client_id` is the cancel's own when a cancel is told of, and `original_client_id` then the order's."""

    symbol: str = field(name="s")
    client_id: str = field(name="c")
    side: Literal["BUY", "SELL"] = field(name="S")
    happened: str = field(name="x")
    status: str = field(name="X")
    order_id: Whole = field(name="i")
    last_quantity: str = field(name="l")
    executed: str = field(name="z")
    last_price: str = field(name="L")
    fee: str = field(name="n")
    time_ms: TimeMs = field(name="T")
    trade_id: TradeId = field(name="t")
    is_maker: bool = field(name="m")
    fee_asset: str | None = field(name="N", default=None)
    original_client_id: str | None = field(name="C", default=None)
    reason: str = field(name="r", default="NONE")
    expiry: Code | str | None = field(name="eR", default=None)


class ChangedBalance(msgspec.Struct):
    asset: str = field(name="a")
    free: str = field(name="f")
    locked: str = field(name="l")


class BalancesChanged(msgspec.Struct, tag_field="e", tag="outboundAccountPosition"):
    """The balances that changed, as they are now."""

    balances: list[ChangedBalance] = field(name="B")


class BalanceMoved(msgspec.Struct, tag_field="e", tag="balanceUpdate"):
    """By how much a deposit, a withdrawal or a transfer has changed a balance."""


class LockMoved(msgspec.Struct, tag_field="e", tag="externalLockUpdate"):
    """By how much something outside trading has changed what is locked."""


class ListStatus(msgspec.Struct, tag_field="e", tag="listStatus"):
    """About a list of orders; we send none."""


class StreamEnded(msgspec.Struct, tag_field="e", tag="eventStreamTerminated"):
    """This subscription is over, though the connection stands."""


class ServerLeaves(msgspec.Struct, tag_field="e", tag="serverShutdown"):
    """The connection is about to be closed."""


Event = OrderEvent | BalancesChanged | BalanceMoved | LockMoved | ListStatus | StreamEnded | ServerLeaves


class Frame(msgspec.Struct):
    """An event, or the answer to the request `id`."""

    id: int | str | None = None
    status: Code | None = None
    error: VenueError | None = None
    event: Event | None = None


_error = msgspec.json.Decoder(VenueError)
_placed = msgspec.json.Decoder(Placed)
_canceled = msgspec.json.Decoder(Canceled)
_order = msgspec.json.Decoder(Order)
_orders = msgspec.json.Decoder(list[Order])
_fills = msgspec.json.Decoder(list[PastFill])
_account = msgspec.json.Decoder(_Account)
_commission = msgspec.json.Decoder(Commission)
_frame = msgspec.json.Decoder(Frame)

read_placed = partial(decode, _placed)
read_canceled = partial(decode, _canceled)
read_order = partial(decode, _order)
read_orders = partial(decode, _orders)
read_fills = partial(decode, _fills)
read_commission = partial(decode, _commission)
read_frame = partial(decode, _frame)


def read_balances(body: bytes) -> list[AssetBalance]:
    return decode(_account, body).balances


def read_error(body: bytes) -> VenueError | None:
    """None where the body is no error of the venue's, but perhaps of something before it."""
    try:
        return decode(_error, body)
    except FrameRefused:
        return None


def subscribe(request_id: str, key: str, time_ms: int, signature: str) -> str:
    parameters = {"apiKey": key, "timestamp": time_ms, "signature": signature}
    return json.dumps({"id": request_id, "method": "userDataStream.subscribe.signature", "params": parameters})


def ping(request_id: str) -> str:
    return json.dumps({"id": request_id, "method": "ping"})
