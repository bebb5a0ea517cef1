"""Orders on a simulated account trade against the simulated books, and every coin is accounted for."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.instrument import Fees, Side
from aggregator.domain.numbers import format_decimal, parse_rate
from aggregator.domain.order import ASSET_DECIMALS
from connectors.simulation.account import (
    REJECTED_AFTER_NS,
    OrderRefused,
    Refusal,
    SimulatedAccount,
    SimulatedOrder,
    Status,
    Terms,
    UniqueIds,
)
from connectors.simulation.balances import starting_balances
from connectors.simulation.exchange import NEVER_NS, SimulatedExchange
from tests.simulation.markets import MS, SECOND, START_NS, exchange, listings
from tests.twins.examples import examples

MAKER, TAKER = "0.0008", "0.001"
OWNED = {"USDT": "1000000", "BTC": "10", "XRP": "500000"}
LOT, TICK, SOME = 10**3, 10**6, 10**6
COIN = 10**ASSET_DECIMALS


class Bench:
    """An account on a small exchange, and the venue's clock."""

    def __init__(self, seed: int = 1, **options: Any) -> None:
        fees = Fees(parse_rate(MAKER), parse_rate(TAKER))
        listed = [replace(listing, fees=fees) for listing in listings()]
        self.exchange = SimulatedExchange("binance", listed, seed, START_NS, depth=40)
        self.account = SimulatedAccount(self.exchange, **{"balances": OWNED, **options})
        self.now_ns = START_NS

    def place(
        self, side: Side, price: int, quantity: int, terms: Terms = Terms.GTC, client_id: str = "", symbol: str = ""
    ) -> SimulatedOrder:
        return self.account.place(symbol or "BTCUSDT", side, price, quantity, terms, client_id, self.now_ns)

    def refused(self, *order: Any, **options: Any) -> OrderRefused:
        with pytest.raises(OrderRefused) as refused:
            self.place(*order, **options)
        return refused.value

    def cancel(self, order: SimulatedOrder) -> SimulatedOrder:
        return self.account.cancel(order.order_id, self.now_ns)

    def run(self, duration_ns: int, until: Callable[[], bool] = lambda: False) -> None:
        """As a carrier does: from event to event."""
        end_ns = self.now_ns + duration_ns
        while not until():
            self.now_ns = max(self.now_ns, min(self.exchange.next_event_ns(), self.account.wake_at_ns(), end_ns))
            self.exchange.advance(self.now_ns)
            self.account.advance(self.now_ns)
            if self.now_ns == end_ns:
                return

    @property
    def asks(self) -> list[tuple[int, int]]:
        return list(zip(*self.exchange.book("BTCUSDT").asks, strict=True))

    @property
    def bids(self) -> list[tuple[int, int]]:
        return list(zip(*self.exchange.book("BTCUSDT").bids, strict=True))

    @property
    def owned(self) -> dict[str, tuple[str, str]]:
        """Free and held, as decimals."""
        return {
            asset: (format_decimal(free, ASSET_DECIMALS), format_decimal(held, ASSET_DECIMALS))
            for asset, (free, held) in self.account.balances().items()
        }

    def told(self) -> list[tuple[Status, int]]:
        """Of each happening the order's status and what was filled of it by then."""
        return [(happening.order.status, happening.order.filled) for happening in self.account.take_happenings()]


def test_a_taker_pays_what_rests_and_what_it_takes_is_gone() -> None:
    bench = Bench()
    (first, much), (second, more), (third, _) = asks = bench.asks[:3]
    order = bench.place(Side.BUY, third, much + more + LOT, client_id="a")
    fills = bench.account.fills()
    assert [(fill.price, fill.quantity, fill.is_maker) for fill in fills] == [
        (first, much, False), (second, more, False), (third, LOT, False),
    ]  # fmt: skip
    assert (order.status, order.filled, order.remaining) == (Status.FILLED, order.quantity, 0)
    assert order.notional == first * much + second * more + third * LOT
    assert bench.asks[0] == (third, asks[2][1] - LOT)
    assert bench.told() == [
        (Status.OPEN, 0), (Status.OPEN, much), (Status.OPEN, much + more), (Status.FILLED, order.quantity),
    ]  # fmt: skip
    paid, received = Fraction(order.notional, 10**16), Fraction(order.quantity, 10**8)
    assert Fraction(bench.account.balances()["USDT"][0], COIN) == 1000000 - paid
    assert Fraction(bench.account.balances()["BTC"][0], COIN) == 10 + received * (1 - Fraction(TAKER))
    assert order.fees == {"BTC": received * Fraction(TAKER) * COIN}
    assert bench.account.balances()["USDT"][1] == 0


