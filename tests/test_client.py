"""The client for Python programs, over real sockets: calls that survive lost answers, a stream that survives lost
connections."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from aggregator.api.auth import Keys, signature
from aggregator.api.house import HouseRoutes
from aggregator.api.market import MarketRoutes
from aggregator.api.orders import OrderRoutes
from aggregator.api.quotes import QuoteRoutes, Quotes
from aggregator.api.routes import WATCH
from aggregator.api.server import Server
from aggregator.api.stream import Stream
from aggregator.api.stream_reader import Drop
from aggregator.client import Client, NotReached, Refused, Subscription, Unanswered, Update
from aggregator.client.signing import Signer
from aggregator.domain.book import Levels
from aggregator.domain.events import BookDelta
from aggregator.domain.instrument import Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.order import Liquidity, ParentState
from tests.api.broadcast import Broadcast
from tests.api.desk import ADMIN, BTC, KEYS, OTHER, TRADER, Desk
from tests.paths import REPOSITORY

BOOK = Subscription("book", "BTC/USDT", depth=5)
ENTRIES = ("binance", "huobi")


class Service:
    """A desk with all its routes at a port of this machine; `cut` and `begin` are the end of it and its return."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.broadcast = Broadcast(self.desk.engine)
        self.root = ""
        self.port = 0
        self.forgets = Counter[str]()
        """By method, how many of the next answers are lost."""
        self._server: Server | None = None
        self._told = 0

    async def begin(self) -> None:
        desk = self.desk
        broadcast = self.broadcast = Broadcast(desk.engine)
        market, clock_ns, keys = desk.engine.market, desk.clock_ns, Keys(KEYS, time.time_ns, anonymous=WATCH)
        self._server = Server(
            MarketRoutes(desk.engine, broadcast.views, broadcast.entries, clock_ns, keys),
            QuoteRoutes(Quotes(desk.engine, ENTRIES, clock_ns), keys),
            OrderRoutes(desk.engine.orders, market, ENTRIES, keys, desk.ask, clock_ns, 0.1),
            HouseRoutes(desk.engine.orders, keys, desk.ask, clock_ns),
            Stream(broadcast.hub, market, keys, clock_ns),
        )
        self._server.app.middlewares.append(self._forgetful)
        self.root = await self._server.open("127.0.0.1", self.port)
        self.port = int(self.root.rpartition(":")[2])

    async def cut(self) -> None:
        assert self._server is not None
        self.broadcast.hub.drop_all(Drop.STOPPING)
        await self._server.close()

    async def publish(self) -> None:
        self.broadcast.told(self.desk.sent[self._told :])
        self._told = len(self.desk.sent)
        await self.broadcast.publish()

    def bid(self, quantity: str) -> None:
        moved = Levels([BTC.price("100")], [BTC.quantity(quantity)])
        self.desk.engine.apply(BookDelta("binance", BTC.name, 1, 1, moved, Levels([], [])))

    @web.middleware
    async def _forgetful(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        answer = await handler(request)
        if self.forgets[request.method] and request.transport is not None:
            self.forgets[request.method] -= 1
            request.transport.abort()
        return answer


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.begin()
    try:
        yield service
    finally:
        await service.cut()


@asynccontextmanager
async def client_of(service: Service, key: Any = TRADER) -> AsyncIterator[Client]:
    async with Client(service.root, key.key, key.secret, repeat_after_s=(0, 0)) as client:
        yield client


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.002)


