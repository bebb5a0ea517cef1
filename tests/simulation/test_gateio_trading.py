"""Our order entry trades at the simulated Gate, in memory; what comes of it is held against the account's truth."""

import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha512
from itertools import count
from typing import Any

import pytest

from aggregator.domain.instrument import Fees, Instrument, Listing, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.order import ChildTerms, Fill, Liquidity, TimeInForce
from aggregator.domain.order_events import (
    About,
    BalancesRead,
    ExecutionReport,
    FeesRead,
    FillReported,
    OpenOrdersRead,
    VenueOrderEvent,
)
from connectors.contract import Reply
from connectors.gateio import OrderEntry
from connectors.gateio.simulator import GateioSimulator, simulator
from connectors.simulation.account import SimulatedAccount, SimulatedOrder, Status, Terms
from connectors.simulation.contract import HttpReply, HttpRequest, Outgoing, Push
from connectors.simulation.exchange import SimulatedExchange
from connectors.trading import Credentials, Errand, Purpose, Told

MS = 1_000_000
SECOND = 1000 * MS
START_NS = 1_780_000_000 * SECOND

BTC = Instrument("BTC/USDT", "BTC", "USDT", 8, 8)
XRP = Instrument("XRP/USDT", "XRP", "USDT", 8, 8)
BTC_LISTING = Listing(
    "gateio", "BTC_USDT", BTC, tick=10**7, lot=10**2, minimum_quantity=10**2, minimum_notional=10**16,
    fees=Fees(-5_000, 200_000),
)  # fmt: skip
XRP_LISTING = Listing("gateio", "XRP_USDT", XRP, tick=10**4, lot=10**7, fees=Fees(150_000, 150_000))
LISTINGS = {listing.symbol: listing for listing in (BTC_LISTING, XRP_LISTING)}

CLIENT = 1


class Bench:
    """The venue, our order entry with its private stream, and one clock. `told` is what the stream said."""

    def __init__(
        self,
        *,
        simulated: dict[str, Any] | None = None,
        key: str = "simulated-key",
        secret: str = "simulated-secret",
        **account: Any,
    ) -> None:
        self.exchange = SimulatedExchange("gateio", LISTINGS.values(), 1, START_NS, depth=60)
        self.account = SimulatedAccount(self.exchange, **account)
        self.venue = GateioSimulator(self.exchange, self.account, **(simulated or {}))
        self.entry = OrderEntry("gateio", LISTINGS, Credentials(key, secret), "simulated")
        self.now_ns = START_NS
        self.told: list[VenueOrderEvent] = []
        self.is_ready = False
        self.refusals: list[str] = []
        self._children = count()
        self.venue.connected(CLIENT, "/ws/v4/", self.now_ns)
        for send in self.entry.greet(self.now_ns):
            self._hear(self.venue.received(CLIENT, send.text, self.now_ns))

    def terms(self, side: Side, price: int, quantity: int, kind: str = "GTC", **changes: Any) -> ChildTerms:
        post_only = kind == "POC"
        child_id = f"abc123abcdefghij-{next(self._children):03d}"
        time_in_force = TimeInForce.GTC if post_only else TimeInForce(kind)
        terms = ChildTerms(
            child_id, child_id[:16], "gateio", "BTC_USDT", BTC, side, quantity, price, time_in_force, post_only
        )
        return replace(terms, **changes)

    def ask(self, purpose: Purpose, terms: ChildTerms | None = None, venue_order_id: str = "", **more: Any) -> Told:
        """All that comes of an errand, with the errands that follow from it."""
        events: list[VenueOrderEvent] = []
        errands = [Errand(purpose, terms, venue_order_id, START_NS, **more)]
        for errand in errands:
            reply = self.send(errand)
            told = self.entry.read(errand, Reply("", reply.status, reply.body), self.now_ns)
            events += told.events
            errands += told.errands
        return Told(events)

    def send(self, errand: Errand, late_ns: int = 0) -> HttpReply:
        call = self.entry.call(errand, self.now_ns)
        request = HttpRequest(call.method, call.path, call.headers, call.body)
        assert self.venue.places_order(request) == (errand.purpose is Purpose.PLACE)
        reply = self.venue.requested(request, self.now_ns + late_ns)
        self.run(0)
        return reply

    def report(self, purpose: Purpose, terms: ChildTerms, venue_order_id: str = "") -> ExecutionReport:
        (event,) = self.ask(purpose, terms, venue_order_id).events
        assert isinstance(event, ExecutionReport)
        assert event.child_id == terms.child_id
        return event

    def place(self, terms: ChildTerms) -> ExecutionReport:
        return self.report(Purpose.PLACE, terms)

    def run(self, duration_ns: int) -> None:
        end_ns = self.now_ns + duration_ns
        while (wake_ns := self.venue.wake_at_ns()) <= end_ns:
            self.now_ns = max(wake_ns, self.now_ns)
            self._hear(self.venue.woken(self.now_ns))
        self.now_ns = end_ns

    def best(self, side: Side, depth: int = 1) -> tuple[int, int]:
        """Price and quantity of the level that a taker of this side meets."""
        picture = self.exchange.book("BTC_USDT", depth)
        levels = picture.asks if side is Side.BUY else picture.bids
        return levels.prices[-1], sum(levels.quantities)

    def order(self, terms: ChildTerms) -> SimulatedOrder:
        found = self.account.find_client(f"t-{terms.child_id}")
        assert found is not None
        return found

    def streamed(self, kind: type[Any], terms: ChildTerms) -> list[Any]:
        if kind is FillReported:
            return [event for event in self.told if isinstance(event, kind) and event.fill.child_id == terms.child_id]
        return [event for event in self.told if isinstance(event, kind) and event.child_id == terms.child_id]

    def fills(self, terms: ChildTerms, venue_order_id: str = "") -> dict[str, Fill]:
        events = self.ask(Purpose.FILLS, terms, venue_order_id).events
        fills = [event.fill for event in events if isinstance(event, FillReported)]
        return {fill.fill_id: replace(fill, received_ns=0) for fill in fills}

    def _hear(self, outgoing: Sequence[Outgoing]) -> None:
        for out in outgoing:
            if isinstance(out, Push):
                told = self.entry.read_frame(out.frame, self.now_ns)
                self.told += told.events
                self.is_ready = self.is_ready or told.is_ready
                self.refusals += [told.refusal] if told.refusal else []


