"""Machines and simulated venues joined in memory, under one simulated clock.

No sockets and no waiting: the next thing that is due happens, and the clock jumps to it. The same seeds
give the same run, to the last bit.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count

from aggregator.domain.events import MarketEvent
from connectors.connection import Action, Connect, Get, Hangup, Transmit
from connectors.contract import Reply
from connectors.machine import VenueMachine
from connectors.simulation.contract import Hangup as VenueHangup
from connectors.simulation.contract import HttpRequest, Outgoing, Ping, Push
from connectors.simulation.faults import Faults, Option

MS = 1_000_000


class Loopback:
    """`told` receives every venue's events with the time at which they came."""

    def __init__(self, start_ns: int, told: Callable[[str, Sequence[MarketEvent], int], None]) -> None:
        self.now_ns = start_ns
        self._told = told
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self.lanes: dict[str, Lane] = {}

    def join(self, machine: VenueMachine, venue: Faults, latency_ns: int = 5 * MS) -> Lane:
        """Let a machine talk to a simulated venue; bytes take `latency_ns` each way, and keep their order."""
        lane = self.lanes[machine.venue] = Lane(self, machine, venue, latency_ns)
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

    def tell(self, venue: str, events: Sequence[MarketEvent]) -> None:
        if events:
            self._told(venue, events, self.now_ns)


class Lane:
    """One machine and its venue. A socket's number is also the client's at the venue."""

    def __init__(self, loopback: Loopback, machine: VenueMachine, venue: Faults, latency_ns: int) -> None:
        self.machine = machine
        self.venue = venue
        self._loopback = loopback
        self._latency_ns = latency_ns
        self._open: set[int] = set()
        self._machine_wake_ns: int | None = None
        self._venue_wake_ns: int | None = None

    def start(self) -> None:
        self.machine.start(self._loopback.now_ns)
        self._act()
        self._plan_venue_wake()

    def switch_on(self, fault: str, **options: Option) -> None:
        """Break something at the venue from now on; see `faults`."""
        self.venue.switch_on(fault, **options)
        self._plan_venue_wake()

    def switch_off(self, fault: str) -> None:
        self.venue.switch_off(fault)
        self._plan_venue_wake()

    def resync(self, symbol: str, reason: str) -> None:
        self._happened(self.machine.resync(symbol, reason, self._loopback.now_ns))

    def _happened(self, events: Sequence[MarketEvent]) -> None:
        self._loopback.tell(self.machine.venue, events)
        self._act()

    def _act(self) -> None:
        for action in self.machine.take_actions():
            self._carry_out(action)
        self._plan_wake()

    def _carry_out(self, action: Action) -> None:
        match action:
            case Connect(socket, url):
                self._later(lambda: self._connect(socket, url))
            case Transmit(socket, text):
                self._later(lambda: self._transmit(socket, text))
            case Hangup(socket, _):
                self._later(lambda: self._hang_up(socket))
            case Get():
                self._later(lambda: self._request(action))

    def _connect(self, socket: int, url: str) -> None:
        if self.venue.refuses(self._loopback.now_ns):
            self._later(lambda: self._happened(self.machine.closed(socket, "refused", self._loopback.now_ns)))
            return
        path = "/" + url.partition("://")[2].partition("/")[2]
        outgoing = self.venue.connected(socket, path, self._loopback.now_ns)
        self._open.add(socket)
        self._later(lambda: self._happened(self.machine.opened(socket, self._loopback.now_ns)))
        self._deliver(outgoing)

    def _transmit(self, socket: int, text: str) -> None:
        if socket in self._open:
            self._deliver(self.venue.received(socket, text, self._loopback.now_ns))

    def _hang_up(self, socket: int) -> None:
        if socket in self._open:
            self._open.discard(socket)
            self.venue.disconnected(socket, self._loopback.now_ns)

    def _request(self, get: Get) -> None:
        http = HttpRequest("GET", get.fetch.path, {}, b"")
        reply = self.venue.requested(http, self._loopback.now_ns)
        headers = {name.lower(): value for name, value in reply.headers.items()}
        answer = Reply(get.fetch.path, reply.status, reply.body, headers)
        delay_ns = self._latency_ns + self.venue.reply_delay_ns(http, self._loopback.now_ns)
        self._loopback.at(
            self._loopback.now_ns + delay_ns,
            lambda: self._happened(self.machine.fetched(get, answer, self._loopback.now_ns)),
        )
        self._plan_venue_wake()

    def _deliver(self, outgoing: list[Outgoing]) -> None:
        for out in outgoing:
            match out:
                case Push(client, frame):
                    self._later(partial(self._receive, client, frame))
                case VenueHangup(client, _, reason):
                    self._end(client, reason)
                case Ping():
                    pass  # a real client's library answers it
        self._plan_venue_wake()

    def _receive(self, socket: int, frame: str | bytes) -> None:
        if socket in self._open:
            self._happened(self.machine.received(socket, frame, self._loopback.now_ns))

    def _end(self, socket: int, reason: str) -> None:
        def ended() -> None:
            if socket in self._open:
                self._open.discard(socket)
                self._happened(self.machine.closed(socket, reason, self._loopback.now_ns))

        self.venue.disconnected(socket, self._loopback.now_ns)
        self._later(ended)

    def _plan_venue_wake(self) -> None:
        wake_ns = max(self.venue.wake_at_ns(), self._loopback.now_ns + 1)
        if self._venue_wake_ns is None or wake_ns < self._venue_wake_ns:
            self._venue_wake_ns = wake_ns
            self._loopback.at(wake_ns, lambda: self._wake_venue(wake_ns))

    def _wake_venue(self, planned_ns: int) -> None:
        if self._venue_wake_ns == planned_ns:
            self._venue_wake_ns = None
            self._deliver(self.venue.woken(self._loopback.now_ns))

    def _plan_wake(self) -> None:
        wake_ns = self.machine.wake_at_ns()
        if wake_ns is None or (self._machine_wake_ns is not None and self._machine_wake_ns <= wake_ns):
            return
        self._machine_wake_ns = wake_ns
        self._loopback.at(wake_ns, lambda: self._wake_machine(wake_ns))

    def _wake_machine(self, planned_ns: int) -> None:
        if self._machine_wake_ns == planned_ns:
            self._machine_wake_ns = None
            self._happened(self.machine.woken(self._loopback.now_ns))

    def _later(self, do: Callable[[], None]) -> None:
        self._loopback.at(self._loopback.now_ns + self._latency_ns, do)
