"""HTX simulated: its manners by themselves, then our connector on it, with everything that can go wrong."""

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

import pytest

from aggregator.domain.book import Health
from aggregator.domain.events import FrameRejected, Refused, Trade
from connectors.huobi import wire
from connectors.huobi.simulator import HuobiSimulator, simulator
from connectors.huobi.simulator_topics import number, update_id_of
from connectors.simulation.book import digest_of
from connectors.simulation.contract import Hangup, HttpReply, HttpRequest, Outgoing, Push
from connectors.simulation.exchange import SimulatedExchange
from tests.simulation import broken_feeds
from tests.simulation.markets import BTC, listings
from tests.simulation.one_venue import MINUTE, MS, SECOND, OneVenue, made_up

START_NS = 1_780_000_000 * SECOND


class Socket:
    """One client of a simulator, and what it hears."""

    def __init__(self, path: str = "/feed", **manners: Any) -> None:
        self.exchange = SimulatedExchange("huobi", listings(), 1, START_NS, mean_wait_ns=50 * MS)
        self.venue = HuobiSimulator(self.exchange, **manners)
        self.now_ns = START_NS
        self.ended: list[Hangup] = []
        self.answers_pings = True
        assert self.read(self.venue.connected(1, path, self.now_ns)) == []

    def says(self, message: object, wait_ns: int = 100 * MS) -> list[dict[str, Any]]:
        """What is answered at once. Time passes first."""
        list(self.hears(wait_ns))
        frame = message if isinstance(message, str) else json.dumps(message)
        return self.read(self.venue.received(1, frame, self.now_ns))

    def hears(self, duration_ns: int) -> Iterator[dict[str, Any]]:
        end_ns = self.now_ns + duration_ns
        while (wake_ns := self.venue.wake_at_ns()) <= end_ns:
            self.now_ns = max(wake_ns, self.now_ns)
            yield from self.read(self.venue.woken(self.now_ns))
        self.now_ns = end_ns

    def read(self, outgoing: list[Outgoing]) -> list[dict[str, Any]]:
        messages = []
        for out in outgoing:
            if isinstance(out, Hangup):
                self.ended.append(out)
                self.venue.disconnected(out.client, self.now_ns)
                continue
            assert isinstance(out, Push)
            assert isinstance(out.frame, bytes)
            message = json.loads(gzip.decompress(out.frame), parse_float=Decimal)
            if "ping" in message and self.answers_pings:
                self.venue.received(1, json.dumps({"pong": message["ping"]}), self.now_ns)
            is_book = "mbp" in message.get("ch", message.get("rep", "")) or "depth" in message.get("ch", "")
            assert out.symbol == ("BTCUSDT" if is_book else "")
            messages.append(message)
        return messages

    def get(self, target: str, method: str = "GET", body: bytes = b"") -> tuple[int, Any]:
        reply = self.venue.requested(HttpRequest(method, target, {}, body), self.now_ns)
        self.now_ns += SECOND
        return reply.status, json.loads(reply.body, parse_float=Decimal)


class NaiveBook:
    def __init__(self) -> None:
        self.sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}

    def apply(self, tick: dict[str, Any]) -> None:
        for name, levels in self.sides.items():
            for price, quantity in tick.get(name, []):
                levels[Decimal(price)] = Decimal(quantity)
            for gone in [price for price, quantity in levels.items() if not quantity]:
                del levels[gone]


def true_sides(exchange: SimulatedExchange, depth: int) -> dict[str, dict[Decimal, Decimal]]:
    picture = exchange.book("BTCUSDT", depth)
    return {
        name: {
            Decimal(BTC.show_price(price)): Decimal(BTC.show_quantity(quantity))
            for price, quantity in zip(*levels, strict=True)
        }
        for name, levels in (("bids", picture.bids), ("asks", picture.asks))
    }


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (9121, 10, "9.121E-7"),
        (5 * 10**8, 8, "5.0"),
        (0, 8, "0.0"),
        (600001, 1, "60000.1"),
        (19800, 8, "1.98E-4"),
        (100000, 8, "0.001"),
        (99999, 8, "9.9999E-4"),
        (10**7 - 1, 0, "9999999.0"),
        (10**7, 0, "1.0E7"),
        (8181588598785326, 7, "8.181588598785326E8"),
    ],
)
def test_numbers_are_written_as_the_venue_writes_them(value: int, decimals: int, text: str) -> None:
    assert bytes(number(value, decimals)).decode() == text


