"""Crypto.com: composed frames of every kind, and what becomes of books, health, events and requests."""

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
)
from aggregator.domain.instrument import Instruments, Listing, Side
from aggregator.engine.market import Market
from connectors.contract import Fetch, Reply, Send
from connectors.cryptocom import MarketData
from connectors.markets import Market as Row
from connectors.markets import Markets
from connectors.session import Session

SECOND = 1_000_000_000
START = 1_780_000_000 * SECOND
SYMBOLS = ("BTC_USDT", "ETH_USDT")


class Venue:
    """A session that follows two markets, and the market that its events make."""

    def __init__(self, book_channel: str = "book.50", symbols: tuple[str, ...] = SYMBOLS) -> None:
        instruments = Instruments()
        listings = [Listing("cryptocom", symbol, instruments.listed(symbol.replace("_", "/"))) for symbol in symbols]
        self.now = START
        self.market = Market()
        self.session = Session(MarketData(book_channel), Markets("cryptocom", listings), symbols)
        self.open()

    def open(self) -> list[MarketEvent]:
        events = self._apply(self.session.opened(self.now))
        self.sent_on_opening = self.sent()
        return list(events)

    def close(self) -> list[MarketEvent]:
        return self._apply(self.session.closed("the connection is gone", self.now))

    def receive(self, frame: Any) -> list[MarketEvent]:
        self.now += 1_000_000
        raw = frame if isinstance(frame, (bytes, str)) else json.dumps(frame)
        return self._apply(self.session.received(raw, self.now))

    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(request.text) for request in self.session.take_requests() if isinstance(request, Send)]

    def resubscribed(self) -> list[str]:
        """What was unsubscribed and subscribed again, with nothing else asked."""
        ended, begun = self.sent()
        assert (ended["method"], begun["method"]) == ("unsubscribe", "subscribe")
        assert 1 < ended["id"] < begun["id"]
        assert ended["params"]["channels"] == begun["params"]["channels"]
        channels: list[str] = begun["params"]["channels"]
        return channels

    def book(self, symbol: str = "BTC_USDT") -> VenueBook:
        return self.market.books(symbol.replace("_", "/"))["cryptocom"]

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


def push(channel: str, *data: dict[str, Any], symbol: str = "BTC_USDT", depth: int = 50) -> dict[str, Any]:
    stream = f"book.{symbol}.{depth}" if channel.startswith("book") else f"{channel}.{symbol}"
    result = {"instrument_name": symbol, "subscription": stream, "channel": channel, "depth": depth, "data": list(data)}
    return {"id": -1, "method": "subscribe", "code": 0, "result": result}


def snapshot(last: int, symbol: str = "BTC_USDT", **sides: list[list[str]]) -> dict[str, Any]:
    sides = sides or {"bids": [["100.10", "1.5", "2"]], "asks": [["100.20", "2.0000", "1"]]}
    return push("book", {**sides, "t": 1780000000120, "tt": 1780000000118, "u": last, "cs": -7}, symbol=symbol)


def change(previous: int, last: int, **sides: list[list[str]]) -> dict[str, Any]:
    return {"update": sides, "t": 1780000000131, "tt": 1780000000130, "u": last, "pu": previous, "cs": -807443798}


def update(previous: int, last: int, symbol: str = "BTC_USDT", **sides: list[list[str]]) -> dict[str, Any]:
    return push("book.update", change(previous, last, **sides), symbol=symbol)


def picture(time_ms: int, bid: str, **more: Any) -> dict[str, Any]:
    """As the venue sent it in 2021: numbers bare, no id, 150 levels a side at most."""
    text = f'{{"bids":[[{bid},0.386,1],[45.320,1.259,1]],"asks":[[45.516,13.0,2]],"t":{time_ms}}}'
    return push("book", {**json.loads(text), **more}, depth=150)


def trade(trade_id: int | str, price: str = "100.15", **more: Any) -> dict[str, Any]:
    return {"d": trade_id, "t": 1780000000140, "p": price, "q": "0.0100", "s": "BUY", "i": "BTC_USDT", "m": "9", **more}


