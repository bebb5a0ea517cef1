"""Exact fills on lots of different size.

Steps form a chain: each divides the next. `chained` brings any lots to that, at the price of more than one range for a
venue whose lot does not fit. On a chain two greedy rules are exact, and both are used here. To fill as much as
possible, take the coarsest steps first: smaller ones that together reach a larger one can be exchanged for it. To fill
a quantity at the least cost, join the finest steps, cheapest first, to steps of the next size, and merge them with the
next venues' own: a convex cost stays convex on every coarser step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from math import lcm
from operator import itemgetter
from typing import NamedTuple

from aggregator.routing.cost import Curve
from aggregator.routing.limits import Range

RANGES_AT_MOST = 12
"""Ranges tried for one venue. Real lots are powers of ten and need one, rarely two."""

Parts = tuple[tuple[int, int], ...]


class Steps(NamedTuple):
    """`number` equal steps that cost `cost` each; `parts` says what one takes of which venue."""

    cost: int
    number: int
    parts: Parts


def chained(ranges: Sequence[Sequence[Range]]) -> tuple[list[list[Range]], bool]:
    """Each venue's ranges on steps of one chain, and whether all of their quantities are still in them."""
    step_of: dict[int, int] = {}
    step = 1
    for lot in sorted({rule.step for rules in ranges for rule in rules}):
        step = step_of[lot] = lcm(step, lot)
    found, is_whole = [], True
    for rules in ranges:
        spread = [part for rule in rules for part in _spread(rule, step_of[rule.step])]
        is_whole = is_whole and len(spread) <= RANGES_AT_MOST
        found.append(sorted(spread, key=_width, reverse=True)[:RANGES_AT_MOST])
    return found, is_whole


def _spread(rule: Range, step: int) -> Iterable[Range]:
    """The same quantities on a coarser step, one range for each remainder."""
    for low in range(rule.low, min(rule.low + step - 1, rule.high) + 1, rule.step):
        yield Range(low, low + (rule.high - low) // step * step, step)


def _width(rule: Range) -> int:
    return rule.high - rule.low


def most_filled(wanted: int, ranges: Sequence[Range]) -> int | None:
    """As much of `wanted` as these ranges can make together, each of them used; None when their lows are too much.
    They come with the coarsest step first."""
    left = wanted
    for rule in ranges:
        left -= rule.low
    if left < 0:
        return None
    for low, high, step in ranges:
        left -= min(high - low, left // step * step)
        if not left:
            break
    return wanted - left


def fill_on_lots(wanted: int, curves: Sequence[Curve], ranges: Sequence[Range], near: Sequence[int]) -> list[int]:
    """The cheapest quantities in these ranges that make `wanted`, which `most_filled` said they can.

    `near` is the cheapest split of the same ranges where lots are ignored. A best one on lots is nowhere further from
    it than the coarsest step times the number of venues: otherwise one venue would be that far below, so another more
    than a step above, and a step could move from the latter to the former without loss.
    """
    reach = (len(ranges) + 1) * max(rule.step for rule in ranges)
    begins = [_below(rule, quantity - reach) for rule, quantity in zip(ranges, near, strict=True)]
    left = wanted - sum(begins)
    pool: list[Steps] = []
    taken: list[tuple[int, Parts]] = []
    size = 1
    by_step = sorted(range(len(ranges)), key=lambda venue: ranges[venue].step)
    for step, venues in groupby(by_step, key=lambda venue: ranges[venue].step):
        pool = _take(pool, left % step // size, taken)
        left -= left % step
        pool = _join(pool, step // size)
        for venue in venues:
            end = min(ranges[venue].high, near[venue] + reach)
            pool += _join(_units(venue, curves[venue], begins[venue], end), step)
        pool.sort(key=itemgetter(0))
        size = step
    _take(pool, left // size, taken)
    for times, parts in taken:
        for venue, quantity in parts:
            begins[venue] += times * quantity
    return begins


def _below(rule: Range, quantity: int) -> int:
    """The largest of the range's quantities that is at most `quantity`, or its low."""
    return max(rule.low, rule.low + (quantity - rule.low) // rule.step * rule.step)


def _units(venue: int, curve: Curve, begin: int, end: int) -> list[Steps]:
    """The single units of a venue between two quantities."""
    found: list[Steps] = []
    if end <= begin:
        return found
    for level in range(curve.level_of(begin + 1), curve.level_of(end) + 1):
        count = min(curve.reach[level + 1], end) - max(curve.reach[level], begin)
        found.append(Steps(curve.units[level], count, ((venue, 1),)))
    return found


def _take(pool: list[Steps], count: int, taken: list[tuple[int, Parts]]) -> list[Steps]:
    """Move the `count` cheapest steps to `taken`; returns what stays."""
    for index, steps in enumerate(pool):
        if not count:
            return pool[index:]
        if steps.number > count:
            taken.append((count, steps.parts))
            return [steps._replace(number=steps.number - count), *pool[index + 1 :]]
        taken.append((steps.number, steps.parts))
        count -= steps.number
    return []


def _join(pool: Iterable[Steps], times: int) -> list[Steps]:
    """Steps `times` as large, made in order of cost; what does not make a whole one at the end is dropped."""
    if times == 1:
        return list(pool)
    joined: list[Steps] = []
    cost, missing = 0, times
    parts: Parts = ()
    for steps in pool:
        count = steps.number
        if missing < times:
            part = min(missing, count)
            cost, parts = cost + part * steps.cost, _added(parts, steps.parts, part)
            missing, count = missing - part, count - part
            if missing:
                continue
            joined.append(Steps(cost, 1, parts))
            missing = times
        if count >= times:
            joined.append(Steps(steps.cost * times, count // times, _added((), steps.parts, times)))
        rest = count % times
        cost, parts, missing = rest * steps.cost, _added((), steps.parts, rest), times - rest
    return joined


def _added(parts: Parts, more: Parts, times: int) -> Parts:
    return parts + tuple((venue, times * quantity) for venue, quantity in more) if times else parts
