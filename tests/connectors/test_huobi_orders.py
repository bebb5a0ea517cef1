"""HTX's answers and private frames to what the engine hears of its children."""

import gzip
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from aggregator.domain.errors import AggregatorError, FrameRefused, NumberRefused
from aggregator.domain.instrument import Instrument, Listing, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.numbers import format_decimal
from aggregator.domain.order import ASSET_DECIMALS, ChildTerms, Liquidity, TimeInForce
from aggregator.domain.order_events import (
    About,
    BalancesRead,
    ExecutionReport,
    FeesRead,
    FillReported,
    OpenOrdersRead,
)
from connectors.contract import Reply, Send
from connectors.huobi import OrderEntry
from connectors.huobi.order_words import CODES, STATES, Kind
from connectors.trading import Call, CallRefused, Credentials, Errand, Purpose, Told

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
NOW = 1_780_272_000 * SECOND
BTC = Instrument.of("BTC", "USDT")
OURS = "0abcdefghijklmn9-001"
VENUES = "900100200300"


def terms(
    side: Side = Side.BUY,
    quantity: str = "0.01",
    price: str = "60000",
    time_in_force: TimeInForce = TimeInForce.GTC,
    post_only: bool = False,
) -> ChildTerms:
    return ChildTerms(
        OURS, OURS[:16], "huobi", "btcusdt", BTC, side, BTC.quantity(quantity), BTC.price(price), time_in_force,
        post_only,
    )  # fmt: skip


def entry(*, knows_account: bool = True) -> OrderEntry:
    listings = {"btcusdt": Listing("huobi", "btcusdt", BTC)}
    made = OrderEntry("huobi", listings, Credentials("demo-key-1", "demo-secret-1"), "api.huobi.pro")
    if knows_account:
        accounts = [
            {"id": 100000, "type": "spot", "subtype": "", "state": "lock"},
            {"id": 99999, "type": "point", "subtype": "", "state": "working"},
            {"id": 100001, "type": "spot", "subtype": "", "state": "working"},
        ]
        assert answered(made, Errand(Purpose.ACCOUNT), well(accounts)) == Told()
    return made


def well(data: Any) -> bytes:
    return json.dumps({"status": "ok", "data": data}).encode()


def error(code: str, text: str = "", **more: Any) -> bytes:
    return json.dumps({"status": "error", "err-code": code, "err-msg": text, "data": None, **more}).encode()


def errand(purpose: Purpose, venue_order_id: str = VENUES, **more: Any) -> Errand:
    return Errand(purpose, terms(), venue_order_id, NOW, **more)


def answered(made: OrderEntry, asked: Errand, body: bytes, status: int = 200) -> Told:
    return made.read(asked, Reply("/", status, body), NOW)


def report(told: Told) -> ExecutionReport:
    (event,) = told.events
    assert isinstance(event, ExecutionReport)
    assert (event.venue, event.child_id, event.instrument) == ("huobi", OURS, BTC)
    return event


def said(purpose: Purpose, body: bytes, status: int = 200, venue_order_id: str = VENUES) -> ExecutionReport:
    heard = report(answered(entry(), errand(purpose, venue_order_id), body, status))
    expected = {Purpose.PLACE: About.PLACE, Purpose.CANCEL: About.CANCEL, Purpose.ORDER: About.ASK}
    assert heard.about is expected[purpose]
    return heard


def asked(call: Call) -> tuple[str, str, dict[str, str]]:
    """Method, path and what the query asks besides its authentication."""
    url = urlsplit(call.path)
    query = {name: value for name, value in parse_qsl(url.query) if name[0].islower()}
    return call.method, url.path, query


# What is asked


@pytest.mark.parametrize(
    ("child", "kind"),
    [
        (terms(), "buy-limit"),
        (terms(Side.SELL), "sell-limit"),
        (terms(time_in_force=TimeInForce.IOC), "buy-ioc"),
        (terms(Side.SELL, time_in_force=TimeInForce.FOK), "sell-limit-fok"),
        (terms(post_only=True), "buy-limit-maker"),
    ],
)
def test_an_order_is_written_plainly(child: ChildTerms, kind: str) -> None:
    call = entry().call(Errand(Purpose.PLACE, child), NOW)
    assert asked(call) == ("POST", "/v1/order/orders/place", {})
    assert call.headers == {"Content-Type": "application/json"}
    assert json.loads(call.body) == {
        "account-id": "100001",
        "symbol": "btcusdt",
        "type": kind,
        "amount": "0.01",
        "price": "60000",
        "source": "spot-api",
        "client-order-id": OURS,
    }