def test_the_book_grows_back_after_a_taker() -> None:
    bench = Bench(balances={"USDT": "1000000000"})
    before = bench.asks
    bench.place(Side.BUY, before[29][0], sum(quantity for _, quantity in before[:30]), Terms.IOC)
    assert len(bench.asks) == len(before) - 30
    trades = [trade for change in bench.exchange.advance(START_NS) for trade in change.trades]
    assert [(trade.price, trade.quantity) for trade in trades] == before[:30], "the public trades tell of it"
    bench.run(20 * SECOND)
    assert len(bench.asks) > 35


def test_a_seller_receives_the_quote_asset_less_the_fee() -> None:
    bench = Bench()
    price, much = bench.bids[0]
    order = bench.place(Side.SELL, price, min(much, 10**7))
    received = Fraction(order.notional, 10**16)
    assert order.fees == {"USDT": received * Fraction(TAKER) * COIN}
    assert Fraction(bench.account.balances()["USDT"][0], COIN) == 1000000 + received * (1 - Fraction(TAKER))
    assert Fraction(bench.account.balances()["BTC"][0], COIN) == 10 - Fraction(order.quantity, 10**8)


def test_what_rests_is_held_and_comes_back_when_it_is_canceled() -> None:
    bench = Bench()
    order = bench.place(Side.BUY, 50000 * 10**8, 10**8)
    other = bench.place(Side.SELL, 70000 * 10**8, 2 * 10**8)
    assert bench.account.open_orders() == [order, other]
    assert bench.owned == {"USDT": ("950000", "50000"), "BTC": ("8", "2"), "XRP": ("500000", "0")}
    assert bench.cancel(order) is order
    assert (order.status, bench.account.open_orders("BTCUSDT"), bench.account.open_orders("XRPUSDT")) == (
        Status.CANCELED, [other], [],
    )  # fmt: skip
    assert bench.owned["USDT"] == ("1000000", "0")
    with pytest.raises(OrderRefused) as refused:
        bench.cancel(order)
    assert (refused.value.refusal, refused.value.order) == (Refusal.ALREADY_ENDED, order)
    with pytest.raises(OrderRefused) as refused:
        bench.account.cancel(1, bench.now_ns)
    assert (refused.value.refusal, refused.value.order) == (Refusal.UNKNOWN_ORDER, None)


def test_the_rest_of_a_taker_waits_and_the_hold_shrinks_with_its_fills() -> None:
    bench = Bench()
    price, much = bench.asks[0]
    order = bench.place(Side.BUY, price, much + 10**6)
    assert (order.status, order.filled) == (Status.OPEN, much)
    assert Fraction(bench.account.balances()["USDT"][1], COIN) == Fraction(price * 10**6, 10**16)
    assert bench.bids[0][0] < price, "what waits is not in the published book"


def test_a_resting_order_fills_at_its_own_price_when_the_book_comes_to_it() -> None:
    bench = Bench()
    best, _ = bench.bids[0]
    order = bench.place(Side.BUY, best, 5 * 10**6, Terms.POST_ONLY)
    held = bench.account.balances()["USDT"][1]
    assert not order.filled
    bench.run(120 * SECOND, until=lambda: order.filled > 0)
    first = bench.account.fills(order.order_id)[0]
    assert (first.price, first.is_maker) == (best, True)
    assert Fraction(first.fee, COIN) == Fraction(first.quantity, 10**8) * Fraction(MAKER)
    assert bench.account.balances()["USDT"][1] < held
    bench.run(120 * SECOND, until=lambda: not order.is_open)
    assert order.status is Status.FILLED
    assert {(fill.price, fill.is_maker) for fill in bench.account.fills()} == {(best, True)}
    assert Fraction(bench.account.balances()["USDT"][0], COIN) == 1000000 - Fraction(best * 5 * 10**6, 10**16)
    assert bench.told()[-1] == (Status.FILLED, order.quantity)


