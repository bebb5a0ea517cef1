"""HTX's frames to books: what a client has after each kind of message, good and bad."""

import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Health
from aggregator.domain.events import (
    BestQuote,
    FrameRejected,
    ListingsRead,
    MarketEvent,
    Refused,
    Subscribed,
    Trade,
    VenueClock,
)
from aggregator.domain.instrument import Instruments, Listing, Side
from aggregator.engine.market import Market
from connectors.contract import Fetch, Reply, Send
from connectors.huobi.market_data import HuobiMarketData
from connectors.markets import Markets
from connectors.session import Session
from tests.paths import needs_shared, shared

SECOND = 1_000_000_000
START = 1_780_000_000 * SECOND


class Client:
    """A session that follows BTC/USDT and ETH/USDT, and the books that come of what it receives."""

    def __init__(self, book_channel: str = "mbp.150") -> None:
        instruments = Instruments()
        self.markets = Markets(
            "huobi",
            [
                Listing("huobi", "btcusdt", instruments.get("BTC", "USDT")),
                Listing("huobi", "ethusdt", instruments.get("ETH", "USDT")),
            ],
        )
        self.session = Session(HuobiMarketData(book_channel), self.markets, ["btcusdt", "ethusdt"])
        self.market = Market()
        self.now_ns = START
        self.apply(self.session.opened(START))
        self.greeting = self.session.take_requests()

    def apply(self, events: Sequence[MarketEvent]) -> list[MarketEvent]:
        for event in events:
            self.market.apply(event)
        self.market.check()
        return list(events)

    def receives(self, message: Any) -> list[MarketEvent]:
        """A message as the venue sends it, or bytes and text as they are."""
        self.now_ns += 1
        frame = message if isinstance(message, str | bytes) else gzip.compress(json.dumps(message).encode())
        return self.apply(self.session.received(frame, self.now_ns))

    def waits(self) -> None:
        self.now_ns = self.session.wake_at_ns() or self.now_ns
        self.session.woken(self.now_ns)

    def asks(self) -> list[Any]:
        """What it has sent since it was last asked."""
        requests = self.session.take_requests()
        assert all(isinstance(request, Send) for request in requests)
        return [json.loads(request.text) for request in requests if isinstance(request, Send)]

    def book(self, instrument: str = "BTC/USDT") -> VenueBook:
        return self.market.books(instrument)["huobi"]


def shown(book: VenueBook) -> tuple[dict[str, str], dict[str, str]]:
    instrument = book.listing.instrument
    bids, asks = (
        {
            instrument.show_price(price): instrument.show_quantity(quantity)
            for price, quantity in zip(*side, strict=True)
        }
        for side in (book.bids.top(), book.asks.top())
    )
    return bids, asks


def increment(
    previous: int, last: int, symbol: str = "btcusdt", channel: str = "mbp.150", **sides: Any
) -> dict[str, Any]:
    tick = {"seqNum": last, "prevSeqNum": previous, **sides}
    return {"ch": f"market.{symbol}.{channel}", "ts": 1780000000123, "tick": tick}


def snapshot(sequence: int, bids: Any, asks: Any, symbol: str = "btcusdt") -> dict[str, Any]:
    topic = f"market.{symbol}.mbp.150"
    data = {"seqNum": sequence, "bids": bids, "asks": asks}
    return {"id": topic, "rep": topic, "status": "ok", "ts": 1780000000500, "data": data}


def live_client() -> Client:
    """Both books are live: BTC/USDT at id 100, ETH/USDT at id 7."""
    client = Client()
    client.receives(increment(90, 100))
    client.receives(increment(5, 7, "ethusdt"))
    client.receives(snapshot(100, [[60000.1, 0.5], [60000, 2]], [[60000.2, 1.1]]))
    client.receives(snapshot(7, [[2000, 1]], [[2001, 1]], "ethusdt"))
    assert client.book().is_live
    assert client.book("ETH/USDT").is_live
    return client


