"""What Crypto.com's simulated market socket says about one market: its book in changes or as a whole, ticker, trades.

1. A book in changes has a chain of ids that jump: each change names the id before its own. Whoever subscribes gets the
   whole book first, as it stood with the last change that was told to the others.
2. A change without levels moves the id as well: something changed beyond its depth. After five quiet seconds one comes
   that repeats the id.
3. Prices and quantities are decimal texts with as many decimals as the market's rules have. A level's third column is
   the number of its orders; a level that is gone has a quantity of 0.
4. Trades come newest first, with up to 50 past ones at the start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Listing, Side
from aggregator.domain.numbers import decimals_of
from connectors.simulation.book import Change, TradeMade
from connectors.simulation.exchange import NEVER_NS, SimulatedExchange
from connectors.simulation.window import Window

MS = 1_000_000
SECOND = 1000 * MS

QUIET_NS = 5 * SECOND
TRADES_KEPT = 50
TICKER_PERIOD_NS = 100 * MS

_JUMP_BITS = 16

Rows = list[dict[str, object]]


def wire_id(update_id: int) -> int:
    """The venue's id of an id of the exchange."""
    return (update_id << _JUMP_BITS) + (hash((update_id,)) & 0x3FFF)


def update_id_of(wire: int) -> int:
    return wire >> _JUMP_BITS


def decimal(text: str, decimals: int) -> str:
    """A plain decimal, made at least this long."""
    whole, _, fraction = text.partition(".")
    fraction = fraction.ljust(decimals, "0")
    return f"{whole}.{fraction}" if fraction else whole


def price(listing: Listing, value: int) -> str:
    return decimal(listing.instrument.show_price(value), price_decimals(listing))


def quantity(listing: Listing, value: int) -> str:
    return decimal(listing.instrument.show_quantity(value), quantity_decimals(listing))


def price_decimals(listing: Listing) -> int:
    return decimals_of(listing.instrument.show_price(listing.tick))


def quantity_decimals(listing: Listing) -> int:
    return decimals_of(listing.instrument.show_quantity(listing.lot))


def levels(listing: Listing, side: Levels) -> list[list[str]]:
    instrument, lot = listing.instrument, listing.lot
    tick_decimals, lot_decimals = price_decimals(listing), quantity_decimals(listing)
    rows = []
    for at, resting in zip(*side, strict=True):
        text = decimal(instrument.show_quantity(resting), lot_decimals) if resting else "0"
        orders = 1 + resting // lot % 7 if resting else 0  # any number will do: nobody can know it
        rows.append([decimal(instrument.show_price(at), tick_decimals), text, str(orders)])
    return rows


class Market:
    """What the venue remembers of a market: its last trades, newest first, and when its book last changed."""

    def __init__(self, exchange: SimulatedExchange, symbol: str) -> None:
        self.symbol = symbol
        self.trades: deque[tuple[int, TradeMade]] = deque(maxlen=TRADES_KEPT)
        self.changed_ms = 0
        self._exchange = exchange

    @property
    def listing(self) -> Listing:
        return self._exchange.listing(self.symbol)

    def rules(self) -> dict[str, object]:
        """A row of the market list."""
        listing = self.listing
        instrument = listing.instrument
        return {
            "symbol": self.symbol,
            "inst_type": "CCY_PAIR",
            "display_name": instrument.name,
            "base_ccy": instrument.base,
            "quote_ccy": instrument.quote,
            "quote_decimals": price_decimals(listing),
            "quantity_decimals": quantity_decimals(listing),
            "price_tick_size": instrument.show_price(listing.tick),
            "qty_tick_size": instrument.show_quantity(listing.lot),
            "max_leverage": "50",
            "tradable": listing.tradable,
            "expiry_timestamp_ms": 0,
        }

    def hear(self, change: Change) -> None:
        self.changed_ms = change.venue_time_ns // MS
        self.trades.extendleft((change.venue_time_ns, trade) for trade in change.trades)

    def book(self, depth: int, time_ms: int) -> dict[str, object]:
        _, _, bids, asks = self._exchange.book(self.symbol, depth)
        listing = self.listing
        return {"asks": levels(listing, asks), "bids": levels(listing, bids), "t": time_ms}

    def picture(self, depth: int, time_ms: int) -> dict[str, object]:
        numbered = {"tt": self.changed_ms or time_ms, "u": wire_id(self._exchange.last_id(self.symbol))}
        return self.book(depth, time_ms) | numbered

    def ticker(self, time_ms: int) -> dict[str, object]:
        """Its statistics are of the trades that are remembered."""
        _, _, bids, asks = self._exchange.book(self.symbol, 1)
        listing = self.listing
        row: dict[str, object] = {"i": self.symbol, "t": time_ms, "oi": "0"}
        for letter, side in (("b", bids), ("k", asks)):
            row[letter] = price(listing, side.prices[0]) if side.prices else None
            row[f"{letter}s"] = quantity(listing, side.quantities[0]) if side.prices else None
        prices = [trade.price for _, trade in self.trades]
        if prices:
            row |= {"a": price(listing, prices[0]), "h": price(listing, max(prices)), "l": price(listing, min(prices))}
        traded = sum(trade.quantity for _, trade in self.trades)
        value = sum(trade.quantity * trade.price for _, trade in self.trades)
        return row | {"v": quantity(listing, traded), "vv": listing.instrument.show_notional(value), "c": "0"}

    def trade_rows(self, trades: Iterable[tuple[int, TradeMade]]) -> Rows:
        listing = self.listing
        return [
            {
                "d": str(trade.trade_id),
                "t": time_ns // MS,
                "tn": str(time_ns),
                "p": price(listing, trade.price),
                "q": quantity(listing, trade.quantity),
                "s": "BUY" if trade.taker is Side.BUY else "SELL",
                "i": self.symbol,
                "m": str(trade.trade_id + 1),
            }
            for time_ns, trade in trades
        ]


