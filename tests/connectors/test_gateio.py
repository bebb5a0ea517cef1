"""Gate: composed frames of every kind, and what becomes of books, health, events and requests."""

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Health
from aggregator.domain.errors import ConfigurationRefused
from aggregator.domain.events import (
    BestQuote,
    BookDelta,
    BookLost,
    BookSnapshot,
    FrameRejected,
    MarketEvent,
    Refused,
    Subscribed,
    Trade,
    VenueClock,
)
from aggregator.domain.instrument import Instruments, Listing, Side
from aggregator.engine.market import Market
from connectors.contract import Fetch, Reconnect, Reply, Send
from connectors.gateio import MarketData
from connectors.markets import Market as Row
from connectors.markets import Markets
from connectors.session import Session
from tests.paths import needs_shared, shared

SECOND = 1_000_000_000
START = 1_780_000_000 * SECOND
SYMBOLS = ("BTC_USDT", "ETH_USDT")
REST = "order_book_update.100ms"


class Venue:
    """A session that follows two markets, and the market that its events make."""

    def __init__(self, book_channel: str = "obu.50", symbols: tuple[str, ...] = SYMBOLS) -> None:
        instruments = Instruments()
        listings = [Listing("gateio", symbol, instruments.listed(symbol.replace("_", "/"))) for symbol in symbols]
        self.now = START
        self.market = Market()
        self.session = Session(MarketData(book_channel), Markets("gateio", listings), symbols)
        self._apply(self.session.opened(self.now))
        self.sent_on_opening = self.sent()

    def receive(self, frame: Any) -> list[MarketEvent]:
        self.now += 1_000_000
        raw = frame if isinstance(frame, (bytes, str)) else json.dumps(frame)
        return self._apply(self.session.received(raw, self.now))

    def fetch(self, path: str, body: Any, status: int = 200) -> list[MarketEvent]:
        self.now += 1_000_000
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._apply(self.session.fetched(Reply(f"https://venue.example{path}", status, raw), self.now))

    def fetch_book(self, last: int, symbol: str = "BTC_USDT", status: int = 200, **sides: Any) -> list[MarketEvent]:
        sides = sides or {"bids": [["100.1", "1.5"]], "asks": [["100.2", "2"]]}
        path = f"/api/v4/spot/order_book?currency_pair={symbol}&limit=100&with_id=true"
        return self.fetch(path, {"id": last, "current": 1780000000150, "update": 1780000000140, **sides}, status)

    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(request.text) for request in self.session.take_requests() if isinstance(request, Send)]

    def fetched_paths(self) -> list[str]:
        return [request.path for request in self.session.take_requests() if isinstance(request, Fetch)]

    def book(self, symbol: str = "BTC_USDT") -> VenueBook:
        return self.market.books(symbol.replace("_", "/"))["gateio"]

    def shown(self, symbol: str = "BTC_USDT") -> tuple[dict[str, str], dict[str, str]]:
        book = self.book(symbol)
        instrument = book.listing.instrument
        bids, asks = (
            {
                instrument.show_price(price): instrument.show_quantity(quantity)
                for price, quantity in zip(*ladder.top(), strict=True)
            }
            for ladder in (book.bids, book.asks)
        )
        return bids, asks

    def _apply(self, events: Sequence[MarketEvent]) -> list[MarketEvent]:
        for event in events:
            self.market.apply(event)
        self.market.check()
        for book in self.session.books:
            shown = self.book(book.listing.symbol).health
            assert book.is_whole == (shown in (Health.LIVE, Health.CROSSED)), (shown, book.is_whole)
        return list(events)


def full(last: int, symbol: str = "BTC_USDT", depth: int = 50, **sides: Any) -> dict[str, Any]:
    sides = sides or {"b": [["100.1", "1.5"]], "a": [["100.2", "2"]]}
    result = {"t": 1780000000148, "full": True, "s": f"ob.{symbol}.{depth}", "u": last, **sides}
    return {"channel": "spot.obu", "time_ms": 1780000000150, "event": "update", "result": result}


def change(first: int, last: int, symbol: str = "BTC_USDT", depth: int = 50, **sides: Any) -> dict[str, Any]:
    """As documented, without `event`."""
    result = {"t": 1780000000170, "s": f"ob.{symbol}.{depth}", "U": first, "u": last, **sides}
    return {"channel": "spot.obu", "time_ms": 1780000000171, "result": result}


