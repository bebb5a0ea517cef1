"""What holds at every venue's order entry, whatever its wire: which words an answer may come to, and that nothing an
answer or a frame holds can raise what is not documented."""

import json
from contextlib import suppress
from importlib import import_module
from random import Random

import pytest

from aggregator.config.venues import load_venue
from aggregator.domain.errors import FrameRefused, NumberRefused
from aggregator.domain.instrument import Instruments, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.order import ChildTerms, TimeInForce
from aggregator.domain.order_events import About, ExecutionReport
from connectors.contract import Reply
from connectors.trading import CallRefused, Credentials, Errand, OrderEntry, Purpose, Told
from tests.paths import REPOSITORY

VENUES = ("binance", "cryptocom", "gateio", "huobi")
NOW_NS = 1_780_000_000_000_000_000
ABOUT = {Purpose.PLACE: About.PLACE, Purpose.CANCEL: About.CANCEL, Purpose.ORDER: About.ASK}
BODIES = (
    b"",
    b"{}",
    b"[]",
    b"null",
    b"<html>502 Bad Gateway</html>",
    b'{"code":0}',
    b'{"status":"ok"}',
    b"\xff\xfe",
    b"7",
)


def order_entry(name: str) -> tuple[OrderEntry, ChildTerms]:
    venue = load_venue(REPOSITORY / "config" / "venues" / f"{name}.yaml")
    listings = {listing.symbol: listing for listing in venue.fixed_listings(Instruments().listed)}
    listing = next(listing for listing in listings.values() if listing.instrument.name == "BTC/USDT")
    entry = import_module(f"connectors.{name}").OrderEntry(name, listings, Credentials("key", "secret"), "127.0.0.1:1")
    for errand in entry.errands_at_start():  # only HTX has one
        accounts = {"status": "ok", "data": [{"id": 100001, "type": "spot", "state": "working"}]}
        entry.read(errand, Reply("u", 200, json.dumps(accounts).encode()), NOW_NS)
    instrument = listing.instrument
    terms = ChildTerms(
        "abc123mppy1iw801-000", "abc123mppy1iw801", name, listing.symbol, instrument, Side.BUY,
        instrument.quantity("0.5"), instrument.price("60000"), TimeInForce.IOC,
    )  # fmt: skip
    return entry, terms


def errands(terms: ChildTerms) -> list[Errand]:
    return [Errand(purpose, terms, "4711", NOW_NS, terms.symbol) for purpose in ABOUT]


def reports(told: Told) -> list[ExecutionReport]:
    return [event for event in told.events if isinstance(event, ExecutionReport)]


def word_of(entry: OrderEntry, errand: Errand, reply: Reply) -> Word:
    """In doubt too when the answer cannot be read: so the machine that asked reports it."""
    try:
        told = entry.read(errand, reply, NOW_NS)
    except (FrameRefused, NumberRefused):
        return Word.IN_DOUBT
    if errand.purpose is Purpose.ORDER and told.errands and not reports(told):
        return Word.IN_DOUBT  # it asks further
    (report,) = reports(told)
    assert report.about is ABOUT[errand.purpose]
    assert errand.terms is not None and report.child_id == errand.terms.child_id
    return report.word


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
@pytest.mark.parametrize("body", BODIES)
def test_a_broken_venue_leaves_every_outcome_in_doubt(name: str, status: int, body: bytes) -> None:
    entry, terms = order_entry(name)
    for errand in errands(terms):
        assert word_of(entry, errand, Reply("u", status, body)) is Word.IN_DOUBT, errand.purpose


@pytest.mark.parametrize("name", VENUES)
def test_a_rate_limit_turns_an_order_away_before_it_is_looked_at(name: str) -> None:
    entry, terms = order_entry(name)
    assert word_of(entry, Errand(Purpose.PLACE, terms), Reply("u", 429, b"")) is Word.NOT_SENT


@pytest.mark.parametrize("name", VENUES)
def test_an_answer_without_meaning_is_never_taken_for_one(name: str) -> None:
    """Neither for a rejection, after which the order would be sent elsewhere, nor for a missing or an ended order."""
    entry, terms = order_entry(name)
    for errand in errands(terms):
        for body in BODIES:
            word = word_of(entry, errand, Reply("u", 200, body))
            assert word in (Word.IN_DOUBT, Word.RECEIVED), (errand.purpose, body)


