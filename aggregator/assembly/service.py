"""The whole on the venues of a configuration: connectors, engine, journal, API."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from aggregator.api.auth import Keys
from aggregator.api.house import HouseRoutes
from aggregator.api.limits import Limits, limits_behind_proxy
from aggregator.api.local import LocalRoutes, Tape
from aggregator.api.market import MarketRoutes, VenueEntry
from aggregator.api.meters import Meters
from aggregator.api.orders import OrderRoutes
from aggregator.api.quotes import QuoteRoutes, Quotes
from aggregator.api.server import CannotListen, Operations, Server
from aggregator.api.sessions import SessionRoutes, Sessions
from aggregator.api.stream import Stream
from aggregator.api.stream_hub import Hub
from aggregator.api.stream_metrics import StreamCollector
from aggregator.api.venues import VenueRoutes
from aggregator.assembly.files import Files, Prepare, as_it_is
from aggregator.assembly.fleet import CredentialsOf, Fleet, routing_policy
from aggregator.assembly.loading import Tap, credentials_of
from aggregator.assembly.local import keep_hours, listed
from aggregator.assembly.recording import Recording, both
from aggregator.books.rates import Rates
from aggregator.config.files import Configuration
from aggregator.dashboard.routes import Dashboard
from aggregator.domain.errors import JournalFailed
from aggregator.domain.instrument import Instrument, Instruments
from aggregator.domain.local import LOCAL_VENUE, LocalRules
from aggregator.domain.order_events import Started
from aggregator.domain.plan import RoutingPolicy
from aggregator.engine.engine import Engine
from aggregator.engine.premiums import Premiums
from aggregator.engine.views import Views
from aggregator.service.dispatcher import Dispatcher
from aggregator.service.journal import Journal
from aggregator.service.liquidity_metrics import LiquidityCollector
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
        prepare: Prepare = as_it_is,
    ) -> None:
        self._participants = participants
        self.clock_ns = clock_ns
        self._configuration = configuration
        rates = configuration.settings.rate_sources()
        self.engine = Engine(policy_of=self._policy, rate_sources=rates, routes_of=configuration.local_routes().get)
        self.views = Views(self.engine)
        self._instruments = Instruments(configuration.instruments.values())
        self._recording = self._recorded()
        if self._recording is not None:
            tap = both(tap, self._recording.tap)
        find_credentials = _credentials(configuration, credentials)
        self.fleet = Fleet(self.engine, configuration, self._instruments, find_credentials, self._post, clock_ns, tap)
        self._dispatcher = Dispatcher(
            self.views, configuration.settings.display_rate_per_second, self.fleet.resync, self.fleet.submit
        )
        self._dispatcher.watch(self.fleet.note)
        if self._recording is not None:
            self._dispatcher.watch(self._recording.sampler.note)
        self.journal = Journal(configuration.journal) if configuration.journal else None
        self.runner = Runner(
            self.engine, clock_ns, self._dispatcher.carry_out, self.journal, traded=self._dispatcher.pass_on
        )
        self._files = Files(configuration, self.fleet, self.runner.ask, prepare)

    def _policy(self, instrument: Instrument) -> RoutingPolicy:
        return self.fleet.policy(instrument)

    @property
    def local_rules(self) -> list[LocalRules]:
        """What Busan lists, by its configuration."""
        return self._configuration.local_rules()

    def middle(self, instrument: str) -> int | None:
        """Between the best bid and the best offer of the live books, None without both."""
        return self.engine.market.middle(instrument)

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the venues until `stop` is set, then end in order: sockets first, what they still told last."""
        with self._recording.running() if self._recording is not None else nullcontext():
            await self._run(stop)

    async def _run(self, stop: asyncio.Event) -> None:
        try:
            await self._recover()
            await self.runner.post(self.fleet.switched_by_files())
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(self.runner.run()),
                    tasks.create_task(self._dispatcher.run()),
                    tasks.create_task(self.fleet.run()),
                    tasks.create_task(self._files.watch()),
                    *(tasks.create_task(work) for work in (*self._local_work(), *self._recorders())),
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
        for venue in self.engine.orders.state.switches:
            self.engine.show_as_switched(venue)
        self.journal.start(_told_of_failure)
        limits = self._configuration.settings.risk_limits()
        now_ns, listings = self.clock_ns(), self._configuration.listings
        await self.runner.post([Started(now_ns, self.journal.instance, self.fleet.order_venues, limits)])
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

    def _recorded(self) -> Recording | None:
        settings, folder = self._configuration.settings.records, self._configuration.records
        if settings is None or folder is None:
            return None
        premiums = Premiums(self.engine, self.views, self.engine.rates, _beside(self._configuration, self.engine.rates))
        return Recording(settings, folder, self.engine.market, premiums.all, self.clock_ns)

    def _recorders(self) -> Iterator[Coroutine[None, None, None]]:
        if self._recording is not None:
            yield self._recording.sampler.run()

    async def _post(self, events: Sequence[Any]) -> None:
        await self.runner.post(events)

    def _local_routes(self, keys: Keys) -> LocalRoutes:
        configuration, tape = self._configuration, Tape()
        self._dispatcher.watch(tape.note)
        rates = self.engine.rates
        return LocalRoutes(
            self.engine, self.views, tape, rates, _beside(configuration, rates), keys, self.runner.ask, self.clock_ns
        )

    def _no_orders(self) -> str:
        """Why no order is taken now, for whoever may know no more than that; empty when orders are."""
        if self.journal is None:
            return "no journal is configured, and no order leaves that is not written down"
        if self.journal.failure is not None:
            return "the journal cannot be written; the log says why"
        if self.engine.orders.is_halted:
            return "halted by the kill switch"
        if not self.fleet.order_venues:
            return "there are no credentials for any venue that may be routed to"
        return "" if self.engine.orders.state.is_gate_open else "not every venue is reconciled since the start"

    def _server(self) -> Server:
        entries = self.fleet.entries
        if self._configuration.listings is not None:
            entries[LOCAL_VENUE] = VenueEntry(LOCAL_VENUE, "Busan", "local", "active", True, True, "", dict)
        listen = self._configuration.settings.listen
        sessions = Sessions(self.clock_ns, is_secure=listen.behind_proxy)
        keys = Keys(
            self._configuration.keys,
            self.clock_ns,
            sessions,
            anonymous=listen.anonymous,
            is_behind_proxy=listen.behind_proxy,
        )
        orders, ask = self.engine.orders, self.runner.ask
        collector = MarketCollector(
            self.engine, self.fleet.states, lambda: self.runner.waiting, self.clock_ns, lambda: len(self.fleet.refused)
        )
        hub = Hub(self.engine, self.views, entries, self.clock_ns)
        self._dispatcher.watch(hub.note)
        stream = Stream(hub, self.engine.market, keys, self.clock_ns)
        meters, local = Meters(), self._local_routes(keys)
        placing = OrderCollector(orders, self.runner.tally, self._dispatcher.alarms, self.journal, self.clock_ns)
        recording = [] if self._recording is None else [self._recording.collector]
        metrics = registry(
            collector,
            placing,
            LiquidityCollector(self.engine, local.premiums),
            StreamCollector(hub),
            meters,
            *recording,
        )
        market = MarketRoutes(self.engine, self.views, entries, self.clock_ns, keys, lambda: self.fleet.refused)
        server = Server(
            market,
            VenueRoutes(market, self.fleet, self._files.add, keys, ask, self.clock_ns),
            QuoteRoutes(Quotes(self.engine, entries, self.clock_ns), keys),
            OrderRoutes(orders, self.engine.market, entries, keys, ask, self.clock_ns),
            HouseRoutes(orders, keys, ask, self.clock_ns),
            local,
            stream,
            SessionRoutes(keys, sessions),
            Dashboard(),
            Operations(self.engine, metrics, lambda: self.runner.waiting, self._no_orders),
            limits=limits_behind_proxy() if listen.behind_proxy else Limits(),
            meters=meters,
        )
        server.app.on_shutdown.append(stream.shut_down)
        return server


