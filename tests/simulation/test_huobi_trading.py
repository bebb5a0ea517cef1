"""HTX simulated with an account: our order entry against it, in memory, and the account's own truth beside."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aggregator.domain.instrument import Fees, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.order import ChildTerms, TimeInForce
from aggregator.domain.order_events import (
    About,
    Balance,
    BalancesRead,
    ExecutionReport,
    FeesRead,
    FillReported,
    OpenOrdersRead,
    VenueOrderEvent,
)
from connectors.contract import Reply
from connectors.huobi import OrderEntry, signing
from connectors.huobi.simulator import HuobiSimulator, simulator
from connectors.huobi.simulator_private import PING_EVERY_NS
from connectors.simulation.account import SimulatedAccount, SimulatedOrder, Terms, UniqueIds
from connectors.simulation.contract import Hangup, HttpRequest, Outgoing, Push
from connectors.simulation.exchange import SimulatedExchange
from connectors.trading import Call, Credentials, Errand, Purpose, Told
from tests.simulation.markets import BTC, MS, SECOND, START_NS, listings

SYMBOL = "BTCUSDT"
HOUR = 3600 * SECOND
FEES = Fees(maker=100_000, taker=200_000)
ROUTES = ("/v1/order/orders/place", "/v1/account/accounts", "/v1/order/openOrders")


class Desk:
    """Our side and the venue's, and what the private socket told. The book stands still unless it is thawed."""

    def __init__(self, *, acts_after_ns: int = 0, credentials: Credentials | None = None, **manners: Any) -> None:
        self.now_ns = START_NS
        self.exchange = SimulatedExchange(
            "huobi", [replace(listing, fees=FEES) for listing in listings("huobi")], 1, START_NS, depth=40
        )
        self.exchange.freeze()
        self.account = SimulatedAccount(self.exchange, unique_ids=UniqueIds.NEVER, acts_after_ns=acts_after_ns)
        self.venue = HuobiSimulator(self.exchange, self.account, **manners)
        self.entry = OrderEntry(
            "huobi",
            {listing.symbol: listing for listing in listings("huobi")},
            credentials or Credentials(self.account.key, self.account.secret),
            "api.huobi.pro",
        )
        self.events: list[VenueOrderEvent] = []
        self.told: list[Told] = []
        self.pushes: list[dict[str, Any]] = []
        self.ended: list[Hangup] = []
        self.is_ready = False
        self.sent = 0

    def started(self) -> "Desk":
        for errand in self.entry.errands_at_start():
            self.asks(errand)
        return self

    def calls(self, call: Call) -> Reply:
        reply = self.venue.requested(HttpRequest(call.method, call.path, call.headers, call.body), self.now_ns)
        headers = {name.lower(): value for name, value in reply.headers.items()}
        return Reply(call.path, reply.status, reply.body, headers)

    def asks(self, errand: Errand) -> list[VenueOrderEvent]:
        """Also what is to be asked next for it."""
        told = self.entry.read(errand, self.calls(self.entry.call(errand, self.now_ns)), self.now_ns)
        return [*told.events, *(event for onwards in told.errands for event in self.asks(onwards))]

    def connects(self) -> "Desk":
        self.venue.connected(1, "/ws/v2", self.now_ns)
        for send in self.entry.greet(self.now_ns):
            self.hears(self.venue.received(1, send.text, self.now_ns))
        return self

    def hears(self, outgoing: list[Outgoing]) -> None:
        for out in outgoing:
            if isinstance(out, Hangup):
                self.ended.append(out)
                continue
            assert isinstance(out, Push)
            assert isinstance(out.frame, str)
            message = json.loads(out.frame)
            assert out.is_private is (message["action"] == "push")
            if message["action"] == "push":
                self.pushes.append(message)
            told = self.entry.read_frame(out.frame, self.now_ns)
            self.told.append(told)
            self.events += told.events
            self.is_ready |= told.is_ready
            for send in told.sends:
                self.hears(self.venue.received(1, send.text, self.now_ns))

    def waits(self, duration_ns: int = 10 * MS) -> "Desk":
        end_ns = self.now_ns + duration_ns
        while (wake_ns := self.venue.wake_at_ns()) <= end_ns:
            self.now_ns = max(wake_ns, self.now_ns)
            self.hears(self.venue.woken(self.now_ns))
        self.now_ns = end_ns
        return self

    def best(self, side: Side) -> int:
        """The best price that rests on this side."""
        picture = self.exchange.book(SYMBOL)
        return (picture.bids if side is Side.BUY else picture.asks).prices[0]

    def terms(
        self,
        side: Side,
        price: int,
        quantity: int,
        time_in_force: TimeInForce = TimeInForce.GTC,
        *,
        post_only: bool = False,
        child_id: str = "",
    ) -> ChildTerms:
        self.sent += 1
        child_id = child_id or f"0abcdefghijklmn9-{self.sent:03d}"
        return ChildTerms(
            child_id, child_id[:16], "huobi", SYMBOL, BTC, side, quantity, price, time_in_force, post_only
        )

    def places(self, terms: ChildTerms) -> ExecutionReport:
        (report,) = self.asks(Errand(Purpose.PLACE, terms, sent_ns=self.now_ns))
        assert isinstance(report, ExecutionReport)
        assert report.about is About.PLACE
        return report

    def cancels(self, terms: ChildTerms, venue_order_id: str = "") -> ExecutionReport:
        (report,) = self.asks(Errand(Purpose.CANCEL, terms, venue_order_id, self.now_ns))
        assert isinstance(report, ExecutionReport)
        return report

    def finds(self, terms: ChildTerms, venue_order_id: str = "", sent_ns: int = START_NS) -> ExecutionReport:
        (report,) = self.asks(Errand(Purpose.ORDER, terms, venue_order_id, sent_ns))
        assert isinstance(report, ExecutionReport)
        return report

    def fills(self, terms: ChildTerms, venue_order_id: str = "") -> list[FillReported]:
        events = self.asks(Errand(Purpose.FILLS, terms, venue_order_id, self.now_ns))
        return [event for event in events if isinstance(event, FillReported)]

    def reports(self, terms: ChildTerms) -> list[tuple[Word, str]]:
        """What the private socket said of it."""
        return [
            (event.word, event.raw)
            for event in self.events
            if isinstance(event, ExecutionReport) and event.child_id == terms.child_id
        ]

    def streamed(self) -> list[FillReported]:
        return [event for event in self.events if isinstance(event, FillReported)]

    def truth(self, report: ExecutionReport) -> SimulatedOrder:
        order = self.account.find(int(report.venue_order_id))
        assert order is not None
        return order


