"""Each fault on orders does to the client what it says, and to the account what it says."""

import json
from typing import Any

import pytest

from aggregator.domain.instrument import Side
from connectors.simulation.account import REJECTED_AFTER_NS, OrderRefused, SimulatedAccount, Status, Terms
from connectors.simulation.contract import Hangup, HttpReply, HttpRequest, Outgoing, Push
from connectors.simulation.exchange import SimulatedExchange
from connectors.simulation.fault_kinds import DROPPED
from connectors.simulation.faults import FaultRefused, Faults
from connectors.simulation.order_faults import ORDER_FAULTS
from tests.simulation.markets import MS, SECOND, START_NS, exchange


class Shop:
    """A venue in as few words as will do. Client 1 hears of the account, client 2 of the books."""

    name = "shop"

    def __init__(self, exchange: SimulatedExchange, account: SimulatedAccount) -> None:
        self._exchange = exchange
        self._account = account

    def connected(self, client: int, path: str, now_ns: int) -> list[Outgoing]:
        return []

    def received(self, client: int, frame: str | bytes, now_ns: int) -> list[Outgoing]:
        return []

    def disconnected(self, client: int, now_ns: int) -> None:
        pass

    def places_order(self, request: HttpRequest) -> bool:
        return request.method == "POST"

    def requested(self, request: HttpRequest, now_ns: int) -> HttpReply:
        if request.method != "POST":
            order = self._account.find_client(request.target.rpartition("=")[2])
            return HttpReply(404, b"") if order is None else HttpReply(200, order.status.encode())
        asked = json.loads(request.body)
        try:
            order = self._account.place(
                asked["symbol"], Side.BUY, asked["price"], asked["quantity"], Terms.GTC, asked["id"], now_ns
            )
        except OrderRefused as refused:
            return HttpReply(400, refused.refusal.encode())
        return HttpReply(200, order.status.encode())

    def woken(self, now_ns: int) -> list[Outgoing]:
        changes = self._exchange.advance(now_ns)
        self._account.advance(now_ns)
        told = self._account.take_happenings()
        books: list[Outgoing] = [Push(2, "book", change.symbol) for change in changes]
        return [*(Push(1, one.order.status, one.order.symbol, is_private=True) for one in told), *books]

    def wake_at_ns(self) -> int:
        if self._account.took_part():
            return 0
        return min(self._exchange.next_event_ns(), self._account.wake_at_ns())


class Bench:
    def __init__(self) -> None:
        self.exchange = exchange()
        self.account = SimulatedAccount(self.exchange)
        self.faults = Faults(Shop(self.exchange, self.account), self.exchange, seed=7, account=self.account)
        self.now_ns = START_NS
        self.delay_ns = 0
        for client in (1, 2):
            self.faults.connected(client, "/", START_NS)

    def place(self, client_id: str, price: int = 50000 * 10**8, symbol: str = "BTCUSDT") -> HttpReply:
        quantity = 10**6 if symbol == "BTCUSDT" else 100 * 10**8
        asked = {"symbol": symbol, "price": price, "quantity": quantity, "id": client_id}
        return self._request(HttpRequest("POST", "/order", {}, json.dumps(asked).encode()))

    def ask(self, client_id: str) -> HttpReply:
        return self._request(HttpRequest("GET", f"/order?id={client_id}", {}, b""))

    def _request(self, request: HttpRequest) -> HttpReply:
        reply = self.faults.requested(request, self.now_ns)
        self.delay_ns = self.faults.reply_delay_ns(request, self.now_ns)
        return reply

    def run(self, duration_ns: int) -> list[Outgoing]:
        """What comes out meanwhile, but for what tells of books."""
        end_ns, out = self.now_ns + duration_ns, list[Outgoing]()
        while (wake_ns := max(self.faults.wake_at_ns(), self.now_ns)) <= end_ns:
            self.now_ns = wake_ns
            out += self.faults.woken(wake_ns)
        self.now_ns = end_ns
        return [one for one in out if not (isinstance(one, Push) and one.client == 2)]

    def status(self, client_id: str) -> Status | None:
        order = self.account.find_client(client_id)
        return None if order is None else order.status


