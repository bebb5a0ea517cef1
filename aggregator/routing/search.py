"""Which venues to use, and for how much each: branch and bound over legal ranges, exact and deterministic.

Where minimums, fixed costs or several ranges are, the cheapest unit is not always the right one to take. Each node of
the search has decided for some venues: out, or in with one of their ranges. Its bound lets the undecided ones take any
quantity from zero, without lots, with their fixed cost spread over the most that they could take. No split below the
node fills more or costs less than that.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aggregator.routing.cost import Curve
from aggregator.routing.limits import Range
from aggregator.routing.lots import chained, fill_on_lots, most_filled

NEARBY = 8
"""Marginal costs on either side of the last one where the next is looked for first."""


@dataclass(frozen=True, slots=True)
class Option:
    """A venue as the search sees it: its cost, what is added to it when it is used, and what is legal there."""

    curve: Curve
    fixed_cost: int
    ranges: Sequence[Range]


class Split(NamedTuple):
    """What to take of each option. No split fills more or, `bound` says, the same for less: when `is_exact` that is
    proven and the bound is the cost itself."""

    quantities: list[int]
    filled: int
    cost: int
    bound: int
    is_exact: bool


class Relaxed(NamedTuple):
    """The cheapest split of a node where lots and minimums are ignored; `cost` is its bound."""

    quantities: list[int]
    cost: int


class Decision(NamedTuple):
    """What a node has decided of a venue. An undecided one may take anything from 0 to its high, by `step`, and pays
    `surcharge` on each unit in place of a fixed cost. `rule` is None unless the venue is in."""

    venue: int
    low: int
    high: int
    step: int
    surcharge: int
    rule: Range | None


Node = tuple[Decision, ...]


class Search:
    """One search over options, for any wanted quantity. First it fills as much as it can, then for the least cost."""

    def __init__(self, options: Sequence[Option], nodes_at_most: int) -> None:
        self._options = options
        self._nodes_at_most = nodes_at_most
        self._ranges, self._is_whole = chained([option.ranges for option in options])
        self._units = [option.curve.units for option in options]
        self._reach = [option.curve.reach for option in options]

    def split(self, wanted: int) -> Split:
        self._wanted = wanted
        self._nodes = 0
        self._near = 0
        self._best = [0] * len(self._options)
        self._filled, self._cost = 0, 0
        root = tuple(filter(None, map(self._undecided, range(len(self._options)))))
        self._marks = self._prices_of(root)
        self._explore(root)
        is_exact = self._is_whole and self._nodes <= self._nodes_at_most
        bound = self._cost if is_exact or not self._filled else self._relax(root, self._filled).cost
        return Split(self._best, self._filled, self._cost, min(bound, self._cost), is_exact)

    def _undecided(self, venue: int) -> Decision | None:
        ranges = self._ranges[venue]
        if not ranges:
            return None
        high = min(max(rule.high for rule in self._options[venue].ranges), self._wanted)
        # Where not all quantities are multiples of one step, only single units are sure to cover them.
        step = ranges[0].step if len(ranges) == 1 and ranges[0].low % ranges[0].step == 0 else 1
        return Decision(venue, 0, high // step * step, step, self._options[venue].fixed_cost // high, None)

    def _prices_of(self, root: Node) -> list[int]:
        """Every marginal cost at which the supply of some node steps up."""
        marks: set[int] = set()
        for decision in root:
            marks.update(self._units[decision.venue])
            if decision.surcharge:
                marks.update(unit + decision.surcharge for unit in self._units[decision.venue])
        return sorted(marks)

    def _explore(self, node: Node) -> None:
        self._nodes += 1
        if self._nodes > self._nodes_at_most:
            return
        ranges = sorted((Range(decision.low, decision.high, decision.step) for decision in node), key=_coarsest)
        filled = most_filled(self._wanted, ranges)
        if not filled or filled < self._filled:
            return
        relaxed = self._relax(node, filled)
        if filled == self._filled and relaxed.cost >= self._cost:
            return
        doubtful = self._doubtful(node, relaxed.quantities)
        if doubtful is None:
            decided, quantities = self._decided(node, relaxed.quantities)
            self._settle(decided, quantities)
            if (self._filled, self._cost) == (filled, relaxed.cost):
                return
            doubtful = next((place for place, decision in enumerate(node) if decision.rule is None), None)
            if doubtful is None:
                return
        for child in self._children(node, doubtful, relaxed.quantities[doubtful]):
            self._explore(child)

    def _children(self, node: Node, place: int, taken: int) -> list[Node]:
        """The node with one more venue decided, the likelier decision first."""
        decision = node[place]
        before, after = node[:place], node[place + 1 :]
        children = [
            (
                *before,
                Decision(decision.venue, low, min(high, self._top(low, step)), step, 0, Range(low, high, step)),
                *after,
            )
            for low, high, step in self._ranges[decision.venue]
            if low <= self._wanted
        ]
        without = (*before, *after)
        lowest = min(rule.low for rule in self._ranges[decision.venue])
        return [*children, without] if 2 * taken >= lowest else [without, *children]

    def _top(self, low: int, step: int) -> int:
        return low + (self._wanted - low) // step * step

    def _doubtful(self, node: Node, quantities: list[int]) -> int | None:
        """An undecided venue whose quantity no range of it holds, or whose fixed cost is only paid in part."""
        for place, (decision, quantity) in enumerate(zip(node, quantities, strict=True)):
            if decision.rule is None and quantity:
                if decision.surcharge or self._options[decision.venue].fixed_cost:
                    return place
                if self._range_around(decision.venue, quantity) is None:
                    return place
        return None

    def _range_around(self, venue: int, quantity: int) -> Range | None:
        ranges = self._ranges[venue]
        fitting = [rule for rule in ranges if rule.low <= quantity <= rule.high]
        on_step = [rule for rule in fitting if not (quantity - rule.low) % rule.step]
        return next(iter(on_step or fitting), None)

    def _decided(self, node: Node, quantities: list[int]) -> tuple[Node, list[int]]:
        """The node with every venue decided as its bound's own split has it."""
        decisions, kept = [], []
        for decision, quantity in zip(node, quantities, strict=True):
            rule = decision.rule or (self._range_around(decision.venue, quantity) if quantity else None)
            if rule is not None:
                low, high, step = rule
                decisions.append(Decision(decision.venue, low, min(high, self._top(low, step)), step, 0, rule))
                kept.append(quantity)
        return tuple(decisions), kept

    def _settle(self, node: Node, quantities: list[int]) -> None:
        """Fill a node of decided venues on its lots, and keep the outcome if it is the best so far."""
        if not node:
            return
        rules = [Range(decision.low, decision.high, decision.step) for decision in node]
        filled = most_filled(self._wanted, sorted(rules, key=_coarsest))
        if not filled or filled < self._filled:
            return
        on_lots = all((quantity - rule.low) % rule.step == 0 for rule, quantity in zip(rules, quantities, strict=True))
        if not on_lots or sum(quantities) != filled:
            quantities = self._relax(node, filled).quantities
            curves = [self._options[decision.venue].curve for decision in node]
            quantities = fill_on_lots(filled, curves, rules, quantities)
        cost = sum(
            self._options[decision.venue].curve.cost(quantity) + self._options[decision.venue].fixed_cost
            for decision, quantity in zip(node, quantities, strict=True)
        )
        if filled > self._filled or cost < self._cost:
            self._filled, self._cost = filled, cost
            self._best = [0] * len(self._options)
            for decision, quantity in zip(node, quantities, strict=True):
                self._best[decision.venue] = quantity

    def _relax(self, node: Node, total: int) -> Relaxed:
        """The cheapest `total` of the node where its steps are ignored. Its highs must make that much together."""
        columns = [
            (self._units[decision.venue], self._reach[decision.venue], decision.low, decision.high, decision.surcharge)
            for decision in node
        ]

        def supply(mark: int) -> int:
            whole = 0
            for units, reach, low, high, surcharge in columns:
                quantity = reach[bisect_right(units, mark - surcharge)]
                whole += low if quantity < low else high if quantity > high else quantity
            return whole

        mark = self._marks[self._first_mark(supply, total)]
        quantities, rooms = [], []
        for units, reach, low, high, surcharge in columns:
            below = min(max(reach[bisect_left(units, mark - surcharge)], low), high)
            quantities.append(below)
            rooms.append(min(max(reach[bisect_right(units, mark - surcharge)], low), high) - below)
        self._share(node, quantities, rooms, total - sum(quantities))
        cost = sum(
            self._options[decision.venue].curve.cost(quantity)
            + (quantity * decision.surcharge if decision.rule is None else self._options[decision.venue].fixed_cost)
            for decision, quantity in zip(node, quantities, strict=True)
        )
        return Relaxed(quantities, cost)

    def _first_mark(self, supply: Callable[[int], int], total: int) -> int:
        """The first marginal cost at which the supply is enough; it is looked for around the last one that was found,
        since one node's is near the next one's."""
        marks, last = self._marks, self._near
        low, high = max(0, last - NEARBY), min(len(marks), last + NEARBY)
        if low and supply(marks[low - 1]) >= total:
            low, high = 0, low - 1
        elif high < len(marks) and supply(marks[high - 1]) < total:
            low, high = high, len(marks) - 1
        self._near = bisect_left(marks, total, low, high, key=supply)
        return min(self._near, len(marks) - 1)

    def _share(self, node: Node, quantities: list[int], rooms: list[int], left: int) -> None:
        """Share out what is left at one and the same cost: to venues that are used already, then to the roomiest, so
        that few are needed."""
        if not left:
            return
        places = sorted(range(len(node)), key=lambda place: (not quantities[place], -rooms[place]))
        for place in places:
            part = min(left, rooms[place])
            quantities[place] += part
            left -= part


def _coarsest(rule: Range) -> int:
    return -rule.step