ASK_BTC = {"req": "market.btcusdt.mbp.150", "id": "market.btcusdt.mbp.150"}


def test_it_subscribes_to_the_books_and_asks_for_each_snapshot_a_second_later() -> None:
    client = Client()
    topics = [f"market.{symbol}.mbp.150" for symbol in ("btcusdt", "ethusdt")]
    assert client.greeting == [Send(json.dumps({"sub": topic, "id": topic})) for topic in topics]
    assert client.book().health is Health.SYNCING
    client.waits()
    assert client.now_ns == START + SECOND
    assert client.asks() == [{"req": topic, "id": topic} for topic in topics]


def test_whole_books_come_with_trades_from_the_other_address_and_are_awaited_longer() -> None:
    assert HuobiMarketData().on_feed
    assert not HuobiMarketData("depth.step0").on_feed
    client = Client("depth.step0")
    sent = [json.loads(request.text)["sub"] for request in client.greeting if isinstance(request, Send)]
    assert sent[:2] == ["market.btcusdt.depth.step0", "market.btcusdt.trade.detail"]
    assert client.session.wake_at_ns() == START + 5 * SECOND
    client.waits()
    topic = "market.btcusdt.depth.step0"
    assert client.asks()[:2] == [{"unsub": topic, "id": topic}, {"sub": topic, "id": topic}]


@pytest.mark.parametrize("pack", [lambda text: text, lambda text: gzip.compress(text.encode())])
def test_a_ping_is_answered_at_once_with_the_same_number(pack: Any) -> None:
    client = live_client()
    client.receives(pack('{"ping":1618678073643}'))
    assert client.session.take_requests() == [Send('{"pong": 1618678073643}', urgent=True)]


def test_increments_held_are_joined_to_a_snapshot_that_lags_behind_them() -> None:
    client = Client()
    for previous, last, bid in ((78, 130, 1), (130, 160, 2), (160, 204, 3), (204, 226, 4)):
        client.receives(increment(previous, last, bids=[[59990.0, bid]], asks=[]))
        assert client.book().health is Health.SYNCING
    client.receives(snapshot(160, [[60000.1, 0.52], [59990.0, 2]], [[60000.2, 1.1]]))
    assert client.book().is_live
    assert shown(client.book()) == ({"60000.1": "0.52", "59990": "4"}, {"60000.2": "1.1"})

    client.receives(increment(226, 253, bids=[[60000.1, 0]], asks=[[60000.2, 1.2]]))
    assert shown(client.book()) == ({"59990": "4"}, {"60000.2": "1.2"})

    client.receives(increment(500, 510, bids=[[60000.1, 9]], asks=[]))
    assert client.book().health is Health.SYNCING
    assert client.book().reason == "gap: an update follows 500, but the book is at 253"
    assert client.book().counters.gaps == 1
    assert client.asks() == [ASK_BTC]


def test_a_snapshot_older_than_what_is_held_is_asked_for_again() -> None:
    client = Client()
    client.waits()
    client.asks()
    client.receives(increment(130, 160, bids=[[59990, 1]], asks=[]))
    client.receives(snapshot(100, [[60000.1, 1]], [[60000.2, 1]]))
    assert client.book().health is Health.SYNCING
    client.waits()
    assert ASK_BTC in client.asks()
    client.receives(snapshot(130, [[60000.1, 1]], [[60000.2, 1]]))
    assert shown(client.book()) == ({"60000.1": "1", "59990": "1"}, {"60000.2": "1"})


