"""Gate, simulated: it speaks as the venue's documents say, and our machine keeps its books through every fault."""

import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from aggregator.domain.events import Refused, Subscribed, Trade
from aggregator.domain.instrument import Instrument, Listing
from connectors.gateio.simulator import GateioSimulator
from connectors.simulation.book import digest_of
from connectors.simulation.contract import Hangup, HttpReply, HttpRequest, Outgoing, Ping, Push
from connectors.simulation.exchange import SimulatedExchange
from tests.simulation import broken_feeds
from tests.simulation.one_venue import MINUTE, MS, SECOND, START_NS, OneVenue, made_up

STARTED_WITHIN_NS = 2 * SECOND
SILENCE_NS = 45 * SECOND
START_S = START_NS // SECOND

OBU, REST = "obu.50", "order_book_update.100ms"
BTC = Instrument("BTC/USDT", "BTC", "USDT", 8, 8)
XRP = Instrument("XRP/USDT", "XRP", "USDT", 8, 8)


def small_exchange() -> SimulatedExchange:
    """Books of about 150 levels a side, so that those told of are fewer."""
    btc = Listing("gateio", "BTC_USDT", BTC, tick=10**7, lot=10**2, minimum_quantity=10**2, minimum_notional=10**16)
    xrp = Listing("gateio", "XRP_USDT", XRP, tick=10**4, lot=10**7)
    return SimulatedExchange("gateio", [btc, xrp], 1, START_NS, depth=150)


class Bench:
    """A simulator, and one clock."""

    def __init__(self, **options: Any) -> None:
        self.exchange = small_exchange()
        self.simulator = GateioSimulator(self.exchange, **options)
        self.now_ns = START_NS

    def connect(self, client: int = 1, path: str = "/ws/v4/") -> list[Outgoing]:
        return self.simulator.connected(client, path, self.now_ns)

    def send(self, message: Any, client: int = 1) -> list[Any]:
        frame = message if isinstance(message, str | bytes) else json.dumps(message)
        return [
            json.loads(out.frame)
            for out in self.simulator.received(client, frame, self.now_ns)
            if isinstance(out, Push)
        ]

    def ask(self, channel: str, payload: Any, event: str = "subscribe", client: int = 1, **more: Any) -> list[Any]:
        time_s = self.now_ns // SECOND
        return self.send({"time": time_s, "channel": channel, "event": event, "payload": payload, **more}, client)

    def run(self, duration_ns: int) -> list[Outgoing]:
        """What comes in this time."""
        end_ns, out = self.now_ns + duration_ns, list[Outgoing]()
        while (wake_ns := self.simulator.wake_at_ns()) <= end_ns:
            self.now_ns = max(wake_ns, self.now_ns)
            out += self.simulator.woken(self.now_ns)
        self.now_ns = end_ns
        return out

    def pushes(self, duration_ns: int, client: int = 1) -> list[Any]:
        return [
            json.loads(out.frame) for out in self.run(duration_ns) if isinstance(out, Push) and out.client == client
        ]

    def get(self, target: str) -> HttpReply:
        return self.simulator.requested(HttpRequest("GET", "/api/v4" + target, {}, b""), self.now_ns)

    def body(self, target: str) -> Any:
        return json.loads(self.get(target).body)


class PlainBook:
    """A book of decimals, kept in the plainest way: all levels sorted, and cut after each update."""

    def __init__(self, depth: int, bids: list[list[str]], asks: list[list[str]], last_id: int) -> None:
        self.depth = depth
        self.last_id = last_id
        self.sides: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}
        self._merge({"b": bids, "a": asks})

    def apply(self, update: dict[str, Any], *, is_joining: bool = False) -> None:
        first, last = update["U"], update["u"]
        assert first <= self.last_id + 1 <= last if is_joining else first == self.last_id + 1
        self.last_id = last
        self._merge(update)

    def _merge(self, levels: dict[str, Any]) -> None:
        for letter, side in self.sides.items():
            side |= {Decimal(price): Decimal(quantity) for price, quantity in levels.get(letter, [])}
            best = sorted((price for price in side if side[price]), reverse=letter == "b")[: self.depth]
            self.sides[letter] = {price: side[price] for price in best}


