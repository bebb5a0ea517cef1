"""Rounds of sound and broken input for one connector. What a round does is decided by its seed alone.

Three things are held after everything that a session hears:

 1. It raises nothing.
 2. A frame touches no book that it does not name, and one that is rejected changes none: the books are told nothing,
    and each is as it was, or lost.
 3. A live book of which only sound frames were accepted is the venue's true book, with all that was heard of it. So
    nothing of a rejected frame is left behind anywhere, and no book stands still.
"""

import json
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from random import Random
from traceback import format_exception
from typing import Any

import connectors
from aggregator.domain.events import BookDelta, BookLost, BookSnapshot, BookUnchanged, FrameRejected, MarketEvent
from aggregator.domain.instrument import Listing
from aggregator.engine.market import Market
from connectors.contract import MarketData, Reply
from connectors.markets import Markets
from connectors.session import Session
from tests.fuzz.dialects import ASSETS, DIALECTS, Dialect, Sample, any_other, instrument
from tests.fuzz.mutations import mutate
from tests.fuzz.recordings import inflated, recordings
from tests.twins.feed import MARK, Feed, Update, make_feed, shown_state

SECOND = 1_000_000_000
START_NS = 1_780_000_000 * SECOND
STEPS = 60
MakeMarketData = Callable[[], MarketData]


def found_connectors() -> dict[str, MakeMarketData]:
    """Every folder of connectors/ that has a market_data whose venue can be made without arguments."""
    found: dict[str, MakeMarketData] = {}
    for folder in pkgutil.iter_modules(connectors.__path__):
        if not folder.ispkg:
            continue
        try:
            module = import_module(f"connectors.{folder.name}.market_data")
        except ModuleNotFoundError:
            continue
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__ == module.__name__ and _is_market_data(kind):
                found[folder.name] = kind
    return found


def _is_market_data(kind: type) -> bool:
    if not all(hasattr(kind, name) for name in ("numbering", "subscribe", "read", "read_reply")):
        return False
    try:
        kind()
    except TypeError:
        return False
    return True


@dataclass(frozen=True)
class Finding:
    connector: str
    seed: str
    round: int
    fault: str
    heard: str | bytes

    def __str__(self) -> str:
        again = f"python -m tests.fuzz --connector {self.connector} --seed {self.seed} --round {self.round}"
        return f"{self.connector}: {self.fault}\nheard: {self.heard!r}\nagain: {again}"


class Fault(Exception):
    """Something that must never be."""


@dataclass
class Tally:
    rounds: int = 0
    heard: int = 0
    broken: int = 0
    rejected: int = 0
    proven: int = 0
    """How often a live book was compared with the true one."""


@dataclass
class Fuzzer:
    seed: str
    tally: Tally = field(default_factory=Tally)

    def rounds(self, connector: str, make: MakeMarketData, numbers: Iterator[int] | range) -> Iterator[Finding]:
        for number in numbers:
            finding = self.round(connector, make, number)
            self.tally.rounds += 1
            if finding is not None:
                yield finding

    def round(self, connector: str, make: MakeMarketData, number: int) -> Finding | None:
        chance = Random(f"{self.seed} {connector} {number}")
        recorded = recordings(connector)
        dialect = DIALECTS.get(connector)
        play: Round
        if dialect is not None and (number % 4 or not recorded):
            play = MiniatureRound(make, chance, self.tally, dialect)
        elif recorded:
            play = RecordedRound(make, chance, self.tally, chance.choice(recorded).samples)
        else:
            play = StrangerRound(make, chance, self.tally)
        try:
            play.play()
        except Fault as fault:
            return Finding(connector, self.seed, number, str(fault), play.last)
        except Exception as error:  # noqa: BLE001 - whatever is raised is what is looked for
            return Finding(connector, self.seed, number, "".join(format_exception(error)), play.last)
        return None


