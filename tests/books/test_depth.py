"""Answers about depth are those of taking liquidity unit by unit."""

from hypothesis import given
from hypothesis import strategies as st

from aggregator.books.depth import Sweep, cumulative, spread, sweep_notional, sweep_quantity, twice_mid
from aggregator.domain.book import NO_LEVELS, Levels
from aggregator.domain.instrument import Side
from tests.twins.depth import Taken, spend_units, take_units
from tests.twins.examples import examples
from tests.twins.ladder import NaiveLadder
from tests.twins.listings import levels


@st.composite
def sides(draw: st.DrawFn) -> Levels:
    ladder = NaiveLadder(draw(st.sampled_from(Side)))
    ladder.replace(levels(draw(st.dictionaries(st.integers(1, 40), st.integers(1, 9), max_size=6))))
    return ladder.top()


def taken(sweep: Sweep) -> Taken:
    sweep.check()
    return sweep.quantity, sweep.notional, sweep.worst_price


@given(side=sides(), quantity=st.integers(0, 60))
@examples(150)
def test_sweeping_a_quantity_takes_the_best_units(side: Levels, quantity: int) -> None:
    sweep = sweep_quantity(side, quantity)
    assert taken(sweep) == take_units(side, quantity)
    assert sweep.is_complete == (quantity <= sum(side.quantities))


@given(side=sides(), notional=st.integers(0, 1500))
@examples(150)
def test_sweeping_a_notional_takes_the_best_units_that_it_pays_for(side: Levels, notional: int) -> None:
    sweep = sweep_notional(side, notional)
    assert taken(sweep) == spend_units(side, notional)
    assert sweep.notional <= notional
    whole = sum(price * quantity for price, quantity in zip(*side, strict=True))
    assert sweep.is_complete == (notional <= whole)


@given(side=sides())
@examples(100)
def test_cumulative_is_the_quantity_down_to_each_level(side: Levels) -> None:
    assert cumulative(side) == [sum(side.quantities[: index + 1]) for index in range(len(side.prices))]


class TestTheTop:
    def test_spread_and_mid_are_of_the_best_levels(self) -> None:
        bids, asks = Levels([100, 99], [1, 1]), Levels([103, 104], [1, 1])
        assert spread(bids, asks) == 3
        assert twice_mid(bids, asks) == 203

    def test_a_locked_book_has_no_spread_and_a_crossed_one_less(self) -> None:
        assert spread(Levels([100], [1]), Levels([100], [1])) == 0
        assert spread(Levels([101], [1]), Levels([100], [1])) == -1

    def test_an_empty_side_leaves_both_unknown(self) -> None:
        one = Levels([100], [1])
        assert [spread(one, NO_LEVELS), spread(NO_LEVELS, one), twice_mid(NO_LEVELS, NO_LEVELS)] == [None] * 3

    def test_nothing_to_take_is_not_complete_unless_nothing_was_asked_for(self) -> None:
        assert not sweep_quantity(NO_LEVELS, 1).is_complete
        assert sweep_quantity(NO_LEVELS, 0) == Sweep(0, 0, None, is_complete=True)
        assert not sweep_notional(NO_LEVELS, 1).is_complete