def live(book_channel: str = "book.50") -> Venue:
    venue = Venue(book_channel)
    venue.receive(snapshot(100))
    venue.receive(snapshot(900, "ETH_USDT"))
    assert venue.book().is_live
    assert venue.book("ETH_USDT").is_live
    return venue


def trades(events: list[MarketEvent]) -> list[str]:
    return [event.trade_id for event in events if isinstance(event, Trade)]


def kinds(events: list[MarketEvent]) -> list[type]:
    return [type(event) for event in events]


# Subscribing


def test_it_subscribes_to_books_with_changes_and_to_trades() -> None:
    (request,) = Venue().sent_on_opening
    assert request == {
        "id": 1,
        "method": "subscribe",
        "params": {
            "channels": ["book.BTC_USDT.50", "trade.BTC_USDT", "book.ETH_USDT.50", "trade.ETH_USDT"],
            "book_subscription_type": "SNAPSHOT_AND_UPDATE",
            "book_update_frequency": 10,
        },
        "nonce": 1780000000000,
    }


def test_it_subscribes_to_whole_books_when_so_told() -> None:
    (request,) = Venue("book.10.snapshot").sent_on_opening
    assert request["params"]["book_subscription_type"] == "SNAPSHOT"
    assert request["params"]["book_update_frequency"] == 500
    assert "book.BTC_USDT.10" in request["params"]["channels"]


def test_many_markets_take_several_requests_of_bounded_size() -> None:
    venue = Venue(symbols=tuple(f"A{number}_USDT" for number in range(120)))
    channels = [request["params"]["channels"] for request in venue.sent_on_opening]
    assert [request["id"] for request in venue.sent_on_opening] == [1, 2, 3]
    assert max(map(len, channels)) <= 100
    assert len({channel for some in channels for channel in some}) == 240


@pytest.mark.parametrize("name", ["book", "book.150", "book.50.pictures", "depth", ""])
def test_a_book_channel_that_the_venue_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationRefused, match=r"book\.50"):
        MarketData(name)


def test_a_book_that_does_not_come_is_asked_for_after_a_while() -> None:
    venue = Venue()
    venue.receive(snapshot(900, "ETH_USDT"))
    wake_at = venue.session.wake_at_ns()
    assert wake_at == START + 5 * SECOND
    venue.session.woken(wake_at)
    assert venue.resubscribed() == ["book.BTC_USDT.50"]


def test_acknowledgements_are_told_by_channel() -> None:
    venue = Venue()
    (event,) = venue.receive({"id": 1, "method": "subscribe", "code": 0, "channel": "book.BTC_USDT.50"})
    assert isinstance(event, Subscribed)
    assert event.topics == "book.BTC_USDT.50"
    assert kinds(venue.receive({"id": "1", "method": "subscribe", "code": "0"})) == [Subscribed]
    assert venue.receive({"id": 2, "method": "unsubscribe", "code": 0}) == []


def test_the_book_may_come_before_its_acknowledgement() -> None:
    venue = Venue()
    venue.receive(snapshot(100))
    venue.receive({"id": 1, "method": "subscribe", "code": 0})
    assert venue.book().is_live


@pytest.mark.parametrize(
    "refusal",
    [
        {"id": 1, "method": "subscribe", "code": 40003, "channel": "book.BTC_USDT.50", "message": "Unknown symbol"},
        {"id": "1", "method": "subscribe", "code": "40003", "message": "Unknown symbol: BTC_USDT"},
        {"id": -1, "method": "ERROR", "code": 40003, "original": '{"params":{"channels":["trade.BTC_USDT"]}}'},
    ],
)
def test_a_refusal_names_its_instrument_and_leaves_other_books_alone(refusal: dict[str, Any]) -> None:
    venue = Venue()
    venue.receive(snapshot(900, "ETH_USDT"))
    (event,) = venue.receive(refusal)
    assert isinstance(event, Refused)
    assert event.instrument == "BTC/USDT"
    assert "40003" in event.reason
    assert venue.book().health is Health.SYNCING
    assert venue.book("ETH_USDT").is_live


