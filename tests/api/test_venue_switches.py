"""An admin's word on a venue: shown, routed to, drained, taken on; with who said it and why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from aggregator.domain.instrument import Instruments
from aggregator.domain.lifecycle import Word
from aggregator.domain.order_events import About
from aggregator.engine.engine import Engine
from tests.api.desk import ADMIN, KEYS, ORDER, Answer, Client, Desk, trading
from tests.api.whole import whole


async def switch(client: Client, venue: str = "binance", **wanted: Any) -> Answer:
    return await client.using(ADMIN).send("PATCH", f"/v1/venues/{venue}", {"reason": "a test", **wanted})


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    desk = Desk()
    desk.server = whole(desk, *KEYS)
    async with trading(desk) as client:
        yield client


async def test_a_venue_that_is_not_displayed_is_in_no_book_and_says_who_hid_it(client: Client) -> None:
    answer = await switch(client, display=False, reason="prices look wrong")
    assert answer.status == 200
    shown = {name: answer.document[name] for name in ("state", "display", "route", "switched_by", "reason")}
    assert shown == {
        "state": "active",
        "display": False,
        "route": True,
        "switched_by": "admin",
        "reason": "prices look wrong",
    }
    assert answer.document["switched_ns"] == client.desk.events[-1].received_ns
    book = client.desk.engine.market.consolidated("BTC/USDT")
    assert book.venues == ("huobi",)
    assert book.excluded == {"binance": "not displayed by admin: prices look wrong"}
    assert (await switch(client, display=True)).document["display"] is True
    assert client.desk.engine.market.consolidated("BTC/USDT").venues == ("binance", "huobi")


async def test_a_venue_that_is_not_routed_to_is_left_out_of_plans_with_that_reason(client: Client) -> None:
    await switch(client, route=False, reason="no licence on file")
    quote = await client.send("POST", "/v1/quotes", {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.5"})
    assert quote.document["excluded"]["binance"] == "its route is switched off by admin: no licence on file"
    assert [child["venue"] for child in quote.document["children"]] == ["huobi"]


async def test_a_venue_that_drains_keeps_its_orders_and_is_off_once_they_have_ended(client: Client) -> None:
    desk = client.desk
    placed = await client.send("POST", "/v1/orders", {**ORDER, "quantity": "0.5", "venues": ["binance"]})
    child = desk.child()
    assert child.terms.venue == "binance"
    assert (await switch(client, state="draining")).document["state"] == "draining"
    assert not desk.cancels
    refused = await client.send("POST", "/v1/orders", {**ORDER, "client_order_id": "two", "venues": ["binance"]})
    assert "draining by admin: a test" in refused.document["plan"]["excluded"]["binance"]
    desk.fill("0.5", "101", "0", "BTC")
    order = await client.send("GET", f"/v1/orders/{placed.document['order_id']}")
    assert order.document["state"] == "filled"
    assert (await client.send("GET", "/v1/venues/binance")).document["state"] == "off"


async def test_a_venue_that_is_to_be_off_has_what_rests_there_canceled_first(client: Client) -> None:
    desk = client.desk
    resting = {**ORDER, "limit_price": "99", "time_in_force": "GTC", "venues": ["binance"]}
    await client.send("POST", "/v1/orders", resting)
    desk.tell(Word.WORKING)
    assert (await switch(client, state="off")).document["state"] == "draining"
    assert desk.cancels == [desk.child().terms.child_id]
    desk.tell(Word.ENDED, about=About.CANCEL)
    assert (await client.send("GET", "/v1/venues/binance")).document["state"] == "off"


async def test_one_without_orders_is_off_at_once_and_comes_back_to_be_reconciled(client: Client) -> None:
    assert (await switch(client, state="off")).document["state"] == "off"
    assert "binance" not in client.desk.engine.orders.reconciling
    assert (await switch(client, state="active")).document["state"] == "active"
    assert client.desk.engine.orders.reconciling == {"binance": "not reconciled: its balances are not read yet"}


async def test_what_a_person_said_is_in_the_state_that_is_restored(client: Client) -> None:
    await switch(client, state="draining", route=False)
    again = Engine()
    again.orders.restore(client.desk.engine.orders.document(), Instruments())
    assert again.orders.state.switches == client.desk.engine.orders.state.switches
    again.show_as_switched("binance")
    assert again.market.hidden == {"binance": "switched off by admin: a test"}


@pytest.mark.parametrize(
    ("venue", "wanted", "status", "code", "part"),
    [
        ("nowhere", {"display": False}, 404, "unknown_venue", "there is no venue 'nowhere'"),
        ("busan", {"state": "off"}, 409, "not_switchable", "POST /v1/books/{symbol}/state"),
        ("huobi", {"route": True}, 409, "not_switchable", "there are no credentials for it"),
        ("binance", {}, 409, "not_switchable", "nothing to switch"),
        ("binance", {"state": "gone"}, 400, "bad_parameter", "state"),
        ("binance", {"display": "yes"}, 400, "bad_parameter", "display"),
        ("binance", {"display": True, "reason": " "}, 400, "bad_parameter", "reason"),
        ("binance", {"display": True, "reason": "two\nlines"}, 400, "bad_parameter", "one line"),
        ("binance", {"display": True, "reson": ""}, 400, "bad_parameter", "reson"),
    ],
)
async def test_what_is_no_word_on_a_venue_changes_nothing(
    client: Client, venue: str, wanted: dict[str, Any], status: int, code: str, part: str
) -> None:
    answer = await switch(client, venue, **wanted)
    assert (answer.status, answer.document["code"]) == (status, code)
    assert part in answer.document["detail"]
    assert client.desk.events == [] and not client.desk.engine.orders.state.switches


async def test_a_new_venue_whose_file_has_faults_is_refused_with_all_of_them(client: Client) -> None:
    answer = await client.using(ADMIN).send("POST", "/v1/venues", {"file": "venue: x", "reason": "more depth"})
    assert (answer.status, answer.document["code"]) == (422, "venue_refused")
    assert answer.document["detail"].splitlines() == [
        "kraken.yaml:1:1: venue: missing",
        "kraken.yaml:2:1: fees: missing",
    ]


async def test_without_a_journal_that_can_be_written_nothing_is_switched(client: Client) -> None:
    client.desk.failure = "the disk is full"
    answer = await switch(client, state="off")
    assert (answer.status, answer.document["code"]) == (503, "journal_failed")
    assert not client.desk.engine.orders.state.switches
