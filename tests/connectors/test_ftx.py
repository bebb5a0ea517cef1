"""FTX's frames to books: every message is proven by its checksum, or its book is not believed."""

import gzip
import json
from collections.abc import Iterator, Sequence
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Health, Levels
from aggregator.domain.events import BookLost, FrameRejected, ListingsRead, MarketEvent, Refused, Subscribed, Trade
from aggregator.domain.instrument import Instrument, Instruments, Listing, Side
from aggregator.engine.digest import book_sha256
from aggregator.engine.market import Market
from connectors.contract import Reconnect, Reply, Send
from connectors.ftx.checksum import Mirror
from connectors.ftx.market_data import FtxMarketData
from connectors.markets import Markets
from connectors.session import Session
from tests.paths import needs_shared, shared

SECOND = 1_000_000_000
START = 1_626_993_904 * SECOND

Sides = tuple[list[list[float]], list[list[float]]]


class Client:
    """A session that follows BTC/USD and BTC-PERP, and the books that come of what it receives."""

    def __init__(self) -> None:
        instruments = Instruments()
        listings = [
            Listing("ftx", "BTC/USD", instruments.get("BTC", "USD")),
            Listing("ftx", "BTC-PERP", instruments.named("BTC-PERP")),
        ]
        self.session = Session(FtxMarketData(), Markets("ftx", listings), ["BTC/USD", "BTC-PERP"])
        self.market = Market()
        self.now_ns = START
        self.apply(self.session.opened(START))
        self.greeting = self.asks()

    def apply(self, events: Sequence[MarketEvent]) -> list[MarketEvent]:
        for event in events:
            self.market.apply(event)
        self.market.check()
        return list(events)

    def receives(self, message: Any) -> list[MarketEvent]:
        """A message as the venue sends it, or bytes and text as they are."""
        self.now_ns += 1
        frame = message if isinstance(message, str | bytes) else json.dumps(message)
        return self.apply(self.session.received(frame, self.now_ns))

    def asks(self) -> list[Any]:
        """What it has sent since it was last asked."""
        requests = self.session.take_requests()
        assert all(isinstance(request, Send) for request in requests)
        return [json.loads(request.text) for request in requests if isinstance(request, Send)]

    def book(self, instrument: str = "BTC/USD") -> VenueBook:
        return self.market.books(instrument)["ftx"]


def checksum_of(bids: list[list[float]], asks: list[list[float]]) -> int:
    """The venue's rule, word by word, over doubles."""
    tokens: list[str] = []
    for place in range(100):
        for side in (bids, asks):
            if place < len(side):
                tokens += [repr(float(side[place][0])), repr(float(side[place][1]))]
    return crc32(":".join(tokens).encode())


def message(kind: str, changes: Sides, book: Sides | None = None, market: str = "BTC/USD") -> dict[str, Any]:
    """A message of these changes, with the checksum of the book that they lead to."""
    bids, asks = changes
    data = {"time": 1626993904.1557314, "checksum": checksum_of(*(book or changes)), "bids": bids, "asks": asks}
    return {"channel": "orderbook", "market": market, "type": kind, "data": {**data, "action": kind}}


FIRST: Sides = ([[5000.5, 10.0], [4995.0, 5.0]], [[5001.0, 6.0]])
CHANGE: Sides = ([[4995.0, 0.0], [5000.5, 9.5]], [[5002.0, 1.0]])
SECOND_BOOK: Sides = ([[5000.5, 9.5]], [[5001.0, 6.0], [5002.0, 1.0]])


def live_client() -> Client:
    client = Client()
    client.receives(message("partial", FIRST))
    client.receives(message("partial", ([[6000.0, 1.0]], [[6001.0, 2.0]]), market="BTC-PERP"))
    assert client.book().is_live
    assert client.book("BTC-PERP").is_live
    return client


