"""One venue's machines on real sockets: the actions that they ask for are carried out here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Protocol

from aggregator.domain.effects import OrderRequest
from aggregator.domain.events import MarketEvent
from connectors.account import AccountMachine, AccountStatus, Request
from connectors.connection import Get
from connectors.link import Link
from connectors.machine import VenueMachine, VenueStatus
from connectors.outcomes import AccountEvent
from connectors.requests import Requests
from connectors.sockets import Connect, Hangup, SocketAction, Transmit
from connectors.submission import submit

FETCHES_AT_ONCE = 4
LONGEST_NAP_NS = 50_000_000
"""The machines are asked at least this often what time alone brings about."""

LAST_WORDS_S = 1
"""How long the service is given to take over what an account's end means for its orders."""

ConnectorEvent = MarketEvent | AccountEvent


class Tap(Protocol):
    """Sees the raw traffic as a capture holds it."""

    def __call__(self, at_ns: int, venue: str, kind: str, url: str, payload: str | bytes | None) -> None: ...


def no_tap(at_ns: int, venue: str, kind: str, url: str, payload: str | bytes | None) -> None:
    """For traffic that nobody records."""


class Talker(Protocol):
    """A machine, as far as its sockets are concerned."""

    def opened(self, socket: int, now_ns: int) -> Sequence[ConnectorEvent]: ...

    def received(self, socket: int, frame: str | bytes, now_ns: int) -> Sequence[ConnectorEvent]: ...

    def closed(self, socket: int, reason: str, now_ns: int) -> Sequence[ConnectorEvent]: ...


class Carrier:
    """One machine's sockets. `act` is awaited with what the machine made of each thing that happened on them."""

    def __init__(
        self,
        machine: Talker,
        venue: str,
        act: Callable[[Sequence[ConnectorEvent]], Awaitable[None]],
        spawn: Callable[[Coroutine[None, None, None]], None],
        clock_ns: Callable[[], int],
        tap: Tap,
    ) -> None:
        self._machine = machine
        self._venue = venue
        self._act = act
        self._spawn = spawn
        self._clock_ns = clock_ns
        self._tap = tap
        self._links: dict[int, Link] = {}

    async def carry_out(self, action: SocketAction) -> None:
        match action:
            case Connect(socket, url):
                self._spawn(self._pump(socket, url))
            case Transmit(socket, text):
                if socket in self._links:
                    self._tap(self._clock_ns(), self._venue, "sent", self._links[socket].url, text)
                    await self._links[socket].send(text)
            case Hangup(socket, reason):
                link = self._links.pop(socket, None)
                if link is not None:
                    # For the machine it has ended: what still comes on it is heard by nobody, so it is not recorded.
                    self._tap(self._clock_ns(), self._venue, "closed", link.url, None)
                    self._spawn(link.hang_up(reason))

    async def _pump(self, socket: int, url: str) -> None:
        async def opened() -> None:
            now_ns = self._clock_ns()
            self._tap(now_ns, self._venue, "opened", url, None)
            await self._act(self._machine.opened(socket, now_ns))

        async def received(frame: str | bytes) -> None:
            if socket not in self._links:
                return
            now_ns = self._clock_ns()
            self._tap(now_ns, self._venue, "received", url, frame)
            await self._act(self._machine.received(socket, frame, now_ns))

        self._links[socket] = link = Link(url, opened, received)
        try:
            reason = await link.run()
        finally:
            is_over = self._links.pop(socket, None) is None
        now_ns = self._clock_ns()
        if not is_over:
            self._tap(now_ns, self._venue, "closed", url, None)
        await self._act(self._machine.closed(socket, reason, now_ns))