def update(first: int, last: int, symbol: str = "BTC_USDT", **more: Any) -> dict[str, Any]:
    result = {"t": 1780000000148, "e": "depthUpdate", "E": 1780000000, "s": symbol, "U": first, "u": last, **more}
    channel = "spot.order_book_update"
    return {"time": 1780000000, "time_ms": 1780000000150, "channel": channel, "event": "update", "result": result}


def answer(channel: str, payload: list[str] | None, event: str = "subscribe", **more: Any) -> dict[str, Any]:
    frame = {"time": 1780000000, "time_ms": 1780000000012, "id": 1, "conn_id": "c0ffee", "channel": channel}
    echo = {} if payload is None else {"payload": payload}
    return {**frame, **echo, "event": event, "error": None, "result": {"status": "success"}, **more}


def trade(**more: Any) -> dict[str, Any]:
    result = {
        "id": 816995772, "id_market": 120034, "create_time": 1780000000, "create_time_ms": "1780000000208.2642",
        "side": "sell", "currency_pair": "BTC_USDT", "amount": "0.0100", "price": "100.15", "range": "1-1", **more,
    }  # fmt: skip
    return {"time": 1780000000, "channel": "spot.trades", "event": "update", "result": result}


def best_quote(**more: Any) -> dict[str, Any]:
    result = {"t": 1780000000149, "u": 48791207, "s": "BTC_USDT", "b": "100.1", "B": "0.4", "a": "100.2", "A": "1.1"}
    return {"time": 1780000000, "channel": "spot.book_ticker", "event": "update", "result": {**result, **more}}


def live() -> Venue:
    venue = Venue()
    venue.receive(full(100))
    venue.receive(full(900, "ETH_USDT"))
    assert venue.book().is_live
    assert venue.book("ETH_USDT").is_live
    return venue


def live_by_rest() -> Venue:
    venue = Venue(REST)
    for symbol in SYMBOLS:
        venue.receive(update(95, 101, symbol, b=[["100.1", "1.4"]]))
        venue.fetch_book(100, symbol)
        assert venue.book(symbol).is_live
    return venue


def kinds(events: Sequence[MarketEvent]) -> list[type]:
    return [type(event) for event in events]


# Subscribing


def test_each_request_is_about_one_market() -> None:
    sent = Venue().sent_on_opening
    assert [(frame["channel"], frame["payload"]) for frame in sent] == [
        ("spot.obu", ["ob.BTC_USDT.50"]),
        ("spot.obu", ["ob.ETH_USDT.50"]),
        ("spot.trades", ["BTC_USDT"]),
        ("spot.trades", ["ETH_USDT"]),
    ]
    assert {(frame["event"], frame["time"]) for frame in sent} == {("subscribe", 1_780_000_000)}
    assert [frame["id"] for frame in sent] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("book_channel", "channel", "payload"),
    [
        ("obu.400", "spot.obu", ["ob.BTC_USDT.400"]),
        ("order_book_update.100ms", "spot.order_book_update", ["BTC_USDT", "100ms"]),
        ("order_book_update.20ms", "spot.order_book_update", ["BTC_USDT", "20ms"]),
    ],
)
def test_it_subscribes_to_the_book_channel_that_it_is_told(book_channel: str, channel: str, payload: list[str]) -> None:
    first = Venue(book_channel).sent_on_opening[0]
    assert (first["channel"], first["payload"]) == (channel, payload)


@pytest.mark.parametrize("name", ["obu", "obu.20", "order_book.100ms", ""])
def test_a_book_channel_that_the_venue_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationRefused, match=r"obu\.50"):
        MarketData(name)


def test_acknowledgements_are_told_and_those_of_leaving_are_not() -> None:
    venue = Venue()
    (event,) = venue.receive(answer("spot.obu", ["ob.BTC_USDT.50"]))
    assert isinstance(event, Subscribed)
    assert event.topics == 'spot.obu ["ob.BTC_USDT.50"]'
    (event,) = venue.receive(answer("spot.trades", None))
    assert isinstance(event, Subscribed)
    assert event.topics == "spot.trades"
    assert venue.receive(answer("spot.obu", ["ob.BTC_USDT.50"], event="unsubscribe")) == []


