"""Attempts that must come to nothing: each is refused with its code, and the engine never hears of it."""

import json
import time
from collections.abc import AsyncIterator, Mapping

import pytest

from aggregator.api.auth import WINDOW_NS
from aggregator.api.limits import Limits
from aggregator.api.routes import TABLE, Route
from aggregator.config.keys import ApiKey
from tests.api.desk import (
    ADMIN,
    MS,
    ORDER,
    OTHER,
    OVERSEER,
    READER,
    SENDER,
    SWITCHER,
    TRADER,
    Client,
    Desk,
    rest,
    trading,
)
from tests.api.sockets import Line, get, line

GUARDED = [route for route in TABLE if route.scopes]
BODIES = {
    "quote": {"symbol": "BTC/USDT", "side": "buy", "quantity": "1"},
    "place_order": ORDER,
    "amend_order": {"quantity": "2"},
    "halt_on": {"reason": "a test"},
    "venue_switch": {"state": "off", "reason": "a test"},
    "venue_add": {"file": "a sound file", "reason": "a test"},
}
OTHERS: Mapping[tuple[str, ...], tuple[ApiKey, ...]] = {
    ("read", "oversight"): (SENDER, SWITCHER),
    ("trade", "admin"): (READER, OVERSEER),
    ("trade",): (READER, OVERSEER, ADMIN),
    ("admin",): (READER, TRADER, OVERSEER),
}
"""Keys without any of these scopes."""


def path_of(route: Route) -> str:
    return route.path.replace("{id}", "client:mine").replace("{symbol}", "BTC-USDT").replace("{venue}", "binance")


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """Of a desk that has an order at rest, by the key `trader`."""
    desk = Desk()
    async with trading(desk) as client:
        await rest(client, desk, client_order_id="mine")
        desk.events.clear()
        yield client


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.name)
async def test_without_a_key(client, route):
    answer = await client.send_raw(route.method, path_of(route), json.dumps(BODIES.get(route.name)).encode(), {})
    assert (answer.status, answer.document["code"]) == (401, "key_required")
    assert client.desk.events == []


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.name)
async def test_with_a_secret_that_is_guessed(client, route):
    guessed = TRADER.model_copy(update={"secret": "0" * 32})
    answer = await client.using(guessed).send(route.method, path_of(route), BODIES.get(route.name))
    assert (answer.status, answer.document["code"]) == (401, "signature_refused")
    assert client.desk.events == []


@pytest.mark.parametrize(
    ("route", "other"),
    [(route, other) for route in GUARDED for other in OTHERS.get(route.scopes, ())],
    ids=lambda value: getattr(value, "name", getattr(value, "key", "")),
)
async def test_with_a_key_that_may_do_other_things(client, route, other):
    answer = await client.using(other).send(route.method, path_of(route), BODIES.get(route.name))
    assert (answer.status, answer.document["code"]) == (403, "scope_required")
    assert client.desk.events == []


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.name)
async def test_with_a_request_of_a_minute_ago(client, route):
    body = json.dumps(BODIES.get(route.name)).encode()
    headers = client.signed(route.method, path_of(route), body, late_ns=60 * 10**9)
    answer = await client.send_raw(route.method, path_of(route), body, headers)
    assert (answer.status, answer.document["code"]) == (401, "request_expired")
    assert client.desk.events == []