@pytest.mark.parametrize(
    ("path", "message", "words"),
    [
        ("/feed", {"sub": "market.BTCUSDT.nope", "id": "1"}, "invalid topic market.BTCUSDT.nope"),
        ("/feed", {"sub": "BTCUSDT", "id": "1"}, "invalid topic"),
        ("/feed", {"sub": "market.nope.mbp.150", "id": "1"}, "invalid symbol nope"),
        ("/feed", {"sub": "market.BTCUSDT.trade.detail", "id": "1"}, "invalid topic"),
        ("/ws", {"sub": "market.BTCUSDT.mbp.150", "id": "1"}, "invalid topic"),
        ("/ws", {"req": "market.BTCUSDT.depth.step0", "id": "1"}, "invalid topic"),
        ("/feed", {"unsub": "market.BTCUSDT.mbp.150", "id": "1"}, "unsub with not subbed topic"),
        ("/feed", {"hello": 1, "id": "1"}, "invalid command"),
        ("/feed", "no JSON", "invalid command"),
        ("/feed", "[" * 100_000, "invalid command"),
        ("/feed", [], "invalid command"),
        ("/feed", '{"id":"\\ud800"}', "invalid command"),
    ],
)
def test_what_it_refuses(path: str, message: object, words: str) -> None:
    (answer,) = Socket(path).says(message)
    assert (answer["status"], answer["err-code"], answer.get("id")) == (
        "error",
        "bad-request",
        "1" if isinstance(message, dict) else None,
    )
    assert words in answer["err-msg"]


def test_it_hangs_up_on_a_path_that_it_does_not_have() -> None:
    venue = simulator(SimulatedExchange("huobi", listings(), 1, START_NS))
    assert isinstance(venue.connected(1, "/ws/v9", START_NS)[0], Hangup)
    assert venue.received(1, '{"sub":"market.BTCUSDT.bbo"}', START_NS) == []