def settled(bench: Bench, terms: ChildTerms) -> None:
    """Stream, list and truth agree on the order, its fills and the balances."""
    order = bench.order(terms)
    last = bench.streamed(ExecutionReport, terms)[-1]
    asked = bench.report(Purpose.ORDER, terms, str(order.order_id))
    for report in (last, asked):
        assert (report.executed, report.venue_order_id) == (order.filled, str(order.order_id))
        assert report.word is (Word.WORKING if order.is_open else Word.ENDED)
    streamed = {event.fill.fill_id: replace(event.fill, received_ns=0) for event in bench.streamed(FillReported, terms)}
    assert streamed == bench.fills(terms) == bench.fills(terms, str(order.order_id))
    assert sum(fill.quantity for fill in streamed.values()) == order.filled
    assert sum(fill.notional for fill in streamed.values()) == order.notional
    for asset, fee in order.fees.items():
        assert sum(fill.fee for fill in streamed.values() if fill.fee_asset == asset) == fee
    (read,) = bench.ask(Purpose.BALANCES).events
    assert isinstance(read, BalancesRead)
    true = {asset: (free + held, free) for asset, (free, held) in bench.account.balances().items()}
    assert {asset: tuple_of(balance) for asset, balance in read.balances.items()} == true
    told: dict[str, tuple[int, int]] = {}
    for event in bench.told:
        if isinstance(event, BalancesRead):
            assert not event.is_whole
            told |= {asset: tuple_of(balance) for asset, balance in event.balances.items()}
    assert told.items() <= true.items()


def tuple_of(balance: Any) -> tuple[int, int]:
    return balance.total, balance.free


