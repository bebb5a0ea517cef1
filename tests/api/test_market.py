"""The routes as programs use them: answers as documented, errors that name the remedy."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from aggregator.api.auth import Keys
from aggregator.api.house import HouseRoutes
from aggregator.api.local import LocalRoutes, Tape
from aggregator.api.market import MarketRoutes, VenueEntry
from aggregator.api.meters import Meters
from aggregator.api.orders import OrderRoutes
from aggregator.api.quotes import QuoteRoutes, Quotes
from aggregator.api.routes import WATCH
from aggregator.api.server import CannotListen, Operations, Server
from aggregator.api.sessions import SessionRoutes, Sessions
from aggregator.api.stream import Stream
from aggregator.api.stream_hub import Hub
from aggregator.api.stream_metrics import StreamCollector
from aggregator.books.rates import Rates
from aggregator.dashboard.routes import Dashboard
from aggregator.domain.book import Levels
from aggregator.domain.effects import Effect
from aggregator.domain.events import BookLost, BookSnapshot, FrameRejected, ListingsRead
from aggregator.domain.instrument import Fees, Instrument, Listing
from aggregator.domain.numbers import parse_rate
from aggregator.domain.order_events import OrderEvent
from aggregator.engine.engine import Engine
from aggregator.engine.views import Views
from aggregator.service.archive import Archive
from aggregator.service.liquidity_metrics import LiquidityCollector
from aggregator.service.metrics import MarketCollector, registry
from aggregator.service.order_metrics import OrderCollector
from aggregator.service.record_metrics import RecordCollector
from aggregator.service.tally import Tally
from tests.api.desk import CONNECTION

BTC = Instrument.of("BTC", "USDT")
NOW_NS = 1_700_000_000_000_000_000
JOURNAL: Any = SimpleNamespace(last_seq=9, durable_seq=7, waiting=2, failure=None)


def listing(venue: str, fee: str) -> Listing:
    fees = Fees(taker=parse_rate(fee))
    return Listing(venue, "BTCUSDT", BTC, tick=BTC.price("0.01"), lot=BTC.quantity("0.001"), fees=fees)


def snapshot(venue: str, bid: str, ask: str, at_ns: int) -> BookSnapshot:
    bids, asks = (Levels([BTC.price(price)], [BTC.quantity("2")]) for price in (bid, ask))
    return BookSnapshot(venue, BTC.name, at_ns, at_ns, bids, asks)


def service() -> tuple[Engine, Server]:
    engine = Engine()

    async def ask(event: OrderEvent) -> Sequence[Effect]:
        return engine.apply(event)

    engine.apply(ListingsRead("binance", 0, [listing("binance", "0.001")]))
    engine.apply(ListingsRead("huobi", 0, [listing("huobi", "0.002")]))
    engine.apply(snapshot("binance", "100", "101", NOW_NS - 5))
    engine.apply(snapshot("huobi", "100", "102.5", NOW_NS - 9))
    entries = {
        name: VenueEntry(name, name.title(), name, "active", True, False, "http://127.0.0.1:1", lambda: CONNECTION)
        for name in ("binance", "huobi")
    }
    views = Views(engine)
    collector = MarketCollector(
        engine, {name: entry.connection for name, entry in entries.items()}, lambda: 3, lambda: NOW_NS
    )
    meters = Meters()
    keys = Keys((), lambda: NOW_NS, anonymous=WATCH)
    hub = Hub(engine, views, entries, lambda: NOW_NS)
    placing = OrderCollector(engine.orders, Tally(engine.orders), {}, JOURNAL, lambda: NOW_NS)
    recording = RecordCollector(Archive(Path("records"), 1, lambda: NOW_NS), None)
    metrics = registry(collector, placing, LiquidityCollector(engine), StreamCollector(hub), meters, recording)
    operations = Operations(engine, metrics, lambda: 3)
    market = MarketRoutes(engine, views, entries, lambda: NOW_NS, keys)
    quotes = QuoteRoutes(Quotes(engine, entries, lambda: NOW_NS), keys)
    orders = OrderRoutes(engine.orders, engine.market, entries, keys, ask, lambda: NOW_NS)
    house = HouseRoutes(engine.orders, keys, ask, lambda: NOW_NS)
    stream = Stream(hub, engine.market, keys, lambda: NOW_NS)
    local = LocalRoutes(engine, views, Tape(), Rates((), no_top), {}, keys, ask, lambda: NOW_NS)
    page = (Dashboard(), SessionRoutes(keys, Sessions(lambda: NOW_NS)))
    return engine, Server(market, quotes, operations, orders, house, local, stream, *page, meters=meters)


def no_top(venue: str, instrument: str) -> str:
    return f"{venue} has no {instrument} here"


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    _, server = service()
    async with TestClient(TestServer(server.app)) as client:
        yield client


async def test_a_book_is_merged_with_each_levels_venues(client: Any) -> None:
    answer = await client.get("/v1/books/BTC-USDT?depth=5")
    assert answer.status == 200
    assert await answer.json() == {
        "symbol": "BTC/USDT",
        "view": "gross",
        "as_of_ns": NOW_NS,
        "oldest_ns": NOW_NS - 9,
        "crossed": False,
        "bids": [["100", "4", {"binance": "2", "huobi": "2"}]],
        "asks": [["101", "2", {"binance": "2"}], ["102.5", "2", {"huobi": "2"}]],
        "venues": ["binance", "huobi"],
        "excluded": {},
    }


async def test_net_prices_have_each_venues_taker_fee_in_them(client: Any) -> None:
    book = await (await client.get("/v1/books/btc-usdt?view=net")).json()
    assert [level[0] for level in book["bids"]] == ["99.9", "99.8"]
    assert [level[0] for level in book["asks"]] == ["101.101", "102.705"]


async def test_only_the_venues_asked_for(client: Any) -> None:
    book = await (await client.get("/v1/books/BTC-USDT?venues=huobi")).json()
    assert book["venues"] == ["huobi"]
    assert book["asks"] == [["102.5", "2", {"huobi": "2"}]]


async def test_a_book_that_is_lost_is_excluded_with_its_reason() -> None:
    engine, server = service()
    engine.apply(BookLost("huobi", BTC.name, NOW_NS, "gap: an update is missing", gap=True))
    async with TestClient(TestServer(server.app)) as client:
        book = await (await client.get("/v1/books/BTC-USDT")).json()
        assert book["excluded"] == {"huobi": "syncing: gap: an update is missing"}
        venue = await (await client.get("/v1/venues/huobi")).json()
    health = venue["books"]["BTC/USDT"]
    assert (health["health"], health["reason"], health["gaps"]) == ("syncing", "gap: an update is missing", 1)
    assert health["since_ns"] == NOW_NS


async def test_venues_tell_their_health_and_their_connections(client: Any) -> None:
    venues = (await (await client.get("/v1/venues")).json())["venues"]
    assert [venue["venue"] for venue in venues] == ["binance", "huobi"]
    binance = venues[0]
    assert (binance["state"], binance["display"], binance["route"]) == ("active", True, False)
    assert binance["connection"] == CONNECTION
    assert binance["books"]["BTC/USDT"]["received_ns"] == NOW_NS - 5


async def test_instruments_tell_their_rules_and_fees(client: Any) -> None:
    (instrument,) = (await (await client.get("/v1/instruments")).json())["instruments"]
    assert instrument["symbol"] == "BTC/USDT"
    assert instrument["listings"][1] == {
        "venue": "huobi",
        "symbol": "BTCUSDT",
        "tick": "0.01",
        "lot": "0.001",
        "minimum_quantity": "0",
        "minimum_notional": "0",
        "maker_fee": "0",
        "taker_fee": "0.002",
        "tradable": True,
    }


@pytest.mark.parametrize(
    ("path", "status", "code", "remedy"),
    [
        ("/v1/books/NOPE-USDT", 404, "unknown_instrument", "there are BTC/USDT"),
        ("/v1/books/BTC-USDT?depth=0", 400, "bad_parameter", "from 1 to 1000"),
        ("/v1/books/BTC-USDT?depth=1001", 400, "bad_parameter", "from 1 to 1000"),
        ("/v1/books/BTC-USDT?depth=%E0%A5%AB", 400, "bad_parameter", "from 1 to 1000"),
        ("/v1/books/BTC-USDT?depth=" + "9" * 500, 400, "bad_parameter", "from 1 to 1000"),
        ("/v1/books/BTC-USDT?depth=" + "9" * 5000, 414, "uri_too_long", "at most 2048"),
        ("/v1/books/BTC-USDT?depth=5&depth=6", 400, "bad_parameter", "give it once"),
        ("/v1/books/BTC-USDT?dept=5", 400, "bad_parameter", "takes depth, view, venues"),
        ("/v1/venues?x", 400, "bad_parameter", "takes none"),
        ("/v1/books/BTC-USDT?view=fair", 400, "bad_parameter", "gross or net"),
        ("/v1/books/BTC-USDT?venues=kraken", 400, "bad_parameter", "binance, huobi"),
        ("/v1/books/BTC-USDT?venues=", 400, "bad_parameter", "binance, huobi"),
        ("/v1/venues/kraken", 404, "unknown_venue", "binance, huobi"),
        ("/v1/nothing", 404, "unknown_route", "/openapi.json"),
        ("/v1/books/..%2F..%2Fetc", 404, "unknown_instrument", "BTC/USDT"),
    ],
)
async def test_errors_are_problem_documents_that_name_the_remedy(
    client: Any, path: str, status: int, code: str, remedy: str
) -> None:
    answer = await client.get(path)
    problem = await answer.json()
    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert (problem["status"], problem["code"]) == (status, code)
    assert remedy in problem["detail"]


async def test_a_wrong_method_says_which_are_right(client: Any) -> None:
    answer = await client.post("/v1/venues")
    assert (answer.status, (await answer.json())["code"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


async def test_health_readiness_and_metrics(client: Any) -> None:
    assert await (await client.get("/health")).json() == {"status": "ok", "inbox": 3}
    ready = await client.get("/ready")
    assert (ready.status, (await ready.json())["live_books"]) == (200, 2)
    text = await (await client.get("/metrics")).text()
    assert 'aggregator_book_health{health="live",instrument="BTC/USDT",venue="binance"} 1.0' in text
    assert 'aggregator_venue_clock_offset_seconds{venue="huobi"} -0.0015' in text
    assert "aggregator_inbox_batches 3.0" in text


async def test_a_service_without_a_live_book_is_not_ready() -> None:
    engine, server = service()
    for venue in ("binance", "huobi"):
        engine.apply(BookLost(venue, BTC.name, NOW_NS, "disconnected"))
    async with TestClient(TestServer(server.app)) as client:
        answer = await client.get("/ready")
        assert answer.status == 503
        assert (await answer.json())["not_live"]["binance BTC/USDT"] == "syncing: disconnected"


async def test_rejected_frames_of_no_known_symbol_are_counted_for_the_venue() -> None:
    engine, server = service()
    engine.apply(FrameRejected("binance", NOW_NS, "not JSON"))
    async with TestClient(TestServer(server.app)) as client:
        assert (await (await client.get("/v1/venues/binance")).json())["rejected_frames"] == 1


async def test_a_port_that_is_taken_is_said_to_be_so() -> None:
    _, first = service()
    _, second = service()
    root = await first.open("127.0.0.1", 0)
    try:
        with pytest.raises(CannotListen, match="choose another port"):
            await second.open("127.0.0.1", int(root.rpartition(":")[2]))
    finally:
        await first.close()
