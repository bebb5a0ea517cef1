"""The account's REST answers at the simulated Gate. Every call is signed.

1. Placing is limited for each market, canceling for the account; the limits are shared with order entry by websocket.
2. Lists of ended orders and of fills come newest first and in pages. Without a time they go back seven days; `from` and
   `to` are the seconds at which an order ended, or a fill was made.
3. Open orders of all markets come by market, with a page of each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from aggregator.domain.instrument import Side
from aggregator.domain.numbers import RATE_DECIMALS, format_decimal
from aggregator.domain.order import ASSET_DECIMALS
from connectors.gateio.simulator_auth import check_call
from connectors.gateio.simulator_orders import SIDES, USER, GateioOrders, is_number
from connectors.gateio.simulator_rest import PLACING, SECOND, Call, GateioRest, Limit, Refusal
from connectors.simulation.account import SimulatedAccount, SimulatedOrder
from connectors.simulation.exchange import SimulatedExchange

GOES_BACK_S = 7 * 24 * 3600
ORDERS_AT_MOST, FILLS_AT_MOST = 100, 1000

Item = TypeVar("Item")


class GateioAccountRest:
    """Adds its routes to `rest`."""

    def __init__(self, rest: GateioRest, orders: GateioOrders, exchange: SimulatedExchange) -> None:
        self._orders = orders
        self._exchange = exchange
        routes = {
            PLACING: self._place,
            ("DELETE", "/spot/orders/{}"): self._cancel,
            ("DELETE", "/spot/orders"): self._cancel_all,
            ("GET", "/spot/orders/{}"): self._order,
            ("GET", "/spot/orders"): self._list,
            ("GET", "/spot/open_orders"): self._open_orders,
            ("GET", "/spot/my_trades"): self._fills,
            ("GET", "/spot/accounts"): self._balances,
            ("GET", "/wallet/fee"): self._fees,
        }
        rest.routes |= {key: self._signed(answer) for key, answer in routes.items()}
        rest.limits[PLACING] = lambda call: orders.place_limited(_symbol_in(call))
        for path in ("/spot/orders", "/spot/orders/{}"):
            rest.limits["DELETE", path] = self._cancel_limit

    def _signed(self, answer: Callable[[SimulatedAccount, Call], Any]) -> Callable[[Call], bytes]:
        def checked(call: Call) -> bytes:
            content = answer(check_call(self._orders.account, call), call)
            return json.dumps(content, separators=(",", ":")).encode()

        return checked

    def _cancel_limit(self, call: Call) -> Limit:
        return self._orders.cancel_limited()

    def _place(self, account: SimulatedAccount, call: Call) -> Any:
        fields = read_fields(call.body)
        order = self._orders.place(account, fields, call.headers.get("x-gate-exptime", ""), call.now_ns)
        return self._orders.answer(order, fields.get("action_mode"))

    def _cancel(self, account: SimulatedAccount, call: Call) -> Any:
        order = self._orders.cancel(account, call.name, call.query.get("currency_pair", ""), call.now_ns)
        return self._orders.answer(order, call.query.get("action_mode"))

    def _cancel_all(self, account: SimulatedAccount, call: Call) -> Any:
        symbol = self._orders.listed(call.query.get("currency_pair", "")).symbol
        chosen = [order for order in account.open_orders(symbol) if order.side in _sides(call)]
        return [self._orders.row(account.cancel(order.order_id, call.now_ns)) for order in chosen]

    def _order(self, account: SimulatedAccount, call: Call) -> Any:
        symbol = call.query.get("currency_pair", "")
        return self._orders.row(self._orders.find(account, call.name, symbol, call.now_ns))

    def _list(self, account: SimulatedAccount, call: Call) -> Any:
        """Rule 2."""
        symbol, status = call.query.get("currency_pair", ""), call.query.get("status", "")
        if symbol or status == "open":
            self._orders.listed(symbol)
        if status == "open":
            found = account.open_orders(symbol)
        elif status == "finished":
            found = sorted(self._ended(account, symbol, call), key=lambda order: order.updated_ns, reverse=True)
        else:
            raise Refusal("INVALID_PARAM_VALUE", "invalid argument: status")
        return [self._orders.row(order) for order in _page(call, found, ORDERS_AT_MOST)]

    def _ended(self, account: SimulatedAccount, symbol: str, call: Call) -> Iterable[SimulatedOrder]:
        for order_id in self._orders.known:
            order = account.find(order_id)
            if order is None or order.is_open or symbol not in ("", order.symbol) or order.side not in _sides(call):
                continue
            if _is_within(call, order.updated_ns):
                yield order

    def _open_orders(self, account: SimulatedAccount, call: Call) -> Any:
        """Rule 3."""
        markets = []
        for symbol in dict.fromkeys(order.symbol for order in account.open_orders()):
            rows = [self._orders.row(order) for order in _page(call, account.open_orders(symbol), ORDERS_AT_MOST)]
            markets.append({"currency_pair": symbol, "total": len(rows), "orders": rows})
        return markets

    def _fills(self, account: SimulatedAccount, call: Call) -> Any:
        """Rule 2."""
        symbol, order_id = call.query.get("currency_pair", ""), call.query.get("order_id", "")
        if symbol or order_id:
            self._orders.listed(symbol)
        if order_id and not is_number(order_id):
            raise Refusal("INVALID_PARAM_VALUE", f"Invalid request parameter `order_id` value: {order_id}")
        fills = account.fills(int(order_id) if order_id else None, symbol or None)
        made = [fill for fill in reversed(fills) if _is_within(call, fill.time_ns)]
        return [
            {
                "id": str(fill.fill_id),
                "create_time": str(fill.time_ns // SECOND),
                "sequence_id": str(fill.fill_id),
                **self._orders.fill(fill),
            }
            for fill in _page(call, made, FILLS_AT_MOST)
        ]

    def _balances(self, account: SimulatedAccount, call: Call) -> Any:
        asked = call.query.get("currency", "")
        return [
            {
                "currency": asset,
                "available": format_decimal(free, ASSET_DECIMALS),
                "locked": format_decimal(held, ASSET_DECIMALS),
                "update_id": 1,
            }
            for asset, (free, held) in account.balances().items()
            if asked in ("", asset)
        ]

    def _fees(self, account: SimulatedAccount, call: Call) -> Any:
        """Without a market those of the first one."""
        symbol = call.query.get("currency_pair") or self._exchange.symbols[0]
        fees = self._orders.listed(symbol).fees
        maker, taker = format_decimal(fees.maker, RATE_DECIMALS), format_decimal(fees.taker, RATE_DECIMALS)
        return {
            "user_id": USER,
            "taker_fee": taker,
            "maker_fee": maker,
            "gt_discount": False,
            "gt_taker_fee": taker,
            "gt_maker_fee": maker,
            "loan_fee": "0.18",
            "point_type": "0",
        }


def read_fields(body: bytes | str) -> dict[str, Any]:
    """An object, with its numbers as text. Raises Refusal."""
    try:
        fields = json.loads(body, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise Refusal("INVALID_REQUEST_BODY", "the body is no JSON object")
    return fields


def _symbol_in(call: Call) -> str:
    try:
        return str(read_fields(call.body).get("currency_pair"))
    except Refusal:
        return ""


def _sides(call: Call) -> Sequence[Side]:
    side = call.query.get("side")
    return [SIDES[side]] if side in SIDES else list(SIDES.values())


def _whole(call: Call, name: str, default: int, most: int) -> int:
    text = call.query.get(name, str(default))
    if not (is_number(text) and 0 < int(text) <= most):
        raise Refusal("INVALID_PARAM_VALUE", f"Invalid request parameter `{name}` value: {text}")
    return int(text)


def _page(call: Call, items: Sequence[Item], most: int) -> Sequence[Item]:
    limit = _whole(call, "limit", 100, most)
    first = (_whole(call, "page", 1, 100_000 // limit + 1) - 1) * limit
    return items[first : first + limit]


def _is_within(call: Call, at_ns: int) -> bool:
    """Rule 2."""
    latest_s = _whole(call, "to", call.now_ns // SECOND, 10**11)
    earliest_s = _whole(call, "from", latest_s - GOES_BACK_S, 10**11)
    if "from" in call.query and "to" not in call.query:
        latest_s = earliest_s + GOES_BACK_S
    return earliest_s <= at_ns // SECOND <= latest_s
