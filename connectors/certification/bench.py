"""The venue's machines on one side, its simulator on the other, time between them, and the truth beside.

Books are kept as the service keeps them. Each live book is held against what the simulated exchange really had after
every event that touches it; one that is live and was never so, or is over for long, ends the check there and then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from aggregator.books.venue_book import Freshness, VenueBook
from aggregator.config.venues import VenueSettings
from aggregator.domain.book import Health
from aggregator.domain.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    BookUnchanged,
    ClockMeasured,
    ListingsRead,
    MarketEvent,
    Trade,
)
from connectors.certification.subject import NotExercised, Subject, Wrong
from connectors.certification.truth import WitnessedExchange, difference, digest
from connectors.machine import VenueStatus
from connectors.outcomes import AccountEvent
from connectors.simulation.contract import HttpReply, HttpRequest, Outgoing
from connectors.simulation.faults import Faults, Option
from connectors.simulation.loopback import Loopback
from connectors.trading import Credentials

MS = 1_000_000
SECOND = 1000 * MS
MINUTE = 60 * SECOND
START_NS = 1_780_000_000 * SECOND

TICK_NS = 100 * MS
RESYNC_EVERY_NS = 10 * SECOND
"""A book that stays crossed is asked for again this often."""

LIVE_WITHIN_NS = 45 * SECOND
"""From a start, or from the end of a fault, to a live book: connecting, back-off and one snapshot asked twice."""

OLD_AFTER_NS = 10 * SECOND
"""How much longer than its file allows a live book may show what is over."""

LISTINGS = 3
LEVELS = 12
"""Fewer than the narrowest stream shows, so that every venue publishes whole books."""

KEY, SECRET = "certified-key", "certified-secret"


class Asked(NamedTuple):
    at_ns: int
    target: str
    status: int


class Witnessed(Faults):
    """Faults, with a record of what reached the venue."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.connects_ns: list[int] = []
        self.asked: list[Asked] = []

    def connected(self, client: int, path: str, now_ns: int) -> list[Outgoing]:
        self.connects_ns.append(now_ns)
        return super().connected(client, path, now_ns)

    def refuses(self, now_ns: int) -> bool:
        is_refused = super().refuses(now_ns)
        if is_refused:
            self.connects_ns.append(now_ns)
        return is_refused

    def requested(self, request: HttpRequest, now_ns: int) -> HttpReply:
        reply = super().requested(request, now_ns)
        self.asked.append(Asked(now_ns, request.target, reply.status))
        return reply


