"""What the planner may do at best, found unit by unit: every quantity of every venue is tried, by rules read anew.

Nothing here is shared with the planner but the records. It is slow, so its numbers have to be small.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from aggregator.domain.instrument import Side
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.plan import NET_ONE, RouteRequest, RoutingPolicy, VenueDepth, VenueTerms
from tests.routing.cases import Case

Costs = dict[int, Fraction]
"""Legal quantity to its cost: paid is positive, received negative, all in the request's quote."""


def venue_units(case: Case) -> dict[str, list[int]]:
    """At every venue that is in, the price of every unit that is counted on and within the bound, best first."""
    shown = {depth.venue: (depth, _counted(depth)) for depth in case.venues if case.policy.of(depth.venue).route}
    bound = _bound(case.request, case.policy, list(shown.values()))
    return {
        venue: [
            price
            for price, quantity in levels
            for _ in range(quantity)
            if not _is_past(case.request, _on_tick(case.request.side, depth, price) * _rate(depth), bound)
        ]
        for venue, (depth, levels) in shown.items()
    }


def venue_costs(case: Case) -> dict[str, Costs]:
    """Every legal quantity at every venue that is in, with its cost; 0 costs nothing."""
    depths = {depth.venue: depth for depth in case.venues}
    return {
        venue: _costs(case.request, depths[venue], case.policy.of(venue), units)
        for venue, units in venue_units(case).items()
    }


def _counted(depth: VenueDepth) -> list[tuple[int, int]]:
    levels, pending = [], depth.pending
    for price, quantity in zip(*depth.levels, strict=True):
        gone = min(pending, quantity)
        pending -= gone
        if kept := floor((quantity - gone) * Fraction(depth.confidence, RATE_ONE)):
            levels.append((price, kept))
    return levels


def _rate(depth: VenueDepth) -> Fraction:
    return Fraction(depth.rate.value, NET_ONE) if depth.rate else Fraction(1)


def _bound(
    request: RouteRequest, policy: RoutingPolicy, shown: list[tuple[VenueDepth, list[tuple[int, int]]]]
) -> Fraction:
    if request.limit_price is not None:
        return Fraction(request.limit_price)
    bests = [levels[0][0] * _rate(depth) for depth, levels in shown if levels]
    bps = Fraction(policy.market_bound_bps, 10_000)
    if request.side is Side.BUY:
        return Fraction(floor(min(map(ceil, bests), default=0) * (1 + bps)))
    return Fraction(ceil(max(map(floor, bests), default=0) * (1 - bps)))


def _costs(request: RouteRequest, depth: VenueDepth, terms: VenueTerms, units: list[int]) -> Costs:
    costs: Costs = {0: Fraction(0)}
    # What is pending may cost as much as the dearest level that is allowed.
    notional, pending = 0, depth.pending * max(units, default=0)
    for quantity, price in enumerate(units, 1):
        notional += price
        limit = _on_tick(request.side, depth, price)
        if _is_legal(request, depth, terms, quantity, limit, notional, pending):
            costs[quantity] = net_cost(request, depth, notional) + terms.fixed_cost
    return costs


def _is_past(request: RouteRequest, price: Fraction, bound: Fraction) -> bool:
    return price > bound if request.side is Side.BUY else price < bound


def _on_tick(side: Side, depth: VenueDepth, price: int) -> int:
    tick = depth.listing.tick or 1
    return (ceil if side is Side.BUY else floor)(Fraction(price, tick)) * tick


def _is_legal(
    request: RouteRequest,
    depth: VenueDepth,
    terms: VenueTerms,
    quantity: int,
    limit: int,
    notional: int,
    pending_notional: int,
) -> bool:
    listing, holdings, is_buying = depth.listing, depth.holdings, request.side is Side.BUY
    rules = [
        quantity % (listing.lot or 1) == 0,
        quantity >= listing.minimum_quantity,
        limit * quantity >= listing.minimum_notional,
        terms.maximum_quantity is None or quantity <= terms.maximum_quantity,
        terms.cap_quantity is None or quantity + depth.pending <= terms.cap_quantity,
        terms.cap_notional is None
        or (limit * quantity if is_buying else notional) + pending_notional <= terms.cap_notional / _rate(depth),
    ]
    if holdings and is_buying:
        fee = Fraction(listing.fees.taker, RATE_ONE) if terms.is_fee_in_quote else 0
        rules.append(limit * quantity * (1 + fee) <= holdings.quote - holdings.quote_reserved)
    elif holdings:
        rules.append(quantity <= holdings.base - holdings.base_reserved)
    return all(rules)


def net_cost(request: RouteRequest, depth: VenueDepth, notional: int) -> Fraction:
    """With the fee, in the request's quote; without fixed costs."""
    fee = Fraction(depth.listing.fees.taker, RATE_ONE)
    if request.side is Side.BUY:
        return notional * (1 + fee) * _rate(depth)
    return -notional * (1 - fee) * _rate(depth)


def best_costs(costs: dict[str, Costs], wanted: int) -> Costs:
    """For every total up to `wanted` that can be reached, the least cost."""
    totals: Costs = {0: Fraction(0)}
    for venue in costs.values():
        merged: Costs = {}
        for total, cost in totals.items():
            for quantity, more in venue.items():
                if total + quantity <= wanted and cost + more < merged.get(total + quantity, cost + more + 1):
                    merged[total + quantity] = cost + more
        totals = merged
    return totals


def best(case: Case) -> tuple[int, Fraction]:
    """The most that can be filled of the quantity asked for, and the least cost of it."""
    totals = best_costs(venue_costs(case), case.request.quantity or 0)
    filled = max(totals)
    return filled, totals[filled]


def best_by_notional(case: Case) -> tuple[int, Fraction]:
    """A buyer: the most that the notional pays for, at its least cost. A seller: the largest quantity such that no
    best split up to it brings more than the notional."""
    costs = venue_costs(case)
    totals = best_costs(costs, sum(max(venue) for venue in costs.values()))
    budget = case.request.notional or 0
    filled = 0
    for total in sorted(totals):
        if abs(totals[total]) <= budget:
            filled = total
        elif case.request.side is Side.SELL:
            break
    return filled, totals[filled]