def test_the_book_may_come_before_its_acknowledgement() -> None:
    venue = Venue()
    venue.receive(full(100))
    venue.receive(change(101, 102, b=[["100", "1"]]))
    venue.receive(answer("spot.obu", ["ob.BTC_USDT.50"]))
    assert venue.book().is_live
    assert venue.shown()[0] == {"100.1": "1.5", "100": "1"}


@pytest.mark.parametrize(
    "refusal",
    [
        answer("spot.order_book_update", None, error={"code": 2, "message": "unknown currency pair BTC_USDT"}),
        answer("spot.obu", ["ob.BTC_USDT.50"], error={"code": 2, "message": "Alert sub ob.BTC_USDT.50"}),
        answer("spot.trades", ["BTC_USDT"], error={"code": 2, "message": None}),
    ],
)
def test_a_refusal_names_its_instrument_and_leaves_other_books_alone(refusal: dict[str, Any]) -> None:
    venue = Venue()
    venue.receive(full(900, "ETH_USDT"))
    (event,) = venue.receive(refusal)
    assert isinstance(event, Refused)
    assert event.instrument == "BTC/USDT"
    assert "2: " in event.reason
    assert venue.book().health is Health.SYNCING
    assert venue.book("ETH_USDT").is_live


@pytest.mark.parametrize(
    "refusal",
    [
        answer("", None, event="", error={"code": 1, "message": "request message need json scheme"}),
        answer("spot.trades", ["BTC_USDT", "ETH_USDT"], error={"code": 3, "message": "server error"}),
        answer("spot.obu", ["ob.NOPE_USDT.50"], error={"code": 2, "message": "unknown currency pair NOPE_USDT"}),
    ],
)
def test_a_refusal_that_may_be_about_any_market_names_none(refusal: dict[str, Any]) -> None:
    (event,) = Venue().receive(refusal)
    assert isinstance(event, Refused)
    assert event.instrument is None


def test_a_notice_of_an_upgrade_asks_for_another_connection() -> None:
    venue = live()
    assert venue.receive({"type": "upgrade", "msg": "the server will restart"}) == []
    (request,) = venue.session.take_requests()
    assert isinstance(request, Reconnect)
    assert "the server will restart" in request.reason
    assert venue.book().is_live


def test_the_connection_is_kept_alive_by_pings_whose_answer_says_nothing() -> None:
    venue = live()
    keepalive = MarketData.habits.keepalive
    assert keepalive is not None
    assert json.loads(keepalive(START)) == {"time": 1_780_000_000, "channel": "spot.ping"}
    assert venue.receive({"time": 1780000000, "channel": "spot.pong", "event": "", "result": None}) == []


def test_channels_that_are_not_asked_for_say_nothing() -> None:
    frame = {"time": 1, "channel": "spot.candlesticks", "event": "update", "result": {"t": "1619093520", "o": "1"}}
    assert live().receive(frame) == []


# One stream with the whole book and its changes


def test_changes_continue_the_full_book() -> None:
    venue = live()
    venue.receive(change(101, 107, b=[["100.1", "0"], ["99.9", "3"]], a=[["100.3", "1"]]))
    venue.receive(change(108, 108, a=[["100.2", "0.5"]]))
    assert venue.shown() == ({"99.9": "3"}, {"100.2": "0.5", "100.3": "1"})
    assert venue.book().is_live
    assert venue.book().venue_time_ns == 1780000000170 * 1_000_000
    assert venue.shown("ETH_USDT") == ({"100.1": "1.5"}, {"100.2": "2"})


def test_a_change_without_levels_moves_the_id_on_and_keeps_the_book_fresh() -> None:
    venue = live()
    before = venue.book().changed_ns
    assert kinds(venue.receive(change(101, 109))) == [BookDelta]
    assert (venue.book().received_ns, venue.book().changed_ns) == (venue.now, before)
    venue.receive(change(110, 110, b=[["100", "1"]]))
    assert venue.book().is_live


