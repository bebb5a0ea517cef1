"""Crypto.com simulated: its manners by themselves, then our connector on it, with everything that can go wrong."""

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

import pytest

from aggregator.domain.book import Health
from aggregator.domain.events import BookDelta, FrameRejected, ListingsRead, Refused, Trade
from connectors.cryptocom import wire
from connectors.cryptocom.simulator import CryptocomSimulator, simulator
from connectors.cryptocom.simulator_channels import update_id_of
from connectors.simulation.book import digest_of
from connectors.simulation.contract import Hangup, HttpRequest, Outgoing, Push
from connectors.simulation.exchange import SimulatedExchange
from tests.simulation import broken_feeds
from tests.simulation.markets import BTC, listings
from tests.simulation.one_venue import MINUTE, MS, SECOND, OneVenue, made_up

START_NS = 1_780_000_000 * SECOND
PATH = "/exchange/v1/market"
BOOK = "book.BTCUSDT.50"
CHANGES: dict[str, Any] = {"book_subscription_type": "SNAPSHOT_AND_UPDATE", "book_update_frequency": 10}


class Socket:
    """One client of a simulator, and what it hears."""

    def __init__(self, connect_ns: int = START_NS, mean_wait_ns: int = 50 * MS, **manners: Any) -> None:
        self.exchange = SimulatedExchange("cryptocom", listings(), 1, START_NS, mean_wait_ns=mean_wait_ns)
        self.venue = CryptocomSimulator(self.exchange, **manners)
        self.now_ns = connect_ns
        self.ended: list[Hangup] = []
        self.answers_heartbeats = True
        self.ids = 0
        assert self.read(self.venue.connected(1, PATH, self.now_ns)) == []

    def says(self, message: object, wait_ns: int = 20 * MS) -> list[dict[str, Any]]:
        """What is answered at once. Time passes first."""
        list(self.hears(wait_ns))
        frame = message if isinstance(message, str) else json.dumps(message)
        return self.read(self.venue.received(1, frame, self.now_ns))

    def subscribes(self, *channels: str, wait_ns: int = 20 * MS, **options: Any) -> list[dict[str, Any]]:
        self.ids += 1
        params = {"channels": channels, **options}
        return self.says({"id": self.ids, "method": "subscribe", "params": params, "nonce": 1}, wait_ns)

    def hears(self, duration_ns: int) -> Iterator[dict[str, Any]]:
        end_ns = self.now_ns + duration_ns
        while (wake_ns := self.venue.wake_at_ns()) <= end_ns:
            self.now_ns = max(wake_ns, self.now_ns)
            yield from self.read(self.venue.woken(self.now_ns))
        self.now_ns = end_ns

    def told(self, channel: str, duration_ns: int) -> list[dict[str, Any]]:
        """The data of a channel."""
        return [
            row
            for message in self.hears(duration_ns)
            if message.get("result", {}).get("subscription") == channel
            for row in message["result"]["data"]
        ]

    def read(self, outgoing: list[Outgoing]) -> list[dict[str, Any]]:
        messages = []
        for out in outgoing:
            if isinstance(out, Hangup):
                self.ended.append(out)
                self.venue.disconnected(out.client, self.now_ns)
                continue
            assert isinstance(out, Push)
            assert isinstance(out.frame, str)
            message = json.loads(out.frame)
            if message["method"] == "public/heartbeat" and self.answers_heartbeats:
                answer = {"id": message["id"], "method": "public/respond-heartbeat"}
                assert self.venue.received(1, json.dumps(answer), self.now_ns) == []
            result = message.get("result", {})
            assert out.symbol == (result["instrument_name"] if "book" in result.get("channel", "") else "")
            messages.append(message)
        return messages

    def get(self, target: str, method: str = "GET") -> tuple[int, Any]:
        reply = self.venue.requested(HttpRequest(method, f"/exchange/v1/{target}", {}, b""), self.now_ns)
        return reply.status, json.loads(reply.body)


class NaiveBook:
    def __init__(self) -> None:
        self.sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}

    def apply(self, levels: dict[str, Any]) -> None:
        for name, side in self.sides.items():
            for price, quantity, orders in levels.get(name, []):
                side[Decimal(price)] = Decimal(quantity)
                assert (Decimal(quantity) == 0) == (int(orders) == 0)
            for gone in [price for price, quantity in side.items() if not quantity]:
                del side[gone]