def report(status: Status) -> Push:
    return Push(1, status, "BTCUSDT", is_private=True)


def test_without_faults_orders_are_placed_and_reported() -> None:
    bench = Bench()
    assert (bench.place("a"), bench.delay_ns) == (HttpReply(200, b"open"), 0)
    assert bench.run(0) == [report(Status.OPEN)]
    assert bench.faults.places_order(HttpRequest("POST", "/order", {}, b""))


@pytest.mark.parametrize(
    ("name", "options", "status", "delay_ns", "is_placed"),
    [
        ("order_timeout", {"ns": 7 * SECOND}, 0, 7 * SECOND, True),
        ("order_reply_lost", {}, 0, 0, True),
        ("order_5xx", {}, 504, 0, True),
        ("order_5xx", {"status": 503}, 503, 0, True),
        ("order_lost", {}, 0, 0, False),
        ("order_refused_5xx", {}, 503, 0, False),
        ("order_refused_5xx", {"status": 502}, 502, 0, False),
    ],
)
def test_the_reply_says_nothing_and_the_order_is_placed_or_not(
    name: str, options: dict[str, int], status: int, delay_ns: int, is_placed: bool
) -> None:
    bench = Bench()
    bench.faults.switch_on(name, count=1, **options)
    reply = bench.place("a")
    assert (reply.status, bench.delay_ns) == (status, delay_ns)
    assert (bench.status("a") is Status.OPEN) is is_placed
    assert bench.run(SECOND) == ([report(Status.OPEN)] if is_placed else [])
    assert (bench.place("b"), bench.delay_ns) == (HttpReply(200, b"open"), 0), "one was all it was to strike"
    assert bench.faults.active() == []


@pytest.mark.parametrize("name", ["order_5xx", "order_refused_5xx"])
def test_a_server_that_fails_answers_with_a_page_or_with_nothing(name: str) -> None:
    bench = Bench()
    bench.faults.switch_on(name)
    reply = bench.place("a")
    assert reply.body.startswith(b"<html>")
    assert reply.headers["Content-Type"] == "text/html"
    bench.faults.switch_on(name, empty=True)
    assert bench.place("b").body == b""
    with pytest.raises(FaultRefused, match=f"{name}: status 404 is no failure of a server; one from 500 to 599 is"):
        bench.faults.switch_on(name, status=404)


@pytest.mark.parametrize("name", sorted(ORDER_FAULTS))
def test_questions_are_answered_as_ever(name: str) -> None:
    bench = Bench()
    bench.place("a")
    bench.faults.switch_on(name)
    assert (bench.ask("a"), bench.delay_ns) == (HttpReply(200, b"open"), 0)
    assert bench.ask("b").status == 404


def test_the_reply_may_come_after_the_fill() -> None:
    bench = Bench()
    bench.faults.switch_on("fill_before_ack", ns=300 * MS)
    assert bench.place("a", bench.exchange.book("BTCUSDT").asks.prices[5]) == HttpReply(200, b"filled")
    assert bench.delay_ns == 300 * MS
    reports = bench.run(300 * MS - 1)
    assert (reports[0], reports[-1]) == (report(Status.OPEN), report(Status.FILLED))


def test_a_reply_is_kept_back_besides_what_holds_all_replies_back() -> None:
    bench = Bench()
    bench.faults.switch_on("fill_before_ack", ns=300 * MS)
    bench.faults.switch_on("slow_snapshot", ns=SECOND)
    bench.place("a")
    assert bench.delay_ns == 1300 * MS
    bench.ask("a")
    assert bench.delay_ns == SECOND


def test_an_order_may_be_rejected_after_it_was_acknowledged() -> None:
    bench = Bench()
    bench.faults.switch_on("reject_after_ack", count=1)
    best = bench.exchange.book("BTCUSDT").asks.prices[5]
    assert bench.place("a", best) == HttpReply(200, b"open")
    assert bench.run(REJECTED_AFTER_NS) == [report(Status.OPEN), report(Status.REJECTED)]
    assert bench.account.fills() == []
    assert bench.place("b", best) == HttpReply(200, b"filled")


