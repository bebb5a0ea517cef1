"""What went wrong elsewhere with orders, each as a test named after what it protects. The numbers are the lessons'."""

from dataclasses import replace
from typing import Any

from aggregator.domain.effects import Alarm, AskChild, CancelChild, Effect, PlaceChild, RequestAnswered
from aggregator.domain.events import BookSnapshot, ListingsRead
from aggregator.domain.instrument import Listing, Side
from aggregator.domain.lifecycle import ChildState, Word
from aggregator.domain.order import (
    ChildOrder,
    ChildTerms,
    Fill,
    Liquidity,
    OrderType,
    ParentOrder,
    ParentState,
    TimeInForce,
    base_money,
    quote_money,
)
from aggregator.domain.order_events import (
    About,
    AccountStream,
    AmendRequested,
    Balance,
    BalancesRead,
    CancelAllRequested,
    CancelRequested,
    ExecutionReport,
    FillReported,
    HaltSwitched,
    OpenOrdersRead,
    OrderEvent,
    OrderRequested,
    RiskLimits,
    Started,
    Timer,
)
from aggregator.engine.engine import Engine
from aggregator.routing.execution import GRACE_NS
from tests.engine.plain_venues import BTC, MS, ONE, SECOND, START_NS, VENUES, engine_with_books, order_terms
from tests.twins.listings import levels