def true_sides(exchange: SimulatedExchange, depth: int) -> dict[str, dict[Decimal, Decimal]]:
    picture = exchange.book("BTCUSDT", depth)
    return {
        name: {
            Decimal(BTC.show_price(price)): Decimal(BTC.show_quantity(quantity))
            for price, quantity in zip(*side, strict=True)
        }
        for name, side in (("bids", picture.bids), ("asks", picture.asks))
    }


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"method": "subscribe", "params": {"channels": ["book.NOPE.50"]}}, 40003),
        ({"method": "subscribe", "params": {"channels": ["book.BTCUSDT.150"]}}, 40004),
        ({"method": "subscribe", "params": {"channels": ["book.BTCUSDT"]}}, 40004),
        ({"method": "subscribe", "params": {"channels": ["ticker.BTCUSDT.50"]}}, 40004),
        ({"method": "subscribe", "params": {"channels": ["candles.BTCUSDT"]}}, 40004),
        ({"method": "subscribe", "params": {"channels": []}}, 40004),
        ({"method": "subscribe", "params": {}}, 40004),
        ({"method": "subscribe"}, 40004),
        ({"method": "subscribe", "params": {"channels": [BOOK], "book_subscription_type": "WHOLE"}}, 40004),
        ({"method": "subscribe", "params": {"channels": [BOOK], **CHANGES, "book_update_frequency": 20}}, 40004),
        ({"method": "unsubscribe", "params": 5}, 40004),
        ({"method": "private/create-order"}, 40002),
        ({}, 40002),
    ],
)
def test_what_it_refuses(message: dict[str, Any], code: int) -> None:
    (answer,) = Socket().says({"id": 11, **message})
    assert (answer["id"], answer["method"], answer["code"]) == (11, str(message.get("method")), code)
    assert answer["message"]
    assert "channel" in answer or json.loads(answer["original"])["id"] == 11


@pytest.mark.parametrize("text", ["no JSON", "[]", "[" * 100_000])
def test_what_is_no_request_at_all(text: str) -> None:
    (answer,) = Socket().says(text)
    assert (answer["id"], answer["method"], answer["code"]) == (-1, "ERROR", 40001)


def test_it_hangs_up_on_a_path_that_it_does_not_have() -> None:
    venue = simulator(SimulatedExchange("cryptocom", listings(), 1, START_NS))
    assert isinstance(venue.connected(1, "/exchange/v9/market", START_NS)[0], Hangup)
    assert venue.received(1, '{"method":"subscribe"}', START_NS) == []


def test_one_bad_channel_of_several_is_refused_and_the_others_work() -> None:
    socket = Socket()
    answers = socket.subscribes(BOOK, "book.NOPE.50", "ticker.XRPUSDT", **CHANGES)
    assert [(answer["id"], answer["code"], answer.get("channel")) for answer in answers] == [
        (1, 0, None),
        (1, 40003, "book.NOPE.50"),
        (-1, 0, None),
        (-1, 0, None),
    ]
    assert [answer["result"]["subscription"] for answer in answers[2:]] == [BOOK, "ticker.XRPUSDT"]


def test_subscriptions_end() -> None:
    socket = Socket()
    socket.subscribes(BOOK, **CHANGES)
    assert socket.told(BOOK, 2 * SECOND)
    (answer,) = socket.says({"id": 5, "method": "unsubscribe", "params": {"channels": [BOOK]}})
    assert answer == {"id": 5, "method": "unsubscribe", "code": 0}
    assert socket.told(BOOK, 9 * SECOND) == []


