"""The search is exact until it reaches its limit, and honest when it does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.book import Levels
from aggregator.routing.cost import Curve
from aggregator.routing.limits import Range
from aggregator.routing.search import Option, Search
from aggregator.routing.sweep import sweep
from tests.routing.venues import BTC, buying, children, shown
from tests.twins.examples import examples


def option(price: int, quantity: int, low: int, fixed_cost: int = 0, step: int = 1) -> Option:
    """One level, of which any quantity from `low` on is legal."""
    return Option(Curve(Levels([price], [quantity]), 1), fixed_cost, [Range(low, quantity // step * step, step)])


class TestExact:
    def test_a_minimum_is_met_at_the_expense_of_the_cheaper_venue(self) -> None:
        found = Search([option(100, 95, 1), option(101, 999, 10)], 100).split(100)
        assert (found.quantities, found.filled, found.cost, found.is_exact) == ([90, 10], 100, 10_010, True)

    def test_a_fixed_cost_is_paid_where_it_pays(self) -> None:
        options = [option(100, 50, 1, fixed_cost=30), option(101, 999, 1, fixed_cost=30)]
        assert Search(options, 100).split(100).quantities == [50, 50]
        assert Search(options, 100).split(20).quantities == [20, 0]
        dearer = [option(100, 25, 1, fixed_cost=30), option(101, 999, 1, fixed_cost=30)]
        assert Search(dearer, 100).split(100).quantities == [0, 100]

    def test_lots_without_a_common_step_are_combined(self) -> None:
        options = [option(100, 99, 7, step=7), option(200, 99, 5, step=5)]
        assert Search(options, 100).split(31).quantities == [21, 10]
        assert Search(options, 100).split(23).filled == 22

    def test_a_range_that_is_not_on_its_own_step_is_found(self) -> None:
        whole = Option(Curve(Levels([100], [15]), 1), 0, [Range(15, 15, 5)])
        assert Search([whole, option(101, 2, 2, step=2)], 100).split(17).quantities == [15, 2]

    def test_one_search_serves_many_quantities(self) -> None:
        search = Search([option(100, 95, 1), option(101, 999, 10)], 100)
        assert [search.split(wanted).cost for wanted in (50, 100, 50)] == [5_000, 10_010, 5_000]

    def test_nothing_fits(self) -> None:
        found = Search([option(100, 95, 50), option(101, 999, 60)], 100).split(49)
        assert (found.quantities, found.filled, found.cost, found.bound) == ([0, 0], 0, 0, 0)
        assert Search([], 100).split(5).filled == 0


class TestCutShort:
    def many(self, count: int) -> Sequence[Option]:
        """Venues alike, which leave the search the most to try."""
        return [option(100 + number % 3, 17, 11, fixed_cost=5, step=1) for number in range(count)]

    @pytest.mark.parametrize("nodes", [1, 10, 100, 1_000])
    def test_the_bound_is_below_the_best(self, nodes: int) -> None:
        best = Search(self.many(12), 10**6).split(100)
        found = Search(self.many(12), nodes).split(100)
        assert best.is_exact
        assert found.filled <= best.filled
        if found.filled == best.filled:
            assert found.bound <= best.cost <= found.cost
        if found.is_exact:
            assert (found.filled, found.cost, found.bound) == (best.filled, best.cost, best.cost)

    def test_twenty_venues_end_within_the_limit_and_are_filled(self) -> None:
        found = Search(self.many(20), 500).split(200)
        assert found.filled == 200

    def test_a_plan_says_so(self) -> None:
        venues = [shown(f"v{number}", [("100", "17")], minimum="11", lot="1") for number in range(12)]
        planned = buying("100", *venues)
        assert planned.filled == BTC.quantity("100")
        assert (planned.gap, planned.is_proven) == (0, True)
        assert sum(int(quantity) for quantity in children(planned).values()) == 100


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 9)), max_size=4), min_size=1, max_size=4),
    st.integers(0, 80),
)
@examples(200)
def test_a_sweep_takes_the_cheapest_units(sides: list[list[tuple[int, int]]], wanted: int) -> None:
    rows = [sorted(dict(side).items()) for side in sides]
    columns = [Levels([price for price, _ in side], [quantity for _, quantity in side]) for side in rows]
    factors = [100 + venue for venue in range(len(rows))]
    units = sorted(
        price * factors[venue] for venue, side in enumerate(rows) for price, quantity in side for _ in range(quantity)
    )
    quantities, levels, costs, filled = sweep(columns, factors, wanted)
    assert filled == sum(quantities) == min(wanted, len(units))
    assert sum(costs) == sum(units[:wanted])
    for quantity, level, column in zip(quantities, levels, columns, strict=True):
        if quantity:
            assert sum(column.quantities[:level]) < quantity <= sum(column.quantities[: level + 1])
