"""Calls that wait until they may leave: the urgent ones first, each for its budgets. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import count
from typing import NamedTuple

from connectors.outcomes import ABOUT
from connectors.pacing import SECOND, Backoff, Budget
from connectors.trading import Allowance, Cost, Errand, Purpose


class Rank(IntEnum):
    """The lower leaves first."""

    START = 0
    """What must be answered before anything else is asked."""
    CANCEL = 1
    PLACE = 2
    QUESTION = 3
    LEISURE = 4
    """What nobody waits for."""


class Bound(NamedTuple):
    """How many calls of a rank may wait, and how many may be on the wire at the same time. `patience_ns` is how long
    one waits that is reported on when it cannot leave."""

    waiting: int
    on_wire: int
    patience_ns: int = 0


PLACE_PATIENCE_NS = 2 * SECOND
"""The prices that an order was planned on are old by then."""

BOUNDS = {
    Rank.START: Bound(waiting=16, on_wire=4),
    Rank.CANCEL: Bound(waiting=512, on_wire=32, patience_ns=10 * SECOND),
    Rank.PLACE: Bound(waiting=256, on_wire=32, patience_ns=PLACE_PATIENCE_NS),
    Rank.QUESTION: Bound(waiting=1024, on_wire=8, patience_ns=10 * SECOND),
    Rank.LEISURE: Bound(waiting=4096, on_wire=1),
}

RANKS = {Purpose.PLACE: Rank.PLACE, Purpose.CANCEL: Rank.CANCEL, Purpose.FEES: Rank.LEISURE}
"""Anything else is a question."""


UNWATCHED = Budget(None, 0)


@dataclass(slots=True, eq=False)
class Waiting:
    """`at_ns` is when it may leave at the earliest, `until_ns` how long it may wait (None: for ever). `backoff` counts
    how often it has failed."""

    errand: Errand
    rank: Rank
    costs: Sequence[Cost]
    backoff: Backoff
    at_ns: int = 0
    until_ns: int | None = None


class Calls:
    """Times are ns since the Unix epoch, by our clock. `budgets` are the venue's, by name.

    A call that waits for a budget keeps what is left of it from all that rank behind it. What leaves counts as on the
    wire until `ended` says otherwise. A budget that the venue does not state is not watched.
    """

    def __init__(self, budgets: Mapping[str, Allowance]) -> None:
        self._allowances = budgets
        self._budgets: dict[str, Budget] = {}
        self._queues: dict[Rank, dict[Hashable, Waiting]] = {rank: {} for rank in Rank}
        self._on_wire = dict.fromkeys(Rank, 0)
        self._numbers = count(1)
        self.free_at_ns: int | None = None
        """When the next one may leave, as far as the last `take_due` could tell."""

    def waiting(self, rank: Rank) -> int:
        return len(self._queues[rank])

    def add(self, waiting: Waiting) -> bool:
        """False when too many of its rank wait already. One that says the same as one that waits is merged with it,
        unless it is to be reported on."""
        queue, key = self._queues[waiting.rank], self._key(waiting.errand)
        if key in queue:
            return True
        if len(queue) >= BOUNDS[waiting.rank].waiting:
            return False
        queue[key] = waiting
        return True

    def take_late(self, now_ns: int) -> list[Waiting]:
        """Those whose time to leave is over."""
        late: list[Waiting] = []
        for queue in self._queues.values():
            while (first := _first_to_expire(queue)) is not None and first[1] <= now_ns:
                late.append(queue.pop(first[0]))
        return late

    def take_place(self, child_id: str) -> Waiting | None:
        """The call that would place this child, if it still waits."""
        queue = self._queues[Rank.PLACE]
        for key, waiting in queue.items():
            if waiting.errand.terms is not None and waiting.errand.terms.child_id == child_id:
                return queue.pop(key)
        return None

    def take_all(self, *ranks: Rank) -> list[Waiting]:
        """All that wait, of these ranks."""
        taken = [waiting for rank in ranks for waiting in self._queues[rank].values()]
        for rank in ranks:
            self._queues[rank].clear()
        return taken

    def take_due(self, ranks: Sequence[Rank], now_ns: int) -> list[Waiting]:
        """Those that may leave now; their costs are spent."""
        taken: list[Waiting] = []
        claimed: set[str] = set()
        self.free_at_ns = None
        for rank in ranks:
            queue = self._queues[rank]
            for key, waiting in list(queue.items()):
                if self._on_wire[rank] >= BOUNDS[rank].on_wire:
                    break
                if self._may_leave(waiting, claimed, now_ns):
                    taken.append(queue.pop(key))
                    self._on_wire[rank] += 1
        return taken

    def ended(self, waiting: Waiting) -> None:
        """It has been answered, or has not left after all."""
        self._on_wire[waiting.rank] -= 1

    def late_at_ns(self) -> int | None:
        """When the first one will have waited too long."""
        firsts = (_first_to_expire(queue) for queue in self._queues.values())
        return min((first[1] for first in firsts if first is not None), default=None)

    def _may_leave(self, waiting: Waiting, claimed: set[str], now_ns: int) -> bool:
        if waiting.at_ns > now_ns:
            self._wait_until(waiting.at_ns)
            return False
        if any(cost.budget in claimed for cost in waiting.costs):
            return False
        free_at_ns = now_ns
        for cost in waiting.costs:
            at_ns = self._budget(cost.budget).free_at_ns(cost.units, now_ns)
            if at_ns > now_ns:
                claimed.add(cost.budget)
            free_at_ns = max(free_at_ns, at_ns)
        if free_at_ns > now_ns:
            self._wait_until(free_at_ns)
            return False
        for cost in waiting.costs:
            self._budget(cost.budget).spend(cost.units, now_ns)
        return True

    def _budget(self, name: str) -> Budget:
        """Made when it is first asked for: listings, and budgets with them, may become more."""
        allowed = self._allowances.get(name)
        if name not in self._budgets and allowed is not None:
            self._budgets[name] = Budget(allowed.units, allowed.window_ns)
        return self._budgets.get(name) or UNWATCHED

    def _wait_until(self, at_ns: int) -> None:
        self.free_at_ns = at_ns if self.free_at_ns is None else min(self.free_at_ns, at_ns)

    def _key(self, errand: Errand) -> Hashable:
        if errand.purpose in ABOUT:
            return next(self._numbers)
        child_id = errand.terms.child_id if errand.terms is not None else ""
        return errand.purpose, child_id, errand.symbol, errand.cursor


def _first_to_expire(queue: Mapping[Hashable, Waiting]) -> tuple[Hashable, int] | None:
    """All of a rank have the same patience, so it is the oldest of those that do not wait for ever."""
    return next(((key, waiting.until_ns) for key, waiting in queue.items() if waiting.until_ns is not None), None)
