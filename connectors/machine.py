"""One venue's connections and requests as one machine without I/O.

It decides what to open, send and fetch, and when. `connector` carries that out on real sockets,
`simulation.loopback` in memory under a simulated clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from typing import NamedTuple

from aggregator.config.venues import Limits, VenueSettings
from aggregator.domain.errors import ConfigurationRefused, VenueDefunct
from aggregator.domain.events import ClockMeasured, MarketEvent, VenueClock
from aggregator.domain.instrument import Instruments
from connectors.connection import Action, Connect, Connection, Get, Hangup, Transmit
from connectors.contract import Fetch, Habits, MarketData, Reply
from connectors.markets import Market, Markets
from connectors.pacing import SECOND, Backoff, Breaker, Budget, wait_told_ns
from connectors.session import Session

__all__ = ["Action", "Connect", "Get", "Hangup", "Line", "Transmit", "VenueMachine", "VenueStatus"]

CLOCK_EVERY_NS = 60 * SECOND
LIST_AGAIN_NS = 30 * SECOND
"""A market list that did not come, or by which something that is listed here is not traded, is asked for again after
this long."""

SUBSCRIPTIONS_PER_SYMBOL = 2
"""Its book and its trades."""


def venue_machine(
    venue: VenueSettings,
    new_market_data: Callable[[], MarketData],
    instruments: Instruments,
    jitter: Callable[[], float],  # not money: a chance
) -> VenueMachine:
    """The machine that follows what the venue's file lists, on as many connections as that takes.

    Raises VenueDefunct for a venue that has ceased to exist, ConfigurationRefused for listings that cannot be had.
    """
    if venue.defunct is not None:
        raise VenueDefunct(f"{venue.name} is defunct since {venue.defunct.since}: {venue.defunct.reason}")
    model = new_market_data()
    listings = venue.fixed_listings(instruments.listed)
    markets = Markets(venue.venue, listings, instruments, venue.fee_rates(), separator=model.separator)
    url = venue.endpoints.feed if model.on_feed and venue.endpoints.feed else venue.endpoints.stream
    if url is None:
        raise ConfigurationRefused([venue.fault(("endpoints", "stream"), "missing; give the venue's websocket")])
    per_second = venue.limits.messages_per_second
    habits = model.habits._replace(spacing_ns=SECOND // per_second) if per_second else model.habits
    symbols = [listing.symbol for listing in listings]
    share = max(1, (venue.limits.subscriptions_per_connection or len(symbols) * 2) // SUBSCRIPTIONS_PER_SYMBOL)
    groups = [symbols[start : start + share] for start in range(0, len(symbols), share)] or [[]]
    rule = venue.market_list
    takes = (lambda market: rule.takes(market.symbol, market.base, market.quote)) if rule else None

    def line(group: list[str], follow_listed: Callable[[Market], bool] | None) -> Line:
        return Line(url, habits, lambda: Session(new_market_data(), markets, group, follow_listed))

    lines = [line(group, takes if index == 0 else None) for index, group in enumerate(groups)]
    every_ns, market_list = venue.rules_every_ns, model.market_list()
    rules = Rules(market_list, every_ns, lambda: markets.has_closed) if every_ns and market_list is not None else None
    return VenueMachine(venue.venue, lines, venue.limits, model.clock(), jitter, rules)


@dataclass(frozen=True, slots=True)
class Line:
    """What one connection is for: where to, with which habits, and what to talk about."""

    url: str
    habits: Habits
    new_session: Callable[[], Session]


class Rules(NamedTuple):
    """Where the venue's market list is, how often it is read, in ns, and whether something of it is not traded now."""

    fetch: Fetch
    every_ns: int
    has_closed: Callable[[], bool]

    def next_ns(self, now_ns: int, *, is_read: bool) -> int:
        is_fine = is_read and not self.has_closed()
        return now_ns + (self.every_ns if is_fine else min(LIST_AGAIN_NS, self.every_ns))


@dataclass(frozen=True, slots=True)
class VenueStatus:
    """How a venue's connections fare. Times in ns; `clock_offset_ns` is the venue's clock less ours, None
    while unknown, and right to within `clock_error_ns`. `rules_read_ns` is when the venue's market list was last read,
    0 for never."""

    connections: int
    open_connections: int
    connects: int
    last_failure: str
    heard_ns: int
    frames: int
    fetches_waiting: int
    weight_used: int
    weight_limit: int | None
    breaker_reason: str
    breaker_remaining_ns: int
    clock_offset_ns: int | None
    clock_error_ns: int | None
    rules_read_ns: int


