"""Crypto.com, simulated: the market socket and REST metadata over one exchange, and an account's side of both.

What a client meets here, in substance:

 1. A subscription is acknowledged, then each of its channels begins. Channels that cannot be had are refused one by
    one, and the others work.
 2. The options of a book may be spelt with underscores or in camel case. Without any, whole books come.
 3. 100 requests per calendar second, and of the one in which the connection was made only the share that was left: who
    talks at once is refused.
 4. Every 30 seconds a heartbeat, to be answered within 5 with its id, or the connection is closed with code 1000.
 5. 400 subscriptions on a connection.
 6. A market that is not tradable falls silent, and cannot be subscribed to any more.
 7. The user socket has the same heartbeats and 150 requests per second.

What the channels say is in `simulator_channels`, what an account may do in `simulator_orders`, and what it is told by
itself in `simulator_private`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from connectors.cryptocom.simulator_channels import (
    MS,
    QUIET_NS,
    SECOND,
    BookChanges,
    Channel,
    Market,
    Rows,
    Ticker,
    Trades,
    WholeBooks,
    update_id_of,
)
from connectors.cryptocom.simulator_orders import PREFIX, PrivateMethods
from connectors.cryptocom.simulator_private import UserSocket
from connectors.cryptocom.simulator_refusals import (
    BAD_REQUEST,
    INVALID_ARGUMENT,
    INVALID_INSTRUMENT,
    INVALID_REQUEST,
    NOT_FOUND,
    TOO_MANY_REQUESTS,
    TOO_MANY_SUBSCRIPTIONS,
    UNKNOWN_METHOD,
    Refused,
    refusal,
)
from connectors.pacing import Budget
from connectors.simulation.account import SimulatedAccount, UniqueIds
from connectors.simulation.contract import Hangup, HttpReply, HttpRequest, Outgoing, Push, SimulatedVenue
from connectors.simulation.exchange import NEVER_NS, SimulatedExchange

MARKET = "/exchange/v1/market"
USER = "/exchange/v1/user"
REST = "/exchange/v1/"
DEPTHS = ("10", "50")
FREQUENCIES_MS = {"SNAPSHOT": (500,), "SNAPSHOT_AND_UPDATE": (10, 100)}
REST_PER_SECOND = 100
USER_PER_SECOND = 150
ACTS_AFTER_NS = 20 * MS
"""How long the venue takes to look at an order that it has received."""

AT_ONCE_NS = 0

Key = tuple[str, int]
"""A channel, and in which form: the ms between two messages of a book, 0 for all else."""


def simulator(exchange: SimulatedExchange, account: SimulatedAccount | None = None) -> SimulatedVenue:
    return CryptocomSimulator(exchange, account)


def account_of(exchange: SimulatedExchange, **options: Any) -> SimulatedAccount:
    """An account with this venue's manners; the options are those of SimulatedAccount."""
    return SimulatedAccount(exchange, unique_ids=UniqueIds.EVER, acts_after_ns=ACTS_AFTER_NS, **options)


@dataclass(slots=True)
class _Client:
    connected_ns: int
    is_user: bool
    beat_ns: int
    due_ns: int
    """When the next heartbeat is due, or the answer to the last one."""
    heartbeat: int | None = None
    """The one that was not answered yet."""
    second: int = 0
    requests: int = 0
    channels: dict[str, Key] = field(default_factory=dict)