class Channel(Protocol):
    """What it has to say next, and when: it goes on whether or not anybody listens."""

    name: str
    due_ns: int

    def hear(self, change: Change, at_ns: int) -> None: ...

    def greeting(self, time_ms: int) -> Rows:
        """What a new subscriber gets first."""
        ...

    def speak(self, at_ns: int, time_ms: int) -> tuple[str, Rows]:
        """What everybody gets, and the name under which it goes out."""
        ...


class BookChanges:
    name = "book"

    def __init__(
        self, exchange: SimulatedExchange, market: Market, depth: int, period_ns: int, at_ns: int, quiet_ns: int
    ) -> None:
        self.window = Window(exchange, market.symbol, depth)
        self._market = market
        self._period_ns = period_ns
        self._quiet_ns = quiet_ns
        self._spoke_ns = at_ns
        self.due_ns = at_ns + quiet_ns

    def hear(self, change: Change, at_ns: int) -> None:
        self.due_ns = min(self.due_ns, self._spoke_ns + self._period_ns)

    def greeting(self, time_ms: int) -> Rows:
        _, last_id, bids, asks = self.window.picture
        listing = self._market.listing
        sides: dict[str, object] = {"asks": levels(listing, asks), "bids": levels(listing, bids)}
        return [sides | {"t": time_ms, "tt": self._market.changed_ms or time_ms, "u": wire_id(last_id)}]

    def speak(self, at_ns: int, time_ms: int) -> tuple[str, Rows]:
        self._spoke_ns, self.due_ns = at_ns, at_ns + self._quiet_ns
        change = self.window.delta()
        listing = self._market.listing
        update = {"asks": levels(listing, change.asks), "bids": levels(listing, change.bids)}
        ids = {"u": wire_id(change.last_id), "pu": wire_id(change.previous_id)}
        checksum = {"cs": (self.window.state_digest(change.last_id) & 0xFFFFFFFF) - (1 << 31)}
        times = {"t": time_ms, "tt": self._market.changed_ms or time_ms}
        return "book.update", [{"update": update, **times, **ids, **checksum}]


class WholeBooks:
    name = "book"

    def __init__(self, market: Market, depth: int, period_ns: int, at_ns: int) -> None:
        self._market = market
        self._depth = depth
        self._period_ns = period_ns
        self.due_ns = at_ns + period_ns

    def hear(self, change: Change, at_ns: int) -> None:
        """It goes by the clock."""

    def greeting(self, time_ms: int) -> Rows:
        return [self._market.picture(self._depth, time_ms)]

    def speak(self, at_ns: int, time_ms: int) -> tuple[str, Rows]:
        self.due_ns = at_ns + self._period_ns
        return self.name, self.greeting(time_ms)


class Trades:
    name = "trade"

    def __init__(self, market: Market) -> None:
        self._market = market
        self._fresh: list[tuple[int, TradeMade]] = []
        self.due_ns = NEVER_NS

    def hear(self, change: Change, at_ns: int) -> None:
        if change.trades:
            self._fresh += [(change.venue_time_ns, trade) for trade in change.trades]
            self.due_ns = at_ns

    def greeting(self, time_ms: int) -> Rows:
        return self._market.trade_rows(self._market.trades)

    def speak(self, at_ns: int, time_ms: int) -> tuple[str, Rows]:
        fresh, self._fresh, self.due_ns = self._fresh, [], NEVER_NS
        return self.name, self._market.trade_rows(reversed(fresh))


class Ticker:
    name = "ticker"

    def __init__(self, market: Market) -> None:
        self._market = market
        self._spoke_ns = 0
        self.due_ns = NEVER_NS

    def hear(self, change: Change, at_ns: int) -> None:
        self.due_ns = min(self.due_ns, self._spoke_ns + TICKER_PERIOD_NS)

    def greeting(self, time_ms: int) -> Rows:
        return [self._market.ticker(time_ms)]

    def speak(self, at_ns: int, time_ms: int) -> tuple[str, Rows]:
        self._spoke_ns, self.due_ns = at_ns, NEVER_NS
        return self.name, self.greeting(time_ms)