def test_tiny_numbers_have_no_exponent() -> None:
    call = entry().call(Errand(Purpose.PLACE, terms(quantity="0.000000000000000001", price="0.000000000001")), NOW)
    body = json.loads(call.body)
    assert (body["amount"], body["price"]) == ("0.000000000000000001", "0.000000000001")


def test_a_post_only_order_rests() -> None:
    child = terms(time_in_force=TimeInForce.IOC, post_only=True)
    with pytest.raises(CallRefused, match="only GTC can be post-only"):
        entry().call(Errand(Purpose.PLACE, child), NOW)


@pytest.mark.parametrize("purpose", [Purpose.PLACE, Purpose.BALANCES, Purpose.OPEN_ORDERS])
def test_nothing_is_asked_of_an_account_that_is_not_known_yet(purpose: Purpose) -> None:
    made = entry(knows_account=False)
    assert list(made.errands_at_start()) == [Errand(Purpose.ACCOUNT)]
    with pytest.raises(CallRefused, match="spot account"):
        made.call(Errand(purpose, terms()), NOW)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (errand(Purpose.CANCEL), ("POST", f"/v1/order/orders/{VENUES}/submitcancel", {})),
        (errand(Purpose.CANCEL, ""), ("POST", "/v1/order/orders/submitCancelClientOrder", {})),
        (errand(Purpose.ORDER), ("GET", f"/v1/order/orders/{VENUES}", {})),
        (errand(Purpose.ORDER, ""), ("GET", "/v1/order/orders/getClientOrder", {"clientOrderId": OURS})),
        (errand(Purpose.FILLS), ("GET", f"/v1/order/orders/{VENUES}/matchresults", {})),
        (errand(Purpose.FILLS, ""), ("GET", "/v1/order/orders/getClientOrder", {"clientOrderId": OURS})),
        (Errand(Purpose.BALANCES), ("GET", "/v1/account/accounts/100001/balance", {})),
        (Errand(Purpose.OPEN_ORDERS), ("GET", "/v1/order/openOrders", {"account-id": "100001", "size": "500"})),
        (
            Errand(Purpose.OPEN_ORDERS, cursor="17"),
            (
                "GET",
                "/v1/order/openOrders",
                {"account-id": "100001", "size": "500", "from": "17", "direct": "next"},
            ),
        ),
        (
            Errand(Purpose.FEES, symbol="btcusdt"),
            ("GET", "/v2/reference/transact-fee-rate", {"symbols": "btcusdt"}),
        ),
        (Errand(Purpose.ACCOUNT), ("GET", "/v1/account/accounts", {})),
    ],
)
def test_every_errand_has_its_route(wanted: Errand, expected: tuple[str, str, dict[str, str]]) -> None:
    call = entry().call(wanted, NOW)
    assert asked(call) == expected
    assert (call.body == b"") is (call.method == "GET")
    assert "&Signature=" in call.path
    if wanted.purpose is Purpose.CANCEL:
        assert json.loads(call.body) == ({} if wanted.venue_order_id else {"client-order-id": OURS})


def test_an_order_that_our_id_does_not_find_any_more_is_looked_for_by_its_time() -> None:
    wanted = errand(Purpose.ORDER, "")
    method, path, query = asked(entry().call(wanted, NOW + 2 * HOUR))
    assert (method, path) == ("GET", "/v1/order/orders")
    assert int(query["start-time"]) < NOW // 10**6 < int(query["end-time"])
    assert query["symbol"] == "btcusdt"
    row = {"id": 900100200300, "symbol": "btcusdt", "state": "filled", "client-order-id": OURS, "field-amount": "0.01"}
    other = row | {"client-order-id": "web", "id": 5}
    found = said(Purpose.ORDER, well([other, row]), venue_order_id="")
    assert (found.word, found.venue_order_id) == (Word.ENDED, VENUES)
    assert said(Purpose.ORDER, well([other]), venue_order_id="").word is Word.MISSING
    assert said(Purpose.ORDER, well([other] * 100), venue_order_id="").word is Word.IN_DOUBT


def test_calls_are_paid_from_three_budgets() -> None:
    made = entry()
    spent = {purpose: [cost.budget for cost in made.costs(Errand(purpose))] for purpose in Purpose}
    assert spent[Purpose.PLACE] == ["place"]
    assert spent[Purpose.CANCEL] == ["cancel"]
    assert {name for names in spent.values() for name in names} == set(made.budgets)


