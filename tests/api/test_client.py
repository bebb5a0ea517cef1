"""The synchronous client that commands use: which service it asks, with which key, and what it then gets."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from aggregator.api.client import (
    DEFAULT_URL,
    Access,
    Answered,
    Api,
    Unreachable,
    find_access,
    read_access,
    write_access,
)
from aggregator.domain.lifecycle import Word
from tests.api.desk import ADMIN, ORDER, TRADER, Desk

DEMO = Access("http://127.0.0.1:9999", "demo", "a-secret-that-the-demo-has-made")
ENVIRONMENT = {"AGGREGATOR_KEY": "mine", "AGGREGATOR_SECRET": "my-secret"}


@pytest.fixture
def left(tmp_path: Path) -> Path:
    file = tmp_path / "var" / "client.json"
    write_access(file, DEMO)
    return file


def test_what_the_demo_leaves_is_read_by_its_owner_only(left):
    assert left.stat().st_mode & 0o777 == 0o600
    assert read_access(left) == DEMO
    left.chmod(0o644)
    write_access(left, DEMO._replace(key="next"))
    assert left.stat().st_mode & 0o777 == 0o600
    assert DEMO.secret not in repr(DEMO)


@pytest.mark.parametrize(
    ("url", "environment", "found"),
    [
        (None, {}, DEMO),
        (DEMO.root, {}, DEMO),
        (DEMO.root + "/", {}, DEMO),
        ("http://other.example", {}, Access("http://other.example")),
        (None, {"AGGREGATOR_URL": "http://other.example"}, Access("http://other.example")),
        (None, ENVIRONMENT, Access(DEMO.root, "mine", "my-secret")),
        ("http://other.example", ENVIRONMENT, Access("http://other.example", "mine", "my-secret")),
        ("http://other.example", {"AGGREGATOR_KEY": "mine"}, Access("http://other.example")),
    ],
)
def test_the_demos_key_goes_to_the_demo_only(left, url, environment, found):
    assert find_access(url, environment, left) == found


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '"text"', '{"root": "http://a"}'])
def test_without_a_demo_it_is_the_usual_address(tmp_path, content):
    file = tmp_path / "client.json"
    if content is not None:
        file.write_text(content)
    assert find_access(None, {}, file) == Access(DEFAULT_URL)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk(real_clock_ns=time.time_ns)
    desk.root = await desk.server.open("127.0.0.1", 0)
    try:
        yield desk
    finally:
        await desk.server.close()


async def call(desk: Desk, work: Callable[[Api], Any], key: Any = TRADER) -> Any:
    return await asyncio.to_thread(work, Api(Access(desk.root, key.key, key.secret)))


async def test_orders_are_placed_shown_amended_and_canceled(desk):
    resting = {**ORDER, "limit_price": "100", "time_in_force": "GTC", "post_only": True}
    order = await call(desk, lambda api: api.place(resting))
    desk.tell(Word.WORKING)
    assert (await call(desk, lambda api: api.order("client:one")))["order_id"] == order["order_id"]
    listed = await call(desk, lambda api: api.orders("open", limit=1))
    assert [each["order_id"] for each in listed["orders"]] == [order["order_id"]]
    assert (await call(desk, lambda api: api.amend(order["order_id"], {"quantity": "2"})))["quantity"] == "2"
    assert (await call(desk, lambda api: api.cancel(order["order_id"])))["state"] == "canceling"
    assert (await call(desk, lambda api: api.cancel_all("BTC/USDT")))["still_open"] == 1
    desk.fill("0.5", "100", "0", "BTC")
    (fill,) = (await call(desk, lambda api: api.fills(order["order_id"])))["fills"]
    assert fill["quantity"] == "0.5"


async def test_the_house_is_asked_with_its_key(desk):
    assert "USDT" in (await call(desk, Api.balances, ADMIN))["balances"]["huobi"]
    assert (await call(desk, lambda api: api.switch_halt("a test"), ADMIN))["halted"]
    assert not (await call(desk, lambda api: api.switch_halt(None), ADMIN))["halted"]
    assert not (await call(desk, Api.halt))["halted"]


async def test_errors_are_the_services_own_words_with_their_code(desk):
    with pytest.raises(Answered, match="has no order 'abc'") as answered:
        await call(desk, lambda api: api.order("abc"))
    assert answered.value.code == "unknown_order"
    with pytest.raises(Answered, match="X-Signature") as answered:
        await asyncio.to_thread(Api(Access(desk.root)).orders)
    assert answered.value.code == "key_required"


def test_nobody_there_is_told_without_the_secret():
    with pytest.raises(Unreachable, match="does not answer") as unreachable:
        Api(Access("http://127.0.0.1:1", "demo", DEMO.secret)).orders()
    assert DEMO.secret not in str(unreachable.value)
