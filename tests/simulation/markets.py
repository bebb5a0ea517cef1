"""A small simulated exchange, and a book kept from what it tells."""

from aggregator.books.ladder import Ladder
from aggregator.domain.book import Levels
from aggregator.domain.instrument import Instrument, Listing, Side
from connectors.simulation.book import Change, Picture, digest_of
from connectors.simulation.exchange import SimulatedExchange

START_NS = 1_780_000_000_000_000_000
MS = 1_000_000
SECOND = 1000 * MS

BTC = Instrument("BTC/USDT", "BTC", "USDT", 8, 8)
XRP = Instrument("XRP/USDT", "XRP", "USDT", 8, 8)


def listings(venue: str = "binance") -> list[Listing]:
    """A fine tick, of which a price has six million, and a coarse one, of which it has five thousand."""
    btc = Listing(venue, "BTCUSDT", BTC, tick=10**6, lot=10**3, minimum_quantity=10**3, minimum_notional=10**17)
    xrp = Listing(venue, "XRPUSDT", XRP, tick=10**4, lot=10**7, minimum_quantity=10**7, minimum_notional=10**17)
    return [btc, xrp]


def exchange(seed: int = 1, name: str = "binance", depth: int = 40, mean_wait_ns: int = 100 * MS) -> SimulatedExchange:
    return SimulatedExchange(name, listings(), seed, START_NS, depth=depth, mean_wait_ns=mean_wait_ns)


class Follower:
    """A book kept from a picture and the changes after it."""

    def __init__(self, picture: Picture) -> None:
        self.bids, self.asks = Ladder(Side.BUY), Ladder(Side.SELL)
        self.bids.replace(picture.bids)
        self.asks.replace(picture.asks)
        self.last_id = picture.last_id

    def apply(self, change: Change) -> None:
        assert change.first_id == self.last_id + 1
        assert change.last_id - change.first_id + 1 == len(change.bids.prices) + len(change.asks.prices)
        self.last_id = change.last_id
        self.apply_levels(change.bids, change.asks)

    def apply_levels(self, bids: Levels, asks: Levels) -> None:
        self.bids.apply(bids)
        self.asks.apply(asks)

    @property
    def levels(self) -> tuple[Levels, Levels]:
        return self.bids.top(), self.asks.top()

    @property
    def digest(self) -> int:
        return digest_of(*self.levels)

    @property
    def spread(self) -> int:
        assert self.bids.best is not None
        assert self.asks.best is not None
        return self.asks.best - self.bids.best
