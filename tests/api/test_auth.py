"""Who comes in: signed by a known key, of now, once, whole, and with the scope that is needed."""

import hashlib
import hmac
import json

import pytest

from aggregator.api import auth
from aggregator.api.auth import REMEMBERED_NS, WINDOW_NS, Keys
from tests.api.desk import ADMIN, KEYS, MS, ORDER, OTHER, OVERSEER, READER, TRADER, Desk, key, trading

ROUTES = [
    ("POST", "/v1/orders"),
    ("GET", "/v1/orders"),
    ("DELETE", "/v1/orders"),
    ("GET", "/v1/orders/abc"),
    ("PATCH", "/v1/orders/abc"),
    ("DELETE", "/v1/orders/abc"),
    ("GET", "/v1/fills"),
    ("GET", "/v1/balances"),
    ("GET", "/v1/halt"),
    ("POST", "/v1/halt"),
    ("DELETE", "/v1/halt"),
]


def test_the_signature_is_what_the_documents_say():
    told = auth.signature("s" * 32, "17", "POST", "/v1/orders?a=%20b", b'{"x":1}')
    text = b'17\nPOST\n/v1/orders?a=%20b\n{"x":1}\n'
    assert told == hmac.new(b"s" * 32, text, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_a_signature_nobody_comes_in(method, path):
    desk = Desk()
    async with trading(desk) as client:
        answer = await client.send_raw(method, path, b"", {})
    assert (answer.status, answer.document["code"]) == (401, "key_required")
    assert "X-Signature" in answer.document["detail"]
    assert answer.headers["WWW-Authenticate"].startswith("HMAC-SHA256")
    assert desk.events == []


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_any_keys_the_answer_says_how_to_get_some(method, path):
    desk = Desk(keys=())
    async with trading(desk) as client:
        answer = await client.send(method, path)
    assert (answer.status, answer.document["code"]) == (403, "no_keys")
    assert "`keys`" in answer.document["detail"]
    assert desk.events == []


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("nobody", TRADER.secret),
        ("trader", OTHER.secret),
        ("other", TRADER.secret),
        ("\udcff", "x" * 32),
        ("", "x" * 32),
    ],
)
async def test_an_unknown_key_and_a_wrong_secret_get_the_same_answer(name, secret):
    wrong = key("trader", "desk", "trade").model_copy(update={"key": name, "secret": secret})
    async with trading(Desk(), wrong) as client:
        answer = await client.send("GET", "/v1/orders")
    assert (answer.status, answer.document["code"]) == (401, "signature_refused")


BODY = json.dumps(ORDER).encode()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/orders", BODY.replace(b'"1"', b'"9"')),
        ("POST", "/v1/orders", BODY + b" "),
        ("POST", "/v1/orders", b""),
        ("POST", "/v1/orders?x=1", BODY),
        ("POST", "/v1/%6frders", BODY),
        ("POST", "/v1/halt", BODY),
        ("DELETE", "/v1/orders", BODY),
    ],
)
async def test_what_was_changed_on_the_way_is_refused(method, path, body):
    desk = Desk()
    async with trading(desk) as client:
        answer = await client.send_raw(method, path, body, client.signed("POST", "/v1/orders", BODY))
    assert (answer.status, answer.document["code"]) == (401, "signature_refused")
    assert desk.events == []


async def test_the_query_is_signed_as_it_is_sent():
    async with trading(Desk()) as client:
        good = await client.send("GET", "/v1/orders?status=open&limit=5")
        headers = client.signed("GET", "/v1/orders?status=open&limit=5")
        other = await client.send_raw("GET", "/v1/orders?limit=5&status=open", b"", headers)
    assert (good.status, other.status) == (200, 401)


@pytest.mark.parametrize("value", ["nonsense", "", "0" * 64, "é" * 64])
async def test_a_signature_that_is_none_is_refused(value):
    async with trading(Desk()) as client:
        headers = client.signed("GET", "/v1/orders") | {"X-Signature": value}
        answer = await client.send_raw("GET", "/v1/orders", b"", headers)
    assert (answer.status, answer.document["code"]) == (401, "signature_refused")


@pytest.mark.parametrize("late_ns", [WINDOW_NS + MS, -WINDOW_NS - MS, 3600 * 10**9])
async def test_a_request_of_another_time_is_refused_with_how_far_it_is_off(late_ns):
    async with trading(Desk()) as client:
        answer = await client.send_raw("GET", "/v1/orders", b"", client.signed("GET", "/v1/orders", late_ns=late_ns))
    assert (answer.status, answer.document["code"]) == (401, "request_expired")
    assert ("old" if late_ns > 0 else "ahead") in answer.document["detail"]
    assert "at most 5 s" in answer.document["detail"]