# What is answered about an order


def test_placing_is_only_received() -> None:
    placed = said(Purpose.PLACE, well(VENUES), venue_order_id="")
    assert (placed.word, placed.venue_order_id, placed.executed) == (Word.RECEIVED, VENUES, None)


PLACED = {
    Kind.REFUSED: Word.REJECTED,
    Kind.UNAUTHENTICATED: Word.REJECTED,
    Kind.TURNED_AWAY: Word.NOT_SENT,
    Kind.ABSENT: Word.IN_DOUBT,
    Kind.UNCERTAIN: Word.IN_DOUBT,
    Kind.DUPLICATE: Word.IN_DOUBT,
}
CANCELED = PLACED | {Kind.ABSENT: Word.REJECTED}
FOUND = dict.fromkeys(Kind, Word.IN_DOUBT) | {Kind.ABSENT: Word.MISSING}


@pytest.mark.parametrize("code", CODES)
def test_every_documented_code_is_a_word(code: str) -> None:
    kind = CODES[code]
    for purpose, words in ((Purpose.PLACE, PLACED), (Purpose.CANCEL, CANCELED), (Purpose.ORDER, FOUND)):
        heard = said(purpose, error(code, "the venue's text"))
        assert heard.word is words[kind], (purpose, code)
        assert heard.raw == code
        assert "the venue's text" in heard.reason


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("account-frozen-balance-insufficient-error", Word.REJECTED),
        ("order-accountbalance-error", Word.REJECTED),
        ("order-orderprice-precision-error", Word.REJECTED),
        ("order-orderamount-precision-error", Word.REJECTED),
        ("order-value-min-error", Word.REJECTED),
        ("order-limitorder-amount-min-error", Word.REJECTED),
        ("order-marketorder-amount-min-error", Word.REJECTED),
        ("order-limitorder-amount-max-error", Word.REJECTED),
        ("order-limitorder-price-min-error", Word.REJECTED),
        ("order-limitorder-price-max-error", Word.REJECTED),
        ("order-invalid-price", Word.REJECTED),
        ("price-exceeds-the-protective-price-during-limit-price-trading", Word.REJECTED),
        ("order-holding-limit-failed", Word.REJECTED),
        ("base-symbol-error", Word.REJECTED),
        ("invalid-symbol", Word.REJECTED),
        ("base-symbol-trade-disabled", Word.REJECTED),
        ("api-signature-not-valid", Word.REJECTED),
        ("api-signature-check-failed", Word.REJECTED),
        ("login-required", Word.REJECTED),
        ("base-request-exceed-frequency-limit", Word.NOT_SENT),
        ("rate-too-many-requests", Word.NOT_SENT),
        ("510", Word.NOT_SENT),
        ("invalid-client-order-id", Word.IN_DOUBT),
        ("gateway-internal-error", Word.IN_DOUBT),
        ("system-maintenance", Word.IN_DOUBT),
        ("base-request-timeout", Word.IN_DOUBT),
        ("base-system-error", Word.IN_DOUBT),
        ("a-code-of-tomorrow", Word.IN_DOUBT),
    ],
)
def test_refusals_of_an_order(code: str, word: Word) -> None:
    assert said(Purpose.PLACE, error(code), venue_order_id="").word is word


def test_a_rate_limit_that_hides_behind_another_code() -> None:
    assert said(Purpose.PLACE, error("invalid-parameter", "request limit")).word is Word.NOT_SENT
    assert said(Purpose.PLACE, error("invalid-parameter", "invalid symbol")).word is Word.REJECTED


def test_the_clock_is_named_where_the_signature_is_refused() -> None:
    assert "clock" in said(Purpose.PLACE, error("api-signature-not-valid", "Signature not valid")).reason


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (429, b"", (Word.NOT_SENT, Word.NOT_SENT, Word.IN_DOUBT)),
        (429, error("base-request-exceed-frequency-limit"), (Word.NOT_SENT, Word.NOT_SENT, Word.IN_DOUBT)),
        (503, b"<html>", (Word.IN_DOUBT,) * 3),
        (504, b"", (Word.IN_DOUBT,) * 3),
        (502, well(VENUES), (Word.IN_DOUBT,) * 3),
        (403, b"Forbidden", (Word.IN_DOUBT,) * 3),
        (500, error("order-value-min-error"), (Word.REJECTED, Word.REJECTED, Word.IN_DOUBT)),
    ],
)
def test_statuses_of_http(status: int, body: bytes, words: tuple[Word, Word, Word]) -> None:
    for purpose, word in zip((Purpose.PLACE, Purpose.CANCEL, Purpose.ORDER), words, strict=True):
        assert said(purpose, body, status).word is word


