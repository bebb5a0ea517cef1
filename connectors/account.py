"""One account at one venue as one machine without I/O.

It decides which call leaves and when, keeps the private stream alive, and sees to it that every order, cancel and
question comes to exactly one report, whatever becomes of it. `connector` carries out what it asks for on real sockets,
`simulation.loopback` in memory under a simulated clock.

An order is sent once and never again: when its outcome is not known, that is what is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple
from urllib.parse import urlsplit

from aggregator.config.venues import VenueSettings
from aggregator.domain.errors import (
    BrokenInvariant,
    ConfigurationRefused,
    FrameRefused,
    NumberRefused,
    VenueDefunct,
)
from aggregator.domain.events import FrameRejected
from aggregator.domain.lifecycle import Word
from aggregator.domain.order import ChildTerms
from aggregator.domain.order_events import AccountStream
from connectors.calls import BOUNDS, RANKS, Calls, Rank, Waiting
from connectors.contract import Reply
from connectors.outcomes import ABOUT, AccountEvent, is_about, named, never_left, outcome
from connectors.pacing import SECOND, Backoff, Breaker, Budget, wait_told_ns
from connectors.private_stream import PrivateStream
from connectors.sockets import SocketAction
from connectors.trading import Call, CallRefused, Credentials, Errand, Listings, OrderEntry, Purpose

ATTEMPTS_AT_MOST = 6
"""Of a question that nobody is waiting for by name, but for one that nothing else works without."""

FEES_EVERY_NS = 6 * 3600 * SECOND


class Request(NamedTuple):
    """An HTTP call to be carried out now, once; its signature ages. It is answered by one `answered` with the same
    number, whatever becomes of it."""

    number: int
    call: Call


AccountAction = SocketAction | Request


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """How the way to an account fares. `is_open` says that what had to be asked first is answered."""

    is_open: bool
    is_stream_live: bool
    stream_reason: str
    stream_connects: int
    stream_frames: int
    cancels_waiting: int
    places_waiting: int
    questions_waiting: int
    on_wire: int
    placed: int
    breaker_reason: str
    breaker_remaining_ns: int


def account_machine(
    venue: VenueSettings,
    new_order_entry: Callable[[str, Listings, Credentials, str], OrderEntry],
    listings: Listings,
    credentials: Credentials,
    jitter: Callable[[], float],  # not money: a chance
) -> AccountMachine:
    """The machine for the account that `credentials` belong to.

    Raises VenueDefunct for a venue that has ceased to exist, ConfigurationRefused for one without an HTTP root.
    """
    if venue.defunct is not None:
        raise VenueDefunct(f"{venue.name} is defunct since {venue.defunct.since}: {venue.defunct.reason}")
    if venue.endpoints.rest is None:
        raise ConfigurationRefused([venue.fault(("endpoints", "rest"), "missing; orders go to the venue's HTTP root")])
    host = urlsplit(venue.endpoints.rest).netloc
    return AccountMachine(venue, new_order_entry(venue.venue, listings, credentials, host), host, listings, jitter)


class AccountMachine:
    """Times are ns since the Unix epoch, by our clock. Nothing that a venue can send makes this raise.

    After any call actions are to be taken and carried out at once, and `woken` is to be called once `wake_at_ns` has
    come. Sockets and requests are numbered by themselves, apart from those of the market data.
    """

    def __init__(
        self,
        venue: VenueSettings,
        entry: OrderEntry,
        host: str,
        listings: Listings,
        jitter: Callable[[], float],  # not money: a chance
    ) -> None:
        self.venue = venue.venue
        self.host = host
        """Which is called; with its port, where that is not the usual one."""
        self._entry = entry
        self._listings = listings
        self._jitter = jitter
        self._calls = Calls(entry.budgets)
        self._breaker = Breaker()
        self._connect_budget = Budget(venue.limits.connections_per_5m, 300 * SECOND)
        self._stream = self._private_stream(venue)
        self._numbers = count(1)
        self._on_wire: dict[int, Waiting] = {}
        self._placing: set[str] = set()
        self._has_started = False
        self._refuses = ""
        """Why nothing is asked any more; empty until then."""
        self._unanswered_first = 0
        self._ask_fees_at_ns: int | None = None
        self._send_at_ns: int | None = None
        self._placed = 0
        self._actions: list[AccountAction] = []

    @property
    def _is_open(self) -> bool:
        return self._has_started and not self._refuses and self._unanswered_first == 0

    def start(self, now_ns: int) -> Sequence[AccountEvent]:
        self._has_started = True
        events: list[AccountEvent] = []
        if self._stream is None:
            reason = "the venue's file gives no `private` endpoint, or the venue has no private stream"
            events.append(AccountStream(self.venue, now_ns, is_live=False, reason=reason))
        first = self._entry.errands_at_start()
        for errand in first:
            self._ask_first(errand)
        if not first:
            self._open(now_ns)
        return [*events, *self._send_due(now_ns)]

    def stop(self, reason: str, now_ns: int) -> Sequence[AccountEvent]:
        """What waits has not left; what is on the wire is in doubt."""
        self._refuses = reason
        events: list[AccountEvent] = []
        for waiting in self._calls.take_all(*Rank):
            events += self._not_asked(waiting.errand, reason, now_ns) if waiting.errand.purpose in ABOUT else ()
        for waiting in self._on_wire.values():
            if waiting.errand.purpose in ABOUT:
                events += self._in_doubt(waiting.errand, f"not waited for: {reason}", now_ns)
        self._on_wire.clear()
        self._ask_fees_at_ns = self._send_at_ns = None
        if self._stream is not None:
            events += self._stream.stop(reason, now_ns)
            self._actions += self._stream.take_actions()
        return events

    def place(self, terms: ChildTerms, now_ns: int) -> Sequence[AccountEvent]:
        """Send this order, once. It never waits for long: what cannot leave now is reported as not sent."""
        errand = Errand(Purpose.PLACE, terms)
        if terms.child_id in self._placing:
            raise BrokenInvariant(f"{terms.child_id} is placed a second time; a child is sent once, under its own id")
        hindrance = self._refuses or self._hindrance(now_ns)
        if hindrance:
            return never_left(self.venue, errand, hindrance, now_ns)
        self._placing.add(terms.child_id)
        return self._ask(errand, now_ns)

    def cancel(self, terms: ChildTerms, venue_order_id: str, now_ns: int) -> Sequence[AccountEvent]:
        """`venue_order_id` is empty while unknown. An order that still waits here does not leave any more."""
        errand = Errand(Purpose.CANCEL, terms, venue_order_id)
        placing = self._calls.take_place(terms.child_id)
        if placing is None:
            return self._ask(errand, now_ns)
        return [
            *self._not_asked(placing.errand, "canceled before it left", now_ns),
            *never_left(self.venue, errand, "there is nothing to cancel: the order never left", now_ns),
        ]

    def ask_order(self, terms: ChildTerms, venue_order_id: str, sent_ns: int, now_ns: int) -> Sequence[AccountEvent]:
        return self._ask(Errand(Purpose.ORDER, terms, venue_order_id, sent_ns), now_ns)

    def ask_fills(self, terms: ChildTerms, venue_order_id: str, sent_ns: int, now_ns: int) -> Sequence[AccountEvent]:
        return self._ask(Errand(Purpose.FILLS, terms, venue_order_id, sent_ns), now_ns)

    def ask_account(self, now_ns: int) -> Sequence[AccountEvent]:
        """Its balances and its open orders."""
        return [*self._ask(Errand(Purpose.BALANCES), now_ns), *self._ask(Errand(Purpose.OPEN_ORDERS), now_ns)]

    def answered(self, number: int, reply: Reply, now_ns: int) -> Sequence[AccountEvent]:
        """What came of a Request."""
        waiting = self._on_wire.pop(number, None)
        if waiting is None:
            return []
        self._calls.ended(waiting)
        if wait_ns := wait_told_ns(reply.status, reply.headers):
            self._breaker.trip(now_ns + wait_ns, f"{waiting.errand.purpose} was answered {reply.status}")
        return [*self._settled(waiting, reply, now_ns), *self._send_due(now_ns)]

    def opened(self, socket: int, now_ns: int) -> Sequence[AccountEvent]:
        return self._heard(lambda stream: stream.opened(socket, now_ns), now_ns)

    def received(self, socket: int, frame: str | bytes, now_ns: int) -> Sequence[AccountEvent]:
        return self._heard(lambda stream: stream.received(socket, frame, now_ns), now_ns)

    def closed(self, socket: int, reason: str, now_ns: int) -> Sequence[AccountEvent]:
        return self._heard(lambda stream: stream.closed(socket, reason, now_ns), now_ns)

    def woken(self, now_ns: int) -> Sequence[AccountEvent]:
        events = [*self._heard(lambda stream: stream.woken(now_ns), now_ns)]
        if self._ask_fees_at_ns is not None and self._ask_fees_at_ns <= now_ns:
            self._ask_fees(now_ns)
        return [*events, *self._send_due(now_ns)]

    def wake_at_ns(self) -> int | None:
        stream_ns = self._stream.wake_at_ns() if self._stream is not None else None
        times = (stream_ns, self._ask_fees_at_ns, self._send_at_ns, self._calls.late_at_ns())
        return min((at_ns for at_ns in times if at_ns is not None), default=None)

    def take_actions(self) -> list[AccountAction]:
        actions, self._actions = self._actions, []
        return actions

    def status(self, now_ns: int) -> AccountStatus:
        stream = self._stream
        return AccountStatus(
            is_open=self._is_open,
            is_stream_live=stream is not None and stream.is_live,
            stream_reason=stream.reason if stream is not None else "there is none",
            stream_connects=stream.connects if stream is not None else 0,
            stream_frames=stream.frames if stream is not None else 0,
            cancels_waiting=self._calls.waiting(Rank.CANCEL),
            places_waiting=self._calls.waiting(Rank.PLACE),
            questions_waiting=self._calls.waiting(Rank.QUESTION),
            on_wire=len(self._on_wire),
            placed=self._placed,
            breaker_reason=self._breaker.reason if self._breaker.remaining_ns(now_ns) else "",
            breaker_remaining_ns=self._breaker.remaining_ns(now_ns),
        )

    def _private_stream(self, venue: VenueSettings) -> PrivateStream | None:
        url, habits, per_second = venue.endpoints.private, self._entry.habits, venue.limits.messages_per_second
        if url is None or habits is None:
            return None
        if per_second:
            habits = habits._replace(spacing_ns=max(habits.spacing_ns, SECOND // per_second))
        return PrivateStream(self.venue, url, habits, self._entry, self._may_connect_at_ns, self._jitter)

    def _may_connect_at_ns(self, now_ns: int) -> int:
        at_ns = max(self._breaker.until_ns, self._connect_budget.free_at_ns(1, now_ns))
        if at_ns <= now_ns:
            self._connect_budget.spend(1, now_ns)
        return at_ns

    def _hindrance(self, now_ns: int) -> str:
        """Why no order can leave now."""
        if remaining_ns := self._breaker.remaining_ns(now_ns):
            return f"the venue wants to be left alone for {-(-remaining_ns // SECOND)} s: {self._breaker.reason}"
        return "" if self._is_open else "what has to be known of the account first is not answered yet"

    def _open(self, now_ns: int) -> None:
        """What had to be asked first is answered."""
        if self._stream is not None:
            self._stream.start(now_ns)
            self._actions += self._stream.take_actions()
        self._ask_fees(now_ns)

    def _ask_fees(self, now_ns: int) -> None:
        self._ask_fees_at_ns = now_ns + FEES_EVERY_NS
        for symbol in self._listings:
            self._calls.add(self._waiting(Errand(Purpose.FEES, symbol=symbol), Rank.LEISURE))

    def _ask_first(self, errand: Errand) -> None:
        self._unanswered_first += 1
        self._calls.add(self._waiting(errand, Rank.START))

    def _ask(self, errand: Errand, now_ns: int) -> Sequence[AccountEvent]:
        if self._refuses:
            return self._not_asked(errand, self._refuses, now_ns)
        rank = RANKS.get(errand.purpose, Rank.QUESTION)
        waiting = self._waiting(errand, rank, now_ns)
        if not self._calls.add(waiting):
            reason = f"{BOUNDS[rank].waiting} of its kind wait to leave already"
            return [*self._not_asked(errand, reason, now_ns), *self._send_due(now_ns)]
        return self._send_due(now_ns)

    def _waiting(self, errand: Errand, rank: Rank, now_ns: int = 0) -> Waiting:
        until_ns = now_ns + BOUNDS[rank].patience_ns if errand.purpose in ABOUT and rank is not Rank.START else None
        backoff = Backoff(SECOND, 30 * SECOND, self._jitter)
        return Waiting(errand, rank, self._entry.costs(errand), backoff, until_ns=until_ns)

    def _send_due(self, now_ns: int) -> list[AccountEvent]:
        """Let leave what may; report on what has waited too long."""
        events: list[AccountEvent] = []
        for waiting in self._calls.take_late(now_ns):
            reason = f"it could not leave within {BOUNDS[waiting.rank].patience_ns // SECOND} s"
            events += self._not_asked(waiting.errand, reason, now_ns)
        if self._breaker.remaining_ns(now_ns):
            self._send_at_ns = self._breaker.until_ns
            for waiting in self._calls.take_all(Rank.PLACE):
                events += self._not_asked(waiting.errand, self._hindrance(now_ns), now_ns)
            return events
        for waiting in self._calls.take_due(tuple(Rank) if self._is_open else (Rank.START,), now_ns):
            events += self._send(waiting, now_ns)
        self._send_at_ns = self._calls.free_at_ns
        return events

    def _send(self, waiting: Waiting, now_ns: int) -> Sequence[AccountEvent]:
        try:
            call = self._entry.call(waiting.errand, now_ns)
        except CallRefused as error:
            self._calls.ended(waiting)
            return self._failed(waiting, str(error), was_sent=False, now_ns=now_ns)
        number = next(self._numbers)
        self._on_wire[number] = waiting
        self._placed += waiting.errand.purpose is Purpose.PLACE
        self._actions.append(Request(number, call))
        return ()

    def _settled(self, waiting: Waiting, reply: Reply, now_ns: int) -> list[AccountEvent]:
        """What a reply, or its absence, comes to."""
        errand = waiting.errand
        if reply.status == 0:
            reason = reply.body.decode("utf-8", "replace")
            return self._failed(waiting, reason, was_sent=reply.was_sent, now_ns=now_ns)
        try:
            told = self._entry.read(errand, reply, now_ns)
        except (FrameRefused, NumberRefused) as error:
            rejected = FrameRejected(self.venue, now_ns, f"the reply to {named(errand)}: {error}")
            return [rejected, *self._failed(waiting, str(error), was_sent=True, now_ns=now_ns)]
        events: list[AccountEvent] = [*told.events]
        if errand.purpose in ABOUT:
            self._placing_ended(errand)
            goes_on = any((more.purpose, more.terms) == (errand.purpose, errand.terms) for more in told.errands)
            if not goes_on and not any(is_about(event, errand) for event in events):
                events += self._in_doubt(errand, f"the venue's reply ({reply.status}) says nothing of it", now_ns)
        elif told.refusal or (reply.status >= 400 and not (told.events or told.errands)):
            return self._failed(waiting, told.refusal or f"answered {reply.status}", was_sent=True, now_ns=now_ns)
        return [*events, *self._continued(waiting, told.errands, now_ns)]

    def _continued(self, waiting: Waiting, errands: Sequence[Errand], now_ns: int) -> list[AccountEvent]:
        """What an answer leads to. What had to be asked first, and goes on in parts, is answered with its last part."""
        if waiting.rank is not Rank.START:
            return self._follow(errands, now_ns)
        for errand in errands:
            if errand.purpose is waiting.errand.purpose:
                self._ask_first(errand)
        self._unanswered_first -= 1
        if self._unanswered_first == 0:
            self._open(now_ns)
        return self._follow([errand for errand in errands if errand.purpose is not waiting.errand.purpose], now_ns)

    def _follow(self, errands: Sequence[Errand], now_ns: int) -> list[AccountEvent]:
        events: list[AccountEvent] = []
        for errand in errands:
            if errand.purpose is Purpose.PLACE:
                raise BrokenInvariant(f"{named(errand)} follows from a reply; only the engine places orders")
            events += self._ask(errand, now_ns)
        return events

    def _failed(self, waiting: Waiting, reason: str, *, was_sent: bool, now_ns: int) -> list[AccountEvent]:
        """Report it, or try again later; an order is never tried again."""
        errand = waiting.errand
        if errand.purpose in ABOUT:
            return self._in_doubt(errand, reason, now_ns) if was_sent else self._not_asked(errand, reason, now_ns)
        for_ever = waiting.rank is Rank.START or errand.purpose is Purpose.ACCOUNT
        waiting.at_ns = now_ns + waiting.backoff.next_wait_ns()
        if waiting.backoff.failures >= ATTEMPTS_AT_MOST and not for_ever:
            return self._not_asked(errand, f"{reason}; given up after {ATTEMPTS_AT_MOST} attempts", now_ns)
        if self._calls.add(waiting):
            return self._not_asked(errand, f"{reason}; it is asked again", now_ns) if for_ever else []
        return self._not_asked(errand, f"{reason}; not asked again, too many of its kind wait", now_ns)

    def _not_asked(self, errand: Errand, reason: str, now_ns: int) -> list[AccountEvent]:
        self._placing_ended(errand)
        return never_left(self.venue, errand, reason, now_ns)

    def _in_doubt(self, errand: Errand, reason: str, now_ns: int) -> list[AccountEvent]:
        self._placing_ended(errand)
        return outcome(self.venue, errand, Word.IN_DOUBT, reason, now_ns)

    def _placing_ended(self, errand: Errand) -> None:
        if errand.purpose is Purpose.PLACE and errand.terms is not None:
            self._placing.discard(errand.terms.child_id)

    def _heard(self, tell: Callable[[PrivateStream], Sequence[AccountEvent]], now_ns: int) -> Sequence[AccountEvent]:
        """Let the stream know, and do what it asks for."""
        if self._stream is None:
            return []
        events = [*tell(self._stream)]
        self._actions += self._stream.take_actions()
        return [*events, *self._follow(self._stream.take_errands(), now_ns)]
