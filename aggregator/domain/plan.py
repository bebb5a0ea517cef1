"""A route plan and what it is made from, as plain records: the request, the depth seen, the policy, the answer.

Prices, quantities and notionals are on the scales of the request's instrument. Net money, with fees, conversions and
fixed costs in it, is on NET_DECIMALS below a notional, where a fee on a price is still exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Instrument, Listing, Side
from aggregator.domain.numbers import RATE_ONE, format_decimal

NET_DECIMALS = 16
"""Scale of net factors and of rates between currencies. A fee has 8 decimals; one won is 0.0007 dollars."""

NET_ONE: int = 10**NET_DECIMALS

AVERAGE_DECIMALS = 4
"""Decimals that an average or net price has beyond its instrument's prices."""

BPS_DECIMALS = 4
"""Scale of basis points in answers: a saving of 1 is 0.0001 bps."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one `base` is worth in `quote`, on NET_DECIMALS; who says so, when, and for how long that is believed."""

    base: str
    quote: str
    value: int
    source: str
    at_ns: int
    max_age_ns: int

    def fault(self, base: str, quote: str, now_ns: int) -> str | None:
        """Why it must not be used to turn `base` into `quote` now."""
        if (self.base, self.quote) != (base, quote) or self.value <= 0:
            return f"no rate from {base} to {quote}"
        age_ns = now_ns - self.at_ns
        if age_ns > self.max_age_ns:
            return f"the rate from {base} to {quote} is {_seconds(age_ns)} old, at most {_seconds(self.max_age_ns)}"
        return None


def _seconds(ns: int) -> str:
    return f"{ns // 1_000_000_000}.{ns // 100_000_000 % 10} s"


@dataclass(frozen=True, slots=True)
class Holdings:
    """The account's balances at a venue, and what of them its open and unknown children hold already.

    `base` is on the quantity's scale, `quote` on the notional's.
    """

    base: int
    quote: int
    base_reserved: int = 0
    quote_reserved: int = 0


@dataclass(frozen=True, slots=True)
class VenueDepth:
    """One venue's levels to take from, best first, and all that was known of the venue at that moment.

    `reason` says why the book is not live, None when it is. `rate` turns the listing's quote into the request's where
    they differ. Without `holdings` balances do not limit. `pending` is what our own open children are about to take
    from these levels. `confidence`, on RATE_DECIMALS, is the part of the shown depth that is counted on. `updates` is
    how many snapshots and deltas the book was made of, so that recorded traffic can be played up to this very moment.
    """

    listing: Listing
    levels: Levels
    reason: str | None = None
    rate: Rate | None = None
    holdings: Holdings | None = None
    pending: int = 0
    confidence: int = RATE_ONE
    updates: int = 0

    @property
    def venue(self) -> str:
        return self.listing.venue

    def label(self, wanted: Instrument) -> str:
        """The venue, and what it lists where that is not what is wanted: under this its reason is told."""
        listed = self.listing.instrument
        return self.venue if listed == wanted else f"{self.venue} {listed.name}"


