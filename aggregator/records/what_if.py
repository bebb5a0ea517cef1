"""What a recorded stretch would have cost with another policy, or without a venue.

Each order's first plan is made again on the depth that it saw, once as it was and once as it might have been. Nothing
is guessed: the venues are not asked what they would have filled, the plans' own expectations are compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aggregator.domain.book import NO_LEVELS
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import POWERS, format_decimal
from aggregator.domain.order import ParentOrder
from aggregator.domain.order_events import OrderEvent, OrderRequested
from aggregator.domain.plan import AVERAGE_DECIMALS, BPS_DECIMALS, NET_DECIMALS, RoutePlan, RoutingPolicy
from aggregator.engine.orders import Orders
from aggregator.routing.cost import ceil_div
from aggregator.routing.planner import plan
from aggregator.routing.record import Seen

Change = Callable[[Seen], Seen]
BPS_SCALE = 10_000 * POWERS[BPS_DECIMALS]


def without(venues: Collection[str]) -> Change:
    """The same depth, as if these venues had been out."""

    def changed(seen: Seen) -> Seen:
        return seen._replace(
            venues=tuple(
                replace(depth, levels=NO_LEVELS, reason="left out of this what-if") if depth.venue in venues else depth
                for depth in seen.venues
            )
        )

    return changed


def under(policy_of: Callable[[Instrument], RoutingPolicy]) -> Change:
    """The same depth, under another policy."""
    return lambda seen: seen._replace(policy=policy_of(seen.request.instrument))


def with_everyone(seen: Seen) -> Seen:
    """The same depth, as if no venue with a live book had been kept out, be it by a switch, its account or a back-off.
    What the client himself left out stays out."""
    policy = seen.policy
    terms = {venue: terms.with_route(True) for venue, terms in policy.terms.items()}
    return seen._replace(
        venues=tuple(replace(depth, reason=None) if depth.levels.prices else depth for depth in seen.venues),
        policy=replace(policy, terms=terms, other_terms=policy.other_terms.with_route(True)),
    )


def exclusions_cost(parent: ParentOrder, seen: Seen) -> int:
    """How much less the plan for this order had cost with everyone in, in bps on BPS_DECIMALS; 0 when nobody was out
    who would have been of use."""
    return -Compared(parent, _planned(seen), _planned(with_everyone(seen))).difference_bps


@dataclass(frozen=True, slots=True)
class Compared:
    """One order. `difference` is by how much the other plan costs more, in the request's quote on the scale of a plan's
    net; where the two fill different quantities, for the smaller one of them at their average net prices."""

    parent: ParentOrder
    was: RoutePlan
    would_be: RoutePlan

    @property
    def difference(self) -> int:
        side = self.was.request.side
        if self.was.filled == self.would_be.filled:
            return _worse(side, self.was.net, self.would_be.net)
        if self.was.net_price is None or self.would_be.net_price is None:
            return 0
        both = min(self.was.filled, self.would_be.filled)
        worse = _worse(side, self.was.net_price, self.would_be.net_price) * both
        return ceil_div(worse * POWERS[NET_DECIMALS], POWERS[AVERAGE_DECIMALS])

    @property
    def difference_bps(self) -> int:
        """Of what the order would have come to as it was, on BPS_DECIMALS; rounded against the change."""
        return ceil_div(self.difference * BPS_SCALE, abs(self.was.net)) if self.was.net else 0

    def to_document(self) -> dict[str, Any]:
        instrument = self.was.request.instrument
        return {
            "order_id": self.parent.order_id,
            "client_order_id": self.parent.terms.client_order_id,
            "symbol": instrument.name,
            "side": self.was.request.side.value,
            "quantity": instrument.show_quantity(self.was.request.quantity or 0),
            "filled": instrument.show_quantity(self.was.filled),
            "filled_then": instrument.show_quantity(self.would_be.filled),
            "net_total": _net(self.was.net, instrument),
            "net_total_then": _net(self.would_be.net, instrument),
            "costs_more": _net(self.difference, instrument),
            "costs_more_bps": format_decimal(self.difference_bps, BPS_DECIMALS),
            "excluded_then": dict(self.would_be.excluded),
        }


@dataclass
class WhatIf:
    """Be told of each event of a stretch right after it was applied; `compared` are the orders that were planned."""

    orders: Orders
    change: Change
    compared: list[Compared] = field(default_factory=list)

    def __call__(self, event: OrderEvent, seen: Sequence[Seen]) -> None:
        if not isinstance(event, OrderRequested) or not seen:
            return
        parent = self.orders.find(event.terms.account, event.terms.client_order_id)
        if parent is None or not parent.plans or parent.received_ns != event.received_ns:
            return
        changed = self.change(seen[0])
        self.compared.append(Compared(parent, _planned(seen[0]), _planned(changed)))

    def report(self) -> dict[str, Any]:
        """The orders, and by quote what the change costs in all."""
        totals: defaultdict[str, list[Compared]] = defaultdict(list)
        for compared in self.compared:
            totals[compared.was.request.instrument.quote].append(compared)
        return {
            "orders": [compared.to_document() for compared in self.compared],
            "totals": {quote: _total(rows) for quote, rows in sorted(totals.items())},
        }


def _planned(seen: Seen) -> RoutePlan:
    return plan(seen.request, seen.venues, seen.policy)


def _worse(side: Side, was: int, would_be: int) -> int:
    return would_be - was if side is Side.BUY else was - would_be


def _net(net: int, instrument: Instrument) -> str:
    return format_decimal(net, instrument.price_decimals + instrument.quantity_decimals + NET_DECIMALS)


def _total(rows: Sequence[Compared]) -> dict[str, Any]:
    """Instruments of one quote may be on several scales; they are added on the finest."""
    finest = max(_decimals(row) for row in rows)

    def summed(number: Callable[[Compared], int]) -> int:
        return sum(number(row) * POWERS[finest - _decimals(row)] for row in rows)

    more, was = summed(lambda row: row.difference), summed(lambda row: abs(row.was.net))
    return {
        "orders": len(rows),
        "less_filled": sum(row.would_be.filled < row.was.filled for row in rows),
        "more_filled": sum(row.would_be.filled > row.was.filled for row in rows),
        "costs_more": format_decimal(more, finest),
        "costs_more_bps": format_decimal(ceil_div(more * BPS_SCALE, was), BPS_DECIMALS) if was else None,
    }


def _decimals(row: Compared) -> int:
    instrument = row.was.request.instrument
    return instrument.price_decimals + instrument.quantity_decimals + NET_DECIMALS
