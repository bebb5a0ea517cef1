"""Who is in, and which quantities are legal there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.plan import Holdings, RouteRequest, RoutingPolicy, VenueTerms
from aggregator.routing.limits import Range, Room, legal_ranges, price_bound
from aggregator.routing.splitter import Splitter
from tests.routing.brute import venue_costs
from tests.routing.cases import Case, random_case
from tests.routing.venues import BTC, buying, children, raising, selling, shown, spending, unfilled
from tests.twins.examples import examples

ROWS = [("100", "1"), ("101", "2"), ("102", "3")]
BIDS = [("100", "1"), ("99", "2"), ("98", "3")]


def terms(**named: VenueTerms) -> RoutingPolicy:
    return RoutingPolicy(dict(named))


class TestAVenueIsOut:
    def test_when_its_book_is_not_live(self) -> None:
        planned = buying("1", shown("a", [], reason="stale: no frame for 4.1 s"), shown("b", ROWS))
        assert (planned.excluded, children(planned)) == ({"a": "stale: no frame for 4.1 s"}, {"b": "1"})

    def test_when_its_route_is_switched_off(self) -> None:
        planned = buying("1", shown("a", ROWS), policy=terms(a=VenueTerms(route=False)))
        assert planned.excluded == {"a": "its route is switched off"}
        assert unfilled(planned) == {"no_venue": "1"}

    def test_when_the_client_leaves_it_out(self) -> None:
        planned = buying("1", shown("a", ROWS), shown("b", ROWS), venues=("b", "c"))
        assert children(planned) == {"b": "1"}
        assert planned.excluded == {
            "a": "not among the venues that the client allows",
            "c": "it does not list BTC/USDT",
        }

    def test_when_its_listing_is_not_tradable(self) -> None:
        a = shown("a", ROWS)
        halted = replace(a, listing=replace(a.listing, tradable=False))
        assert buying("1", halted).excluded == {"a": "BTCUSDT is not tradable there"}

    def test_when_it_lists_something_else(self) -> None:
        other = shown("a", ROWS, instrument=replace(BTC, name="ETH/USDT", base="ETH"))
        assert buying("1", other).excluded == {"a ETH/USDT": "it lists ETH/USDT, not BTC/USDT"}

    def test_when_its_scales_are_others(self) -> None:
        wide = replace(BTC, name="BTC/USDC", quote="USDC").widened(20, 20)
        assert buying("1", shown("a", [], instrument=wide)).excluded == {
            "a BTC/USDC": "BTC/USDC is on other scales than BTC/USDT"
        }

    def test_when_one_of_its_books_is_in_already(self) -> None:
        planned = buying("2", shown("a", ROWS[:1]), shown("a", ROWS))
        assert (children(planned), planned.excluded) == ({"a": "1"}, {"a": "its BTC/USDT is used"})

    @pytest.mark.parametrize(
        ("rows", "rules", "reason"),
        [
            ([], {}, "it shows nothing on this side"),
            ([("105", "1")], {}, "it shows nothing within the price bound"),
            (ROWS, {"minimum": "3"}, "its least quantity, 3, is more than is asked for"),
            (ROWS[:1], {"lot": "2"}, "it shows less than its least quantity, 2, within the price bound"),
            (
                ROWS,
                {"minimum_notional": "500"},
                "what could be taken there is worth less than its minimum notional, 500",
            ),
            (ROWS, {"holdings": Holdings(0, 0)}, "not enough USDT there for its least quantity"),
            (
                ROWS,
                {"holdings": Holdings(0, BTC.notional("9")), "minimum_notional": "10"},
                "not enough USDT there for its least quantity",
            ),
        ],
    )
    def test_when_no_child_could_be_legal(
        self, rows: list[tuple[str, str]], rules: dict[str, Any], reason: str
    ) -> None:
        planned = buying("2", shown("a", rows, **rules), shown("b", ROWS), limit_price=BTC.price("103"))
        assert (planned.excluded, children(planned)) == ({"a": reason}, {"b": "2"})

    def test_when_its_cap_is_used_up(self) -> None:
        planned = buying("1", shown("a", ROWS), policy=terms(a=VenueTerms(cap_quantity=0)))
        assert planned.excluded == {"a": "its cap leaves no room for its least quantity"}
        assert unfilled(planned) == {"cap": "1"}


class TestThePriceBound:
    def test_of_a_market_request_is_so_many_bps_from_the_best(self) -> None:
        a, b = shown("a", ROWS), shown("b", [("101", "1"), ("110", "50")])
        planned = buying("9", a, b, policy=RoutingPolicy(market_bound_bps=150))
        assert (planned.bound_price, planned.filled) == (BTC.price("101.5"), BTC.quantity("4"))
        assert unfilled(planned) == {"limit": "5"}

    def test_is_rounded_so_that_it_is_never_looser(self) -> None:
        fine = replace(BTC, price_decimals=0)
        for side, bound in ((Side.BUY, 102), (Side.SELL, 100)):
            room = Room(request(side, fine), shown("a", [("101", "1")], instrument=fine), VenueTerms())
            assert price_bound(request(side, fine), [room], 100) == bound

    def test_is_the_clients_where_he_gives_one(self) -> None:
        planned = buying("9", shown("a", ROWS), limit_price=BTC.price("101"))
        assert (planned.bound_price, unfilled(planned)) == (BTC.price("101"), {"depth": "3", "limit": "3"})

    def test_is_kept_on_the_tick(self) -> None:
        """A level off the tick is reached by a price on it, if that is within the bound."""
        a = shown("a", [("100.03", "1"), ("100.07", "1")], tick="0.05")
        planned = buying("2", a, limit_price=BTC.price("100.09"))
        assert [child.limit_price for child in planned.children] == [BTC.price("100.05")]
        assert (children(planned), unfilled(planned)) == ({"a": "1"}, {"limit": "1"})
        sold = selling(
            "2", shown("a", [("100.07", "1"), ("100.03", "1")], tick="0.05"), limit_price=BTC.price("100.01")
        )
        assert [child.limit_price for child in sold.children] == [BTC.price("100.05")]


def request(side: Side, instrument: Instrument = BTC, quantity: int = 10**30) -> RouteRequest:
    return RouteRequest(instrument, side, quantity=quantity)


class TestBalances:
    def test_of_the_quote_cover_the_limit_price_and_the_fee(self) -> None:
        held = Holdings(base=0, quote=BTC.notional("202.202"))
        a = shown("a", ROWS, taker="0.001", holdings=held)
        planned = buying("3", a)
        assert (children(planned), unfilled(planned)) == ({"a": "2"}, {"balance": "1"})

    def test_need_not_cover_a_fee_that_is_taken_in_base(self) -> None:
        a = shown("a", ROWS, taker="0.001", holdings=Holdings(0, BTC.notional("202")))
        assert children(buying("5", a, policy=terms(a=VenueTerms(is_fee_in_quote=False)))) == {"a": "2"}

    def test_of_the_base_are_what_can_be_sold(self) -> None:
        planned = selling("3", shown("a", BIDS, holdings=Holdings(BTC.quantity("1.5"), 0)))
        assert (children(planned), unfilled(planned)) == ({"a": "1.5"}, {"balance": "1.5"})
        assert planned.to_document()["balances"] == "checked"

    def test_that_are_not_known_are_told_not_to_be_checked(self) -> None:
        a = shown("a", BIDS, holdings=Holdings(BTC.quantity("1.5"), 0))
        assert selling("5", a, shown("b", BIDS)).to_document()["balances"] == "not checked at b"
        assert selling("5", shown("b", BIDS)).to_document()["balances"] == "not checked"


class TestCaps:
    def test_of_a_child_and_of_a_venue_are_kept(self) -> None:
        policy = terms(
            a=VenueTerms(maximum_quantity=BTC.quantity("0.5")), b=VenueTerms(cap_quantity=BTC.quantity("0.2"))
        )
        planned = buying("1", shown("a", ROWS), shown("b", ROWS), policy=policy)
        assert (children(planned), unfilled(planned)) == ({"a": "0.5", "b": "0.2"}, {"cap": "0.3"})

    def test_in_quote_count_a_buyers_limit_price_and_a_sellers_levels(self) -> None:
        policy = terms(a=VenueTerms(cap_notional=BTC.notional("202")))
        assert children(buying("5", shown("a", ROWS), policy=policy)) == {"a": "2"}
        # 101 for the first, and 101 / 100.5 of the second.
        assert children(selling("5", shown("a", [("101", "1"), ("100.5", "2")]), policy=policy)) == {
            "a": "2.004975124378109452"
        }


class TestFixedCosts:
    def test_keep_small_children_away(self) -> None:
        policy = RoutingPolicy(other_terms=VenueTerms(fixed_cost=BTC.notional("0.5")))
        a, b = shown("a", [("100", "1")]), shown("b", [("100.2", "5")])
        planned = buying("1.5", a, b, policy=policy)
        # Two children save 0.2 on the first unit and cost 0.5 more.
        assert children(planned) == {"b": "1.5"}
        assert planned.to_document()["net_total"] == "150.8"
        assert "fixed cost" in planned.unused["a"]


class TestByNotional:
    def test_a_buyer_spends_no_more_fees_and_fixed_costs_included(self) -> None:
        policy = RoutingPolicy(other_terms=VenueTerms(fixed_cost=BTC.notional("1")))
        planned = spending("202.2", shown("a", [("100", "5")], taker="0.01", lot="0.001"), policy=policy)
        assert children(planned) == {"a": "1.992"}
        document = planned.to_document()
        assert (document["net_total"], document["unfilled"]) == ("202.192", "0.008")
        assert document["unfilled_reasons"] == {"lot": "0.008"}

    def test_a_seller_gets_no_more(self) -> None:
        planned = raising("99", shown("a", [("100", "5")], taker="0.01", lot="0.001"))
        assert (children(planned), unfilled(planned)) == ({"a": "1"}, {})
        assert children(raising("98.95", shown("a", [("100", "5")], taker="0.01", lot="0.001"))) == {"a": "0.999"}

    def test_that_the_books_cannot_serve_is_told_in_notional(self) -> None:
        assert unfilled(spending("1000", shown("a", [("100", "5")]))) == {"depth": "500"}
        assert unfilled(raising("1000", shown("a", [("100", "5")]))) == {"depth": "500"}

    def test_far_below_every_minimum_ends_in_nothing(self) -> None:
        for planned in (
            spending("5", shown("a", [("100", "5")], minimum_notional="10", lot="0.00001")),
            raising("5", shown("a", [("100", "5")], minimum_notional="10", lot="0.00001")),
        ):
            assert (children(planned), unfilled(planned)) == ({}, {"minimum": "5"})


class TestLegalRanges:
    def legal(self, side: Side, rows: list[tuple[str, str]], **rules: Any) -> list[tuple[str, str]]:
        room = Room(request(side), shown("a", rows, **rules), VenueTerms())
        room.bound(None if side is Side.BUY else 1)
        ranges = Splitter([room], [0], 10**30, 10).ranges(0)
        return [(BTC.show_quantity(rule.low), BTC.show_quantity(rule.high)) for rule in ranges]

    def test_begin_at_the_minimum_on_the_lot(self) -> None:
        assert self.legal(Side.BUY, ROWS, lot="0.25", minimum="0.3") == [("0.5", "6")]
        assert self.legal(Side.BUY, ROWS, lot="0.1", minimum_notional="15") == [("0.2", "6")]
        assert self.legal(Side.BUY, ROWS, lot="4", minimum="5") == []

    def test_of_a_seller_break_off_where_a_lower_price_makes_it_worth_too_little(self) -> None:
        cliff = [("100", "0.5"), ("10", "3.5"), ("1", "9")]
        assert self.legal(Side.SELL, cliff, lot="0.1", minimum_notional="35") == [("0.4", "0.5"), ("3.5", "4")]
        assert self.legal(Side.SELL, cliff, lot="0.1", minimum_notional="9") == [
            ("0.1", "0.5"),
            ("0.9", "4"),
            ("9", "13"),
        ]

    def test_of_a_seller_are_used_whichever_fits(self) -> None:
        cliff = shown("a", [("100", "0.5"), ("10", "3.5")], lot="0.1", minimum_notional="35")
        low = BTC.price("1")
        assert children(selling("3", cliff, limit_price=low)) == {"a": "0.5"}
        assert children(selling("3.7", cliff, limit_price=low)) == {"a": "3.7"}

    @given(st.integers(0, 10**9))
    @examples(150)
    def test_are_what_the_rules_say_read_unit_by_unit(self, seed: int) -> None:
        case = random_case(seed)
        legal = venue_costs(case)
        bound = price_bound(case.request, rooms_of(case), case.policy.market_bound_bps)
        for room in rooms_of(case):
            room.bound(bound)
            if not room.levels.prices:
                continue
            splitter = Splitter([room], [0], 10**9, 10)
            most = room.most(splitter.curve(0), room.most_quantity, room.most_notional)
            found = legal_ranges(room, splitter.curve(0), most)
            quantities = [quantity for rule in found for quantity in range(rule.low, rule.high + 1, rule.step)]
            assert quantities == sorted(legal[room.venue].keys() - {0})
            assert all(isinstance(rule, Range) for rule in found)


def rooms_of(case: Case) -> list[Room]:
    return [
        Room(case.request, depth, case.policy.of(depth.venue))
        for depth in case.venues
        if case.policy.of(depth.venue).route
    ]


class TestARequest:
    @pytest.mark.parametrize(
        "asked",
        [{}, {"quantity": 1, "notional": 1}, {"quantity": 0}, {"notional": -1}, {"quantity": 1, "limit_price": 0}],
    )
    def test_that_means_nothing_is_refused(self, asked: dict[str, Any]) -> None:
        with pytest.raises(ValueError):
            RouteRequest(BTC, Side.BUY, **asked)

    def test_with_no_venue_at_all_has_a_plan_too(self) -> None:
        planned = buying("1")
        assert (planned.bound_price, children(planned), unfilled(planned)) == (None, {}, {"no_venue": "1"})
        assert planned.to_document()["average_price"] is None

    def test_counts_on_the_part_of_depth_that_the_venue_deserves(self) -> None:
        planned = buying("2", shown("a", ROWS, confidence=RATE_ONE // 2), shown("b", [("100.5", "5")]))
        assert children(planned) == {"a": "0.5", "b": "1.5"}
