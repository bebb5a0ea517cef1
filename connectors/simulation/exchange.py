"""One venue's markets, simulated: seeded books that move with time, and the switches that tests and drills turn.

It is pure. Time comes in as an argument and nothing depends on how finely it is cut: the same seed gives the same
updates, to the last digit, however often `advance` is called.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random

from aggregator.domain.instrument import Listing, Side
from aggregator.domain.numbers import POWERS
from connectors.simulation.book import Change, Picture, TrueBook
from connectors.simulation.crowd import Crowd, Schedule
from connectors.simulation.prices import DOLLAR_DECIMALS, FairPrice, dollars, starting_price

DEPTH = 200
MEAN_WAIT_NS = 100_000_000
HISTORY = 1 << 14
"""How many ids back a book knows its digest: minutes at the usual rate."""
NEVER_NS = 2**63 - 1


def with_rules(listing: Listing) -> Listing:
    """The listing with a plausible tick and lot where it states none: a hundred-thousandth of the price, and a
    quantity worth about a dollar."""
    instrument = listing.instrument
    one_dollar = POWERS[DOLLAR_DECIMALS + instrument.quantity_decimals] // dollars(instrument.base)
    return replace(
        listing,
        tick=listing.tick or _round(starting_price(instrument) // 10**5),
        lot=listing.lot or _round(one_dollar),
    )


def _round(number: int) -> int:
    """The power of ten at or below."""
    return POWERS[len(str(max(number, 1))) - 1]


class Market:
    """One listing: its book, who trades in it, and whether it moves."""

    def __init__(self, listing: Listing, seed: int, start_ns: int, depth: int, mean_wait_ns: int, history: int) -> None:
        random = Random(f"{listing.symbol} on {listing.venue}, seed {seed}")
        self.listing = listing
        self.book = TrueBook(listing.symbol, 10**9 + random.getrandbits(30), history)
        self.fair = FairPrice(listing.instrument, listing.venue, seed)
        self.crowd = Crowd(self.book, listing, self.fair, depth, random)
        self.crowd.fill(start_ns)
        self.book.close(start_ns)
        self.schedule = Schedule(random, start_ns, mean_wait_ns)
        self.frozen = False

    def advance(self, now_ns: int) -> list[Change]:
        """Time passes in a market that stands still too, but nothing happens in it."""
        changes: list[Change] = []
        while self.schedule.next_ns <= now_ns:
            at_ns = self.schedule.take_next()
            if self.frozen or not self.listing.tradable:
                continue
            self.crowd.act(at_ns)
            change = self.book.close(at_ns)
            if change is not None:
                changes.append(change)
        return changes


class SimulatedExchange:
    """The books of `name`, from `start_ns` on.

    `depth` is how many levels a side has, more or less; `mean_wait_ns` the mean time between two updates of one book.
    Methods that take a symbol raise LookupError for one that is not listed here.
    """

    def __init__(
        self,
        name: str,
        listings: Iterable[Listing],
        seed: int,
        start_ns: int,
        *,
        depth: int = DEPTH,
        mean_wait_ns: int = MEAN_WAIT_NS,
        history: int = HISTORY,
    ) -> None:
        self.name = name
        self.clock_offset_ns = 0
        """How far the venue's own clock is ahead. It shifts every time that comes in here or goes out, and the books
        move on regardless."""
        self._mean_wait_ns = mean_wait_ns
        self._now_ns = start_ns
        self._pending: list[Change] = []
        self._markets = {
            listing.symbol: Market(
                with_rules(replace(listing, venue=name)), seed, start_ns, depth, mean_wait_ns, history
            )
            for listing in listings
        }

    def __contains__(self, symbol: str) -> bool:
        """Whether the symbol is listed, even if it is not tradable any more."""
        return symbol in self._markets

    @property
    def symbols(self) -> list[str]:
        return list(self._markets)

    def listing(self, symbol: str) -> Listing:
        """Its present rules. One that was delisted is not `tradable`."""
        return self._market(symbol).listing

    def advance(self, now_ns: int) -> list[Change]:
        """Everything that has changed up to now and was not returned yet, in the order in which it happened."""
        now_ns -= self.clock_offset_ns
        self._now_ns = max(self._now_ns, now_ns)
        changes = [change for market in self._markets.values() for change in market.advance(now_ns)]
        changes.sort(key=lambda change: change.venue_time_ns)
        changes, self._pending = self._pending + changes, []
        if self.clock_offset_ns:
            return [change._replace(venue_time_ns=change.venue_time_ns + self.clock_offset_ns) for change in changes]
        return changes

    def next_event_ns(self) -> int:
        """When `advance` will next have something to do."""
        if self._pending:
            return self._now_ns + self.clock_offset_ns
        next_ns = min((market.schedule.next_ns for market in self._markets.values()), default=NEVER_NS)
        return next_ns + self.clock_offset_ns

    def book(self, symbol: str, depth: int | None = None) -> Picture:
        """The best `depth` levels of each side (all of them by default) with the id that they stand at."""
        return self._market(symbol).book.picture(depth)

    def last_id(self, symbol: str) -> int:
        return self._market(symbol).book.last_id

    def state_digest(self, symbol: str, update_id: int) -> int:
        """`digest_of` the whole true book at that id; LookupError when it is too long ago, or still to come."""
        return self._market(symbol).book.digest_at(update_id)

    def fair_price(self, symbol: str, at_ns: int) -> int:
        """What the book of that moment is centred on, on the instrument's scale."""
        return self._market(symbol).fair.at(at_ns - self.clock_offset_ns)

    def offered(self, symbol: str, side: Side, limit_price: int) -> int:
        """The quantity that a taker of `side` could take no worse than the limit: of the true book, without what
        `cross` makes it publish."""
        return self._market(symbol).book.offered(side, limit_price)

    def take(self, symbol: str, side: Side, quantity: int, limit_price: int) -> list[tuple[int, int]]:
        """A taker of `side` consumes what rests on the other side, no worse than the limit: returns price and
        quantity of each trade, best first. The book grows back as it always does, an eighth of what it lacks with
        every update. The change comes with the next `advance`."""
        market = self._market(symbol)
        fills = market.book.take(side, quantity, limit_price)
        self._changed(market)
        return fills

    def freeze(self, symbol: str | None = None) -> None:
        """Let this book, or all, stand as they are."""
        for market in self._chosen(symbol):
            market.frozen = True

    def thaw(self, symbol: str | None = None) -> None:
        for market in self._chosen(symbol):
            market.frozen = False

    def delist(self, symbol: str) -> None:
        """End trading: the book stands still, and the listing is not tradable."""
        market = self._market(symbol)
        market.listing = replace(market.listing, tradable=False)

    def relist(self, symbol: str) -> None:
        market = self._market(symbol)
        market.listing = replace(market.listing, tradable=True)

    def change_tick(self, symbol: str, tick: int) -> None:
        """Trade on another tick from now on. Levels between its steps move away from the middle."""
        market = self._market(symbol)
        if tick <= 0:
            raise ValueError(f"a tick of {tick}; it must be positive, on the instrument's scale")
        market.listing = replace(market.listing, tick=tick)
        market.crowd.follow(market.listing)
        market.crowd.regrid()
        self._changed(market)

    def cross(self, symbol: str | None = None) -> None:
        """Publish, until `uncross`, a bid above the best ask. The true book and its digests do not have it."""
        for market in self._chosen(symbol):
            market.book.cross()
            self._changed(market)

    def uncross(self, symbol: str | None = None) -> None:
        for market in self._chosen(symbol):
            market.book.uncross()
            self._changed(market)

    def quicken(self, times: int, slowed: int = 1) -> None:
        """From now on `times / slowed` as many updates as at the start."""
        for market in self._markets.values():
            market.schedule.mean_wait_ns = self._mean_wait_ns * slowed // times

    def _market(self, symbol: str) -> Market:
        market = self._markets.get(symbol)
        if market is None:
            raise LookupError(f"{symbol!r} is not listed on {self.name}; {', '.join(self._markets)} are")
        return market

    def _chosen(self, symbol: str | None) -> list[Market]:
        return [self._market(symbol)] if symbol else list(self._markets.values())

    def _changed(self, market: Market) -> None:
        change = market.book.close(self._now_ns)
        if change is not None:
            self._pending.append(change)
