"""Texts of requests to values: read the same way, and refused in the same words, on every route."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from aggregator.api.problems import JSON, Code, Problem
from aggregator.domain.errors import NumberRefused
from aggregator.domain.instrument import Instrument
from aggregator.domain.numbers import LIMIT
from aggregator.engine.market import Market

T = TypeVar("T")


def answered(document: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=JSON.encode(document), content_type="application/json")


def bad(detail: str) -> Problem:
    return Problem(400, Code.BAD_PARAMETER, "bad parameter", detail)


def decoded(body: bytes, kind: type[T]) -> T:
    """A JSON body as a record. Raises Problem."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise bad(f'{error}; decimals are strings, such as "0.5"') from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, Code.BAD_REQUEST, "not JSON", f"the body is not a JSON document: {error}") from None


def positive(name: str, text: str | None, parse: Callable[[str], int]) -> int | None:
    """A positive plain decimal on its scale, exactly. Raises Problem."""
    if text is None:
        return None
    if not (text.isascii() and text.replace(".", "", 1).isdecimal()):
        raise bad(f'{name}={text[:64]!r}: give a positive decimal such as "0.5", without sign or exponent')
    try:
        value = parse(text)
    except NumberRefused as error:
        raise bad(f"{name}: {error}") from None
    if not 0 < value < LIMIT:
        raise bad(f"{name}={text}: {'give more than 0' if not value else 'too large'}")
    return value


def whole(name: str, text: str | None, default: int, most: int) -> int:
    """A query parameter that is a whole number from 1 on. Raises Problem."""
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= most):
        raise bad(f"{name}={text[:64]!r}: give a whole number from 1 to {most}")
    return int(text)


def instrument_named(symbol: str, market: Market) -> Instrument:
    """The instrument of a symbol such as `BTC/USDT` or `btc-usdt`. Raises Problem."""
    name = symbol.upper().replace("-", "/")
    try:
        books = market.books(name)
    except KeyError:
        raise unknown_instrument(name, market) from None
    return next(iter(books.values())).listing.instrument


def unknown_instrument(name: str, market: Market) -> Problem:
    known = ", ".join(market.instruments) or "none yet"
    return Problem(404, Code.UNKNOWN_INSTRUMENT, "unknown instrument", f"{name} is listed nowhere; there are {known}")


def venues_named(venues: list[str] | None, known: Collection[str]) -> tuple[str, ...] | None:
    """Each once; None for all of them. Raises Problem."""
    if venues is None:
        return None
    if not venues:
        raise bad(f"venues is empty: name some of {', '.join(known)}, or leave it out")
    unknown = sorted(set(venues) - set(known))
    if unknown:
        detail = f"there is no venue {', '.join(map(repr, unknown))}; there are {', '.join(known)}"
        raise Problem(400, Code.UNKNOWN_VENUE, "unknown venue", detail)
    return tuple(dict.fromkeys(venues))
