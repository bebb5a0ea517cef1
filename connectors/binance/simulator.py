"""Binance's spot interface, simulated after its documentation of July 2026.

 1. `/ws` and `/ws/<stream>` send bare pushes, `/stream` and `/stream?streams=<one>/<another>` wrap each in the name of
    its stream. A name that is well formed is accepted, whether there is such a stream or not.
 2. Diffs leave at every multiple of their period, each with all that has changed since the one before; without a
    change there is none.
 3. Trades, and best bids and offers, leave at once.
 4. A ping every 20 s. Who sends more than 5 messages in a second is cut off; so is every connection after 24 hours.
5. `/ws-api/v3` is the websocket API: requests and the account's events. It is cut off as the others are, and its
   messages cost weight.

That pings are answered is not watched: the carrier keeps the answers to itself.
"""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aggregator.domain.instrument import Side
from connectors.binance.simulator_orders import BinanceOrders
from connectors.binance.simulator_rest import (
    DAY,
    MS,
    SECOND,
    BinanceRest,
    OrderCounts,
    Refusal,
    printed,
    printed_levels,
)
from connectors.binance.simulator_stream import CONNECTION_WEIGHT, AccountStream
from connectors.simulation.account import SimulatedAccount, UniqueIds
from connectors.simulation.book import Change, TradeMade, merge
from connectors.simulation.contract import Hangup, HttpReply, HttpRequest, Outgoing, Ping, Push
from connectors.simulation.exchange import SimulatedExchange

PERIODS_NS = {"depth": SECOND, "depth@1000ms": SECOND, "depth@100ms": 100 * MS}

POLICY_VIOLATED = 1008
GOING_AWAY = 1001

UNKNOWN_PROPERTY, WRONG_TYPE, MALFORMED, NOT_JSON = 0, 1, 2, 3

_STREAM = re.compile(r"!?\w+(@[\w.+-]+)*", re.ASCII)
_ID = re.compile(r"\w{1,36}", re.ASCII)


def simulator(exchange: SimulatedExchange, account: SimulatedAccount | None = None) -> BinanceSimulator:
    """Without an account no key is known."""
    return BinanceSimulator(exchange, account)


def account_of(exchange: SimulatedExchange, **options: Any) -> SimulatedAccount:
    """An account with this venue's manners; the options are those of SimulatedAccount."""
    return SimulatedAccount(exchange, unique_ids=UniqueIds.OPEN, **options)


