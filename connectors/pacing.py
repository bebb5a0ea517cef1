"""How fast a venue may be asked: budgets, back-off, and breakers. Pure: the time is an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

SECOND = 1_000_000_000

TOO_MANY, BANNED = 429, 418

DEFAULT_BAN_NS = 60 * SECOND
"""For a refusal by rate that does not say how long."""


def wait_told_ns(status: int, headers: Mapping[str, str]) -> int:
    """How long a reply tells us to stay away, 0 when it does not: the header's whole seconds, a default where it is
    missing or a date. Names of headers are in lower case."""
    text = headers.get("retry-after")
    if text is None:
        return DEFAULT_BAN_NS if status in (TOO_MANY, BANNED) else 0
    return int(text) * SECOND if text.isdecimal() and len(text) < 10 else DEFAULT_BAN_NS


class Budget:
    """At most `limit` units of cost in any stretch of `window_ns`. Without a limit nothing ever waits."""

    def __init__(self, limit: int | None, window_ns: int) -> None:
        self.limit = limit
        self._window_ns = window_ns
        self._spent: deque[tuple[int, int]] = deque()
        self._sum = 0

    def free_at_ns(self, cost: int, now_ns: int) -> int:
        """When `cost` may be spent: now, or the moment at which enough of the past has left the window.

        A cost above the whole limit is let through alone, with nothing else in the window.
        """
        if self.limit is None:
            return now_ns
        self._forget(now_ns)
        excess = self._sum + min(cost, self.limit) - self.limit
        for at_ns, spent in self._spent:
            if excess <= 0:
                break
            excess -= spent
            now_ns = at_ns + self._window_ns
        return now_ns

    def spend(self, cost: int, now_ns: int) -> None:
        if self.limit is not None:
            self._spent.append((now_ns, cost))
            self._sum += cost

    def used(self, now_ns: int) -> int:
        self._forget(now_ns)
        return self._sum

    def _forget(self, now_ns: int) -> None:
        while self._spent and self._spent[0][0] + self._window_ns <= now_ns:
            self._sum -= self._spent.popleft()[1]


class Backoff:
    """Waits that double from `first_ns` up to `longest_ns`, each cut by up to a half so that many clients do
    not come back in step. `jitter` gives numbers from 0 to 1."""

    def __init__(self, first_ns: int, longest_ns: int, jitter: Callable[[], float]) -> None:  # not money: a chance
        self._first_ns = first_ns
        self._longest_ns = longest_ns
        self._jitter = jitter
        self.failures = 0

    def next_wait_ns(self) -> int:
        wait_ns = min(self._first_ns << min(self.failures, 32), self._longest_ns)
        self.failures += 1
        return wait_ns - int(self._jitter() * wait_ns / 2)

    def reset(self) -> None:
        self.failures = 0


class Breaker:
    """Open while the venue has told us to stay away. It closes by itself."""

    def __init__(self) -> None:
        self.until_ns = 0
        self.reason = ""

    def trip(self, until_ns: int, reason: str) -> None:
        """Open, or stay open longer."""
        if until_ns > self.until_ns:
            self.until_ns, self.reason = until_ns, reason

    def remaining_ns(self, now_ns: int) -> int:
        return max(0, self.until_ns - now_ns)
