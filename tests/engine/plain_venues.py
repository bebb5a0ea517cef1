"""Venues in a few lines, which do to orders what venues and networks do: lose, delay, double, reorder and refuse.

Everything is drawn from one seed, under one simulated clock. The engine is driven as the runner drives it: each
order-side event is journaled (in memory) with what was seen, then its effects leave.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from typing import NamedTuple

from aggregator.domain.book import Levels
from aggregator.domain.effects import (
    Alarm,
    AskAccount,
    AskChild,
    AskFills,
    CancelChild,
    Effect,
    PlaceChild,
    RequestAnswered,
)
from aggregator.domain.events import BookSnapshot, ListingsRead
from aggregator.domain.instrument import Fees, Instrument, Listing, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.order import (
    ChildTerms,
    Fill,
    Liquidity,
    OrderTerms,
    OrderType,
    TimeInForce,
    base_money,
    quote_money,
)
from aggregator.domain.order_events import (
    About,
    AccountStream,
    Balance,
    BalancesRead,
    ExecutionReport,
    FillReported,
    OpenOrdersRead,
    OrderEvent,
    OrderRequested,
    Started,
    Timer,
)
from aggregator.engine.engine import Engine
from aggregator.routing.record import Seen

MS = 1_000_000
SECOND = 1000 * MS
START_NS = 1_780_000_000 * SECOND
BTC = Instrument.of("BTC", "USDT")
ONE = BTC.quantity("1")
VENUES = ("alpha", "beta", "gamma")
TAKER = RATE_ONE // 1000
PLENTY = 10**6


@dataclass
class Placed:
    """An order as the venue has it."""

    terms: ChildTerms
    venue_order_id: str
    arrived_ns: int
    executed: int = 0
    is_open: bool = True
    fills: list[Fill] = field(default_factory=list)


class Mischief(NamedTuple):
    """Chances in percent."""

    lost: int = 0
    """The order never reaches the venue, and nobody knows."""
    not_sent: int = 0
    refused: int = 0
    reply_lost: int = 0
    late: int = 0
    """It reaches the venue up to ten seconds later; the reply is lost."""
    stream_lost: int = 0
    doubled: int = 0
    reordered: int = 0
    question_lost: int = 0
    forgets_young: int = 0
    """A question right after placing is answered with "no such order"."""


NONE = Mischief()
ALL = Mischief(6, 6, 6, 10, 6, 15, 20, 30, 20, 30)


class PlainVenue:
    """One venue and the account there. `tell` delivers an event after a delay."""

    def __init__(self, world: World, name: str, mischief: Mischief) -> None:
        self.name = name
        self.orders: dict[str, Placed] = {}
        self.balances = {"BTC": base_money(BTC, PLENTY * ONE), "USDT": quote_money(BTC, BTC.notional("1e10"))}
        self.arrivals: dict[str, int] = {}
        self.mischief = mischief
        self._world = world
        self._ids = count(1)

    def place(self, terms: ChildTerms) -> None:
        kind, mischief = self._world.random.randrange(100), self.mischief
        self.arrivals[terms.child_id] = self.arrivals.get(terms.child_id, 0) + 1
        steps = ("lost", "not_sent", "refused", "late", "reply_lost")
        for step in steps:
            kind -= getattr(mischief, step)
            if kind < 0:
                getattr(self, f"_{step}")(terms)
                return
        self._reply(terms, self._take(terms))

    def _lost(self, terms: ChildTerms) -> None:
        self._tell(self._report(terms, Word.IN_DOUBT, About.PLACE), 3 * SECOND)

    def _not_sent(self, terms: ChildTerms) -> None:
        self.arrivals[terms.child_id] -= 1
        self._tell(self._report(terms, Word.NOT_SENT, About.PLACE), 3 * MS)

    def _refused(self, terms: ChildTerms) -> None:
        self._tell(self._report(terms, Word.REJECTED, About.PLACE, raw="-2010"), 5 * MS)

    def _late(self, terms: ChildTerms) -> None:
        self._world.at(self._world.random.randrange(10_000) * MS, lambda: self._take(terms), to_venue=True)
        self._tell(self._report(terms, Word.IN_DOUBT, About.PLACE), 2 * SECOND)

    def _reply_lost(self, terms: ChildTerms) -> None:
        self._take(terms)
        self._tell(self._report(terms, Word.IN_DOUBT, About.PLACE), 4 * SECOND)

    def _take(self, terms: ChildTerms) -> Placed:
        placed = Placed(terms, f"{self.name}-{next(self._ids)}", self._world.now_ns)
        assert terms.child_id not in self.orders, f"{terms.child_id} reached {self.name} twice"
        self.orders[terms.child_id] = placed
        part = self._world.random.choice((0, 1, 2, 4, 4, 4, 4))
        events: list[OrderEvent] = [self._trade(placed, terms.quantity * part // 4 // 2 or 1) for _ in range(2) if part]
        if terms.time_in_force is not TimeInForce.GTC or placed.executed == terms.quantity:
            placed.is_open = False
        events.append(self._status(placed, About.STREAM))
        self._stream(events)
        if placed.is_open and self._world.random.randrange(2):
            self._world.at(self._world.random.randrange(5000) * MS, lambda: self._fill_rest(placed), to_venue=True)
        return placed

    def _fill_rest(self, placed: Placed) -> None:
        if placed.is_open:
            left = placed.terms.quantity - placed.executed
            events: list[OrderEvent] = [self._trade(placed, left)]
            placed.is_open = False
            self._stream([*events, self._status(placed, About.STREAM)])

    def _trade(self, placed: Placed, quantity: int) -> FillReported:
        terms = placed.terms
        fee = base_money(BTC, quantity) if terms.side is Side.BUY else quote_money(BTC, quantity * terms.limit_price)
        fee = fee * TAKER // RATE_ONE
        asset = "BTC" if terms.side is Side.BUY else "USDT"
        fill = Fill(
            self.name, terms.child_id, BTC, f"f{next(self._ids)}", terms.side, terms.limit_price, quantity, fee, asset,
            Liquidity.TAKER, self._world.now_ns, self._world.now_ns,
        )  # fmt: skip
        placed.fills.append(fill)
        placed.executed += quantity
        assert placed.executed <= terms.quantity
        sign = 1 if terms.side is Side.BUY else -1
        self.balances["BTC"] += sign * base_money(BTC, quantity)
        self.balances["USDT"] -= sign * quote_money(BTC, quantity * terms.limit_price)
        self.balances[asset] -= fee
        return FillReported(0, fill, placed.venue_order_id)

    def _reply(self, terms: ChildTerms, placed: Placed) -> None:
        self._tell(self._status(placed, About.PLACE), 10 * MS)
        for fill in placed.fills:
            self._tell(FillReported(0, fill, placed.venue_order_id), 10 * MS)

    def cancel(self, terms: ChildTerms) -> None:
        placed = self.orders.get(terms.child_id)
        if self._chance(self.mischief.lost):
            self._tell(self._report(terms, Word.IN_DOUBT, About.CANCEL), SECOND)
        elif placed is None or not placed.is_open:
            self._tell(self._report(terms, Word.REJECTED, About.CANCEL), 5 * MS)
        else:
            placed.is_open = False
            self._tell(self._report(terms, Word.RECEIVED, About.CANCEL), 5 * MS)
            self._stream([self._status(placed, About.STREAM)])

    def ask(self, terms: ChildTerms) -> None:
        placed = self.orders.get(terms.child_id)
        if self._chance(self.mischief.question_lost):
            self._tell(self._report(terms, Word.IN_DOUBT, About.ASK), SECOND)
        elif placed is None or (
            self._world.now_ns - placed.arrived_ns < SECOND and self._chance(self.mischief.forgets_young)
        ):
            self._tell(self._report(terms, Word.MISSING, About.ASK), 5 * MS)
        else:
            self._tell(self._status(placed, About.ASK), 5 * MS)

    def ask_fills(self, terms: ChildTerms) -> None:
        placed = self.orders.get(terms.child_id)
        if placed is not None and not self._chance(self.mischief.question_lost):
            for fill in placed.fills:
                self._tell(FillReported(0, fill, placed.venue_order_id), 5 * MS)

    def ask_account(self) -> None:
        balances = {asset: Balance(total, total) for asset, total in self.balances.items()}
        self._tell(BalancesRead(self.name, 0, balances), 5 * MS)
        open_ids = tuple(child_id for child_id, placed in self.orders.items() if placed.is_open)
        self._tell(OpenOrdersRead(self.name, 0, open_ids), 5 * MS)

    def _stream(self, events: Sequence[OrderEvent]) -> None:
        for event in events:
            if self._chance(self.mischief.stream_lost):
                continue
            delay_ns = self._world.random.randrange(400) * MS if self._chance(self.mischief.reordered) else 4 * MS
            self._tell(event, delay_ns)
            if self._chance(self.mischief.doubled):
                self._tell(event, delay_ns + MS)

    def _status(self, placed: Placed, about: About) -> ExecutionReport:
        word = Word.WORKING if placed.is_open else Word.ENDED
        report = self._report(placed.terms, word, about, raw="open" if placed.is_open else "done")
        return replace(report, executed=placed.executed, venue_order_id=placed.venue_order_id)

    def _report(self, terms: ChildTerms, word: Word, about: About, raw: str = "") -> ExecutionReport:
        return ExecutionReport(self.name, terms.child_id, BTC, 0, word, about, raw)

    def _tell(self, event: OrderEvent, delay_ns: int) -> None:
        self._world.at(delay_ns, lambda: self._world.post(event))

    def _chance(self, percent: int) -> bool:
        return self._world.random.randrange(100) < percent


class Entry(NamedTuple):
    event: OrderEvent
    seen: list[Seen]
    effects: list[Effect]


class Killed(Exception):
    """The process ends here."""


class World:
    """The engine, its journal, three venues, and a clock. `kill_at` counts journal writes and effects together: the
    process ends right before that one."""

    def __init__(self, seed: int, mischief: Mischief = ALL, kill_at: int | None = None) -> None:
        self.random = Random(seed)
        self.now_ns = START_NS
        self.journal: list[Entry] = []
        self.venues = {name: PlainVenue(self, name, mischief) for name in VENUES}
        self.answers: list[RequestAnswered] = []
        self.alarms: list[Alarm] = []
        self.steps = 0
        self._kill_at = kill_at
        self._heap: list[tuple[int, int, bool, Callable[[], object]]] = []
        self._order = count()
        self.engine = engine_with_books(self.now_ns)

    def start(self) -> None:
        self.post(Started(0, "abc123", VENUES))
        for name in VENUES:
            self.at(2 * MS, lambda name=name: self.post(AccountStream(name, 0, is_live=True)))  # type: ignore[misc]

    def at(self, delay_ns: int, do: Callable[[], object], *, to_venue: bool = False) -> None:
        heapq.heappush(self._heap, (self.now_ns + delay_ns, next(self._order), to_venue, do))

    def post(self, event: OrderEvent) -> None:
        """Apply, write down, let the effects leave: as the runner does."""
        event = _stamped(event, self.now_ns)
        effects = list(self.engine.apply(event))
        seen = self.engine.take_seen()
        self._step()
        self.journal.append(Entry(event, seen, effects))
        for effect in effects:
            self._step()
            self._carry_out(effect)
        self._step()

    def run(self, seconds: int) -> None:
        """Let time pass, with the timers that are due."""
        end_ns = self.now_ns + seconds * SECOND
        while True:
            wake_ns = self.engine.orders.wake_at_ns()
            due_ns = self._heap[0][0] if self._heap else None
            next_ns = min((ns for ns in (wake_ns, due_ns) if ns is not None), default=None)
            if next_ns is None or next_ns > end_ns:
                break
            self.now_ns = max(self.now_ns, next_ns)
            if due_ns is not None and due_ns <= self.now_ns:
                heapq.heappop(self._heap)[3]()
            else:
                self.post(Timer(self.now_ns))
        self.now_ns = end_ns

    def restart(self) -> None:
        """What was on its way to us is gone; what is at a venue, or on its way there, is not."""
        self._kill_at = None
        self._heap = [item for item in self._heap if item[2]]
        heapq.heapify(self._heap)
        self.engine = replayed(self.journal, self.now_ns)
        self.start()

    def order(self, client_order_id: str, quantity: str = "2", **terms: object) -> None:
        self.post(OrderRequested(0, order_terms(client_order_id, quantity, **terms)))

    def truth(self) -> dict[str, int]:
        """What every child came to at its venue."""
        return {
            child_id: placed.executed for venue in self.venues.values() for child_id, placed in venue.orders.items()
        }

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case PlaceChild(terms):
                self.venues[terms.venue].place(terms)
            case CancelChild(terms, _):
                self.venues[terms.venue].cancel(terms)
            case AskChild(terms, _, _):
                self.venues[terms.venue].ask(terms)
            case AskFills(terms, _, _):
                self.venues[terms.venue].ask_fills(terms)
            case AskAccount(venue):
                self.venues[venue].ask_account()
            case RequestAnswered():
                self.answers.append(effect)
            case Alarm():
                self.alarms.append(effect)

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self._kill_at:
            raise Killed


def order_terms(client_order_id: str, quantity: str = "2", **terms: object) -> OrderTerms:
    given = {"type": OrderType.MARKET, "side": Side.BUY, "account": "desk", **terms}
    return OrderTerms(client_order_id=client_order_id, instrument=BTC, quantity=BTC.quantity(quantity), **given)  # type: ignore[arg-type]


def engine_with_books(now_ns: int) -> Engine:
    """Three live books: 1 BTC a level, a tick of 0.01, around 60000."""
    engine = Engine()
    for place, venue in enumerate(VENUES):
        listing = Listing(
            venue, "BTCUSDT", BTC, tick=BTC.price("0.01"), lot=BTC.quantity("0.001"),
            minimum_notional=BTC.notional("5"), fees=Fees(TAKER, TAKER + place),
        )  # fmt: skip
        engine.apply(ListingsRead(venue, now_ns, [listing]))
        asks = Levels([BTC.price(str(60001 + place + step)) for step in range(20)], [ONE] * 20)
        bids = Levels([BTC.price(str(60000 - place - step)) for step in range(20)], [ONE] * 20)
        engine.apply(BookSnapshot(venue, BTC.name, now_ns, now_ns, bids, asks))
    return engine


def replayed(journal: Sequence[Entry], now_ns: int) -> Engine:
    """A new process that has read the journal; every entry must come to what it came to then."""
    engine = engine_with_books(now_ns)
    for number, entry in enumerate(journal):
        assert list(engine.replay(entry.event, entry.seen)) == entry.effects, f"entry {number}: {entry.event}"
    return engine


def _stamped(event: OrderEvent, now_ns: int) -> OrderEvent:
    """The time at which it comes."""
    if isinstance(event, Timer):
        return event
    if isinstance(event, FillReported):
        return replace(event, received_ns=now_ns, fill=replace(event.fill, received_ns=now_ns))
    return replace(event, received_ns=now_ns)


def endings(world: World) -> Iterator[str]:
    for parent in world.engine.orders.parents.values():
        yield parent.state.value