def refusals(name: str) -> list[Reply]:
    """Every documented refusal, in the venue's own envelope."""
    codes: dict[str, list[object]] = {
        "binance": [-1000, -1002, -1003, -1006, -1007, -1008, -1013, -1015, -1021, -1022, -1034, -1100, -1102, -1104,
                    -1111, -1121, -2010, -2011, -2013, -2014, -2015, -2039],
        "cryptocom": [204, 205, 206, 208, 209, 212, 213, 218, 219, 220, 221, 224, 306, 308, 312, 313, 315, 316, 415,
                      40001, 40002, 40003, 40004, 40101, 40102, 40103, 40401, 40801, 42901, 43005, 50001],
        "gateio": ["BALANCE_NOT_ENOUGH", "INVALID_PRECISION", "INVALID_PARAM_VALUE", "AMOUNT_TOO_LITTLE",
                   "INVALID_CURRENCY_PAIR", "ORDER_NOT_FOUND", "CLIENT_ID_NOT_FOUND", "ORDER_CLOSED", "ORDER_CANCELLED",
                   "POC_FILL_IMMEDIATELY", "FOK_NOT_FILL", "PRICE_THRESHOLD_EXCEEDED", "REPEATED_CREATION",
                   "REQUEST_EXPIRED", "INVALID_SIGNATURE", "INVALID_KEY", "IP_FORBIDDEN", "READ_ONLY",
                   "TOO_MANY_REQUESTS", "TOO_FAST", "SERVER_ERROR", "INTERNAL", "TOO_BUSY"],
        "huobi": ["account-frozen-balance-insufficient-error", "order-orderprice-precision-error",
                  "order-value-min-error", "order-limitorder-price-max-error", "not-found", "order-queryorder-invalid",
                  "base-record-invalid", "order-orderstate-error", "invalid-client-order-id",
                  "order-user-cancel-forbidden", "base-symbol-error", "base-symbol-trade-disabled",
                  "api-signature-not-valid", "api-signature-check-failed", "login-required",
                  "base-request-exceed-frequency-limit", "rate-too-many-requests", "gateway-internal-error",
                  "system-maintenance", "base-request-timeout", "order-holding-limit-failed"],
    }  # fmt: skip
    return [refusal for code in codes[name] for refusal in _in_envelopes(name, code)]


def _in_envelopes(name: str, code: object) -> list[Reply]:
    if name == "binance":
        return [Reply("u", 400, json.dumps({"code": code, "msg": "no"}).encode())]
    if name == "cryptocom":
        body = json.dumps({"id": 1, "method": "private/x", "code": code, "message": "no"}).encode()
        return [Reply("u", 400, body), Reply("u", 500, body)]
    if name == "gateio":
        return [Reply("u", 400, json.dumps({"label": code, "message": "no"}).encode())]
    body = json.dumps({"status": "error", "err-code": code, "err-msg": "no", "data": None}).encode()
    return [Reply("u", 200, body)]


@pytest.mark.parametrize("name", VENUES)
def test_a_question_that_is_refused_says_nothing_of_the_order(name: str) -> None:
    """A wrong clock or key, or a limit, must never make an order that may be alive into a rejected one."""
    entry, terms = order_entry(name)
    for reply in refusals(name):
        word = word_of(entry, Errand(Purpose.ORDER, terms, "", NOW_NS), reply)
        assert word in (Word.MISSING, Word.IN_DOUBT, Word.NOT_SENT), reply


@pytest.mark.parametrize("name", VENUES)
def test_a_placing_that_is_refused_is_rejected_or_not_sent_or_in_doubt(name: str) -> None:
    entry, terms = order_entry(name)
    words = {word_of(entry, Errand(Purpose.PLACE, terms), reply) for reply in refusals(name)}
    assert words - {Word.ENDED} == {Word.REJECTED, Word.NOT_SENT, Word.IN_DOUBT}, (
        "ended: a fill or kill that was killed"
    )


@pytest.mark.parametrize("name", VENUES)
def test_a_cancel_that_is_refused_ends_nothing(name: str) -> None:
    entry, terms = order_entry(name)
    for reply in refusals(name):
        word = word_of(entry, Errand(Purpose.CANCEL, terms, "4711", NOW_NS), reply)
        assert word in (Word.REJECTED, Word.IN_DOUBT, Word.NOT_SENT, Word.MISSING), reply


@pytest.mark.parametrize("name", VENUES)
def test_a_call_is_signed_and_says_our_id_and_never_the_secret(name: str) -> None:
    entry, terms = order_entry(name)
    call = entry.call(Errand(Purpose.PLACE, terms), NOW_NS)
    text = f"{call.method} {call.path} {call.body.decode()} {dict(call.headers)}"
    assert terms.child_id in text and "secret" not in text.lower().replace("client", "")
    assert entry.call(Errand(Purpose.PLACE, terms), NOW_NS + 10**10) != call, "its time is signed"


@pytest.mark.parametrize("name", VENUES)
def test_nothing_that_comes_over_the_wire_raises_what_is_not_documented(name: str) -> None:
    entry, terms = order_entry(name)
    random = Random(7)
    good = [
        '{"subscriptionId":0,"event":{"e":"executionReport","s":"BTCUSDT","c":"x","X":"NEW","i":1,"z":"0"}}',
        '{"action":"push","ch":"orders#btcusdt","data":{"eventType":"trade","clientOrderId":"x","orderStatus":"filled"}}',
        '{"id":-1,"method":"subscribe","code":0,"result":{"channel":"user.order","data":[{"client_oid":"x"}]}}',
        '{"channel":"spot.orders","event":"update","result":[{"id":"1","text":"t-x","event":"finish"}]}',
    ]
    for _ in range(3000):
        text = bytearray(random.choice(good).replace("x", terms.child_id).encode())
        for _ in range(random.randrange(4)):
            text[random.randrange(len(text))] = random.randrange(256)
        for errand in [*errands(terms), *(Errand(purpose, terms, "1", NOW_NS, terms.symbol) for purpose in Purpose)]:
            with suppress(FrameRefused, NumberRefused, CallRefused):
                entry.read(errand, Reply("u", random.choice((200, 400, 500)), bytes(text)), NOW_NS)
        with suppress(FrameRefused, NumberRefused):
            entry.read_frame(bytes(text).decode("utf-8", "replace"), NOW_NS)
