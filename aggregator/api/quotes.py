"""Quotes over HTTP: how a request would be routed now, with its explanation. Nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import msgspec
from aiohttp import web

from aggregator.api.reading import answered, bad, decoded, instrument_named, positive, venues_named
from aggregator.domain.instrument import Instrument, Side
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
        return answered(self.answer(await request.read()))

    def answer(self, body: bytes) -> dict[str, Any]:
        """The plan for a request body, as its document. Raises Problem."""
        asked = decoded(body, QuoteRequest)
        request = self._request(asked, self._clock_ns())
        planned = plan(request, list(self._seen(request)), self._policy_of(request.instrument))
        return {**planned.to_document(), "as_of_ns": request.as_of_ns}

    def _request(self, asked: QuoteRequest, now_ns: int) -> RouteRequest:
        instrument = instrument_named(asked.symbol, self._engine.market)
        if (asked.quantity is None) == (asked.notional is None):
            raise bad("give either quantity or notional")
        return RouteRequest(
            instrument=instrument,
            side=asked.side,
            quantity=positive("quantity", asked.quantity, instrument.quantity),
            notional=positive("notional", asked.notional, instrument.notional),
            limit_price=positive("limit_price", asked.limit_price, instrument.price),
            venues=venues_named(asked.venues, self._venues),
            as_of_ns=now_ns,
        )

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
