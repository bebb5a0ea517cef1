"""The kill switch and the balances of the house."""

import pytest

from aggregator.domain.effects import PlaceChild
from aggregator.domain.order_events import Balance, BalancesRead
from tests.api.desk import ADMIN, TRADER, Desk, money, trading


def held(total: str, free: str, expected: str, difference: str) -> dict[str, str]:
    return {"total": total, "free": free, "expected": expected, "difference": difference}


async def test_balances_are_those_that_the_venues_told_last_beside_what_was_expected():
    async with trading(Desk(), ADMIN) as client:
        answer = await client.send("GET", "/v1/balances")
    plain = {"BTC": held("5", "5", "5", "0"), "USDT": held("100000", "99000.5", "100000", "0")}
    assert answer.document["balances"] == {"binance": plain, "huobi": plain}
    assert answer.document["reconciling"] == {}


async def test_a_fill_that_the_venues_balances_do_not_show_yet_is_a_difference():
    desk = Desk()
    async with trading(desk, TRADER) as client:
        await client.place(venues=["binance"])
        desk.fill("1", "101", "0.001", "BTC")
        answer = await client.using(ADMIN).send("GET", "/v1/balances")
    assert answer.document["balances"]["binance"] == {
        "BTC": held("5", "5", "5.999", "-0.999"),
        "USDT": held("100000", "99000.5", "99899", "101"),
    }


async def test_what_a_venue_names_no_more_is_nothing_and_what_it_differs_by_is_taken_over():
    desk = Desk(is_reconciled=False)
    for balances in ({"BTC": Balance(money("1"), money("1"))}, {}):
        desk.engine.apply(BalancesRead("huobi", desk.clock_ns(), balances))
    async with trading(desk, ADMIN) as client:
        answer = await client.send("GET", "/v1/balances")
    assert answer.document["balances"] == {"binance": {}, "huobi": {"BTC": held("0", "0", "0", "0")}}
    assert answer.document["reconciling"]["binance"] == "not reconciled: its balances are not read yet"


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