class Following:
    """What a stream brings, taken in by a task."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.updates: list[Update] = []
        self.task = asyncio.create_task(self._follow())

    async def until(self, holds: Callable[[Update], bool]) -> Update:
        await until(lambda: self.task.done() or any(map(holds, self.updates)))
        if self.task.done():
            await self.task
        return next(update for update in reversed(self.updates) if holds(update))

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _follow(self) -> None:
        async with aclosing(aiter(self.stream)) as updates:
            async for update in updates:
                self.updates.append(update)


def test_a_request_is_signed_as_the_service_expects_and_no_two_alike() -> None:
    signer = Signer("k", "s" * 32, lambda: 5)
    for expected in ("5", "6"):
        timestamp, told = signer.sign("POST", "/v1/orders?a=b", b"{}")
        assert (timestamp, told) == (expected, signature("s" * 32, expected, "POST", "/v1/orders?a=b", b"{}"))


async def test_books_venues_and_quotes_are_exact(service: Service) -> None:
    async with Client(service.root) as client:
        book = await client.book("BTC/USDT", depth=1, venues=["binance"])
        assert (book.bids[0].price, book.asks[0].quantity, book.asks[0].venues) == (
            Decimal("100"), Decimal("2"), {"binance": Decimal("2")},
        )  # fmt: skip
        assert await client.instruments() == ["BTC/USDT"]
        assert set(await client.venues()) == {"binance", "huobi"}
        quote = await client.quote("BTC/USDT", "buy", Decimal("3"))
        assert quote.filled == sum(quote.shares.values()) == Decimal(3)
        assert set(quote.shares) == {"binance", "huobi"}
        with pytest.raises(Refused, match="listed nowhere") as refused:
            await client.book("NOPE/USDT")
        assert (refused.value.code, refused.value.status) == ("unknown_instrument", 404)


async def test_an_orders_life_through_the_client(service: Service) -> None:
    desk = service.desk
    async with client_of(service) as client:
        resting = await client.place(
            "one", "BTC/USDT", "buy", Decimal("1E+0"), limit_price="100.5", time_in_force="GTC", post_only=True
        )
        desk.tell(Word.WORKING)
        assert (resting.side, resting.state, resting.limit_price) == (Side.BUY, ParentState.WORKING, Decimal("100.5"))
        assert [order.order_id for order in await client.orders("open")] == [resting.order_id]
        assert (await client.amend(resting.order_id, quantity="2")).quantity == 2
        desk.fill("0.25", "100.5", "0.0001", "BTC")
        (fill,) = await client.fills(resting.order_id)
        assert (fill.quantity, fill.fee, fill.liquidity) == (Decimal("0.25"), Decimal("0.0001"), Liquidity.TAKER)
        assert (await client.order("client:one")).filled == Decimal("0.25")
        assert (await client.cancel(resting.order_id)).state is ParentState.CANCELING
        (canceled,) = await client.cancel_all("BTC/USDT")
        assert canceled.is_open
        with pytest.raises(Refused) as refused:
            await client.order("nothing")
        assert refused.value.code == "unknown_order"
        with pytest.raises(TypeError, match="binary float"):
            await client.place("two", "BTC/USDT", "buy", 0.1)  # type: ignore[arg-type]


async def test_balances_and_the_switch_are_the_houses(service: Service) -> None:
    async with client_of(service, ADMIN) as client:
        assert (await client.balances())["huobi"]["USDT"].free == Decimal("99000.5")
        assert (await client.switch_halt("a test")).is_halted
        assert (await client.halt()).reason == "a test"
        assert not (await client.switch_halt(None)).is_halted


async def test_an_order_whose_answer_was_lost_is_placed_again_and_is_one_order(service: Service) -> None:
    async with client_of(service) as client:
        service.forgets["POST"] = 1
        order = await client.place("one", "BTC/USDT", "buy", "1", limit_price="102")
        assert [parent.order_id for parent in service.desk.engine.orders.parents.values()] == [order.order_id]
        assert len(service.desk.events) == 2
        service.forgets["GET"] = 1
        assert (await client.order(order.order_id)).order_id == order.order_id


async def test_no_answer_at_all_says_which_kind_it_was(service: Service) -> None:
    async with Client("http://127.0.0.1:1", repeat_after_s=()) as client:
        with pytest.raises(NotReached, match=re.escape("127.0.0.1:1")):
            await client.book("BTC/USDT")
    async with Client(service.root, repeat_after_s=()) as client:
        service.forgets["GET"] = 9
        with pytest.raises(Unanswered, match="GET /v1/books/BTC-USDT"):
            await client.book("BTC/USDT")
    with pytest.raises(RuntimeError, match="async with"):
        await client_without_a_context()


async def client_without_a_context() -> None:
    await Client().book("BTC/USDT")


async def test_the_streams_book_is_the_services_and_survives_a_service_that_is_cut_and_comes_back(
    service: Service,
) -> None:
    async with client_of(service) as client:
        following = Following(client.stream(BOOK, Subscription("venues")))
        await following.until(lambda update: update.subscription == BOOK)
        service.bid("3")
        await service.publish()
        update = await following.until(lambda update: update.subscription == BOOK and not update.is_snapshot)
        assert update.book.bids[0].quantity == 5
        for quantity in ("7", "9"):
            await service.cut()
            service.bid(quantity)
            await service.begin()
            expected = Decimal(quantity) + 2
            update = await following.until(
                lambda update, expected=expected: (
                    update.subscription == BOOK and update.book.bids[0].quantity == expected
                )  # type: ignore[misc]
            )
            assert update.is_snapshot
            shown = await client.book("BTC/USDT", depth=5)
            assert replace(update.book, as_of_ns=0) == replace(shown, as_of_ns=0)
        service.bid("11")
        await service.publish()
        update = await following.until(
            lambda update: update.subscription == BOOK and update.book.bids[0].quantity == 13
        )
        assert not update.is_snapshot
        assert (following.stream.connects, following.stream.gaps) == (3, 0)
        assert {update.subscription for update in following.updates} == {BOOK, Subscription("venues")}
        with pytest.raises(ValueError, match="no venues"):
            _ = update.venues
        await following.end()


async def test_own_orders_and_fills_come_over_the_stream(service: Service) -> None:
    async with client_of(service) as client, client_of(service, OTHER) as stranger:
        own = Following(client.stream(Subscription("orders"), Subscription("fills", "btc-usdt")))
        others = Following(stranger.stream(Subscription("fills"), BOOK))
        for following, count in ((own, 2), (others, 2)):
            await until(lambda following=following, count=count: len(following.updates) == count)  # type: ignore[misc]
        order = await client.place("one", "BTC/USDT", "buy", "0.5", limit_price="102")
        service.desk.fill("0.5", "101", "0", "BTC")
        await service.publish()
        update = await own.until(lambda update: bool(update.fills))
        assert [fill.order_id for fill in update.fills] == [order.order_id]
        update = await own.until(lambda update: bool(update.orders))
        assert update.orders[-1].filled == Decimal("0.5")
        assert not any(update.fills for update in others.updates)
        for following in (own, others):
            await following.end()


async def test_what_the_service_will_not_stream_is_raised(service: Service) -> None:
    for key, subscription, code in (
        (TRADER.model_copy(update={"secret": "x" * 40}), BOOK, "signature_refused"),
        (TRADER, Subscription("book", "NOPE/USDT"), "unknown_instrument"),
    ):
        async with client_of(service, key) as client:
            with pytest.raises(Refused) as refused:
                await anext(aiter(client.stream(subscription)))
            assert refused.value.code == code
    async with Client(service.root + "/nowhere") as client:
        with pytest.raises(Refused, match="is no stream"):
            await anext(aiter(client.stream(BOOK)))
        with pytest.raises(ValueError, match="subscribe to some of"):
            client.stream(Subscription("ticks"))
        with pytest.raises(ValueError, match="nothing"):
            client.stream()


class Scripted:
    """A service whose stream says what a test wrote: for each connection, what is sent after each request."""

    def __init__(self, *connections: list[list[dict[str, Any]]]) -> None:
        self._connections = iter(connections)
        self.asked: list[Any] = []

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for messages in next(self._connections):
            message = await socket.receive()
            if message.type is not WSMsgType.TEXT:
                break
            self.asked.append(json.loads(message.data))
            for told in messages:
                await socket.send_json(told)
        if request.transport is not None:
            request.transport.abort()
        return socket


def told(kind: str, sequence: int, quantity: str) -> dict[str, Any]:
    about = {"channel": "book", "symbol": "BTC/USDT", "view": "gross", "depth": 5, "type": kind, "sequence": sequence}
    members: dict[str, Any] = {"as_of_ns": 1, "oldest_ns": 1, "bids": [["100", quantity, {"binance": quantity}]]}
    if kind == "snapshot":
        members |= {"crossed": False, "asks": [], "venues": ["binance"], "excluded": {}}
    return about | members


async def test_a_gap_is_mended_by_a_snapshot_and_a_lost_connection_by_another() -> None:
    """Nothing between the gap and its snapshot is believed."""
    scripted = Scripted(
        [
            [told("snapshot", 4, "1"), told("change", 5, "2"), told("change", 7, "3"), told("change", 8, "4")],
            [told("change", 9, "5"), told("snapshot", 9, "6"), told("change", 10, "7"), {"type": "pong"}],
        ],
        [[told("change", 11, "0"), told("snapshot", 0, "8"), told("change", 1, "9")]],
        [[]],
    )
    app = web.Application()
    app.router.add_get("/v1/stream", scripted.stream)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with Client(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
            stream = client.stream(BOOK)
            following = Following(stream)
            await following.until(lambda update: update.book.bids[0].quantity == 9)
            await following.end()
        taken = [(update.sequence, int(update.book.bids[0].quantity)) for update in following.updates]
        assert taken == [(4, 1), (5, 2), (9, 6), (10, 7), (0, 8), (1, 9)]
        assert (stream.gaps, stream.connects) == (1, 2)
        assert (
            scripted.asked
            == [{"op": "subscribe", "channel": "book", "symbol": "BTC/USDT", "view": "gross", "depth": 5}] * 3
        )
    finally:
        await runner.cleanup()


def example() -> str:
    readme = (REPOSITORY / "README.md").read_text()
    section = readme.partition("## From Python")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return str(code)


async def test_the_example_in_the_readme_runs(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example(), "README.md", "exec"), names)  # what a reader would run
    service.desk.now_ns += 1
    running = asyncio.create_task(names["main"](service.root, TRADER.key, TRADER.secret))
    await until(lambda: running.done() or bool(service.desk.events))
    if not running.done():
        service.desk.fill("0.01", "101", "0", "BTC")
        await service.publish()
    async with asyncio.timeout(20):
        await running
    printed = capsys.readouterr().out
    assert "101" in printed
