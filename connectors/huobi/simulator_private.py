"""HTX's private socket, simulated.

1. Frames are plain text both ways. The venue pings every 20 seconds, and hangs up instead of a third ping in a row that
   would go unanswered.
2. A login comes first; before it nothing else is answered. A key may have ten sockets, a socket 50 requests a second.
3. `orders` tells the life of every order, a creation first even for one that trades at once. It comes before
   `trade.clearing`, which tells fees, and that before `accounts.update`, which tells balances.
4. `accounts.update` tells all balances at first. Its mode says which changes it tells: of the total (0), of either, one
   by one (1), or of either, both together (2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from aggregator.domain.instrument import Instrument
from aggregator.domain.numbers import format_decimal
from aggregator.domain.order import ASSET_DECIMALS
from connectors.huobi.simulator_keys import SECOND, KeyRefused, Keys
from connectors.huobi.simulator_order_rows import MS, SPOT_ACCOUNT, state_of
from connectors.huobi.simulator_pushes import (
    BalanceRow,
    balance_changes,
    cause_of,
    clearing_events,
    creation,
    order_events,
)
from connectors.pacing import Budget
from connectors.simulation.account import Happening, SimulatedAccount
from connectors.simulation.contract import Hangup, Outgoing, Push
from connectors.simulation.exchange import NEVER_NS, SimulatedExchange

SOCKET = "/ws/v2"
PING_EVERY_NS = 20 * SECOND
PINGS_UNANSWERED = 2
SOCKETS_AT_MOST = 10
REQUESTS_PER_SECOND = 50
LOGIN_PATIENCE_NS = SECOND
"""How long a login waits for a host that it may be for to become known."""

_CHANNEL = re.compile(r"(orders|trade\.clearing)#([^#]+)(?:#([01]))?|(accounts\.update)(?:#([012]))?", re.ASCII)


@dataclass(slots=True)
class _Client:
    ping_ns: int
    budget: Budget
    is_known: bool = False
    login: dict[str, str] = field(default_factory=dict)
    login_until_ns: int = NEVER_NS
    channels: dict[str, None] = field(default_factory=dict)
    unanswered: list[int] = field(default_factory=list)


class PrivateSockets:
    """Of one account. Plans are made by a clock that nobody sets."""

    def __init__(self, exchange: SimulatedExchange, account: SimulatedAccount, keys: Keys) -> None:
        self._exchange = exchange
        self._account = account
        self._keys = keys
        self._clients: dict[int, _Client] = {}
        self._created: set[int] = set()
        self._told = account.balances()
        self._changes = 0

    def __contains__(self, client: int) -> bool:
        return client in self._clients

    def connected(self, client: int, now_ns: int) -> None:
        self._clients[client] = _Client(self._true_ns(now_ns) + PING_EVERY_NS, Budget(REQUESTS_PER_SECOND, SECOND))

    def disconnected(self, client: int) -> None:
        self._clients.pop(client, None)

    def received(self, client: int, frame: str | bytes, now_ns: int) -> list[Outgoing]:
        try:
            message = msgspec.json.decode(frame)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            message = None
        if not isinstance(message, dict):
            return [_frame(client, {"action": "", "code": 2001, "message": "invalid.json"})]
        state, action, channel = self._clients[client], message.get("action"), str(message.get("ch", ""))
        if action == "pong":
            told = message.get("data")
            answered = told.get("ts") if isinstance(told, dict) else None
            state.unanswered = [ping for ping in state.unanswered if ping != answered]
            return []
        asked = {"action": action, "ch": channel}
        if action not in ("req", "sub", "unsub"):
            return [_frame(client, asked | {"code": 2001, "message": "invalid.action"})]
        at_ns = self._true_ns(now_ns)
        if state.budget.free_at_ns(1, at_ns) > at_ns:
            return [_frame(client, asked | {"code": 4000, "message": "too.many.request"})]
        state.budget.spend(1, at_ns)
        if action == "req" and channel == "auth":
            return self._login(client, state, message, now_ns)
        if not state.is_known:
            return [_frame(client, asked | {"code": 2002, "message": "invalid.auth.state"})]
        return self._change_subscriptions(client, state, str(action), channel)

    def woken(self, now_ns: int) -> list[Outgoing]:
        out: list[Outgoing] = []
        for client, state in list(self._clients.items()):
            if state.login:
                out += self._look_at_login(client, state, now_ns)
            if state.ping_ns <= self._true_ns(now_ns):
                out += self._ping(client, state, now_ns)
        if self._account.took_part():
            out += self._tell(self._account.take_happenings(), now_ns)
        return out

    def wake_at_ns(self) -> int:
        if self._account.took_part():
            return 0
        waiting = [client for client in self._clients.values() if client.login]
        if waiting and self._keys.has_heard_hosts:
            return 0
        times = [client.ping_ns for client in self._clients.values()] + [one.login_until_ns for one in waiting]
        return min(times, default=NEVER_NS) + self._exchange.clock_offset_ns

    def _true_ns(self, now_ns: int) -> int:
        return now_ns - self._exchange.clock_offset_ns

    def _ping(self, client: int, state: _Client, now_ns: int) -> list[Outgoing]:
        if len(state.unanswered) >= PINGS_UNANSWERED:
            del self._clients[client]
            return [Hangup(client, 1000, f"{len(state.unanswered)} pings went unanswered")]
        state.ping_ns = self._true_ns(now_ns) + PING_EVERY_NS
        state.unanswered.append(now_ns // MS)
        return [_frame(client, {"action": "ping", "data": {"ts": now_ns // MS}})]

    # Logins and subscriptions

    def _login(self, client: int, state: _Client, message: dict[str, Any], now_ns: int) -> list[Outgoing]:
        parameters = message.get("params")
        if not isinstance(parameters, dict):
            return [_frame(client, {"action": "req", "code": 2001, "ch": "auth", "message": "missing.param.auth"})]
        if sum(one.is_known for one in self._clients.values()) >= SOCKETS_AT_MOST:
            return [_frame(client, {"action": "req", "code": 4000, "ch": "auth", "message": "too.many.connection"})]
        state.login = {name: str(value) for name, value in parameters.items()}
        state.login_until_ns = self._true_ns(now_ns) + LOGIN_PATIENCE_NS
        return self._look_at_login(client, state, now_ns)

    def _look_at_login(self, client: int, state: _Client, now_ns: int) -> list[Outgoing]:
        """It is refused for its signature once a host that it may be for is known, or has been waited for."""
        try:
            state.is_known = self._keys.check_login(state.login, SOCKET, now_ns)
        except KeyRefused:
            state.login_until_ns = 0
        if state.is_known:
            state.login = {}
            return [_frame(client, {"action": "req", "code": 200, "ch": "auth", "data": {}})]
        if self._true_ns(now_ns) < state.login_until_ns and not self._keys.has_heard_hosts:
            return []
        state.login = {}
        return [_frame(client, {"action": "req", "code": 2002, "ch": "auth", "message": "auth.fail"})]

    def _change_subscriptions(self, client: int, state: _Client, action: str, told: str) -> list[Outgoing]:
        match = _CHANNEL.fullmatch(told)
        if match is None or (match[1] == "orders" and match[3]):
            return [_frame(client, {"action": action, "code": 2001, "ch": told, "message": "invalid.ch"})]
        if match[2] not in (None, "*") and match[2] not in self._exchange:
            return [_frame(client, {"action": action, "code": 2001, "ch": told, "message": "invalid.symbol"})]
        channel = told
        if match[4] or match[1] == "trade.clearing":
            channel = f"{match[4] or f'{match[1]}#{match[2]}'}#{match[5] or match[3] or 0}"
        out: list[Outgoing] = [_frame(client, {"action": action, "code": 200, "ch": channel, "data": {}})]
        if action == "unsub":
            state.channels.pop(channel, None)
            return out
        state.channels[channel] = None
        if match[4]:
            self._told = self._account.balances()
            rows = balance_changes({}, self._told, "2")
            out += [_push(client, channel, self._balance(row, None, None)) for row in rows]
        return out

    # What is told

    def _tell(self, happenings: list[Happening], now_ns: int) -> list[Outgoing]:
        """Rule 3."""
        orders = [event for happening in happenings for event in self._life(happening)]
        clearing = [
            event for happening in happenings for event in clearing_events(happening, self._instrument(happening))
        ]
        before, self._told = self._told, self._account.balances()
        changed = {asset: both for asset, both in self._told.items() if before.get(asset) != both}
        out: list[Outgoing] = []
        for client, state in self._clients.items():
            out += _listened(client, state, "orders", orders)
            out += _listened(client, state, "trade.clearing", clearing)
            for channel in state.channels:
                if channel.startswith("accounts.update"):
                    rows = balance_changes(before, changed, channel[-1])
                    cause = cause_of(happenings)
                    out += [_push(client, channel, self._balance(row, cause, now_ns // MS)) for row in rows]
        return out

    def _life(self, happening: Happening) -> Iterator[dict[str, object]]:
        order, instrument = happening.order, self._instrument(happening)
        if order.order_id not in self._created and state_of(order) != "rejected":
            self._created.add(order.order_id)
            yield creation(order, instrument)
        yield from order_events(happening, instrument)

    def _instrument(self, happening: Happening) -> Instrument:
        return self._exchange.listing(happening.order.symbol).instrument

    def _balance(self, row: BalanceRow, cause: str | None, at_ms: int | None) -> dict[str, object]:
        self._changes += 1
        return {
            "currency": row.asset.lower(),
            "accountId": SPOT_ACCOUNT,
            **{name: format_decimal(money, ASSET_DECIMALS) for name, money in row.parts.items()},
            "changeType": cause,
            "accountType": "trade",
            "changeTime": at_ms,
            "seqNum": self._changes,
        }


def _listened(client: int, state: _Client, topic: str, events: Iterable[dict[str, object]]) -> Iterator[Outgoing]:
    """Those of the events that the client subscribed to."""
    for event in events:
        for channel in state.channels:
            name, _, rest = channel.partition("#")
            scope, _, mode = rest.partition("#")
            if name != topic or scope not in ("*", event["symbol"]):
                continue
            if name == "orders":
                yield _push(client, f"orders#{event['symbol']}", event)
            elif mode == "1" or event["eventType"] == "trade":
                yield _push(client, f"{name}#{event['symbol']}#{mode}", event)


def _push(client: int, channel: str, data: dict[str, object]) -> Push:
    return Push(client, _encoded({"action": "push", "ch": channel, "data": data}), is_private=True)


def _frame(client: int, message: dict[str, object]) -> Push:
    return Push(client, _encoded(message))


def _encoded(message: object) -> str:
    return msgspec.json.encode(message).decode()
