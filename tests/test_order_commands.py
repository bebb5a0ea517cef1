"""The commands on orders, against a service with live books: what people see, and what has happened then."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from aggregator.cli import main
from aggregator.config.keys import ApiKey
from aggregator.domain.effects import PlaceChild
from aggregator.domain.lifecycle import Word
from aggregator.domain.order_events import About, Balance, BalancesRead, Started
from aggregator.terminal.orders import paired, slippage_bps
from tests.api.desk import ADMIN, OTHER, TRADER, Desk
from tests.records.test_replay import recording, started

PATIENCE_S = 60


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.chdir(tmp_path)
    desk = Desk(real_clock_ns=time.time_ns)
    desk.root = await desk.server.open("127.0.0.1", 0)
    monkeypatch.setenv("AGGREGATOR_URL", desk.root)
    use(TRADER, monkeypatch)
    try:
        yield desk
    finally:
        await desk.server.close()


def use(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGGREGATOR_KEY", key.key)
    monkeypatch.setenv("AGGREGATOR_SECRET", key.secret)


async def run(*words: str) -> int:
    return await asyncio.to_thread(main, list(words))


async def placed(desk: Desk, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while sum(isinstance(effect, PlaceChild) for effect in desk.sent) < count:
            await asyncio.sleep(0.001)


def fill_both(desk: Desk) -> None:
    desk.fill("2", "101", "0.002", "BTC")
    desk.tell(Word.ENDED, raw="FILLED")
    desk.fill("0.4", "101.5", "0.0004", "BTC", number=1)
    desk.tell(Word.ENDED, number=1, raw="EXPIRED", reason="the rest had gone")


async def test_an_order_is_followed_until_its_children_have_ended(desk, capsys):
    placing = asyncio.create_task(run("order", "place", "BTC/USDT", "buy", "2.4", "--limit", "102", "--id", "mine"))
    await placed(desk, 2)
    fill_both(desk)
    assert await placing == 0
    shown = capsys.readouterr().out
    assert "binance: filled, 2 of 2 at 101" in shown
    assert "huobi: filled, 0.4 of 0.4 at 101.5" in shown
    assert re.search(r"buy 2\.4 BTC/USDT at 102 IOC  filled  \w{16}  \(mine\)", shown)
    assert "filled 2.4 of 2.4 at 101.08333333" in shown
    assert "received 2.3976 BTC; fees 0.0024 BTC" in shown


async def test_json_is_one_document(desk, capsys):
    placing = asyncio.create_task(run("order", "place", "BTC/USDT", "sell", "0.1", "--venues", "huobi", "--json"))
    await placed(desk, 1)
    desk.fill("0.1", "100", "0.01", "USDT")
    desk.tell(Word.ENDED, raw="FILLED")
    assert await placing == 0
    order = json.loads(capsys.readouterr().out)
    assert (order["state"], order["type"], order["venues"], order["received"]) == (
        "filled",
        "market",
        ["huobi"],
        "9.99",
    )
    assert order["client_order_id"].startswith("cli-")


async def test_an_order_that_rests_is_shown_amended_listed_and_canceled(desk, capsys):
    place = ("order", "place", "BTC/USDT", "buy", "1", "--limit", "99", "--post-only", "--id", "rest", "--wait", "0")
    assert await run(*place) == 0
    desk.tell(Word.WORKING, raw="NEW")
    assert "buy 1 BTC/USDT at 99 GTC post-only  working" in capsys.readouterr().out
    assert await run("order", "show", "client:rest") == 0
    assert re.search(r"working +1 +99 +0 +NEW", capsys.readouterr().out)
    assert await run("order", "amend", "client:rest", "--quantity", "2") == 0
    desk.tell(Word.ENDED, about=About.STREAM, raw="CANCELED")
    assert await run("order", "list", "--open") == 0
    assert re.search(r"rest +BTC/USDT +buy +2 +99 +0 +- +working", capsys.readouterr().out)
    assert await run("order", "cancel", "client:rest") == 0
    assert "canceled by trader" in capsys.readouterr().out
    assert await run("order", "cancel", "--all") == 1
    assert "1 have not ended yet" in capsys.readouterr().out
    desk.tell(Word.ENDED, 1, About.STREAM, "CANCELED")
    assert await run("order", "cancel", "--all", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"orders": [], "still_open": 0}


async def test_what_is_refused_exits_2_with_the_reason(desk, capsys, monkeypatch):
    assert await run("order", "place", "BTC/USDT", "buy", "50", "--limit", "102", "--tif", "FOK") == 2
    assert "the live books cover 4" in capsys.readouterr().err
    use(OTHER, monkeypatch)
    assert await run("order", "show", "client:none") == 2
    assert "account fund has no order" in capsys.readouterr().err
    monkeypatch.delenv("AGGREGATOR_KEY")
    assert await run("order", "list") == 2
    assert "sign the request" in capsys.readouterr().err


async def test_an_order_whose_answer_is_lost_can_be_asked_for(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert await run("order", "place", "BTC/USDT", "buy", "1", "--id", "lost", "--url", "http://127.0.0.1:1") == 3
    told = capsys.readouterr().err
    assert "whether it was placed is not known; ask with `aggregator order show client:lost`" in told
    assert "--id lost" in told


async def test_an_explanation_holds_the_children_against_their_plan(desk, capsys):
    place = ("order", "place", "BTC/USDT", "buy", "3", "--limit", "102", "--id", "mine", "--wait", "0")
    assert await run(*place) == 0
    desk.fill("2", "101.101", "0.002", "BTC")
    desk.tell(Word.ENDED, raw="FILLED")
    desk.tell(Word.IN_DOUBT, number=1, reason="no answer came")
    assert await run("explain", "client:mine") == 0
    shown = capsys.readouterr().out
    assert "Plan 1 of 1" in shown
    assert re.search(r"binance +filled +2 of 2 +101 +101\.101 +10\.00 bps", shown)
    assert "slippage against the first plan's average, 101.1666" in shown
    assert "slippage against the mid price on arrival, 100.5: 59.80 bps" in shown
    assert re.search(r"huobi \w+-001 is unknown: no answer came; 1 stays reserved", shown)
    assert await run("explain", "client:mine", "--json") == 0
    assert json.loads(capsys.readouterr().out)["client_order_id"] == "mine"


async def test_an_explanation_of_what_was_refused_tells_the_plan_that_did_not_cover_it(desk, capsys):
    await run("order", "place", "BTC/USDT", "buy", "50", "--limit", "102", "--tif", "FOK", "--id", "big")
    assert await run("explain", "client:big") == 0
    shown = capsys.readouterr().out
    assert "fok_not_covered: the live books cover 4" in shown
    assert "unfilled 46: depth" in shown


def test_an_explanation_of_recordings_is_the_plan_on_their_books(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1])
    path = str(recording(tmp_path, *started("BTCUSDT")))
    assert main(["explain", "--replay", path, "BTC/USDT", "buy", "0.5"]) == 0
    assert "binance" in capsys.readouterr().out
    assert main(["explain", "--replay", path, "BTC/USDT"]) == 2
    assert "SYMBOL SIDE QUANTITY" in capsys.readouterr().err
    assert main(["explain", "one", "two"]) == 2


async def test_balances_are_shown_with_what_differs_and_without_what_is_nothing(desk, capsys, monkeypatch):
    use(ADMIN, monkeypatch)
    nothing = Balance(total=0, free=0)
    desk.engine.apply(BalancesRead("binance", desk.clock_ns(), {"ETH": nothing, "USDT": nothing}, is_whole=False))
    assert await run("balances") == 0
    shown = capsys.readouterr().out
    assert re.search(r"binance +BTC +5 +5 +5 +yes", shown)
    assert re.search(r"binance +USDT +0 +0 +100000 +-100000 +yes", shown)
    assert "ETH" not in shown
    assert await run("balances", "--all") == 0
    assert re.search(r"binance +ETH +0 +0 +0 +yes", capsys.readouterr().out)
    assert await run("balances", "--json") == 0
    assert json.loads(capsys.readouterr().out)["balances"]["binance"]["USDT"]["difference"] == "-100000"
    desk.engine.apply(Started(desk.clock_ns(), "abc123", ("binance", "huobi")))
    assert await run("balances") == 0
    shown = capsys.readouterr().out
    assert re.search(r"huobi +BTC +5 +5 +5 +no", shown)
    assert "huobi: not reconciled: its balances are not read yet" in shown


async def test_the_kill_switch(desk, capsys, monkeypatch):
    assert await run("halt", "on", "prices look wrong") == 2
    assert "needs a key with scope admin" in capsys.readouterr().err
    use(ADMIN, monkeypatch)
    assert await run("halt", "on") == 2
    assert "takes a reason" in capsys.readouterr().err
    assert await run("halt", "on", "prices [look] wrong") == 0
    assert capsys.readouterr().out == "halted: prices [look] wrong\n"
    assert desk.engine.orders.is_halted
    assert await run("halt", "show", "--json") == 0
    assert json.loads(capsys.readouterr().out)["halted"]
    assert await run("halt", "off") == 0
    assert capsys.readouterr().out == "not halted\n"
    assert not desk.engine.orders.is_halted


def test_slippage_is_worse_above_zero_for_either_side():
    assert slippage_bps("buy", Decimal(100), Decimal("100.5")) == 50
    assert slippage_bps("sell", Decimal(100), Decimal("99.5")) == 50
    assert slippage_bps("sell", Decimal(100), Decimal("100.01")) == -1


def test_children_are_paired_with_their_plans_in_turn_and_what_rests_with_none():
    def child(venue: str, quantity: str = "1", limit_price: str = "10") -> dict[str, str]:
        return {"venue": venue, "quantity": quantity, "limit_price": limit_price}

    plans = [{"children": [child("a"), child("b")]}, {"children": []}, {"children": [child("a", "0.5")]}]
    children = [child("a"), child("b"), child("b", limit_price="9"), child("a", "0.5")]
    pairs = paired({"plans": plans, "children": children})
    assert [planned is not None for _, planned in pairs] == [True, True, False, True]