def desk(**manners: Any) -> Desk:
    made = Desk(**manners).started().connects().waits()
    made.events.clear()
    made.pushes.clear()
    return made


LOT = 10**6
"""0.01 BTC, on its scale."""

TICK = 10**6


def far(side: Side, at: Desk) -> int:
    """A price at which nothing trades."""
    return at.best(side) * (11 if side is Side.SELL else 9) // 10 // TICK * TICK


def test_a_resting_order_is_placed_told_found_and_canceled() -> None:
    at = desk()
    terms = at.terms(Side.BUY, far(Side.BUY, at), LOT)
    placed = at.places(terms)
    assert placed.word is Word.RECEIVED
    at.waits()
    assert at.reports(terms) == [(Word.WORKING, "submitted")]
    for found in (at.finds(terms), at.finds(terms, placed.venue_order_id)):
        assert (found.word, found.executed, found.venue_order_id) == (Word.WORKING, 0, placed.venue_order_id)
    assert at.cancels(terms, placed.venue_order_id).word is Word.RECEIVED
    at.waits()
    assert at.reports(terms)[1:] == [(Word.ENDED, "canceled")]
    found = at.finds(terms, placed.venue_order_id)
    assert (found.word, found.raw, found.executed) == (Word.ENDED, "canceled", 0)
    assert at.fills(terms) == []


def test_the_fills_of_an_order_are_the_same_on_all_ways() -> None:
    at = desk()
    depth = at.exchange.book(SYMBOL).asks
    quantity = sum(depth.quantities[:3])
    terms = at.terms(Side.BUY, depth.prices[2], quantity)
    placed = at.places(terms)
    at.waits()
    asked, streamed = at.fills(terms, placed.venue_order_id), at.streamed()
    assert {(one.fill.fill_id, one.fill.fee, one.fill.fee_asset, one.fill.liquidity) for one in asked} == {
        (one.fill.fill_id, one.fill.fee, one.fill.fee_asset, one.fill.liquidity) for one in streamed
    }
    assert {replace(one.fill, received_ns=0) for one in asked} == {replace(one.fill, received_ns=0) for one in streamed}
    assert [one.fill.price for one in streamed] == list(depth.prices[:3])
    assert {one.fill.fill_id for one in at.fills(terms)} == {one.fill.fill_id for one in streamed}
    true = {str(fill.fill_id): (fill.price, fill.quantity, fill.fee) for fill in at.account.fills()}
    assert true == {one.fill.fill_id: (one.fill.price, one.fill.quantity, one.fill.fee) for one in asked}
    words = at.reports(terms)
    assert words[0] == (Word.WORKING, "submitted")
    assert words[1:] == [(Word.WORKING, "partial-filled")] * 2 + [(Word.ENDED, "filled")]
    assert at.finds(terms).executed == quantity


