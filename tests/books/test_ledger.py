"""The ledger: every change is balanced, whole or not at all, and nobody has less than nothing."""

from collections.abc import Callable

import pytest

from aggregator.books.ledger import Ledger
from aggregator.books.ledger_refusals import LedgerRefused
from aggregator.books.settlement import CUSTODY, FEES, HOUSE, Entry, trade_fees
from aggregator.domain.errors import BrokenInvariant, DocumentRefused
from aggregator.domain.instrument import Fees, Instrument, Instruments, Side
from aggregator.domain.local import Traded
from aggregator.domain.numbers import parse_decimal
from aggregator.domain.order import ASSET_DECIMALS, Fill, Liquidity
from aggregator.domain.order_events import LedgerAct, LedgerRequested
from aggregator.domain.plan import NET_ONE, Rate

BTC = Instrument.of("BTC", "KRW")
DOLLARS = Instrument.of("BTC", "USDT")
FEE = Fees(40_000, 50_000)
"""0.04 % and 0.05 %."""


def money(text: str) -> int:
    return -money(text[1:]) if text.startswith("-") else parse_decimal(text, ASSET_DECIMALS)


@pytest.fixture
def ledger() -> Ledger:
    """Ann has won, Bob has bitcoin, and custody holds both."""
    made = Ledger()
    for account in ("ann", "bob"):
        made.open_account(account)
    made.count_custody("KRW", money("200000000"))
    made.count_custody("BTC", money("3"))
    made.credit("ann", "KRW", money("100000000"))
    made.credit("bob", "BTC", money("2"))
    return made


def traded(price: str, quantity: str, taker_side: Side = Side.BUY, maker: str = "bob", taker: str = "ann") -> Traded:
    return Traded(
        1, 1, BTC, f"{maker}-1", f"{taker}-1", maker, taker, taker_side, BTC.price(price), BTC.quantity(quantity), 0, 0
    )


def fill(side: Side, price: str, quantity: str, fee: str = "0", asset: str = "USDT", of: Instrument = DOLLARS) -> Fill:
    numbers = of.price(price), of.quantity(quantity), money(fee)
    return Fill("binance", "child", of, "7", side, *numbers, asset, Liquidity.TAKER, 0, 0)


def hold(ledger: Ledger, account: str, side: Side, quantity: str, price: str, of: Instrument = BTC) -> None:
    ledger.hold(f"{account}-1", account, of, side, of.quantity(quantity), of.price(price), FEE.taker)


def refused(ledger: Ledger, code: str, change: Callable[[], object]) -> str:
    """The change is refused with this code, and nothing is otherwise than before."""
    before = ledger.document()
    with pytest.raises(LedgerRefused) as refusal:
        change()
    assert refusal.value.code == code
    assert ledger.document() == before
    ledger.check()
    return str(refusal.value)