def test_what_a_resting_order_takes_is_gone_from_the_book() -> None:
    bench = Bench()
    order = bench.place(Side.BUY, bench.asks[0][0] - TICK, 10**8, Terms.POST_ONLY)
    bench.run(300 * SECOND, until=lambda: order.filled > 0)
    assert bench.asks[0][0] > order.price
    before = sum(quantity for _, quantity in bench.asks), order.filled
    bench.account.advance(bench.now_ns)
    assert (sum(quantity for _, quantity in bench.asks), order.filled) == before, "nothing is taken twice"


def test_better_prices_have_the_first_turn_then_older_orders() -> None:
    bench = Bench()
    worst, second = (bench.place(Side.BUY, bench.bids[0][0] - ticks * TICK, 10**6) for ticks in (1, 0))
    third = bench.place(Side.BUY, second.price, 10**6)
    bench.run(600 * SECOND, until=lambda: not bench.account.open_orders())
    firsts = {fill.order_id: fill.fill_id for fill in reversed(bench.account.fills())}
    assert firsts[second.order_id] < firsts[third.order_id] < firsts[worst.order_id]


def test_what_an_immediate_order_leaves_expires() -> None:
    bench = Bench()
    price, much = bench.asks[0]
    order = bench.place(Side.BUY, price, much + LOT, Terms.IOC)
    assert (order.status, order.filled) == (Status.EXPIRED, much)
    assert bench.account.balances()["USDT"][1] == 0
    nothing = bench.place(Side.BUY, price - TICK, 10**6, Terms.IOC)
    assert (nothing.status, nothing.filled, bench.account.fills(nothing.order_id)) == (Status.EXPIRED, 0, [])
    assert bench.told() == [
        (Status.OPEN, 0), (Status.OPEN, much), (Status.EXPIRED, much), (Status.OPEN, 0), (Status.EXPIRED, 0),
    ]  # fmt: skip


def test_all_or_nothing() -> None:
    bench = Bench()
    before = bench.asks
    whole = before[0][1] + before[1][1]
    none = bench.place(Side.BUY, before[1][0], whole + LOT, Terms.FOK)
    assert (none.status, none.filled, bench.asks) == (Status.EXPIRED, 0, before)
    every = bench.place(Side.BUY, before[1][0], whole, Terms.FOK)
    assert (every.status, every.filled, bench.asks) == (Status.FILLED, whole, before[2:])


def test_a_post_only_order_that_would_take_is_refused() -> None:
    bench = Bench()
    best = bench.asks[0][0]
    assert bench.refused(Side.BUY, best, 10**6, Terms.POST_ONLY).refusal is Refusal.WOULD_TAKE
    assert bench.place(Side.BUY, best - TICK, 10**6, Terms.POST_ONLY).status is Status.OPEN


def test_a_bid_that_is_only_published_cannot_be_hit() -> None:
    bench = Bench()
    bench.exchange.cross("BTCUSDT")
    phantom = bench.bids[0][0]
    assert phantom > bench.asks[0][0]
    order = bench.place(Side.SELL, phantom, 10**6, Terms.POST_ONLY)
    bench.account.advance(bench.now_ns)
    assert (order.status, order.filled) == (Status.OPEN, 0)


@pytest.mark.parametrize(
    ("changed", "refusal", "says"),
    [
        ({"symbol": "ETHUSDT"}, Refusal.UNKNOWN_SYMBOL, "'ETHUSDT' is not listed on binance"),
        ({"price": 50000 * 10**8 + 1}, Refusal.BAD_PRICE, "a price of 50000.00000001 is on no tick of 0.01"),
        ({"price": 0}, Refusal.BAD_PRICE, "a price of 0"),
        ({"price": -TICK}, Refusal.BAD_PRICE, "a price of -0.01"),
        ({"quantity": 10**8 + 1}, Refusal.BAD_QUANTITY, "a quantity of 1.00000001 is not in lots of 0.00001"),
        ({"quantity": 0}, Refusal.BAD_QUANTITY, "a quantity of 0 is"),
        ({"quantity": -LOT}, Refusal.BAD_QUANTITY, "a quantity of -0.00001"),
        ({"symbol": "XRPUSDT", "price": 10**8, "quantity": 10**7}, Refusal.TOO_SMALL, "0.1 at 1 is worth less than 10"),
        ({"quantity": 20 * 10**8 + LOT}, Refusal.INSUFFICIENT, "too little USDT is free"),
        ({"side": Side.SELL, "quantity": 11 * 10**8}, Refusal.INSUFFICIENT, "too little BTC is free"),
    ],
)
def test_what_the_rules_or_the_balances_forbid_is_refused_and_leaves_no_trace(
    changed: dict[str, Any], refusal: Refusal, says: str
) -> None:
    bench = Bench()
    before = bench.owned
    refused = bench.refused(**{"side": Side.BUY, "price": 50000 * 10**8, "quantity": 10**8, "client_id": "a"} | changed)
    assert refused.refusal is refusal
    assert says in refused.detail
    assert (bench.owned, bench.account.find_client("a"), bench.told()) == (before, None, [])
    assert bench.place(Side.BUY, 50000 * 10**8, 20 * 10**8, client_id="a").status is Status.OPEN, "all but one lot"


