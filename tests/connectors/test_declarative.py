"""A venue that only its file describes: what is sent to it, and what its messages come to."""

import gzip
import json
import zlib
from typing import Any

import pytest

from aggregator.config.venues import VenueSettings, venue_from
from aggregator.domain.events import (
    BestQuote,
    BookDelta,
    BookLost,
    BookSnapshot,
    FrameRejected,
    ListingsRead,
    MarketEvent,
    Refused,
    Subscribed,
    Trade,
)
from aggregator.domain.instrument import Instruments, Side
from connectors.contract import Fetch, Reply, Request, Send
from connectors.declarative import MarketData
from connectors.markets import Markets
from connectors.session import Session
from tests.config.declared_texts import CHAINED, DECLARED, PICTURES

SECOND = 1_000_000_000
NOW = 1_780_000_000 * SECOND


def settings(text: str, *changes: tuple[str, str]) -> VenueSettings:
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    name = text.split("\n")[0].removeprefix("venue: ")
    return venue_from(text.encode(), f"{name}.yaml")


class Talk:
    """A session of a declared venue that follows what its file lists, and more symbols when they are given."""

    def __init__(self, text: str, *changes: tuple[str, str]) -> None:
        venue = settings(text, *changes)
        assert venue.declared is not None
        self.market_data = MarketData(venue.declared)
        instruments = Instruments()
        listings = venue.fixed_listings(instruments.listed)
        self.markets = Markets(venue.venue, listings, instruments, venue.fee_rates(), separator="-")
        rule = venue.market_list
        accepts = (lambda market: rule.takes(market.symbol, market.base, market.quote)) if rule is not None else None
        self.session = Session(self.market_data, self.markets, [listing.symbol for listing in listings], accepts)
        self.session.opened(NOW)

    def sent(self) -> list[Any]:
        return [json.loads(request.text) for request in self.requests() if isinstance(request, Send)]

    def requests(self) -> list[Request]:
        return self.session.take_requests()

    def hear(self, message: object, *, packed: bool = False) -> list[MarketEvent]:
        text = json.dumps(message)
        return [*self.session.received(gzip.compress(text.encode()) if packed else text, NOW)]

    def reply(self, path: str, body: object, status: int = 200) -> list[MarketEvent]:
        return self.session.fetched(Reply(f"https://api.example.org{path}", status, json.dumps(body).encode()), NOW)


def kinds(events: list[MarketEvent]) -> list[type]:
    return [type(event) for event in events]


def change(first: int, last: int, **sides: list[list[str]]) -> dict[str, Any]:
    told = {"symbol": "BTC-USDT", "first": first, "last": last, "time": "2026-11-22T10:00:00.5Z", **sides}
    return {"type": "book", "data": told}


WHOLE = {
    "type": "book",
    "full": True,
    "symbol": "BTC-USDT",
    "id": "41",
    "time": 1_780_000_000_123,
    "rows": [
        {"side": "bid", "price": "100", "quantity": "2"},
        {"side": "ask", "price": 101.5, "quantity": 1e-3},
        {"side": "bid", "price": "99", "quantity": "1"},
    ],
}


