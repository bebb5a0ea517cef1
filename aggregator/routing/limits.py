"""What a venue allows for one request: whether it may be used at all and why not, and which quantities are legal there.

A child is a limit order at the worst price that it is to touch, on the venue's tick. Its notional, in the venue's rules
and against balances, is that price times the quantity; a seller's caps count what the levels pay, which is more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from operator import mul, neg
from typing import NamedTuple

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Side
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.plan import NET_ONE, RouteRequest, VenueDepth, VenueTerms
from aggregator.routing.cost import Curve, ceil_div, counted, unit_factor

BPS_ONE = 10_000


class Range(NamedTuple):
    """Legal quantities: `low`, `low + step`, and so on up to `high`, which is one of them."""

    low: int
    high: int
    step: int


def exclusion(request: RouteRequest, depth: VenueDepth, terms: VenueTerms) -> str | None:
    """Why the venue is out of this request whatever its prices are; None when it is in."""
    wanted, listing = request.instrument, depth.listing
    listed = listing.instrument
    if request.venues is not None and listing.venue not in request.venues:
        return "not among the venues that the client allows"
    if not terms.route:
        return "its route is switched off"
    if not listing.tradable:
        return f"{listing.symbol} is not tradable there"
    if depth.reason is not None:
        return depth.reason
    if listed != wanted:
        if listed.base != wanted.base or not wanted.base:
            return f"it lists {listed.name}, not {wanted.name}"
        if listed.widened(wanted.price_decimals, wanted.quantity_decimals) != listed or wanted != wanted.widened(
            listed.price_decimals, listed.quantity_decimals
        ):
            return f"{listed.name} is on other scales than {wanted.name}"
    if listed.quote != wanted.quote:
        if depth.rate is None:
            return f"no rate from {listed.quote} to {wanted.quote}"
        return depth.rate.fault(listed.quote, wanted.quote, request.as_of_ns)
    return None


class Room:
    """One venue that is in, with what is left of its levels, balances and caps for this request.

    `levels` are counted on and within the price bound once `bound` was called. `most_quantity` and `most_notional` say
    what a child may not exceed, None without such a limit; `funds_...` is the balance's part in that.
    """

    __slots__ = (
        "depth", "factor", "funds_notional", "funds_quantity", "is_buying", "levels",
        "most_notional", "most_quantity", "rate", "terms", "venue", "worst_price",
    )  # fmt: skip

    def __init__(self, request: RouteRequest, depth: VenueDepth, terms: VenueTerms) -> None:
        self.venue = depth.listing.venue
        self.depth = depth
        self.terms = terms
        self.is_buying = request.side is Side.BUY
        self.levels = counted(depth)
        is_foreign = depth.rate is not None and depth.listing.instrument.quote != request.instrument.quote
        self.rate = depth.rate.value if depth.rate is not None and is_foreign else NET_ONE
        self.factor = unit_factor(request.side, depth.listing, self.rate)
        self.worst_price = 0
        self.funds_quantity, self.funds_notional = self._funds()
        self.most_quantity, self.most_notional = self.funds_quantity, self.funds_notional

    @property
    def best_unit(self) -> int:
        """The best level's signed net cost of one unit."""
        return self.levels.prices[0] * self.factor

    def gross_best(self) -> int:
        """The best price in the request's quote, rounded against us."""
        return self._converted(self.levels.prices[0])

    def bound(self, price: int | None) -> None:
        """Keep the levels that are within the bound, stated in the request's quote, and apply the caps."""
        prices, quantities = self.levels
        if price is not None and prices:
            self.worst_price = self._own_bound(price)
            if self.is_buying:
                within = bisect_right(prices, self.worst_price)
            else:
                within = bisect_right(prices, -self.worst_price, key=neg)
            if within < len(prices):
                self.levels = Levels(prices[:within], quantities[:within])
        self._cap()

    def limit_price(self, price: int) -> int:
        """The child's price to reach a level at `price`: on the tick, and never past the bound."""
        tick = self.depth.listing.tick
        if not tick or not price % tick:
            return price
        return price - price % tick + (tick if self.is_buying else 0)

    def exposure(self, quantity: int, limit_price: int, notional: int) -> int:
        """What counts against caps and, when buying, against the balance."""
        return limit_price * quantity if self.is_buying else notional

    def is_legal(self, quantity: int, limit_price: int, notional: int) -> bool:
        """Whether the venue and the account allow this child. `notional` is what its levels cost."""
        listing = self.depth.listing
        return (
            quantity > 0
            and not (listing.lot and quantity % listing.lot)
            and not (listing.tick and limit_price % listing.tick)
            and quantity >= listing.minimum_quantity
            and limit_price * quantity >= listing.minimum_notional
            and (self.most_quantity is None or quantity <= self.most_quantity)
            and (self.most_notional is None or self.exposure(quantity, limit_price, notional) <= self.most_notional)
        )

    def most(self, curve: Curve, most_quantity: int | None, most_notional: int | None) -> int:
        """The largest quantity of the curve within these two."""
        high = curve.reach[-1] if most_quantity is None else min(curve.reach[-1], max(0, most_quantity))
        if most_notional is None or not high:
            return high
        return min(high, self._affordable(curve, max(0, most_notional)))

    def _affordable(self, curve: Curve, budget: int) -> int:
        """Exposure ascends with the quantity: it is bisected to a level, then divided within it."""
        limits = [self.limit_price(price) for price in curve.prices]
        if self.is_buying:
            level = bisect_right(list(map(mul, limits, curve.reach[1:])), budget)
            return max(curve.reach[level], budget // limits[level]) if level < len(limits) else curve.reach[-1]
        quantities = [after - before for before, after in pairwise(curve.reach)]
        paid: list[int] = list(accumulate(map(mul, curve.prices, quantities), initial=0))
        level = bisect_right(paid, budget) - 1
        if level == len(quantities):
            return curve.reach[-1]
        return curve.reach[level] + (budget - paid[level]) // curve.prices[level]

    def _funds(self) -> tuple[int | None, int | None]:
        holdings = self.depth.holdings
        if holdings is None:
            return None, None
        if not self.is_buying:
            return holdings.base - holdings.base_reserved, None
        free = holdings.quote - holdings.quote_reserved
        if self.terms.is_fee_in_quote:
            free = free * RATE_ONE // (RATE_ONE + self.depth.listing.fees.taker)
        return None, free

    def _cap(self) -> None:
        terms, pending = self.terms, self.depth.pending
        cap = None if terms.cap_quantity is None else terms.cap_quantity - pending
        self.most_quantity = _least(self.funds_quantity, cap, terms.maximum_quantity)
        if terms.cap_notional is None or not self.levels.prices:
            return
        dearest = max(self.levels.prices[0], self.levels.prices[-1])
        cap = terms.cap_notional * NET_ONE // self.rate - pending * dearest
        self.most_notional = _least(self.funds_notional, cap)

    def _converted(self, price: int) -> int:
        converted = price * self.rate
        return ceil_div(converted, NET_ONE) if self.is_buying else converted // NET_ONE

    def _own_bound(self, price: int) -> int:
        """The bound in the listing's quote and on its tick, rounded so that it is never looser."""
        scaled = price * NET_ONE
        price = scaled // self.rate if self.is_buying else ceil_div(scaled, self.rate)
        tick = self.depth.listing.tick or 1
        return price - price % tick if self.is_buying else ceil_div(price, tick) * tick


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def price_bound(request: RouteRequest, rooms: Sequence[Room], market_bound_bps: int) -> int | None:
    """The worst price allowed: the client's limit, or so many bps from the best price of the venues that are in. None
    only when none of them shows anything."""
    if request.limit_price is not None:
        return request.limit_price
    bests = [room.gross_best() for room in rooms if room.levels.prices]
    if not bests:
        return None
    if request.side is Side.BUY:
        return min(bests) * (BPS_ONE + market_bound_bps) // BPS_ONE
    return ceil_div(max(bests) * (BPS_ONE - market_bound_bps), BPS_ONE)


def legal_ranges(room: Room, curve: Curve, most: int) -> list[Range]:
    """All quantities up to `most` that are legal, as ranges in ascending order.

    There is more than one only for a seller under a minimum notional: to sell more he goes to a lower price, where the
    same quantity may be worth too little again.
    """
    listing = room.depth.listing
    lot = listing.lot or 1
    high = most // lot * lot
    low = ceil_div(max(listing.minimum_quantity, 1), lot) * lot
    if not listing.minimum_notional or low > high:
        return [Range(low, high, lot)] if low <= high else []
    return _worth_enough(room, curve, Range(low, high, lot))


def _worth_enough(room: Room, curve: Curve, whole: Range) -> list[Range]:
    """Of a range, what has the minimum notional at the limit price of the level that it touches."""
    minimum, step = room.depth.listing.minimum_notional, whole.step
    lowest = min(room.limit_price(curve.prices[0]), room.limit_price(curve.prices[curve.level_of(whole.high)]))
    found: list[Range] = []
    for level in range(curve.level_of(whole.low), curve.level_of(whole.high) + 1):
        limit = room.limit_price(curve.prices[level])
        begin = max(whole.low, (curve.reach[level] // step + 1) * step)
        end = min(whole.high, curve.reach[level + 1] // step * step)
        low = max(begin, ceil_div(ceil_div(minimum, limit), step) * step)
        if low > end:
            continue
        # Worth enough at the lowest price of all: from here on everything is, whatever the level.
        is_rest = low * (limit if room.is_buying else lowest) >= minimum
        high = whole.high if is_rest else end
        if found and low == found[-1].high + step:
            found[-1] = Range(found[-1].low, high, step)
        else:
            found.append(Range(low, high, step))
        if is_rest:
            break
    return found
