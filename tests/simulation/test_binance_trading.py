"""Orders at the simulated Binance, through our own order entry and as an independent hand signs them."""

import hashlib
import hmac
import json
from dataclasses import replace
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest

from aggregator.domain.instrument import Fees, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.order import ASSET_DECIMALS, ChildTerms, Fill, Liquidity, TimeInForce, base_money, quote_money
from aggregator.domain.order_events import (
    About,
    BalancesRead,
    ExecutionReport,
    FeesRead,
    FillReported,
    OpenOrdersRead,
    VenueOrderEvent,
)
from connectors.binance import OrderEntry
from connectors.binance.simulator import BinanceSimulator, simulator
from connectors.contract import Reply
from connectors.simulation.account import SimulatedAccount, Status
from connectors.simulation.contract import HttpReply, HttpRequest, Outgoing, Push
from connectors.simulation.exchange import SimulatedExchange
from connectors.trading import Credentials, Errand, Purpose, Told
from tests.simulation.markets import BTC, MS, SECOND, START_NS, listings

FEES = Fees(maker=80_000, taker=100_000)
TICK, LOT = 10**6, 10**3
SOME = 50 * LOT
"""Worth more than the least that may be ordered, and less than the first level offers."""
PRIVATE = "/ws-api/v3"


class Bench:
    """A venue whose books stand still until they are let go, an account at it, and our order entry."""

    def __init__(self, **options: Any) -> None:
        self.listings = {listing.symbol: replace(listing, fees=FEES) for listing in listings()}
        self.exchange = SimulatedExchange("binance", self.listings.values(), 1, START_NS, depth=40)
        self.exchange.freeze()
        self.account = SimulatedAccount(self.exchange)
        self.simulator = BinanceSimulator(self.exchange, self.account, **options)
        self.credentials = Credentials(self.account.key, self.account.secret)
        self.entry = OrderEntry("binance", self.listings, self.credentials, "simulated")
        self.now_ns = START_NS
        self.told: list[VenueOrderEvent] = []
        """What came on the private stream."""
        self._ids = count(1)

    def terms(self, side: Side = Side.BUY, quantity: int = SOME, price: int = 0, **options: Any) -> ChildTerms:
        """At the best price of the other side, if no other is given."""
        child_id = f"0123456789abcdef-{next(self._ids):03d}"
        sound = {"time_in_force": TimeInForce.GTC}
        limit = price or self.best(side)[0]
        return ChildTerms(child_id, child_id[:16], "binance", "BTCUSDT", BTC, side, quantity, limit, **sound | options)

    def best(self, taker: Side) -> tuple[int, int]:
        """What a taker meets first: price and quantity."""
        picture = self.exchange.book("BTCUSDT", 1)
        levels = picture.asks if taker is Side.BUY else picture.bids
        return levels.prices[0], levels.quantities[0]

    def subscribe(self) -> Told:
        self._hear(self.simulator.connected(1, PRIVATE, self.now_ns))
        (send,) = self.entry.greet(self.now_ns)
        (answer,) = self.simulator.received(1, send.text, self.now_ns)
        assert isinstance(answer, Push)
        assert not answer.is_private
        return self.entry.read_frame(answer.frame, self.now_ns)

    def ask(self, purpose: Purpose, terms: ChildTerms | None = None, **fields: Any) -> Told:
        errand = Errand(purpose, terms, **fields)
        call = self.entry.call(errand, self.now_ns)
        http = self.simulator.requested(HttpRequest(call.method, call.path, call.headers, call.body), self.now_ns)
        self.run(0)
        return self.entry.read(errand, Reply("", http.status, http.body), self.now_ns)

    def place(self, terms: ChildTerms) -> ExecutionReport:
        return report_of(self.ask(Purpose.PLACE, terms))

    def run(self, duration_ns: int) -> None:
        end_ns = self.now_ns + duration_ns
        while (wake_ns := self.simulator.wake_at_ns()) <= end_ns:
            self.now_ns = max(wake_ns, self.now_ns)
            self._hear(self.simulator.woken(self.now_ns))
        self.now_ns = end_ns

    def fills_told(self) -> list[Fill]:
        return [event.fill for event in self.told if isinstance(event, FillReported)]

    def words_told(self) -> list[tuple[str, str, int | None]]:
        return [
            (event.child_id, event.raw, event.executed) for event in self.told if isinstance(event, ExecutionReport)
        ]

    def _hear(self, out: list[Outgoing]) -> None:
        for one in out:
            if isinstance(one, Push):
                assert one.is_private
                assert one.symbol == "BTCUSDT"
                self.told += self.entry.read_frame(one.frame, self.now_ns).events


