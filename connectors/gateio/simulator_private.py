"""What the simulated Gate tells and takes on the websocket for the account alone; after its documents of May 2026.

1. `spot.orders` (put, update, finish), `spot.usertrades` and `spot.balances` tell at once. The first two are followed
   by market, or with `!all`; the last has no payload.
2. Order entry needs a login on the same connection. Each request but that is answered twice: an echo with `ack`, then
   what came of it. The status in an answer's header is a text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aggregator.domain.numbers import format_decimal
from aggregator.domain.order import ASSET_DECIMALS
from connectors.gateio.simulator_account import read_fields
from connectors.gateio.simulator_auth import UNAUTHORIZED, check_login
from connectors.gateio.simulator_orders import USER, GateioOrders
from connectors.gateio.simulator_rest import MS, SECOND, Refusal
from connectors.simulation.account import Happening, SimulatedAccount

ORDERS, FILLS, BALANCES = "spot.orders", "spot.usertrades", "spot.balances"
PRIVATE = (ORDERS, FILLS, BALANCES)
ALL = "!all"

LOGIN, PLACE, CANCEL = "spot.login", "spot.order_place", "spot.order_cancel"


class Told(NamedTuple):
    """`symbol` is empty for balances."""

    channel: str
    symbol: str
    frame: str


class PrivateStreams:
    """Rule 1."""

    def __init__(self, orders: GateioOrders, account: SimulatedAccount) -> None:
        self._orders = orders
        self._account = account
        self._balances = account.balances()

    def tell(self, now_ns: int) -> Iterator[Told]:
        happenings = self._account.take_happenings()
        for happening in happenings:
            order, fill = happening.order, happening.fill
            self._orders.known[order.order_id] = None
            yield Told(ORDERS, order.symbol, _push(ORDERS, self._order(happening), now_ns))
            if fill is not None:
                row = {
                    "id": fill.fill_id,
                    "user_id": USER,
                    "id_market": fill.fill_id,
                    "create_time": fill.time_ns // SECOND,
                    **self._orders.fill(fill),
                }
                yield Told(FILLS, fill.symbol, _push(FILLS, row, now_ns))
        if happenings:
            yield from self._balance(happenings, now_ns)

    def _order(self, happening: Happening) -> dict[str, Any]:
        order = happening.order
        row = self._orders.row(order)
        del row["status"]
        if order.is_open:
            event = "put" if happening.fill is None else "update"
        else:
            event = "finish"
        times = {name: str(row[name]) for name in ("create_time_ms", "update_time_ms")}
        return row | times | {"user": USER, "event": event, "biz_info": "-"}

    def _balance(self, happenings: Sequence[Happening], now_ns: int) -> Iterator[Told]:
        before, self._balances = self._balances, self._account.balances()
        kind = "order-match" if any(happening.fill for happening in happenings) else "order-update"
        for asset, (free, held) in self._balances.items():
            free_before, held_before = before.get(asset, (0, 0))
            if (free, held) == (free_before, held_before):
                continue
            row = {
                "timestamp": str(now_ns // SECOND),
                "timestamp_ms": str(now_ns // MS),
                "user": str(USER),
                "currency": asset,
                "change": format_decimal(free + held - free_before - held_before, ASSET_DECIMALS),
                "total": format_decimal(free + held, ASSET_DECIMALS),
                "available": format_decimal(free, ASSET_DECIMALS),
                "freeze": format_decimal(held, ASSET_DECIMALS),
                "freeze_change": format_decimal(held - held_before, ASSET_DECIMALS),
                "change_type": kind,
            }
            yield Told(BALANCES, "", _push(BALANCES, row, now_ns))


class WebsocketOrders:
    """Rule 2."""

    def __init__(self, orders: GateioOrders) -> None:
        self._orders = orders
        self._logged_in: dict[int, SimulatedAccount] = {}

    def leave(self, client: int) -> None:
        self._logged_in.pop(client, None)

    def answers(self, client: int, request: Mapping[str, Any], now_ns: int) -> list[str]:
        """What goes back to the client."""
        payload, channel = request.get("payload"), request["channel"]
        if not isinstance(payload, dict):
            payload = {}
        frames = []
        try:
            if channel == LOGIN:
                account = self._logged_in[client] = check_login(self._orders.account, payload, now_ns)
                result: dict[str, Any] = {"api_key": account.key, "uid": str(USER)}
            elif channel in (PLACE, CANCEL):
                echo = {"req_id": payload.get("req_id"), "req_param": payload.get("req_param")}
                frames.append(_answer(request, "200", {"result": echo}, now_ns, {"ack": True}))
                result = self._carried_out(client, channel, payload, now_ns)
            else:
                raise Refusal("INVALID_ARGUMENT", f"unknown channel {channel}")
            frames.append(_answer(request, "200", {"result": result}, now_ns))
        except Refusal as refusal:
            errors = {"label": refusal.label, "message": refusal.message}
            frames.append(_answer(request, str(refusal.status), {"errs": errors}, now_ns))
        return frames

    def _carried_out(self, client: int, channel: str, payload: Mapping[str, Any], now_ns: int) -> dict[str, Any]:
        account = self._logged_in.get(client)
        if account is None:
            raise Refusal("AUTHENTICATION_FAILED", "not logged in", UNAUTHORIZED)
        fields = read_fields(json.dumps(payload.get("req_param")))
        symbol = str(fields.get("currency_pair") or "")
        if channel == CANCEL:
            self._orders.count(self._orders.cancel_limited(), now_ns)
            order = self._orders.cancel(account, str(fields.get("order_id") or ""), symbol, now_ns)
        else:
            self._orders.count(self._orders.place_limited(symbol), now_ns)
            headers = payload.get("req_header")
            until_ms = headers.get("x-gate-exptime", "") if isinstance(headers, dict) else ""
            order = self._orders.place(account, fields, str(until_ms), now_ns)
        return self._orders.answer(order, fields.get("action_mode"))


def _answer(
    request: Mapping[str, Any], status: str, content: dict[str, Any], now_ns: int, more: Mapping[str, Any] | None = None
) -> str:
    payload = request.get("payload")
    header = {
        "response_time": str(now_ns // MS),
        "status": status,
        "channel": request["channel"],
        "event": "api",
        "client_id": "simulated",
        "x_in_time": now_ns // 1000,
        "x_out_time": now_ns // 1000,
    }
    request_id = payload.get("req_id") if isinstance(payload, dict) else None
    return _json({"request_id": request_id, **(more or {}), "header": header, "data": content})


def _push(channel: str, row: dict[str, Any], now_ns: int) -> str:
    times = {"time": now_ns // SECOND, "time_ms": now_ns // MS}
    return _json(times | {"channel": channel, "event": "update", "result": [row]})


def _json(content: object) -> str:
    return json.dumps(content, separators=(",", ":"))