@pytest.mark.parametrize(
    "refusal",
    [
        {"id": 9, "method": "subscribe", "code": 40107, "message": "Maximum subscriptions exceeded"},
        {"id": 9, "method": "subscribe", "code": 40003, "channel": "book.NOPE_USDT.50", "message": "Unknown symbol"},
        {"id": 1, "method": "subscribe", "code": 40003, "message": None, "original": {"c": ["BTC_USDT", "ETH_USDT"]}},
    ],
)
def test_a_refusal_that_may_be_about_any_market_names_none(refusal: dict[str, Any]) -> None:
    (event,) = Venue().receive(refusal)
    assert isinstance(event, Refused)
    assert event.instrument is None


@pytest.mark.parametrize("heartbeat_id", [1587523073344, "1587523073344"])
def test_a_heartbeat_is_answered_at_once_with_its_id(heartbeat_id: int | str) -> None:
    venue = live()
    assert venue.receive({"id": heartbeat_id, "method": "public/heartbeat", "code": 0}) == []
    (answer,) = venue.session.take_requests()
    assert isinstance(answer, Send)
    assert answer.urgent
    assert json.loads(answer.text) == {"id": heartbeat_id, "method": "public/respond-heartbeat"}


# Books with changes


def test_updates_continue_the_snapshot() -> None:
    venue = live()
    venue.receive(update(100, 164, bids=[["100.10", "0.4", "1"], ["100.00", "7", "3"]], asks=[["100.20", "0", "0"]]))
    venue.receive(update(164, 9_000_000, asks=[["100.21", "0.0001", "1"]]))
    assert venue.shown() == ({"100.1": "0.4", "100": "7"}, {"100.21": "0.0001"})
    assert venue.book().is_live
    assert venue.book().venue_time_ns == 1780000000131 * 1_000_000
    assert venue.shown("ETH_USDT") == ({"100.1": "1.5"}, {"100.2": "2"})


def test_several_changes_may_come_in_one_push() -> None:
    venue = live()
    events = venue.receive(
        push("book.update", change(100, 101, bids=[["100.0", "1", "1"]]), change(101, 105, bids=[["100.1", "0", "0"]]))
    )
    assert kinds(events) == [BookDelta, BookDelta]
    assert venue.shown()[0] == {"100": "1"}


def test_a_gap_among_several_changes_applies_those_before_it() -> None:
    venue = live()
    events = venue.receive(
        push(
            "book.update",
            change(100, 101, bids=[["100.0", "1", "1"]]),
            change(103, 104, bids=[["99.0", "1", "1"]]),
            change(104, 105, bids=[["98.0", "1", "1"]]),
        )
    )
    assert kinds(events) == [BookDelta, BookLost]
    assert venue.book().health is Health.SYNCING


def test_a_gap_loses_this_book_and_asks_for_it_on_the_same_connection() -> None:
    venue = live()
    (event,) = venue.receive(update(150, 164, bids=[["100.10", "0.4", "1"]]))
    assert isinstance(event, BookLost)
    assert event.gap
    assert venue.book().health is Health.SYNCING
    assert venue.book().counters.gaps == 1
    assert venue.book("ETH_USDT").is_live
    assert venue.resubscribed() == ["book.BTC_USDT.50"]

    assert venue.receive(update(164, 170, bids=[["100.11", "0.4", "1"]])) == []
    (found,) = venue.receive(snapshot(200))
    assert isinstance(found, BookSnapshot)
    assert found.resync
    venue.receive(update(200, 201, bids=[["100.11", "0.5", "1"]]))
    assert venue.book().is_live
    assert venue.shown()[0] == {"100.11": "0.5", "100.1": "1.5"}
    assert venue.session.wake_at_ns() is None


def test_a_duplicate_is_dropped_and_a_reordering_is_a_gap() -> None:
    venue = live()
    first = update(100, 101, bids=[["100.0", "1", "1"]])
    venue.receive(first)
    assert venue.receive(first) == []
    assert venue.book().is_live
    venue.receive(update(102, 103))
    assert venue.book().health is Health.SYNCING


def test_an_empty_change_moves_the_id_on_and_keeps_the_book_fresh() -> None:
    venue = live()
    venue.receive(update(100, 101, bids=[], asks=[]))
    assert venue.book().received_ns == venue.now
    venue.receive(update(101, 102))
    venue.receive(update(102, 103, bids=[["100.0", "1", "1"]]))
    assert venue.book().is_live
    assert venue.shown()[0] == {"100.1": "1.5", "100": "1"}


