"""Binance's websocket API, simulated as far as the account's events need it.

1. A request has an id, a method and parameters; the answer has the same id, HTTP's status, and a result or an error.
2. Events come after `userDataStream.subscribe.signature`, wrapped with the number of the subscription; one for each
   connection.
3. Each change of an order is an executionReport, with the balances after it. An order that a cancel has ended is told
   under the cancel's id, with its own beside.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from connectors.binance import simulator_keys as keys
from connectors.binance.simulator_orders import BinanceOrders
from connectors.binance.simulator_rest import MS, SECOND, Refusal, Weight
from connectors.binance.simulator_shapes import changed_balances
from connectors.simulation.account import Happening, SimulatedAccount, Status
from connectors.simulation.contract import Push
from connectors.simulation.exchange import SimulatedExchange

CONNECTION_WEIGHT = 2
SUBSCRIPTION_WEIGHT = 2

UNSUPPORTED, INVALID_JSON = -1020, -1135
ALREADY_SUBSCRIBED, NOT_SUBSCRIBED = -2035, -2036


class AccountStream:
    def __init__(
        self,
        exchange: SimulatedExchange,
        account: SimulatedAccount | None,
        orders: BinanceOrders,
        weight: Weight,
    ) -> None:
        self._exchange = exchange
        self._account = account
        self._orders = orders
        self._weight = weight
        self._subscriptions: dict[int, int] = {}
        """By client."""
        self._subscribed: dict[int, int] = {}
        """How often each client did."""

    def left(self, client: int) -> None:
        self._subscriptions.pop(client, None)
        self._subscribed.pop(client, None)

    def answer(self, client: int, frame: str | bytes, now_ns: int) -> Push:
        """Rule 1."""
        request: Any = None
        try:
            request = _read(frame)
            answer = {"status": 200, "result": self._carry_out(client, request, now_ns)}
        except Refusal as refusal:
            error: dict[str, Any] = {"code": refusal.code, "msg": refusal.message}
            if refusal.retry_after_s:
                retry_ms = (now_ns + refusal.retry_after_s * SECOND) // MS
                error["data"] = {"serverTime": now_ns // MS, "retryAfter": retry_ms}
            answer = {"status": refusal.status, "error": error}
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
        limits = [limit | {"limit": self._weight.per_minute, "count": self._weight.used}]
        request_id = request.get("id") if request else None
        return Push(client, _json({"id": request_id} | answer | {"rateLimits": limits}))

    def tell(self, happenings: Iterable[Happening], now_ns: int) -> list[Push]:
        """Rules 2 and 3."""
        pushes = []
        for happening in happenings:
            order = happening.order
            is_canceled = order.status is Status.CANCELED
            cancel_id = self._orders.take_cancel_id(order.order_id) if is_canceled else ""
            is_market = self._orders.is_market(order.order_id)
            report = self._orders.shapes(order.symbol).report(happening, cancel_id, is_market, now_ns)
            pushes += self._push(report, order.symbol)
            pushes += self._push(self._balances_after(order.symbol, now_ns), order.symbol)
            if happening.fill:
                self._orders.counts.filled()
        return pushes

    def _balances_after(self, symbol: str, now_ns: int) -> dict[str, Any]:
        assert self._account is not None
        instrument = self._exchange.listing(symbol).instrument
        return changed_balances(self._account.balances(), (instrument.base, instrument.quote), now_ns)

    def _push(self, event: dict[str, Any], symbol: str) -> list[Push]:
        return [
            Push(client, _json({"subscriptionId": number, "event": event}), symbol, is_private=True)
            for client, number in self._subscriptions.items()
        ]

    def _carry_out(self, client: int, request: dict[str, Any], now_ns: int) -> Any:
        method, sent = request.get("method"), request.get("params") or {}
        if not isinstance(sent, dict):
            raise Refusal(keys.ILLEGAL, "Illegal characters found in parameter 'params'.")
        self._weight.spend(SUBSCRIPTION_WEIGHT if method == "userDataStream.subscribe.signature" else 1, now_ns)
        match method:
            case "ping":
                return {}
            case "time":
                return {"serverTime": now_ns // MS}
            case "userDataStream.subscribe.signature":
                texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in sent.items()}
                keys.of_message(self._account, texts, now_ns).finish()
                return {"subscriptionId": self._subscribe(client)}
            case "userDataStream.unsubscribe":
                if self._subscriptions.pop(client, None) is None:
                    raise Refusal(NOT_SUBSCRIBED, "User Data Stream subscription not active.")
                return {}
        raise Refusal(UNSUPPORTED, "This operation is not supported.")

    def _subscribe(self, client: int) -> int:
        if client in self._subscriptions:
            raise Refusal(ALREADY_SUBSCRIBED, "User Data Stream subscription already active.")
        number = self._subscriptions[client] = self._subscribed.get(client, 0)
        self._subscribed[client] = number + 1
        return number


def _read(frame: str | bytes) -> dict[str, Any]:
    try:
        request = json.loads(frame)
    except (ValueError, RecursionError):
        raise Refusal(INVALID_JSON, "Invalid JSON Request") from None
    if not isinstance(request, dict):
        raise Refusal(INVALID_JSON, "Invalid JSON Request")
    return request


def _json(content: object) -> str:
    return json.dumps(content, separators=(",", ":"))