def test_orders_come_before_fills_and_fills_before_balances() -> None:
    at = desk()
    at.places(at.terms(Side.BUY, at.best(Side.SELL), LOT))
    at.waits()
    topics = [push["ch"].partition("#")[0] for push in at.pushes]
    assert topics == ["orders", "orders", "trade.clearing", "accounts.update", "accounts.update"]
    assert [push["data"]["eventType"] for push in at.pushes[:3]] == ["creation", "trade", "trade"]


@pytest.mark.parametrize("side", Side)
def test_what_an_immediate_order_leaves_is_canceled(side: Side) -> None:
    at = desk()
    other = Side.SELL if side is Side.BUY else Side.BUY
    picture = at.exchange.book(SYMBOL)
    best = (picture.asks if side is Side.BUY else picture.bids).quantities[0]
    terms = at.terms(side, at.best(other), best + LOT, TimeInForce.IOC)
    placed = at.places(terms)
    at.waits()
    assert at.reports(terms) == [
        (Word.WORKING, "submitted"),
        (Word.WORKING, "partial-filled"),
        (Word.ENDED, "partial-canceled"),
    ]
    found = at.finds(terms, placed.venue_order_id)
    assert (found.word, found.raw, found.executed) == (Word.ENDED, "partial-canceled", best)
    fee_asset = "BTC" if side is Side.BUY else "USDT"
    assert {one.fill.fee_asset for one in at.streamed()} == {fee_asset}


def test_an_immediate_order_that_finds_nothing() -> None:
    at = desk()
    terms = at.terms(Side.BUY, far(Side.BUY, at), LOT, TimeInForce.IOC)
    at.places(terms)
    at.waits()
    assert at.reports(terms) == [(Word.WORKING, "submitted"), (Word.ENDED, "canceled")]
    assert at.finds(terms).executed == 0


def test_all_or_nothing() -> None:
    at = desk()
    best = at.exchange.book(SYMBOL).asks.quantities[0]
    too_much = at.terms(Side.BUY, at.best(Side.SELL), best + LOT, TimeInForce.FOK)
    enough = at.terms(Side.BUY, at.best(Side.SELL), best, TimeInForce.FOK)
    for terms in (too_much, enough):
        at.places(terms)
        at.waits()
    assert at.finds(too_much).raw == "canceled"
    assert at.finds(enough).raw == "filled"
    assert sum(one.fill.quantity for one in at.streamed()) == best


def test_a_post_only_order_that_would_take_is_taken_on_and_canceled_at_once() -> None:
    at = desk()
    taking = at.terms(Side.BUY, at.best(Side.SELL), LOT, post_only=True)
    resting = at.terms(Side.BUY, at.best(Side.BUY), LOT, post_only=True)
    for terms in (taking, resting):
        assert at.places(terms).word is Word.RECEIVED
        at.waits()
    assert at.reports(taking) == [(Word.WORKING, "submitted"), (Word.ENDED, "canceled")]
    assert at.reports(resting) == [(Word.WORKING, "submitted")]
    assert at.finds(taking).raw == "canceled"
    assert at.streamed() == []


def test_a_resting_order_is_filled_as_a_maker_when_the_book_comes_to_it() -> None:
    at = desk()
    terms = at.terms(Side.SELL, at.best(Side.SELL), LOT, post_only=True)
    at.places(terms)
    at.exchange.thaw()
    for _ in range(3000):
        if at.truth(at.finds(terms)).filled == LOT:
            break
        at.waits(SECOND)
    at.waits()
    fills = at.fills(terms)
    assert {one.fill.liquidity.value for one in fills} == {"maker"}
    assert {one.fill.price for one in fills} == {terms.limit_price}
    assert {one.fill.fill_id for one in fills} == {one.fill.fill_id for one in at.streamed()}
    assert at.reports(terms)[-1] == (Word.ENDED, "filled")


def balances(at: Desk) -> BalancesRead:
    (read,) = at.asks(Errand(Purpose.BALANCES))
    assert isinstance(read, BalancesRead)
    return read


def true_balances(at: Desk) -> dict[str, Balance]:
    return {asset: Balance(free + held, free) for asset, (free, held) in at.account.balances().items()}