def test_a_snapshot_inside_an_increment_is_taken_at_the_third_try() -> None:
    client = Client()
    client.receives(increment(130, 160, bids=[[59990, 1]], asks=[[60000.2, 7]]))
    for sequence in (140, 141):
        client.receives(snapshot(sequence, [[60000.1, 1]], [[60000.2, 1]]))
        assert client.book().health is Health.SYNCING
    client.receives(snapshot(142, [[60000.1, 1]], [[60000.2, 1]]))
    assert client.book().is_live
    assert shown(client.book()) == ({"60000.1": "1", "59990": "1"}, {"60000.2": "7"})
    client.receives(increment(160, 170, bids=[[59990, 0]]))
    assert client.book().is_live


def test_an_answer_without_a_book_is_asked_for_again() -> None:
    client = Client()
    client.receives(increment(90, 100))
    client.waits()
    client.asks()
    client.receives({"id": "r1", "rep": "market.btcusdt.mbp.150", "status": "ok", "data": None})
    assert client.book().health is Health.SYNCING
    client.waits()
    assert client.now_ns <= START + 5 * SECOND
    assert client.asks() == [ASK_BTC]


def test_before_any_increment_a_snapshot_is_no_book_and_the_subscription_is_made_again() -> None:
    client = Client()
    client.waits()
    client.asks()
    client.receives(snapshot(100, [[1, 1]], [[2, 1]]))
    assert client.book().health is Health.SYNCING
    client.waits()
    topic = "market.btcusdt.mbp.150"
    assert client.asks() == [{"sub": topic, "id": topic}, ASK_BTC]
    client.receives(increment(100, 105, bids=[[1, 2]], asks=[]))
    client.receives(snapshot(100, [[1, 1]], [[2, 1]]))
    assert shown(client.book()) == ({"1": "2"}, {"2": "1"})


def test_an_answer_for_a_live_book_changes_nothing_and_breaks_nothing() -> None:
    client = live_client()
    before = shown(client.book())
    for late in (snapshot(90, [[5, 5]], []), snapshot(0, [], []), snapshot(90, "x", None)):
        assert client.receives(late) == []
    client.receives({"id": "r1", "rep": "market.btcusdt.mbp.150", "status": "ok", "data": None})
    assert shown(client.book()) == before
    assert client.book().is_live
    assert client.session.wake_at_ns() is None


def test_a_gap_costs_one_book_which_the_next_snapshot_heals() -> None:
    client = live_client()
    client.receives(increment(100, 110, bids=[[60000, 3]], asks=[]))
    client.receives(increment(115, 120, bids=[[60000, 4]], asks=[]))
    assert client.book().health is Health.SYNCING
    assert client.book("ETH/USDT").is_live
    assert client.asks() == [ASK_BTC]
    client.receives(increment(120, 130, bids=[[60000, 5]], asks=[]))
    client.receives(snapshot(120, [[60000, 4]], [[60001, 1]]))
    assert client.book().is_live
    assert shown(client.book()) == ({"60000": "5"}, {"60001": "1"})
    assert (client.book().counters.gaps, client.book().counters.resyncs) == (1, 1)


def test_a_repeated_increment_is_dropped() -> None:
    client = live_client()
    client.receives(increment(100, 110, bids=[[60000, 3]], asks=[]))
    client.receives(increment(110, 120, bids=[[60000, 4]], asks=[]))
    client.receives(increment(100, 110, bids=[[60000, 3]], asks=[]))
    assert shown(client.book())[0] == {"60000.1": "0.5", "60000": "4"}
    assert client.book().is_live


def test_increments_out_of_order_are_a_gap() -> None:
    client = live_client()
    client.receives(increment(110, 120, bids=[[60000, 4]], asks=[]))
    client.receives(increment(100, 110, bids=[[60000, 3]], asks=[]))
    assert client.book().health is Health.SYNCING
    client.receives(snapshot(100, [[60000, 2]], [[60001, 1]]))
    assert shown(client.book()) == ({"60000": "4"}, {"60001": "1"})