class TestMoneyInAndOut:
    def test_a_credit_comes_from_custody(self, ledger: Ledger) -> None:
        posting = ledger.credit("ann", "KRW", money("1.5"))
        assert posting == (Entry("ann", "KRW", money("1.5")), Entry(CUSTODY, "KRW", money("-1.5")))
        assert ledger.total("ann", "KRW") == money("100000001.5")
        assert ledger.owned("KRW") == money("100000001.5")
        ledger.check()

    def test_no_credit_goes_beyond_what_custody_holds(self, ledger: Ledger) -> None:
        text = refused(ledger, "custody_exceeded", lambda: ledger.credit("ann", "BTC", money("1") + 1))
        assert text.startswith("accounts would own 3.0000")
        assert text.endswith("1 BTC, but custody holds 3; count custody again once the money is there")
        ledger.credit("ann", "BTC", money("1"))
        refused(ledger, "custody_exceeded", lambda: ledger.credit("bob", "BTC", 1))
        refused(ledger, "custody_exceeded", lambda: ledger.credit("bob", "USDT", 1))

    def test_a_debit_leaves_custody_with_so_much_less(self, ledger: Ledger) -> None:
        ledger.debit("bob", "BTC", money("2"))
        assert (ledger.owned("BTC"), ledger.counted("BTC")) == (0, money("1"))
        refused(ledger, "custody_exceeded", lambda: ledger.credit("bob", "BTC", money("2")))
        assert ledger.assets("bob") == ()

    def test_nobody_takes_out_more_than_is_free(self, ledger: Ledger) -> None:
        hold(ledger, "bob", Side.SELL, "1.5", "90000000")
        text = refused(ledger, "insufficient_funds", lambda: ledger.debit("bob", "BTC", money("0.6")))
        assert text == "bob has 0.5 BTC free, 0.6 is needed; credit it, or ask for less"
        ledger.debit("bob", "BTC", money("0.5"))

    def test_what_custody_does_not_hold_cannot_leave_it(self, ledger: Ledger) -> None:
        ledger.count_custody("BTC", money("1"))
        refused(ledger, "custody_exceeded", lambda: ledger.debit("bob", "BTC", money("1.5")))

    def test_a_count_below_what_is_owned_is_shown_and_stops_credits(self, ledger: Ledger) -> None:
        assert ledger.shortage("BTC") == 0
        ledger.count_custody("BTC", money("1.25"))
        assert ledger.shortage("BTC") == money("0.75")
        refused(ledger, "custody_exceeded", lambda: ledger.credit("ann", "BTC", 1))
        ledger.count_custody("BTC", money("2.5"))
        ledger.credit("ann", "BTC", money("0.5"))

    def test_a_transfer_moves_what_is_free(self, ledger: Ledger) -> None:
        ledger.transfer("bob", "ann", "BTC", money("0.5"))
        assert (ledger.total("bob", "BTC"), ledger.total("ann", "BTC")) == (money("1.5"), money("0.5"))
        refused(ledger, "insufficient_funds", lambda: ledger.transfer("bob", "ann", "BTC", money("1.6")))
        assert ledger.transfer("bob", "bob", "BTC", money("1")) != ()
        assert ledger.total("bob", "BTC") == money("1.5")

    @pytest.mark.parametrize("figure", [0, -1])
    def test_nothing_is_no_money(self, ledger: Ledger, figure: int) -> None:
        for change in (ledger.credit, ledger.debit):
            refused(ledger, "bad_money", lambda change=change: change("ann", "KRW", figure))  # type: ignore[misc]
        refused(ledger, "bad_money", lambda: ledger.transfer("ann", "bob", "KRW", figure))
        refused(ledger, "bad_money", lambda: ledger.count_custody("KRW", -1))
        refused(ledger, "bad_money", lambda: hold(ledger, "ann", Side.BUY, "0", "1"))
        refused(ledger, "bad_money", lambda: hold(ledger, "ann", Side.BUY, "1", "0"))

    def test_accounts_are_opened_once_and_known(self, ledger: Ledger) -> None:
        assert ledger.accounts == (CUSTODY, FEES, HOUSE, "ann", "bob")
        for name in ledger.accounts:
            refused(ledger, "account_taken", lambda name=name: ledger.open_account(name))  # type: ignore[misc]
        refused(ledger, "unknown_account", lambda: ledger.credit("eve", "KRW", 1))
        refused(ledger, "unknown_account", lambda: ledger.transfer("ann", "eve", "KRW", 1))
        refused(ledger, "unknown_account", lambda: hold(ledger, "eve", Side.BUY, "1", "1"))
        refused(ledger, "reserved_account", lambda: ledger.transfer("ann", CUSTODY, "KRW", 1))
        refused(ledger, "reserved_account", lambda: ledger.debit(CUSTODY, "KRW", 1))
        assert ledger.total("eve", "KRW") == ledger.free("eve", "KRW") == 0

    def test_an_admins_request_is_done(self) -> None:
        ledger = Ledger()

        def ask(act: LedgerAct, account: str = "", figure: int = 0, other: str = "") -> None:
            ledger.requested(LedgerRequested(1, act, account, "KRW", figure, "admin", other))

        ask(LedgerAct.OPEN, "ann")
        ask(LedgerAct.OPEN, "bob")
        ask(LedgerAct.CUSTODY, figure=100)
        ask(LedgerAct.CREDIT, "ann", 90)
        ask(LedgerAct.TRANSFER, "ann", 40, "bob")
        ask(LedgerAct.DEBIT, "bob", 15)
        assert [ledger.total(account, "KRW") for account in ("ann", "bob")] == [50, 25]
        assert (ledger.owned("KRW"), ledger.counted("KRW")) == (75, 85)


