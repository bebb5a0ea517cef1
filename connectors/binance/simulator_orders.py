"""Binance's signed REST routes, simulated: orders, fills, balances, fees.

1. Placing is synchronous: the answer has the fills, if it is a FULL one.
2. A client's id is unique among open orders.
3. A cancel has an id of its own, and its answer tells it as the client's id.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from aggregator.domain.numbers import RATE_DECIMALS
from connectors.binance import simulator_keys as keys
from connectors.binance.simulator_keys import MANDATORY, Parameters
from connectors.binance.simulator_placing import FILTER, REJECTED, client_id_in, listed, read_wish, whole_in
from connectors.binance.simulator_rest import (
    DECIMALS,
    MS,
    UNKNOWN_SYMBOL,
    Call,
    OrderCounts,
    Refusal,
    Route,
    as_json,
    printed,
)
from connectors.binance.simulator_shapes import Shapes, balance_rows
from connectors.simulation import account as simulation
from connectors.simulation.account import OrderRefused, SimulatedAccount, SimulatedOrder
from connectors.simulation.exchange import SimulatedExchange

ORDERS_REMEMBERED = 100_000
"""How many orders the history goes back."""

ROWS_AT_MOST = 1000

CANCEL_REJECTED, NO_SUCH_ORDER, IDS_DIFFER = -2011, -2013, -2039

_UNKNOWN = (CANCEL_REJECTED, "Unknown order sent.")

REFUSALS = {
    simulation.Refusal.UNKNOWN_SYMBOL: (UNKNOWN_SYMBOL, "Invalid symbol."),
    simulation.Refusal.NOT_TRADABLE: (REJECTED, "Market is closed."),
    simulation.Refusal.BAD_PRICE: (FILTER, "Filter failure: PRICE_FILTER"),
    simulation.Refusal.BAD_QUANTITY: (FILTER, "Filter failure: LOT_SIZE"),
    simulation.Refusal.TOO_SMALL: (FILTER, "Filter failure: NOTIONAL"),
    simulation.Refusal.INSUFFICIENT: (REJECTED, "Account has insufficient balance for requested action."),
    simulation.Refusal.DUPLICATE_ID: (REJECTED, "Duplicate order sent."),
    simulation.Refusal.WOULD_TAKE: (REJECTED, "Order would immediately match and take."),
    simulation.Refusal.UNKNOWN_ORDER: _UNKNOWN,
    simulation.Refusal.ALREADY_ENDED: _UNKNOWN,
    simulation.Refusal.BY_FAULT: (REJECTED, "This action is disabled on this account."),
}


class BinanceOrders:
    """The signed routes of one account; without one, every key is a bad one."""

    def __init__(self, exchange: SimulatedExchange, account: SimulatedAccount | None, counts: OrderCounts) -> None:
        self.counts = counts
        self._exchange = exchange
        self._account = account
        self._cancel_ids: dict[int, str] = {}
        """Of cancels whose end was not told yet, by order id."""
        self._made_up_ids = count(1)
        self._placed: deque[int] = deque(maxlen=ORDERS_REMEMBERED)
        self._market_orders: set[int] = set()

    def routes(self) -> dict[tuple[str, str], Route]:
        return {
            ("POST", "/api/v3/order"): self._route(1, self._place, is_free=True, headers=self.counts.headers),
            ("POST", "/api/v3/order/test"): self._route(1, self._test),
            ("DELETE", "/api/v3/order"): self._route(1, self._cancel, is_free=True),
            ("DELETE", "/api/v3/openOrders"): self._route(1, self._cancel_all, is_free=True),
            ("GET", "/api/v3/order"): self._route(4, self._query),
            ("GET", "/api/v3/openOrders"): self._route(_open_orders_weight, self._open_orders),
            ("GET", "/api/v3/allOrders"): self._route(20, self._all_orders),
            ("GET", "/api/v3/myTrades"): self._route(_fills_weight, self._fills),
            ("GET", "/api/v3/account"): self._route(20, self._balances),
            ("GET", "/api/v3/account/commission"): self._route(20, self._commission),
            ("GET", "/api/v3/rateLimit/order"): self._route(40, self._order_limits),
        }

    def shapes(self, symbol: str) -> Shapes:
        return Shapes(self._exchange.listing(symbol).instrument)

    def is_market(self, order_id: int) -> bool:
        """Whether it was sent without a price."""
        return order_id in self._market_orders

    def take_cancel_id(self, order_id: int) -> str:
        """The id of the cancel that ended this order, empty where none did. It is told once."""
        return self._cancel_ids.pop(order_id, "")

    def _route(
        self,
        weight: int | Callable[[Call], int],
        answer: Callable[[SimulatedAccount, Parameters, int], Any],
        *,
        is_free: bool = False,
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> Route:
        def signed(call: Call) -> bytes:
            parameters = keys.of_request(self._account, call)
            assert self._account is not None
            try:
                return as_json(answer(self._account, parameters, call.now_ns))
            except OrderRefused as refused:
                raise Refusal(*REFUSALS[refused.refusal]) from None

        return Route((lambda call: weight) if isinstance(weight, int) else weight, signed, is_free, headers)

    def _place(self, account: SimulatedAccount, parameters: Parameters, now_ns: int) -> Any:
        """Rules 1 and 2."""
        wish = read_wish(parameters, self._exchange)
        self.counts.check(now_ns)
        client_id = wish.client_id or self._made_up_id()
        symbol = wish.listing.symbol
        order = account.place(symbol, wish.side, wish.price, wish.quantity, wish.terms, client_id, now_ns)
        self.counts.placed()
        self._placed.append(order.order_id)
        if wish.is_market:
            self._market_orders.add(order.order_id)
        told = self._order(order) | {"transactTime": now_ns // MS, "workingTime": now_ns // MS}
        if wish.answer == "ACK":
            return {name: told[name] for name in ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")}
        if wish.answer == "FULL":
            told["fills"] = [self.shapes(symbol).placed_fill(fill) for fill in account.fills(order.order_id)]
        return told

    def _test(self, account: SimulatedAccount, parameters: Parameters, now_ns: int) -> Any:
        """Only the parameters are looked at."""
        read_wish(parameters, self._exchange)
        return {}

    def _cancel(self, account: SimulatedAccount, parameters: Parameters, now_ns: int) -> Any:
        """Rule 3."""
        order = self._named(account, parameters)
        cancel_id = client_id_in(parameters, "newClientOrderId") or self._made_up_id()
        parameters.finish()
        if order is None:
            raise OrderRefused(simulation.Refusal.UNKNOWN_ORDER)
        return self._canceled(account, order, cancel_id, now_ns)

    def _cancel_all(self, account: SimulatedAccount, parameters: Parameters, now_ns: int) -> Any:
        symbol = listed(parameters, self._exchange).symbol
        parameters.finish()
        orders = account.open_orders(symbol)
        if not orders:
            raise OrderRefused(simulation.Refusal.UNKNOWN_ORDER)
        cancel_id = self._made_up_id()
        return [self._canceled(account, order, cancel_id, now_ns) for order in orders]

    def _query(self, account: SimulatedAccount, parameters: Parameters, now_ns: int) -> Any:
        order = self._named(account, parameters)
        parameters.finish()
        if order is None:
            raise Refusal(NO_SUCH_ORDER, "Order does not exist.")
        return self._described(order)

    def _open_orders(self, account: SimulatedAccount, parameters: Parameters, now_ns: int) -> Any:
        symbol = listed(parameters, self._exchange).symbol if "symbol" in parameters else None
        parameters.finish()
        return [self._described(order) for order in account.open_orders(symbol)]

    def _all_orders(self, account: SimulatedAccount, parameters: Parameters, now_ns: int) -> Any:
        """The newest, or from an id on the oldest."""
        symbol, from_id = listed(parameters, self._exchange).symbol, whole_in(parameters, "orderId", 0)
        since_ms, limit = whole_in(parameters, "startTime", 0), whole_in(parameters, "limit", 500)
        parameters.finish()
        found = [order for order_id in self._placed if (order := account.find(order_id)) is not None]
        orders = [
            order
            for order in found
            if order.symbol == symbol and order.order_id >= from_id and order.created_ns >= since_ms * MS
        ]
        return [self._described(order) for order in _part(orders, limit, is_from_first=bool(from_id))]

    def _fills(self, account: SimulatedAccount, parameters: Parameters, now_ns: int) -> Any:
        symbol, order_id = listed(parameters, self._exchange).symbol, whole_in(parameters, "orderId", 0)
        from_id, since_ms = whole_in(parameters, "fromId", 0), whole_in(parameters, "startTime", 0)
        until_ms, limit = whole_in(parameters, "endTime", 10**15), whole_in(parameters, "limit", 500)
        parameters.finish()
        fills = account.fills(order_id or None, symbol, since_ms * MS)
        fills = [fill for fill in fills if fill.fill_id >= from_id and fill.time_ns // MS <= until_ms]
        shapes = self.shapes(symbol)
        return [shapes.past_fill(fill) for fill in _part(fills, limit, is_from_first=bool(from_id or since_ms))]

    def _balances(self, account: SimulatedAccount, parameters: Parameters, now_ns: int) -> Any:
        without_zero = parameters.take("omitZeroBalances") == "true"
        parameters.finish()
        return {
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "updateTime": now_ns // MS,
            "accountType": "SPOT",
            "balances": balance_rows(account.balances(), without_zero=without_zero),
            "permissions": ["SPOT"],
        }

    def _commission(self, account: SimulatedAccount, parameters: Parameters, now_ns: int) -> Any:
        symbol = listed(parameters, self._exchange).symbol
        parameters.finish()
        fees = self._exchange.listing(symbol).fees
        nothing = dict.fromkeys(("maker", "taker", "buyer", "seller"), printed(0, RATE_DECIMALS))
        paid = {"maker": printed(fees.maker, RATE_DECIMALS), "taker": printed(fees.taker, RATE_DECIMALS)}
        return {
            "symbol": symbol,
            "standardCommission": nothing | paid,
            "specialCommission": nothing,
            "taxCommission": nothing,
            "discount": {"enabledForAccount": False, "enabledForSymbol": False, "discountAsset": "BNB"},
        }

    def _order_limits(self, account: SimulatedAccount, parameters: Parameters, now_ns: int) -> Any:
        parameters.finish()
        return self.counts.limits()

    def _named(self, account: SimulatedAccount, parameters: Parameters) -> SimulatedOrder | None:
        """The order that is meant, None if there is none."""
        symbol, order_id = listed(parameters, self._exchange).symbol, whole_in(parameters, "orderId", 0)
        client_id = parameters.take("origClientOrderId")
        if not order_id and not client_id:
            text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            raise Refusal(MANDATORY, text)
        order = account.find(order_id) if order_id else account.find_client(client_id)
        if order is None or order.symbol != symbol:
            return None
        if client_id and order.client_id != client_id:
            raise Refusal(IDS_DIFFER, "Client order ID is not correct for this order ID.")
        return order

    def _canceled(self, account: SimulatedAccount, order: SimulatedOrder, cancel_id: str, now_ns: int) -> Any:
        account.cancel(order.order_id, now_ns)
        self._cancel_ids[order.order_id] = cancel_id
        told = self._order(order) | {"transactTime": now_ns // MS}
        return {"symbol": order.symbol, "origClientOrderId": order.client_id} | told | {"clientOrderId": cancel_id}

    def _described(self, order: SimulatedOrder) -> dict[str, Any]:
        return self._order(order) | {
            "stopPrice": printed(0, DECIMALS),
            "icebergQty": printed(0, DECIMALS),
            "time": order.created_ns // MS,
            "updateTime": order.updated_ns // MS,
            "isWorking": True,
            "workingTime": order.created_ns // MS,
        }

    def _order(self, order: SimulatedOrder) -> dict[str, Any]:
        return self.shapes(order.symbol).order(order, self.is_market(order.order_id))

    def _made_up_id(self) -> str:
        return f"made-up-{next(self._made_up_ids):014d}"


def _open_orders_weight(call: Call) -> int:
    return 6 if call.query.get("symbol") else 80


def _fills_weight(call: Call) -> int:
    return 5 if call.query.get("orderId") else 20


def _part(rows: list[Any], limit: int, *, is_from_first: bool) -> list[Any]:
    limit = min(limit, ROWS_AT_MOST)
    return rows[:limit] if is_from_first else rows[-limit:]
