"""The local book's rules one by one, for the book and for its naive twin."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aggregator.books.matching import LocalBook
from aggregator.books.matching_rules import LARGEST
from aggregator.books.matching_steps import ENDED_AT_LEAST
from aggregator.domain.book import NO_LEVELS, Levels
from aggregator.domain.documents import to_document
from aggregator.domain.errors import DocumentRefused
from aggregator.domain.instrument import Fees, Instrument, Instruments, Side
from aggregator.domain.local import BookState, Entered, LocalOrder, Refused, Rested, SelfTrade, TickBand, Traded
from aggregator.domain.order import TimeInForce
from tests.twins.matching import BTC, PLAIN, NaiveLocalBook, local_order, shown

AnyBook = LocalBook | NaiveLocalBook
MakeBook = Callable[..., AnyBook]

BUY, SELL = Side.BUY, Side.SELL
GTC, IOC, FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK
OPEN, PRE_OPEN, HALTED, CLOSED = BookState.OPEN, BookState.PRE_OPEN, BookState.HALTED, BookState.CLOSED

both = pytest.mark.parametrize("make", [LocalBook, NaiveLocalBook])


def opened(make: MakeBook, *orders: LocalOrder) -> AnyBook:
    """An open book in which these orders were placed."""
    book = make(PLAIN, OPEN)
    for order in orders:
        book.place(order)
    return book


def ids(book: AnyBook, side: Side) -> list[str]:
    return [order.order_id for order in book.orders(side)]


@both
class TestPriorities:
    def test_the_better_price_trades_first_then_who_came_first(self, make: MakeBook) -> None:
        book = opened(
            make,
            local_order("far", SELL, 10, 102),
            local_order("first", SELL, 10, 101),
            local_order("second", SELL, 10, 101),
        )
        assert shown(book.place(local_order("taker", BUY, 24, 102))) == [
            "taker takes 10@101 of first",
            "first left 0: filled",
            "taker takes 10@101 of second",
            "second left 0: filled",
            "taker takes 4@102 of far",
            "taker left 0: filled",
        ]
        assert book.levels(SELL) == Levels([102], [6])
        assert book.last_price == 102

    def test_sells_are_the_mirror_of_buys(self, make: MakeBook) -> None:
        book = opened(make, local_order("far", BUY, 10, 99), local_order("near", BUY, 10, 100))
        assert shown(book.place(local_order("taker", SELL, 14, 95))) == [
            "taker takes 10@100 of near",
            "near left 0: filled",
            "taker takes 4@99 of far",
            "taker left 0: filled",
        ]

    def test_what_does_not_trade_rests_behind_its_price(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", SELL, 10, 101))
        assert shown(book.place(local_order("b", BUY, 14, 101))) == [
            "b takes 10@101 of a",
            "a left 0: filled",
            "b rests 4@101",
        ]
        book.place(local_order("c", BUY, 6, 101))
        assert ids(book, BUY) == ["b", "c"]
        assert book.levels(BUY) == Levels([101], [10])
        assert (book.best(BUY), book.best(SELL)) == (101, None)

    def test_every_event_has_sequence_and_time_and_says_what_is_left(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", SELL, 10, 101, received_ns=5))
        entered, traded, left = book.place(local_order("b", BUY, 6, 102, received_ns=7))
        assert entered == Entered(3, 7, "b", BTC, 6, 102)
        assert traded == Traded(4, 7, BTC, "a", "b", "of a", "of b", BUY, 101, 6, 4, 0)
        assert traded.trade_id == "busan-BTC/KRW-4"
        assert (left.sequence, left.at_ns, book.sequence) == (5, 7, 5)

    def test_a_clock_that_goes_back_takes_no_place_from_anyone(self, make: MakeBook) -> None:
        book = opened(
            make, local_order("a", BUY, 10, 99, received_ns=50), local_order("b", BUY, 10, 99, received_ns=20)
        )
        assert [(order.order_id, order.priority_ns) for order in book.orders(BUY)] == [("a", 50), ("b", 50)]

    def test_depth_is_cut_at_the_best(self, make: MakeBook) -> None:
        book = opened(make, *(local_order(str(price), BUY, 4, price) for price in (100, 104, 102)))
        assert book.levels(BUY, 2) == Levels([104, 102], [4, 4])
        assert book.levels(BUY, 0) == NO_LEVELS
        assert book.levels(SELL, 5) == NO_LEVELS

    def test_what_is_shown_is_a_copy(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", BUY, 10, 99))
        shown_order = book.order("a")
        assert shown_order is not None
        shown_order.quantity = book.orders(BUY)[0].quantity = 1
        assert book.levels(BUY) == Levels([99], [10])
        assert book.order("b") is None


@both
class TestTimeInForce:
    def test_what_an_immediate_order_cannot_fill_expires(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", SELL, 10, 101), local_order("b", SELL, 10, 103))
        assert shown(book.place(local_order("c", BUY, 16, 102, IOC))) == [
            "c takes 10@101 of a",
            "a left 0: filled",
            "c left 6: expired",
        ]
        assert ids(book, BUY) == []

    def test_all_or_nothing_fills_whole(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", SELL, 10, 101), local_order("b", SELL, 10, 103))
        assert shown(book.place(local_order("c", BUY, 20, 103, FOK)))[-1] == "c left 0: filled"
        assert book.levels(SELL) == NO_LEVELS

    @pytest.mark.parametrize(("quantity", "price"), [(22, 103), (20, 102)])
    def test_or_touches_nothing(self, make: MakeBook, quantity: int, price: int) -> None:
        book = opened(make, local_order("a", SELL, 10, 101), local_order("b", SELL, 10, 103))
        assert shown(book.place(local_order("c", BUY, quantity, price, FOK))) == [f"c left {quantity}: expired"]
        assert book.levels(SELL) == Levels([101, 103], [10, 10])

    @pytest.mark.parametrize("way", SelfTrade)
    def test_all_or_nothing_counts_no_order_of_its_own_account(self, make: MakeBook, way: SelfTrade) -> None:
        book = opened(make, local_order("own", SELL, 10, 101, account="x"), local_order("b", SELL, 10, 102))
        short = local_order("c", BUY, 12, 102, FOK, account="x", self_trade=way)
        assert shown(book.place(short)) == ["c left 12: expired"]
        assert book.levels(SELL) == Levels([101, 102], [10, 10])
        enough = shown(book.place(local_order("d", BUY, 10, 102, FOK, account="x", self_trade=way)))
        if way is SelfTrade.CANCEL_OLDEST:
            assert enough == ["own left 10: self_trade", "d takes 10@102 of b", "b left 0: filled", "d left 0: filled"]
        else:
            assert enough == ["d left 10: expired"]


@both
class TestMarketOrders:
    def test_go_no_further_from_the_best_than_the_bound(self, make: MakeBook) -> None:
        book = opened(make, *(local_order(str(price), SELL, 10, price) for price in (100, 105, 106)))
        events = book.place(local_order("m", BUY, 30, None, IOC))
        assert shown(events) == [
            "m takes 10@100 of 100",
            "100 left 0: filled",
            "m takes 10@105 of 105",
            "105 left 0: filled",
            "m left 10: expired",
        ]
        assert events[0] == Entered(7, 1, "m", BTC, 30, 105)

    def test_the_bound_is_rounded_towards_the_best(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", BUY, 10, 99), local_order("b", BUY, 10, 94))
        assert shown(book.place(local_order("m", SELL, 20, None)))[-1] == "m left 10: expired", "94.05 is the bound"

    def test_are_refused_when_nothing_bounds_them(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", BUY, 10, 99))
        assert shown(book.place(local_order("m", BUY, 10, None, IOC))) == ["m refused: no_price"]

    def test_never_rest(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", SELL, 10, 100))
        assert shown(book.place(local_order("m", BUY, 12, None, GTC)))[-1] == "m left 2: expired"

    def test_all_or_nothing_within_the_bound(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", SELL, 10, 100), local_order("b", SELL, 10, 106))
        assert shown(book.place(local_order("m", BUY, 12, None, FOK))) == ["m left 12: expired"]


@both
class TestPostOnly:
    def test_rests_when_nothing_reaches_it(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", SELL, 10, 101))
        assert shown(book.place(local_order("p", BUY, 10, 100, post_only=True))) == ["p rests 10@100"]

    def test_is_refused_when_it_would_take(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", SELL, 10, 101))
        assert shown(book.place(local_order("p", BUY, 10, 101, post_only=True))) == ["p refused: would_trade"]

    @pytest.mark.parametrize(("limit_price", "time_in_force"), [(100, IOC), (100, FOK), (None, GTC)])
    def test_contradicts_an_order_that_does_not_rest(
        self, make: MakeBook, limit_price: int | None, time_in_force: TimeInForce
    ) -> None:
        order = local_order("p", BUY, 10, limit_price, time_in_force, post_only=True)
        assert shown(opened(make).place(order)) == ["p refused: contradictory"]

    def test_stays_post_only_when_it_is_amended(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", SELL, 10, 101), local_order("p", BUY, 10, 99, post_only=True))
        assert shown(book.amend("p", None, 101, 2)) == ["p refused: would_trade"]
        assert shown(book.amend("p", None, 100, 3)) == ["p rests 10@100"]


@both
class TestSelfTrade:
    """Account x has a sell of 10 in the book, and buys 16 while y sells 10 behind it."""

    def events(self, make: MakeBook, way: SelfTrade, by_rules: bool, quantity: int = 16) -> tuple[AnyBook, list[str]]:
        book = make(replace(PLAIN, self_trade=way) if by_rules else PLAIN, OPEN)
        book.place(local_order("own", SELL, 10, 100, account="x"))
        book.place(local_order("y", SELL, 10, 101))
        taker = local_order("t", BUY, quantity, 101, account="x", self_trade=None if by_rules else way)
        return book, shown(book.place(taker))

    @pytest.mark.parametrize("by_rules", [True, False])
    def test_cancel_newest(self, make: MakeBook, by_rules: bool) -> None:
        book, events = self.events(make, SelfTrade.CANCEL_NEWEST, by_rules)
        assert events == ["t left 16: self_trade"]
        assert (ids(book, SELL), ids(book, BUY)) == (["own", "y"], [])

    @pytest.mark.parametrize("by_rules", [True, False])
    def test_cancel_oldest(self, make: MakeBook, by_rules: bool) -> None:
        book, events = self.events(make, SelfTrade.CANCEL_OLDEST, by_rules)
        assert events == ["own left 10: self_trade", "t takes 10@101 of y", "y left 0: filled", "t rests 6@101"]
        assert (ids(book, SELL), ids(book, BUY)) == ([], ["t"])

    @pytest.mark.parametrize("by_rules", [True, False])
    def test_cancel_both(self, make: MakeBook, by_rules: bool) -> None:
        book, events = self.events(make, SelfTrade.CANCEL_BOTH, by_rules)
        assert events == ["own left 10: self_trade", "t left 16: self_trade"]
        assert (ids(book, SELL), ids(book, BUY)) == (["y"], [])

    @pytest.mark.parametrize("by_rules", [True, False])
    def test_decrement(self, make: MakeBook, by_rules: bool) -> None:
        book, events = self.events(make, SelfTrade.DECREMENT, by_rules)
        assert events == [
            "own left 10: self_trade",
            "t reduced to 6: self_trade",
            "t takes 6@101 of y",
            "t left 0: filled",
        ]
        assert book.levels(SELL) == Levels([101], [4])

    def test_decrement_of_the_smaller_newest(self, make: MakeBook) -> None:
        book, events = self.events(make, SelfTrade.DECREMENT, by_rules=True, quantity=6)
        assert events == ["own reduced to 4: self_trade", "t left 6: self_trade"]
        assert book.levels(SELL) == Levels([100, 101], [4, 10])

    def test_decrement_of_equals(self, make: MakeBook) -> None:
        _, events = self.events(make, SelfTrade.DECREMENT, by_rules=True, quantity=10)
        assert events == ["own left 10: self_trade", "t left 10: self_trade"]

    def test_others_before_it_trade_first(self, make: MakeBook) -> None:
        book = opened(make, local_order("y", SELL, 10, 100), local_order("own", SELL, 10, 100, account="x"))
        assert shown(book.place(local_order("t", BUY, 20, 100, account="x"))) == [
            "t takes 10@100 of y",
            "y left 0: filled",
            "t left 10: self_trade",
        ]

    def test_an_amended_order_keeps_its_own_way(self, make: MakeBook) -> None:
        wish = local_order("t", BUY, 10, 99, account="x", self_trade=SelfTrade.CANCEL_OLDEST)
        book = opened(make, local_order("own", SELL, 10, 100, account="x"), wish)
        assert shown(book.amend("t", None, 100, 2)) == ["own left 10: self_trade", "t rests 10@100"]


ACCEPTED: dict[str, Any] = {"side": BUY, "quantity": 10, "limit_price": 100}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"order_id": ""}, "no_id"),
    ({"quantity": 0}, "not_positive"),
    ({"quantity": -2}, "not_positive"),
    ({"quantity": 11}, "off_lot"),
    ({"quantity": 2}, "below_minimum"),
    ({"quantity": 1002}, "above_maximum"),
    ({"quantity": 2 * 10**39}, "above_maximum"),
    ({"limit_price": 0}, "not_positive"),
    ({"limit_price": -100}, "not_positive"),
    ({"limit_price": 79}, "outside_band"),
    ({"limit_price": 121}, "outside_band"),
    ({"limit_price": 10**39}, "outside_band"),
    ({"limit_price": 112}, "off_tick"),
    ({"quantity": 4, "limit_price": 99}, "below_notional"),
    ({"limit_price": None}, "no_price"),
    ({"limit_price": None, "quantity": 11}, "off_lot"),
    ({"order_id": "there"}, "duplicate_id"),
    ({"order_id": "filled"}, "duplicate_id"),
    ({"order_id": "canceled"}, "duplicate_id"),
    ({"order_id": "expired"}, "duplicate_id"),
]


@both
class TestRefusals:
    def a_book(self, make: MakeBook) -> AnyBook:
        book = opened(
            make,
            local_order("filled", SELL, 10, 100),
            local_order("expired", BUY, 20, 100, IOC),
            local_order("canceled", BUY, 10, 100),
            local_order("there", BUY, 10, 90),
        )
        book.cancel("canceled", 1)
        return book

    @pytest.mark.parametrize(("changes", "code"), REFUSED, ids=str)
    def test_a_bad_order_changes_nothing(self, make: MakeBook, changes: dict[str, Any], code: str) -> None:
        book = self.a_book(make)
        before = book.orders(BUY), book.orders(SELL), book.last_price, book.sequence
        (event,) = book.place(local_order(**({"order_id": "new"} | ACCEPTED | changes)))
        assert isinstance(event, Refused)
        assert (event.code, event.order_id, event.sequence) == (code, changes.get("order_id", "new"), before[3] + 1)
        assert (book.orders(BUY), book.orders(SELL), book.last_price) == before[:3]

    def test_what_was_refused_may_be_placed_again(self, make: MakeBook) -> None:
        book = self.a_book(make)
        book.place(local_order("new", BUY, 11, 100))
        assert shown(book.place(local_order("new", BUY, 10, 100))) == ["new rests 10@100"]

    @pytest.mark.parametrize("limit_price", [80, 109, 110, 115, 120])
    def test_the_edges_of_bands_are_inside(self, make: MakeBook, limit_price: int) -> None:
        assert shown(opened(make).place(local_order("a", BUY, 10, limit_price))) == [f"a rests 10@{limit_price}"]

    def test_a_market_order_is_held_against_the_best_for_its_notional(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", SELL, 10, 99))
        assert shown(book.place(local_order("m", BUY, 4, None, IOC))) == ["m refused: below_notional"]

    def test_another_instrument(self, make: MakeBook) -> None:
        order = replace(local_order("a", BUY, 10, 100), instrument=Instrument.of("ETH", "KRW"))
        assert shown(opened(make).place(order)) == ["a refused: other_instrument"]

    @pytest.mark.parametrize(
        ("state", "order", "code"),
        [
            (HALTED, local_order("a", BUY, 10, 100), "halted"),
            (CLOSED, local_order("a", BUY, 10, 100), "closed"),
            (PRE_OPEN, local_order("a", BUY, 10, 100, IOC), "pre_open"),
            (PRE_OPEN, local_order("a", BUY, 10, 100, FOK), "pre_open"),
            (PRE_OPEN, local_order("a", BUY, 10, None), "pre_open"),
        ],
    )
    def test_the_state_decides_what_is_taken(
        self, make: MakeBook, state: BookState, order: LocalOrder, code: str
    ) -> None:
        assert shown(make(PLAIN, state).place(order)) == [f"a refused: {code}"]

    def test_without_a_maximum_there_is_still_one(self, make: MakeBook) -> None:
        book = make(replace(PLAIN, maximum_quantity=0), OPEN)
        assert shown(book.place(local_order("a", BUY, LARGEST, 100))) == [f"a rests {LARGEST}@100"]
        assert shown(book.place(local_order("b", BUY, LARGEST + 2, 100))) == ["b refused: above_maximum"]


def test_a_refusal_says_what_would_be_right() -> None:
    book = LocalBook(PLAIN, OPEN)
    details: list[tuple[dict[str, Any], str]] = [
        ({"quantity": 11}, "0.011 is no multiple of the lot 0.002; 0.01 and 0.012 are"),
        ({"limit_price": 112}, "112 is no multiple of the tick 5; 110 and 115 are"),
        ({"limit_price": 79}, "a price of 79; now it may be from 80 to 120"),
        ({"quantity": 4, "limit_price": 99}, "price times quantity is 0.396; the least is 0.4"),
    ]
    for changes, detail in details:
        (event,) = book.place(local_order(**({"order_id": "new"} | ACCEPTED | changes)))
        assert isinstance(event, Refused)
        assert event.detail == detail


@both
class TestCancels:
    @pytest.mark.parametrize("state", [OPEN, PRE_OPEN, HALTED, CLOSED])
    def test_are_taken_in_every_state(self, make: MakeBook, state: BookState) -> None:
        book = opened(make, local_order("a", BUY, 10, 100))
        book.turn(state, 2, "")
        assert shown(book.cancel("a", 3)) == ["a left 10: canceled"]
        assert book.levels(BUY) == NO_LEVELS

    def test_carry_their_reason(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", BUY, 10, 100))
        assert shown(book.cancel("a", 2, "drained")) == ["a left 10: drained"]

    def test_of_what_is_not_there_change_nothing(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", BUY, 10, 100))
        book.cancel("a", 2)
        assert shown([*book.cancel("a", 3), *book.cancel("b", 3)]) == [
            "a refused: unknown_order",
            "b refused: unknown_order",
        ]


@both
class TestAmendments:
    def a_book(self, make: MakeBook) -> AnyBook:
        return opened(
            make, local_order("a", BUY, 10, 100), local_order("b", BUY, 10, 100), local_order("s", SELL, 10, 102)
        )

    def test_less_keeps_its_place(self, make: MakeBook) -> None:
        book = self.a_book(make)
        assert shown(book.amend("a", 8, None, 2)) == ["a reduced to 8: amended"]
        assert shown(book.amend("a", 6, 100, 2)) == ["a reduced to 6: amended"]
        assert ids(book, BUY) == ["a", "b"]
        assert book.levels(BUY) == Levels([100], [16])

    def test_more_loses_it(self, make: MakeBook) -> None:
        book = self.a_book(make)
        events = book.amend("a", 12, None, 7)
        assert events == [
            Entered(7, 7, "a", BTC, 12, 100),
            Rested(8, 7, "a", "of a", BTC, BUY, 100, 12, 7),
        ]
        assert ids(book, BUY) == ["b", "a"]

    @pytest.mark.parametrize(("price", "expected"), [(99, ["b", "a"]), (101, ["a", "b"])])
    def test_another_price_loses_it(self, make: MakeBook, price: int, expected: list[str]) -> None:
        book = self.a_book(make)
        assert shown(book.amend("a", 8, price, 2)) == [f"a rests 8@{price}"]
        assert ids(book, BUY) == expected

    def test_may_trade(self, make: MakeBook) -> None:
        book = self.a_book(make)
        assert shown(book.amend("a", 12, 103, 2)) == ["a takes 10@102 of s", "s left 0: filled", "a rests 2@103"]

    @pytest.mark.parametrize(
        ("order_id", "quantity", "price", "code"),
        [
            ("a", None, None, "unchanged"),
            ("a", 10, 100, "unchanged"),
            ("a", 0, None, "not_positive"),
            ("a", 2, None, "below_minimum"),
            ("a", 5, None, "off_lot"),
            ("a", None, 112, "off_tick"),
            ("a", None, 130, "outside_band"),
            ("z", 8, None, "unknown_order"),
        ],
    )
    def test_that_are_bad_change_nothing(
        self, make: MakeBook, order_id: str, quantity: int | None, price: int | None, code: str
    ) -> None:
        book = self.a_book(make)
        before = book.orders(BUY), book.orders(SELL)
        assert shown(book.amend(order_id, quantity, price, 2)) == [f"{order_id} refused: {code}"]
        assert (book.orders(BUY), book.orders(SELL)) == before

    @pytest.mark.parametrize("state", [HALTED, CLOSED])
    def test_are_not_taken_while_nothing_is(self, make: MakeBook, state: BookState) -> None:
        book = self.a_book(make)
        book.turn(state, 2, "")
        assert shown(book.amend("a", 8, None, 3)) == [f"a refused: {state}"]


@both
class TestNewRules:
    def test_hold_for_what_comes(self, make: MakeBook) -> None:
        book = opened(make)
        assert book.set_rules(replace(PLAIN, lot=5, minimum_quantity=5), 2) == []
        assert shown(book.place(local_order("a", BUY, 6, 100))) == ["a refused: off_lot"]
        assert shown(book.place(local_order("b", BUY, 5, 100))) == ["b rests 5@100"]

    def test_make_those_leave_that_they_do_not_know(self, make: MakeBook) -> None:
        book = opened(
            make,
            local_order("low", BUY, 10, 81),
            local_order("odd", BUY, 10, 101),
            local_order("part", BUY, 6, 100),
            local_order("high", SELL, 20, 120),
            local_order("fine", SELL, 20, 102),
        )
        rules = replace(PLAIN, lot=4, ticks=(TickBand(BTC, 0, 2),), price_band_bps=1900, self_trade=SelfTrade.DECREMENT)
        assert shown(book.set_rules(rules, 2)) == [
            "odd left 10: off_lot",
            "part left 6: off_lot",
            "low left 10: off_lot",
            "high left 20: outside_band",
        ]
        assert shown(book.set_rules(replace(rules, ticks=(TickBand(BTC, 0, 5),)), 3)) == ["fine left 20: off_tick"]

    def test_say_so_of_what_is_also_too_large_for_them(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", BUY, 10, 100))
        assert shown(book.set_rules(replace(PLAIN, lot=4, maximum_quantity=8), 2)) == ["a left 10: off_lot"]

    def test_may_leave_less_than_a_minimum(self, make: MakeBook) -> None:
        book = opened(make, local_order("a", BUY, 10, 100))
        assert book.set_rules(replace(PLAIN, minimum_quantity=50, minimum_notional=10**6), 2) == []
        assert ids(book, BUY) == ["a"]


BAD_RULES: list[tuple[dict[str, Any], str]] = [
    ({"ticks": ()}, "ascend from 0"),
    ({"ticks": (TickBand(BTC, 1, 1),)}, "ascend from 0"),
    ({"ticks": (TickBand(BTC, 0, 1), TickBand(BTC, 0, 2))}, "ascend from 0"),
    ({"ticks": (TickBand(BTC, 0, 0),)}, "tick"),
    ({"ticks": (TickBand(BTC, 0, 1), TickBand(BTC, 101, 2))}, "multiple of its tick"),
    ({"lot": 0}, "lot"),
    ({"reference_price": 0}, "reference price"),
    ({"price_band_bps": -1}, "price band"),
]


class TestRulesThatCannotBe:
    @pytest.mark.parametrize(("changes", "text"), BAD_RULES, ids=str)
    def test_make_no_book(self, changes: dict[str, Any], text: str) -> None:
        with pytest.raises(ValueError, match=text):
            LocalBook(replace(PLAIN, **changes))

    @pytest.mark.parametrize(
        ("changes", "text"), [*BAD_RULES, ({"instrument": Instrument.of("ETH", "KRW")}, "ETH/KRW")], ids=str
    )
    def test_are_refused(self, changes: dict[str, Any], text: str) -> None:
        book = LocalBook(PLAIN, OPEN)
        (event,) = book.set_rules(replace(PLAIN, **changes), 2)
        assert isinstance(event, Refused)
        assert (event.order_id, event.code) == ("", "bad_rules")
        assert text in event.detail
        assert book.rules == PLAIN


class TestDocuments:
    def a_book(self) -> LocalBook:
        book = LocalBook(PLAIN, OPEN)
        book.place(local_order("a", SELL, 10, 101, received_ns=5))
        book.place(local_order("b", BUY, 6, 101, received_ns=6))
        book.place(local_order("c", BUY, 8, 99, post_only=True, self_trade=SelfTrade.DECREMENT, received_ns=7))
        return book

    def test_a_restored_book_is_the_same_and_goes_on_the_same(self) -> None:
        book = self.a_book()
        restored = LocalBook.restore(book.document(), Instruments([BTC]))
        assert restored.document() == book.document()
        assert restored.order("c") == book.order("c")
        for one in (book, restored):
            assert shown(one.place(local_order("b", BUY, 8, 99))) == ["b refused: duplicate_id"]
        order = local_order("d", SELL, 8, 99, received_ns=3)
        assert restored.place(order) == book.place(order)
        assert restored.document() == book.document()

    def test_numbers_are_decimal_texts(self) -> None:
        document = self.a_book().document()
        assert document["orders"][0]["quantity"] == "0.008"
        assert (document["last_price"], document["state"]) == ("101", "open")

    @pytest.mark.parametrize(
        ("field", "changes"),
        [
            ("orders", {"quantity": "0"}),
            ("orders", {"quantity": "0.001"}),
            ("orders", {"price": "102"}),
            ("orders", {"price": "200"}),
            ("orders", {"order_id": "b"}),
            ("orders", {"sequence": 99}),
            ("rules", {"lot": "0"}),
        ],
    )
    def test_what_no_book_can_have_written_is_refused(self, field: str, changes: dict[str, Any]) -> None:
        document = self.a_book().document()
        changed = document[field][0] if field == "orders" else document[field]
        changed.update(changes)
        with pytest.raises(DocumentRefused, match=f"LocalPicture.{field}"):
            LocalBook.restore(document, Instruments([BTC]))

    def test_an_order_that_stands_twice_is_refused(self) -> None:
        document = self.a_book().document()
        document["orders"].append(document["orders"][0])
        with pytest.raises(DocumentRefused):
            LocalBook.restore(document, Instruments([BTC]))

    def test_the_rules_have_a_document_of_their_own(self) -> None:
        rules = replace(PLAIN, fees=Fees(5, 10))
        assert LocalBook(rules).document()["rules"] == to_document(rules)


def test_ids_that_ended_are_forgotten_in_the_end() -> None:
    book = LocalBook(PLAIN, OPEN)
    for number in range(3 * ENDED_AT_LEAST):
        book.place(local_order(str(number), BUY, 10, 100, IOC))
    book.check()
    again = 2 * ENDED_AT_LEAST
    assert shown(book.place(local_order(str(again), BUY, 10, 100))) == [f"{again} refused: duplicate_id"]
    assert shown(book.place(local_order("0", BUY, 10, 100))) == ["0 rests 10@100"]
    assert LocalBook.restore(book.document(), Instruments([BTC])).document() == book.document()
