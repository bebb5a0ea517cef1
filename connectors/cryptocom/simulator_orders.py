"""Crypto.com's private methods, simulated over one account.

What a client meets here, in substance:

 1. A request carries key, id, nonce and signature. A wrong key or signature is refused first, then a nonce more than 60
    seconds from the venue's clock.
 2. Each method has its own rate limit.
 3. Placing and canceling answer that the request was received. What the matching engine refuses is told later.
 4. A client order id that was used before is refused for ever. Without one the nonce is taken.
 5. Refusals of the business carry HTTP statuses that mean little: 500 for too small a balance, 200 for no such order.
 6. Fills and ended orders are listed newest first, 100 at most, from a start that is included to an end that is not. A
    day is listed by default, 7 at most. Times are ms or ns.
 7. Post-only goes with good-till-cancel alone.
 8. A market order takes what it finds, down to the last level that it needs.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import msgspec

from aggregator.domain.errors import NumberRefused
from aggregator.domain.instrument import Listing, Side
from connectors.cryptocom.simulator_channels import MS, SECOND
from connectors.cryptocom.simulator_refusals import (
    CODES,
    INVALID_ARGUMENT,
    INVALID_DATE,
    INVALID_INSTRUCTION,
    INVALID_INSTRUMENT,
    INVALID_NONCE,
    INVALID_ORDER_ID,
    INVALID_PRICE,
    INVALID_QUANTITY,
    INVALID_REQUEST,
    INVALID_SIDE,
    INVALID_TIME_IN_FORCE,
    INVALID_TYPE,
    NO_ACTIVE_ORDER,
    NOT_FOUND,
    POST_ONLY_REFUSED,
    SEEN_WITH_AN_ID,
    STATUSES,
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    UNKNOWN_METHOD,
    Refused,
    refusal,
    success,
)
from connectors.cryptocom.simulator_rows import basis_points, fill_row, order_row, wallet
from connectors.pacing import Budget
from connectors.simulation.account import (
    OrderRefused,
    Refusal,
    SimulatedAccount,
    SimulatedOrder,
    Terms,
)
from connectors.simulation.exchange import SimulatedExchange

PREFIX = "private/"
CLOCK_TOLERANCE_MS = 60_000
DAY_NS = 24 * 3600 * SECOND
ROWS_AT_MOST = 100
CLIENT_ID_AT_MOST = 36
ORDERS_REMEMBERED = 10_000
"""In the history, oldest out first."""

TIMES_IN_FORCE = {
    "GOOD_TILL_CANCEL": Terms.GTC,
    "IMMEDIATE_OR_CANCEL": Terms.IOC,
    "FILL_OR_KILL": Terms.FOK,
}

Params = dict[str, Any]
Result = dict[str, object]


class PrivateMethods:
    """Without an account no key is known. Times are ns by the venue's clock."""

    def __init__(self, exchange: SimulatedExchange, account: SimulatedAccount | None) -> None:
        self._exchange = exchange
        self._account = account
        self._budgets: dict[str, Budget] = {}
        self._methods: dict[str, Callable[[SimulatedAccount, Params, int], Result | None]] = {
            "create-order": self._create,
            "cancel-order": self._cancel,
            "cancel-all-orders": self._cancel_all,
            "get-order-detail": self._detail,
            "get-open-orders": self._open_orders,
            "get-order-history": self._history,
            "get-trades": self._fills,
            "user-balance": self._balance,
            "get-fee-rate": self._fee_rate,
            "get-instrument-fee-rate": self._instrument_fee_rate,
            "get-currency-networks": self._currencies,
        }
        self._placed: deque[int] = deque(maxlen=ORDERS_REMEMBERED)

    def answer(self, method: str, body: bytes, now_ns: int) -> tuple[HTTPStatus, Result]:
        """One signed request over REST."""
        message: Params = {}
        try:
            message = _read(body)
            if message.get("method") != method:
                raise Refused(INVALID_REQUEST)
            account = self.authenticated(message, now_ns)
            result = self.act(account, message, now_ns)
        except Refused as error:
            status = STATUSES.get(error.code, HTTPStatus.BAD_REQUEST)
            return status, _envelope(message, method) | refusal(error)
        return HTTPStatus.OK, _envelope(message, method) | success(result)

    def authenticated(self, message: Params, now_ns: int) -> SimulatedAccount:
        """Rule 1. Raises Refused."""
        account, nonce = self._account, str(message.get("nonce"))
        if account is None or message.get("api_key") != account.key:
            raise Refused(UNAUTHORIZED)
        params = _spelled(message.get("params") or {}, 0)
        text = f"{message.get('method')}{message.get('id')}{account.key}{params}{nonce}"
        expected = hmac.new(account.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), str(message.get("sig")).encode()):
            raise Refused(UNAUTHORIZED)
        if not nonce.isdecimal() or abs(int(nonce[:20]) - now_ns // MS) > CLOCK_TOLERANCE_MS:
            raise Refused(INVALID_NONCE)
        return account

    def act(self, account: SimulatedAccount, message: Params, now_ns: int) -> Result | None:
        """What a method does, for who is known already. Raises Refused."""
        name = str(message.get("method")).removeprefix(PREFIX)
        method, params = self._methods.get(name), message.get("params") or {}
        if method is None:
            raise Refused(UNKNOWN_METHOD)
        if not isinstance(params, dict):
            raise Refused(INVALID_REQUEST)
        self._spend(name, now_ns)
        if name == "create-order":
            params = {"client_oid": str(message.get("nonce")), **params}  # rule 4
        return method(account, params, now_ns)

    def _row(self, order: SimulatedOrder) -> Result:
        return order_row(self._exchange.listing(order.symbol), order)

    def _spend(self, method: str, now_ns: int) -> None:
        """Rule 2."""
        at_ns = now_ns - self._exchange.clock_offset_ns
        budget = self._budgets.setdefault(method, _budget(method))
        if budget.free_at_ns(1, at_ns) > at_ns:
            raise Refused(TOO_MANY_REQUESTS)
        budget.spend(1, at_ns)

    def _create(self, account: SimulatedAccount, params: Params, now_ns: int) -> Result:
        listing, client_id = self._listing(params), _text(params, "client_oid")
        side = {"BUY": Side.BUY, "SELL": Side.SELL}.get(_text(params, "side"))
        if side is None:
            raise Refused(INVALID_SIDE)
        if len(client_id) > CLIENT_ID_AT_MOST:
            raise Refused(INVALID_ARGUMENT)
        asked = _number(params, "quantity", listing.instrument.quantity, INVALID_QUANTITY)
        kind = _text(params, "type")
        if kind == "LIMIT":
            limit, terms = _number(params, "price", listing.instrument.price, INVALID_PRICE), _terms(params)
        elif kind == "MARKET":  # rule 8
            limit, terms = self._reach(listing, side, asked), Terms.IOC
        else:
            raise Refused(INVALID_TYPE)
        try:
            order = account.place(listing.symbol, side, limit, asked, terms, client_id, now_ns)
        except OrderRefused as error:
            code = CODES[error.refusal]
            ids: Result = {"client_oid": client_id, "order_id": str(now_ns)}
            raise Refused(code, result=ids if code in SEEN_WITH_AN_ID else None) from None
        self._placed.append(order.order_id)
        return {"client_oid": client_id, "order_id": str(order.order_id)}

    def _cancel(self, account: SimulatedAccount, params: Params, now_ns: int) -> Result:
        order = _asked(account, params)
        if order is None:
            raise Refused(NO_ACTIVE_ORDER if str(params.get("order_id", "0")).isdecimal() else INVALID_ORDER_ID)
        try:
            account.cancel(order.order_id, now_ns)
        except OrderRefused as error:
            raise Refused(CODES[error.refusal]) from None
        return {"client_oid": order.client_id, "order_id": str(order.order_id)}

    def _cancel_all(self, account: SimulatedAccount, params: Params, now_ns: int) -> None:
        for order in account.open_orders(self._chosen(params)):
            with suppress(OrderRefused):  # it has ended meanwhile
                account.cancel(order.order_id, now_ns)

    def _detail(self, account: SimulatedAccount, params: Params, now_ns: int) -> Result:
        order = _asked(account, params)
        if order is None:
            raise Refused(NOT_FOUND)
        return self._row(order)

    def _open_orders(self, account: SimulatedAccount, params: Params, now_ns: int) -> Result:
        return {"data": [self._row(order) for order in account.open_orders(self._chosen(params))]}

    def _history(self, account: SimulatedAccount, params: Params, now_ns: int) -> Result:
        symbol, (start_ns, end_ns, most) = self._chosen(params), _window(params, now_ns)
        orders = [order for order_id in reversed(self._placed) if (order := account.find(order_id)) is not None]
        ended = [order for order in orders if not order.is_open and symbol in (None, order.symbol)]
        return {"data": [self._row(o) for o in ended if start_ns <= o.created_ns < end_ns][:most]}

    def _fills(self, account: SimulatedAccount, params: Params, now_ns: int) -> Result:
        start_ns, end_ns, most = _window(params, now_ns)
        fills = account.fills(symbol=self._chosen(params), since_ns=start_ns)
        return {
            "data": [
                fill_row(self._exchange.listing(fill.symbol), fill) for fill in reversed(fills) if fill.time_ns < end_ns
            ][:most]
        }

    def _balance(self, account: SimulatedAccount, params: Params, now_ns: int) -> Result:
        return {"data": wallet(account)}

    def _fee_rate(self, account: SimulatedAccount, params: Params, now_ns: int) -> Result:
        """Of the whole account: the dearest of its instruments, as they may differ here."""
        fees = [self._exchange.listing(symbol).fees for symbol in self._exchange.symbols]
        maker, taker = max(fee.maker for fee in fees), max(fee.taker for fee in fees)
        rates = {
            "effective_spot_maker_rate_bps": basis_points(maker),
            "effective_spot_taker_rate_bps": basis_points(taker),
        }
        return {"spot_tier": "1", "deriv_tier": "1", **rates}

    def _instrument_fee_rate(self, account: SimulatedAccount, params: Params, now_ns: int) -> Result:
        listing = self._listing(params)
        rates = {
            "effective_maker_rate_bps": basis_points(listing.fees.maker),
            "effective_taker_rate_bps": basis_points(listing.fees.taker),
        }
        return {"instrument_name": listing.symbol, **rates}

    def _currencies(self, account: SimulatedAccount, params: Params, now_ns: int) -> Result:
        """No deposits here, so no networks."""
        nothing: Result = {"default_network": None, "network_list": []}
        assets = {asset: {"full_name": asset, **nothing} for asset in account.balances()}
        return {"update_time": now_ns // MS, "currency_map": assets}

    def _reach(self, listing: Listing, side: Side, wanted: int) -> int:
        """The price of the last level that a market order needs."""
        _, _, bids, asks = self._exchange.book(listing.symbol)
        prices, quantities = asks if side is Side.BUY else bids
        reached = 0
        for level_price, resting in zip(prices, quantities, strict=True):
            reached += resting
            if reached >= wanted:
                return level_price
        raise Refused(CODES[Refusal.BY_FAULT], "there is not so much in the book")

    def _listing(self, params: Params) -> Listing:
        symbol = _text(params, "instrument_name")
        if symbol not in self._exchange:
            raise Refused(INVALID_INSTRUMENT)
        return self._exchange.listing(symbol)

    def _chosen(self, params: Params) -> str | None:
        """The symbol of a list, None for all."""
        return self._listing(params).symbol if "instrument_name" in params else None


def _envelope(message: Params, method: str) -> Result:
    return {"id": message.get("id", -1), "method": method}


def _read(body: bytes) -> Params:
    try:
        message = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise Refused(INVALID_REQUEST)
    return message


def _spelled(value: object, level: int) -> str:
    """What of the parameters is signed: names and values in the order of the names, lists without any, three levels
    deep."""
    if value is None:
        return "null"
    if isinstance(value, dict) and level < 3:
        return "".join(str(name) + _spelled(value[name], level + 1) for name in sorted(value))
    if isinstance(value, list):
        return "".join(_spelled(item, level) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _budget(method: str) -> Budget:
    if method in ("get-trades", "get-order-history"):
        return Budget(1, SECOND)
    if method == "get-order-detail":
        return Budget(30, 100 * MS)
    is_order = method in ("create-order", "cancel-order", "cancel-all-orders")
    return Budget(15 if is_order else 3, 100 * MS)


def _terms(params: Params) -> Terms:
    terms = TIMES_IN_FORCE.get(str(params.get("time_in_force", "GOOD_TILL_CANCEL")))
    if terms is None:
        raise Refused(INVALID_TIME_IN_FORCE)
    instructions = params.get("exec_inst", [])
    if instructions == ["POST_ONLY"]:
        if terms is not Terms.GTC:  # rule 7
            raise Refused(POST_ONLY_REFUSED)
        return Terms.POST_ONLY
    if instructions:
        raise Refused(INVALID_INSTRUCTION)
    return terms


def _asked(account: SimulatedAccount, params: Params) -> SimulatedOrder | None:
    if "order_id" in params:
        text = str(params["order_id"])
        return account.find(int(text[:20])) if text.isdecimal() else None
    return account.find_client(_text(params, "client_oid"))


def _window(params: Params, now_ns: int) -> tuple[int, int, int]:
    """Rule 6: start, end, and how many rows."""
    end_ns = _time_ns(params, "end_time") or now_ns + 1
    start_ns = _time_ns(params, "start_time") or end_ns - DAY_NS
    if end_ns - start_ns > 7 * DAY_NS:
        raise Refused(INVALID_DATE)
    most = str(params.get("limit", ROWS_AT_MOST))
    if not most.isdecimal():
        raise Refused(INVALID_ARGUMENT)
    return start_ns, end_ns, min(int(most[:6]), ROWS_AT_MOST)


def _time_ns(params: Params, name: str) -> int:
    text = str(params.get(name, "0"))
    if not text.isdecimal() or len(text) > 20:
        raise Refused(INVALID_DATE)
    return int(text) if len(text) > 13 else int(text) * MS


def _text(params: Params, name: str) -> str:
    text = params.get(name)
    if not isinstance(text, str) or not text:
        raise Refused(INVALID_ARGUMENT)
    return text


def _number(params: Params, name: str, parse: Callable[[str], int], code: int) -> int:
    try:
        return parse(_text(params, name))
    except NumberRefused:
        raise Refused(code) from None
