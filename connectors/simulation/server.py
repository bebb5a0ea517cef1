"""Simulated venues on real sockets of this machine: websockets and HTTP on one port for each venue.

Beside the venue's own paths there is `/_simulator/faults`: GET tells which faults are on, POST switches one on
(`{"name": "silent", "symbol": ..., ...}`), DELETE switches one off (`?name=silent`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from aiohttp import WSMsgType, web

from connectors.simulation.contract import Hangup, HttpRequest, Outgoing, Ping, Push
from connectors.simulation.fault_kinds import DROPPED
from connectors.simulation.faults import FaultRefused, Faults

CONTROL = "/_simulator/faults"
FRAMES_WAITING_AT_MOST = 4096
"""Per client; one that reads more slowly than its venue speaks is cut off, as real venues do."""

SHORTEST_NAP_S = 0.001


class Client:
    """A websocket, and the frames on their way to it."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self.socket = socket
        self._transport = transport
        self._queue: asyncio.Queue[Outgoing] = asyncio.Queue(FRAMES_WAITING_AT_MOST)

    def hand(self, out: Outgoing) -> None:
        try:
            self._queue.put_nowait(out)
        except asyncio.QueueFull:
            self.abort()

    def abort(self) -> None:
        """End it without a closing handshake."""
        if self._transport is not None:
            self._transport.abort()

    async def write(self) -> None:
        """Until the venue hangs up or the client has gone."""
        with suppress(ConnectionError):
            while True:
                match await self._queue.get():
                    case Push(_, str() as text):
                        await self.socket.send_str(text)
                    case Push(_, bytes() as frame):
                        await self.socket.send_bytes(frame)
                    case Ping():
                        await self.socket.ping()
                    case Hangup(_, code, _) if code == DROPPED:
                        self.abort()
                        return
                    case Hangup(_, code, reason):
                        await self.socket.close(code=code, message=reason.encode())
                        return


class SimulatorServer:
    """One venue, with faults that can be switched while it runs."""

    def __init__(self, venue: Faults, clock_ns: Callable[[], int]) -> None:
        self.venue = venue
        self._clock_ns = clock_ns
        self._clients: dict[int, Client] = {}
        self._numbers = count(1)
        self._told = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", CONTROL, self._control)
        app.router.add_route("*", "/{path:.*}", self._any)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)

    @property
    def clients(self) -> int:
        """Websockets that are open."""
        return len(self._clients)

    async def open(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns `host:port`. Port 0 takes any that is free."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        address = self._runner.addresses[0]
        return f"{address[0]}:{address[1]}"

    async def run(self) -> None:
        """Let the venue's time pass, until cancelled."""
        while True:
            self._deliver(self.venue.woken(self._clock_ns()))
            await asyncio.sleep(SHORTEST_NAP_S)
            self._told.clear()
            nap_s = (self.venue.wake_at_ns() - self._clock_ns()) / 1e9
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), max(nap_s, 0))

    async def close(self) -> None:
        for client in self._clients.values():
            client.abort()
        await self._runner.cleanup()

    def _deliver(self, outgoing: list[Outgoing]) -> None:
        """Hand out what the venue says. It was told something, so it may want to be woken sooner than before."""
        self._told.set()
        for out in outgoing:
            client = self._clients.get(out.client)
            if client is not None:
                client.hand(out)

    async def _any(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request)
        http = HttpRequest(request.method, request.path_qs, dict(request.headers), await request.read())
        reply = self.venue.requested(http, self._clock_ns())
        self._told.set()  # it may have something to say on its websockets now
        await asyncio.sleep(self.venue.reply_delay_ns(http, self._clock_ns()) / 1e9)
        if reply.status == 0:
            return _no_reply(request)
        return web.Response(
            status=reply.status, body=reply.body, headers={"Content-Type": "application/json", **reply.headers}
        )

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        if self.venue.refuses(self._clock_ns()):
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(compress=False, timeout=1, autoping=False)
        await socket.prepare(request)
        number = next(self._numbers)
        client = self._clients[number] = Client(socket, request.transport)
        self._deliver(self.venue.connected(number, request.path_qs, self._clock_ns()))
        writing = asyncio.create_task(client.write())
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._deliver(self.venue.received(number, message.data, self._clock_ns()))
                elif message.type is WSMsgType.PING and self.venue.answers_pings(self._clock_ns()):
                    await socket.pong(message.data)
        finally:
            writing.cancel()
            del self._clients[number]
            self.venue.disconnected(number, self._clock_ns())
        return socket

    async def _control(self, request: web.Request) -> web.Response:
        try:
            if request.method == "POST":
                options = json.loads(await request.text())
                self.venue.switch_on(options.pop("name"), **options)
            elif request.method == "DELETE":
                self.venue.switch_off(request.query.get("name", ""))
        except (FaultRefused, ValueError, KeyError, TypeError, AttributeError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        self._told.set()
        return web.json_response({"venue": self.venue.name, "faults": self.venue.active()})


def _no_reply(request: web.Request) -> web.Response:
    """Nothing can be written any more on a connection that is cut, though the library wants something to write."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
