"""Gate's spot interface, simulated after its documents of May 2026.

 1. A request has its time, which is within a minute of the venue's. Its answer repeats the payload.
 2. `spot.obu`: a full push, then every 20 ms (50 levels) or 100 ms (400) what has changed among these. A second
    subscription to the same stream is refused; one to a market that does not exist is acknowledged, and silent. Only
    the first stream of a payload counts.
 3. `spot.order_book_update`: every 100 ms (100 levels) or 20 ms (20) what has changed among these, to be joined to a
    REST snapshot of any moment.
 4. `spot.trades` and `spot.book_ticker` tell at once. `spot.ping` is answered.
 5. Each request for one of the account's channels is signed; order entry by websocket logs in. See
    `simulator_private`.

That pings of the websocket protocol are answered is not watched: the carrier keeps the answers to itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from connectors.gateio.simulator_account import GateioAccountRest
from connectors.gateio.simulator_auth import check_subscription
from connectors.gateio.simulator_books import OBU, OBU_PERIODS_NS, UPDATE_PERIODS_NS, UPDATES, BookStream
from connectors.gateio.simulator_orders import GateioOrders
from connectors.gateio.simulator_private import ALL, BALANCES, PRIVATE, PrivateStreams, WebsocketOrders
from connectors.gateio.simulator_rest import MS, PLACING, ROOT, SECOND, GateioRest, Refusal
from connectors.simulation.account import SimulatedAccount, UniqueIds
from connectors.simulation.book import Change
from connectors.simulation.contract import Hangup, HttpReply, HttpRequest, Outgoing, Ping, Push
from connectors.simulation.exchange import SimulatedExchange
from connectors.simulation.window import Window

TRADES, QUOTES = "spot.trades", "spot.book_ticker"

CLOCK_TOLERANCE_S = 60
POLICY_VIOLATED = 1008

MALFORMED, WRONG_ARGUMENT, NOT_AUTHENTICATED = 1, 2, 4


def simulator(exchange: SimulatedExchange, account: SimulatedAccount | None = None) -> GateioSimulator:
    return GateioSimulator(exchange, account)


def account_of(exchange: SimulatedExchange, **options: Any) -> SimulatedAccount:
    """An account with this venue's manners; the options are those of SimulatedAccount."""
    return SimulatedAccount(exchange, unique_ids=UniqueIds.EVER, **options)


class Topic(NamedTuple):
    """`variant` is for books alone. `symbol` is empty for balances."""

    channel: str
    symbol: str
    variant: str = ""


class Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Client:
    number: int
    pinged_ns: int
    topics: dict[Topic, None] = field(default_factory=dict)