def test_a_quiet_book_stays_fresh_as_its_id_is_repeated() -> None:
    venue = live()
    before = venue.book().changed_ns
    for _ in range(3):
        assert kinds(venue.receive(update(100, 100, bids=[], asks=[]))) == [BookDelta]
    assert venue.book().received_ns == venue.now
    assert venue.book().changed_ns == before
    venue.receive(update(100, 101, bids=[["100.0", "1", "1"]]))
    assert venue.book().is_live


def test_a_repeated_id_that_is_ahead_of_the_book_is_a_gap() -> None:
    venue = live()
    (event,) = venue.receive(update(101, 101))
    assert isinstance(event, BookLost)
    assert event.gap


def test_the_book_is_cut_to_the_depth_of_the_stream() -> None:
    venue = Venue("book.10")
    levels = [[f"{100 - n}", "1", "1"] for n in range(10)]
    venue.receive(push("book", {"bids": levels, "asks": [], "t": 1, "u": 1}, depth=10))
    venue.receive(push("book.update", change(1, 2, bids=[["101", "1", "1"]]), depth=10))
    assert list(venue.shown()[0]) == [f"{101 - n}" for n in range(10)]
    assert venue.book().is_live


def test_a_whole_book_replaces_the_one_shown_at_any_time() -> None:
    venue = live()
    venue.receive(snapshot(50, bids=[["99", "1", "1"]]))
    assert venue.shown() == ({"99": "1"}, {})
    venue.receive(update(50, 51, asks=[["100", "1", "1"]]))
    assert venue.shown() == ({"99": "1"}, {"100": "1"})


def test_a_book_is_lost_with_its_connection_and_starts_anew_on_the_next() -> None:
    venue = live()
    venue.close()
    assert {venue.book(symbol).health for symbol in SYMBOLS} == {Health.SYNCING}
    venue.open()
    assert venue.receive(update(100, 101)) == []
    venue.receive(snapshot(7))
    assert venue.book().is_live
    assert venue.book("ETH_USDT").health is Health.SYNCING


@pytest.mark.parametrize(
    "sides",
    [
        {"bids": [["-1", "1", "1"]]},
        {"bids": [["NaN", "1", "1"]]},
        {"asks": [["101", "1e999", "1"]]},
        {"asks": [["0", "1", "1"]]},
        {"bids": [["100", "1"]]},
        {"bids": [["100.0", "1", "1"]], "asks": [["101.0000000000000000001", "1", "1"]]},
        {"bids": None},
        {"bids": {"100": "1"}},
    ],
)
def test_a_frame_with_a_bad_number_loses_only_its_book(sides: dict[str, Any]) -> None:
    venue = live()
    before = venue.shown()
    events = venue.receive(update(100, 101, **sides))
    assert kinds(events) == [FrameRejected, BookLost]
    assert venue.book().health is Health.SYNCING
    assert venue.book().counters.rejected_frames == 1
    assert venue.shown() == before
    assert venue.book("ETH_USDT").is_live
    assert venue.resubscribed() == ["book.BTC_USDT.50"]


@pytest.mark.parametrize("ids", [{"u": 99, "pu": 100}, {"u": -1, "pu": -2}, {"u": None, "pu": 100}, {"u": 2**70}])
def test_a_change_without_sound_ids_loses_its_book(ids: dict[str, Any]) -> None:
    venue = live()
    events = venue.receive(push("book.update", {**change(100, 101), **ids}))
    assert kinds(events) == [FrameRejected, BookLost]
    assert venue.book("ETH_USDT").is_live


def test_one_bad_change_among_several_applies_none_of_them() -> None:
    venue = live()
    before = venue.shown()
    good, bad = change(100, 101, bids=[["100.0", "1", "1"]]), change(101, 102, bids=[["x", "1", "1"]])
    assert kinds(venue.receive(push("book.update", good, bad))) == [FrameRejected, BookLost]
    assert venue.shown() == before