def true_sides(exchange: SimulatedExchange, depth: int) -> dict[str, dict[Decimal, Decimal]]:
    picture = exchange.book("BTC_USDT", depth)
    return {
        letter: {
            Decimal(BTC.show_price(price)): Decimal(BTC.show_quantity(quantity))
            for price, quantity in zip(*side, strict=True)
        }
        for letter, side in (("b", picture.bids), ("a", picture.asks))
    }


class TestBooks:
    @pytest.mark.parametrize(("levels", "period_ms"), [("50", 20), ("400", 100)])
    def test_obu_begins_with_all_of_it_and_goes_on_with_what_changes(self, levels: str, period_ms: int) -> None:
        bench = Bench()
        bench.connect()
        bench.run(SECOND)
        answer, full = bench.ask("spot.obu", [f"ob.BTC_USDT.{levels}"], id=5)
        assert answer["result"] == {"status": "success"}
        assert answer["error"] is None
        assert (answer["id"], answer["channel"], answer["event"]) == (5, "spot.obu", "subscribe")
        assert full["channel"] == "spot.obu"
        start = full["result"]
        assert start["full"] is True
        assert "U" not in start
        book = PlainBook(int(levels), start["b"], start["a"], start["u"])
        assert book.sides == true_sides(bench.exchange, int(levels))
        updates = bench.pushes(20 * SECOND)
        bench.exchange.freeze()
        for update in [push["result"] for push in updates + bench.pushes(SECOND)]:
            assert update["s"] == f"ob.BTC_USDT.{levels}"
            assert update["t"] % period_ms == 0
            assert update.get("b") != []
            assert update.get("a") != []
            book.apply(update)
        assert book.sides == true_sides(bench.exchange, int(levels))
        assert len(updates) > 50

    def test_an_update_without_levels_moves_the_id_on(self) -> None:
        bench = Bench()
        bench.connect()
        bench.ask("spot.obu", ["ob.BTC_USDT.50"])
        updates = [push["result"] for push in bench.pushes(MINUTE)]
        assert [update for update in updates if "b" not in update and "a" not in update]
        assert all(later["U"] == earlier["u"] + 1 for earlier, later in pairwise(updates))

    @pytest.mark.parametrize(("speed", "depth"), [("100ms", 100), ("20ms", 20)])
    def test_updates_join_a_snapshot_of_any_moment(self, speed: str, depth: int) -> None:
        """It is taken between two updates, on purpose: the next one covers ids on both sides of it."""
        straddled = 0
        for moment in range(30):
            bench = Bench()
            bench.exchange.quicken(20)
            bench.connect()
            assert len(bench.ask("spot.order_book_update", ["BTC_USDT", speed])) == 1
            pushes = bench.pushes(SECOND + moment * 7 * MS)
            path = f"/spot/order_book?currency_pair=BTC_USDT&limit={depth}&with_id=true"
            snapshot = bench.body(path)
            pushes += bench.pushes(SECOND // 2)
            bench.exchange.freeze()
            pushes += bench.pushes(SECOND // 2)
            book = PlainBook(depth, snapshot["bids"], snapshot["asks"], snapshot["id"])
            first, *rest = [push["result"] for push in pushes if push["result"]["u"] > snapshot["id"]]
            straddled += first["U"] <= snapshot["id"]
            book.apply(first, is_joining=True)
            for update in rest:
                book.apply(update)
            assert book.sides == true_sides(bench.exchange, depth)
        assert straddled > 2

    def test_every_update_states_its_market_and_depth(self) -> None:
        bench = Bench()
        bench.connect()
        bench.ask("spot.order_book_update", ["XRP_USDT", "100ms"])
        pushes = bench.pushes(5 * SECOND)
        assert pushes
        for push in pushes:
            assert push.keys() == {"time", "time_ms", "channel", "event", "result"}
            result = push["result"]
            assert result.keys() == {"t", "e", "E", "s", "l", "U", "u", "b", "a"}
            assert (result["e"], result["s"], result["l"], result["E"]) == (
                "depthUpdate", "XRP_USDT", "100", result["t"] // 1000,
            )  # fmt: skip

    def test_a_late_follower_gets_what_the_others_have(self) -> None:
        bench = Bench()
        bench.connect(1)
        bench.connect(2)
        bench.ask("spot.obu", ["ob.BTC_USDT.50"], client=1)
        bench.run(10 * SECOND + 7 * MS)
        _, full = bench.ask("spot.obu", ["ob.BTC_USDT.50"], client=2)
        pushes = [
            json.loads(out.frame)["result"] for out in bench.run(SECOND) if isinstance(out, Push) and out.client == 2
        ]
        assert pushes[0]["U"] == full["result"]["u"] + 1

    def test_a_full_push_may_come_first_and_again(self) -> None:
        bench = Bench(pushes_before_answer=True, full_push_every_ns=3 * SECOND)
        bench.connect()
        full, answer = bench.ask("spot.obu", ["ob.BTC_USDT.50"])
        assert full["result"]["full"] is True
        assert answer["result"] == {"status": "success"}
        bench.ask("spot.order_book_update", ["BTC_USDT", "100ms"])
        results = [push["result"] for push in bench.pushes(10 * SECOND)]
        for stream in ("ob.BTC_USDT.50", "BTC_USDT"):
            own = [result for result in results if result["s"] == stream]
            assert 3 <= sum("full" in result for result in own) <= 4
            for earlier, later in pairwise(own):
                assert "full" in later or later["U"] == earlier["u"] + 1

    def test_nothing_is_told_of_a_book_that_stands_still(self) -> None:
        bench = Bench()
        bench.connect()
        bench.ask("spot.obu", ["ob.BTC_USDT.50"])
        bench.ask("spot.order_book_update", ["BTC_USDT", "100ms"])
        bench.exchange.freeze()
        bench.run(SECOND)
        assert not bench.pushes(15 * SECOND)


class TestOtherChannels:
    def test_trades_come_one_by_one(self) -> None:
        bench = Bench()
        bench.connect()
        assert len(bench.ask("spot.trades", ["BTC_USDT", "XRP_USDT"])) == 1
        trades = [push["result"] for push in bench.pushes(30 * SECOND)]
        assert {trade["currency_pair"] for trade in trades} == {"BTC_USDT", "XRP_USDT"}
        assert {trade["side"] for trade in trades} == {"buy", "sell"}
        for trade in trades:
            assert int(Decimal(trade["create_time_ms"]) / 1000) == trade["create_time"]
            assert Decimal(trade["price"]) > 0 < Decimal(trade["amount"])

    def test_quotes_are_those_of_the_book_at_their_id(self) -> None:
        bench = Bench()
        bench.connect()
        bench.ask("spot.book_ticker", ["BTC_USDT"])
        seen = 0
        for _ in range(200):
            for push in bench.pushes(50 * MS):
                quote = push["result"]
                if quote["u"] == bench.exchange.last_id("BTC_USDT"):
                    ((bid, bids), (ask, asks)) = (
                        next(iter(side.items())) for side in true_sides(bench.exchange, 1).values()
                    )
                    assert [Decimal(quote[key]) for key in "bBaA"] == [bid, bids, ask, asks]
                    seen += 1
        assert seen > 10

    def test_pushes_about_a_book_bear_its_symbol_and_others_none(self) -> None:
        bench = Bench()
        bench.connect()
        for channel, payload in (
            ("spot.obu", ["ob.BTC_USDT.50"]), ("spot.order_book_update", ["BTC_USDT", "20ms"]),
            ("spot.trades", ["BTC_USDT"]), ("spot.book_ticker", ["BTC_USDT"]),
        ):  # fmt: skip
            bench.ask(channel, payload)
        seen = {
            (json.loads(out.frame)["channel"], out.symbol) for out in bench.run(20 * SECOND) if isinstance(out, Push)
        }
        assert seen == {
            ("spot.obu", "BTC_USDT"), ("spot.order_book_update", "BTC_USDT"),
            ("spot.trades", ""), ("spot.book_ticker", ""),
        }  # fmt: skip

    def test_a_ping_is_answered(self) -> None:
        bench = Bench()
        bench.connect()
        (pong,) = bench.send({"time": START_S, "channel": "spot.ping"})
        assert (pong["channel"], pong["event"], pong["result"], pong["time"]) == ("spot.pong", "", None, START_S)

    def test_an_upgrade_is_announced(self) -> None:
        bench = Bench()
        bench.connect()
        bench.simulator.announce_upgrade()
        (notice,) = bench.pushes(0)
        assert notice["type"] == "upgrade"
        assert "channel" not in notice


class TestRequests:
    def test_a_subscription_can_end(self) -> None:
        bench = Bench()
        bench.connect()
        bench.ask("spot.obu", ["ob.BTC_USDT.50"])
        (answer,) = bench.ask("spot.obu", ["ob.BTC_USDT.50"], "unsubscribe")
        assert (answer["event"], answer["result"]) == ("unsubscribe", {"status": "success"})
        assert not bench.pushes(5 * SECOND)
        answer, full = bench.ask("spot.obu", ["ob.BTC_USDT.50"])
        assert full["result"]["u"] == bench.exchange.last_id("BTC_USDT")

    def test_a_second_subscription_to_a_book_is_refused_and_harmless(self) -> None:
        bench = Bench()
        bench.connect()
        bench.ask("spot.obu", ["ob.BTC_USDT.50"])
        (refused,) = bench.ask("spot.obu", ["ob.BTC_USDT.50"])
        assert refused["error"] == {"code": 2, "message": "Alert sub ob.BTC_USDT.50"}
        assert refused["result"] == {"status": "fail"}
        assert bench.pushes(5 * SECOND)

    def test_an_unknown_market_is_refused_except_by_obu(self) -> None:
        bench = Bench()
        bench.connect()
        (answer,) = bench.ask("spot.obu", ["ob.NOPE_USDT.50"])
        assert answer["error"] is None
        for channel, payload in (
            ("spot.order_book_update", ["NOPE_USDT", "100ms"]), ("spot.trades", ["BTC_USDT", "NOPE_USDT"]),
        ):  # fmt: skip
            (answer,) = bench.ask(channel, payload)
            assert answer["error"] == {"code": 2, "message": "unknown currency pair NOPE_USDT"}
        assert not bench.pushes(5 * SECOND)

    @pytest.mark.parametrize(
        ("message", "code"),
        [
            ("{]", 1),
            (b"\xff\x00", 1),
            ("[" * 100_000, 1),
            ([], 1),
            ({"time": START_S}, 1),
            ({"time": START_S, "channel": 7}, 1),
            ({"time": START_S, "channel": "spot.trades", "payload": ["BTC_USDT"]}, 1),
            ({"time": START_S, "channel": "spot.trades", "event": "leap", "payload": ["BTC_USDT"]}, 1),
            ({"channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDT"]}, 2),
            ({"time": START_S - 61, "channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDT"]}, 2),
            ({"time": START_S + 61, "channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDT"]}, 2),
            ({"time": True, "channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDT"]}, 2),
            ({"time": START_S, "channel": "spot.trades", "event": "subscribe", "payload": "BTC_USDT"}, 2),
            ({"time": START_S, "channel": "spot.trades", "event": "subscribe", "payload": []}, 2),
            ({"time": START_S, "channel": "spot.trades", "event": "subscribe"}, 2),
            ({"time": START_S, "channel": "spot.nope", "event": "subscribe", "payload": ["BTC_USDT"]}, 2),
            ({"time": START_S, "channel": "spot.obu", "event": "subscribe", "payload": ["ob.BTC_USDT.7"]}, 2),
            ({"time": START_S, "channel": "spot.obu", "event": "subscribe", "payload": ["BTC_USDT"]}, 2),
            ({"time": START_S, "channel": "spot.order_book_update", "event": "subscribe", "payload": ["BTC_USDT"]}, 2),
            (
                {
                    "time": START_S,
                    "channel": "spot.order_book_update",
                    "event": "subscribe",
                    "payload": ["BTC_USDT", "1000ms"],
                },
                2,
            ),
        ],
    )
    def test_what_is_malformed_is_refused_by_its_code(self, message: Any, code: int) -> None:
        bench = Bench()
        bench.connect()
        (answer,) = bench.send(message)
        assert answer["error"]["code"] == code
        assert answer["error"]["message"]
        assert answer["result"] == {"status": "fail"}
        assert not bench.pushes(SECOND)

    def test_a_minute_off_is_near_enough(self) -> None:
        bench = Bench()
        bench.connect()
        for time_s in (START_S - 60, START_S + 60):
            (answer,) = bench.ask("spot.trades", ["BTC_USDT"], time=time_s)
            assert answer["error"] is None