@pytest.mark.parametrize("sides", [{"bids": [], "asks": []}, {}])
def test_an_empty_increment_keeps_the_book_fresh_and_moves_its_id(sides: dict[str, Any]) -> None:
    client = live_client()
    before, changed_ns = shown(client.book()), client.book().changed_ns
    client.receives(increment(100, 140, **sides))
    assert client.book().received_ns == client.now_ns
    assert client.book().venue_time_ns == 1780000000500 * 1_000_000
    assert (shown(client.book()), client.book().changed_ns) == (before, changed_ns)
    client.receives(increment(140, 150, asks=[[60000.2, 0], [60003, 1]]))
    assert shown(client.book()) == (before[0], {"60003": "1"})


def test_numbers_are_exact_in_whatever_form_they_come() -> None:
    client = live_client()
    raw = (
        '{"ch":"market.btcusdt.mbp.150","ts":1,"tick":{"seqNum":101,"prevSeqNum":100,'
        '"bids":[[9.121E-7,3.24127967841632E12],[60000.1,0.0]],"asks":[[60000.2,0.575610404535042]]}}'
    )
    client.receives(raw)
    assert shown(client.book()) == (
        {"60000": "2", "0.0000009121": "3241279678416.32"},
        {"60000.2": "0.575610404535042"},
    )


def test_a_level_below_the_channel_s_depth_is_forgotten() -> None:
    client = live_client()
    bids = [[50000 - n, 1] for n in range(200)]
    client.receives(increment(100, 110, bids=bids, asks=[]))
    assert len(client.book().bids) == 150


@pytest.mark.parametrize("channel", ["mbp.refresh.20", "depth.step0"])
def test_a_picture_replaces_the_book_unless_it_is_older(channel: str) -> None:
    def picture(order: int, bid: int) -> dict[str, Any]:
        number = {"seqNum": order} if channel.startswith("mbp") else {"version": order, "ts": 1780000000000}
        tick = {"bids": [[bid, 1]], "asks": [[60001, 1]], **number}
        return {"ch": f"market.btcusdt.{channel}", "ts": 1780000000001, "tick": tick}

    client = Client(channel)
    client.receives(picture(10, 59990))
    assert client.book().is_live
    client.receives(picture(12, 59992))
    client.receives(picture(11, 59991))
    assert shown(client.book()) == ({"59992": "1"}, {"60001": "1"})
    client.apply(client.session.closed("the connection is gone", client.now_ns))
    assert client.book().health is Health.SYNCING
    client.receives(picture(5, 59985))
    assert shown(client.book()) == ({"59985": "1"}, {"60001": "1"})


def test_a_second_book_channel_does_not_touch_the_book() -> None:
    client = live_client()
    before = shown(client.book())
    tick = {"version": 5, "ts": 1, "bids": [[1, 1]], "asks": [[2, 1]]}
    assert client.receives({"ch": "market.btcusdt.depth.step0", "ts": 1, "tick": tick}) == []
    assert client.receives(increment(3, 4, channel="mbp.5", bids=[[1, 1]])) == []
    assert client.receives({"ch": "market.btcusdt.depth.step1", "ts": 1, "tick": tick}) == []
    assert shown(client.book()) == before
    assert client.book().is_live


@pytest.mark.parametrize(
    "tick",
    [
        {"seqNum": 101},
        {"seqNum": 90, "prevSeqNum": 100},
        {"seqNum": 101, "prevSeqNum": 100, "bids": [[60000, -1]]},
        {"seqNum": 101, "prevSeqNum": 100, "bids": [[60000, 3]], "asks": [[0, 1]]},
        {"seqNum": 101, "prevSeqNum": 100, "bids": [[60000, 3]], "asks": [[1e-30, 1]]},
        {"seqNum": 101, "prevSeqNum": 100, "bids": [[60000, 3]], "asks": [[60001]]},
        {"seqNum": 101, "prevSeqNum": 100, "bids": None, "asks": []},
    ],
)
def test_a_broken_increment_costs_its_own_book_only_and_nothing_of_it_is_applied(tick: dict[str, Any]) -> None:
    client = live_client()
    before = shown(client.book())
    events = client.receives({"ch": "market.btcusdt.mbp.150", "ts": 1, "tick": tick})
    assert isinstance(events[0], FrameRejected)
    assert events[0].instrument == "BTC/USDT"
    assert client.book().health is Health.SYNCING
    assert "a frame was rejected" in (client.book().reason or "")
    assert client.book().counters.rejected_frames == 1
    assert shown(client.book()) == before
    assert client.book("ETH/USDT").is_live
    assert client.asks() == [ASK_BTC]