def test_a_cancel_is_only_received() -> None:
    assert said(Purpose.CANCEL, well(VENUES)).word is Word.RECEIVED


@pytest.mark.parametrize(
    ("state", "word", "reason"),
    [
        (-1, Word.REJECTED, "closed long ago"),
        (5, Word.REJECTED, "partial-canceled"),
        (6, Word.REJECTED, "filled"),
        (7, Word.REJECTED, "canceled"),
        (10, Word.RECEIVED, "Incorrect order state"),
    ],
)
def test_a_cancel_of_an_order_that_has_ended_or_is_ending(state: int, word: Word, reason: str) -> None:
    heard = said(Purpose.CANCEL, error("order-orderstate-error", "Incorrect order state", **{"order-state": state}))
    assert (heard.word, heard.raw) == (word, "order-orderstate-error")
    assert reason in heard.reason


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (-1, Word.REJECTED),
        (0, Word.REJECTED),
        (1, Word.IN_DOUBT),
        (3, Word.IN_DOUBT),
        (4, Word.IN_DOUBT),
        (5, Word.REJECTED),
        (6, Word.REJECTED),
        (7, Word.REJECTED),
        (10, Word.RECEIVED),
        ("10", Word.RECEIVED),
    ],
)
def test_a_cancel_by_our_id_is_answered_with_a_state(answer: int | str, word: Word) -> None:
    assert said(Purpose.CANCEL, well(answer), venue_order_id="").word is word


ORDER = {
    "id": 900100200300,
    "symbol": "btcusdt",
    "account-id": 100001,
    "client-order-id": OURS,
    "amount": "0.0100000000",
    "price": "60000.0000000000",
    "created-at": 1780272000001,
    "type": "buy-limit",
    "field-amount": "0.0040000000",
    "field-cash-amount": "240.0000000000",
    "field-fees": "0.0000080000",
    "finished-at": 0,
    "source": "spot-api",
    "state": "submitted",
    "canceled-at": 0,
}


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("created", Word.RECEIVED),
        ("submitted", Word.WORKING),
        ("partial-filled", Word.WORKING),
        ("canceling", Word.WORKING),
        ("filled", Word.ENDED),
        ("partial-canceled", Word.ENDED),
        ("canceled", Word.ENDED),
        ("rejected", Word.REJECTED),
    ],
)
def test_every_documented_state(state: str, word: Word) -> None:
    found = said(Purpose.ORDER, well(ORDER | {"state": state}), venue_order_id="")
    assert (found.word, found.raw, found.executed) == (word, state, BTC.quantity("0.004"))
    assert found.venue_order_id == VENUES
    assert found.venue_time_ns == 1780272000001 * 10**6
    assert set(STATES) >= {state}


def test_what_is_filled_is_spelt_in_two_ways_or_not_told() -> None:
    spelt = {name: value for name, value in ORDER.items() if name != "field-amount"}
    assert said(Purpose.ORDER, well(spelt | {"filled-amount": 4e-3})).executed == BTC.quantity("0.004")
    assert said(Purpose.ORDER, well(spelt)).executed is None


@pytest.mark.parametrize(
    "answer",
    [
        ORDER | {"state": "pre-submitted"},
        ORDER | {"client-order-id": "0abcdefghijklmn9-002"},
        ORDER | {"symbol": "ethusdt"},
        ORDER | {"field-amount": "-1"},
        ORDER | {"field-amount": "NaN"},
        ORDER | {"id": "../../x"},
        ORDER | {"id": None},
        None,
        [1],
        "x",
    ],
)
def test_an_answer_that_the_protocol_does_not_explain_is_refused(answer: Any) -> None:
    with pytest.raises((FrameRefused, NumberRefused)):
        said(Purpose.ORDER, well(answer), venue_order_id="")


@pytest.mark.parametrize("purpose", [Purpose.PLACE, Purpose.CANCEL])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", well(None), well({}), well("../x"), b'{"status":"ok"}'])
def test_an_acceptance_that_cannot_be_read_is_refused(purpose: Purpose, body: bytes) -> None:
    with pytest.raises(FrameRefused):
        said(purpose, body)


