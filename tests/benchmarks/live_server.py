"""A venue that does nothing but send: Binance's paths, books that are all alike, frames that were made before.

A process of its own, so that none of its work counts as a contestant's. `/_play?frames=5000&rate=1000` lets it send
the next so many frames to each who is connected, that many a second, and with a rate of 0 as fast as they are read. The
first line that it prints is its address.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from itertools import islice
from urllib.parse import parse_qs, urlsplit

from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from tests.benchmarks.frames import SYMBOL, Feed, synthetic

AT_ONCE = 32
"""Frames that are written together when they are sent as fast as possible."""

FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.00", "stepSize": "0.00000001"},
]


class Client:
    """`frames` are sent in their order, each once."""

    def __init__(self, writer: asyncio.StreamWriter, frames: list[bytes]) -> None:
        self._writer = writer
        self._frames = iter(frames)

    async def play(self, count: int, rate: int) -> None:
        if rate:
            await self._paced(count, rate)
        else:
            for start in range(0, count, AT_ONCE):
                await self._send(min(AT_ONCE, count - start))

    async def _paced(self, count: int, rate: int) -> None:
        """Every ms what is due by then."""
        begin, sent = time.perf_counter(), 0
        while sent < count:
            due = min(int((time.perf_counter() - begin) * rate) + 1, count)
            if due > sent:
                await self._send(due - sent)
                sent = due
            await asyncio.sleep(0.001)

    async def _send(self, count: int) -> None:
        self._writer.write(b"".join(islice(self._frames, count)))
        await self._writer.drain()


class LiveServer:
    """The feed's frames, for each of the symbols in turn."""

    def __init__(self, feed: Feed, symbols: Sequence[str]) -> None:
        self._texts = [
            frame.replace(SYMBOL, symbol).replace(SYMBOL.lower(), symbol.lower())
            for frame in feed.frames
            for symbol in symbols
        ]
        self._wire: dict[bool, list[bytes]] = {}
        self._snapshot = feed.snapshot
        self._markets = json.dumps({"symbols": [_market(symbol) for symbol in symbols]})
        self._clients: dict[asyncio.StreamWriter, Client] = {}
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
                        request = json.loads(bytes(event.data))
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
        if url.path.startswith(("/ws", "/stream")):
            self._clients[writer] = Client(writer, self._frames(is_wrapped=url.path == "/stream"))
            return protocol.accept(request)
        if url.path == "/_play":
            count, rate = (int(parse_qs(url.query)[name][0]) for name in ("frames", "rate"))
            for client in self._clients.values():
                self._playing.add(task := asyncio.create_task(client.play(count, rate)))
                task.add_done_callback(self._playing.discard)
        texts = {
            "depth": self._snapshot,
            "time": json.dumps({"serverTime": time.time_ns() // 1_000_000}),
            "exchangeInfo": self._markets,
        }
        response = protocol.reject(200, texts.get(url.path.rpartition("/")[2], "{}"))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        return response

    def _frames(self, *, is_wrapped: bool) -> list[bytes]:
        """As they go over the wire: each in the name of its stream, or without."""
        if is_wrapped not in self._wire:
            texts = self._texts if is_wrapped else [text.partition('"data":')[2][:-1] for text in self._texts]
            self._wire[is_wrapped] = [Frame(Opcode.TEXT, text.encode()).serialize(mask=False) for text in texts]
        return self._wire[is_wrapped]


def _market(symbol: str) -> dict[str, object]:
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": symbol.removesuffix("USDT"),
        "quoteAsset": "USDT",
        "isSpotTradingAllowed": True,
        "permissionSets": [["SPOT"]],
        "filters": FILTERS,
    }


if __name__ == "__main__":
    changes, messages, *symbols = sys.argv[1:]
    asyncio.run(LiveServer(synthetic(int(changes), int(messages), seed=int(changes)), symbols).serve())