def shown(book: VenueBook) -> Sides:
    instrument = book.listing.instrument
    bids, asks = (
        [[float(instrument.show_price(price)), float(instrument.show_quantity(quantity))] for price, quantity in rows]
        for rows in (zip(*book.bids.top(), strict=True), zip(*book.asks.top(), strict=True))
    )
    return bids, asks


ANEW = [
    {"op": "unsubscribe", "channel": "orderbook", "market": "BTC/USD"},
    {"op": "subscribe", "channel": "orderbook", "market": "BTC/USD"},
]


@pytest.mark.parametrize(
    ("bids", "asks", "checksum"),
    [
        ([("5000.5", "10"), ("4995", "5")], [("5001", "6")], 941346228),
        (
            [("0.00002262", "61700000")],
            [("0.00002263", "18000000"), ("0.0000226399", "0.0001")],
            1857351260,
        ),
        ([("0.00002262", "61700000")], [("0.00002263", "18000000")], 3972025976),
    ],
)
def test_the_checksum_is_the_venue_s(bids: Any, asks: Any, checksum: int) -> None:
    instrument = Instrument("X")

    def levels(rows: Any) -> Levels:
        return Levels([instrument.price(row[0]) for row in rows], [instrument.quantity(row[1]) for row in rows])

    assert Mirror(instrument, levels(bids), levels(asks)).checksum() == checksum


@given(st.lists(st.tuples(st.integers(1, 10**15), st.integers(1, 10**15)), max_size=130), st.integers(0, 130))
def test_the_checksum_is_over_the_best_hundred_in_the_texts_of_doubles(rows: list[tuple[int, int]], cut: int) -> None:
    rows = [*dict(rows).items()]
    instrument = Instrument("X", price_decimals=9, quantity_decimals=8)
    bids, asks = sorted(rows[:cut], reverse=True), sorted(rows[cut:])
    mirror = Mirror(instrument, *(Levels([row[0] for row in side], [row[1] for row in side]) for side in (bids, asks)))
    doubles = [
        [[float(instrument.show_price(price)), float(instrument.show_quantity(quantity))] for price, quantity in side]
        for side in (bids, asks)
    ]
    assert mirror.checksum() == checksum_of(*doubles)


def test_it_subscribes_to_books_and_trades() -> None:
    client = Client()
    assert client.greeting == [
        {"op": "subscribe", "channel": channel, "market": market}
        for market in ("BTC/USD", "BTC-PERP")
        for channel in ("orderbook", "trades")
    ]
    assert client.book().health is Health.SYNCING
    client.session.woken(client.session.wake_at_ns() or 0)
    assert client.asks()[:2] == ANEW


def test_a_partial_and_its_updates_are_the_book() -> None:
    client = live_client()
    assert shown(client.book()) == FIRST
    client.receives(message("update", CHANGE, SECOND_BOOK))
    assert shown(client.book()) == SECOND_BOOK
    assert client.book().is_live
    assert client.book().received_ns == client.now_ns
    assert client.book().venue_time_ns == 1626993904_155731400
    client.receives(message("partial", FIRST))
    assert shown(client.book()) == FIRST
    client.receives(message("update", CHANGE, SECOND_BOOK))
    assert shown(client.book()) == SECOND_BOOK
    assert client.book().is_live


def test_the_texts_of_doubles_are_proven_not_those_of_the_wire() -> None:
    client = Client()
    raw = (
        '{"channel":"orderbook","market":"BTC/USD","type":"partial","data":{"time":1626993904,"checksum":3972025976,'
        '"bids":[[0.00002262,61700000]],"asks":[[0.00002263,18000000]],"action":"partial"}}'
    )
    client.receives(raw)
    assert client.book().is_live


