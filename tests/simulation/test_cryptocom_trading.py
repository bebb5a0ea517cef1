"""Our order entry trades at the simulated Crypto.com, in memory; every answer is held against the account's truth."""

import json
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from aggregator.domain.instrument import Fees, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.numbers import RATE_ONE, parse_decimal
from aggregator.domain.order import ASSET_DECIMALS, ChildTerms, Fill, Liquidity, TimeInForce
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
from connectors.cryptocom import OrderEntry
from connectors.cryptocom.order_wire import signed_request
from connectors.cryptocom.simulator import ACTS_AFTER_NS, USER, CryptocomSimulator, account_of
from connectors.simulation.account import SimulatedAccount, Status
from connectors.simulation.contract import Hangup, HttpRequest, Outgoing, Push
from connectors.simulation.exchange import SimulatedExchange
from connectors.trading import Credentials, Errand, Purpose
from tests.simulation.markets import BTC, MS, SECOND, START_NS, listings

SYMBOL = "BTCUSDT"
KEY = Credentials("simulated-key", "simulated-secret")
FEES = Fees(maker=-RATE_ONE // 10_000, taker=RATE_ONE // 1000)
"""A rebate of a basis point to makers, ten basis points from takers."""

LOT = 10**3

ORDER = {"instrument_name": SYMBOL, "side": "BUY", "type": "LIMIT", "price": "1000", "quantity": "0.01"}


class Desk:
    """Our order entry and one account at the venue. The books stand still unless a test moves them."""

    def __init__(self, credentials: Credentials = KEY, has_account: bool = True, **options: Any) -> None:
        rows = [replace(listing, fees=FEES) for listing in listings("cryptocom")]
        self.exchange = SimulatedExchange("cryptocom", rows, 1, START_NS)
        self.exchange.freeze()
        self.account: SimulatedAccount = account_of(self.exchange, **options)
        self.venue = CryptocomSimulator(self.exchange, self.account if has_account else None)
        self.entry = OrderEntry("cryptocom", {row.symbol: row for row in rows}, credentials, "simulated")
        self.now_ns = START_NS
        self.numbers = count()
        self.heard: list[VenueOrderEvent] = []
        self.pushes: list[Push] = []
        self.is_ready = False
        self.refusal = ""

    def opens_stream(self) -> None:
        assert self.venue.connected(1, USER, self.now_ns) == []
        self.waits(SECOND)
        for send in self.entry.greet(self.now_ns):
            self.takes(self.venue.received(1, send.text, self.now_ns))
        assert self.is_ready

    def waits(self, duration_ns: int) -> None:
        end_ns = self.now_ns + duration_ns
        while (wake_ns := self.venue.wake_at_ns()) <= end_ns:
            self.now_ns = max(wake_ns, self.now_ns)
            self.takes(self.venue.woken(self.now_ns))
        self.now_ns = end_ns

    def takes(self, outgoing: list[Outgoing]) -> None:
        for out in outgoing:
            assert isinstance(out, Push)
            self.pushes.append(out)
            told = self.entry.read_frame(out.frame, self.now_ns)
            self.heard += told.events
            self.is_ready |= told.is_ready
            self.refusal = told.refusal or self.refusal
            for send in told.sends:
                self.takes(self.venue.received(1, send.text, self.now_ns))

    def asks(self, errand: Errand, ahead_ns: int = 0) -> list[VenueOrderEvent]:
        """What comes of it, and of what is to be asked next; our clock is `ahead_ns` of the venue's."""
        call = self.entry.call(errand, self.now_ns + ahead_ns)
        request = HttpRequest(call.method, call.path, call.headers, call.body)
        assert self.venue.places_order(request) == (errand.purpose is Purpose.PLACE)
        reply = self.venue.requested(request, self.now_ns)
        told = self.entry.read(errand, Reply(call.path, reply.status, reply.body), self.now_ns + ahead_ns)
        events = [*told.events]
        for more in told.errands:
            self.waits(SECOND)
            events += self.asks(more)
        return events

    def terms(self, side: Side, quantity: int, price: int, **changes: Any) -> ChildTerms:
        child_id = f"0000000000000abc-{next(self.numbers):03}"
        terms = {"time_in_force": TimeInForce.GTC, **changes}
        return ChildTerms(child_id, child_id[:16], "cryptocom", SYMBOL, BTC, side, quantity, price, **terms)

    def reported(self, purpose: Purpose, terms: ChildTerms, **changes: Any) -> ExecutionReport:
        (report,) = self.asks(Errand(purpose, terms, sent_ns=self.now_ns, **changes))
        assert isinstance(report, ExecutionReport)
        assert report.child_id == terms.child_id
        return report

    def places(self, side: Side, quantity: int, price: int, **changes: Any) -> ChildTerms:
        """Received, and looked at by the venue."""
        terms = self.terms(side, quantity, price, **changes)
        assert self.reported(Purpose.PLACE, terms).word is Word.RECEIVED
        self.waits(ACTS_AFTER_NS)
        return terms

    def asked(self, terms: ChildTerms) -> ExecutionReport:
        return self.reported(Purpose.ORDER, terms)

    def listed(self, terms: ChildTerms) -> list[Fill]:
        self.waits(SECOND)
        return fills_in(self.asks(Errand(Purpose.FILLS, terms, sent_ns=self.now_ns - 10 * SECOND)))

    def told_of(self, terms: ChildTerms) -> list[tuple[Word, int | None, str]]:
        """What the stream has said of it, repetitions left out."""
        reports = [one for one in self.heard if isinstance(one, ExecutionReport) and one.child_id == terms.child_id]
        assert {report.about for report in reports} <= {About.STREAM}
        return list(dict.fromkeys((report.word, report.executed, report.raw) for report in reports))

    def best(self, side: Side) -> tuple[int, int]:
        """Price and quantity of what a taker of that side meets first."""
        picture = self.exchange.book(SYMBOL, 1)
        prices, quantities = picture.asks if side is Side.BUY else picture.bids
        return prices[0], quantities[0]

    def says(self, method: str, params: dict[str, Any], nonce_ms: int | None = None) -> tuple[int, dict[str, Any]]:
        """A signed request that our order entry never makes."""
        time_ms = self.now_ns // MS if nonce_ms is None else nonce_ms
        body = signed_request(KEY, method, params, 1, time_ms)
        reply = self.venue.requested(HttpRequest("POST", f"/exchange/v1/{method}", {}, body), self.now_ns)
        return reply.status, json.loads(reply.body)


def fills_in(events: list[VenueOrderEvent]) -> list[Fill]:
    return [event.fill for event in events if isinstance(event, FillReported)]


def timeless(fills: list[Fill]) -> dict[str, Fill]:
    """By id, without when we got them."""
    return {fill.fill_id: replace(fill, received_ns=0) for fill in fills}


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.opens_stream()
    return desk


class TestOrders:
    @pytest.mark.parametrize("side", Side)
    def test_an_immediate_order_takes_what_is_there(self, desk: Desk, side: Side) -> None:
        price, resting = desk.best(side)
        terms = desk.places(side, resting, price, time_in_force=TimeInForce.IOC)
        answer = desk.asked(terms)
        assert (answer.word, answer.raw, answer.executed) == (Word.ENDED, "FILLED", resting)
        assert desk.told_of(terms)[-1] == (Word.ENDED, resting, "FILLED")
        (fill,) = fills_in(desk.heard)
        assert (fill.price, fill.quantity, fill.side, fill.liquidity) == (price, resting, side, Liquidity.TAKER)
        (true,) = desk.account.fills()
        assert (fill.fee, fill.fee_asset) == (true.fee, "BTC" if side is Side.BUY else "USDT")
        assert fill.fee > 0
        assert desk.best(side)[0] != price, "what was taken is gone"

    def test_the_rest_of_an_immediate_order_ends_with_what_was_filled(self, desk: Desk) -> None:
        price, resting = desk.best(Side.BUY)
        terms = desk.places(Side.BUY, resting + 7 * LOT, price, time_in_force=TimeInForce.IOC)
        answer = desk.asked(terms)
        assert (answer.word, answer.raw, answer.executed) == (Word.ENDED, "CANCELED", resting)
        assert "43004" in answer.reason
        assert desk.told_of(terms)[-1] == (Word.ENDED, resting, "CANCELED")

    def test_fill_or_kill_fills_all_or_nothing(self, desk: Desk) -> None:
        price, resting = desk.best(Side.SELL)
        killed = desk.places(Side.SELL, resting + LOT, price, time_in_force=TimeInForce.FOK)
        answer = desk.asked(killed)
        assert (answer.word, answer.raw, answer.executed) == (Word.ENDED, "CANCELED", 0)
        assert "43003" in answer.reason
        filled = desk.places(Side.SELL, resting, price, time_in_force=TimeInForce.FOK)
        assert (desk.asked(filled).word, desk.asked(filled).executed) == (Word.ENDED, resting)

    def test_an_order_is_received_then_working_then_canceled(self, desk: Desk) -> None:
        price, _ = desk.best(Side.BUY)
        terms = desk.terms(Side.BUY, 50 * LOT, price - 50 * 10**6)
        received = desk.reported(Purpose.PLACE, terms)
        assert (received.word, received.about) == (Word.RECEIVED, About.PLACE)
        assert desk.asked(terms).word is Word.RECEIVED
        desk.waits(ACTS_AFTER_NS)
        assert (desk.asked(terms).word, desk.asked(terms).executed) == (Word.WORKING, 0)
        assert desk.told_of(terms) == [(Word.WORKING, 0, "ACTIVE")]

        canceling = desk.reported(Purpose.CANCEL, terms, venue_order_id=received.venue_order_id)
        assert (canceling.word, canceling.about) == (Word.RECEIVED, About.CANCEL)
        assert desk.asked(terms).word is Word.WORKING, "the cancel is only received"
        desk.waits(ACTS_AFTER_NS)
        assert (desk.asked(terms).word, desk.asked(terms).raw) == (Word.ENDED, "CANCELED")
        assert desk.told_of(terms)[-1] == (Word.ENDED, 0, "CANCELED")

    def test_a_cancel_by_our_id(self, desk: Desk) -> None:
        terms = desk.places(Side.SELL, 50 * LOT, desk.best(Side.BUY)[0] + 10**9)
        assert desk.reported(Purpose.CANCEL, terms).word is Word.RECEIVED
        desk.waits(ACTS_AFTER_NS)
        assert desk.asked(terms).word is Word.ENDED

    def test_a_partly_filled_order_rests_and_keeps_its_fills(self, desk: Desk) -> None:
        price, resting = desk.best(Side.BUY)
        terms = desk.places(Side.BUY, resting + 50 * LOT, price)
        answer = desk.asked(terms)
        assert (answer.word, answer.raw, answer.executed) == (Word.WORKING, "ACTIVE", resting)
        desk.reported(Purpose.CANCEL, terms)
        desk.waits(ACTS_AFTER_NS)
        assert (desk.asked(terms).word, desk.asked(terms).executed) == (Word.ENDED, resting)
        assert sum(fill.quantity for fill in desk.listed(terms)) == resting

    def test_a_post_only_order_rests_or_ends_unfilled(self, desk: Desk) -> None:
        price, _ = desk.best(Side.BUY)
        taking = desk.places(Side.BUY, 50 * LOT, price, post_only=True)
        answer = desk.asked(taking)
        assert (answer.word, answer.executed) == (Word.ENDED, 0)
        assert "43005" in answer.reason
        resting = desk.places(Side.BUY, 50 * LOT, price - 10**9, post_only=True)
        assert desk.asked(resting).word is Word.WORKING

    def test_a_maker_is_paid(self, desk: Desk) -> None:
        """The book comes to an order that rests inside the spread; its fee is negative: a rebate."""
        bid, ask = desk.best(Side.SELL)[0], desk.best(Side.BUY)[0]
        terms = desk.places(Side.BUY, 30 * LOT, max(bid, ask - 10**6), post_only=True)
        assert desk.asked(terms).word is Word.WORKING
        desk.exchange.thaw()
        for _ in range(600):
            if desk.asked(terms).word is Word.ENDED:
                break
            desk.waits(SECOND)
        fills = fills_in(desk.heard)
        assert sum(fill.quantity for fill in fills) == 30 * LOT
        assert all(fill.liquidity is Liquidity.MAKER and fill.fee < 0 for fill in fills)
        assert {fill.fee_asset for fill in fills} == {"BTC"}
        assert timeless(desk.listed(terms)) == timeless(fills)


class TestFills:
    def test_they_are_the_same_on_the_stream_in_the_list_and_in_truth(self, desk: Desk) -> None:
        picture = desk.exchange.book(SYMBOL, 4)
        prices, quantities = picture.asks
        terms = desk.places(Side.BUY, sum(quantities), prices[-1], time_in_force=TimeInForce.IOC)
        streamed, listed = fills_in(desk.heard), desk.listed(terms)
        assert timeless(streamed) == timeless(listed)
        assert [(fill.price, fill.quantity) for fill in streamed] == list(zip(prices, quantities, strict=True))
        for fill, true in zip(streamed, desk.account.fills(), strict=True):
            assert (fill.fill_id, fill.fee, fill.venue_time_ns) == (str(true.fill_id), true.fee, true.time_ns)

    def test_more_than_a_hundred_come_in_parts(self) -> None:
        desk = Desk()
        desk.exchange.thaw()
        placed = []
        for _ in range(30):
            picture = desk.exchange.book(SYMBOL, 5)
            placed.append(
                desk.places(
                    Side.BUY, sum(picture.asks.quantities), picture.asks.prices[-1], time_in_force=TimeInForce.IOC
                )
            )
            desk.waits(SECOND)
        true = {str(fill.fill_id): fill.quantity for fill in desk.account.fills()}
        assert len(true) > 100
        found = fills_in(desk.asks(Errand(Purpose.FILLS, placed[0], sent_ns=START_NS)))
        assert {fill.fill_id: fill.quantity for fill in found} == true


class TestAccount:
    def test_balances_are_the_accounts(self, desk: Desk) -> None:
        price, resting = desk.best(Side.BUY)
        desk.places(Side.BUY, resting, price, time_in_force=TimeInForce.IOC)
        desk.places(Side.SELL, 50 * LOT, price + 10**9)
        (told,) = desk.asks(Errand(Purpose.BALANCES))
        assert isinstance(told, BalancesRead)
        assert told.is_whole
        true = {asset: (free + held, free) for asset, (free, held) in desk.account.balances().items()}
        assert {asset: (one.total, one.free) for asset, one in told.balances.items()} == true
        assert told.balances["BTC"].total > told.balances["BTC"].free
        pushed = [event for event in desk.heard if isinstance(event, BalancesRead)]
        assert pushed[-1].balances == told.balances
        assert not pushed[-1].is_whole

    def test_open_orders_are_ours_and_others(self, desk: Desk) -> None:
        far = desk.best(Side.BUY)[0] - 10**9
        ours = desk.places(Side.BUY, 50 * LOT, far)
        order = {"side": "BUY", "type": "LIMIT", "price": BTC.show_price(far), "quantity": BTC.show_quantity(60 * LOT)}
        status, answer = desk.says("private/create-order", {"instrument_name": SYMBOL, **order})
        assert status == 200
        assert answer["result"]["client_oid"] == str(desk.now_ns // MS), "the nonce is taken for an id"
        desk.waits(SECOND)
        (told,) = desk.asks(Errand(Purpose.OPEN_ORDERS))
        foreign = answer["result"]["order_id"]
        assert told == OpenOrdersRead("cryptocom", desk.now_ns, (ours.child_id,), (foreign,))
        assert {event.child_id for event in desk.heard if isinstance(event, ExecutionReport)} == {ours.child_id}

    def test_fees_are_the_accounts_own(self, desk: Desk) -> None:
        (told,) = desk.asks(Errand(Purpose.FEES, symbol=SYMBOL))
        assert told == FeesRead("cryptocom", desk.now_ns, BTC, FEES.maker, FEES.taker)


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"price": 10**6 // 2}, "308"),
            ({"quantity": LOT // 2}, "213"),
            ({"quantity": 10**8 * 10**6}, "306"),
            ({"price": 10**6, "quantity": LOT}, "415"),
            ({"symbol": "ETHUSDT"}, "209"),
        ],
    )
    def test_what_is_refused_on_the_spot(self, desk: Desk, changes: dict[str, Any], code: str) -> None:
        price, resting = desk.best(Side.BUY)
        terms = desk.terms(Side.BUY, changes.get("quantity", resting), changes.get("price", price))
        told = desk.reported(Purpose.PLACE, replace(terms, symbol=changes.get("symbol", SYMBOL)))
        assert (told.word, told.raw) == (Word.REJECTED, code)
        assert desk.account.open_orders() == []

    def test_a_market_that_is_not_traded(self, desk: Desk) -> None:
        price, resting = desk.best(Side.BUY)
        desk.exchange.delist(SYMBOL)
        told = desk.reported(Purpose.PLACE, desk.terms(Side.BUY, resting, price))
        assert (told.word, told.raw) == (Word.REJECTED, "208")

    def test_an_id_that_was_used_before_leaves_the_first_order_alone(self, desk: Desk) -> None:
        terms = desk.places(Side.BUY, 50 * LOT, desk.best(Side.BUY)[0] - 10**9)
        again = desk.reported(Purpose.PLACE, terms)
        assert (again.word, again.raw) == (Word.IN_DOUBT, "204")
        assert desk.asked(terms).word is Word.WORKING
        desk.reported(Purpose.CANCEL, terms)
        desk.waits(SECOND)
        assert desk.reported(Purpose.PLACE, terms).raw == "204", "for ever"
        assert desk.asked(terms).word is Word.ENDED

    def test_a_refusal_that_comes_late(self, desk: Desk) -> None:
        desk.account.reject_next()
        terms = desk.places(Side.BUY, 50 * LOT, desk.best(Side.BUY)[0] - 10**9)
        desk.waits(SECOND)
        assert desk.told_of(terms) == [(Word.WORKING, 0, "ACTIVE"), (Word.REJECTED, 0, "REJECTED")]
        assert desk.asked(terms).word is Word.REJECTED
        assert "224" in desk.asked(terms).reason

    def test_an_order_that_nobody_knows(self, desk: Desk) -> None:
        terms = desk.terms(Side.BUY, 50 * LOT, desk.best(Side.BUY)[0])
        assert (desk.asked(terms).word, desk.asked(terms).raw) == (Word.MISSING, "40401")
        assert desk.reported(Purpose.CANCEL, terms).raw == "316"
        assert desk.reported(Purpose.CANCEL, terms, venue_order_id="12").raw == "316"
        odd = desk.reported(Purpose.CANCEL, terms, venue_order_id="odd")
        assert (odd.word, odd.raw) == (Word.REJECTED, "212")

    def test_a_cancel_after_the_end(self, desk: Desk) -> None:
        price, resting = desk.best(Side.BUY)
        terms = desk.places(Side.BUY, resting, price)
        told = desk.reported(Purpose.CANCEL, terms)
        assert (told.word, told.about, told.raw) == (Word.REJECTED, About.CANCEL, "316")

    @pytest.mark.parametrize(
        ("credentials", "has_account", "ahead_ns", "code"),
        [
            (Credentials("other-key", KEY.secret), True, 0, "40101"),
            (Credentials(KEY.key, "other-secret"), True, 0, "40101"),
            (KEY, False, 0, "40101"),
            (KEY, True, 61 * SECOND, "40102"),
            (KEY, True, -61 * SECOND, "40102"),
        ],
    )
    def test_who_may_not(self, credentials: Credentials, has_account: bool, ahead_ns: int, code: str) -> None:
        desk = Desk(credentials, has_account)
        price, resting = desk.best(Side.BUY)
        errand = Errand(Purpose.PLACE, desk.terms(Side.BUY, resting, price))
        (told,) = desk.asks(errand, ahead_ns)
        assert isinstance(told, ExecutionReport)
        assert (told.word, told.raw) == (Word.REJECTED, code)
        assert desk.account.open_orders() == []

    def test_a_minute_of_drift_is_tolerated(self) -> None:
        desk = Desk()
        errand = Errand(Purpose.PLACE, desk.terms(Side.BUY, 50 * LOT, desk.best(Side.BUY)[0]))
        (told,) = desk.asks(errand, 59 * SECOND)
        assert isinstance(told, ExecutionReport)
        assert told.word is Word.RECEIVED

    def test_too_many_requests_never_reach_the_book(self, desk: Desk) -> None:
        far = desk.best(Side.BUY)[0] - 10**9
        words = [desk.reported(Purpose.PLACE, desk.terms(Side.BUY, 50 * LOT, far)).word for _ in range(16)]
        assert words == [Word.RECEIVED] * 15 + [Word.NOT_SENT]
        assert len(desk.account.open_orders()) == 15
        desk.waits(100 * MS)
        desk.places(Side.BUY, 50 * LOT, far)

    def test_the_budgets_are_the_venues(self) -> None:
        """As many as the budget has are let through, and no more."""
        for purpose in (Purpose.ORDER, Purpose.CANCEL):
            desk = Desk()
            terms = desk.terms(Side.BUY, 50 * LOT, 10**12)
            (cost,) = desk.entry.costs(Errand(purpose, terms))
            units = desk.entry.budgets[cost.budget].units
            codes = [desk.reported(purpose, terms).raw for _ in range(units + 1)]
            assert codes[-1] == "42901"
            assert "42901" not in codes[:-1]


class TestStream:
    def test_pushes_of_the_account_are_marked(self, desk: Desk) -> None:
        price, resting = desk.best(Side.BUY)
        desk.pushes.clear()
        desk.places(Side.BUY, resting, price)
        channels = [json.loads(push.frame)["result"]["channel"] for push in desk.pushes]
        assert set(channels) == {"user.order", "user.trade", "user.balance"}
        assert all(push.is_private and not push.symbol for push in desk.pushes)

    def test_a_new_subscriber_hears_of_the_open_orders(self) -> None:
        desk = Desk()
        terms = desk.places(Side.BUY, 50 * LOT, desk.best(Side.BUY)[0] - 10**9)
        desk.opens_stream()
        assert desk.told_of(terms) == [(Word.WORKING, 0, "ACTIVE")]
        assert any(isinstance(event, BalancesRead) for event in desk.heard)

    def test_it_lives_as_long_as_heartbeats_are_answered(self, desk: Desk) -> None:
        desk.waits(200 * SECOND)
        terms = desk.places(Side.BUY, 50 * LOT, desk.best(Side.BUY)[0] - 10**9)
        assert desk.told_of(terms)

    def test_it_is_closed_when_a_heartbeat_is_not_answered(self) -> None:
        desk = Desk()
        assert desk.venue.connected(1, USER, desk.now_ns) == []
        ended: list[Outgoing] = []
        for wait_s in (30, 35):
            ended += desk.venue.woken(START_NS + wait_s * SECOND)
        assert [out.code for out in ended if isinstance(out, Hangup)] == [1000]

    @pytest.mark.parametrize(
        ("credentials", "has_account"), [(Credentials("other", "one"), True), (KEY, False)], ids=["key", "no account"]
    )
    def test_who_may_not_log_in(self, credentials: Credentials, has_account: bool) -> None:
        desk = Desk(credentials, has_account)
        desk.venue.connected(1, USER, desk.now_ns)
        desk.waits(SECOND)
        (login,) = desk.entry.greet(desk.now_ns)
        desk.takes(desk.venue.received(1, login.text, desk.now_ns))
        assert "40101" in desk.refusal
        assert not desk.is_ready

    @pytest.mark.parametrize(
        ("message", "code"),
        [
            ({"method": "subscribe", "params": {"channels": ["user.order"]}}, 40101),
            ({"method": "private/create-order", "params": {}}, 40101),
        ],
    )
    def test_nothing_private_is_had_before_the_login(self, message: dict[str, Any], code: int) -> None:
        desk = Desk()
        desk.venue.connected(1, USER, desk.now_ns)
        desk.waits(SECOND)
        (push,) = desk.venue.received(1, json.dumps({"id": 7, **message}), desk.now_ns)
        assert isinstance(push, Push)
        answer = json.loads(push.frame)
        assert (answer["id"], answer["code"]) == (7, code)

    @pytest.mark.parametrize(
        ("message", "code"),
        [
            ({"method": "subscribe", "params": {"channels": ["user.orders"]}}, 40004),
            ({"method": "subscribe", "params": {"channels": ["user.order.NOPE"]}}, 40004),
            ({"method": "subscribe", "params": {"channels": ["book.BTCUSDT.50"]}}, 40004),
            ({"method": "subscribe"}, 40004),
            ({"method": "unsubscribe"}, 40004),
            ({"method": "public/nothing"}, 40002),
            ({"method": "private/nothing"}, 40002),
        ],
    )
    def test_what_it_refuses(self, desk: Desk, message: dict[str, Any], code: int) -> None:
        (push,) = desk.venue.received(1, json.dumps({"id": 7, **message}), desk.now_ns)
        assert isinstance(push, Push)
        assert json.loads(push.frame)["code"] == code

    def test_subscriptions_end_and_may_be_of_one_market(self, desk: Desk) -> None:
        for method, channels in (
            ("unsubscribe", ["user.order", "user.balance"]),
            ("subscribe", ["user.order.XRPUSDT"]),
        ):
            message = {"id": 7, "method": method, "params": {"channels": channels}}
            (push,) = desk.venue.received(1, json.dumps(message), desk.now_ns)
            assert isinstance(push, Push)
            assert json.loads(push.frame)["code"] == 0
        desk.heard.clear()
        price, resting = desk.best(Side.BUY)
        desk.places(Side.BUY, resting, price)
        assert [type(event) for event in desk.heard] == [FillReported]

    def test_orders_can_be_placed_on_the_socket(self, desk: Desk) -> None:
        order = {"side": "SELL", "type": "MARKET", "quantity": BTC.show_quantity(50 * LOT), "client_oid": "by-socket"}
        params = {"instrument_name": SYMBOL, **order}
        message = {"id": 9, "method": "private/create-order", "params": params, "nonce": desk.now_ns // MS}
        (push,) = desk.venue.received(1, json.dumps(message), desk.now_ns)
        assert isinstance(push, Push)
        answer = json.loads(push.frame)
        assert (answer["id"], answer["code"], answer["result"]["client_oid"]) == (9, 0, "by-socket")
        desk.waits(SECOND)
        order_of = desk.account.find_client("by-socket")
        assert order_of is not None
        assert (order_of.status, order_of.filled) == (Status.FILLED, 50 * LOT)


class TestTheVenueAlone:
    """Methods that our order entry has no use for, and the venue's own refusals."""

    @pytest.mark.parametrize(
        ("changes", "code", "status"),
        [
            ({"instrument_name": "NOPE"}, 209, 400),
            ({"side": "buy"}, 220, 400),
            ({"type": "STOP"}, 218, 400),
            ({"time_in_force": "GTC"}, 221, 400),
            ({"exec_inst": ["SMART_POST_ONLY"]}, 219, 500),
            ({"exec_inst": ["POST_ONLY"], "time_in_force": "FILL_OR_KILL"}, 43005, 500),
            ({"quantity": "0.01x"}, 213, 400),
            ({"quantity": 0.01}, 40004, 400),
            ({"price": "-5"}, 308, 400),
            ({"price": ""}, 40004, 400),
            ({"client_oid": "x" * 37}, 40004, 400),
        ],
    )
    def test_orders_that_make_no_sense(self, changes: dict[str, Any], code: int, status: int) -> None:
        desk = Desk()
        got, answer = desk.says("private/create-order", ORDER | changes)
        assert (answer["code"], got) == (code, status)
        assert answer["message"]
        assert desk.account.open_orders() == []

    def test_insufficient_funds_come_with_status_500_and_an_order_id(self) -> None:
        status, answer = Desk().says("private/create-order", ORDER | {"quantity": "90000000"})
        assert (status, answer["code"], answer["message"]) == (500, 306, "INSUFFICIENT_AVAILABLE_BALANCE")
        assert answer["result"]["order_id"]

    @pytest.mark.parametrize(
        ("method", "params", "code"),
        [
            ("private/nothing", {}, 40002),
            ("private/get-trades", {"start_time": str(START_NS - 8 * 24 * 3600 * SECOND)}, 40005),
            ("private/get-trades", {"start_time": "yesterday"}, 40005),
            ("private/get-trades", {"limit": "many"}, 40004),
            ("private/get-open-orders", {"instrument_name": "NOPE"}, 209),
            ("private/get-order-detail", {}, 40004),
        ],
    )
    def test_questions_that_make_no_sense(self, method: str, params: dict[str, Any], code: int) -> None:
        assert Desk().says(method, params)[1]["code"] == code

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"method": "private/other"}'])
    def test_bodies_that_are_no_request(self, body: bytes) -> None:
        request = HttpRequest("POST", "/exchange/v1/private/create-order", {}, body)
        reply = Desk().venue.requested(request, START_NS)
        assert (reply.status, json.loads(reply.body)["code"]) == (400, 40003)

    def test_trades_are_listed_once_a_second(self) -> None:
        desk = Desk()
        assert desk.says("private/get-trades", {})[0] == 200
        assert desk.says("private/get-trades", {})[0] == 429
        assert desk.says("private/get-order-history", {})[0] == 200, "it has its own limit"
        desk.waits(SECOND)
        assert desk.says("private/get-trades", {})[0] == 200

    def test_times_are_ms_or_ns_and_the_end_is_excluded(self) -> None:
        desk = Desk()
        price, resting = desk.best(Side.BUY)
        desk.places(Side.BUY, resting, price)
        (fill,) = desk.account.fills()
        found = []
        for params in (
            {"start_time": str(fill.time_ns), "end_time": str(fill.time_ns + 1)},
            {"start_time": str(fill.time_ns), "end_time": str(fill.time_ns)},
            {"start_time": fill.time_ns // MS, "end_time": fill.time_ns // MS + 1},
        ):
            desk.waits(SECOND)
            found.append(len(desk.says("private/get-trades", params)[1]["result"]["data"]))
        assert found == [1, 0, 1]

    def test_the_history_has_what_has_ended(self) -> None:
        desk = Desk()
        price, resting = desk.best(Side.BUY)
        desk.places(Side.BUY, resting, price, time_in_force=TimeInForce.IOC)
        killed = desk.places(Side.BUY, 10**8, 10**10, time_in_force=TimeInForce.FOK)
        desk.places(Side.BUY, 50 * LOT, price - 10**9)
        rows = desk.says("private/get-order-history", {"instrument_name": SYMBOL})[1]["result"]["data"]
        assert [row["status"] for row in rows] == ["CANCELED", "FILLED"]
        assert (rows[0]["client_oid"], rows[0]["reason"]) == (killed.child_id, 43003)
        assert parse_decimal(rows[1]["cumulative_fee"], ASSET_DECIMALS) == desk.account.fills()[0].fee

    def test_all_orders_of_a_market_are_canceled(self) -> None:
        desk = Desk()
        far = desk.best(Side.BUY)[0] - 10**9
        terms = [desk.places(Side.BUY, 50 * LOT, far) for _ in range(3)]
        assert desk.says("private/cancel-all-orders", {"instrument_name": "XRPUSDT"})[0] == 200
        desk.waits(SECOND)
        assert len(desk.account.open_orders()) == 3
        assert desk.says("private/cancel-all-orders", {})[0] == 200
        desk.waits(SECOND)
        assert {desk.asked(one).word for one in terms} == {Word.ENDED}

    def test_a_market_order_takes_what_it_needs(self) -> None:
        desk = Desk()
        asks = desk.exchange.book(SYMBOL, 3).asks
        wanted = sum(asks.quantities[:2]) + LOT
        order = {"side": "BUY", "type": "MARKET", "quantity": BTC.show_quantity(wanted), "client_oid": "market"}
        assert desk.says("private/create-order", {"instrument_name": SYMBOL, **order})[0] == 200
        desk.waits(SECOND)
        placed = desk.account.find_client("market")
        assert placed is not None
        assert (placed.status, placed.filled) == (Status.FILLED, wanted)

    def test_fee_rates_of_the_account(self) -> None:
        rates = Desk().says("private/get-fee-rate", {})[1]["result"]
        assert (rates["effective_spot_maker_rate_bps"], rates["effective_spot_taker_rate_bps"]) == ("-1", "10")

    def test_without_orders_it_behaves_as_before(self) -> None:
        """The same seed gives the same books, with an account and without."""
        books = []
        for has_account in (True, False):
            desk = Desk(has_account=has_account)
            desk.exchange.thaw()
            desk.waits(5 * SECOND)
            books.append(desk.exchange.book(SYMBOL))
        assert books[0] == books[1]
