"""The stream as its readers have it: snapshots, then changes that come to what the routes answer, each to whom it is
due."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError

from aggregator.api.auth import signature
from aggregator.api.channels import Name
from aggregator.api.stream_hub import SUBSCRIPTIONS_AT_MOST
from aggregator.client.answers import Book
from aggregator.client.following import Follower, Subscription, Update, merged
from aggregator.config.keys import ApiKey
from aggregator.domain.effects import LocalHappened
from aggregator.domain.events import BookLost, Tick, Trade
from aggregator.domain.instrument import Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.local import Traded
from aggregator.engine.engine import Engine
from tests.api.broadcast import BTC, SECOND, START_NS, Broadcast, Listener, listening, serving
from tests.api.desk import ADMIN, OTHER, READER, TRADER, Desk, rest, trading
from tests.simulation.one_venue import MS, OneVenue
from tests.simulation.test_day import followed

STEPS = 80


async def test_a_book_is_a_snapshot_and_then_only_what_changed() -> None:
    broadcast = Broadcast()
    async with serving(broadcast) as http, listening(http) as reader:
        snapshot = await reader.answer("subscribe", channel="book", symbol="btc-usdt", depth=2)
        assert snapshot == {
            "channel": "book",
            "symbol": "BTC/USDT",
            "view": "gross",
            "depth": 2,
            "type": "snapshot",
            "sequence": 0,
            "as_of_ns": START_NS,
            "oldest_ns": START_NS,
            "crossed": False,
            "bids": [["100", "4", {"binance": "2", "huobi": "2"}], ["99", "2", {"binance": "1", "huobi": "1"}]],
            "asks": [["101", "4", {"binance": "2", "huobi": "2"}], ["102", "2", {"binance": "1", "huobi": "1"}]],
            "venues": ["binance", "huobi"],
            "excluded": {},
        }
        broadcast.bid("100.5", "0.25", "huobi")
        await broadcast.publish()
        assert await reader.until_now() == [
            {
                "channel": "book",
                "symbol": "BTC/USDT",
                "view": "gross",
                "depth": 2,
                "type": "change",
                "sequence": 1,
                "as_of_ns": START_NS,
                "oldest_ns": START_NS,
                "bids": [["100.5", "0.25", {"huobi": "0.25"}], ["99", "0", {}]],
            }
        ]
        await broadcast.publish()
        assert await reader.until_now() == []


async def test_a_venue_that_leaves_the_book_takes_its_quantity_along_and_is_named_with_its_reason() -> None:
    broadcast = Broadcast()
    async with serving(broadcast) as http, listening(http) as reader:
        await reader.answer("subscribe", channel="book", symbol="BTC/USDT", depth=1)
        broadcast.happened(BookLost("huobi", BTC.name, START_NS, "gap: an update is missing", gap=True))
        await broadcast.publish()
        (change,) = await reader.until_now()
        assert (change["venues"], change["excluded"]) == (["binance"], {"huobi": "syncing: gap: an update is missing"})
        assert (change["bids"], change["asks"]) == (
            [["100", "2", {"binance": "2"}]],
            [["101", "2", {"binance": "2"}]],
        )


async def test_that_a_book_is_fresh_is_told_once_a_second_when_nothing_else_changes() -> None:
    broadcast = Broadcast()
    async with serving(broadcast) as http, listening(http) as reader:
        await reader.answer("subscribe", channel="book", symbol="BTC/USDT")
        for _ in range(25):
            broadcast.now_ns += SECOND // 10
            for venue in ("binance", "huobi"):
                broadcast.bid("100", "2", venue)
            await broadcast.publish()
        ages = [(change["sequence"], change["oldest_ns"] - START_NS) for change in await reader.until_now()]
        assert ages == [(1, SECOND), (2, 2 * SECOND)]


class MovingMarket:
    """Two simulated venues, each followed over its wire, and an engine that both tell."""

    def __init__(self) -> None:
        chosen: dict[str, Any] = {"listings": ("BTC/USDT", "ETH/USDT"), "mean_wait_ns": 60 * MS}
        self.venues = [followed("binance", 1, **chosen), followed("gateio", 2, **chosen)]
        self.engine = Engine({venue.name: venue.freshness for venue in self.venues})
        self.broadcast = Broadcast(self.engine, venues=("binance", "gateio"))
        self._told = Counter[OneVenue]()

    def run(self, duration_ns: int) -> None:
        for venue in self.venues:
            venue.run(duration_ns)
            for event in venue.events[self._told[venue] :]:
                self.broadcast.happened(event)
            self._told[venue] = len(venue.events)
            self.broadcast.now_ns = venue.now_ns
        self.broadcast.told(self.engine.apply(Tick(self.broadcast.now_ns)))


async def answered(http: Any, subscription: Subscription) -> Book:
    path = f"/v1/books/{subscription.symbol.replace('/', '-')}?depth={subscription.depth}&view={subscription.view}"
    return Book.of(await (await http.get(path)).json())


async def test_the_book_kept_from_changes_is_the_routes_book_at_every_step_of_a_moving_market() -> None:
    """With a venue that is lost on the way, and comes back."""
    market = MovingMarket()
    for _ in range(50):
        market.run(100 * MS)
    subscriptions = [
        Subscription("book", symbol, view, depth)
        for symbol, view, depth in (("BTC/USDT", "gross", 20), ("BTC/USDT", "net", 5), ("ETH/USDT", "gross", 1000))
    ]
    follower, seen = Follower(subscriptions), Counter[bool]()
    venues = set()
    async with serving(market.broadcast) as http, listening(http) as reader:
        follower.connected()
        for request in follower.take_requests():
            await reader.ask(**request)
        books: dict[Subscription, Book] = {}
        for step in range(STEPS):
            for message in await reader.until_now():
                update = follower.received(message)
                assert update is not None
                books[update.subscription] = update.book
                seen[update.is_snapshot] += 1
            for subscription in subscriptions:
                shown = await answered(http, subscription)
                venues.add(shown.venues)
                kept = books[subscription]
                assert replace(kept, as_of_ns=0, oldest_ns=0) == replace(shown, as_of_ns=0, oldest_ns=0)
            if step == STEPS // 4:
                market.venues[1].lane.switch_on("crossed", symbol="BTC_USDT")
            elif step == STEPS // 2:
                market.venues[1].lane.switch_off("crossed")
            market.run(100 * MS)
            await market.broadcast.publish()
    assert follower.gaps == 0
    assert seen[True] == len(subscriptions)
    assert seen[False] > STEPS
    assert venues == {("binance", "gateio"), ("binance",)}


async def test_a_change_that_is_missing_shows_as_a_gap_and_asking_again_brings_a_snapshot() -> None:
    broadcast = Broadcast()
    wanted = Subscription("book", "BTC/USDT")
    follower = Follower([wanted])
    async with serving(broadcast) as http, listening(http) as reader:
        follower.connected()
        snapshot = await reader.answer(**follower.take_requests()[0])
        for quantity in ("3", "4", "5", "6"):
            broadcast.bid("100", quantity)
            await broadcast.publish()
        changes = await reader.until_now()
        assert [change["sequence"] - snapshot["sequence"] for change in changes] == [*range(1, 1 + len(changes))]
        follower.received(snapshot)
        del changes[1]
        assert [follower.received(change) is None for change in changes] == [False] + [True] * (len(changes) - 1)
        assert follower.gaps == 1
        (again,) = follower.take_requests()
        update = follower.received(await reader.answer(**again))
        assert update is not None
        assert update.is_snapshot
        assert str(update.book.bids[0].quantity) == "8"
        broadcast.bid("100", "7")
        await broadcast.publish()
        (change,) = await reader.until_now()
        update = follower.received(change)
        assert isinstance(update, Update)
        assert str(update.book.bids[0].quantity) == "9"


async def test_health_is_told_at_once_and_ages_once_a_second() -> None:
    broadcast = Broadcast()
    async with serving(broadcast) as http, listening(http) as reader:
        snapshot = await reader.answer("subscribe", channel="venues")
        assert snapshot["venues"]["huobi"]["books"]["BTC/USDT"]["health"] == "live"
        kept = snapshot["venues"]
        broadcast.now_ns += SECOND // 2
        broadcast.bid("100", "3")
        await broadcast.publish()
        assert await reader.until_now() == []
        broadcast.happened(BookLost("huobi", BTC.name, broadcast.now_ns, "disconnected"))
        health = await reader.next()
        assert health["venues"] == {
            "huobi": {
                "books": {"BTC/USDT": {"health": "syncing", "reason": "disconnected", "since_ns": broadcast.now_ns}}
            }
        }
        broadcast.now_ns += SECOND // 2
        await broadcast.publish()
        (counters,) = await reader.until_now()
        assert counters["sequence"] == health["sequence"] + 1
        assert counters["venues"]["binance"]["books"]["BTC/USDT"] == {
            "updates": 2,
            "received_ns": START_NS + SECOND // 2,
            "venue_time_ns": START_NS + SECOND // 2,
            "changed_ns": START_NS + SECOND // 2,
        }
        for change in (health, counters):
            kept = merged(kept, change["venues"])
        shown = {venue["venue"]: venue for venue in (await (await http.get("/v1/venues")).json())["venues"]}
        for venue, document in kept.items():
            assert document.items() <= shown[venue].items()


def trade(number: int, instrument: str = BTC.name) -> Trade:
    price, quantity = BTC.price(f"100.{number:03d}"), BTC.quantity("0.5")
    return Trade("binance", instrument, START_NS, START_NS + number, f"t{number}", price, quantity, Side.SELL)


async def test_trades_are_told_in_their_order_after_the_newest_ones() -> None:
    broadcast = Broadcast()
    for number in range(60):
        broadcast.hub.note(trade(number))
    async with serving(broadcast) as http, listening(http) as reader:
        snapshot = await reader.answer("subscribe", channel="trades", symbol="BTC/USDT")
        assert [told["trade_id"] for told in snapshot["trades"]] == [f"t{number}" for number in range(10, 60)]
        broadcast.hub.note(trade(60))
        broadcast.hub.note(trade(61, "ETH/USDT"))
        local = Traded(
            7, START_NS, BTC, "m", "t", "maker", "taker", Side.BUY, BTC.price("101"), BTC.quantity("2"), 0, 0
        )
        broadcast.hub.note(LocalHappened(local))
        await broadcast.publish()
        (change,) = await reader.until_now()
        assert change["trades"] == [
            {
                "venue": "binance",
                "trade_id": "t60",
                "price": "100.06",
                "quantity": "0.5",
                "taker": "sell",
                "venue_time_ns": START_NS,
                "received_ns": START_NS + 60,
            },
            {
                "venue": "busan",
                "trade_id": "busan-BTC/USDT-7",
                "price": "101",
                "quantity": "2",
                "taker": "buy",
                "venue_time_ns": START_NS,
                "received_ns": START_NS,
            },
        ]
        for number in range(600):
            broadcast.hub.note(trade(number))
        await broadcast.publish()
        (change,) = await reader.until_now()
        assert (len(change["trades"]), change["skipped"], change["trades"][-1]["trade_id"]) == (500, 100, "t599")


def login(broadcast: Broadcast, by: ApiKey = TRADER, **changes: Any) -> dict[str, Any]:
    timestamp = str(broadcast.now_ns)
    signed = signature(by.secret, timestamp, "GET", "/v1/stream", b"")
    return {"op": "login", "key": by.key, "timestamp_ns": timestamp, "signature": signed, **changes}


async def own_stream(http: Any, broadcast: Broadcast, key: Any) -> Listener:
    broadcast.now_ns += MS
    reader = Listener(await http.ws_connect("/v1/stream"))
    assert (await reader.answer(**login(broadcast, key)))["account"] == key.account
    return reader


async def test_orders_and_fills_go_to_their_own_account_only() -> None:
    desk = Desk()
    broadcast = Broadcast(desk.engine)
    told = 0

    def tell() -> None:
        nonlocal told
        broadcast.told(desk.sent[told:])
        told = len(desk.sent)

    async with trading(desk) as client, serving(broadcast) as http:
        before = await rest(client, desk, client_order_id="before")
        owner, watcher, stranger = [await own_stream(http, broadcast, key) for key in (TRADER, READER, OTHER)]
        for reader in (owner, watcher, stranger):
            orders = await reader.answer("subscribe", channel="orders")
            own = [] if reader is stranger else [before]
            assert [order["order_id"] for order in orders["orders"]] == own
            assert (await reader.answer("subscribe", channel="fills"))["fills"] == []
        tell()
        await broadcast.publish()
        for reader in (owner, watcher, stranger):
            await reader.until_now()
        placed = (await client.place(client_order_id="now", quantity="0.5")).document["order_id"]
        desk.fill("0.1", "101", "0.0001", "BTC", number=1)
        desk.fill("0.2", "101", "0.0002", "BTC", number=1)
        tell()
        await broadcast.publish()
        for reader in (owner, watcher):
            orders, fills = await reader.until_now()
            (order,) = orders["orders"]
            assert (order["order_id"], order["filled"], order["state"]) == (placed, "0.3", "working")
            assert {"plan", "plans"}.isdisjoint(order)
            assert [fill["quantity"] for fill in fills["fills"]] == ["0.1", "0.2"]
        assert await stranger.until_now() == []
        desk.tell(Word.ENDED, 1, raw="FILLED")
        tell()
        await broadcast.publish()
        (orders,) = await owner.until_now()
        assert [child["state"] for child in orders["orders"][0]["children"]] == ["partly_filled", "submitted"]
        assert (await stranger.until_now(), broadcast.hub.subscriptions()[Name.FILLS]) == ([], 3)
        late = await own_stream(http, broadcast, TRADER)
        snapshot = await late.answer("subscribe", channel="fills", symbol="BTC/USDT")
        assert [fill["quantity"] for fill in snapshot["fills"]] == ["0.1", "0.2"]


@pytest.mark.parametrize(
    ("message", "code", "remedy"),
    [
        ({"op": "subscribe", "channel": "orders"}, "key_required", "op login"),
        ({"op": "subscribe", "channel": "book"}, "bad_parameter", "needs a symbol"),
        ({"op": "subscribe", "channel": "book", "symbol": "NOPE/USDT"}, "unknown_instrument", "there are BTC/USDT"),
        ({"op": "subscribe", "channel": "book", "symbol": "BTC/USDT", "depth": 0}, "bad_parameter", "1 to 1000"),
        ({"op": "subscribe", "channel": "book", "symbol": "BTC/USDT", "depth": 1001}, "bad_parameter", "1 to 1000"),
        ({"op": "subscribe", "channel": "book", "symbol": "BTC/USDT", "view": "fair"}, "bad_parameter", "view"),
        ({"op": "subscribe", "channel": "venues", "symbol": "BTC/USDT"}, "bad_parameter", "takes no symbol"),
        ({"op": "subscribe", "channel": "trades", "symbol": "BTC/USDT", "depth": 5}, "bad_parameter", "no depth"),
        ({"op": "subscribe", "channel": "ticks"}, "bad_parameter", "channel"),
        ({"op": "subscribe", "channel": "venues", "depht": 5}, "bad_parameter", "depht"),
        ({"op": "dance"}, "bad_parameter", "op is subscribe, unsubscribe, ping or login"),
        ([], "bad_parameter", "op is"),
        ("{", "bad_request", "JSON"),
        ('{"op": "login", "key": "\\ud800", "timestamp_ns": 1, "signature": ""}', "bad_request", "JSON"),
    ],
)
async def test_errors_name_their_code_and_the_remedy_and_the_connection_goes_on(
    message: Any, code: str, remedy: str
) -> None:
    async with serving(Broadcast()) as http, listening(http) as reader:
        await reader.socket.send_str(message if isinstance(message, str) else json.dumps(message))
        error = await reader.next()
        assert (error["type"], error["code"]) == ("error", code)
        assert remedy in error["detail"]
        assert (await reader.answer("ping"))["type"] == "pong"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": "0" * 64}, "signature_refused"),
        ({"signature": "ü"}, "signature_refused"),
        ({"key": "nobody"}, "signature_refused"),
        ({"timestamp_ns": "soon"}, "request_expired"),
        ({"timestamp_ns": -5}, "request_expired"),
        ({"timestamp_ns": START_NS - 6 * SECOND}, "request_expired"),
    ],
)
async def test_a_login_that_proves_nothing_opens_nothing(changes: dict[str, Any], code: str) -> None:
    broadcast = Broadcast()
    async with serving(broadcast) as http, listening(http) as reader:
        assert (await reader.answer(**login(broadcast, **changes)))["code"] == code
        assert (await reader.answer("subscribe", channel="orders"))["code"] == "key_required"


async def test_a_login_is_good_once_and_for_one_key() -> None:
    broadcast = Broadcast()
    async with serving(broadcast) as http, listening(http) as reader, listening(http) as thief:
        used = login(broadcast)
        assert await reader.answer(**used) == {"type": "logged_in", "key": "trader", "account": "desk"}
        assert (await thief.answer(**used))["code"] == "request_repeated"
        broadcast.now_ns += MS
        again = await reader.answer(**login(broadcast, OTHER))
        assert (again["code"], again["asked"]) == ("bad_request", {"op": "login", "key": "other"})


async def test_without_keys_nobody_sees_orders() -> None:
    broadcast = Broadcast(keys=())
    async with serving(broadcast) as http, listening(http) as reader:
        assert (await reader.answer(**login(broadcast)))["code"] == "no_keys"


async def test_a_signed_upgrade_is_logged_in_and_a_wrongly_signed_one_is_not_let_in() -> None:
    broadcast = Broadcast()
    async with serving(broadcast) as http:
        timestamp = str(broadcast.now_ns)
        signed = signature(ADMIN.secret, timestamp, "GET", "/v1/stream", b"")
        headers = {"X-API-Key": ADMIN.key, "X-Timestamp-Ns": timestamp, "X-Signature": signed}
        async with listening(http, headers=headers) as reader:
            assert (await reader.answer("subscribe", channel="orders"))["type"] == "snapshot"
        with pytest.raises(WSServerHandshakeError) as refused:
            await http.ws_connect("/v1/stream", headers=headers)
        assert refused.value.status == 401
        answer = await http.get("/v1/stream")
        assert (answer.status, (await answer.json())["code"]) == (400, "bad_request")


async def test_unsubscribing_ends_a_channel_and_what_nobody_reads_is_not_kept() -> None:
    broadcast = Broadcast()
    async with serving(broadcast) as http, listening(http) as reader:
        await reader.answer("subscribe", channel="book", symbol="BTC/USDT", depth=50)
        ended = await reader.answer("unsubscribe", channel="book", symbol="BTC/USDT")
        assert ended == {
            "type": "unsubscribed",
            "was_subscribed": True,
            "channel": "book",
            "symbol": "BTC/USDT",
            "view": "gross",
            "depth": 50,
        }
        assert not (await reader.answer("unsubscribe", channel="venues"))["was_subscribed"]
        broadcast.bid("100", "3")
        await broadcast.publish()
        assert await reader.until_now() == []
        assert set(broadcast.hub.subscriptions().values()) == {0}


async def test_subscriptions_of_one_connection_are_bounded() -> None:
    broadcast = Broadcast()
    async with serving(broadcast) as http, listening(http) as reader:
        for depth in range(1, SUBSCRIPTIONS_AT_MOST + 1):
            await reader.answer("subscribe", channel="book", symbol="BTC/USDT", depth=depth)
        error = await reader.answer("subscribe", channel="venues")
        assert (error["code"], str(SUBSCRIPTIONS_AT_MOST) in error["detail"]) == ("too_many_requests", True)
        again = await reader.answer("subscribe", channel="book", symbol="BTC/USDT", depth=1)
        assert again["type"] == "snapshot"


async def test_changes_of_one_channel_are_numbered_alike_for_all_its_readers() -> None:
    broadcast = Broadcast()
    async with serving(broadcast) as http, listening(http) as early, listening(http) as late:
        await early.answer("subscribe", channel="book", symbol="BTC/USDT")
        for quantity in ("3", "4"):
            broadcast.bid("100", quantity)
            await broadcast.publish()
        snapshot = await late.answer("subscribe", channel="book", symbol="BTC/USDT")
        broadcast.bid("100", "5")
        await broadcast.publish()
        changes = await early.until_now()
        assert all(after["sequence"] == before["sequence"] + 1 for before, after in pairwise(changes))
        assert await late.until_now() == changes[-1:]
        assert changes[-1]["sequence"] == snapshot["sequence"] + 1
