"""Why a plan is as it is: who is out, what is left unfilled and for what reason, what one venue alone could do."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import POWERS, format_decimal
from aggregator.domain.plan import (
    AVERAGE_DECIMALS,
    BPS_DECIMALS,
    NET_DECIMALS,
    NET_ONE,
    RouteRequest,
    Shortfall,
    SingleVenue,
)
from aggregator.routing.cost import Curve, ceil_div, counted
from aggregator.routing.limits import Room
from aggregator.routing.splitter import Outcome, Part, Splitter

BPS_SCALE: int = 10_000 * 10**BPS_DECIMALS


def unusable(room: Room, request: RouteRequest) -> str | None:
    """Why a venue that is in can take no child of this request at all, as far as that shows without a search."""
    listing, instrument = room.depth.listing, request.instrument
    prices, quantities = room.levels
    if not prices:
        return (
            "it shows nothing within the price bound" if room.depth.levels.prices else "it shows nothing on this side"
        )
    least = max(listing.minimum_quantity, listing.lot, 1)
    most = sum(quantities)
    if request.quantity is not None and request.quantity < least:
        return f"its least quantity, {instrument.show_quantity(least)}, is more than is asked for"
    if most < least:
        return f"it shows less than its least quantity, {instrument.show_quantity(least)}, within the price bound"
    limit = room.limit_price(prices[0])
    dearest = max(limit, room.limit_price(prices[-1]))
    minimum = listing.minimum_notional
    if dearest * min(most, request.quantity or most) < minimum:
        return f"what could be taken there is worth less than its minimum notional, {instrument.show_notional(minimum)}"
    worth = max(limit * least, minimum)
    if _is_under(room.funds_quantity, least) or _is_under(room.funds_notional, worth):
        asset = listing.instrument.quote if request.side is Side.BUY else listing.instrument.base
        return f"not enough {asset} there for its least quantity"
    if _is_under(room.most_quantity, least) or _is_under(room.most_notional, worth):
        return "its cap leaves no room for its least quantity"
    return None


def _is_under(limit: int | None, least: int) -> bool:
    return limit is not None and limit < least


def left_unfilled(request: RouteRequest, admitted: Sequence[Room], filled: int, net: int) -> dict[Shortfall, int]:
    """What is missing, by reason, in quantity or in notional as it was asked for; empty when all is filled.

    The reasons are taken in turn: what the books lack, what lies beyond the price bound, what balances and then caps
    forbid, and at last what minimums and lots leave.
    """
    if request.quantity is not None:
        asked, reached = request.quantity, filled
    else:
        asked, reached = request.notional or 0, ceil_div(net, NET_ONE)
    if reached >= asked:
        return {}
    if not admitted:
        return {Shortfall.NO_VENUE: asked}
    missing: dict[Shortfall, int] = {}
    left = asked
    for reason, most in _stages(admitted, by_quantity=request.quantity is not None).items():
        if most < left:
            missing[reason] = left - max(most, reached)
            left = max(most, reached)
    if left > reached:
        missing[_last_reason(request, admitted, left - reached)] = left - reached
    return {reason: part for reason, part in missing.items() if part}


def _stages(rooms: Sequence[Room], by_quantity: bool) -> dict[Shortfall, int]:
    """How much all venues could fill together, with one more limit at each stage; without lots and minimums."""
    totals = dict.fromkeys((Shortfall.DEPTH, Shortfall.LIMIT, Shortfall.BALANCE, Shortfall.CAP), 0)
    for room in rooms:
        whole = Curve(counted(room.depth), room.factor)
        bounded = Curve(room.levels, room.factor)
        quantities = (
            whole.reach[-1],
            bounded.reach[-1],
            room.most(bounded, room.funds_quantity, room.funds_notional),
            room.most(bounded, room.most_quantity, room.most_notional),
        )
        for reason, quantity in zip(totals, quantities, strict=True):
            curve = whole if reason is Shortfall.DEPTH else bounded
            reached = quantity if by_quantity or not quantity else abs(curve.cost(quantity)) // NET_ONE
            totals[reason] += reached
    return totals


def _last_reason(request: RouteRequest, rooms: Sequence[Room], left: int) -> Shortfall:
    """Less than every venue's lot is dust; more than that is under what the venues' minimums leave."""
    lot = min(room.depth.listing.lot or 1 for room in rooms)
    if request.quantity is None:
        prices = [room.gross_best() for room in rooms if room.levels.prices]
        lot *= 2 * max(prices, default=0)  # a lot at any price within the bound, and its fee
    return Shortfall.LOT if left < lot else Shortfall.MINIMUM


def best_single(
    request: RouteRequest, splitter: Splitter, rooms: Sequence[Room], filled: int
) -> tuple[SingleVenue, int] | None:
    """The venue that alone fills the most of what the plan fills, at the least cost, with that signed cost."""
    best: tuple[int, int, Room] | None = None
    for place, room in enumerate(rooms):
        alone = splitter.alone(place, filled)
        if alone.filled and (best is None or (-alone.filled, alone.cost) < (-best[0], best[1])):
            best = (alone.filled, alone.cost, room)
    if best is None:
        return None
    quantity, cost, room = best
    return SingleVenue(room.venue, quantity, net_price(request.side, cost, quantity)), cost


def net_price(side: Side, cost: int, quantity: int) -> int:
    """The price that a signed cost comes to, on AVERAGE_DECIMALS below prices, rounded against us. A seller's is
    negative when fixed costs eat it up."""
    price = ceil_div(cost * POWERS[AVERAGE_DECIMALS], quantity * NET_ONE)
    return price if side is Side.BUY else -price


def saving(single: tuple[SingleVenue, int] | None, outcome: Outcome) -> int | None:
    """How much cheaper the plan is than the best venue alone, rounded down. None when no venue alone fills as much."""
    if single is None or single[0].filled < outcome.filled or not single[1]:
        return None
    return (single[1] - outcome.cost) * BPS_SCALE // abs(single[1])


def gap(outcome: Outcome) -> int:
    """How much better a split of the same quantity could be at most, rounded up, against the proven bound."""
    if outcome.cost == outcome.bound:
        return 0
    return ceil_div((outcome.cost - outcome.bound) * BPS_SCALE, abs(outcome.bound) or 1)


def unused_reasons(
    rooms: Sequence[Room], splitter: Splitter, outcome: Outcome, instrument: Instrument
) -> dict[str, str]:
    """For each venue that could be used and is not, why."""
    used = [room.levels.prices[part.level] * room.factor for room, part in _pairs(rooms, outcome) if part.quantity]
    worst = max(used, default=0)
    last = _shown_net(worst, instrument)
    reasons = {}
    for place, (room, part) in enumerate(_pairs(rooms, outcome)):
        if part.quantity:
            continue
        best = _shown_net(room.best_unit, instrument)
        if splitter.is_closed(place):
            reasons[room.venue] = "no quantity there meets its lot, minimums, balance and caps together"
        elif not used:
            reasons[room.venue] = "nothing of what is asked for fits its lot and minimums"
        elif room.best_unit >= worst:
            reasons[room.venue] = f"its best price after fees, {best}, is no better than {last}, the last one taken"
        else:
            reasons[room.venue] = f"its lot, minimum, balance or fixed cost makes it dearer, though {best} is its best"
    return reasons


def _pairs(rooms: Sequence[Room], outcome: Outcome) -> zip[tuple[Room, Part]]:
    return zip(rooms, outcome.parts, strict=True)


def _shown_net(unit: int, instrument: Instrument) -> str:
    """A net price as people read it, on ten decimals at most."""
    kept = min(10, instrument.price_decimals + NET_DECIMALS)
    return format_decimal(abs(unit) // POWERS[instrument.price_decimals + NET_DECIMALS - kept], kept)
