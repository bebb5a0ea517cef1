"""Market data is for keys with scope `read`, unless the process file gives that to everyone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aggregator.api.auth import Keys
from aggregator.api.routes import TABLE, WATCH
from tests.api.broadcast import Broadcast, listening, serving
from tests.api.desk import OVERSEER, READER, SENDER, TRADER, Desk, trading
from tests.api.test_attempts import BODIES, path_of
from tests.api.test_stream import login

MARKET = [route for route in TABLE if route.scopes == WATCH]
CHANNELS: list[dict[str, Any]] = [
    {"channel": "book", "symbol": "BTC/USDT"},
    {"channel": "trades", "symbol": "BTC/USDT"},
    {"channel": "venues"},
]


def test_these_are_the_routes_of_the_market():
    assert {route.name for route in MARKET} == {
        "instruments", "venues", "venue", "book", "quote", "local_trades", "converted",
    }  # fmt: skip


@pytest.mark.parametrize("key", [READER, OVERSEER], ids=lambda key: key.key)
@pytest.mark.parametrize("route", MARKET, ids=lambda route: route.name)
async def test_a_key_that_may_watch_sees_the_market(route, key):
    async with trading(Desk(), key) as client:
        answer = await client.send(route.method, path_of(route), BODIES.get(route.name))
    assert answer.document.get("code") in (None, "unknown_instrument")


@pytest.mark.parametrize("route", MARKET, ids=lambda route: route.name)
async def test_where_it_is_open_nobody_needs_to_sign(route):
    async with trading(Desk(keys=(), anonymous=WATCH)) as client:
        body = json.dumps(BODIES[route.name]).encode() if route.name in BODIES else b""
        answer = await client.send_raw(route.method, path_of(route), body, {})
    assert answer.document.get("code") in (None, "unknown_instrument")


async def test_an_open_market_opens_nothing_else():
    desk = Desk(anonymous=WATCH)
    async with trading(desk) as client:
        for route in TABLE:
            if route.scopes and route not in MARKET:
                answer = await client.send_raw(route.method, path_of(route), b"{}", {})
                assert (answer.status, answer.document["code"]) == (401, "key_required"), route.name
    assert desk.events == []


async def test_operators_tools_need_no_key():
    desk = Desk()
    async with trading(desk) as client:
        answer = await client.send_raw("GET", "/openapi.json", b"", {})
    assert answer.status == 200


@pytest.mark.parametrize("topic", CHANNELS, ids=lambda topic: topic["channel"])
async def test_the_stream_tells_of_the_market_whoever_may_see_it(topic):
    broadcast = Broadcast(anonymous=())
    async with serving(broadcast) as http:
        async with listening(http) as reader:
            refused = await reader.answer("subscribe", **topic)
            assert (refused["type"], refused["code"], refused["asked"]) == (
                "error",
                "key_required",
                {"op": "subscribe", **topic},
            )
            assert "op login" in refused["detail"]
            broadcast.bid("100.5", "1")
            await broadcast.publish()
            assert await reader.until_now() == [], "nothing comes all the same"
            await reader.answer(**login(broadcast, SENDER))
            assert (await reader.answer("subscribe", **topic))["code"] == "scope_required"
        async with listening(http) as reader:
            await reader.answer(**login(broadcast, TRADER))
            assert (await reader.answer("subscribe", **topic))["type"] == "snapshot"


def test_nothing_but_what_is_stated_is_open():
    assert Keys((), lambda: 0).are_needed(("read",))
    assert not Keys((), lambda: 0, anonymous=WATCH).are_needed(("read",))
    assert Keys((), lambda: 0, anonymous=WATCH).are_needed(("trade",))