def test_a_gap_leaves_the_stream_and_joins_it_again() -> None:
    venue = live()
    (event,) = venue.receive(change(102, 103, b=[["100", "1"]]))
    assert isinstance(event, BookLost)
    assert event.gap
    assert venue.book().health is Health.SYNCING
    assert venue.book().counters.gaps == 1
    assert venue.book("ETH_USDT").is_live
    requests = venue.sent()
    assert [(request["event"], request["payload"]) for request in requests] == [
        ("unsubscribe", ["ob.BTC_USDT.50"]),
        ("subscribe", ["ob.BTC_USDT.50"]),
    ]
    assert requests[0]["id"] < requests[1]["id"]

    assert venue.receive(change(104, 105, b=[["100", "1"]])) == []
    venue.receive(answer("spot.obu", ["ob.BTC_USDT.50"], event="unsubscribe"))
    (found,) = venue.receive(full(200))
    assert isinstance(found, BookSnapshot)
    assert found.resync
    venue.receive(change(201, 201, b=[["100", "7"]]))
    assert venue.shown()[0] == {"100.1": "1.5", "100": "7"}
    assert venue.book().is_live
    assert venue.session.wake_at_ns() is None


def test_duplicates_are_dropped_and_an_overlap_is_taken() -> None:
    venue = live()
    first = change(101, 105, b=[["100", "1"]])
    venue.receive(first)
    assert venue.receive(first) == []
    assert venue.receive(change(90, 95, b=[["100", "9"]])) == []
    venue.receive(change(103, 108, b=[["100", "2"]]))
    assert venue.shown()[0]["100"] == "2"
    assert venue.book().is_live


def test_a_reordering_is_a_gap() -> None:
    venue = live()
    venue.receive(change(102, 102))
    venue.receive(change(101, 101))
    assert venue.book().health is Health.SYNCING


def test_a_full_book_replaces_the_one_shown_at_any_time() -> None:
    venue = live()
    venue.receive(full(50, b=[["99", "1"]]))
    assert venue.shown() == ({"99": "1"}, {})
    venue.receive(change(51, 51, a=[["100", "1"]]))
    assert venue.shown() == ({"99": "1"}, {"100": "1"})
    assert venue.book().is_live


@pytest.mark.parametrize("depth", [50, 400])
def test_the_book_is_cut_to_the_depth_of_the_stream(depth: int) -> None:
    venue = Venue(f"obu.{depth}")
    venue.receive(full(1, depth=depth, b=[[str(1000 - n), "1"] for n in range(depth)]))
    venue.receive(change(2, 2, depth=depth, b=[["1001", "1"]]))
    assert list(venue.shown()[0]) == [str(1001 - n) for n in range(depth)]


def test_a_stream_that_stays_silent_is_joined_again_after_a_while() -> None:
    venue = Venue()
    venue.receive(full(900, "ETH_USDT"))
    venue.receive(answer("spot.obu", ["ob.BTC_USDT.50"]))
    wake_at = venue.session.wake_at_ns()
    assert wake_at == START + 5 * SECOND
    venue.session.woken(wake_at)
    assert [request["event"] for request in venue.sent()] == ["unsubscribe", "subscribe"]


@pytest.mark.parametrize("name", ["ob.BTC_USDT", "ob.BTC_USDT.", "ob..50", "ob.BTC_USDT.²", "ob.BTC_USDT.99999", ""])
def test_a_stream_name_of_another_form_is_rejected(name: str) -> None:
    venue = live()
    frame = full(101)
    frame["result"]["s"] = name
    assert kinds(venue.receive(frame)) == [FrameRejected]
    assert venue.book().is_live


# Changes joined to REST snapshots


def test_a_snapshot_is_asked_for_as_deep_as_the_stream_is() -> None:
    for speed, depth in (("100ms", 100), ("20ms", 20)):
        venue = Venue(f"order_book_update.{speed}")
        wake_at = venue.session.wake_at_ns()
        assert wake_at == START + SECOND
        venue.session.woken(wake_at)
        path = "/api/v4/spot/order_book?currency_pair={}&limit={}&with_id=true"
        assert venue.fetched_paths() == [path.format(symbol, depth) for symbol in SYMBOLS]


def test_updates_are_held_until_the_snapshot_joins_them() -> None:
    venue = Venue(REST)
    for first, last, quantity in ((90, 94, "1"), (95, 100, "2"), (101, 103, "3"), (104, 104, "4")):
        assert venue.receive(update(first, last, b=[["100", quantity]])) == []
    events = venue.fetch_book(98)
    assert kinds(events) == [BookSnapshot, BookDelta, BookDelta, BookDelta]
    assert venue.shown() == ({"100.1": "1.5", "100": "4"}, {"100.2": "2"})
    venue.receive(update(105, 106, a=[["100.2", "0"]]))
    assert venue.shown()[1] == {}
    assert venue.book().is_live


