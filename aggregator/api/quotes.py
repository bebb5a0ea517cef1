"""Quotes over HTTP: how a request would be routed now, with its explanation. Nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import msgspec
from aiohttp import web

from aggregator.api.problems import JSON, Code, Problem
from aggregator.domain.errors import NumberRefused
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import LIMIT
from aggregator.domain.plan import Rate, RouteRequest, RoutingPolicy, VenueDepth
from aggregator.engine.engine import Engine
from aggregator.routing.depth import seen
from aggregator.routing.planner import plan


class QuoteRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body. Decimals are strings; either `quantity`, in base, or `notional`, in quote with all costs in it."""

    symbol: str
    side: Side
    quantity: str | None = None
    notional: str | None = None
    limit_price: str | None = None
    venues: list[str] | None = None


class QuoteRoutes:
    """Plans over the live books of this moment. `policy_of` tells an instrument's routing policy; `rates` are those
    between quote currencies whose books may be pooled, none by default. Balances are not known here and do not limit.
    """

    def __init__(
        self,
        engine: Engine,
        venues: Collection[str],
        policy_of: Callable[[Instrument], RoutingPolicy],
        clock_ns: Callable[[], int],
        rates: Callable[[], Sequence[Rate]] = tuple,
    ) -> None:
        self._engine = engine
        self._venues = venues
        self._policy_of = policy_of
        self._clock_ns = clock_ns
        self._rates = rates

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1/quotes", self.quote)]

    async def quote(self, request: web.Request) -> web.Response:
        document = self.answer(await request.read())
        return web.Response(body=JSON.encode(document), content_type="application/json")

    def answer(self, body: bytes) -> dict[str, Any]:
        """The plan for a request body, as its document. Raises Problem."""
        asked = _decoded(body)
        request = self._request(asked, self._clock_ns())
        planned = plan(request, list(self._seen(request)), self._policy_of(request.instrument))
        return {**planned.to_document(), "as_of_ns": request.as_of_ns}

    def _request(self, asked: QuoteRequest, now_ns: int) -> RouteRequest:
        instrument = self._instrument(asked.symbol)
        if (asked.quantity is None) == (asked.notional is None):
            raise _bad("give either quantity or notional")
        return RouteRequest(
            instrument=instrument,
            side=asked.side,
            quantity=_positive("quantity", asked.quantity, instrument.quantity),
            notional=_positive("notional", asked.notional, instrument.notional),
            limit_price=_positive("limit_price", asked.limit_price, instrument.price),
            venues=self._chosen(asked.venues),
            as_of_ns=now_ns,
        )

    def _instrument(self, symbol: str) -> Instrument:
        name = symbol.upper().replace("-", "/")
        try:
            books = self._engine.market.books(name)
        except KeyError:
            known = ", ".join(self._engine.market.instruments) or "none yet"
            raise Problem(
                404, Code.UNKNOWN_INSTRUMENT, "unknown instrument", f"{name} is listed nowhere; there are {known}"
            ) from None
        return next(iter(books.values())).listing.instrument

    def _chosen(self, venues: list[str] | None) -> tuple[str, ...] | None:
        if venues is None:
            return None
        known = ", ".join(self._venues)
        if not venues:
            raise _bad(f"venues is empty: name some of {known}, or leave it out")
        unknown = sorted(set(venues) - set(self._venues))
        if unknown:
            detail = f"there is no venue {', '.join(map(repr, unknown))}; there are {known}"
            raise Problem(400, Code.UNKNOWN_VENUE, "unknown venue", detail)
        return tuple(dict.fromkeys(venues))

    def _seen(self, request: RouteRequest) -> Iterator[VenueDepth]:
        """The books of the instrument, then those of the same base in quotes that a rate leads from."""
        market, wanted = self._engine.market, request.instrument
        for book in market.books(wanted.name).values():
            yield seen(book, request)
        for rate in self._rates():
            name = f"{wanted.base}/{rate.base}"
            if rate.quote == wanted.quote and rate.base != wanted.quote and name in market.instruments:
                for book in market.books(name).values():
                    yield seen(book, request, rate)


def _decoded(body: bytes) -> QuoteRequest:
    try:
        return msgspec.json.decode(body, type=QuoteRequest)
    except msgspec.ValidationError as error:
        raise _bad(f'{error}; decimals are strings, such as "0.5"') from None
    except msgspec.DecodeError as error:
        raise Problem(400, Code.BAD_REQUEST, "not JSON", f"the body is not a JSON document: {error}") from None


def _positive(name: str, text: str | None, parse: Callable[[str], int]) -> int | None:
    """A positive plain decimal on its scale, exactly."""
    if text is None:
        return None
    if not (text.isascii() and text.replace(".", "", 1).isdecimal()):
        raise _bad(f'{name}={text[:64]!r}: give a positive decimal such as "0.5", without sign or exponent')
    try:
        value = parse(text)
    except NumberRefused as error:
        raise _bad(f"{name}: {error}") from None
    if not 0 < value < LIMIT:
        raise _bad(f"{name}={text}: {'give more than 0' if not value else 'too large'}")
    return value


def _bad(detail: str) -> Problem:
    return Problem(400, Code.BAD_PARAMETER, "bad parameter", detail)
