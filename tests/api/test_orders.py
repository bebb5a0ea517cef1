"""Orders over HTTP: what is asked for, what is answered, and what has then happened to the order."""

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.api.problems import REFUSALS, Code
from aggregator.books.ledger_refusals import LedgerRefused
from aggregator.domain.effects import PlaceChild
from aggregator.domain.lifecycle import Word
from aggregator.domain.order_events import About, OrderRequested, RiskLimits
from tests.api.desk import BTC, ORDER, OTHER, Desk, money, rest, trading
from tests.paths import REPOSITORY


async def test_an_order_is_planned_sent_and_told_whole():
    desk = Desk()
    async with trading(desk) as client:
        answer = await client.place(quantity="2.5", strategy="sweep", venues=["huobi", "binance"])
        assert answer.status == 201
        order = answer.document
        terms = ("client_order_id", "account", "symbol", "side", "type", "quantity", "limit_price", "time_in_force")
        assert [order[term] for term in terms] == ["one", "desk", "BTC/USDT", "buy", "limit", "2.5", "102", "IOC"]
        assert (order["post_only"], order["venues"], order["strategy"]) == (False, ["binance", "huobi"], "sweep")
        assert (order["state"], order["filled"], order["average_price"], order["fees"]) == ("working", "0", None, {})
        assert (order["arrival_mid"], order["code"], order["reason"]) == ("100.5", "", "")
        assert order["plan"] == order["plans"][0]
        assert order["plan"]["filled_by_plan"] == "2.5"
        first, second = order["children"]
        assert (first["venue"], first["quantity"], first["limit_price"]) == ("binance", "2", "101")
        assert (second["venue"], second["quantity"], second["limit_price"]) == ("huobi", "0.5", "101.5")
        assert (first["symbol"], first["state"], first["time_in_force"]) == ("BTCUSDT", "submitted", "IOC")
        assert [effect.terms.child_id for effect in desk.sent if isinstance(effect, PlaceChild)] == [
            first["child_id"],
            second["child_id"],
        ]
        assert order["received_ns"] == order["updated_ns"] == first["sent_ns"] == desk.events[0].received_ns


async def test_fills_fees_and_what_was_received_are_exact():
    desk = Desk()
    async with trading(desk) as client:
        order_id = (await client.place(quantity="2.5")).document["order_id"]
        desk.fill("1.999", "101", "0.001999", "BTC")
        desk.fill("0.001", "100.7", "0.0000001", "BNB")
        desk.tell(Word.ENDED, raw="FILLED")
        desk.fill("0.5", "101.5", "0.0005", "BTC", number=1)
        desk.tell(Word.ENDED, number=1, raw="FILLED")
        order = (await client.send("GET", f"/v1/orders/{order_id}")).document
    assert (order["state"], order["filled"]) == ("filled", "2.5")
    assert order["fees"] == {"BTC": "0.002499", "BNB": "0.0000001"}
    assert (order["received"], order["received_asset"]) == ("2.497501", "BTC")
    assert order["average_price"] == "101.09988", "252.7497 for 2.5"
    first, second = order["children"]
    assert (first["state"], first["venue_word"], first["venue_order_id"], first["executed"]) == (
        "filled",
        "FILLED",
        "v0",
        "2",
    )
    assert [fill["quantity"] for fill in first["fills"]] == ["1.999", "0.001"]
    assert second["fills"][0]["fee_asset"] == "BTC"


async def test_a_seller_receives_the_quote_less_the_fees_taken_from_it():
    desk = Desk()
    async with trading(desk) as client:
        await client.place(side="sell", quantity="0.1", limit_price="99")
        desk.fill("0.1", "100", "0.01", "USDT")
        order = (await client.send("GET", "/v1/orders/client:one")).document
    assert (order["received"], order["received_asset"], order["average_price"]) == ("9.99", "USDT", "100")


async def test_the_same_id_again_gives_the_first_answer_and_makes_no_second_order():
    desk = Desk()
    async with trading(desk) as client:
        first = await client.place(venues=["binance", "huobi"])
        placed = len(desk.sent)
        again = await client.place(venues=["huobi", "binance"], limit_price="102.0", quantity="1.000")
    assert (first.status, again.status) == (201, 200)
    assert again.document == first.document
    assert not any(isinstance(effect, PlaceChild) for effect in desk.sent[placed:])
    assert len(desk.engine.orders.parents) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": "2"},
        {"limit_price": "102.01"},
        {"side": "sell"},
        {"time_in_force": "FOK"},
        {"venues": ["binance"]},
        {"strategy": "other"},
        {"type": "market", "limit_price": None},
    ],
)
async def test_the_same_id_for_something_else_is_refused(change):
    desk = Desk()
    async with trading(desk) as client:
        order_id = (await client.place()).document["order_id"]
        answer = await client.place(**change)
    assert (answer.status, answer.document["code"]) == (409, "duplicate_client_order_id")
    assert answer.document["order_id"] == order_id
    assert len(desk.engine.orders.parents) == 1