def test_an_order_may_not_tell_our_id_any_more() -> None:
    for venue_order_id in ("", VENUES):
        assert said(Purpose.ORDER, well(ORDER | {"client-order-id": ""}), 200, venue_order_id).word is Word.WORKING
    with pytest.raises(FrameRefused, match="another order"):
        said(Purpose.ORDER, well(ORDER | {"id": 7}))


# Fills, balances, open orders, fees

MATCH = {
    "id": 29553,
    "order-id": 900100200300,
    "match-id": 59335,
    "trade-id": 100045088885,
    "symbol": "btcusdt",
    "type": "buy-limit",
    "source": "spot-api",
    "price": "60000.0000000000",
    "filled-amount": "0.0040000000",
    "filled-fees": "0.0000080000",
    "fee-currency": "btc",
    "created-at": 1780272000210,
    "role": "taker",
    "filled-points": "0.0",
    "fee-deduct-currency": "",
    "fee-deduct-state": "done",
}


def fills(rows: Sequence[dict[str, Any]], child: ChildTerms | None = None) -> list[FillReported]:
    wanted = Errand(Purpose.FILLS, child or terms(), VENUES, NOW)
    told = answered(entry(), wanted, well(rows))
    return [event for event in told.events if isinstance(event, FillReported)]


def money(value: int) -> str:
    return format_decimal(value, ASSET_DECIMALS)


def test_a_fill() -> None:
    (told,) = fills([MATCH])
    fill = told.fill
    assert told.venue_order_id == VENUES
    assert (fill.venue, fill.child_id, fill.fill_id) == ("huobi", OURS, "100045088885")
    assert (fill.side, fill.price, fill.quantity) == (Side.BUY, BTC.price("60000"), BTC.quantity("0.004"))
    assert (money(fill.fee), fill.fee_asset, fill.liquidity) == ("0.000008", "BTC", Liquidity.TAKER)
    assert fill.venue_time_ns == 1780272000210 * 10**6
    assert fills([]) == []


@pytest.mark.parametrize(
    ("side", "change", "fee", "asset"),
    [
        (Side.BUY, {"fee-currency": None}, "0.000008", "BTC"),
        (Side.SELL, {"fee-currency": None}, "0.000008", "USDT"),
        (Side.BUY, {"fee-currency": None, "filled-fees": "-0.012"}, "-0.012", "USDT"),
        (Side.SELL, {"fee-currency": None, "filled-fees": "-0.00000002"}, "-0.00000002", "BTC"),
        (Side.BUY, {"fee-currency": "usdt", "filled-fees": "-1.2E-2"}, "-0.012", "USDT"),
        (Side.BUY, {"filled-fees": "0", "filled-points": "0.1", "fee-deduct-currency": "hbpoint"}, "0.1", "HBPOINT"),
        (Side.BUY, {"filled-fees": None, "filled-points": 0.77, "fee-deduct-currency": "ht"}, "0.77", "HT"),
        (Side.BUY, {"filled-points": "0.1", "fee-deduct-currency": "ht"}, "0.000008", "BTC"),
        (Side.BUY, {"filled-fees": "0.000000000000000000000000000123"}, "0.000000000000000000000000000123", "BTC"),
        (Side.BUY, {"filled-fees": "0"}, "0", "BTC"),
    ],
)
def test_fees_and_rebates(side: Side, change: dict[str, Any], fee: str, asset: str) -> None:
    row = MATCH | {"type": f"{side}-limit"} | change
    (told,) = fills([row], terms(side))
    assert (money(told.fill.fee), told.fill.fee_asset) == (fee, asset)


@pytest.mark.parametrize(
    "change",
    [
        {"order-id": 7},
        {"symbol": "ethusdt"},
        {"type": "sell-limit"},
        {"role": "spectator"},
        {"trade-id": None},
        {"filled-amount": "-1"},
        {"price": ""},
    ],
)
def test_a_fill_that_is_not_the_one_asked_for_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((FrameRefused, NumberRefused)):
        fills([MATCH | change])


def test_fills_are_found_by_way_of_the_order_while_its_id_is_unknown() -> None:
    wanted = errand(Purpose.FILLS, "")
    told = answered(entry(), wanted, well(ORDER))
    assert told == Told(errands=[wanted._replace(venue_order_id=VENUES)])
    with pytest.raises(FrameRefused, match="record invalid"):
        answered(entry(), wanted, error("base-record-invalid", "record invalid"))


