"""The stream over an engine, without the service's loop: a test says what happens, and when readers are refreshed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType
from aiohttp.test_utils import TestClient, TestServer

from aggregator.api.auth import Keys
from aggregator.api.channels import Name, Topic
from aggregator.api.market import MarketRoutes, VenueEntry
from aggregator.api.server import Server
from aggregator.api.stream import HEARTBEAT_S, Stream
from aggregator.api.stream_hub import Hub
from aggregator.api.stream_reader import Reader
from aggregator.config.keys import ApiKey, Scope
from aggregator.domain.book import Levels
from aggregator.domain.effects import Effect, HealthChanged, ParentChanged
from aggregator.domain.events import BookDelta, BookSnapshot, ListingsRead, MarketEvent
from aggregator.domain.instrument import Fees, Instrument, Listing
from aggregator.domain.numbers import parse_rate
from aggregator.engine.engine import Engine
from aggregator.engine.views import Views
from aggregator.service.dispatcher import Refreshed
from tests.api.desk import KEYS

BTC, ETH = Instrument.of("BTC", "USDT"), Instrument.of("ETH", "USDT")
START_NS = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
CLOSE_PATIENCE_S = 60
"""Far more than anything here takes."""

BOOK = Topic(Name.BOOK, "BTC/USDT", "gross", 50)


def listing(venue: str, instrument: Instrument = BTC) -> Listing:
    fees = Fees(taker=parse_rate("0.001"))
    symbol = instrument.name.replace("/", "")
    return Listing(venue, symbol, instrument, instrument.price("0.01"), instrument.quantity("0.001"), fees=fees)


def levels(**quantities: str) -> Levels:
    """`_100="2"` is 2 at 100."""
    prices = [BTC.price(price.strip("_").replace("_", ".")) for price in quantities]
    return Levels(prices, [BTC.quantity(quantity) for quantity in quantities.values()])


class Broadcast:
    """Two venues with BTC/USDT unless an engine is given. Time stands still but for `now_ns`."""

    def __init__(
        self,
        engine: Engine | None = None,
        keys: Iterable[ApiKey] = KEYS,
        heartbeat_s: float = HEARTBEAT_S,
        venues: tuple[str, ...] = ("binance", "huobi"),
        *,
        anonymous: tuple[Scope, ...] = ("read",),
        is_behind_proxy: bool = False,
    ) -> None:
        self.now_ns = START_NS
        self.engine = engine or Engine()
        self.views = Views(self.engine)
        self.entries = {
            venue: VenueEntry(venue, venue.title(), venue, "active", True, True, "", lambda: {"frames": 1})
            for venue in venues
        }
        self.hub = Hub(self.engine, self.views, self.entries, self.clock_ns)
        guard = Keys(keys, self.clock_ns, anonymous=anonymous, is_behind_proxy=is_behind_proxy)
        self.stream = Stream(self.hub, self.engine.market, guard, self.clock_ns, heartbeat_s, CLOSE_PATIENCE_S)
        self.server = Server(MarketRoutes(self.engine, self.views, self.entries, self.clock_ns, guard), self.stream)
        self.server.app.on_shutdown.append(self.stream.shut_down)
        if engine is None:
            for venue in venues:
                self.happened(ListingsRead(venue, START_NS, [listing(venue)]))
                self.happened(self.snapshot(venue, levels(_100="2", _99="1"), levels(_101="2", _102="1")))

    def clock_ns(self) -> int:
        return self.now_ns

    def snapshot(self, venue: str, bids: Levels, asks: Levels) -> BookSnapshot:
        return BookSnapshot(venue, BTC.name, self.now_ns, self.now_ns, bids, asks)

    def happened(self, event: MarketEvent) -> None:
        self.told(self.engine.apply(event))

    def told(self, effects: Iterable[Effect]) -> None:
        """As the dispatcher tells its watchers."""
        for effect in effects:
            if isinstance(effect, HealthChanged | ParentChanged):
                self.hub.note(effect)

    def bid(self, price: str, quantity: str, venue: str = "binance") -> None:
        """A level of the bids changes."""
        moved = Levels([BTC.price(price)], [BTC.quantity(quantity)])
        self.happened(BookDelta(venue, BTC.name, self.now_ns, self.now_ns, moved, Levels([], [])))

    async def publish(self) -> None:
        """What the dispatcher and the hub do at the display rate."""
        self.hub.note(Refreshed(frozenset(self.views.refresh())))
        await self.hub.publish()


class Taking:
    """A reader in memory: `taken` is what it was sent, while it `is_open`."""

    def __init__(self, broadcast: Broadcast, *topics: Topic) -> None:
        self.taken: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.reader = Reader(self, broadcast.clock_ns, broadcast.hub.tally)
        broadcast.hub.join(self.reader)
        for topic in topics:
            broadcast.hub.subscribe(self.reader, topic)
        self.pumping = asyncio.create_task(self.reader.pump())

    @property
    def messages(self) -> list[Any]:
        return [json.loads(message) for message in self.taken]

    def send_now(self, message: bytes) -> bool:
        if self.gate.is_set():
            self.taken.append(message)
        return self.gate.is_set()

    async def send(self, message: bytes) -> None:
        await self.gate.wait()
        self.taken.append(message)


async def settled() -> None:
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


class Listener:
    """A reader on a real socket."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    async def ask(self, op: str, **members: Any) -> None:
        await self.socket.send_json({"op": op, **members})

    async def next(self) -> Any:
        async with asyncio.timeout(20):
            return await self.socket.receive_json()

    async def answer(self, op: str, **members: Any) -> Any:
        await self.ask(op, **members)
        return await self.next()

    async def until_now(self) -> list[Any]:
        """All that was sent before the answer to a ping."""
        await self.ask("ping")
        messages = []
        while (message := await self.next())["type"] != "pong":
            messages.append(message)
        return messages

    async def end(self) -> tuple[int | None, str]:
        """The code and the reason with which the service ends it."""
        async with asyncio.timeout(20):
            while (message := await self.socket.receive()).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED):
                pass
        return self.socket.close_code, message.extra or ""


@asynccontextmanager
async def serving(broadcast: Broadcast) -> AsyncIterator[Any]:
    """An HTTP client of it."""
    async with TestClient(TestServer(broadcast.server.app)) as http:
        yield http


@asynccontextmanager
async def listening(http: Any, **options: Any) -> AsyncIterator[Listener]:
    async with http.ws_connect("/v1/stream", **options) as socket:
        yield Listener(socket)