def test_a_picture_that_lacks_a_side_is_no_picture() -> None:
    client = Client("depth.step0")
    tick = {"version": 5, "ts": 1, "bids": [[1, 1]]}
    events = client.receives({"ch": "market.btcusdt.depth.step0", "ts": 1, "tick": tick})
    assert isinstance(events[0], FrameRejected)
    assert client.book().health is Health.SYNCING


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x1f\x8b not gzip",
        gzip.compress(b"{")[:-4],
        "",
        "[]",
        "{}",
        '{"ch":5}',
        '{"ch":"market.btcusdt.mbp.150","tick":5}',
        '{"ch":"market.dogeusdt.mbp.150","tick":{"seqNum":2,"prevSeqNum":1}}',
        '{"op":"notify","topic":"public.BTC-USD.funding_rate","ts":1,"data":[]}',
        '{"id":"r1","rep":"market.dogeusdt.mbp.150","status":"ok","data":null}',
    ],
)
def test_what_cannot_be_understood_is_rejected_and_no_book_suffers(frame: str | bytes) -> None:
    client = live_client()
    (event,) = client.receives(frame)
    assert isinstance(event, FrameRejected)
    assert event.instrument is None
    assert client.book().is_live
    assert client.book("ETH/USDT").is_live


def test_trades_come_several_at_a_time_with_the_taker_s_side() -> None:
    client = live_client()
    raw = (
        '{"ch":"market.btcusdt.trade.detail","ts":1780000000200,"tick":{"id":100182534526,"ts":1780000000199,"data":['
        '{"id":100182534526255757567432481,"tradeId":100045088885,"ts":1780000000199,"amount":1.98E-4,"price":58911.07,'
        '"direction":"buy"},'
        '{"id":100182534526255757567432482,"tradeId":100045088886,"ts":1780000000198,"amount":2,"price":58911,'
        '"direction":"sell"}]}}'
    )
    trades = client.receives(raw)
    instrument = client.book().listing.instrument
    assert trades == [
        Trade(
            *("huobi", "BTC/USDT", 1780000000199_000_000, client.now_ns, "100045088885"),
            *(instrument.price("58911.07"), instrument.quantity("0.000198"), Side.BUY),
        ),
        Trade(
            *("huobi", "BTC/USDT", 1780000000198_000_000, client.now_ns, "100045088886"),
            *(instrument.price("58911"), instrument.quantity("2"), Side.SELL),
        ),
    ]


@pytest.mark.parametrize("bid", ["60000.1", '"60000.1"'])
def test_a_best_bid_and_offer_is_told_with_its_sequence(bid: str) -> None:
    client = live_client()
    raw = (
        '{"ch":"market.btcusdt.bbo","ts":1780000000300,"tick":{"symbol":"btcusdt","quoteTime":1780000000299,'
        f'"bid":{bid},"bidSize":0.4,"ask":60000.2,"askSize":1.1,"seqId":4017}}}}'
    )
    (quote,) = client.receives(raw)
    instrument = client.book().listing.instrument
    assert quote == BestQuote(
        *("huobi", "BTC/USDT", 1780000000299_000_000, client.now_ns, 4017),
        *(instrument.price("60000.1"), instrument.quantity("0.4")),
        *(instrument.price("60000.2"), instrument.quantity("1.1")),
    )