def test_subscriptions_are_acknowledged_and_ended() -> None:
    socket = Socket()
    topics = ["market.BTCUSDT.mbp.150", "market.BTCUSDT.mbp.refresh.20"]
    answers = socket.says({"sub": topics, "id": 7})
    assert [(answer["id"], answer["status"], answer["subbed"]) for answer in answers] == [(7, "ok", t) for t in topics]
    assert {message["ch"] for message in socket.hears(4 * SECOND)} == set(topics)
    (answer,) = socket.says({"unsub": topics[1], "id": 8})
    assert (answer["status"], answer["unsubbed"], answer["ts"]) == ("ok", topics[1], socket.now_ns // MS)
    assert {message["ch"] for message in socket.hears(4 * SECOND) if "ch" in message} == {topics[0]}


@pytest.mark.parametrize("channel", ["mbp.5", "mbp.20", "mbp.150", "mbp.400"])
def test_increments_chain_in_jumps_and_keep_the_book(channel: str) -> None:
    socket, book = Socket(one_empty_in=0, snapshot_lag_ns=0), NaiveBook()
    topic = f"market.BTCUSDT.{channel}"
    socket.says({"sub": topic, "id": "1"})
    (answer,) = socket.says({"req": topic, "id": "2"}, wait_ns=2 * SECOND)
    book.apply(answer["data"])
    at = answer["data"]["seqNum"]
    jumps, empty, one_sided = set(), 0, 0
    increments = [message["tick"] for message in socket.hears(MINUTE) if message.get("ch") == topic]
    for tick in increments:
        assert tick["prevSeqNum"] == at
        at = tick["seqNum"]
        jumps.add(at - tick["prevSeqNum"])
        empty += not tick.get("bids") and not tick.get("asks")
        one_sided += len(tick.keys() & book.sides.keys()) < 2
        book.apply(tick)
    socket.exchange.freeze()
    book_ends = [message["tick"] for message in socket.hears(3 * SECOND) if message.get("ch") == topic]
    for tick in book_ends:
        book.apply(tick)
    assert book.sides == true_sides(socket.exchange, int(channel.rpartition(".")[2]))
    assert len(jumps) > 40
    assert min(jumps) > 1
    assert (one_sided > 0) == (channel in {"mbp.5", "mbp.20"})
    assert (empty > 0) == (channel in {"mbp.5", "mbp.20", "mbp.150"})  # 400 levels are more than there are
    quiet = book_ends[-2:]
    assert [tick["seqNum"] - tick["prevSeqNum"] for tick in quiet] == [1, 1]
    assert all(tick["bids"] == tick["asks"] == [] for tick in quiet if len(tick) == 4)


def test_a_snapshot_is_what_the_increments_stood_at_nine_tenths_of_a_second_ago() -> None:
    socket, topic = Socket(one_empty_in=0), "market.BTCUSDT.mbp.150"
    socket.says({"sub": topic, "id": "1"})
    told = {}
    for message in socket.hears(20 * SECOND):
        if "ch" in message:
            told[message["tick"]["seqNum"]] = message["ts"]
    (answer,) = socket.says({"req": topic, "id": "2"}, wait_ns=0)
    age_ms = answer["ts"] - told[answer["data"]["seqNum"]]
    assert 900 <= age_ms < 2000
    assert len([at for at in told.values() if at > told[answer["data"]["seqNum"]]]) > 2


def test_a_snapshot_now_and_then_has_nothing_in_it() -> None:
    socket, topic = Socket(), "market.BTCUSDT.mbp.150"
    answers = [socket.says({"req": topic, "id": "2"})[0] for _ in range(160)]
    assert {answer["status"] for answer in answers} == {"ok"}
    assert 3 <= sum(answer["data"] is None for answer in answers) <= 20


def test_snapshots_may_be_asked_for_ten_times_a_second() -> None:
    socket, request = Socket(), {"req": "market.BTCUSDT.mbp.150", "id": "2"}
    waits_ms = (100, 100, 30, 100, 95, 0, 100)  # 95 for the network, which does not keep distances
    statuses = [socket.says(request, wait_ns=wait_ms * MS)[0] for wait_ms in waits_ms]
    assert [answer.get("err-msg", "") for answer in statuses] == [
        "", "", "429 too many request", "", "", "429 too many request", "",
    ]  # fmt: skip


def test_pings_come_every_five_seconds_and_are_to_be_answered() -> None:
    socket = Socket()
    pings = [message["ping"] for message in socket.hears(30 * SECOND)]
    assert [ping - START_NS // MS for ping in pings] == [5000, 10000, 15000, 20000, 25000, 30000]
    socket.answers_pings = False
    assert len(list(socket.hears(14 * SECOND))) == 2
    assert socket.ended == []
    assert list(socket.hears(MINUTE)) == []
    assert socket.ended == [Hangup(1, 1000, "2 pings went unanswered")]


def test_a_pong_to_another_ping_does_not_count() -> None:
    socket = Socket()
    socket.answers_pings = False
    for _ in range(4):
        list(socket.hears(5 * SECOND))
        socket.says({"pong": 1}, wait_ns=0)
    assert len(socket.ended) == 1


def test_whole_books_best_quotes_and_trades() -> None:
    socket = Socket("/ws")
    channels = ["mbp.refresh.5", "depth.step0", "bbo", "trade.detail"]
    socket.says({"sub": [f"market.BTCUSDT.{channel}" for channel in channels], "id": 1})
    heard: dict[str, list[Any]] = {channel: [] for channel in channels}
    for message in socket.hears(20 * SECOND):
        if "ch" in message:
            heard[message["ch"].removeprefix("market.BTCUSDT.")].append(message["tick"])
    socket.exchange.freeze()
    for message in socket.hears(2 * SECOND):
        if "ch" in message:
            heard[message["ch"].removeprefix("market.BTCUSDT.")].append(message["tick"])

    assert [len(heard["mbp.refresh.5"]), len(heard["depth.step0"])] == [221, 23]
    for channel, depth in (("mbp.refresh.5", 5), ("depth.step0", 150)):
        book = NaiveBook()
        book.apply(heard[channel][-1])
        assert book.sides == true_sides(socket.exchange, depth)
        assert [len(heard[channel][-1][name]) for name in ("bids", "asks")] == [depth, depth]
    best = true_sides(socket.exchange, 1)
    quote = heard["bbo"][-1]
    assert best == {"bids": {quote["bid"]: quote["bidSize"]}, "asks": {quote["ask"]: quote["askSize"]}}
    assert quote["seqId"] <= heard["mbp.refresh.5"][-1]["seqNum"]
    trades = [trade for tick in heard["trade.detail"] for trade in tick["data"]]
    assert len(trades) > 20
    assert sorted({trade["tradeId"] for trade in trades}) == [trade["tradeId"] for trade in trades]
    assert all(trade["id"] > 2**64 and trade["price"] > 0 and trade["amount"] > 0 for trade in trades)
    assert {trade["direction"] for trade in trades} == {"buy", "sell"}


def test_rest_metadata_is_what_the_exchange_has() -> None:
    socket = Socket()
    assert socket.get("/v1/common/timestamp") == (200, {"status": "ok", "data": START_NS // MS})
    for path, read in (
        ("/v1/common/symbols", wire.read_older_markets),
        ("/v1/settings/common/market-symbols", wire.read_markets),
    ):
        body = socket.venue.requested(HttpRequest("GET", path, {}, b""), socket.now_ns).body
        markets = list(read(body))
        assert [(market.symbol, market.base, market.quote, market.tradable) for market in markets] == [
            ("BTCUSDT", "BTC", "USDT", True),
            ("XRPUSDT", "XRP", "USDT", True),
        ]
        for market in markets:
            listing = socket.exchange.listing(market.symbol)
            instrument = listing.instrument
            assert instrument.price(market.tick) == listing.tick
            assert instrument.quantity(market.lot) == listing.lot
            assert instrument.quantity(market.minimum_quantity) == listing.minimum_quantity
            assert instrument.notional(market.minimum_notional) == listing.minimum_notional
    chosen = socket.get("/v1/settings/common/market-symbols?symbols=XRPUSDT,NOPE")[1]
    assert [row["symbol"] for row in chosen["data"]] == ["XRPUSDT"]
    assert socket.get("/v2/settings/common/symbols")[1]["data"][0]["dn"] == "BTC/USDT"
    assert [row["currency"] for row in socket.get("/v2/reference/currencies")[1]["data"]] == ["btc", "usdt", "xrp"]


def test_rest_book() -> None:
    socket, book = Socket(), NaiveBook()
    status, reply = socket.get("/market/depth?symbol=BTCUSDT&type=step0&depth=20")
    book.apply(reply["tick"])
    assert (status, book.sides) == (200, true_sides(socket.exchange, 20))
    assert len(socket.get("/market/depth?symbol=BTCUSDT&type=step0")[1]["tick"]["bids"]) == 150
    for query in ("symbol=NOPE&type=step0", "symbol=BTCUSDT&type=step9", "symbol=BTCUSDT&type=step0&depth=7", ""):
        status, reply = socket.get(f"/market/depth?{query}")
        assert (status, reply["status"], reply["err-code"]) == (200, "error", "invalid-parameter")


def test_rest_refusals() -> None:
    socket = Socket()
    assert socket.get("/v1/nope")[0] == 404
    assert socket.get("/v1/common/timestamp", method="POST")[0] == 404
    assert socket.get("/v1/common/timestamp", body=b"{}")[0] == 403
    request = HttpRequest("GET", "/v1/common/timestamp", {}, b"")
    replies: list[HttpReply] = [socket.venue.requested(request, socket.now_ns) for _ in range(12)]
    assert [reply.status for reply in replies] == [200] * 10 + [429] * 2
    assert socket.venue.requested(request, socket.now_ns + SECOND).status == 200


def test_what_is_not_tradable_falls_silent_and_is_refused() -> None:
    socket, topic = Socket(), "market.BTCUSDT.mbp.150"
    socket.says({"sub": topic, "id": "1"})
    assert [message for message in socket.hears(3 * SECOND) if "ch" in message]
    socket.exchange.delist("BTCUSDT")
    assert [message for message in socket.hears(20 * SECOND) if "ch" in message] == []
    for message in ({"sub": topic, "id": "2"}, {"req": topic, "id": "2"}):
        assert socket.says(message)[0]["err-msg"] == "symbol trade not open now BTCUSDT"
    assert socket.get("/v1/common/symbols")[1]["data"][0]["state"] == "offline"
    socket.exchange.relist("BTCUSDT")
    assert [message for message in socket.hears(3 * SECOND) if "ch" in message]


# Our connector on it. `OneVenue` holds every live book against what was published at its number, after each batch of
# events that touched it, so these tests fail at the first wrong one.

ALL = ("BTC/USDT", "ETH/USDT", "XRP/USDT")
LIVE_WITHIN_NS = 15 * SECOND
"""From nothing to all live. One snapshot in sixteen has nothing in it, and each that is of no use doubles the wait."""


class Followed(OneVenue):
    """HTX followed on a channel of increments."""

    def __init__(self, channel: str = "mbp.150", manners: dict[str, Any] | None = None, **options: Any) -> None:
        self.channel = channel
        super().__init__(
            "huobi",
            lambda exchange: HuobiSimulator(exchange, **(manners or {})),
            lambda symbol, sequence: self.followed.published_digest(symbol, channel, sequence),
            book_channel=channel,
            **({"depth": 200} | options),
        )

    @property
    def followed(self) -> HuobiSimulator:
        return cast(HuobiSimulator, self.simulator)

    def settle(self) -> None:
        self.exchange.freeze()
        self.run(3 * SECOND)
        for instrument, symbol in zip(self.instruments, self.symbols, strict=True):
            assert self.book(instrument).is_live, self.described()
            self._compare(instrument)
            assert update_id_of(self._ids[instrument]) == self.exchange.last_id(symbol)
        self.exchange.thaw()


def followed(**options: Any) -> Followed:
    """All live for a while, at a venue whose every snapshot has something in it."""
    venue = Followed(**({"manners": {"one_empty_in": 0}} | options))
    venue.start(LIVE_WITHIN_NS)
    venue.run(3 * SECOND)
    return venue


class TestStart:
    @pytest.mark.parametrize("channel", ["mbp.150", "mbp.20", "mbp.5", "mbp.400"])
    def test_books_are_the_published_ones(self, channel: str) -> None:
        venue = Followed(channel)
        venue.start(LIVE_WITHIN_NS)
        venue.run(MINUTE)
        assert venue.compared > 500
        assert venue.told(FrameRejected) == venue.told(Refused) == []
        assert venue.ever_turned(START_NS + LIVE_WITHIN_NS) == set()
        venue.settle()

    def test_a_quiet_market_is_live_and_fresh(self) -> None:
        venue = followed(mean_wait_ns=20 * SECOND)
        since_ns = venue.now_ns
        venue.run(45 * SECOND)
        assert venue.ever_turned(since_ns) == set()

    def test_every_start_succeeds_and_nineteen_in_twenty_take_less_than_five_seconds(self) -> None:
        took_ns = sorted(Followed(seed=seed, depth=60).start(LIVE_WITHIN_NS) for seed in range(20))
        assert took_ns[18] < 5 * SECOND

    def test_fifty_symbols_start_within_the_pace_of_requests(self) -> None:
        venue = Followed(listings=made_up(50), depth=20)
        venue.start(LIVE_WITHIN_NS)
        assert {sent.client for sent in venue.venue.sent} == {1, 2}
        for client in (1, 2):
            asked_ns = [sent.at_ns for sent in venue.venue.sent if sent.client == client and "req" in sent.message]
            assert len(asked_ns) >= 25
            assert min(later - earlier for earlier, later in pairwise(asked_ns)) >= 100 * MS
        assert venue.told(Refused) == []
        venue.settle()

    def test_a_snapshot_that_is_refused_is_asked_for_again_soon(self) -> None:
        """The venue measures more strictly than we do: half of what is asked in a row is refused."""
        venue = Followed(manners={"request_spacing_ns": 150 * MS}, listings=made_up(10), depth=20)
        venue.start(20 * SECOND)
        assert len(venue.told(Refused)) >= 3
        venue.settle()

    def test_a_subscription_that_is_refused_leaves_the_others_and_is_tried_again(self) -> None:
        venue = Followed()
        venue.exchange.delist("ethusdt")
        venue.run(SECOND)
        venue.until(lambda: venue.not_live == ["ETH/USDT"], LIVE_WITHIN_NS)
        venue.run(MINUTE)
        refused = venue.told(Refused)
        assert {event.instrument for event in refused} == {"ETH/USDT"}
        assert "symbol trade not open now ethusdt" in refused[0].reason
        assert 3 <= len(refused) <= 14
        assert venue.not_live == ["ETH/USDT"]
        venue.exchange.relist("ethusdt")
        venue.until_live(2 * MINUTE)
        venue.settle()

    def test_whole_books_come_with_trades(self) -> None:
        venue = OneVenue("huobi", simulator, lambda *_: 0, book_channel="depth.step0", depth=200)
        venue._compare = lambda instrument: None  # type: ignore[method-assign] # a picture has no id in the stream
        venue.start(5 * SECOND)
        venue.run(10 * SECOND)
        venue.exchange.freeze()
        venue.run(2 * SECOND)
        for instrument, symbol in zip(venue.instruments, venue.symbols, strict=True):
            book, true = venue.book(instrument), venue.exchange.book(symbol, 150)
            assert book.is_live
            assert digest_of(book.bids.top(), book.asks.top()) == digest_of(true.bids, true.asks)
        assert {trade.instrument for trade in venue.told(Trade)} == set(ALL)

    def test_the_same_seed_gives_the_same_run(self) -> None:
        def run(seed: int) -> list[object]:
            venue = followed(seed=seed)
            venue.lane.switch_on("loss", probability=0.1)
            venue.run(20 * SECOND)
            return [*venue.events, *venue.effects]

        assert run(5) == run(5)
        assert run(5) != run(6)


class TestBroken:
    @pytest.mark.parametrize("fault", ["gap", "reorder"])
    def test_a_gap_takes_one_book_out_at_once_and_it_comes_back(self, fault: str) -> None:
        broken_feeds.lost_by_a_gap_and_found_again(followed(), fault)

    def test_a_resync_asks_for_one_symbol_and_leaves_the_subscription(self) -> None:
        venue = followed()
        since_ns, topic = venue.now_ns, "market.btcusdt.mbp.150"
        broken_feeds.lost_by_a_gap_and_found_again(venue)
        sent = [sent.message for sent in venue.venue.sent if sent.at_ns > since_ns and "pong" not in sent.message]
        assert sent == [{"req": topic, "id": topic}] * 2  # the first answer is older than the gap

    def test_empty_answers_delay_a_book_and_no_more(self) -> None:
        venue = followed(manners={"one_empty_in": 2}, depth=60)
        broken_feeds.never_wrong_and_live_again(venue, "loss", 2 * MINUTE, probability=0.1)

    @pytest.mark.parametrize(
        ("fault", "options"),
        [
            ("duplicate", {}),
            ("delay", {"ns": 3 * SECOND}),
            ("change_tick", {"symbol": "btcusdt", "tick": "0.5"}),
            ("change_tick", {"symbol": "btcusdt", "tick": "0.0001"}),
            ("http_status", {"status": 503}),
        ],
    )
    def test_what_does_no_harm(self, fault: str, options: dict[str, Any]) -> None:
        broken_feeds.unharmed_by(followed(), fault, **options)

    @pytest.mark.parametrize(
        ("fault", "options"),
        [
            ("loss", {"probability": 0.2}),
            ("reorder", {"probability": 0.2}),
            ("garbage", {"probability": 0.1, "count": 0}),
            ("corrupt", {"probability": 0.1, "count": 0}),
        ],
    )
    def test_no_book_is_ever_wrong_on_a_bad_line(self, fault: str, options: dict[str, Any]) -> None:
        broken_feeds.never_wrong_and_live_again(followed(depth=60), fault, MINUTE, **options)

    @pytest.mark.parametrize("fault", ["garbage", "corrupt"])
    def test_a_frame_that_means_nothing_is_rejected(self, fault: str) -> None:
        venue = followed()
        broken_feeds.rejects_what_means_nothing(venue, fault)
        assert "gzip" in venue.told(FrameRejected)[0].reason

    def test_one_silent_book_goes_stale_and_the_others_stay(self) -> None:
        broken_feeds.one_silent_book_goes_stale(followed())

    def test_a_half_open_connection_is_replaced(self) -> None:
        broken_feeds.a_dead_connection_is_replaced(followed(), "half_open", 15 * SECOND)

    def test_a_subscription_that_got_lost_is_made_again(self) -> None:
        """A connection whose first ten seconds went nowhere, and that then works."""
        venue = followed()
        venue.lane.switch_on("half_open")
        venue.until(lambda: venue.status.connects == 2, 18 * SECOND)
        venue.run(5 * SECOND)
        venue.lane.switch_off("half_open")
        venue.until_live(30 * SECOND)
        venue.settle()
        assert venue.status.connects == 2

    @pytest.mark.parametrize("fault", ["disconnect", "cut"])
    def test_books_are_lost_with_their_connection(self, fault: str) -> None:
        broken_feeds.lost_with_the_connection(followed(), fault)

    def test_a_refused_connection_is_tried_ever_more_rarely(self) -> None:
        broken_feeds.backs_off_from_a_refusal(followed(depth=60))

    def test_frozen_books_are_stale_although_empty_increments_go_on(self) -> None:
        broken_feeds.stale_while_frozen(followed(depth=60), MINUTE, "no level changed for 60.")

    def test_a_frame_repeated_for_ever_is_no_sign_of_life(self) -> None:
        broken_feeds.stale_while_frozen(followed(), 10 * SECOND, "no frame for", "the venue's own time", replay=True)

    def test_a_crossed_book_is_out_until_it_is_right(self) -> None:
        venue = followed()
        since_ns = venue.now_ns
        venue.lane.switch_on("crossed", symbol="btcusdt")
        venue.run(SECOND)
        (crossed, reason), (syncing, _) = venue.turned("BTC/USDT", since_ns)
        assert (crossed, syncing) == (Health.CROSSED, Health.SYNCING)  # at once, and asked for anew
        assert "is not below best ask" in reason
        venue.run(20 * SECOND)
        merged = venue.engine.market.consolidated("BTC/USDT")
        assert (merged.venues, list(merged.excluded)) == ((), ["huobi"])
        asked = [sent.message for sent in venue.venue.sent if sent.at_ns > since_ns and "req" in sent.message]
        assert 2 <= len(asked) <= 16
        venue.lane.switch_off("crossed")
        venue.until_live(40 * SECOND)
        assert venue.ever_turned(since_ns) == {"BTC/USDT"}
        assert venue.book("BTC/USDT").counters.gaps == 0  # no snapshot was believed that its stream did not continue
        venue.settle()

    def test_a_delisted_market_falls_silent_and_the_others_stay(self) -> None:
        venue = followed()
        since_ns = venue.now_ns
        venue.lane.switch_on("delist", symbol="ethusdt")
        venue.run(MINUTE)
        assert venue.health("ETH/USDT") is Health.STALE
        assert venue.ever_turned(since_ns) == {"ETH/USDT"}
        venue.lane.switch_off("delist")
        venue.until_live(3 * SECOND)
        assert venue.book("ETH/USDT").counters.gaps == 0
        venue.settle()

    def test_a_late_book_goes_stale_by_the_venues_own_time(self) -> None:
        venue = followed()
        since_ns = venue.now_ns
        venue.lane.switch_on("delay", symbol="btcusdt", ns=12 * SECOND)
        venue.run(20 * SECOND)
        assert venue.health("BTC/USDT") is Health.STALE
        assert "the venue's own time is 12." in venue.reason("BTC/USDT")
        assert venue.ever_turned(since_ns) == {"BTC/USDT"}
        venue.lane.switch_off("delay")
        venue.until_live(20 * SECOND)
        venue.settle()

    @pytest.mark.parametrize("offset_ns", [3 * SECOND, -30 * SECOND])
    def test_a_skewed_clock_is_measured(self, offset_ns: int) -> None:
        broken_feeds.measures_a_skewed_clock(followed(depth=60), offset_ns)

    def test_pings_are_answered_or_the_venue_hangs_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        venue = followed(depth=60)
        since_ns = venue.now_ns
        venue.run(MINUTE)
        assert venue.ever_turned(since_ns) == set()
        monkeypatch.setattr(venue.venue, "received", lambda client, frame, now_ns: [])
        venue.until(lambda: len(venue.not_live) == 3, 16 * SECOND)
        assert {venue.reason(instrument) for instrument in ALL} == {"2 pings went unanswered"}
        monkeypatch.undo()
        venue.until_live(30 * SECOND)
        venue.settle()