def test_a_snapshot_older_than_the_updates_is_fetched_again() -> None:
    venue = Venue(REST)
    venue.receive(update(95, 101))
    venue.session.woken(START + SECOND)
    venue.session.take_requests()
    assert venue.fetch_book(90) == []
    assert venue.book().health is Health.SYNCING
    wake_at = venue.session.wake_at_ns()
    assert wake_at is not None
    venue.session.woken(venue.now + 2 * SECOND)
    assert any("BTC_USDT" in path for path in venue.fetched_paths())
    venue.fetch_book(101)
    assert venue.book().is_live


def test_a_gap_fetches_this_snapshot_and_keeps_the_subscription() -> None:
    venue = live_by_rest()
    venue.session.take_requests()
    (event,) = venue.receive(update(103, 104, b=[["100", "1"]]))
    assert isinstance(event, BookLost)
    assert event.gap
    assert venue.book("ETH_USDT").is_live
    assert venue.fetched_paths() == ["/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=100&with_id=true"]
    venue.receive(update(105, 105, b=[["100", "2"]]))
    found, *_ = venue.fetch_book(104)
    assert isinstance(found, BookSnapshot)
    assert found.resync
    assert venue.book().is_live
    assert venue.shown()[0] == {"100.1": "1.5", "100": "2"}


def test_an_overlapping_update_is_taken() -> None:
    venue = live_by_rest()
    venue.receive(update(99, 103, b=[["100.1", "7"]]))
    assert venue.book().is_live
    assert venue.shown()[0] == {"100.1": "7"}


def test_a_full_update_replaces_the_book_at_any_time() -> None:
    venue = Venue(REST)
    venue.receive(update(95, 101))
    venue.receive(update(102, 110, full=True, l="100", b=[["99", "1"]], a=[]))
    assert venue.book().is_live
    assert venue.fetch_book(105) == []
    assert venue.fetch_book(105, status=429) == []
    assert venue.shown() == ({"99": "1"}, {})
    venue.receive(update(111, 111, a=[["100", "1"]]))
    venue.receive(update(300, 310, full=True, b=[["98", "1"]]))
    venue.receive(update(311, 311))
    assert venue.shown() == ({"98": "1"}, {})
    assert venue.book().is_live
    assert venue.session.books["BTC_USDT"].at == 311


def test_a_new_market_starts_with_whatever_update_comes_first() -> None:
    for update_is_first in (True, False):
        venue = Venue(REST)
        first = update(7, 9, b=[["100", "1"]])
        if update_is_first:
            venue.receive(first)
        venue.fetch_book(-1, bids=[], asks=[])
        assert venue.book().is_live
        if not update_is_first:
            venue.receive(first)
        venue.receive(update(10, 10, a=[["101", "1"]]))
        assert venue.book().is_live
        assert venue.shown() == ({"100": "1"}, {"101": "1"})
        venue.receive(update(12, 12))
        assert venue.book().health is Health.SYNCING


def test_the_fast_stream_covers_20_levels() -> None:
    for told in ({"l": "20"}, {"l": 20}, {}):
        venue = Venue("order_book_update.20ms")
        venue.fetch_book(1, bids=[[str(1000 - n), "1"] for n in range(20)], asks=[])
        venue.receive(update(2, 2, b=[["1001", "1"], ["1002", "1"]], **told))
        assert list(venue.shown()[0]) == [str(1002 - n) for n in range(20)]


def test_a_frame_that_says_its_depth_is_cut_to_it_whichever_channel_is_subscribed_to() -> None:
    venue = Venue("obu.50")
    venue.receive(update(2, 2, b=[["1001", "1"]], l="3"))
    venue.fetch_book(1, bids=[[str(1000 - n), "1"] for n in range(3)], asks=[])
    assert list(venue.shown()[0]) == ["1001", "1000", "999"]