def test_an_update_with_another_checksum_costs_its_book_which_a_partial_heals() -> None:
    client = live_client()
    corrupted: Sides = ([[4995.0, 0.0], [5000.5, 9.6]], [[5002.0, 1.0]])
    events = client.receives(message("update", corrupted, SECOND_BOOK))
    assert [type(event) for event in events] == [BookLost]
    assert client.book().health is Health.SYNCING
    assert "checksum" in (client.book().reason or "")
    assert client.book().counters.gaps == 1
    assert client.book("BTC-PERP").is_live
    assert client.asks() == ANEW

    assert client.receives(message("update", CHANGE, SECOND_BOOK)) == []
    assert client.book().health is Health.SYNCING
    client.receives(message("update", ([[6000.0, 2.0]], []), ([[6000.0, 2.0]], [[6001.0, 2.0]]), "BTC-PERP"))
    assert shown(client.book("BTC-PERP")) == ([[6000.0, 2.0]], [[6001.0, 2.0]])

    client.receives(message("partial", SECOND_BOOK))
    assert client.book().is_live
    assert shown(client.book()) == SECOND_BOOK
    assert client.book().counters.resyncs == 1


@pytest.mark.parametrize("kept", [1, 2])
def test_a_lost_or_a_swapped_update_shows(kept: int) -> None:
    updates = [
        message("update", ([[4995.0, 4.0]], []), ([[5000.5, 10.0], [4995.0, 4.0]], [[5001.0, 6.0]])),
        message("update", ([[4995.0, 3.0]], []), ([[5000.5, 10.0], [4995.0, 3.0]], [[5001.0, 6.0]])),
        message("update", ([[5000.5, 9.0]], []), ([[5000.5, 9.0], [4995.0, 3.0]], [[5001.0, 6.0]])),
    ]
    client = live_client()
    client.receives(updates[0])
    for update in updates[2:] if kept == 1 else [updates[2], updates[1]]:
        client.receives(update)
    assert client.book().health is Health.SYNCING


def test_a_partial_with_another_checksum_is_rejected_and_asked_for_again() -> None:
    client = live_client()
    (rejected, lost) = client.receives(message("partial", FIRST, SECOND_BOOK))
    assert isinstance(rejected, FrameRejected)
    assert isinstance(lost, BookLost)
    assert client.book().health is Health.SYNCING
    assert client.asks() == ANEW
    client.receives(message("partial", FIRST, SECOND_BOOK))
    assert client.asks() == []
    client.session.woken(client.session.wake_at_ns() or 0)
    assert client.asks() == ANEW


def test_after_a_new_connection_only_a_partial_counts() -> None:
    client = live_client()
    client.apply(client.session.closed("the connection is gone", client.now_ns))
    assert client.book().reason == "the connection is gone"
    client.apply(client.session.opened(client.now_ns))
    assert client.receives(message("update", CHANGE, SECOND_BOOK)) == []
    assert client.book().health is Health.SYNCING
    client.receives(message("partial", FIRST))
    client.receives(message("update", CHANGE, SECOND_BOOK))
    assert shown(client.book()) == SECOND_BOOK


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"time": 1, "bids": [], "asks": []},
        {"time": 1, "checksum": 1, "bids": []},
        {"time": -1, "checksum": 1, "bids": [], "asks": []},
        {"time": 1, "checksum": 1, "bids": [[-1, 1]], "asks": []},
        {"time": 1, "checksum": 1, "bids": [[5000.5]], "asks": []},
        {"time": 1, "checksum": 1, "bids": [[1e-30, 1]], "asks": []},
    ],
)
def test_a_broken_message_costs_its_own_book_only(data: Any) -> None:
    client = live_client()
    client.receives({"channel": "orderbook", "market": "BTC/USD", "type": "update", "data": data})
    assert client.book().health is Health.SYNCING
    assert shown(client.book()) == FIRST
    assert client.book("BTC-PERP").is_live


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        "[]",
        "{}",
        '{"type":"surprise"}',
        '{"success":true,"result":{"bids":[[1151.0,0.36]],"asks":[]}}',
        '{"channel":"orderbook","market":"DOGE/USD","type":"update","data":{"time":1,"checksum":1,"bids":[],"asks":[]}}',
        '{"channel":"trades","market":"BTC/USD","type":"update","data":[{"id":1,"price":1,"size":1,"side":"?","time":"x"}]}',
    ],
)
def test_what_cannot_be_understood_is_rejected_and_no_book_suffers(frame: str | bytes) -> None:
    client = live_client()
    (event,) = client.receives(frame)
    assert isinstance(event, FrameRejected)
    assert client.book().is_live
    assert client.book("BTC-PERP").is_live