def _beside(configuration: Configuration, rates: Rates) -> dict[str, tuple[str, frozenset[str]]]:
    """By listing, the partners' books of the same base that are shown with it: those in the first quote that has a
    rate."""
    found = {}
    for listing in configuration.listings.listings if configuration.listings is not None else ():
        base, _, quote = listing.instrument.partition("/")
        others = rates.into(quote)
        if listing.display and others:
            found[listing.instrument] = f"{base}/{others[0]}", frozenset(listing.display)
    return found


def _told_of_failure(failure: JournalFailed) -> None:
    """The market is followed on; orders are refused from here on with the same words."""
    log.critical("no order leaves any more: %s", failure)


def _credentials(configuration: Configuration, given: Mapping[str, Any] | None) -> CredentialsOf:
    """How the credentials of a venue are found; none are without a journal, for no order may leave that is not written
    down."""
    if configuration.journal is None:
        return lambda venue: None
    if given is not None:
        return lambda venue: given.get(venue.venue)
    return lambda venue: credentials_of(venue, os.environ)


def policy(configuration: Configuration, instrument: Instrument) -> RoutingPolicy:
    """How an instrument is routed, by the process file and by each venue's."""
    terms = {venue.venue: venue.terms(instrument) for venue in configuration.venues}
    return routing_policy(configuration.settings.routing, terms)
