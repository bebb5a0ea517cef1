"""FTX's public messages as types. The venue's names for its fields are known only here.

Source: the formats as recorded in 2021, and the venue's market list of that time. Prices and quantities are
JSON numbers; a book's time is in seconds with a fraction, a trade's is a text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Raw, field

from aggregator.domain.errors import FrameRefused
from aggregator.domain.instrument import Side
from aggregator.domain.numbers import parse_decimal
from connectors.decoding import decode
from connectors.markets import Market

ABSENT = Raw(b"")
"""A side that the message does not have: no levels can be read of it."""

_ZERO = Raw(b"0")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Trade(msgspec.Struct):
    id: int
    price: Raw
    quantity: Raw = field(name="size")
    taker: Side = field(name="side")
    time: Annotated[datetime, msgspec.Meta(tz=True)]

    @property
    def time_ns(self) -> int:
        return (self.time - _EPOCH) // _MICROSECOND * 1000


class Book(msgspec.Struct):
    """Both sides of a partial or an update, and the checksum of the book that it leads to."""

    time: Raw = _ZERO
    checksum: int = -1
    bids: Raw = ABSENT
    asks: Raw = ABSENT

    @property
    def time_ns(self) -> int:
        return parse_decimal(bytes(self.time), 9)


class Frame(msgspec.Struct):
    channel: str = ""
    market: str = ""
    type: str = ""
    data: Book | list[Trade] | None = None
    code: int | None = None
    msg: str = ""


class _Row(msgspec.Struct):
    """Futures have neither base nor quote."""

    symbol: str = field(name="name")
    base: str | None = field(name="baseCurrency", default=None)
    quote: str | None = field(name="quoteCurrency", default=None)
    tick: Raw = field(name="priceIncrement", default=_ZERO)
    lot: Raw = field(name="sizeIncrement", default=_ZERO)
    enabled: bool = False
    post_only: bool = field(name="postOnly", default=False)


class _Rows(msgspec.Struct):
    success: bool
    result: list[_Row] = []


_frame = msgspec.json.Decoder(Frame)
_rows = msgspec.json.Decoder(_Rows)


def read_frame(frame: str | bytes) -> Frame:
    return decode(_frame, frame)


def read_markets(body: bytes) -> Iterator[Market]:
    """The spot markets. A future is left out, so that it is named by its symbol."""
    answer = decode(_rows, body)
    if not answer.success:
        raise FrameRefused("a market list without success")
    for row in answer.result:
        if row.base and row.quote:
            tick, lot = (bytes(rule).decode("utf-8", "replace") for rule in (row.tick, row.lot))
            tradable = row.enabled and not row.post_only
            yield Market(row.symbol, row.base, row.quote, tick=tick, lot=lot, tradable=tradable)


def subscribe(channel: str, symbol: str) -> str:
    return json.dumps({"op": "subscribe", "channel": channel, "market": symbol})


def unsubscribe(channel: str, symbol: str) -> str:
    return json.dumps({"op": "unsubscribe", "channel": channel, "market": symbol})


def ping(_now_ns: int) -> str:
    return json.dumps({"op": "ping"})