@pytest.mark.parametrize("later_ns", [0, MS, WINDOW_NS - 10 * MS])
async def test_with_a_request_that_was_overheard(client, later_ns):
    body = json.dumps({**ORDER, "client_order_id": "overheard"}).encode()
    headers = client.signed("POST", "/v1/orders", body)
    assert (await client.send_raw("POST", "/v1/orders", body, headers)).status == 201
    client.desk.events.clear()
    client.desk.now_ns += later_ns
    answer = await client.send_raw("POST", "/v1/orders", body, headers)
    assert (answer.status, answer.document["code"]) == (401, "request_repeated")
    assert client.desk.events == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/orders/{id}", None),
        ("PATCH", "/v1/orders/{id}", {"quantity": "2"}),
        ("DELETE", "/v1/orders/{id}", None),
        ("GET", "/v1/fills?order={id}", None),
    ],
)
async def test_with_the_id_of_anothers_order(client, method, path, body):
    """Nor does the answer say whether there is one."""
    (order_id,) = client.desk.engine.orders.parents
    told = []
    for name in (order_id, "client:mine", order_id[:-1] + "~"):
        answer = await client.using(OTHER).send(method, path.format(id=name), body)
        assert (answer.status, answer.document["code"]) == (404, "unknown_order")
        told.append(answer.document["detail"].replace(name, "..."))
    assert len(set(told)) == 1
    assert client.desk.events == []


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/orders/client:mine", "/v1/fills", "/v1/ledger"])
@pytest.mark.parametrize(("key", "account"), [(OTHER, "desk"), (READER, "fund"), (TRADER, "house")])
async def test_reading_what_is_another_accounts_without_overseeing(client, path, key, account):
    answer = await client.using(key).send("GET", f"{path}?account={account}")
    assert (answer.status, answer.document["code"]) == (403, "scope_required")
    assert "oversight or admin" in answer.document["detail"]


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/orders/client:mine", "/v1/fills"])
async def test_reading_everyones_without_overseeing(client, path):
    answer = await client.send("GET", f"{path}?account=*")
    assert (answer.status, answer.document["code"]) == (403, "scope_required")


@pytest.mark.parametrize("account", ["*", "fund"])
@pytest.mark.parametrize("key", [TRADER, OVERSEER, SENDER], ids=lambda key: key.key)
async def test_canceling_what_is_others_without_being_an_admin(client, key, account):
    answer = await client.using(key).send("DELETE", f"/v1/orders?account={account}")
    assert (answer.status, answer.document["code"]) == (403, "scope_required")
    assert client.desk.events == []


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("key", [OVERSEER, ADMIN, SWITCHER], ids=lambda key: key.key)
async def test_changing_one_order_of_anothers_by_seeing_it(client, key, method):
    """An admin stops everyone at once, and meddles with no single order."""
    (order_id,) = client.desk.engine.orders.parents
    assert (await client.using(key).send("GET", f"/v1/orders/{order_id}")).status == 200
    answer = await client.using(key).send(method, f"/v1/orders/{order_id}", {"quantity": "2"})
    assert answer.status in (403, 404)
    assert client.desk.events == []


async def test_canceling_all_cancels_nobody_elses(client):
    answer = await client.using(OTHER).send("DELETE", "/v1/orders")
    assert answer.document == {"orders": [], "still_open": 0}
    assert client.desk.cancels == []


@pytest.fixture
async def wire() -> AsyncIterator[Line]:
    """To a desk's server, byte by byte."""
    desk = Desk(real_clock_ns=time.time_ns)
    root = await desk.server.open("127.0.0.1", 0)
    try:
        async with line(root) as one:
            yield one
    finally:
        await desk.server.close()


@pytest.mark.parametrize(
    "target",
    [
        "/v1/../v1/orders",
        "/v1/%2e%2e/v1/orders",
        "/v1/./orders",
        "//v1/orders",
        "/v1//orders",
        "/v1/orders/",
        "/V1/orders",
        "/v1%2forders",
        "/v1\\orders",
        "/v1/orders%00",
        "/v1/orders;x=1",
        "/docs/../auth.py",
        "/docs/..%2fauth.py",
        "/docs/%2e%2e%2fauth.py",
        "/docs/....//auth.py",
        "/docs/__init__.py",
        "/docs//etc/passwd",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
    ],
)
async def test_a_path_in_disguise_leads_nowhere(wire, target):
    """Neither past the guard, nor out of the folder of the page's files."""
    told = await wire.ask(get(target))
    assert (told.status, told.code) in {(404, "unknown_route"), (401, "key_required")}
    assert told.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("target", ["/" + "a" * 2048, "/v1/orders?x=" + "a" * 4096, "/v1/books/" + "%41" * 2000])