@pytest.mark.parametrize(
    "body",
    [
        {"current": 1, "asks": [], "bids": []},
        {"id": None, "asks": [], "bids": []},
        {"id": -1, "asks": [["100", "1"]], "bids": []},
        {"id": 5, "asks": [["-100", "1"]], "bids": []},
        {"id": 5, "asks": [["100", "1"]]},
        b"<html>",
    ],
)
def test_a_snapshot_that_means_nothing_is_rejected_and_fetched_again(body: Any) -> None:
    venue = live_by_rest()
    venue.receive(update(200, 201))
    venue.session.take_requests()
    assert kinds(venue.fetch("/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=100", body)) == [FrameRejected]
    assert venue.book().health is Health.SYNCING
    assert venue.book("ETH_USDT").is_live
    wake_at = venue.session.wake_at_ns()
    assert wake_at is not None
    venue.session.woken(wake_at)
    assert len(venue.fetched_paths()) == 1


@pytest.mark.parametrize("status", [0, 400, 429, 503])
def test_a_snapshot_that_is_refused_is_asked_for_later(status: int) -> None:
    venue = Venue(REST)
    venue.receive(update(95, 101))
    (event,) = venue.fetch_book(100, status=status)
    assert isinstance(event, FrameRejected)
    assert str(status) in event.reason
    assert venue.book().health is Health.SYNCING
    assert (venue.session.wake_at_ns() or 0) > venue.now


# What is wrong


@pytest.mark.parametrize(
    "sides",
    [
        {"b": [["-1", "1"]]},
        {"b": [["NaN", "1"]]},
        {"a": [["101", "1e999"]]},
        {"a": [["0", "1"]]},
        {"b": [["100", "1", "1"]]},
        {"b": [["100", "1"]], "a": [["101.0000000000000000001", "1"]]},
        {"b": {"100": "1"}},
        {"U": 0},
        {"U": 108},
    ],
)
def test_a_frame_with_a_bad_number_loses_only_its_book(sides: dict[str, Any]) -> None:
    for venue, frame in ((live(), change(101, 107)), (live_by_rest(), update(102, 107))):
        before = venue.shown()
        frame["result"].update(sides)
        assert kinds(venue.receive(frame)) == [FrameRejected, BookLost]
        assert venue.book().health is Health.SYNCING
        assert venue.book().counters.rejected_frames == 1
        assert venue.shown() == before
        assert venue.book("ETH_USDT").is_live


def test_a_frame_that_cannot_be_told_whose_it_is_shows_as_a_gap_next() -> None:
    venue = live()
    broken = change(101, 101)
    broken["result"]["u"] = "101"
    assert kinds(venue.receive(broken)) == [FrameRejected]
    assert venue.book().is_live
    venue.receive(change(102, 102))
    assert venue.book().health is Health.SYNCING


@pytest.mark.parametrize(
    "frame",
    [
        *(b"", b"{", b"[]", b"{}", b"\xff", b'{"type":"unheard of"}'),
        b'{"method":"depth.update","params":[true,{"asks":[],"bids":[]},"BTC_USDT"],"id":null}',
        b'{"channel":"futures.order_book_update","event":"update","result":{"s":"BTC_USDT","U":1,"u":2}}',
        b'{"channel":"spot.obu","event":"update","result":null}',
    ],
)
def test_what_is_no_message_of_this_protocol_harms_no_book(frame: bytes) -> None:
    venue = live()
    assert kinds(venue.receive(frame)) == [FrameRejected]
    assert venue.book().is_live


def test_a_market_that_is_not_followed_gets_no_book() -> None:
    venue = live()
    assert kinds(venue.receive(full(1, "DOGE_USDT"))) == [FrameRejected]
    assert "DOGE/USDT" not in venue.market.instruments


# Trades, best bids and offers, the time


def test_a_trade_has_its_exact_time_and_the_side_that_took() -> None:
    venue = live()
    (event,) = venue.receive(trade())
    assert isinstance(event, Trade)
    instrument = venue.book().listing.instrument
    assert (event.trade_id, event.taker) == ("816995772", Side.SELL)
    assert event.venue_time_ns == 1780000000208264200
    assert (event.price, event.quantity) == (instrument.price("100.15"), instrument.quantity("0.01"))
    (event,) = venue.receive(trade(side="buy", create_time_ms=1780000000208, price=100, id=2))
    assert isinstance(event, Trade)
    assert (event.venue_time_ns, event.taker) == (1780000000208000000, Side.BUY)