def report_of(told: Told) -> ExecutionReport:
    (report,) = [event for event in told.events if isinstance(event, ExecutionReport)]
    return report


def fills_of(told: Told) -> list[Fill]:
    return [event.fill for event in told.events if isinstance(event, FillReported)]


class ByHand:
    """Requests as a client writes them that shares nothing with ours."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.headers = {"X-MBX-APIKEY": bench.account.key}

    def send(
        self, method: str, path: str, parameters: dict[str, Any], *, secret: str = "", body: str = ""
    ) -> HttpReply:
        """`body` is the part of the parameters that goes there, written out already."""
        parameters = {"timestamp": self.bench.now_ns // MS} | parameters
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        key = (secret or self.bench.account.secret).encode()
        signature = hmac.new(key, (query + body).encode(), hashlib.sha256).hexdigest()
        target = f"{path}?{query}&signature={signature}"
        return self.bench.simulator.requested(
            HttpRequest(method, target, self.headers, body.encode()), self.bench.now_ns
        )

    def code(self, method: str, path: str, parameters: dict[str, Any], **options: Any) -> int:
        reply = self.send(method, path, parameters, **options)
        assert reply.status >= 400
        return int(json.loads(reply.body)["code"])

    def order(self, **changes: Any) -> dict[str, Any]:
        price = self.bench.best(Side.BUY)[0] - 1000 * TICK
        sound = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
        return sound | {"price": BTC.show_price(price)} | changes


class TestPlacing:
    def test_an_order_that_fills_tells_its_fills_in_the_answer(self) -> None:
        bench = Bench()
        price, offered = bench.best(Side.BUY)
        told = bench.ask(Purpose.PLACE, terms := bench.terms(quantity=offered))
        (fill,) = fills_of(told)
        assert (fill.price, fill.quantity, fill.side, fill.liquidity) == (price, offered, Side.BUY, Liquidity.TAKER)
        assert (fill.fee_asset, fill.fee) == ("BTC", base_money(BTC, offered) // 1000)
        report = report_of(told)
        assert (report.word, report.raw, report.executed) == (Word.ENDED, "FILLED", offered)
        assert report.child_id == terms.child_id
        assert report.about is About.PLACE

    def test_the_fee_is_taken_from_what_is_received(self) -> None:
        bench = Bench()
        price, offered = bench.best(Side.SELL)
        (fill,) = fills_of(bench.ask(Purpose.PLACE, bench.terms(Side.SELL, offered)))
        assert (fill.fee_asset, fill.fee) == ("USDT", quote_money(BTC, price * offered) // 1000)

    def test_a_part_may_rest(self) -> None:
        bench = Bench()
        _, offered = bench.best(Side.BUY)
        report = bench.place(bench.terms(quantity=offered + LOT))
        assert (report.word, report.raw, report.executed) == (Word.WORKING, "PARTIALLY_FILLED", offered)

    def test_an_immediate_order_expires_with_what_it_filled(self) -> None:
        bench = Bench()
        _, offered = bench.best(Side.BUY)
        report = bench.place(bench.terms(quantity=offered + LOT, time_in_force=TimeInForce.IOC))
        assert (report.word, report.raw, report.executed) == (Word.ENDED, "EXPIRED", offered)

    def test_a_fill_or_kill_fills_whole_or_not_at_all(self) -> None:
        bench = Bench()
        _, offered = bench.best(Side.BUY)
        killed = bench.place(bench.terms(quantity=offered + LOT, time_in_force=TimeInForce.FOK))
        assert (killed.word, killed.raw, killed.executed) == (Word.ENDED, "EXPIRED", 0)
        filled = bench.place(bench.terms(quantity=offered, time_in_force=TimeInForce.FOK))
        assert (filled.word, filled.raw, filled.executed) == (Word.ENDED, "FILLED", offered)

    def test_a_post_only_order_rests_or_is_refused(self) -> None:
        bench = Bench()
        price, _ = bench.best(Side.BUY)
        refused = bench.place(bench.terms(post_only=True))
        assert (refused.word, refused.raw) == (Word.REJECTED, "-2010")
        assert "immediately match and take" in refused.reason
        resting = bench.place(bench.terms(price=price - TICK, post_only=True))
        assert (resting.word, resting.raw, resting.executed) == (Word.WORKING, "NEW", 0)

    def test_the_same_id_again_is_in_doubt_and_changes_nothing(self) -> None:
        bench = Bench()
        terms = bench.terms(price=bench.best(Side.BUY)[0] - 1000 * TICK)
        assert bench.place(terms).word is Word.WORKING
        assert bench.place(terms).word is Word.IN_DOUBT
        assert len(bench.account.open_orders()) == 1

    def test_an_id_is_free_again_when_its_order_has_ended(self) -> None:
        bench = Bench()
        terms = bench.terms(price=bench.best(Side.BUY)[0] - 1000 * TICK)
        bench.place(terms)
        bench.ask(Purpose.CANCEL, terms)
        assert bench.place(terms).word is Word.WORKING

    @pytest.mark.parametrize(
        ("change", "raw", "reason"),
        [
            ({"price": 50_000 * 10**8 + 1}, "-1013", "PRICE_FILTER"),
            ({"quantity": LOT + 1}, "-1013", "LOT_SIZE"),
            ({"quantity": LOT // 10}, "-1013", "LOT_SIZE"),
            ({"price": 10 * TICK}, "-1013", "NOTIONAL"),
            ({"quantity": 10**6 * 10**8, "price": 50_000 * 10**8}, "-2010", "insufficient balance"),
            ({"symbol": "ETHUSDT"}, "-1121", "Invalid symbol"),
        ],
    )
    def test_what_breaks_a_rule_is_refused_as_the_venue_says_it(
        self, change: dict[str, Any], raw: str, reason: str
    ) -> None:
        bench = Bench()
        before = bench.account.balances()
        report = bench.place(replace(bench.terms(), **{"limit_price": change.pop("price", 50_000 * 10**8)} | change))
        assert (report.word, report.raw) == (Word.REJECTED, raw)
        assert reason in report.reason
        assert bench.account.balances() == before

    def test_a_market_that_is_closed_refuses(self) -> None:
        bench = Bench()
        terms = bench.terms()
        bench.exchange.delist("BTCUSDT")
        report = bench.place(terms)
        assert (report.word, report.raw, report.reason) == (Word.REJECTED, "-2010", "-2010 Market is closed.")

    def test_an_order_that_is_rejected_later_ends_without_a_fill(self) -> None:
        bench = Bench()
        bench.subscribe()
        bench.account.reject_next()
        terms = bench.terms()
        assert bench.place(terms).word is Word.WORKING
        bench.run(SECOND)
        assert bench.words_told() == [(terms.child_id, "NEW", 0), (terms.child_id, "REJECTED", 0)]
        assert report_of(bench.ask(Purpose.ORDER, terms)).word is Word.REJECTED

    def test_faults_can_tell_which_request_places_an_order(self) -> None:
        bench = Bench()
        call = bench.entry.call(Errand(Purpose.PLACE, bench.terms()), START_NS)
        assert bench.simulator.places_order(HttpRequest(call.method, call.path, call.headers, call.body))
        for purpose in (Purpose.CANCEL, Purpose.ORDER):
            call = bench.entry.call(Errand(purpose, bench.terms()), START_NS)
            assert not bench.simulator.places_order(HttpRequest(call.method, call.path, call.headers, call.body))


class TestCancelingAndAsking:
    def test_a_cancel_tells_what_was_executed(self) -> None:
        bench = Bench()
        _, offered = bench.best(Side.BUY)
        bench.place(terms := bench.terms(quantity=offered + LOT))
        report = report_of(bench.ask(Purpose.CANCEL, terms))
        assert (report.word, report.raw, report.executed) == (Word.ENDED, "CANCELED", offered)
        assert not bench.account.open_orders()
        asked = report_of(bench.ask(Purpose.ORDER, terms))
        assert (asked.word, asked.raw, asked.executed) == (Word.ENDED, "CANCELED", offered)
        assert asked.venue_order_id == report.venue_order_id

    def test_a_cancel_of_what_has_ended_or_never_was_is_refused(self) -> None:
        bench = Bench()
        bench.place(filled := bench.terms())
        for terms in (filled, bench.terms()):
            report = report_of(bench.ask(Purpose.CANCEL, terms))
            assert (report.word, report.about, report.raw) == (Word.REJECTED, About.CANCEL, "-2011")
        assert report_of(bench.ask(Purpose.ORDER, filled)).raw == "FILLED"

    def test_an_unknown_order_is_missing(self) -> None:
        bench = Bench()
        assert report_of(bench.ask(Purpose.ORDER, bench.terms())).word is Word.MISSING

    def test_an_order_that_is_held_is_found_only_later(self) -> None:
        bench = Bench()
        bench.account.hold_next(3 * SECOND)
        bench.place(terms := bench.terms())
        assert report_of(bench.ask(Purpose.ORDER, terms)).word is Word.MISSING
        bench.run(3 * SECOND)
        assert report_of(bench.ask(Purpose.ORDER, terms)).raw == "FILLED"

    def test_open_orders_are_told_ours_and_others(self) -> None:
        bench = Bench()
        price = bench.best(Side.BUY)[0] - 1000 * TICK
        bench.place(ours := bench.terms(price=price))
        hand = ByHand(bench)
        foreign = json.loads(hand.send("POST", "/api/v3/order", hand.order()).body)
        (told,) = bench.ask(Purpose.OPEN_ORDERS).events
        assert told == OpenOrdersRead("binance", START_NS, (ours.child_id,), (str(foreign["orderId"]),))

    def test_balances_are_those_of_the_account(self) -> None:
        bench = Bench()
        bench.place(bench.terms(quantity=bench.best(Side.BUY)[1] + LOT))
        (told,) = bench.ask(Purpose.BALANCES).events
        assert isinstance(told, BalancesRead)
        assert told.is_whole
        assert {asset: (one.free, one.total - one.free) for asset, one in told.balances.items()} == {
            asset: money for asset, money in bench.account.balances().items() if any(money)
        }
        assert told.balances["USDT"].total > told.balances["USDT"].free

    def test_fees_are_those_of_the_listing(self) -> None:
        bench = Bench()
        (told,) = bench.ask(Purpose.FEES, symbol="BTCUSDT").events
        assert told == FeesRead("binance", START_NS, BTC, FEES.maker, FEES.taker)


class TestFills:
    def test_are_the_same_in_the_answer_the_history_and_on_the_stream(self) -> None:
        bench = Bench()
        bench.subscribe()
        quantity = sum(bench.exchange.book("BTCUSDT", 3).asks.quantities)
        worst = bench.exchange.book("BTCUSDT", 3).asks.prices[-1]
        placed = bench.ask(Purpose.PLACE, terms := bench.terms(quantity=quantity, price=worst))
        in_answer, on_stream = fills_of(placed), bench.fills_told()
        assert len(in_answer) == 3
        order_id = report_of(placed).venue_order_id
        in_history = fills_of(bench.ask(Purpose.FILLS, terms, venue_order_id=order_id))
        assert in_answer == on_stream == in_history
        assert [int(fill.fill_id) for fill in in_answer] == [fill.fill_id for fill in bench.account.fills()]

    def test_are_found_without_the_venues_order_id(self) -> None:
        bench = Bench()
        placed = bench.ask(Purpose.PLACE, terms := bench.terms())
        told = bench.ask(Purpose.FILLS, terms)
        (errand,) = told.errands
        again = bench.ask(errand.purpose, errand.terms, venue_order_id=errand.venue_order_id)
        assert fills_of(again) == fills_of(placed)

    def test_of_a_resting_order_come_when_the_book_comes_to_it(self) -> None:
        bench = Bench()
        bench.subscribe()
        price, _ = bench.best(Side.BUY)
        terms = bench.terms(price=price - TICK)
        assert bench.place(terms).raw == "NEW"
        bench.exchange.thaw()
        bench.exchange.quicken(20)
        while bench.account.open_orders():
            bench.run(SECOND)
        bench.exchange.freeze()
        fills = bench.fills_told()
        assert sum(fill.quantity for fill in fills) == SOME
        assert {(fill.price, fill.liquidity) for fill in fills} == {(terms.limit_price, Liquidity.MAKER)}
        assert bench.words_told()[-1] == (terms.child_id, "FILLED", SOME)
        order_id = report_of(bench.ask(Purpose.ORDER, terms)).venue_order_id
        history = fills_of(bench.ask(Purpose.FILLS, terms, venue_order_id=order_id))
        assert [replace(fill, received_ns=0) for fill in history] == [replace(fill, received_ns=0) for fill in fills]


class TestTheStream:
    def test_is_granted_and_tells_each_step_of_an_order(self) -> None:
        bench = Bench()
        assert bench.subscribe() == Told(is_ready=True)
        _, offered = bench.best(Side.BUY)
        bench.place(terms := bench.terms(quantity=offered + LOT))
        bench.ask(Purpose.CANCEL, terms)
        assert bench.words_told() == [
            (terms.child_id, "NEW", 0),
            (terms.child_id, "PARTIALLY_FILLED", offered),
            (terms.child_id, "CANCELED", offered),
        ]

    def test_tells_that_an_immediate_order_has_expired(self) -> None:
        bench = Bench()
        bench.subscribe()
        _, offered = bench.best(Side.BUY)
        bench.place(terms := bench.terms(quantity=offered + LOT, time_in_force=TimeInForce.IOC))
        assert bench.words_told()[-1] == (terms.child_id, "EXPIRED", offered)

    def test_tells_the_balances_that_changed(self) -> None:
        bench = Bench()
        bench.subscribe()
        bench.place(bench.terms(quantity=bench.best(Side.BUY)[1] + LOT))
        last = [event for event in bench.told if isinstance(event, BalancesRead)][-1]
        assert not last.is_whole
        assert set(last.balances) == {"BTC", "USDT"}
        for asset, told in last.balances.items():
            assert (told.free, told.total - told.free) == bench.account.balances()[asset]

    def test_names_a_cancel_by_its_own_id(self) -> None:
        bench = Bench()
        bench.subscribe()
        bench.place(terms := bench.terms(price=bench.best(Side.BUY)[0] - 1000 * TICK))
        hand = ByHand(bench)
        asked = {"symbol": "BTCUSDT", "origClientOrderId": terms.child_id, "newClientOrderId": "the-cancel"}
        answer = json.loads(hand.send("DELETE", "/api/v3/order", asked).body)
        assert (answer["clientOrderId"], answer["origClientOrderId"]) == ("the-cancel", terms.child_id)
        frames = [json.loads(out.frame)["event"] for out in bench.simulator.woken(START_NS) if isinstance(out, Push)]
        assert [(event["c"], event["C"], event["x"]) for event in frames if event["e"] == "executionReport"] == [
            ("the-cancel", terms.child_id, "CANCELED")
        ]

    def test_is_refused_to_a_wrong_secret(self) -> None:
        bench = Bench()
        bench.entry = OrderEntry("binance", bench.listings, Credentials(bench.account.key, "wrong"), "simulated")
        told = bench.subscribe()
        assert not told.is_ready
        assert "-1022" in told.refusal

    def test_is_refused_without_an_account(self) -> None:
        bench = Bench()
        bench.simulator = simulator(bench.exchange)
        assert "-2015" in bench.subscribe().refusal
        assert bench.place(bench.terms()).raw == "-2015"

    def test_answers_pings_and_nothing_unknown(self) -> None:
        bench = Bench()
        bench.subscribe()

        def asked(message: Any) -> Any:
            text = message if isinstance(message, str) else json.dumps(message)
            (push,) = bench.simulator.received(1, text, bench.now_ns)
            assert isinstance(push, Push)
            return json.loads(push.frame)

        assert asked({"id": 1, "method": "ping"})["result"] == {}
        assert asked({"id": 2, "method": "time"})["result"] == {"serverTime": START_NS // MS}
        assert asked({"id": 3, "method": "order.amend"})["error"]["code"] == -1020
        assert asked("{")["error"]["code"] == -1135
        assert asked(json.loads(bench.entry.greet(START_NS)[0].text))["error"]["code"] == -2035
        assert asked({"id": 4, "method": "userDataStream.unsubscribe"})["status"] == 200
        assert asked({"id": 5, "method": "userDataStream.unsubscribe"})["error"]["code"] == -2036
        bench.place(bench.terms())
        assert not bench.told

    def test_ends_with_its_connection(self) -> None:
        bench = Bench()
        bench.subscribe()
        bench.simulator.disconnected(1, bench.now_ns)
        bench.place(bench.terms())
        assert not bench.told


class TestKeys:
    ACCOUNT = "/api/v3/account"

    def test_a_good_signature_is_good_wherever_the_parameters_are(self) -> None:
        bench = Bench()
        hand = ByHand(bench)
        assert hand.send("GET", self.ACCOUNT, {}).status == 200
        order = hand.order()
        in_query = {name: order.pop(name) for name in ("symbol", "side")}
        assert hand.send("POST", "/api/v3/order", in_query, body=urlencode(order)).status == 200

    def test_a_bad_one_is_refused(self) -> None:
        hand = ByHand(Bench())
        assert hand.code("GET", self.ACCOUNT, {}, secret="wrong") == -1022

    def test_keys_are_refused(self) -> None:
        hand = ByHand(Bench())
        hand.headers = {"x-mbx-apikey": "wrong"}
        assert hand.code("GET", self.ACCOUNT, {}) == -2015
        hand.headers = {}
        assert hand.code("GET", self.ACCOUNT, {}) == -2014

    @pytest.mark.parametrize(
        ("ahead_ms", "window", "code"),
        [
            *((0, None, 0), (999, None, 0), (1000, None, -1021)),
            *((-5000, None, 0), (-5001, None, -1021), (-60_000, "60000", 0), (-100, "99.5", -1021)),
            *((0, "60001", -1131), (0, "x", -1100)),
        ],
    )
    def test_clocks_may_differ_only_so_much(self, ahead_ms: int, window: str | None, code: int) -> None:
        hand = ByHand(Bench())
        parameters = {"timestamp": START_NS // MS + ahead_ms, "recvWindow": window}
        reply = hand.send("GET", self.ACCOUNT, parameters)
        assert json.loads(reply.body).get("code", 0) == code

    def test_a_time_may_be_in_microseconds(self) -> None:
        hand = ByHand(Bench())
        assert hand.send("GET", self.ACCOUNT, {"timestamp": START_NS // 1000}).status == 200

    def test_the_venues_clock_counts(self) -> None:
        bench = Bench()
        bench.entry = OrderEntry("binance", bench.listings, bench.credentials, "simulated")
        call = bench.entry.call(Errand(Purpose.PLACE, bench.terms()), START_NS)
        late = bench.simulator.requested(
            HttpRequest(call.method, call.path, call.headers, call.body), START_NS + 6 * SECOND
        )
        report = bench.entry.read(Errand(Purpose.PLACE, bench.terms()), Reply("", late.status, late.body), START_NS)
        assert (report_of(report).word, report_of(report).raw) == (Word.REJECTED, "-1021")


class TestRequests:
    PLACE = ("POST", "/api/v3/order")

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            *(({name: None}, -1102) for name in ("symbol", "side", "type", "timeInForce", "quantity", "price")),
            ({"side": "HOLD"}, -1117),
            ({"type": "STOP"}, -1116),
            ({"timeInForce": "DAY"}, -1115),
            ({"type": "LIMIT_MAKER"}, -1106),
            ({"quantity": "-1"}, -1100),
            ({"quantity": "1e-5"}, -1100),
            ({"quantity": "0.000000001"}, -1111),
            ({"newClientOrderId": "a b"}, -1100),
            ({"newClientOrderId": "a" * 37}, -1100),
            ({"newOrderRespType": "SHORT"}, -1100),
            ({"colour": "red"}, -1104),
        ],
    )
    def test_that_are_wrong_are_refused(self, changes: dict[str, Any], code: int) -> None:
        hand = ByHand(Bench())
        assert hand.code(*self.PLACE, hand.order(**changes)) == code

    def test_may_be_tried_without_an_order(self) -> None:
        hand = ByHand(Bench())
        assert hand.send("POST", "/api/v3/order/test", hand.order()).body == b"{}"
        assert hand.code("POST", "/api/v3/order/test", hand.order(side="HOLD")) == -1117
        assert not hand.bench.account.open_orders()

    def test_are_answered_at_the_length_that_is_asked_for(self) -> None:
        hand = ByHand(Bench())
        short = json.loads(hand.send(*self.PLACE, hand.order(newOrderRespType="ACK")).body)
        assert set(short) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
        medium = json.loads(hand.send(*self.PLACE, hand.order(newOrderRespType="RESULT")).body)
        assert medium["status"] == "NEW"
        assert "fills" not in medium
        assert json.loads(hand.send(*self.PLACE, hand.order()).body)["fills"] == []

    def test_find_orders_by_either_id_and_by_both_if_they_agree(self) -> None:
        hand = ByHand(Bench())
        placed = json.loads(hand.send(*self.PLACE, hand.order(newClientOrderId="mine")).body)
        by_id, by_name = {"orderId": placed["orderId"]}, {"origClientOrderId": "mine"}
        for named in (by_id, by_name, by_id | by_name):
            found = json.loads(hand.send("GET", "/api/v3/order", {"symbol": "BTCUSDT"} | named).body)
            assert (found["orderId"], found["clientOrderId"]) == (placed["orderId"], "mine")
            assert (found["price"], found["origQty"]) == (placed["price"], "0.01000000")
        wrong = {"symbol": "BTCUSDT"} | by_id | {"origClientOrderId": "other"}
        assert hand.code("GET", "/api/v3/order", wrong) == -2039
        assert hand.code("GET", "/api/v3/order", {"symbol": "XRPUSDT"} | by_id) == -2013
        assert hand.code("GET", "/api/v3/order", {"symbol": "BTCUSDT"}) == -1102
        assert hand.code("DELETE", "/api/v3/order", {"symbol": "BTCUSDT", "orderId": 1}) == -2011

    def test_cancel_all_of_a_market(self) -> None:
        hand = ByHand(Bench())
        for _ in range(3):
            hand.send(*self.PLACE, hand.order())
        rows = json.loads(hand.send("DELETE", "/api/v3/openOrders", {"symbol": "BTCUSDT"}).body)
        assert [row["status"] for row in rows] == ["CANCELED"] * 3
        assert not hand.bench.account.open_orders()
        assert hand.code("DELETE", "/api/v3/openOrders", {"symbol": "BTCUSDT"}) == -2011
        history = json.loads(hand.send("GET", "/api/v3/allOrders", {"symbol": "BTCUSDT", "limit": 2}).body)
        assert [row["orderId"] for row in history] == [row["orderId"] for row in rows[1:]]
        older = {"symbol": "BTCUSDT", "limit": 2, "orderId": rows[0]["orderId"]}
        history = json.loads(hand.send("GET", "/api/v3/allOrders", older).body)
        assert [row["orderId"] for row in history] == [row["orderId"] for row in rows[:2]]

    def test_list_fills_in_parts(self) -> None:
        hand = ByHand(Bench())
        asks = hand.bench.exchange.book("BTCUSDT", 4).asks
        order = hand.order(price=BTC.show_price(asks.prices[-1]), quantity=BTC.show_quantity(sum(asks.quantities)))
        placed = json.loads(hand.send(*self.PLACE, order).body)
        ids = [fill["tradeId"] for fill in placed["fills"]]
        asked = {"symbol": "BTCUSDT", "orderId": placed["orderId"], "limit": 2}
        last = json.loads(hand.send("GET", "/api/v3/myTrades", asked).body)
        assert [row["id"] for row in last] == ids[2:]
        first = json.loads(hand.send("GET", "/api/v3/myTrades", asked | {"fromId": ids[1]}).body)
        assert [row["id"] for row in first] == ids[1:3]

    def test_buy_at_the_market_by_quantity_and_by_value(self) -> None:
        hand = ByHand(Bench())
        asks = hand.bench.exchange.book("BTCUSDT", 2).asks
        bought = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"}
        by_quantity = bought | {"quantity": BTC.show_quantity(sum(asks.quantities))}
        placed = json.loads(hand.send(*self.PLACE, by_quantity).body)
        assert (placed["status"], placed["type"], placed["price"]) == ("FILLED", "MARKET", "0.00000000")
        assert [fill["price"] for fill in placed["fills"]] == [
            f"{price // 10**8}.{price % 10**8:08d}" for price in asks.prices
        ]
        value = 1000 * 10**16
        placed = json.loads(hand.send(*self.PLACE, bought | {"quoteOrderQty": "1000"}).body)
        order = hand.bench.account.find(placed["orderId"])
        assert order is not None
        assert order.status is Status.FILLED
        assert value - order.price * LOT < order.notional <= value

    def test_weigh_nothing_when_an_order_is_placed_and_something_when_not(self) -> None:
        hand = ByHand(Bench())
        assert hand.send(*self.PLACE, hand.order()).headers["X-MBX-USED-WEIGHT-1M"] == "0"
        assert hand.send(*self.PLACE, hand.order(side="HOLD")).headers["X-MBX-USED-WEIGHT-1M"] == "1"
        assert hand.send("GET", "/api/v3/openOrders", {}).headers["X-MBX-USED-WEIGHT-1M"] == "81"
        assert hand.send("GET", "/api/v3/openOrders", {"symbol": "BTCUSDT"}).headers["X-MBX-USED-WEIGHT-1M"] == "87"

    def test_to_place_too_many_orders_are_turned_away_until_the_window_ends(self) -> None:
        bench = Bench(orders_per_10s=3)
        price = bench.best(Side.BUY)[0] - 1000 * TICK
        hand = ByHand(bench)
        replies = [hand.send(*self.PLACE, hand.order()) for _ in range(3)]
        assert [reply.headers["X-MBX-ORDER-COUNT-10S"] for reply in replies] == ["1", "2", "3"]
        turned_away = bench.place(bench.terms(price=price))
        assert (turned_away.word, turned_away.raw) == (Word.NOT_SENT, "-1015")
        assert hand.send(*self.PLACE, hand.order()).headers["Retry-After"] == "10"
        usage = json.loads(hand.send("GET", "/api/v3/rateLimit/order", {}).body)
        assert [(row["interval"], row["limit"], row["count"]) for row in usage] == [
            ("SECOND", 3, 3),
            ("DAY", 160_000, 3),
        ]
        bench.run(10 * SECOND)
        assert bench.place(bench.terms(price=price)).word is Word.WORKING

    def test_each_fill_gives_an_order_back(self) -> None:
        bench = Bench(orders_per_10s=2)
        for _ in range(5):
            assert bench.place(bench.terms()).raw == "FILLED"

    def test_the_limits_are_in_the_market_list(self) -> None:
        reply = Bench().simulator.requested(HttpRequest("GET", "/api/v3/exchangeInfo", {}, b""), START_NS)
        limits = {(row["rateLimitType"], row["interval"], row["limit"]) for row in json.loads(reply.body)["rateLimits"]}
        assert {("ORDERS", "SECOND", 50), ("ORDERS", "DAY", 160_000), ("REQUEST_WEIGHT", "MINUTE", 6000)} <= limits


def test_money_is_printed_to_its_last_digit() -> None:
    bench = Bench()
    hand = ByHand(bench)
    bench.place(bench.terms())
    rows = json.loads(hand.send("GET", "/api/v3/account", {}).body)["balances"]
    free = next(row["free"] for row in rows if row["asset"] == "BTC")
    whole, _, fraction = free.partition(".")
    assert int(whole + fraction.ljust(ASSET_DECIMALS, "0")) == bench.account.balances()["BTC"][0]
