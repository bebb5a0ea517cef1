"""Binance, simulated: it speaks as the venue's documents say, and our machine keeps its books through every fault."""

import json
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from aggregator.domain.book import Health
from aggregator.domain.events import FrameRejected, Trade
from aggregator.domain.instrument import Instrument, Listing
from connectors.binance import MarketData
from connectors.binance.simulator import BinanceSimulator
from connectors.binance.simulator_rest import printed
from connectors.simulation.contract import Hangup, HttpReply, HttpRequest, Outgoing, Ping, Push
from connectors.simulation.exchange import SimulatedExchange
from tests.simulation import broken_feeds
from tests.simulation.markets import BTC, exchange
from tests.simulation.one_venue import MINUTE, MS, SECOND, START_NS, OneVenue, made_up

STARTED_WITHIN_NS = 2 * SECOND
SILENCE_NS = 60 * SECOND


class Bench:
    """A simulator, and one clock."""

    def __init__(self, **options: Any) -> None:
        self.exchange = exchange()
        self.simulator = BinanceSimulator(self.exchange, **options)
        self.now_ns = START_NS
        self.out: list[Outgoing] = []

    def connect(self, path: str = "/stream", client: int = 1) -> list[Outgoing]:
        return self._keep(self.simulator.connected(client, path, self.now_ns))

    def send(self, message: Any, client: int = 1) -> Any:
        """The answer."""
        frame = message if isinstance(message, str | bytes) else json.dumps(message)
        out = self._keep(self.simulator.received(client, frame, self.now_ns))
        answer = out[-1]
        return json.loads(answer.frame) if isinstance(answer, Push) else answer

    def subscribe(self, *streams: str, client: int = 1) -> None:
        assert self.send({"method": "SUBSCRIBE", "params": list(streams), "id": 1}, client) == {"result": None, "id": 1}

    def run(self, duration_ns: int) -> list[Outgoing]:
        """What comes in this time."""
        end_ns, out = self.now_ns + duration_ns, list[Outgoing]()
        while (wake_ns := self.simulator.wake_at_ns()) <= end_ns:
            self.now_ns = max(wake_ns, self.now_ns)
            out += self.simulator.woken(self.now_ns)
        self.now_ns = end_ns
        return self._keep(out)

    def pushes(self, duration_ns: int) -> list[Any]:
        return [json.loads(out.frame) for out in self.run(duration_ns) if isinstance(out, Push)]

    def get(self, target: str) -> HttpReply:
        return self.simulator.requested(HttpRequest("GET", target, {}, b""), self.now_ns)

    def _keep(self, out: list[Outgoing]) -> list[Outgoing]:
        self.out += out
        return out