class TestWhatIsSent:
    def test_symbols_are_subscribed_to_together_and_apart_as_declared(self) -> None:
        talk = Talk(DECLARED, ("listings:\n", "listings:\n  - {symbol: ETH-USDT, instrument: ETH/USDT}\n"))
        book, *trades = talk.sent()
        assert book == {"op": "sub", "args": ["book.ETH-USDT", "book.BTC-USDT"], "id": 1}
        assert trades == [{"op": "sub", "args": [f"trade.{symbol}"]} for symbol in ("ETH-USDT", "BTC-USDT")]

    def test_no_more_symbols_than_stated_go_into_one_message(self) -> None:
        more = "".join(f"  - {{symbol: C{n}-USDT, instrument: C{n}/USDT}}\n" for n in range(4))
        talk = Talk(DECLARED, ("listings:\n", f"listings:\n{more}"), ("at_most: 50", "at_most: 2"))
        shares = [len(message["args"]) for message in talk.sent() if "id" in message]
        assert shares == [2, 2, 1]

    def test_the_keepalive_tells_the_time(self) -> None:
        habits = Talk(DECLARED).market_data.habits
        assert habits.keepalive is not None
        assert habits.keepalive(NOW) == f'{{"ping":{NOW // 1_000_000}}}'
        assert (habits.keepalive_ns, habits.silence_ns, habits.life_ns) == (20 * SECOND, 30 * SECOND, 86_400 * SECOND)

    def test_a_lost_book_is_asked_for_alone_after_its_subscription_is_ended(self) -> None:
        talk = Talk(CHAINED, ("{nowhere: The venue sends changes only.}", "{stream: true}"), WITH_WHOLE, WITH_ENDING)
        talk.requests()
        talk.hear({"kind": 1, "code": "BTC/USDT", "id": 5, "b": [["1", "1"]], "a": [["2", "1"]]})
        talk.hear({"kind": 2, "code": "BTC/USDT", "previous": 6, "id": 7, "b": [], "a": []})
        assert talk.sent() == [{"end": "BTC/USDT"}, {"sub": "BTC/USDT"}]

    def test_where_a_subscription_replaces_the_one_before_it_names_all_symbols_again(self) -> None:
        talk = Talk(PICTURES, ("listings:\n", "listings:\n  - {symbol: usdt_eth, instrument: ETH/USDT}\n"))
        everything = {"books": ["usdt_eth", "usdt_btc"]}
        assert talk.sent() == [everything]
        talk.hear({"kind": "book", "code": "usdt_btc", "id": 5, "units": []})
        talk.session.resync("usdt_btc", "for no reason", NOW)
        assert talk.sent() == [everything]

    def test_a_symbol_cannot_break_out_of_its_message(self) -> None:
        talk = Talk(CHAINED, ("symbol: BTC/USDT", """symbol: 'A","x":"B'"""))
        assert talk.sent() == [{"sub": 'A","x":"B'}]


WITH_WHOLE = (
    "    - when: {kind: 2}\n",
    "    - when: {kind: 1}\n      symbol: code\n      book: {holds: whole, last: id, sides: {bids: b, asks: a}}\n"
    "    - when: {kind: 2}\n",
)
WITH_ENDING = (
    "  numbering: previous\n",
    '  unsubscribe:\n    - {message: \'{"end":"<symbol>"}\'}\n  numbering: previous\n',
)


