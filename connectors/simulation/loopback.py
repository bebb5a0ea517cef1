"""Machines and simulated venues joined in memory, under one simulated clock.

No sockets and no waiting: the next thing that is due happens, and the clock jumps to it. The same seeds
give the same run, to the last bit.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any

from aggregator.domain.effects import OrderRequest
from aggregator.domain.events import MarketEvent
from connectors.account import AccountMachine, Request
from connectors.connection import Get
from connectors.contract import REPLY_PATIENCE_NS, Reply
from connectors.machine import VenueMachine
from connectors.outcomes import AccountEvent
from connectors.simulation.contract import Hangup as VenueHangup
from connectors.simulation.contract import HttpReply, HttpRequest, Outgoing, Push
from connectors.simulation.faults import Faults, Option
from connectors.sockets import Connect, Hangup, Transmit
from connectors.submission import submit

MS = 1_000_000

CLIENTS_OF_A_LANE = 1_000_000
"""More than any has."""


def unheard(venue: str, events: Sequence[AccountEvent], now_ns: int) -> None:
    """Where nobody trades."""


class Loopback:
    """`told` receives every venue's events with the time at which they came, `told_account` those of its account."""

    def __init__(
        self,
        start_ns: int,
        told: Callable[[str, Sequence[MarketEvent], int], None],
        told_account: Callable[[str, Sequence[AccountEvent], int], None] = unheard,
    ) -> None:
        self.now_ns = start_ns
        self.told = told
        self.told_account = told_account
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self.lanes: dict[str, Lane] = {}

    def join(
        self, machine: VenueMachine, venue: Faults, latency_ns: int = 5 * MS, account: AccountMachine | None = None
    ) -> Lane:
        """Let a machine, and that of an account, talk to a simulated venue; bytes take `latency_ns` each way, and keep
        their order. Who talked to that venue before is cut off, though what is on its way there arrives."""
        before = self.lanes.get(machine.venue)
        lane = self.lanes[machine.venue] = Lane(self, machine, venue, latency_ns, account, before)
        lane.start()
        return lane

    def at(self, at_ns: int, do: Callable[[], None]) -> None:
        """Do something at a simulated time; things due at the same time happen in the order of asking."""
        heapq.heappush(self._due, (max(at_ns, self.now_ns), next(self._order), do))

    def every(self, period_ns: int, do: Callable[[], None]) -> None:
        def again() -> None:
            do()
            self.at(self.now_ns + period_ns, again)

        self.at(self.now_ns + period_ns, again)

    def run_until(self, end_ns: int) -> None:
        while self._due and self._due[0][0] <= end_ns:
            self.now_ns, _, do = heapq.heappop(self._due)
            do()
        self.now_ns = max(self.now_ns, end_ns)

    def run_for(self, duration_ns: int) -> None:
        self.run_until(self.now_ns + duration_ns)


class Lane:
    """One venue, the machine that follows its books, and its account's machine if there is one."""

    def __init__(
        self,
        loopback: Loopback,
        machine: VenueMachine,
        venue: Faults,
        latency_ns: int,
        account: AccountMachine | None = None,
        before: Lane | None = None,
    ) -> None:
        self.loopback = loopback
        self.machine = machine
        self.account = account
        self.venue = venue
        self._latency_ns = latency_ns
        self._venue_wake_ns: int | None = None
        self._successor: Lane | None = None
        self._first_client = 0
        if before is not None:
            before._successor = self
            self._first_client = before._first_client + CLIENTS_OF_A_LANE
        self._market = Party(self, machine, loopback.told, self._fetch, self._first_client, 1)
        self._private = None
        if account is not None:
            self._private = Party(self, account, loopback.told_account, self._call, self._first_client, -1)

    def start(self) -> None:
        self.machine.start(self.loopback.now_ns)
        self._market.act()
        if self.account is not None and self._private is not None:
            self._private.happened(self.account.start(self.loopback.now_ns))
        self.plan_venue_wake()

    def switch_on(self, fault: str, **options: Option) -> None:
        """Break something at the venue from now on; see `faults`."""
        self.venue.switch_on(fault, **options)
        self.plan_venue_wake()

    def switch_off(self, fault: str) -> None:
        self.venue.switch_off(fault)
        self.plan_venue_wake()

    def resync(self, symbol: str, reason: str) -> None:
        self._market.happened(self.machine.resync(symbol, reason, self.loopback.now_ns))

    def submit(self, request: OrderRequest) -> None:
        """What the engine asks of this venue's account; see `Connector.submit`."""
        events = submit(self.account, self.machine.venue, request, self.loopback.now_ns)
        if self._private is not None:
            self._private.happened(events)
        else:
            self.loopback.told_account(self.machine.venue, events, self.loopback.now_ns)

    def stop_account(self, reason: str) -> None:
        """As when the service ends: what is still under way comes to nobody."""
        if self.account is not None and self._private is not None:
            self._private.happened(self.account.stop(reason, self.loopback.now_ns))

    def later(self, do: Callable[[], None]) -> None:
        """When it has gone the way to the other end."""
        self.loopback.at(self.loopback.now_ns + self._latency_ns, do)

    def deliver(self, outgoing: list[Outgoing]) -> None:
        """A ping is left out: a real client's library answers it."""
        if self._successor is not None:
            self._successor.deliver(outgoing)
            return
        for out in outgoing:
            party = self._private if out.client < 0 else self._market
            match out:
                case Push(client, frame) if party is not None:
                    self.later(partial(party.receive, client, frame))
                case VenueHangup(client, _, reason) if party is not None:
                    self.venue.disconnected(client, self.loopback.now_ns)
                    self.later(partial(party.end, client, reason))
        self.plan_venue_wake()

    def plan_venue_wake(self) -> None:
        if self._successor is not None:
            self._successor.plan_venue_wake()
            return
        wake_ns = max(self.venue.wake_at_ns(), self.loopback.now_ns + 1)
        if self._venue_wake_ns is None or wake_ns < self._venue_wake_ns:
            self._venue_wake_ns = wake_ns
            self.loopback.at(wake_ns, lambda: self._wake_venue(wake_ns))

    def _wake_venue(self, planned_ns: int) -> None:
        if self._venue_wake_ns == planned_ns and self._successor is None:
            self._venue_wake_ns = None
            self.deliver(self.venue.woken(self.loopback.now_ns))

    def _fetch(self, get: Get) -> None:
        http = HttpRequest("GET", get.fetch.path, {}, b"")

        def answered(reply: Reply) -> None:
            self._market.happened(self.machine.fetched(get, reply, self.loopback.now_ns))

        self.later(lambda: self._request(http, answered))

    def _call(self, request: Request) -> None:
        account, private, call = self.account, self._private, request.call
        if account is None or private is None:
            return
        http = HttpRequest(call.method, call.path, {"Host": account.host, **call.headers}, call.body)

        def answered(reply: Reply) -> None:
            private.happened(account.answered(request.number, reply, self.loopback.now_ns))

        def arrives() -> None:
            if self.venue.refuses(self.loopback.now_ns):
                refused = Reply(call.path, 0, b"not_sent: the connection was refused", was_sent=False)
                self.later(lambda: answered(refused))
            else:
                self._request(http, answered)

        self.later(arrives)

    def _request(self, http: HttpRequest, answered: Callable[[Reply], None]) -> None:
        """A request has come to the venue. Its reply is not waited for longer than on real sockets."""
        now_ns = self.loopback.now_ns
        reply = _carried(http, self.venue.requested(http, now_ns))
        delay_ns = self._latency_ns + self.venue.reply_delay_ns(http, now_ns)
        if self._latency_ns + delay_ns > REPLY_PATIENCE_NS:
            reply = Reply(http.target, 0, b"outcome_unknown: no reply in time")
            delay_ns = REPLY_PATIENCE_NS - self._latency_ns
        self.loopback.at(now_ns + delay_ns, lambda: answered(reply))
        self.plan_venue_wake()


