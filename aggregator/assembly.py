"""Puts the rooms together. Only here is it known which connector a venue's file asks for.

The connectors are loaded by name: that one dynamic import is what makes a venue a matter of configuration.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from aggregator.api.market import MarketRoutes, VenueEntry
from aggregator.api.quotes import QuoteRoutes
from aggregator.api.server import Operations, Server
from aggregator.books.venue_book import Freshness
from aggregator.config.files import Configuration, load_configuration
from aggregator.config.venues import VenueSettings, load_venue
from aggregator.domain.errors import ConfigurationRefused
from aggregator.domain.events import MarketEvent
from aggregator.domain.instrument import Instruments, Listing
from aggregator.domain.plan import RoutingPolicy, VenueTerms
from aggregator.engine.engine import Engine
from aggregator.engine.views import Views
from aggregator.records.replay import Conversation
from aggregator.service.clock import SystemClock
from aggregator.service.dispatcher import Dispatcher
from aggregator.service.metrics import MarketCollector, registry
from aggregator.service.runner import Runner

Tap = Callable[[int, str, str, str, str | bytes | None], None]
"""Sees raw traffic: time, venue, kind, url, payload."""


def config_folder() -> Path:
    """The `config` folder where the command runs, or else the one that belongs to this code."""
    here = Path("config")
    return here if here.is_dir() else Path(__file__).resolve().parent.parent / "config"


def load_connector(venue: VenueSettings) -> Any:
    """The connector module that a venue's file names. Raises ConfigurationRefused when there is none."""
    name = f"connectors.{venue.connector}"
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
    folder = Path(str(import_module("connectors").__file__)).parent
    known = sorted(path.parent.name for path in folder.glob("*/market_data.py"))
    text = f"there is no connector {venue.connector!r}; there are {', '.join(known)}"
    raise ConfigurationRefused([venue.fault(("connector",), text)])


def market_data(venue: VenueSettings) -> Any:
    """The venue's protocol for public market data, on the book channel that its file chooses."""
    connector = load_connector(venue)
    return connector.MarketData(venue.book_channel) if venue.book_channel else connector.MarketData()


def recorded_conversations(folder: Path) -> Callable[[str], Conversation]:
    """How a replay talks about each venue: by its file in `folder/venues`, on the scales of the process file."""
    process_file = folder / "aggregator.yaml"
    known = load_configuration(process_file).instruments.values() if process_file.is_file() else ()
    instruments = Instruments(known)

    def converse(name: str) -> Conversation:
        path = folder / "venues" / f"{name}.yaml"
        if not path.is_file():
            raise ConfigurationRefused([f"venue {name!r} has no file {path}; write one to say how it speaks"])
        venue = load_venue(path)
        session = import_module("connectors.session").recorded_session(market_data(venue), venue, instruments)
        return cast(Conversation, session)

    return converse