class TestHolds:
    def test_a_buyer_holds_the_notional_and_the_fee(self, ledger: Ledger) -> None:
        hold(ledger, "ann", Side.BUY, "0.5", "90000000")
        assert ledger.held("ann", "KRW") == money("45022500")
        assert ledger.free("ann", "KRW") == money("54977500")
        assert ledger.total("ann", "KRW") == money("100000000")

    def test_a_seller_holds_the_quantity(self, ledger: Ledger) -> None:
        hold(ledger, "bob", Side.SELL, "1.25", "1")
        assert (ledger.held("bob", "BTC"), ledger.free("bob", "BTC")) == (money("1.25"), money("0.75"))

    def test_what_is_held_is_not_held_twice(self, ledger: Ledger) -> None:
        hold(ledger, "bob", Side.SELL, "1.25", "1")
        refused(ledger, "hold_taken", lambda: hold(ledger, "bob", Side.SELL, "0.1", "1"))
        refused(
            ledger, "insufficient_funds", lambda: ledger.hold("b", "bob", BTC, Side.SELL, BTC.quantity("0.8"), 1, 0)
        )
        text = refused(ledger, "insufficient_funds", lambda: hold(ledger, "ann", Side.BUY, "2", "50000000"))
        assert text == "ann has 100000000 KRW free, 100050000 is needed; credit it, or ask for less"

    def test_a_hold_is_reduced_amended_and_released(self, ledger: Ledger) -> None:
        hold(ledger, "ann", Side.BUY, "1", "90000000")
        ledger.reduce_hold("ann-1", BTC.quantity("0.4"))
        assert ledger.held("ann", "KRW") == money("36018000")
        ledger.amend_hold("ann-1", BTC.quantity("0.5"), BTC.price("100000000"))
        assert ledger.held("ann", "KRW") == money("50025000")
        refused(ledger, "insufficient_funds", lambda: ledger.amend_hold("ann-1", BTC.quantity("1"), BTC.price("1e8")))
        refused(ledger, "hold_too_small", lambda: ledger.reduce_hold("ann-1", BTC.quantity("0.6")))
        refused(ledger, "bad_money", lambda: ledger.amend_hold("ann-1", 0, 1))
        ledger.release("ann-1")
        assert (ledger.free("ann", "KRW"), ledger.holds) == (money("100000000"), {})
        for change in (
            ledger.release,
            lambda key: ledger.reduce_hold(key, 0),
            lambda key: ledger.amend_hold(key, 1, 1),
        ):
            refused(ledger, "unknown_hold", lambda change=change: change("ann-1"))  # type: ignore[misc]

    def test_a_hold_reduced_to_nothing_is_gone(self, ledger: Ledger) -> None:
        hold(ledger, "bob", Side.SELL, "1", "1")
        ledger.reduce_hold("bob-1", 0)
        assert (ledger.holds, ledger.free("bob", "BTC")) == ({}, money("2"))


