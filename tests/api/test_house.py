"""The kill switch and the balances of the house."""

import pytest

from aggregator.domain.effects import PlaceChild
from tests.api.desk import ADMIN, TRADER, Desk, trading


async def test_balances_are_those_that_the_venues_told_last():
    async with trading(Desk(), ADMIN) as client:
        answer = await client.send("GET", "/v1/balances")
    held = {"BTC": {"total": "5", "free": "5"}, "USDT": {"total": "100000", "free": "99000.5"}}
    assert answer.document["balances"] == {"binance": held, "huobi": held}


async def test_while_halted_nothing_new_leaves_and_everyone_is_told_why():
    desk = Desk()
    async with trading(desk, ADMIN) as client:
        trader = client.using(TRADER)
        on = await client.send("POST", "/v1/halt", {"reason": "prices look wrong"})
        assert (on.status, on.document["halted"], on.document["reason"]) == (200, True, "prices look wrong")
        assert (await trader.send("GET", "/v1/halt")).document == on.document
        refused = await trader.place()
        assert (refused.status, refused.document["code"]) == (503, "halted")
        assert "prices look wrong" in refused.document["detail"]
        assert not any(isinstance(effect, PlaceChild) for effect in desk.sent)
        off = await client.send("DELETE", "/v1/halt")
        assert off.document == {"halted": False, "reason": "", "reconciling": {}}
        assert (await trader.place(client_order_id="two")).status == 201


async def test_a_venue_that_is_not_reconciled_is_named():
    async with trading(Desk(is_reconciled=False), ADMIN) as client:
        answer = await client.send("GET", "/v1/halt")
    assert answer.document["reconciling"]["huobi"] == "not reconciled: its balances are not read yet"


@pytest.mark.parametrize(
    "body", [None, {}, {"reason": ""}, {"reason": "  "}, {"reason": "a\nb"}, {"reason": "a" * 201}]
)
async def test_a_halt_needs_its_reason(body):
    desk = Desk()
    async with trading(desk, ADMIN) as client:
        answer = await client.send("POST", "/v1/halt", body)
    assert answer.status == 400
    assert not desk.engine.orders.is_halted


async def test_a_halt_that_cannot_be_recorded_is_not_said_to_be_on():
    desk = Desk()
    desk.failure = "disk full"
    async with trading(desk, ADMIN) as client:
        answer = await client.send("POST", "/v1/halt", {"reason": "test"})
    assert (answer.status, answer.document["code"]) == (503, "journal_failed")