def test_a_quantity_under_the_minimum_is_refused() -> None:
    bench = Bench()
    strict = [replace(listing, minimum_quantity=10 * LOT) for listing in listings()]
    bench.account = SimulatedAccount(SimulatedExchange("binance", strict, 1, START_NS))
    assert bench.refused(Side.BUY, 50000 * 10**8, 9 * LOT).detail == "BTCUSDT: a quantity of 0.00009 is under 0.0001"


def test_nothing_trades_in_a_market_that_is_delisted() -> None:
    bench = Bench()
    order = bench.place(Side.BUY, bench.bids[0][0], 10**6)
    bench.exchange.delist("BTCUSDT")
    assert bench.refused(Side.BUY, order.price, 10**6).refusal is Refusal.NOT_TRADABLE
    bench.run(300 * SECOND)
    assert (order.status, order.filled) == (Status.OPEN, 0)
    assert bench.cancel(order).status is Status.CANCELED


@pytest.mark.parametrize(
    ("unique_ids", "while_open", "once_ended"),
    [(UniqueIds.NEVER, True, True), (UniqueIds.OPEN, False, True), (UniqueIds.EVER, False, False)],
)
def test_a_client_id_is_as_unique_as_the_venue_wants(unique_ids: UniqueIds, while_open: bool, once_ended: bool) -> None:
    bench = Bench(unique_ids=unique_ids)

    def again(first: SimulatedOrder) -> bool:
        try:
            order = bench.place(Side.BUY, 50000 * 10**8, 10**8, client_id="a")
        except OrderRefused as refused:
            assert (refused.refusal, refused.order) == (Refusal.DUPLICATE_ID, first)
            return False
        assert bench.account.find_client("a") is order
        bench.cancel(order)
        return True

    first = bench.place(Side.BUY, 50000 * 10**8, 10**8, client_id="a")
    assert again(first) is while_open
    bench.cancel(first)
    assert again(first) is once_ended
    nameless = [bench.place(Side.BUY, 50000 * 10**8, SOME) for _ in range(2)]
    assert bench.account.open_orders()[-2:] == nameless, "no id at all may come again"


def test_orders_never_disappear_and_ids_increase() -> None:
    bench = Bench()
    orders = [bench.place(Side.BUY, bench.asks[0][0], SOME, Terms.IOC, client_id=str(n)) for n in range(5)]
    assert all(later.order_id > earlier.order_id for earlier, later in pairwise(orders))
    assert all(bench.account.find(order.order_id) is order for order in orders)
    assert [bench.account.find_client(str(n)) for n in range(5)] == orders
    assert bench.account.all_orders() == bench.account.all_orders("BTCUSDT") == orders
    assert bench.account.all_orders("XRPUSDT") == bench.account.open_orders() == []
    assert bench.account.find(5) is bench.account.find_client("5") is None
    fills = bench.account.fills(symbol="BTCUSDT")
    assert len({fill.fill_id for fill in fills}) == 5
    assert not {fill.fill_id for fill in fills} & {order.order_id for order in orders}
    assert bench.account.fills(orders[2].order_id) == [fills[2]]
    assert bench.account.fills(since_ns=START_NS + 1) == bench.account.fills(symbol="XRPUSDT") == []


def test_happenings_show_orders_as_they_were() -> None:
    bench = Bench()
    order = bench.place(Side.BUY, bench.asks[0][0], SOME)
    assert bench.account.took_part()
    opened, filled = bench.account.take_happenings()
    assert not bench.account.took_part()
    assert (opened.order.status, opened.order.fees, opened.fill) == (Status.OPEN, {}, None)
    assert filled.order == order
    assert filled.order is not order
    assert filled.fill == bench.account.fills()[0]


