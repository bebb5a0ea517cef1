"""What to do next for a parent order: plan again, rest what is left, or end. Pure: nothing is sent from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from aggregator.domain.instrument import Side
from aggregator.domain.lifecycle import ChildState
from aggregator.domain.local import LOCAL_VENUE
from aggregator.domain.numbers import POWERS, RATE_ONE, format_decimal
from aggregator.domain.order import ChildOrder, ChildTerms, OrderTerms, OrderType, ParentOrder, ParentState, TimeInForce
from aggregator.domain.plan import RoutePlan, RouteRequest, RoutingPolicy, VenueDepth
from aggregator.routing.limits import exclusion

ROUNDS_AT_MOST = 8
"""Plans for one order, or between two amendments of it. Each waits for the children of the one before, so it is never
a loop against a venue that refuses."""

SECOND = 1_000_000_000

AGREEING_ANSWERS = 3
GRACE_NS = 15 * SECOND
"""A venue's "no such order" is believed when as many answers in a row say so, the last one this long after the child
left: an order can still be on its way inside a venue (Binance's own time-out is 10 s)."""

ANSWER_PATIENCE_NS = 15 * SECOND
"""A child that nobody reports about within this long is in doubt."""

QUIET_IMMEDIATE_NS = 3 * SECOND
"""An immediate child should have ended by then, so it is asked after."""

QUIET_RESTING_NS = 60 * SECOND
CANCEL_PATIENCE_NS = 5 * SECOND
LONGEST_ASK_WAIT_NS = 30 * SECOND

SLICE_DIGITS = 3
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Step(Enum):
    WAIT = auto()
    PLAN = auto()
    END = auto()


def base36(number: int, digits: int) -> str:
    """Raises OverflowError when it does not fit."""
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    if number:
        raise OverflowError(f"more than {digits} digits in base 36")
    return text


def child_id(order_id: str, slice_number: int) -> str:
    """Unique as long as the parent's id is: 16 + 1 + 3 characters, which every venue takes as a client order id."""
    return f"{order_id}-{base36(slice_number, SLICE_DIGITS)}"


def is_immediate(child: ChildOrder) -> bool:
    return child.terms.time_in_force is not TimeInForce.GTC


def next_step(parent: ParentOrder, *, is_halted: bool) -> Step:
    """A child in doubt keeps its quantity and holds the parent open, but not the rest of it up."""
    live = parent.live_children
    if any(child.state is not ChildState.UNKNOWN for child in live):
        return Step.WAIT
    is_over = (
        parent.state is ParentState.CANCELING
        or is_halted
        or parent.remaining == 0
        or (parent.terms.time_in_force is TimeInForce.FOK and parent.rounds > 0)
        or parent.rounds >= ROUNDS_AT_MOST
    )
    if not is_over:
        return Step.PLAN
    return Step.WAIT if live else Step.END


def route_request(parent: ParentOrder, quantity: int, now_ns: int) -> RouteRequest:
    """A part of the order, within the client's bounds. A market order's bound stays that of its first plan."""
    limit = parent.limit_price if parent.limit_price is not None else parent.bound_price
    terms = parent.terms
    return RouteRequest(
        terms.instrument,
        terms.side,
        quantity=quantity,
        limit_price=limit,
        venues=terms.venues,
        as_of_ns=now_ns,
    )


def planned_children(parent: ParentOrder, plan: RoutePlan) -> list[ChildTerms]:
    """The plan's children: immediate or cancel, or fill or kill for an order that is so."""
    is_fok = parent.terms.time_in_force is TimeInForce.FOK
    first = len(parent.children)
    return [
        ChildTerms(
            child_id=child_id(parent.order_id, first + number),
            order_id=parent.order_id,
            venue=child.venue,
            symbol=child.symbol,
            instrument=child.instrument,
            side=parent.terms.side,
            quantity=child.quantity,
            limit_price=child.limit_price,
            time_in_force=TimeInForce.FOK if is_fok else TimeInForce.IOC,
            rate=child.rate,
        )
        for number, child in enumerate(plan.children)
    ]


class Resting(NamedTuple):
    """Where the rest of an order is to rest: None, and for each venue why not there."""

    child: ChildTerms | None
    reasons: Mapping[str, str]


def resting_child(parent: ParentOrder, venues: Sequence[VenueDepth], policy: RoutingPolicy, now_ns: int) -> Resting:
    """One order for all that is left: in Busan's own book where that is possible, else where resting costs least, by
    the lowest maker fee, then by the venue's name. What a venue's lot and minimum do not let rest stays unfilled."""
    request = route_request(parent, parent.remaining, now_ns)
    reasons: dict[str, str] = {}
    places: list[tuple[int, str, ChildTerms]] = []
    for depth in venues:
        child = _resting_at(parent, request, depth)
        reason = exclusion(request, depth, policy.of(depth.venue)) or (child if isinstance(child, str) else None)
        if reason is not None:
            reasons[depth.label(request.instrument)] = reason
        elif isinstance(child, ChildTerms):
            places.append((depth.listing.fees.maker, depth.venue, child))
    places.sort(key=lambda place: (place[1] != LOCAL_VENUE, *place[:2]))
    return Resting(places[0][2] if places else None, reasons)


def _resting_at(parent: ParentOrder, request: RouteRequest, depth: VenueDepth) -> ChildTerms | str:
    """The child that could rest at this venue, or why none can."""
    listing, limit = depth.listing, request.limit_price
    if limit is None or request.quantity is None:
        return "an order without a limit price does not rest"
    if listing.instrument != request.instrument:
        return f"an order in {request.instrument.quote} does not rest in {listing.instrument.quote}: the rate may move"
    tick, lot = listing.tick or 1, listing.lot or 1
    is_buying = request.side is Side.BUY
    price = limit - limit % tick if is_buying else -(-limit // tick) * tick
    quantity = request.quantity - request.quantity % lot
    if quantity < max(listing.minimum_quantity, 1) or price <= 0 or price * quantity < listing.minimum_notional:
        return "what is left is under its lot or its minimum"
    best = depth.levels.prices[0] if depth.levels.prices else None
    if parent.terms.post_only and best is not None and (price >= best if is_buying else price <= best):
        return f"it would be taken at once: the best there is {parent.terms.instrument.show_price(best)}"
    if depth.holdings is not None:
        held = depth.holdings
        is_short = (
            held.quote - held.quote_reserved < price * quantity
            if is_buying
            else held.base - held.base_reserved < quantity
        )
        if is_short:
            asset = listing.instrument.quote if is_buying else listing.instrument.base
            return f"not enough {asset} there"
    return ChildTerms(
        child_id=child_id(parent.order_id, len(parent.children)),
        order_id=parent.order_id,
        venue=depth.venue,
        symbol=listing.symbol,
        instrument=parent.terms.instrument,
        side=request.side,
        quantity=quantity,
        limit_price=price,
        time_in_force=TimeInForce.GTC,
        post_only=parent.terms.post_only,
    )


def rests(terms: OrderTerms) -> bool:
    """Whether what cannot be taken at once is to wait in a book."""
    return terms.type is OrderType.LIMIT and terms.time_in_force is TimeInForce.GTC


def ended_as(parent: ParentOrder) -> ParentState:
    if parent.filled >= parent.quantity:
        return ParentState.FILLED
    return ParentState.PARTLY_FILLED if parent.filled else ParentState.UNFILLED


def ask_wait_ns(asks: int) -> int:
    """How long after this many questions the next one is due: one second, then twice as long each time."""
    return min(SECOND << min(asks, 8), LONGEST_ASK_WAIT_NS)


CONDUCT_KEPT = 20
TRUSTED_AT_FIRST = 10
"""As many good children are taken for granted, so that one bad one does not condemn a venue."""

FIRST_REJECT_WAIT_NS = SECOND
LONGEST_REJECT_WAIT_NS = 60 * SECOND


@dataclass(slots=True)
class Conduct:
    """A venue's recent record with our immediate children. `recent` are the filled parts of the last ones, ratios on
    RATE_DECIMALS; while `out_until_ns` has not come the venue gets nothing new, because it refused what it was sent."""

    recent: list[int]
    rejects: int = 0
    out_until_ns: int = 0
    reason: str = ""

    def confidence(self) -> int:
        """The part of the shown depth to count on."""
        return (sum(self.recent) + TRUSTED_AT_FIRST * RATE_ONE) // (len(self.recent) + TRUSTED_AT_FIRST)

    def ended(self, filled: int, quantity: int) -> None:
        """An immediate child ended. What it left had gone before it came, or was never there."""
        self.recent.append(filled * RATE_ONE // quantity)
        del self.recent[:-CONDUCT_KEPT]
        if filled:
            self.rejects = 0

    def turned_away(self, reason: str, now_ns: int, *, is_reject: bool) -> None:
        """A child was refused, or did not get through. Waits double with every refusal in a row."""
        wait_ns = FIRST_REJECT_WAIT_NS
        if is_reject:
            self.rejects += 1
            wait_ns = min(FIRST_REJECT_WAIT_NS << min(self.rejects - 1, 8), LONGEST_REJECT_WAIT_NS)
            self.recent.append(0)
            del self.recent[:-CONDUCT_KEPT]
        self.out_until_ns = max(self.out_until_ns, now_ns + wait_ns)
        self.reason = reason

    def complaint(self, now_ns: int) -> str | None:
        if now_ns >= self.out_until_ns:
            return None
        tenths = (self.out_until_ns - now_ns) // (SECOND // 10)
        return f"backing off for {format_decimal(tenths, 1)} s: {self.reason}"


def average_price(parent: ParentOrder, decimals: int) -> int | None:
    """What was paid for a unit on average before fees, on `decimals` below a price; None when nothing was filled."""
    return parent.notional * POWERS[decimals] // parent.filled if parent.filled else None
