"""Crypto.com's user socket, simulated: what an account is told by itself.

1. One login for each connection; before it nothing private can be had.
2. `user.order` and `user.trade` of all markets or of one, and `user.balance`. A subscription is acknowledged with its
   id; that of `user.order` brings the open orders with the acknowledgement.
3. An order is told as it stands after each of its events, a fill besides, and then the whole wallet.
4. Whoever has logged in may call the private methods here as well, without signing.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.cryptocom.simulator_orders import PREFIX, PrivateMethods
from connectors.cryptocom.simulator_refusals import (
    INVALID_ARGUMENT,
    UNAUTHORIZED,
    UNKNOWN_METHOD,
    Refused,
    success,
)
from connectors.cryptocom.simulator_rows import fill_row, order_row, wallet
from connectors.simulation.account import Happening, SimulatedAccount, SimulatedOrder
from connectors.simulation.contract import Push
from connectors.simulation.exchange import SimulatedExchange

KINDS = ("user.order", "user.trade", "user.balance")

Message = dict[str, Any]


class UserSocket:
    """Clients, by their numbers, and what each has subscribed to."""

    def __init__(self, exchange: SimulatedExchange, account: SimulatedAccount | None, methods: PrivateMethods) -> None:
        self._exchange = exchange
        self._account = account
        self._methods = methods
        self._channels: dict[int, list[str]] = {}
        """Of those who have logged in."""

    def forget(self, client: int) -> None:
        self._channels.pop(client, None)

    def received(self, client: int, message: Message, now_ns: int) -> list[Push]:
        """Raises Refused."""
        method = str(message.get("method"))
        if method == "public/auth":
            self._methods.authenticated(message, now_ns)
            self._channels.setdefault(client, [])
            return [_answer(client, message)]
        channels = self._channels.get(client)
        if channels is None or self._account is None:  # rule 1
            raise Refused(UNAUTHORIZED)
        if method == "subscribe":
            return self._subscribe(client, self._account, message)
        if method == "unsubscribe":
            channels[:] = [name for name in channels if name not in self._named(message)]
            return [_answer(client, message)]
        if method.startswith(PREFIX):  # rule 4
            return [_answer(client, message, **success(self._methods.act(self._account, message, now_ns)))]
        raise Refused(UNKNOWN_METHOD)

    def tell(self) -> list[Push]:
        """Rule 3, of all that has happened since the last time."""
        if self._account is None:
            return []
        happenings = self._account.take_happenings()
        out = [push for happening in happenings for push in self._told(happening)]
        return out + (self._pushes("user.balance", "", wallet(self._account)) if happenings else [])

    def _told(self, happening: Happening) -> list[Push]:
        order, fill = happening.order, happening.fill
        out = self._pushes("user.order", order.symbol, [self._order_row(order)])
        if fill is not None:
            out += self._pushes("user.trade", fill.symbol, [fill_row(self._exchange.listing(fill.symbol), fill)])
        return out

    def _pushes(self, kind: str, symbol: str, rows: list[dict[str, object]]) -> list[Push]:
        return [
            _push(client, -1, name, symbol, rows)
            for client, channels in self._channels.items()
            for name in channels
            if name in (kind, f"{kind}.{symbol}")
        ]

    def _subscribe(self, client: int, account: SimulatedAccount, message: Message) -> list[Push]:
        """Rule 2."""
        out = []
        for name in self._named(message):
            if name not in self._channels[client]:
                self._channels[client].append(name)
            kind, symbol = _parts(name)
            if kind == "user.order":
                rows = [self._order_row(order) for order in account.open_orders(symbol or None)]
                out.append(_push(client, message.get("id", -1), name, symbol, rows))
                continue
            out.append(_answer(client, message, channel=name))
            if kind == "user.balance":
                out.append(_push(client, -1, name, "", wallet(account)))
        return out

    def _order_row(self, order: SimulatedOrder) -> dict[str, object]:
        return order_row(self._exchange.listing(order.symbol), order)

    def _named(self, message: Message) -> list[str]:
        """The channels of a request. Raises Refused for one that there is not."""
        params = message.get("params")
        names = params.get("channels") if isinstance(params, dict) else None
        if not isinstance(names, list) or not names:
            raise Refused(INVALID_ARGUMENT, "channels is missing")
        known = {*KINDS, *(f"{kind}.{symbol}" for kind in KINDS[:2] for symbol in self._exchange.symbols)}
        for name in names:
            if name not in known:
                raise Refused(INVALID_ARGUMENT, f"Invalid channel {name}")
        return names


def _parts(name: str) -> tuple[str, str]:
    """The kind of a channel, and its symbol if it has one."""
    user, kind, *symbol = name.split(".", 2)
    return f"{user}.{kind}", "".join(symbol)


def _answer(client: int, message: Message, **content: object) -> Push:
    answer = {"id": message.get("id", -1), "method": message.get("method"), "code": 0, **content}
    return Push(client, msgspec.json.encode(answer).decode())


def _push(client: int, request_id: object, name: str, symbol: str, rows: list[dict[str, object]]) -> Push:
    channel, _ = _parts(name)
    about = {"instrument_name": symbol} if symbol else {}
    result = {**about, "subscription": name, "channel": channel, "data": rows}
    text = msgspec.json.encode({"id": request_id, "method": "subscribe", "code": 0, "result": result}).decode()
    return Push(client, text, is_private=True)