class PlainBook:
    """A book of decimals, kept in the plainest way."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.last_id = snapshot["lastUpdateId"]
        self.sides = {letter: dict(snapshot[name]) for letter, name in (("b", "bids"), ("a", "asks"))}

    def apply(self, diff: dict[str, Any]) -> None:
        assert diff["U"] == self.last_id + 1
        self.last_id = diff["u"]
        for letter, side in self.sides.items():
            for price, quantity in diff[letter]:
                side[price] = quantity
                if not Decimal(quantity):
                    del side[price]


def body(reply: HttpReply) -> Any:
    return json.loads(reply.body)


def true_sides(exchange: SimulatedExchange, symbol: str, instrument: Instrument) -> dict[str, dict[str, str]]:
    """With eight decimals."""
    picture = exchange.book(symbol)
    return {
        letter: {
            f"{Decimal(instrument.show_price(price)):.8f}": f"{Decimal(instrument.show_quantity(quantity)):.8f}"
            for price, quantity in zip(*side, strict=True)
        }
        for letter, side in (("b", picture.bids), ("a", picture.asks))
    }


class TestStreams:
    def test_diffs_join_a_snapshot_and_make_the_true_book(self) -> None:
        bench = Bench()
        bench.connect()
        bench.subscribe("btcusdt@depth@100ms")
        diffs = [push["data"] for push in bench.pushes(1_050 * MS)]
        book = PlainBook(body(bench.get("/api/v3/depth?symbol=BTCUSDT&limit=5000")))
        diffs += [push["data"] for push in bench.pushes(20 * SECOND)]
        bench.exchange.freeze()
        diffs += [push["data"] for push in bench.pushes(SECOND)]
        first, *later = [diff for diff in diffs if diff["u"] > book.last_id]
        assert first["U"] <= book.last_id + 1 <= first["u"]
        book.last_id = first["U"] - 1
        for diff in (first, *later):
            book.apply(diff)
            assert (diff["e"], diff["s"], diff["E"] % 100) == ("depthUpdate", "BTCUSDT", 0)
        assert len(later) > 50
        assert book.sides == true_sides(bench.exchange, "BTCUSDT", BTC)

    def test_each_speed_tells_the_same_and_leaves_out_nothing(self) -> None:
        bench = Bench()
        bench.connect()
        bench.subscribe("btcusdt@depth@100ms", "btcusdt@depth")
        fast: dict[str, Any] = {}
        slow: dict[str, Any] = {}
        for push in bench.pushes(30 * SECOND):
            diffs = slow if push["stream"] == "btcusdt@depth" else fast
            diff = push["data"]
            assert not diffs or diff["U"] == diffs["u"] + 1
            period_ms = 1000 if diffs is slow else 100
            assert diff["E"] % period_ms == 0
            diffs |= {"u": diff["u"], "count": diffs.get("count", 0) + 1}
        assert slow["u"] == fast["u"]
        assert 20 <= slow["count"] <= 30 < fast["count"] <= 300

    def test_nothing_is_sent_of_a_book_that_stands_still(self) -> None:
        bench = Bench()
        bench.connect()
        bench.subscribe("btcusdt@depth@100ms", "btcusdt@trade", "btcusdt@bookTicker")
        bench.exchange.freeze()
        bench.run(SECOND)
        assert not bench.pushes(15 * SECOND)

    def test_trades_say_who_crossed_the_spread(self) -> None:
        bench = Bench()
        bench.connect("/ws")
        bench.subscribe("btcusdt@trade")
        trades = bench.pushes(30 * SECOND)
        assert trades
        for trade in trades:
            assert trade.keys() == {"e", "E", "s", "t", "p", "q", "T", "m", "M"}
            assert trade["e"] == "trade"
            assert trade["E"] >= trade["T"]
        ids = [trade["t"] for trade in trades]
        assert ids == sorted(set(ids))
        assert {trade["m"] for trade in trades} == {True, False}

    def test_the_best_quotes_are_those_of_the_book_at_their_id(self) -> None:
        bench = Bench()
        bench.connect()
        bench.subscribe("btcusdt@bookTicker")
        seen = 0
        for _ in range(300):
            for push in bench.pushes(50 * MS):
                quote = push["data"]
                if quote["u"] != bench.exchange.last_id("BTCUSDT"):
                    continue
                sides = true_sides(bench.exchange, "BTCUSDT", BTC)
                bid, ask = max(sides["b"], key=Decimal), min(sides["a"], key=Decimal)
                expected = {"b": bid, "B": sides["b"][bid], "a": ask, "A": sides["a"][ask]}
                assert quote == {"u": quote["u"], "s": "BTCUSDT", **expected}
                seen += 1
        assert seen > 20

    def test_only_the_combined_path_wraps(self) -> None:
        bench = Bench()
        bench.connect("/ws/btcusdt@depth@100ms", 1)
        bench.connect("/stream?streams=btcusdt@depth@100ms/xrpusdt@trade", 2)
        seen = {1: set[str](), 2: set[str]()}
        for out in bench.run(20 * SECOND):
            if isinstance(out, Push):
                message = json.loads(out.frame)
                seen[out.client].add(message["stream"] if "stream" in message else message["e"])
        assert seen == {1: {"depthUpdate"}, 2: {"btcusdt@depth@100ms", "xrpusdt@trade"}}

    def test_pushes_about_a_book_bear_its_symbol_and_others_none(self) -> None:
        bench = Bench()
        bench.connect()
        bench.subscribe("btcusdt@depth@100ms", "btcusdt@trade", "btcusdt@bookTicker")
        for out in bench.run(20 * SECOND):
            if isinstance(out, Push):
                assert out.symbol == ("BTCUSDT" if '"depthUpdate"' in str(out.frame) else "")

    def test_a_client_that_left_hears_nothing_more(self) -> None:
        bench = Bench()
        bench.connect()
        bench.subscribe("btcusdt@depth@100ms")
        bench.run(SECOND)
        bench.simulator.disconnected(1, bench.now_ns)
        assert not bench.run(MINUTE)

    def test_a_shutdown_is_announced(self) -> None:
        bench = Bench()
        bench.connect("/stream", 1)
        bench.connect("/ws", 2)
        bench.simulator.announce_shutdown()
        wrapped, bare = bench.pushes(0)
        assert wrapped == {"stream": "!serverShutdown", "data": bare}
        assert bare == {"e": "serverShutdown", "E": START_NS // MS}


class TestRequests:
    def test_subscriptions_are_listed_and_ended(self) -> None:
        bench = Bench()
        bench.connect("/stream?streams=btcusdt@trade")
        bench.subscribe("btcusdt@depth@100ms", "btcusdt@depth@100ms")
        listed = {"method": "LIST_SUBSCRIPTIONS", "id": "a1"}
        assert bench.send(listed) == {"result": ["btcusdt@trade", "btcusdt@depth@100ms"], "id": "a1"}
        assert bench.send({"method": "UNSUBSCRIBE", "params": ["btcusdt@depth@100ms"], "id": 2})["result"] is None
        assert bench.send(listed)["result"] == ["btcusdt@trade"]
        assert {push["stream"] for push in bench.pushes(20 * SECOND)} == {"btcusdt@trade"}

    def test_a_stream_that_does_not_exist_is_accepted_and_silent(self) -> None:
        bench = Bench()
        bench.connect()
        bench.subscribe("nopeusdt@depth@100ms", "btcusdt@noSuchThing", "BTCUSDT@trade")
        assert not bench.pushes(15 * SECOND)

    @pytest.mark.parametrize(
        ("request_", "code"),
        [
            ("{]", 3),
            (b"\xff\xfe\x00", 3),
            ("[" * 100_000, 3),
            ([], 2),
            ({}, 2),
            ({"method": "JUMP", "id": 7}, 2),
            ({"method": "SUBSCRIBE", "id": 7}, 2),
            ({"method": "SUBSCRIBE", "params": [], "id": 7}, 2),
            ({"method": "SUBSCRIBE", "params": "btcusdt@trade", "id": 7}, 2),
            ({"method": "SUBSCRIBE", "params": [1], "id": 7}, 2),
            ({"method": "SUBSCRIBE", "params": ["no such name"], "id": 7}, 2),
            ({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": True}, 2),
            ({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": "x" * 37}, 2),
            ({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 2**63}, 2),
            ({"method": "GET_PROPERTY", "params": [], "id": 7}, 2),
            ({"method": "GET_PROPERTY", "params": ["colour"], "id": 7}, 0),
            ({"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 7}, 1),
        ],
    )
    def test_what_is_malformed_is_refused_by_its_code(self, request_: Any, code: int) -> None:
        bench = Bench()
        bench.connect()
        answer = bench.send(request_)
        assert answer["code"] == code
        assert answer["msg"].startswith("Invalid request: ")
        assert answer.get("id") == (7 if isinstance(request_, dict) and request_.get("id") == 7 else None)
        assert bench.send({"method": "LIST_SUBSCRIPTIONS", "id": 8}) == {"result": [], "id": 8}

    def test_wrapping_can_be_switched(self) -> None:
        bench = Bench()
        bench.connect("/ws/btcusdt@depth@100ms")
        assert bench.send({"method": "GET_PROPERTY", "params": ["combined"], "id": 1})["result"] is False
        assert bench.send({"method": "SET_PROPERTY", "params": ["combined", True], "id": 2})["result"] is None
        assert all("stream" in push for push in bench.pushes(10 * SECOND))


class TestLimits:
    def test_a_sixth_message_within_a_second_ends_the_connection(self) -> None:
        bench = Bench()
        bench.connect()
        for number in range(5):
            assert bench.send({"method": "LIST_SUBSCRIPTIONS", "id": number})["result"] == []
            bench.now_ns += 100 * MS
        assert isinstance(bench.send({"method": "LIST_SUBSCRIPTIONS", "id": 6}), Hangup)
        assert bench.simulator.received(1, "{}", bench.now_ns) == []

    def test_five_in_every_second_are_allowed(self) -> None:
        bench = Bench()
        bench.connect()
        for number in range(50):
            assert bench.send({"method": "LIST_SUBSCRIPTIONS", "id": number})["result"] == []
            bench.now_ns += 200 * MS

    def test_pings_come_every_20_seconds(self) -> None:
        bench = Bench()
        bench.connect()
        times = []
        for _ in range(120):
            times += [bench.now_ns // SECOND for out in bench.run(SECOND) if isinstance(out, Ping)]
        assert [later - earlier for earlier, later in pairwise(times)] == [20] * 5

    def test_a_connection_lives_for_24_hours(self) -> None:
        bench = Bench(life_ns=MINUTE)
        bench.connect()
        out = bench.run(2 * MINUTE)
        assert [one for one in out if isinstance(one, Hangup)] == [Hangup(1, 1001, "connected for 60 s")]
        default = BinanceSimulator(exchange(mean_wait_ns=60 * MINUTE))
        default.connected(1, "/ws", START_NS)
        assert not [out for out in default.woken(START_NS + 24 * 60 * MINUTE - 1) if isinstance(out, Hangup)]
        assert [out for out in default.woken(START_NS + 24 * 60 * MINUTE) if isinstance(out, Hangup)]

    def test_streams_and_connections_are_limited(self) -> None:
        bench = Bench(streams_at_most=3, connections_per_5m=4)
        bench.connect("/stream?streams=a@trade/b@trade")
        assert bench.send({"method": "SUBSCRIBE", "params": ["c@trade", "d@trade"], "id": 1})["code"] == 2
        bench.subscribe("c@trade", "a@trade")
        assert isinstance(bench.connect("/stream?streams=a@trade/b@trade/c@trade/d@trade", 2)[-1], Hangup)
        assert not bench.connect("/ws", 3)
        assert not bench.connect("/ws", 4)
        assert isinstance(bench.connect("/ws", 5)[-1], Hangup)
        bench.now_ns += 300 * SECOND
        assert not [out for out in bench.connect("/ws", 6) if isinstance(out, Hangup)]

    def test_nothing_is_served_elsewhere(self) -> None:
        bench = Bench()
        assert isinstance(bench.connect("/ws-api/v2")[-1], Hangup)
        assert bench.get("/api/v1/depth").status == 404


class TestRest:
    def test_time_and_ping(self) -> None:
        bench = Bench()
        bench.now_ns += 1_234_567_890
        assert body(bench.get("/api/v3/time")) == {"serverTime": START_NS // MS + 1234}
        assert bench.get("/api/v3/ping").body == b"{}"

    def test_the_market_list_states_the_rules(self) -> None:
        bench = Bench()
        rows = {row["symbol"]: row for row in body(bench.get("/api/v3/exchangeInfo"))["symbols"]}
        assert rows.keys() == {"BTCUSDT", "XRPUSDT"}
        btc = rows["BTCUSDT"]
        assert (btc["baseAsset"], btc["quoteAsset"], btc["status"]) == ("BTC", "USDT", "TRADING")
        filters = {rule["filterType"]: rule for rule in btc["filters"]}
        assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
        assert filters["LOT_SIZE"]["stepSize"] == filters["LOT_SIZE"]["minQty"] == "0.00001000"
        assert filters["NOTIONAL"]["minNotional"] == "10.00000000"

    def test_a_market_that_ends_is_on_a_break(self) -> None:
        bench = Bench()
        bench.exchange.delist("BTCUSDT")
        (row,) = body(bench.get("/api/v3/exchangeInfo?symbol=BTCUSDT"))["symbols"]
        assert row["status"] == "BREAK"
        rows = body(bench.get('/api/v3/exchangeInfo?symbols=["XRPUSDT","BTCUSDT"]'))["symbols"]
        assert [row["symbol"] for row in rows] == ["XRPUSDT", "BTCUSDT"]

    @pytest.mark.parametrize(
        ("target", "code"),
        [
            ("/api/v3/depth?symbol=NOPE", -1121),
            ("/api/v3/depth?symbol=btcusdt", -1121),
            ("/api/v3/depth", -1102),
            ("/api/v3/depth?symbol=BTCUSDT&limit=many", -1100),
            ("/api/v3/depth?symbol=BTCUSDT&limit=0", -1100),
            ("/api/v3/exchangeInfo?symbol=NOPE", -1121),
            ("/api/v3/exchangeInfo?symbols=NOPE", -1100),
            ("/api/v3/exchangeInfo?symbols=5", -1100),
        ],
    )
    def test_a_refusal_says_why(self, target: str, code: int) -> None:
        reply = Bench().get(target)
        assert reply.status == 400
        assert body(reply)["code"] == code
        assert body(reply)["msg"]

    @pytest.mark.parametrize(
        ("query", "levels", "weight"),
        [("", 40, 5), ("&limit=5", 5, 5), ("&limit=101", 40, 25), ("&limit=1000", 40, 50), ("&limit=9999", 40, 250)],
    )
    def test_a_snapshot_weighs_by_its_depth(self, query: str, levels: int, weight: int) -> None:
        bench = Bench()
        reply = bench.get(f"/api/v3/depth?symbol=BTCUSDT{query}")
        assert reply.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)
        snapshot = body(reply)
        assert len(snapshot["bids"]) == pytest.approx(levels, abs=10 if levels == 40 else 0)
        assert all(len(number.partition(".")[2]) == 8 for level in snapshot["bids"] for number in level)

    def test_who_asks_too_much_is_refused_and_who_goes_on_is_banned(self) -> None:
        bench = Bench()
        replies = [bench.get("/api/v3/depth?symbol=BTCUSDT&limit=5000") for _ in range(25)]
        assert [reply.status for reply in replies] == [200] * 24 + [429]
        assert replies[-1].headers["Retry-After"] == "20"
        assert body(replies[-1])["code"] == -1003
        assert [bench.get("/api/v3/time").status for _ in range(6)] == [429] * 5 + [418]
        banned = bench.get("/api/v3/time")
        assert (banned.status, banned.headers["Retry-After"]) == (418, "120")
        bench.now_ns += 119 * SECOND
        assert bench.get("/api/v3/time").status == 418
        bench.now_ns += SECOND
        assert bench.get("/api/v3/time").headers["X-MBX-USED-WEIGHT-1M"] == "1"

    def test_who_waits_is_served_again(self) -> None:
        bench = Bench(weight_per_minute=1)
        assert [bench.get("/api/v3/ping").status for _ in range(2)] == [200, 429]
        bench.now_ns = (bench.now_ns // MINUTE + 1) * MINUTE
        assert bench.get("/api/v3/ping").status == 200

    def test_snapshots_can_be_late(self) -> None:
        bench = Bench(snapshot_kept_ns=5 * SECOND)
        first, last_id = bench.get("/api/v3/depth?symbol=BTCUSDT"), bench.exchange.last_id("BTCUSDT")
        bench.run(4 * SECOND)
        assert bench.get("/api/v3/depth?symbol=BTCUSDT").body == first.body
        assert bench.exchange.last_id("BTCUSDT") > last_id
        bench.run(SECOND)
        assert bench.get("/api/v3/depth?symbol=BTCUSDT").body != first.body


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1_234_500, 4, "123.45000000"),
        (10**10, 18, "0.00000001"),
        (0, 18, "0.00000000"),
        (123456789 * 10**10, 18, "1.23456789"),
        (7, 8, "0.00000007"),
        (10**37, 36, "10.00000000"),
    ],
)
def test_numbers_have_eight_decimals(value: int, decimals: int, text: str) -> None:
    assert printed(value, decimals) == text


def test_what_cannot_be_printed_so_is_refused() -> None:
    fine = Listing("binance", "BTCUSDT", Instrument("BTC/USDT", "BTC", "USDT", 18, 18), tick=1, lot=10**13)
    with pytest.raises(ValueError, match="8"):
        BinanceSimulator(SimulatedExchange("binance", [fine], 1, START_NS))


def binance(simulate: Callable[[SimulatedExchange], BinanceSimulator] = BinanceSimulator, **options: Any) -> OneVenue:
    venue = OneVenue("binance", simulate, **options)
    venue.start(STARTED_WITHIN_NS)
    venue.run(5 * SECOND)
    return venue


def lives(life_ns: int) -> Callable[[str | None], MarketData]:
    class ShortLived(MarketData):
        habits = MarketData.habits._replace(life_ns=life_ns)

    return lambda book_channel: ShortLived(book_channel or "depth@100ms")


class TestFollowed:
    """Our machine on the simulator, in memory; every told event is compared with the true book."""

    @pytest.mark.parametrize("channel", ["depth@100ms", "depth"])
    @pytest.mark.parametrize("seed", range(5))
    def test_every_book_is_the_true_one_from_the_start(self, seed: int, channel: str) -> None:
        venue = OneVenue("binance", BinanceSimulator, seed=seed, book_channel=channel)
        venue.start(5 * SECOND)
        venue.run(MINUTE)
        assert venue.compared > 100
        assert len(venue.told(Trade)) > 100
        venue.settle()

    def test_the_same_seed_gives_the_same_run(self) -> None:
        runs = [binance(seed=3) for _ in range(2)]
        assert runs[0].events == runs[1].events
        assert runs[0].events != binance(seed=4).events

    @pytest.mark.parametrize("fault", ["gap", "reorder"])
    def test_a_gap_takes_one_book_out_at_once_and_it_comes_back(self, fault: str) -> None:
        broken_feeds.lost_by_a_gap_and_found_again(binance(), fault)

    def test_duplicates_do_no_harm(self) -> None:
        broken_feeds.unharmed_by(binance(), "duplicate")

    def test_a_delay_does_no_harm_below_the_limit(self) -> None:
        broken_feeds.unharmed_by(binance(), "delay", ns=3 * SECOND)

    def test_books_too_far_behind_are_stale(self) -> None:
        venue = binance()
        venue.lane.switch_on("delay", ns=15 * SECOND)
        venue.run(20 * SECOND)
        assert all("behind" in venue.reason(name) for name in venue.instruments), venue.described()
        venue.lane.switch_off("delay")
        venue.until_live(20 * SECOND)
        venue.settle()

    @pytest.mark.parametrize("fault", ["loss", "reorder"])
    def test_no_book_is_ever_wrong_on_a_bad_line(self, fault: str) -> None:
        broken_feeds.never_wrong_and_live_again(binance(), fault, 35 * SECOND, probability=0.2)

    @pytest.mark.parametrize("fault", ["corrupt", "garbage"])
    def test_no_book_is_ever_wrong_on_a_noisy_line(self, fault: str) -> None:
        broken_feeds.never_wrong_and_live_again(binance(), fault, 35 * SECOND, probability=0.1, count=0)

    @pytest.mark.parametrize("fault", ["corrupt", "garbage"])
    def test_a_frame_that_means_nothing_is_rejected(self, fault: str) -> None:
        broken_feeds.rejects_what_means_nothing(binance(), fault)

    def test_a_silent_book_goes_stale(self) -> None:
        broken_feeds.one_silent_book_goes_stale(binance())

    @pytest.mark.parametrize("fault", ["silent", "half_open"])
    def test_a_dead_connection_is_replaced(self, fault: str) -> None:
        broken_feeds.a_dead_connection_is_replaced(binance(), fault, SILENCE_NS)

    @pytest.mark.parametrize("fault", ["disconnect", "cut"])
    def test_books_are_lost_with_their_connection(self, fault: str) -> None:
        broken_feeds.lost_with_the_connection(binance(), fault)

    def test_a_refused_connection_is_tried_ever_more_rarely(self) -> None:
        broken_feeds.backs_off_from_a_refusal(binance())

    def test_frozen_books_are_stale(self) -> None:
        venue = binance()
        broken_feeds.stale_while_frozen(venue, venue.freshness.silent_ns, "no frame for 10.")

    def test_a_frame_repeated_for_ever_is_no_sign_of_life(self) -> None:
        venue = binance()
        broken_feeds.stale_while_frozen(venue, venue.freshness.silent_ns, "no frame for 10.", replay=True)

    def test_a_crossed_book_is_out_until_it_is_right(self) -> None:
        broken_feeds.taken_out_while_crossed(binance())

    @pytest.mark.parametrize(("status", "retry_after"), [(429, 30), (418, 120), (503, 20)])
    def test_a_refusal_by_rate_is_obeyed(self, status: int, retry_after: int) -> None:
        broken_feeds.obeys_a_refusal_by_rate(binance(), "/api/v3/depth", status, retry_after)

    def test_failing_snapshots_are_borne(self) -> None:
        broken_feeds.bears_with_failing_snapshots(binance(), "/api/v3/depth")

    def test_a_slow_snapshot_is_waited_for(self) -> None:
        broken_feeds.waits_for_a_slow_snapshot(binance())

    def test_a_delisted_market_harms_no_other(self) -> None:
        broken_feeds.a_delisted_market_harms_no_other(binance())

    def test_a_market_that_the_venue_does_not_have_harms_no_other(self) -> None:
        """Its streams are accepted and silent; its snapshot is refused, ever more rarely."""
        venue = OneVenue("binance", BinanceSimulator, absent="ETH/USDT")
        venue.run(STARTED_WITHIN_NS)
        assert venue.not_live == ["ETH/USDT"]
        since_ns = venue.now_ns
        venue.run(MINUTE)
        assert not venue.ever_turned(since_ns)
        assert {rejected.instrument for rejected in venue.told(FrameRejected)} == {"ETH/USDT"}
        assert all("Invalid symbol" in rejected.reason for rejected in venue.told(FrameRejected))
        assert len(venue.asked("ETHUSDT")) <= 6

    @pytest.mark.parametrize("offset_ns", [30 * SECOND, -30 * SECOND])
    def test_a_skewed_clock_is_measured(self, offset_ns: int) -> None:
        broken_feeds.measures_a_skewed_clock(binance(), offset_ns)

    def test_a_changed_tick_leaves_the_book_right(self) -> None:
        broken_feeds.unharmed_by(binance(), "change_tick", symbol="BTCUSDT", tick="0.5")

    def test_a_snapshot_older_than_the_stream_is_asked_for_again(self) -> None:
        venue = binance(lambda exchange: BinanceSimulator(exchange, snapshot_kept_ns=10 * SECOND))
        since_ns = venue.now_ns
        venue.lane.switch_on("disconnect")
        venue.until(lambda: len(venue.not_live) == len(venue.symbols), SECOND)
        assert venue.until_live(10 * SECOND) > 5 * SECOND
        assert len(venue.asked("limit=1000", since_ns)) == 3 * len(venue.symbols)
        venue.settle()

    def test_fifty_symbols_start_within_the_budgets(self) -> None:
        venue = OneVenue("binance", BinanceSimulator, listings=made_up(50))
        took_ns = venue.start(2 * SECOND)
        assert took_ns < 2 * SECOND
        assert len(venue.asked("/api/v3/depth")) == 50
        assert len(venue.venue.sent) == 1
        used = [int(asked.reply.headers["X-MBX-USED-WEIGHT-1M"]) for asked in venue.venue.asked]
        assert max(used) == 50 * 50 + 20 + 1  # snapshots, the market list, the clock
        assert venue.status.last_failure == ""

    def test_a_hundred_symbols_start_within_the_budgets_of_two_minutes(self) -> None:
        """Their snapshots weigh 5000, and 3000 may be used in a minute: the rest waits, and is asked for once."""
        venue = OneVenue("binance", BinanceSimulator, listings=made_up(100), depth=10, mean_wait_ns=SECOND)
        venue.run(30 * SECOND)
        assert len(venue.asked("/api/v3/depth")) == 59
        assert venue.status.fetches_waiting == 41
        venue.run(MINUTE)
        assert all((Health.LIVE, "") in venue.turned(name) for name in venue.instruments)
        asked = [asked.target for asked in venue.asked("/api/v3/depth")]
        assert len(asked) == len(set(asked)) == 100
        assert {asked.reply.status for asked in venue.venue.asked} == {200}
        assert venue.status.last_failure == ""

    def test_a_connection_is_replaced_before_its_day_is_over(self) -> None:
        """A day is two minutes here. Each connection is replaced 20 s before the venue ends it, and no book is lost."""
        venue = binance(
            lambda exchange: BinanceSimulator(exchange, life_ns=120 * SECOND), market_data=lives(100 * SECOND)
        )
        since_ns = venue.now_ns
        venue.run(6 * MINUTE)
        assert venue.status.connects >= 4
        assert not venue.ever_turned(since_ns), venue.effects
        assert venue.status.last_failure == "replaced" or not venue.status.last_failure
        venue.settle()

    def test_a_shutdown_that_is_announced_costs_no_book(self) -> None:
        venue = binance()
        since_ns = venue.now_ns
        assert isinstance(venue.simulator, BinanceSimulator)
        venue.simulator.announce_shutdown()
        venue.run(10 * SECOND)
        assert venue.status.connects == 2
        assert not venue.ever_turned(since_ns)
        venue.settle()

    def test_after_a_reconnection_the_clock_is_measured_again(self) -> None:
        venue = binance()
        broken_feeds.lost_with_the_connection(venue)
        broken_feeds.measures_a_skewed_clock(venue, 40 * SECOND)

    @pytest.mark.parametrize("seed", range(3))
    def test_no_book_is_ever_wrong_whatever_breaks(self, seed: int) -> None:
        broken_feeds.survives_anything(binance(seed=seed), seed)
