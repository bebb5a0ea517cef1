"""What readers of the stream ask, from JSON to topics, and how they are answered."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from aggregator.api.channels import Name, Topic
from aggregator.api.problems import JSON, Code, Problem
from aggregator.api.reading import bad, instrument_named
from aggregator.api.schema import AnyAccount, BookQuery
from aggregator.books.consolidated import View
from aggregator.engine.market import Market

OWN = frozenset({Name.ORDERS, Name.FILLS})
"""The channels that tell an account of itself."""

DEPTH_DEFAULT, DEPTH_AT_MOST = BookQuery().depth, 1000

_TAKEN: dict[Name, tuple[str, ...]] = {
    Name.BOOK: ("symbol", "view", "depth"),
    Name.TRADES: ("symbol",),
    Name.ORDERS: ("symbol", "account"),
    Name.FILLS: ("symbol", "account"),
    Name.VENUES: (),
}


class Subscribe(msgspec.Struct, forbid_unknown_fields=True, tag_field="op", tag="subscribe"):
    """Asked again, it brings a new snapshot. `symbol` is needed for books and trades, and narrows orders and fills, of
    which `account` asks for those of another account, or of all with `*`."""

    channel: Name
    symbol: str | None = None
    view: View | None = None
    depth: int | None = None
    account: AnyAccount | None = None


class Unsubscribe(msgspec.Struct, forbid_unknown_fields=True, tag_field="op", tag="unsubscribe"):
    """The same members as in the subscription."""

    channel: Name
    symbol: str | None = None
    view: View | None = None
    depth: int | None = None
    account: AnyAccount | None = None


class Ping(msgspec.Struct, forbid_unknown_fields=True, tag_field="op", tag="ping"):
    """Answered at once."""


class Login(msgspec.Struct, forbid_unknown_fields=True, tag_field="op", tag="login"):
    """For those who cannot set headers. `signature` is the one of a request GET /v1/stream without a body. Browsers
    give the time as text: their numbers are too coarse for it."""

    key: str
    timestamp_ns: int | str
    signature: str


Request: TypeAlias = Subscribe | Unsubscribe | Ping | Login

_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)


def read_request(text: str | bytes) -> Request:
    """Raises Problem."""
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise bad(f"{error}; op is subscribe, unsubscribe, ping or login") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Problem(400, Code.BAD_REQUEST, "not JSON", f"the message is not a JSON document: {error}") from None


def read_topic(asked: Subscribe | Unsubscribe, market: Market, account: str) -> Topic:
    """`account` is whose orders and fills are meant. Raises Problem."""
    taken = _TAKEN[asked.channel]
    for name in ("symbol", "view", "depth", "account"):
        if getattr(asked, name) is not None and name not in taken:
            raise bad(f"channel {asked.channel} takes no {name}; it takes {' and '.join(taken) or 'nothing else'}")
    symbol = "" if asked.symbol is None else instrument_named(asked.symbol, market).name
    if asked.channel in OWN:
        return Topic(asked.channel, symbol, account=account)
    if not symbol and taken:
        raise bad(f"channel {asked.channel} needs a symbol, such as BTC/USDT")
    if asked.channel is not Name.BOOK:
        return Topic(asked.channel, symbol)
    depth = DEPTH_DEFAULT if asked.depth is None else asked.depth
    if not 1 <= depth <= DEPTH_AT_MOST:
        raise bad(f"depth={depth}: give a whole number from 1 to {DEPTH_AT_MOST}")
    return Topic(Name.BOOK, symbol, (asked.view or View.GROSS).value, depth)


def told(kind: str, **members: Any) -> bytes:
    """An answer to one reader."""
    return JSON.encode({"type": kind, **members})


def refused(problem: Problem, asked: Request | None) -> bytes:
    """An error, with what it is about as far as it could be read."""
    about: dict[str, Any] = {}
    if isinstance(asked, Subscribe | Unsubscribe):
        about = {name: value for name, value in msgspec.to_builtins(asked).items() if value is not None}
    elif isinstance(asked, Login):
        about = {"op": "login", "key": asked.key}
    return told(
        "error",
        status=problem.status,
        code=problem.code.value,
        title=problem.title,
        detail=problem.detail,
        **problem.about,
        asked=about,
    )
