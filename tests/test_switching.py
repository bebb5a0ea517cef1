"""Venues come, change and go while the service runs, on real sockets of this machine; the others notice nothing."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from aggregator.assembly import Service, SimulatedVenues
from aggregator.assembly.simulated import credentials
from aggregator.client import Client
from aggregator.client.signing import Signer
from aggregator.config.files import load_configuration
from aggregator.config.keys import ApiKey
from aggregator.config.venues import load_venue
from aggregator.service.clock import SystemClock
from tests.paths import REPOSITORY

VENUES = REPOSITORY / "config" / "venues"
PATIENCE_S = 60
KEY = ApiKey(
    key="ops", secret="of-the-operator-that-nobody-else-knows", account="house", scopes=("read", "trade", "admin")
)

PROCESS = """\
venues: venues/
added: added/
listen: {port: 0, anonymous: [read]}
journal: journal.db
"""


class Running:
    """A service, and what an operator sees and does."""

    def __init__(self, service: Service, root: str, http: aiohttp.ClientSession) -> None:
        self.service = service
        self.root = root
        self._http = http
        self._signer = Signer(KEY.key, KEY.secret)
        self.refused: list[str] = []

    async def venues(self) -> dict[str, Any]:
        async with self._http.get(f"{self.root}/v1/venues") as answer:
            self.refused = (document := await answer.json())["refused"]
            return {venue["venue"]: venue for venue in document["venues"]}

    async def send(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        raw = json.dumps(body).encode()
        headers = self._signer.headers(method, path, raw)
        async with self._http.request(method, self.root + path, data=raw, headers=headers) as answer:
            return answer.status, await answer.json()

    async def taker_fee(self, venue: str) -> str | None:
        async with self._http.get(f"{self.root}/v1/instruments") as answer:
            (bitcoin,) = [one for one in (await answer.json())["instruments"] if one["symbol"] == "BTC/USDT"]
        return next((listing["taker_fee"] for listing in bitcoin["listings"] if listing["venue"] == venue), None)

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while not holds(venues := await self.venues()):
                await asyncio.sleep(0.05)
        return venues


class Place:
    """A folder with a configuration, and simulated venues that its files point at."""

    def __init__(self, folder: Path, addresses: dict[str, str]) -> None:
        self.folder = folder
        self._addresses = addresses
        (folder / "venues").mkdir()
        (folder / "process.yaml").write_text(PROCESS)

    def text_of(self, venue: str) -> str:
        path = VENUES / f"{venue}.yaml"
        text = path.read_text().replace("route: false", "route: true")
        urls = load_venue(path).endpoints.model_dump(exclude_none=True).values()
        for url in sorted(urls, key=len, reverse=True):
            parts = urlsplit(url)
            scheme = "ws" if parts.scheme == "wss" else "http"
            moved = parts._replace(scheme=scheme, netloc=self._addresses[venue]).geturl()
            text = re.sub(rf": {re.escape(url)}(?=\s)", f": {moved}", text)
        return text

    def file_of(self, venue: str) -> Path:
        return self.folder / "venues" / f"{venue}.yaml"

    def write(self, venue: str, *changes: tuple[str, str]) -> None:
        text = self.text_of(venue)
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        self.file_of(venue).write_text(text)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Running]:
        configuration = replace(load_configuration(self.folder / "process.yaml"), keys=(KEY,))
        stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
        service = Service(configuration, SystemClock(), credentials=credentials(self._addresses))
        task = asyncio.create_task(service.serve(stop, started.set_result))
        try:
            await asyncio.wait([started, task], return_when=asyncio.FIRST_COMPLETED)
            async with aiohttp.ClientSession() as http:
                yield Running(service, started.result(), http)
        finally:
            stop.set()
            await task


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    simulated = SimulatedVenues(load_configuration(REPOSITORY / "config" / "demo.yaml"), 7, SystemClock())
    addresses = await simulated.listen()
    playing = asyncio.create_task(simulated.run())
    yield Place(tmp_path, addresses)
    playing.cancel()
    with suppress(asyncio.CancelledError):
        await playing
    await simulated.close()


def all_live(venues: dict[str, Any], *names: str) -> bool:
    return all(
        name in venues
        and venues[name]["books"]
        and all(book["health"] == "live" for book in venues[name]["books"].values())
        for name in names
    )


async def test_a_venue_comes_changes_and_goes_while_an_order_lives_and_the_others_keep_their_sockets(
    place: Place,
) -> None:
    place.write("binance")
    place.write("huobi")
    async with place.running() as there, Client(there.root, KEY.key, KEY.secret) as client:
        await there.until(lambda venues: all_live(venues, "binance", "huobi"))
        await there.until(lambda venues: not there.service.engine.orders.reconciling)
        resting = await client.place("rests", "BTC/USDT", "buy", "0.01", limit_price="50000", time_in_force="GTC")
        before = (await there.venues())["huobi"]["connection"]["connects"]

        place.write("gateio")
        venues = await there.until(lambda venues: all_live(venues, "gateio"))
        assert venues["gateio"]["switched_by"] == "its file"
        await there.until(lambda venues: "gateio" not in there.service.engine.orders.reconciling)
        filled = await client.place("there", "BTC/USDT", "buy", "0.01", venues=["gateio"])
        async with asyncio.timeout(PATIENCE_S):
            while (filled := await client.order(filled.order_id)).state == "working":
                await asyncio.sleep(0.02)
        assert filled.state == "filled"

        place.write("gateio", ("taker: 0.002", "taker: 0.0015"))
        async with asyncio.timeout(PATIENCE_S):
            while await there.taker_fee("gateio") != "0.0015":
                await asyncio.sleep(0.05)
        await there.until(lambda venues: all_live(venues, "gateio"))

        place.file_of("gateio").unlink()
        venues = await there.until(lambda venues: "gateio" not in venues)
        assert venues["huobi"]["connection"]["connects"] == before
        assert venues["binance"]["connection"]["connects"] == 1
        assert (await client.order(resting.order_id)).state == "working"
        async with asyncio.timeout(PATIENCE_S):
            while "gateio" in (await client.book("BTC/USDT")).venues:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ((("taker: 0.002", "taker: a lot"),), ("huobi.yaml:", "taker")),
        ((("connector: huobi", "connector: nobody"),), ("huobi.yaml:", "there is no connector 'nobody'")),
        ((("tick: 0.01,", "tick: 0.0000000000000001,"),), ("huobi.yaml:", "decimals")),
        ((("venue: huobi", "venue: another"),), ("huobi.yaml:", "give both the same name")),
    ],
)
async def test_a_broken_file_is_refused_in_words_and_what_was_goes_on(
    place: Place, changes: tuple[tuple[str, str], ...], told: tuple[str, ...]
) -> None:
    place.write("binance")
    place.write("huobi")
    async with place.running() as there:
        before = await there.until(lambda venues: all_live(venues, "binance", "huobi"))
        place.write("huobi", *changes)
        after = await there.until(lambda venues: bool(there.refused))
        assert all(part in there.refused[0] for part in told)
        assert all(part in after["huobi"]["file_refused"] for part in told) and not after["binance"]["file_refused"]
        assert all_live(after, "binance", "huobi")
        assert after["huobi"]["connection"]["connects"] == before["huobi"]["connection"]["connects"]
        place.write("huobi")
        await there.until(lambda venues: not there.refused and not venues["huobi"]["file_refused"])


async def test_a_venue_is_taken_on_through_the_api_journaled_and_there_after_a_restart(place: Place) -> None:
    place.write("binance")
    body = {"file": place.text_of("cryptocom"), "reason": "more depth in BTC"}
    async with place.running() as there:
        await there.until(lambda venues: all_live(venues, "binance"))
        status, document = await there.send("POST", "/v1/venues", body)
        assert (status, document["switched_by"], document["reason"]) == (201, "ops", "more depth in BTC")
        await there.until(lambda venues: all_live(venues, "cryptocom"))
        assert (place.folder / "added" / "cryptocom.yaml").read_text() == body["file"]
        status, document = await there.send("POST", "/v1/venues", body)
        assert status == 422 and "cryptocom is followed already" in document["detail"]
        broken = {**body, "file": body["file"].replace("venue: cryptocom", "venue: other").replace("fees", "fess")}
        status, document = await there.send("POST", "/v1/venues", broken)
        assert status == 422 and "other.yaml:16:1: fess: unknown key; did you mean fees?" in document["detail"]
        assert sorted(path.name for path in (place.folder / "added").iterdir()) == ["cryptocom.yaml"]
    async with place.running() as there:
        venues = await there.until(lambda venues: all_live(venues, "binance", "cryptocom"))
        assert (venues["cryptocom"]["switched_by"], venues["cryptocom"]["reason"]) == ("ops", "more depth in BTC")


async def test_what_a_person_switched_off_stays_off_over_a_restart_until_a_person_says_otherwise(place: Place) -> None:
    place.write("binance")
    place.write("huobi")
    async with place.running() as there:
        await there.until(lambda venues: all_live(venues, "binance", "huobi"))
        status, document = await there.send("PATCH", "/v1/venues/huobi", {"state": "off", "reason": "a rumour"})
        assert (status, document["state"]) == (200, "off")
        await there.until(lambda venues: venues["huobi"]["connection"]["open_connections"] == 0)
    async with place.running() as there:
        venues = await there.until(lambda venues: all_live(venues, "binance"))
        assert (venues["huobi"]["state"], venues["huobi"]["switched_by"]) == ("off", "ops")
        assert venues["huobi"]["connection"]["connects"] == 0
        await there.send("PATCH", "/v1/venues/huobi", {"state": "active", "reason": "it was none"})
        await there.until(lambda venues: all_live(venues, "huobi"))
        await there.until(lambda venues: not there.service.engine.orders.reconciling)
