"""HTX's order routes, simulated.

What a client meets here, in substance:

 1. Refusals come with HTTP status 200: `status` error and an `err-code`; routes under /v2 have a `code` instead.
 2. Placing answers with the order's id alone, also for a post-only order that would take: it ends at once.
 3. Client ids are not unique. What is asked or canceled by one is the newest order that bears it.
 4. A cancel is only taken on; an immediate order cannot be canceled by hand.
 5. A canceled order of which nothing was filled is forgotten after two hours. A client id finds an order for eight
    hours, and for two after it has ended.
 6. Questions for an order right after it was placed may not find it yet.
 7. What is filled is spelt `field-amount` in an order's details and `filled-amount` in lists of open orders.
 8. Each route has an allowance of its own in 2 seconds; headers tell what is left of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from aggregator.domain.instrument import Listing, Side
from aggregator.domain.numbers import RATE_DECIMALS, format_decimal
from aggregator.domain.order import ASSET_DECIMALS
from connectors.huobi.simulator_asked import Asked, body_of, is_within, number, refusal, reply, whole
from connectors.huobi.simulator_keys import SECOND, KeyRefused, Keys
from connectors.huobi.simulator_order_rows import (
    CANCELING,
    KINDS,
    MS,
    NUMBERED,
    SPOT_ACCOUNT,
    Declined,
    Market,
    fill_row,
    kind_of,
    order_row,
    refused,
    state_of,
)
from connectors.pacing import Budget
from connectors.simulation.account import (
    OrderRefused,
    Refusal,
    SimulatedAccount,
    SimulatedFill,
    SimulatedOrder,
    Terms,
)
from connectors.simulation.contract import HttpReply, HttpRequest
from connectors.simulation.exchange import SimulatedExchange

HOUR = 3600 * SECOND
PLACE = "/v1/order/orders/place"
CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
NO_ACCOUNT = "The account does not exist in current user"


class OrderRoutes:
    """`hides_ns`: rule 6."""

    def __init__(
        self, exchange: SimulatedExchange, account: SimulatedAccount, keys: Keys, *, hides_ns: int = 0
    ) -> None:
        self._exchange = exchange
        self._account = account
        self._keys = keys
        self._hides_ns = hides_ns
        self._placed: list[int] = []
        self._market: dict[int, Market] = {}
        self._canceling: set[int] = set()
        self._budgets: dict[str, Budget] = {}
        self._routes: dict[str, tuple[int, Callable[[Asked], object]]] = {
            f"POST {PLACE}": (100, self._place),
            "POST /v1/order/orders/{}/submitcancel": (100, self._cancel),
            "POST /v1/order/orders/submitCancelClientOrder": (100, self._cancel_by_client_id),
            "POST /v1/order/orders/batchcancel": (50, self._cancel_many),
            "POST /v1/order/orders/batchCancelOpenOrders": (50, self._cancel_all),
            "GET /v1/order/orders/{}": (50, self._order),
            "GET /v1/order/orders/getClientOrder": (50, self._order_by_client_id),
            "GET /v1/order/orders/{}/matchresults": (50, self._order_fills),
            "GET /v1/order/orders": (50, self._history),
            "GET /v1/order/history": (50, self._history),
            "GET /v1/order/openOrders": (50, self._open_orders),
            "GET /v1/order/matchresults": (20, self._fills),
            "GET /v1/account/accounts": (100, self._accounts),
            "GET /v1/account/accounts/{}/balance": (100, self._balance),
            "GET /v2/reference/transact-fee-rate": (50, self._fees),
        }

    def requested(self, request: HttpRequest, now_ns: int) -> HttpReply | None:
        """None for what is no route of these."""
        path, _, query = request.target.partition("?")
        name = f"{request.method} {re.sub(r'/[0-9]+(?=/|$)', '/{}', path)}"
        if name not in self._routes:
            return None
        limit, act = self._routes[name]
        is_newer = path.startswith("/v2/")
        try:
            self._keys.check_request(request, now_ns)
        except KeyRefused as error:
            if is_newer:
                return reply({"code": 1003, "message": "invalid signature"})
            return refusal(Declined("api-signature-not-valid", f"Signature not valid: {error}"))
        headers, is_free = self._spend(name, limit, now_ns)
        if not is_free:
            text = "Frequency of requests has exceeded the limit, please try again later"
            turned_away = refusal(Declined("base-request-exceed-frequency-limit", text), headers)
            return turned_away._replace(status=HTTPStatus.TOO_MANY_REQUESTS)
        self._account.advance(now_ns)
        in_path = re.search(r"/([0-9]{1,30})(?=/|$)", path)
        try:
            asked = Asked(int(in_path[1]) if in_path else 0, dict(parse_qsl(query)), body_of(request), now_ns)
            answer = act(asked)
        except Declined as error:
            if is_newer:
                return reply({"code": 2002, "message": error.text}, headers)
            return refusal(error, headers)
        return reply({"code": 200, "data": answer} if is_newer else {"status": "ok", "data": answer}, headers)

    def _spend(self, name: str, limit: int, now_ns: int) -> tuple[dict[str, str], bool]:
        """Rule 8."""
        at_ns = now_ns - self._exchange.clock_offset_ns
        budget = self._budgets.setdefault(name, Budget(limit, 2 * SECOND))
        is_free = budget.free_at_ns(1, at_ns) <= at_ns
        if is_free:
            budget.spend(1, at_ns)
        left, until_ms = limit - budget.used(at_ns), (now_ns + 2 * SECOND) // MS
        return {"X-HB-RateLimit-Requests-Remain": str(left), "X-HB-RateLimit-Requests-Expire": str(until_ms)}, is_free

    # Orders come and go

    def _place(self, asked: Asked) -> object:
        body = asked.body
        for name in ("account-id", "symbol", "type", "amount"):
            if name not in body:
                raise Declined("validation-constraints-required", f"Field is missing: {name}.")
        if str(body["account-id"]) != str(SPOT_ACCOUNT):
            raise Declined("account-get-accounts-inexistent-error", NO_ACCOUNT)
        side, _, kind = str(body["type"]).partition("-")
        if side not in ("buy", "sell") or kind not in KINDS:
            raise Declined("order-type-invalid", "Order type is invalid")
        client_id = str(body.get("client-order-id", ""))
        if client_id and not CLIENT_ID.fullmatch(client_id):
            raise Declined("validation-format-error", "Format Error: client-order-id.")
        symbol = str(body["symbol"])
        if symbol not in self._exchange:
            raise Declined("base-symbol-error", "The symbol is invalid")
        price, quantity = self._limits(symbol, Side(side), kind, body)
        order = self._taken_on(symbol, Side(side), price, quantity, KINDS[kind], client_id, asked.now_ns)
        self._placed.append(order.order_id)
        if kind == "market":
            self._market[order.order_id] = Market(str(body["type"]), str(body["amount"]))
        return str(order.order_id)

    def _limits(self, symbol: str, side: Side, kind: str, body: dict[str, Any]) -> tuple[int, int]:
        """Price and quantity; of a market order as far as its quantity, or its value for a buy, reaches."""
        listing, told = self._exchange.listing(symbol), str(body["amount"])
        if kind == "market":
            return self._reach(listing, side, told)
        if "price" not in body:
            raise Declined("validation-constraints-required", "Field is missing: price.")
        price = number(listing.instrument.price, str(body["price"]), refused(Refusal.BAD_PRICE, listing, 0, ""))
        return price, number(listing.instrument.quantity, told, refused(Refusal.BAD_QUANTITY, listing, 0, ""))

    def _reach(self, listing: Listing, side: Side, told: str) -> tuple[int, int]:
        instrument, picture = listing.instrument, self._exchange.book(listing.symbol)
        imprecise = refused(Refusal.BAD_QUANTITY, listing, 0, "")
        if side is Side.SELL:
            return min(picture.bids.prices, default=listing.tick), number(instrument.quantity, told, imprecise)
        value, quantity, reached = number(instrument.notional, told, imprecise), 0, listing.tick
        for price, offered in zip(*picture.asks, strict=True):
            bought = min(offered, value // price)
            if not bought:
                break
            quantity, value, reached = quantity + bought, value - bought * price, price
        return reached, quantity - quantity % listing.lot

    def _taken_on(
        self, symbol: str, side: Side, price: int, quantity: int, terms: Terms, client_id: str, now_ns: int
    ) -> SimulatedOrder:
        try:
            return self._account.place(symbol, side, price, quantity, terms, client_id, now_ns)
        except OrderRefused as error:
            if error.refusal is not Refusal.WOULD_TAKE:
                listing = self._exchange.listing(symbol)
                asset = listing.instrument.quote if side is Side.BUY else listing.instrument.base
                left = format_decimal(self._account.balances().get(asset, (0, 0))[0], ASSET_DECIMALS)
                raise refused(error.refusal, listing, quantity, left) from None
        self._account.hold_next(1)  # rule 2: it is looked at a moment later
        return self._account.place(symbol, side, price, quantity, terms, client_id, now_ns)

    def _end(self, order: SimulatedOrder | None, now_ns: int) -> None:
        """Rule 4. Raises Declined."""
        if order is None:
            raise Declined("not-found", "The order id is not found")
        if order.is_open and order.terms in (Terms.IOC, Terms.FOK):
            raise Declined("order-user-cancel-forbidden", "IOC or FOK order is not allowed to cancel")
        state = self._state(order)
        if state == CANCELING or not order.is_open:
            number = -1 if now_ns - order.updated_ns > 2 * HOUR else NUMBERED[state]
            raise Declined("order-orderstate-error", "Incorrect order state", number)
        self._account.cancel(order.order_id, now_ns)
        self._canceling.add(order.order_id)

    def _cancel(self, asked: Asked) -> object:
        self._end(self._account.find(asked.number), asked.now_ns)
        return str(asked.number)

    def _cancel_by_client_id(self, asked: Asked) -> object:
        order = self._newest(str(asked.body.get("client-order-id", "")), asked.now_ns)
        if order is None:
            return 0
        try:
            self._end(order, asked.now_ns)
        except Declined as error:
            if error.state is None:
                raise
            return error.state
        return NUMBERED[CANCELING]

    def _cancel_many(self, asked: Asked) -> object:
        success: list[str] = []
        failed: list[dict[str, object]] = []
        by_id = [("order-id", str(one)) for one in asked.body.get("order-ids", ())]
        by_client_id = [("client-order-id", str(one)) for one in asked.body.get("client-order-ids", ())]
        for name, told in (by_id + by_client_id)[:50]:
            try:
                is_id = name == "order-id"
                order = self._account.find(whole(name, told)) if is_id else self._newest(told, asked.now_ns)
                self._end(order, asked.now_ns)
                success.append(told)
            except Declined as error:
                failed.append({name: told} | error.row())
        return {"success": success, "failed": failed}

    def _cancel_all(self, asked: Asked) -> object:
        symbols, side = asked.body.get("symbol"), asked.body.get("side")
        wanted = [
            order
            for order in self._account.open_orders()
            if (not symbols or order.symbol in str(symbols).split(",")) and side in (None, order.side)
        ]
        most, count = asked.whole("size", 100), 0
        for order in wanted[:most]:
            try:
                self._end(order, asked.now_ns)
                count += 1
            except Declined:
                continue  # it is counted as failed
        left = wanted[most].order_id if len(wanted) > most else -1
        return {"success-count": count, "failed-count": min(len(wanted), most) - count, "next-id": left}

    # Questions

    def _state(self, order: SimulatedOrder) -> str:
        return CANCELING if order.is_open and order.order_id in self._canceling else state_of(order)

    def _newest(self, client_id: str, now_ns: int) -> SimulatedOrder | None:
        """Rules 3 and 5."""
        order = self._account.find_client(client_id) if client_id else None
        if order is None:
            return None
        known_until_ns = order.created_ns + 8 * HOUR if order.is_open else order.updated_ns + 2 * HOUR
        return order if now_ns <= known_until_ns else None

    def _is_told(self, order: SimulatedOrder, now_ns: int) -> bool:
        """Rules 5 and 6."""
        is_forgotten = not order.is_open and not order.filled and now_ns - order.updated_ns > 2 * HOUR
        return not is_forgotten and now_ns - order.created_ns >= self._hides_ns

    def _answered(self, order: SimulatedOrder | None, now_ns: int) -> object:
        if order is None or not self._is_told(order, now_ns):
            raise Declined("base-record-invalid", "record invalid")
        return self._row(order, "field")

    def _order(self, asked: Asked) -> object:
        return self._answered(self._account.find(asked.number), asked.now_ns)

    def _order_by_client_id(self, asked: Asked) -> object:
        return self._answered(self._newest(asked.query.get("clientOrderId", ""), asked.now_ns), asked.now_ns)

    def _order_fills(self, asked: Asked) -> object:
        order = self._account.find(asked.number)
        if order is None or not self._is_told(order, asked.now_ns):
            raise Declined("base-record-invalid", "record invalid")
        return [self._fill_row(fill) for fill in reversed(self._account.fills(asked.number))]

    def _fills(self, asked: Asked) -> object:
        fills = self._account.fills(symbol=asked.query.get("symbol"))
        rows = [self._fill_row(fill) for fill in reversed(fills) if is_within(fill.time_ns, asked.query)]
        return rows[: asked.whole("size", 100)]

    def _history(self, asked: Asked) -> object:
        """Newest first."""
        states = asked.query.get("states", "filled,partial-canceled,canceled").split(",")
        rows = [
            self._row(order, "field")
            for order in filter(None, map(self._account.find, reversed(self._placed)))
            if asked.query.get("symbol") in (None, order.symbol)
            and self._state(order) in states
            and is_within(order.created_ns, asked.query)
            and self._is_told(order, asked.now_ns)
        ]
        return rows[: asked.whole("size", 100)]

    def _open_orders(self, asked: Asked) -> object:
        """Newest first; `from` is the id that the list goes on after."""
        before = asked.whole("from", 0)
        orders = reversed(self._account.open_orders(asked.query.get("symbol")))
        rows = [
            self._row(order, "filled")
            for order in orders
            if (not before or order.order_id < before) and self._is_told(order, asked.now_ns)
        ]
        return rows[: asked.whole("size", 100)]

    def _accounts(self, asked: Asked) -> object:
        return [
            {"id": SPOT_ACCOUNT - 1, "type": "point", "subtype": "", "state": "working"},
            {"id": SPOT_ACCOUNT, "type": "spot", "subtype": "", "state": "working"},
        ]

    def _balance(self, asked: Asked) -> object:
        if asked.number != SPOT_ACCOUNT:
            raise Declined("account-get-accounts-inexistent-error", NO_ACCOUNT)
        rows = [
            {"currency": asset.lower(), "type": part, "balance": format_decimal(money, ASSET_DECIMALS), "seq-num": "1"}
            for asset, both in self._account.balances().items()
            for part, money in zip(("trade", "frozen"), both, strict=True)
        ]
        return {"id": SPOT_ACCOUNT, "type": "spot", "state": "working", "list": rows}

    def _fees(self, asked: Asked) -> object:
        symbols = asked.query.get("symbols", "").split(",")
        if len(symbols) > 10 or any(symbol not in self._exchange for symbol in symbols):
            raise Declined("2002", "invalid field value in `symbols`")
        rows = []
        for symbol in symbols:
            fees = self._exchange.listing(symbol).fees
            maker, taker = format_decimal(fees.maker, RATE_DECIMALS), format_decimal(fees.taker, RATE_DECIMALS)
            rows.append(
                {
                    "symbol": symbol,
                    "makerFeeRate": maker,
                    "takerFeeRate": taker,
                    "actualMakerRate": maker,
                    "actualTakerRate": taker,
                }
            )
        return rows

    def _row(self, order: SimulatedOrder, filled: str) -> dict[str, object]:
        """Rule 7."""
        instrument, market = self._exchange.listing(order.symbol).instrument, self._market.get(order.order_id)
        return order_row(order, instrument, self._state(order), market, filled)

    def _fill_row(self, fill: SimulatedFill) -> dict[str, object]:
        order, market = self._account.find(fill.order_id), self._market.get(fill.order_id)
        kind = market.type if market else (kind_of(order) if order else "")
        return fill_row(fill, self._exchange.listing(fill.symbol).instrument, kind)
