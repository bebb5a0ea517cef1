"""What an account may do, judged before anything is planned. Pure: limits, order and what is open are arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aggregator.domain.instrument import Side
from aggregator.domain.numbers import format_decimal
from aggregator.domain.order import ASSET_DECIMALS, OrderTerms, quote_money
from aggregator.domain.order_events import RiskLimits

BPS_ONE = 10_000
SECOND = 1_000_000_000
NO_LIMITS = RiskLimits()


class Refusal(NamedTuple):
    """`code` is stable; `detail` says what would be allowed."""

    code: str
    detail: str


def limits_of(limits: Mapping[str, RiskLimits], account: str) -> RiskLimits:
    """The account's own limits, or those of every other account."""
    return limits.get(account) or limits.get("*") or NO_LIMITS


def refusal(
    terms: OrderTerms, limits: RiskLimits, mid: int | None, open_money: int, requests_in_last_second: int
) -> Refusal | None:
    """Why this order must not be taken on, None when it may be.

    `mid` is that of the live books, None without any; `open_money` is what the account's open orders in the same quote
    asset may still come to, on ASSET_DECIMALS.
    """
    rate = limits.orders_per_second
    if rate is not None and requests_in_last_second > rate:
        return Refusal("risk_rate", f"more than {rate} orders in a second; send more slowly")
    return _too_much(terms, limits, mid, open_money) or _outside_collar(terms, limits, mid)


def money_of(terms: OrderTerms, quantity: int, mid: int | None) -> int | None:
    """What a quantity of this order is worth in its quote asset, at its limit price or else at the mid price."""
    price = terms.limit_price if terms.limit_price is not None else mid
    return None if price is None else quote_money(terms.instrument, price * quantity)


def allowed(limits: Mapping[str, int] | None, asset: str) -> int | None:
    """How much in this asset; None is without a limit."""
    return None if limits is None else limits.get(asset, 0)


def excess(terms: OrderTerms, what: str, most: int | None, mid: int | None, already: int = 0) -> str:
    """Why an order with what is `already` there comes to more than `what` may, empty when it does not; money is in the
    quote asset, on ASSET_DECIMALS."""
    if most is None:
        return ""
    worth = money_of(terms, terms.quantity, mid)
    if worth is None:
        return "no live book to value the order by; give a limit price"
    if already + worth <= most:
        return ""
    asset = terms.instrument.quote
    shown, bound = (format_decimal(money, ASSET_DECIMALS) for money in (already + worth, most))
    return f"{shown} {asset}; {what} may come to {bound} {asset}"


def _too_much(terms: OrderTerms, limits: RiskLimits, mid: int | None, open_money: int) -> Refusal | None:
    asset = terms.instrument.quote
    bounds = (
        ("risk_order_notional", "one order", allowed(limits.order_notional, asset), 0),
        ("risk_open_notional", "all open orders together", allowed(limits.open_notional, asset), open_money),
    )
    for code, what, most, already in bounds:
        detail = excess(terms, what, most, mid, already)
        if detail:
            return Refusal(code, detail)
    return None


def _outside_collar(terms: OrderTerms, limits: RiskLimits, mid: int | None) -> Refusal | None:
    collar, limit = limits.collar_bps, terms.limit_price
    if collar is None or limit is None:
        return None
    show = terms.instrument.show_price
    if mid is None:
        return Refusal("risk_collar", "no live book to hold the limit price against; wait for one")
    if terms.side is Side.BUY:
        worst = mid * (BPS_ONE + collar) // BPS_ONE
        is_outside = limit > worst
    else:
        worst = -(-mid * (BPS_ONE - collar) // BPS_ONE)
        is_outside = limit < worst
    if not is_outside:
        return None
    word = "above" if terms.side is Side.BUY else "below"
    return Refusal(
        "risk_collar",
        f"{show(limit)} is more than {collar} bps {word} the mid price, {show(mid)}; {show(worst)} is the last allowed",
    )
