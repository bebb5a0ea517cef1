"""The page's session: opened by a proven key or a link, and good for nothing that another page sends."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from aggregator.api import auth, sessions
from aggregator.api.auth import LINK_NS, Keys, one_time_link, signature
from aggregator.api.house import HouseRoutes
from aggregator.api.orders import OrderRoutes
from aggregator.api.server import Server
from aggregator.api.sessions import IDLE_NS, LIFETIME_NS, SessionRoutes, Sessions
from aggregator.config.keys import ApiKey
from tests.api.desk import ADMIN, KEYS, MS, ORDER, OVERSEER, READER, START_NS, TRADER, VENUES, Desk

COOKIE = "aggregator"

Told = tuple[int, Any, Any]
"""Status, document, answer."""


class Browser:
    """A page of the service in a browser of its own."""

    def __init__(self, http: Any, desk: Desk, origin: str | None = None) -> None:
        self.http = http
        self.desk = desk
        self.origin = origin or str(http.make_url("")).rstrip("/")
        self.token = ""
        self._number = 0

    async def send(self, method: str, path: str, body: Any = None, **headers: str | None) -> Told:
        """As the page sends: with its Origin, and with the session's token. None leaves a header out."""
        told = {"Origin": self.origin, "X-CSRF-Token": self.token, **headers}
        content = b"" if body is None else json.dumps(body).encode()
        given = {name: value for name, value in told.items() if value is not None}
        async with self.http.request(method, path, data=content, headers=given) as answer:
            return answer.status, await answer.json(content_type=None), answer

    async def sign_in(self, key: ApiKey = TRADER, **changed: str | None) -> Told:
        self._number += 1
        timestamp = str(self.desk.now_ns + self._number)
        headers = {
            "X-API-Key": key.key,
            "X-Timestamp-Ns": timestamp,
            "X-Signature": signature(key.secret, timestamp, "POST", "/session", b""),
        }
        status, told, answer = await self.send("POST", "/session", **(headers | changed))
        self.token = told.get("token", "")
        return status, told, answer

    async def follow(self, link: str, **headers: str | None) -> Told:
        status, told, answer = await self.send("POST", "/session/link", {"link": link}, **headers)
        self.token = told.get("token", "")
        return status, told, answer


def served(desk: Desk, *, is_secure: bool = False) -> Server:
    cookies = Sessions(lambda: desk.now_ns, is_secure=is_secure)
    guard = Keys(KEYS, lambda: desk.now_ns, cookies)
    orders, market = desk.engine.orders, desk.engine.market
    return Server(
        OrderRoutes(orders, market, VENUES, guard, desk.ask, desk.clock_ns),
        HouseRoutes(orders, guard, desk.ask, desk.clock_ns),
        SessionRoutes(guard, cookies),
    )


@asynccontextmanager
async def browsers(desk: Desk, count: int = 1, *, is_secure: bool = False) -> AsyncIterator[list[Browser]]:
    """Each with cookies of its own."""
    server = TestServer(served(desk, is_secure=is_secure).app)
    clients = [TestClient(server, cookie_jar=CookieJar(unsafe=True)) for _ in range(count)]
    await server.start_server()
    try:
        yield [Browser(client, desk) for client in clients]
    finally:
        for client in clients:
            await client.close()


async def test_a_signed_request_opens_a_session_that_trades():
    desk = Desk()
    async with browsers(desk) as [browser]:
        status, told, answer = await browser.sign_in()
        assert (status, told["signed_in"], told["account"], told["scopes"]) == (201, True, "desk", ["read", "trade"])
        assert told["ends_ns"] == desk.now_ns + LIFETIME_NS
        assert answer.headers["Cache-Control"] == "no-store"
        status, order, _ = await browser.send("POST", "/v1/orders", ORDER)
        assert (status, order["account"]) == (201, "desk")
        status, listed, _ = await browser.send("GET", "/v1/orders", Origin=None)
        assert [each["order_id"] for each in listed["orders"]] == [order["order_id"]]


