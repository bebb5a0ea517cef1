"""Gate's public spot messages as types. The venue's one-letter field names are known only here.

Source: the venue's spot websocket document v4 and REST reference v4.106, state of May 2026, and frames recorded in
April 2021. Times are ms, that of the request envelope is in seconds; prices and quantities are JSON strings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec
from msgspec import Raw, field

from aggregator.domain.errors import FrameRefused
from connectors.decoding import TimeMs, Whole, decode
from connectors.levels import NOTHING
from connectors.markets import Market

ABSENT = Raw(b"")


class VenueError(msgspec.Struct):
    code: int | str = 0
    message: str | None = None


class Frame(msgspec.Struct):
    """A push, or the answer to a request: the event tells which. Only the notice of an upgrade has a `type`."""

    channel: str = ""
    event: str = ""
    error: VenueError | None = None
    payload: Raw = ABSENT
    result: Raw = ABSENT
    type: str = ""
    msg: str = ""

    @property
    def topics(self) -> str:
        """What an answer is about; those of 2021 do not repeat it."""
        return f"{self.channel} {bytes(self.payload).decode(errors='replace')}".strip()


class Stream(NamedTuple):
    """What an update's `s` says. `depth` is 0 where it does not say how many levels the stream covers."""

    symbol: str
    depth: int


class Update(msgspec.Struct):
    """The union of both book channels: `s` is a symbol in one and a name such as ob.BTC_USDT.50 in the other. A side
    without changes may be missing, and so may both."""

    stream_name: str = field(name="s")
    last_id: Whole = field(name="u")
    first_id: Whole = field(name="U", default=0)
    time_ms: TimeMs = field(name="t", default=0)
    bids: Raw = field(name="b", default=NOTHING)
    asks: Raw = field(name="a", default=NOTHING)
    is_full: bool = field(name="full", default=False)
    depth: Whole | str = field(name="l", default="0")

    @property
    def stream(self) -> Stream:
        """Raises FrameRefused for a name or a depth of another form."""
        symbol, depth = self.stream_name, str(self.depth)
        if symbol.startswith("ob."):
            symbol, _, depth = symbol.removeprefix("ob.").rpartition(".")
        if not (symbol and depth.isascii() and depth.isdigit() and len(depth) <= 4):
            raise FrameRefused(f"{self.stream_name[:40]!r} of depth {depth[:40]!r} names no stream of a book")
        return Stream(symbol, int(depth))


class BestQuote(msgspec.Struct):
    symbol: str = field(name="s")
    last_id: Whole = field(name="u")
    time_ms: TimeMs = field(name="t")
    bid_price: Raw = field(name="b")
    bid_quantity: Raw = field(name="B")
    ask_price: Raw = field(name="a")
    ask_quantity: Raw = field(name="A")


class Trade(msgspec.Struct):
    """Its time is a decimal text in ms."""

    id: Whole
    symbol: str = field(name="currency_pair")
    time_ms: Raw = field(name="create_time_ms")
    taker: Literal["buy", "sell"] = field(name="side")
    price: Raw
    quantity: Raw = field(name="amount")


class Snapshot(msgspec.Struct):
    """Has its id only if that was asked for. A market that has never changed may have the id -1."""

    last_id: int = field(name="id")
    bids: Raw
    asks: Raw


class _Pair(msgspec.Struct):
    """Limits that a market does not have are null, or missing."""

    symbol: str = field(name="id")
    base: str | None = None
    quote: str | None = None
    price_decimals: Raw = field(name="precision", default=ABSENT)
    quantity_decimals: Raw = field(name="amount_precision", default=ABSENT)
    minimum_quantity: Raw = field(name="min_base_amount", default=ABSENT)
    minimum_notional: Raw = field(name="min_quote_amount", default=ABSENT)
    status: str | None = field(name="trade_status", default=None)


class _Clock(msgspec.Struct):
    time_ms: TimeMs = field(name="server_time")


_frame = msgspec.json.Decoder(Frame)
_update = msgspec.json.Decoder(Update)
_best_quote = msgspec.json.Decoder(BestQuote)
_trade = msgspec.json.Decoder(Trade)
_snapshot = msgspec.json.Decoder(Snapshot)
_pairs = msgspec.json.Decoder(list[_Pair])
_clock = msgspec.json.Decoder(_Clock)


def read_frame(frame: str | bytes) -> Frame:
    return decode(_frame, frame)


def read_update(result: Raw) -> Update:
    return decode(_update, bytes(result))


def read_best_quote(result: Raw) -> BestQuote:
    return decode(_best_quote, bytes(result))


def read_trade(result: Raw) -> Trade:
    return decode(_trade, bytes(result))


def read_snapshot(body: bytes) -> Snapshot:
    return decode(_snapshot, body)


def read_time_ms(body: bytes) -> int:
    return decode(_clock, body).time_ms


def number(raw: Raw) -> bytes:
    """One number, quoted or bare, for the exact parser; empty for one that is absent, null or empty."""
    text = bytes(raw).strip(b'"')
    return b"" if text == b"null" else text


def read_markets(body: bytes) -> Iterator[Market]:
    for row in decode(_pairs, body):
        if row.base and row.quote:
            yield Market(
                row.symbol,
                row.base,
                row.quote,
                tick=_step(row.price_decimals),
                lot=_step(row.quantity_decimals),
                minimum_quantity=_rule(row.minimum_quantity),
                minimum_notional=_rule(row.minimum_notional),
                tradable=row.status == "tradable",
            )


def _rule(raw: Raw) -> str:
    return number(raw).decode(errors="replace") or "0"


def _step(decimals: Raw) -> str:
    text = number(decimals).decode(errors="replace")
    return f"1e-{text}" if text else "0"


def subscribe(channel: str, payload: list[str], *, request_id: int, time_s: int) -> str:
    return _request("subscribe", channel, payload, request_id, time_s)


def unsubscribe(channel: str, payload: list[str], *, request_id: int, time_s: int) -> str:
    return _request("unsubscribe", channel, payload, request_id, time_s)


def ping(time_s: int) -> str:
    return json.dumps({"time": time_s, "channel": "spot.ping"})


def _request(event: str, channel: str, payload: list[str], request_id: int, time_s: int) -> str:
    return json.dumps({"time": time_s, "id": request_id, "channel": channel, "event": event, "payload": payload})
