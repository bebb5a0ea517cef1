"""Depth and plans for tests, in few words: decimals as text, on the default scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Fees, Instrument, Listing, Side
from aggregator.domain.numbers import parse_rate
from aggregator.domain.plan import RoutePlan, RouteRequest, RoutingPolicy, VenueDepth
from aggregator.routing.planner import plan

BTC = Instrument("BTC/USDT", "BTC", "USDT", price_decimals=8, quantity_decimals=18)
OPEN = RoutingPolicy()

Rows = Sequence[tuple[str, str]]


def shown(
    venue: str,
    rows: Rows,
    *,
    instrument: Instrument = BTC,
    tick: str = "0",
    lot: str = "0",
    minimum: str = "0",
    minimum_notional: str = "0",
    taker: str = "0",
    **known: Any,
) -> VenueDepth:
    """A venue with these levels, best first; `known` are further fields of its depth."""
    listing = Listing(
        venue,
        instrument.name.replace("/", ""),
        instrument,
        tick=instrument.price(tick),
        lot=instrument.quantity(lot),
        minimum_quantity=instrument.quantity(minimum),
        minimum_notional=instrument.notional(minimum_notional),
        fees=Fees(taker=parse_rate(taker)),
    )
    prices = [instrument.price(price) for price, _ in rows]
    return VenueDepth(listing, Levels(prices, [instrument.quantity(quantity) for _, quantity in rows]), **known)


def buying(quantity: str, *venues: VenueDepth, policy: RoutingPolicy = OPEN, **more: Any) -> RoutePlan:
    return plan(RouteRequest(BTC, Side.BUY, quantity=BTC.quantity(quantity), **more), venues, policy)


def selling(quantity: str, *venues: VenueDepth, policy: RoutingPolicy = OPEN, **more: Any) -> RoutePlan:
    return plan(RouteRequest(BTC, Side.SELL, quantity=BTC.quantity(quantity), **more), venues, policy)


def spending(notional: str, *venues: VenueDepth, policy: RoutingPolicy = OPEN, **more: Any) -> RoutePlan:
    return plan(RouteRequest(BTC, Side.BUY, notional=BTC.notional(notional), **more), venues, policy)


def raising(notional: str, *venues: VenueDepth, policy: RoutingPolicy = OPEN, **more: Any) -> RoutePlan:
    return plan(RouteRequest(BTC, Side.SELL, notional=BTC.notional(notional), **more), venues, policy)


def children(planned: RoutePlan) -> dict[str, str]:
    """Venue to quantity."""
    return {child.venue: BTC.show_quantity(child.quantity) for child in planned.children}


def unfilled(planned: RoutePlan) -> dict[str, str]:
    """Reason to quantity or notional."""
    reasons: dict[str, str] = planned.to_document()["unfilled_reasons"]
    return reasons