async def test_two_accounts_may_use_the_same_id_and_see_only_their_own():
    desk = Desk()
    async with trading(desk) as client:
        other = client.using(OTHER)
        mine = (await client.place()).document
        assert (await other.place()).status == 201
        theirs = (await other.send("GET", "/v1/orders/client:one")).document
        assert theirs["account"] == "fund"
        assert [order["order_id"] for order in (await client.send("GET", "/v1/orders")).document["orders"]] == [
            mine["order_id"]
        ]


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("DELETE", None), ("PATCH", {"quantity": "2"})])
@pytest.mark.parametrize("is_there", [True, False])
async def test_anothers_order_is_as_one_that_is_not_there(method, body, is_there):
    desk = Desk()
    async with trading(desk) as client:
        order_id = (await client.place(time_in_force="GTC")).document["order_id"] if is_there else "abc123000000000000"
        events = len(desk.events)
        answer = await client.using(OTHER).send(method, f"/v1/orders/{order_id}", body)
        assert (answer.status, answer.document["code"]) == (404, "unknown_order")
        assert answer.document["detail"].startswith(f"account fund has no order '{order_id}'")
        assert (await client.using(OTHER).send(method, "/v1/orders/client:one", body)).status == 404
        fills = await client.using(OTHER).send("GET", f"/v1/fills?order={order_id}")
        assert fills.status == 404
    assert len(desk.events) == events


BAD = [
    ({"limit_price": None}, "a limit order needs limit_price"),
    ({"type": "market"}, "a market order has no limit_price"),
    ({"type": "market", "limit_price": None, "time_in_force": "GTC"}, "a market order cannot rest"),
    ({"post_only": True}, "post_only is for what rests: it needs type limit and time_in_force GTC"),
    ({"type": "market", "limit_price": None, "time_in_force": "FOK", "post_only": True}, "post_only is for what rests"),
    ({"quantity": "0"}, 'quantity="0": give a positive decimal such as "0.5": more than 0'),
    ({"quantity": "-1"}, 'quantity="-1": give a positive decimal'),
    ({"quantity": "1e3"}, "without sign or exponent"),
    ({"quantity": 1}, "decimals are strings"),
    ({"quantity": "0." + "0" * 18 + "1"}, "finer than this instrument's 18 decimals"),
    ({"limit_price": "0"}, 'limit_price="0": give a positive decimal'),
    ({"quantity": "9" * 40}, "too large"),
    ({"amount": "1"}, "unknown field `amount`"),
    ({"side": "long"}, 'side="long": give buy or sell'),
    ({"time_in_force": "DAY"}, 'time_in_force="DAY": give GTC, IOC or FOK'),
    ({"time_in_force": None}, "missing required field `time_in_force`"),
    ({"client_order_id": ""}, "give 1 to 64 letters"),
    ({"client_order_id": "a b"}, "give 1 to 64 letters"),
    ({"client_order_id": "a" * 65}, "give 1 to 64 letters"),
    ({"client_order_id": "a\n"}, "give 1 to 64 letters"),
    ({"client_order_id": "\u0661"}, "give 1 to 64 letters"),
    ({"strategy": "a b"}, "give at most 64 letters"),
    ({"venues": []}, "venues is empty"),
]


@pytest.mark.parametrize(("change", "detail"), BAD)
async def test_what_makes_no_sense_is_refused_before_the_engine_sees_it(change, detail):
    desk = Desk()
    async with trading(desk) as client:
        answer = await client.place(**change)
    assert (answer.status, answer.document["code"]) == (400, "bad_parameter")
    assert detail in answer.document["detail"]
    assert desk.events == []


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [({"symbol": "DOGE/USDT"}, 404, "unknown_instrument"), ({"venues": ["kraken"]}, 400, "unknown_venue")],
)
async def test_what_is_not_there_is_said_to_be_so(change, status, code):
    async with trading(Desk()) as client:
        answer = await client.place(**change)
    assert (answer.status, answer.document["code"]) == (status, code)


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"\xff\xfe", b'{"client_order_id": "\xff"}', b"{" * 2000])
async def test_a_body_that_is_no_request_is_refused(body):
    async with trading(Desk()) as client:
        answer = await client.send_raw("POST", "/v1/orders", body, client.signed("POST", "/v1/orders", body))
    assert answer.status == 400
    assert answer.document["code"] in {"bad_request", "bad_parameter"}


