"""How the simulated HTX writes down orders, fills, and why it refuses."""

from __future__ import annotations

from typing import NamedTuple

from aggregator.domain.instrument import Instrument, Listing
from aggregator.domain.numbers import decimals_of, format_decimal
from aggregator.domain.order import ASSET_DECIMALS
from connectors.simulation.account import Refusal, SimulatedFill, SimulatedOrder, Status, Terms

MS = 1_000_000
SPOT_ACCOUNT = 100001
KINDS = {
    "limit": Terms.GTC,
    "ioc": Terms.IOC,
    "limit-fok": Terms.FOK,
    "limit-maker": Terms.POST_ONLY,
    "market": Terms.IOC,
}
CANCELING = "canceling"
NUMBERED = {
    "created": 1,
    "submitted": 3,
    "partial-filled": 4,
    "partial-canceled": 5,
    "filled": 6,
    "canceled": 7,
    "rejected": 7,
    CANCELING: 10,
}


class Declined(Exception):
    """What the venue says to a request that it does not carry out. `state` is the number of the order's state, where
    the refusal tells it."""

    def __init__(self, code: str, text: str, state: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.state = state

    def row(self) -> dict[str, object]:
        told: dict[str, object] = {"err-code": self.code, "err-msg": self.text}
        return told if self.state is None else told | {"order-state": self.state}


class Market(NamedTuple):
    """A market order, which the account knows as an immediate one: its `type` and its `amount`."""

    type: str
    quantity: str


def state_of(order: SimulatedOrder) -> str:
    """As the venue calls it. A post-only order that would take is not rejected by name: it is canceled."""
    match order.status:
        case Status.PENDING:
            return "created"
        case Status.OPEN:
            return "partial-filled" if order.filled else "submitted"
        case Status.FILLED:
            return "filled"
        case Status.REJECTED if order.refusal is not Refusal.WOULD_TAKE:
            return "rejected"
    return "partial-canceled" if order.filled else "canceled"


def kind_of(order: SimulatedOrder) -> str:
    """Its `type`, unless it was a market order."""
    return f"{order.side}-{next(name for name, terms in KINDS.items() if terms is order.terms)}"


def order_row(
    order: SimulatedOrder, instrument: Instrument, state: str, market: Market | None, filled: str
) -> dict[str, object]:
    """What is filled is spelt `field-amount` in an order's details and `filled-amount` in lists of open orders."""
    ended_ms = 0 if order.is_open else order.updated_ns // MS
    return {
        "id": order.order_id,
        "symbol": order.symbol,
        "account-id": SPOT_ACCOUNT,
        "client-order-id": order.client_id,
        "amount": market.quantity if market else instrument.show_quantity(order.quantity),
        "price": "0" if market else instrument.show_price(order.price),
        "created-at": order.created_ns // MS,
        "type": market.type if market else kind_of(order),
        f"{filled}-amount": instrument.show_quantity(order.filled),
        f"{filled}-cash-amount": instrument.show_notional(order.notional),
        f"{filled}-fees": format_decimal(sum(order.fees.values()), ASSET_DECIMALS),
        "finished-at": ended_ms,
        "canceled-at": ended_ms if "canceled" in state else 0,
        "source": "spot-api",
        "state": state,
    }


def fill_row(fill: SimulatedFill, instrument: Instrument, kind: str) -> dict[str, object]:
    return {
        "id": fill.fill_id * 7,
        "symbol": fill.symbol,
        "order-id": fill.order_id,
        "match-id": fill.fill_id * 3,
        "trade-id": fill.fill_id,
        "type": kind,
        "role": "maker" if fill.is_maker else "taker",
        "price": instrument.show_price(fill.price),
        "filled-amount": instrument.show_quantity(fill.quantity),
        "filled-fees": format_decimal(fill.fee, ASSET_DECIMALS),
        "fee-currency": fill.fee_asset.lower(),
        "filled-points": "0",
        "fee-deduct-currency": "",
        "fee-deduct-state": "done",
        "source": "spot-api",
        "created-at": fill.time_ns // MS,
    }


def refused(refusal: Refusal, listing: Listing, quantity: int, left: str) -> Declined:
    """Why an order is not taken on. `left` is what is free of the asset that it would cost."""
    instrument = listing.instrument
    match refusal:
        case Refusal.BAD_PRICE:
            scale = decimals_of(instrument.show_price(listing.tick))
            return Declined("order-orderprice-precision-error", f"order price precision error, scale: `{scale}`")
        case Refusal.BAD_QUANTITY:
            scale = decimals_of(instrument.show_quantity(listing.lot))
            return Declined("order-orderamount-precision-error", f"order amount precision error, scale: `{scale}`")
        case Refusal.TOO_SMALL if quantity < listing.minimum_quantity:
            least = instrument.show_quantity(listing.minimum_quantity)
            return Declined("order-limitorder-amount-min-error", f"limit order amount error, min: `{least}`")
        case Refusal.TOO_SMALL:
            least = f"{instrument.show_notional(listing.minimum_notional)} {instrument.quote}"
            return Declined("order-value-min-error", f"Order total cannot be lower than: {least}")
        case Refusal.NOT_TRADABLE:
            return Declined("base-symbol-trade-disabled", "Trading is disabled for this symbol")
        case Refusal.DUPLICATE_ID:
            return Declined("invalid-client-order-id", "invalid.client.order.id")
        case Refusal.INSUFFICIENT:
            text = f"trade account balance is not enough, left: `{left}`"
            return Declined("account-frozen-balance-insufficient-error", text)
    return Declined("base-system-error", f"system error: {refusal}")
