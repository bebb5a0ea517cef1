"""What HTX's simulated sockets say about one market: changes of its book, the whole of it, best quotes, trades.

1. A topic of increments numbers what it says in uneven jumps, and each increment names the number before its own. One
   without levels moves the number as well: something changed beyond its depth, or nothing did for a while.
2. The snapshot that belongs to it is what it stood at a moment ago, so its number is that of an increment.
3. The shallow topics of increments sometimes leave out a side that did not change.
4. Numbers are written as Java writes a double: `60000.1`, `5.0`, `9.121E-7`.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from msgspec import Raw

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Instrument
from aggregator.domain.numbers import POWERS
from connectors.simulation.book import Change, Picture, TradeMade
from connectors.simulation.exchange import NEVER_NS, SimulatedExchange
from connectors.simulation.window import Window

MS = 1_000_000
SECOND = 1000 * MS

INCREMENTS = {"mbp.5": (5, 0), "mbp.20": (20, 0), "mbp.150": (150, 100 * MS), "mbp.400": (400, 100 * MS)}
PICTURES = {
    "mbp.refresh.5": (5, 100 * MS),
    "mbp.refresh.10": (10, 100 * MS),
    "mbp.refresh.20": (20, 100 * MS),
    "depth.step0": (150, SECOND),
}
"""How many levels a side, and how often at most; 0 is at once."""

BEST_QUOTES, TRADES = "bbo", "trade.detail"

KEEPALIVE_NS = SECOND

_ROOM_BITS = 16


def sequence_of(update_id: int) -> int:
    """The venue's number of an id of the exchange. Between two of them there is room for those of quiet times."""
    return (update_id << _ROOM_BITS) + (hash((update_id,)) & 0x3FFF)


def update_id_of(sequence: int) -> int:
    return sequence >> _ROOM_BITS


def number(value: int, decimals: int) -> Raw:
    return Raw(_java(value, decimals).encode())


def sides(picture: Picture, instrument: Instrument) -> dict[str, object]:
    return {"bids": _side(picture.bids, instrument), "asks": _side(picture.asks, instrument)}


def _side(levels: Levels, instrument: Instrument) -> Raw:
    tick, lot = instrument.price_decimals, instrument.quantity_decimals
    texts = (f"[{_java(price, tick)},{_java(quantity, lot)}]" for price, quantity in zip(*levels, strict=True))
    return Raw(f"[{','.join(texts)}]".encode())


def _java(value: int, decimals: int) -> str:
    digits = str(value)
    magnitude = len(digits) - 1 - decimals
    if value and not -3 <= magnitude < 7:
        digits = digits.rstrip("0")
        return f"{digits[0]}.{digits[1:] or '0'}E{magnitude}"
    whole, fraction = divmod(value, POWERS[decimals])
    return f"{whole}.{f'{fraction:0{decimals}d}'.rstrip('0') or '0'}"


class Topic(Protocol):
    """What it has to say next, and when: it goes on whether or not anybody listens, as the venue's do."""

    due_ns: int

    def hear(self, change: Change, at_ns: int) -> None: ...

    def speak(self, at_ns: int, time_ms: int) -> dict[str, object] | None: ...


def begin(exchange: SimulatedExchange, symbol: str, channel: str, at_ns: int, lag_ns: int) -> Topic:
    if channel in INCREMENTS:
        return Increments(exchange, symbol, channel, at_ns, lag_ns)
    if channel in PICTURES:
        return Pictures(exchange, symbol, channel, at_ns)
    if channel == BEST_QUOTES:
        return BestQuotes(exchange, symbol, at_ns)
    return Trades(exchange.listing(symbol).instrument)