@pytest.mark.parametrize("fault", [{"price": "-1"}, {"amount": None}, {"side": "hold"}, {"create_time_ms": "soon"}])
def test_a_bad_trade_is_dropped_and_loses_no_book(fault: dict[str, Any]) -> None:
    venue = live()
    assert kinds(venue.receive(trade(**fault))) == [FrameRejected]
    assert venue.book().is_live


def test_best_bids_and_offers_carry_the_id_of_their_update() -> None:
    venue = live()
    (event,) = venue.receive(best_quote())
    assert isinstance(event, BestQuote)
    instrument = venue.book().listing.instrument
    assert event.sequence == 48791207
    assert (event.bid_price, event.bid_quantity) == (instrument.price("100.1"), instrument.quantity("0.4"))
    assert (event.ask_price, event.ask_quantity) == (instrument.price("100.2"), instrument.quantity("1.1"))


def test_an_empty_side_of_a_best_quote_is_zero() -> None:
    (event,) = live().receive(best_quote(b="", B="0", a=None, A=None))
    assert isinstance(event, BestQuote)
    assert (event.bid_price, event.bid_quantity, event.ask_price, event.ask_quantity) == (0, 0, 0, 0)


def test_the_venue_tells_its_time() -> None:
    venue = live()
    (event,) = venue.fetch(MarketData().clock().path, {"server_time": 1780000000123})
    assert isinstance(event, VenueClock)
    assert event.venue_time_ns == 1780000000123 * 1_000_000


# The market list


def listed(body: Any) -> tuple[Session, list[MarketEvent]]:
    accepts: Callable[[Row], bool] = lambda row: row.quote == "USDT" and row.tradable  # noqa: E731
    session = Session(MarketData(), Markets("gateio"), follow_listed=accepts)
    session.opened(START)
    fetch, *_ = session.take_requests()
    assert isinstance(fetch, Fetch)
    return session, session.fetched(Reply(f"https://venue.example{fetch.path}", 200, json.dumps(body).encode()), START)


def test_the_markets_of_the_list_are_followed() -> None:
    row = {
        "id": "BTC_USDT", "base": "BTC", "quote": "USDT", "fee": "0.2", "min_base_amount": "0.00001",
        "min_quote_amount": "3", "amount_precision": 6, "precision": 1, "trade_status": "tradable", "sell_start": 0,
    }  # fmt: skip
    bare = {"id": "NEW_USDT", "base": "NEW", "quote": "USDT", "trade_status": "tradable"}
    texts = {**row, "id": "ETH_USDT", "base": "ETH", "amount_precision": "4", "precision": "2", "min_base_amount": None}
    halted = {**row, "id": "OLD_USDT", "base": "OLD", "trade_status": "untradable"}
    absurd = {**row, "id": "ODD_USDT", "base": "ODD", "precision": 99}
    nonsense = {**row, "id": "BAD_USDT", "base": "BAD", "min_quote_amount": "-3"}
    nameless = {**row, "id": "X", "base": None}
    session, _ = listed([row, bare, texts, halted, absurd, nonsense, nameless])
    frames = [json.loads(request.text) for request in session.take_requests() if isinstance(request, Send)]
    books = [frame["payload"][0] for frame in frames if frame["channel"] == "spot.obu"]
    assert books == ["ob.BTC_USDT.50", "ob.NEW_USDT.50", "ob.ETH_USDT.50"]

    listing = session.books["BTC_USDT"].listing
    instrument = listing.instrument
    assert (listing.tick, listing.lot) == (instrument.price("0.1"), instrument.quantity("0.000001"))
    assert listing.minimum_quantity == instrument.quantity("0.00001")
    assert instrument.show_notional(listing.minimum_notional) == "3"
    other = session.books["ETH_USDT"].listing
    assert (other.tick, other.minimum_quantity) == (other.instrument.price("0.01"), 0)
    new = session.books["NEW_USDT"].listing
    assert (new.tick, new.lot, new.minimum_quantity, new.minimum_notional) == (0, 0, 0, 0)


@pytest.mark.parametrize("body", [{"label": "SERVER_ERROR"}, [{}], None])
def test_a_market_list_that_means_nothing_is_rejected(body: Any) -> None:
    session, events = listed(body)
    assert kinds(events) == [FrameRejected]
    assert session.take_requests() == []


