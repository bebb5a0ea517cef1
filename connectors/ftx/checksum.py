"""FTX's checksum: the proof, after every message, that our book is the venue's.

 1. Walk the levels of both sides, best first, in step, and at most 100 of each: the price and the quantity
    of the bid, then those of the ask. Where one side has ended the other goes on alone.
 2. Each number is written as Python writes a double: `10.0`, `0.00051`, `2.262e-05`.
 3. They are joined with colons, and the checksum is the CRC-32 of that text.

The text is not the one on the wire, which may say `0.00002262`, or no more than `10`.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import repeat
from zlib import crc32

from aggregator.books.ladder import Ladder
from aggregator.domain.book import Levels
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import POWERS

DEPTH = 100


class Mirror:
    """The book as the venue's messages left it, so that its checksum can be told before an event is.
    `updates` is how many there were since the partial."""

    def __init__(self, instrument: Instrument, bids: Levels, asks: Levels) -> None:
        self._price_unit = POWERS[instrument.price_decimals]
        self._quantity_unit = POWERS[instrument.quantity_decimals]
        self._bids, self._asks = Ladder(Side.BUY), Ladder(Side.SELL)
        self._bids.replace(bids)
        self._asks.replace(asks)
        self.updates = 0

    def apply(self, bids: Levels, asks: Levels) -> None:
        self._bids.apply(bids)
        self._asks.apply(asks)
        self.updates += 1

    def checksum(self) -> int:
        bids, asks = self._levels_of(self._bids), self._levels_of(self._asks)
        both = min(len(bids), len(asks))
        in_step = [text for bid_and_ask in zip(bids, asks, strict=False) for text in bid_and_ask]
        return crc32(":".join([*in_step, *bids[both:], *asks[both:]]).encode())

    def _levels_of(self, ladder: Ladder) -> list[str]:
        prices, quantities = ladder.top(DEPTH)
        return list(map(_text, prices, quantities, repeat(self._price_unit), repeat(self._quantity_unit)))


@lru_cache(maxsize=1 << 16)
def _text(price: int, quantity: int, price_unit: int, quantity_unit: int) -> str:
    """A level in the texts of the doubles nearest to its numbers: division of integers rounds correctly."""
    return f"{price / price_unit!r}:{quantity / quantity_unit!r}"  # not money: only compared with the venue's own