def test_balances_asked_for_and_told_are_the_true_ones() -> None:
    at = Desk().started().connects().waits()
    known: dict[str, Balance] = {}

    def learn() -> dict[str, Balance]:
        for event in at.events:
            if isinstance(event, BalancesRead):
                known.update(event.balances)
        at.events.clear()
        return known

    assert learn() == true_balances(at)
    at.places(at.terms(Side.BUY, far(Side.BUY, at), LOT))
    at.places(at.terms(Side.BUY, at.best(Side.SELL), LOT))
    at.waits()
    assert balances(at).balances == true_balances(at) == learn()
    assert known["USDT"].total > known["USDT"].free


def test_open_orders_are_ours_and_others() -> None:
    at = desk()
    ours = [at.terms(Side.BUY, far(Side.BUY, at), LOT) for _ in range(2)]
    for terms in ours:
        at.places(terms)
    stranger = at.terms(Side.BUY, far(Side.BUY, at), LOT, child_id="web-1")
    foreign = at.places(stranger).venue_order_id
    (read,) = at.asks(Errand(Purpose.OPEN_ORDERS))
    assert isinstance(read, OpenOrdersRead)
    assert set(read.child_ids) == {terms.child_id for terms in ours}
    assert read.foreign == (foreign,)
    at.waits()
    assert at.reports(stranger) == []


def test_many_open_orders_come_in_pages() -> None:
    at = desk()
    for number in range(1001):
        at.account.place(SYMBOL, Side.BUY, far(Side.BUY, at), LOT, Terms.GTC, f"web-{number}", at.now_ns)
    (read,) = at.asks(Errand(Purpose.OPEN_ORDERS))
    assert isinstance(read, OpenOrdersRead)
    assert len(read.foreign) == len(set(read.foreign)) == 1001


def test_the_fee_tier_is_the_listings() -> None:
    at = desk()
    (read,) = at.asks(Errand(Purpose.FEES, symbol=SYMBOL))
    assert isinstance(read, FeesRead)
    assert (read.maker, read.taker) == (FEES.maker, FEES.taker)


REFUSED: list[tuple[Callable[[Desk], ChildTerms], str]] = [
    (lambda at: at.terms(Side.BUY, far(Side.BUY, at) + 1, LOT), "order-orderprice-precision-error"),
    (lambda at: at.terms(Side.BUY, far(Side.BUY, at), LOT + 1), "order-orderamount-precision-error"),
    (lambda at: at.terms(Side.BUY, far(Side.BUY, at), 0), "order-orderamount-precision-error"),
    (lambda at: at.terms(Side.BUY, 10**6, 10**3), "order-value-min-error"),
    (lambda at: at.terms(Side.SELL, far(Side.SELL, at), 10**18), "account-frozen-balance-insufficient-error"),
    (lambda at: replace(at.terms(Side.BUY, far(Side.BUY, at), LOT), symbol="nothing"), "base-symbol-error"),
    (lambda at: at.terms(Side.BUY, far(Side.BUY, at), LOT, child_id="x" * 65), "validation-format-error"),
]


@pytest.mark.parametrize(("made", "code"), REFUSED)
def test_refusals_leave_no_trace(made: Callable[[Desk], ChildTerms], code: str) -> None:
    at = desk()
    before = at.account.balances()
    report = at.places(made(at))
    assert (report.word, report.raw) == (Word.REJECTED, code)
    at.waits()
    assert (at.account.open_orders(), at.account.balances(), at.pushes) == ([], before, [])


def test_the_quantity_has_a_minimum() -> None:
    at = Desk()
    strict = replace(at.exchange.listing(SYMBOL), minimum_quantity=10 * LOT)
    at.exchange = SimulatedExchange("huobi", [strict], 1, START_NS)
    at.account = SimulatedAccount(at.exchange)
    at.venue = HuobiSimulator(at.exchange, at.account)
    at.started()
    assert at.places(at.terms(Side.BUY, far(Side.BUY, at), LOT)).raw == "order-limitorder-amount-min-error"


def test_a_market_that_is_closed() -> None:
    at = desk()
    at.exchange.delist(SYMBOL)
    report = at.places(at.terms(Side.BUY, far(Side.BUY, at), LOT))
    assert (report.word, report.raw) == (Word.REJECTED, "base-symbol-trade-disabled")


def test_client_ids_are_not_unique_and_find_the_newest() -> None:
    at = desk()
    terms = at.terms(Side.BUY, far(Side.BUY, at), LOT)
    first, second = at.places(terms), at.places(terms)
    assert first.venue_order_id != second.venue_order_id
    assert at.finds(terms).venue_order_id == second.venue_order_id
    assert at.cancels(terms).word is Word.RECEIVED
    assert (at.finds(terms, first.venue_order_id).raw, at.finds(terms).raw) == ("submitted", "canceled")