@pytest.mark.parametrize("late_ns", [WINDOW_NS - MS, 0, -WINDOW_NS + MS])
async def test_within_five_seconds_either_way_it_is_taken(late_ns):
    desk = Desk()
    desk.now_ns += 2 * WINDOW_NS
    async with trading(desk) as client:
        answer = await client.send_raw("GET", "/v1/orders", b"", client.signed("GET", "/v1/orders", late_ns=late_ns))
    assert answer.status == 200


async def test_a_request_from_before_the_start_may_have_been_seen_then():
    async with trading(Desk()) as client:
        answer = await client.send_raw("GET", "/v1/orders", b"", client.signed("GET", "/v1/orders", late_ns=1000 * MS))
    assert (answer.status, answer.document["code"]) == (401, "request_expired")
    assert "before this service started" in answer.document["detail"]


@pytest.mark.parametrize("timestamp", ["", "now", "-5", "1e18", "\u0661", "1" * 40, "1700000000"])
async def test_a_time_in_another_form_is_refused(timestamp):
    async with trading(Desk()) as client:
        headers = client.signed("GET", "/v1/orders") | {"X-Timestamp-Ns": timestamp}
        answer = await client.send_raw("GET", "/v1/orders", b"", headers)
    assert (answer.status, answer.document["code"]) == (401, "request_expired")


@pytest.mark.parametrize("later_ns", [0, WINDOW_NS, REMEMBERED_NS - MS])
async def test_a_request_is_taken_once_as_long_as_its_signature_would_hold(later_ns):
    """Also one that was made at the later end of the window, and repeated at its very last moment."""
    desk = Desk()
    async with trading(desk) as client:
        headers = client.signed("POST", "/v1/orders", BODY, late_ns=-WINDOW_NS)
        first = await client.send_raw("POST", "/v1/orders", BODY, headers)
        events = len(desk.events)
        desk.now_ns += later_ns
        await client.send("GET", "/v1/orders")
        again = await client.send_raw("POST", "/v1/orders", BODY, headers)
    assert first.status == 201
    assert (again.status, again.document["code"]) == (401, "request_repeated")
    assert len(desk.events) == events


async def test_a_refused_signature_is_not_remembered():
    """Otherwise anyone could use up somebody else's requests."""
    async with trading(Desk()) as client:
        headers = client.signed("GET", "/v1/orders")
        refused = await client.send_raw("GET", "/v1/fills", b"", headers)
        taken = await client.send_raw("GET", "/v1/orders", b"", headers)
    assert (refused.status, taken.status) == (401, 200)


async def test_what_is_remembered_is_bounded_and_other_keys_go_on(monkeypatch):
    monkeypatch.setattr(auth, "SEEN_AT_MOST", 3)
    desk = Desk()
    async with trading(desk) as client:
        statuses = [(await client.send("GET", "/v1/orders")).status for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        assert (await client.using(OTHER).send("GET", "/v1/orders")).status == 200
        desk.now_ns += REMEMBERED_NS
        assert (await client.send("GET", "/v1/orders")).status == 200


ALLOWED = {
    "trader": {"POST /v1/orders", "GET /v1/orders", "DELETE /v1/orders", "GET /v1/orders/abc", "PATCH /v1/orders/abc",
               "DELETE /v1/orders/abc", "GET /v1/fills", "GET /v1/halt"},
    "reader": {"GET /v1/orders", "GET /v1/orders/abc", "GET /v1/fills", "GET /v1/halt"},
    "admin": {"GET /v1/orders", "DELETE /v1/orders", "GET /v1/orders/abc", "GET /v1/fills", "GET /v1/halt",
              "POST /v1/halt", "DELETE /v1/halt", "GET /v1/balances"},
    "overseer": {"GET /v1/orders", "GET /v1/orders/abc", "GET /v1/fills", "GET /v1/halt"},
}  # fmt: skip


@pytest.mark.parametrize("key", [TRADER, READER, ADMIN, OVERSEER], ids=lambda key: key.key)
async def test_each_scope_opens_its_routes_and_no_others(key):
    desk = Desk()
    async with trading(desk, key) as client:
        answers = {f"{method} {path}": await client.send(method, path) for method, path in ROUTES}
    refused = {route for route, answer in answers.items() if answer.status == 403}
    assert answers.keys() - refused == ALLOWED[key.key]
    assert {answers[route].document["code"] for route in refused} == {"scope_required"}


def test_secrets_are_in_no_representation():
    keys = Keys(KEYS, lambda: 0)
    shown = repr(vars(keys)) + repr(KEYS)
    assert not any(each.secret in shown for each in KEYS)
