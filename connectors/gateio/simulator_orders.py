"""Orders at the simulated Gate, whichever way they come; after the venue's documents of May 2026.

1. `text` begins with `t-` and has at most 28 more of 0-9 A-Z a-z _ - . in it. An order that has ended is found by it
   for `text_kept_ns` more; by the venue's id always.
2. An order that arrives after its `x-gate-exptime` is refused.
3. A market order is `ioc` or `fok`; the quantity of a market buy is in the quote asset, and so is what is left of it.
4. A cancel of an order that has ended is refused, as ORDER_CLOSED if it was filled, else as ORDER_CANCELLED.
5. `action_mode` says how much the answer has: ACK the ids only, RESULT no fees, FULL everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from aggregator.domain.errors import NumberRefused
from aggregator.domain.instrument import Listing, Side
from aggregator.domain.numbers import format_decimal
from aggregator.domain.order import ASSET_DECIMALS
from connectors.gateio.simulator_rest import MS, Limit, Meter, Refusal, too_many_requests
from connectors.simulation.account import (
    OrderRefused,
    SimulatedAccount,
    SimulatedFill,
    SimulatedOrder,
    Status,
    Terms,
)
from connectors.simulation.account import Refusal as Cause
from connectors.simulation.exchange import SimulatedExchange

USER = 100001

TERMS = {"gtc": Terms.GTC, "ioc": Terms.IOC, "fok": Terms.FOK, "poc": Terms.POST_ONLY}
TIMES_IN_FORCE = {terms: name for name, terms in TERMS.items()}
SIDES = {side.value: side for side in Side}
TEXT = re.compile(r"t-[0-9A-Za-z_.-]{1,28}", re.ASCII)

STATUSES = {Status.PENDING: "open", Status.OPEN: "open", Status.FILLED: "closed"}
"""All others are cancelled."""

REFUSALS = {
    Cause.UNKNOWN_SYMBOL: ("INVALID_CURRENCY_PAIR", "Invalid currency pair"),
    Cause.NOT_TRADABLE: ("INVALID_CURRENCY_PAIR", "Trading of this currency pair is disabled"),
    Cause.BAD_PRICE: ("INVALID_PRECISION", "Invalid precision of price"),
    Cause.BAD_QUANTITY: ("INVALID_PRECISION", "Invalid precision of amount"),
    Cause.TOO_SMALL: ("INVALID_PARAM_VALUE", "Your order size is too small"),
    Cause.INSUFFICIENT: ("BALANCE_NOT_ENOUGH", "Not enough balance"),
    Cause.DUPLICATE_ID: ("REPEATED_CREATION", "An order of this text is there already"),
    Cause.WOULD_TAKE: ("POC_FILL_IMMEDIATELY", "Order would match and take immediately so its cancelled"),
    Cause.BY_FAULT: ("FORBIDDEN", "Trading is suspended"),
}

FEE_FIELDS = {
    *("fee", "fee_currency", "point_fee", "gt_fee", "gt_maker_fee", "gt_taker_fee", "gt_discount"),
    *("rebated_fee", "rebated_fee_currency"),
}
ACK_FIELDS = {"id", "text", "amend_text", "currency_pair", "create_time", "create_time_ms"}


class GateioOrders:
    """`place_limit` is of one market and second, `cancel_limit` of one second."""

    def __init__(
        self,
        exchange: SimulatedExchange,
        account: SimulatedAccount | None,
        meter: Meter,
        text_kept_ns: int,
        place_limit: int,
        cancel_limit: int,
    ) -> None:
        self.account = account
        self._exchange = exchange
        self._meter = meter
        self._text_kept_ns = text_kept_ns
        self._place_limit = place_limit
        self._cancel_limit = cancel_limit
        self._asked: dict[int, str] = {}
        """What was asked for by market orders."""
        self.known: dict[int, None] = {}
        """Every order that was ever told of, oldest first."""

    def place_limited(self, symbol: str) -> Limit:
        symbol = symbol if symbol in self._exchange else "nowhere"
        return Limit(f"place {symbol}", self._place_limit, 1000 * MS)

    def cancel_limited(self) -> Limit:
        return Limit("cancel", self._cancel_limit, 1000 * MS)

    def count(self, limit: Limit, now_ns: int) -> None:
        if self._meter.count(limit, now_ns) < 0:
            raise too_many_requests()

    def place(self, account: SimulatedAccount, fields: Mapping[str, Any], until_ms: str, now_ns: int) -> SimulatedOrder:
        """Raises Refusal."""
        if until_ms and not (is_number(until_ms) and now_ns // MS <= int(until_ms)):  # rule 2
            raise Refusal("REQUEST_EXPIRED", "x-gate-exptime is over")
        listing = self.listed(_given(fields, "currency_pair"))
        side = SIDES[_chosen(fields, "side", tuple(SIDES))]
        terms = TERMS[_chosen(fields, "time_in_force", tuple(TERMS), "gtc")]
        _chosen(fields, "account", ("spot",), "spot")
        text = str(fields.get("text") or "")
        if text and not TEXT.fullmatch(text):  # rule 1
            raise _invalid("text", text)
        asked = _given(fields, "amount")
        is_market = _chosen(fields, "type", ("limit", "market"), "limit") == "market"
        if is_market:
            price, quantity = self._at_market(listing, side, terms, asked)
        else:
            price = _number(listing.instrument.price, "price", _given(fields, "price"))
            quantity = _number(listing.instrument.quantity, "amount", asked)
        try:
            order = account.place(listing.symbol, side, price, quantity, terms, text, now_ns)
        except OrderRefused as refused:
            label, message = REFUSALS[refused.refusal]
            raise Refusal(label, f"{message}: {refused.detail}") from None
        if is_market:
            self._asked[order.order_id] = asked
        self.known[order.order_id] = None
        return order

    def cancel(self, account: SimulatedAccount, name: str, symbol: str, now_ns: int) -> SimulatedOrder:
        """Raises Refusal."""
        order = self.find(account, name, symbol, now_ns)
        try:
            return account.cancel(order.order_id, now_ns)
        except OrderRefused:  # rule 4
            label = "ORDER_CLOSED" if order.status is Status.FILLED else "ORDER_CANCELLED"
            raise Refusal(label, f"Order {name} has ended") from None

    def find(self, account: SimulatedAccount, name: str, symbol: str, now_ns: int) -> SimulatedOrder:
        """By the venue's id or by its text (rule 1). Raises Refusal."""
        self.listed(symbol)
        if is_number(name):
            order = account.find(int(name))
        else:
            order = account.find_client(name)
            if order is not None and not order.is_open and now_ns - order.updated_ns >= self._text_kept_ns:
                order = None
        if order is None or order.symbol != symbol:
            raise Refusal("ORDER_NOT_FOUND", "Order not found", 404)
        return order

    def listed(self, symbol: str) -> Listing:
        """Raises Refusal."""
        if not symbol:
            raise Refusal("MISSING_REQUIRED_PARAM", "Missing required parameter: currency_pair")
        if symbol not in self._exchange:
            raise Refusal("INVALID_CURRENCY_PAIR", f"Invalid currency pair {symbol}")
        return self._exchange.listing(symbol)

    def answer(self, order: SimulatedOrder, action_mode: object) -> dict[str, Any]:
        """Rule 5."""
        row = self.row(order)
        if action_mode == "ACK":
            return {name: value for name, value in row.items() if name in ACK_FIELDS}
        if action_mode == "RESULT":
            return {name: value for name, value in row.items() if name not in FEE_FIELDS}
        return row

    def row(self, order: SimulatedOrder) -> dict[str, Any]:
        """As REST answers have it."""
        instrument = self._exchange.listing(order.symbol).instrument
        asked = self._asked.get(order.order_id)
        quantity, left = instrument.show_quantity(order.quantity), instrument.show_quantity(order.remaining)
        if asked is not None and order.side is Side.BUY:  # rule 3
            quantity, left = asked, instrument.show_notional(max(0, instrument.notional(asked) - order.notional))
        received = instrument.base if order.side is Side.BUY else instrument.quote
        average = instrument.show_price(order.notional // order.filled) if order.filled else "0"
        return {
            "id": str(order.order_id),
            "text": order.client_id or "apiv4",
            "amend_text": "-",
            "create_time": str(order.created_ns // (1000 * MS)),
            "update_time": str(order.updated_ns // (1000 * MS)),
            "create_time_ms": order.created_ns // MS,
            "update_time_ms": order.updated_ns // MS,
            "status": STATUSES.get(order.status, "cancelled"),
            "currency_pair": order.symbol,
            "type": "limit" if asked is None else "market",
            "account": "spot",
            "side": order.side.value,
            "amount": quantity,
            "price": instrument.show_price(order.price) if asked is None else "0",
            "time_in_force": TIMES_IN_FORCE[order.terms],
            "iceberg": "0",
            "left": left,
            "filled_amount": instrument.show_quantity(order.filled),
            "fill_price": instrument.show_notional(order.notional),
            "filled_total": instrument.show_notional(order.notional),
            "avg_deal_price": average,
            "fee": format_decimal(order.fees.get(received, 0), ASSET_DECIMALS),
            "fee_currency": received,
            "point_fee": "0",
            "gt_fee": "0",
            "gt_maker_fee": "0",
            "gt_taker_fee": "0",
            "gt_discount": False,
            "rebated_fee": "0",
            "rebated_fee_currency": instrument.quote if order.side is Side.BUY else instrument.base,
            "stp_id": 0,
            "stp_act": "-",
            "finish_as": _finish(order),
        }

    def fill(self, fill: SimulatedFill) -> dict[str, Any]:
        """What a fill has in common wherever it is told."""
        instrument = self._exchange.listing(fill.symbol).instrument
        whole_ms, part = divmod(fill.time_ns, MS)
        return {
            "order_id": str(fill.order_id),
            "currency_pair": fill.symbol,
            "create_time_ms": f"{whole_ms}.{part:06d}",
            "side": fill.side.value,
            "role": "maker" if fill.is_maker else "taker",
            "amount": instrument.show_quantity(fill.quantity),
            "price": instrument.show_price(fill.price),
            "fee": format_decimal(fill.fee, ASSET_DECIMALS),
            "fee_currency": fill.fee_asset,
            "point_fee": "0",
            "gt_fee": "0",
            "text": fill.client_id or "apiv4",
        }

    def _at_market(self, listing: Listing, side: Side, terms: Terms, asked: str) -> tuple[int, int]:
        """The limit price, and the quantity, that come to the same in the book as it stands (rule 3)."""
        instrument = listing.instrument
        if terms not in (Terms.IOC, Terms.FOK):
            raise _invalid("time_in_force", TIMES_IN_FORCE[terms])
        picture = self._exchange.book(listing.symbol)
        levels = picture.asks if side is Side.BUY else picture.bids
        read = instrument.notional if side is Side.BUY else instrument.quantity
        wanted, quantity, price = _number(read, "amount", asked), 0, 0
        for price, resting in zip(*levels, strict=True):
            taken = min(resting, wanted // price if side is Side.BUY else wanted)
            quantity += taken
            wanted -= taken * price if side is Side.BUY else taken
            if taken < resting:
                break
        if side is Side.SELL:
            quantity += wanted
        return price, quantity // listing.lot * listing.lot if side is Side.BUY else quantity


def is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _finish(order: SimulatedOrder) -> str:
    match order.status:
        case Status.PENDING | Status.OPEN:
            return "open"
        case Status.FILLED:
            return "filled"
        case Status.CANCELED:
            return "cancelled"
        case Status.EXPIRED:
            return TIMES_IN_FORCE[order.terms]
    return "poc" if order.refusal is Cause.WOULD_TAKE else "unknown"


def _given(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value in (None, ""):
        raise Refusal("MISSING_REQUIRED_PARAM", f"Missing required parameter: {name}")
    if not isinstance(value, str):
        raise _invalid(name, value)
    return value


def _chosen(fields: Mapping[str, Any], name: str, choice: tuple[str, ...], default: str = "") -> str:
    value = fields.get(name) or default
    if not value:
        raise Refusal("MISSING_REQUIRED_PARAM", f"Missing required parameter: {name}")
    if value not in choice:
        raise _invalid(name, value)
    return str(value)


def _number(read: Callable[[str], int], name: str, text: str) -> int:
    try:
        return read(text)
    except NumberRefused:
        raise _invalid(name, text) from None


def _invalid(name: str, value: object) -> Refusal:
    return Refusal("INVALID_PARAM_VALUE", f"Invalid request parameter `{name}` value: {value}")