def test_cancels_of_what_has_ended_or_never_was() -> None:
    at = desk()
    filled = at.terms(Side.BUY, at.best(Side.SELL), LOT)
    placed = at.places(filled)
    at.waits()
    for venue_order_id in (placed.venue_order_id, ""):
        heard = at.cancels(filled, venue_order_id)
        assert heard.word is Word.REJECTED
        assert "filled" in heard.reason
    unknown = at.terms(Side.BUY, far(Side.BUY, at), LOT)
    assert (at.cancels(unknown, "17").word, at.cancels(unknown, "17").raw) == (Word.REJECTED, "not-found")
    assert (at.cancels(unknown).word, at.cancels(unknown).raw) == (Word.REJECTED, "0")
    assert at.finds(unknown).word is Word.MISSING


def test_a_slow_venue_says_created_then_canceling() -> None:
    at = desk(acts_after_ns=50 * MS)
    terms = at.terms(Side.BUY, far(Side.BUY, at), LOT)
    placed = at.places(terms)
    assert at.finds(terms).raw == "created"
    at.waits(60 * MS)
    assert at.finds(terms).raw == "submitted"
    assert at.cancels(terms, placed.venue_order_id).word is Word.RECEIVED
    assert (at.finds(terms).word, at.finds(terms).raw) == (Word.WORKING, "canceling")
    assert at.cancels(terms, placed.venue_order_id).word is Word.RECEIVED
    assert at.cancels(terms).raw == "10"
    at.waits(60 * MS)
    assert at.finds(terms).raw == "canceled"


def test_an_immediate_order_cannot_be_canceled_by_hand() -> None:
    at = desk(acts_after_ns=50 * MS)
    terms = at.terms(Side.BUY, far(Side.BUY, at), LOT, TimeInForce.IOC)
    placed = at.places(terms)
    heard = at.cancels(terms, placed.venue_order_id)
    assert (heard.word, heard.raw) == (Word.REJECTED, "order-user-cancel-forbidden")


def test_a_fresh_order_may_not_be_found_yet() -> None:
    at = desk(hides_orders_ns=100 * MS)
    terms = at.terms(Side.BUY, far(Side.BUY, at), LOT)
    placed = at.places(terms)
    for venue_order_id in ("", placed.venue_order_id):
        hidden = at.finds(terms, venue_order_id)
        assert (hidden.word, hidden.raw) == (Word.MISSING, "base-record-invalid")
    at.waits(100 * MS)
    assert at.finds(terms).word is Word.WORKING


def test_our_id_finds_an_order_for_two_hours_after_its_end_and_its_time_finds_it_later() -> None:
    at = desk()
    filled, canceled = at.terms(Side.BUY, at.best(Side.SELL), LOT), at.terms(Side.BUY, far(Side.BUY, at), LOT)
    at.places(filled)
    placed = at.places(canceled)
    at.cancels(canceled, placed.venue_order_id)
    at.now_ns += 2 * HOUR + MS
    assert at.finds(filled, sent_ns=at.now_ns).word is Word.MISSING  # asked as if it had been sent just now
    late = at.finds(filled)
    assert (late.word, late.raw, late.executed) == (Word.ENDED, "filled", LOT)
    assert at.finds(canceled).word is Word.MISSING
    assert at.finds(canceled, placed.venue_order_id).word is Word.MISSING


def test_an_order_that_is_rejected_after_all() -> None:
    at = desk()
    at.account.reject_next()
    terms = at.terms(Side.BUY, far(Side.BUY, at), LOT)
    assert at.places(terms).word is Word.RECEIVED
    at.waits(100 * MS)
    assert at.reports(terms) == [(Word.WORKING, "submitted"), (Word.REJECTED, "rejected")]
    assert (at.finds(terms).word, at.finds(terms).executed) == (Word.REJECTED, 0)


def test_an_order_that_arrives_late() -> None:
    at = desk()
    at.account.hold_next(SECOND)
    terms = at.terms(Side.BUY, at.best(Side.SELL), LOT)
    at.places(terms)
    assert at.finds(terms).word is Word.MISSING
    at.waits(2 * SECOND)
    assert at.finds(terms).raw == "filled"


