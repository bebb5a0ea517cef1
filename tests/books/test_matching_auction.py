"""The opening auction, by examples worked out by hand, for the book and for its naive twin."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from aggregator.books.auction import clearing_price
from aggregator.books.matching import LocalBook
from aggregator.books.matching_rules import Ticks
from aggregator.domain.book import NO_LEVELS, Levels
from aggregator.domain.instrument import Side
from aggregator.domain.local import BookState, LocalOrder, LocalRules, SelfTrade, StateChanged, TickBand, Traded
from tests.twins.matching import BTC, PLAIN, NaiveLocalBook, local_order, shown

AnyBook = LocalBook | NaiveLocalBook
MakeBook = Callable[..., AnyBook]

BUY, SELL = Side.BUY, Side.SELL
OPEN, PRE_OPEN, HALTED, CLOSED = BookState.OPEN, BookState.PRE_OPEN, BookState.HALTED, BookState.CLOSED

both = pytest.mark.parametrize("make", [LocalBook, NaiveLocalBook])


def before_opening(make: MakeBook, *orders: LocalOrder, rules: LocalRules = PLAIN) -> AnyBook:
    book = make(rules, PRE_OPEN)
    for order in orders:
        assert shown(book.place(order)) == [f"{order.order_id} rests {order.quantity}@{order.limit_price}"]
    return book


def price_of(bids: dict[int, int], asks: dict[int, int], rules: LocalRules = PLAIN) -> int | None:
    """The clearing price of these levels; both contestants must find it."""
    best_first = sorted(bids, reverse=True), sorted(asks)
    columns = [
        Levels(prices, [side[at] for at in prices]) for prices, side in zip(best_first, (bids, asks), strict=True)
    ]
    found = clearing_price(columns[0], columns[1], rules.reference_price, Ticks(rules))
    naive = NaiveLocalBook(rules, PRE_OPEN)
    for side, levels in ((BUY, bids), (SELL, asks)):
        for at, quantity in levels.items():
            naive.place(local_order(f"{side}{at}", side, quantity, at))
    assert naive._clearing_price() == found
    return found


class TestThePrice:
    def test_lets_the_greatest_quantity_trade(self) -> None:
        # At 101: 30 are bought and 40 sold, 30 trade. At 102: 20 against 60, 20 trade. At 100: 40 against 10, 10 trade.
        assert price_of({102: 20, 101: 10, 100: 10}, {100: 10, 101: 30, 102: 20}) == 101

    def test_then_leaves_the_least_over(self) -> None:
        # 20 trade at every price from 100 to 103. At 103: 20 against 30. At 102 and 101: 20 against 20. At 100: 30
        # against 20. Of 101 and 102 the one nearer to 100 is 101.
        assert price_of({103: 20, 100: 10}, {100: 20, 103: 10}) == 101

    @pytest.mark.parametrize(("reference", "expected"), [(95, 98), (98, 98), (101, 101), (104, 104), (110, 104)])
    def test_then_is_the_nearest_to_the_reference(self, reference: int, expected: int) -> None:
        # 10 trade everywhere from 98 to 104, and nothing is left over.
        assert price_of({104: 10}, {98: 10}, replace(PLAIN, reference_price=reference)) == expected

    def test_is_on_the_tick_between_two_limits(self) -> None:
        rules = replace(PLAIN, ticks=(TickBand(BTC, 0, 4),), reference_price=98)
        assert price_of({108: 10}, {88: 10}, rules) == 96, "100 is as far; the lower one is taken"
        assert price_of({108: 10}, {88: 10}, replace(rules, reference_price=99)) == 100

    def test_knows_where_the_ticks_change(self) -> None:
        rules = replace(PLAIN, ticks=(TickBand(BTC, 0, 7), TickBand(BTC, 110, 10)), reference_price=109)
        assert price_of({120: 10}, {105: 10}, rules) == 110, "after 105 comes 110, where the next band begins"

    def test_between_limits_may_leave_less_over_than_at_them(self) -> None:
        # 10 trade at 99, 100 and 101. At 99: 16 against 10. Between 99 and 101: 10 against 10. At 101: 10 against 16.
        assert price_of({101: 10, 99: 6}, {99: 10, 101: 6}) == 100

    def test_is_none_when_nothing_reaches_anything(self) -> None:
        assert price_of({99: 10}, {100: 10}) is None
        assert price_of({99: 10}, {}) is None
        assert price_of({}, {}) is None

    def test_when_best_bid_and_best_ask_are_one(self) -> None:
        assert price_of({100: 10, 99: 50}, {100: 4, 101: 50}) == 100


@both
class TestTheOpening:
    def test_trades_at_one_price_by_price_then_time(self, make: MakeBook) -> None:
        book = before_opening(
            make,
            local_order("b1", BUY, 10, 102),
            local_order("s1", SELL, 30, 100),
            local_order("b2", BUY, 10, 104),
            local_order("b3", BUY, 20, 102),
            local_order("s2", SELL, 10, 103),
            local_order("b4", BUY, 10, 99),
        )
        # At 100, 101 and 102: 40 against 30. At 103: 10 against 40. Nearest to 100 is 100. b2 has the best price; b1
        # came before b3; who came first counts as the maker.
        assert shown(book.turn(OPEN, 9, "calendar")) == [
            "pre_open -> open: calendar",
            "b2 takes 10@100 of s1",
            "b2 left 0: filled",
            "s1 takes 10@100 of b1",
            "b1 left 0: filled",
            "b3 takes 10@100 of s1",
            "s1 left 0: filled",
        ]
        assert book.last_price == 100
        assert book.levels(BUY) == Levels([102, 99], [10, 10])
        assert book.levels(SELL) == Levels([103], [10])
        book.check()

    def test_marks_its_trades(self, make: MakeBook) -> None:
        book = before_opening(make, local_order("s", SELL, 10, 100), local_order("b", BUY, 14, 101))
        changed, traded, left = book.turn(OPEN, 9, "calendar")
        assert changed == StateChanged(5, 9, BTC, PRE_OPEN, OPEN, "calendar")
        assert traded == Traded(6, 9, BTC, "s", "b", "of s", "of b", BUY, 100, 10, 0, 4, is_auction=True)
        assert left.sequence == book.sequence == 7

    def test_what_is_left_keeps_its_place(self, make: MakeBook) -> None:
        book = before_opening(
            make, local_order("b", BUY, 20, 100), local_order("c", BUY, 10, 100), local_order("s", SELL, 10, 100)
        )
        book.turn(OPEN, 9, "")
        assert [(order.order_id, order.quantity) for order in book.orders(BUY)] == [("b", 10), ("c", 10)]

    def test_trades_nothing_when_nothing_reaches_anything(self, make: MakeBook) -> None:
        book = before_opening(make, local_order("b", BUY, 10, 99), local_order("s", SELL, 10, 100))
        assert shown(book.turn(OPEN, 9, "")) == ["pre_open -> open: "]
        assert (book.best(BUY), book.best(SELL), book.last_price) == (99, 100, None)

    def test_finds_what_a_halt_left_crossed(self, make: MakeBook) -> None:
        book = before_opening(make, local_order("b", BUY, 10, 101), local_order("s", SELL, 10, 99))
        assert shown(book.turn(HALTED, 7, "news")) == ["pre_open -> halted: news"]
        assert shown(book.turn(OPEN, 9, "over"))[1:] == [
            "s takes 10@100 of b",
            "b left 0: filled",
            "s left 0: filled",
        ]

    def test_a_post_only_order_may_be_in_it(self, make: MakeBook) -> None:
        book = before_opening(make, local_order("s", SELL, 10, 100), local_order("p", BUY, 10, 100, post_only=True))
        assert "p takes 10@100 of s" in shown(book.turn(OPEN, 9, ""))

    def test_amendments_before_it_do_not_trade(self, make: MakeBook) -> None:
        book = before_opening(make, local_order("s", SELL, 10, 101), local_order("b", BUY, 10, 99))
        assert shown(book.amend("b", None, 101, 5)) == ["b rests 10@101"]
        assert (book.best(BUY), book.best(SELL)) == (101, 101)

    def test_turning_to_what_it_is_says_nothing(self, make: MakeBook) -> None:
        book = make(PLAIN, OPEN)
        assert book.turn(OPEN, 9, "again") == []
        assert book.sequence == 0

    def test_what_rests_is_there_after_the_night(self, make: MakeBook) -> None:
        book = make(PLAIN, OPEN)
        book.place(local_order("b", BUY, 10, 99))
        assert shown([*book.turn(CLOSED, 7, "close"), *book.turn(PRE_OPEN, 8, "calendar")]) == [
            "open -> closed: close",
            "closed -> pre_open: calendar",
        ]
        book.place(local_order("s", SELL, 10, 98))
        assert "s takes 10@99 of b" in shown(book.turn(OPEN, 9, ""))


@both
class TestOwnOrders:
    """Account x bids 10 at 102, then asks 16 at 100; y asks 10 at 101 and bids 10 at 100."""

    def opening(self, make: MakeBook, way: SelfTrade) -> tuple[AnyBook, list[str]]:
        book = before_opening(
            make,
            local_order("xb", BUY, 10, 102, account="x", self_trade=SelfTrade.CANCEL_BOTH),
            local_order("ys", SELL, 10, 101, account="y"),
            local_order("xs", SELL, 16, 100, account="x", self_trade=way),
            local_order("yb", BUY, 10, 100, account="y"),
        )
        return book, shown(book.turn(OPEN, 9, ""))[1:]

    def test_cancel_newest(self, make: MakeBook) -> None:
        _, events = self.opening(make, SelfTrade.CANCEL_NEWEST)
        assert events == ["xs left 16: self_trade", "ys takes 10@101 of xb", "xb left 0: filled", "ys left 0: filled"]

    def test_cancel_oldest(self, make: MakeBook) -> None:
        book, events = self.opening(make, SelfTrade.CANCEL_OLDEST)
        assert events == ["xb left 10: self_trade", "yb takes 10@100 of xs", "yb left 0: filled"]
        assert book.levels(SELL) == Levels([100, 101], [6, 10])

    def test_cancel_both(self, make: MakeBook) -> None:
        book, events = self.opening(make, SelfTrade.CANCEL_BOTH)
        assert events == ["xb left 10: self_trade", "xs left 16: self_trade"]
        assert (book.best(BUY), book.best(SELL)) == (100, 101)

    def test_decrement(self, make: MakeBook) -> None:
        book, events = self.opening(make, SelfTrade.DECREMENT)
        assert events == [
            "xb left 10: self_trade",
            "xs reduced to 6: self_trade",
            "yb takes 6@100 of xs",
            "xs left 0: filled",
        ]
        assert book.levels(BUY) == Levels([100], [4])

    def test_the_best_of_several_is_met_first(self, make: MakeBook) -> None:
        book = before_opening(
            make,
            local_order("low", BUY, 10, 100, account="x"),
            local_order("high", BUY, 10, 102, account="x"),
            local_order("s", SELL, 16, 100, account="x", self_trade=SelfTrade.DECREMENT),
        )
        assert shown(book.turn(OPEN, 9, ""))[1:] == [
            "high left 10: self_trade",
            "s reduced to 6: self_trade",
            "low reduced to 4: self_trade",
            "s left 6: self_trade",
        ]
        assert (book.levels(BUY), book.levels(SELL)) == (Levels([100], [4]), NO_LEVELS)
