"""What one client may take up, and what happens to one that takes more."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from aggregator.api.connection import Door
from aggregator.api.limits import Limits, limits_behind_proxy
from aggregator.api.meters import Meters
from aggregator.api.routes import HALT_ON, HEALTH, Endpoint, opened
from aggregator.api.server import Server
from tests.api.desk import ORDER, Desk, trading
from tests.api.sockets import get, line

SOON_S = 0.02
ORIGIN = "https://desk.example"

EVERY_ANSWER = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "server": "aggregator",
}


class Parts:
    """A server that answers what it is sent, much when that is asked for, and falls over when that is asked for."""

    def routes(self) -> list[Endpoint]:
        return [opened(HEALTH, self.health), opened(HALT_ON, self.repeat)]

    async def health(self, request: web.Request) -> web.Response:
        if "fall" in request.headers:
            raise RuntimeError("a defect")
        return web.Response(body=b"x" * int(request.headers.get("much", "2")))

    async def repeat(self, request: web.Request) -> web.Response:
        return web.Response(body=await request.read())


@asynccontextmanager
async def serving(meters: Meters | None = None, origins: tuple[str, ...] = (), **limits: Any) -> AsyncIterator[str]:
    server = Server(Parts(), limits=Limits(**limits), meters=meters, cors_origins=origins)
    root = await server.open("127.0.0.1", 0)
    try:
        yield root
    finally:
        await server.close()


def post(*headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join(["POST /v1/halt HTTP/1.1", "Host: test", *headers, "", ""]).encode() + body


async def test_a_body_may_be_so_long_and_no_longer():
    async with serving(body=100) as root, line(root) as one:
        assert (await one.ask(post("Content-Length: 100", body=b"x" * 100))).body == b"x" * 100
        told = await one.ask(post("Content-Length: 101", body=b"x" * 101))
        assert (told.status, told.code) == (413, "body_too_large")
        assert b"more than 100 bytes" in told.body


async def test_a_body_in_chunks_is_counted_as_it_comes():
    async with serving(body=100) as root, line(root) as one:
        chunk = b"40\r\n" + b"x" * 64 + b"\r\n"
        told = await one.ask(post("Transfer-Encoding: chunked", body=chunk * 2))
        assert (told.status, told.headers["connection"]) == (413, "close")


async def test_a_compressed_body_is_taken_as_it_is():
    """Else a small one could grow, and what was signed would not be what is read."""
    async with serving() as root, line(root) as one:
        told = await one.ask(post("Content-Encoding: gzip", "Content-Length: 3", body=b"\x1f\x8b\x08"))
        assert told.body == b"\x1f\x8b\x08"


async def test_a_body_that_does_not_come_is_not_waited_for():
    async with serving(body_s=SOON_S, lingering_s=SOON_S) as root, line(root) as one:
        told = await one.ask(post("Content-Length: 10", body=b"half"))
        assert (told.status, told.code, told.headers["connection"]) == (408, "request_too_slow", "close")
        assert await one.rest() == b""


@pytest.mark.parametrize("begun", [b"", b"GET /health HTTP/1.1\r\nHost: te", get("/health") + b"GET /hea"])
async def test_a_head_that_does_not_come_is_not_waited_for(begun):
    async with serving(idle_s=SOON_S) as root, line(root) as one:
        one.writer.write(begun)
        answers = await one.rest()
        assert answers.count(b"HTTP/1.1 200 OK") == begun.count(b"\r\n\r\n")


async def test_a_client_that_does_not_read_is_cut_off():
    meters = Meters()
    async with serving(meters, unread_s=SOON_S) as root, line(root) as one:
        for _ in range(3):
            one.writer.write(get("/health", f"much: {8 * 1024 * 1024}"))
        async with asyncio.timeout(20):
            while meters.open_connections != 1:
                await asyncio.sleep(0)
            while meters.open_connections:
                await asyncio.sleep(0.001)


async def test_a_client_that_reads_slowly_gets_all_of_it():
    async with serving() as root, line(root) as one:
        told = await one.ask(get("/health", f"much: {8 * 1024 * 1024}"))
        assert len(told.body) == 8 * 1024 * 1024


async def test_idle_connections_of_one_address_leave_room_for_those_that_are_open():
    """Those beyond the limit are told so, and those within it go on."""
    meters = Meters()
    async with serving(meters, connections_per_address=20) as root, AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(line(root)) for _ in range(200)]
        refused = [await one.told() for one in lines[20:]]
        assert {(told.status, told.code, told.headers["connection"]) for told in refused} == {
            (429, "too_many_connections", "close")
        }
        assert b"at most 20 connections from one address" in refused[0].body
        assert [(await one.ask(get("/health"))).status for one in lines[:20]] == [200] * 20
        assert (meters.open_connections, meters.refused_connections) == (20, 180)
        lines[0].writer.close()
        while meters.open_connections == 20:
            await asyncio.sleep(0)
        another = await stack.enter_async_context(line(root))
        assert (await another.ask(get("/health"))).status == 200
    assert meters.open_connections == 0


def test_connections_are_counted_by_address_and_in_all():
    door = Door(Limits(connections=3, connections_per_address=2), Meters())
    assert [door.admit(address) for address in "aaabc"] == [True, True, False, True, False]
    door.left("a")
    assert [door.admit(address) for address in "ca"] == [True, False]


def test_behind_a_proxy_all_connections_are_its_own():
    limits = limits_behind_proxy()
    assert limits.connections_per_address == limits.connections


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (get("/" + "a" * 3000), 414, "uri_too_long"),
        (get("/" + "a" * 9000), 431, "headers_too_large"),
        (get("/health", "X-Long: " + "a" * 9000), 431, "headers_too_large"),
        (get("/health", *(f"X-{number}: 1" for number in range(100))), 400, "bad_request"),
        (get("/health", "Content-Length: x"), 400, "bad_request"),
        (get("/health", "Content-Length: 1", "Transfer-Encoding: chunked"), 400, "bad_request"),
        (get("/health", "No header"), 400, "bad_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "bad_request"),
        (b"nonsense\r\n\r\n", 400, "bad_request"),
    ],
)
async def test_what_is_not_http_is_answered_as_any_other_error(request_bytes, status, code):
    meters = Meters()
    async with serving(meters) as root, line(root) as one:
        told = await one.ask(request_bytes)
        assert (told.status, told.code) == (status, code)
        assert told.headers["content-type"] == "application/problem+json"
        assert EVERY_ANSWER.items() <= told.headers.items()


async def test_a_defect_of_ours_is_told_without_its_insides(caplog):
    async with serving() as root, line(root) as one:
        with caplog.at_level(logging.ERROR, "aggregator.api"):
            told = await one.ask(get("/health", "fall: down"))
        assert (told.status, told.code) == (500, "internal_error")
        assert b"a defect" not in told.body.replace(b"a defect of this service", b"")
        assert "GET /health failed" in caplog.text
        assert "RuntimeError: a defect" in caplog.text


@pytest.mark.parametrize("target", ["/health", "/nothing", "/health?x=1", "/openapi.json", "/v1/halt"])
async def test_every_answer_says_what_a_browser_may_do_with_it(target):
    async with serving() as root, line(root) as one:
        told = await one.ask(get(target))
        assert EVERY_ANSWER.items() <= told.headers.items()
        assert not {"access-control-allow-origin", "access-control-allow-credentials"} & told.headers.keys()


@pytest.mark.parametrize("target", ["/docs", "/docs/page.js", "/docs/trying.js", "/docs/style.css"])
async def test_the_page_may_load_its_own_files_and_nothing_else(target):
    async with serving() as root, line(root) as one:
        told = await one.ask(get(target))
        policy = told.headers["content-security-policy"]
        assert told.status == 200
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


async def test_a_wrong_method_is_told_the_right_ones():
    async with serving() as root, line(root) as one:
        told = await one.ask(post().replace(b"/v1/halt", b"/health"))
        assert (told.status, told.code) == (405, "method_not_allowed")
        assert told.headers["allow"] == "GET,HEAD"


async def test_pages_of_other_origins_are_shut_out_unless_they_are_configured():
    async with serving() as root, line(root) as one:
        told = await one.ask(get("/health", f"Origin: {ORIGIN}"))
        assert "access-control-allow-origin" not in told.headers
        preflight = get("/v1/halt", f"Origin: {ORIGIN}", "Access-Control-Request-Method: POST")
        told = await one.ask(preflight.replace(b"GET", b"OPTIONS", 1))
        assert told.status == 405


async def test_pages_of_a_configured_origin_may_sign_requests_and_send_no_cookies():
    async with serving(origins=(ORIGIN,)) as root, line(root) as one:
        told = await one.ask(get("/health", f"Origin: {ORIGIN}"))
        assert (told.headers["access-control-allow-origin"], told.headers["vary"]) == (ORIGIN, "Origin")
        preflight = get("/v1/halt", f"Origin: {ORIGIN}", "Access-Control-Request-Method: POST")
        told = await one.ask(preflight.replace(b"GET", b"OPTIONS", 1))
        assert (told.status, told.headers["access-control-allow-origin"]) == (204, ORIGIN)
        assert "X-Signature" in told.headers["access-control-allow-headers"]
        assert "POST" in told.headers["access-control-allow-methods"]
        assert "access-control-allow-credentials" not in told.headers
        other = await one.ask(get("/health", "Origin: https://other.example"))
        assert "access-control-allow-origin" not in other.headers
        other = await one.ask(preflight.replace(b"GET", b"OPTIONS", 1).replace(b"desk.example", b"other.example"))
        assert other.status == 405


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 30_000,
        b'{"venues":' + b"[" * 30_000,
        b'{"client_order_id":' + b'{"a":' * 10_000,
        b'{"unknown":' + b"[" * 30_000,
        b'{"symbol":1,"more":' + b"[" * 30_000,
    ],
)
async def test_however_deep_a_body_is_nested_it_is_refused(body):
    desk = Desk()
    async with trading(desk) as client:
        answer = await client.send_raw("POST", "/v1/orders", body, client.signed("POST", "/v1/orders", body))
        assert answer.status == 400
        assert (await client.send("POST", "/v1/orders", ORDER)).status == 201
