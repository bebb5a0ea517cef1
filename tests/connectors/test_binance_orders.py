"""What Binance says of orders means what its documentation says, and whatever is odd in it is refused whole."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from aggregator.domain.errors import FrameRefused, NumberRefused
from aggregator.domain.instrument import Instrument, Listing, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.numbers import parse_decimal
from aggregator.domain.order import ASSET_DECIMALS, ChildTerms, Fill, Liquidity, TimeInForce
from aggregator.domain.order_events import (
    About,
    Balance,
    BalancesRead,
    ExecutionReport,
    FeesRead,
    FillReported,
    OpenOrdersRead,
)
from connectors.binance import OrderEntry
from connectors.binance.signing import signature
from connectors.contract import Reply
from connectors.trading import Call, CallRefused, Credentials, Errand, Purpose, Told

NOW_NS = 1_780_000_001_000_000_000
MS = 1_000_000
BTC = Instrument("BTC/USDT", "BTC", "USDT", 8, 8)
ID = "0123456789abcdef-00z"
TERMS = ChildTerms(ID, ID[:16], "binance", "BTCUSDT", BTC, Side.BUY, 10**6, 60_000 * 10**8, TimeInForce.GTC)
CREDENTIALS = Credentials("demo-key-1", "demo-secret-1")

PLACE, CANCEL, ASK = (Errand(purpose, TERMS) for purpose in (Purpose.PLACE, Purpose.CANCEL, Purpose.ORDER))
FILLS = Errand(Purpose.FILLS, TERMS, "7001")


def entry() -> OrderEntry:
    listing = Listing("binance", "BTCUSDT", BTC)
    return OrderEntry("binance", {"BTCUSDT": listing}, CREDENTIALS, "api.binance.com")


def read(errand: Errand, body: Any, status: int = 200) -> Told:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return entry().read(errand, Reply("", status, text), NOW_NS)


def refused(errand: Errand, code: int, text: str = "", status: int = 400) -> ExecutionReport:
    return only(read(errand, {"code": code, "msg": text}, status))


def only(told: Told) -> ExecutionReport:
    (report,) = told.events
    assert isinstance(report, ExecutionReport)
    return report


def money(text: str) -> int:
    return parse_decimal(text, ASSET_DECIMALS)


def sent(call: Call) -> dict[str, str]:
    """Its parameters without the signature, which is checked."""
    text = call.body.decode() or call.path.partition("?")[2]
    payload, _, told = text.rpartition("&signature=")
    assert told == signature(CREDENTIALS.secret, payload)
    assert call.headers["X-MBX-APIKEY"] == CREDENTIALS.key
    parameters = dict(parse_qsl(payload))
    assert (parameters.pop("timestamp"), parameters.pop("recvWindow")) == (str(NOW_NS // MS), "5000")
    return parameters


def placed(**fields: Any) -> dict[str, Any]:
    """As the documentation has it: 0.004 of 0.01 are filled at once."""
    fill = {"price": "60000.00", "qty": "0.00400000", "commission": "0.00000400", "commissionAsset": "BTC"}
    return {
        "symbol": "BTCUSDT", "orderId": 7001, "orderListId": -1, "clientOrderId": ID, "transactTime": 1780000000200,
        "price": "60000.00", "origQty": "0.01000000", "executedQty": "0.00400000",
        "cummulativeQuoteQty": "240.00000000", "status": "PARTIALLY_FILLED", "timeInForce": "GTC", "type": "LIMIT",
        "side": "BUY", "selfTradePreventionMode": "EXPIRE_MAKER", "fills": [fill | {"tradeId": 5000002}],
    } | fields  # fmt: skip


def described(**fields: Any) -> dict[str, Any]:
    return placed(updateTime=1780000000300, **fields)


def canceled(**fields: Any) -> dict[str, Any]:
    return placed(status="CANCELED", origClientOrderId=ID, clientOrderId="the-cancel", **fields)


def frame(**fields: Any) -> str:
    """The event of the fill above."""
    event = {
        "e": "executionReport", "E": 1780000000210, "s": "BTCUSDT", "c": ID, "S": "BUY", "o": "LIMIT", "f": "GTC",
        "q": "0.01000000", "p": "60000.00", "C": "", "x": "TRADE", "X": "PARTIALLY_FILLED", "r": "NONE", "i": 7001,
        "l": "0.00400000", "z": "0.00400000", "L": "60000.00", "n": "0.00000400", "N": "BTC", "T": 1780000000200,
        "t": 5000002, "w": True, "m": False, "O": 1780000000200, "Z": "240.00000000", "Y": "240.00000000",
        "V": "EXPIRE_MAKER",
    } | fields  # fmt: skip
    return json.dumps({"subscriptionId": 0, "event": event})


FILL = Fill(
    "binance", ID, BTC, "5000002", Side.BUY, 60_000 * 10**8, 400_000, money("0.000004"), "BTC", Liquidity.TAKER,
    1780000000200 * MS, NOW_NS,
)  # fmt: skip
TOLD_FILL = FillReported(NOW_NS, FILL, "7001")


class TestCalls:
    @pytest.mark.parametrize(
        ("terms", "kind"),
        [
            (TERMS, {"type": "LIMIT", "timeInForce": "GTC"}),
            (replace(TERMS, time_in_force=TimeInForce.IOC), {"type": "LIMIT", "timeInForce": "IOC"}),
            (replace(TERMS, time_in_force=TimeInForce.FOK), {"type": "LIMIT", "timeInForce": "FOK"}),
            (replace(TERMS, post_only=True), {"type": "LIMIT_MAKER"}),
        ],
    )
    def test_an_order_is_placed_in_plain_decimals(self, terms: ChildTerms, kind: dict[str, str]) -> None:
        call = entry().call(Errand(Purpose.PLACE, terms), NOW_NS)
        assert (call.method, call.path) == ("POST", "/api/v3/order")
        assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert sent(call) == kind | {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "quantity": "0.01",
            "price": "60000",
            "newClientOrderId": ID,
            "newOrderRespType": "FULL",
        }

    def test_small_numbers_have_no_exponent(self) -> None:
        call = entry().call(Errand(Purpose.PLACE, replace(TERMS, quantity=1, limit_price=1, side=Side.SELL)), NOW_NS)
        parameters = sent(call)
        assert (parameters["quantity"], parameters["price"]) == ("0.00000001", "0.00000001")
        assert parameters["side"] == "SELL"

    def test_a_post_only_order_that_may_not_rest_is_not_sent(self) -> None:
        with pytest.raises(CallRefused, match="post-only and IOC"):
            entry().call(Errand(Purpose.PLACE, replace(TERMS, post_only=True, time_in_force=TimeInForce.IOC)), NOW_NS)

    @pytest.mark.parametrize(
        ("errand", "method", "path", "parameters"),
        [
            (CANCEL, "DELETE", "/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": ID}),
            (ASK, "GET", "/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": ID}),
            (FILLS, "GET", "/api/v3/myTrades", {"symbol": "BTCUSDT", "orderId": "7001", "limit": "1000"}),
            (
                FILLS._replace(cursor="5000003"),
                *("GET", "/api/v3/myTrades"),
                {"symbol": "BTCUSDT", "orderId": "7001", "limit": "1000", "fromId": "5000003"},
            ),
            (Errand(Purpose.BALANCES), "GET", "/api/v3/account", {"omitZeroBalances": "true"}),
            (Errand(Purpose.OPEN_ORDERS), "GET", "/api/v3/openOrders", {}),
            (
                Errand(Purpose.FEES, symbol="BTCUSDT"),
                *("GET", "/api/v3/account/commission"),
                {"symbol": "BTCUSDT"},
            ),
        ],
    )
    def test_questions_are_signed_in_their_query(
        self, errand: Errand, method: str, path: str, parameters: dict[str, str]
    ) -> None:
        call = entry().call(errand, NOW_NS)
        assert (call.method, call.path.partition("?")[0], call.body) == (method, path, b"")
        assert sent(call) == parameters

    @pytest.mark.parametrize(
        "errand", [Errand(Purpose.FEES, symbol="ETHUSDT"), Errand(Purpose.ACCOUNT), Errand(Purpose.PLACE)]
    )
    def test_what_cannot_be_asked_is_not_sent(self, errand: Errand) -> None:
        with pytest.raises(CallRefused):
            entry().call(errand, NOW_NS)

    def test_every_cost_has_its_budget(self) -> None:
        ours = entry()
        for purpose in Purpose:
            for cost in ours.costs(Errand(purpose, TERMS, "7001")):
                assert 0 < cost.units <= ours.budgets[cost.budget].units
        assert {cost.budget for cost in ours.costs(PLACE)} == set(ours.budgets)
        assert [cost.units for cost in ours.costs(FILLS)] == [5]
        assert [cost.units for cost in ours.costs(FILLS._replace(venue_order_id=""))] == [4]

    def test_nothing_must_be_asked_first(self) -> None:
        assert not entry().errands_at_start()

    def test_the_secret_is_in_no_call(self) -> None:
        assert CREDENTIALS.secret not in repr(entry().call(PLACE, NOW_NS))


class TestPlacing:
    def test_tells_its_fills_and_then_how_the_order_stands(self) -> None:
        report = ExecutionReport(
            "binance", ID, BTC, NOW_NS, Word.WORKING, About.PLACE, "PARTIALLY_FILLED", 400_000, "7001", "",
            1780000000200 * MS,
        )  # fmt: skip
        assert read(PLACE, placed()) == Told([TOLD_FILL, report])

    def test_may_be_only_acknowledged(self) -> None:
        names = "symbol", "orderId", "orderListId", "clientOrderId", "transactTime"
        report = only(read(PLACE, {name: value for name, value in placed().items() if name in names}))
        assert (report.word, report.executed, report.venue_order_id) == (Word.RECEIVED, None, "7001")

    @pytest.mark.parametrize("fee", ["-0.00000400", "-4e-06"])
    def test_a_rebate_is_a_negative_fee(self, fee: str) -> None:
        row = placed()["fills"][0] | {"commission": fee, "commissionAsset": "bnb"}
        fill, _ = read(PLACE, placed(fills=[row])).events
        assert isinstance(fill, FillReported)
        assert (fill.fill.fee, fill.fill.fee_asset) == (-money("0.000004"), "BNB")

    @pytest.mark.parametrize(
        "odd",
        [
            {"clientOrderId": "another"},
            {"symbol": "ETHUSDT"},
            {"status": "HALF_FILLED"},
            {"executedQty": 0.004},
            {"executedQty": "-0.004"},
            {"executedQty": "0.0000000000001"},
            {"orderId": -7},
            {"orderId": None},
            {"fills": [{"price": "1"}]},
            {"fills": [placed()["fills"][0] | {"price": "NaN"}]},
            {"transactTime": 10**20},
        ],
    )
    def test_an_odd_answer_is_refused(self, odd: dict[str, Any]) -> None:
        with pytest.raises((FrameRefused, NumberRefused)):
            read(PLACE, placed(**odd))

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"{", b"\xff"])
    def test_so_is_what_is_no_answer(self, body: bytes) -> None:
        for errand in (PLACE, CANCEL, ASK, Errand(Purpose.BALANCES)):
            with pytest.raises(FrameRefused):
                read(errand, body)


STATUSES = {
    "NEW": Word.WORKING,
    "PENDING_NEW": Word.RECEIVED,
    "PARTIALLY_FILLED": Word.WORKING,
    "PENDING_CANCEL": Word.WORKING,
    "FILLED": Word.ENDED,
    "CANCELED": Word.ENDED,
    "EXPIRED": Word.ENDED,
    "EXPIRED_IN_MATCH": Word.ENDED,
    "REJECTED": Word.REJECTED,
}


class TestStatuses:
    @pytest.mark.parametrize("status", STATUSES)
    def test_mean_the_same_everywhere_and_hide_no_fill(self, status: str) -> None:
        told = [
            read(PLACE, placed(status=status)).events[-1],
            only(read(ASK, described(status=status))),
            entry().read_frame(frame(X=status), NOW_NS).events[-1],
        ]
        for report in told:
            assert isinstance(report, ExecutionReport)
            assert (report.word, report.raw, report.executed) == (STATUSES[status], status, 400_000)

    def test_that_are_not_documented_are_not_guessed(self) -> None:
        for errand, answer in ((ASK, described(status="DONE")), (CANCEL, canceled() | {"status": "new"})):
            with pytest.raises(FrameRefused, match="an order's status is"):
                read(errand, answer)
        with pytest.raises(FrameRefused, match="an order's status is"):
            entry().read_frame(frame(X="PARTIAL"), NOW_NS)


class TestCanceling:
    def test_tells_what_was_executed(self) -> None:
        report = only(read(CANCEL, canceled()))
        assert (report.word, report.about, report.raw) == (Word.ENDED, About.CANCEL, "CANCELED")
        assert (report.executed, report.venue_order_id) == (400_000, "7001")
        assert report.venue_time_ns == 1780000000200 * MS

    def test_is_about_the_order_that_it_names_as_the_original_one(self) -> None:
        with pytest.raises(FrameRefused, match="not 0123456789abcdef-00z"):
            read(CANCEL, canceled() | {"origClientOrderId": "another", "clientOrderId": ID})


class TestAsking:
    def test_tells_how_the_order_stands(self) -> None:
        report = only(read(ASK, described(status="EXPIRED")))
        assert (report.word, report.about, report.executed) == (Word.ENDED, About.ASK, 400_000)
        assert report.venue_time_ns == 1780000000300 * MS

    def test_believes_the_answer_under_the_id_of_a_later_cancel(self) -> None:
        assert only(read(ASK, described(clientOrderId="the-cancel"))).child_id == ID

    def test_for_fills_without_the_venues_id_asks_for_the_order_first(self) -> None:
        errand = FILLS._replace(venue_order_id="")
        assert entry().call(errand, NOW_NS) == entry().call(ASK, NOW_NS)
        told = read(errand, described())
        assert only(told).about is About.ASK
        assert told.errands == [FILLS]
        report = only(read(errand, {"code": -2013, "msg": "Order does not exist."}, 400))
        assert report.word is Word.MISSING


REFUSED = [
    *(-1002, -1010, -1013, -1014, -1020, -1021, -1022),
    *(-1100, -1101, -1102, -1103, -1104, -1105, -1106, -1108, -1111, -1112, -1114, -1115, -1116, -1117, -1118, -1119),
    *(-1121, -1125, -1128, -1130, -1131, -1134, -1135, -1145),
    *(-2010, -2014, -2015, -2016, -2039),
]
NOT_SENT = [-1003, -1008, -1015, -1016, -1034]
IN_DOUBT = [-1000, -1001, -1006, -1007, -1, -9999]


class TestRefusals:
    @pytest.mark.parametrize("code", REFUSED)
    def test_of_the_request_itself(self, code: int) -> None:
        for errand in (PLACE, CANCEL):
            report = refused(errand, code, "No.")
            assert (report.word, report.raw) == (Word.REJECTED, str(code))
            assert "No." in report.reason
        assert refused(ASK, code).word is Word.IN_DOUBT

    @pytest.mark.parametrize("code", NOT_SENT)
    @pytest.mark.parametrize("status", [400, 418, 429, 503])
    def test_before_it_was_looked_at(self, code: int, status: int) -> None:
        assert refused(PLACE, code, status=status).word is Word.NOT_SENT
        assert refused(CANCEL, code, status=status).word is Word.NOT_SENT
        assert refused(ASK, code, status=status).word is Word.IN_DOUBT

    @pytest.mark.parametrize("code", IN_DOUBT)
    @pytest.mark.parametrize("status", [400, 500, 503])
    def test_that_leave_the_outcome_open(self, code: int, status: int) -> None:
        for errand in (PLACE, CANCEL, ASK):
            assert refused(errand, code, status=status).word is Word.IN_DOUBT

    @pytest.mark.parametrize(
        ("status", "word"),
        [(403, Word.NOT_SENT), (418, Word.NOT_SENT), (429, Word.NOT_SENT)]
        + [(status, Word.IN_DOUBT) for status in (400, 404, 408, 500, 502, 503, 504)],
    )
    @pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"{}"])
    def test_without_a_code(self, status: int, word: Word, body: bytes) -> None:
        for errand in (PLACE, CANCEL):
            report = only(read(errand, body, status))
            assert (report.word, report.raw) == (word, f"HTTP {status}")
        assert only(read(ASK, body, status)).word is Word.IN_DOUBT

    def test_a_known_code_counts_even_with_a_failure_of_the_server(self) -> None:
        assert refused(PLACE, -1013, "Filter failure: LOT_SIZE", 503).word is Word.REJECTED

    def test_of_a_duplicate_leave_in_doubt_whether_the_first_got_through(self) -> None:
        assert refused(PLACE, -2010, "Duplicate order sent.").word is Word.IN_DOUBT
        for text in (
            "Account has insufficient balance for requested action.",
            "Order would immediately match and take.",
            "Market is closed.",
        ):
            report = refused(PLACE, -2010, text)
            assert (report.word, report.reason) == (Word.REJECTED, f"-2010 {text}")

    @pytest.mark.parametrize("code", [-2011, -2013, -2026, -2039])
    def test_of_a_cancel_say_nothing_of_the_order(self, code: int) -> None:
        report = refused(CANCEL, code, "Unknown order sent.")
        assert (report.word, report.about, report.executed) == (Word.REJECTED, About.CANCEL, None)

    def test_of_a_question_for_an_order_that_there_is_not(self) -> None:
        assert refused(ASK, -2013, "Order does not exist.").word is Word.MISSING

    def test_of_a_question_for_an_order_that_ended_long_ago_without_a_fill(self) -> None:
        report = refused(ASK, -2026)
        assert (report.word, report.executed) == (Word.ENDED, 0)

    @pytest.mark.parametrize(
        ("code", "reason"), [(-1021, "our clock"), (-1022, "signature"), (-2014, "the key"), (-2015, "permissions")]
    )
    def test_say_what_is_wrong_with_us(self, code: int, reason: str) -> None:
        assert reason in refused(PLACE, code, "whatever").reason

    @pytest.mark.parametrize("purpose", [Purpose.BALANCES, Purpose.OPEN_ORDERS, Purpose.FEES])
    def test_of_other_questions_are_told_as_such(self, purpose: Purpose) -> None:
        with pytest.raises(FrameRefused, match="answered 401: the venue does not accept the key"):
            read(Errand(purpose, symbol="BTCUSDT"), {"code": -2015, "msg": "Invalid API-key."}, 401)


def trade(**fields: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "id": 5000002, "orderId": 7001, "orderListId": -1, "price": "60000.00",
        "qty": "0.00400000", "quoteQty": "240.0", "commission": "0.00000400", "commissionAsset": "BTC",
        "time": 1780000000200, "isBuyer": True, "isMaker": False, "isBestMatch": True,
    } | fields  # fmt: skip


class TestFills:
    def test_are_the_same_in_the_answer_the_history_and_on_the_stream(self) -> None:
        assert read(PLACE, placed()).events[0] == TOLD_FILL
        assert read(FILLS, [trade()]) == Told([TOLD_FILL])
        assert entry().read_frame(frame(), NOW_NS).events[0] == TOLD_FILL

    def test_may_be_made(self) -> None:
        (fill,) = read(FILLS, [trade(isMaker=True)]).events
        assert isinstance(fill, FillReported)
        assert fill.fill.liquidity is Liquidity.MAKER

    def test_of_another_order_are_refused(self) -> None:
        for odd in ({"orderId": 7002}, {"symbol": "ETHUSDT"}):
            with pytest.raises(FrameRefused, match="asked for fills of order 7001"):
                read(FILLS, [trade(), trade(**odd)])

    def test_come_in_parts(self) -> None:
        rows = [trade(id=5000002 + n) for n in range(1000)]
        told = read(FILLS, rows)
        assert len(told.events) == 1000
        assert told.errands == [FILLS._replace(cursor="5001002")]
        assert read(told.errands[0], []) == Told([])


class TestTheAccount:
    def test_balances_are_whole(self) -> None:
        rows = [{"asset": "USDT", "free": "1000.5", "locked": "240.0"}, {"asset": "btc", "free": "0", "locked": "1"}]
        balances = {
            "USDT": Balance(money("1240.5"), money("1000.5")),
            "BTC": Balance(money("1"), 0),
        }
        told = read(Errand(Purpose.BALANCES), {"canTrade": True, "balances": rows})
        assert told == Told([BalancesRead("binance", NOW_NS, balances, True)])

    def test_open_orders_are_ours_or_named_by_the_venue(self) -> None:
        rows = [described(), described(orderId=7002, clientOrderId="web_1"), described(orderId=7003, symbol="ETHBTC")]
        rows[2]["clientOrderId"] = ID.replace("0", "1")
        told = read(Errand(Purpose.OPEN_ORDERS), rows)
        assert told == Told([OpenOrdersRead("binance", NOW_NS, (ID, ID.replace("0", "1")), ("7002",))])

    def test_fees_are_the_sum_of_all_that_is_taken(self) -> None:
        body = {
            "symbol": "BTCUSDT",
            "standardCommission": {"maker": "0.00080000", "taker": "0.001", "buyer": "0.0001", "seller": "0.0002"},
            "specialCommission": {"maker": "0.00001", "taker": "0.00002", "buyer": "0", "seller": "0"},
            "taxCommission": {"maker": "0.00000100", "taker": "0.000002", "buyer": "0", "seller": "0"},
            "discount": {"enabledForAccount": True, "discountAsset": "BNB", "discount": "0.75"},
        }
        told = read(Errand(Purpose.FEES, symbol="BTCUSDT"), body)
        assert told == Told([FeesRead("binance", NOW_NS, BTC, 101_100, 122_200)])
        with pytest.raises(FrameRefused, match="'ETHUSDT'"):
            read(Errand(Purpose.FEES, symbol="BTCUSDT"), body | {"symbol": "ETHUSDT"})


class TestTheStream:
    def test_is_asked_for_with_a_signature_of_its_own(self) -> None:
        (send,) = entry().greet(1_780_000_000_000 * MS)
        assert json.loads(send.text) == {
            "id": "subscribe",
            "method": "userDataStream.subscribe.signature",
            "params": {
                "apiKey": "demo-key-1",
                "timestamp": 1780000000000,
                "signature": "8b7c17da96ac084f7d98b22d49cf4724d4c2f7e375dcc6595e7aa60637e50bab",
            },
        }

    def test_is_ready_once_that_is_granted(self) -> None:
        granted = '{"id":"subscribe","status":200,"result":{"subscriptionId":0},"rateLimits":[]}'
        assert entry().read_frame(granted, NOW_NS) == Told(is_ready=True)
        already = '{"id":"subscribe","status":400,"error":{"code":-2035,"msg":"Already."}}'
        assert entry().read_frame(already, NOW_NS) == Told(is_ready=True)

    def test_says_why_it_will_not_tell(self) -> None:
        answer = '{"id":"subscribe","status":401,"error":{"code":-2015,"msg":"Invalid API-key."}}'
        told = entry().read_frame(answer, NOW_NS)
        assert not told.is_ready
        assert "does not accept the key" in told.refusal

    def test_pings_of_ours_keep_it_alive(self) -> None:
        habits = OrderEntry.habits
        assert habits is not None
        assert habits.keepalive is not None
        assert json.loads(habits.keepalive(NOW_NS)) == {"id": "ping", "method": "ping"}
        assert habits.keepalive_ns < habits.silence_ns
        for answer in ('{"id":"ping","status":200,"result":{}}', '{"id":"ping","status":429,"error":{"code":-1003}}'):
            assert entry().read_frame(answer, NOW_NS) == Told()

    def test_tells_a_fill_and_how_the_order_stands(self) -> None:
        report = ExecutionReport(
            "binance", ID, BTC, NOW_NS, Word.WORKING, About.STREAM, "PARTIALLY_FILLED", 400_000, "7001", "",
            1780000000200 * MS,
        )  # fmt: skip
        assert entry().read_frame(frame(), NOW_NS) == Told([TOLD_FILL, report])
        assert entry().read_frame(frame().encode(), NOW_NS) == Told([TOLD_FILL, report])

    def test_tells_of_a_sale_that_rested(self) -> None:
        fill, _ = entry().read_frame(frame(S="SELL", m=True, N="USDT", n="0.24"), NOW_NS).events
        assert isinstance(fill, FillReported)
        assert (fill.fill.side, fill.fill.liquidity) == (Side.SELL, Liquidity.MAKER)
        assert (fill.fill.fee_asset, fill.fill.fee) == ("USDT", money("0.24"))

    def test_names_a_canceled_order_as_the_original_one(self) -> None:
        nothing = {"l": "0.00000000", "L": "0.00000000", "n": "0", "N": None, "t": -1}
        told = entry().read_frame(frame(x="CANCELED", X="CANCELED", c="the-cancel", C=ID, **nothing), NOW_NS)
        report = only(told)
        assert (report.child_id, report.word, report.executed) == (ID, Word.ENDED, 400_000)

    def test_says_why_an_order_was_rejected_or_expired(self) -> None:
        rejected = frame(x="REJECTED", X="REJECTED", r="INSUFFICIENT_BALANCES", z="0")
        report = only(entry().read_frame(rejected, NOW_NS))
        assert (report.word, report.reason, report.executed) == (Word.REJECTED, "INSUFFICIENT_BALANCES", 0)
        expired = entry().read_frame(frame(x="EXPIRED", X="EXPIRED", eR=3), NOW_NS)
        assert only(expired).reason == "expiry reason 3"

    def test_a_fill_without_a_fee_is_without_its_asset(self) -> None:
        fill, _ = entry().read_frame(frame(n="0", N=None), NOW_NS).events
        assert isinstance(fill, FillReported)
        assert fill.fill.fee == 0
        with pytest.raises(FrameRefused, match="without its asset"):
            entry().read_frame(frame(n="0.1", N=None), NOW_NS)

    @pytest.mark.parametrize("foreign", ["web_1", "x-TKT5PX2F5e669e75b6c14f69a2c43e", ID.upper(), ID + "0", ""])
    def test_leaves_out_orders_that_are_not_ours(self, foreign: str) -> None:
        assert entry().read_frame(frame(c=foreign, s="ETHBTC", X="WHATEVER"), NOW_NS) == Told()

    @pytest.mark.parametrize(
        "odd", [{"s": "ETHBTC"}, {"t": -1}, {"z": 0.004}, {"l": "x"}, {"S": "HOLD"}, {"i": "7001"}]
    )
    def test_refuses_what_is_odd_in_one_of_ours(self, odd: dict[str, Any]) -> None:
        with pytest.raises((FrameRefused, NumberRefused)):
            entry().read_frame(frame(**odd), NOW_NS)

    def test_tells_the_balances_that_changed(self) -> None:
        event = {"e": "outboundAccountPosition", "E": 1, "u": 1, "B": [{"a": "USDT", "f": "1000.0", "l": "240.0"}]}
        told = entry().read_frame(json.dumps({"subscriptionId": 0, "event": event}), NOW_NS)
        balances = {"USDT": Balance(money("1240"), money("1000"))}
        assert told == Told([BalancesRead("binance", NOW_NS, balances, False)])

    @pytest.mark.parametrize("kind", ["balanceUpdate", "externalLockUpdate"])
    def test_has_balances_asked_for_when_it_tells_only_a_difference(self, kind: str) -> None:
        event = {"e": kind, "E": 1, "a": "USDT", "d": "100.00", "T": 1}
        told = entry().read_frame(json.dumps({"subscriptionId": 0, "event": event}), NOW_NS)
        assert told == Told(errands=[Errand(Purpose.BALANCES)])

    def test_is_asked_for_again_when_it_has_ended(self) -> None:
        ended = '{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1}}'
        told = entry().read_frame(ended, NOW_NS)
        assert told.refusal
        assert told.sends == entry().greet(NOW_NS)

    @pytest.mark.parametrize("kind", ["listStatus", "serverShutdown"])
    def test_says_some_things_that_change_nothing(self, kind: str) -> None:
        assert entry().read_frame(f'{{"event":{{"e":"{kind}","E":1}}}}', NOW_NS) == Told()

    @pytest.mark.parametrize(
        "odd",
        [
            '{"subscriptionId":0,"event":{"e":"somethingNew","E":1}}',
            '{"id":null,"status":400,"error":{"code":-1135,"msg":"Invalid JSON Request"}}',
            '{"id":"another","status":200,"result":{}}',
            "{}",
            "[]",
            "",
            b"\xff",
        ],
    )
    def test_refuses_whatever_else(self, odd: str | bytes) -> None:
        with pytest.raises(FrameRefused):
            entry().read_frame(odd, NOW_NS)