class Connector:
    """Runs until cancelled. `publish` is awaited with each batch of events; while it waits, the socket that
    they came from is not read on.

    Only public traffic passes the `tap`: what is said with and about the account holds secrets, and is none of a
    recording's business.
    """

    def __init__(
        self,
        machine: VenueMachine,
        rest_root: str | None,
        publish: Callable[[Sequence[ConnectorEvent]], Awaitable[None]],
        clock_ns: Callable[[], int],
        tap: Tap = no_tap,
        account: AccountMachine | None = None,
    ) -> None:
        if account is not None and rest_root is None:
            raise ValueError(f"an account at {machine.venue} without an HTTP root; orders go there")
        self.venue = machine.venue
        self._machine = machine
        self._account = account
        self._rest_root = rest_root
        self._publish = publish
        self._clock_ns = clock_ns
        self._tap = tap
        self._market = Carrier(machine, machine.venue, self._act, self._spawn, clock_ns, tap)
        if account is not None:
            self._private = Carrier(account, machine.venue, self._act_account, self._spawn, clock_ns, no_tap)
        self._requests: Requests | None = None
        self._tasks: asyncio.TaskGroup
        self._fetching = asyncio.Semaphore(FETCHES_AT_ONCE)

    def status(self) -> VenueStatus:
        return self._machine.status(self._clock_ns())

    def account_status(self) -> AccountStatus | None:
        return self._account.status(self._clock_ns()) if self._account is not None else None

    async def resync(self, symbol: str, reason: str) -> None:
        await self._act(self._machine.resync(symbol, reason, self._clock_ns()))

    async def submit(self, request: OrderRequest) -> None:
        """Do what the engine asks of this venue's account. What comes of it is published like any other event; without
        an account, and while it is not followed, that nothing has left."""
        await self._act_account(submit(self._account, self.venue, request, self._clock_ns()))

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
                    await self._follow()
            finally:
                self._machine.stop("no longer followed", self._clock_ns())

    async def _follow(self) -> None:
        self._machine.start(self._clock_ns())
        try:
            if self._account is not None:
                await self._act_account(self._account.start(self._clock_ns()))
            while True:
                await self._act(self._machine.woken(self._clock_ns()))
                if self._account is not None:
                    await self._act_account(self._account.woken(self._clock_ns()))
                await self._nap()
        finally:
            await self._leave_account()

    async def _leave_account(self) -> None:
        """Before its calls are cut short, so that nothing new is sent and their outcomes are known to be in doubt."""
        if self._account is None:
            return
        events = self._account.stop("the account is not followed any more", self._clock_ns())
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self._publish(events)

    async def _nap(self) -> None:
        """Until a machine wants to be woken."""
        wakes = [self._machine.wake_at_ns(), self._account.wake_at_ns() if self._account is not None else None]
        wake_at_ns = min((wake for wake in wakes if wake is not None), default=None)
        nap_ns = LONGEST_NAP_NS if wake_at_ns is None else min(wake_at_ns - self._clock_ns(), LONGEST_NAP_NS)
        await asyncio.sleep(max(nap_ns, 1_000_000) / 1e9)

    async def _act(self, events: Sequence[ConnectorEvent]) -> None:
        """Carry out what the machine asks for, then tell what happened."""
        for action in self._machine.take_actions():
            if isinstance(action, Get):
                self._spawn(self._fetch(action))
            else:
                await self._market.carry_out(action)
        if events:
            await self._publish(events)

    async def _act_account(self, events: Sequence[ConnectorEvent]) -> None:
        """The same for the account. Calls leave before anything is waited for: they are signed for this moment."""
        actions = self._account.take_actions() if self._account is not None else []
        for action in actions:
            if isinstance(action, Request):
                self._spawn(self._call(action))
        for action in actions:
            if not isinstance(action, Request):
                await self._private.carry_out(action)
        if events:
            await self._publish(events)

    async def _fetch(self, get: Get) -> None:
        if self._requests is None:
            return
        async with self._fetching:
            reply = await self._requests.get(get.fetch.path)
        now_ns = self._clock_ns()
        if reply.status == 200:
            self._tap(now_ns, self.venue, "fetched", reply.url, reply.body)
        await self._act(self._machine.fetched(get, reply, now_ns))

    async def _call(self, request: Request) -> None:
        if self._requests is None or self._account is None:
            return
        reply = await self._requests.send(request.call)
        await self._act_account(self._account.answered(request.number, reply, self._clock_ns()))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.create_task(work)