class Party:
    """One machine as a client of its venue. `ask` is handed its HTTP requests.

    Its sockets are the venue's clients after `first`, times `sign`, so that those of a venue's two machines are told
    apart, and those of lanes that follow upon each other.
    """

    def __init__(
        self,
        lane: Lane,
        machine: VenueMachine | AccountMachine,
        told: Callable[[str, Sequence[Any], int], None],
        ask: Callable[[Any], None],
        first: int,
        sign: int,
    ) -> None:
        self._lane = lane
        self._machine = machine
        self._told = told
        self._ask = ask
        self._first = first
        self._sign = sign
        self._open: set[int] = set()
        self._wake_ns: int | None = None

    def happened(self, events: Sequence[MarketEvent | AccountEvent]) -> None:
        if events:
            self._told(self._machine.venue, events, self._now_ns)
        self.act()

    def act(self) -> None:
        for action in self._machine.take_actions():
            match action:
                case Connect(socket, url):
                    self._lane.later(partial(self._connect, self._client(socket), url))
                case Transmit(socket, text):
                    self._lane.later(partial(self._transmit, self._client(socket), text))
                case Hangup(socket, _):
                    self._lane.later(partial(self._hang_up, self._client(socket)))
                case _:
                    self._ask(action)
        self._plan_wake()

    def receive(self, client: int, frame: str | bytes) -> None:
        if client in self._open:
            self.happened(self._machine.received(self._socket(client), frame, self._now_ns))

    def end(self, client: int, reason: str) -> None:
        if client in self._open:
            self._open.discard(client)
            self.happened(self._machine.closed(self._socket(client), reason, self._now_ns))

    @property
    def _now_ns(self) -> int:
        return self._lane.loopback.now_ns

    def _client(self, socket: int) -> int:
        return (self._first + socket) * self._sign

    def _socket(self, client: int) -> int:
        return abs(client) - self._first

    def _connect(self, client: int, url: str) -> None:
        venue, socket = self._lane.venue, self._socket(client)
        if venue.refuses(self._now_ns):
            self._lane.later(lambda: self.happened(self._machine.closed(socket, "refused", self._now_ns)))
            return
        path = "/" + url.partition("://")[2].partition("/")[2]
        outgoing = venue.connected(client, path, self._now_ns)
        self._open.add(client)
        self._lane.later(lambda: self.happened(self._machine.opened(socket, self._now_ns)))
        self._lane.deliver(outgoing)

    def _transmit(self, client: int, text: str) -> None:
        if client in self._open:
            self._lane.deliver(self._lane.venue.received(client, text, self._now_ns))

    def _hang_up(self, client: int) -> None:
        if client in self._open:
            self._open.discard(client)
            self._lane.venue.disconnected(client, self._now_ns)

    def _plan_wake(self) -> None:
        wake_ns = self._machine.wake_at_ns()
        if wake_ns is None or (self._wake_ns is not None and self._wake_ns <= wake_ns):
            return
        self._wake_ns = wake_ns
        self._lane.loopback.at(wake_ns, lambda: self._wake(wake_ns))

    def _wake(self, planned_ns: int) -> None:
        if self._wake_ns == planned_ns:
            self._wake_ns = None
            self.happened(self._machine.woken(self._now_ns))


def _carried(http: HttpRequest, reply: HttpReply) -> Reply:
    if reply.status == 0:
        return Reply(http.target, 0, b"outcome_unknown: the connection ended without a reply")
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return Reply(http.target, reply.status, reply.body, headers)
