"""The whole on the venues of a configuration: connectors, engine, journal, API."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from aggregator.api.auth import Keys
from aggregator.api.house import HouseRoutes
from aggregator.api.limits import Limits, limits_behind_proxy
from aggregator.api.local import LocalRoutes, Tape
from aggregator.api.market import MarketRoutes, VenueEntry
from aggregator.api.meters import Meters
from aggregator.api.orders import OrderRoutes
from aggregator.api.quotes import QuoteRoutes
from aggregator.api.server import CannotListen, Operations, Server
from aggregator.api.sessions import SessionRoutes, Sessions
from aggregator.api.stream import Stream
from aggregator.api.stream_hub import Hub
from aggregator.api.stream_metrics import StreamCollector
from aggregator.assembly.loading import Tap, connector_of, credentials_of
from aggregator.assembly.local import keep_hours, listed
from aggregator.books.rates import Rates, Top, top_of
from aggregator.books.venue_book import Freshness
from aggregator.config.files import Configuration
from aggregator.config.venues import VenueSettings
from aggregator.dashboard.routes import Dashboard
from aggregator.domain.errors import JournalFailed
from aggregator.domain.events import ListingsRead
from aggregator.domain.instrument import Instrument, Instruments
from aggregator.domain.local import LOCAL_VENUE, LocalRules
from aggregator.domain.order_events import Started
from aggregator.domain.plan import RoutingPolicy
from aggregator.engine.engine import Engine
from aggregator.engine.views import Views
from aggregator.service.dispatcher import Dispatcher
from aggregator.service.journal import Journal
from aggregator.service.metrics import MarketCollector, registry
from aggregator.service.order_metrics import OrderCollector
from aggregator.service.recovery import recover
from aggregator.service.runner import Runner

log = logging.getLogger("aggregator.journal")


class Service:
    """`run` it once, inside an event loop.

    Orders go to the venues for which there are `credentials`; by default those that the environment has. `participants`
    is run beside the local books, if there are any: only a demo has some that are simulated. Without a
    journal in the configuration nothing is sent anywhere. Raises JournalRefused for a journal that must not be used.
    """

    def __init__(
        self,
        configuration: Configuration,
        clock_ns: Callable[[], int],
        tap: Tap | None = None,
        credentials: Mapping[str, Any] | None = None,
        participants: Callable[[Service], Coroutine[None, None, None]] | None = None,
    ) -> None:
        self._participants = participants
        self.clock_ns = clock_ns
        self._configuration = configuration
        self.engine = Engine(
            {venue.venue: _freshness(venue) for venue in configuration.venues},
            policy_of=partial(policy, configuration),
        )
        self.views = Views(self.engine)
        self._instruments = Instruments(configuration.instruments.values())
        for venue in configuration.venues:
            # A client who repeats a request right after the start is to be answered, before any venue was reached.
            listings = venue.fixed_listings(self._instruments.listed)
            self.engine.apply(ListingsRead(venue.venue, clock_ns(), listings))
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
        self.runner = Runner(
            self.engine, clock_ns, self._dispatcher.carry_out, self.journal, traded=self._dispatcher.pass_on
        )

    @property
    def local_rules(self) -> list[LocalRules]:
        """What Busan lists, by its configuration."""
        return self._configuration.local_rules()

    def middle(self, instrument: str) -> int | None:
        """Between the best bid and the best offer of the live books, None without both."""
        return self.engine.market.middle(instrument)

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the venues until `stop` is set, then end in order: sockets first, what they still told last."""
        try:
            await self._recover()
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(self.runner.run()),
                    tasks.create_task(self._dispatcher.run()),
                    *(tasks.create_task(connector.run()) for connector in self.connectors.values()),
                    *(tasks.create_task(work) for work in self._local_work()),
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
        try:
            root = await server.open(listen.host, listen.port)
        except CannotListen:
            if self.journal is not None:
                self.journal.close()
            raise
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
        now_ns, listings = self.clock_ns(), self._configuration.listings
        await self.runner.post([Started(now_ns, self.journal.instance, self._order_venues, limits)])
        if listings is not None:
            await self.runner.post(listed(listings, self.engine.orders, self._instruments, now_ns))

    def _local_work(self) -> Iterator[Coroutine[None, None, None]]:
        """What goes on at Busan's own books, besides orders."""
        listings = self._configuration.listings
        if listings is not None and self.journal is not None:
            orders = self.engine.orders
            yield keep_hours(listings, orders, self._instruments, self.runner.ask, self.clock_ns)
            if self._participants is not None:
                yield self._participants(self)

    async def _post(self, events: Sequence[Any]) -> None:
        await self.runner.post(events)

    def _local_routes(self, keys: Keys) -> LocalRoutes:
        configuration, tape = self._configuration, Tape()
        self._dispatcher.watch(tape.note)
        rates = Rates(configuration.settings.rate_sources(), self._top)
        return LocalRoutes(
            self.engine, self.views, tape, rates, _beside(configuration), keys, self.runner.ask, self.clock_ns
        )

    def _top(self, venue: str, instrument: str) -> Top | str:
        book = self.engine.market.find(instrument, venue)
        return f"it does not list {instrument}" if book is None else top_of(book)

    def _no_orders(self) -> str:
        """Why no order is taken now, for whoever may know no more than that; empty when orders are."""
        if self.journal is None:
            return "no journal is configured, and no order leaves that is not written down"
        if self.journal.failure is not None:
            return "the journal cannot be written; the log says why"
        if self.engine.orders.is_halted:
            return "halted by the kill switch"
        if not self._order_venues:
            return "there are no credentials for any venue that may be routed to"
        return "" if self.engine.orders.state.is_gate_open else "not every venue is reconciled since the start"

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
        if self._configuration.listings is not None:
            entries[LOCAL_VENUE] = VenueEntry(LOCAL_VENUE, "Busan", "local", "active", True, True, "", dict)
        sessions = Sessions(self.clock_ns, is_secure=self._configuration.settings.listen.behind_proxy)
        keys = Keys(self._configuration.keys, self.clock_ns, sessions)
        orders, ask = self.engine.orders, self.runner.ask
        collector = MarketCollector(self.engine, states, lambda: self.runner.waiting, self.clock_ns)
        hub = Hub(self.engine, self.views, entries, self.clock_ns)
        self._dispatcher.watch(hub.note)
        stream = Stream(hub, self.engine.market, keys, self.clock_ns)
        meters = Meters()
        placing = OrderCollector(orders, self.runner.tally, self._dispatcher.alarms, self.journal, self.clock_ns)
        metrics = registry(collector, placing, StreamCollector(hub), meters)
        server = Server(
            MarketRoutes(self.engine, self.views, entries, self.clock_ns),
            QuoteRoutes(self.engine, entries, self.clock_ns),
            OrderRoutes(orders, self.engine.market, entries, keys, ask, self.clock_ns),
            HouseRoutes(orders, keys, ask, self.clock_ns),
            self._local_routes(keys),
            stream,
            SessionRoutes(keys, sessions),
            Dashboard(),
            Operations(self.engine, metrics, lambda: self.runner.waiting, self._no_orders),
            limits=limits_behind_proxy() if self._configuration.settings.listen.behind_proxy else Limits(),
            meters=meters,
        )
        server.app.on_shutdown.append(stream.shut_down)
        return server


def _beside(configuration: Configuration) -> dict[str, tuple[str, frozenset[str]]]:
    """By listing, the partners' dollar books of the same base that are shown with it."""
    listings = configuration.listings.listings if configuration.listings is not None else ()
    return {
        listing.instrument: (f"{listing.instrument.partition('/')[0]}/USDT", frozenset(listing.display))
        for listing in listings
        if listing.display
    }


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


def policy(configuration: Configuration, instrument: Instrument) -> RoutingPolicy:
    """How an instrument is routed, by the process file and by each venue's."""
    routing = configuration.settings.routing
    terms = {venue.venue: venue.terms(instrument) for venue in configuration.venues}
    return RoutingPolicy(terms, market_bound_bps=routing.market_bound_bps, search_limit=routing.search_limit)


def _state_of(connector: Any) -> Callable[[], Mapping[str, Any]]:
    return lambda: asdict(connector.status())


def _freshness(venue: VenueSettings) -> Freshness:
    limits = venue.freshness
    return Freshness(limits.silent_ns or 0, limits.behind_ns or 0, limits.frozen_ns or 0)