def test_trades_are_told_with_the_taker_s_side() -> None:
    client = live_client()
    row = {"id": 1473821801, "price": 32818.0, "size": 0.2124, "side": "sell", "liquidation": False}
    row["time"] = "2021-07-22T22:45:25.174228+00:00"
    (trade,) = client.receives({"channel": "trades", "market": "BTC/USD", "type": "update", "data": [row]})
    instrument = client.book().listing.instrument
    assert trade == Trade(
        *("ftx", "BTC/USD", 1626993925_174228000, client.now_ns, "1473821801"),
        *(instrument.price("32818"), instrument.quantity("0.2124"), Side.SELL),
    )


def test_control_messages() -> None:
    client = live_client()
    topic = {"channel": "orderbook", "market": "BTC/USD"}
    assert client.receives({"type": "subscribed", **topic}) == [Subscribed("ftx", client.now_ns, "orderbook BTC/USD")]
    (event,) = client.receives({"type": "unsubscribed", **topic})
    assert event == Subscribed("ftx", client.now_ns, "no longer orderbook BTC/USD")
    (event,) = client.receives({"type": "error", "code": 400, "msg": "Invalid market"})
    assert event == Refused("ftx", client.now_ns, "a request was refused: 400: Invalid market")
    (event,) = client.receives({"type": "error", "code": 400, "msg": "Already subscribed", **topic})
    assert isinstance(event, Refused)
    assert event.instrument == "BTC/USD"
    assert client.receives({"type": "pong"}) == []
    assert client.receives({"channel": "ticker", "market": "BTC/USD", "type": "update", "data": {"bid": 1.0}}) == []
    assert client.book().is_live


def test_a_notice_of_a_restart_asks_for_another_connection() -> None:
    client = live_client()
    assert client.receives({"type": "info", "code": 20001, "msg": "server restarting"}) == []
    assert client.session.take_requests() == [Reconnect("the venue restarts: server restarting")]


def test_the_market_list_gives_the_spot_markets_their_rules() -> None:
    body = (
        b'{"success":true,"result":['
        b'{"name":"BTC-PERP","enabled":true,"postOnly":false,"priceIncrement":1.0,"sizeIncrement":0.0001,'
        b'"type":"future","baseCurrency":null,"quoteCurrency":null},'
        b'{"name":"BAT/USD","enabled":true,"postOnly":false,"priceIncrement":2.5e-05,"sizeIncrement":1.0,'
        b'"type":"spot","baseCurrency":"BAT","quoteCurrency":"USD"},'
        b'{"name":"XYZ/USD","enabled":false,"postOnly":false,"priceIncrement":0.1,"sizeIncrement":1.0,'
        b'"type":"spot","baseCurrency":"XYZ","quoteCurrency":"USD"}]}'
    )
    session = Session(FtxMarketData(), Markets("ftx", adopts_unlisted=True), follow_listed=lambda _: True)
    session.opened(START)
    events = session.fetched(Reply("https://ftx.com/api/markets", 200, body), START)
    told = [event.listings for event in events if isinstance(event, ListingsRead)]
    listings = {listing.symbol: listing for row in told for listing in row}
    bat, xyz = listings["BAT/USD"], listings["XYZ/USD"]
    assert (bat.symbol, bat.instrument.name) == ("BAT/USD", "BAT/USD")
    assert bat.instrument.show_price(bat.tick) == "0.000025"
    assert bat.instrument.show_quantity(bat.lot) == "1"
    assert (bat.tradable, xyz.tradable) == (True, False)