# Real frames


@needs_shared
def test_recorded_frames_are_read_or_refused_whole() -> None:
    outcomes = {}
    for line in shared("messages", "gate.jsonl").read_text(encoding="utf-8").splitlines():
        recorded = json.loads(line)
        session = Session(MarketData(), Markets("gateio", separator="_", adopts_unlisted=True))
        events = kinds(session.received(recorded["raw"], START))
        if recorded["market_type"] == "Spot":
            outcomes[recorded["kind"], recorded["case"]] = events[-1] if events else None
        else:
            assert events == [FrameRejected]
    assert outcomes == {
        ("trade", "spot"): Trade,
        ("bbo", "spot"): BestQuote,
        ("l2_event", "spot_update"): BookLost,  # held, as the book awaits its snapshot
        **dict.fromkeys([("l2_topk", "spot"), ("candlestick", "spot"), ("ticker", "spot")]),
        # The retired socket, and a REST snapshot where none can be:
        ("trade", "spot_20210916"): FrameRejected,
        ("l2_event", "spot_snapshot_20200916"): FrameRejected,
        ("l2_event", "spot_update_20210916"): FrameRejected,
        ("ticker", "spot_sample_2"): FrameRejected,
        ("l2_snapshot", "spot"): FrameRejected,
    }


# Whatever comes

FRAMES: list[dict[str, Any]] = [
    full(100),
    full(900, "ETH_USDT"),
    change(101, 107, b=[["100.1", "0"]], a=[["100.3", "1"]]),
    change(108, 108),
    update(101, 103, b=[["100", "1"]], a=[["101", "1"]], l="100"),
    update(104, 110, full=True, b=[["99", "1"]], a=[["100", "1"]]),
    trade(),
    best_quote(),
    answer("spot.obu", ["ob.BTC_USDT.50"]),
    answer("spot.obu", ["ob.BTC_USDT.50"], error={"code": 2, "message": "Alert sub ob.BTC_USDT.50"}),
    {"type": "upgrade", "msg": "soon"},
]
REPLY: dict[str, Any] = {"id": 102, "asks": [["100.2", "2"]], "bids": [["100.1", "1.5"]]}

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["100.1", "0", "1e5", "NaN", "-1", "BTC_USDT", "ob.BTC_USDT.50", "spot.obu", "subscribe", "update"]
    ),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=4), values, max_size=3),
    max_leaves=6,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every key and index within, with what holds it."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield value, key
        yield from places(child)


@st.composite
def mutated(draw: st.DrawFn, originals: list[dict[str, Any]]) -> bytes:
    frame = copy.deepcopy(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, 2))):
        holder, key = draw(st.sampled_from(list(places(frame))))
        if isinstance(holder, dict) and draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = draw(JSON_VALUES)
        if not frame:
            break
    raw = json.dumps(frame).encode()
    if draw(st.integers(0, 9)) == 0:
        start, length = draw(st.integers(0, len(raw))), draw(st.integers(0, 8))
        raw = raw[:start] + draw(st.binary(max_size=8)) + raw[start + length :]
    return raw


@given(st.lists(st.binary(max_size=200) | st.text(max_size=200), max_size=5))
def test_no_bytes_raise_or_touch_a_book(frames: list[bytes | str]) -> None:
    venue = live()
    before = venue.shown()
    for frame in frames:
        assert {FrameRejected, Refused, Subscribed}.issuperset(kinds(venue.receive(frame)))
    assert venue.shown() == before
    assert venue.book().is_live


@given(st.lists(st.tuples(st.booleans(), mutated(FRAMES), mutated([REPLY])), max_size=8), st.booleans())
def test_no_mutated_frame_or_reply_raises_or_is_half_applied(
    steps: list[tuple[bool, bytes, bytes]], by_rest: bool
) -> None:
    venue = live_by_rest() if by_rest else live()
    for is_frame, frame, body in steps:
        before = [venue.shown(symbol) for symbol in SYMBOLS]
        path = "/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=100&with_id=true"
        events = venue.receive(frame) if is_frame else venue.fetch(path, body)
        if FrameRejected in kinds(events):
            assert {FrameRejected, BookLost}.issuperset(kinds(events))
            assert [venue.shown(symbol) for symbol in SYMBOLS] == before
        venue.session.take_requests()
