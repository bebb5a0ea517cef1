"""Gate's order entry: what is asked of the venue, and what its words, codes and numbers become."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from aggregator.domain.errors import FrameRefused, NumberRefused
from aggregator.domain.instrument import Instrument, Listing, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.numbers import POWERS, RATE_DECIMALS
from aggregator.domain.order import ASSET_DECIMALS, ChildTerms, Liquidity, TimeInForce
from aggregator.domain.order_events import (
    About,
    Balance,
    BalancesRead,
    ExecutionReport,
    FeesRead,
    FillReported,
    OpenOrdersRead,
)
from connectors.contract import Reply
from connectors.gateio import OrderEntry
from connectors.gateio.order_words import (
    DUPLICATE,
    ENDED_BEFORE,
    NOT_FOUND,
    REFUSED,
    TURNED_AWAY,
)
from connectors.gateio.signing import call_signature, subscription_signature
from connectors.trading import Allowance, CallRefused, Cost, Credentials, Errand, Purpose, Told

SECOND = 1_000_000_000
NOW = 1_780_000_000 * SECOND
BTC = Instrument("BTC/USDT", "BTC", "USDT", 8, 8)
LISTINGS = {"BTC_USDT": Listing("gateio", "BTC_USDT", BTC, tick=10**7, lot=10**2)}
CHILD = "abc123abcdefghij-000"
TEXT = f"t-{CHILD}"
TERMS = ChildTerms(
    CHILD, "abc123abcdefghij", "gateio", "BTC_USDT", BTC, Side.BUY, 10**6, 6 * 10**12, TimeInForce.GTC
)  # 0.01 at 60000

PLACE, CANCEL, ORDER = (Errand(purpose, TERMS) for purpose in (Purpose.PLACE, Purpose.CANCEL, Purpose.ORDER))
ASKED_BY_ID = Errand(Purpose.ORDER, TERMS, "550100200300", NOW)


def entry() -> OrderEntry:
    return OrderEntry("gateio", LISTINGS, Credentials("demo-key-1", "demo-secret-1"), "api.gateio.ws")


def money(units: int, decimals: int) -> int:
    return units * POWERS[ASSET_DECIMALS - decimals]


def row(**changes: Any) -> dict[str, Any]:
    """An order, partly filled, as REST answers tell it."""
    return {
        "id": "550100200300",
        "text": TEXT,
        "create_time": "1780000000",
        "update_time": "1780000001",
        "create_time_ms": 1780000000200,
        "update_time_ms": 1780000001210,
        "status": "open",
        "currency_pair": "BTC_USDT",
        "type": "limit",
        "account": "spot",
        "side": "buy",
        "amount": "0.01",
        "price": "60000",
        "time_in_force": "gtc",
        "left": "0.006",
        "filled_amount": "0.004",
        "filled_total": "240",
        "avg_deal_price": "60000",
        "fee": "0.000004",
        "fee_currency": "BTC",
        "finish_as": "open",
        "stp_act": "-",
    } | changes


def pushed(**changes: Any) -> dict[str, Any]:
    """The same as the channel tells it."""
    told = row(event="update", update_time_ms="1780000001210.456", user=100001)
    del told["status"]
    return told | changes


def fill_row(**changes: Any) -> dict[str, Any]:
    return {
        "id": "1232893232",
        "create_time": "1780000001",
        "create_time_ms": "1780000001210.456",
        "currency_pair": "BTC_USDT",
        "order_id": "550100200300",
        "side": "buy",
        "role": "taker",
        "amount": "0.004",
        "price": "60000",
        "fee": "0.000004",
        "fee_currency": "BTC",
        "point_fee": "0",
        "gt_fee": "0",
        "text": TEXT,
    } | changes


def reply(content: Any, status: int = 200) -> Reply:
    return Reply("", status, content if isinstance(content, bytes) else json.dumps(content).encode())


def reported(errand: Errand, content: Any, status: int = 200) -> ExecutionReport:
    (event,) = entry().read(errand, reply(content, status), NOW).events
    assert isinstance(event, ExecutionReport)
    assert (event.child_id, event.instrument, event.received_ns) == (CHILD, BTC, NOW)
    return event


def refused(errand: Errand, label: str, status: int = 400, message: str = "why") -> ExecutionReport:
    return reported(errand, {"label": label, "message": message}, status)


def heard(channel: str, rows: Sequence[Any], **more: Any) -> Told:
    frame = {"time": 1780000001, "time_ms": 1780000001215, "channel": channel, "event": "update", "result": rows}
    return entry().read_frame(json.dumps(frame | more), NOW)


class TestCalls:
    def test_a_placing_is_signed_and_bounded_in_time(self) -> None:
        call = entry().call(PLACE, NOW)
        assert (call.method, call.path) == ("POST", "/api/v4/spot/orders")
        assert json.loads(call.body) == {
            "text": TEXT, "currency_pair": "BTC_USDT", "type": "limit", "account": "spot", "side": "buy",
            "amount": "0.01", "price": "60000", "time_in_force": "gtc", "action_mode": "FULL",
        }  # fmt: skip
        assert call.headers == {
            "KEY": "demo-key-1",
            "Timestamp": "1780000000",
            "SIGN": call_signature("demo-secret-1", "POST", "/api/v4/spot/orders", "", call.body, "1780000000"),
            "x-gate-exptime": "1780000005000",
            "Content-Type": "application/json",
        }

    @pytest.mark.parametrize(
        ("time_in_force", "post_only", "written"),
        [
            (TimeInForce.GTC, False, "gtc"),
            (TimeInForce.IOC, False, "ioc"),
            (TimeInForce.FOK, False, "fok"),
            (TimeInForce.GTC, True, "poc"),
        ],
    )
    def test_each_time_in_force(self, time_in_force: TimeInForce, post_only: bool, written: str) -> None:
        terms = ChildTerms(
            CHILD, CHILD[:16], "gateio", "BTC_USDT", BTC, Side.SELL, 1, 1, time_in_force, post_only
        )  # the smallest that the scales can write
        body = json.loads(entry().call(Errand(Purpose.PLACE, terms), NOW).body)
        assert (body["time_in_force"], body["side"]) == (written, "sell")
        assert (body["amount"], body["price"]) == ("0.00000001", "0.00000001")

    @pytest.mark.parametrize(
        ("errand", "method", "path"),
        [
            (CANCEL, "DELETE", f"/spot/orders/{TEXT}?currency_pair=BTC_USDT"),
            (CANCEL._replace(venue_order_id="7"), "DELETE", "/spot/orders/7?currency_pair=BTC_USDT"),
            (ORDER, "GET", f"/spot/orders/{TEXT}?currency_pair=BTC_USDT"),
            (ASKED_BY_ID, "GET", "/spot/orders/550100200300?currency_pair=BTC_USDT"),
            (
                ORDER._replace(sent_ns=NOW, cursor="2"),
                "GET",
                "/spot/orders?currency_pair=BTC_USDT&status=finished&page=2&limit=100&from=1779999940",
            ),
            (
                ORDER._replace(cursor="1"),
                "GET",
                "/spot/orders?currency_pair=BTC_USDT&status=finished&page=1&limit=100",
            ),
            (
                ASKED_BY_ID._replace(purpose=Purpose.FILLS),
                "GET",
                "/spot/my_trades?currency_pair=BTC_USDT&limit=1000&page=1&order_id=550100200300",
            ),
            (
                Errand(Purpose.FILLS, TERMS, "", NOW, cursor="3"),
                "GET",
                "/spot/my_trades?currency_pair=BTC_USDT&limit=1000&page=3&from=1779999940",
            ),
            (Errand(Purpose.BALANCES), "GET", "/spot/accounts"),
            (Errand(Purpose.OPEN_ORDERS), "GET", "/spot/open_orders?page=1&limit=100"),
            (Errand(Purpose.FEES, symbol="BTC_USDT"), "GET", "/wallet/fee?currency_pair=BTC_USDT"),
        ],
    )
    def test_each_question_is_signed_as_it_is_sent(self, errand: Errand, method: str, path: str) -> None:
        call = entry().call(errand, NOW)
        assert (call.method, call.path, call.body) == (method, "/api/v4" + path, b"")
        way, _, query = call.path.partition("?")
        assert call.headers["SIGN"] == call_signature("demo-secret-1", method, way, query, b"", "1780000000")
        assert call.headers.keys() == {"KEY", "Timestamp", "SIGN"}

    def test_nothing_has_to_be_asked_first(self) -> None:
        assert not entry().errands_at_start()
        with pytest.raises(CallRefused, match="account"):
            entry().call(Errand(Purpose.ACCOUNT), NOW)
        with pytest.raises(CallRefused, match="without the child"):
            entry().call(Errand(Purpose.PLACE), NOW)

    @pytest.mark.parametrize(
        ("errand", "cost", "allowance"),
        [
            (PLACE, Cost("place BTC_USDT"), Allowance(10, SECOND)),
            (CANCEL, Cost("cancel"), Allowance(200, SECOND)),
            (ORDER, Cost("order"), Allowance(200, 10 * SECOND)),
            (ORDER._replace(cursor="1"), Cost("orders"), Allowance(200, 10 * SECOND)),
            (Errand(Purpose.FILLS, TERMS), Cost("my_trades"), Allowance(200, 10 * SECOND)),
            (Errand(Purpose.BALANCES), Cost("accounts"), Allowance(200, 10 * SECOND)),
            (Errand(Purpose.OPEN_ORDERS), Cost("open_orders"), Allowance(200, 10 * SECOND)),
            (Errand(Purpose.FEES, symbol="BTC_USDT"), Cost("fee"), Allowance(200, 10 * SECOND)),
        ],
    )
    def test_each_call_costs_of_its_own_limit(self, errand: Errand, cost: Cost, allowance: Allowance) -> None:
        orders = entry()
        assert list(orders.costs(errand)) == [cost]
        assert orders.budgets[cost.budget] == allowance

    def test_a_market_that_was_listed_later_has_a_budget_too(self) -> None:
        orders = entry()
        (cost,) = orders.costs(Errand(Purpose.PLACE, replace(TERMS, symbol="NEW_USDT")))
        assert orders.budgets[cost.budget] == Allowance(10, SECOND)

    def test_secrets_do_not_show(self) -> None:
        assert "demo" not in repr(Credentials("demo-key-1", "demo-secret-1"))


class TestStatuses:
    @pytest.mark.parametrize("errand", [PLACE, ORDER, ASKED_BY_ID])
    def test_an_open_order_works(self, errand: Errand) -> None:
        report = reported(errand, row(), 201)
        assert (report.word, report.raw, report.executed) == (Word.WORKING, "open", 400_000)
        assert (report.venue_order_id, report.venue_time_ns) == ("550100200300", 1780000001210 * 1_000_000)

    @pytest.mark.parametrize(
        ("status", "finish_as", "left", "executed", "raw"),
        [
            ("closed", "filled", "0", 10**6, "filled"),
            ("closed", None, "0", 10**6, "closed"),
            ("cancelled", "cancelled", "0.01", 0, "cancelled"),
            ("cancelled", "cancelled", "0.006", 400_000, "cancelled"),
            ("cancelled", "ioc", "0.006", 400_000, "ioc"),
            ("cancelled", "fok", "0.01", 0, "fok"),
            ("cancelled", "poc", "0.006", 400_000, "poc"),
            ("cancelled", "stp", "0.01", 0, "stp"),
            ("cancelled", "small", "0.01", 0, "small"),
            ("cancelled", "depth_not_enough", "0.01", 0, "depth_not_enough"),
            ("cancelled", "trader_not_enough", "0.01", 0, "trader_not_enough"),
            ("cancelled", "liquidate_cancelled", "0.01", 0, "liquidate_cancelled"),
            ("cancelled", "price_protect_cancelled", "0.01", 0, "price_protect_cancelled"),
            ("cancelled", "unknown", "0.01", 0, "cancelled"),
            ("cancelled", "-", "0.01", 0, "cancelled"),
        ],
    )
    def test_every_end_states_what_is_filled(
        self, status: str, finish_as: str | None, left: str, executed: int, raw: str
    ) -> None:
        """By what is left, never by the word: `filled_amount` says something else here, and is not believed."""
        changes = {"finish_as": finish_as, "left": left, "filled_amount": "812.8"}
        for told in (reported(ORDER, row(status=status, **changes)), stream(pushed(event="finish", **changes))):
            assert (told.word, told.executed) == (Word.ENDED, executed)
            assert told.raw in (raw, "finish")

    def test_a_post_only_order_that_would_take_is_rejected(self) -> None:
        changes = {"finish_as": "poc", "left": "0.01"}
        assert reported(ORDER, row(status="cancelled", **changes)).word is Word.REJECTED
        assert stream(pushed(event="finish", **changes)).word is Word.REJECTED
        assert reported(CANCEL, row(status="cancelled", **changes)).word is Word.ENDED

    def test_an_acknowledgement_alone_only_says_that_it_was_received(self) -> None:
        report = reported(PLACE, {"id": 550100200300, "text": TEXT}, 202)
        assert (report.word, report.executed, report.venue_order_id) == (Word.RECEIVED, None, "550100200300")

    def test_an_end_without_what_is_left_does_not_say_what_is_filled(self) -> None:
        report = reported(PLACE, {"id": "7", "status": "closed", "finish_as": "filled"})
        assert (report.word, report.executed) == (Word.ENDED, None)

    @pytest.mark.parametrize("changes", [{"status": "resting"}, {"finish_as": "eaten"}, {"left": "0.02"}])
    def test_what_is_not_documented_is_refused(self, changes: dict[str, str]) -> None:
        with pytest.raises(FrameRefused, match="550100200300"):
            reported(ORDER, row(**changes))

    @pytest.mark.parametrize("changes", [{"amount": "-1"}, {"amount": "0.001e-9"}, {"left": "NaN"}])
    def test_numbers_that_are_none_are_refused(self, changes: dict[str, str]) -> None:
        with pytest.raises(NumberRefused):
            reported(ORDER, row(**changes))

    def test_the_answer_must_be_about_the_order(self) -> None:
        with pytest.raises(FrameRefused, match="asked about abc123abcdefghij-000"):
            reported(ORDER, row(text="t-abc123abcdefghij-001"))

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"label": "NONE"}'])
    def test_a_success_that_says_nothing_leaves_it_open(self, body: bytes) -> None:
        with pytest.raises(FrameRefused):
            entry().read(PLACE, reply(body), NOW)

    def test_a_cancel_that_is_done_brings_the_end(self) -> None:
        report = reported(CANCEL, row(status="cancelled", finish_as="cancelled"))
        assert (report.about, report.word, report.executed) == (About.CANCEL, Word.ENDED, 400_000)

    def test_a_cancel_that_is_only_received_does_not(self) -> None:
        report = reported(CANCEL, row())
        assert (report.about, report.word, report.executed) == (About.CANCEL, Word.RECEIVED, 400_000)


def stream(told: dict[str, Any]) -> ExecutionReport:
    (event,) = heard("spot.orders", [told]).events
    assert isinstance(event, ExecutionReport)
    assert event.about is About.STREAM
    return event


class TestRefusals:
    @pytest.mark.parametrize("label", sorted(REFUSED))
    @pytest.mark.parametrize("errand", [PLACE, CANCEL])
    def test_what_the_venue_refuses_is_rejected(self, errand: Errand, label: str) -> None:
        report = refused(errand, label)
        assert (report.word, report.raw) == (Word.REJECTED, label)
        assert report.reason == f"{REFUSED[label]}: {label}: why"

    def test_every_refusal_of_the_documents_is_known(self) -> None:
        documented = """
            BALANCE_NOT_ENOUGH QUANTITY_NOT_ENOUGH INVALID_PRECISION INVALID_PARAM_VALUE INVALID_ARGUMENT
            MISSING_REQUIRED_PARAM AMOUNT_TOO_LITTLE AMOUNT_TOO_MUCH INVALID_CURRENCY_PAIR ORDER_BOOK_NOT_FOUND
            POC_FILL_IMMEDIATELY PRICE_THRESHOLD_EXCEEDED REQUEST_EXPIRED INVALID_SIGNATURE INVALID_KEY
            MISSING_REQUIRED_HEADER IP_FORBIDDEN READ_ONLY FORBIDDEN
        """
        assert REFUSED.keys() == set(documented.split())

    def test_a_clock_that_is_off_is_said_to_be_why(self) -> None:
        assert "clock" in refused(PLACE, "REQUEST_EXPIRED").reason

    @pytest.mark.parametrize("label", sorted(TURNED_AWAY))
    @pytest.mark.parametrize("errand", [PLACE, CANCEL])
    def test_what_is_turned_away_was_not_sent(self, errand: Errand, label: str) -> None:
        report = refused(errand, label, 429, "Request Rate limit Exceeded (212)")
        assert (report.word, report.raw) == (Word.NOT_SENT, label)
        assert "(212)" in report.reason

    @pytest.mark.parametrize("errand", [PLACE, CANCEL])
    def test_a_rate_limit_without_a_label_too(self, errand: Errand) -> None:
        report = reported(errand, b"<html>slow down</html>", 429)
        assert (report.word, report.raw) == (Word.NOT_SENT, "HTTP 429")

    @pytest.mark.parametrize("label", ["SERVER_ERROR", "INTERNAL", "TOO_BUSY", "NEVER_HEARD_OF"])
    @pytest.mark.parametrize("errand", [PLACE, CANCEL, ORDER])
    def test_what_leaves_the_outcome_open_is_in_doubt(self, errand: Errand, label: str) -> None:
        report = refused(errand, label, 500)
        assert (report.word, report.raw) == (Word.IN_DOUBT, label)

    @pytest.mark.parametrize("errand", [PLACE, CANCEL, ORDER])
    @pytest.mark.parametrize("status", [403, 500, 502, 503, 504])
    def test_an_answer_of_something_in_between_is_in_doubt(self, errand: Errand, status: int) -> None:
        report = reported(errand, b"<html><body>gateway</body></html>", status)
        assert (report.word, report.raw) == (Word.IN_DOUBT, f"HTTP {status}")

    def test_a_refusal_of_business_counts_whatever_the_status(self) -> None:
        assert refused(PLACE, "BALANCE_NOT_ENOUGH", 500).word is Word.REJECTED

    @pytest.mark.parametrize("label", sorted(DUPLICATE))
    def test_a_duplicate_may_be_this_very_order(self, label: str) -> None:
        assert label in {"REPEATED_CREATION", "ORDER_EXISTS", "DUPLICATE_REQUEST"}
        assert refused(PLACE, label).word is Word.IN_DOUBT

    @pytest.mark.parametrize("label", sorted(NOT_FOUND | ENDED_BEFORE))
    def test_a_cancel_that_comes_too_late_is_refused(self, label: str) -> None:
        assert refused(CANCEL, label, 404).word is Word.REJECTED
        assert refused(PLACE, label).word is Word.IN_DOUBT

    def test_a_fill_or_kill_order_that_fills_nothing_has_ended(self) -> None:
        report = refused(PLACE, "FOK_NOT_FILL")
        assert (report.word, report.raw, report.executed) == (Word.ENDED, "FOK_NOT_FILL", 0)

    @pytest.mark.parametrize("label", ["TOO_MANY_REQUESTS", "INVALID_SIGNATURE", "REQUEST_EXPIRED", "SERVER_ERROR"])
    def test_a_refused_question_says_nothing_of_the_order(self, label: str) -> None:
        report = refused(ORDER, label)
        assert (report.about, report.word) == (About.ASK, Word.IN_DOUBT)

    @pytest.mark.parametrize("purpose", [Purpose.FILLS, Purpose.BALANCES, Purpose.OPEN_ORDERS, Purpose.FEES])
    def test_other_questions_have_no_answer_then(self, purpose: Purpose) -> None:
        with pytest.raises(FrameRefused, match="answered 429: TOO_MANY_REQUESTS slow"):
            errand = Errand(purpose, TERMS, symbol="BTC_USDT")
            entry().read(errand, reply({"label": "TOO_MANY_REQUESTS", "message": "slow"}, 429), NOW)


class TestMissing:
    """The text finds open orders; so what it does not find may have ended."""

    @pytest.mark.parametrize("label", sorted(NOT_FOUND))
    def test_what_the_text_does_not_find_is_looked_for_among_the_ended(self, label: str) -> None:
        told = entry().read(ORDER, reply({"label": label, "message": "Order not found"}, 404), NOW)
        assert not told.events
        assert told.errands == [ORDER._replace(cursor="1")]

    def test_what_the_venues_id_does_not_find_is_missing(self) -> None:
        assert refused(ASKED_BY_ID, "ORDER_NOT_FOUND", 404).word is Word.MISSING

    def test_it_is_found_among_the_ended(self) -> None:
        others = [row(id=str(number), text=f"t-{number}") for number in range(99)]
        ended = row(status="cancelled", finish_as="ioc", left="0.006")
        report = reported(ORDER._replace(cursor="1"), [*others, ended])
        assert (report.word, report.executed, report.venue_order_id) == (Word.ENDED, 400_000, "550100200300")

    def test_it_is_missing_when_the_last_page_does_not_have_it(self) -> None:
        errand = ORDER._replace(cursor="1")
        full = reply([row(id=str(number), text="apiv4") for number in range(100)])
        told = entry().read(errand, full, NOW)
        assert not told.events
        assert told.errands == [errand._replace(cursor="2")]
        report = reported(errand._replace(cursor="2"), [row(text=None)])
        assert (report.about, report.word) == (About.ASK, Word.MISSING)
        assert entry().read(errand._replace(cursor="10"), full, NOW).events[0].word is Word.IN_DOUBT  # type: ignore[union-attr]


class TestFills:
    def fill(self, **changes: Any) -> FillReported:
        told = entry().read(ASKED_BY_ID._replace(purpose=Purpose.FILLS), reply([fill_row(**changes)]), NOW)
        (event,) = told.events
        assert isinstance(event, FillReported)
        assert not told.errands
        return event

    def test_a_fill_of_the_list(self) -> None:
        event = self.fill()
        fill = event.fill
        assert (event.venue_order_id, fill.child_id, fill.fill_id) == ("550100200300", CHILD, "1232893232")
        assert (fill.side, fill.price, fill.quantity) == (Side.BUY, 6 * 10**12, 400_000)
        assert (fill.fee, fill.fee_asset, fill.liquidity) == (money(4, 6), "BTC", Liquidity.TAKER)
        assert (fill.venue_time_ns, fill.received_ns) == (1780000001210456000, NOW)

    def test_the_same_fill_on_the_stream_has_the_same_id(self) -> None:
        told = fill_row(id=1232893232, create_time=1780000001, user_id=100001, id_market=5736713)
        (event,) = heard("spot.usertrades", [told]).events
        assert event == self.fill()

    @pytest.mark.parametrize(
        ("changes", "fee", "asset"),
        [
            ({"fee": "-0.24", "fee_currency": "usdt", "role": "maker"}, money(-24, 2), "USDT"),
            ({"fee_currency": ""}, money(4, 6), "BTC"),
            ({"fee_currency": None, "side": "sell"}, money(4, 6), "USDT"),
            ({"fee": "0", "gt_fee": "0.0023"}, money(23, 4), "GT"),
            ({"fee": "0", "gt_fee": "", "point_fee": "0.5"}, money(5, 1), "POINT"),
            ({"fee": "0", "gt_fee": None, "point_fee": None}, 0, "BTC"),
            ({"fee": 0.000004}, money(4, 6), "BTC"),
            ({"fee": "0.000000000000000000000000000000000001"}, money(1, 36), "BTC"),
        ],
    )
    def test_a_fee_is_exact_whatever_it_is_paid_in(self, changes: dict[str, Any], fee: int, asset: str) -> None:
        fill = self.fill(**changes).fill
        assert (fill.fee, fill.fee_asset) == (fee, asset)

    def test_a_fill_that_does_not_tell_its_fee_is_refused(self) -> None:
        told = fill_row()
        del told["fee"]
        with pytest.raises(FrameRefused, match="fee"):
            entry().read(ASKED_BY_ID._replace(purpose=Purpose.FILLS), reply([told]), NOW)

    def test_without_the_venues_id_fills_are_known_by_their_text(self) -> None:
        rows = [fill_row(), fill_row(id="2", text="apiv4"), fill_row(id="3", text="t-abc123abcdefghij-001")]
        told = entry().read(Errand(Purpose.FILLS, TERMS), reply(rows), NOW)
        assert [event.fill.fill_id for event in told.events if isinstance(event, FillReported)] == ["1232893232"]

    def test_a_full_page_is_followed_by_the_next(self) -> None:
        errand = ASKED_BY_ID._replace(purpose=Purpose.FILLS)
        told = entry().read(errand, reply([fill_row(id=str(number)) for number in range(1000)]), NOW)
        assert len(told.events) == 1000
        assert told.errands == [errand._replace(cursor="2")]


class TestAccount:
    def test_balances(self) -> None:
        rows = [
            {"currency": "BTC", "available": "1.25", "locked": "0.75", "update_id": 98},
            {"currency": "usdt", "available": "0", "locked": "0", "update_id": 3},
        ]
        (event,) = entry().read(Errand(Purpose.BALANCES), reply(rows), NOW).events
        assert event == BalancesRead(
            "gateio", NOW, {"BTC": Balance(money(2, 0), money(125, 2)), "USDT": Balance(0, 0)}, True
        )

    def test_a_pushed_balance_is_one_of_several(self) -> None:
        told = {
            "timestamp": "1667556323", "timestamp_ms": "1667556323730", "user": "1000001", "currency": "USDT",
            "change": "-5", "total": "105", "available": "100", "freeze": "5", "freeze_change": "5.000000",
            "change_type": "order-create",
        }  # fmt: skip
        (event,) = heard("spot.balances", [told]).events
        assert event == BalancesRead("gateio", NOW, {"USDT": Balance(money(105, 0), money(100, 0))}, False)

    def test_open_orders_are_ours_or_foreign(self) -> None:
        rows = [row(), row(id="8", text="apiv4"), row(id="9", text="t-somebody-else"), row(id="10", text=None)]
        pages = [{"currency_pair": "BTC_USDT", "total": 4, "orders": rows}]
        (event,) = entry().read(Errand(Purpose.OPEN_ORDERS), reply(pages), NOW).events
        assert event == OpenOrdersRead("gateio", NOW, (CHILD,), ("8", "9", "10"))

    def test_open_orders_are_told_when_every_page_is_in(self) -> None:
        orders, errand = entry(), Errand(Purpose.OPEN_ORDERS)
        full = [{"orders": [row(id=str(number), text="web") for number in range(100)]}, {"orders": [row()]}]
        for _ in range(2):  # the second time begins anew, whatever became of the first
            told = orders.read(errand, reply(full), NOW)
            assert not told.events
            assert told.errands == [errand._replace(cursor="2")]
        (event,) = orders.read(told.errands[0], reply([{"orders": [row(id="100", text="web")]}]), NOW).events
        assert isinstance(event, OpenOrdersRead)
        assert event.child_ids == (CHILD,)
        assert event.foreign == tuple(str(number) for number in range(101))

    @pytest.mark.parametrize(
        ("changes", "maker", "taker"),
        [
            ({}, "0.002", "0.0025"),
            ({"gt_discount": True}, "0.0015", "0.00175"),
            ({"maker_fee": "-0.00005"}, "-0.00005", "0.0025"),
        ],
    )
    def test_the_fee_tier(self, changes: dict[str, Any], maker: str, taker: str) -> None:
        body = {
            "user_id": 1486602, "taker_fee": "0.0025", "maker_fee": "0.002", "gt_discount": False,
            "gt_taker_fee": "0.00175", "gt_maker_fee": "0.0015", "loan_fee": "0.18", "point_type": "0",
        } | changes  # fmt: skip
        (event,) = entry().read(Errand(Purpose.FEES, symbol="BTC_USDT"), reply(body), NOW).events
        expected = [round(float(rate) * 10**RATE_DECIMALS) for rate in (maker, taker)]
        assert event == FeesRead("gateio", NOW, BTC, *expected)


class TestStream:
    def test_it_greets_with_three_signed_subscriptions(self) -> None:
        sent = [json.loads(send.text) for send in entry().greet(NOW)]
        assert [(request["channel"], request.get("payload")) for request in sent] == [
            ("spot.orders", ["!all"]), ("spot.usertrades", ["!all"]), ("spot.balances", None),
        ]  # fmt: skip
        for request in sent:
            signature = subscription_signature("demo-secret-1", request["channel"], "subscribe", 1780000000)
            assert request["auth"] == {"method": "api_key", "KEY": "demo-key-1", "SIGN": signature}
            assert (request["event"], request["time"]) == ("subscribe", 1780000000)

    def test_it_is_ready_when_all_are_acknowledged_and_again_after_a_new_greeting(self) -> None:
        orders = entry()
        for _ in range(2):
            orders.greet(NOW)
            channels = ("spot.usertrades", "spot.orders", "spot.balances", "spot.balances")
            told = [orders.read_frame(acknowledged(channel), NOW) for channel in channels]
            assert [one.is_ready for one in told] == [False, False, True, False]

    def test_a_refused_subscription_says_why(self) -> None:
        error = {"code": 4, "message": "INVALID_KEY: Invalid key provided"}
        told = entry().read_frame(acknowledged("spot.orders", error=error, result={"status": "fail"}), NOW)
        assert told.refusal == "spot.orders: 4: INVALID_KEY: Invalid key provided"

    def test_heartbeats(self) -> None:
        habits = OrderEntry.habits
        assert habits is not None
        assert habits.keepalive is not None
        assert json.loads(habits.keepalive(NOW)) == {"time": 1780000000, "channel": "spot.ping"}
        pong = {"time": 1780000000, "channel": "spot.pong", "event": "", "error": None, "result": None}
        assert entry().read_frame(json.dumps(pong), NOW) == Told()

    def test_the_notice_of_an_upgrade_tells_nothing(self) -> None:
        assert entry().read_frame('{"type":"upgrade","msg":"soon"}', NOW) == Told()

    @pytest.mark.parametrize(("event", "left"), [("put", "0.01"), ("update", "0.006")])
    def test_an_order_that_works(self, event: str, left: str) -> None:
        report = stream(pushed(event=event, left=left))
        assert (report.word, report.raw, report.child_id) == (Word.WORKING, event, CHILD)
        assert report.executed == (400_000 if event == "update" else 0)
        assert report.venue_time_ns == 1780000001210456000

    def test_orders_that_are_not_ours_are_left_out(self) -> None:
        foreign = [
            pushed(id="8", text="apiv4", currency_pair="NOPE_USDT", event="leap"),
            pushed(id="9", text="t-abc123abcdefghij-0000"),
            pushed(id="10", text=CHILD),
        ]
        told = heard("spot.orders", [*foreign, pushed()])
        assert [event.venue_order_id for event in told.events if isinstance(event, ExecutionReport)] == ["550100200300"]
        assert not heard("spot.usertrades", [fill_row(text="web"), fill_row(text=None)]).events

    @pytest.mark.parametrize(
        ("channel", "rows", "more"),
        [
            ("spot.orders", [pushed(event="leap")], {}),
            ("spot.orders", [pushed(finish_as="eaten")], {}),
            ("spot.orders", [pushed(currency_pair="NOPE_USDT")], {}),
            ("spot.orders", {"id": "7"}, {}),
            ("spot.orders", [pushed()], {"event": "all"}),
            ("spot.usertrades", [fill_row(role="both")], {}),
            ("spot.margin_balances", [], {}),
            ("spot.ping", [], {"error": {"code": 2, "message": "time"}}),
        ],
    )
    def test_what_is_not_documented_is_refused(self, channel: str, rows: Any, more: dict[str, Any]) -> None:
        with pytest.raises(FrameRefused):
            heard(channel, rows, **more)

    @pytest.mark.parametrize("frame", ["", "[]", "{}", "\x00", '{"channel":7}', b"\xff"])
    def test_noise_is_refused(self, frame: str | bytes) -> None:
        with pytest.raises(FrameRefused):
            entry().read_frame(frame, NOW)


def acknowledged(channel: str, **more: Any) -> str:
    answer = {"time": 1780000000, "id": 1, "channel": channel, "event": "subscribe", "error": None}
    return json.dumps(answer | {"result": {"status": "success"}} | more)
