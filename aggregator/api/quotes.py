"""Quotes over HTTP: how a request would be routed now, with its explanation. Nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from aiohttp import web

from aggregator.api.auth import Keys
from aggregator.api.reading import answered, bad, decoded, instrument_named, positive, venues_named
from aggregator.api.routes import QUOTE, Endpoint, watched
from aggregator.api.schema import QuoteBody
from aggregator.domain.plan import Rate, RouteRequest, VenueDepth
from aggregator.engine.engine import Engine
from aggregator.routing.depth import seen
from aggregator.routing.planner import plan


class QuoteRoutes:
    """Who may see the market may ask what would become of an order in it."""

    def __init__(self, quotes: Quotes, keys: Keys) -> None:
        self._quotes = quotes
        self._keys = keys

    def routes(self) -> list[Endpoint]:
        return [watched(self._keys, QUOTE, self.quote)]

    async def quote(self, request: web.Request) -> web.Response:
        return answered(self._quotes.answer(await request.read()))


class Quotes:
    """Plans as the engine would plan an order of this moment: over the live books, and with the accounts' balances,
    fees and troubles where there are accounts. `rates` are those between quote currencies whose books may be pooled,
    none by default; of those books the balances are not looked at.
    """

    def __init__(
        self,
        engine: Engine,
        venues: Collection[str],
        clock_ns: Callable[[], int],
        rates: Callable[[], Sequence[Rate]] = tuple,
    ) -> None:
        self._engine = engine
        self._venues = venues
        self._clock_ns = clock_ns
        self._rates = rates

    def answer(self, body: bytes) -> dict[str, Any]:
        """The plan for a request body, as its document. Raises Problem."""
        asked = decoded(body, QuoteBody)
        request = self._request(asked, self._clock_ns())
        looked = self._engine.orders.preview(request)
        planned = plan(request, [*looked.venues, *self._pooled(request)], looked.policy)
        return {**planned.to_document(), "as_of_ns": request.as_of_ns}

    def _request(self, asked: QuoteBody, now_ns: int) -> RouteRequest:
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

    def _pooled(self, request: RouteRequest) -> Iterator[VenueDepth]:
        """The books of the same base in quotes that a rate leads from."""
        market, wanted = self._engine.market, request.instrument
        for rate in self._rates():
            name = f"{wanted.base}/{rate.base}"
            if rate.quote == wanted.quote and rate.base != wanted.quote and name in market.instruments:
                for book in market.books(name).values():
                    yield seen(book, request, rate)
