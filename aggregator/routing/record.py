"""What a plan was computed from, as it is stored: with it the plan can be computed again, and its fingerprint proven.

Decimals are strings on the scales that the instruments state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Fees, Instrument, Instruments, Listing, Side
from aggregator.domain.numbers import RATE_DECIMALS, format_decimal, parse_decimal
from aggregator.domain.plan import (
    NET_DECIMALS,
    Dust,
    Holdings,
    Rate,
    RouteRequest,
    RoutingPolicy,
    VenueDepth,
    VenueTerms,
)

Document = Mapping[str, Any]


class Seen(NamedTuple):
    """One look at the market: what was asked for, the depth that was there, the policy, and the mid price of all live
    books, None without one. What is decided from it can be decided again."""

    request: RouteRequest
    venues: tuple[VenueDepth, ...]
    policy: RoutingPolicy
    mid: int | None

    def to_document(self) -> dict[str, Any]:
        instrument = self.request.instrument
        mid = None if self.mid is None else instrument.show_price(self.mid)
        return {**stored(self.request, self.venues, self.policy), "mid": mid}

    @classmethod
    def from_document(cls, document: Document, instruments: Instruments) -> Seen:
        """Raises as `restored` does."""
        request, venues, policy = restored(document, instruments)
        mid = document["mid"]
        return cls(request, venues, policy, None if mid is None else request.instrument.price(mid))


def fingerprint(side: Side, venues: Iterable[VenueDepth]) -> str:
    """SHA-256 over a slice of depth: the side, then for each venue, in the order given, a line of what was known of it,
    `|` between, a line of its prices and one of its quantities, best first, both written as JSON lists of integers on
    the scales that the first line states."""
    lines = [str(side)]
    for depth in venues:
        lines += (_facts(depth), str(depth.levels.prices), str(depth.levels.quantities))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _facts(depth: VenueDepth) -> str:
    listing, rate, holdings = depth.listing, depth.rate, depth.holdings
    instrument = listing.instrument
    facts = (
        f"{listing.venue}|{listing.symbol}|{instrument.name}|{instrument.base}|{instrument.quote}|"
        f"{instrument.price_decimals}|{instrument.quantity_decimals}|{listing.tick}|{listing.lot}|"
        f"{listing.minimum_quantity}|{listing.minimum_notional}|{listing.fees.maker}|{listing.fees.taker}|"
        f"{listing.tradable}|{depth.reason}|{depth.pending}|{depth.confidence}"
    )
    if rate is not None:
        facts += f"|rate|{rate.base}|{rate.quote}|{rate.value}|{rate.source}|{rate.at_ns}|{rate.max_age_ns}"
    if holdings is not None:
        facts += f"|holdings|{holdings.base}|{holdings.quote}|{holdings.base_reserved}|{holdings.quote_reserved}"
    return facts


def stored(request: RouteRequest, venues: Iterable[VenueDepth], policy: RoutingPolicy) -> dict[str, Any]:
    """All arguments of a plan as one JSON document."""
    return {
        "request": _stored_request(request),
        "venues": [_stored_depth(depth) for depth in venues],
        "policy": {
            "terms": {venue: _stored_terms(terms, request.instrument) for venue, terms in policy.terms.items()},
            "other_terms": _stored_terms(policy.other_terms, request.instrument),
            "market_bound_bps": policy.market_bound_bps,
            "dust": policy.dust.value,
            "search_limit": policy.search_limit,
        },
    }


def restored(
    document: Document, instruments: Instruments | None = None
) -> tuple[RouteRequest, tuple[VenueDepth, ...], RoutingPolicy]:
    """The arguments of the plan that was stored, on the scales that `instruments` has now; without it, on those of
    then. Raises KeyError or ValueError for a document of another make."""
    request = _request(document["request"], instruments)
    policy = document["policy"]
    return (
        request,
        tuple(_depth(venue, instruments) for venue in document["venues"]),
        RoutingPolicy(
            terms={venue: _terms(terms, request.instrument) for venue, terms in policy["terms"].items()},
            other_terms=_terms(policy["other_terms"], request.instrument),
            market_bound_bps=policy["market_bound_bps"],
            dust=Dust(policy["dust"]),
            search_limit=policy["search_limit"],
        ),
    )


def _stored_instrument(instrument: Instrument) -> dict[str, Any]:
    return {
        "name": instrument.name,
        "base": instrument.base,
        "quote": instrument.quote,
        "price_decimals": instrument.price_decimals,
        "quantity_decimals": instrument.quantity_decimals,
    }


def _instrument(document: Document, instruments: Instruments | None) -> Instrument:
    if instruments is None:
        return Instrument(**document)
    if not document["quote"]:
        return instruments.named(document["name"])
    return instruments.get(
        document["base"], document["quote"], document["price_decimals"], document["quantity_decimals"]
    )


def _stored_request(request: RouteRequest) -> dict[str, Any]:
    instrument = request.instrument
    return {
        "instrument": _stored_instrument(instrument),
        "side": request.side.value,
        "quantity": None if request.quantity is None else instrument.show_quantity(request.quantity),
        "notional": None if request.notional is None else instrument.show_notional(request.notional),
        "limit_price": None if request.limit_price is None else instrument.show_price(request.limit_price),
        "venues": None if request.venues is None else list(request.venues),
        "as_of_ns": request.as_of_ns,
    }


def _request(document: Document, instruments: Instruments | None) -> RouteRequest:
    instrument = _instrument(document["instrument"], instruments)
    quantity, notional, limit = document["quantity"], document["notional"], document["limit_price"]
    return RouteRequest(
        instrument=instrument,
        side=Side(document["side"]),
        quantity=None if quantity is None else instrument.quantity(quantity),
        notional=None if notional is None else instrument.notional(notional),
        limit_price=None if limit is None else instrument.price(limit),
        venues=None if document["venues"] is None else tuple(document["venues"]),
        as_of_ns=document["as_of_ns"],
    )


def _stored_depth(depth: VenueDepth) -> dict[str, Any]:
    listing, rate, holdings = depth.listing, depth.rate, depth.holdings
    instrument = listing.instrument
    price, quantity, notional = instrument.show_price, instrument.show_quantity, instrument.show_notional
    return {
        "venue": listing.venue,
        "symbol": listing.symbol,
        "instrument": _stored_instrument(instrument),
        "tick": price(listing.tick),
        "lot": quantity(listing.lot),
        "minimum_quantity": quantity(listing.minimum_quantity),
        "minimum_notional": notional(listing.minimum_notional),
        "maker_fee": format_decimal(listing.fees.maker, RATE_DECIMALS),
        "taker_fee": format_decimal(listing.fees.taker, RATE_DECIMALS),
        "tradable": listing.tradable,
        "levels": [[price(at), quantity(there)] for at, there in zip(*depth.levels, strict=True)],
        "reason": depth.reason,
        "rate": rate
        and {
            "base": rate.base,
            "quote": rate.quote,
            "value": format_decimal(rate.value, NET_DECIMALS),
            "source": rate.source,
            "at_ns": rate.at_ns,
            "max_age_ns": rate.max_age_ns,
        },
        "holdings": holdings
        and {
            "base": quantity(holdings.base),
            "quote": notional(holdings.quote),
            "base_reserved": quantity(holdings.base_reserved),
            "quote_reserved": notional(holdings.quote_reserved),
        },
        "pending": quantity(depth.pending),
        "confidence": format_decimal(depth.confidence, RATE_DECIMALS),
        "updates": depth.updates,
    }


def _depth(document: Document, instruments: Instruments | None) -> VenueDepth:
    instrument = _instrument(document["instrument"], instruments)
    price, quantity, notional = instrument.price, instrument.quantity, instrument.notional
    rate, holdings, rows = document["rate"], document["holdings"], document["levels"]
    return VenueDepth(
        listing=Listing(
            venue=document["venue"],
            symbol=document["symbol"],
            instrument=instrument,
            tick=price(document["tick"]),
            lot=quantity(document["lot"]),
            minimum_quantity=quantity(document["minimum_quantity"]),
            minimum_notional=notional(document["minimum_notional"]),
            fees=Fees(
                parse_decimal(document["maker_fee"], RATE_DECIMALS), parse_decimal(document["taker_fee"], RATE_DECIMALS)
            ),
            tradable=document["tradable"],
        ),
        levels=Levels([price(at) for at, _ in rows], [quantity(there) for _, there in rows]),
        reason=document["reason"],
        rate=rate and Rate(**{**rate, "value": parse_decimal(rate["value"], NET_DECIMALS)}),
        holdings=holdings
        and Holdings(
            quantity(holdings["base"]),
            notional(holdings["quote"]),
            quantity(holdings["base_reserved"]),
            notional(holdings["quote_reserved"]),
        ),
        pending=quantity(document["pending"]),
        confidence=parse_decimal(document["confidence"], RATE_DECIMALS),
        updates=document.get("updates", 0),
    )


def _stored_terms(terms: VenueTerms, instrument: Instrument) -> dict[str, Any]:
    def shown(quantity: int | None) -> str | None:
        return None if quantity is None else instrument.show_quantity(quantity)

    return {
        "route": terms.route,
        "fixed_cost": instrument.show_notional(terms.fixed_cost),
        "maximum_quantity": shown(terms.maximum_quantity),
        "cap_quantity": shown(terms.cap_quantity),
        "cap_notional": None if terms.cap_notional is None else instrument.show_notional(terms.cap_notional),
        "is_fee_in_quote": terms.is_fee_in_quote,
    }


def _terms(document: Document, instrument: Instrument) -> VenueTerms:
    def read(text: str | None) -> int | None:
        return None if text is None else instrument.quantity(text)

    cap = document["cap_notional"]
    return VenueTerms(
        route=document["route"],
        fixed_cost=instrument.notional(document["fixed_cost"]),
        maximum_quantity=read(document["maximum_quantity"]),
        cap_quantity=read(document["cap_quantity"]),
        cap_notional=None if cap is None else instrument.notional(cap),
        is_fee_in_quote=document["is_fee_in_quote"],
    )