@dataclass(frozen=True, slots=True)
class VenueTerms:
    """What the operator allows and expects of one venue for this instrument. None is no such bound.

    `fixed_cost` (a notional) is added to every child. `maximum_quantity` bounds a child; `cap_quantity` and
    `cap_notional` what may be pending there in all. `is_fee_in_quote` says that a buyer's fee is taken from the quote
    balance, so that it must be there as well.
    """

    route: bool = True
    fixed_cost: int = 0
    maximum_quantity: int | None = None
    cap_quantity: int | None = None
    cap_notional: int | None = None
    is_fee_in_quote: bool = True

    def with_route(self, route: bool) -> VenueTerms:
        return self if route == self.route else replace(self, route=route)

    def turned(self, rate: Rate) -> VenueTerms:
        """The same in another quote, rounded against us."""
        cap = None if self.cap_notional is None else self.cap_notional * rate.value // NET_ONE
        return replace(self, fixed_cost=-(-self.fixed_cost * rate.value // NET_ONE), cap_notional=cap)


class Dust(StrEnum):
    """What becomes of a remainder that no venue may take: under every lot, or under every minimum."""

    LEAVE = "leave"
    """It stays unfilled and the plan says so. It is never rounded up, and never sent where it would be rejected."""


@dataclass(frozen=True, slots=True)
class RoutingPolicy:
    """How to route one instrument. Venues without terms of their own have `other_terms`.

    `market_bound_bps`: how much worse than the best price an order without a limit price may go.
    `search_limit`: the nodes that the search may visit, which bounds its time; past it the plan is no longer proven to
    be the best, and its gap says how far it may be off.
    """

    terms: Mapping[str, VenueTerms] = field(default_factory=dict)
    other_terms: VenueTerms = VenueTerms()
    market_bound_bps: int = 100
    dust: Dust = Dust.LEAVE
    search_limit: int = 2_000

    def of(self, venue: str) -> VenueTerms:
        return self.terms.get(venue, self.other_terms)


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """What is to be bought or sold: either a `quantity`, or as much as a net `notional` pays for or brings in.

    Without `venues` all are allowed. `as_of_ns` is the moment for which it is planned. Raises ValueError for what
    cannot be planned.
    """

    instrument: Instrument
    side: Side
    quantity: int | None = None
    notional: int | None = None
    limit_price: int | None = None
    venues: tuple[str, ...] | None = None
    as_of_ns: int = 0

    def __post_init__(self) -> None:
        if (self.quantity is None) == (self.notional is None):
            raise ValueError("a route is asked for by quantity or by notional: give one of them")
        if min(number for number in (self.quantity, self.notional, self.limit_price, 1) if number is not None) <= 0:
            raise ValueError("quantity, notional and limit price are positive")


class Shortfall(StrEnum):
    """Why something is left unfilled."""

    NO_VENUE = "no_venue"
    """Every venue is excluded."""
    DEPTH = "depth"
    """The books that were seen hold no more."""
    LIMIT = "limit"
    """There is more, but beyond the limit price or the market bound."""
    BALANCE = "balance"
    CAP = "cap"
    """A cap per venue, or a venue's maximum."""
    MINIMUM = "minimum"
    """What is left is under the minimum of every venue that could take it."""
    LOT = "lot"
    """What is left is less than a lot: dust."""


@dataclass(frozen=True, slots=True)
class PlannedChild:
    """One child of the plan: take `quantity` at `limit_price` or better, immediate or cancel.

    `instrument` is the listing's. `limit_price`, and `notional` and `fee` as expected, are in its quote, which `rate`
    turns into the request's where they differ. `net` is in the request's, all costs in it: paid by a buyer, received by
    a seller. `net_price` is its price, on AVERAGE_DECIMALS below prices, rounded against us.
    """

    venue: str
    symbol: str
    instrument: Instrument
    limit_price: int
    quantity: int
    notional: int
    fee: int
    fixed_cost: int
    net: int
    net_price: int
    rate: Rate | None = None


class SingleVenue(NamedTuple):
    """The best that one venue alone can do for the quantity that the plan fills; its price as in the plan."""

    venue: str
    filled: int
    net_price: int


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """The answer, with its explanation. `request`, `depth` and `policy` are all that it was computed from.

    `bound_price` is the worst price allowed. `average_price` is before and `net_price` after all costs, both on
    AVERAGE_DECIMALS below prices and None when nothing is filled; `net` is paid by a buyer and received by a seller.
    `unfilled` breaks what is missing down by reason, in quantity or in notional as it was asked. `saving` and `gap` are
    bps on BPS_DECIMALS: the saving against the best single venue (None when no venue alone fills as much), and how much
    better a plan for the same quantity could be at most. `is_proven` says that no plan fills more, nor the same for
    less. `excluded` are the venues that were out, `unused` those that could have been used.
    """

    request: RouteRequest
    policy: RoutingPolicy
    depth: tuple[VenueDepth, ...]
    bound_price: int | None
    children: tuple[PlannedChild, ...]
    filled: int
    average_price: int | None
    net: int
    net_price: int | None
    unfilled: dict[Shortfall, int]
    best_single: SingleVenue | None
    saving: int | None
    gap: int
    is_proven: bool
    excluded: dict[str, str]
    unused: dict[str, str]
    book_digest: str

    def to_document(self) -> dict[str, Any]:
        """The plan as the world reads it: decimals as strings, in the request's quote unless `quote` says otherwise."""
        request, instrument = self.request, self.request.instrument
        asked = "quantity" if request.quantity is not None else "notional"
        show = instrument.show_quantity if request.quantity is not None else instrument.show_notional
        single, average_decimals = self.best_single, instrument.price_decimals + AVERAGE_DECIMALS
        return {
            "symbol": instrument.name,
            "side": request.side.value,
            asked: show(request.quantity or request.notional or 0),
            "limit_price": _shown(request.limit_price, instrument.price_decimals),
            "bound_price": _shown(self.bound_price, instrument.price_decimals),
            "children": [_child_document(child, instrument) for child in self.children],
            "filled_by_plan": instrument.show_quantity(self.filled),
            "average_price": _shown(self.average_price, average_decimals),
            "net_price": _shown(self.net_price, average_decimals),
            "net_total": _net(self.net, instrument),
            "unfilled": show(sum(self.unfilled.values())),
            "unfilled_reasons": {reason.value: show(part) for reason, part in self.unfilled.items()},
            "best_single_venue": single.venue if single else None,
            "best_single_filled": instrument.show_quantity(single.filled) if single else None,
            "best_single_net_price": format_decimal(single.net_price, average_decimals) if single else None,
            "saving_bps": _shown(self.saving, BPS_DECIMALS),
            "optimality_gap_bps": format_decimal(self.gap, BPS_DECIMALS),
            "proven": self.is_proven,
            "excluded": dict(self.excluded),
            "unused": dict(self.unused),
            "balances": self._balances(),
            "dust": self.policy.dust.value,
            "book_digest": self.book_digest,
        }

    def _balances(self) -> str:
        unchecked = [depth.venue for depth in self.depth if depth.holdings is None and depth.venue not in self.excluded]
        if not unchecked:
            return "checked"
        used = {child.venue for child in self.children}
        return "not checked" if used <= set(unchecked) else "not checked at " + ", ".join(unchecked)


def rate_document(rate: Rate | None) -> dict[str, str | None]:
    """The rate that something in another quote is turned by, and who says so; nulls where nothing is turned."""
    if rate is None:
        return {"rate": None, "rate_source": None}
    return {"rate": format_decimal(rate.value, NET_DECIMALS), "rate_source": rate.source}


def _shown(value: int | None, decimals: int) -> str | None:
    return None if value is None else format_decimal(value, decimals)


def _net(net: int, instrument: Instrument) -> str:
    return format_decimal(net, instrument.price_decimals + instrument.quantity_decimals + NET_DECIMALS)


def _child_document(child: PlannedChild, instrument: Instrument) -> dict[str, str | None]:
    return {
        "venue": child.venue,
        "symbol": child.symbol,
        "quote": child.instrument.quote,
        **rate_document(child.rate),
        "limit_price": instrument.show_price(child.limit_price),
        "quantity": instrument.show_quantity(child.quantity),
        "expected_notional": instrument.show_notional(child.notional),
        "expected_fee": instrument.show_notional(child.fee),
        "fixed_cost": instrument.show_notional(child.fixed_cost),
        "net_price": format_decimal(child.net_price, instrument.price_decimals + AVERAGE_DECIMALS),
    }
