"""One venue's machine and its simulator joined in memory, an engine that believes the machine, and the truth beside."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from importlib import import_module
from json import loads
from random import Random
from typing import Any, NamedTuple, cast

from aggregator.books.venue_book import Freshness, VenueBook
from aggregator.config.files import load_configuration
from aggregator.config.venues import ListingRules, VenueSettings, load_venue
from aggregator.domain.book import Health
from aggregator.domain.effects import Effect, HealthChanged, ResyncWanted, RulesChanged
from aggregator.domain.events import BookDelta, BookLost, BookSnapshot, BookUnchanged, MarketEvent, Tick
from aggregator.domain.instrument import Instruments
from aggregator.engine.engine import Engine
from connectors.books import Books
from connectors.contract import Answer, MarketData, Reply
from connectors.machine import VenueStatus, venue_machine
from connectors.simulation.book import digest_of
from connectors.simulation.contract import HttpReply, HttpRequest, Outgoing, SimulatedVenue
from connectors.simulation.exchange import SimulatedExchange
from connectors.simulation.faults import Faults
from connectors.simulation.loopback import Loopback
from tests.paths import REPOSITORY

MS = 1_000_000
SECOND = 1000 * MS
MINUTE = 60 * SECOND
START_NS = 1_780_000_000 * SECOND

BOOK_EVENTS = (BookDelta, BookSnapshot, BookUnchanged, BookLost)

Truth = Callable[[str, int], int]
"""The digest of a symbol's true book at one of the venue's ids, as far as the stream covers it."""


class Asked(NamedTuple):
    at_ns: int
    target: str
    reply: HttpReply


class Sent(NamedTuple):
    at_ns: int
    client: int
    message: dict[str, Any]


class Watched:
    """A protocol of which is known whose books it read last."""

    def __init__(self, market_data: MarketData, reading: Callable[[Books], None]) -> None:
        self._market_data = market_data
        self._reading = reading

    def read(self, frame: str | bytes, books: Books, now_ns: int) -> Answer:
        self._reading(books)
        return self._market_data.read(frame, books, now_ns)

    def read_reply(self, reply: Reply, books: Books, now_ns: int) -> Answer:
        self._reading(books)
        return self._market_data.read_reply(reply, books, now_ns)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._market_data, name)


class Witnessed:
    """Faults, with a record of what reaches them."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.connects_ns: list[int] = []
        self.sent: list[Sent] = []
        self.asked: list[Asked] = []

    def connected(self, client: int, path: str, now_ns: int) -> list[Outgoing]:
        self.connects_ns.append(now_ns)
        return self._faults.connected(client, path, now_ns)

    def received(self, client: int, frame: str | bytes, now_ns: int) -> list[Outgoing]:
        self.sent.append(Sent(now_ns, client, loads(frame)))
        return self._faults.received(client, frame, now_ns)

    def requested(self, request: HttpRequest, now_ns: int) -> HttpReply:
        reply = self._faults.requested(request, now_ns)
        self.asked.append(Asked(now_ns, request.target, reply))
        return reply

    def __getattr__(self, name: str) -> Any:
        return getattr(self._faults, name)


def made_up(count: int, spelling: str = "{}{}") -> list[ListingRules]:
    """Listings of coins that do not exist."""
    return [
        ListingRules(symbol=spelling.format(f"C{n}", "USDT"), instrument=f"C{n}/USDT", tick="0.001", lot="0.01")
        for n in range(count)
    ]