@pytest.mark.parametrize("body", [b'{"success":false,"error":"x"}', b"", b"[]"])
def test_a_market_list_that_did_not_come_is_rejected(body: bytes) -> None:
    client = live_client()
    (event,) = client.session.fetched(Reply("https://ftx.com/api/markets", 200, body), START)
    assert isinstance(event, FrameRejected)


def recorded(capture: str) -> Iterator[tuple[str, int]]:
    with gzip.open(shared("captures", f"{capture}.jsonl.gz"), "rt") as lines:
        next(lines)
        for record in map(json.loads, lines):
            if record["kind"] == "received":
                yield record["text"], record["at"]


@needs_shared
def test_one_update_left_out_of_a_recording_costs_that_book_and_no_other() -> None:
    capture, symbol, left_out = "ftx-20210405", "1INCH/USD", 101
    session, market = Session(FtxMarketData(), Markets("ftx", separator="/", adopts_unlisted=True)), Market()
    seen = 0
    for text, at_ns in recorded(capture):
        is_update = f'"market": "{symbol}", "type": "update"' in text and '"orderbook"' in text
        seen += is_update
        if is_update and seen == left_out:
            continue
        for event in session.received(text, at_ns):
            market.apply(event)
    books = {book.listing.symbol: book for book in market}
    golden = json.loads(shared("captures", "golden.json").read_text())[capture]["symbols"]
    assert seen > left_out
    assert books[symbol].health is Health.SYNCING
    assert "checksum" in (books[symbol].reason or "")
    assert books[symbol].counters.gaps == 1
    others = {other: book for other, book in books.items() if other != symbol}
    assert all(book.is_live for book in others.values())
    assert {other: book_sha256(book) for other, book in others.items()} == {
        other: row["book_sha256"] for other, row in golden.items() if other != symbol
    }


@needs_shared
def test_real_spot_frames_are_understood_or_rejected_for_a_reason_we_know() -> None:
    """Its books were cut short after they were recorded, so their checksums cannot hold."""
    session = Session(FtxMarketData(), Markets("ftx", separator="/", adopts_unlisted=True))
    reasons = []
    for line in shared("messages", "ftx.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["market_type"] == "Spot":
            events = session.received(row["raw"], START)
            reasons += [event.reason for event in events if isinstance(event, FrameRejected)]
    assert reasons == [
        "BTC/USD: a partial whose checksum is not 4093133381",
        "neither a push, an acknowledgement, an error nor a notice",  # a REST reply
    ]


REAL = [
    json.dumps(message("partial", FIRST)).encode(),
    json.dumps(message("update", CHANGE, SECOND_BOOK)).encode(),
    json.dumps(message("partial", FIRST, market="BTC-PERP")).encode(),
    b'{"channel":"trades","market":"BTC/USD","type":"update","data":[{"id":1,"price":2.5,"size":0.2,"side":"sell",'
    b'"liquidation":false,"time":"2021-07-22T22:45:25.174228+00:00"}]}',
    b'{"type":"error","code":400,"msg":"Invalid market","market":"BTC/USD"}',
    b'{"type":"info","code":20001,"msg":"server restarting"}',
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
def test_nothing_that_comes_can_raise_or_be_half_applied(frames: list[bytes], are_binary: bool) -> None:
    client = live_client()
    for frame in frames:
        before = {book.listing.symbol: shown(book) for book in client.market}
        events = client.receives(frame if are_binary else frame.decode("utf-8", "surrogateescape"))
        client.session.take_requests()
        if any(isinstance(event, FrameRejected) for event in events):
            assert {book.listing.symbol: shown(book) for book in client.market} == before
        # Whatever came, a book that is live has the checksum of the last message that it took.
        for book in client.market:
            if book.is_live:
                assert shown(book) in (FIRST, SECOND_BOOK, ([[6000.0, 1.0]], [[6001.0, 2.0]]))