REFUSED = [
    ({"time_in_force": "FOK", "quantity": "50"}, None, 422, "fok_not_covered", "the live books cover 4"),
    (
        {"time_in_force": "GTC", "post_only": True},
        None,
        422,
        "cannot_rest",
        "it would be taken at once: the best there is 101",
    ),
    ({}, RiskLimits(order_notional={"USDT": money("50")}), 422, "risk_order_notional", "102 USDT; one order may come"),
    ({}, RiskLimits(open_notional={"USDC": money("50")}), 422, "risk_open_notional", "may come to 0 USDT"),
    ({"limit_price": "110"}, RiskLimits(collar_bps=100), 422, "risk_collar", "101.505 is the last allowed"),
    ({}, RiskLimits(orders_per_second=0), 429, "risk_rate", "send more slowly"),
]


@pytest.mark.parametrize(("change", "limits", "status", "code", "detail"), REFUSED)
async def test_what_the_engine_refuses_is_kept_with_its_reason_and_answered_so_again(
    change, limits, status, code, detail
):
    desk = Desk(limits={"*": limits} if limits else None)
    async with trading(desk) as client:
        answers = [await client.place(**change) for _ in range(2)]
        for answer in answers:
            assert (answer.status, answer.document["code"]) == (status, code)
            assert detail in answer.document["detail"]
        assert answers[0].document == answers[1].document
        order = (await client.send("GET", f"/v1/orders/{answers[0].document['order_id']}")).document
    assert (order["state"], order["code"], order["children"]) == ("rejected", code, [])
    assert detail in order["reason"]


async def test_before_every_venue_is_reconciled_nothing_is_taken_on():
    async with trading(Desk(is_reconciled=False)) as client:
        answer = await client.place()
    assert (answer.status, answer.document["code"]) == (503, "reconciling")
    assert "binance not reconciled: its balances are not read yet" in answer.document["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/orders", ORDER | {"client_order_id": "two"}),
        ("DELETE", "/v1/orders/client:one", None),
        ("PATCH", "/v1/orders/client:one", {"quantity": "2"}),
        ("DELETE", "/v1/orders", None),
    ],
)
async def test_when_nothing_can_be_recorded_the_answer_says_so(method, path, body):
    desk = Desk()
    async with trading(desk) as client:
        await client.place(time_in_force="GTC")
        desk.failure = "var/journal.db: disk full"
        answer = await client.send(method, path, body)
    assert (answer.status, answer.document["code"]) == (503, "journal_failed")
    assert "disk full" in answer.document["detail"]


async def test_an_order_that_rests_is_amended():
    desk = Desk()
    async with trading(desk) as client:
        order_id = await rest(client, desk)
        answer = await client.send("PATCH", f"/v1/orders/{order_id}", {"quantity": "1.5", "limit_price": "100.25"})
        assert (answer.status, answer.document["quantity"], answer.document["limit_price"]) == (200, "1.5", "100.25")
        assert desk.cancels == [desk.child().terms.child_id]
        desk.tell(Word.ENDED, about=About.STREAM, raw="CANCELED")
        order = (await client.send("GET", f"/v1/orders/{order_id}")).document
    assert [(child["quantity"], child["limit_price"], child["state"]) for child in order["children"]] == [
        ("1", "100.5", "unfilled"),
        ("1.5", "100.25", "submitted"),
    ]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({}, 400, "bad_parameter"),
        ({"quantity": "0"}, 400, "bad_parameter"),
        ({"side": "sell"}, 400, "bad_parameter"),
        ({"quantity": "0.25"}, 409, "not_amendable"),
    ],
)
async def test_an_amendment_that_cannot_be_is_refused(changes, status, code):
    desk = Desk()
    async with trading(desk) as client:
        order_id = await rest(client, desk)
        desk.fill("0.25", "100.5", "0", "BTC")
        answer = await client.send("PATCH", f"/v1/orders/{order_id}", changes)
    assert (answer.status, answer.document["code"]) == (status, code)


