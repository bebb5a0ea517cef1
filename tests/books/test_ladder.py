"""The ladder and its naive twin: one set of tests, and the same answers on any stream."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.books.ladder import Ladder
from aggregator.domain.book import NO_LEVELS, Levels
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Side
from tests.twins.examples import examples
from tests.twins.ladder import NaiveLadder
from tests.twins.listings import levels, rows

AnyLadder = Ladder | NaiveLadder
MakeLadder = Callable[[Side], AnyLadder]

PRICES = st.integers(1, 25)
COLUMNS = st.lists(st.tuples(PRICES, st.integers(0, 3)), max_size=8).map(
    lambda rows: Levels([price for price, _ in rows], [quantity for _, quantity in rows])
)
"""Few prices, so that they meet often; some of them twice in one message."""
STEPS = st.one_of(
    st.tuples(st.just("apply"), COLUMNS),
    st.tuples(st.just("replace"), COLUMNS),
    st.tuples(st.just("trim"), st.integers(0, 6)),
)
SIDES = st.sampled_from(Side)


def answers(make: MakeLadder, side: Side, steps: list[tuple[Any, ...]]) -> list[object]:
    """All that can be asked of a ladder, after every step of a stream."""
    ladder, heard = make(side), list[object]()
    for name, *arguments in steps:
        heard.append(getattr(ladder, name)(*arguments))
        ladder.check()
        heard += [len(ladder), ladder.best, ladder.top(), ladder.top(3), ladder.top(0), ladder.top_prices(2)]
        heard += [ladder.quantities_at(range(27)), ladder.quantity_at(7)]
    return heard


@given(side=SIDES, steps=st.lists(STEPS, max_size=25))
@examples(150)
def test_every_answer_after_every_step_is_the_twins(side: Side, steps: list[tuple[Any, ...]]) -> None:
    assert answers(Ladder, side, steps) == answers(NaiveLadder, side, steps)


@pytest.mark.parametrize("make", [Ladder, NaiveLadder])
class TestLadder:
    def test_shows_the_best_level_first(self, make: MakeLadder) -> None:
        for side, expected in ((Side.BUY, [30, 20, 10]), (Side.SELL, [10, 20, 30])):
            ladder = make(side)
            ladder.apply(Levels([20, 10, 30], [2, 1, 3]))
            assert ladder.top() == Levels(expected, [price // 10 for price in expected])
            assert ladder.best == expected[0]
            assert ladder.top(2) == Levels(expected[:2], [price // 10 for price in expected[:2]])

    def test_an_empty_side_has_no_best(self, make: MakeLadder) -> None:
        ladder = make(Side.BUY)
        assert ladder.best is None
        assert ladder.top() == NO_LEVELS
        assert len(ladder) == 0

    def test_a_snapshot_leaves_no_old_level(self, make: MakeLadder) -> None:
        ladder = make(Side.BUY)
        ladder.apply(levels({10: 1, 11: 2, 12: 3}))
        assert ladder.replace(levels({11: 2, 13: 1}))
        assert rows(ladder.top()) == {13: 1, 11: 2}
        assert ladder.quantities_at([10, 12]) == [0, 0]

    def test_zero_removes_and_removing_nothing_is_normal(self, make: MakeLadder) -> None:
        ladder = make(Side.SELL)
        ladder.apply(levels({10: 1, 11: 2}))
        assert ladder.apply(levels({10: 0}))
        assert not ladder.apply(levels({10: 0, 99: 0}))
        assert rows(ladder.top()) == {11: 2}

    def test_says_whether_anything_changed(self, make: MakeLadder) -> None:
        ladder = make(Side.BUY)
        assert ladder.apply(levels({10: 1}))
        assert not ladder.apply(levels({10: 1}))
        assert not ladder.apply(NO_LEVELS)
        assert not ladder.replace(levels({10: 1, 12: 0}))
        assert ladder.apply(levels({10: 2}))
        assert ladder.replace(NO_LEVELS)
        assert not ladder.replace(NO_LEVELS)

    def test_a_price_that_stands_twice_counts_as_its_last(self, make: MakeLadder) -> None:
        ladder = make(Side.BUY)
        ladder.replace(Levels([10, 11, 10], [1, 2, 3]))
        assert rows(ladder.top()) == {11: 2, 10: 3}
        ladder.replace(Levels([10, 10], [1, 0]))
        assert rows(ladder.top()) == {}

    def test_trimming_keeps_the_best(self, make: MakeLadder) -> None:
        for side, kept in ((Side.BUY, [12, 11]), (Side.SELL, [10, 11])):
            ladder = make(side)
            ladder.apply(levels({10: 1, 11: 1, 12: 1}))
            ladder.trim(5)
            assert len(ladder) == 3
            ladder.trim(2)
            assert ladder.top_prices() == kept
            ladder.trim(0)
            assert ladder.top() == NO_LEVELS

    def test_what_is_shown_is_a_copy(self, make: MakeLadder) -> None:
        ladder = make(Side.SELL)
        ladder.apply(levels({10: 1}))
        for depth in (None, 5):
            shown = ladder.top(depth)
            shown.prices.append(99)
            shown.quantities.append(99)
        ladder.check()
        assert ladder.top() == Levels([10], [1])

    def test_what_was_given_is_not_kept(self, make: MakeLadder) -> None:
        given = Levels([10], [1])
        ladder = make(Side.SELL)
        ladder.replace(given)
        given.prices[0], given.quantities[0] = 99, 99
        ladder.check()
        assert ladder.top() == Levels([10], [1])

    def test_columns_of_unequal_length_are_not_applied_in_part(self, make: MakeLadder) -> None:
        ladder = make(Side.BUY)
        with pytest.raises(ValueError, match="shorter"):
            ladder.replace(Levels([10, 11], [1]))

    def test_numbers_past_64_bits_are_numbers(self, make: MakeLadder) -> None:
        ladder = make(Side.SELL)
        ladder.apply(levels({10**47: 10**47, 10**47 - 1: 1}))
        assert ladder.best == 10**47 - 1
        assert ladder.quantity_at(10**47) == 10**47


class TestCheckNotices:
    def test_a_price_without_its_quantity(self) -> None:
        ladder = Ladder(Side.BUY)
        ladder.apply(levels({10: 1}))
        ladder._prices.append(11)
        with pytest.raises(BrokenInvariant):
            ladder.check()

    def test_prices_out_of_order(self) -> None:
        ladder = Ladder(Side.BUY)
        ladder.apply(levels({10: 1, 11: 1}))
        assert ladder.top_prices() == [11, 10], "which puts them in order"
        ladder._prices.reverse()
        with pytest.raises(BrokenInvariant):
            ladder.check()

    @pytest.mark.parametrize(("price", "quantity"), [(0, 1), (-1, 1), (1, -1)])
    def test_a_level_that_cannot_be(self, price: int, quantity: int) -> None:
        ladder = Ladder(Side.SELL)
        ladder.apply(levels({price: quantity}))
        with pytest.raises(BrokenInvariant):
            ladder.check()
