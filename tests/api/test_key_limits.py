"""What a key is held to besides its scopes: how often, how much, and from where. Each attempt beyond it is refused with
its code, and the engine never hears of it."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

import pytest

from aggregator.api.auth import one_time_link
from aggregator.config.keys import ApiKey
from aggregator.domain.numbers import parse_decimal
from aggregator.domain.order import ASSET_DECIMALS
from tests.api.broadcast import Broadcast, listening, serving
from tests.api.desk import MS, ORDER, OTHER, TRADER, Answer, Client, Desk, rest, trading
from tests.api.test_sessions import browsers
from tests.api.test_stream import login

HERE, ELSEWHERE = "127.0.0.1", "203.0.113.7"
SECOND = 1_000 * MS


def limited(key: ApiKey = TRADER, **limits: Any) -> ApiKey:
    return key.model_copy(update=limits)


def only_from(*networks: str) -> ApiKey:
    return limited(addresses=tuple(ip_network(network) for network in networks))


async def test_a_key_is_held_to_its_requests_a_second_and_told_when_to_come_again():
    desk = Desk(keys=(limited(requests_per_second=2), OTHER))
    async with trading(desk) as client:
        answers = [await client.send("GET", "/v1/orders") for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 429, 429]
        refused = answers[2]
        assert (refused.document["code"], refused.headers["Retry-After"]) == ("too_many_requests", "1")
        assert "2 requests in a second" in refused.document["detail"]
        assert (await client.using(OTHER).send("GET", "/v1/orders")).status == 200, "others go on"
        desk.now_ns += SECOND
        assert (await client.send("GET", "/v1/orders")).status == 200


async def test_in_no_second_are_there_more_wherever_it_begins():
    desk = Desk(keys=(limited(requests_per_second=3),))
    taken = []
    async with trading(desk) as client:
        for _ in range(40):
            desk.now_ns += 130 * MS
            if (await client.send("GET", "/v1/orders")).status == 200:
                taken.append(desk.now_ns)
    assert all(later - earlier >= SECOND for earlier, later in zip(taken, taken[3:], strict=False))
    assert len(taken) >= 15


async def test_requests_that_nobody_has_proven_or_that_come_again_use_nothing_up():
    desk = Desk(keys=(limited(requests_per_second=2),))
    async with trading(desk) as client:
        headers = client.signed("GET", "/v1/orders")
        first = await client.send_raw("GET", "/v1/orders", b"", headers)
        again = [await client.send_raw("GET", "/v1/orders", b"", headers) for _ in range(3)]
        guessed = [await client.using(limited(secret="0" * 32)).send("GET", "/v1/orders") for _ in range(3)]
        last = await client.send("GET", "/v1/orders")
    assert (first.status, last.status) == (200, 200)
    assert {answer.document["code"] for answer in again} == {"request_repeated"}
    assert {answer.document["code"] for answer in guessed} == {"signature_refused"}


def small(most: str = "100") -> ApiKey:
    return limited(order_notional={"USDT": parse_decimal(most, ASSET_DECIMALS)})


@pytest.mark.parametrize(
    ("order", "is_taken"),
    [
        ({"quantity": "0.98", "limit_price": "102"}, True),
        ({"quantity": "0.981", "limit_price": "102"}, False),
        ({"quantity": "0.99", "type": "market", "limit_price": None}, True),
        ({"quantity": "1", "type": "market", "limit_price": None}, False),
        ({"quantity": "1", "limit_price": "101"}, False),
    ],
)
async def test_an_order_is_held_to_what_one_of_its_key_may_come_to(order, is_taken):
    desk = Desk(keys=(small(),))
    async with trading(desk) as client:
        answer = await client.place(**order)
    if is_taken:
        assert answer.status == 201
    else:
        assert (answer.status, answer.document["code"]) == (403, "key_order_notional")
        assert "one order of key trader may come to 100 USDT" in answer.document["detail"]
        assert desk.events == []


async def test_where_assets_are_named_the_others_have_none():
    desk = Desk(keys=(limited(order_notional={"KRW": 10**30}),))
    async with trading(desk) as client:
        answer = await client.place()
    assert (answer.status, answer.document["code"]) == (403, "key_order_notional")
    assert desk.events == []


async def test_what_was_taken_is_answered_again_and_cannot_grow_past_the_limit():
    desk = Desk(keys=(small("110"),))
    async with trading(desk) as client:
        order_id = await rest(client, desk, quantity="1")
        desk.events.clear()
        grown = await client.send("PATCH", f"/v1/orders/{order_id}", {"quantity": "1.2"})
        assert (grown.status, grown.document["code"]) == (403, "key_order_notional")
        assert desk.events == []
        assert (await client.send("PATCH", f"/v1/orders/{order_id}", {"quantity": "0.9"})).status == 200
    tight = Desk(keys=(TRADER, small("1").model_copy(update={"key": "small", "secret": "x" * 32})))
    async with trading(tight) as client:
        order = (await client.place()).document
        again = await client.using(small("1").model_copy(update={"key": "small", "secret": "x" * 32})).place()
    assert (again.status, again.document["order_id"]) == (200, order["order_id"]), "the first answer, not a new order"


async def place_from(client: Client, *forwarded: str) -> Answer:
    body = json.dumps(ORDER).encode()
    headers = client.signed("POST", "/v1/orders", body)
    if forwarded:
        headers["X-Forwarded-For"] = ", ".join(forwarded)
    return await client.send_raw("POST", "/v1/orders", body, headers)


@pytest.mark.parametrize(
    ("networks", "is_taken"),
    [
        (("127.0.0.0/8",), True),
        (("2001:db8::/32", HERE), True),
        ((ELSEWHERE,), False),
        (("::/0",), False),
        (("127.0.0.2/31",), False),
    ],
)
async def test_a_key_comes_from_its_own_addresses_only(networks, is_taken):
    desk = Desk(keys=(only_from(*networks),))
    async with trading(desk) as client:
        answer = await place_from(client)
    assert (answer.status == 201) == is_taken
    if not is_taken:
        assert (answer.status, answer.document["code"]) == (403, "address_refused")
        assert HERE in answer.document["detail"]
        assert desk.events == []


async def test_without_a_proxy_nobody_is_believed_who_says_where_a_request_is_from():
    desk = Desk(keys=(only_from(ELSEWHERE),))
    async with trading(desk) as client:
        answer = await place_from(client, ELSEWHERE)
    assert (answer.status, answer.document["code"], desk.events) == (403, "address_refused", [])


@pytest.mark.parametrize(
    ("forwarded", "is_taken"),
    [
        ((ELSEWHERE,), True),
        (("10.0.0.1", ELSEWHERE), True),
        ((f"::ffff:{ELSEWHERE}",), True),
        ((ELSEWHERE, "198.51.100.1"), False),
        ((ELSEWHERE, "unknown"), False),
        ((ELSEWHERE, ""), False),
        ((), False),
    ],
)
async def test_behind_a_proxy_the_last_hop_counts_which_the_proxy_wrote(forwarded, is_taken):
    desk = Desk(keys=(only_from(ELSEWHERE),), is_behind_proxy=True)
    async with trading(desk) as client:
        answer = await place_from(client, *forwarded)
    assert (answer.status == 201) == is_taken
    if not is_taken:
        assert (answer.status, answer.document["code"], desk.events) == (403, "address_refused", [])


async def test_behind_a_proxy_the_proxys_own_address_opens_nothing():
    desk = Desk(keys=(only_from(HERE),), is_behind_proxy=True)
    async with trading(desk) as client:
        assert (await place_from(client)).document["code"] == "address_refused"
        assert (await place_from(client, ELSEWHERE)).document["code"] == "address_refused"


async def test_a_stream_login_is_held_to_the_same():
    for key, code in (
        (only_from(ELSEWHERE), "address_refused"),
        (limited(requests_per_second=1), "too_many_requests"),
    ):
        broadcast = Broadcast(keys=(key,))
        async with serving(broadcast) as http:
            answers = []
            for _ in range(2):
                broadcast.now_ns += MS
                async with listening(http) as reader:
                    answers.append(await reader.answer(**login(broadcast, key)))
                    (subscribed,) = [await reader.answer("subscribe", channel="orders")]
        assert answers[-1]["code"] == code
        assert subscribed["code"] == "key_required", "who was refused is nobody"


async def test_a_stream_login_behind_a_proxy_comes_from_where_its_upgrade_did():
    broadcast = Broadcast(keys=(only_from(ELSEWHERE),), is_behind_proxy=True)
    async with serving(broadcast) as http:
        async with listening(http, headers={"X-Forwarded-For": f"10.0.0.1, {ELSEWHERE}"}) as reader:
            assert (await reader.answer(**login(broadcast)))["type"] == "logged_in"
        broadcast.now_ns += MS
        async with listening(http, headers={"X-Forwarded-For": f"{ELSEWHERE}, 10.0.0.1"}) as reader:
            assert (await reader.answer(**login(broadcast)))["code"] == "address_refused"


async def test_a_session_is_held_to_the_limits_of_its_key(monkeypatch):
    held = (limited(requests_per_second=3),)
    monkeypatch.setattr("tests.api.test_sessions.KEYS", held)
    desk = Desk()
    async with browsers(desk) as [browser]:
        assert (await browser.sign_in())[0] == 201
        statuses = [(await browser.send("GET", "/v1/orders"))[0] for _ in range(3)]
    assert statuses == [200, 200, 429]


async def test_no_session_is_opened_from_elsewhere(monkeypatch):
    monkeypatch.setattr("tests.api.test_sessions.KEYS", (only_from(ELSEWHERE),))
    desk = Desk()
    async with browsers(desk) as [browser]:
        desk.now_ns += MS
        by_link = await browser.follow(one_time_link(TRADER.key, TRADER.secret, desk.now_ns))
        by_key = await browser.sign_in()
    assert [(told[0], told[1]["code"]) for told in (by_link, by_key)] == [(403, "address_refused")] * 2
