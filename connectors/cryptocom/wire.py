"""Crypto.com's public messages as types. The venue's one-letter field names are known only here.

Source: the venue's Exchange v1 documentation, state of May 2026, and frames recorded in November 2021. Times are ms.
Prices and quantities are JSON strings today and were JSON numbers then; a level has a third column, the number of its
orders.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

import msgspec
from msgspec import Raw, field

from aggregator.domain.errors import FrameRefused
from connectors.decoding import TimeMs, Whole, decode
from connectors.levels import NOTHING
from connectors.markets import Market

T = TypeVar("T")

LEVEL_COLUMNS = 3
ABSENT = Raw(b"")


class Push(msgspec.Struct):
    """What a subscription brings. `data` is a list whose items are of the channel's kind."""

    instrument_name: str = ""
    subscription: str = ""
    channel: str = ""
    depth: Whole = 0
    data: Raw = NOTHING

    @property
    def symbol(self) -> str:
        return self.instrument_name or self.subscription.partition(".")[2].partition(".")[0]


class Frame(msgspec.Struct):
    """A push has a `result`; all else is an answer to a request, or the venue's heartbeat. Pushes carry the method
    `subscribe` like acknowledgements do. `id` and `code` come as numbers or as strings."""

    id: int | str | None = None
    method: str = ""
    code: int | str = 0
    channel: str | None = None
    message: str | None = None
    original: Raw = ABSENT
    result: Push | None = None

    @property
    def complaint(self) -> str | None:
        return None if str(self.code) == "0" else f"{self.code}: {self.message or 'no reason given'}"

    @property
    def words(self) -> str:
        """All that may say what the message is about."""
        echo = bytes(self.original).decode(errors="replace")
        return " ".join((self.channel or "", self.message or "", echo))


class Picture(msgspec.Struct):
    """The whole book. Those of 2021 have no update id."""

    time_ms: TimeMs = field(name="t")
    last_id: Whole | None = field(name="u", default=None)
    bids: Raw = NOTHING
    asks: Raw = NOTHING


class Sides(msgspec.Struct):
    bids: Raw = NOTHING
    asks: Raw = NOTHING


class Update(msgspec.Struct):
    time_ms: TimeMs = field(name="t")
    last_id: Whole = field(name="u")
    previous_id: Whole = field(name="pu")
    change: Sides = field(name="update")


class Trade(msgspec.Struct):
    id: int | str = field(name="d")
    time_ms: TimeMs = field(name="t")
    price: Raw = field(name="p")
    quantity: Raw = field(name="q")
    taker: Literal["BUY", "SELL"] = field(name="s")
    exact_time_ns: int | str | None = field(name="tn", default=None)


class Ticker(msgspec.Struct):
    """Its field `a` is the last price, not the ask. A side that is empty is null."""

    time_ms: TimeMs = field(name="t")
    bid_price: Raw = field(name="b", default=ABSENT)
    bid_quantity: Raw = field(name="bs", default=ABSENT)
    ask_price: Raw = field(name="k", default=ABSENT)
    ask_quantity: Raw = field(name="ks", default=ABSENT)


class _Instrument(msgspec.Struct):
    symbol: str
    kind: str = field(name="inst_type", default="")
    base: str | None = field(name="base_ccy", default=None)
    quote: str | None = field(name="quote_ccy", default=None)
    tick: Raw = field(name="price_tick_size", default=ABSENT)
    lot: Raw = field(name="qty_tick_size", default=ABSENT)
    tradable: bool = False


class _InstrumentOf2021(msgspec.Struct):
    symbol: str = field(name="instrument_name")
    base: str = field(name="base_currency")
    quote: str = field(name="quote_currency")
    price_decimals: Whole
    quantity_decimals: Whole


class _Instruments(msgspec.Struct):
    data: list[_Instrument] = []
    instruments: list[_InstrumentOf2021] = []


class _MarketList(msgspec.Struct):
    result: _Instruments
    code: int | str = 0


_frame = msgspec.json.Decoder(Frame)
_pictures = msgspec.json.Decoder(list[Picture])
_updates = msgspec.json.Decoder(list[Update])
_trades = msgspec.json.Decoder(list[Trade])
_tickers = msgspec.json.Decoder(list[Ticker])
_market_list = msgspec.json.Decoder(_MarketList)


def read_frame(frame: str | bytes) -> Frame:
    return decode(_frame, frame)


def read_pictures(push: Push) -> list[Picture]:
    return _of_the_book(_pictures, push)


def read_updates(push: Push) -> list[Update]:
    return _of_the_book(_updates, push)


def read_trades(push: Push) -> list[Trade]:
    """Newest first."""
    return decode(_trades, bytes(push.data))


def read_tickers(push: Push) -> list[Ticker]:
    return decode(_tickers, bytes(push.data))


def number(raw: Raw) -> bytes:
    """One number, quoted or bare, for the exact parser; empty for one that is absent or null."""
    text = bytes(raw).strip(b'"')
    return b"" if text == b"null" else text


def read_markets(body: bytes) -> Iterator[Market]:
    """Spot markets only. The step of the quantity is also its minimum; a minimum of the notional is not stated."""
    reply = decode(_market_list, body)
    if str(reply.code) != "0":
        raise FrameRefused(f"the market list came with code {reply.code}")
    for row in reply.result.data:
        if row.kind == "CCY_PAIR" and row.base and row.quote:
            tick, lot = (number(rule).decode(errors="replace") or "0" for rule in (row.tick, row.lot))
            yield Market(row.symbol, row.base, row.quote, tick, lot, minimum_quantity=lot, tradable=row.tradable)
    for old in reply.result.instruments:
        yield Market(old.symbol, old.base, old.quote, f"1e-{old.price_decimals}", f"1e-{old.quantity_decimals}")


def subscribe(channels: Sequence[str], *, whole_books: bool, request_id: int, time_ms: int) -> str:
    """Whole books come every 500 ms, changes every 10 ms. The options touch book channels only."""
    kind, frequency_ms = ("SNAPSHOT", 500) if whole_books else ("SNAPSHOT_AND_UPDATE", 10)
    options = {"book_subscription_type": kind, "book_update_frequency": frequency_ms}
    params = {"channels": channels, **options}
    return json.dumps({"id": request_id, "method": "subscribe", "params": params, "nonce": time_ms})


def unsubscribe(channels: Sequence[str], *, request_id: int, time_ms: int) -> str:
    return json.dumps({"id": request_id, "method": "unsubscribe", "params": {"channels": channels}, "nonce": time_ms})


def answer_heartbeat(heartbeat_id: int | str) -> str:
    return json.dumps({"id": heartbeat_id, "method": "public/respond-heartbeat"})


def _of_the_book(decoder: msgspec.json.Decoder[T], push: Push) -> T:
    try:
        return decode(decoder, bytes(push.data))
    except FrameRefused as error:
        raise FrameRefused(error.reason, push.symbol) from None