def test_balances() -> None:
    rows = [
        {"currency": "usdt", "type": "trade", "balance": "760.000000000000000000", "seq-num": "1"},
        {"currency": "usdt", "type": "frozen", "balance": "240"},
        {"currency": "btc", "type": "trade", "balance": "2065.100267619837209301"},
        {"currency": "btc", "type": "frozen", "balance": "0"},
        {"currency": "btc", "type": "transfer-out-available", "balance": "-1"},
    ]
    data = {"id": 100001, "type": "spot", "state": "working", "list": rows}
    (read,) = answered(entry(), Errand(Purpose.BALANCES), well(data)).events
    assert isinstance(read, BalancesRead)
    assert read.is_whole
    told = {asset: (money(one.total), money(one.free)) for asset, one in read.balances.items()}
    assert told == {"USDT": ("1000", "760"), "BTC": ("2065.100267619837209301", "2065.100267619837209301")}


def test_open_orders_come_in_pages_and_are_told_at_once() -> None:
    made = entry()

    def row(number: int, name: str | None) -> dict[str, Any]:
        return {"id": number, "symbol": "btcusdt", "state": "submitted", "client-order-id": name}

    first = answered(made, Errand(Purpose.OPEN_ORDERS), well([row(1000 - n, f"web-{n}") for n in range(500)]))
    assert first == Told(errands=[Errand(Purpose.OPEN_ORDERS, cursor="501")])
    last = [row(501, "web-499"), row(500, OURS), row(499, None)]
    (read,) = answered(made, first.errands[0], well(last)).events
    assert isinstance(read, OpenOrdersRead)
    assert read.child_ids == (OURS,)
    assert len(read.foreign) == 501
    assert read.foreign[-1] == "499"
    (again,) = answered(made, Errand(Purpose.OPEN_ORDERS), well([])).events
    assert isinstance(again, OpenOrdersRead)
    assert (again.child_ids, again.foreign) == ((), ())


def test_the_fee_tier() -> None:
    row = {"symbol": "btcusdt", "makerFeeRate": "0.002", "takerFeeRate": "0.002", "actualTakerRate": "0.0015"}
    body = json.dumps({"code": 200, "data": [row | {"actualMakerRate": "-0.0001"}], "success": True}).encode()
    (read,) = answered(entry(), Errand(Purpose.FEES, symbol="btcusdt"), body).events
    assert isinstance(read, FeesRead)
    assert (read.instrument, read.maker, read.taker) == (BTC, -10_000, 150_000)
    with pytest.raises(FrameRefused, match="2002: invalid field"):
        refusal = json.dumps({"code": 2002, "message": "invalid field value in `symbols`"}).encode()
        answered(entry(), Errand(Purpose.FEES, symbol="btcusdt"), refusal)


@pytest.mark.parametrize("purpose", [Purpose.BALANCES, Purpose.OPEN_ORDERS, Purpose.ACCOUNT, Purpose.FILLS])
@pytest.mark.parametrize("body", [error("login-required"), b"", well(None), well([{}])])
def test_what_is_no_answer_to_a_question_is_refused(purpose: Purpose, body: bytes) -> None:
    with pytest.raises(AggregatorError):
        answered(entry(), errand(purpose), body)


def test_without_a_working_spot_account_nothing_begins() -> None:
    with pytest.raises(FrameRefused, match="no working spot account"):
        answered(entry(), Errand(Purpose.ACCOUNT), well([{"id": 1, "type": "spot", "state": "lock"}]))


# The private socket


def hears(message: Any, made: OrderEntry | None = None) -> Told:
    frame = message if isinstance(message, str | bytes) else json.dumps(message)
    return (made or entry()).read_frame(frame, NOW)


def test_the_socket_is_logged_in_to_then_subscribed_to() -> None:
    made = entry(knows_account=False)
    (login,) = made.greet(NOW)
    assert json.loads(login.text) == {
        "action": "req",
        "ch": "auth",
        "params": {
            "authType": "api",
            "accessKey": "demo-key-1",
            "signatureMethod": "HmacSHA256",
            "signatureVersion": "2.1",
            "timestamp": "2026-06-01T00:00:00",
            "signature": "u+VqhhWt/YZ/4RsEY92CPLqpPd3ch5x/7yrRRHqnHH0=",
        },
    }
    told = hears({"action": "req", "code": 200, "ch": "auth", "data": {}}, made)
    channels = [json.loads(send.text)["ch"] for send in told.sends]
    assert channels == ["orders#*", "trade.clearing#*#0", "accounts.update#2"]
    ready = [hears({"action": "sub", "code": 200, "ch": channel, "data": {}}, made).is_ready for channel in channels]
    assert ready == [False, False, True]
    made.greet(NOW)
    assert not hears({"action": "sub", "code": 200, "ch": channels[0], "data": {}}, made).is_ready


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            {"action": "req", "code": 2002, "ch": "auth", "message": "auth.fail"},
            "req auth was refused: 2002: auth.fail",
        ),
        ({"action": "sub", "code": 2001, "ch": "orders#x", "message": "invalid.symbol"}, "sub orders#x"),
        ({"action": "sub", "code": 4000, "ch": "orders#*", "message": "too.many.request"}, "4000"),
        ({"code": 100, "message": "time out close"}, "the socket was refused: 100: time out close"),
        ({"action": "req", "code": 500, "ch": "auth", "message": "system error"}, "500"),
    ],
)
def test_refusals_on_the_socket(message: Any, reason: str) -> None:
    told = hears(message)
    assert reason in told.refusal
    assert not told.is_ready


