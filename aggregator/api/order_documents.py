"""Orders, fills and balances as the world reads them: decimals as strings, times in ns since the Unix epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aggregator.domain.instrument import Side
from aggregator.domain.numbers import format_decimal
from aggregator.domain.order import (
    ASSET_DECIMALS,
    ChildOrder,
    Fill,
    ParentOrder,
    base_money,
    quote_money,
)
from aggregator.domain.order_events import Balance
from aggregator.domain.plan import AVERAGE_DECIMALS, rate_document
from aggregator.routing.execution import average_price

NOTHING = Balance(total=0, free=0)


def parent_document(parent: ParentOrder) -> dict[str, Any]:
    """A parent order, all of its plans, its children and their fills. `plan` is the first one."""
    terms = parent.terms
    instrument = terms.instrument
    return {
        "order_id": parent.order_id,
        "client_order_id": terms.client_order_id,
        "account": terms.account,
        "symbol": instrument.name,
        "side": terms.side.value,
        "type": terms.type.value,
        "quantity": instrument.show_quantity(parent.quantity),
        "limit_price": _price(parent, parent.limit_price),
        "time_in_force": terms.time_in_force.value,
        "post_only": terms.post_only,
        "venues": None if terms.venues is None else list(terms.venues),
        "strategy": terms.strategy,
        "state": parent.state.value,
        "code": parent.code,
        "reason": parent.reason,
        "filled": instrument.show_quantity(parent.filled),
        "average_price": _average(parent),
        "fees": {asset: show_money(fee) for asset, fee in parent.fees.items()},
        **_received(parent),
        "arrival_mid": _price(parent, parent.arrival_mid),
        "bound_price": _price(parent, parent.bound_price),
        "received_ns": parent.received_ns,
        "updated_ns": parent.updated_ns,
        "plan": parent.plans[0] if parent.plans else None,
        "plans": parent.plans,
        "children": [child_document(child) for child in parent.children.values()],
    }


def child_document(child: ChildOrder) -> dict[str, Any]:
    """A child order; `symbol` is its venue's own."""
    terms = child.terms
    instrument = terms.instrument
    return {
        "child_id": terms.child_id,
        "venue": terms.venue,
        "symbol": terms.symbol,
        "quote": instrument.quote,
        **rate_document(terms.rate),
        "state": child.state.value,
        "venue_word": child.venue_word,
        "venue_order_id": child.venue_order_id,
        "quantity": instrument.show_quantity(terms.quantity),
        "limit_price": instrument.show_price(terms.limit_price),
        "time_in_force": terms.time_in_force.value,
        "post_only": terms.post_only,
        "filled": instrument.show_quantity(child.filled),
        "executed": instrument.show_quantity(child.executed),
        "reason": child.reason,
        "sent_ns": child.sent_ns,
        "since_ns": child.since_ns,
        "fills": [fill_document(fill) for fill in child.fills.values()],
    }


def fill_document(fill: Fill) -> dict[str, Any]:
    """A fill. `id` is ours, and unique; `fill_id` the venue's."""
    instrument = fill.instrument
    return {
        "id": id_of(fill),
        "order_id": fill.child_id.rpartition("-")[0],
        "child_id": fill.child_id,
        "venue": fill.venue,
        "fill_id": fill.fill_id,
        "symbol": instrument.name,
        "side": fill.side.value,
        "price": instrument.show_price(fill.price),
        "quantity": instrument.show_quantity(fill.quantity),
        "notional": instrument.show_notional(fill.notional),
        "fee": show_money(fill.fee),
        "fee_asset": fill.fee_asset,
        "liquidity": fill.liquidity.value,
        "venue_time_ns": fill.venue_time_ns,
        "received_ns": fill.received_ns,
    }


def fills_of(parent: ParentOrder) -> Iterator[Fill]:
    """In the order in which they came."""
    fills = [fill for child in parent.children.values() for fill in child.fills.values()]
    return iter(sorted(fills, key=lambda fill: (fill.received_ns, fill.child_id, fill.fill_id)))


def id_of(fill: Fill) -> str:
    return f"{fill.child_id}:{fill.fill_id}"


def balances_document(
    balances: Mapping[str, Mapping[str, Balance]], expected: Mapping[str, Mapping[str, int]]
) -> dict[str, Any]:
    """By venue and asset, what the venue told and what was expected of it; `total` includes what open orders hold,
    `free` does not."""
    return {
        venue: {
            asset: _balance_document(told.get(asset, NOTHING), expected[venue].get(asset, 0))
            for asset in sorted(told.keys() | expected[venue].keys())
        }
        for venue, told in balances.items()
    }


def _balance_document(told: Balance, expected: int) -> dict[str, str]:
    return {
        "total": show_money(told.total),
        "free": show_money(told.free),
        "expected": show_money(expected),
        "difference": show_money(told.total - expected),
    }


def show_money(money: int) -> str:
    return format_decimal(money, ASSET_DECIMALS)


def _price(parent: ParentOrder, price: int | None) -> str | None:
    return None if price is None else parent.terms.instrument.show_price(price)


def _average(parent: ParentOrder) -> str | None:
    average = average_price(parent, AVERAGE_DECIMALS)
    return (
        None if average is None else format_decimal(average, parent.terms.instrument.price_decimals + AVERAGE_DECIMALS)
    )


def _received(parent: ParentOrder) -> dict[str, str]:
    """What the account has more of: the fills, less the fees that were taken in that same asset."""
    instrument = parent.terms.instrument
    if parent.terms.side is Side.BUY:
        asset, gross = instrument.base, base_money(instrument, parent.filled)
    else:
        asset, gross = instrument.quote, quote_money(instrument, parent.notional)
    return {"received": show_money(gross - parent.fees.get(asset, 0)), "received_asset": asset}
