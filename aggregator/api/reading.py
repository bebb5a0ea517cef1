"""Texts of requests to values: read the same way, and refused in the same words, on every route."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from aiohttp import web

from aggregator.api.problems import JSON, Code, Problem
from aggregator.domain.errors import NumberRefused
from aggregator.domain.instrument import Instrument
from aggregator.domain.numbers import LIMIT
from aggregator.engine.market import Market

T = TypeVar("T", bound=msgspec.Struct)

SHOWN = 64
"""Characters of a refused text that are told back."""

_PLACE = re.compile(r" - at `\$\.(\w+)[^`]*`$")
_WHOLE = re.compile("[0-9]{1,9}")


def answered(document: Any, status: int = 200) -> web.Response:
    return answered_bytes(JSON.encode(document), status)


def answered_bytes(body: bytes, status: int = 200) -> web.Response:
    """What is JSON already."""
    return web.Response(status=status, body=body, content_type="application/json")


def bad(detail: str) -> Problem:
    return Problem(400, Code.BAD_PARAMETER, "bad parameter", detail)


def decoded(body: bytes, kind: type[T]) -> T:
    """A JSON body as a record. Raises Problem."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _misfit(error, kind, lambda name: _raw(body, name)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, Code.BAD_REQUEST, "not JSON", f"the body is not a JSON document: {error}") from None


def parameters(request: web.Request, kind: type[T]) -> T:
    """What stands after the `?` as a record. Raises Problem."""
    if not request.query_string:
        return kind()
    given: dict[str, Any] = dict(request.query)
    for name in given.keys() & _whole_numbers(kind):
        if _WHOLE.fullmatch(given[name]):
            given[name] = int(given[name])
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise _misfit(error, kind, lambda name: repr(request.query[name][:SHOWN])) from None


def positive(name: str, text: str | None, parse: Callable[[str], int]) -> int | None:
    """A `schema.Positive` on its scale, exactly. Raises Problem."""
    if text is None:
        return None
    try:
        value = parse(text)
    except NumberRefused as error:
        raise bad(f"{name}: {error}") from None
    if value >= LIMIT:
        raise bad(f"{name}={text}: too large")
    return value


def instrument_named(symbol: str, market: Market) -> Instrument:
    """The instrument of a symbol such as `BTC/USDT` or `btc-usdt`. Raises Problem."""
    name = symbol.upper().replace("-", "/")
    try:
        return market.instrument(name)
    except KeyError:
        raise unknown_instrument(name, market) from None


def unknown_instrument(name: str, market: Market) -> Problem:
    known = ", ".join(market.instruments) or "none yet"
    detail = f"{name[:SHOWN]} is listed nowhere; there are {known}"
    return Problem(404, Code.UNKNOWN_INSTRUMENT, "unknown instrument", detail)


def venues_named(venues: list[str] | None, known: Collection[str]) -> tuple[str, ...] | None:
    """Each once; None for all of them. Raises Problem."""
    if venues is None:
        return None
    if not venues:
        raise bad(f"venues is empty: name some of {', '.join(known)}, or leave it out")
    unknown = sorted(set(venues) - set(known))
    if unknown:
        told = ", ".join(repr(venue[:SHOWN]) for venue in unknown)
        detail = f"there is no venue {told}; there are {', '.join(known)}"
        raise Problem(400, Code.UNKNOWN_VENUE, "unknown venue", detail)
    return tuple(dict.fromkeys(venues))


def _misfit(error: msgspec.ValidationError, kind: type[msgspec.Struct], shown: Callable[[str], str]) -> Problem:
    """What does not fit its declaration, with what the declaration says would."""
    place = _PLACE.search(str(error))
    remedy = _remedies(kind).get(place.group(1)) if place else None
    if place is None or remedy is None:
        return bad(f'{error}; decimals are strings, such as "0.5"')
    if "got `" in str(error) and "matching" not in str(error):
        return bad(f"{error}; give {remedy}; decimals are strings")
    return bad(f"{place.group(1)}={shown(place.group(1))}: give {remedy}")


def _raw(body: bytes, name: str) -> str:
    return bytes(msgspec.json.decode(body, type=dict[str, msgspec.Raw])[name]).decode()[:SHOWN]


@cache
def _whole_numbers(kind: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(name for name, hint in get_type_hints(kind).items() if hint is int)


@cache
def _remedies(kind: type[msgspec.Struct]) -> Mapping[str, str]:
    """What is right, by member."""
    hints = get_type_hints(kind, include_extras=True)
    found = {name: next(_words(hint), None) for name, hint in hints.items()}
    return {name: words for name, words in found.items() if words}


def _words(hint: Any) -> Iterator[str]:
    """Its descriptions, the outermost first; the choices of one that is only a choice."""
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        *others, last = hint
        yield f"{', '.join(others)} or {last}"
    for meta in getattr(hint, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and meta.description:
            yield meta.description
    for part in get_args(hint):
        yield from _words(part)