class Increments:
    def __init__(self, exchange: SimulatedExchange, symbol: str, channel: str, at_ns: int, lag_ns: int) -> None:
        depth, self._period_ns = INCREMENTS[channel]
        self.window = Window(exchange, symbol, depth)
        self._instrument = exchange.listing(symbol).instrument
        self._lag_ns = lag_ns
        self._stood = deque([(at_ns, sequence_of(self.window.picture.last_id), self.window.picture)])
        self.due_ns = at_ns + KEEPALIVE_NS

    def hear(self, change: Change, at_ns: int) -> None:
        self.due_ns = min(self.due_ns, self._stood[-1][0] + self._period_ns)

    def speak(self, at_ns: int, time_ms: int) -> dict[str, object]:
        change = self.window.delta()
        previous = self._stood[-1][1]
        if change.last_id > change.previous_id:
            sequence = sequence_of(change.last_id)
        else:
            sequence = previous + 1 if update_id_of(previous + 1) == change.last_id else previous
        self._stood.append((at_ns, sequence, self.window.picture))
        while len(self._stood) > 1 and self._stood[1][0] <= at_ns - self._lag_ns:
            self._stood.popleft()
        self.due_ns = at_ns + KEEPALIVE_NS
        tick: dict[str, object] = {"seqNum": sequence, "prevSeqNum": previous}
        may_omit = self._period_ns == 0 and sequence & 1
        for name, levels in (("bids", change.bids), ("asks", change.asks)):
            if levels.prices or not may_omit:
                tick[name] = _side(levels, self._instrument)
        return tick

    def snapshot(self, at_ns: int) -> dict[str, object]:
        """As it stood so long ago, or at its start if that was later."""
        past = [stood for stood in self._stood if stood[0] <= at_ns - self._lag_ns]
        _, sequence, picture = past[-1] if past else self._stood[0]
        return {"seqNum": sequence} | sides(picture, self._instrument)


class Pictures:
    def __init__(self, exchange: SimulatedExchange, symbol: str, channel: str, at_ns: int) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._depth, self._period_ns = PICTURES[channel]
        self._is_versioned = channel == "depth.step0"
        self.due_ns = at_ns

    def hear(self, change: Change, at_ns: int) -> None:
        """It goes by the clock."""

    def speak(self, at_ns: int, time_ms: int) -> dict[str, object]:
        self.due_ns = at_ns + self._period_ns
        picture = self._exchange.book(self._symbol, self._depth)
        sequence = sequence_of(picture.last_id)
        numbered = {"version": sequence, "ts": time_ms} if self._is_versioned else {"seqNum": sequence}
        return numbered | sides(picture, self._exchange.listing(self._symbol).instrument)


class BestQuotes:
    def __init__(self, exchange: SimulatedExchange, symbol: str, at_ns: int) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._last: tuple[Levels, Levels] | None = None
        self.due_ns = at_ns

    def hear(self, change: Change, at_ns: int) -> None:
        self.due_ns = at_ns

    def speak(self, at_ns: int, time_ms: int) -> dict[str, object] | None:
        self.due_ns = NEVER_NS
        _, last_id, bids, asks = self._exchange.book(self._symbol, 1)
        if not (bids.prices and asks.prices) or self._last == (bids, asks):
            return None
        self._last = bids, asks
        instrument = self._exchange.listing(self._symbol).instrument
        tick: dict[str, object] = {"seqId": sequence_of(last_id), "quoteTime": time_ms, "symbol": self._symbol}
        for name, levels in (("ask", asks), ("bid", bids)):
            tick[name] = number(levels.prices[0], instrument.price_decimals)
            tick[f"{name}Size"] = number(levels.quantities[0], instrument.quantity_decimals)
        return tick


class Trades:
    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._made: list[tuple[int, TradeMade]] = []
        self.due_ns = NEVER_NS

    def hear(self, change: Change, at_ns: int) -> None:
        if change.trades:
            self._made += [(change.venue_time_ns // MS, trade) for trade in change.trades]
            self.due_ns = at_ns

    def speak(self, at_ns: int, time_ms: int) -> dict[str, object]:
        made, self._made, self.due_ns = self._made, [], NEVER_NS
        group = made[-1][1].trade_id
        return {"id": group, "ts": made[-1][0], "data": [self._row(group, *trade) for trade in made]}

    def _row(self, group: int, time_ms: int, trade: TradeMade) -> dict[str, object]:
        return {
            "id": Raw(f"{group}{trade.trade_id:015d}".encode()),  # longer than 64 bits, as the venue's are
            "ts": time_ms,
            "tradeId": trade.trade_id,
            "amount": number(trade.quantity, self._instrument.quantity_decimals),
            "price": number(trade.price, self._instrument.price_decimals),
            "direction": trade.taker.value,
        }
