"""Crypto.com's rows of orders, fills and balances, as the simulated venue writes them.

1. There is no word for partly filled. What an immediate order leaves is CANCELED, and so is a post-only order that
   would have taken; the reason tells them apart.
2. What the account pays as a fee is negative in a fill, and positive in the sum of an order.
"""

from __future__ import annotations

from aggregator.domain.instrument import Listing, Side
from aggregator.domain.numbers import RATE_DECIMALS, format_decimal
from aggregator.domain.order import ASSET_DECIMALS
from connectors.cryptocom.simulator_channels import MS, Rows, price, quantity
from connectors.cryptocom.simulator_refusals import CODES, KILLED, REST_CANCELED
from connectors.simulation.account import Refusal, SimulatedAccount, SimulatedFill, SimulatedOrder, Status, Terms

SPELLED = {
    Terms.GTC: "GOOD_TILL_CANCEL",
    Terms.IOC: "IMMEDIATE_OR_CANCEL",
    Terms.FOK: "FILL_OR_KILL",
    Terms.POST_ONLY: "GOOD_TILL_CANCEL",
}


def wallet(account: SimulatedAccount) -> Rows:
    rows = []
    for asset, (free, held) in account.balances().items():
        texts = [format_decimal(money, ASSET_DECIMALS) for money in (free + held, held, free)]
        names = ("quantity", "reserved_qty", "max_withdrawal_balance")
        rows.append({"instrument_name": asset, **dict(zip(names, texts, strict=True))})
    return [{"instrument_name": "USD", "position_balances": rows, "is_liquidating": False}]


def order_row(listing: Listing, order: SimulatedOrder) -> dict[str, object]:
    instrument = listing.instrument
    status, reason = _status(order)
    earned = instrument.base if order.side is Side.BUY else instrument.quote
    fee_asset, fee = next(iter(order.fees.items()), (earned, 0))
    average = order.notional // order.filled if order.filled else 0
    return {
        "account_id": "simulated",
        "order_id": str(order.order_id),
        "client_oid": order.client_id,
        "order_type": "LIMIT",
        "time_in_force": SPELLED[order.terms],
        "side": order.side.value.upper(),
        "exec_inst": ["POST_ONLY"] if order.terms is Terms.POST_ONLY else [],
        "quantity": quantity(listing, order.quantity),
        "limit_price": price(listing, order.price),
        "order_value": instrument.show_notional(order.price * order.quantity),
        "avg_price": instrument.show_price(average),
        "cumulative_quantity": quantity(listing, order.filled),
        "cumulative_value": instrument.show_notional(order.notional),
        "cumulative_fee": format_decimal(fee, ASSET_DECIMALS),  # rule 2
        "fee_instrument_name": fee_asset,
        "status": status,
        "reason": reason,
        "instrument_name": order.symbol,
        "create_time": order.created_ns // MS,
        "create_time_ns": str(order.created_ns),
        "update_time": order.updated_ns // MS,
    }


def fill_row(listing: Listing, fill: SimulatedFill) -> dict[str, object]:
    return {
        "account_id": "simulated",
        "journal_type": "TRADING",
        "trade_id": str(fill.fill_id),
        "trade_match_id": str(fill.fill_id + 1),
        "order_id": str(fill.order_id),
        "client_oid": fill.client_id,
        "instrument_name": fill.symbol,
        "side": fill.side.value.upper(),
        "traded_price": price(listing, fill.price),
        "traded_quantity": quantity(listing, fill.quantity),
        "fees": format_decimal(-fill.fee, ASSET_DECIMALS),  # rule 2
        "fee_instrument_name": fill.fee_asset,
        "taker_side": "MAKER" if fill.is_maker else "TAKER",
        "create_time": fill.time_ns // MS,
        "create_time_ns": str(fill.time_ns),
    }


def basis_points(rate: int) -> str:
    return format_decimal(rate, RATE_DECIMALS - 4)


def _status(order: SimulatedOrder) -> tuple[str, int]:
    """Rule 1: the venue's word, and its reason."""
    if order.status is Status.EXPIRED:
        return "CANCELED", KILLED if order.terms is Terms.FOK else REST_CANCELED
    if order.status is Status.REJECTED and order.refusal is not None:
        is_own_doing = order.refusal is Refusal.WOULD_TAKE
        return "CANCELED" if is_own_doing else "REJECTED", CODES[order.refusal]
    words = {Status.PENDING: "PENDING", Status.OPEN: "ACTIVE"}
    return words.get(order.status, order.status.value.upper()), 0
