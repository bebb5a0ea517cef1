"""A venue that does nothing but send: Binance's paths, one book, frames that were made before.

A process of its own, so that none of its work counts as a contestant's. `/_play?rate=1000` lets it send the frames to
all who are connected, that many a second, and without a rate as fast as they are read. The first line that it prints
is its address.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from tests.benchmarks.frames import SYMBOL, Feed, synthetic

AT_ONCE = 32
"""Frames that are written together when they are sent as fast as possible."""

MARKET = {
    "symbol": SYMBOL,
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "isSpotTradingAllowed": True,
    "permissionSets": [["SPOT"]],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.00", "stepSize": "0.00000001"},
    ],
}


class LiveServer:
    def __init__(self, feed: Feed) -> None:
        self._wrapped = [_bytes(frame) for frame in feed.frames]
        self._bare = [_bytes(json.dumps(json.loads(frame)["data"], separators=(",", ":"))) for frame in feed.frames]
        self._snapshot = feed.snapshot
        self._clients: dict[asyncio.StreamWriter, list[bytes]] = {}
        self._playing: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        print(f"{host}:{port}", flush=True)
        await server.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = ServerProtocol()
        try:
            while data := await reader.read(65536):
                protocol.receive_data(data)
                for event in protocol.events_received():
                    if isinstance(event, Request):
                        protocol.send_response(self._answer(protocol, event, writer))
                    elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                        request = json.loads(event.data)
                        protocol.send_text(json.dumps({"result": None, "id": request["id"]}).encode())
                for out in protocol.data_to_send():
                    writer.write(out) if out else writer.close()
        except ConnectionError:
            pass
        finally:
            self._clients.pop(writer, None)
            writer.close()

    def _answer(self, protocol: ServerProtocol, request: Request, writer: asyncio.StreamWriter) -> Response:
        url = urlsplit(request.path)
        if url.path in ("/ws", "/stream") or url.path.startswith("/ws/"):
            self._clients[writer] = self._wrapped if url.path == "/stream" else self._bare
            return protocol.accept(request)
        if url.path == "/_play":
            rate = int(parse_qs(url.query).get("rate", ["0"])[0])
            for client, frames in self._clients.items():
                play = _paced(client, frames, rate) if rate else _flooded(client, frames)
                self._playing.add(task := asyncio.create_task(play))
                task.add_done_callback(self._playing.discard)
        texts = {
            "depth": self._snapshot,
            "time": json.dumps({"serverTime": time.time_ns() // 1_000_000}),
            "exchangeInfo": json.dumps({"symbols": [MARKET]}),
        }
        response = protocol.reject(200, texts.get(url.path.rpartition("/")[2], "{}"))
        response.headers["Content-Type"] = "application/json"
        return response


async def _flooded(client: asyncio.StreamWriter, frames: list[bytes]) -> None:
    for start in range(0, len(frames), AT_ONCE):
        client.write(b"".join(frames[start : start + AT_ONCE]))
        await client.drain()


async def _paced(client: asyncio.StreamWriter, frames: list[bytes], rate: int) -> None:
    """Each frame in a write of its own, when its time has come."""
    begin = time.perf_counter()
    for frame, due in zip(frames, _times(begin, rate), strict=False):
        while (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        client.write(frame)
        await client.drain()


def _times(begin: float, rate: int) -> Iterator[float]:
    number = 0
    while True:
        yield begin + number / rate
        number += 1


def _bytes(text: str) -> bytes:
    """As it goes over the wire."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


if __name__ == "__main__":
    changes, messages = map(int, sys.argv[1:])
    asyncio.run(LiveServer(synthetic(changes, messages, seed=changes)).serve())
