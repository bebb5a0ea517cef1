"""Gate's two kinds of book stream, simulated: what their followers have, and how it is told."""

from __future__ import annotations

from aggregator.domain.book import Levels
from connectors.gateio.simulator_rest import MS, SECOND, printed_levels
from connectors.simulation.book import columns
from connectors.simulation.exchange import SimulatedExchange
from connectors.simulation.window import Window

OBU, UPDATES = "spot.obu", "spot.order_book_update"
OBU_PERIODS_NS = {"50": 20 * MS, "400": 100 * MS}
"""By the number of levels."""
UPDATE_DEPTHS = {"100ms": 100, "20ms": 20}
UPDATE_PERIODS_NS = {"100ms": 100 * MS, "20ms": 20 * MS}


class BookStream:
    """The best levels of one book, as `channel` tells of them. `variant` is the number of levels for `spot.obu` and the
    speed for `spot.order_book_update`; raises LookupError for one that there is not.

    An update has every id since the one before, also when none of the levels told has changed.
    """

    def __init__(self, exchange: SimulatedExchange, channel: str, symbol: str, variant: str) -> None:
        self.symbol = symbol
        self.channel = channel
        self.period_ns = OBU_PERIODS_NS[variant] if channel == OBU else UPDATE_PERIODS_NS[variant]
        self.depth = int(variant) if channel == OBU else UPDATE_DEPTHS[variant]
        self.name = f"ob.{symbol}.{variant}"
        self.window = Window(exchange, symbol, self.depth)
        self.turn_ns = 0
        self._exchange = exchange
        self._instrument = exchange.listing(symbol).instrument
        self._snapshots: list[Window] = []

    def pictured(self) -> None:
        """Somebody got a snapshot just now and will join the next update to it. So that one must also tell what differs
        from this moment, even if it is again as it was in the update before."""
        self._snapshots.append(Window(self._exchange, self.symbol, self.depth))

    def renewed(self, now_ns: int) -> str:
        """All of it, as it stands now."""
        self._catch_up()
        picture = self.window.picture
        return self._result(picture.last_id, picture.last_id, picture.bids, picture.asks, now_ns, '"full":true,')

    def whole(self, now_ns: int) -> str:
        """All of it, as all followers have it."""
        picture = self.window.picture
        return self._result(picture.last_id, picture.last_id, picture.bids, picture.asks, now_ns, '"full":true,')

    def update(self, now_ns: int) -> str:
        """What has changed since the last update."""
        previous_id = self.window.picture.last_id
        bids, asks = self._catch_up()
        return self._result(previous_id + 1, self.window.picture.last_id, bids, asks, now_ns)

    def _catch_up(self) -> tuple[Levels, Levels]:
        bids: dict[int, int] = {}
        asks: dict[int, int] = {}
        for window in (*self._snapshots, self.window):
            change = window.delta()
            bids.update(zip(*change.bids, strict=True))
            asks.update(zip(*change.asks, strict=True))
        self._snapshots.clear()
        return columns(bids), columns(asks)

    def _result(self, first: int, last: int, bids: Levels, asks: Levels, now_ns: int, full: str = "") -> str:
        """`spot.obu` leaves out a side without changes, and the first id of what is full."""
        sides = [
            f'"{letter}":{printed_levels(levels, self._instrument)}'
            for letter, levels in (("b", bids), ("a", asks))
            if levels.prices or self.channel == UPDATES or full
        ]
        ids = f'"u":{last}' if full and self.channel == OBU else f'"U":{first},"u":{last}'
        if self.channel == OBU:
            about = f'{full}"s":"{self.name}"'
        else:
            about = f'"e":"depthUpdate","E":{now_ns // SECOND},{full}"s":"{self.symbol}","l":"{self.depth}"'
        return f'{{"t":{now_ns // MS},{about},{",".join([ids, *sides])}}}'