@pytest.mark.parametrize(
    ("credentials", "ahead_ns", "text"),
    [
        (Credentials("somebody", "simulated-secret"), 0, "Incorrect Access key"),
        (Credentials("simulated-key", "wrong"), 0, "Verification failure"),
        (None, 301 * SECOND, "Invalid submission time"),
        (None, -301 * SECOND, "Invalid submission time"),
    ],
)
def test_keys_signatures_and_clocks_are_checked(credentials: Credentials | None, ahead_ns: int, text: str) -> None:
    at = Desk(credentials=credentials)
    call = at.entry.call(Errand(Purpose.ACCOUNT), at.now_ns + ahead_ns)
    answer = json.loads(at.calls(call).body)
    assert (answer["status"], answer["err-code"]) == ("error", "api-signature-not-valid")
    assert text in answer["err-msg"]


def test_five_minutes_are_let_pass() -> None:
    at = Desk()
    for ahead_ns in (-299 * SECOND, 299 * SECOND):
        call = at.entry.call(Errand(Purpose.ACCOUNT), at.now_ns + ahead_ns)
        assert json.loads(at.calls(call).body)["status"] == "ok"


def test_what_is_signed_cannot_be_changed() -> None:
    at = desk()
    call = at.entry.call(Errand(Purpose.OPEN_ORDERS), at.now_ns)
    for changed in (
        call._replace(path=call.path.replace("size=500", "size=100")),
        call._replace(path=call.path.replace("openOrders", "matchresults")),
        call._replace(headers={"Host": "elsewhere"}),
        call._replace(path=call.path.partition("&Signature")[0]),
    ):
        assert json.loads(at.calls(changed).body)["err-code"] == "api-signature-not-valid"
    assert json.loads(at.calls(call._replace(headers={"Host": "API.huobi.pro"})).body)["status"] == "ok"


@pytest.mark.parametrize("path", ROUTES)
def test_without_an_account_every_key_is_unknown(path: str) -> None:
    venue = simulator(SimulatedExchange("huobi", listings("huobi"), 1, START_NS))
    method = "POST" if path.endswith("place") else "GET"
    reply = venue.requested(HttpRequest(method, f"{path}?AccessKeyId=simulated-key", {}, b""), START_NS)
    assert json.loads(reply.body)["err-code"] == "api-signature-not-valid"
    assert reply.status == 200


def test_routes_have_an_allowance_each() -> None:
    at = desk()
    unknown = at.terms(Side.BUY, far(Side.BUY, at), LOT)
    errand = Errand(Purpose.ORDER, unknown, "17", START_NS)
    replies = [at.calls(at.entry.call(errand, at.now_ns)) for _ in range(51)]
    assert [reply.status for reply in replies] == [200] * 50 + [429]
    assert [int(reply.headers["x-hb-ratelimit-requests-remain"]) for reply in replies[-3:]] == [1, 0, 0]
    assert at.finds(unknown, "17").word is Word.IN_DOUBT
    assert at.places(at.terms(Side.BUY, far(Side.BUY, at), LOT)).word is Word.RECEIVED
    at.now_ns += 2 * SECOND
    assert at.finds(unknown, "17").word is Word.MISSING


def test_an_order_is_known_as_such() -> None:
    at = desk()
    place = at.entry.call(Errand(Purpose.PLACE, at.terms(Side.BUY, far(Side.BUY, at), LOT)), at.now_ns)
    find = at.entry.call(Errand(Purpose.BALANCES), at.now_ns)
    answers = [at.venue.places_order(HttpRequest(c.method, c.path, c.headers, c.body)) for c in (place, find)]
    assert answers == [True, False]


# The private socket by itself


class Socket:
    """A client of the private socket that says what it likes."""

    def __init__(self) -> None:
        self.desk = Desk().started()
        self.desk.venue.connected(2, "/ws/v2?x=1", START_NS)

    def says(self, message: Any) -> list[dict[str, Any]]:
        frame = message if isinstance(message, str) else json.dumps(message)
        out = self.desk.venue.received(2, frame, self.desk.now_ns)
        return [json.loads(push.frame) for push in out if isinstance(push, Push)]

    def logs_in(self) -> "Socket":
        (login,) = self.desk.entry.greet(self.desk.now_ns)
        assert self.says(login.text) == [{"action": "req", "code": 200, "ch": "auth", "data": {}}]
        return self


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        ("{", 2001, "invalid.json"),
        ("[]", 2001, "invalid.json"),
        ({"action": "dance"}, 2001, "invalid.action"),
        ({"action": "sub", "ch": "nonsense"}, 2001, "invalid.ch"),
        ({"action": "sub", "ch": "orders#nowhere"}, 2001, "invalid.symbol"),
        ({"action": "sub", "ch": "accounts.update#3"}, 2001, "invalid.ch"),
        ({"action": "req", "ch": "auth"}, 2001, "missing.param.auth"),
    ],
)
def test_requests_that_the_socket_refuses(message: Any, code: int, text: str) -> None:
    (answer,) = Socket().logs_in().says(message)
    assert (answer["code"], answer["message"]) == (code, text)