def test_a_venue_may_only_receive_at_first() -> None:
    bench = Bench(acts_after_ns=20 * MS)
    order = bench.place(Side.BUY, 50000 * 10**8, 10**8, client_id="a")
    assert (order.status, bench.told(), bench.owned["USDT"]) == (Status.PENDING, [], ("950000", "50000"))
    assert bench.account.find_client("a") is order
    assert bench.account.open_orders() == [order]
    assert bench.account.wake_at_ns() == START_NS + 20 * MS
    bench.run(19 * MS)
    assert order.status is Status.PENDING
    bench.run(MS)
    assert (order.status, order.updated_ns, bench.told()) == (Status.OPEN, START_NS + 20 * MS, [(Status.OPEN, 0)])
    assert bench.cancel(order).status is Status.OPEN
    bench.run(20 * MS)
    assert (order.status, bench.told(), bench.owned["USDT"]) == (
        Status.CANCELED, [(Status.CANCELED, 0)], ("1000000", "0"),
    )  # fmt: skip
    assert bench.account.wake_at_ns() == NEVER_NS


def test_what_is_received_is_looked_at_against_the_book_of_that_moment() -> None:
    bench = Bench(acts_after_ns=20 * MS)
    bench.exchange.freeze()
    best, much = bench.asks[0]
    taker = bench.place(Side.BUY, best, much, Terms.FOK)
    late = bench.place(Side.BUY, best, much, Terms.FOK)
    maker = bench.place(Side.BUY, bench.asks[1][0], SOME, Terms.POST_ONLY)
    bench.run(20 * MS)
    assert (taker.status, late.status) == (Status.FILLED, Status.EXPIRED)
    assert (maker.status, maker.refusal) == (Status.REJECTED, Refusal.WOULD_TAKE)
    assert bench.account.balances()["USDT"][1] == 0


def test_a_market_may_be_delisted_before_an_order_is_looked_at() -> None:
    bench = Bench(acts_after_ns=20 * MS)
    order = bench.place(Side.BUY, 50000 * 10**8, 10**8)
    bench.exchange.delist("BTCUSDT")
    bench.run(20 * MS)
    assert (order.status, order.refusal, bench.owned["USDT"]) == (
        Status.REJECTED, Refusal.NOT_TRADABLE, ("1000000", "0"),
    )  # fmt: skip


def test_a_fill_may_overtake_a_cancel() -> None:
    bench = Bench(acts_after_ns=20 * MS)
    order = bench.place(Side.BUY, bench.asks[0][0], SOME)
    assert bench.cancel(order).status is Status.PENDING
    assert bench.cancel(order).status is Status.PENDING, "asking twice does no harm"
    bench.run(SECOND)
    assert (order.status, bench.told()) == (Status.FILLED, [(Status.OPEN, 0), (Status.FILLED, SOME)])


def test_the_next_order_may_be_rejected_after_it_was_acknowledged() -> None:
    bench = Bench()
    bench.account.reject_next("BTCUSDT")
    spared = bench.place(Side.BUY, 10**7, 100 * 10**8, symbol="XRPUSDT")
    order = bench.place(Side.BUY, bench.asks[0][0], SOME, Terms.IOC)
    other = bench.place(Side.BUY, bench.asks[0][0], SOME, Terms.IOC)
    assert (order.status, order.filled, other.status) == (Status.OPEN, 0, Status.FILLED)
    bench.run(REJECTED_AFTER_NS)
    assert (order.status, order.refusal, order.filled) == (Status.REJECTED, Refusal.BY_FAULT, 0)
    assert spared.status is Status.OPEN
    assert bench.account.balances()["BTC"][1] == 0


def test_the_next_order_may_be_looked_at_late_and_nobody_finds_it_until_then() -> None:
    bench = Bench()
    bench.account.hold_next(3 * SECOND)
    order = bench.place(Side.BUY, 50000 * 10**8, 10**8, client_id="a")
    assert bench.place(Side.BUY, 50000 * 10**8, SOME, client_id="b").status is Status.OPEN
    bench.run(3 * SECOND - 1)
    assert bench.told() == [(Status.OPEN, 0)], "of the other one"
    assert bench.account.find_client("a") is bench.account.find(order.order_id) is None
    assert order not in bench.account.open_orders() + bench.account.all_orders()
    with pytest.raises(OrderRefused) as refused:
        bench.cancel(order)
    assert refused.value.refusal is Refusal.UNKNOWN_ORDER
    assert bench.refused(Side.BUY, 50000 * 10**8, SOME, client_id="a").refusal is Refusal.DUPLICATE_ID
    bench.run(1)
    assert order.status is Status.OPEN
    assert bench.account.find_client("a") is order