class TestLimits:
    def test_pings_of_the_protocol_come(self) -> None:
        bench = Bench()
        bench.connect()
        assert len([out for out in bench.run(MINUTE) if isinstance(out, Ping)]) == 3

    def test_connections_are_limited(self) -> None:
        bench = Bench(connections_at_most=2)
        assert not bench.connect(1)
        assert not bench.connect(2)
        assert isinstance(bench.connect(3)[0], Hangup)
        bench.simulator.disconnected(1, bench.now_ns)
        assert not bench.connect(4)

    def test_nothing_is_served_elsewhere(self) -> None:
        bench = Bench()
        assert isinstance(bench.connect(path="/v3")[0], Hangup)
        assert bench.get("/spot/nothing").status == 404
        request = HttpRequest("GET", "/spot/time", {}, b"")
        assert bench.simulator.requested(request, bench.now_ns).status == 404

    def test_an_endpoint_may_be_asked_200_times_in_10_seconds(self) -> None:
        bench = Bench()
        replies = [bench.get("/spot/time") for _ in range(201)]
        assert [reply.status for reply in replies] == [200] * 200 + [429]
        assert replies[0].headers == {
            "X-Gate-RateLimit-Requests-Remain": "199",
            "X-Gate-RateLimit-Limit": "200",
            "X-Gate-RateLimit-Reset-Timestamp": str(START_S + 10),
        }
        assert json.loads(replies[-1].body)["label"] == "TOO_MANY_REQUESTS"
        assert replies[-1].headers["X-Gate-RateLimit-Requests-Remain"] == "0"
        assert bench.get("/spot/currency_pairs").status == 200
        bench.now_ns += 10 * SECOND
        assert bench.get("/spot/time").status == 200