def test_acknowledgements_are_told() -> None:
    client = live_client()
    topic = "market.btcusdt.mbp.150"
    (subscribed,) = client.receives({"id": "s1", "status": "ok", "subbed": topic, "ts": 1780000000000})
    assert subscribed == Subscribed("huobi", client.now_ns, topic)
    (unsubscribed,) = client.receives({"id": "s2", "status": "ok", "unsubbed": topic, "ts": 1780000000010})
    assert unsubscribed == Subscribed("huobi", client.now_ns, f"no longer {topic}")


@pytest.mark.parametrize(
    ("request_id", "text", "instrument"),
    [
        ("s3", "invalid topic market.btcusdt.nope", "BTC/USDT"),
        ("market.ethusdt.mbp.150", "429 too many request", "ETH/USDT"),
        ("s3", "invalid topic market.nope.mbp.150", None),
        (3, "invalid symbol", None),
    ],
)
def test_a_refusal_names_the_instrument_where_it_can(request_id: Any, text: str, instrument: str | None) -> None:
    client = live_client()
    message = {"status": "error", "err-code": "bad-request", "err-msg": text, "id": request_id, "ts": 1780000000020}
    (refused,) = client.receives(message)
    assert isinstance(refused, Refused)
    assert refused.instrument == instrument
    assert refused.reason == f"request {request_id} was refused: bad-request: {text}"
    assert client.book().is_live


def test_a_refused_snapshot_is_asked_for_again() -> None:
    client = Client()
    client.waits()
    client.asks()
    topic = "market.btcusdt.mbp.150"
    message = {
        "status": "error",
        "rep": topic,
        "id": topic,
        "err-code": "bad-request",
        "err-msg": "429 too many request",
    }
    (refused,) = client.receives(message)
    assert isinstance(refused, Refused)
    client.waits()
    assert ASK_BTC in client.asks()


RULES = [
    (
        "/v1/settings/common/market-symbols",
        '{"status":"ok","data":[{"symbol":"dogeusdt","state":"online","bc":"doge","qc":"usdt","pp":6,"ap":2,"vp":8,'
        '"minoa":1,"lominoa":1.0,"minov":5.0E0,"at":"enabled"},{"symbol":"zecbtc","state":"suspend","bc":"zec","qc":"btc",'
        '"pp":6,"ap":4,"at":"enabled"}],"ts":"1641880897191","full":1}',
    ),
    (
        "/v1/common/symbols",
        '{"status":"ok","data":[{"base-currency":"doge","quote-currency":"usdt","price-precision":6,"amount-precision":2,'
        '"symbol":"dogeusdt","state":"online","min-order-value":5,"limit-order-min-order-amt":1,"api-trading":"enabled"},'
        '{"base-currency":"zec","quote-currency":"btc","price-precision":6,"amount-precision":4,"symbol":"zecbtc",'
        '"state":"online","api-trading":"disabled"}]}',
    ),
]


@pytest.mark.parametrize(("path", "body"), RULES)
def test_both_market_lists_are_understood(path: str, body: str) -> None:
    markets = Markets("huobi", adopts_unlisted=True)
    session = Session(HuobiMarketData(), markets, follow_listed=lambda market: market.base in {"DOGE", "ZEC"})
    session.opened(START)
    assert Fetch("/v1/settings/common/market-symbols") in session.take_requests()
    events = session.fetched(Reply(f"https://api.huobi.pro{path}", 200, body.encode()), START)
    told = [event.listings for event in events if isinstance(event, ListingsRead)]
    listings = {listing.symbol: listing for row in told for listing in row}
    doge, zec = listings["dogeusdt"], listings["zecbtc"]
    instrument = doge.instrument
    assert (instrument.name, zec.instrument.name) == ("DOGE/USDT", "ZEC/BTC")
    assert instrument.show_price(doge.tick) == "0.000001"
    assert instrument.show_quantity(doge.lot) == "0.01"
    assert instrument.show_quantity(doge.minimum_quantity) == "1"
    assert instrument.show_notional(doge.minimum_notional) == "5"
    assert (doge.tradable, zec.tradable) == (True, False)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b'{"status":"error","err-code":"x"}'), (200, b"<html>"), (429, b"too many"), (0, b"no route")],
)
def test_a_market_list_that_did_not_come_is_rejected(status: int, body: bytes) -> None:
    client = live_client()
    (event,) = client.session.fetched(Reply("/v1/settings/common/market-symbols", status, body), client.now_ns)
    assert isinstance(event, FrameRejected)


