"""`GET /v1/stream`: books, venues, trades, orders and fills as they change, over a WebSocket."""

from __future__ import annotations

import asyncio
import socket as sockets
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web

from aggregator.api.auth import Keys, refuse_without
from aggregator.api.channels import Clock
from aggregator.api.order_lookup import account_of
from aggregator.api.problems import Code, Problem
from aggregator.api.routes import STREAM, WATCH, Endpoint, opened
from aggregator.api.stream_hub import Hub
from aggregator.api.stream_reader import Drop, Reader
from aggregator.api.stream_requests import (
    OWN,
    Login,
    Ping,
    Request,
    Subscribe,
    Unsubscribe,
    read_request,
    read_topic,
    refused,
    told,
)
from aggregator.engine.market import Market

HEARTBEAT_S = 15
"""When nothing was heard of a reader for so long the service pings it; half as long later it is taken for gone."""

CLOSE_PATIENCE_S = 2
SEND_BUFFER = 128 * 1024
"""Bytes that the kernel holds for a reader. What is in there only grows old."""

REQUESTS_AT_MOST = 100
"""Of one reader in a second."""

REQUEST_AT_MOST = 4096
"""Bytes."""

SILENT = "silent"
"""The word for a reader that did not answer a ping."""

SECOND = 1_000_000_000


class Stream:
    """Everything is for who signs the upgrade, has a session, or logs in; books, venues and trades may be open to all.
    `heartbeat_s` and `close_patience_s` are as above but in tests."""

    def __init__(
        self,
        hub: Hub,
        market: Market,
        keys: Keys,
        clock_ns: Clock,
        heartbeat_s: float = HEARTBEAT_S,
        close_patience_s: float = CLOSE_PATIENCE_S,
    ) -> None:
        self.hub = hub
        self._market = market
        self._keys = keys
        self._clock_ns = clock_ns
        self._heartbeat_s = heartbeat_s
        self._close_patience_s = close_patience_s

    def routes(self) -> list[Endpoint]:
        return [opened(STREAM, self.open)]

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Serves the reader until one of both ends it."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            detail = f"{STREAM.path} is a WebSocket: open it with a client of that protocol"
            raise Problem(400, Code.BAD_REQUEST, "not a WebSocket", detail)
        caller = await self._keys.caller_if_any(request)
        socket = web.WebSocketResponse(
            heartbeat=self._heartbeat_s,
            timeout=self._close_patience_s,
            max_msg_size=REQUEST_AT_MOST,
            compress=False,
        )
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the reader is gone")
        reader = Reader(_Wire(socket, transport), self._clock_ns, self.hub.tally, caller)
        self.hub.join(reader)
        try:
            await socket.prepare(request)
            _keep_short(request)
            await self._serve(reader, socket, request)
        finally:
            self.hub.part(reader, _word(reader, socket))
            # Closed only, it would wait for a reader that does not read to take in what is under way.
            transport.abort()
        return socket

    async def shut_down(self, _: web.Application) -> None:
        """Let everyone go, before the server closes."""
        self.hub.drop_all(Drop.STOPPING)

    async def _serve(self, reader: Reader, socket: web.WebSocketResponse, request: web.Request) -> None:
        pumping = asyncio.create_task(reader.pump())
        listening = asyncio.create_task(self._listen(reader, socket, request))
        try:
            ends: set[asyncio.Future[Any]] = {pumping, listening, reader.dropped}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pumping, listening):
                task.cancel()
            outcomes = await asyncio.gather(pumping, listening, return_exceptions=True)
        if reader.dropped.done():
            await self._hang_up(socket, reader.dropped.result())
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionError):
                raise outcome

    async def _hang_up(self, socket: web.WebSocketResponse, why: Drop) -> None:
        """Say why, and do not wait long for whoever does not listen."""
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(self._close_patience_s):
                await socket.close(code=why.code, message=why.told.encode(), drain=False)

    async def _listen(self, reader: Reader, socket: web.WebSocketResponse, request: web.Request) -> None:
        """Take in what it asks until it leaves."""
        allowance = _Allowance(self._clock_ns)
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            if not allowance.take():
                reader.drop(Drop.REQUESTS)
                return
            self._take(reader, message.data, request)

    def _take(self, reader: Reader, text: str | bytes, request: web.Request) -> None:
        asked: Request | None = None
        try:
            asked = read_request(text)
            self._carry_out(reader, asked, request)
        except Problem as problem:
            reader.answer(refused(problem, asked))

    def _carry_out(self, reader: Reader, asked: Request, request: web.Request) -> None:
        """Raises Problem."""
        if isinstance(asked, Ping):
            reader.answer(told("pong", as_of_ns=self._clock_ns()))
        elif isinstance(asked, Login):
            self._log_in(reader, asked, request)
        else:
            topic = read_topic(asked, self._market, self._account(reader, asked))
            if isinstance(asked, Subscribe):
                self.hub.subscribe(reader, topic)
            elif isinstance(asked, Unsubscribe):
                was_read = self.hub.unsubscribe(reader, topic)
                reader.answer(told("unsubscribed", was_subscribed=was_read, **topic.about()))

    def _log_in(self, reader: Reader, asked: Login, request: web.Request) -> None:
        if reader.caller is not None:
            detail = f"this connection is {reader.caller.key}'s already; open another one for another key"
            raise Problem(400, Code.BAD_REQUEST, "logged in already", detail)
        timestamp = str(asked.timestamp_ns)
        caller = self._keys.prove(request, asked.key, timestamp, asked.signature, "GET", STREAM.path, b"")
        reader.caller = caller
        reader.answer(told("logged_in", key=caller.key, account=caller.account))

    def _account(self, reader: Reader, asked: Subscribe | Unsubscribe) -> str:
        """Whose orders and fills the reader gets; empty for what is nobody's own. Raises Problem for what it may not
        see."""
        is_own = asked.channel in OWN
        if not is_own and not self._keys.are_needed(WATCH):
            return ""
        caller = reader.caller
        if caller is None:
            detail = "this stream is for holders of keys: sign the upgrade request, or send op login first"
            raise Problem(401, Code.KEY_REQUIRED, "key required", detail)
        if is_own:
            return account_of(caller, asked.account)
        refuse_without(WATCH, caller)
        return ""


