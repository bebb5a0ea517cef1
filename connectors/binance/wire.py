"""Binance's public messages as types. The venue's one-letter field names are known only here.

Source: the venue's spot API documentation, state of July 2026. Times are ms; prices and quantities are
JSON strings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial

import msgspec
from msgspec import Raw, field

from connectors.decoding import decode
from connectors.markets import Market

# 1. Streams of this connection: /stream wraps each push in the stream's name. Only the wrapper tells a best
#    bid and offer from anything else, as that carries no type of its own.
# 2. A subscription's acknowledgement has `result` null and says nothing about whether the symbol exists.


ABSENT = Raw(b"")
"""A side that the message does not have: no levels can be read of it."""


class Push(msgspec.Struct):
    """The union of what is read of a diff, a trade and a best bid and offer. In the first, `bids` and `asks`
    are levels; in the last they are the two best prices."""

    symbol: str = field(name="s", default="")
    time_ms: int = field(name="E", default=0)
    first_id: int = field(name="U", default=0)
    last_id: int = field(name="u", default=0)
    bids: Raw = field(name="b", default=ABSENT)
    asks: Raw = field(name="a", default=ABSENT)
    bid_quantity: str = field(name="B", default="")
    ask_quantity: str = field(name="A", default="")
    price: str = field(name="p", default="")
    quantity: str = field(name="q", default="")
    trade_id: int = field(name="t", default=0)
    trade_time_ms: int = field(name="T", default=0)
    buyer_is_maker: bool = field(name="m", default=False)


class VenueError(msgspec.Struct):
    code: int = 0
    msg: str = ""


class Frame(msgspec.Struct):
    """A push (`stream` and `data`), an acknowledgement (`id`) or an error (`code`, or `error`, and `id`)."""

    stream: str = ""
    data: Push | None = None
    id: int | str | None = None
    code: int | None = None
    msg: str = ""
    error: VenueError | None = None

    @property
    def complaint(self) -> str | None:
        if self.error is not None:
            return f"{self.error.code}: {self.error.msg}"
        return f"{self.code}: {self.msg}" if self.code is not None else None


class Snapshot(msgspec.Struct):
    last_id: int = field(name="lastUpdateId")
    bids: Raw
    asks: Raw


class _Filter(msgspec.Struct):
    kind: str = field(name="filterType", default="")
    tick: str = field(name="tickSize", default="0")
    lot: str = field(name="stepSize", default="0")
    minimum_quantity: str = field(name="minQty", default="0")
    minimum_notional: str = field(name="minNotional", default="0")


class _Symbol(msgspec.Struct):
    symbol: str
    status: str
    base: str = field(name="baseAsset")
    quote: str = field(name="quoteAsset")
    filters: list[_Filter] = []


class _ExchangeInfo(msgspec.Struct):
    symbols: list[_Symbol]


class _Time(msgspec.Struct):
    server_time_ms: int = field(name="serverTime")


_frame = msgspec.json.Decoder(Frame)
_snapshot = msgspec.json.Decoder(Snapshot)
_exchange_info = msgspec.json.Decoder(_ExchangeInfo)
_time = msgspec.json.Decoder(_Time)


read_frame = partial(decode, _frame)


def read_snapshot(body: bytes) -> Snapshot:
    return decode(_snapshot, body)


def read_markets(body: bytes) -> Iterator[Market]:
    for row in decode(_exchange_info, body).symbols:
        filters = {rule.kind: rule for rule in row.filters}
        price, lot = filters.get("PRICE_FILTER", _Filter()), filters.get("LOT_SIZE", _Filter())
        notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or _Filter()
        yield Market(
            row.symbol,
            row.base,
            row.quote,
            tick=price.tick,
            lot=lot.lot,
            minimum_quantity=lot.minimum_quantity,
            minimum_notional=notional.minimum_notional,
            tradable=row.status == "TRADING",
        )


def read_time_ms(body: bytes) -> int:
    return decode(_time, body).server_time_ms


def subscribe(streams: Sequence[str], request_id: int) -> str:
    return json.dumps({"method": "SUBSCRIBE", "params": streams, "id": request_id})