class TestOrders:
    def test_the_private_stream_comes_up(self) -> None:
        bench = Bench()
        assert bench.is_ready
        assert not bench.refusals

    @pytest.mark.parametrize("side", Side)
    def test_a_resting_order_waits_and_is_canceled(self, side: Side) -> None:
        bench = Bench()
        far = 10**7 * 100 if side is Side.BUY else bench.best(side)[0] * 2 // 10**7 * 10**7
        terms = bench.terms(side, far, 10**7)
        placed = bench.place(terms)
        assert (placed.word, placed.raw, placed.executed) == (Word.WORKING, "open", 0)
        settled(bench, terms)
        assert bench.report(Purpose.ORDER, terms).word is Word.WORKING
        ended = bench.report(Purpose.CANCEL, terms, placed.venue_order_id)
        assert (ended.word, ended.raw, ended.executed) == (Word.ENDED, "cancelled", 0)
        settled(bench, terms)
        assert [event.raw for event in bench.streamed(ExecutionReport, terms)] == ["put", "cancelled"]

    @pytest.mark.parametrize("kind", ["IOC", "GTC", "FOK"])
    @pytest.mark.parametrize("side", Side)
    def test_an_order_that_finds_enough_is_filled_at_once(self, side: Side, kind: str) -> None:
        bench = Bench()
        price, quantity = bench.best(side, 3)
        terms = bench.terms(side, price, quantity, kind)
        placed = bench.place(terms)
        assert (placed.word, placed.raw, placed.executed) == (Word.ENDED, "filled", quantity)
        settled(bench, terms)
        fills = bench.fills(terms)
        assert len(fills) == 3
        assert {fill.liquidity for fill in fills.values()} == {Liquidity.TAKER}
        assert {fill.fee_asset for fill in fills.values()} == {"BTC" if side is Side.BUY else "USDT"}
        assert bench.streamed(ExecutionReport, terms)[-1].raw == "filled"

    def test_an_immediate_order_takes_what_there_is_and_the_rest_is_dropped(self) -> None:
        bench = Bench()
        price, quantity = bench.best(Side.BUY, 2)
        terms = bench.terms(Side.BUY, price, quantity + 10**6, "IOC")
        placed = bench.place(terms)
        assert (placed.word, placed.raw, placed.executed) == (Word.ENDED, "ioc", quantity)
        settled(bench, terms)

    def test_a_fill_or_kill_order_takes_all_or_nothing(self) -> None:
        bench = Bench()
        price, quantity = bench.best(Side.SELL, 2)
        terms = bench.terms(Side.SELL, price, quantity + 10**6, "FOK")
        placed = bench.place(terms)
        assert (placed.word, placed.raw, placed.executed) == (Word.ENDED, "fok", 0)
        settled(bench, terms)

    def test_a_partly_filled_order_rests_and_is_canceled_with_what_it_has(self) -> None:
        bench = Bench()
        price, quantity = bench.best(Side.BUY)
        terms = bench.terms(Side.BUY, price, quantity + 10**8)
        bench.exchange.freeze()
        placed = bench.place(terms)
        assert (placed.word, placed.executed) == (Word.WORKING, quantity)
        settled(bench, terms)
        ended = bench.report(Purpose.CANCEL, terms)
        assert (ended.word, ended.executed) == (Word.ENDED, quantity)
        settled(bench, terms)

    def test_a_post_only_order_makes_and_earns_a_rebate(self) -> None:
        bench = Bench()
        ask, _ = bench.best(Side.BUY)
        terms = bench.terms(Side.BUY, ask - 10**7, 10**5, "POC")
        assert bench.place(terms).word is Word.WORKING
        bench.exchange.quicken(100)
        for _ in range(600):
            bench.run(SECOND)
            if not bench.order(terms).is_open:
                break
        settled(bench, terms)
        fills = bench.fills(terms).values()
        assert {fill.liquidity for fill in fills} == {Liquidity.MAKER}
        assert all(fill.fee < 0 for fill in fills)

    def test_a_post_only_order_that_would_take_is_refused(self) -> None:
        bench = Bench()
        price, quantity = bench.best(Side.BUY)
        report = bench.place(bench.terms(Side.BUY, price, quantity, "POC"))
        assert (report.word, report.raw) == (Word.REJECTED, "POC_FILL_IMMEDIATELY")

    def test_a_venue_that_acts_later_tells_by_the_stream(self) -> None:
        bench = Bench(acts_after_ns=50 * MS)
        price, quantity = bench.best(Side.BUY)
        bench.exchange.freeze()
        terms, would_take = bench.terms(Side.BUY, price, quantity * 2), bench.terms(Side.BUY, price, quantity, "POC")
        assert (bench.place(would_take).word, bench.place(terms).executed) == (Word.WORKING, 0)
        bench.run(100 * MS)
        (refusal,) = bench.streamed(ExecutionReport, would_take)
        assert (refusal.word, refusal.raw, refusal.about) == (Word.REJECTED, "poc", About.STREAM)
        settled(bench, terms)
        assert bench.report(Purpose.CANCEL, terms).word is Word.RECEIVED
        bench.run(100 * MS)
        settled(bench, terms)
        assert bench.order(terms).status is Status.CANCELED


