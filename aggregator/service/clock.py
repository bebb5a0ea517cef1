"""The process's clock."""

from __future__ import annotations

import time


class SystemClock:
    """ns since the Unix epoch, never running backwards: the machine's wall clock at the start, and from then on
    what has passed by the clock that nobody adjusts. How far it is from a venue's is measured per venue."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def __call__(self) -> int:
        return time.monotonic_ns() + self._offset_ns