async def test_the_cookie_is_for_nobody_but_the_browser_and_this_site():
    async with browsers(Desk()) as [browser]:
        _, told, answer = await browser.sign_in()
    cookie = answer.headers["Set-Cookie"]
    parts = {part.strip().partition("=")[0]: part.strip().partition("=")[2] for part in cookie.split(";")}
    assert {"HttpOnly", "SameSite", "Path", "Max-Age"} <= parts.keys()
    assert (parts["SameSite"], parts["Path"], int(parts["Max-Age"])) == ("Strict", "/", LIFETIME_NS // 10**9)
    assert "Secure" not in parts and "Domain" not in parts
    assert len(parts[COOKIE]) >= 32
    assert told["token"] != parts[COOKIE]


async def test_behind_tls_the_cookie_is_secure_and_bound_to_the_host():
    async with browsers(Desk(), is_secure=True) as [browser]:
        browser.origin = browser.origin.replace("http:", "https:")
        status, _, answer = await browser.sign_in()
        plain, refused, _ = await browser.sign_in(Origin=browser.origin.replace("https:", "http:"))
    assert status == 201
    assert answer.headers["Set-Cookie"].startswith("__Host-aggregator=")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert (plain, refused["code"]) == (403, "cross_site")


async def test_without_a_session_the_page_learns_just_that():
    async with browsers(Desk()) as [browser]:
        assert (await browser.send("GET", "/session"))[:2] == (200, {"signed_in": False})
        status, problem, _ = await browser.send("GET", "/v1/orders")
    assert (status, problem["code"]) == (401, "key_required")


async def test_a_reloaded_page_gets_its_token_again():
    async with browsers(Desk()) as [browser]:
        _, told, _ = await browser.sign_in()
        assert (await browser.send("GET", "/session"))[1] == told


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:1", "https://{host}"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/orders"), ("DELETE", "/v1/orders"), ("DELETE", "/session")])
async def test_what_another_site_sends_with_our_cookie_is_refused(origin, method, path):
    desk = Desk()
    async with browsers(desk) as [browser]:
        await browser.sign_in()
        origin = origin and origin.replace("{host}", browser.origin.partition("://")[2])
        status, problem, _ = await browser.send(method, path, ORDER, Origin=origin)
        assert (status, problem["code"]) == (403, "cross_site")
        assert desk.events == []
        assert (await browser.send("GET", "/session"))[1]["signed_in"]


@pytest.mark.parametrize("token", [None, "", "x" * 43, "\udcff"])
async def test_without_the_sessions_own_token_nothing_is_changed(token):
    desk = Desk()
    async with browsers(desk) as [browser]:
        await browser.sign_in()
        status, problem, _ = await browser.send("POST", "/v1/orders", ORDER, **{"X-CSRF-Token": token})
        assert (status, problem["code"]) == (403, "cross_site")
        assert "X-CSRF-Token" in problem["detail"]
        assert desk.events == []
        assert (await browser.send("GET", "/v1/orders"))[0] == 200


async def test_the_token_of_one_session_is_none_for_another():
    desk = Desk()
    async with browsers(desk, 2) as [one, other]:
        await one.sign_in()
        await other.sign_in()
        assert one.token != other.token
        status, problem, _ = await one.send("POST", "/v1/orders", ORDER, **{"X-CSRF-Token": other.token})
    assert (status, problem["code"], desk.events) == (403, "cross_site", [])


async def test_another_browser_is_not_signed_in():
    desk = Desk()
    async with browsers(desk, 2) as [one, other]:
        await one.sign_in()
        status, problem, _ = await other.send("POST", "/v1/orders", ORDER, **{"X-CSRF-Token": one.token})
        assert (status, problem["code"]) == (401, "key_required")
        assert (await other.send("GET", "/session"))[1] == {"signed_in": False}


@pytest.mark.parametrize("cookie", ["", "x" * 43, "é", "a; aggregator=b"])
async def test_a_made_up_cookie_opens_nothing(cookie):
    async with browsers(Desk()) as [browser]:
        status, problem, _ = await browser.send("GET", "/v1/orders", Cookie=f"{COOKIE}={cookie}")
    assert (status, problem["code"]) == (401, "key_required")


async def test_a_session_ends_after_a_day_of_work_however_busy_it_is():
    desk = Desk()
    async with browsers(desk) as [browser]:
        await browser.sign_in()
        for _ in range(LIFETIME_NS // IDLE_NS * 2 - 1):
            desk.now_ns += IDLE_NS // 2
            assert (await browser.send("GET", "/v1/orders"))[0] == 200
        desk.now_ns += IDLE_NS // 2
        assert (await browser.send("GET", "/v1/orders"))[0] == 401
        assert (await browser.send("GET", "/session"))[1] == {"signed_in": False}


async def test_a_session_ends_when_it_is_not_used():
    desk = Desk()
    async with browsers(desk) as [browser]:
        await browser.sign_in()
        desk.now_ns += IDLE_NS
        status, problem, _ = await browser.send("POST", "/v1/orders", ORDER)
        assert (status, problem["code"], desk.events) == (401, "key_required", [])


async def test_signing_out_ends_the_session_also_for_whoever_kept_its_cookie():
    async with browsers(Desk()) as [browser]:
        _, _, answer = await browser.sign_in()
        kept = answer.cookies[COOKIE].value
        status, told, _ = await browser.send("DELETE", "/session")
        assert (status, told) == (200, {"signed_in": False})
        assert (await browser.send("GET", "/v1/orders", Cookie=f"{COOKIE}={kept}"))[0] == 401


async def test_sessions_of_a_key_are_bounded_and_the_longest_unused_goes_first(monkeypatch):
    monkeypatch.setattr(sessions, "SESSIONS_AT_MOST", 2)
    desk = Desk()
    async with browsers(desk, 4) as [first, second, third, reader]:
        await reader.sign_in(READER)
        for browser in (first, second):
            await browser.sign_in()
            desk.now_ns += MS
        await first.send("GET", "/session")
        desk.now_ns += MS
        await third.sign_in()
        told = [(await browser.send("GET", "/session"))[1]["signed_in"] for browser in (first, second, third, reader)]
    assert told == [True, False, True, True], "another key's sessions are not touched"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"X-Signature": "0" * 64}, "signature_refused"),
        ({"X-API-Key": "nobody"}, "signature_refused"),
        ({"X-API-Key": None}, "key_required"),
        ({"X-Timestamp-Ns": str(START_NS + 1_000_000_000)}, "signature_refused"),
        ({"Origin": None}, "cross_site"),
        ({"Origin": "http://evil.example"}, "cross_site"),
    ],
)
async def test_who_proves_nothing_gets_no_cookie(changed, code):
    async with browsers(Desk()) as [browser]:
        status, problem, answer = await browser.sign_in(**changed)
    assert status in (401, 403)
    assert problem["code"] == code
    assert "Set-Cookie" not in answer.headers


