"""HTX simulated: its sockets and its REST routes, over one simulated exchange, with or without an account that trades.

What a client meets here, in substance:

 1. Frames go out as gzip and come in as text. Incremental books are served on /feed, trades, whole books and best
    quotes on /ws, and `mbp.refresh` on both.
 2. A request is acknowledged, or refused with an error, each with its own id.
 3. `req` may come once per 100 ms. Its answer now and then has nothing in it.
 4. The venue pings every 5 seconds, and hangs up instead of a third ping in a row that would go unanswered.
 5. A market that is not tradable falls silent, and cannot be subscribed to any more.

What the topics say is in `simulator_topics`. Orders are in `simulator_orders`, and the private socket, which goes by
rules of its own, in `simulator_private`.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from aggregator.domain.instrument import Listing
from connectors.huobi.simulator_keys import Keys
from connectors.huobi.simulator_orders import PLACE, OrderRoutes
from connectors.huobi.simulator_private import SOCKET, PrivateSockets
from connectors.huobi.simulator_rest import currencies, display_rules, rules, rules_in_words
from connectors.huobi.simulator_topics import (
    BEST_QUOTES,
    INCREMENTS,
    MS,
    PICTURES,
    SECOND,
    TRADES,
    Increments,
    Pictures,
    Topic,
    begin,
    sequence_of,
    sides,
    update_id_of,
)
from connectors.pacing import Budget
from connectors.simulation.account import SimulatedAccount, UniqueIds
from connectors.simulation.contract import Hangup, HttpReply, HttpRequest, Outgoing, Push, SimulatedVenue
from connectors.simulation.exchange import NEVER_NS, SimulatedExchange

CHANNELS = {
    "/feed": {*INCREMENTS, *(channel for channel in PICTURES if channel.startswith("mbp."))},
    "/ws": {*PICTURES, BEST_QUOTES, TRADES},
}
PINGS_UNANSWERED = 2
REST_DEPTHS = {None: 150, "5": 5, "10": 10, "20": 20, "30": 30}
JITTER_NS = 10 * MS
"""The network may bring two requests this much closer together than they were sent."""


HOST = "api.huobi.pro"


def simulator(exchange: SimulatedExchange, account: SimulatedAccount | None = None) -> SimulatedVenue:
    return HuobiSimulator(exchange, account)


def account_of(exchange: SimulatedExchange, **options: Any) -> SimulatedAccount:
    """An account with this venue's manners; the options are those of SimulatedAccount."""
    return SimulatedAccount(exchange, unique_ids=UniqueIds.NEVER, **options)


@dataclass(slots=True)
class _Client:
    path: str
    ping_ns: int
    asked_ns: int
    topics: dict[str, None] = field(default_factory=dict)
    unanswered: list[int] = field(default_factory=list)


class _Refused(Exception):
    """What the venue says to a request that it does not carry out."""


