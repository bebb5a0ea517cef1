"""HTX's private messages as types: answers of its order routes, and frames of its private socket.

Source: as for `wire`. Ids are numbers or text, and kept as they are written.
"""

from __future__ import annotations

import json
import re

import msgspec
from msgspec import Raw, field

from aggregator.domain.errors import FrameRefused
from aggregator.domain.instrument import Side
from aggregator.domain.order import Liquidity
from connectors.decoding import T, TimeMs, decode, gunzip
from connectors.huobi.wire import ABSENT, number

# 1. There are two envelopes: `status` with `err-code`, and `code` (200 is well) with `message`.
# 2. What is filled is spelt `field-amount`, and in newer pages `filled-amount`.
# 3. A frame of the private socket is plain text; one in binary would be gzip as everywhere at this venue.


class Envelope(msgspec.Struct):
    """Both kinds (rule 1)."""

    status: str = ""
    code: int | str | None = None
    data: Raw = ABSENT
    error_code: str | int | None = field(name="err-code", default=None)
    error_text: str | None = field(name="err-msg", default=None)
    message: str | None = None
    order_state: int | str | None = field(name="order-state", default=None)

    @property
    def is_well(self) -> bool:
        return self.status == "ok" or (not self.status and str(self.code) == "200")

    @property
    def refusal(self) -> tuple[str, str]:
        """The code and the text."""
        code = self.error_code if self.status else self.code
        return ("" if code is None else str(code)), (self.error_text or self.message or "")


class Account(msgspec.Struct):
    id: Raw
    type: str
    state: str


class Order(msgspec.Struct):
    id: Raw
    symbol: str
    state: str
    client_order_id: str | None = field(name="client-order-id", default=None)
    created_ms: TimeMs = field(name="created-at", default=0)
    finished_ms: TimeMs = field(name="finished-at", default=0)
    misspelt: Raw = field(name="field-amount", default=ABSENT)
    spelt: Raw = field(name="filled-amount", default=ABSENT)

    @property
    def executed(self) -> str:
        """Rule 2; empty where neither is there."""
        return plain(self.misspelt) or plain(self.spelt)


class Match(msgspec.Struct, kw_only=True):
    """A fill of one of our orders. `type` begins with the side."""

    trade_id: Raw = field(name="trade-id")
    order_id: Raw = field(name="order-id")
    symbol: str
    type: str
    role: Liquidity
    price: Raw
    quantity: Raw = field(name="filled-amount")
    fee: Raw = field(name="filled-fees", default=ABSENT)
    fee_currency: str | None = field(name="fee-currency", default=None)
    deducted: Raw = field(name="filled-points", default=ABSENT)
    deducted_currency: str | None = field(name="fee-deduct-currency", default=None)
    time_ms: TimeMs = field(name="created-at", default=0)


class BalanceRow(msgspec.Struct):
    """`type` is `trade` for what is free and `frozen` for what is held; there are others."""

    currency: str
    type: str
    balance: Raw


class Balances(msgspec.Struct):
    rows: list[BalanceRow] = field(name="list")


class FeeRate(msgspec.Struct, kw_only=True):
    """The actual rates are those after whatever reduces them."""

    symbol: str
    maker: Raw = field(name="makerFeeRate")
    taker: Raw = field(name="takerFeeRate")
    actual_maker: Raw = field(name="actualMakerRate", default=ABSENT)
    actual_taker: Raw = field(name="actualTakerRate", default=ABSENT)


class Frame(msgspec.Struct):
    """A push, an acknowledgement, a ping or a refusal. Some of the venue's samples of pushes have no `action`."""

    action: str = ""
    channel: str = field(name="ch", default="")
    code: int | None = None
    message: str | None = None
    data: Raw = ABSENT


class Ping(msgspec.Struct):
    ts: int