def test_the_venue_tells_its_time() -> None:
    client = live_client()
    reply = Reply("https://api.huobi.pro/v1/common/timestamp", 200, b'{"status":"ok","data":1780000000000}')
    assert client.session.fetched(reply, client.now_ns) == [VenueClock("huobi", client.now_ns, 1780000000000_000_000)]


@needs_shared
def test_real_spot_frames_are_understood() -> None:
    session = Session(HuobiMarketData(), Markets("huobi", adopts_unlisted=True))
    told: list[MarketEvent] = []
    for line in shared("messages", "htx.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["market_type"] == "Spot":
            told += session.received(row["raw"], START)
    assert not [event for event in told if isinstance(event, FrameRejected)]
    assert {type(event) for event in told} >= {Trade, BestQuote}


REAL = [
    b'{"ch":"market.btcusdt.mbp.150","ts":1,"tick":{"seqNum":110,"prevSeqNum":100,"bids":[[59990.5,0.4],[1E-7,0]],"asks":[]}}',
    b'{"id":"r1","rep":"market.btcusdt.mbp.150","status":"ok","data":{"seqNum":110,"bids":[[1.5,2]],"asks":[[3,4.5]]}}',
    b'{"ch":"market.ethusdt.depth.step0","ts":1,"tick":{"bids":[[1.0,2],[1,2],[1,2],[1,2]],"asks":[],"version":9,"ts":1}}',
    b'{"ch":"market.btcusdt.trade.detail","ts":1,"tick":{"ts":1,"data":[{"tradeId":1,"ts":1,"amount":1,"price":2,"direction":"buy"}]}}',
    b'{"ch":"market.btcusdt.bbo","ts":1,"tick":{"quoteTime":1,"bid":1.5,"bidSize":"0.4","ask":2,"askSize":1.1,"seqId":4}}',
    b'{"id":"s1","status":"ok","subbed":"market.btcusdt.mbp.150","ts":1}',
    b'{"status":"error","err-code":"bad-request","err-msg":"invalid topic market.btcusdt.nope","id":"s3","ts":1}',
    b'{"ping":1780000000000}',
]
SHARDS = [
    b"",
    b"null",
    b"-1",
    b"1e400",
    b"99999999999999999999",
    b'"x"',
    b"[]",
    b"[[",
    b"{}",
    b".",
    b"\xff",
    b'"',
    b",",
    b"0",
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    frame = draw(st.sampled_from(REAL))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(frame)))
        end = draw(st.integers(start, min(start + 12, len(frame))))
        frame = frame[:start] + draw(st.sampled_from(SHARDS) | st.binary(max_size=4)) + frame[end:]
    return frame


@given(st.lists(mutated() | st.binary(max_size=60), max_size=6), st.booleans())
def test_nothing_that_comes_can_raise_or_be_half_applied(frames: list[bytes], are_packed: bool) -> None:
    client = live_client()
    for frame in frames:
        before = {book.listing.symbol: shown(book) for book in client.market}
        events = client.receives(gzip.compress(frame) if are_packed else frame.decode("utf-8", "surrogateescape"))
        if any(isinstance(event, FrameRejected) for event in events):
            assert {book.listing.symbol: shown(book) for book in client.market} == before