class Round:
    """One session and the market that comes of it."""

    def __init__(
        self, market_data: MarketData, markets: Markets, follow: list[str], chance: Random, tally: Tally
    ) -> None:
        self.chance = chance
        self.tally = tally
        self.now_ns = START_NS
        self.market = Market()
        self.session = Session(market_data, markets, follow, follow_listed=None if not follow else lambda market: True)
        self.last: str | bytes = ""
        self.words = ""

    def play(self) -> None:
        raise NotImplementedError

    def open(self) -> None:
        self._take(self.session.opened(self.now_ns))

    def hear(self, payload: str | bytes, path: str = "", status: int = 200) -> Sequence[MarketEvent]:
        self.last = payload
        self.tally.heard += 1
        self.now_ns += self.chance.randrange(SECOND)
        before = {book.listing.symbol: book.at for book in self.session.books}
        if path:
            body = payload if isinstance(payload, bytes) else payload.encode("utf-8", "replace")
            url = path if "://" in path else f"https://venue.example{path}"
            events: Sequence[MarketEvent] = self.session.fetched(Reply(url, status, body), self.now_ns)
        else:
            events = self.session.received(payload, self.now_ns)
        self.words = words_of(payload) + path.lower()
        self._look(events, before, self.words)
        return self._take(events)

    def hear_broken(self, sample: Sample) -> Sequence[MarketEvent]:
        self.tally.broken += 1
        status = self.chance.choice((200, 200, 200, 429, 418, 500, 0))
        return self.hear(mutate(sample, self.chance), sample.path, status)

    def pass_time(self) -> None:
        self.now_ns += self.chance.randrange(40) * SECOND
        wake_ns = self.session.wake_at_ns()
        if wake_ns is not None and wake_ns <= self.now_ns:
            self.session.woken(self.now_ns)
        self.session.take_requests()

    def _take(self, events: Sequence[MarketEvent]) -> Sequence[MarketEvent]:
        for event in events:
            touched = self.market.apply(event)
            if touched is not None:
                touched[0].check()
        self.session.take_requests()
        return events

    def _look(self, events: Sequence[MarketEvent], before: dict[str, int | None], words: str) -> None:
        """That nothing happened to a book which the words do not name."""
        symbols = {book.listing.instrument.name: book.listing.symbol for book in self.session.books}
        is_rejected = any(isinstance(event, FrameRejected) for event in events)
        self.tally.rejected += is_rejected
        for event in events:
            if isinstance(event, BookSnapshot | BookDelta | BookUnchanged | BookLost):
                symbol = symbols[event.instrument]
                is_new = symbol not in before
                if symbol.lower() not in words and not is_new:
                    raise Fault(f"the book of {symbol} was told {type(event).__name__} by what does not name it")
                if is_rejected and not isinstance(event, BookLost):
                    raise Fault(f"rejected, yet the book of {symbol} was told {type(event).__name__}")
        for book in self.session.books:
            symbol = book.listing.symbol
            if symbol.lower() not in words and before.get(symbol) != book.at:
                raise Fault(f"{symbol} went from {before.get(symbol)} to {book.at} by what does not name it")
            if is_rejected and book.is_whole and before.get(symbol) != book.at:
                raise Fault(f"rejected, yet {symbol} went from {before.get(symbol)} to {book.at}")


