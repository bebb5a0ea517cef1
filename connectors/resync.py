"""Which books await a snapshot, and when to ask for each again."""

from __future__ import annotations

SECOND = 1_000_000_000


class Resyncs:
    """A bounded way of asking: at once, then after growing waits, one book at a time.

    `patience_ns` is how long an answer may take before the question counts as lost.
    """

    LONGEST_WAIT_NS = 30 * SECOND

    def __init__(self, patience_ns: int) -> None:
        self._patience_ns = patience_ns
        self._due_ns: dict[str, int] = {}
        self._tries: dict[str, int] = {}

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._due_ns

    def plan(self, symbol: str, at_ns: int) -> None:
        """Ask for this book's snapshot at the time given, unless that is planned already."""
        self._due_ns.setdefault(symbol, at_ns)
        self._tries.setdefault(symbol, 0)

    def hasten(self, symbol: str, at_ns: int) -> None:
        """What was planned for later but never asked may be asked by then."""
        if self._tries.get(symbol) == 0:
            self._due_ns[symbol] = min(at_ns, self._due_ns[symbol])

    def failed(self, symbol: str, now_ns: int) -> None:
        """The answer was of no use: ask again after a wait that doubles each time."""
        wait = min(SECOND << min(self._tries.get(symbol, 0), 6), self.LONGEST_WAIT_NS)
        self._tries.setdefault(symbol, 0)
        self._due_ns[symbol] = now_ns + wait

    def done(self, symbol: str) -> None:
        self._due_ns.pop(symbol, None)
        self._tries.pop(symbol, None)

    def clear(self) -> None:
        self._due_ns.clear()
        self._tries.clear()

    def take_due(self, now_ns: int) -> list[str]:
        """The books to ask for now. Each counts as asked, and comes due again if no answer comes."""
        due = [symbol for symbol, due_ns in self._due_ns.items() if due_ns <= now_ns]
        for symbol in due:
            self._tries[symbol] += 1
            self._due_ns[symbol] = now_ns + max(self._patience_ns, SECOND << min(self._tries[symbol], 5))
        return due

    def next_ns(self) -> int | None:
        return min(self._due_ns.values(), default=None)
