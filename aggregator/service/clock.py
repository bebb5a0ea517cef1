"""The process's clock, and days by it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

NS = 10**9


def day_of(at_ns: int) -> str:
    """The day of UTC, such as 2026-11-23."""
    return datetime.fromtimestamp(at_ns // NS, UTC).strftime("%Y-%m-%d")


class SystemClock:
    """ns since the Unix epoch, never running backwards: the machine's wall clock at the start, and from then on
    what has passed by the clock that nobody adjusts. How far it is from a venue's is measured per venue."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def __call__(self) -> int:
        return time.monotonic_ns() + self._offset_ns