def test_a_spared_order_is_like_any_other() -> None:
    bench = Bench()
    bench.account.reject_next()
    bench.account.hold_next(SECOND)
    bench.account.spare_next()
    assert bench.place(Side.BUY, bench.asks[0][0], SOME).status is Status.FILLED


def test_a_clock_that_jumps_does_not_move_what_is_due() -> None:
    bench = Bench(acts_after_ns=20 * MS)
    bench.exchange.freeze()
    order = bench.place(Side.BUY, 50000 * 10**8, 10**8)
    bench.exchange.clock_offset_ns = 30 * SECOND
    assert bench.account.wake_at_ns() == START_NS + 30 * SECOND + 20 * MS
    bench.account.advance(START_NS + 30 * SECOND + 19 * MS)
    assert bench.told() == []
    bench.account.advance(START_NS + 30 * SECOND + 20 * MS)
    assert (order.status, order.updated_ns) == (Status.OPEN, START_NS + 30 * SECOND + 20 * MS)


def test_transfers_change_what_is_free_and_no_more_than_that() -> None:
    bench = Bench()
    bench.place(Side.SELL, 70000 * 10**8, 9 * 10**8)
    bench.account.transfer("BTC", -COIN)
    bench.account.transfer("KRW", 5 * COIN)
    assert (bench.owned["BTC"], bench.owned["KRW"]) == (("0", "9"), ("5", "0"))
    with pytest.raises(ValueError, match="1 BTC cannot be taken: there is 0"):
        bench.account.transfer("BTC", -COIN)
    assert bench.owned["BTC"] == ("0", "9")


def test_there_is_plenty_of_everything_at_first() -> None:
    plenty = starting_balances(exchange())
    assert plenty == {"USDT": "20000000", "BTC": "330", "XRP": "40000000"}
    account = SimulatedAccount(exchange())
    assert {asset: format_decimal(free, ASSET_DECIMALS) for asset, (free, _) in account.balances().items()} == plenty
    poor = SimulatedAccount(exchange(), balances={})
    assert poor.balances() == {"USDT": (0, 0), "BTC": (0, 0), "XRP": (0, 0)}