class CryptocomSimulator:
    """See `connectors.simulation.contract.SimulatedVenue`."""

    def __init__(
        self,
        exchange: SimulatedExchange,
        account: SimulatedAccount | None = None,
        *,
        heartbeat_every_ns: int = 30 * SECOND,
        heartbeat_patience_ns: int = 5 * SECOND,
        quiet_ns: int = QUIET_NS,
        requests_per_second: int = 100,
        subscriptions_at_most: int = 400,
    ) -> None:
        self.name = exchange.name
        self._exchange = exchange
        self._account = account
        self._private = PrivateMethods(exchange, account)
        self._user_socket = UserSocket(exchange, account, self._private)
        self._heartbeat_every_ns = heartbeat_every_ns
        self._heartbeat_patience_ns = heartbeat_patience_ns
        self._quiet_ns = quiet_ns
        self.requests_per_second = requests_per_second
        self._subscriptions_at_most = subscriptions_at_most
        self._clients: dict[int, _Client] = {}
        self._markets = {symbol: Market(exchange, symbol) for symbol in exchange.symbols}
        self._channels: dict[str, dict[Key, Channel]] = {symbol: {} for symbol in exchange.symbols}
        self._budgets: dict[str, Budget] = {}
        self._methods: dict[str, Callable[[int, _Client, dict[str, Any], int], list[Outgoing]]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
        }
        self._routes: dict[tuple[str, str], Callable[[dict[str, str], int], dict[str, object]]] = {
            ("GET", "public/get-instruments"): self._instruments,
            ("GET", "public/get-book"): self._book,
            ("GET", "public/get-tickers"): self._tickers,
            ("GET", "public/get-trades"): self._trades,
        }

    def published_digest(self, symbol: str, depth: int, update_id: int) -> int:
        """`digest_of` the book in changes of this depth as it was told with this id. Raises LookupError for an id that
        it never had, or had too long ago."""
        for (name, _), channel in self._channels[symbol].items():
            if isinstance(channel, BookChanges) and name == f"book.{symbol}.{depth}":
                return channel.window.state_digest(update_id_of(update_id))
        raise LookupError(f"nobody has asked for changes of {symbol} to a depth of {depth}")

    def connected(self, client: int, path: str, now_ns: int) -> list[Outgoing]:
        place = path.partition("?")[0]
        if place not in (MARKET, USER):
            return [Hangup(client, 1008, f"there is nothing at {path}")]
        at_ns = self._true_ns(now_ns)
        self._clients[client] = _Client(at_ns, place == USER, at_ns, at_ns + self._heartbeat_every_ns)
        return []

    def received(self, client: int, frame: str | bytes, now_ns: int) -> list[Outgoing]:
        state = self._clients.get(client)
        if state is None:
            return []
        try:
            message = msgspec.json.decode(frame)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            message = None
        if not isinstance(message, dict):
            return [Push(client, _text({"id": -1, "method": "ERROR", "code": BAD_REQUEST, "message": "not JSON"}))]
        if message.get("method") == "public/respond-heartbeat":
            if str(message.get("id")) == str(state.heartbeat):
                state.heartbeat = None
            return []
        try:
            self._count(state, self._true_ns(now_ns))
            if state.is_user:
                return [*self._user_socket.received(client, message, now_ns)]
            act = self._methods.get(str(message.get("method")))
            if act is None:
                raise Refused(UNKNOWN_METHOD, f"Unknown method {message.get('method')}")
            return act(client, state, message, now_ns)
        except Refused as error:
            return [_error(client, message, error)]

    def disconnected(self, client: int, now_ns: int) -> None:
        self._clients.pop(client, None)
        self._user_socket.forget(client)

    def requested(self, request: HttpRequest, now_ns: int) -> HttpReply:
        path, _, query = request.target.partition("?")
        method = path.removeprefix(REST)
        if request.method == "POST" and path.startswith(REST + PREFIX):
            self._advance(now_ns)
            private_status, content = self._private.answer(method, request.body, now_ns)
            return HttpReply(private_status, msgspec.json.encode(content))
        route = self._routes.get((request.method, method)) if path.startswith(REST) else None
        if route is None:
            return _reply(HTTPStatus.NOT_FOUND, method, NOT_FOUND, {"message": "Not found"})
        budget, at_ns = self._budgets.setdefault(method, Budget(REST_PER_SECOND, SECOND)), self._true_ns(now_ns)
        if budget.free_at_ns(1, at_ns) > at_ns:
            return _reply(HTTPStatus.TOO_MANY_REQUESTS, method, TOO_MANY_REQUESTS, {"message": "Too many requests"})
        budget.spend(1, at_ns)
        try:
            return _reply(HTTPStatus.OK, method, 0, {"result": route(dict(parse_qsl(query)), now_ns)})
        except Refused as error:
            return _reply(HTTPStatus.BAD_REQUEST, method, error.code, {"message": str(error)})

    def places_order(self, request: HttpRequest) -> bool:
        return request.method == "POST" and request.target.partition("?")[0] == f"{REST}{PREFIX}create-order"

    def woken(self, now_ns: int) -> list[Outgoing]:
        at_ns = self._true_ns(now_ns)
        self._advance(now_ns)
        return [*self._user_socket.tell(), *self._said(at_ns, now_ns), *self._heartbeats(at_ns, now_ns)]

    def wake_at_ns(self) -> int:
        dues_ns = [channel.due_ns for channels in self._channels.values() for channel in channels.values()]
        dues_ns += [client.due_ns for client in self._clients.values()]
        wake_ns = min(self._exchange.next_event_ns(), min(dues_ns, default=NEVER_NS) + self._exchange.clock_offset_ns)
        if self._account is None:
            return wake_ns
        return AT_ONCE_NS if self._account.took_part() else min(wake_ns, self._account.wake_at_ns())

    def _advance(self, now_ns: int) -> None:
        at_ns = self._true_ns(now_ns)
        for change in self._exchange.advance(now_ns):
            self._markets[change.symbol].hear(change)
            for channel in self._channels[change.symbol].values():
                channel.hear(change, at_ns)
        if self._account is not None:
            self._account.advance(now_ns)

    def _true_ns(self, now_ns: int) -> int:
        """Plans are made by a clock that nobody sets: one set back would stop the venue for as long."""
        return now_ns - self._exchange.clock_offset_ns

    def _count(self, client: _Client, at_ns: int) -> None:
        """Raises Refused when the calendar second has no request left."""
        second, past_ns = divmod(at_ns, SECOND)
        if second != client.second:
            client.second, client.requests = second, 0
        granted = USER_PER_SECOND if client.is_user else self.requests_per_second
        if second == client.connected_ns // SECOND:
            granted = granted * (SECOND - client.connected_ns % SECOND) // SECOND
        if client.requests >= granted:
            raise Refused(TOO_MANY_REQUESTS, f"Too many requests, {past_ns // MS} ms into the second")
        client.requests += 1

    def _said(self, at_ns: int, now_ns: int) -> list[Outgoing]:
        out: list[Outgoing] = []
        for symbol, channels in self._channels.items():
            is_silent = not self._exchange.listing(symbol).tradable
            for key, channel in channels.items():
                if channel.due_ns > at_ns:
                    continue
                if is_silent:
                    channel.due_ns = at_ns + SECOND
                    continue
                name, rows = channel.speak(at_ns, now_ns // MS)
                listeners = [client for client, state in self._clients.items() if state.channels.get(key[0]) == key]
                if listeners:
                    push = _push(symbol, key[0], channel, name, rows)
                    out += [push._replace(client=client) for client in listeners]
        return out

    def _heartbeats(self, at_ns: int, now_ns: int) -> list[Outgoing]:
        out: list[Outgoing] = []
        for client, state in list(self._clients.items()):
            if state.due_ns > at_ns:
                continue
            if state.heartbeat is not None:
                del self._clients[client]
                out.append(Hangup(client, 1000, "a heartbeat went unanswered"))
            elif at_ns >= state.beat_ns + self._heartbeat_every_ns:
                state.heartbeat, state.beat_ns = now_ns // MS, at_ns
                state.due_ns = at_ns + self._heartbeat_patience_ns
                out.append(Push(client, _text({"id": state.heartbeat, "method": "public/heartbeat", "code": 0})))
            else:
                state.due_ns = state.beat_ns + self._heartbeat_every_ns
        return out

    def _subscribe(self, client: int, state: _Client, message: dict[str, Any], now_ns: int) -> list[Outgoing]:
        names, period_ms = _names(message), _period_ms(message["params"])
        refused: list[Outgoing] = []
        begun: list[Outgoing] = []
        for name in names:
            try:
                begun.append(self._begin(client, state, name, period_ms, now_ns))
            except Refused as error:
                refused.append(_error(client, message, error, name))
        if not begun:
            return refused
        about = {"channel": names[0]} if len(names) == 1 else {}
        return [Push(client, _text({**_id_of(message), "method": "subscribe", "code": 0, **about})), *refused, *begun]

    def _begin(self, client: int, state: _Client, name: str, period_ms: int, now_ns: int) -> Outgoing:
        """Let the client have this channel; returns what it gets first. Raises Refused."""
        kind, _, rest = name.partition(".")
        symbol, _, depth = rest.partition(".")
        if kind not in {"book", "trade", "ticker"} or (depth not in DEPTHS if kind == "book" else depth):
            raise Refused(INVALID_ARGUMENT, f"Invalid channel {name}")
        if symbol not in self._exchange or not self._exchange.listing(symbol).tradable:
            raise Refused(INVALID_REQUEST, f"Unknown symbol {symbol}")
        if name not in state.channels and len(state.channels) >= self._subscriptions_at_most:
            raise Refused(TOO_MANY_SUBSCRIPTIONS, f"No more than {self._subscriptions_at_most} subscriptions")
        key = state.channels[name] = name, period_ms if kind == "book" else 0
        channels, market, at_ns = self._channels[symbol], self._markets[symbol], self._true_ns(now_ns)
        if key in channels:
            channel = channels[key]
        elif kind == "trade":
            channel = Trades(market)
        elif kind == "ticker":
            channel = Ticker(market)
        elif period_ms in FREQUENCIES_MS["SNAPSHOT"]:
            channel = WholeBooks(market, int(depth), period_ms * MS, at_ns)
        else:
            channel = BookChanges(self._exchange, market, int(depth), period_ms * MS, at_ns, self._quiet_ns)
        channels[key] = channel
        return _push(symbol, name, channel, channel.name, channel.greeting(now_ns // MS))._replace(client=client)

    def _unsubscribe(self, client: int, state: _Client, message: dict[str, Any], now_ns: int) -> list[Outgoing]:
        for name in _names(message):
            state.channels.pop(name, None)
        return [Push(client, _text({**_id_of(message), "method": "unsubscribe", "code": 0}))]

    def _instruments(self, query: dict[str, str], now_ns: int) -> dict[str, object]:
        return {"data": [market.rules() for market in self._markets.values()]}

    def _book(self, query: dict[str, str], now_ns: int) -> dict[str, object]:
        market, depth = self._asked(query), _count(query.get("depth", "50"), 50)
        return {"instrument_name": market.symbol, "depth": depth, "data": [market.book(depth, now_ns // MS)]}

    def _tickers(self, query: dict[str, str], now_ns: int) -> dict[str, object]:
        markets = [self._asked(query)] if "instrument_name" in query else self._markets.values()
        return {"data": [market.ticker(now_ns // MS) for market in markets]}

    def _trades(self, query: dict[str, str], now_ns: int) -> dict[str, object]:
        market, count = self._asked(query), _count(query.get("count", "25"), 150)
        return {"data": market.trade_rows(list(market.trades)[:count])}

    def _asked(self, query: dict[str, str]) -> Market:
        market = self._markets.get(query.get("instrument_name", ""))
        if market is None:
            raise Refused(INVALID_INSTRUMENT, "INVALID_INSTRUMENT")
        return market


def _names(message: dict[str, Any]) -> list[str]:
    params = message.get("params")
    names = params.get("channels") if isinstance(params, dict) else None
    if not isinstance(names, list) or not names:
        raise Refused(INVALID_ARGUMENT, "channels is missing")
    return [str(name) for name in names]


def _period_ms(params: dict[str, Any]) -> int:
    kind = params.get("book_subscription_type", params.get("bookSubscriptionType", "SNAPSHOT"))
    known = FREQUENCIES_MS.get(str(kind))
    if known is None:
        raise Refused(INVALID_ARGUMENT, f"Invalid book_subscription_type {kind}")
    asked = params.get("book_update_frequency", params.get("bookUpdateFrequency", known[0]))
    for period_ms in known:
        if str(period_ms) == str(asked):
            return period_ms
    raise Refused(INVALID_ARGUMENT, f"Invalid book_update_frequency {asked} for {kind}")


def _count(text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit():
        raise Refused(INVALID_ARGUMENT, f"{text} is no count")
    return min(int(text[:6]), most)


def _push(symbol: str, subscription: str, channel: Channel, name: str, rows: Rows) -> Push:
    """For a client that is still to be named."""
    is_book = isinstance(channel, BookChanges | WholeBooks)
    depth = {"depth": int(subscription.rpartition(".")[2])} if is_book else {}
    result = {"instrument_name": symbol, "subscription": subscription, "channel": name, **depth, "data": rows}
    return Push(0, _text({"id": -1, "method": "subscribe", "code": 0, "result": result}), symbol if is_book else "")


def _error(client: int, message: dict[str, Any], error: Refused, channel: str = "") -> Push:
    method = {"method": str(message.get("method"))}
    about = {"channel": channel} if channel else {"original": _text(message)}
    return Push(client, _text({**_id_of(message), **method, **refusal(error), **about}))


def _id_of(message: dict[str, Any]) -> dict[str, object]:
    return {"id": message.get("id", -1)}


def _text(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()


def _reply(status: HTTPStatus, method: str, code: int, content: dict[str, object]) -> HttpReply:
    return HttpReply(status, msgspec.json.encode({"id": -1, "method": method, "code": code, **content}))
