"""The stream: how long a venue's frame takes to a reader, beside a relay that only passes frames on; and what two
hundred readers of one instrument take from the engine.

Venue, service, relay and readers are processes of their own; the lines on their input say what to do next.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from time import perf_counter, process_time
from typing import Any
from urllib.request import urlopen

from aiohttp import ClientSession, ClientWebSocketResponse, TCPConnector, WSMsgType, web

from aggregator.assembly import Service
from aggregator.books.venue_book import VenueBook
from tests.benchmarks.contest import Figure
from tests.benchmarks.frames import SYMBOL
from tests.benchmarks.live_players import INSTRUMENT, LOOK_EVERY_S, Game, play, service_on
from tests.benchmarks.processes import python

CHANGES = 40
FRAMES, ROUNDS = 300, 5
OFTEN = 100
"""Frames and refreshes in a second, where the cost of a refresh is measured."""

READERS = 200
LOST_AT_MOST = 0.1
"""What the readers may take of the engine's rate."""

SAMPLES = 100
RATES = (10, 1000)
"""Refreshes in a second: as configured by default, and as often as may be."""

SUBSCRIBE = {"op": "subscribe", "channel": "book", "symbol": INSTRUMENT, "depth": 50}


def run() -> Iterator[Figure]:
    for rate in RATES:
        ours, theirs = _latencies(rate)
        yield Figure(f"stream, frame to reader, {rate} refreshes/s", "ms", ours, theirs)
    yield _readers()


def _latencies(rate: int) -> tuple[float, float]:
    """The median in ms through the service, and through the relay."""
    with (
        python("tests.benchmarks.live_server", str(CHANGES), str(2 * SAMPLES), SYMBOL) as venue,
        python("tests.benchmarks.stream_contest", "service", host := venue.line(), str(rate)) as service,
        python("tests.benchmarks.stream_contest", "relay", host) as relay,
    ):
        return asyncio.run(_sampled(host, service.line(), relay.line()))


async def _sampled(host: str, root: str, relay: str) -> tuple[float, float]:
    async with ClientSession() as http, http.ws_connect(f"{root}/v1/stream") as ours, http.ws_connect(relay) as theirs:
        await ours.send_json(SUBSCRIBE)
        await _sequence(ours)
        taken: list[tuple[float, float]] = []
        for number in range(SAMPLES):
            # At no fixed phase of the refreshes.
            await asyncio.sleep(0.02 + 0.001 * (number * 37 % 100))
            begin = perf_counter()
            async with http.get(f"http://{host}/_play?frames=1&rate=0"):
                pass
            relayed = await _arrival(theirs)
            told = await _arrival(ours)
            taken.append(((told - begin) * 1000, (relayed - begin) * 1000))
        ours_ms, theirs_ms = (median(times) for times in zip(*taken, strict=True))
        return ours_ms, theirs_ms


async def _arrival(socket: ClientWebSocketResponse) -> float:
    async with asyncio.timeout(10):
        while (await socket.receive()).type is not WSMsgType.TEXT:
            pass
        return perf_counter()


async def _sequence(socket: ClientWebSocketResponse) -> int:
    async with asyncio.timeout(10):
        return int((await socket.receive_json())["sequence"])


def _readers() -> Figure:
    """What a round of news to all readers takes of the processor, times the rounds in a second. Measured over many
    rounds of an otherwise idle service: in a flood of frames it drowns in the differences between two floods."""
    case = f"stream, {READERS} readers, {RATES[0]} refreshes/s: taken from the engine"
    with (
        python("tests.benchmarks.live_server", str(CHANGES), str(2 * ROUNDS * FRAMES), SYMBOL) as venue,
        python("tests.benchmarks.stream_contest", "service", host := venue.line(), str(OFTEN)) as service,
        python("tests.benchmarks.stream_contest", "readers", root := service.line()) as readers,
    ):
        game = json.dumps(Game(host, OFTEN, FRAMES, 0))
        alone: list[float] = []
        shared: list[tuple[float, float]] = []
        for _ in range(ROUNDS):
            readers.ask("0")
            alone.append(float(service.ask(game)))
            if int(readers.ask(str(READERS))) != READERS:
                return Figure(case, faulty="not every reader got its snapshot")
            before = _sent(root)
            seconds = float(service.ask(game))
            shared.append((seconds, (_sent(root) - before) / READERS))
    taken = median((seconds - median(alone)) / rounds for seconds, rounds in shared) * RATES[0]
    return Figure(case, "ms/s", taken * 1000, ours_at_most=LOST_AT_MOST * 1000)


def _sent(root: str) -> float:
    """Messages about books, to all readers, since the start."""
    with urlopen(f"{root}/metrics") as answer:
        text = answer.read().decode()
    found = re.search(r'^aggregator_stream_messages_total{channel="book"} (\S+)', text, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


async def serve(host: str, rate: str) -> None:
    """The service on one venue. For each Game it prints the seconds of processor that the frames took it."""
    service = service_on(host, ["binance"], [INSTRUMENT], int(rate))
    stop, root = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(service.serve(stop, root.set_result))
    book = await _live_book(service)
    print(await root, flush=True)
    async for line in _lines():
        game = Game(*json.loads(line))
        last = book.counters.updates + game.frames
        begin = process_time()
        await play(game)
        while book.counters.updates < last:
            await asyncio.sleep(LOOK_EVERY_S)
        print(process_time() - begin, flush=True)
    stop.set()
    await serving


async def _live_book(service: Service) -> VenueBook:
    while not any(book.is_live for book in service.engine.market):
        await asyncio.sleep(LOOK_EVERY_S)
    return next(iter(service.engine.market))


async def relay(host: str) -> None:
    """Passes every frame of the venue on, unread."""
    sockets: list[web.WebSocketResponse] = []

    async def take(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    app = web.Application()
    app.router.add_get("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession() as http, http.ws_connect(f"ws://{host}/stream") as venue:
        print(f"http://127.0.0.1:{runner.addresses[0][1]}/", flush=True)
        async for frame in venue:
            for socket in sockets:
                await socket.send_str(frame.data)


async def read(root: str) -> None:
    """For each line, a number, so many readers from then on; prints how many have their snapshot."""
    async with AsyncExitStack() as stack:
        async for line in _lines():
            await stack.aclose()
            http = await stack.enter_async_context(ClientSession(connector=TCPConnector(limit=0)))
            snapshots = [await stack.enter_async_context(_reading(http, root)) for _ in range(int(line))]
            print(len(snapshots), flush=True)


@asynccontextmanager
async def _reading(http: ClientSession, root: str) -> AsyncIterator[int]:
    """A reader that has its snapshot, and throws away what follows."""

    async def drain(socket: ClientWebSocketResponse) -> None:
        async for _ in socket:
            pass

    async with http.ws_connect(f"{root}/v1/stream") as socket:
        await socket.send_json(SUBSCRIBE)
        sequence = await _sequence(socket)
        draining = asyncio.create_task(drain(socket))
        try:
            yield sequence
        finally:
            draining.cancel()


async def _lines() -> AsyncIterator[str]:
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line


ROLES: dict[str, Callable[..., Awaitable[Any]]] = {"service": serve, "relay": relay, "readers": read}


async def main(role: str, *arguments: str) -> None:
    await ROLES[role](*arguments)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
