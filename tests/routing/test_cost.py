"""What a child costs, rounded against us, and how far shown depth is trusted."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Fees, Instrument, Listing, Side
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.plan import NET_ONE, VenueDepth
from aggregator.routing.cost import (
    LEAST_CONFIDENCE,
    Curve,
    FillRecord,
    confidence,
    counted,
    taker_fee,
    unit_factor,
)
from tests.twins.examples import examples

BTC = Instrument.of("BTC", "USDT")


def listing(fee: int) -> Listing:
    return Listing("binance", "BTCUSDT", BTC, fees=Fees(taker=fee))


class TestTheUnitFactor:
    def test_lets_a_buyer_pay_the_fee_and_a_seller_get_less(self) -> None:
        assert unit_factor(Side.BUY, listing(100_000), NET_ONE) == NET_ONE + NET_ONE // 1000
        assert unit_factor(Side.SELL, listing(100_000), NET_ONE) == -(NET_ONE - NET_ONE // 1000)

    @given(fee=st.integers(0, RATE_ONE // 10), rate=st.integers(1, 3 * NET_ONE), side=st.sampled_from(Side))
    @examples(200)
    def test_is_never_in_our_favour_and_off_by_less_than_a_unit(self, fee: int, rate: int, side: Side) -> None:
        sign = 1 if side is Side.BUY else -1
        exact = sign * (1 + sign * Fraction(fee, RATE_ONE)) * rate
        assert 0 <= unit_factor(side, listing(fee), rate) - exact < 1


class TestTheFee:
    def test_is_rounded_up(self) -> None:
        assert taker_fee(1_000, listing(100_000)) == 1
        assert taker_fee(1_001, listing(100_000)) == 2
        assert taker_fee(1_001, listing(0)) == 0


class TestConfidence:
    def test_is_whole_without_a_record_and_with_a_good_one(self) -> None:
        assert confidence(FillRecord(0, 0, 0, 0)) == RATE_ONE
        assert confidence(FillRecord(100, 0, 500, 500)) == RATE_ONE

    def test_falls_with_rejects_and_with_what_was_not_filled(self) -> None:
        assert confidence(FillRecord(5, 5, 0, 0)) == RATE_ONE // 2
        assert confidence(FillRecord(15, 0, 100, 50)) == RATE_ONE * 625 // 1000

    def test_is_never_so_low_that_the_venue_could_not_better_it(self) -> None:
        assert confidence(FillRecord(10**6, 10**6, 0, 0)) == LEAST_CONFIDENCE

    @given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
    @examples(100)
    def test_is_a_share(self, accepted: int, rejected: int, missed: int, filled: int) -> None:
        record = FillRecord(accepted + rejected, rejected, missed + filled, filled)
        assert LEAST_CONFIDENCE <= confidence(record) <= RATE_ONE


class TestCountedDepth:
    levels = Levels([100, 101, 102], [5, 3, 10])

    def depth(self, pending: int = 0, share: int = RATE_ONE) -> VenueDepth:
        return VenueDepth(listing(0), self.levels, pending=pending, confidence=share)

    def test_is_what_is_shown_to_a_venue_in_good_standing(self) -> None:
        assert counted(self.depth()) is self.levels

    def test_leaves_out_what_is_pending_from_the_best_level_on(self) -> None:
        assert counted(self.depth(pending=6)) == Levels([101, 102], [2, 10])
        assert counted(self.depth(pending=99)) == Levels([], [])

    def test_is_a_part_of_each_level_rounded_down(self) -> None:
        assert counted(self.depth(share=RATE_ONE * 3 // 10)) == Levels([100, 102], [1, 3])


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.data())
@examples(200)
def test_a_curve_costs_what_its_units_cost_one_by_one(quantities: list[int], data: st.DataObject) -> None:
    prices = sorted(data.draw(st.sets(st.integers(1, 99), min_size=len(quantities), max_size=len(quantities))))
    units = [price * 7 for price, quantity in zip(prices, quantities, strict=True) for _ in range(quantity)]
    most = data.draw(st.integers(1, len(units) + 3))
    curve = Curve(Levels(prices, quantities), 7, most)
    assert curve.reach[-1] >= min(most, len(units))
    for quantity in range(min(most, len(units)) + 1):
        assert curve.cost(quantity) == sum(units[:quantity])
        if quantity:
            assert curve.units[curve.level_of(quantity)] == units[quantity - 1]
            assert curve.taken(quantity) == (curve.level_of(quantity), curve.cost(quantity))