async def test_a_signed_request_needs_neither_origin_nor_token():
    """Programs are not browsers: what they sign is proven already."""
    desk = Desk()
    async with browsers(desk) as [browser]:
        timestamp, body = str(desk.now_ns), json.dumps(ORDER).encode()
        told = signature(TRADER.secret, timestamp, "POST", "/v1/orders", body)
        headers = {"X-API-Key": TRADER.key, "X-Timestamp-Ns": timestamp, "X-Signature": told}
        status, _, _ = await browser.send("POST", "/v1/orders", ORDER, Origin=None, **headers)
    assert status == 201


async def test_a_signature_counts_before_the_cookie():
    desk = Desk()
    async with browsers(desk) as [browser]:
        await browser.sign_in(TRADER)
        timestamp = str(desk.now_ns)
        told = signature(ADMIN.secret, timestamp, "GET", "/v1/balances", b"")
        headers = {"X-API-Key": ADMIN.key, "X-Timestamp-Ns": timestamp, "X-Signature": told}
        assert (await browser.send("GET", "/v1/balances"))[0] == 403
        assert (await browser.send("GET", "/v1/balances", **headers))[0] == 200


async def test_a_session_has_the_scopes_of_its_key_and_no_others():
    async with browsers(Desk()) as [browser]:
        await browser.sign_in(OVERSEER)
        status, problem, _ = await browser.send("POST", "/v1/orders", ORDER)
        assert (status, problem["code"]) == (403, "scope_required")
        assert (await browser.send("GET", "/v1/halt"))[0] == 200


async def test_a_link_signs_in_once_and_in_no_second_browser():
    desk = Desk()
    link = one_time_link(TRADER.key, TRADER.secret, desk.now_ns)
    async with browsers(desk, 2) as [one, other]:
        status, told, _ = await one.follow(link)
        assert (status, told["account"]) == (201, "desk")
        assert (await one.send("POST", "/v1/orders", ORDER))[0] == 201
        for browser in (one, other):
            status, problem, answer = await browser.send("POST", "/session/link", {"link": link})
            assert (status, problem["code"]) == (401, "request_repeated")
            assert "Set-Cookie" not in answer.headers