def test_nothing_is_told_before_the_login() -> None:
    socket = Socket()
    (answer,) = socket.says({"action": "sub", "ch": "orders#*"})
    assert (answer["code"], answer["message"]) == (2002, "invalid.auth.state")


def test_a_wrong_login_is_refused_in_the_end() -> None:
    at = Desk(credentials=Credentials("simulated-key", "wrong")).connects()
    at.waits(2 * SECOND)
    assert [told.refusal for told in at.told] == ["req auth was refused: 2002: auth.fail"]
    assert not at.is_ready


def test_a_login_for_a_host_that_becomes_known_is_let_in() -> None:
    at = Desk()
    at.entry = OrderEntry("huobi", {}, Credentials(at.account.key, at.account.secret), "127.0.0.1:8443")
    at.connects().waits(10 * MS)
    assert at.told == []
    call = at.entry.call(Errand(Purpose.ACCOUNT), at.now_ns)
    at.calls(call._replace(headers={"host": "127.0.0.1:8443"}))
    at.waits()
    assert at.is_ready


def test_the_private_socket_hangs_up_on_a_client_that_does_not_answer_pings() -> None:
    at = desk()
    at.waits(5 * PING_EVERY_NS)
    assert at.ended == []
    socket = Socket()
    socket.desk.waits(3 * PING_EVERY_NS + SECOND)
    assert [hangup.reason for hangup in socket.desk.ended] == ["2 pings went unanswered"]


def test_modes_of_channels() -> None:
    socket = Socket().logs_in()
    for channel, told in (
        ("accounts.update", "accounts.update#0"),
        ("accounts.update#1", "accounts.update#1"),
        (f"trade.clearing#{SYMBOL}#1", f"trade.clearing#{SYMBOL}#1"),
    ):
        answer, *first = socket.says({"action": "sub", "ch": channel})
        assert (answer["code"], answer["ch"]) == (200, told)
        assert all(push["data"]["changeType"] is None for push in first)
    at = socket.desk
    terms = at.terms(Side.BUY, far(Side.BUY, at), LOT)
    at.cancels(terms, at.places(terms).venue_order_id)
    messages = [json.loads(out.frame) for out in at.venue.woken(at.now_ns) if isinstance(out, Push)]
    assert [message["ch"] for message in messages] == [f"trade.clearing#{SYMBOL}#1"]
    assert messages[0]["data"]["eventType"] == "cancellation"
    at.places(at.terms(Side.BUY, at.best(Side.SELL), LOT))
    messages = [json.loads(out.frame) for out in at.venue.woken(at.now_ns) if isinstance(out, Push)]
    parts = [(m["ch"][-1], set(m["data"]) & {"balance", "available"}) for m in messages if "balance" in str(m)]
    assert parts.count(("0", {"balance"})) == 2
    assert parts.count(("1", {"balance"})) == 2
    socket.says({"action": "unsub", "ch": "accounts.update#1"})
    at.places(at.terms(Side.BUY, at.best(Side.SELL), LOT))
    messages = [json.loads(out.frame) for out in at.venue.woken(at.now_ns) if isinstance(out, Push)]
    assert not any(message["ch"] == "accounts.update#1" for message in messages)


def test_a_socket_takes_fifty_requests_a_second() -> None:
    socket = Socket().logs_in()
    answers = [socket.says({"action": "sub", "ch": "orders#*"})[0]["code"] for _ in range(50)]
    assert answers == [200] * 49 + [4000]


# Orders of other clients, by hand


def posts(at: Desk, path: str, **body: Any) -> Any:
    return _called(at, "POST", path, {}, json.dumps(body).encode())


def gets(at: Desk, path: str, query: dict[str, str] | None = None) -> Any:
    return _called(at, "GET", path, query or {}, b"")


def _called(at: Desk, method: str, path: str, query: dict[str, str], body: bytes) -> Any:
    credentials = Credentials(at.account.key, at.account.secret)
    signed = signing.signed_path(credentials, method, "api.huobi.pro", path, query, at.now_ns)
    return json.loads(at.calls(Call(method, signed, body)).body)


PLACE = "/v1/order/orders/place"


