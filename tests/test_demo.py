"""The whole on real sockets of this machine: four simulated venues, followed live, broken and healed in sight."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aggregator.api.client import Answered, Api, Unreachable, find_access
from aggregator.api.server import CannotListen
from aggregator.assembly import Service, SimulatedVenues, demo, recorded_conversations
from aggregator.config.files import Configuration, load_configuration
from aggregator.engine.digest import book_sha256
from aggregator.records.replay import Replay
from aggregator.service.captures import read_captures
from aggregator.service.clock import SystemClock
from aggregator.service.recorder import Recorder
from tests.lives import Life, until

ROOT = Path(__file__).parents[1]
VENUES = ["binance", "cryptocom", "gateio", "huobi"]
PATIENCE_S = 60
"""Far more than anything here takes: no test is to depend on how fast the machine is."""


def configuration(**listen: Any) -> Configuration:
    loaded = load_configuration(ROOT / "config" / "demo.yaml")
    address = loaded.settings.listen.model_copy(update={"port": 0} | listen)
    return replace(loaded, settings=loaded.settings.model_copy(update={"listen": address}))


@asynccontextmanager
async def running_demo(folder: Path) -> AsyncIterator["Client"]:
    stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(demo(configuration(), 7, folder, stop, started.set_result))
    try:
        await asyncio.wait([started, running], return_when=asyncio.FIRST_COMPLETED)
        async with aiohttp.ClientSession() as http:
            yield Client(started.result(), http)
    finally:
        stop.set()
        await running


class Client:
    def __init__(self, root: str, http: aiohttp.ClientSession) -> None:
        self._root = root
        self._http = http

    async def get(self, path: str) -> Any:
        async with self._http.get(self._root + path) as answer:
            return await answer.json()

    async def fault(self, venue: str, method: str, **fault: Any) -> None:
        rest = (await self.get(f"/v1/venues/{venue}"))["rest"]
        query = {"name": fault["name"]} if method == "DELETE" else None
        async with self._http.request(method, f"{rest}/_simulator/faults", json=fault, params=query) as answer:
            assert answer.status == 200, await answer.text()

    async def until(self, path: str, holds: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while not holds(answer := await self.get(path)):
                await asyncio.sleep(0.05)
            return answer


def has_venues(*venues: str) -> Callable[[Any], bool]:
    return lambda book: sorted(book.get("venues", ())) == sorted(venues)


async def test_four_venues_make_one_book_and_a_broken_one_leaves_it_with_its_reason(tmp_path: Path) -> None:
    async with running_demo(tmp_path) as client:
        await client.until("/ready", lambda ready: ready["live_books"] == 40)
        book = await client.get("/v1/books/BTC-USDT")
        assert (sorted(book["venues"]), book["excluded"]) == (VENUES, {})
        assert {venue for side in ("bids", "asks") for level in book[side] for venue in level[2]} == set(VENUES)

        await client.fault("gateio", "POST", name="crossed", symbol="BTC_USDT")
        book = await client.until("/v1/books/BTC-USDT", has_venues("binance", "cryptocom", "huobi"))
        assert "gateio" in book["excluded"]
        assert has_venues(*VENUES)(await client.get("/v1/books/ETH-USDT")), "only one book was broken"

        await client.fault("gateio", "DELETE", name="crossed")
        await client.until("/v1/books/BTC-USDT", has_venues(*VENUES))
        assert (await client.get("/v1/venues/gateio"))["books"]["BTC/USDT"]["crossed"] >= 1


async def test_connections_that_break_come_back_and_the_other_venues_go_on(tmp_path: Path) -> None:
    async with running_demo(tmp_path) as client:
        await client.until("/ready", lambda ready: ready["live_books"] == 40)
        for venue, fault in (("binance", "disconnect"), ("huobi", "cut")):
            await client.fault(venue, "POST", name=fault)
        await client.until("/v1/venues/binance", lambda venue: venue["connection"]["connects"] >= 2)
        await client.until("/v1/venues/huobi", lambda venue: venue["connection"]["connects"] >= 2)
        await client.until("/v1/books/BTC-USDT", has_venues(*VENUES))
        assert (await client.get("/v1/venues/cryptocom"))["connection"]["connects"] == 1


async def test_a_recording_of_the_demo_replays_to_the_same_books(tmp_path: Path) -> None:
    clock_ns, stop = SystemClock(), asyncio.Event()
    venues = SimulatedVenues(configuration(), 7, clock_ns)
    with Recorder(tmp_path / "demo.jsonl.gz", "a test") as recorder:
        try:
            service = Service(await venues.open(), clock_ns, recorder)
            simulating = asyncio.create_task(venues.run())
            running = asyncio.create_task(service.run(stop))
            async with asyncio.timeout(PATIENCE_S):
                while _live(service) < 40:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(1)
            stop.set()
            await running
            simulating.cancel()
        finally:
            await venues.close()
    replay = Replay(recorded_conversations(ROOT / "config"))
    replay.play(read_captures([tmp_path / "demo.jsonl.gz"]))
    assert replay.faults == []
    recorded = {(book.venue, book.listing.symbol): book_sha256(book) for book in replay.market}
    assert recorded == {(book.venue, book.listing.symbol): book_sha256(book) for book in service.engine.market}
    assert len(recorded) == 40


def _live(service: Service) -> int:
    return sum(book.is_live for book in service.engine.market)


async def test_a_venue_that_cannot_be_reached_has_its_reason_and_the_others_go_on() -> None:
    """Nothing listens at Binance's address, and at HTX's something that is no websocket does."""
    clock_ns, stop = SystemClock(), asyncio.Event()
    silent = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{unused.getsockname()[1]}"
    venues = SimulatedVenues(configuration(), 7, clock_ns)
    try:
        moved = {"binance": nowhere, "huobi": f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"}
        opened = await venues.open()
        service = Service(replace(opened, venues=tuple(_at(venue, moved) for venue in opened.venues)), clock_ns)
        simulating = asyncio.create_task(venues.run())
        running = asyncio.create_task(service.run(stop))
        async with asyncio.timeout(PATIENCE_S):
            while _live(service) < 20:
                await asyncio.sleep(0.05)
            for venue in moved:
                while not service.fleet.connectors[venue].status().last_failure:
                    await asyncio.sleep(0.05)
        assert _live(service) == 20
        assert nowhere in service.fleet.connectors["binance"].status().last_failure
        assert "did not open" in service.fleet.connectors["huobi"].status().last_failure
        stop.set()
        await running
        simulating.cancel()
    finally:
        silent.close()
        await venues.close()


def _at(venue: Any, moved: dict[str, str]) -> Any:
    if venue.venue not in moved:
        return venue
    address = moved[venue.venue]
    endpoints = {"stream": f"ws://{address}/ws", "rest": f"http://{address}"}
    if venue.endpoints.feed:
        endpoints["feed"] = f"ws://{address}/feed"
    return venue.model_copy(update={"endpoints": venue.endpoints.model_copy(update=endpoints)})


async def test_a_port_that_is_taken_stops_the_start_with_its_reason(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}"):
            await demo(configuration(port=port), 7, tmp_path, asyncio.Event(), lambda root: None)


async def test_a_demo_that_is_killed_meets_the_same_venues_and_orders_again(tmp_path: Path) -> None:
    left = tmp_path / "var" / "demo" / "venues.json"
    order = {"client_order_id": "rests", "symbol": "BTC/USDT", "side": "buy", "type": "limit", "quantity": "0.1"}
    lives: list[Life] = []
    try:
        lives.append(await started(tmp_path))
        venues, api = json.loads(left.read_text()), demo_api(tmp_path)
        mid = Decimal((await asyncio.to_thread(api.book, "BTC/USDT", 1, "gross"))["bids"][0][0])
        terms = {**order, "limit_price": str(int(mid * 9 / 10)), "time_in_force": "GTC", "post_only": True}
        placed = await until_taken(api, terms)
        await lives[0].kill()

        lives.append(await started(tmp_path))
        assert json.loads(left.read_text()) == venues, "other venues than before"
        api = demo_api(tmp_path)
        found = await asyncio.to_thread(api.order, "client:rests")
        assert (found["order_id"], found["state"]) == (placed["order_id"], "working")
        assert (await asyncio.to_thread(api.place, terms))["order_id"] == placed["order_id"]
        canceled = await asyncio.to_thread(api.cancel_all)
        assert [child["state"] for child in canceled["orders"][0]["children"]] == ["unfilled"]
        assert await lives[1].stop() == 0, lives[1].told
        await until(lambda: asyncio.to_thread(has_gone, left))
    finally:
        for life in lives:
            await life.leave()
        if left.exists():
            os.kill(json.loads(left.read_text())["pid"], signal.SIGKILL)


async def started(folder: Path) -> Life:
    """A demo of that folder, once every account is reconciled."""
    life = await Life.begin("demo", "--port", "0", cwd=folder, environment={})
    await life.root()
    await until(lambda: takes_orders(folder))
    return life


def demo_api(folder: Path) -> Api:
    """As commands that run in that folder find it."""
    return Api(find_access(None, {}, folder / "var" / "demo" / "client.json"))


async def takes_orders(folder: Path) -> bool:
    try:
        return not (await asyncio.to_thread(demo_api(folder).get, "/ready"))["no_orders"]
    except (Answered, Unreachable):
        return False


async def until_taken(api: Api, terms: dict[str, Any]) -> dict[str, Any]:
    """The order, once its child rests at a venue."""
    await asyncio.to_thread(api.place, terms)

    async def is_working() -> bool:
        order = await asyncio.to_thread(api.order, "client:rests")
        return [child["state"] for child in order["children"]] == ["working"]

    await until(is_working)
    return await asyncio.to_thread(api.order, "client:rests")


def has_gone(left: Path) -> bool:
    """The venues take their file away when they end."""
    return not left.exists()