class Malformed(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Client:
    number: int
    is_wrapped: bool
    opened_ns: int
    pinged_ns: int
    is_private: bool = False
    streams: dict[str, None] = field(default_factory=dict)
    heard_ns: deque[int] = field(default_factory=deque)


class BinanceSimulator:
    """See `connectors.simulation.contract.SimulatedVenue`. The options are the venue's own limits.

    With `snapshot_kept_ns` REST snapshots are as much as that behind the streams. Raises ValueError for an exchange
    with prices or quantities that are finer than the venue can print.
    """

    def __init__(
        self,
        exchange: SimulatedExchange,
        account: SimulatedAccount | None = None,
        *,
        ping_every_ns: int = 20 * SECOND,
        life_ns: int = DAY,
        messages_per_second: int = 5,
        streams_at_most: int = 1024,
        connections_per_5m: int = 300,
        weight_per_minute: int = 6000,
        orders_per_10s: int = 50,
        orders_per_day: int = 160_000,
        snapshot_kept_ns: int = 0,
    ) -> None:
        self.name = exchange.name
        for listing in map(exchange.listing, exchange.symbols):
            printed(listing.tick, listing.instrument.price_decimals)
            printed(listing.lot, listing.instrument.quantity_decimals)
        counts = OrderCounts(orders_per_10s, orders_per_day)
        self.rest = BinanceRest(exchange, weight_per_minute, snapshot_kept_ns, counts)
        self._orders = BinanceOrders(exchange, account, counts)
        self.rest.routes.update(self._orders.routes())
        self._account_stream = AccountStream(exchange, account, self._orders, self.rest.weight)
        self._exchange = exchange
        self._account = account
        self._ping_every_ns = ping_every_ns
        self._life_ns = life_ns
        self._messages_per_second = messages_per_second
        self._streams_at_most = streams_at_most
        self._connections_per_5m = connections_per_5m
        self._connects_ns: deque[int] = deque()
        self._clients: dict[int, Client] = {}
        self._followers: dict[str, dict[int, Client]] = {}
        self._gathered: dict[int, dict[str, list[Change]]] = {period: {} for period in PERIODS_NS.values()}
        self._turn_ns = dict.fromkeys(self._gathered, 0)
        self._best: dict[str, str] = {}
        self._now_ns = 0
        """True time: the exchange's, without the offset of its clock. What recurs and what expires goes by it."""
        self._out: list[Outgoing] = []

    def connected(self, client: int, path: str, now_ns: int) -> list[Outgoing]:
        self._pass(now_ns)
        url = urlsplit(path)
        root, _, stream = url.path.strip("/").partition("/")
        streams = [name for value in parse_qs(url.query).get("streams", []) for name in value.split("/") if name]
        known = self._clients[client] = Client(client, root == "stream", self._now_ns, self._now_ns, root == "ws-api")
        if known.is_private:
            self._open_account_stream(known, stream, now_ns)
        elif root not in ("ws", "stream"):
            self._hang_up(known, POLICY_VIOLATED, f"nothing is served at {url.path}")
        elif _exceeds(self._connects_ns, self._connections_per_5m, 300 * SECOND, self._now_ns):
            self._hang_up(known, POLICY_VIOLATED, "too many connections")
        elif len(streams) > self._streams_at_most:
            self._hang_up(known, POLICY_VIOLATED, "too many streams")
        else:
            self._follow(known, [stream] if stream else streams)
        return self._take()

    def received(self, client: int, frame: str | bytes, now_ns: int) -> list[Outgoing]:
        self._pass(now_ns)
        known = self._clients.get(client)
        if known is None:
            return self._take()
        if known.is_private:
            self._out.append(self._account_stream.answer(client, frame, now_ns))
            return self._take()
        if _exceeds(known.heard_ns, self._messages_per_second, SECOND, self._now_ns):
            self._hang_up(known, POLICY_VIOLATED, "too many messages")
            return self._take()
        request: Any = None
        try:
            request = _read(frame)
            answer = {"result": self._carry_out(known, request), "id": request.get("id")}
        except Malformed as error:
            answer = {"code": error.code, "msg": f"Invalid request: {error.message}"}
            if isinstance(request, dict) and _is_id(request.get("id")):
                answer["id"] = request["id"]
        self._out.append(Push(client, json.dumps(answer, separators=(",", ":"))))
        return self._take()

    def disconnected(self, client: int, now_ns: int) -> None:
        known = self._clients.pop(client, None)
        if known is not None:
            self._leave(known, list(known.streams))
            self._account_stream.left(client)

    def requested(self, request: HttpRequest, now_ns: int) -> HttpReply:
        self._pass(now_ns)
        reply = self.rest.answer(request, now_ns)
        self._tell_account(now_ns)
        return reply

    def places_order(self, request: HttpRequest) -> bool:
        return request.method == "POST" and urlsplit(request.target).path == "/api/v3/order"

    def woken(self, now_ns: int) -> list[Outgoing]:
        self._pass(now_ns)
        return self._take()

    def wake_at_ns(self) -> int:
        if self._out or (self._account is not None and self._account.took_part()):
            return self._now_ns + self._exchange.clock_offset_ns
        times = [self._now_ns + SECOND]  # even if nobody listens, so that no great time is ever to be caught up
        times += [self._turn_ns[period] for period, gathered in self._gathered.items() if gathered]
        for client in self._clients.values():
            times += client.pinged_ns + self._ping_every_ns, client.opened_ns + self._life_ns
        wake_ns = min(times) + self._exchange.clock_offset_ns
        is_trading = False
        if self._account is not None:
            wake_ns = min(wake_ns, self._account.wake_at_ns())
            is_trading = bool(self._account.open_orders())
        return min(wake_ns, self._exchange.next_event_ns()) if self._clients or is_trading else wake_ns

    def announce_shutdown(self) -> None:
        """Tell every client that the server is about to go."""
        notice = f'{{"e":"serverShutdown","E":{(self._now_ns + self._exchange.clock_offset_ns) // MS}}}'
        for client in self._clients.values():
            frame = f'{{"event":{notice}}}' if client.is_private else notice
            if client.is_wrapped:
                frame = f'{{"stream":"!serverShutdown","data":{notice}}}'
            self._out.append(Push(client.number, frame))

    def _pass(self, now_ns: int) -> None:
        """Time passes: the books move, and what that makes due is put out."""
        self._now_ns = max(self._now_ns, now_ns - self._exchange.clock_offset_ns)
        touched: dict[str, None] = {}
        for period, gathered in self._gathered.items():
            if not gathered:
                self._turn_ns[period] = (self._now_ns // period + 1) * period
        for change in self._exchange.advance(now_ns):
            name = change.symbol.lower()
            touched[change.symbol] = None
            if f"{name}@trade" in self._followers:
                for trade in change.trades:
                    self._publish(f"{name}@trade", self._trade(change, trade, now_ns))
            for kind, period in PERIODS_NS.items():
                if f"{name}@{kind}" in self._followers:
                    self._gathered[period].setdefault(f"{name}@{kind}", []).append(change)
        for symbol in touched:
            if f"{symbol.lower()}@bookTicker" in self._followers:
                self._best_quote(symbol)
        for period, gathered in self._gathered.items():
            if self._now_ns >= self._turn_ns[period]:
                self._turn_ns[period] = (self._now_ns // period + 1) * period
                for stream, changes in gathered.items():
                    change = merge(changes)
                    self._publish(stream, self._diff(change, now_ns), change.symbol)
                gathered.clear()
        for client in list(self._clients.values()):
            if self._now_ns >= client.opened_ns + self._life_ns:
                self._hang_up(client, GOING_AWAY, f"connected for {self._life_ns // SECOND} s")
            elif self._now_ns >= client.pinged_ns + self._ping_every_ns:
                client.pinged_ns = self._now_ns
                self._out.append(Ping(client.number))
        if self._account is not None:
            self._account.advance(now_ns)
            self._tell_account(now_ns)

    def _tell_account(self, now_ns: int) -> None:
        if self._account is not None:
            self._out += self._account_stream.tell(self._account.take_happenings(), now_ns)

    def _open_account_stream(self, client: Client, version: str, now_ns: int) -> None:
        """Rule 5."""
        try:
            if version != "v3":
                raise Refusal(0, f"nothing is served at /ws-api/{version}")
            self.rest.weight.spend(CONNECTION_WEIGHT, now_ns)
        except Refusal as refusal:
            self._hang_up(client, POLICY_VIOLATED, refusal.message)

    def _take(self) -> list[Outgoing]:
        out, self._out = self._out, []
        return out

    def _publish(self, stream: str, payload: str, symbol: str = "") -> None:
        """To all who follow the stream; `symbol` when it is about a book."""
        wrapped = f'{{"stream":"{stream}","data":{payload}}}'
        self._out += [
            Push(number, wrapped if client.is_wrapped else payload, symbol)
            for number, client in self._followers[stream].items()
        ]

    def _diff(self, change: Change, now_ns: int) -> str:
        instrument = self._exchange.listing(change.symbol).instrument
        bids, asks = printed_levels(change.bids, instrument), printed_levels(change.asks, instrument)
        return (
            f'{{"e":"depthUpdate","E":{now_ns // MS},"s":"{change.symbol}",'
            f'"U":{change.first_id},"u":{change.last_id},"b":{bids},"a":{asks}}}'
        )

    def _trade(self, change: Change, trade: TradeMade, now_ns: int) -> str:
        instrument = self._exchange.listing(change.symbol).instrument
        price = printed(trade.price, instrument.price_decimals)
        quantity = printed(trade.quantity, instrument.quantity_decimals)
        buyer_made = "true" if trade.taker is Side.SELL else "false"
        return (
            f'{{"e":"trade","E":{now_ns // MS},"s":"{change.symbol}","t":{trade.trade_id},"p":"{price}",'
            f'"q":"{quantity}","T":{change.venue_time_ns // MS},"m":{buyer_made},"M":true}}'
        )

    def _best_quote(self, symbol: str) -> None:
        """Put it out if it is another one than before. A side without levels stands at 0."""
        instrument, picture = self._exchange.listing(symbol).instrument, self._exchange.book(symbol, 1)
        (bid, bid_quantity), (ask, ask_quantity) = (
            (
                printed(sum(side.prices), instrument.price_decimals),
                printed(sum(side.quantities), instrument.quantity_decimals),
            )
            for side in (picture.bids, picture.asks)
        )
        best = f'"s":"{symbol}","b":"{bid}","B":"{bid_quantity}","a":"{ask}","A":"{ask_quantity}"'
        if self._best.get(symbol) != best:
            self._best[symbol] = best
            self._publish(f"{symbol.lower()}@bookTicker", f'{{"u":{picture.last_id},{best}}}')

    def _carry_out(self, client: Client, request: dict[str, Any]) -> Any:
        """The result of a request. Raises Malformed."""
        if request.get("id") is not None and not _is_id(request["id"]):
            raise Malformed(MALFORMED, "an id is a whole number, a word of at most 36 characters, or null")
        params = request.get("params", [])
        match request.get("method"):
            case "SUBSCRIBE":
                self._follow(client, _stream_names(params))
            case "UNSUBSCRIBE":
                self._leave(client, _stream_names(params))
            case "LIST_SUBSCRIPTIONS":
                return list(client.streams)
            case "GET_PROPERTY" | "SET_PROPERTY" as method:
                return self._property(client, params, is_new=method == "SET_PROPERTY")
            case method:
                raise Malformed(MALFORMED, f"unknown method {str(method)[:40]!r}")
        return None

    def _property(self, client: Client, params: Any, *, is_new: bool) -> bool | None:
        if not isinstance(params, list) or len(params) != 1 + is_new:
            raise Malformed(MALFORMED, "the wrong number of params")
        if params[0] != "combined":
            raise Malformed(UNKNOWN_PROPERTY, "unknown property")
        if not is_new:
            return client.is_wrapped
        if not isinstance(params[1], bool):
            raise Malformed(WRONG_TYPE, "a boolean is expected")
        client.is_wrapped = params[1]
        return None

    def _follow(self, client: Client, streams: list[str]) -> None:
        if len(client.streams.keys() | set(streams)) > self._streams_at_most:
            raise Malformed(MALFORMED, f"more than {self._streams_at_most} streams")
        for stream in streams:
            client.streams[stream] = None
            self._followers.setdefault(stream, {})[client.number] = client

    def _leave(self, client: Client, streams: list[str]) -> None:
        for stream in streams:
            followers = self._followers.get(stream, {})
            followers.pop(client.number, None)
            client.streams.pop(stream, None)
            if not followers:
                self._followers.pop(stream, None)
                for gathered in self._gathered.values():
                    gathered.pop(stream, None)

    def _hang_up(self, client: Client, code: int, reason: str) -> None:
        self.disconnected(client.number, 0)
        self._out.append(Hangup(client.number, code, reason))


def _read(frame: str | bytes) -> dict[str, Any]:
    try:
        request = json.loads(frame)
    except (ValueError, RecursionError):
        raise Malformed(NOT_JSON, "not JSON") from None
    if not isinstance(request, dict):
        raise Malformed(MALFORMED, "not an object")
    return request


def _stream_names(params: Any) -> list[str]:
    if not isinstance(params, list) or not params:
        raise Malformed(MALFORMED, "params is a list of streams")
    for name in params:
        if not isinstance(name, str) or not _STREAM.fullmatch(name):
            raise Malformed(MALFORMED, f"{str(name)[:40]!r} is no name of a stream")
    return params


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return _ID.fullmatch(value) is not None
    return type(value) is int and -(2**63) <= value < 2**63


def _exceeds(times: deque[int], limit: int, window_ns: int, now_ns: int) -> bool:
    """Whether one more at this time is more than `limit` in the window that ends now."""
    while times and times[0] <= now_ns - window_ns:
        times.popleft()
    times.append(now_ns)
    return len(times) > limit