async def test_a_path_that_is_very_long_is_refused(wire, target):
    told = await wire.ask(get(target))
    assert (told.status, told.code) == (414, "uri_too_long")
    assert len(told.body) < 400


@pytest.mark.parametrize(
    "override", ["X-HTTP-Method-Override: DELETE", "X-Original-URL: /v1/orders", "X-Rewrite-URL: /"]
)
async def test_no_header_makes_another_request_of_it(wire, override):
    assert (await wire.ask(get("/v1/orders", override))).code == "key_required"
    assert (await wire.ask(get("/nothing", override))).code == "unknown_route"


async def test_two_requests_are_not_hidden_in_one(wire):
    """A proxy that reads lengths otherwise than we do would take the second for somebody else's."""
    hidden = get("/v1/orders")
    both = (
        b"POST /v1/halt HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        + hidden
    )
    told = await wire.ask(both)
    assert (told.status, told.code) == (400, "bad_request")
    assert await wire.rest() == b""


async def test_a_body_that_is_too_large_is_refused_before_it_is_judged(client):
    body = json.dumps({**ORDER, "strategy": "x" * Limits().body}).encode()
    answer = await client.send_raw("POST", "/v1/orders", body, client.signed("POST", "/v1/orders", body))
    assert (answer.status, answer.document["code"]) == (413, "body_too_large")
    assert client.desk.events == []


SCRIPT = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/orders", {**ORDER, "client_order_id": SCRIPT}),
        ("POST", "/v1/orders", {**ORDER, "strategy": SCRIPT}),
        ("POST", "/v1/orders", {**ORDER, "venues": [SCRIPT]}),
        ("POST", "/v1/orders", {**ORDER, "symbol": SCRIPT}),
        ("POST", "/v1/orders", {**ORDER, SCRIPT: 1}),
        ("GET", "/v1/orders/%3Cscript%3Ealert(1)%3C%2Fscript%3E", None),
        ("GET", "/v1/orders?after=%3Cscript%3Ealert(1)%3C%2Fscript%3E", None),
        ("GET", "/v1/orders?%3Cscript%3Ealert(1)%3C%2Fscript%3E=1", None),
        ("GET", "/v1/fills?order=%3Cscript%3Ealert(1)%3C%2Fscript%3E", None),
        ("DELETE", "/v1/orders?symbol=%3Cscript%3Ealert(1)%3C%2Fscript%3E", None),
    ],
)
async def test_a_script_comes_back_as_text_of_a_json_document_only(client, method, path, body):
    answer = await client.send(method, path, body)
    assert 400 <= answer.status < 500
    assert "script>" in answer.document["detail"].lower(), "it is told what was refused"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert client.desk.events == []


async def test_a_script_as_the_reason_of_a_halt_stays_text(client):
    """It may be any text, so whoever shows it must show it as text."""
    answer = await client.using(ADMIN).send("POST", "/v1/halt", {"reason": SCRIPT})
    assert answer.document["reason"] == SCRIPT
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("reason", ["\x1b[2J", "a\u202eb", "line\u2028separated", "\x00"])
async def test_a_reason_that_would_take_over_a_terminal_is_refused(client, reason):
    answer = await client.using(ADMIN).send("POST", "/v1/halt", {"reason": reason})
    assert (answer.status, answer.document["code"]) == (400, "bad_parameter")
    assert client.desk.events == []


async def test_a_key_cannot_act_for_the_account_that_it_names(client):
    for extra in ({"account": "fund"}, {"medium": "operator"}):
        answer = await client.send("POST", "/v1/orders", {**ORDER, **extra})
        assert (answer.status, answer.document["code"]) == (400, "bad_parameter")
    assert client.desk.events == []
