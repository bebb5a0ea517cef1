"""One venue's machine on real sockets: the actions that it asks for are carried out here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Protocol

from aggregator.domain.events import MarketEvent
from connectors.connection import Connect, Get, Hangup, Transmit
from connectors.link import Link
from connectors.machine import VenueMachine, VenueStatus
from connectors.requests import Requests

FETCHES_AT_ONCE = 4
LONGEST_NAP_NS = 50_000_000
"""The machine is asked at least this often what time alone brings about."""


class Tap(Protocol):
    """Sees the raw traffic as a capture holds it."""

    def __call__(self, at_ns: int, venue: str, kind: str, url: str, payload: str | bytes | None) -> None: ...


def no_tap(at_ns: int, venue: str, kind: str, url: str, payload: str | bytes | None) -> None:
    """For traffic that nobody records."""


class Connector:
    """Runs until cancelled. `publish` is awaited with each batch of events; while it waits, the socket that
    they came from is not read on."""

    def __init__(
        self,
        machine: VenueMachine,
        rest_root: str | None,
        publish: Callable[[Sequence[MarketEvent]], Awaitable[None]],
        clock_ns: Callable[[], int],
        tap: Tap = no_tap,
    ) -> None:
        self.venue = machine.venue
        self._machine = machine
        self._rest_root = rest_root
        self._publish = publish
        self._clock_ns = clock_ns
        self._tap = tap
        self._links: dict[int, Link] = {}
        self._requests: Requests | None = None
        self._tasks: asyncio.TaskGroup
        self._fetching = asyncio.Semaphore(FETCHES_AT_ONCE)

    def status(self) -> VenueStatus:
        return self._machine.status(self._clock_ns())

    async def resync(self, symbol: str, reason: str) -> None:
        await self._act(self._machine.resync(symbol, reason, self._clock_ns()))

    async def run(self) -> None:
        """Until cancelled; then all sockets are closed.

        A defect of ours in any of its tasks ends the whole connector, and is raised here.
        """
        async with AsyncExitStack() as stack:
            if self._rest_root:
                self._requests = await stack.enter_async_context(Requests(self._rest_root))
            try:
                async with asyncio.TaskGroup() as tasks:
                    self._tasks = tasks
                    self._machine.start(self._clock_ns())
                    while True:
                        await self._act(self._machine.woken(self._clock_ns()))
                        await self._nap()
            finally:
                self._machine.stop("no longer followed", self._clock_ns())

    async def _nap(self) -> None:
        """Until the machine wants to be woken."""
        wake_at_ns = self._machine.wake_at_ns()
        nap_ns = LONGEST_NAP_NS if wake_at_ns is None else min(wake_at_ns - self._clock_ns(), LONGEST_NAP_NS)
        await asyncio.sleep(max(nap_ns, 1_000_000) / 1e9)

    async def _act(self, events: Sequence[MarketEvent]) -> None:
        """Carry out what the machine asks for, then tell what happened."""
        for action in self._machine.take_actions():
            match action:
                case Connect(socket, url):
                    self._spawn(self._pump(socket, url))
                case Transmit(socket, text):
                    if socket in self._links:
                        self._tap(self._clock_ns(), self.venue, "sent", self._links[socket].url, text)
                        await self._links[socket].send(text)
                case Hangup(socket, reason):
                    if socket in self._links:
                        self._spawn(self._links[socket].hang_up(reason))
                case Get():
                    self._spawn(self._fetch(action))
        if events:
            await self._publish(events)

    async def _pump(self, socket: int, url: str) -> None:
        async def opened() -> None:
            now_ns = self._clock_ns()
            self._tap(now_ns, self.venue, "opened", url, None)
            await self._act(self._machine.opened(socket, now_ns))

        async def received(frame: str | bytes) -> None:
            now_ns = self._clock_ns()
            self._tap(now_ns, self.venue, "received", url, frame)
            await self._act(self._machine.received(socket, frame, now_ns))

        self._links[socket] = link = Link(url, opened, received)
        try:
            reason = await link.run()
        finally:
            del self._links[socket]
        now_ns = self._clock_ns()
        self._tap(now_ns, self.venue, "closed", url, None)
        await self._act(self._machine.closed(socket, reason, now_ns))

    async def _fetch(self, get: Get) -> None:
        if self._requests is None:
            return
        async with self._fetching:
            reply = await self._requests.get(get.fetch.path)
        now_ns = self._clock_ns()
        if reply.status == 200:
            self._tap(now_ns, self.venue, "fetched", reply.url, reply.body)
        await self._act(self._machine.fetched(get, reply, now_ns))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.create_task(work)