async def test_a_link_is_refused_to_other_sites_and_stays_good():
    desk = Desk()
    link = one_time_link(TRADER.key, TRADER.secret, desk.now_ns)
    async with browsers(desk) as [browser]:
        assert (await browser.follow(link, Origin="http://evil.example"))[1]["code"] == "cross_site"
        assert (await browser.follow(link))[0] == 201


@pytest.mark.parametrize(
    ("key", "secret", "late_ns", "code"),
    [
        ("trader", TRADER.secret, LINK_NS, "request_expired"),
        ("trader", TRADER.secret, -6_000_000_000, "request_expired"),
        ("trader", READER.secret, 0, "signature_refused"),
        ("nobody", TRADER.secret, 0, "signature_refused"),
    ],
)
async def test_a_link_of_another_time_or_make_is_refused(key, secret, late_ns, code):
    desk = Desk()
    desk.now_ns += MS
    link = one_time_link(key, secret, desk.now_ns)
    async with browsers(desk) as [browser]:
        desk.now_ns += late_ns if late_ns > 0 else 0
        link = one_time_link(key, secret, desk.now_ns - late_ns) if late_ns < 0 else link
        assert (await browser.follow(link))[1]["code"] == code


async def test_a_link_from_before_the_start_may_have_been_followed_then():
    desk = Desk()
    link = one_time_link(TRADER.key, TRADER.secret, desk.now_ns - MS)
    async with browsers(desk) as [browser]:
        status, problem, _ = await browser.follow(link)
    assert (status, problem["code"]) == (401, "request_expired")
    assert "before this service started" in problem["detail"]


@pytest.mark.parametrize("link", ["", "x", "trader", "trader..", "trader.1.\ud7ff", "." * 100, "trader.now.0"])
async def test_what_is_no_link_is_refused(link):
    async with browsers(Desk()) as [browser]:
        status, problem, _ = await browser.follow(link)
    assert (status, problem["code"]) == (401, "request_expired")


async def test_a_link_is_no_signature_of_a_request():
    desk = Desk()
    name, timestamp, told = one_time_link(TRADER.key, TRADER.secret, desk.now_ns).split(".")
    async with browsers(desk) as [browser]:
        headers = {"X-API-Key": name, "X-Timestamp-Ns": timestamp, "X-Signature": told}
        assert (await browser.send("POST", "/session", **headers))[1]["code"] == "signature_refused"
        status, _, _ = await browser.follow(f"{name}.{timestamp}.{told}")
    assert status == 201


async def test_links_that_were_followed_are_remembered_within_a_bound(monkeypatch):
    monkeypatch.setattr(auth, "LINKS_AT_MOST", 2)
    desk = Desk()
    async with browsers(desk) as [browser]:
        statuses = []
        for _ in range(3):
            desk.now_ns += MS
            statuses.append((await browser.follow(one_time_link(TRADER.key, TRADER.secret, desk.now_ns)))[0])
        assert statuses == [201, 201, 429]
        desk.now_ns += LINK_NS
        assert (await browser.follow(one_time_link(TRADER.key, TRADER.secret, desk.now_ns)))[0] == 201


async def test_a_key_whose_name_has_dots_has_links_too():
    desk, dotted = Desk(), TRADER.model_copy(update={"key": "a.b:c"})
    guard = Keys([dotted], lambda: desk.now_ns)
    request = make_mocked_request("POST", "/session/link")
    assert guard.follow(request, one_time_link("a.b:c", dotted.secret, desk.now_ns)).key == "a.b:c"


async def test_a_websocket_of_another_site_does_not_get_our_session():
    """Browsers let any page open one, cookies included."""
    desk = Desk()
    async with browsers(desk) as [browser]:
        await browser.sign_in()
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
        refused = await browser.send("GET", "/v1/orders", Origin="http://evil.example", **upgrade)
        taken = await browser.send("GET", "/v1/orders", **upgrade)
    assert (refused[0], refused[1]["code"], taken[0]) == (403, "cross_site", 200)


def test_no_secret_is_in_a_representation_or_in_memory_as_it_is():
    desk = Desk()
    cookies = Sessions(lambda: desk.now_ns)
    answer = web.Response()
    cookies.open(auth.Caller("trader", "desk", ("read",)), answer)
    assert answer.cookies[COOKIE].value not in repr(vars(cookies))
