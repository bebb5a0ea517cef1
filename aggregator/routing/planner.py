"""The planner: a request, what the venues show, and a policy to the split that costs least after fees.

It is lexicographic: first it fills as much as was asked for, then it does so for the least net cost. Every child is
legal where it goes, none is past the limit price or the market bound, and together they are never more than was asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Side
from aggregator.domain.plan import NET_ONE, PlannedChild, RoutePlan, RouteRequest, RoutingPolicy, VenueDepth
from aggregator.routing.cost import taker_fee
from aggregator.routing.explanation import (
    best_single,
    gap,
    left_unfilled,
    net_price,
    saving,
    unusable,
    unused_reasons,
)
from aggregator.routing.limits import Room, exclusion, price_bound
from aggregator.routing.record import fingerprint
from aggregator.routing.splitter import Outcome, Part, Splitter, quantity_worth, split_notional


def plan(request: RouteRequest, venues: Sequence[VenueDepth], policy: RoutingPolicy) -> RoutePlan:
    """Split the request over the venues; the same arguments always give the same plan.

    A venue may come with several books of the same base in different quotes. One of them is used: the first that is in.
    """
    excluded, admitted = _admitted(request, venues, policy)
    bound = price_bound(request, admitted, policy.market_bound_bps)
    rooms = []
    for room in admitted:
        room.bound(bound)
        reason = unusable(room, request)
        if reason is None:
            rooms.append(room)
        else:
            excluded[room.venue] = reason
    fixed_costs = [room.terms.fixed_cost * NET_ONE for room in rooms]
    most = request.quantity or sum(sum(room.levels.quantities) for room in rooms)
    splitter = Splitter(rooms, fixed_costs, most, policy.search_limit)
    outcome = _outcome(request, rooms, splitter, most)
    single = best_single(request, splitter, rooms, outcome.filled)
    side, net = request.side, outcome.cost if request.side is Side.BUY else -outcome.cost
    gross = sum(_gross(room, part) for room, part in zip(rooms, outcome.parts, strict=True))
    return RoutePlan(
        request=request,
        policy=policy,
        depth=tuple(venues),
        bound_price=bound,
        children=tuple(
            _child(room, part, request) for room, part in zip(rooms, outcome.parts, strict=True) if part.quantity
        ),
        filled=outcome.filled,
        average_price=net_price(side, gross, outcome.filled) if outcome.filled else None,
        net=net,
        net_price=net_price(side, outcome.cost, outcome.filled) if outcome.filled else None,
        unfilled=left_unfilled(request, admitted, outcome.filled, net),
        best_single=single[0] if single else None,
        saving=saving(single, outcome),
        gap=gap(outcome),
        is_proven=outcome.is_proven,
        excluded=excluded,
        unused=unused_reasons(rooms, splitter, outcome, request.instrument),
        book_digest=fingerprint(request.side, venues),
    )


def _admitted(
    request: RouteRequest, venues: Sequence[VenueDepth], policy: RoutingPolicy
) -> tuple[dict[str, str], list[Room]]:
    """The venues that are out with the reason, and those that are in whatever their prices are."""
    excluded: dict[str, str] = {}
    admitted: dict[str, Room] = {}
    for depth in venues:
        reason = exclusion(request, depth, policy.of(depth.venue))
        first = admitted.get(depth.venue)
        if reason is None and first is not None:
            reason = f"its {first.depth.listing.instrument.name} is used"
        if reason is None:
            admitted[depth.venue] = Room(request, depth, policy.of(depth.venue))
        else:
            excluded[depth.label(request.instrument)] = reason
    for venue in request.venues or ():
        if not any(depth.venue == venue for depth in venues):
            excluded[venue] = f"it does not list {request.instrument.name}"
    return excluded, list(admitted.values())


def _outcome(request: RouteRequest, rooms: Sequence[Room], splitter: Splitter, most: int) -> Outcome:
    if request.quantity is not None:
        return splitter.split(request.quantity)
    budget = (request.notional or 0) * NET_ONE
    return split_notional(splitter, request.side, budget, quantity_worth(rooms, budget), most)


def _child(room: Room, part: Part, request: RouteRequest) -> PlannedChild:
    listing = room.depth.listing
    limit_price = room.limit_price(room.levels.prices[part.level])
    notional = part.cost // room.factor
    if not room.is_legal(part.quantity, limit_price, notional):
        raise BrokenInvariant(f"{room.venue}: a planned child of {part.quantity} at {limit_price} is not legal there")
    cost = part.cost + room.terms.fixed_cost * NET_ONE
    return PlannedChild(
        venue=room.venue,
        symbol=listing.symbol,
        instrument=listing.instrument,
        limit_price=limit_price,
        quantity=part.quantity,
        notional=notional,
        fee=taker_fee(notional, listing),
        fixed_cost=room.terms.fixed_cost,
        net=cost if room.is_buying else -cost,
        net_price=net_price(request.side, cost, part.quantity),
        rate=None if listing.instrument.quote == request.instrument.quote else room.depth.rate,
    )


def _gross(room: Room, part: Part) -> int:
    """What the part costs before fees and fixed costs, signed, in the request's quote."""
    notional = part.cost // room.factor if part.quantity else 0
    return notional * room.rate if room.is_buying else -notional * room.rate
