"""HTX's public messages as types. The venue's names for its fields are known only here.

Source: the venue's spot API documentation of 2021 and its newer pages of 2025, and recorded traffic. Times
are ms; prices and quantities are JSON numbers, some of them with an exponent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Raw, field

from aggregator.domain.errors import FrameRefused
from aggregator.domain.instrument import Side
from aggregator.domain.numbers import MAX_DECIMALS
from connectors.decoding import decode, gunzip
from connectors.markets import Market

# 1. A binary frame is one gzip member, a text frame is plain; this holds for pings too. Ours are always text.
# 2. A topic is `market.<symbol>.<channel>`, and the channel may have points in it.
# 3. A request's id is free text, and comes back even with a refusal that does not name the topic: so the
#    topic itself is the id.

ABSENT = Raw(b"")
"""A side that the message does not have. As levels it is refused, so only those who expect it let it pass."""

_ZERO = Raw(b"0")


class Trade(msgspec.Struct):
    """`id` beside `tradeId` is longer than 64 bits, and not read."""

    time_ms: int = field(name="ts")
    trade_id: int = field(name="tradeId")
    price: Raw
    quantity: Raw = field(name="amount")
    taker: Side = field(name="direction")


class Tick(msgspec.Struct):
    """The union of what is read of a book, of its changes, of a best bid and offer, and of trades."""

    time_ms: int = field(name="ts", default=0)
    sequence: int = field(name="seqNum", default=0)
    previous: int = field(name="prevSeqNum", default=-1)
    version: int = 0
    bids: Raw = ABSENT
    asks: Raw = ABSENT
    quote_time_ms: int = field(name="quoteTime", default=0)
    quote_sequence: int = field(name="seqId", default=0)
    bid_price: Raw = field(name="bid", default=_ZERO)
    bid_quantity: Raw = field(name="bidSize", default=_ZERO)
    ask_price: Raw = field(name="ask", default=_ZERO)
    ask_quantity: Raw = field(name="askSize", default=_ZERO)
    trades: list[Trade] = field(name="data", default=[])


class Frame(msgspec.Struct):
    """A push (`ch` and `tick`), an answer to `req` (`rep` and `data`), a ping, an acknowledgement or an error."""

    channel: str = field(name="ch", default="")
    time_ms: int = field(name="ts", default=0)
    tick: Tick | None = None
    answered: str = field(name="rep", default="")
    data: Tick | None = None
    ping: int | None = None
    id: int | str | None = None
    status: str = ""
    subscribed: str = field(name="subbed", default="")
    unsubscribed: str = field(name="unsubbed", default="")
    error_code: str = field(name="err-code", default="")
    error_text: str = field(name="err-msg", default="")


class _Rule(msgspec.Struct, kw_only=True):
    symbol: str
    state: str = ""
    base: str = field(name="bc")
    quote: str = field(name="qc")
    price_decimals: Annotated[int, msgspec.Meta(ge=0, le=MAX_DECIMALS)] = field(name="pp")
    quantity_decimals: Annotated[int, msgspec.Meta(ge=0, le=MAX_DECIMALS)] = field(name="ap")
    minimum_quantity: Raw = field(name="lominoa", default=_ZERO)
    minimum_notional: Raw = field(name="minov", default=_ZERO)
    api_trading: str = field(name="at", default="")


class _OlderRule(msgspec.Struct, kw_only=True):
    symbol: str
    state: str = ""
    base: str = field(name="base-currency")
    quote: str = field(name="quote-currency")
    price_decimals: Annotated[int, msgspec.Meta(ge=0, le=MAX_DECIMALS)] = field(name="price-precision")
    quantity_decimals: Annotated[int, msgspec.Meta(ge=0, le=MAX_DECIMALS)] = field(name="amount-precision")
    minimum_quantity: Raw = field(name="limit-order-min-order-amt", default=_ZERO)
    minimum_notional: Raw = field(name="min-order-value", default=_ZERO)
    api_trading: str = field(name="api-trading", default="")


class _Time(msgspec.Struct):
    time_ms: int = field(name="data")


class _Rules(msgspec.Struct):
    status: str
    data: list[_Rule] = []


class _OlderRules(msgspec.Struct):
    status: str
    data: list[_OlderRule] = []


_frame = msgspec.json.Decoder(Frame)
_rules = msgspec.json.Decoder(_Rules)
_older_rules = msgspec.json.Decoder(_OlderRules)
_time = msgspec.json.Decoder(_Time)


def read_frame(frame: str | bytes) -> Frame:
    """A tick without a time of its own gets that of its push."""
    message = decode(_frame, gunzip(frame) if isinstance(frame, bytes) else frame)
    for tick in (message.tick, message.data):
        if tick is not None:
            tick.time_ms = tick.time_ms or message.time_ms
    return message


def read_markets(body: bytes) -> Iterator[Market]:
    """The answer of /v1/settings/common/market-symbols."""
    return _markets(decode(_rules, body))


def read_older_markets(body: bytes) -> Iterator[Market]:
    """The answer of /v1/common/symbols."""
    return _markets(decode(_older_rules, body))


def _markets(answer: _Rules | _OlderRules) -> Iterator[Market]:
    if answer.status != "ok":
        raise FrameRefused(f"a market list of status {answer.status!r}")
    for row in answer.data:
        yield Market(
            row.symbol,
            row.base.upper(),
            row.quote.upper(),
            tick=f"1e-{row.price_decimals}",
            lot=f"1e-{row.quantity_decimals}",
            minimum_quantity=number(row.minimum_quantity),
            minimum_notional=number(row.minimum_notional),
            tradable=row.state == "online" and row.api_trading == "enabled",
        )


def read_time_ms(body: bytes) -> int:
    return decode(_time, body).time_ms


def number(raw: Raw) -> str:
    """A number's text; some messages quote it and some do not."""
    return bytes(raw).decode("utf-8", "replace").strip('"')


def topic(symbol: str, channel: str) -> str:
    return f"market.{symbol}.{channel}"


def split_topic(text: str) -> tuple[str, str]:
    """The symbol and the channel; both empty for what is no topic of a market."""
    scope, _, rest = text.partition(".")
    symbol, _, channel = rest.partition(".")
    return (symbol, channel) if scope == "market" else ("", "")


def subscribe(topic: str) -> str:
    return json.dumps({"sub": topic, "id": topic})


def unsubscribe(topic: str) -> str:
    return json.dumps({"unsub": topic, "id": topic})


def ask(topic: str) -> str:
    return json.dumps({"req": topic, "id": topic})


def pong(ping: int) -> str:
    return json.dumps({"pong": ping})
