"""What is asked for leaves once, byte by byte as it was signed, and a failure says whether it may have arrived."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from connectors.requests import NoAnswer, Requests, outcome
from connectors.trading import Call

METHODS = ["GET", "POST", "PUT", "DELETE"]
"""All but POST are sent again by the library itself, if it is let."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Told: Twice\r\n\r\n{}"
BROKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"


class Venue:
    """Reads requests, notes them, and writes what `reply` makes of how many have come. After BROKEN, and instead of a
    reply that is None, it closes the connection."""

    def __init__(self, reply: Callable[[int], bytes | None]) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._reply = reply

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await self._head(reader):
                self.requests.append(head + await reader.readexactly(_length(head)))
                reply = self._reply(len(self.requests))
                if reply is None:
                    break
                writer.write(reply)
                if reply == BROKEN:
                    break
        finally:
            writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""


def _length(head: bytes) -> int:
    fields = [line.partition(b":") for line in head.lower().split(b"\r\n")]
    return next((int(value) for name, _, value in fields if name == b"content-length"), 0)


@asynccontextmanager
async def served(reply: Callable[[int], bytes | None]) -> AsyncIterator[tuple[Venue, Requests]]:
    venue = Venue(reply)
    server = await asyncio.start_server(venue.meet, "127.0.0.1", 0)
    root = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/"
    async with server, Requests(root) as requests:
        yield venue, requests


async def test_a_call_is_sent_byte_by_byte() -> None:
    path = "/v1/order?symbol=A%2fB&z=%5b1%5D&a=b+c%20d&t=~'()*;:@&signature=x%2By%3d"
    body = '{"text":"é %2f", "b" : 1.10}'.encode()
    async with served(lambda _: OK) as (venue, requests):
        reply = await requests.send(Call("POST", path, body, {"X-Key": "k", "Content-Type": "application/json"}))
    assert (reply.status, reply.body, reply.headers["x-told"]) == (200, b"{}", "Twice")
    assert reply.url.endswith("/api" + path)
    (request,) = venue.requests
    assert request.startswith(b"POST /api" + path.encode() + b" HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n" + body)
    assert b"\r\nX-Key: k\r\n" in request
    assert b"\r\nContent-Type: application/json\r\n" in request


@pytest.mark.parametrize("method", METHODS)
async def test_without_a_body_none_is_sent(method: str) -> None:
    async with served(lambda _: OK) as (venue, requests):
        assert (await requests.send(Call(method, "/x"))).status == 200
    (request,) = venue.requests
    assert request.startswith(method.encode())
    assert request.endswith(b"\r\n\r\n")
    assert b"content-type" not in request.lower()


async def test_a_redirect_is_not_followed() -> None:
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with served(lambda _: moved) as (venue, requests):
        assert (await requests.send(Call("POST", "/order", b"{}"))).status == 307
        assert (await requests.get("/book")).status == 307
    assert len(venue.requests) == 2


@pytest.mark.parametrize("method", METHODS)
async def test_what_is_dropped_on_arrival_is_not_sent_again(method: str) -> None:
    async with served(lambda _: None) as (venue, requests):
        reply = await requests.send(Call(method, "/order"))
    assert (reply.status, reply.was_sent) == (0, True)
    assert reply.body.startswith(b"outcome_unknown: ")
    assert len(venue.requests) == venue.connections == 1


@pytest.mark.parametrize("method", METHODS)
async def test_what_is_dropped_on_a_connection_that_was_kept_is_not_sent_again(method: str) -> None:
    async with served(lambda count: OK if count == 1 else None) as (venue, requests):
        assert (await requests.get("/first")).status == 200
        reply = await requests.send(Call(method, "/order"))
    assert (reply.status, reply.was_sent) == (0, True)
    assert len(venue.requests) == 2
    assert venue.connections == 1


async def test_a_reply_that_breaks_off_leaves_the_outcome_unknown() -> None:
    async with served(lambda _: BROKEN) as (_, requests):
        reply = await requests.send(Call("POST", "/order", b"{}"))
    assert (reply.status, reply.was_sent) == (0, True)


async def test_a_venue_that_is_not_there_was_sent_nothing() -> None:
    async with served(lambda _: OK) as (_, requests):
        pass
    async with Requests(requests._root) as others:
        reply = await others.send(Call("POST", "/order?signature=secret", b"{}"))
    assert (reply.status, reply.was_sent) == (0, False)
    assert reply.body.startswith(b"not_sent: ")
    assert b"secret" not in reply.body


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (aiohttp.ConnectionTimeoutError(), NoAnswer.NOT_SENT),
        (aiohttp.SocketTimeoutError(), NoAnswer.OUTCOME_UNKNOWN),
        (aiohttp.ServerDisconnectedError(), NoAnswer.OUTCOME_UNKNOWN),
        (aiohttp.ClientPayloadError(), NoAnswer.OUTCOME_UNKNOWN),
        (TimeoutError(), NoAnswer.OUTCOME_UNKNOWN),
        (ConnectionResetError(), NoAnswer.OUTCOME_UNKNOWN),
    ],
)
def test_only_a_connection_that_was_never_made_carried_nothing(error: Exception, expected: NoAnswer) -> None:
    assert outcome(error) is expected