class Twin:
    """Balances recomputed from all that has happened, in fractions of whole coins."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.paid_in = {asset: Fraction(text) for asset, text in OWNED.items()}

    def check(self) -> None:
        account, exchange_ = self.bench.account, self.bench.exchange
        owned, held = dict(self.paid_in), dict.fromkeys(self.paid_in, Fraction(0))
        for fill in account.fills():
            instrument = exchange_.listing(fill.symbol).instrument
            quantity = Fraction(fill.quantity, 10**8)
            value, sign = quantity * Fraction(fill.price, 10**8), 1 if fill.side is Side.BUY else -1
            owned[instrument.base] += sign * quantity
            owned[instrument.quote] -= sign * value
            assert fill.fee_asset == (instrument.base if fill.side is Side.BUY else instrument.quote)
            assert Fraction(fill.fee, COIN) == Fraction(MAKER if fill.is_maker else TAKER) * (
                quantity if fill.side is Side.BUY else value
            )
            owned[fill.fee_asset] -= Fraction(fill.fee, COIN)
        for order in self.orders():
            if order.is_open:
                instrument, left = exchange_.listing(order.symbol).instrument, Fraction(order.remaining, 10**8)
                if order.side is Side.BUY:
                    held[instrument.quote] += left * Fraction(order.price, 10**8)
                else:
                    held[instrument.base] += left
            self.check_order(order)
        balances = account.balances()
        assert all(free >= 0 and locked >= 0 for free, locked in balances.values())
        assert {asset: Fraction(free + locked, COIN) for asset, (free, locked) in balances.items()} == owned
        assert {asset: Fraction(locked, COIN) for asset, (_, locked) in balances.items()} == held

    def orders(self) -> Iterator[SimulatedOrder]:
        """All, those that are hidden too."""
        yield from self.bench.account._orders.values()

    def check_order(self, order: SimulatedOrder) -> None:
        fills = self.bench.account.fills(order.order_id)
        assert order.filled == sum(fill.quantity for fill in fills) <= order.quantity
        assert order.notional == sum(fill.quantity * fill.price for fill in fills)
        assert sum(order.fees.values()) == sum(fill.fee for fill in fills)
        assert (order.status is Status.FILLED) == (order.remaining == 0)
        assert (order.refusal is not None) == (order.status is Status.REJECTED)
        for fill in fills:
            assert fill.price <= order.price if order.side is Side.BUY else fill.price >= order.price
            assert fill.price == order.price or not fill.is_maker
        if order.status in (Status.OPEN, Status.CANCELED) and order.terms is Terms.POST_ONLY:
            assert all(fill.is_maker for fill in fills)
        if order.terms is Terms.FOK:
            assert order.filled in (0, order.quantity)


PLACE = st.tuples(
    st.just("place"),
    st.sampled_from(["BTCUSDT", "XRPUSDT"]),
    st.sampled_from(list(Side)),
    st.integers(-300, 300),
    st.integers(1, 400),
    st.sampled_from(list(Terms)),
)
ACT = st.one_of(
    PLACE,
    PLACE,
    st.tuples(st.just("pass"), st.integers(0, 2 * SECOND)),
    st.tuples(st.just("cancel"), st.integers(0, 20)),
    st.tuples(st.just("transfer"), st.sampled_from(list(OWNED)), st.integers(-(10**52), 10**52)),
    st.tuples(st.sampled_from(["delist", "relist", "cross", "uncross", "reject", "hold", "skew", "unskew"])),
)


@examples(150)
@given(
    st.integers(0, 2**32),
    st.sampled_from([0, 20 * MS]),
    st.sampled_from(list(UniqueIds)),
    st.lists(ACT, min_size=5, max_size=40),
)
def test_every_coin_is_accounted_for_whatever_happens(
    seed: int, acts_after_ns: int, unique_ids: UniqueIds, acts: list[tuple[Any, ...]]
) -> None:
    bench = Bench(seed, acts_after_ns=acts_after_ns, unique_ids=unique_ids)
    twin, told = Twin(bench), []
    for number, (act, *options) in enumerate(acts):
        carry_out(bench, twin, act, options, f"id{number % 7}")
        twin.check()
        told += bench.account.take_happenings()
    bench.run(5 * SECOND)
    twin.check()
    told += bench.account.take_happenings()
    assert [happening.fill for happening in told if happening.fill] == bench.account.fills()
    last = {happening.order.order_id: happening.order for happening in told}
    assert list(twin.orders()) == [last[order.order_id] for order in twin.orders()]
    for order_id in last:
        steps = [happening.order for happening in told if happening.order.order_id == order_id]
        assert all(step.status is Status.OPEN for step in steps[:-1]), "nothing is told after the end"


def carry_out(bench: Bench, twin: Twin, act: str, options: list[Any], client_id: str) -> None:
    if act == "place":
        symbol, side, ticks, lots, terms = options
        rules, fair = bench.exchange.listing(symbol), bench.exchange.fair_price(symbol, bench.now_ns)
        price = (fair // rules.tick + ticks) * rules.tick
        quantity = lots * rules.lot * (1000 if symbol == "BTCUSDT" else 100)
        try:
            bench.place(side, price, quantity, terms, client_id, symbol)
        except OrderRefused as refused:
            assert refused.refusal not in (Refusal.BAD_PRICE, Refusal.BAD_QUANTITY, Refusal.UNKNOWN_SYMBOL)
    elif act == "cancel":
        orders = bench.account.open_orders()
        if orders:
            bench.cancel(orders[options[0] % len(orders)])
    elif act == "transfer":
        asset, change = options
        if bench.account.balances()[asset][0] + change >= 0:
            bench.account.transfer(asset, change)
            twin.paid_in[asset] += Fraction(change, COIN)
    elif act == "pass":
        bench.run(options[0])
    elif act in ("reject", "hold"):
        if act == "reject":
            bench.account.reject_next()
        else:
            bench.account.hold_next(SECOND)
    elif act in ("skew", "unskew"):
        offset_ns = 30 * SECOND if act == "skew" else 0
        bench.now_ns += offset_ns - bench.exchange.clock_offset_ns
        bench.exchange.clock_offset_ns = offset_ns
    else:
        getattr(bench.exchange, act)("BTCUSDT")
