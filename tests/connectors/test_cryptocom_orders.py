"""Crypto.com's order entry: what it writes, and what every answer, code, status and private frame comes to."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.errors import FrameRefused, NumberRefused
from aggregator.domain.instrument import Instrument, Listing, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.numbers import parse_decimal
from aggregator.domain.order import ASSET_DECIMALS, ChildTerms, Liquidity, TimeInForce
from aggregator.domain.order_events import (
    About,
    BalancesRead,
    ExecutionReport,
    FeesRead,
    FillReported,
    OpenOrdersRead,
)
from connectors.contract import Reply
from connectors.cryptocom import OrderEntry, refusals
from connectors.trading import CallRefused, Credentials, Errand, Purpose, Told
from tests.twins.examples import examples

SECOND = 1_000_000_000
DAY = 24 * 3600 * SECOND
NOW = 1_780_000_000 * SECOND
BTC = Instrument.of("BTC", "USDT")
LISTINGS = {"BTC_USDT": Listing("cryptocom", "BTC_USDT", BTC)}
CHILD = "0abc123def456789-00z"
ORDER_ID = "6530219500000000001"


def entry() -> OrderEntry:
    return OrderEntry("cryptocom", LISTINGS, Credentials("key", "secret"), "api.crypto.com")


def child(**changes: Any) -> ChildTerms:
    terms: dict[str, Any] = {
        "child_id": CHILD,
        "order_id": CHILD[:16],
        "venue": "cryptocom",
        "symbol": "BTC_USDT",
        "instrument": BTC,
        "side": Side.BUY,
        "quantity": BTC.quantity("0.0100"),
        "limit_price": BTC.price("60000.00"),
        "time_in_force": TimeInForce.GTC,
    }
    return ChildTerms(**terms | changes)


def errand(purpose: Purpose, **changes: Any) -> Errand:
    options: dict[str, Any] = {"terms": child(), "sent_ns": NOW}
    return Errand(purpose, **options | changes)


def read(purpose: Purpose, content: Any, status: int = 200, **changes: Any) -> Told:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return entry().read(errand(purpose, **changes), Reply("", status, body), NOW)


def report(purpose: Purpose, content: Any, status: int = 200, **changes: Any) -> ExecutionReport:
    """The one report that an answer comes to."""
    told = read(purpose, content, status, **changes)
    (only,) = told.events
    assert isinstance(only, ExecutionReport)
    assert (only.venue, only.child_id, only.instrument, only.received_ns) == ("cryptocom", CHILD, BTC, NOW)
    return only


def accepted(**changes: Any) -> dict[str, Any]:
    return {"id": 1, "code": 0, "result": {"client_oid": CHILD, "order_id": ORDER_ID}} | changes


def refused(code: object, **changes: Any) -> dict[str, Any]:
    return {"id": 1, "method": "private/create-order", "code": code, "message": "SAID_BY_THE_VENUE"} | changes


def order_row(**changes: Any) -> dict[str, Any]:
    row = {
        "order_id": ORDER_ID,
        "client_oid": CHILD,
        "instrument_name": "BTC_USDT",
        "side": "BUY",
        "order_type": "LIMIT",
        "time_in_force": "GOOD_TILL_CANCEL",
        "exec_inst": ["POST_ONLY"],
        "limit_price": "60000.00",
        "quantity": "0.0100",
        "cumulative_quantity": "0.0040",
        "cumulative_value": "240.0000",
        "avg_price": "60000.00",
        "cumulative_fee": "0.0000040",
        "fee_instrument_name": "BTC",
        "status": "ACTIVE",
        "reason": 0,
        "create_time": 1780000000200,
        "update_time": 1780000000210,
    }
    return row | changes


def fill_row(**changes: Any) -> dict[str, Any]:
    row = {
        "trade_id": "6530219500000000777",
        "trade_match_id": "4611686018455978480",
        "order_id": ORDER_ID,
        "client_oid": CHILD,
        "instrument_name": "BTC_USDT",
        "side": "BUY",
        "traded_price": "60000.00",
        "traded_quantity": "0.0040",
        "fees": "-0.0000040",
        "fee_instrument_name": "BTC",
        "taker_side": "MAKER",
        "create_time": 1780000000205,
        "create_time_ns": "1780000000205000017",
    }
    return row | changes


def pushed(channel: str, *rows: Mapping[str, Any], request_id: int = -1) -> str:
    result = {"instrument_name": "BTC_USDT", "subscription": f"{channel}.BTC_USDT", "channel": channel, "data": rows}
    return json.dumps({"id": request_id, "method": "subscribe", "code": 0, "result": result})


def money(text: str) -> int:
    return parse_decimal(text, ASSET_DECIMALS)


class TestCalls:
    def params(self, one: Errand, now_ns: int = NOW) -> tuple[str, dict[str, Any]]:
        call = entry().call(one, now_ns)
        request = json.loads(call.body)
        assert (call.method, call.path) == ("POST", f"/exchange/v1/{request['method']}")
        assert call.headers == {"Content-Type": "application/json"}
        assert request["nonce"] == now_ns // 1_000_000
        return request["method"], request["params"]

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, {"time_in_force": "GOOD_TILL_CANCEL"}),
            ({"time_in_force": TimeInForce.IOC}, {"time_in_force": "IMMEDIATE_OR_CANCEL"}),
            ({"time_in_force": TimeInForce.FOK}, {"time_in_force": "FILL_OR_KILL"}),
            ({"post_only": True}, {"time_in_force": "GOOD_TILL_CANCEL", "exec_inst": ["POST_ONLY"]}),
            ({"side": Side.SELL}, {"time_in_force": "GOOD_TILL_CANCEL", "side": "SELL"}),
        ],
    )
    def test_an_order_is_placed(self, changes: dict[str, Any], expected: dict[str, Any]) -> None:
        method, params = self.params(errand(Purpose.PLACE, terms=child(**changes)))
        plain = {"instrument_name": "BTC_USDT", "side": "BUY", "type": "LIMIT", "price": "60000", "quantity": "0.01"}
        assert method == "private/create-order"
        assert params == {**plain, "client_oid": CHILD, "spot_margin": "SPOT", **expected}

    def test_numbers_are_plain_decimals(self) -> None:
        tiny = child(quantity=BTC.quantity("1e-15"), limit_price=BTC.price("0.000000000001"))
        _, params = self.params(errand(Purpose.PLACE, terms=tiny))
        assert (params["quantity"], params["price"]) == ("0.000000000000001", "0.000000000001")

    @pytest.mark.parametrize("time_in_force", [TimeInForce.IOC, TimeInForce.FOK])
    def test_post_only_goes_with_good_till_cancel_alone(self, time_in_force: TimeInForce) -> None:
        terms = child(post_only=True, time_in_force=time_in_force)
        with pytest.raises(CallRefused, match="GTC"):
            entry().call(errand(Purpose.PLACE, terms=terms), NOW)

    def test_the_others(self) -> None:
        assert self.params(errand(Purpose.CANCEL)) == ("private/cancel-order", {"client_oid": CHILD})
        known = errand(Purpose.CANCEL, venue_order_id=ORDER_ID)
        assert self.params(known) == ("private/cancel-order", {"order_id": ORDER_ID})
        for asked in (errand(Purpose.ORDER), errand(Purpose.ORDER, venue_order_id=ORDER_ID)):
            assert self.params(asked) == ("private/get-order-detail", {"client_oid": CHILD})
        assert self.params(Errand(Purpose.BALANCES)) == ("private/user-balance", {})
        assert self.params(Errand(Purpose.OPEN_ORDERS)) == ("private/get-open-orders", {})
        fees = Errand(Purpose.FEES, symbol="BTC_USDT")
        assert self.params(fees) == ("private/get-instrument-fee-rate", {"instrument_name": "BTC_USDT"})

    def test_fills_are_asked_for_from_a_minute_before_the_order_was_sent(self) -> None:
        method, params = self.params(errand(Purpose.FILLS), NOW + SECOND)
        assert method == "private/get-trades"
        assert params == {"instrument_name": "BTC_USDT", "start_time": str(NOW - 60 * SECOND), "limit": "100"}

    @pytest.mark.parametrize(
        "one", [Errand(Purpose.ACCOUNT), Errand(Purpose.PLACE), Errand(Purpose.FILLS), Errand(Purpose.FEES)]
    )
    def test_what_cannot_be_asked(self, one: Errand) -> None:
        with pytest.raises(CallRefused):
            entry().call(one, NOW)

    def test_each_call_has_its_budget(self) -> None:
        venue = entry()
        assert venue.errands_at_start() == ()
        for purpose in set(Purpose) - {Purpose.ACCOUNT}:
            (cost,) = venue.costs(errand(purpose))
            assert cost.units == 1
            assert cost.budget in venue.budgets
        assert venue.budgets["get-trades"].units == 1
        assert venue.budgets["get-trades"].window_ns == SECOND


class TestPlacing:
    def test_an_acceptance_says_no_more_than_received(self) -> None:
        told = report(Purpose.PLACE, accepted())
        assert (told.word, told.about, told.executed) == (Word.RECEIVED, About.PLACE, None)
        assert told.venue_order_id == ORDER_ID

    def test_ids_and_codes_may_be_numbers_or_strings(self) -> None:
        result = {"client_oid": CHILD, "order_id": int(ORDER_ID)}
        told = report(Purpose.PLACE, accepted(code="0", id="1", result=result))
        assert (told.word, told.venue_order_id) == (Word.RECEIVED, ORDER_ID)

    def test_an_answer_about_another_order_is_not_believed(self) -> None:
        with pytest.raises(FrameRefused, match="answers about"):
            read(Purpose.PLACE, accepted(result={"client_oid": "other", "order_id": "1"}))

    def test_success_with_a_status_of_failure_is_not_believed(self) -> None:
        with pytest.raises(FrameRefused, match="500"):
            read(Purpose.PLACE, accepted(), 500)

    @pytest.mark.parametrize("status", [200, 400, 500])
    @pytest.mark.parametrize("code", sorted(refusals.TEXTS))
    def test_every_documented_code(self, code: str, status: int) -> None:
        expected = {
            **dict.fromkeys(("42901",), Word.NOT_SENT),
            **dict.fromkeys(("204", "205", "40006"), Word.IN_DOUBT),
            **dict.fromkeys(("620", "40801", "50001", "9010001"), Word.IN_DOUBT),
            **dict.fromkeys(("43003", "43004", "43012"), Word.ENDED),
        }.get(code, Word.REJECTED)
        told = report(Purpose.PLACE, refused(int(code)), status)
        assert (told.word, told.about, told.raw, told.executed) == (expected, About.PLACE, code, None)
        assert code in told.reason
        assert refusals.TEXTS[code] in told.reason
        assert "SAID_BY_THE_VENUE" in told.reason

    @pytest.mark.parametrize(
        ("code", "part"), [(40101, "key"), (40102, "clock"), (40103, "address"), (306, "balance"), (42901, "many")]
    )
    def test_reasons_are_for_people(self, code: int, part: str) -> None:
        assert part in report(Purpose.PLACE, refused(code), 400).reason

    def test_a_refusal_may_carry_an_order_id(self) -> None:
        told = report(Purpose.PLACE, refused(306, result={"client_oid": CHILD, "order_id": ORDER_ID}), 500)
        assert (told.word, told.venue_order_id) == (Word.REJECTED, ORDER_ID)

    @pytest.mark.parametrize("code", [1, 99999, "odd"])
    def test_a_code_that_nobody_knows_is_no_answer(self, code: object) -> None:
        with pytest.raises(FrameRefused, match=str(code)):
            read(Purpose.PLACE, refused(code), 500)

    @pytest.mark.parametrize(
        ("status", "body", "word"),
        [
            (429, b"", Word.NOT_SENT),
            (429, b"<html>slow down</html>", Word.NOT_SENT),
            (500, b"", Word.IN_DOUBT),
            (502, b"<html>bad gateway</html>", Word.IN_DOUBT),
            (503, b'{"message": "backend timeout"}', Word.IN_DOUBT),
            (504, b"[]", Word.IN_DOUBT),
            (408, b"", Word.IN_DOUBT),
        ],
    )
    def test_answers_that_are_not_the_venues_own(self, status: int, body: bytes, word: Word) -> None:
        assert report(Purpose.PLACE, body, status).word is word
        assert report(Purpose.CANCEL, body, status).word is word
        assert report(Purpose.ORDER, body, status).word is Word.IN_DOUBT

    @pytest.mark.parametrize("status", [200, 301, 403, 404])
    @pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"code": null}', b'{"code": [0]}', b"\xff"])
    def test_what_means_nothing(self, status: int, body: bytes) -> None:
        for purpose in (Purpose.PLACE, Purpose.CANCEL, Purpose.ORDER, Purpose.BALANCES):
            with pytest.raises(FrameRefused):
                read(purpose, body, status)


class TestCanceling:
    def test_an_acceptance_is_a_promise(self) -> None:
        told = report(Purpose.CANCEL, accepted(message="NO_ERROR"))
        assert (told.word, told.about, told.executed) == (Word.RECEIVED, About.CANCEL, None)

    @pytest.mark.parametrize("code", sorted(refusals.TEXTS))
    def test_every_documented_code(self, code: str) -> None:
        expected = {
            **dict.fromkeys(("42901",), Word.NOT_SENT),
            **dict.fromkeys(("204", "205", "40006", "620", "40801", "50001", "9010001"), Word.IN_DOUBT),
        }.get(code, Word.REJECTED)
        told = report(Purpose.CANCEL, refused(int(code)), 500)
        assert (told.word, told.about, told.executed) == (expected, About.CANCEL, None)


class TestAsking:
    def asked(self, **changes: Any) -> ExecutionReport:
        return report(Purpose.ORDER, {"id": 1, "code": 0, "result": order_row(**changes)})

    @pytest.mark.parametrize(
        ("status", "word"),
        [
            ("NEW", Word.RECEIVED),
            ("PENDING", Word.RECEIVED),
            ("ACTIVE", Word.WORKING),
            ("FILLED", Word.ENDED),
            ("CANCELED", Word.ENDED),
            ("EXPIRED", Word.ENDED),
            ("REJECTED", Word.REJECTED),
        ],
    )
    def test_every_status(self, status: str, word: Word) -> None:
        told = self.asked(status=status, cumulative_quantity="0")
        assert (told.word, told.about, told.raw, told.executed) == (word, About.ASK, status, 0)
        assert (told.venue_order_id, told.venue_time_ns) == (ORDER_ID, 1780000000210 * 1_000_000)

    @pytest.mark.parametrize("status", ["PARTIALLY_FILLED", "active", ""])
    def test_a_status_that_nobody_knows(self, status: str) -> None:
        with pytest.raises(FrameRefused, match="status"):
            self.asked(status=status)

    @pytest.mark.parametrize("status", ["ACTIVE", "CANCELED", "EXPIRED", "REJECTED", "FILLED"])
    def test_what_was_filled_is_told_whatever_the_status(self, status: str) -> None:
        told = self.asked(status=status)
        assert told.executed == BTC.quantity("0.004")
        assert told.word is (Word.WORKING if status == "ACTIVE" else Word.ENDED)

    def test_an_immediate_orders_rest_says_why_it_ended(self) -> None:
        told = self.asked(status="CANCELED", reason=43004)
        assert (told.word, told.executed) == (Word.ENDED, BTC.quantity("0.004"))
        assert "43004" in told.reason

    def test_numbers_may_come_bare_and_are_read_from_their_text(self) -> None:
        body = json.dumps({"code": 0, "result": order_row(cumulative_quantity="?")}).encode()
        told = report(Purpose.ORDER, body.replace(b'"?"', b"0.100000000000000001"))
        assert told.executed == BTC.quantity("0.100000000000000001")

    @pytest.mark.parametrize("time_ms", [-1, "soon", 10**17, "1e30"])
    def test_times_that_are_none(self, time_ms: object) -> None:
        with pytest.raises(NumberRefused):
            self.asked(update_time=time_ms)

    def test_times_may_come_as_text(self) -> None:
        assert self.asked(update_time="1780000000210").venue_time_ns == 1780000000210 * 1_000_000

    @pytest.mark.parametrize("code", sorted(refusals.TEXTS))
    def test_every_documented_code(self, code: str) -> None:
        """A question that was refused says nothing of the order."""
        expected = Word.MISSING if code in ("212", "316", "40401") else Word.IN_DOUBT
        told = report(Purpose.ORDER, refused(int(code)))
        assert (told.word, told.about, told.executed) == (expected, About.ASK, None)

    def test_the_refusal_of_a_second_order_of_the_id_says_nothing_of_the_first(self) -> None:
        assert self.asked(status="REJECTED", reason=204, cumulative_quantity="0").word is Word.IN_DOUBT

    @pytest.mark.parametrize(
        "changes", [{"client_oid": "0abc123def456789-001"}, {"instrument_name": "ETH_USDT"}, {"client_oid": None}]
    )
    def test_another_order_than_the_one_asked_after(self, changes: dict[str, Any]) -> None:
        with pytest.raises(FrameRefused, match="answers about"):
            self.asked(**changes)

    @pytest.mark.parametrize("missing", ["cumulative_quantity", "status", "order_id", "instrument_name"])
    def test_a_row_that_lacks_what_matters(self, missing: str) -> None:
        row = order_row()
        del row[missing]
        with pytest.raises(FrameRefused):
            read(Purpose.ORDER, {"code": 0, "result": row})

    @pytest.mark.parametrize("quantity", ["-1", "NaN", "", None, "1e-40"])
    def test_quantities_that_are_none(self, quantity: str | None) -> None:
        with pytest.raises(NumberRefused):
            self.asked(cumulative_quantity=quantity)


class TestFills:
    def fills(self, *rows: dict[str, Any], **changes: Any) -> Told:
        return read(Purpose.FILLS, {"code": 0, "result": {"data": rows}}, **changes)

    def only(self, **changes: Any) -> FillReported:
        (fill,) = self.fills(fill_row(**changes)).events
        assert isinstance(fill, FillReported)
        return fill

    def test_a_fill(self) -> None:
        told = self.only()
        fill = told.fill
        assert (fill.venue, fill.child_id, fill.fill_id) == ("cryptocom", CHILD, "6530219500000000777")
        assert (fill.side, fill.liquidity) == (Side.BUY, Liquidity.MAKER)
        assert (fill.price, fill.quantity) == (BTC.price("60000"), BTC.quantity("0.004"))
        assert (fill.fee, fill.fee_asset) == (money("0.000004"), "BTC")
        assert (fill.venue_time_ns, fill.received_ns) == (1780000000205000017, NOW)
        assert told.venue_order_id == ORDER_ID

    @pytest.mark.parametrize(
        ("fees", "fee"),
        [("-0.0000040", money("0.000004")), ("0.0000040", -money("0.000004")), ("0", 0), ("-0.000", 0)],
    )
    def test_a_fee_is_positive_when_we_pay_and_negative_when_we_are_paid(self, fees: str, fee: int) -> None:
        assert self.only(fees=fees).fill.fee == fee

    def test_a_fee_in_a_third_asset(self) -> None:
        fill = self.only(fees="-1.5", fee_instrument_name="cro").fill
        assert (fill.fee, fill.fee_asset) == (money("1.5"), "CRO")

    def test_bare_numbers_are_read_from_their_text(self) -> None:
        body = json.dumps({"code": 0, "result": {"data": [fill_row(fees="?")]}}).encode()
        (told,) = read(Purpose.FILLS, body.replace(b'"?"', b"-0.100000000000000001")).events
        assert isinstance(told, FillReported)
        assert told.fill.fee == money("0.100000000000000001")

    def test_the_role_and_the_exact_time_may_be_left_out(self) -> None:
        fill = self.only(taker_side="", create_time_ns=None).fill
        assert (fill.liquidity, fill.venue_time_ns) == (Liquidity.TAKER, 1780000000205 * 1_000_000)

    def test_fills_of_all_our_orders_are_told_and_those_of_others_are_not(self) -> None:
        told = self.fills(
            fill_row(),
            fill_row(client_oid="0abc123def456789-010", order_id="2", trade_id="2"),
            fill_row(client_oid="1716000000000", order_id="3", trade_id="3"),
            fill_row(client_oid=None, order_id="4", trade_id="4"),
        )
        ids = [event.fill.child_id for event in told.events if isinstance(event, FillReported)]
        assert ids == [CHILD, "0abc123def456789-010"]

    def test_a_fill_that_lost_our_id_is_known_by_the_venues(self) -> None:
        (told,) = self.fills(fill_row(client_oid=""), venue_order_id=ORDER_ID).events
        assert isinstance(told, FillReported)
        assert told.fill.child_id == CHILD

    def test_a_whole_list_ends_the_search(self) -> None:
        assert self.fills(fill_row()).errands == ()
        assert self.fills().errands == ()

    def test_a_full_list_goes_on_before_its_oldest(self) -> None:
        rows = [fill_row(trade_id=str(number), create_time_ns=str(NOW + 1000 - number // 2)) for number in range(100)]
        (more,) = self.fills(*rows).errands
        assert more == errand(Purpose.FILLS)._replace(cursor=str(NOW + 1000 - 49 + 1))
        params = json.loads(entry().call(more, NOW).body)["params"]
        assert params["end_time"] == more.cursor, "it is excluded, so that the oldest moment comes once more"
        assert params["start_time"] == str(NOW - 60 * SECOND)

    def test_a_list_that_does_not_go_on_is_refused(self) -> None:
        rows = [fill_row(trade_id=str(number), create_time_ns=str(NOW)) for number in range(100)]
        (more,) = self.fills(*rows).errands
        with pytest.raises(FrameRefused, match="does not go on"):
            self.fills(*rows, cursor=more.cursor)

    def test_an_old_order_is_searched_day_by_day(self) -> None:
        """Windows join without a gap, from now back to before the order was sent."""
        venue, one = entry(), errand(Purpose.FILLS, sent_ns=NOW - 3 * DAY)
        end_ns, asked = NOW, 0
        while True:
            params = json.loads(venue.call(one, NOW).body)["params"]
            assert int(params.get("end_time", NOW)) == end_ns
            assert 0 < end_ns - int(params["start_time"]) <= DAY
            end_ns, asked = int(params["start_time"]), asked + 1
            told = venue.read(one, Reply("", 200, b'{"code": 0, "result": {"data": []}}'), NOW)
            if not told.errands:
                break
            (one,) = told.errands
        assert end_ns == NOW - 3 * DAY - 60 * SECOND
        assert asked == 4

    @pytest.mark.parametrize(
        "changes", [{"side": "buy"}, {"taker_side": "BOTH"}, {"fees": "--1"}, {"traded_price": "-1"}, {"fees": ""}]
    )
    def test_what_means_nothing(self, changes: dict[str, Any]) -> None:
        with pytest.raises((FrameRefused, NumberRefused)):
            self.fills(fill_row(**changes))

    def test_a_refusal_is_no_list(self) -> None:
        with pytest.raises(FrameRefused, match="42901"):
            read(Purpose.FILLS, refused(42901), 429)


class TestAccount:
    def test_balances(self) -> None:
        rows = [
            {"instrument_name": "BTC", "quantity": "1.5", "reserved_qty": "0.25", "max_withdrawal_balance": "1.25"},
            {"instrument_name": "Usdt", "quantity": "-3.5", "reserved_qty": "0"},
            {"instrument_name": "CRO", "quantity": "7"},
        ]
        (told,) = read(Purpose.BALANCES, {"code": 0, "result": {"data": [{"position_balances": rows}]}}).events
        assert isinstance(told, BalancesRead)
        assert told.is_whole
        assert {asset: (b.total, b.free) for asset, b in told.balances.items()} == {
            "BTC": (money("1.5"), money("1.25")),
            "USDT": (-money("3.5"), -money("3.5")),
            "CRO": (money("7"), money("7")),
        }

    def test_open_orders_are_ours_or_the_venues(self) -> None:
        rows = [order_row(), order_row(order_id=2, client_oid="mine"), order_row(order_id="3", client_oid=None)]
        (told,) = read(Purpose.OPEN_ORDERS, {"code": 0, "result": {"data": rows}}).events
        assert told == OpenOrdersRead("cryptocom", NOW, (CHILD,), ("2", "3"))

    @pytest.mark.parametrize("purpose", [Purpose.OPEN_ORDERS, Purpose.BALANCES, Purpose.FILLS, Purpose.FEES])
    @pytest.mark.parametrize("result", [{}, None, [], {"data": None}])
    def test_a_list_that_is_not_there_is_not_an_empty_one(self, purpose: Purpose, result: object) -> None:
        with pytest.raises(FrameRefused):
            read(purpose, {"code": 0, "result": result}, symbol="BTC_USDT")

    def test_fees_come_in_basis_points(self) -> None:
        rates = {"effective_maker_rate_bps": "-0.5", "effective_taker_rate_bps": "6.9"}
        (told,) = read(Purpose.FEES, {"code": 0, "result": rates}, symbol="BTC_USDT").events
        assert told == FeesRead("cryptocom", NOW, BTC, parse_decimal("0.00005", 8) * -1, parse_decimal("0.00069", 8))


class TestStream:
    def logged_in(self) -> tuple[OrderEntry, dict[str, int]]:
        """Where each channel was subscribed to by one request, and nothing is answered yet."""
        venue = entry()
        (login,) = venue.greet(NOW)
        request = json.loads(login.text)
        assert (request["method"], request["api_key"], request["nonce"]) == ("public/auth", "key", NOW // 1_000_000)
        told = venue.read_frame(json.dumps({"id": request["id"], "method": "public/auth", "code": 0}), NOW)
        assert not told.is_ready
        asked = [json.loads(send.text) for send in told.sends]
        assert {one["method"] for one in asked} == {"subscribe"}
        return venue, {channel: one["id"] for one in asked for channel in one["params"]["channels"]}

    def told(self, frame: str) -> Told:
        return self.logged_in()[0].read_frame(frame, NOW)

    def test_it_is_ready_once_every_channel_is_acknowledged(self) -> None:
        venue, ids = self.logged_in()
        assert set(ids) == {"user.order", "user.trade", "user.balance"}
        ack = {"method": "subscribe", "code": 0}
        assert not venue.read_frame(json.dumps({"id": ids["user.trade"], **ack}), NOW).is_ready
        assert not venue.read_frame(json.dumps({"id": str(ids["user.balance"]), **ack}), NOW).is_ready
        assert not venue.read_frame(pushed("user.order", order_row()), NOW).is_ready, "that is no answer"
        told = venue.read_frame(pushed("user.order", order_row(), request_id=ids["user.order"]), NOW)
        assert told.is_ready
        assert len(told.events) == 1
        assert not venue.read_frame(json.dumps({"id": ids["user.trade"], **ack}), NOW).is_ready, "only once"

    def test_a_new_connection_starts_over(self) -> None:
        venue, ids = self.logged_in()
        (login,) = venue.greet(NOW)
        assert not venue.read_frame(json.dumps({"id": ids["user.trade"], "code": 0}), NOW).is_ready
        assert json.loads(login.text)["id"] not in ids.values()

    @pytest.mark.parametrize(("code", "part"), [(40101, "key"), ("40102", "clock")])
    def test_a_refused_login(self, code: object, part: str) -> None:
        venue = entry()
        (login,) = venue.greet(NOW)
        answer = {"id": json.loads(login.text)["id"], "method": "public/auth", "code": code, "message": "UNAUTHORIZED"}
        told = venue.read_frame(json.dumps(answer), NOW)
        assert part in told.refusal
        assert not told.sends

    def test_a_refused_subscription(self) -> None:
        venue, ids = self.logged_in()
        answer = {"id": ids["user.trade"], "method": "subscribe", "code": 40107, "channel": "user.trade"}
        told = venue.read_frame(json.dumps(answer), NOW)
        assert "user.trade" in told.refusal
        assert "40107" in told.refusal

    def test_heartbeats_are_answered_at_once_with_their_id(self) -> None:
        told = self.told('{"id":1587523073344,"method":"public/heartbeat","code":0}')
        (answer,) = told.sends
        assert answer.urgent
        assert json.loads(answer.text) == {"id": 1587523073344, "method": "public/respond-heartbeat"}

    def test_an_orders_report(self) -> None:
        (told,) = self.told(pushed("user.order", order_row())).events
        assert isinstance(told, ExecutionReport)
        assert (told.child_id, told.word, told.about, told.raw) == (CHILD, Word.WORKING, About.STREAM, "ACTIVE")
        assert (told.executed, told.venue_order_id) == (BTC.quantity("0.004"), ORDER_ID)

    def test_a_refusal_that_comes_late(self) -> None:
        row = order_row(status="REJECTED", reason=306, cumulative_quantity="0")
        (told,) = self.told(pushed("user.order", row)).events
        assert isinstance(told, ExecutionReport)
        assert (told.word, told.executed) == (Word.REJECTED, 0)
        assert "balance" in told.reason

    def test_fills_are_the_same_as_in_the_list(self) -> None:
        (listed,) = read(Purpose.FILLS, {"code": 0, "result": {"data": [fill_row()]}}).events
        assert self.told(pushed("user.trade", fill_row())).events == [listed]

    def test_balances_are_of_what_they_name(self) -> None:
        row = {"instrument_name": "BTC", "quantity": "1.5", "reserved_qty": "0.25"}
        (told,) = self.told(pushed("user.balance", {"position_balances": [row]})).events
        assert isinstance(told, BalancesRead)
        assert not told.is_whole
        assert told.balances["BTC"].free == money("1.25")

    def test_orders_that_are_not_ours_are_left_out_even_of_markets_that_nobody_lists(self) -> None:
        foreign = {"client_oid": "1716000000000", "instrument_name": "PEPE_USD"}
        frame = pushed("user.order", order_row(**foreign), order_row())
        (told,) = self.told(frame).events
        assert isinstance(told, ExecutionReport)
        assert told.child_id == CHILD
        assert self.told(pushed("user.trade", fill_row(**foreign))).events == []

    @pytest.mark.parametrize(
        "frame",
        [
            "",
            "[]",
            "{",
            pushed("user.order", order_row(instrument_name="PEPE_USD")),
            pushed("user.order", order_row(status="HALF_FILLED")),
            pushed("user.order", {"client_oid": CHILD}),
            pushed("user.trade", {"client_oid": CHILD}),
            '{"id":-1,"method":"ERROR","code":40003,"message":"Invalid request"}',
        ],
    )
    def test_what_means_nothing(self, frame: str) -> None:
        with pytest.raises(FrameRefused):
            self.told(frame)


MESSAGES = [
    json.dumps({"code": 0, "result": order_row()}).encode(),
    json.dumps({"code": 0, "result": {"data": [fill_row(), fill_row(create_time_ns=9)]}}).encode(),
    json.dumps(
        {"code": 0, "result": {"data": [{"position_balances": [{"instrument_name": "A", "quantity": 1}]}]}}
    ).encode(),
    json.dumps({"code": 0, "result": {"effective_maker_rate_bps": "1", "effective_taker_rate_bps": 2}}).encode(),
    json.dumps(accepted()).encode(),
    json.dumps(refused(306, result={"order_id": 1})).encode(),
    pushed("user.order", order_row()).encode(),
    pushed("user.trade", fill_row()).encode(),
    pushed("user.balance", {"position_balances": [{"instrument_name": "A", "quantity": "-1"}]}).encode(),
]
PIECES = [b"", b"null", b"-1", b"1e99", b"9" * 5000, b'"', b"[", b"{}", b"\xff", b"\\u0031", b"true", b"0.5"]


@examples(300)
@given(st.sampled_from(MESSAGES), st.data())
def test_broken_answers_and_frames_are_refused_or_read(message: bytes, data: st.DataObject) -> None:
    """Nothing that comes raises anything else."""
    start = data.draw(st.integers(0, len(message)))
    end = data.draw(st.integers(start, min(len(message), start + 25)))
    broken = message[:start] + data.draw(st.sampled_from(PIECES)) + message[end:]
    venue, status = entry(), data.draw(st.sampled_from([200, 400, 429, 500]))
    for purpose in set(Purpose) - {Purpose.ACCOUNT}:
        with suppress(FrameRefused, NumberRefused):
            venue.read(errand(purpose, symbol="BTC_USDT"), Reply("", status, broken), NOW)
    with suppress(FrameRefused, NumberRefused):
        venue.read_frame(broken, NOW)