class TestQuestions:
    def filled(self, bench: Bench) -> ChildTerms:
        terms = bench.terms(Side.BUY, *bench.best(Side.BUY), "IOC")
        bench.place(terms)
        return terms

    def test_an_order_that_has_ended_is_found_without_the_venues_id(self) -> None:
        bench = Bench()
        terms = self.filled(bench)
        for _ in range(3):
            self.filled(bench)
        errand = Errand(Purpose.ORDER, terms, "", START_NS)
        assert bench.send(errand).status == 404
        report = bench.report(Purpose.ORDER, terms)
        assert (report.word, report.executed) == (Word.ENDED, terms.quantity)

    def test_a_venue_that_keeps_texts_for_a_while_finds_it_at_once(self) -> None:
        bench = Bench(simulated={"text_kept_ns": 60 * SECOND})
        errand = Errand(Purpose.ORDER, self.filled(bench), "", START_NS)
        assert bench.send(errand).status == 200
        bench.run(60 * SECOND)
        assert bench.send(errand).status == 404

    def test_an_order_that_never_came_is_missing(self) -> None:
        bench = Bench()
        for _ in range(120):
            self.filled(bench)
            bench.run(SECOND)
        never = bench.terms(Side.BUY, 10**9, 10**6)
        assert bench.report(Purpose.ORDER, never).word is Word.MISSING
        assert bench.report(Purpose.ORDER, never, "4711").word is Word.MISSING

    def test_open_orders_are_listed_and_foreign_ones_apart(self) -> None:
        bench = Bench()
        ours = [bench.terms(Side.BUY, 10**9, 10**8) for _ in range(3)]
        for terms in ours:
            bench.place(terms)
        foreign = bench.account.place("XRP_USDT", Side.BUY, 10**4, 10**9, Terms.GTC, "", bench.now_ns)
        (event,) = bench.ask(Purpose.OPEN_ORDERS).events
        assert event == OpenOrdersRead(
            "gateio", bench.now_ns, tuple(terms.child_id for terms in ours), (str(foreign.order_id),)
        )
        bench.run(SECOND)
        assert len(bench.streamed(ExecutionReport, ours[0])) == 1
        assert {event.child_id for event in bench.told if isinstance(event, ExecutionReport)} == {
            terms.child_id for terms in ours
        }

    def test_more_open_orders_than_a_page_has(self) -> None:
        bench = Bench()
        for number in range(230):
            bench.account.place("XRP_USDT", Side.BUY, 10**4, 10**9, Terms.GTC, f"t-x{number}", bench.now_ns)
        (event,) = bench.ask(Purpose.OPEN_ORDERS).events
        assert isinstance(event, OpenOrdersRead)
        assert event.foreign == tuple(str(order.order_id) for order in bench.account.open_orders())

    def test_fees_are_those_of_the_market(self) -> None:
        bench = Bench()
        (event,) = bench.ask(Purpose.FEES, symbol="BTC_USDT").events
        assert event == FeesRead("gateio", bench.now_ns, BTC, -5_000, 200_000)

    def test_the_fills_of_an_order_of_many(self) -> None:
        bench = Bench()
        self.filled(bench)
        terms = self.filled(bench)
        self.filled(bench)
        assert len(bench.fills(terms)) == 1
        settled(bench, terms)


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "raw"),
        [
            ({"symbol": "NOPE_USDT"}, "INVALID_CURRENCY_PAIR"),
            ({"limit_price": 10**9 + 1}, "INVALID_PRECISION"),
            ({"quantity": 10**8 + 1}, "INVALID_PRECISION"),
            ({"quantity": 10**2}, "INVALID_PARAM_VALUE"),
            ({"quantity": 10**16}, "BALANCE_NOT_ENOUGH"),
        ],
    )
    def test_what_breaks_the_rules_is_rejected_and_leaves_no_trace(self, changes: dict[str, Any], raw: str) -> None:
        bench = Bench()
        before = bench.account.balances()
        report = bench.place(replace(bench.terms(Side.BUY, 10**10, 10**8), **changes))
        assert (report.word, report.raw) == (Word.REJECTED, raw)
        assert bench.account.balances() == before
        assert not bench.account.open_orders()

    def test_a_market_that_is_closed(self) -> None:
        bench = Bench()
        bench.exchange.delist("BTC_USDT")
        assert bench.place(bench.terms(Side.BUY, 10**10, 10**8)).word is Word.REJECTED

    def test_the_same_id_again_is_in_doubt_and_the_first_order_stands(self) -> None:
        bench = Bench()
        terms = bench.terms(Side.BUY, 10**10, 10**8)
        first = bench.place(terms)
        again = bench.place(terms)
        assert (again.word, again.raw) == (Word.IN_DOUBT, "REPEATED_CREATION")
        assert bench.report(Purpose.ORDER, terms).venue_order_id == first.venue_order_id
        assert len(bench.account.open_orders()) == 1

    def test_a_placing_that_arrives_too_late_is_refused(self) -> None:
        bench = Bench()
        terms = bench.terms(Side.BUY, 10**10, 10**8)
        reply = bench.send(Errand(Purpose.PLACE, terms), late_ns=5 * SECOND + MS)
        (report,) = bench.entry.read(Errand(Purpose.PLACE, terms), Reply("", reply.status, reply.body), 0).events
        assert isinstance(report, ExecutionReport)
        assert (report.word, report.raw) == (Word.REJECTED, "REQUEST_EXPIRED")
        assert bench.send(Errand(Purpose.PLACE, terms), late_ns=5 * SECOND).status == 201

    def test_a_cancel_of_what_has_ended_is_refused(self) -> None:
        bench = Bench()
        filled = bench.terms(Side.BUY, *bench.best(Side.BUY), "IOC")
        order_id = bench.place(filled).venue_order_id
        assert bench.report(Purpose.CANCEL, filled, order_id).raw == "ORDER_CLOSED"
        assert bench.report(Purpose.CANCEL, filled).raw == "ORDER_NOT_FOUND"
        canceled = bench.terms(Side.BUY, 10**10, 10**8)
        order_id = bench.place(canceled).venue_order_id
        bench.report(Purpose.CANCEL, canceled)
        report = bench.report(Purpose.CANCEL, canceled, order_id)
        assert (report.word, report.raw) == (Word.REJECTED, "ORDER_CANCELLED")

    def test_the_limit_on_orders_is_of_one_market_and_second(self) -> None:
        bench = Bench()
        words = [bench.place(bench.terms(Side.BUY, 10**10, 10**8)).word for _ in range(11)]
        assert words == [Word.WORKING] * 10 + [Word.NOT_SENT]
        xrp = bench.terms(Side.BUY, 10**4, 10**9, symbol="XRP_USDT", instrument=XRP)
        assert bench.place(xrp).word is Word.WORKING
        bench.run(SECOND)
        assert bench.place(bench.terms(Side.BUY, 10**10, 10**8)).word is Word.WORKING

    @pytest.mark.parametrize(
        ("key", "secret", "label"),
        [
            ("another", "simulated-secret", "INVALID_KEY"),
            ("simulated-key", "another", "INVALID_SIGNATURE"),
        ],
    )
    def test_other_credentials_are_refused(self, key: str, secret: str, label: str) -> None:
        bench = Bench(key=key, secret=secret)
        report = bench.place(bench.terms(Side.BUY, 10**10, 10**8))
        assert (report.word, report.raw) == (Word.REJECTED, label)
        assert not bench.is_ready
        assert [refusal.split(": ")[:3] for refusal in bench.refusals] == [
            [channel, "4", label] for channel in ("spot.orders", "spot.usertrades", "spot.balances")
        ]

    @pytest.mark.parametrize(("offset_s", "label"), [(61, "REQUEST_EXPIRED"), (-61, "REQUEST_EXPIRED"), (59, "")])
    def test_a_clock_a_minute_off_is_refused(self, offset_s: int, label: str) -> None:
        bench = Bench()
        call = bench.entry.call(Errand(Purpose.BALANCES), START_NS + offset_s * SECOND)
        reply = bench.venue.requested(HttpRequest(call.method, call.path, call.headers, b""), START_NS)
        assert (json.loads(reply.body)["label"] if label else "") == label
        assert reply.status == (401 if label else 200)

    def test_without_an_account_no_key_is_valid(self) -> None:
        bench = Bench()
        call = bench.entry.call(Errand(Purpose.BALANCES), START_NS)
        reply = simulator(bench.exchange).requested(HttpRequest("GET", call.path, call.headers, b""), START_NS)
        assert (reply.status, json.loads(reply.body)["label"]) == (401, "INVALID_KEY")

    def test_a_call_without_its_headers_is_refused(self) -> None:
        bench = Bench()
        reply = bench.venue.requested(HttpRequest("GET", "/api/v4/spot/accounts", {}, b""), START_NS)
        assert json.loads(reply.body)["label"] == "MISSING_REQUIRED_HEADER"


