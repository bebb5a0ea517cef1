"""The venues of a configuration as simulators on this machine."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

from aggregator.assembly.loading import load_connector
from aggregator.config.files import Configuration
from aggregator.config.venues import VenueSettings
from aggregator.domain.instrument import Instruments, Listing
from aggregator.service.clock import SystemClock

LONELY_AT_MOST_S = 120
"""Simulated venues that nobody is connected to for this long end: whoever started them is gone for good."""

KEY, SECRET = "simulated-key", "simulated-secret"
"""Of the account at each simulated venue. They open nothing else."""


def credentials(venues: Iterable[str]) -> dict[str, Any]:
    """Those of the simulated accounts, by venue."""
    made = import_module("connectors.trading").Credentials(KEY, SECRET)
    return dict.fromkeys(venues, made)


class SimulatedVenues:
    """Each at a port of its own."""

    def __init__(self, configuration: Configuration, seed: int, clock_ns: Callable[[], int]) -> None:
        self._venues = configuration.venues
        instruments = Instruments(configuration.instruments.values())
        self.accounts: dict[str, Any] = {}
        """By venue, what is really so: every order that the venue has taken on, and the balances."""
        self._servers: dict[str, Any] = {}
        for venue in configuration.venues:
            if find_spec(f"{load_connector(venue).__name__}.simulator") is None:
                continue  # one that was added, and that nobody simulates
            listings = venue.fixed_listings(instruments.listed)
            self._servers[venue.venue], self.accounts[venue.venue] = _simulator(venue, listings, seed, clock_ns)
        self._configuration = configuration

    @property
    def clients(self) -> int:
        """Websockets that are open to them."""
        return sum(server.clients for server in self._servers.values())

    async def listen(self) -> dict[str, str]:
        """Let them listen; returns `host:port` by venue."""
        return {venue: await server.open() for venue, server in self._servers.items()}

    async def open(self) -> Configuration:
        """Let them listen; returns the configuration with their addresses in place of the real ones."""
        return moved(self._configuration, await self.listen())

    async def run(self) -> None:
        """Let their time pass, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for server in self._servers.values():
                tasks.create_task(server.run())

    async def close(self) -> None:
        for server in self._servers.values():
            await server.close()


def moved(configuration: Configuration, addresses: dict[str, str]) -> Configuration:
    """The simulated venues at their addresses on this machine. Routing to a venue that is only simulated needs nobody's
    permission."""
    venues = []
    for venue in configuration.venues:
        address = addresses.get(venue.venue)
        if address is None:  # one that was added, and is where its file says
            venues.append(venue)
            continue
        urls = venue.endpoints.model_dump(exclude_none=True).items()
        endpoints = venue.endpoints.model_copy(update={name: _moved(url, address) for name, url in urls})
        venues.append(venue.model_copy(update={"endpoints": endpoints, "route": True}))
    return replace(configuration, venues=tuple(venues))


async def simulate(configuration: Configuration, seed: int, left: Path, stop: asyncio.Event) -> None:
    """Simulate until `stop` is set, or until nobody has been connected for a while. Where the venues are is left in a
    file, with a name for this run: another run has other markets and other accounts."""
    venues = SimulatedVenues(configuration, seed, SystemClock())
    addresses = await venues.listen()
    running = asyncio.create_task(venues.run())
    _leave(left, {"run": token_hex(4), "pid": os.getpid(), "seed": seed, "addresses": addresses})
    try:
        await _until_lonely(venues, running, stop)
    finally:
        _leave(left, None)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await venues.close()


def _leave(left: Path, found: dict[str, Any] | None) -> None:
    """Whole or not at all, for whoever reads it meanwhile."""
    if found is None:
        left.unlink(missing_ok=True)
        return
    left.parent.mkdir(parents=True, exist_ok=True)
    waiting = left.with_suffix(".new")
    waiting.write_text(json.dumps(found))
    waiting.replace(left)


async def _until_lonely(venues: SimulatedVenues, running: asyncio.Task[None], stop: asyncio.Event) -> None:
    lonely_s = 0
    while lonely_s < LONELY_AT_MOST_S and not stop.is_set() and not running.done():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1)
        lonely_s = 0 if venues.clients else lonely_s + 1


def _simulator(
    venue: VenueSettings, listings: list[Listing], seed: int, clock_ns: Callable[[], int]
) -> tuple[Any, Any]:
    """The venue's server, and the account that trades there."""
    simulation = import_module("connectors.simulation.exchange")
    exchange = simulation.SimulatedExchange(venue.venue, listings, seed, clock_ns())
    module = import_module(f"{load_connector(venue).__name__}.simulator")
    account = module.account_of(exchange, key=KEY, secret=SECRET)
    speaking = module.simulator(exchange, account)
    faults = import_module("connectors.simulation.faults").Faults(speaking, exchange, seed, account)
    return import_module("connectors.simulation.server").SimulatorServer(faults, clock_ns), account


def _moved(url: str, address: str) -> str:
    """The same path at another address of this machine, where nothing is encrypted."""
    parts = urlsplit(url)
    scheme = "ws" if parts.scheme.startswith("ws") else "http"
    return parts._replace(scheme=scheme, netloc=address).geturl()
