"""What clients ask for, from JSON to terms: shape and plain rules are judged here, limits by the engine."""

from __future__ import annotations

from collections.abc import Collection

from aggregator.api.reading import bad, decoded, instrument_named, positive, venues_named
from aggregator.api.schema import AmendBody, HaltBody, PlaceBody
from aggregator.domain.instrument import Instrument
from aggregator.domain.order import OrderTerms, OrderType, TimeInForce
from aggregator.domain.order_events import AmendRequested
from aggregator.engine.market import Market


def read_terms(body: bytes, account: str, market: Market, venues: Collection[str]) -> OrderTerms:
    """Raises Problem."""
    asked = decoded(body, PlaceBody)
    _check_kind(asked)
    instrument = instrument_named(asked.symbol, market)
    chosen = venues_named(asked.venues, venues)
    return OrderTerms(
        account=account,
        client_order_id=asked.client_order_id,
        instrument=instrument,
        side=asked.side,
        type=asked.type,
        quantity=positive("quantity", asked.quantity, instrument.quantity) or 0,
        limit_price=positive("limit_price", asked.limit_price, instrument.price),
        time_in_force=asked.time_in_force,
        post_only=asked.post_only,
        venues=None if chosen is None else tuple(sorted(chosen)),  # in another order they are the same terms
        strategy=asked.strategy,
    )


def read_amendment(body: bytes, account: str, order_id: str, instrument: Instrument, now_ns: int) -> AmendRequested:
    """Raises Problem."""
    asked = decoded(body, AmendBody)
    if asked.quantity is None and asked.limit_price is None:
        raise bad("nothing to amend: give quantity, limit_price, or both")
    return AmendRequested(
        received_ns=now_ns,
        account=account,
        order_id=order_id,
        instrument=instrument,
        quantity=positive("quantity", asked.quantity, instrument.quantity),
        limit_price=positive("limit_price", asked.limit_price, instrument.price),
    )


def read_halt_reason(body: bytes) -> str:
    """Raises Problem."""
    reason = decoded(body, HaltBody).reason.strip()
    if not reason.isprintable():
        raise bad("reason: say in one line of at most 200 characters why nothing may leave; everyone sees it")
    return reason


def _check_kind(asked: PlaceBody) -> None:
    is_limit, is_resting = asked.type is OrderType.LIMIT, asked.time_in_force is TimeInForce.GTC
    if is_limit and asked.limit_price is None:
        raise bad("a limit order needs limit_price; one without a price is a market order")
    if not is_limit and asked.limit_price is not None:
        raise bad("a market order has no limit_price; write type limit, or leave the price out")
    if not is_limit and is_resting:
        raise bad("a market order cannot rest in a book: time_in_force is IOC or FOK, not GTC")
    if asked.post_only and not (is_limit and is_resting):
        raise bad("post_only is for what rests: it needs type limit and time_in_force GTC")
