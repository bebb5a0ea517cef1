"""The whole on the venues of a configuration: connectors, engine, journal, API."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aggregator.api.auth import Keys
from aggregator.api.house import HouseRoutes
from aggregator.api.market import MarketRoutes, VenueEntry
from aggregator.api.orders import OrderRoutes
from aggregator.api.quotes import QuoteRoutes
from aggregator.api.server import Operations, Server
from aggregator.assembly.loading import Tap, connector_of, credentials_of
from aggregator.books.venue_book import Freshness
from aggregator.config.files import Configuration
from aggregator.config.venues import VenueSettings
from aggregator.domain.errors import JournalFailed
from aggregator.domain.instrument import Instruments
from aggregator.domain.order_events import Started
from aggregator.domain.plan import RoutingPolicy, VenueTerms
from aggregator.engine.engine import Engine
from aggregator.engine.views import Views
from aggregator.service.dispatcher import Dispatcher
from aggregator.service.journal import Journal
from aggregator.service.metrics import MarketCollector, registry
from aggregator.service.recovery import recover
from aggregator.service.runner import Runner

log = logging.getLogger("aggregator.journal")


class Service:
    """`run` it once, inside an event loop.

    Orders go to the venues for which there are `credentials`; by default those that the environment has. Without a
    journal in the configuration nothing is sent anywhere. Raises JournalRefused for a journal that must not be used.
    """

    def __init__(
        self,
        configuration: Configuration,
        clock_ns: Callable[[], int],
        tap: Tap | None = None,
        credentials: Mapping[str, Any] | None = None,
    ) -> None:
        self.clock_ns = clock_ns
        self._configuration = configuration
        self._policy = _policy(configuration)
        self.engine = Engine(
            {venue.venue: _freshness(venue) for venue in configuration.venues},
            policy_of=lambda instrument: self._policy,
        )
        self.views = Views(self.engine)
        self._instruments = Instruments(configuration.instruments.values())
        accounts = _accounts(configuration, credentials)
        self._order_venues = tuple(accounts)
        self.connectors = {
            venue.venue: connector_of(venue, self._instruments, accounts.get(venue.venue), self._post, clock_ns, tap)
            for venue in configuration.venues
        }
        self._dispatcher = Dispatcher(
            self.views,
            {venue: connector.resync for venue, connector in self.connectors.items()},
            configuration.settings.display_rate_per_second,
            {venue: self.connectors[venue].submit for venue in accounts},
        )
        self.journal = Journal(configuration.journal) if configuration.journal else None
        self.runner = Runner(self.engine, clock_ns, self._dispatcher.carry_out, self.journal)

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the venues until `stop` is set, then end in order: sockets first, what they still told last."""
        try:
            await self._recover()
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(self.runner.run()),
                    tasks.create_task(self._dispatcher.run()),
                    *(tasks.create_task(connector.run()) for connector in self.connectors.values()),
                ]
                await stop.wait()
                for task in reversed(running):
                    task.cancel()
        finally:
            self.runner.drain()
            await self.runner.settle()
            if self.journal is not None:
                self.journal.close()

    async def serve(self, stop: asyncio.Event, started: Callable[[str], None]) -> None:
        """`run`, with the API; `started` is told its root URL. Raises CannotListen."""
        server, listen = self._server(), self._configuration.settings.listen
        root = await server.open(listen.host, listen.port)
        try:
            started(root)
            await self.run(stop)
        finally:
            await server.close()

    async def _recover(self) -> None:
        """Be again what the journal says, and doubt whatever was on its way."""
        if self.journal is None:
            return
        recover(self.journal, self.engine, self._instruments)
        self.journal.start(_told_of_failure)
        limits = self._configuration.settings.risk_limits()
        await self.runner.post([Started(self.clock_ns(), self.journal.instance, self._order_venues, limits)])

    async def _post(self, events: Sequence[Any]) -> None:
        await self.runner.post(events)

    def _server(self) -> Server:
        states = {venue: _state_of(connector) for venue, connector in self.connectors.items()}
        entries = {
            venue.venue: VenueEntry(
                venue.venue,
                venue.name,
                venue.connector,
                venue.status,
                venue.display,
                venue.route,
                venue.endpoints.rest or "",
                states[venue.venue],
            )
            for venue in self._configuration.venues
        }
        keys = Keys(self._configuration.keys, self.clock_ns)
        orders, ask = self.engine.orders, self.runner.ask
        collector = MarketCollector(self.engine, states, lambda: self.runner.waiting, self.clock_ns)
        return Server(
            MarketRoutes(self.engine, self.views, entries, self.clock_ns),
            QuoteRoutes(self.engine, entries, lambda instrument: self._policy, self.clock_ns),
            OrderRoutes(orders, self.engine.market, entries, keys, ask, self.clock_ns),
            HouseRoutes(orders, keys, ask, self.clock_ns),
            Operations(self.engine, registry(collector), lambda: self.runner.waiting),
        )


def _told_of_failure(failure: JournalFailed) -> None:
    """The market is followed on; orders are refused from here on with the same words."""
    log.critical("no order leaves any more: %s", failure)


def _accounts(configuration: Configuration, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The credentials by venue; none without a journal, for no order may leave that is not written down."""
    if configuration.journal is None:
        return {}
    if given is not None:
        return dict(given)
    found = {venue.venue: credentials_of(venue, os.environ) for venue in configuration.venues}
    return {venue: credentials for venue, credentials in found.items() if credentials is not None}


def _policy(configuration: Configuration) -> RoutingPolicy:
    routing = configuration.settings.routing
    terms = {venue.venue: VenueTerms(route=venue.route) for venue in configuration.venues}
    return RoutingPolicy(terms, market_bound_bps=routing.market_bound_bps, search_limit=routing.search_limit)


def _state_of(connector: Any) -> Callable[[], Mapping[str, Any]]:
    return lambda: asdict(connector.status())


def _freshness(venue: VenueSettings) -> Freshness:
    limits = venue.freshness
    return Freshness(limits.silent_ns or 0, limits.behind_ns or 0, limits.frozen_ns or 0)
