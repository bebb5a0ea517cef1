"""Which books await a snapshot, and when to ask for each again."""

from __future__ import annotations

SECOND = 1_000_000_000


class Resyncs:
    """A bounded way of asking: at once, then after growing waits, one book at a time.

    The waits go on growing for a book that is found and soon lost again, over and over. `patience_ns` is how
    long an answer may take before the question counts as lost.
    """

    LONGEST_WAIT_NS = 30 * SECOND
    CALM_NS = 2 * LONGEST_WAIT_NS
    """A book that was not asked for during this time is asked for at once again."""

    def __init__(self, patience_ns: int) -> None:
        self._patience_ns = patience_ns
        self._due_ns: dict[str, int] = {}
        self._tries: dict[str, int] = {}
        self._asked_ns: dict[str, int] = {}
        self._unanswered: set[str] = set()

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._due_ns

    def plan(self, symbol: str, at_ns: int) -> None:
        """Ask for this book's snapshot at the time given, or later if it was asked for a moment ago; unless that
        is planned already."""
        if symbol in self._due_ns:
            return
        asked_ns = self._asked_ns.get(symbol)
        if asked_ns is None or at_ns - asked_ns > self.CALM_NS:
            self._tries[symbol] = 0
            self._due_ns[symbol] = at_ns
        else:
            self._due_ns[symbol] = max(at_ns, asked_ns + self._wait_ns(symbol))

    def hasten(self, symbol: str, at_ns: int) -> None:
        """What was planned for later but never asked may be asked by then."""
        if symbol in self._due_ns and self._tries[symbol] == 0:
            self._due_ns[symbol] = min(at_ns, self._due_ns[symbol])

    def failed(self, symbol: str, now_ns: int) -> None:
        """The answer was of no use: ask again after a wait that doubles each time. Without a question, nothing
        can fail: what is planned stays as it is."""
        if symbol in self._due_ns and symbol not in self._unanswered:
            return
        self._unanswered.discard(symbol)
        self._tries.setdefault(symbol, 0)
        self._due_ns[symbol] = now_ns + self._wait_ns(symbol)

    def done(self, symbol: str) -> None:
        self._due_ns.pop(symbol, None)
        self._unanswered.discard(symbol)

    def clear(self) -> None:
        self._due_ns.clear()
        self._tries.clear()
        self._asked_ns.clear()
        self._unanswered.clear()

    def take_due(self, now_ns: int) -> list[str]:
        """The books to ask for now. Each counts as asked, and comes due again if no answer comes."""
        due = [symbol for symbol, due_ns in self._due_ns.items() if due_ns <= now_ns]
        for symbol in due:
            self._tries[symbol] += 1
            self._asked_ns[symbol] = now_ns
            self._unanswered.add(symbol)
            self._due_ns[symbol] = now_ns + max(self._patience_ns, SECOND << min(self._tries[symbol], 5))
        return due

    def next_ns(self) -> int | None:
        return min(self._due_ns.values(), default=None)

    def _wait_ns(self, symbol: str) -> int:
        return min(SECOND << min(self._tries[symbol], 6), self.LONGEST_WAIT_NS)