class TestRoutes:
    """What our order entry does not ask for."""

    def signed(self, bench: Bench, method: str, path: str, query: str = "", body: bytes = b"", **more: str) -> Any:
        lines = [method, f"/api/v4{path}", query, sha512(body).hexdigest(), str(bench.now_ns // SECOND)]
        sign = hmac.new(b"simulated-secret", "\n".join(lines).encode(), sha512).hexdigest()
        headers = {"KEY": "simulated-key", "Timestamp": lines[-1], "SIGN": sign, **more}
        target = lines[1] + (f"?{query}" if query else "")
        reply = bench.venue.requested(HttpRequest(method, target, headers, body), bench.now_ns)
        return json.loads(reply.body)

    def placed(self, bench: Bench, **fields: Any) -> Any:
        body = {"currency_pair": "BTC_USDT", "side": "buy", "amount": "0.01", "price": "100", **fields}
        return self.signed(bench, "POST", "/spot/orders", "", json.dumps(body).encode())

    @pytest.mark.parametrize(
        ("fields", "label"),
        [
            ({"side": "both"}, "INVALID_PARAM_VALUE"),
            ({"side": None}, "MISSING_REQUIRED_PARAM"),
            ({"price": None}, "MISSING_REQUIRED_PARAM"),
            ({"price": "-1"}, "INVALID_PARAM_VALUE"),
            ({"amount": []}, "INVALID_PARAM_VALUE"),
            ({"time_in_force": "day"}, "INVALID_PARAM_VALUE"),
            ({"account": "margin"}, "INVALID_PARAM_VALUE"),
            ({"text": "mine"}, "INVALID_PARAM_VALUE"),
            ({"text": "t-" + "x" * 29}, "INVALID_PARAM_VALUE"),
            ({"type": "market"}, "INVALID_PARAM_VALUE"),
            ({"currency_pair": ""}, "MISSING_REQUIRED_PARAM"),
        ],
    )
    def test_what_breaks_the_form_is_refused(self, fields: dict[str, Any], label: str) -> None:
        assert self.placed(Bench(), **fields)["label"] == label

    def test_numbers_may_be_bare(self) -> None:
        assert self.placed(Bench(), amount=0.01, price=100)["amount"] == "0.01"

    @pytest.mark.parametrize(
        ("action_mode", "absent"), [("ACK", {"status", "left", "fee"}), ("RESULT", {"fee", "fee_currency"})]
    )
    def test_the_action_mode_says_how_much_is_told(self, action_mode: str, absent: set[str]) -> None:
        bench = Bench()
        whole, part = self.placed(bench, action_mode="FULL"), self.placed(bench, action_mode=action_mode)
        assert absent <= whole.keys() - part.keys()
        assert {"id", "text"} <= part.keys()

    def test_a_market_buy_spends_at_most_its_quantity_of_quote(self) -> None:
        bench = Bench()
        order = self.placed(bench, type="market", time_in_force="ioc", amount="5000", price=None)
        assert (order["status"], order["type"], order["amount"]) == ("closed", "market", "5000")
        true = bench.account.find(int(order["id"]))
        assert true is not None
        assert 4999 * 10**16 < true.notional <= 5000 * 10**16
        assert order["left"] == BTC.show_notional(5000 * 10**16 - true.notional)

    def test_all_orders_of_a_market_and_side_are_canceled(self) -> None:
        bench = Bench()
        kept = self.placed(bench, side="sell", price="9000000")["id"]
        gone = [self.placed(bench)["id"] for _ in range(3)]
        rows = self.signed(bench, "DELETE", "/spot/orders", "currency_pair=BTC_USDT&side=buy")
        assert [(row["id"], row["status"], row["finish_as"]) for row in rows] == [
            (order_id, "cancelled", "cancelled") for order_id in gone
        ]
        assert [str(order.order_id) for order in bench.account.open_orders()] == [kept]

    def test_lists_are_by_status_side_time_and_page(self) -> None:
        bench = Bench()
        ids = []
        for _ in range(5):
            ids.append(self.placed(bench)["id"])
            self.signed(bench, "DELETE", f"/spot/orders/{ids[-1]}", "currency_pair=BTC_USDT")
            bench.run(10 * SECOND)
        still = self.placed(bench, side="sell", price="9000000")["id"]

        def listed(query: str) -> list[str]:
            return [row["id"] for row in self.signed(bench, "GET", "/spot/orders", query)]

        assert listed("currency_pair=BTC_USDT&status=open") == [still]
        assert listed("status=finished") == ids[::-1]
        assert listed("status=finished&page=2&limit=2") == [ids[2], ids[1]]
        assert listed("status=finished&side=sell") == []
        assert listed(f"status=finished&from={START_NS // SECOND + 30}") == [ids[4], ids[3]]
        assert listed(f"status=finished&from={START_NS // SECOND}&to={START_NS // SECOND + 10}") == [ids[1], ids[0]]
        for wrong in ("status=all", "status=open", "status=finished&limit=101", "status=finished&page=0"):
            assert "label" in self.signed(bench, "GET", "/spot/orders", wrong)


class TestWebsocketOrders:
    """The venue's other way to place orders; the signatures of the login are typed in, from what others computed."""

    BARE = (
        "c474e137fa1327b9586478ddfef8e2678d5d2aa1d3ea5488caa706fdf80f3d49"
        "a5b6e9b14b81c1859363e03943ce34d537f898e4bd879f6de612bc46af7df7b0"
    )
    EMPTY = (
        "b20d553dbeff474e0d3d00267e2f8e4cf0707a239ee81de44cb1554816634abb"
        "341d5bec81ab3d1dec92e44f574cd56c30b53c6cf3e8ad7a58a75eeb81ff2edd"
    )

    def venue(self) -> GateioSimulator:
        exchange = SimulatedExchange("gateio", LISTINGS.values(), 1, START_NS, depth=60)
        venue = GateioSimulator(exchange, SimulatedAccount(exchange, "demo-key-1", "demo-secret-1"))
        venue.connected(CLIENT, "/ws/v4/", START_NS)
        return venue

    def ask(self, venue: GateioSimulator, channel: str, **payload: Any) -> list[Any]:
        request = {"time": START_NS // SECOND, "channel": channel, "event": "api", "payload": payload}
        outgoing = venue.received(CLIENT, json.dumps(request), START_NS)
        return [json.loads(out.frame) for out in outgoing if isinstance(out, Push)]

    def login(self, venue: GateioSimulator, signature: str = BARE, **more: Any) -> Any:
        (answer,) = self.ask(
            venue, "spot.login", req_id="login-1", api_key="demo-key-1", timestamp="1780000000", signature=signature,
            **more,
        )  # fmt: skip
        return answer

    def place(self, venue: GateioSimulator, until_ms: int = 1780000005000, **fields: Any) -> list[Any]:
        order = {"text": "t-agg-0002", "currency_pair": "BTC_USDT", "side": "buy", "amount": "0.01", "price": "100"}
        header = {"x-gate-exptime": str(until_ms)}
        return self.ask(venue, "spot.order_place", req_id="p1", req_header=header, req_param=order | fields)

    @pytest.mark.parametrize(("signature", "more"), [(BARE, {}), (EMPTY, {"req_param": {}})])
    def test_a_login(self, signature: str, more: dict[str, Any]) -> None:
        answer = self.login(self.venue(), signature, **more)
        assert (answer["request_id"], answer["header"]["status"]) == ("login-1", "200")
        assert answer["data"] == {"result": {"api_key": "demo-key-1", "uid": "100001"}}

    def test_a_wrong_login(self) -> None:
        answer = self.login(self.venue(), self.EMPTY)
        assert (answer["header"]["status"], answer["data"]["errs"]["label"]) == ("401", "INVALID_SIGNATURE")

    def test_an_order_is_answered_twice_and_canceled(self) -> None:
        venue = self.venue()
        self.login(venue)
        echo, answer = self.place(venue)
        assert echo["ack"] is True
        assert echo["data"]["result"]["req_id"] == "p1"
        assert "ack" not in answer
        order = answer["data"]["result"]
        assert (order["status"], order["text"], answer["header"]["status"]) == ("open", "t-agg-0002", "200")
        _, canceled = self.ask(
            venue, "spot.order_cancel", req_id="c1", req_param={"order_id": order["id"], "currency_pair": "BTC_USDT"}
        )
        assert canceled["data"]["result"]["finish_as"] == "cancelled"

    @pytest.mark.parametrize(
        ("changes", "label"),
        [
            ({"amount": "1000000000"}, "BALANCE_NOT_ENOUGH"),
            ({"until_ms": 1779999999999}, "REQUEST_EXPIRED"),
            ({"text": "mine"}, "INVALID_PARAM_VALUE"),
        ],
    )
    def test_a_refusal_follows_the_echo(self, changes: dict[str, Any], label: str) -> None:
        venue = self.venue()
        self.login(venue)
        echo, answer = self.place(venue, **changes)
        assert (echo["ack"], answer["data"]["errs"]["label"]) == (True, label)

    def test_the_limit_is_shared_with_rest_and_the_login_with_no_other_connection(self) -> None:
        venue = self.venue()
        _, answer = self.place(venue)
        assert answer["data"]["errs"]["label"] == "AUTHENTICATION_FAILED"
        self.login(venue)
        labels = [self.place(venue, text=f"t-{number}")[1]["data"].get("errs", {}).get("label") for number in range(11)]
        assert labels == [None] * 10 + ["TOO_MANY_REQUESTS"]
        venue.disconnected(CLIENT, START_NS)
        venue.connected(CLIENT, "/ws/v4/", START_NS + SECOND)
        _, answer = self.place(venue)
        assert answer["data"]["errs"]["label"] == "AUTHENTICATION_FAILED"

    def test_the_account_is_told_of_its_orders_by_markets_too(self) -> None:
        venue = self.venue()
        text = "channel=spot.orders&event=subscribe&time=1780000000"
        sign = hmac.new(b"demo-secret-1", text.encode(), sha512).hexdigest()
        request = {
            "time": 1780000000, "channel": "spot.orders", "event": "subscribe", "payload": ["BTC_USDT"],
            "auth": {"method": "api_key", "KEY": "demo-key-1", "SIGN": sign},
        }  # fmt: skip
        venue.received(CLIENT, json.dumps(request), START_NS)
        self.login(venue)
        self.place(venue, currency_pair="XRP_USDT", price="0.1", amount="100", text="t-1")
        *_, push = self.place(venue, text="t-2")
        assert push["channel"] == "spot.orders"
        assert (push["result"][0]["text"], push["result"][0]["event"]) == ("t-2", "put")


def test_private_pushes_are_marked_and_public_ones_are_not() -> None:
    exchange = SimulatedExchange("gateio", LISTINGS.values(), 1, START_NS, depth=60)
    account = SimulatedAccount(exchange)
    venue = simulator(exchange, account)
    entry = OrderEntry("gateio", LISTINGS, Credentials("simulated-key", "simulated-secret"), "simulated")
    venue.connected(CLIENT, "/ws/v4/", START_NS)
    answers = [out for send in entry.greet(START_NS) for out in venue.received(CLIENT, send.text, START_NS)]
    assert not any(out.is_private for out in answers if isinstance(out, Push))
    account.place("BTC_USDT", Side.BUY, 10**10, 10**8, Terms.GTC, "", START_NS)
    pushes = [out for out in venue.woken(START_NS) if isinstance(out, Push)]
    assert [(out.is_private, out.symbol) for out in pushes] == [(True, "BTC_USDT"), (True, "")]