def test_a_ping_is_answered_at_once_packed_or_not() -> None:
    ping = json.dumps({"action": "ping", "data": {"ts": 1780000000000}})
    for frame in (ping, gzip.compress(ping.encode())):
        (send,) = hears(frame).sends
        assert send == Send('{"action": "pong", "data": {"ts": 1780000000000}}', urgent=True)


PUSH = {
    "eventType": "trade",
    "symbol": "btcusdt",
    "accountId": 100001,
    "orderId": 900100200300,
    "clientOrderId": OURS,
    "type": "buy-limit",
    "orderPrice": "60000.0",
    "orderSize": "0.01",
    "orderStatus": "partial-filled",
    "tradePrice": "60000.0",
    "tradeVolume": "0.004",
    "tradeId": 100045088885,
    "tradeTime": 1780000000210,
    "aggressor": True,
    "remainAmt": "0.000000000000000400000000000000000000",
    "execAmt": "0.004",
}


def pushed(data: dict[str, Any], channel: str = "orders#btcusdt") -> Told:
    return hears({"action": "push", "ch": channel, "data": data})


@pytest.mark.parametrize(
    ("change", "word", "executed", "time_ms"),
    [
        ({}, Word.WORKING, "0.004", 1780000000210),
        ({"orderStatus": "filled", "execAmt": "0.01"}, Word.ENDED, "0.01", 1780000000210),
        (
            {"eventType": "cancellation", "orderStatus": "partial-canceled", "lastActTime": 1780000000300},
            Word.ENDED,
            "0.004",
            1780000000300,
        ),
        (
            {"eventType": "cancellation", "orderStatus": "canceled", "lastActTime": 1780000000300, "execAmt": "0"},
            Word.ENDED,
            "0",
            1780000000300,
        ),
    ],
)
def test_the_life_of_an_order(change: dict[str, Any], word: Word, executed: str, time_ms: int) -> None:
    heard = report(pushed(PUSH | change))
    assert (heard.about, heard.word, heard.venue_order_id) == (About.STREAM, word, VENUES)
    assert heard.raw == (PUSH | change)["orderStatus"]
    assert heard.executed == BTC.quantity(executed)
    assert heard.venue_time_ns == time_ms * 10**6


def test_a_creation_and_a_rejection() -> None:
    creation = {
        "orderSize": "0.01", "orderCreateTime": 1780000000000, "accountId": 100001, "orderPrice": "60000.0",
        "type": "buy-limit", "orderId": 900100200300, "clientOrderId": OURS, "orderSource": "spot-api",
        "orderStatus": "submitted", "symbol": "btcusdt", "eventType": "creation",
    }  # fmt: skip
    heard = report(pushed(creation))
    assert (heard.word, heard.executed, heard.venue_time_ns) == (Word.WORKING, None, 1780000000000 * 10**6)
    rejection = {
        "orderSide": "buy", "lastActTime": 1780000000001, "clientOrderId": OURS, "orderStatus": "rejected",
        "symbol": "btcusdt", "eventType": "trigger", "errCode": 2002, "errMessage": "invalid.client.order.id (NT)",
    }  # fmt: skip
    heard = report(pushed(rejection))
    assert (heard.word, heard.venue_order_id) == (Word.REJECTED, "")
    assert heard.reason == "2002: invalid.client.order.id (NT)"