def test_an_order_may_be_looked_at_late() -> None:
    bench = Bench()
    bench.faults.switch_on("late_order", count=1, ns=2 * SECOND)
    assert (bench.place("a").status, bench.delay_ns) == (0, 0)
    assert bench.run(2 * SECOND - 1) == []
    assert bench.ask("a").status == 404, "the venue's own word, and it is wrong"
    assert bench.run(1) == [report(Status.OPEN)]
    assert bench.ask("a") == HttpReply(200, b"open")


@pytest.mark.parametrize("name", ["reject_after_ack", "late_order"])
def test_what_was_refused_on_the_spot_leaves_its_fate_to_nobody(name: str) -> None:
    bench = Bench()
    bench.faults.switch_on(name, count=1)
    bench.place("a", price=1)
    assert bench.place("b", bench.exchange.book("BTCUSDT").asks.prices[5]) == HttpReply(200, b"filled")


def test_private_frames_may_come_twice() -> None:
    bench = Bench()
    bench.faults.switch_on("double_report", count=1)
    bench.place("a")
    bench.place("b")
    assert bench.run(0) == [report(Status.OPEN)] * 3


def test_private_frames_may_be_swallowed_while_books_go_on() -> None:
    bench = Bench()
    bench.faults.switch_on("private_silent")
    bench.place("a")
    assert bench.faults.woken(bench.now_ns) == []
    bench.now_ns = bench.exchange.next_event_ns()
    assert [type(one) for one in bench.faults.woken(bench.now_ns)] == [Push]
    bench.faults.switch_off("private_silent")
    bench.place("b")
    assert bench.run(0) == [report(Status.OPEN)]


def test_a_connection_may_die_in_place_of_a_private_frame() -> None:
    bench = Bench()
    bench.faults.switch_on("private_disconnect")
    assert bench.run(SECOND) == [], "books strike nothing"
    bench.place("a")
    assert bench.run(0) == [Hangup(1, DROPPED, "closed in place of a private frame")]
    bench.faults.connected(1, "/", bench.now_ns)
    bench.place("b")
    assert bench.run(0) == [report(Status.OPEN)]


@pytest.mark.parametrize(("name", "options"), [("loss", {}), ("delay", {}), ("frozen", {"replay": True}), ("gap", {})])
def test_faults_that_are_aimed_at_a_book_spare_what_tells_of_its_orders(name: str, options: dict[str, Any]) -> None:
    bench = Bench()
    bench.faults.switch_on(name, symbol="BTCUSDT", **options)
    bench.place("a")
    assert bench.run(0) == [report(Status.OPEN)]


def test_orders_of_one_symbol_are_struck() -> None:
    bench = Bench()
    bench.faults.switch_on("order_lost", symbol="BTCUSDT")
    assert [bench.place(str(n), 10**7, symbol).status for n, symbol in enumerate(("BTCUSDT", "XRPUSDT"))] == [0, 200]


def test_orders_are_struck_by_chance_and_the_same_ones_again() -> None:
    struck = []
    for bench in (Bench(), Bench()):
        bench.faults.switch_on("order_lost", probability=0.3)
        struck.append([bench.place(str(number)).status == 0 for number in range(100)])
        assert bench.faults.active()[0]["struck"] == sum(struck[-1])
    assert struck[0] == struck[1]
    assert 15 < sum(struck[0]) < 45


def test_one_fault_strikes_an_order_the_first_that_was_switched_on() -> None:
    bench = Bench()
    bench.faults.switch_on("order_lost", count=1)
    bench.faults.switch_on("order_refused_5xx", count=1)
    assert [bench.place(client_id).status for client_id in "abc"] == [0, 503, 200]


@pytest.mark.parametrize("name", ["reject_after_ack", "late_order"])
def test_some_need_an_account(name: str) -> None:
    bench = Bench()
    faults = Faults(Shop(bench.exchange, bench.account), bench.exchange)
    with pytest.raises(FaultRefused, match=f"{name} needs an account, and none trades on shop"):
        faults.switch_on(name)