class TestTrades:
    def test_both_sides_and_the_fees_are_settled_at_once(self, ledger: Ledger) -> None:
        hold(ledger, "bob", Side.SELL, "1", "80000000")
        hold(ledger, "ann", Side.BUY, "1", "90000000")
        trade = traded("80000000", "0.25")
        posting = ledger.settle(trade, FEE)
        assert trade_fees(trade, FEE) == (money("8000"), money("10000"))
        assert posting == (
            Entry("ann", "BTC", money("0.25")),
            Entry("bob", "BTC", money("-0.25")),
            Entry("ann", "KRW", money("-20010000")),
            Entry("bob", "KRW", money("19992000")),
            Entry(FEES, "KRW", money("18000")),
        )
        assert ledger.held("bob", "BTC") == money("0.75")
        assert ledger.held("ann", "KRW") == money("67533750"), "three quarters, still at the limit price"
        assert ledger.free("ann", "KRW") == money("12456250"), "what was paid less than the limit is free"
        ledger.check()

    def test_a_buyer_who_rests_pays_the_makers_fee(self, ledger: Ledger) -> None:
        hold(ledger, "ann", Side.BUY, "0.5", "80000000")
        hold(ledger, "bob", Side.SELL, "0.5", "70000000")
        ledger.settle(traded("80000000", "0.5", Side.SELL, maker="ann", taker="bob"), FEE)
        assert ledger.total("ann", "KRW") == money("59984000")
        assert ledger.total("bob", "KRW") == money("39980000")
        assert ledger.total(FEES, "KRW") == money("36000")
        assert (ledger.holds, ledger.held("ann", "KRW"), ledger.held("bob", "BTC")) == ({}, 0, 0)

    def test_a_trade_out_of_a_hold_under_another_key(self, ledger: Ledger) -> None:
        hold(ledger, "bob", Side.SELL, "1", "80000000")
        ledger.hold("parent", "ann", BTC, Side.BUY, BTC.quantity("1"), BTC.price("80000000"), FEE.taker)
        ledger.settle(traded("80000000", "0.5"), FEE, taker_hold="parent")
        assert ledger.holds["parent"].quantity == BTC.quantity("0.5")
        ledger.settle(traded("80000000", "0.5", Side.SELL, "ann", "bob"), FEE, maker_hold="parent")
        assert ledger.holds == {}

    def test_neither_side_is_settled_without_the_other(self, ledger: Ledger) -> None:
        hold(ledger, "ann", Side.BUY, "1", "80000000")
        refused(ledger, "unknown_hold", lambda: ledger.settle(traded("80000000", "0.5"), FEE))
        hold(ledger, "bob", Side.SELL, "0.25", "80000000")
        text = refused(ledger, "hold_too_small", lambda: ledger.settle(traded("80000000", "0.5"), FEE))
        assert text == "bob-1 holds for 0.25, but 0.5 was filled"

    def test_a_price_worse_than_the_one_held_for_is_paid_only_out_of_what_is_free(self, ledger: Ledger) -> None:
        hold(ledger, "bob", Side.SELL, "2", "80000000")
        hold(ledger, "ann", Side.BUY, "1", "80000000")
        refused(ledger, "insufficient_funds", lambda: ledger.settle(traded("100000000", "1"), FEE))
        ledger.settle(traded("90000000", "1"), FEE)
        assert ledger.total("ann", "KRW") == money("9955000")

    def test_a_hold_serves_its_own_order_only(self, ledger: Ledger) -> None:
        hold(ledger, "bob", Side.SELL, "1", "80000000")
        hold(ledger, "ann", Side.BUY, "1", "80000000")
        for trade in (
            traded("80000000", "0.5", Side.SELL),
            Traded(1, 1, DOLLARS, "bob-1", "ann-1", "bob", "ann", Side.BUY, 1, 1, 0, 0),
            Traded(1, 1, BTC, "bob-1", "ann-1", "bob", "eve", Side.BUY, 1, 1, 0, 0),
        ):
            refused(ledger, "wrong_hold", lambda trade=trade: ledger.settle(trade, FEE))  # type: ignore[misc]

    def test_an_account_that_trades_with_itself_pays_the_fees_only(self, ledger: Ledger) -> None:
        ledger.credit("ann", "BTC", money("1"))
        ledger.hold("a", "ann", BTC, Side.BUY, BTC.quantity("1"), BTC.price("80000000"), FEE.taker)
        ledger.hold("b", "ann", BTC, Side.SELL, BTC.quantity("1"), BTC.price("80000000"), FEE.taker)
        ledger.settle(traded("80000000", "1", maker="ann"), FEE, maker_hold="b", taker_hold="a")
        assert (ledger.total("ann", "BTC"), ledger.total("ann", "KRW")) == (money("1"), money("99928000"))

    def test_the_finest_scales_are_settled_without_a_remainder(self) -> None:
        fine = Instrument("X/KRW", "X", "KRW", 24, 24)
        ledger = Ledger()
        for account, asset in (("ann", "KRW"), ("bob", "X")):
            ledger.open_account(account)
            ledger.count_custody(asset, money("1"))
        ledger.credit("bob", "X", 3 * 10**24)
        ledger.hold("b", "bob", fine, Side.SELL, 3, 1, FEE.taker)
        hold_needs = 3 * 7 + 1
        ledger.credit("ann", "KRW", hold_needs)
        ledger.hold("a", "ann", fine, Side.BUY, 3, 7, FEE.taker)
        for _ in range(3):
            ledger.settle(Traded(1, 1, fine, "b", "a", "bob", "ann", Side.BUY, 7, 1, 0, 0), FEE)
        assert (ledger.total("ann", "X"), ledger.total("bob", "KRW")) == (3 * 10**24, 21)
        assert (ledger.total(FEES, "KRW"), ledger.total("ann", "KRW")) == (0, 1)