@pytest.mark.parametrize("frame", [b"", b"{", b"[]", b"{}", b'"x"', b"\xff", b'{"id":-1,"method":"public/heartbeat"'])
def test_what_is_no_message_of_the_venue_harms_no_book(frame: bytes) -> None:
    venue = live()
    assert kinds(venue.receive(frame)) == [FrameRejected]
    assert venue.book().is_live


def test_a_market_that_is_not_followed_gets_no_book() -> None:
    venue = live()
    assert kinds(venue.receive(snapshot(1, "DOGE_USDT"))) == [FrameRejected]
    assert "DOGE/USDT" not in venue.market.instruments


def test_channels_that_are_not_asked_for_say_nothing() -> None:
    assert live().receive(push("candlestick", {"t": 1637709480000, "o": 1.025, "v": 8.07})) == []


# Whole books


def test_pictures_without_an_id_go_by_their_time() -> None:
    venue = Venue()
    venue.receive(picture(1637709518355, "45.334"))
    assert venue.shown() == ({"45.334": "0.386", "45.32": "1.259"}, {"45.516": "13"})
    assert venue.receive(picture(1637709518000, "45.0")) == []
    assert "45.334" in venue.shown()[0]
    venue.receive(picture(1637709518355, "45.335"))
    venue.receive(picture(1637709519000, "45.336"))
    assert "45.336" in venue.shown()[0]
    assert venue.book().is_live


def test_whole_books_with_an_id_go_by_their_time_too() -> None:
    venue = Venue("book.50.snapshot")
    venue.receive(picture(1780000000500, "45.1", u=7))
    assert venue.receive(picture(1780000000000, "44.0", u=6)) == []
    venue.receive(picture(1780000001000, "45.2", u=7))
    assert "45.2" in venue.shown()[0]


def test_after_a_reconnect_pictures_start_anew() -> None:
    venue = Venue()
    venue.receive(picture(1637709518355, "45.334"))
    venue.close()
    assert venue.book().health is Health.SYNCING
    venue.open()
    venue.receive(picture(1637709518000, "45.1"))
    assert venue.book().is_live


def test_a_change_to_a_book_that_came_as_pictures_loses_it() -> None:
    venue = Venue()
    venue.receive(picture(1637709518355, "45.334"))
    assert kinds(venue.receive(update(100, 101, bids=[["45", "1", "1"]]))) == [BookLost]
    venue.receive(snapshot(101))
    venue.receive(update(101, 102, bids=[["100", "1", "1"]]))
    assert venue.book().is_live


def test_a_picture_in_a_chain_of_changes_ends_the_chain() -> None:
    venue = live()
    venue.receive(picture(1780000000200, "45.334"))
    assert venue.book().is_live
    assert kinds(venue.receive(update(100, 101))) == [BookLost]


# Trades, best bids and offers


def test_the_first_trades_are_history_and_later_ones_are_told_oldest_first() -> None:
    venue = live()
    assert venue.receive(push("trade", trade("3"), trade("2"), trade("1"))) == []
    events = venue.receive(push("trade", trade("5", "100.16", s="SELL"), trade(4, "100.15", tn="1780000000140000001")))
    first, second = events
    assert isinstance(first, Trade)
    assert isinstance(second, Trade)
    instrument = venue.book().listing.instrument
    assert (first.trade_id, second.trade_id) == ("4", "5")
    assert (first.taker, second.taker) == (Side.BUY, Side.SELL)
    assert instrument.show_price(second.price) == "100.16"
    assert instrument.show_quantity(first.quantity) == "0.01"
    assert first.venue_time_ns == 1780000000140000001
    assert second.venue_time_ns == 1780000000140000000


def test_each_market_has_its_own_history() -> None:
    venue = live()
    venue.receive(push("trade", trade(1)))
    assert trades(venue.receive(push("trade", trade(2), symbol="ETH_USDT"))) == []
    assert trades(venue.receive(push("trade", trade(2)))) == ["2"]


def test_no_trade_is_told_twice() -> None:
    venue = live()
    venue.receive(push("trade", trade(1)))
    assert trades(venue.receive(push("trade", trade(3), trade(2), trade(2), trade(1)))) == ["2", "3"]
    assert trades(venue.receive(push("trade", trade("3")))) == []