class _Wire:
    """A reader's socket. What can leave at once is written past the library, whose way costs more than the sending."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self._socket = socket
        self._transport = transport

    def send_now(self, message: bytes) -> bool:
        transport = self._transport
        if transport.get_write_buffer_size() or transport.is_closing() or self._socket.closed:
            return False
        transport.write(frame_head(len(message)) + message)
        return True

    async def send(self, message: bytes) -> None:
        await self._socket.send_frame(message, WSMsgType.TEXT)


def frame_head(length: int) -> bytes:
    """Of a whole text frame that is neither masked nor compressed: RFC 6455, 5.2."""
    if length < 126:
        return bytes((0x81, length))
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")


class _Allowance:
    """So many requests in each second, by the clock."""

    def __init__(self, clock_ns: Clock) -> None:
        self._clock_ns = clock_ns
        self._since_ns = 0
        self._taken = 0

    def take(self) -> bool:
        now_ns = self._clock_ns()
        if now_ns - self._since_ns >= SECOND:
            self._since_ns, self._taken = now_ns, 0
        self._taken += 1
        return self._taken <= REQUESTS_AT_MOST


def _keep_short(request: web.Request) -> None:
    """Let what waits for a slow reader wait with us, where it is skipped, and not with the kernel."""
    socket = request.get_extra_info("socket")
    if socket is not None:
        socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, SEND_BUFFER)


def _word(reader: Reader, socket: web.WebSocketResponse) -> str:
    """Why it did not end by itself; empty when it did."""
    if reader.dropped.done():
        return reader.dropped.result().word
    return SILENT if isinstance(socket.exception(), TimeoutError) else ""