class OrderPush(msgspec.Struct, kw_only=True):
    """Which fields there are depends on the event."""

    event: str = field(name="eventType")
    symbol: str
    state: str = field(name="orderStatus")
    order_id: Raw = field(name="orderId", default=ABSENT)
    client_order_id: str | None = field(name="clientOrderId", default=None)
    executed: Raw = field(name="execAmt", default=ABSENT)
    created_ms: TimeMs = field(name="orderCreateTime", default=0)
    traded_ms: TimeMs = field(name="tradeTime", default=0)
    acted_ms: TimeMs = field(name="lastActTime", default=0)
    error_code: int | str | None = field(name="errCode", default=None)
    error_text: str | None = field(name="errMessage", default=None)


class ClearingPush(msgspec.Struct, kw_only=True):
    """A fill after clearing; `cancellation` events have no trade."""

    event: str = field(name="eventType")
    symbol: str
    order_id: Raw = field(name="orderId")
    client_order_id: str | None = field(name="clientOrderId", default=None)
    trade_id: Raw = field(name="tradeId", default=ABSENT)
    price: Raw = field(name="tradePrice", default=ABSENT)
    quantity: Raw = field(name="tradeVolume", default=ABSENT)
    side: Side = field(name="orderSide")
    is_taker: bool = field(name="aggressor", default=True)
    time_ms: TimeMs = field(name="tradeTime", default=0)
    fee: Raw = field(name="transactFee", default=ABSENT)
    fee_currency: str | None = field(name="feeCurrency", default=None)
    deducted: Raw = field(name="feeDeduct", default=ABSENT)
    deducted_currency: str | None = field(name="feeDeductType", default=None)


class AccountPush(msgspec.Struct):
    currency: str
    account_id: Raw = field(name="accountId")
    type: str = field(name="accountType", default="")
    balance: Raw = ABSENT
    available: Raw = ABSENT


envelope = msgspec.json.Decoder(Envelope)
accounts = msgspec.json.Decoder(list[Account])
orders = msgspec.json.Decoder(Order | list[Order])
open_orders = msgspec.json.Decoder(list[Order])
matches = msgspec.json.Decoder(list[Match])
balances = msgspec.json.Decoder(Balances)
fee_rates = msgspec.json.Decoder(list[FeeRate])
order_push = msgspec.json.Decoder(OrderPush)
clearing_push = msgspec.json.Decoder(ClearingPush)
account_push = msgspec.json.Decoder(AccountPush)
_ID = re.compile(r"-?[0-9]{1,32}", re.ASCII)
_frame = msgspec.json.Decoder(Frame)
_ping = msgspec.json.Decoder(Ping)


def plain(raw: Raw) -> str:
    """A number's or an id's text; empty for what is absent or null."""
    text = number(raw)
    return "" if text == "null" else text


def identity(raw: Raw, of: str) -> str:
    """An id, or a number that stands for a state. Raises FrameRefused for what is neither: ids go into paths."""
    text = plain(raw)
    if not _ID.fullmatch(text):
        raise FrameRefused(f"{of}: {text[:64]!r} is not an id of this venue")
    return text


def read_raw(decoder: msgspec.json.Decoder[T], raw: Raw, of: str) -> T:
    """Raises FrameRefused, also for what is absent or null."""
    if not plain(raw):
        raise FrameRefused(f"{of}: `data` is missing or null")
    return decode(decoder, bytes(raw))


def read_frame(frame: str | bytes) -> Frame:
    return decode(_frame, gunzip(frame) if isinstance(frame, bytes) else frame)  # rule 3


def pong(frame: Frame) -> str:
    return json.dumps({"action": "pong", "data": {"ts": read_raw(_ping, frame.data, "ping").ts}})


def auth(parameters: dict[str, str]) -> str:
    return json.dumps({"action": "req", "ch": "auth", "params": parameters})


def subscribe(channel: str) -> str:
    return json.dumps({"action": "sub", "ch": channel})