@pytest.mark.parametrize("depth", [10, 50])
@pytest.mark.parametrize("period_ms", [10, 100])
def test_changes_chain_in_jumps_and_keep_the_book(depth: int, period_ms: int) -> None:
    socket, book, channel = Socket(), NaiveBook(), f"book.BTCUSDT.{depth}"
    options: dict[str, Any] = {"bookSubscriptionType": "SNAPSHOT_AND_UPDATE", "bookUpdateFrequency": str(period_ms)}
    ack, first = socket.subscribes(channel, **options)
    assert ack == {"id": 1, "method": "subscribe", "code": 0, "channel": channel}
    assert (first["result"]["channel"], first["result"]["depth"]) == ("book", depth)
    whole = first["result"]["data"][0]
    book.apply(whole)
    at, jumps, empty, times = whole["u"], set(), 0, []
    for row in socket.told(channel, 30 * SECOND):
        assert row["pu"] == at
        at = row["u"]
        jumps.add(at - row["pu"])
        empty += row["update"] == {"asks": [], "bids": []}
        times.append(row["t"])
        book.apply(row["update"])
    socket.exchange.freeze()
    quiet = socket.told(channel, 15 * SECOND)
    for row in quiet:
        book.apply(row["update"])
    assert book.sides == true_sides(socket.exchange, depth)
    assert len(jumps) > 40
    assert min(jumps) > 1
    assert empty > 0
    assert min(later - earlier for earlier, later in pairwise(times)) >= period_ms
    assert [row["update"] for row in quiet[-2:]] == [{"asks": [], "bids": []}] * 2
    assert {row["u"] for row in quiet[-2:]} == {row["pu"] for row in quiet[-2:]}
    assert quiet[-1]["t"] - quiet[-2]["t"] == 5000


def test_a_second_subscription_brings_the_book_again_and_the_chain_goes_on() -> None:
    socket = Socket()
    socket.subscribes(BOOK, **CHANGES)
    last = socket.told(BOOK, 2 * SECOND)[-1]
    _, again = socket.subscribes(BOOK, **CHANGES, wait_ns=0)
    assert again["result"]["data"][0]["u"] == last["u"]
    assert socket.told(BOOK, SECOND)[0]["pu"] == last["u"]


def test_without_options_whole_books_come_twice_a_second() -> None:
    socket = Socket()
    _, first = socket.subscribes(BOOK)
    rows = socket.told(BOOK, 10 * SECOND)
    assert len(rows) == 20
    assert first["result"]["channel"] == "book"
    book = NaiveBook()
    socket.exchange.freeze()
    book.apply(socket.told(BOOK, SECOND)[-1])
    assert book.sides == true_sides(socket.exchange, 50)


def test_levels_have_the_decimals_of_the_rules() -> None:
    _, first = Socket().subscribes(BOOK)
    price, quantity, _ = first["result"]["data"][0]["bids"][0]
    assert (len(price.partition(".")[2]), len(quantity.partition(".")[2])) == (2, 5)


