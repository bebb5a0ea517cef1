"""Exact fills on lots of different size: what is possible, and what is cheapest, is found by trying everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.book import Levels
from aggregator.routing.cost import Curve
from aggregator.routing.limits import Range
from aggregator.routing.lots import RANGES_AT_MOST, chained, fill_on_lots, most_filled
from tests.twins.examples import examples

CHAIN = (1, 2, 6, 12)


def quantities(rule: Range) -> range:
    return range(rule.low, rule.high + 1, rule.step)


@st.composite
def ranges(draw: st.DrawFn, steps: Sequence[int] = CHAIN) -> Range:
    step = draw(st.sampled_from(steps))
    low = draw(st.integers(1, 12)) * step
    return Range(low, low + draw(st.integers(0, 3)) * step, step)


@st.composite
def curves(draw: st.DrawFn, high: int) -> Curve:
    prices = sorted(draw(st.sets(st.integers(1, 40), min_size=1, max_size=4)))
    shown = draw(st.lists(st.integers(1, 9), min_size=len(prices), max_size=len(prices)))
    shown[-1] += high
    return Curve(Levels(prices, shown), 1)


def every(rules: Sequence[Range]) -> Iterator[tuple[int, ...]]:
    return product(*map(quantities, rules))


@given(st.lists(ranges(), min_size=1, max_size=4), st.integers(0, 120))
@examples(120)
def test_on_a_chain_of_steps_as_much_is_filled_as_can_be(rules: list[Range], wanted: int) -> None:
    possible = [sum(split) for split in every(rules) if sum(split) <= wanted]
    coarsest_first = sorted(rules, key=lambda rule: -rule.step)
    assert most_filled(wanted, coarsest_first) == max(possible, default=None)


@given(st.data())
@examples(120)
def test_on_a_chain_of_steps_the_fill_is_the_cheapest(data: st.DataObject) -> None:
    rules = data.draw(st.lists(ranges(), min_size=1, max_size=3))
    costs = [data.draw(curves(rule.high)) for rule in rules]
    wanted = data.draw(st.sampled_from(sorted({sum(split) for split in every(rules)})))

    def cost(split: Sequence[int]) -> int:
        return sum(curve.cost(quantity) for curve, quantity in zip(costs, split, strict=True))

    near = min(
        (split for split in product(*(range(rule.low, rule.high + 1) for rule in rules)) if sum(split) == wanted),
        key=cost,
    )
    found = fill_on_lots(wanted, costs, rules, near)
    assert sum(found) == wanted
    assert all(quantity in quantities(rule) for quantity, rule in zip(found, rules, strict=True))
    assert cost(found) == min(cost(split) for split in every(rules) if sum(split) == wanted)


@given(st.lists(ranges((1, 2, 3, 4, 5, 10)), min_size=1, max_size=4))
@examples(120)
def test_any_lots_are_brought_on_a_chain_without_losing_a_quantity(rules: list[Range]) -> None:
    found, is_whole = chained([[rule] for rule in rules])
    steps = sorted({part.step for parts in found for part in parts})
    assert all(coarse % fine == 0 for fine, coarse in pairwise(steps))
    for rule, parts in zip(rules, found, strict=True):
        kept = [quantity for part in parts for quantity in quantities(part)]
        assert len(kept) == len(set(kept)) and set(kept) <= set(quantities(rule))
        assert len(parts) <= RANGES_AT_MOST
        if is_whole:
            assert set(kept) == set(quantities(rule))


def test_it_is_told_when_quantities_had_to_be_left_out() -> None:
    found, is_whole = chained([[Range(7, 700, 7)], [Range(11, 1100, 11)], [Range(13, 1300, 13)]])
    assert not is_whole
    assert [len(parts) for parts in found] == [1, 7, RANGES_AT_MOST]
    assert chained([[Range(1, 9, 1)], [Range(10, 90, 10)]]) == ([[Range(1, 9, 1)], [Range(10, 90, 10)]], True)


def test_steps_much_finer_than_levels_are_no_more_work() -> None:
    """Eighteen decimals beside a lot of a tenth: the remainder goes where there is no lot."""
    whole = 10**18
    levels = Levels([100, 101], [whole // 3, 5 * whole])
    costs = [Curve(levels, 1), Curve(Levels([102], [5 * whole]), 1)]
    rules = [Range(whole // 10, whole, whole // 10), Range(1, 5 * whole, 1)]
    assert fill_on_lots(whole + 7, costs, rules, [whole, 7]) == [whole, 7]
    assert fill_on_lots(whole - 7, costs, rules, [whole - 8, 1]) == [whole * 9 // 10, whole // 10 - 7]
