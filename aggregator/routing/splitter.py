"""The best split of a quantity, or of a notional, over the rooms that venues leave us."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import gcd
from typing import NamedTuple

from aggregator.domain.instrument import Side
from aggregator.routing.cost import Curve
from aggregator.routing.limits import Range, Room, legal_ranges
from aggregator.routing.search import Option, Search
from aggregator.routing.sweep import sweep

SINGLE_STEPS = 32
"""Lots tried one by one around the quantity that a notional comes to; beyond that in leaps."""


class Part(NamedTuple):
    """What one venue is to fill: its quantity, the worst level that this touches, and the signed cost of the levels."""

    quantity: int
    level: int
    cost: int


NOTHING = Part(0, 0, 0)


class Outcome(NamedTuple):
    """A split: one part for each room. `cost` is signed and has fixed costs in it; no split of the same quantity costs
    less than `bound`. `is_proven` says that none fills more either, or costs less."""

    parts: tuple[Part, ...]
    filled: int
    cost: int
    bound: int
    is_proven: bool = True


class Splitter:
    """Splits over the same rooms, for quantities up to `most`."""

    def __init__(self, rooms: Sequence[Room], fixed_costs: Sequence[int], most: int, nodes_at_most: int) -> None:
        self._rooms = rooms
        self._fixed_costs = fixed_costs
        self._most = most
        self._nodes_at_most = nodes_at_most
        self._curves: dict[int, Curve] = {}
        self._ranges: dict[int, list[Range]] = {}
        self._search: Search | None = None

    @property
    def lot(self) -> int:
        """Whatever is filled is a multiple of this."""
        return reduce(gcd, (room.depth.listing.lot or 1 for room in self._rooms), 0) or 1

    def curve(self, place: int) -> Curve:
        """A room's cost, as far down as `most` goes. The room shows something."""
        curve = self._curves.get(place)
        if curve is None:
            room = self._rooms[place]
            curve = self._curves[place] = Curve(room.levels, room.factor, self._most)
        return curve

    def ranges(self, place: int) -> list[Range]:
        """What is legal in a room."""
        ranges = self._ranges.get(place)
        if ranges is None:
            room, curve = self._rooms[place], self.curve(place)
            most = min(self._most, room.most(curve, room.most_quantity, room.most_notional))
            ranges = self._ranges[place] = legal_ranges(room, curve, most)
        return ranges

    def is_closed(self, place: int) -> bool:
        """Whether the search has found that no quantity at all is legal in a room."""
        return self._ranges.get(place) == []

    def split(self, wanted: int) -> Outcome:
        """As much of `wanted` as can be, for the least cost."""
        return self._swept(wanted) or self._searched(wanted)

    def alone(self, place: int, wanted: int) -> Outcome:
        """As much of `wanted` as one room legally takes."""
        curve, room = self.curve(place), self._rooms[place]
        quantity = min(wanted, curve.reach[-1])
        if not quantity or not self._is_legal(room, self._part(place, quantity)):
            quantity = max((_largest(rule, wanted) for rule in self.ranges(place)), default=0)
        if not quantity:
            return Outcome((NOTHING,), 0, 0, 0)
        part = self._part(place, quantity)
        cost = part.cost + self._fixed_costs[place]
        return Outcome((part,), quantity, cost, cost)

    def _swept(self, wanted: int) -> Outcome | None:
        """The cheapest levels, if taking them is legal as it is: then nothing can be better. This is most requests."""
        columns, factors = [room.levels for room in self._rooms], [room.factor for room in self._rooms]
        quantities, levels, costs, filled = sweep(columns, factors, wanted)
        parts = tuple(map(Part, quantities, levels, costs))
        for room, part, fixed_cost in zip(self._rooms, parts, self._fixed_costs, strict=True):
            if part.quantity and (fixed_cost or not self._is_legal(room, part)):
                return None
        return Outcome(parts, filled, sum(costs), sum(costs))

    def _is_legal(self, room: Room, part: Part) -> bool:
        return room.is_legal(part.quantity, room.limit_price(room.levels.prices[part.level]), part.cost // room.factor)

    def _searched(self, wanted: int) -> Outcome:
        if self._search is None:
            options = [
                Option(self.curve(place), fixed_cost, self.ranges(place))
                for place, fixed_cost in enumerate(self._fixed_costs)
            ]
            self._search = Search(options, self._nodes_at_most)
        quantities, filled, cost, bound, is_exact = self._search.split(wanted)
        parts = tuple(self._part(place, quantity) for place, quantity in enumerate(quantities))
        return Outcome(parts, filled, cost, bound, is_exact)

    def _part(self, place: int, quantity: int) -> Part:
        return Part(quantity, *self.curve(place).taken(quantity)) if quantity else NOTHING


def _largest(rule: Range, wanted: int) -> int:
    """The largest of the range's quantities that is at most `wanted`, 0 without one."""
    if wanted < rule.low:
        return 0
    return rule.low + (min(wanted, rule.high) - rule.low) // rule.step * rule.step


def quantity_worth(rooms: Sequence[Room], budget: int) -> int:
    """What a net budget buys, or what sold brings it in, from the cheapest levels on while only depth limits. A buyer
    cannot get more for it; a seller has to give at least this much."""
    units = [
        (price * room.factor, quantity)
        for room in rooms
        for price, quantity in zip(room.levels.prices, room.levels.quantities, strict=True)
    ]
    worth = 0
    for unit, available in sorted(units):
        part = min(available, budget // abs(unit)) if unit else available
        worth += part
        budget -= part * abs(unit)
        if part < available:
            break
    return worth


def split_notional(splitter: Splitter, side: Side, budget: int, begin: int, most: int) -> Outcome:
    """The split of the largest quantity whose best split costs a buyer, or brings a seller, no more than `budget`.

    `begin` is what the budget is worth while only depth limits. Lots, minimums and fixed costs make a buyer end at or
    below it, so he goes down to the first quantity that he can pay; a seller goes up to the last one before too much.
    """
    lot = splitter.lot
    begin = begin // lot * lot
    if side is Side.BUY:
        _, payable = _first(splitter.split, lambda outcome: outcome.cost <= budget, begin, -lot, 0)
        return payable
    enough, _ = _first(splitter.split, lambda outcome: -outcome.cost > budget, begin, lot, most // lot * lot)
    return enough


def _first(
    split: Callable[[int], Outcome], is_found: Callable[[Outcome], bool], begin: int, step: int, end: int
) -> tuple[Outcome, Outcome]:
    """From `begin` towards `end`, the last split before the first that is as looked for, and that one; twice the same
    when it is at `begin`, or nowhere.

    First step by step, which is exact; then in leaps that double, and back by halves.
    """
    before = at = begin
    missed = found = split(begin)
    leap, steps = step, 0
    while not is_found(found):
        if at == end:
            return found, found
        before, missed = at, found
        leap = step if steps < SINGLE_STEPS else 2 * leap
        at = max(at + leap, end) if step < 0 else min(at + leap, end)
        found, steps = split(at), steps + 1
    while abs(at - before) > abs(step):
        middle = before + (at - before) // 2 // step * step
        outcome = split(middle)
        if is_found(outcome):
            at, found = middle, outcome
        else:
            before, missed = middle, outcome
    return missed, found