class HuobiSimulator:
    """See `connectors.simulation.contract.SimulatedVenue`. A snapshot shows its topic as it was `snapshot_lag_ns` ago;
    one in `one_empty_in` shows nothing (0: none does). Questions do not find an order that was placed less than
    `hides_orders_ns` ago. Without an account no key is known. `host` is what those call that do not say it."""

    def __init__(
        self,
        exchange: SimulatedExchange,
        account: SimulatedAccount | None = None,
        *,
        snapshot_lag_ns: int = 900 * MS,
        one_empty_in: int = 16,
        request_spacing_ns: int = 100 * MS,
        ping_every_ns: int = 5 * SECOND,
        requests_per_second: int = 10,
        hides_orders_ns: int = 0,
        host: str = HOST,
    ) -> None:
        self.name = exchange.name
        self._exchange = exchange
        self._snapshot_lag_ns = snapshot_lag_ns
        self._one_empty_in = one_empty_in
        self._request_spacing_ns = request_spacing_ns
        self._ping_every_ns = ping_every_ns
        self._random = Random(f"empty snapshots of {exchange.name}")
        self._clients: dict[int, _Client] = {}
        self._topics: dict[str, dict[str, Topic]] = {}
        self._account = account or SimulatedAccount(exchange, balances={})
        self._keys = Keys(account, host)
        self._private = PrivateSockets(exchange, self._account, self._keys)
        self._orders = OrderRoutes(exchange, self._account, self._keys, hides_ns=hides_orders_ns)
        self._rest = Budget(requests_per_second, SECOND)
        self._routes: dict[tuple[str, str], Callable[[dict[str, str], int], dict[str, object]]] = {
            ("GET", "/v1/common/timestamp"): self._time,
            ("GET", "/v1/common/symbols"): self._rules_in_words,
            ("GET", "/v1/settings/common/market-symbols"): self._rules,
            ("GET", "/v2/settings/common/symbols"): self._display_rules,
            ("GET", "/v2/reference/currencies"): self._currencies,
            ("GET", "/market/depth"): self._depth,
        }

    def published_digest(self, symbol: str, channel: str, sequence: int) -> int:
        """`digest_of` the book that this channel of increments stood at with this number. Raises LookupError for a
        number that it never had, or had too long ago."""
        topic = self._topics[symbol][channel]
        if not isinstance(topic, Increments):
            raise LookupError(f"{channel} has no increments")
        return topic.window.state_digest(update_id_of(sequence))

    def connected(self, client: int, path: str, now_ns: int) -> list[Outgoing]:
        path = path.partition("?")[0]
        if path == SOCKET:
            self._private.connected(client, now_ns)
            return []
        if path not in CHANNELS:
            return [Hangup(client, 1008, f"there is nothing at {path}")]
        at_ns = self._true_ns(now_ns)
        self._clients[client] = _Client(path, at_ns + self._ping_every_ns, at_ns - SECOND)
        return []

    def received(self, client: int, frame: str | bytes, now_ns: int) -> list[Outgoing]:
        if client in self._private:
            return self._private.received(client, frame, now_ns)
        state = self._clients.get(client)
        if state is None:
            return []
        try:
            message = msgspec.json.decode(frame)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            message = None
        if not isinstance(message, dict):
            return [_error(client, {}, "invalid command", now_ns)]
        if "pong" in message:
            state.unanswered = [ping for ping in state.unanswered if ping != message["pong"]]
            return []
        for word, act in (("sub", self._subscribe), ("unsub", self._unsubscribe), ("req", self._answer)):
            if word in message:
                names = message[word] if isinstance(message[word], list) else [message[word]]
                return [_answered(act, client, state, str(name), message, now_ns) for name in names]
        return [_error(client, message, "invalid command", now_ns)]

    def disconnected(self, client: int, now_ns: int) -> None:
        self._clients.pop(client, None)
        self._private.disconnected(client)

    def places_order(self, request: HttpRequest) -> bool:
        return request.method == "POST" and request.target.partition("?")[0] == PLACE

    def requested(self, request: HttpRequest, now_ns: int) -> HttpReply:
        if request.method == "GET" and request.body:
            return _refusal(HTTPStatus.FORBIDDEN, "forbidden", "a GET has no body")
        self._keys.hear(request)
        private = self._orders.requested(request, now_ns)
        if private is not None:
            return private
        path, _, query = request.target.partition("?")
        route = self._routes.get((request.method, path))
        if route is None:
            return _refusal(HTTPStatus.NOT_FOUND, "not-found", f"there is nothing at {path}")
        at_ns = self._true_ns(now_ns)
        if self._rest.free_at_ns(1, at_ns) > at_ns:
            return _refusal(HTTPStatus.TOO_MANY_REQUESTS, "base-request-exceed-frequency-limit", "too many requests")
        self._rest.spend(1, at_ns)
        try:
            answer = route(dict(parse_qsl(query)), now_ns)
        except _Refused as error:
            return _refusal(HTTPStatus.OK, "invalid-parameter", str(error))
        return HttpReply(HTTPStatus.OK, msgspec.json.encode(answer))

    def woken(self, now_ns: int) -> list[Outgoing]:
        at_ns = self._true_ns(now_ns)
        for change in self._exchange.advance(now_ns):
            for topic in self._topics.get(change.symbol, {}).values():
                topic.hear(change, at_ns)
        self._account.advance(now_ns)
        return [*self._said(at_ns, now_ns), *self._pinged(at_ns, now_ns), *self._private.woken(now_ns)]

    def wake_at_ns(self) -> int:
        dues_ns = [topic.due_ns for topics in self._topics.values() for topic in topics.values()]
        dues_ns += [client.ping_ns for client in self._clients.values()]
        return min(
            self._exchange.next_event_ns(),
            min(dues_ns, default=NEVER_NS) + self._exchange.clock_offset_ns,
            self._account.wake_at_ns(),
            self._private.wake_at_ns(),
        )

    def _true_ns(self, now_ns: int) -> int:
        """Plans are made by a clock that nobody sets: one set back would stop the venue for as long."""
        return now_ns - self._exchange.clock_offset_ns

    def _said(self, at_ns: int, now_ns: int) -> list[Outgoing]:
        out: list[Outgoing] = []
        for symbol, topics in self._topics.items():
            is_silent = not self._exchange.listing(symbol).tradable
            for channel, topic in topics.items():
                if topic.due_ns > at_ns:
                    continue
                if is_silent:
                    topic.due_ns = at_ns + SECOND
                    continue
                tick = topic.speak(at_ns, now_ns // MS)
                name = f"market.{symbol}.{channel}"
                listeners = [client for client, state in self._clients.items() if name in state.topics]
                if tick is not None and listeners:
                    frame = _packed({"ch": name, "ts": now_ns // MS, "tick": tick})
                    about = symbol if isinstance(topic, Increments | Pictures) else ""
                    out += [Push(client, frame, about) for client in listeners]
        return out

    def _pinged(self, at_ns: int, now_ns: int) -> list[Outgoing]:
        out: list[Outgoing] = []
        for client, state in list(self._clients.items()):
            if state.ping_ns > at_ns:
                continue
            if len(state.unanswered) >= PINGS_UNANSWERED:
                del self._clients[client]
                out.append(Hangup(client, 1000, f"{len(state.unanswered)} pings went unanswered"))
                continue
            state.ping_ns = at_ns + self._ping_every_ns
            state.unanswered.append(now_ns // MS)
            out.append(Push(client, _packed({"ping": now_ns // MS})))
        return out

    def _subscribe(self, client: _Client, name: str, now_ns: int) -> dict[str, object]:
        self._topic(client.path, name, now_ns)
        client.topics[name] = None
        return {"subbed": name}

    def _unsubscribe(self, client: _Client, name: str, now_ns: int) -> dict[str, object]:
        if name not in client.topics:
            raise _Refused(f"unsub with not subbed topic {name}")
        del client.topics[name]
        return {"unsubbed": name}

    def _answer(self, client: _Client, name: str, now_ns: int) -> dict[str, object]:
        at_ns = self._true_ns(now_ns)
        if at_ns - client.asked_ns < self._request_spacing_ns - JITTER_NS:
            raise _Refused("429 too many request")
        client.asked_ns = at_ns
        topic = self._topic(client.path, name, now_ns)
        if not isinstance(topic, Increments):
            raise _Refused(f"invalid topic {name}")
        is_empty = self._one_empty_in > 0 and self._random.randrange(self._one_empty_in) == 0
        return {"rep": name, "data": None if is_empty else topic.snapshot(at_ns)}

    def _topic(self, path: str, name: str, now_ns: int) -> Topic:
        """The topic of this name, which begins when it is first asked for. Raises _Refused."""
        scope, _, rest = name.partition(".")
        symbol, _, channel = rest.partition(".")
        if scope != "market" or channel not in CHANNELS[path]:
            raise _Refused(f"invalid topic {name}")
        if symbol not in self._exchange:
            raise _Refused(f"invalid symbol {symbol}")
        if not self._exchange.listing(symbol).tradable:
            raise _Refused(f"symbol trade not open now {symbol}")
        topics = self._topics.setdefault(symbol, {})
        if channel not in topics:
            topics[channel] = begin(self._exchange, symbol, channel, self._true_ns(now_ns), self._snapshot_lag_ns)
        return topics[channel]

    def _listings(self, query: dict[str, str]) -> list[Listing]:
        asked = query["symbols"].split(",") if "symbols" in query else self._exchange.symbols
        return [self._exchange.listing(symbol) for symbol in asked if symbol in self._exchange]

    def _time(self, query: dict[str, str], now_ns: int) -> dict[str, object]:
        return {"status": "ok", "data": now_ns // MS}

    def _rules(self, query: dict[str, str], now_ns: int) -> dict[str, object]:
        rows = [rules(listing) for listing in self._listings(query)]
        return {"status": "ok", "data": rows, "ts": str(now_ns // MS), "full": 1}

    def _rules_in_words(self, query: dict[str, str], now_ns: int) -> dict[str, object]:
        return {"status": "ok", "data": [rules_in_words(listing) for listing in self._listings({})]}

    def _display_rules(self, query: dict[str, str], now_ns: int) -> dict[str, object]:
        rows = [display_rules(listing) for listing in self._listings({})]
        return {"status": "ok", "data": rows, "ts": str(now_ns // MS), "full": 1}

    def _currencies(self, query: dict[str, str], now_ns: int) -> dict[str, object]:
        return {"code": 200, "data": currencies(self._listings({}))}

    def _depth(self, query: dict[str, str], now_ns: int) -> dict[str, object]:
        symbol, depth = query.get("symbol", ""), REST_DEPTHS.get(query.get("depth"))
        if symbol not in self._exchange:
            raise _Refused(f"invalid symbol {symbol}")
        if query.get("type") != "step0" or depth is None:
            raise _Refused("invalid type or depth")
        picture = self._exchange.book(symbol, depth)
        tick: dict[str, object] = {"version": sequence_of(picture.last_id), "ts": now_ns // MS}
        tick |= sides(picture, self._exchange.listing(symbol).instrument)
        return {"status": "ok", "ch": f"market.{symbol}.depth.step0", "ts": now_ns // MS, "tick": tick}


def _answered(
    act: Callable[[_Client, str, int], dict[str, object]],
    client: int,
    state: _Client,
    name: str,
    message: dict[str, Any],
    now_ns: int,
) -> Push:
    try:
        answer = act(state, name, now_ns)
    except _Refused as error:
        return _error(client, message, str(error), now_ns)
    about = name.split(".")[1] if "rep" in answer else ""
    return Push(client, _packed(_id_of(message) | {"status": "ok"} | answer | {"ts": now_ns // MS}), about)


def _error(client: int, message: dict[str, Any], text: str, now_ns: int) -> Push:
    error = {"status": "error", "err-code": "bad-request", "err-msg": text, "ts": now_ns // MS}
    return Push(client, _packed(_id_of(message) | error))


def _id_of(message: dict[str, Any]) -> dict[str, object]:
    return {"id": message["id"]} if "id" in message else {}


def _packed(message: dict[str, object]) -> bytes:
    return gzip.compress(msgspec.json.encode(message), compresslevel=1, mtime=0)


def _refusal(status: HTTPStatus, code: str, text: str) -> HttpReply:
    body = msgspec.json.encode({"status": "error", "err-code": code, "err-msg": text, "data": None})
    return HttpReply(status, body)
