"""What an account may do, to the last unit on both sides of every limit."""

import pytest

from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import parse_decimal
from aggregator.domain.order import ASSET_DECIMALS, OrderTerms, OrderType, TimeInForce
from aggregator.domain.order_events import RiskLimits
from aggregator.routing.risk import limits_of, refusal

BTC = Instrument.of("BTC", "USDT")


def money(text: str) -> int:
    return parse_decimal(text, ASSET_DECIMALS)


def order(quantity: str = "1", limit: str | None = "60000", side: Side = Side.BUY) -> OrderTerms:
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    price = None if limit is None else BTC.price(limit)
    return OrderTerms("desk", "c1", BTC, side, kind, BTC.quantity(quantity), price, TimeInForce.IOC)


def code(terms: OrderTerms, limits: RiskLimits, mid: str | None = "60000", opened: str = "0", rate: int = 1) -> str:
    refused = refusal(terms, limits, None if mid is None else BTC.price(mid), money(opened), rate)
    return refused.code if refused else ""


def test_without_limits_everything_is_allowed() -> None:
    assert code(order("1000000000"), RiskLimits(), mid=None, opened="1", rate=10**6) == ""


@pytest.mark.parametrize(("quantity", "refused"), [("1", ""), ("1.000000000000000001", "risk_order_notional")])
def test_an_order_may_come_to_its_notional_and_not_a_unit_more(quantity: str, refused: str) -> None:
    assert code(order(quantity), RiskLimits(order_notional={"USDT": money("60000")})) == refused


def test_an_asset_that_is_not_named_may_not_be_used_once_any_is() -> None:
    assert code(order("0.001"), RiskLimits(order_notional={"KRW": money("1")})) == "risk_order_notional"


@pytest.mark.parametrize(("opened", "refused"), [("40000", ""), ("40000.01", "risk_open_notional")])
def test_what_is_open_counts(opened: str, refused: str) -> None:
    assert code(order(), RiskLimits(open_notional={"USDT": money("100000")}), opened=opened) == refused


def test_a_market_order_is_valued_at_the_mid_price_and_refused_without_one() -> None:
    limits = RiskLimits(order_notional={"USDT": money("59999")})
    assert code(order(limit=None), limits) == "risk_order_notional"
    assert code(order(limit=None), limits, mid="59999") == ""
    assert code(order(limit=None), limits, mid=None) == "risk_order_notional"


@pytest.mark.parametrize(
    ("side", "limit", "refused"),
    [
        (Side.BUY, "60600", ""),
        (Side.BUY, "60600.01", "risk_collar"),
        (Side.BUY, "1", ""),
        (Side.SELL, "59400", ""),
        (Side.SELL, "59399.99", "risk_collar"),
        (Side.SELL, "90000", ""),
    ],
)
def test_a_limit_price_stays_within_the_collar_on_the_side_that_costs(side: Side, limit: str, refused: str) -> None:
    assert code(order(limit=limit, side=side), RiskLimits(collar_bps=100)) == refused


def test_a_collar_without_a_mid_price_lets_nothing_through() -> None:
    assert code(order(), RiskLimits(collar_bps=100), mid=None) == "risk_collar"


def test_the_rate_is_counted_with_the_order_itself() -> None:
    limits = RiskLimits(orders_per_second=2)
    assert [code(order(), limits, rate=rate) for rate in (1, 2, 3)] == ["", "", "risk_rate"]


def test_an_accounts_own_limits_come_before_everyone_elses() -> None:
    own, others = RiskLimits(orders_per_second=1), RiskLimits(orders_per_second=2)
    limits = {"desk": own, "*": others}
    assert (limits_of(limits, "desk"), limits_of(limits, "else"), limits_of({}, "desk")) == (own, others, RiskLimits())