class MiniatureRound(Round):
    """A venue with a true book for each symbol. Those whose session accepted something broken are not compared any
    more, until the connection is made anew."""

    def __init__(self, make: MakeMarketData, chance: Random, tally: Tally, dialect: Dialect) -> None:
        self.dialect = dialect
        listings = {base: Listing("venue", dialect.symbol(base), instrument(base)) for base in ASSETS}
        super().__init__(
            make(), Markets("venue", listings.values()), [of.symbol for of in listings.values()], chance, tally
        )
        self.symbols = {of.symbol: of.instrument.name for of in listings.values()}
        self.feeds: dict[str, Feed] = {}
        self.told = dict.fromkeys(self.symbols, 0)
        self.heard = dict.fromkeys(self.symbols, -1)
        self.tainted: set[str] = set()

    def play(self) -> None:
        self.feeds = {symbol: make_feed(self.chance, 2 * STEPS, jumps=self.dialect.jumps) for symbol in self.symbols}
        self.open()
        for symbol in self.symbols:
            self.tell_update(symbol)
            self.tell_whole(symbol)
        for _ in range(STEPS):
            symbol = self.chance.choice(list(self.symbols))
            act = self.chance.random()
            if act < 0.4:
                self.tell_update(symbol)
            elif act < 0.5:
                self.tell_update(symbol)
                self.tell_whole(symbol)
            elif act < 0.53:
                self.tell(any_other(self.dialect, self.symbols, self.chance))
            elif act < 0.57:
                self.pass_time()
            elif act < 0.59:
                self.reconnect()
            else:
                self.break_something(symbol)
            self.prove()

    def tell_update(self, symbol: str) -> None:
        update = self._next_update(symbol)
        if update is not None:
            self.told[symbol] += 1
            self.heard[symbol] = update.last
            self.tell(self.dialect.update(symbol, update, self.feeds[symbol].states[update.last]))

    def tell_whole(self, symbol: str) -> None:
        """The newest, so that what is told next continues it."""
        self.tell(self._whole(symbol))

    def tell(self, sample: Sample) -> None:
        self.hear(sample.payload, sample.path)

    def break_something(self, symbol: str) -> None:
        update = self._next_update(symbol)
        samples = [self._whole(symbol), any_other(self.dialect, self.symbols, self.chance)]
        samples += self.dialect.untrue(symbol)
        if update is not None:
            samples += [self.dialect.update(symbol, update, self.feeds[symbol].states[update.last])] * 2
        events = self.hear_broken(self.chance.choice(samples))
        if not any(isinstance(event, FrameRejected) for event in events):
            self.tainted |= {named for named in self.symbols if named.lower() in self.words}

    def reconnect(self) -> None:
        self._take(self.session.closed("the connection is gone", self.now_ns))
        self.open()
        self.tainted.clear()
        self.heard = dict.fromkeys(self.symbols, -1)

    def prove(self) -> None:
        for symbol, name in self.symbols.items():
            book = self.market.books(name)["venue"]
            if not book.is_live or symbol in self.tainted:
                continue
            self.tally.proven += 1
            at = book.bids.quantity_at(MARK)
            if at not in self.feeds[symbol].states or shown_state(book) != self.feeds[symbol].states[at]:
                raise Fault(f"{symbol} is live, but not the true book at {at}")
            if at < self.heard[symbol]:
                raise Fault(f"{symbol} is live at {at} although {self.heard[symbol]} was heard")

    def _next_update(self, symbol: str) -> Update | None:
        updates, told = self.feeds[symbol].updates, self.told[symbol]
        return updates[told] if told < len(updates) else None

    def _whole(self, symbol: str) -> Sample:
        feed, told = self.feeds[symbol], self.told[symbol]
        at = feed.updates[told - 1].last if told else feed.ids[0]
        return self.dialect.whole(symbol, at, feed.states[at])


class RecordedRound(Round):
    """A stretch of a recording, heard as a replay hears it, with one record in five broken."""

    def __init__(self, make: MakeMarketData, chance: Random, tally: Tally, samples: list[Sample]) -> None:
        market_data = make()
        markets = Markets("venue", separator=market_data.separator, adopts_unlisted=True)
        super().__init__(market_data, markets, [], chance, tally)
        start = chance.randrange(len(samples))
        self.samples = samples[start : start + STEPS]

    def play(self) -> None:
        for sample in self.samples:
            if self.chance.random() < 0.2:
                self.hear_broken(sample)
            else:
                self.hear(sample.payload, sample.path)


class StrangerRound(Round):
    """For a connector of which nothing is known: what other venues say, whole and broken."""

    def __init__(self, make: MakeMarketData, chance: Random, tally: Tally) -> None:
        market_data = make()
        markets = Markets("venue", separator=market_data.separator, adopts_unlisted=True)
        super().__init__(market_data, markets, [], chance, tally)

    def play(self) -> None:
        for _ in range(STEPS):
            dialect = self.chance.choice(list(DIALECTS.values()))
            sample = any_other(dialect, [dialect.symbol(base) for base in ASSETS], self.chance)
            self.hear_broken(sample._replace(path=""))
            self.hear_broken(sample)


def words_of(payload: str | bytes) -> str:
    """All that it says, in lower case, packed or escaped as it may be."""
    if isinstance(payload, bytes):
        text = payload.decode("utf-8", "replace")
        packed = inflated(payload).decode("utf-8", "replace")
    else:
        text, packed = payload, ""
    return " ".join((text, packed, _unescaped(text), _unescaped(packed))).lower()


def _unescaped(text: str) -> str:
    try:
        message: Any = json.loads(text, parse_int=str, parse_float=str)
        return json.dumps(message, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""