async def test_a_canceled_order_ends_when_its_venue_says_so():
    desk = Desk()
    async with trading(desk) as client:
        order_id = await rest(client, desk)
        canceled = await client.send("DELETE", "/v1/orders/client:one")
        assert (canceled.status, canceled.document["state"]) == (200, "canceling")
        assert canceled.document["reason"] == "canceled by trader"
        desk.tell(Word.ENDED, about=About.STREAM, raw="CANCELED")
        order = (await client.send("GET", f"/v1/orders/{order_id}")).document
        assert (order["state"], order["children"][0]["venue_word"]) == ("unfilled", "CANCELED")
        again = await client.send("DELETE", f"/v1/orders/{order_id}")
    assert (again.status, again.document["code"]) == (409, "not_open")
    assert "unfilled" in again.document["detail"]


async def test_cancel_all_waits_for_each_and_tells_each():
    desk = Desk()
    async with trading(desk) as client:
        ids = [await rest(client, desk, client_order_id=name) for name in ("a", "b")]
        await rest(client.using(OTHER), desk, client_order_id="theirs")

        async def venues_answer() -> None:
            while len(desk.cancels) < 2:
                await asyncio.sleep(0)
            for number in (0, 1):
                desk.tell(Word.ENDED, number, About.STREAM, "CANCELED")

        answer, _ = await asyncio.gather(client.send("DELETE", "/v1/orders?symbol=btc-usdt"), venues_answer())
        assert answer.status == 200
        assert [(order["order_id"], order["state"]) for order in answer.document["orders"]] == [
            (order_id, "unfilled") for order_id in ids
        ]
        assert answer.document["still_open"] == 0
        theirs = (await client.using(OTHER).send("GET", "/v1/orders/client:theirs")).document
    assert theirs["state"] == "working"


async def test_cancel_all_tells_what_has_not_ended_when_its_patience_is_over():
    desk = Desk()
    async with trading(desk) as client:
        order_id = await rest(client, desk)
        answer = await client.send("DELETE", "/v1/orders")
        assert (answer.status, answer.document["still_open"]) == (200, 1)
        assert [(order["order_id"], order["state"]) for order in answer.document["orders"]] == [(order_id, "canceling")]
        nothing = await client.using(OTHER).send("DELETE", "/v1/orders")
        assert nothing.document == {"orders": [], "still_open": 0}
        unknown = await client.send("DELETE", "/v1/orders?symbol=DOGE-USDT")
    assert (unknown.status, unknown.document["code"]) == (404, "unknown_instrument")


async def test_an_order_that_is_forgotten_still_has_its_id():
    """Old orders are in the journal only, but their ids are never given again."""
    desk = Desk()
    async with trading(desk) as client:
        await client.place()
        desk.engine.orders.state.open.clear()
        answer = await client.place()
    assert (answer.status, answer.document["code"]) == (409, "duplicate_client_order_id")
    assert "no longer kept" in answer.document["detail"]


async def test_terms_reach_the_engine_exactly():
    desk = Desk()
    async with trading(desk) as client:
        await client.place(symbol="btc-usdt", quantity="0.000000000000000001", limit_price="0.000000000001")
    (event,) = desk.events
    assert isinstance(event, OrderRequested)
    assert (event.terms.quantity, event.terms.limit_price, event.terms.medium) == (1, 1, "api")
    assert event.terms.instrument is BTC


def test_every_code_that_the_engine_refuses_with_has_its_status():
    told = {code for part in ("engine", "routing") for code in refusal_codes(REPOSITORY / "aggregator" / part)}
    assert {"halted", "fok_not_covered", "risk_collar", "not_open"} <= told, "they are found"
    told |= {
        "off_tick",
        "off_lot",
        "outside_band",
        "below_minimum",
        "above_maximum",
        "below_notional",
    }  # of local books
    told |= {kind.code for kind in LedgerRefused.__subclasses__()} & {code.value for code in REFUSALS}
    assert told <= {code.value for code in REFUSALS}
    assert {*REFUSALS} - {Code(code) for code in told} == {Code.JOURNAL_FAILED}


def refusal_codes(folder: Path) -> Iterator[str]:
    """Of Refusal(code, ...), RequestAnswered(ids, code, ...), and of the tables that they are made from."""
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("risk_"):
                yield node.value
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = {"Refusal": 0, "RequestAnswered": 1}.get(node.func.id)
                if place is not None and len(node.args) > place and isinstance(node.args[place], ast.Constant):
                    code = ast.literal_eval(node.args[place])
                    if code:
                        yield code