class TestABook:
    def test_begins_with_the_snapshot_that_is_fetched_and_joined_to_what_came_before_it(self) -> None:
        talk = Talk(DECLARED)
        assert talk.hear(change(11, 12, bids=[["100", "5"]])) == []
        talk.requests()
        talk.session.woken(NOW + 2 * SECOND)
        assert talk.requests() == [Fetch("/depth?symbol=btc-usdt&limit=100", 5)]
        body = {"id": 10, "bids": [["100", "1", 1], ["99", "1", 1]], "asks": [["101", "1", 1]]}
        snapshot, delta = talk.reply("/depth?symbol=btc-usdt&limit=100", body)
        assert isinstance(snapshot, BookSnapshot)
        assert isinstance(delta, BookDelta)
        assert (delta.venue_time_ns, delta.depth) == (1_795_341_600_500_000_000, 50)
        assert delta.asks.prices == []

    def test_begins_with_a_message_that_holds_all_of_it(self) -> None:
        (snapshot,) = Talk(DECLARED).hear(WHOLE)
        assert isinstance(snapshot, BookSnapshot)
        assert (snapshot.instrument, snapshot.venue_time_ns) == ("BTC/USDT", 1_780_000_000_123_000_000)
        assert snapshot.bids.prices == [100 * 10**12, 99 * 10**12]
        assert snapshot.asks == ([101_500_000_000_000], [10**15])

    def test_is_lost_with_the_change_that_does_not_continue_it(self) -> None:
        talk = Talk(DECLARED)
        talk.hear(WHOLE)
        assert kinds(talk.hear(change(42, 44))) == [BookDelta]
        (lost,) = talk.hear(change(46, 47))
        assert isinstance(lost, BookLost)
        assert lost.gap

    def test_is_lost_with_a_message_about_it_that_cannot_be_read(self) -> None:
        broken: list[dict[str, Any]] = [
            change(42, 43, bids=[["x", "1"]]),
            change(42, 43, bids=[["1"]]),
            change(43, 42),
            change(42, "no id"),  # type: ignore[arg-type]
            {"type": "book", "data": {"symbol": "BTC-USDT"}},
            {**WHOLE, "rows": [{"side": "up", "price": 1, "quantity": 1}]},
            {**WHOLE, "rows": 5},
            {**WHOLE, "time": "yesterday"},
        ]
        for message in broken:
            talk = Talk(DECLARED)
            talk.hear(WHOLE)
            assert kinds(talk.hear(message)) == [FrameRejected, BookLost], message

    def test_is_untouched_by_a_message_that_cannot_be_read_and_names_no_symbol(self) -> None:
        talk = Talk(DECLARED)
        talk.hear(WHOLE)
        others: list[object] = [{"type": "book"}, {"type": "book", "data": 5}, {}, [], {"type": "unheard of"}, None]
        for message in others:
            assert kinds(talk.hear(message)) == [FrameRejected], message
        assert talk.session.books["BTC-USDT"].is_whole

    def test_whose_rows_name_the_symbol_takes_none_of_another(self) -> None:
        row = {"side": "bid", "price": "1", "quantity": "1", "symbol": "BTC-USDT"}
        message = {"type": "pairs", "first": 42, "last": 43, "rows": [row]}
        talk = Talk(DECLARED)
        talk.hear(WHOLE)
        assert kinds(talk.hear(message)) == [BookDelta]
        message |= {"first": 44, "last": 45, "rows": [row, {**row, "symbol": "ETH-USDT"}]}
        assert kinds(talk.hear(message)) == [FrameRejected, BookLost]

    def test_of_which_pictures_come_shows_the_newest(self) -> None:
        talk = Talk(PICTURES)
        unit = {"bp": 0, "bq": 0, "ap": 101, "aq": 3}
        picture = {
            "kind": "book",
            "code": "usdt_btc",
            "id": 5,
            "units": [{"bp": 100, "bq": 2, "ap": 100.5, "aq": 1}, unit],
        }
        (snapshot,) = talk.hear(picture)
        assert isinstance(snapshot, BookSnapshot)
        assert (len(snapshot.bids.prices), len(snapshot.asks.prices)) == (1, 2)
        assert talk.hear({**picture, "id": 4}) == []
        assert kinds(talk.hear({**picture, "id": 5})) == [BookSnapshot]

    def test_whose_changes_are_not_numbered_follows_the_order_of_its_connection(self) -> None:
        unnumbered = CHAINED.replace("        previous: previous\n        last: id\n", "").replace(
            "previous\n", "none\n"
        )
        whole = (WITH_WHOLE[0], WITH_WHOLE[1].replace("last: id, ", ""))
        talk = Talk(unnumbered, ("{nowhere: The venue sends changes only.}", "{stream: true}"), whole)
        message = {"code": "BTC/USDT", "b": [["1", "1"]], "a": [["2", "1"]]}
        assert talk.hear({"kind": 2, **message}) == [], "it has not begun"
        assert kinds(talk.hear({"kind": 1, **message})) == [BookSnapshot]
        assert kinds(talk.hear({"kind": 2, **message})) == [BookDelta]
        talk.session.closed("cut", NOW)
        talk.session.opened(NOW)
        assert talk.hear({"kind": 2, **message}) == [], "another connection continues nothing"

    def test_that_begins_nowhere_says_so_once_and_is_never_asked_for(self) -> None:
        talk = Talk(CHAINED)
        talk.requests()
        message = {"kind": 2, "code": "BTC/USDT", "previous": 6, "id": 7, "b": [], "a": [["2", "1"]]}
        (lost,) = talk.hear(message)
        assert isinstance(lost, BookLost)
        assert lost.reason == "never live: The venue sends changes only."
        assert talk.hear(message) == []
        talk.session.woken(NOW + 100 * SECOND)
        assert talk.requests() == []

    @pytest.mark.parametrize("status", [0, 418, 429, 500])
    def test_whose_snapshot_was_not_had_is_asked_for_again(self, status: int) -> None:
        talk = Talk(DECLARED)
        talk.session.woken(NOW + 2 * SECOND)
        talk.requests()
        assert kinds(talk.reply("/depth?symbol=btc-usdt&limit=100", None, status)) == [FrameRejected]
        wake_ns = talk.session.wake_at_ns()
        assert wake_ns is not None
        talk.session.woken(NOW + 100 * SECOND)
        assert Fetch("/depth?symbol=btc-usdt&limit=100", 5) in talk.requests()