class VenueMachine:
    """Sockets are numbered once for the venue. Times are ns since the Unix epoch, by our clock."""

    def __init__(
        self,
        venue: str,
        lines: Iterable[Line],
        limits: Limits,
        clock: Fetch | None,
        jitter: Callable[[], float],  # not money: a chance
        rules: Rules | None = None,
    ) -> None:
        self.venue = venue
        self._sockets = count(1)
        self._connect_budget = Budget(limits.connections_per_5m, 300 * SECOND)
        self._weight = Budget(limits.snapshot_weight_per_minute or limits.weight_per_minute, 60 * SECOND)
        self._fetch_at_ns = 0
        self._breaker = Breaker()
        self._connections = [
            Connection(
                line.url,
                line.habits,
                line.new_session,
                Backoff(SECOND, 60 * SECOND, jitter),
                self._next_socket,
                self._may_connect_at_ns,
            )
            for line in lines
        ]
        self._by_socket: dict[int, Connection] = {}
        self._waiting: dict[Get, None] = {}
        """In the order of asking. What waits already is not asked for twice."""
        self._ask_clock_at_ns: int | None = None
        self._asked_clock_ns = 0
        self._clock_fetch = clock
        self._clock: ClockMeasured | None = None
        self._rules = rules
        self._ask_rules_at_ns: int | None = None
        self._rules_read_ns = 0
        self._actions: list[Action] = []
        self._frames = 0

    def start(self, now_ns: int) -> None:
        for connection in self._connections:
            connection.start(now_ns)
        self._ask_clock_at_ns = now_ns if self._clock_fetch else None
        self._ask_rules_at_ns = now_ns if self._rules else None
        self._collect(now_ns)

    def stop(self, reason: str, now_ns: int) -> Sequence[MarketEvent]:
        self._waiting.clear()
        self._ask_clock_at_ns = self._ask_rules_at_ns = None
        events = [event for connection in self._connections for event in connection.stop(reason, now_ns)]
        self._collect(now_ns)
        return events

    def opened(self, socket: int, now_ns: int) -> Sequence[MarketEvent]:
        return self._told(socket, lambda connection: connection.opened(socket, now_ns), now_ns)

    def received(self, socket: int, frame: str | bytes, now_ns: int) -> Sequence[MarketEvent]:
        connection = self._by_socket.get(socket)
        if connection is None:
            return []
        self._frames += 1
        events = connection.received(socket, frame, now_ns)
        if connection.has_actions:
            self._collect(now_ns)
        return events

    def closed(self, socket: int, reason: str, now_ns: int) -> Sequence[MarketEvent]:
        events = self._told(socket, lambda connection: connection.closed(socket, reason, now_ns), now_ns)
        self._by_socket.pop(socket, None)
        return events

    def fetched(self, get: Get, reply: Reply, now_ns: int) -> Sequence[MarketEvent]:
        """What came of a Get. A socket that has gone since takes its answers with it."""
        if wait_ns := wait_told_ns(reply.status, reply.headers):
            self._breaker.trip(now_ns + wait_ns, f"{get.fetch.path.partition('?')[0]} answered {reply.status}")
        events = self._told(get.socket, lambda connection: connection.fetched(get.socket, reply, now_ns), now_ns)
        if self._rules is not None and get.fetch is self._rules.fetch and reply.status == HTTPStatus.OK:
            self._rules_read_ns, self._ask_rules_at_ns = now_ns, self._rules.next_ns(now_ns, is_read=True)
        return [self._measured(event, now_ns) if isinstance(event, VenueClock) else event for event in events]

    def resync(self, symbol: str, reason: str, now_ns: int) -> Sequence[MarketEvent]:
        """Give one book up and ask for it anew, leaving all others alone."""
        events = [event for connection in self._connections for event in connection.resync(symbol, reason, now_ns)]
        self._collect(now_ns)
        return events

    def woken(self, now_ns: int) -> Sequence[MarketEvent]:
        events = [event for connection in self._connections for event in connection.woken(now_ns)]
        self._ask_clock_if_due(now_ns)
        self._ask_rules_if_due(now_ns)
        self._collect(now_ns)
        return events

    def wake_at_ns(self) -> int | None:
        wakes = [wake for connection in self._connections if (wake := connection.wake_at_ns()) is not None]
        wakes += [at_ns for at_ns in (self._ask_clock_at_ns, self._ask_rules_at_ns) if at_ns is not None]
        if self._waiting:
            wakes.append(self._fetch_at_ns)
        return min(wakes, default=None)

    def take_actions(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions

    def status(self, now_ns: int) -> VenueStatus:
        return VenueStatus(
            connections=len(self._connections),
            open_connections=sum(connection.is_open for connection in self._connections),
            connects=sum(connection.connects for connection in self._connections),
            last_failure=next((c.last_failure for c in self._connections if c.last_failure), ""),
            heard_ns=max((connection.heard_ns for connection in self._connections), default=0),
            frames=self._frames,
            fetches_waiting=len(self._waiting),
            weight_used=self._weight.used(now_ns),
            weight_limit=self._weight.limit,
            breaker_reason=self._breaker.reason if self._breaker.remaining_ns(now_ns) else "",
            breaker_remaining_ns=self._breaker.remaining_ns(now_ns),
            clock_offset_ns=self._clock.offset_ns if self._clock else None,
            clock_error_ns=self._clock.error_ns if self._clock else None,
            rules_read_ns=self._rules_read_ns,
        )

    def _measured(self, told: VenueClock, now_ns: int) -> ClockMeasured:
        """The venue read its clock at some moment between our question and its answer."""
        offset_ns = told.venue_time_ns - (self._asked_clock_ns + now_ns) // 2
        self._clock = ClockMeasured(self.venue, now_ns, offset_ns, (now_ns - self._asked_clock_ns) // 2)
        return self._clock

    def _told(
        self, socket: int, tell: Callable[[Connection], Sequence[MarketEvent]], now_ns: int
    ) -> Sequence[MarketEvent]:
        connection = self._by_socket.get(socket)
        if connection is None or not connection.has(socket):
            return []
        events = tell(connection)
        self._collect(now_ns)
        return events

    def _collect(self, now_ns: int) -> None:
        """Take over what the connections want done; what is fetched waits for its budget."""
        for connection in self._connections:
            for action in connection.take_actions():
                if isinstance(action, Get):
                    self._waiting[action] = None
                    continue
                if isinstance(action, Connect):
                    self._by_socket[action.socket] = connection
                elif isinstance(action, Hangup):
                    self._by_socket.pop(action.socket, None)
                self._actions.append(action)
        self._fetch_due(now_ns)

    def _fetch_due(self, now_ns: int) -> None:
        while self._waiting:
            get = next(iter(self._waiting))
            if get.socket not in self._by_socket:
                del self._waiting[get]
                continue
            self._fetch_at_ns = max(self._breaker.until_ns, self._weight.free_at_ns(get.fetch.weight, now_ns))
            if self._fetch_at_ns > now_ns:
                return
            del self._waiting[get]
            self._weight.spend(get.fetch.weight, now_ns)
            if get.fetch is self._clock_fetch:
                self._asked_clock_ns = now_ns
            self._actions.append(get)

    def _ask_clock_if_due(self, now_ns: int) -> None:
        if self._clock_fetch is None or self._ask_clock_at_ns is None or now_ns < self._ask_clock_at_ns:
            return
        is_asked = self._ask(self._clock_fetch)
        self._ask_clock_at_ns = now_ns + (CLOCK_EVERY_NS if is_asked else SECOND)

    def _ask_rules_if_due(self, now_ns: int) -> None:
        """Asked for on a schedule, and sooner again while no list comes."""
        if self._rules is None or self._ask_rules_at_ns is None or now_ns < self._ask_rules_at_ns:
            return
        is_asked = self._ask(self._rules.fetch)
        self._ask_rules_at_ns = self._rules.next_ns(now_ns, is_read=False) if is_asked else now_ns + SECOND

    def _ask(self, fetch: Fetch) -> bool:
        """On behalf of whichever connection stands; False when none does."""
        socket = next((socket for socket, line in self._by_socket.items() if line.is_open), None)
        if socket is not None:
            self._waiting[Get(socket, fetch)] = None
        return socket is not None

    def _next_socket(self) -> int:
        return next(self._sockets)

    def _may_connect_at_ns(self, now_ns: int) -> int:
        at_ns = max(self._breaker.until_ns, self._connect_budget.free_at_ns(1, now_ns))
        if at_ns <= now_ns:
            self._connect_budget.spend(1, now_ns)
        return at_ns