def test_after_a_reconnect_the_first_trades_are_history_again() -> None:
    venue = live()
    venue.receive(push("trade", trade(1)))
    venue.receive(push("trade", trade(2)))
    venue.close()
    venue.open()
    assert trades(venue.receive(push("trade", trade(4), trade(3), trade(2)))) == []
    assert trades(venue.receive(push("trade", trade(5), trade(4)))) == ["5"]


def test_trades_are_not_remembered_without_bound() -> None:
    venue = live()
    venue.receive(push("trade"))
    for number in range(0, 5000, 100):
        assert len(trades(venue.receive(push("trade", *(trade(number + n) for n in range(99, -1, -1)))))) == 100
    assert trades(venue.receive(push("trade", trade(4999), trade(4700)))) == []
    assert trades(venue.receive(push("trade", trade(0)))) == ["0"]


@pytest.mark.parametrize("fault", [{"p": "-1"}, {"q": "NaN"}, {"s": "HOLD"}, {"tn": "soon"}, {"d": None}])
def test_a_bad_trade_drops_its_frame_and_loses_no_book(fault: dict[str, Any]) -> None:
    venue = live()
    venue.receive(push("trade", trade(1)))
    events = venue.receive(push("trade", {**trade(3), **fault}, trade(2)))
    assert kinds(events) == [FrameRejected]
    assert venue.book().is_live
    assert trades(venue.receive(push("trade", trade(3), trade(2)))) == ["2", "3"]


def test_bare_numbers_of_2021_are_read_exactly() -> None:
    venue = live()
    venue.receive(push("trade", trade(1)))
    text = '{"dataTime":1,"d":2008994948736251682,"s":"SELL","p":1.75445,"q":39.820,"t":1637709515137,"i":"BTC_USDT"}'
    frame = json.dumps(push("trade")).replace('"data": []', f'"data": [{text}]')
    (event,) = venue.receive(frame)
    assert isinstance(event, Trade)
    assert event.trade_id == "2008994948736251682"
    instrument = venue.book().listing.instrument
    assert (instrument.show_price(event.price), instrument.show_quantity(event.quantity)) == ("1.75445", "39.82")


def test_a_ticker_states_the_best_bid_and_offer() -> None:
    ticker = {"i": "BTC_USDT", "b": "100.1", "bs": "1.5", "k": "100.2", "ks": "2", "a": "100.15", "t": 1780000000150}
    venue = live()
    (event,) = venue.receive(push("ticker", ticker))
    assert isinstance(event, BestQuote)
    instrument = venue.book().listing.instrument
    assert (event.bid_price, event.bid_quantity) == (instrument.price("100.1"), instrument.quantity("1.5"))
    assert (event.ask_price, event.ask_quantity) == (instrument.price("100.2"), instrument.quantity("2"))
    assert event.sequence == 0


def test_an_empty_side_of_a_ticker_is_zero_and_a_ticker_without_quantities_says_nothing() -> None:
    venue = live()
    ticker = {"b": None, "bs": None, "k": "100.2", "ks": "2", "t": 1780000000150}
    (event,) = venue.receive(push("ticker", ticker))
    assert isinstance(event, BestQuote)
    assert (event.bid_price, event.bid_quantity) == (0, 0)
    assert venue.receive(push("ticker", {"b": 7.5248, "k": 7.5328, "a": 7.5328, "t": 1637709517473})) == []


# The market list


def listed(body: dict[str, Any], quote: str = "USDT") -> tuple[Session, list[MarketEvent]]:
    accepts: Callable[[Row], bool] = lambda row: row.quote == quote and row.tradable  # noqa: E731
    session = Session(MarketData(), Markets("cryptocom"), follow_listed=accepts)
    session.opened(START)
    fetch, *_ = session.take_requests()
    assert isinstance(fetch, Fetch)
    return session, session.fetched(Reply(f"https://venue.example{fetch.path}", 200, json.dumps(body).encode()), START)


def subscribed_books(session: Session) -> list[str]:
    frames = [json.loads(request.text) for request in session.take_requests() if isinstance(request, Send)]
    return [channel for frame in frames for channel in frame["params"]["channels"] if channel.startswith("book.")]


