"""Who watches over trading sees every account's orders, fills and ledger, and can change none of it; an admin can stop
everyone at once."""

from __future__ import annotations

from typing import Any

import pytest

from aggregator.domain.lifecycle import Word
from aggregator.domain.order_events import About, CancelAllRequested
from tests.api.broadcast import Broadcast, listening, serving
from tests.api.desk import ADMIN, OTHER, OVERSEER, SWITCHER, TRADER, Client, Desk, rest, trading
from tests.api.test_stream import login


async def two_accounts(client: Client, desk: Desk) -> tuple[str, str]:
    """An order at rest of each."""
    ours = await rest(client, desk, client_order_id="mine", quantity="0.5")
    theirs = await rest(client.using(OTHER), desk, client_order_id="mine", quantity="0.25")
    return ours, theirs


def ids(answer: Any) -> list[str]:
    return [order["order_id"] for order in answer.document["orders"]]


@pytest.mark.parametrize("key", [OVERSEER, SWITCHER], ids=lambda key: key.key)
async def test_every_accounts_orders_and_fills_are_seen(key):
    desk = Desk()
    async with trading(desk) as client:
        ours, theirs = await two_accounts(client, desk)
        desk.fill("0.1", "100.5", "0.001", "USDT", 0)
        desk.fill("0.2", "100.5", "0.001", "USDT", 1)
        watcher = client.using(key)
        assert ids(await watcher.send("GET", "/v1/orders")) == [], "its own, unless another account is named"
        assert ids(await watcher.send("GET", "/v1/orders?account=*")) == [theirs, ours]
        assert ids(await watcher.send("GET", "/v1/orders?account=fund&status=open")) == [theirs]
        first = await watcher.send("GET", "/v1/orders?account=*&limit=1")
        assert ids(await watcher.send("GET", f"/v1/orders?account=*&after={first.document['next']}")) == [ours]
        for path in (f"/v1/orders/{theirs}", "/v1/orders/client:mine?account=fund"):
            seen = (await watcher.send("GET", path)).document
            assert (seen["order_id"], seen["account"]) == (theirs, "fund")
        fills = {
            path: [fill["quantity"] for fill in (await watcher.send("GET", f"/v1/fills{path}")).document["fills"]]
            for path in ("", "?account=*", "?account=desk", f"?order={theirs}", "?order=client:mine&account=desk")
        }
    assert fills == {
        "": [],
        "?account=*": ["0.2", "0.1"],
        "?account=desk": ["0.1"],
        f"?order={theirs}": ["0.2"],
        "?order=client:mine&account=desk": ["0.1"],
    }


async def test_a_client_order_id_is_nothing_without_its_account():
    desk = Desk()
    async with trading(desk) as client:
        await two_accounts(client, desk)
        answer = await client.using(OVERSEER).send("GET", "/v1/orders/client:mine?account=*")
    assert (answer.status, answer.document["code"]) == (404, "unknown_order")
    assert "its account's own" in answer.document["detail"]


async def test_an_accounts_part_of_the_ledger_is_read():
    desk = Desk()
    async with trading(desk) as client:
        await client.using(ADMIN).send("POST", "/v1/ledger", {"act": "open", "account": "fund"})
        seen = await client.using(OVERSEER).send("GET", "/v1/ledger?account=fund")
        everyone = await client.using(OVERSEER).send("GET", "/v1/ledger?account=*")
    assert (seen.document["account"], seen.document["is_open"]) == ("fund", True)
    assert (everyone.status, everyone.document["code"]) == (400, "bad_parameter"), "an account's, one at a time"


@pytest.mark.parametrize(("account", "canceled"), [("*", ["mine", "mine"]), ("fund", ["mine"])])
async def test_an_admin_cancels_for_others_and_the_record_says_who(account, canceled):
    desk = Desk()
    async with trading(desk) as client:
        ours, theirs = await two_accounts(client, desk)
        desk.events.clear()
        answer = await client.using(SWITCHER).send("DELETE", f"/v1/orders?account={account}")
    assert [order["client_order_id"] for order in answer.document["orders"]] == canceled
    (event,) = desk.events
    assert isinstance(event, CancelAllRequested)
    assert (event.account, event.by) == (account, "switcher")
    assert len(desk.cancels) == len(canceled)
    parents = desk.engine.orders.parents
    assert parents[theirs].reason == "canceled by switcher"
    assert (parents[ours].reason == "canceled by switcher") == (account == "*")


async def test_the_stream_tells_whoever_oversees_of_every_account():
    desk = Desk()
    broadcast = Broadcast(desk.engine)
    async with trading(desk) as client, serving(broadcast) as http, listening(http) as reader:
        await two_accounts(client, desk)
        await reader.answer(**login(broadcast, OVERSEER))
        snapshot = await reader.answer("subscribe", channel="orders", account="*")
        assert (snapshot["account"], [order["account"] for order in snapshot["orders"]]) == ("*", ["desk", "fund"])
        assert (await reader.answer("subscribe", channel="fills", account="fund"))["fills"] == []
        told = len(desk.sent)
        desk.fill("0.1", "100.5", "0.001", "USDT", 0)
        desk.fill("0.2", "100.5", "0.001", "USDT", 1)
        desk.tell(Word.ENDED, 0, About.STREAM, "CANCELED")
        broadcast.told(desk.sent[told:])
        await broadcast.publish()
        messages = await reader.until_now()
    changed = {message["channel"]: message for message in messages}
    assert {order["account"]: order["filled"] for order in changed["orders"]["orders"]} == {
        "desk": "0.1",
        "fund": "0.2",
    }
    assert [fill["quantity"] for fill in changed["fills"]["fills"]] == ["0.2"]


@pytest.mark.parametrize("account", ["*", "fund"])
async def test_the_stream_tells_nobody_else(account):
    broadcast = Broadcast()
    async with serving(broadcast) as http, listening(http) as reader:
        await reader.answer(**login(broadcast, TRADER))
        for channel in ("orders", "fills"):
            refused = await reader.answer("subscribe", channel=channel, account=account)
            assert (refused["code"], refused["asked"]["account"]) == ("scope_required", account)
        assert (await reader.answer("subscribe", channel="orders", account="desk"))["type"] == "snapshot"
        assert (await reader.answer("subscribe", channel="venues", account="desk"))["code"] == "bad_parameter"