class Bench:
    """`rules_every_ns` is how often the market list is read, 0 for what the file says. `trades` joins the account."""

    def __init__(
        self,
        subject: Subject,
        *,
        mean_wait_ns: int = 100 * MS,
        rules_every_ns: int = 0,
        trades: bool = False,
        seed: int = 1,
    ) -> None:
        self.venue = simulated(subject.venue, rules_every_ns)
        listings = self.venue.fixed_listings(subject.instruments.listed)
        if subject.simulator is None:
            raise NotExercised("nobody simulates this venue")
        if not listings:
            raise NotExercised(
                "the file lists nothing by hand that could be simulated; write one listing with its rules"
            )
        self.exchange = WitnessedExchange(
            self.venue.venue, listings, seed, START_NS, depth=LEVELS, mean_wait_ns=mean_wait_ns
        )
        self.account = subject.simulator.account_of(self.exchange, key=KEY, secret=SECRET)
        simulator = subject.simulator.simulator(self.exchange, self.account)
        self.faults = Witnessed(simulator, self.exchange, seed, self.account)
        jitter = Random(f"jitter, seed {seed}").random
        self.machine = subject.market_machine(self.venue, jitter)
        account = subject.account_machine(self.venue, Credentials(KEY, SECRET), jitter) if trades else None
        limits = self.venue.freshness
        self.limits = Freshness(limits.silent_ns or 0, limits.behind_ns or 0, limits.frozen_ns or 0)
        self.books: dict[str, VenueBook] = {listing.symbol: VenueBook(listing) for listing in listings}
        self._symbols = {listing.instrument.name: listing.symbol for listing in listings}
        self.offset_ns = 0
        self.compared = 0
        self.trades: list[Trade] = []
        self.account_events: list[AccountEvent] = []
        self.outs: list[tuple[int, str, str]] = []
        """When a live book stopped being live, its symbol, and why."""
        self._resynced_ns: dict[str, int] = {}
        self.loopback = Loopback(START_NS, self._told, self._told_account)
        self.loopback.every(TICK_NS, self._tick)
        self.lane = self.loopback.join(self.machine, self.faults, account=account)

    @property
    def now_ns(self) -> int:
        return self.loopback.now_ns

    @property
    def symbols(self) -> list[str]:
        return list(self.books)

    @property
    def status(self) -> VenueStatus:
        return self.machine.status(self.now_ns)

    @property
    def not_live(self) -> list[str]:
        return [symbol for symbol, book in self.books.items() if not book.is_live]

    def run(self, duration_ns: int) -> None:
        self.loopback.run_for(duration_ns)

    def until(self, holds: Callable[[], bool], within_ns: int, otherwise: str) -> int:
        """Let time pass until it holds; returns how long that took. Raises Wrong when the bound passes first."""
        start_ns = self.now_ns
        while not holds():
            if self.now_ns - start_ns >= within_ns:
                raise Wrong(f"{otherwise} within {seconds(within_ns)}: {self.described()}")
            self.run(10 * MS)
        return self.now_ns - start_ns

    def until_live(self, within_ns: int = LIVE_WITHIN_NS) -> int:
        return self.until(lambda: not self.not_live, within_ns, "not every book was live")

    def started(self) -> Bench:
        self.until_live()
        self.run(5 * SECOND)
        return self

    def on(self, fault: str, **options: Option) -> None:
        self.lane.switch_on(fault, **options)

    def off(self, fault: str) -> None:
        self.lane.switch_off(fault)

    def gone_out(self, since_ns: int) -> list[str]:
        """The symbols of books that stopped being live since then."""
        return sorted({symbol for at_ns, symbol, _ in self.outs if at_ns >= since_ns})

    def require_only(self, symbol: str, since_ns: int) -> None:
        others = [other for other in self.gone_out(since_ns) if other != symbol]
        if others:
            raise Wrong(f"only {symbol} was struck, and {', '.join(others)} went out with it: {self.described()}")

    def settle(self) -> None:
        """Let the books stand still, and hold each of ours against the venue's, level by level."""
        self.exchange.freeze()
        self.run(3 * SECOND)
        for symbol, book in self.books.items():
            wrong = difference(book, self.exchange.book(symbol))
            if wrong or not book.is_live:
                raise Wrong(f"{symbol} at rest: {wrong or self._shown(symbol)}")
        self.exchange.thaw()

    def described(self) -> str:
        return "; ".join(self._shown(symbol) for symbol in self.books)

    def _shown(self, symbol: str) -> str:
        book = self.books[symbol]
        return f"{symbol} is {book.health}" + (f" ({book.reason})" if book.reason else "")

    def _told(self, _venue: str, events: Sequence[MarketEvent], now_ns: int) -> None:
        touched: dict[str, None] = {}
        for event in events:
            if isinstance(event, BookDelta | BookSnapshot | BookLost | BookUnchanged):
                symbol = self._symbols[event.instrument]
                with_health = self.books[symbol].health
                self.books[symbol].apply(event)
                self._note(symbol, with_health)
                touched[symbol] = None
            elif isinstance(event, ListingsRead):
                self._listed(event)
            elif isinstance(event, ClockMeasured):
                self.offset_ns = event.offset_ns
            elif isinstance(event, Trade):
                self.trades.append(event)
        for symbol in touched:
            self._compare(symbol)

    def _told_account(self, _venue: str, events: Sequence[AccountEvent], now_ns: int) -> None:
        self.account_events += events

    def _listed(self, event: ListingsRead) -> None:
        for listing in event.listings:
            book = self.books.get(listing.symbol)
            if book is not None:
                before = book.health
                book.revise(listing, event.received_ns)
                self._note(listing.symbol, before)

    def _tick(self) -> None:
        for symbol, book in self.books.items():
            before = book.health
            book.judge(self.limits, self.now_ns, self.offset_ns)
            self._note(symbol, before)
            if book.health is Health.CROSSED and self.now_ns - self._resynced_ns.get(symbol, 0) >= RESYNC_EVERY_NS:
                self._resynced_ns[symbol] = self.now_ns
                self.lane.resync(symbol, book.reason or "")
            self._compare(symbol, counts=False)

    def _note(self, symbol: str, before: Health) -> None:
        book = self.books[symbol]
        if before is Health.LIVE and not book.is_live:
            self.outs.append((self.now_ns, symbol, book.reason or ""))

    def _compare(self, symbol: str, *, counts: bool = True) -> None:
        book = self.books[symbol]
        if not book.is_live:
            return
        over_ns = self.exchange.over_since_ns(symbol, digest(book), self.now_ns)
        if over_ns is None:
            raise Wrong(f"{symbol} is shown as live, and is not the venue's book: {self._difference(symbol)}")
        limit_ns = max(self.limits.silent_ns, self.limits.behind_ns, self.limits.frozen_ns) + OLD_AFTER_NS
        if self.now_ns - over_ns > limit_ns:
            age = seconds(self.now_ns - over_ns)
            raise Wrong(f"{symbol} is shown as live, and what it shows was over {age} ago: staleness is not seen")
        self.compared += counts

    def _difference(self, symbol: str) -> str:
        return difference(self.books[symbol], self.exchange.book(symbol))


def simulated(venue: VenueSettings, rules_every_ns: int = 0) -> VenueSettings:
    """The file as it is, at addresses that are nowhere, with its first listings."""
    given = venue.endpoints.model_dump(exclude_none=True)
    endpoints = venue.endpoints.model_copy(update={name: _nowhere(url) for name, url in given.items()})
    update: dict[str, Any] = {"endpoints": endpoints, "listings": venue.listings[:LISTINGS], "market_list": None}
    if rules_every_ns:
        update["rules_every_ns"] = rules_every_ns
    return venue.model_copy(update=update)


def _nowhere(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return "http://simulated" if scheme.startswith("http") else "ws://simulated/" + rest.partition("/")[2]


def seconds(ns: int) -> str:
    return f"{ns // SECOND}.{ns // (SECOND // 10) % 10} s"