class TestOtherMessages:
    def test_trades_are_told_but_not_the_history_that_comes_first(self) -> None:
        talk = Talk(DECLARED)
        row = {"id": 7, "price": "100.5", "quantity": "2", "time": 1780000000.25, "side": "SELL"}
        message = {"type": "trade", "symbol": "BTC-USDT", "rows": [row]}
        assert talk.hear(message) == []
        (trade,) = talk.hear(message)
        assert trade == Trade(
            "told", "BTC/USDT", 1_780_000_000_250_000_000, NOW, "7", 100_500_000_000_000, 2 * 10**18, Side.SELL
        )

    def test_a_trade_of_no_side_is_refused(self) -> None:
        row = {"id": 7, "price": "1", "quantity": "2", "time": 1, "side": "UP"}
        talk = Talk(DECLARED)
        assert kinds(talk.hear({"type": "trade", "symbol": "BTC-USDT", "rows": [row]})) == [FrameRejected]

    def test_best_quotes_are_told(self) -> None:
        message = {"best": {"bid": ["1", "2"], "ask": ["3", "4"]}, "symbol": "BTC-USDT", "id": 9, "time": NOW // 1000}
        (quote,) = Talk(DECLARED).hear(message)
        assert quote == BestQuote("told", "BTC/USDT", NOW, NOW, 9, 10**12, 2 * 10**18, 3 * 10**12, 4 * 10**18)

    def test_a_ping_is_answered_at_once_with_what_it_holds(self) -> None:
        talk = Talk(DECLARED)
        talk.requests()
        for value, answer in ((12, "12"), ("a b", '"a b"'), (1.5, "1.5")):
            assert talk.hear({"ping": value}) == []
            assert talk.requests() == [Send(f'{{"pong":{answer}}}', urgent=True)]
        for message in ({"ping": {"a": 1}}, {"ping": "x" * 300}):
            assert kinds(talk.hear(message)) == [FrameRejected]
        assert talk.requests() == []

    def test_acknowledgements_and_refusals_are_told_in_the_files_words(self) -> None:
        talk = Talk(DECLARED)
        assert talk.hear({"ok": True, "id": 3}) == [Subscribed("told", NOW, "request 3")]
        refusal = {"error": {"code": 4, "text": "no such market BTC-USDT"}}
        assert talk.hear(refusal) == [Refused("told", NOW, "4: no such market BTC-USDT", "BTC/USDT")]
        assert talk.hear({"notice": "maintenance"}) == []
        assert kinds(talk.hear({"notice": None})) == [FrameRejected], "null is nothing"

    def test_a_text_is_known_however_its_json_is_escaped(self) -> None:
        talk = Talk(DECLARED)
        assert talk.session.received('{"\\u006fk":tr\\u0075e}', NOW)
        text = json.dumps(WHOLE).replace('"book"', '"b\\u006fok"')
        assert kinds([*talk.session.received(text, NOW)]) == [BookSnapshot]


class TestFrames:
    def test_that_are_packed_are_unpacked_and_texts_are_not(self) -> None:
        assert kinds(Talk(DECLARED).hear(WHOLE, packed=True)) == [BookSnapshot]
        assert kinds(Talk(DECLARED).hear(WHOLE)) == [BookSnapshot]

    def test_that_are_deflated_have_no_header(self) -> None:
        packer = zlib.compressobj(wbits=-15)
        frame = packer.compress(json.dumps(WHOLE).encode()) + packer.flush()
        talk = Talk(DECLARED, ("gzip", "deflate"))
        assert kinds([*talk.session.received(frame, NOW)]) == [BookSnapshot]

    def test_that_are_not_packed_as_declared_are_refused(self) -> None:
        talk = Talk(DECLARED)
        whole = gzip.compress(json.dumps(WHOLE).encode())
        for frame in (json.dumps(WHOLE).encode(), whole[:-3], b"", gzip.compress(b"\0" * (17 << 20), 1)):
            assert kinds([*talk.session.received(frame, NOW)]) == [FrameRejected]

    def test_of_bytes_are_read_as_texts_are_where_nothing_is_packed(self) -> None:
        talk = Talk(PICTURES)
        frame = b'{"kind":"book","code":"usdt_btc","id":5,"units":[]}'
        assert kinds([*talk.session.received(frame, NOW)]) == [BookSnapshot]


class TestTheMarketList:
    def test_is_read_by_its_paths_and_what_is_accepted_is_followed(self) -> None:
        talk = Talk(DECLARED)
        assert Fetch("/markets", 10) in talk.requests()
        row = {"base": "eth", "quote": "usdt", "tick": "0.01", "decimals": 4, "least": 0.001, "least_value": None}
        rows = [
            {"id": "ETH-USDT", **row, "status": "open"},
            {"id": "XRP-USDT", **row, "base": "XRP", "tick": None, "status": "halted"},
        ]
        events = talk.reply("/markets", {"data": rows})
        (read,) = [event for event in events if isinstance(event, ListingsRead) and len(event.listings) > 1]
        ether, ripple = read.listings
        assert (ether.instrument.name, ether.tradable, ripple.tradable) == ("ETH/USDT", True, False)
        assert ether.instrument.show_price(ether.tick) == "0.01"
        assert ether.instrument.show_quantity(ether.lot) == "0.0001"
        assert ether.instrument.show_quantity(ether.minimum_quantity) == "0.001"
        assert (ether.minimum_notional, ripple.tick) == (0, 0)
        assert {"op": "sub", "args": ["book.ETH-USDT", "book.XRP-USDT"], "id": 3} in talk.sent()

    def test_takes_assets_from_the_symbol_by_its_spelling(self) -> None:
        talk = Talk(PICTURES)
        rows = [{"id": "krw_btc", "prices": 2, "step": "0.1"}, {"id": "index", "prices": 0, "step": "1"}]
        talk.reply("/markets", rows)
        (found,) = talk.markets.choose(lambda market: True)
        assert (found.symbol, found.instrument.name) == ("krw_btc", "BTC/KRW")
        assert found.instrument.show_price(found.tick) == "0.01"

    @pytest.mark.parametrize(
        "body", [None, {}, {"data": [{"id": 5}]}, {"data": [[]]}, {"data": [{"id": "x", "decimals": -1}]}]
    )
    def test_that_is_none_is_refused(self, body: object) -> None:
        assert kinds(Talk(DECLARED).reply("/markets", body))[-1:] == [FrameRejected]