def test_spot_markets_of_the_list_are_followed() -> None:
    row = {
        "symbol": "BTC_USDT", "inst_type": "CCY_PAIR", "base_ccy": "BTC", "quote_ccy": "USDT", "quote_decimals": 2,
        "quantity_decimals": 5, "price_tick_size": "0.01", "qty_tick_size": "0.00001", "tradable": True,
    }  # fmt: skip
    future = {**row, "symbol": "BTCUSD-PERP", "inst_type": "PERPETUAL_SWAP"}
    warrant = {"symbol": "W", "inst_type": "WARRANT", "base_ccy": None}
    halted = {**row, "symbol": "LUNA_USDT", "base_ccy": "LUNA", "tradable": False}
    absurd = {**row, "symbol": "ODD_USDT", "base_ccy": "ODD", "price_tick_size": "1e-99"}
    nonsense = {**row, "symbol": "BAD_USDT", "base_ccy": "BAD", "qty_tick_size": "-1"}
    rows = [row, future, warrant, halted, absurd, nonsense]
    session, _ = listed({"id": "1", "method": "public/get-instruments", "code": "0", "result": {"data": rows}})
    assert subscribed_books(session) == ["book.BTC_USDT.50"]
    listing = session.books["BTC_USDT"].listing
    assert listing.tick == listing.instrument.price("0.01")
    assert listing.lot == listing.minimum_quantity == listing.instrument.quantity("0.00001")
    assert listing.minimum_notional == 0


def test_the_market_list_of_2021_is_read_as_well() -> None:
    row = {
        "instrument_name": "SHIB_USDC", "quote_currency": "USDC", "base_currency": "SHIB", "price_decimals": 9,
        "quantity_decimals": 0, "margin_trading_enabled": True,
    }  # fmt: skip
    session, _ = listed({"id": -1, "code": 0, "result": {"instruments": [row]}}, quote="USDC")
    listing = session.books["SHIB_USDC"].listing
    assert listing.tick == listing.instrument.price("0.000000001")
    assert listing.lot == listing.instrument.quantity("1")


@pytest.mark.parametrize("body", [{"code": 50001, "result": {}}, {"code": 0}, {"result": {"data": [{}]}}])
def test_a_market_list_that_means_nothing_is_rejected(body: dict[str, Any]) -> None:
    session, events = listed(body)
    assert kinds(events) == [FrameRejected]
    assert subscribed_books(session) == []


# Whatever comes

FRAMES: list[dict[str, Any]] = [
    snapshot(100),
    snapshot(900, "ETH_USDT"),
    update(100, 164, bids=[["100.10", "0.4", "1"]], asks=[["100.3", "1", "1"]]),
    push("book.update", change(100, 101, bids=[["99", "1", "1"]]), change(101, 102, asks=[["101", "1", "1"]])),
    update(100, 100, bids=[], asks=[]),
    picture(1637709518355, "45.334"),
    push("trade", trade(2), trade("1", tn="1780000000140000001")),
    push("ticker", {"i": "BTC_USDT", "b": "1", "bs": "1", "k": "2", "ks": "1", "t": 1}),
    {"id": 1, "method": "subscribe", "code": 0, "channel": "book.BTC_USDT.50"},
    {"id": 1, "method": "subscribe", "code": 40003, "message": "Unknown symbol", "original": "x"},
    {"id": 1587523073344, "method": "public/heartbeat", "code": 0},
]

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["100.1", "0", "1e5", "NaN", "-1", "BTC_USDT", "book", "book.update", "subscribe"]),
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
def mutated_frames(draw: st.DrawFn) -> bytes:
    frame = copy.deepcopy(draw(st.sampled_from(FRAMES)))
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


@given(st.lists(mutated_frames(), max_size=8), st.booleans())
def test_no_mutated_frame_raises_or_is_half_applied(frames: list[bytes], whole_books: bool) -> None:
    venue = live("book.50.snapshot" if whole_books else "book.50")
    for frame in frames:
        before = [venue.shown(symbol) for symbol in SYMBOLS]
        events = venue.receive(frame)
        if FrameRejected in kinds(events):
            assert {FrameRejected, BookLost}.issuperset(kinds(events))
            assert [venue.shown(symbol) for symbol in SYMBOLS] == before
        venue.session.take_requests()