def test_market_orders_are_for_a_value_or_a_quantity() -> None:
    at = desk()
    common = {"account-id": "100001", "symbol": SYMBOL}
    bought = posts(at, PLACE, **common, type="buy-market", amount="1000")
    sold = posts(at, PLACE, **common, type="sell-market", amount="0.01")
    details = [gets(at, f"/v1/order/orders/{answer['data']}")["data"] for answer in (bought, sold)]
    assert [(row["type"], row["amount"], row["state"]) for row in details] == [
        ("buy-market", "1000", "filled"),
        ("sell-market", "0.01", "filled"),
    ]
    spent = at.account.find(int(bought["data"]))
    assert spent is not None
    assert 0 <= BTC.notional("1000") - spent.notional < spent.price * 1000


def test_many_are_canceled_at_once() -> None:
    at = desk()
    placed = [at.places(at.terms(Side.BUY, far(Side.BUY, at), LOT)).venue_order_id for _ in range(4)]
    answer = posts(at, "/v1/order/orders/batchcancel", **{"order-ids": [placed[0], "17", "x"]})["data"]
    assert answer["success"] == [placed[0]]
    assert [row["err-code"] for row in answer["failed"]] == ["not-found", "validation-format-error"]
    answer = posts(at, "/v1/order/orders/batchcancel", **{"client-order-ids": ["0abcdefghijklmn9-002", "no"]})
    assert (answer["data"]["success"], len(answer["data"]["failed"])) == (["0abcdefghijklmn9-002"], 1)
    answer = posts(at, "/v1/order/orders/batchCancelOpenOrders", **{"account-id": "100001", "size": 1})
    assert answer["data"] == {"success-count": 1, "failed-count": 0, "next-id": int(placed[3])}
    answer = posts(at, "/v1/order/orders/batchCancelOpenOrders", side="buy", symbol=SYMBOL)
    assert answer["data"] == {"success-count": 1, "failed-count": 0, "next-id": -1}
    assert at.account.open_orders() == []


def test_history_and_fills_are_lists_within_a_time() -> None:
    at = desk()
    for _ in range(3):
        at.places(at.terms(Side.BUY, at.best(Side.SELL), 10**3 * 100))
        at.now_ns += SECOND
    query = {"symbol": SYMBOL, "states": "filled"}
    rows = gets(at, "/v1/order/orders", query)["data"]
    assert [row["field-amount"] for row in rows] == ["0.001"] * 3
    assert rows[0]["id"] > rows[-1]["id"]
    late = query | {"start-time": str((START_NS + SECOND // 2) // MS)}
    assert len(gets(at, "/v1/order/orders", late)["data"]) == 2
    assert len(gets(at, "/v1/order/history", query | {"size": "1"})["data"]) == 1
    assert gets(at, "/v1/order/orders", {"states": "canceled"})["data"] == []
    fills = gets(at, "/v1/order/matchresults", {"symbol": SYMBOL})["data"]
    assert {row["trade-id"] for row in fills} == {fill.fill_id for fill in at.account.fills()}
    assert gets(at, "/v1/order/matchresults", {"size": "x"})["err-code"] == "validation-format-error"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": None}, "validation-constraints-required"),
        ({"price": None}, "validation-constraints-required"),
        ({"account-id": "5"}, "account-get-accounts-inexistent-error"),
        ({"type": "buy-dream"}, "order-type-invalid"),
        ({"price": "sixty"}, "order-orderprice-precision-error"),
    ],
)
def test_orders_that_are_badly_written(change: dict[str, Any], code: str) -> None:
    at = desk()
    body = {"account-id": "100001", "symbol": SYMBOL, "type": "buy-limit", "amount": "0.01", "price": "60000"} | change
    answer = posts(at, PLACE, **{name: value for name, value in body.items() if value is not None})
    assert answer["err-code"] == code


def test_other_refusals() -> None:
    at = desk()
    credentials = Credentials(at.account.key, at.account.secret)
    signed = signing.signed_path(credentials, "POST", "api.huobi.pro", PLACE, {}, at.now_ns)
    assert json.loads(at.calls(Call("POST", signed, b"{")).body)["err-code"] == "bad-request"
    assert at.calls(Call("GET", signed, b"{}")).status == 403
    assert gets(at, "/v1/account/accounts/5/balance")["err-code"] == "account-get-accounts-inexistent-error"
    assert gets(at, "/v2/reference/transact-fee-rate", {"symbols": "x"})["code"] == 2002
    assert json.loads(at.calls(Call("GET", "/v2/reference/transact-fee-rate")).body)["code"] == 1003
    assert at.calls(Call("GET", "/v1/order/nothing")).status == 404
