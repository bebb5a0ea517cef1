"""What readers see: each merged book is made at most once between two refreshes, for all of them."""

from __future__ import annotations

from aggregator.books.consolidated import ConsolidatedDepth, View
from aggregator.engine.engine import Engine

KEPT_AT_MOST = 512
"""Merged books kept; one is a few kB. Past that all are dropped, and made again when asked for."""


class Views:
    """A reader between two refreshes sees the book as of the first who asked after the last one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._merged: dict[tuple[str, int | None, View, frozenset[str] | None], ConsolidatedDepth] = {}

    def refresh(self) -> set[str]:
        """Forget what has changed; returns the instruments that have."""
        dirty = self._engine.take_dirty()
        for key in [key for key in self._merged if key[0] in dirty]:
            del self._merged[key]
        return dirty

    def book(
        self,
        instrument: str,
        depth: int | None = None,
        view: View = View.GROSS,
        venues: frozenset[str] | None = None,
    ) -> ConsolidatedDepth:
        """Raises KeyError for an instrument that is listed nowhere."""
        key = (instrument, depth, view, venues)
        merged = self._merged.get(key)
        if merged is None:
            if len(self._merged) >= KEPT_AT_MOST:
                self._merged.clear()
            merged = self._merged[key] = self._engine.market.consolidated(instrument, depth, view, venues)
        return merged