class TestRest:
    def test_time_and_markets(self) -> None:
        bench = Bench()
        bench.exchange.delist("XRP_USDT")
        assert bench.body("/spot/time") == {"server_time": START_NS // MS}
        btc, xrp = bench.body("/spot/currency_pairs")
        assert bench.body("/spot/currency_pairs/BTC_USDT") == btc
        assert (btc["id"], btc["base"], btc["quote"]) == ("BTC_USDT", "BTC", "USDT")
        assert (btc["precision"], btc["amount_precision"]) == (1, 6)
        assert (btc["min_base_amount"], btc["min_quote_amount"]) == ("0.000001", "1")
        assert (xrp["min_base_amount"], xrp["min_quote_amount"]) == (None, None)
        assert (btc["trade_status"], xrp["trade_status"]) == ("tradable", "untradable")

    def test_a_snapshot_has_its_id_only_if_asked_for(self) -> None:
        bench = Bench()
        bench.run(SECOND)
        plain = bench.body("/spot/order_book?currency_pair=BTC_USDT")
        assert plain.keys() == {"current", "update", "asks", "bids"}
        assert (len(plain["bids"]), len(plain["asks"])) == (10, 10)
        numbered = bench.body("/spot/order_book?currency_pair=BTC_USDT&limit=3&with_id=true")
        assert numbered["id"] == bench.exchange.last_id("BTC_USDT")
        assert numbered["bids"] == plain["bids"][:3]
        assert not [number for level in plain["bids"] + plain["asks"] for number in level if number.endswith(".0")]

    @pytest.mark.parametrize(
        ("target", "label"),
        [
            ("/spot/order_book", "MISSING_REQUIRED_PARAM"),
            ("/spot/order_book?currency_pair=NOPE_USDT", "INVALID_CURRENCY_PAIR"),
            ("/spot/currency_pairs/NOPE_USDT", "INVALID_CURRENCY_PAIR"),
            ("/spot/order_book?currency_pair=BTC_USDT&limit=0", "INVALID_PARAM_VALUE"),
            ("/spot/order_book?currency_pair=BTC_USDT&limit=ten", "INVALID_PARAM_VALUE"),
            ("/spot/order_book?currency_pair=BTC_USDT&interval=1", "INVALID_PARAM_VALUE"),
        ],
    )
    def test_a_refusal_has_a_label(self, target: str, label: str) -> None:
        reply = Bench().get(target)
        assert reply.status == 400
        assert json.loads(reply.body)["label"] == label


class Remembering(GateioSimulator):
    """Knows also what its snapshots were, for a book that stands where a snapshot left it."""

    def __init__(self, exchange: SimulatedExchange, depth: int, **options: Any) -> None:
        super().__init__(exchange, **options)
        self.exchange = exchange
        self.depth = depth
        self.snapshots: dict[tuple[str, int], int] = {}

    def requested(self, request: HttpRequest, now_ns: int) -> HttpReply:
        reply = super().requested(request, now_ns)
        for symbol in self.exchange.symbols:
            picture = self.exchange.book(symbol, self.depth)
            self.snapshots[symbol, picture.last_id] = digest_of(picture.bids, picture.asks)
        return reply


def joined(book_channel: str = OBU, simulated: dict[str, Any] | None = None, **options: Any) -> OneVenue:
    """The truth is the window that the stream shows of the book."""
    kind, _, variant = book_channel.partition(".")

    def truth(symbol: str, update_id: int) -> int:
        simulator = venue.simulator
        assert isinstance(simulator, Remembering)
        known = simulator.snapshots.get((symbol, update_id)) if kind == "order_book_update" else None
        return known or simulator.window(f"spot.{kind}", symbol, variant).state_digest(update_id)

    def simulate(exchange: SimulatedExchange) -> Remembering:
        return Remembering(exchange, 20 if variant == "20ms" else 100, **(simulated or {}))

    options = {"depth": 120} | options
    venue = OneVenue("gateio", simulate, truth, book_channel=book_channel, **options)
    return venue


def gateio(book_channel: str = OBU, **options: Any) -> OneVenue:
    venue = joined(book_channel, **options)
    venue.start(STARTED_WITHIN_NS)
    venue.run(5 * SECOND)
    return venue


both = pytest.mark.parametrize("channel", [OBU, REST])


class TestFollowed:
    """Our machine on the simulator, in memory; every told event is compared with the true book."""

    @pytest.mark.parametrize("channel", [OBU, "obu.400", REST, "order_book_update.20ms"])
    @pytest.mark.parametrize("seed", range(3))
    def test_every_book_is_the_true_one_from_the_start(self, seed: int, channel: str) -> None:
        venue = joined(channel, seed=seed)
        venue.start(STARTED_WITHIN_NS)
        venue.run(MINUTE)
        assert venue.compared > 100
        assert len(venue.told(Trade)) > 100
        assert len(venue.told(Subscribed)) == 2 * len(venue.symbols)
        assert not venue.told(Refused)
        venue.settle()

    def test_books_start_at_once_without_a_request(self) -> None:
        venue = joined()
        assert venue.start(SECOND) < 100 * MS
        assert not venue.asked("order_book")

    def test_a_full_push_before_its_answer_is_taken(self) -> None:
        venue = joined(simulated={"pushes_before_answer": True})
        assert venue.start(SECOND) < 100 * MS
        venue.settle()

    @both
    def test_full_pushes_at_any_time_are_taken(self, channel: str) -> None:
        venue = gateio(channel, simulated={"full_push_every_ns": 2 * SECOND})
        since_ns = venue.now_ns
        venue.run(20 * SECOND)
        assert not venue.ever_turned(since_ns)
        venue.settle()

    @both
    @pytest.mark.parametrize("fault", ["gap", "reorder"])
    def test_a_gap_takes_one_book_out_at_once_and_it_comes_back(self, fault: str, channel: str) -> None:
        broken_feeds.lost_by_a_gap_and_found_again(gateio(channel), fault)

    def test_a_gap_is_mended_by_subscribing_anew_to_that_book_alone(self) -> None:
        venue = gateio()
        sent = len(venue.venue.sent)
        broken_feeds.lost_by_a_gap_and_found_again(venue)
        requests = [sent.message for sent in venue.venue.sent[sent:] if sent.message["channel"] != "spot.ping"]
        assert [(request["event"], request["payload"]) for request in requests] == [
            ("unsubscribe", ["ob.BTC_USDT.50"]),
            ("subscribe", ["ob.BTC_USDT.50"]),
        ]
        assert not venue.told(Refused)

    @both
    def test_duplicates_do_no_harm(self, channel: str) -> None:
        broken_feeds.unharmed_by(gateio(channel), "duplicate")

    @both
    def test_a_delay_does_no_harm_below_the_limit(self, channel: str) -> None:
        broken_feeds.unharmed_by(gateio(channel), "delay", ns=3 * SECOND)

    @both
    @pytest.mark.parametrize("fault", ["loss", "reorder"])
    def test_no_book_is_ever_wrong_on_a_bad_line(self, fault: str, channel: str) -> None:
        broken_feeds.never_wrong_and_live_again(gateio(channel), fault, 35 * SECOND, probability=0.2)

    @both
    @pytest.mark.parametrize("fault", ["corrupt", "garbage"])
    def test_no_book_is_ever_wrong_on_a_noisy_line(self, fault: str, channel: str) -> None:
        broken_feeds.never_wrong_and_live_again(gateio(channel), fault, 35 * SECOND, probability=0.1, count=0)

    @both
    @pytest.mark.parametrize("fault", ["corrupt", "garbage"])
    def test_a_frame_that_means_nothing_is_rejected(self, fault: str, channel: str) -> None:
        broken_feeds.rejects_what_means_nothing(gateio(channel), fault)

    @both
    def test_a_silent_book_goes_stale(self, channel: str) -> None:
        broken_feeds.one_silent_book_goes_stale(gateio(channel))

    @pytest.mark.parametrize("fault", ["silent", "half_open"])
    def test_a_dead_connection_is_replaced(self, fault: str) -> None:
        broken_feeds.a_dead_connection_is_replaced(gateio(), fault, SILENCE_NS)

    @both
    @pytest.mark.parametrize("fault", ["disconnect", "cut"])
    def test_books_are_lost_with_their_connection(self, fault: str, channel: str) -> None:
        broken_feeds.lost_with_the_connection(gateio(channel), fault)

    def test_a_refused_connection_is_tried_ever_more_rarely(self) -> None:
        broken_feeds.backs_off_from_a_refusal(gateio())

    def test_frozen_books_are_stale(self) -> None:
        venue = gateio()
        broken_feeds.stale_while_frozen(venue, venue.freshness.silent_ns, "no frame for 30.")

    def test_a_frame_repeated_for_ever_is_no_sign_of_life(self) -> None:
        venue = gateio()
        broken_feeds.stale_while_frozen(venue, venue.freshness.silent_ns, "no frame for 30.", replay=True)

    def test_whole_books_repeated_for_ever_are_no_sign_of_life(self) -> None:
        venue = gateio(simulated={"full_push_every_ns": SECOND})
        broken_feeds.stale_while_frozen(venue, venue.freshness.frozen_ns, "no level changed for 120.")

    @both
    def test_a_crossed_book_is_out_until_it_is_right(self, channel: str) -> None:
        broken_feeds.taken_out_while_crossed(gateio(channel))

    @pytest.mark.parametrize(("status", "retry_after"), [(429, 30), (503, 20)])
    def test_a_refusal_by_rate_is_obeyed(self, status: int, retry_after: int) -> None:
        broken_feeds.obeys_a_refusal_by_rate(gateio(REST), "/spot/order_book", status, retry_after)

    def test_the_venues_own_refusal_by_rate_is_waited_out(self) -> None:
        """Five snapshots in ten seconds, say: the sixth is refused. The venue does not say for how long, so the machine
        stays away for a minute."""
        venue = gateio(REST, simulated={"requests_per_10s": 5})
        for symbol in venue.symbols:
            venue.lane.resync(symbol, "for the sake of a request")
        venue.run(SECOND)
        assert venue.not_live == [venue.instruments[2]]
        assert venue.status.breaker_reason == "/api/v4/spot/order_book answered 429"
        asked = len(venue.venue.asked)
        venue.run(58 * SECOND)
        assert len(venue.venue.asked) == asked
        venue.until_live(2 * SECOND)
        assert venue.status.breaker_reason == ""
        venue.settle()

    def test_failing_snapshots_are_borne(self) -> None:
        broken_feeds.bears_with_failing_snapshots(gateio(REST), "/spot/order_book")

    def test_a_slow_snapshot_is_waited_for(self) -> None:
        broken_feeds.waits_for_a_slow_snapshot(gateio(REST))

    @both
    def test_a_delisted_market_harms_no_other(self, channel: str) -> None:
        broken_feeds.a_delisted_market_harms_no_other(gateio(channel))

    @pytest.mark.parametrize("offset_ns", [30 * SECOND, -30 * SECOND])
    def test_a_skewed_clock_is_measured(self, offset_ns: int) -> None:
        broken_feeds.measures_a_skewed_clock(gateio(), offset_ns)

    @both
    def test_a_changed_tick_leaves_the_book_right(self, channel: str) -> None:
        broken_feeds.unharmed_by(gateio(channel), "change_tick", symbol="BTC_USDT", tick="0.5")

    def test_a_snapshot_older_than_the_stream_is_asked_for_again(self) -> None:
        venue = gateio(REST, simulated={"snapshot_kept_ns": 10 * SECOND})
        since_ns = venue.now_ns
        venue.lane.switch_on("disconnect")
        venue.until(lambda: len(venue.not_live) == len(venue.symbols), SECOND)
        assert venue.until_live(10 * SECOND) > 5 * SECOND
        assert len(venue.asked("order_book", since_ns)) == 3 * len(venue.symbols)
        venue.settle()

    @both
    def test_a_market_that_the_venue_does_not_have_harms_no_other(self, channel: str) -> None:
        venue = joined(channel, absent="ETH/USDT")
        venue.run(STARTED_WITHIN_NS)
        assert venue.not_live == ["ETH/USDT"]
        since_ns = venue.now_ns
        venue.run(MINUTE)
        assert not venue.ever_turned(since_ns)
        refusals = venue.told(Refused)
        assert {refusal.instrument for refusal in refusals} == {"ETH/USDT"}
        assert all("unknown currency pair ETH_USDT" in refusal.reason for refusal in refusals)
        assert len(refusals) <= 10
        assert len([sent for sent in venue.venue.sent if "ETH" in str(sent.message)]) <= 20

    @both
    def test_fifty_symbols_start_within_the_budgets(self, channel: str) -> None:
        venue = joined(channel, listings=made_up(50, "{}_{}"), depth=30)
        venue.start(STARTED_WITHIN_NS)
        venue.run(SECOND)
        assert len(venue.asked("order_book")) == (50 if channel == REST else 0)
        assert len(venue.venue.sent) == 100
        assert {asked.reply.status for asked in venue.venue.asked} == {200}
        assert min(later.at_ns - earlier.at_ns for earlier, later in pairwise(venue.venue.sent)) >= 5 * MS
        venue.settle()

    def test_an_upgrade_that_is_announced_costs_no_book(self) -> None:
        venue = gateio()
        since_ns = venue.now_ns
        assert isinstance(venue.simulator, GateioSimulator)
        venue.simulator.announce_upgrade()
        venue.run(10 * SECOND)
        assert venue.status.connects == 2
        assert not venue.ever_turned(since_ns)
        venue.settle()

    def test_a_clock_that_is_a_minute_off_is_said_to_be_why(self) -> None:
        venue = joined()
        venue.lane.switch_on("clock_skew", offset_ns=90 * SECOND)
        venue.run(5 * SECOND)
        assert len(venue.not_live) == len(venue.symbols)
        assert venue.told(Refused)
        assert all("not within 60 s" in refused.reason for refused in venue.told(Refused))
        assert venue.status.clock_offset_ns == pytest.approx(90 * SECOND, abs=5 * MS)

    @both
    @pytest.mark.parametrize("seed", range(2))
    def test_no_book_is_ever_wrong_whatever_breaks(self, seed: int, channel: str) -> None:
        broken_feeds.survives_anything(gateio(channel, seed=seed), seed)
