"""What is known of one venue's book for one instrument, and how far it may be believed."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Health(StrEnum):
    """Only a live book is routed into, or counted in any best."""

    EMPTY = "empty"
    """Nothing has been heard yet."""
    SYNCING = "syncing"
    """A snapshot is awaited: at the start, or because continuity was lost."""
    LIVE = "live"
    """Whole, and continuous up to the newest message."""
    STALE = "stale"
    """Whole when last heard of, but that was too long ago."""
    CROSSED = "crossed"
    """Its best bid is at or above its best ask: something was lost without a gap."""
    QUARANTINED = "quarantined"
    """Held out until a person lets it back in."""


class Levels(NamedTuple):
    """One side's levels as two columns of equal length, on the instrument's scales.

    In a snapshot they are the whole side; in a delta each quantity is the new one at its price, and 0
    removes the level. Columns, since an object per level would be most of the work of a busy feed.
    """

    prices: list[int]
    quantities: list[int]


NO_LEVELS = Levels([], [])