class GateioSimulator:
    """See `connectors.simulation.contract.SimulatedVenue`. Without an account no key is valid. The options are the
    venue's own limits, and:

    `text_kept_ns`: so long an order that has ended is found by the client's id. `pushes_before_answer`: the full push
    of a subscription comes before its answer. `full_push_every_ns`: this often a full push takes the place of an
    update. `snapshot_kept_ns`: REST snapshots are as much as that behind the streams.
    """

    def __init__(
        self,
        exchange: SimulatedExchange,
        account: SimulatedAccount | None = None,
        *,
        ping_every_ns: int = 20 * SECOND,
        connections_at_most: int = 300,
        requests_per_10s: int = 200,
        orders_per_second: int = 10,
        cancels_per_second: int = 200,
        text_kept_ns: int = 0,
        pushes_before_answer: bool = False,
        full_push_every_ns: int = 0,
        snapshot_kept_ns: int = 0,
    ) -> None:
        self.name = exchange.name
        self.rest = GateioRest(exchange, requests_per_10s, snapshot_kept_ns, self._pictured)
        orders = GateioOrders(exchange, account, self.rest.meter, text_kept_ns, orders_per_second, cancels_per_second)
        GateioAccountRest(self.rest, orders, exchange)
        self._account = account
        self._order_entry = WebsocketOrders(orders)
        self._private = PrivateStreams(orders, account) if account is not None else None
        self._exchange = exchange
        self._ping_every_ns = ping_every_ns
        self._connections_at_most = connections_at_most
        self._pushes_before_answer = pushes_before_answer
        self._full_push_every_ns = full_push_every_ns
        self._full_push_ns = 0
        self._clients: dict[int, Client] = {}
        self._followers: dict[Topic, dict[int, Client]] = {}
        self._streams: dict[Topic, BookStream] = {}
        self._behind: dict[Topic, BookStream] = {}
        self._best: dict[str, str] = {}
        self._now_ns = 0
        """True time: the exchange's, without the offset of its clock. What recurs goes by it."""
        self._out: list[Outgoing] = []

    def window(self, channel: str, symbol: str, variant: str) -> Window:
        """What the followers of a book stream have. Raises LookupError for one that nobody ever followed."""
        return self._streams[Topic(channel, symbol, variant)].window

    def connected(self, client: int, path: str, now_ns: int) -> list[Outgoing]:
        self._pass(now_ns)
        if path.partition("?")[0].rstrip("/") != "/ws/v4":
            self._out.append(Hangup(client, POLICY_VIOLATED, f"nothing is served at {path}"))
        elif len(self._clients) == self._connections_at_most:
            self._out.append(Hangup(client, POLICY_VIOLATED, "too many connections"))
        else:
            self._clients[client] = Client(client, self._now_ns)
        return self._take()

    def received(self, client: int, frame: str | bytes, now_ns: int) -> list[Outgoing]:
        self._pass(now_ns)
        known = self._clients.get(client)
        if known is not None:
            self._hear(known, frame, now_ns)
            self._tell_account(now_ns)
        return self._take()

    def disconnected(self, client: int, now_ns: int) -> None:
        known = self._clients.pop(client, None)
        self._order_entry.leave(client)
        if known is not None:
            self._leave(known, list(known.topics))

    def requested(self, request: HttpRequest, now_ns: int) -> HttpReply:
        self._pass(now_ns)
        reply = self.rest.answer(request, now_ns)
        self._tell_account(now_ns)
        return reply

    def places_order(self, request: HttpRequest) -> bool:
        method, path = PLACING
        return request.method == method and request.target.partition("?")[0] == ROOT + path

    def woken(self, now_ns: int) -> list[Outgoing]:
        self._pass(now_ns)
        return self._take()

    def wake_at_ns(self) -> int:
        if self._out:
            return self._now_ns + self._exchange.clock_offset_ns
        times = [self._now_ns + SECOND]  # even if nobody listens, so that no great time is ever to be caught up
        times += [stream.turn_ns for stream in self._behind.values()]
        times += [client.pinged_ns + self._ping_every_ns for client in self._clients.values()]
        wake_ns = min(times) + self._exchange.clock_offset_ns
        if self._account is not None:
            if self._account.took_part():
                return self._now_ns + self._exchange.clock_offset_ns
            wake_ns = min(wake_ns, self._account.wake_at_ns())
        has_listeners = self._clients or (self._account is not None and self._account.open_orders())
        return min(wake_ns, self._exchange.next_event_ns()) if has_listeners else wake_ns

    def announce_upgrade(self) -> None:
        """Tell every client that the server is about to go."""
        notice = '{"type":"upgrade","msg":"The connection will soon be closed. Please reconnect."}'
        self._out += [Push(client, notice) for client in self._clients]

    def _pass(self, now_ns: int) -> None:
        """Time passes: the books move, and what that makes due is put out."""
        self._now_ns = max(self._now_ns, now_ns - self._exchange.clock_offset_ns)
        touched: dict[str, None] = {}
        for change in self._exchange.advance(now_ns):
            touched[change.symbol] = None
            self._trades(change, now_ns)
        for symbol in touched:
            self._quote(symbol, now_ns)
        for topic, stream in self._streams.items():
            if stream.symbol in touched and topic in self._followers and topic not in self._behind:
                stream.turn_ns = (self._now_ns // stream.period_ns + 1) * stream.period_ns
                self._behind[topic] = stream
        for topic in [topic for topic, stream in self._behind.items() if stream.turn_ns <= self._now_ns]:
            self._publish(topic, self._behind.pop(topic).update(now_ns), now_ns)
        if 0 < self._full_push_every_ns <= self._now_ns - self._full_push_ns:
            self._full_push_ns = self._now_ns
            for topic in [topic for topic in self._streams if topic in self._followers]:
                self._behind.pop(topic, None)
                self._publish(topic, self._streams[topic].renewed(now_ns), now_ns)
        for client in self._clients.values():
            if self._now_ns >= client.pinged_ns + self._ping_every_ns:
                client.pinged_ns = self._now_ns
                self._out.append(Ping(client.number))
        if self._account is not None:
            self._account.advance(now_ns)
            self._tell_account(now_ns)

    def _take(self) -> list[Outgoing]:
        out, self._out = self._out, []
        return out

    def _pictured(self, symbol: str) -> None:
        for stream in self._behind.values():
            if stream.channel == UPDATES and stream.symbol == symbol:
                stream.pictured()

    def _publish(self, topic: Topic, result: str, now_ns: int) -> None:
        """To all who follow the topic."""
        frame, book = _frame(topic, result, now_ns), topic.symbol if topic.variant else ""
        self._out += [Push(number, frame, book) for number in self._followers[topic]]

    def _tell_account(self, now_ns: int) -> None:
        if self._private is None:
            return
        for told in self._private.tell(now_ns):
            topics = Topic(told.channel, told.symbol), Topic(told.channel, ALL)
            followers = dict.fromkeys(number for topic in topics for number in self._followers.get(topic, ()))
            self._out += [Push(number, told.frame, told.symbol, is_private=True) for number in followers]

    def _trades(self, change: Change, now_ns: int) -> None:
        topic = Topic(TRADES, change.symbol)
        if topic not in self._followers:
            return
        instrument = self._exchange.listing(change.symbol).instrument
        whole_ms, part = divmod(change.venue_time_ns, MS)
        for trade in change.trades:
            row = {
                "id": trade.trade_id,
                "id_market": trade.trade_id,
                "create_time": whole_ms // 1000,
                "create_time_ms": f"{whole_ms}.{part:06d}",
                "side": trade.taker.value,
                "currency_pair": change.symbol,
                "amount": instrument.show_quantity(trade.quantity),
                "price": instrument.show_price(trade.price),
                "range": f"{trade.trade_id}-{trade.trade_id}",
            }
            self._publish(topic, _json(row), now_ns)

    def _quote(self, symbol: str, now_ns: int) -> None:
        """Put it out if it is another one than before. A side without levels is empty texts."""
        topic = Topic(QUOTES, symbol)
        if topic not in self._followers:
            return
        instrument, picture = self._exchange.listing(symbol).instrument, self._exchange.book(symbol, 1)
        row: dict[str, Any] = {"s": symbol}
        for letter, side in (("b", picture.bids), ("a", picture.asks)):
            row[letter] = instrument.show_price(side.prices[0]) if side.prices else ""
            row[letter.upper()] = instrument.show_quantity(side.quantities[0]) if side.prices else ""
        if self._best.get(symbol) != _json(row):
            self._best[symbol] = _json(row)
            self._publish(topic, _json({"t": now_ns // MS, "u": picture.last_id, **row}), now_ns)

    def _hear(self, client: Client, frame: str | bytes, now_ns: int) -> None:
        request: dict[str, Any] = {}
        pushes: list[Outgoing] = []
        try:
            request = _read(frame)
            _check_time(request.get("time"), now_ns)
            if request["channel"] == "spot.ping":
                pong = {"channel": "spot.pong", "event": "", "error": None, "result": None}
                self._out.append(Push(client.number, _json(_times(now_ns) | pong)))
                return
            if request.get("event") == "api":
                answers = self._order_entry.answers(client.number, request, now_ns)
                self._out += [Push(client.number, text) for text in answers]
                return
            if request["channel"] in PRIVATE:
                self._authenticate(request, now_ns)
            topics = self._topics(request["channel"], request.get("payload"))
            if request.get("event") == "subscribe":
                pushes = self._follow(client, topics, now_ns)
            elif request.get("event") == "unsubscribe":
                self._leave(client, topics)
            else:
                raise Refused(MALFORMED, f"unknown event {request.get('event')!r}")
            answer = Push(client.number, _answer(request, None, now_ns))
        except Refused as refused:
            answer = Push(client.number, _answer(request, refused, now_ns))
        self._out += [*pushes, answer] if self._pushes_before_answer else [answer, *pushes]

    def _authenticate(self, request: dict[str, Any], now_ns: int) -> None:
        """Rule 5."""
        try:
            check_subscription(self._account, request, now_ns)
        except Refusal as refusal:
            raise Refused(NOT_AUTHENTICATED, f"{refusal.label}: {refusal.message}") from None

    def _topics(self, channel: str, payload: Any) -> list[Topic]:
        if channel == BALANCES:
            return [Topic(channel, "")]
        if not isinstance(payload, list) or not payload or not all(isinstance(part, str) for part in payload):
            raise Refused(WRONG_ARGUMENT, "the payload is a list of texts")
        if channel == OBU:
            kind, _, rest = payload[0].partition(".")
            symbol, _, levels = rest.rpartition(".")
            if kind != "ob" or not symbol or levels not in OBU_PERIODS_NS:
                raise Refused(WRONG_ARGUMENT, f"unknown stream {payload[0]}")
            return [Topic(channel, symbol, levels)]
        if channel == UPDATES:
            if len(payload) != 2 or payload[1] not in UPDATE_PERIODS_NS:
                raise Refused(WRONG_ARGUMENT, "the payload is a currency pair and 20ms or 100ms")
            return [Topic(channel, self._known(payload[0]), payload[1])]
        if channel in PRIVATE:
            return [Topic(channel, symbol if symbol == ALL else self._known(symbol)) for symbol in payload]
        if channel in (TRADES, QUOTES):
            return [Topic(channel, self._known(symbol)) for symbol in payload]
        raise Refused(WRONG_ARGUMENT, f"unknown channel {channel}")

    def _known(self, symbol: str) -> str:
        if symbol not in self._exchange:
            raise Refused(WRONG_ARGUMENT, f"unknown currency pair {symbol}")
        return symbol

    def _follow(self, client: Client, topics: list[Topic], now_ns: int) -> list[Outgoing]:
        """The first pushes of the streams that have one. A book that nobody followed goes on from where it is now."""
        for topic in topics:
            if topic in client.topics and topic.channel == OBU:
                raise Refused(WRONG_ARGUMENT, f"Alert sub ob.{topic.symbol}.{topic.variant}")
        pushes: list[Outgoing] = []
        for topic in topics:
            if topic.variant and topic.symbol in self._exchange:
                if topic not in self._streams:
                    self._streams[topic] = BookStream(self._exchange, *topic)
                stream = self._streams[topic]
                whole = stream.whole(now_ns) if topic in self._followers else stream.renewed(now_ns)
                if topic.channel == OBU:
                    pushes.append(Push(client.number, _frame(topic, whole, now_ns), topic.symbol))
            client.topics[topic] = None
            self._followers.setdefault(topic, {})[client.number] = client
        return pushes

    def _leave(self, client: Client, topics: list[Topic]) -> None:
        for topic in topics:
            followers = self._followers.get(topic, {})
            followers.pop(client.number, None)
            client.topics.pop(topic, None)
            if not followers:
                self._followers.pop(topic, None)
                self._behind.pop(topic, None)


def _read(frame: str | bytes) -> dict[str, Any]:
    try:
        request = json.loads(frame)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict) or not isinstance(request.get("channel"), str):
        raise Refused(MALFORMED, "not an object with a channel")
    return request


def _check_time(time_s: Any, now_ns: int) -> None:
    if type(time_s) is not int or abs(time_s - now_ns // SECOND) > CLOCK_TOLERANCE_S:
        raise Refused(WRONG_ARGUMENT, f"time is not within {CLOCK_TOLERANCE_S} s of the server's")


def _answer(request: dict[str, Any], refused: Refused | None, now_ns: int) -> str:
    echo = {key: request[key] for key in ("id", "channel", "event", "payload") if key in request}
    error = {"code": refused.code, "message": refused.message} if refused else None
    result = {"status": "fail" if refused else "success"}
    return _json(
        _times(now_ns) | {"conn_id": "simulated", "trace_id": "simulated"} | echo | {"error": error, "result": result}
    )


def _times(now_ns: int) -> dict[str, Any]:
    return {"time": now_ns // SECOND, "time_ms": now_ns // MS}


def _frame(topic: Topic, result: str, now_ns: int) -> str:
    """A push; those of `spot.obu` state no seconds."""
    seconds = "" if topic.channel == OBU else f'"time":{now_ns // SECOND},'
    return f'{{{seconds}"time_ms":{now_ns // MS},"channel":"{topic.channel}","event":"update","result":{result}}}'


def _json(content: object) -> str:
    return json.dumps(content, separators=(",", ":"))