class TestOutsideFills:
    def test_the_house_stands_on_the_other_side_and_may_owe(self, ledger: Ledger) -> None:
        hold(ledger, "ann", Side.BUY, "1", "90000000")
        ledger.settle_outside(fill(Side.BUY, "80000000", "0.5", "20000", "KRW", BTC), "ann-1")
        assert (ledger.total("ann", "BTC"), ledger.total("ann", "KRW")) == (money("0.5"), money("59980000"))
        assert (ledger.total(HOUSE, "BTC"), ledger.total(HOUSE, "KRW")) == (money("-0.5"), money("40020000"))
        assert ledger.holds["ann-1"].quantity == BTC.quantity("0.5")
        assert ledger.owned("BTC") == money("2"), "what custody is to hold is as before"
        ledger.check()

    def test_another_quote_is_turned_at_the_rate_and_rounded_for_the_house(self, ledger: Ledger) -> None:
        hold(ledger, "ann", Side.BUY, "0.5", "90000000")
        rate = Rate("USDT", "KRW", 1390 * NET_ONE + 1, "market", 1, 1)
        bought = fill(Side.BUY, "60000.000000000001", "0.000000000000000001", "0", "USDT")
        ledger.settle_outside(bought, "ann-1", rate)
        exact = 60000000000000001 * 13900000000000000001
        paid = money("100000000") - ledger.total("ann", "KRW")
        assert paid == -(-exact * 10**ASSET_DECIMALS // 10**46) == exact * 100
        coarse = Rate("USDT", "KRW", NET_ONE // 3, "market", 1, 1)
        hold(ledger, "bob", Side.SELL, "0.5", "1")
        ledger.settle_outside(fill(Side.SELL, "0.000000000001", "0.000000000000000001", "0", "USDT"), "bob-1", coarse)
        assert ledger.total("bob", "KRW") == 10**18 * (NET_ONE // 3) // NET_ONE
        ledger.check()

    def test_a_fee_in_base_lessens_what_is_received(self, ledger: Ledger) -> None:
        """freqtrade#606, #1084: what is received is the fill less its fee."""
        hold(ledger, "ann", Side.BUY, "1", "90000000")
        rate = Rate("USDT", "KRW", 1400 * NET_ONE, "market", 1, 1)
        ledger.settle_outside(fill(Side.BUY, "60000", "0.5", "0.0005", "BTC"), "ann-1", rate)
        assert (ledger.total("ann", "BTC"), ledger.total("ann", "KRW")) == (money("0.4995"), money("58000000"))

    def test_a_fee_in_quote_is_turned_too(self, ledger: Ledger) -> None:
        hold(ledger, "bob", Side.SELL, "1", "1")
        rate = Rate("USDT", "KRW", 1400 * NET_ONE, "market", 1, 1)
        ledger.settle_outside(fill(Side.SELL, "60000", "0.5", "30"), "bob-1", rate)
        assert (ledger.total("bob", "BTC"), ledger.total("bob", "KRW")) == (money("1.5"), money("41958000"))
        assert (ledger.total(HOUSE, "BTC"), ledger.total(HOUSE, "KRW")) == (money("0.5"), money("-41958000"))

    def test_a_fee_in_a_third_asset_is_the_houses(self, ledger: Ledger) -> None:
        hold(ledger, "bob", Side.SELL, "1", "1")
        ledger.settle_outside(fill(Side.SELL, "80000000", "1", "0.1", "BNB", BTC), "bob-1")
        assert ledger.assets("bob") == ("BTC", "KRW")
        assert ledger.total("bob", "KRW") == money("80000000")
        assert "BNB" not in ledger.assets(HOUSE)

    @pytest.mark.parametrize("rate", [None, Rate("USDC", "KRW", NET_ONE, "m", 1, 1), Rate("USDT", "USD", 1, "m", 1, 1)])
    def test_nothing_is_turned_without_the_rate_between_the_two(self, ledger: Ledger, rate: Rate | None) -> None:
        """hummingbot#5695: a missing rate is not 1."""
        hold(ledger, "ann", Side.BUY, "1", "90000000")
        text = refused(
            ledger, "wrong_hold", lambda: ledger.settle_outside(fill(Side.BUY, "60000", "0.5"), "ann-1", rate)
        )
        assert text == "a fill in USDT is passed on in KRW only with the rate between the two"

    def test_what_the_client_cannot_pay_is_refused(self, ledger: Ledger) -> None:
        hold(ledger, "ann", Side.BUY, "1", "90000000")
        for outside, code in (
            (fill(Side.BUY, "110000000", "1", of=BTC), "insufficient_funds"),
            (fill(Side.BUY, "80000000", "1.1", of=BTC), "hold_too_small"),
            (fill(Side.SELL, "80000000", "1", of=BTC), "wrong_hold"),
            (fill(Side.BUY, "80000000", "1", of=Instrument.of("ETH", "KRW")), "wrong_hold"),
        ):
            refused(ledger, code, lambda outside=outside: ledger.settle_outside(outside, "ann-1"))  # type: ignore[misc]
        refused(ledger, "unknown_hold", lambda: ledger.settle_outside(fill(Side.BUY, "1", "1"), "none"))

    def test_the_house_pays_out_only_what_it_has_here(self, ledger: Ledger) -> None:
        hold(ledger, "ann", Side.BUY, "1", "90000000")
        ledger.settle_outside(fill(Side.BUY, "80000000", "1", of=BTC), "ann-1")
        refused(ledger, "insufficient_funds", lambda: ledger.transfer(HOUSE, "bob", "BTC", 1))
        refused(ledger, "insufficient_funds", lambda: hold(ledger, HOUSE, Side.SELL, "0.1", "1"))
        ledger.transfer("bob", HOUSE, "BTC", money("0.4"))
        assert ledger.total(HOUSE, "BTC") == money("-0.6"), "it may come closer to nothing"
        ledger.transfer(HOUSE, "bob", "KRW", money("80000000"))

    def test_coins_that_the_venue_still_has_do_not_leave_custody(self, ledger: Ledger) -> None:
        ledger.count_custody("BTC", money("2"))
        hold(ledger, "ann", Side.BUY, "1", "90000000")
        ledger.settle_outside(fill(Side.BUY, "80000000", "1", of=BTC), "ann-1")
        ledger.debit("bob", "BTC", money("2"))
        text = refused(ledger, "custody_exceeded", lambda: ledger.debit("ann", "BTC", money("1")))
        assert text.startswith("1 BTC cannot leave custody, which holds 0; bring it in from where the house has it")


class TestDocuments:
    def test_a_ledger_is_restored_as_it_was(self, ledger: Ledger) -> None:
        hold(ledger, "ann", Side.BUY, "1", "90000000")
        ledger.settle_outside(fill(Side.BUY, "80000000", "0.5", of=BTC), "ann-1")
        again = Ledger.restore(ledger.document(), Instruments([BTC]))
        assert again.document() == ledger.document()
        assert again.held("ann", "KRW") == ledger.held("ann", "KRW") == money("45022500")
        again.release("ann-1")
        assert again.free("ann", "KRW") == ledger.total("ann", "KRW")

    def test_a_new_ledger_is_a_document_too(self) -> None:
        assert Ledger.restore(Ledger().document(), Instruments()).accounts == (CUSTODY, FEES, HOUSE)

    @pytest.mark.parametrize(
        ("account", "asset", "figure", "fault"),
        [
            ("ann", "KRW", "5", "out of balance by"),
            ("ann", "KRW", "-5", "keeps -5 KRW for ann"),
            ("bob", "XRP", "0", "keeps 0 XRP for bob"),
        ],
    )
    def test_a_document_that_contradicts_itself_is_not_used(
        self, ledger: Ledger, account: str, asset: str, figure: str, fault: str
    ) -> None:
        document = ledger.document()
        document["balances"][account][asset] = figure
        with pytest.raises(BrokenInvariant, match=fault):
            Ledger.restore(document, Instruments([BTC]))

    def test_holds_that_are_not_covered_are_not_restored(self, ledger: Ledger) -> None:
        hold(ledger, "bob", Side.SELL, "2", "1")
        document = ledger.document()
        document["holds"]["bob-1"]["quantity"] = "2.1"
        with pytest.raises(BrokenInvariant, match=r"2\.1 BTC of bob is held, more than it has"):
            Ledger.restore(document, Instruments([BTC]))
        document["holds"]["bob-1"]["account"] = "eve"
        with pytest.raises(BrokenInvariant, match="bob-1 holds for"):
            Ledger.restore(document, Instruments([BTC]))
        with pytest.raises(DocumentRefused):
            Ledger.restore({"balance": {}}, Instruments())