CLEARING = {
    "eventType": "trade",
    "symbol": "btcusdt",
    "orderId": 900100200300,
    "tradePrice": "60000.0",
    "tradeVolume": "0.004",
    "orderSide": "buy",
    "orderType": "buy-limit",
    "aggressor": True,
    "tradeId": 100045088885,
    "tradeTime": 1780272000210,
    "transactFee": "0.000008",
    "feeDeduct": "0",
    "feeDeductType": "",
    "feeCurrency": "btc",
    "accountId": 100001,
    "source": "spot-api",
    "orderPrice": "60000.0",
    "orderSize": "0.01",
    "clientOrderId": OURS,
    "orderCreateTime": 1780000000000,
    "orderStatus": "partial-filled",
}


def cleared(change: dict[str, Any]) -> FillReported:
    (told,) = pushed(CLEARING | change, "trade.clearing#btcusdt#0").events
    assert isinstance(told, FillReported)
    return told


def test_a_fill_is_the_same_on_the_socket_and_in_the_answer() -> None:
    (told,) = fills([MATCH])
    assert cleared({}) == told


@pytest.mark.parametrize(
    ("change", "fee", "asset", "liquidity"),
    [
        ({"aggressor": False, "transactFee": "-0.012", "feeCurrency": "usdt"}, "-0.012", "USDT", Liquidity.MAKER),
        ({"transactFee": "0", "feeDeduct": "0.1", "feeDeductType": "point"}, "0.1", "HBPOINT", Liquidity.TAKER),
        ({"transactFee": 8e-6}, "0.000008", "BTC", Liquidity.TAKER),
    ],
)
def test_fees_on_the_socket(change: dict[str, Any], fee: str, asset: str, liquidity: Liquidity) -> None:
    fill = cleared(change).fill
    assert (money(fill.fee), fill.fee_asset, fill.liquidity) == (fee, asset, liquidity)


def test_some_samples_have_no_action() -> None:
    assert hears({"ch": "trade.clearing#btcusdt#0", "data": CLEARING}).events


BALANCE = {
    "currency": "usdt",
    "accountId": 100001,
    "balance": "1000.0",
    "available": "760.0",
    "changeType": "order.match",
    "accountType": "trade",
    "changeTime": 1780000000211,
    "seqNum": 86872993928,
}


def test_a_balance_that_changed() -> None:
    for change in ({}, {"changeType": None, "changeTime": None}):
        (read,) = pushed(BALANCE | change, "accounts.update#2").events
        assert isinstance(read, BalancesRead)
        assert not read.is_whole
        assert {a: (money(one.total), money(one.free)) for a, one in read.balances.items()} == {"USDT": ("1000", "760")}


@pytest.mark.parametrize(
    ("channel", "data"),
    [
        ("orders#btcusdt", PUSH | {"clientOrderId": "web-1"}),
        ("orders#nowhere", {name: PUSH[name] for name in PUSH if name != "clientOrderId"} | {"symbol": "nowhere"}),
        ("trade.clearing#btcusdt#0", CLEARING | {"clientOrderId": ""}),
        ("trade.clearing#btcusdt#1", CLEARING | {"eventType": "cancellation", "orderStatus": "canceled"}),
        ("accounts.update#2", BALANCE | {"accountId": 7}),
        ("accounts.update#2", BALANCE | {"accountType": "loan"}),
    ],
)
def test_what_is_not_ours_is_left_out(channel: str, data: dict[str, Any]) -> None:
    assert pushed(data, channel) == Told()


@pytest.mark.parametrize(
    ("channel", "data"),
    [
        ("orders#btcusdt", PUSH | {"orderStatus": "vanished"}),
        ("orders#btcusdt", PUSH | {"symbol": "nowhere"}),
        ("orders#btcusdt", PUSH | {"execAmt": "-0.1"}),
        ("orders#btcusdt", PUSH | {"orderId": "x/../y"}),
        ("orders#btcusdt", None),
        ("trade.clearing#btcusdt#0", CLEARING | {"tradeId": None}),
        ("trade.clearing#btcusdt#0", CLEARING | {"orderSide": "up"}),
        ("trade.clearing#btcusdt#0", CLEARING | {"tradeVolume": "1e-30"}),
        ("accounts.update#2", BALANCE | {"available": None}),
        ("market.btcusdt.bbo", {}),
    ],
)
def test_a_push_that_the_protocol_does_not_explain_is_refused(channel: str, data: Any) -> None:
    with pytest.raises((FrameRefused, NumberRefused)):
        pushed(data, channel)


@pytest.mark.parametrize("frame", ["", "{", "[]", "\x00", b"\x1f\x8b", '{"action":"dance"}', '{"action":"ping"}', "{}"])
def test_a_frame_that_is_none_is_refused(frame: str | bytes) -> None:
    with pytest.raises(FrameRefused):
        hears(frame)