class OneVenue:
    """`simulate` makes the venue's simulator, `truth` tells with it what a book should be.

    After each batch of events every live book that it touched is compared with the truth at its own id; a book that is
    wrong fails the test there and then. `listings` are instruments of the venue's file, or rules; the one that is
    `absent` is unknown to the venue.
    """

    def __init__(
        self,
        name: str,
        simulate: Callable[[SimulatedExchange], SimulatedVenue],
        truth: Truth | None = None,
        *,
        listings: Sequence[str] | Sequence[ListingRules] = ("BTC/USDT", "ETH/USDT", "XRP/USDT"),
        absent: str = "",
        market_data: Callable[[str | None], MarketData] | None = None,
        book_channel: str | None = None,
        stream: str = "",
        seed: int = 1,
        depth: int = 60,
        mean_wait_ns: int = 100 * MS,
    ) -> None:
        settings = settings_of(name, listings, stream, book_channel)
        instruments = Instruments(load_configuration(REPOSITORY / "config" / "aggregator.yaml").instruments.values())
        fixed = settings.fixed_listings(instruments.listed)
        self.symbols = [listing.symbol for listing in fixed]
        self.instruments = [listing.instrument.name for listing in fixed]
        had = [listing for listing in fixed if listing.instrument.name != absent]
        self.exchange = SimulatedExchange(name, had, seed, START_NS, depth=depth, mean_wait_ns=mean_wait_ns)
        self.simulator = simulate(self.exchange)
        self.truth = truth or self.exchange.state_digest
        self.venue = Witnessed(Faults(self.simulator, self.exchange, seed))
        protocol = market_data or import_module(f"connectors.{settings.connector}").MarketData
        self.machine = venue_machine(
            settings,
            lambda: cast(MarketData, Watched(protocol(settings.book_channel), self._reads)),
            instruments,
            Random(f"jitter {seed}").random,
        )
        limits = settings.freshness
        self.freshness = Freshness(limits.silent_ns or 0, limits.behind_ns or 0, limits.frozen_ns or 0)
        self.engine = Engine({name: self.freshness})
        self.effects: list[HealthChanged] = []
        self.rule_changes: list[RulesChanged] = []
        self.events: list[MarketEvent] = []
        self.compared = 0
        self._books: Books | None = None
        self._ids: dict[str, int] = {}
        self.loopback = Loopback(START_NS, self._told)
        self.loopback.every(100 * MS, lambda: self._carry_out(self.engine.apply(Tick(self.now_ns))))
        self.lane = self.loopback.join(self.machine, cast(Faults, self.venue))
        self.name = name

    @property
    def now_ns(self) -> int:
        return self.loopback.now_ns

    @property
    def status(self) -> VenueStatus:
        return self.machine.status(self.now_ns)

    def book(self, instrument: str) -> VenueBook:
        return self.engine.market.books(instrument)[self.name]

    def health(self, instrument: str) -> Health:
        return self.book(instrument).health

    def reason(self, instrument: str) -> str:
        return self.book(instrument).reason or ""

    @property
    def not_live(self) -> list[str]:
        return [name for name in self.instruments if not self.book(name).is_live]

    def run(self, duration_ns: int) -> None:
        self.loopback.run_for(duration_ns)

    def until(self, holds: Callable[[], bool], within_ns: int) -> int:
        """Let time pass until it holds; returns how long that took. Fails when the bound passes first."""
        start_ns = self.now_ns
        while not holds():
            assert self.now_ns - start_ns < within_ns, self.described()
            self.run(10 * MS)
        return self.now_ns - start_ns

    def until_live(self, within_ns: int) -> int:
        return self.until(lambda: not self.not_live, within_ns)

    def start(self, within_ns: int = 10 * SECOND) -> int:
        """Let everything come up; returns how long it took."""
        return self.until(lambda: all(i in self.engine.market.instruments for i in self.instruments), within_ns) + (
            self.until_live(within_ns)
        )

    def turned(self, instrument: str, since_ns: int = 0) -> list[tuple[Health, str]]:
        """What a book's health has been, with the reasons."""
        return [
            (effect.after, effect.reason or "")
            for effect in self.effects
            if effect.instrument == instrument and effect.at_ns >= since_ns
        ]

    def ever_turned(self, since_ns: int, *besides: str) -> set[str]:
        """The instruments whose health has changed since then, besides these."""
        return {effect.instrument for effect in self.effects if effect.at_ns >= since_ns} - set(besides)

    def asked(self, part: str, since_ns: int = 0) -> list[Asked]:
        return [asked for asked in self.venue.asked if part in asked.target and asked.at_ns >= since_ns]

    def told(self, kind: type[Any], since_ns: int = 0) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind) and event.received_ns >= since_ns]

    def book_events(self, instrument: str) -> list[BookDelta | BookSnapshot | BookUnchanged | BookLost]:
        return [event for event in self.events if isinstance(event, BOOK_EVENTS) and event.instrument == instrument]

    def settle(self) -> None:
        """Let the books stand still, and hold each of ours against the venue's as it stands."""
        self.exchange.freeze()
        self.run(3 * SECOND)
        for instrument in self.instruments:
            assert self.book(instrument).is_live, self.described()
            self._compare(instrument)
            assert self._ids[instrument] == self.exchange.last_id(self.book(instrument).listing.symbol), instrument
        self.exchange.thaw()

    def described(self) -> str:
        books = [f"{name}: {self.health(name)} ({self.reason(name)})" for name in self.instruments]
        return "\n".join([*books, str(asdict(self.status))])

    def _reads(self, books: Books) -> None:
        self._books = books

    def _told(self, venue: str, events: Iterable[MarketEvent], now_ns: int) -> None:
        touched: dict[str, None] = {}
        for event in events:
            self.events.append(event)
            self._carry_out(self.engine.apply(event))
            if isinstance(event, BOOK_EVENTS):
                touched[event.instrument] = None
        for instrument in touched:
            book = None if self._books is None else self._books.get(self.book(instrument).listing.symbol)
            if book is not None and book.at is not None:
                self._ids[instrument] = book.at
            if self.book(instrument).is_live:
                self._compare(instrument)

    def _compare(self, instrument: str) -> None:
        book = self.book(instrument)
        ours = digest_of(book.bids.top(), book.asks.top())
        assert ours == self.truth(book.listing.symbol, self._ids[instrument]), (
            f"{instrument} at {self._ids[instrument]}"
        )
        self.compared += 1

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, HealthChanged):
                self.effects.append(effect)
            elif isinstance(effect, RulesChanged):
                self.rule_changes.append(effect)
            elif isinstance(effect, ResyncWanted):
                symbol, reason = effect.symbol, effect.reason
                self.loopback.at(self.now_ns, lambda s=symbol, r=reason: self.lane.resync(s, r))  # type: ignore[misc]


def settings_of(
    name: str, listings: Sequence[str] | Sequence[ListingRules], stream: str = "", book_channel: str | None = None
) -> VenueSettings:
    """The venue's file, with its endpoints nowhere and only these listings."""
    settings = load_venue(REPOSITORY / "config" / "venues" / f"{name}.yaml")
    path = "/" + (settings.endpoints.stream or "").partition("://")[2].partition("/")[2]
    endpoints = settings.endpoints.model_copy(
        update={"stream": stream or f"ws://simulated{path}", "rest": "http://simulated"}
    )
    chosen = [rules for rules in settings.listings if rules.instrument in listings] or listings
    update: dict[str, Any] = {"endpoints": endpoints, "listings": tuple(chosen)}
    if book_channel is not None:
        update["book_channel"] = book_channel
    return settings.model_copy(update=update)
