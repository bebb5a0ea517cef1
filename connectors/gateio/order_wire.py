"""Gate's messages about the account's own orders as types, and the requests that bring them about.

Source: the venue's REST reference v4.106 and spot websocket document v4, state of May 2026. Prices, quantities and fees
are JSON strings, left as raw JSON here; ids come quoted in REST answers and partly bare in pushes. Times are ms, as
whole numbers or as texts with decimals.
"""

from __future__ import annotations

import json
from typing import Literal

import msgspec
from msgspec import Raw, field

from aggregator.domain.errors import FrameRefused
from connectors.decoding import decode
from connectors.gateio.wire import ABSENT

Id = str | int


class OrderRow(msgspec.Struct):
    """An order as REST answers tell it, with `status`, and as the channel `spot.orders` does, with `event`. An answer
    of action mode ACK has neither."""

    id: Id
    text: str | None = None
    symbol: str = field(name="currency_pair", default="")
    status: str | None = None
    event: str | None = None
    finish_as: str | None = None
    quantity: Raw = field(name="amount", default=ABSENT)
    left: Raw = ABSENT
    time_ms: Raw = field(name="update_time_ms", default=ABSENT)


class FillRow(msgspec.Struct):
    """A trade of ours. The venue's own example of a push has no `fee_currency`."""

    id: Id
    order_id: Id
    side: Literal["buy", "sell"]
    role: Literal["maker", "taker"]
    price: Raw
    quantity: Raw = field(name="amount")
    fee: Raw
    symbol: str = field(name="currency_pair", default="")
    text: str | None = None
    fee_asset: str | None = field(name="fee_currency", default=None)
    gt_fee: Raw = ABSENT
    point_fee: Raw = ABSENT
    time_ms: Raw = field(name="create_time_ms", default=ABSENT)


class HoldingRow(msgspec.Struct):
    """An asset, as `/spot/accounts` tells it (`locked`), and as the channel `spot.balances` does (`freeze`)."""

    asset: str = field(name="currency")
    free: Raw = field(name="available")
    locked: Raw = ABSENT
    frozen: Raw = field(name="freeze", default=ABSENT)


class OpenRow(msgspec.Struct):
    """The open orders of one market."""

    orders: list[OrderRow]


class FeeRow(msgspec.Struct):
    """Ratios. While `gt_discount` is on, fees are paid in GT at rates of their own."""

    maker: Raw = field(name="maker_fee")
    taker: Raw = field(name="taker_fee")
    pays_in_gt: bool = field(name="gt_discount", default=False)
    gt_maker: Raw = field(name="gt_maker_fee", default=ABSENT)
    gt_taker: Raw = field(name="gt_taker_fee", default=ABSENT)


class ErrorBody(msgspec.Struct):
    label: str = ""
    message: str | None = None
    detail: str | None = None


_order = msgspec.json.Decoder(OrderRow)
_orders = msgspec.json.Decoder(list[OrderRow])
_open_orders = msgspec.json.Decoder(list[OpenRow])
_fills = msgspec.json.Decoder(list[FillRow])
_holdings = msgspec.json.Decoder(list[HoldingRow])
_fee = msgspec.json.Decoder(FeeRow)
_error = msgspec.json.Decoder(ErrorBody)


def read_order(body: bytes) -> OrderRow:
    return decode(_order, body)


def read_orders(body: bytes | Raw) -> list[OrderRow]:
    return decode(_orders, bytes(body))


def read_open_orders(body: bytes) -> list[OpenRow]:
    return decode(_open_orders, body)


def read_fills(body: bytes | Raw) -> list[FillRow]:
    return decode(_fills, bytes(body))


def read_holdings(body: bytes | Raw) -> list[HoldingRow]:
    return decode(_holdings, bytes(body))


def read_fee(body: bytes) -> FeeRow:
    return decode(_fee, body)


def read_error(body: bytes) -> ErrorBody:
    """What a refusal says of itself: nothing, when something between us and the venue wrote it."""
    try:
        return decode(_error, body)
    except FrameRefused:
        return ErrorBody()


def place(text: str, symbol: str, side: str, quantity: str, price: str, time_in_force: str) -> bytes:
    fields = {
        "text": text,
        "currency_pair": symbol,
        "type": "limit",
        "account": "spot",
        "side": side,
        "amount": quantity,
        "price": price,
        "time_in_force": time_in_force,
        "action_mode": "FULL",
    }
    return json.dumps(fields, separators=(",", ":")).encode()


def subscribe(channel: str, payload: list[str], *, request_id: int, time_s: int, key: str, signature: str) -> str:
    """To a private channel."""
    request: dict[str, object] = {"time": time_s, "id": request_id, "channel": channel, "event": "subscribe"}
    if payload:
        request["payload"] = payload
    return json.dumps(request | {"auth": {"method": "api_key", "KEY": key, "SIGN": signature}})
