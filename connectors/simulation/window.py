"""What a venue shows that publishes only the best levels of a book."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from aggregator.domain.book import NO_LEVELS, Levels
from connectors.simulation.book import DIGEST_MASK, Picture, columns, digest_of
from connectors.simulation.exchange import SimulatedExchange


class WindowChange(NamedTuple):
    """From what was published at `previous_id` to what stands at `last_id`. The levels may be none at all."""

    symbol: str
    previous_id: int
    last_id: int
    bids: Levels
    asks: Levels


class Window:
    """The best `depth` levels of one book as its followers have them: applying every `delta` to `picture` keeps them.

    A level that sinks out of the window is told as removed, one that rises into it as new.
    """

    REMEMBERED = 4096

    def __init__(self, exchange: SimulatedExchange, symbol: str, depth: int) -> None:
        self._exchange = exchange
        self._depth = depth
        self.picture: Picture = exchange.book(symbol, depth)
        """What was published last."""
        self._digest = digest_of(self.picture.bids, self.picture.asks)
        self._digests = OrderedDict({self.picture.last_id: self._digest})

    def delta(self) -> WindowChange:
        """Publish the book as it stands now."""
        before = self.picture
        if self._exchange.last_id(before.symbol) == before.last_id:
            return WindowChange(before.symbol, before.last_id, before.last_id, NO_LEVELS, NO_LEVELS)
        now = self._exchange.book(before.symbol, self._depth)
        old_bids, new_bids = _difference(before.bids, now.bids)
        old_asks, new_asks = _difference(before.asks, now.asks)
        self._digest += digest_of(columns(new_bids), columns(new_asks))
        self._digest -= digest_of(columns(old_bids), columns(old_asks))
        self._digest &= DIGEST_MASK
        self._digests[now.last_id] = self._digest
        if len(self._digests) > self.REMEMBERED:
            self._digests.popitem(last=False)
        self.picture = now
        bids = columns(dict.fromkeys(old_bids, 0) | new_bids)
        asks = columns(dict.fromkeys(old_asks, 0) | new_asks)
        return WindowChange(now.symbol, before.last_id, now.last_id, bids, asks)

    def state_digest(self, update_id: int) -> int:
        """`digest_of` what was published at that id; LookupError when nothing was, or too long ago."""
        digest = self._digests.get(update_id)
        if digest is None:
            raise LookupError(f"{self.picture.symbol}: nothing is known to have been published at {update_id}")
        return digest


def _difference(before: Levels, now: Levels) -> tuple[dict[int, int], dict[int, int]]:
    """The levels that are no more as they were, and those that are new or different."""
    if before == now:
        return {}, {}
    old, new = dict(zip(*before, strict=True)), dict(zip(*now, strict=True))
    return (
        {price: quantity for price, quantity in old.items() if new.get(price) != quantity},
        {price: quantity for price, quantity in new.items() if old.get(price) != quantity},
    )