def test_trades_come_newest_first_after_up_to_fifty_past_ones() -> None:
    socket, channel = Socket(), "trade.BTCUSDT"
    list(socket.hears(MINUTE))
    _, history = socket.subscribes(channel)
    past = history["result"]["data"]
    assert len(past) == 50
    fresh = [message["result"]["data"] for message in socket.hears(20 * SECOND) if "result" in message]
    told = [*past[::-1], *(row for rows in fresh for row in rows[::-1])]
    assert [int(row["d"]) for row in told] == list(range(int(past[-1]["d"]), int(told[-1]["d"]) + 1))
    assert {row["s"] for row in told} == {"BUY", "SELL"}
    assert all(int(row["tn"]) // MS == row["t"] for row in told)


def test_the_ticker_tells_best_and_last() -> None:
    socket, channel = Socket(), "ticker.BTCUSDT"
    socket.subscribes(channel)
    list(socket.hears(10 * SECOND))
    socket.exchange.freeze()
    (row,) = socket.get("public/get-tickers?instrument_name=BTCUSDT")[1]["result"]["data"]
    best = true_sides(socket.exchange, 1)
    assert best == {"bids": {Decimal(row["b"]): Decimal(row["bs"])}, "asks": {Decimal(row["k"]): Decimal(row["ks"])}}
    assert Decimal(row["l"]) <= Decimal(row["a"]) <= Decimal(row["h"])
    assert Decimal(row["v"]) > 0
    assert len(socket.get("public/get-tickers")[1]["result"]["data"]) == 2


def test_heartbeats_come_every_thirty_seconds_and_are_to_be_answered_within_five() -> None:
    socket = Socket()
    beats = [message["id"] for message in socket.hears(2 * MINUTE)]
    assert [beat - START_NS // MS for beat in beats] == [30_000, 60_000, 90_000, 120_000]
    socket.answers_heartbeats = False
    assert len(list(socket.hears(34 * SECOND))) == 1
    assert socket.ended == []
    assert list(socket.hears(SECOND)) == []
    assert socket.ended == [Hangup(1, 1000, "a heartbeat went unanswered")]


def test_an_answer_to_another_heartbeat_does_not_count() -> None:
    socket = Socket()
    socket.answers_heartbeats = False
    list(socket.hears(31 * SECOND))
    assert socket.says({"id": 1, "method": "public/respond-heartbeat"}) == []
    list(socket.hears(5 * SECOND))
    assert len(socket.ended) == 1


def test_requests_of_the_second_of_connecting_are_limited_to_its_rest() -> None:
    socket = Socket(connect_ns=START_NS + 950 * MS)
    codes = [socket.subscribes("ticker.BTCUSDT", wait_ns=0)[0]["code"] for _ in range(8)]
    assert codes == [0] * 5 + [42901] * 3
    codes = [socket.subscribes("ticker.BTCUSDT", wait_ns=50 * MS * (n == 0))[0]["code"] for n in range(110)]
    assert codes == [0] * 100 + [42901] * 10


def test_four_hundred_subscriptions() -> None:
    socket = Socket(subscriptions_at_most=3)
    answers = socket.subscribes(BOOK, "book.BTCUSDT.10", "ticker.BTCUSDT", "trade.BTCUSDT")
    assert [(answer["code"], answer.get("channel")) for answer in answers][:2] == [(0, None), (40107, "trade.BTCUSDT")]
    assert socket.subscribes(BOOK)[0]["code"] == 0


def test_rest_metadata_is_what_the_exchange_has() -> None:
    socket = Socket()
    body = socket.venue.requested(HttpRequest("GET", "/exchange/v1/public/get-instruments", {}, b""), START_NS).body
    markets = list(wire.read_markets(body))
    assert [(market.symbol, market.base, market.quote, market.tradable) for market in markets] == [
        ("BTCUSDT", "BTC", "USDT", True),
        ("XRPUSDT", "XRP", "USDT", True),
    ]
    for market in markets:
        listing = socket.exchange.listing(market.symbol)
        assert listing.instrument.price(market.tick) == listing.tick
        assert listing.instrument.quantity(market.lot) == listing.lot


def test_rest_book_and_trades() -> None:
    socket, book = Socket(), NaiveBook()
    list(socket.hears(MINUTE))
    status, reply = socket.get("public/get-book?instrument_name=BTCUSDT&depth=10")
    book.apply(reply["result"]["data"][0])
    assert (status, reply["code"], book.sides) == (200, 0, true_sides(socket.exchange, 10))
    assert "u" not in reply["result"]["data"][0]
    assert len(socket.get("public/get-trades?instrument_name=BTCUSDT&count=7")[1]["result"]["data"]) == 7


def test_rest_refusals() -> None:
    socket = Socket()
    assert [socket.get("public/nope")[0], socket.get("public/get-book", method="POST")[0]] == [404, 404]
    assert socket.venue.requested(HttpRequest("GET", "/public/get-book", {}, b""), START_NS).status == 404
    for target, code in (
        ("public/get-book?instrument_name=NOPE", 209),
        ("public/get-book", 209),
        ("public/get-book?instrument_name=BTCUSDT&depth=many", 40004),
    ):
        status, reply = socket.get(target)
        assert (status, reply["code"]) == (400, code)
    statuses = [socket.get("public/get-tickers")[0] for _ in range(103)]
    assert statuses == [200] * 100 + [429] * 3
    assert socket.get("public/get-trades?instrument_name=BTCUSDT")[0] == 200  # each method has a budget of its own


def test_what_is_not_tradable_falls_silent_and_is_refused() -> None:
    socket = Socket()
    socket.subscribes(BOOK, **CHANGES)
    socket.exchange.delist("BTCUSDT")
    assert socket.told(BOOK, 20 * SECOND) == []
    assert socket.subscribes(BOOK, **CHANGES)[0]["code"] == 40003
    assert socket.get("public/get-instruments")[1]["result"]["data"][0]["tradable"] is False
    socket.exchange.relist("BTCUSDT")
    assert socket.told(BOOK, 3 * SECOND)


# Our connector on it. `OneVenue` holds every live book against what was published at its id, after each batch of events
# that touched it, so these tests fail at the first wrong one.

ALL = ("BTC/USDT", "ETH/USDT", "XRP/USDT")
LIVE_WITHIN_NS = 2 * SECOND
"""From nothing to all live, of which one second is waited after connecting."""


class Followed(OneVenue):
    """Crypto.com followed by the changes of its books."""

    def __init__(self, channel: str = "book.50", manners: dict[str, Any] | None = None, **options: Any) -> None:
        depth = int(channel.split(".")[1])
        super().__init__(
            "cryptocom",
            lambda exchange: CryptocomSimulator(exchange, **(manners or {})),
            lambda symbol, update_id: self.followed.published_digest(symbol, depth, update_id),
            book_channel=channel,
            **options,
        )

    @property
    def followed(self) -> CryptocomSimulator:
        return cast(CryptocomSimulator, self.simulator)

    def settle(self) -> None:
        self.exchange.freeze()
        self.run(3 * SECOND)
        for instrument, symbol in zip(self.instruments, self.symbols, strict=True):
            assert self.book(instrument).is_live, self.described()
            self._compare(instrument)
            assert update_id_of(self._ids[instrument]) == self.exchange.last_id(symbol)
        self.exchange.thaw()


def followed(**options: Any) -> Followed:
    """All live for a while."""
    venue = Followed(**options)
    venue.start(LIVE_WITHIN_NS)
    venue.run(3 * SECOND)
    return venue


class TestStart:
    @pytest.mark.parametrize("channel", ["book.50", "book.10"])
    def test_books_are_the_published_ones(self, channel: str) -> None:
        venue = Followed(channel)
        venue.start(LIVE_WITHIN_NS)
        venue.run(MINUTE)
        assert venue.compared > 1000
        assert venue.told(FrameRejected) == venue.told(Refused) == []
        assert venue.ever_turned(START_NS + LIVE_WITHIN_NS) == set()
        venue.settle()

    def test_whole_books_are_the_true_ones(self) -> None:
        venue = OneVenue("cryptocom", simulator, lambda *_: 0, book_channel="book.50.snapshot")
        venue._compare = lambda instrument: None  # type: ignore[method-assign] # a picture has no id in the stream
        venue.start(LIVE_WITHIN_NS)
        venue.run(10 * SECOND)
        venue.exchange.freeze()
        venue.run(2 * SECOND)
        for instrument, symbol in zip(venue.instruments, venue.symbols, strict=True):
            book, true = venue.book(instrument), venue.exchange.book(symbol, 50)
            assert book.is_live
            assert digest_of(book.bids.top(), book.asks.top()) == digest_of(true.bids, true.asks)

    def test_a_quiet_market_is_live_and_fresh(self) -> None:
        venue = followed(mean_wait_ns=30 * SECOND)
        since_ns = venue.now_ns
        venue.run(45 * SECOND)
        assert venue.ever_turned(since_ns) == set()
        assert any(not event.bids.prices and not event.asks.prices for event in venue.told(BookDelta))

    def test_every_start_succeeds_within_two_seconds(self) -> None:
        for seed in range(20):
            Followed(seed=seed).start(LIVE_WITHIN_NS)

    def test_fifty_symbols_start_within_the_limits_of_a_new_connection(self) -> None:
        venue = Followed(listings=made_up(50, "{}_{}"), depth=20)
        venue.start(LIVE_WITHIN_NS)
        assert venue.venue.sent[0].at_ns >= START_NS + SECOND
        assert venue.told(Refused) == []
        venue.settle()

    def test_a_start_that_is_refused_is_made_up_for(self) -> None:
        """The venue grants nothing at first."""
        venue = Followed(manners={"requests_per_second": 0})
        venue.run(3 * SECOND)
        assert {"42901" in event.reason for event in venue.told(Refused)} == {True}
        venue.followed.requests_per_second = 100
        venue.until_live(12 * SECOND)
        venue.settle()

    def test_a_subscription_that_is_refused_leaves_the_others_and_is_tried_again(self) -> None:
        venue = Followed()
        venue.exchange.delist("ETH_USDT")
        venue.run(SECOND)
        venue.until(lambda: venue.not_live == ["ETH/USDT"], LIVE_WITHIN_NS)
        venue.run(MINUTE)
        refused = venue.told(Refused)
        assert {event.instrument for event in refused} == {"ETH/USDT"}
        assert "40003: Unknown symbol ETH_USDT" in refused[0].reason
        assert 3 <= len(refused) <= 10
        assert venue.not_live == ["ETH/USDT"]
        venue.exchange.relist("ETH_USDT")
        venue.until_live(MINUTE)
        venue.settle()

    def test_trades_are_told_without_the_past_ones(self) -> None:
        venue = followed()
        venue.run(20 * SECOND)
        trades = venue.told(Trade)
        assert {trade.instrument for trade in trades} == set(ALL)
        assert min(trade.venue_time_ns for trade in trades) > START_NS + SECOND
        assert len({(trade.instrument, trade.trade_id) for trade in trades}) == len(trades)

    def test_the_market_list_states_the_rules_that_the_file_does_not(self) -> None:
        venue = followed()
        assert venue.told(ListingsRead)
        for instrument, symbol in zip(venue.instruments, venue.symbols, strict=True):
            rules, true = venue.book(instrument).listing, venue.exchange.listing(symbol)
            assert (rules.tick, rules.lot) == (true.tick, true.lot)
            assert rules.tick > 0

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

    def test_a_resync_subscribes_to_one_book_anew(self) -> None:
        venue = followed()
        since_ns = venue.now_ns
        broken_feeds.lost_by_a_gap_and_found_again(venue)
        sent = [sent.message for sent in venue.venue.sent if sent.at_ns > since_ns and "params" in sent.message]
        assert [(message["method"], message["params"]["channels"]) for message in sent] == [
            ("unsubscribe", ["book.BTC_USDT.50"]),
            ("subscribe", ["book.BTC_USDT.50"]),
        ]

    @pytest.mark.parametrize(
        ("fault", "options"),
        [
            ("duplicate", {}),
            ("delay", {"ns": 3 * SECOND}),
            ("change_tick", {"symbol": "BTC_USDT", "tick": "5"}),
            ("change_tick", {"symbol": "BTC_USDT", "tick": "0.003"}),
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
        broken_feeds.never_wrong_and_live_again(followed(), fault, MINUTE, **options)

    @pytest.mark.parametrize("fault", ["garbage", "corrupt"])
    def test_a_frame_that_means_nothing_is_rejected(self, fault: str) -> None:
        broken_feeds.rejects_what_means_nothing(followed(), fault)

    def test_one_silent_book_goes_stale_and_the_others_stay(self) -> None:
        broken_feeds.one_silent_book_goes_stale(followed())

    def test_a_half_open_connection_is_replaced(self) -> None:
        broken_feeds.a_dead_connection_is_replaced(followed(), "half_open", 45 * SECOND)

    @pytest.mark.parametrize("fault", ["disconnect", "cut"])
    def test_books_are_lost_with_their_connection(self, fault: str) -> None:
        broken_feeds.lost_with_the_connection(followed(), fault)

    def test_a_refused_connection_is_tried_ever_more_rarely(self) -> None:
        broken_feeds.backs_off_from_a_refusal(followed())

    def test_frozen_books_are_stale_although_empty_changes_go_on(self) -> None:
        broken_feeds.stale_while_frozen(followed(), MINUTE, "no level changed for 60.")

    def test_a_frame_repeated_for_ever_is_no_sign_of_life(self) -> None:
        broken_feeds.stale_while_frozen(followed(), 10 * SECOND, "no frame for", "the venue's own time", replay=True)

    def test_a_crossed_book_is_out_until_it_is_right(self) -> None:
        broken_feeds.taken_out_while_crossed(followed())

    def test_a_delisted_market_falls_silent_and_the_others_stay(self) -> None:
        venue = followed()
        since_ns = venue.now_ns
        venue.lane.switch_on("delist", symbol="ETH_USDT")
        venue.run(MINUTE)
        assert venue.health("ETH/USDT") is Health.STALE
        assert venue.ever_turned(since_ns) == {"ETH/USDT"}
        venue.lane.switch_off("delist")
        venue.until_live(3 * SECOND)
        assert venue.book("ETH/USDT").counters.gaps == 0
        venue.settle()

    def test_heartbeats_are_answered_or_the_venue_hangs_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        venue = followed()
        since_ns = venue.now_ns
        venue.run(2 * MINUTE)
        assert venue.ever_turned(since_ns) == set()
        monkeypatch.setattr(venue.venue, "received", lambda client, frame, now_ns: [])
        venue.until(lambda: len(venue.not_live) == 3, 36 * SECOND)
        assert {venue.reason(instrument) for instrument in ALL} == {"a heartbeat went unanswered"}
        monkeypatch.undo()
        venue.until_live(MINUTE)
        venue.settle()