GTC: dict[str, Any] = {"type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "limit_price": BTC.price("50000")}


class Desk:
    """An engine whose venues say only what the test says, one millisecond after the other."""

    def __init__(self, limits: RiskLimits | None = None, engine: Engine | None = None) -> None:
        self.engine = engine or engine_with_books(START_NS)
        self.now_ns = START_NS
        self.effects: list[Effect] = []
        self.tell(Started(0, "abc123", VENUES, {"*": limits} if limits else {}))
        for venue in VENUES:
            plenty = {
                "BTC": Balance(base_money(BTC, 1000 * ONE), 0),
                "USDT": Balance(quote_money(BTC, BTC.notional("1e8")), 0),
            }
            self.tell(BalancesRead(venue, 0, plenty), OpenOrdersRead(venue, 0, ()))
            self.tell(AccountStream(venue, 0, is_live=True))

    def tell(self, *events: OrderEvent) -> list[Effect]:
        told: list[Effect] = []
        for event in events:
            self.now_ns += MS
            stamped = Timer(self.now_ns) if isinstance(event, Timer) else replace(event, received_ns=self.now_ns)
            told += self.engine.apply(stamped)
        self.effects += told
        return told

    def order(self, client_order_id: str = "c1", quantity: str = "1", **terms: Any) -> ParentOrder:
        self.tell(OrderRequested(0, order_terms(client_order_id, quantity, **terms)))
        parent = self.engine.orders.find("desk", client_order_id)
        assert parent is not None
        return parent

    def later(self, seconds: int) -> list[Effect]:
        """Let time pass, with the timers that are due."""
        end_ns, told = self.now_ns + seconds * SECOND, []
        while (wake_ns := self.engine.orders.wake_at_ns()) is not None and wake_ns <= end_ns:
            self.now_ns = max(self.now_ns, wake_ns)
            told += self.tell(Timer(0))
        self.now_ns = end_ns
        return told

    def answer(self) -> RequestAnswered:
        return [effect for effect in self.effects if isinstance(effect, RequestAnswered)][-1]


def report(child: ChildOrder | ChildTerms, word: Word, about: About, executed: int | None = None) -> ExecutionReport:
    terms = child.terms if isinstance(child, ChildOrder) else child
    return ExecutionReport(terms.venue, terms.child_id, BTC, 0, word, about, word.value, executed)


def fill(child: ChildOrder, quantity: int, fill_id: str = "f1", fee: int = 0, asset: str = "BTC") -> FillReported:
    terms = child.terms
    return FillReported(
        0,
        Fill(
            terms.venue, terms.child_id, BTC, fill_id, terms.side, terms.limit_price, quantity, fee, asset,
            Liquidity.TAKER, 0, 0,
        ),
    )  # fmt: skip


def placed(effects: list[Effect]) -> list[str]:
    return [effect.terms.venue for effect in effects if isinstance(effect, PlaceChild)]


def state(child: ChildOrder) -> ChildState:
    """As it is now: a type checker takes an attribute for what it was."""
    return child.state


def only_child(parent: ParentOrder) -> ChildOrder:
    (child,) = parent.children.values()
    return child


def test_row_11_a_venue_that_rejects_is_left_alone_longer_each_time() -> None:
    desk = Desk()
    sent = 0
    for number in range(5000):
        parent = desk.order(f"c{number}", "0.1", venues=("alpha",))
        for child in parent.live_children:
            sent += 1
            desk.tell(report(child, Word.REJECTED, About.PLACE))
        desk.now_ns += SECOND // 10
    assert sent <= 20, "an order every tenth of a second for 500 s, and a venue that rejects everything"
    assert "backing off" in str(parent.plans[0]["excluded"])


def test_row_11_orders_faster_than_the_limit_are_refused() -> None:
    desk = Desk(RiskLimits(orders_per_second=5))
    codes = [desk.order(f"c{number}", "0.1").code for number in range(8)]
    assert codes == [""] * 5 + ["risk_rate"] * 3


def test_row_12_a_timeout_is_neither_a_rejection_nor_a_reason_to_send_again() -> None:
    desk = Desk()
    parent = desk.order(quantity="1")
    child = only_child(parent)
    told = desk.tell(report(child, Word.IN_DOUBT, About.PLACE))
    assert state(child) is ChildState.UNKNOWN and parent.is_open and parent.reserved == ONE
    assert [effect for effect in told if isinstance(effect, AskChild)], "the venue is asked, by our id"
    assert not placed(desk.later(3600)), "and nothing is sent however long it takes"
    desk.tell(report(child, Word.ENDED, About.ASK, ONE), fill(child, ONE))
    assert (parent.state, child.state) == (ParentState.FILLED, ChildState.FILLED)


def test_row_13_one_answer_that_there_is_no_such_order_is_not_believed() -> None:
    desk = Desk()
    parent = desk.order(quantity="1")
    child = only_child(parent)
    desk.tell(report(child, Word.RECEIVED, About.PLACE), report(child, Word.MISSING, About.ASK))
    assert state(child) is ChildState.UNKNOWN and parent.reserved == ONE
    desk.tell(report(child, Word.MISSING, About.ASK), report(child, Word.MISSING, About.ASK))
    assert state(child) is ChildState.UNKNOWN, "three answers agree, but within the grace window"
    desk.tell(report(child, Word.WORKING, About.ASK, 0))
    assert state(child) is ChildState.WORKING, "there it is"


def test_row_13_agreeing_answers_after_the_grace_window_are_believed() -> None:
    desk = Desk()
    parent = desk.order(quantity="1")
    child = only_child(parent)
    desk.tell(report(child, Word.IN_DOUBT, About.PLACE))
    desk.now_ns += GRACE_NS
    desk.tell(report(child, Word.MISSING, About.ASK), report(child, Word.MISSING, About.ASK))
    assert state(child) is ChildState.UNKNOWN, "two answers are too few"
    told = desk.tell(report(child, Word.MISSING, About.ASK))
    assert state(child) is ChildState.MISSING and parent.is_open
    assert placed(told), "what it should have bought is planned again"


def test_row_14_after_a_restart_nothing_new_leaves_before_every_venue_is_reconciled() -> None:
    before = Desk()
    child = only_child(before.order(quantity="1"))
    desk = Desk.__new__(Desk)
    desk.engine, desk.now_ns, desk.effects = before.engine, before.now_ns, []
    told = desk.tell(Started(0, "abc123", VENUES))
    assert state(child) is ChildState.UNKNOWN
    assert [effect.terms.child_id for effect in told if isinstance(effect, AskChild)] == [child.terms.child_id]
    assert desk.order("c2").code == "reconciling" and not placed(desk.effects)
    for venue in VENUES:
        desk.tell(BalancesRead(venue, 0, {}), OpenOrdersRead(venue, 0, ()))
    assert desk.order("c3").code == "reconciling", "a child is still in doubt"
    desk.tell(report(child, Word.ENDED, About.ASK, 0))
    assert desk.order("c4").code == "" and placed(desk.effects)


def test_row_14_a_venue_that_stays_away_after_a_restart_is_left_out_and_does_not_stop_the_others() -> None:
    desk = Desk.__new__(Desk)
    desk.engine, desk.now_ns, desk.effects = engine_with_books(START_NS), START_NS, []
    desk.tell(Started(0, "abc123", VENUES))
    plenty = {"USDT": Balance(quote_money(BTC, BTC.notional("1e8")), 0)}
    for venue in ("beta", "gamma"):
        desk.tell(BalancesRead(venue, 0, plenty), OpenOrdersRead(venue, 0, ()))
    assert desk.order("c1").code == "reconciling"
    desk.later(31)
    parent = desk.order("c2")
    assert set(placed(desk.effects)) <= {"beta", "gamma"} and placed(desk.effects)
    assert parent.plans[0]["excluded"]["alpha"].startswith("not reconciled")


def test_row_14_a_fill_is_counted_once_however_often_it_is_told() -> None:
    desk = Desk()
    parent = desk.order(quantity="1")
    child = only_child(parent)
    desk.tell(*[fill(child, ONE // 2)] * 5, fill(child, ONE // 4, "f2"))
    assert (child.filled, parent.filled) == (ONE * 3 // 4,) * 2


def test_row_14_a_word_that_cannot_be_true_changes_nothing_and_raises_an_alarm() -> None:
    desk = Desk()
    child = only_child(desk.order(quantity="1", **GTC))
    desk.tell(report(child, Word.WORKING, About.PLACE, 0))
    told = desk.tell(report(child, Word.NOT_SENT, About.PLACE))
    assert state(child) is ChildState.WORKING
    assert [effect.code for effect in told if isinstance(effect, Alarm)] == ["contradiction"]


def test_row_15_how_an_immediate_order_ends_follows_from_what_was_filled() -> None:
    for word in ("CANCELED", "EXPIRED", "FILLED", "closed", "partial-canceled"):
        desk = Desk()
        parent = desk.order(quantity="1", venues=("alpha",))
        child = only_child(parent)
        desk.tell(replace(report(child, Word.ENDED, About.PLACE, ONE // 4), raw=word), fill(child, ONE // 4))
        assert (child.state, child.venue_word, child.filled) == (ChildState.PARTLY_FILLED, word, ONE // 4)


def test_row_15_an_end_waits_for_the_fills_that_it_speaks_of() -> None:
    desk = Desk()
    parent = desk.order(quantity="1", venues=("alpha",))
    child = only_child(parent)
    desk.tell(report(child, Word.ENDED, About.STREAM, ONE))
    assert state(child) is ChildState.SETTLING and parent.is_open
    desk.tell(fill(child, ONE))
    assert state(child) is ChildState.FILLED and not parent.is_open


def test_row_20_a_fee_in_the_base_asset_makes_the_received_quantity_smaller() -> None:
    desk = Desk()
    parent = desk.order(quantity="1", venues=("alpha",))
    child = only_child(parent)
    thousandth = base_money(BTC, ONE) // 1000
    before = desk.engine.orders.state.venues["alpha"].expected["BTC"]
    desk.tell(fill(child, ONE, fee=thousandth))
    assert parent.filled == ONE and parent.fees == {"BTC": thousandth}
    assert desk.engine.orders.state.venues["alpha"].expected["BTC"] == before + base_money(BTC, ONE) - thousandth


def test_row_20_a_fee_in_a_third_asset_touches_neither_side() -> None:
    desk = Desk()
    parent = desk.order(quantity="1", venues=("alpha",))
    child = only_child(parent)
    desk.tell(fill(child, ONE, fee=7, asset="BNB"))
    expected = desk.engine.orders.state.venues["alpha"].expected
    assert expected["BNB"] == -7 and expected["BTC"] == base_money(BTC, 1001 * ONE)


def test_row_25_without_a_rate_a_book_in_another_quote_takes_no_part() -> None:
    desk = Desk()
    in_usd = replace(BTC, name="BTC/USD", quote="USD")
    desk.engine.apply(ListingsRead("delta", START_NS, [Listing("delta", "BTCUSD", in_usd)]))
    desk.engine.apply(BookSnapshot("delta", "BTC/USD", START_NS, START_NS, levels({50000: 9}), levels({50001: 9})))
    parent = desk.order(quantity="1")
    assert {(child["venue"], child["quote"]) for child in parent.plans[0]["children"]} == {("alpha", "USDT")}


def test_row_26_what_is_pending_is_not_planned_on_again() -> None:
    desk = Desk()
    first = desk.order("c1", "1", venues=("alpha",))
    second = desk.order("c2", "1", venues=("alpha",))
    assert only_child(second).terms.limit_price > only_child(first).terms.limit_price, "the best level is spoken for"


def test_row_30_cancel_all_sends_every_cancel_at_once_and_reports_each() -> None:
    desk = Desk()
    parents = [desk.order(f"c{number}", "1", **GTC) for number in range(6)]
    for parent in parents:
        desk.tell(report(only_child(parent), Word.WORKING, About.PLACE, 0))
    told = desk.tell(CancelAllRequested(0, "desk"))
    assert desk.answer().order_ids == tuple(parent.order_id for parent in parents)
    assert sum(isinstance(effect, CancelChild) for effect in told) == 6
    # One refuses, one is lost, the others end: each by itself.
    for number, parent in enumerate(parents):
        child = only_child(parent)
        if number == 0:
            desk.tell(report(child, Word.REJECTED, About.CANCEL))
        elif number == 1:
            desk.tell(report(child, Word.IN_DOUBT, About.CANCEL))
        else:
            desk.tell(report(child, Word.ENDED, About.STREAM, 0))
    assert [parent.state for parent in parents] == [ParentState.CANCELING] * 2 + [ParentState.UNFILLED] * 4
    for parent in parents[:2]:
        told = desk.tell(report(only_child(parent), Word.WORKING, About.ASK, 0))
        assert [effect for effect in told if isinstance(effect, CancelChild)], "asked, still there: canceled again"
        desk.tell(report(only_child(parent), Word.ENDED, About.CANCEL, 0))
    assert not desk.engine.orders.state.open


def test_fill_or_kill_is_refused_unless_the_plan_covers_it() -> None:
    desk = Desk()
    fok: dict[str, Any] = {"type": OrderType.LIMIT, "time_in_force": TimeInForce.FOK, "limit_price": BTC.price("60001")}
    refused = desk.order("c1", "2", **fok)
    assert (refused.state, refused.code) == (ParentState.REJECTED, "fok_not_covered") and not refused.children
    taken = desk.order("c2", "1", **fok)
    assert only_child(taken).terms.time_in_force is TimeInForce.FOK


def test_what_a_race_leaves_of_a_fill_or_kill_is_reported_and_not_planned_again() -> None:
    desk = Desk()
    parent = desk.order("c1", "3", type=OrderType.LIMIT, time_in_force=TimeInForce.FOK, limit_price=BTC.price("60002"))
    first, second = parent.children.values()
    desk.tell(fill(first, first.terms.quantity), report(second, Word.ENDED, About.PLACE, 0))
    assert (parent.state, parent.filled, len(parent.children)) == (ParentState.PARTLY_FILLED, 2 * ONE, 2)


def test_what_rests_is_swept_first_and_then_rests_where_it_costs_least() -> None:
    desk = Desk()
    parent = desk.order("c1", "3", **{**GTC, "limit_price": BTC.price("60001")})
    (taker,) = parent.children.values()
    assert (taker.terms.venue, taker.terms.quantity, taker.terms.time_in_force) == ("alpha", ONE, TimeInForce.IOC)
    told = desk.tell(report(taker, Word.ENDED, About.PLACE, 0))
    # The book still shows what the child did not get: it is tried again within the rounds, then the rest rests.
    while placed(told) and (child := list(parent.children.values())[-1]).terms.time_in_force is TimeInForce.IOC:
        told = desk.tell(report(child, Word.ENDED, About.PLACE, 0))
    assert parent.rounds <= 8


def test_post_only_never_takes() -> None:
    desk = Desk()
    parent = desk.order("c1", "1", **{**GTC, "limit_price": BTC.price("60000"), "post_only": True})
    child = only_child(parent)
    assert child.terms.post_only and child.terms.limit_price == BTC.price("60000")
    crossing = desk.order("c2", "1", **{**GTC, "limit_price": BTC.price("60500"), "post_only": True})
    assert (crossing.state, crossing.code) == (ParentState.REJECTED, "cannot_rest")


def test_an_amended_order_goes_on_under_its_new_terms_when_the_old_child_has_ended() -> None:
    desk = Desk()
    parent = desk.order("c1", "2", **GTC)
    child = only_child(parent)
    desk.tell(report(child, Word.WORKING, About.PLACE, 0), fill(child, ONE // 2))
    told = desk.tell(AmendRequested(0, "desk", parent.order_id, BTC, ONE, BTC.price("51000")))
    assert [type(effect) for effect in told if isinstance(effect, PlaceChild | CancelChild)] == [CancelChild]
    told = desk.tell(report(child, Word.ENDED, About.STREAM, ONE // 2))
    second = list(parent.children.values())[-1]
    assert placed(told) and (second.terms.quantity, second.terms.limit_price) == (ONE // 2, BTC.price("51000"))
    desk.tell(AmendRequested(0, "desk", parent.order_id, BTC, ONE // 2))
    assert desk.answer().code == "not_amendable", "as much is filled already"


def test_a_halt_lets_nothing_new_leave_and_lets_cancels_through() -> None:
    desk = Desk()
    parent = desk.order("c1", "1", **GTC)
    desk.tell(report(only_child(parent), Word.WORKING, About.PLACE, 0))
    desk.tell(HaltSwitched(0, is_halted=True, by="operator", reason="drill"))
    assert desk.order("c2").code == "halted"
    told = desk.tell(CancelRequested(0, "desk", parent.order_id))
    assert [effect for effect in told if isinstance(effect, CancelChild)]
    desk.tell(HaltSwitched(0, is_halted=False, by="operator"))
    assert desk.order("c3").code == ""


def test_a_halt_stops_what_would_have_been_planned_again() -> None:
    desk = Desk()
    parent = desk.order("c1", "2", venues=("alpha",))
    desk.tell(HaltSwitched(0, is_halted=True, by="operator", reason="drill"))
    child = only_child(parent)
    told = desk.tell(report(child, Word.ENDED, About.PLACE, ONE), fill(child, ONE))
    assert not placed(told) and parent.state is ParentState.PARTLY_FILLED and "halted" in parent.reason


def test_the_same_client_order_id_gets_the_first_answer_and_another_order_under_it_is_refused() -> None:
    desk = Desk()
    parent = desk.order("c1", "1")
    assert placed(desk.tell(OrderRequested(0, order_terms("c1", "1")))) == []
    assert desk.answer() == RequestAnswered((parent.order_id,))
    desk.tell(OrderRequested(0, order_terms("c1", "2")))
    assert desk.answer().code == "duplicate_client_order_id"
    desk.tell(OrderRequested(0, order_terms("c1", "2", account="other")))
    assert desk.answer().code == "", "ids are the account's own"


def test_nobody_can_touch_another_accounts_order() -> None:
    desk = Desk()
    parent = desk.order("c1", "1", **GTC)
    desk.tell(CancelRequested(0, "other", parent.order_id))
    assert (desk.answer().code, parent.state) == ("unknown_order", ParentState.WORKING)


def test_a_fill_after_the_end_is_booked_and_raises_an_alarm() -> None:
    desk = Desk()
    parent = desk.order("c1", "1", venues=("alpha",))
    child = only_child(parent)
    desk.tell(report(child, Word.REJECTED, About.PLACE))
    assert parent.state is ParentState.UNFILLED
    told = desk.tell(fill(child, ONE // 2))
    assert parent.filled == ONE // 2 and [effect.code for effect in told if isinstance(effect, Alarm)] == ["revived"]
    assert [effect for effect in told if isinstance(effect, AskChild)] and parent.is_open
    desk.tell(report(child, Word.ENDED, About.ASK, ONE // 2))
    assert (child.state, parent.state) == (ChildState.PARTLY_FILLED, ParentState.PARTLY_FILLED)


def test_balances_that_differ_from_our_fills_raise_an_alarm() -> None:
    desk = Desk()
    desk.later(61)
    told = desk.tell(BalancesRead("alpha", 0, {"BTC": Balance(base_money(BTC, 999 * ONE), 0)}))
    codes = [effect.code for effect in told if isinstance(effect, Alarm)]
    assert codes == ["balance_differs", "balance_differs"], "a coin less, and all the USDT"


def test_orders_that_are_not_ours_are_told_and_left_alone() -> None:
    desk = Desk()
    told = desk.tell(OpenOrdersRead("alpha", 0, (), ("4711",)))
    assert [effect.code for effect in told if isinstance(effect, Alarm)] == ["foreign_orders"]
    assert not [effect for effect in told if isinstance(effect, CancelChild)]


def test_a_sell_is_a_buys_mirror_in_balances() -> None:
    desk = Desk()
    parent = desk.order("c1", "1", side=Side.SELL, venues=("alpha",))
    child = only_child(parent)
    desk.tell(fill(child, ONE, fee=5, asset="USDT"))
    expected = desk.engine.orders.state.venues["alpha"].expected
    assert expected["BTC"] == base_money(BTC, 999 * ONE)
    gained = quote_money(BTC, child.terms.limit_price * ONE) - 5
    assert expected["USDT"] == quote_money(BTC, BTC.notional("1e8")) + gained