class Service:
    """The whole, on the venues of a configuration. `run` it once, inside an event loop."""

    def __init__(self, configuration: Configuration, clock_ns: Callable[[], int], tap: Tap | None = None) -> None:
        self.clock_ns = clock_ns
        self.engine = Engine({venue.venue: _freshness(venue) for venue in configuration.venues})
        self.views = Views(self.engine)
        instruments = Instruments(configuration.instruments.values())
        self.connectors = {
            venue.venue: _connector(venue, instruments, self._post, clock_ns, tap) for venue in configuration.venues
        }
        resyncs = {venue: connector.resync for venue, connector in self.connectors.items()}
        self._dispatcher = Dispatcher(self.views, resyncs, configuration.settings.display_rate_per_second)
        self.runner = Runner(self.engine, clock_ns, self._dispatcher.carry_out)
        self._configuration = configuration

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the venues until `stop` is set, then end in order: sockets first, what they still told last."""
        try:
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

    async def serve(self, stop: asyncio.Event, started: Callable[[str], None]) -> None:
        """`run`, with the API; `started` is told its root URL. Raises CannotListen."""
        server, listen = self._server(), self._configuration.settings.listen
        root = await server.open(listen.host, listen.port)
        try:
            started(root)
            await self.run(stop)
        finally:
            await server.close()

    async def _post(self, events: Sequence[MarketEvent]) -> None:
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
        collector = MarketCollector(self.engine, states, lambda: self.runner.waiting, self.clock_ns)
        market = MarketRoutes(self.engine, self.views, entries, self.clock_ns)
        policy = RoutingPolicy({venue.venue: VenueTerms(route=venue.route) for venue in self._configuration.venues})
        quotes = QuoteRoutes(self.engine, entries, lambda instrument: policy, self.clock_ns)
        return Server(market, quotes, Operations(self.engine, registry(collector), lambda: self.runner.waiting))


def _connector(
    venue: VenueSettings,
    instruments: Instruments,
    post: Callable[[Sequence[MarketEvent]], Awaitable[None]],
    clock_ns: Callable[[], int],
    tap: Tap | None,
) -> Any:
    machine = import_module("connectors.machine").venue_machine(
        venue, lambda: market_data(venue), instruments, random.random
    )
    connector = import_module("connectors.connector")
    return connector.Connector(machine, venue.endpoints.rest, post, clock_ns, tap or connector.no_tap)


def _state_of(connector: Any) -> Callable[[], Mapping[str, Any]]:
    return lambda: asdict(connector.status())


def _freshness(venue: VenueSettings) -> Freshness:
    limits = venue.freshness
    return Freshness(limits.silent_ns or 0, limits.behind_ns or 0, limits.frozen_ns or 0)


class SimulatedVenues:
    """The venues of a configuration as simulators on this machine, each at a port of its own."""

    def __init__(self, configuration: Configuration, seed: int, clock_ns: Callable[[], int]) -> None:
        self._configuration = configuration
        instruments = Instruments(configuration.instruments.values())
        self._servers = {
            venue.venue: _simulator(venue, venue.fixed_listings(instruments.listed), seed, clock_ns)
            for venue in configuration.venues
        }

    async def open(self) -> Configuration:
        """Let them listen; returns the configuration with their addresses in place of the real ones. Routing to a venue
        that is only simulated needs nobody's permission."""
        venues = []
        for venue in self._configuration.venues:
            address = await self._servers[venue.venue].open()
            endpoints = {
                name: _moved(url, address) for name, url in venue.endpoints.model_dump(exclude_none=True).items()
            }
            moved = venue.endpoints.model_copy(update=endpoints)
            venues.append(venue.model_copy(update={"endpoints": moved, "route": True}))
        return replace(self._configuration, venues=tuple(venues))

    async def run(self) -> None:
        """Let their time pass, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for server in self._servers.values():
                tasks.create_task(server.run())

    async def close(self) -> None:
        for server in self._servers.values():
            await server.close()


def _simulator(venue: VenueSettings, listings: list[Listing], seed: int, clock_ns: Callable[[], int]) -> Any:
    simulation = import_module("connectors.simulation.exchange")
    exchange = simulation.SimulatedExchange(venue.venue, listings, seed, clock_ns())
    speaking = import_module(f"connectors.{venue.connector}.simulator").simulator(exchange)
    faults = import_module("connectors.simulation.faults").Faults(speaking, exchange, seed)
    return import_module("connectors.simulation.server").SimulatorServer(faults, clock_ns)


def _moved(url: str, address: str) -> str:
    """The same path at another address of this machine, where nothing is encrypted."""
    parts = urlsplit(url)
    scheme = "ws" if parts.scheme.startswith("ws") else "http"
    return parts._replace(scheme=scheme, netloc=address).geturl()


async def demo(configuration: Configuration, seed: int, stop: asyncio.Event, started: Callable[[str], None]) -> None:
    """The service on simulated venues, all in this process."""
    clock_ns = SystemClock()
    venues = SimulatedVenues(configuration, seed, clock_ns)
    try:
        service = Service(await venues.open(), clock_ns)
        simulating = asyncio.create_task(venues.run())
        try:
            await service.serve(stop, started)
        finally:
            simulating.cancel()
            with suppress(asyncio.CancelledError):
                await simulating
    finally:
        await venues.close()
