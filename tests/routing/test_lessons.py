"""What went wrong in other routers, and what this one does instead. The numbers are those that were tried there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aggregator.domain.instrument import Side
from aggregator.domain.plan import NET_ONE, Holdings, Rate, RouteRequest, VenueTerms
from aggregator.domain.plan import RoutingPolicy as Policy
from aggregator.routing.planner import plan
from tests.routing.venues import BTC, buying, children, selling, shown, unfilled

SECOND = 1_000_000_000
IN_USDC = replace(BTC, name="BTC/USDC", quote="USDC")
IN_USD = replace(BTC, name="BTC/USD", quote="USD")


class TestARemainderUnderEveryMinimum:
    """Elsewhere the last slice is sent although it is under the minimum notional, and rejected."""

    def test_is_taken_from_a_venue_that_can_spare_it(self) -> None:
        a = shown("a", [("100", "0.95")], minimum_notional="10")
        b = shown("b", [("101", "5")], minimum_notional="10")
        planned = buying("1", a, b)
        # 0.05 at b are worth 5.05: b gets its minimum, 10 / 101 rounded up, and a the rest.
        assert [child.notional >= BTC.notional("10") for child in planned.children] == [True, True]
        assert (planned.filled, unfilled(planned)) == (BTC.quantity("1"), {})
        assert children(planned)["b"] == "0.09900990099009901"

    def test_is_left_and_named_where_none_can(self) -> None:
        a = shown("a", [("100", "0.95")], minimum_notional="10", lot="0.01")
        b = shown("b", [("101", "5")], minimum_notional="200", lot="0.01")
        planned = buying("1", a, b)
        assert children(planned) == {"a": "0.95"}
        assert unfilled(planned) == {"minimum": "0.05"}
        assert "minimum notional" in planned.excluded["b"]

    def test_is_left_as_dust_where_it_is_less_than_a_lot(self) -> None:
        planned = buying("1.0004", shown("a", [("100", "5")], lot="0.001"))
        assert (children(planned), unfilled(planned)) == ({"a": "1"}, {"lot": "0.0004"})
        assert planned.to_document()["dust"] == "leave"


class TestAMinimumThatTheCheapestLevelsBreak:
    """Elsewhere 0.95 are filled, and the client is told that there was no more."""

    def test_is_met_by_giving_the_cheaper_venue_less(self) -> None:
        a = shown("a", [("100", "0.95")], lot="0.01")
        b = shown("b", [("100.01", "10")], lot="0.01", minimum="0.1")
        planned = buying("1", a, b)
        assert children(planned) == {"a": "0.9", "b": "0.1"}
        document = planned.to_document()
        assert (document["filled_by_plan"], document["unfilled"]) == ("1", "0")
        assert (document["net_total"], document["net_price"]) == ("100.001", "100.001")
        assert (document["optimality_gap_bps"], document["proven"]) == ("0", True)


class TestLotsOfDifferentSize:
    """Elsewhere 0.009 are lost to rounding, although the third venue could take them."""

    def test_leave_their_remainders_to_the_venue_with_the_finest(self) -> None:
        a = shown("a", [("100", "0.334")], lot="0.01")
        b = shown("b", [("100.01", "0.335")], lot="0.01")
        c = shown("c", [("100.02", "5")], lot="0.001")
        planned = buying("1", a, b, c)
        assert children(planned) == {"a": "0.33", "b": "0.33", "c": "0.34"}
        assert (planned.filled, unfilled(planned), planned.gap) == (BTC.quantity("1"), {}, 0)


class TestASell:
    """Elsewhere quantities follow 1 / price, so that the worse bid gets more of a sell."""

    def test_goes_to_the_better_bid(self) -> None:
        planned = selling("1", shown("worse", [("99", "5")]), shown("better", [("100", "0.7")]))
        assert children(planned) == {"better": "0.7", "worse": "0.3"}

    def test_goes_to_the_bid_that_is_better_after_fees(self) -> None:
        dear = shown("dear", [("100", "5")], taker="0.005")
        cheap = shown("cheap", [("99.9", "5")], taker="0.001")
        assert children(selling("1", dear, cheap)) == {"cheap": "1"}
        assert children(buying("1", dear, cheap)) == {"cheap": "1"}


class TestQuotesInAnotherCurrency:
    """Elsewhere a missing rate counts as 1, and a name with USD in it as the dollar."""

    own = shown("own", [("100", "1")])

    def rate(self, base: str = "USDC", value: int = NET_ONE, at_ns: int = 100 * SECOND) -> Rate:
        return Rate(base, "USDT", value, "a venue's mid", at_ns, 10 * SECOND)

    def test_without_a_rate_are_not_routed_into(self) -> None:
        for instrument in (IN_USDC, IN_USD):
            planned = buying("2", self.own, shown("other", [("90", "5")], instrument=instrument))
            assert children(planned) == {"own": "1"}
            assert planned.excluded == {f"other {instrument.name}": f"no rate from {instrument.quote} to USDT"}
            assert unfilled(planned) == {"depth": "1"}

    def test_with_a_rate_that_is_too_old_are_not_routed_into(self) -> None:
        other = shown("other", [("90", "5")], instrument=IN_USDC, rate=self.rate())
        fresh, old = (buying("2", self.own, other, as_of_ns=at * SECOND) for at in (110, 111))
        assert children(fresh) == {"other": "2"}
        assert children(old) == {"own": "1"}
        assert old.excluded == {"other BTC/USDC": "the rate from USDC to USDT is 11.0 s old, at most 10.0 s"}

    def test_are_not_turned_by_the_rate_of_another_currency(self) -> None:
        other = shown("other", [("90", "5")], instrument=IN_USD, rate=self.rate("USDC"))
        assert buying("2", self.own, other).excluded == {"other BTC/USD": "no rate from USD to USDT"}

    def test_compete_at_the_rate_rounded_against_us(self) -> None:
        other = shown("other", [("100", "5")], instrument=IN_USDC, rate=self.rate(value=NET_ONE // 3))
        bought, sold = buying("1", other), selling("1", other)
        documents = [planned.to_document() for planned in (bought, sold)]
        assert [document["net_total"] for document in documents] == ["33.33333333333333"] * 2
        assert [document["net_price"] for document in documents] == ["33.333333333334", "33.333333333333"]
        assert [child.instrument.quote for child in bought.children] == ["USDC"]
        assert bought.children[0].limit_price == BTC.price("100")

    def test_are_held_to_the_clients_limit_in_his_own(self) -> None:
        other = shown("other", [("100", "1"), ("101", "5")], instrument=IN_USDC, rate=self.rate(value=NET_ONE * 2))
        planned = buying("3", other, limit_price=BTC.price("201.9"))
        assert (children(planned), unfilled(planned)) == ({"other": "1"}, {"limit": "2"})


class TestWhatIsPending:
    """Elsewhere new quotes go out while a hedge is under way, as if it were not."""

    def test_is_taken_off_the_levels_that_it_will_take(self) -> None:
        a = shown("a", [("100", "1"), ("102", "5")], pending=BTC.quantity("0.6"))
        planned = buying("1", a, shown("b", [("101", "5")]), limit_price=BTC.price("105"))
        assert children(planned) == {"a": "0.4", "b": "0.6"}

    def test_is_taken_off_balances(self) -> None:
        held = Holdings(BTC.quantity("2"), BTC.notional("200"), BTC.quantity("0.5"), BTC.notional("50"))
        a = shown("a", [("100", "5")], holdings=held)
        assert (children(selling("2", a)), children(buying("2", a))) == ({"a": "1.5"}, {"a": "1.5"})
        assert unfilled(buying("2", a)) == {"balance": "0.5"}

    def test_is_counted_against_caps(self) -> None:
        policy = Policy({"a": VenueTerms(cap_quantity=BTC.quantity("1"))})
        a = shown("a", [("100", "5")], pending=BTC.quantity("0.6"))
        planned = buying("2", a, policy=policy)
        assert (children(planned), unfilled(planned)) == ({"a": "0.4"}, {"cap": "1.6"})


@pytest.mark.parametrize("side", Side)
def test_the_same_request_always_gives_the_same_plan(side: Side) -> None:
    venues = [shown(name, [("100", "1")]) for name in "abcd"]
    request = RouteRequest(BTC, side, quantity=BTC.quantity("2.5"))
    assert plan(request, venues, Policy()) == plan(request, venues, Policy())
