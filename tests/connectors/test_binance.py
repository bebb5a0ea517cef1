"""Binance's frames and replies mean what its documentation says, and whatever is odd in them is refused whole."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from aggregator.domain.book import Levels
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
    VenueClock,
)
from aggregator.domain.instrument import Listing, Side
from connectors.binance.market_data import BinanceMarketData
from connectors.contract import Fetch, MarketData, Reconnect, Reply, Send
from connectors.markets import Markets
from connectors.session import Session
from tests.twins.binance import HOST, LISTINGS, depth_url, push
from tests.twins.listings import BTC as BITCOIN

BTC = "BTCUSDT"
NOW_NS = 1_780_000_001_000_000_000
MS = 1_000_000


def opened(*, first_id: int = 100, follow: tuple[str, ...] = (BTC,)) -> Session:
    """A session whose book is at `first_id`, with a bid of 2 at 99 and an ask of 3 at 101."""
    session = Session(BinanceMarketData(), Markets("binance", LISTINGS.values()), follow)
    session.opened(NOW_NS)
    session.take_requests()
    body = f'{{"lastUpdateId":{first_id},"bids":[["99.00","2.000"]],"asks":[["101.00","3.000"]]}}'
    (snapshot,) = session.answered(depth_url(BTC), body.encode(), NOW_NS)
    assert isinstance(snapshot, BookSnapshot)
    return session


def diff(**fields: Any) -> str:
    sound = {"e": "depthUpdate", "E": 1_780_000_000_123, "s": BTC, "U": 101, "u": 107, "b": [], "a": []}
    return push("btcusdt@depth@100ms", **{name: value for name, value in (sound | fields).items() if value is not None})


def only(events: Sequence[MarketEvent]) -> MarketEvent:
    (event,) = events
    return event


class TestADiff:
    def test_sets_quantities_at_prices_and_removes_with_zero(self) -> None:
        levels = {"b": [["99.50", "0.520"], ["99.00", "0.00000000"]], "a": [["101.00000000", "1.1"]]}
        assert only(opened().received(diff(**levels), NOW_NS)) == BookDelta(
            "binance",
            "BTC/USDT",
            1_780_000_000_123 * MS,
            NOW_NS,
            Levels([9_950, 9_900], [520, 0]),
            Levels([10_100], [1_100]),
            depth=0,
        )

    @pytest.mark.parametrize("channel", ["depth", "depth@100ms", "depth@1000ms"])
    def test_is_one_at_either_speed(self, channel: str) -> None:
        frame = diff().replace("depth@100ms", channel)
        assert isinstance(only(opened().received(frame, NOW_NS)), BookDelta)

    def test_is_read_from_text_and_from_bytes(self) -> None:
        assert opened().received(diff().encode(), NOW_NS) == opened().received(diff(), NOW_NS)

    @pytest.mark.parametrize(
        ("first_id", "last_id", "outcome"),
        [
            *((101, 101, BookDelta), (101, 107, BookDelta), (95, 107, BookDelta)),
            *((90, 99, None), (95, 100, None)),
            *((102, 107, BookLost), (10**30, 10**30 + 1, BookLost)),
        ],
    )
    def test_continues_the_book_as_the_venues_rules_say(
        self, first_id: int, last_id: int, outcome: type[MarketEvent] | None
    ) -> None:
        events = opened().received(diff(U=first_id, u=last_id), NOW_NS)
        assert [type(event) for event in events] == ([outcome] if outcome else [])

    @pytest.mark.parametrize(
        "fields",
        [
            *({"U": 108}, {"U": 0}, {"U": -5, "u": -1}, {"U": None}, {"u": None}),
            *({"b": None}, {"a": None}, {"b": None, "B": "1"}),
            *({"b": [["-1", "1"]]}, {"b": [["0", "1"]]}, {"a": [["101"]]}, {"a": [["101", "1", "1"]]}),
            *({"a": {"101": "1"}}, {"a": "[]"}, {"b": [["99", None]]}, {"b": [["1e50", "1"]]}),
            {"b": [["99.50", "1"]], "a": [["101", "0.0001"]]},
        ],
    )
    def test_that_is_odd_is_refused_whole_and_its_book_is_lost(self, fields: dict[str, Any]) -> None:
        rejected, lost = opened().received(diff(**fields), NOW_NS)
        assert isinstance(rejected, FrameRejected)
        assert isinstance(lost, BookLost)
        assert (rejected.instrument, lost.instrument) == ("BTC/USDT", "BTC/USDT")
        assert rejected.reason in lost.reason

    @pytest.mark.parametrize("fields", [{"U": "101"}, {"U": 101.0}, {"s": 5}, {"E": "now"}, {"s": None}, {"s": "XRP"}])
    def test_that_does_not_say_whose_it_is_is_refused(self, fields: dict[str, Any]) -> None:
        rejected = only(opened().received(diff(**fields), NOW_NS))
        assert isinstance(rejected, FrameRejected)
        assert rejected.instrument is None


class TestASnapshot:
    def test_is_the_whole_book(self) -> None:
        session = Session(BinanceMarketData(), Markets("binance", LISTINGS.values()), [BTC])
        body = b'{"lastUpdateId":7,"bids":[["99.00","2.000"],["98.50","1"]],"asks":[]}'
        *_, snapshot = session.answered(depth_url(BTC), body, NOW_NS)
        bids = Levels([9_900, 9_850], [2_000, 1_000])
        assert snapshot == BookSnapshot("binance", "BTC/USDT", 0, NOW_NS, bids, Levels([], []))

    def test_of_a_market_that_never_traded_starts_with_the_first_diff(self) -> None:
        session = Session(BinanceMarketData(), Markets("binance", LISTINGS.values()), [BTC])
        session.answered(depth_url(BTC), b'{"lastUpdateId":-1,"bids":[],"asks":[]}', NOW_NS)
        assert isinstance(only(session.received(diff(U=5, u=6), NOW_NS)), BookDelta)

    @pytest.mark.parametrize(
        "body",
        [
            *(b"", b"{}", b"null", b"[]", b"<html>", b'{"lastUpdateId":1}', b'{"lastUpdateId":1,"bids":[],"asks":{}}'),
            *(b'{"lastUpdateId":"1","bids":[],"asks":[]}', b'{"lastUpdateId":1,"bids":[["1"]],"asks":[]}'),
            b'{"code":-1121,"msg":"Invalid symbol."}',
        ],
    )
    def test_that_is_odd_is_refused_and_names_its_book(self, body: bytes) -> None:
        session = Session(BinanceMarketData(), Markets("binance", LISTINGS.values()), [BTC])
        session.opened(NOW_NS)
        rejected = only(session.answered(depth_url(BTC), body, NOW_NS))
        assert isinstance(rejected, FrameRejected)
        assert rejected.instrument == "BTC/USDT"

    def test_that_the_venue_would_not_give_says_how_it_was_refused(self) -> None:
        session = opened()
        rejected = only(session.fetched(Reply(depth_url(BTC), 429, b"Too much request weight used"), NOW_NS))
        assert isinstance(rejected, FrameRejected)
        assert "429" in rejected.reason
        assert "Too much request weight used" in rejected.reason


class TestATrade:
    def frame(self, **fields: Any) -> str:
        sound = {
            "e": "trade",
            "E": 5,
            "s": BTC,
            "t": 5000001,
            "p": "60000.20",
            "q": "0.01",
            "T": 3,
            "m": False,
            "M": True,
        }
        return push("btcusdt@trade", **(sound | fields))

    @pytest.mark.parametrize(("buyer_is_maker", "taker"), [(True, Side.SELL), (False, Side.BUY)])
    def test_names_the_side_that_crossed_the_spread(self, buyer_is_maker: bool, taker: Side) -> None:
        assert only(opened().received(self.frame(m=buyer_is_maker), NOW_NS)) == Trade(
            "binance", "BTC/USDT", 3 * MS, NOW_NS, "5000001", 6_000_020, 10, taker
        )

    @pytest.mark.parametrize("fields", [{"p": "NaN"}, {"q": "-1"}, {"p": ""}, {"s": "XRPUSDT"}, {"p": 1.5}, {"t": "x"}])
    def test_that_is_odd_harms_no_book(self, fields: dict[str, Any]) -> None:
        session = opened()
        rejected = only(session.received(self.frame(**fields), NOW_NS))
        assert isinstance(rejected, FrameRejected)
        assert isinstance(only(session.received(diff(), NOW_NS)), BookDelta)


class TestABestQuote:
    def frame(self, **fields: Any) -> str:
        sound = {"u": 107, "s": BTC, "b": "60000.10", "B": "0.52", "a": "60000.20", "A": "1.10"}
        return push("btcusdt@bookTicker", **(sound | fields))

    def test_is_a_witness_with_the_update_it_belongs_to(self) -> None:
        assert only(opened().received(self.frame(), NOW_NS)) == BestQuote(
            "binance", "BTC/USDT", 0, NOW_NS, 107, 6_000_010, 520, 6_000_020, 1_100
        )

    @pytest.mark.parametrize("fields", [{"b": ""}, {"B": "-1"}, {"a": [["1", "1"]]}, {"s": "XRPUSDT"}])
    def test_that_is_odd_harms_no_book(self, fields: dict[str, Any]) -> None:
        session = opened()
        assert isinstance(only(session.received(self.frame(**fields), NOW_NS)), FrameRejected)
        assert isinstance(only(session.received(diff(), NOW_NS)), BookDelta)


class TestControl:
    def test_an_acknowledgement_is_told(self) -> None:
        assert only(opened().received('{"result":null,"id":1}', NOW_NS)) == Subscribed("binance", NOW_NS, "request 1")

    @pytest.mark.parametrize(
        "frame",
        [
            '{"code":2,"msg":"Invalid request: unknown stream","id":4}',
            '{"error":{"code":2,"msg":"Invalid request: unknown stream"},"id":4}',
        ],
    )
    def test_a_refusal_is_told_with_its_reason(self, frame: str) -> None:
        refused = only(opened().received(frame, NOW_NS))
        assert isinstance(refused, Refused)
        assert "request 4" in refused.reason
        assert "2: Invalid request: unknown stream" in refused.reason

    def test_a_stream_that_was_not_asked_for_is_passed_over(self) -> None:
        frame = push("btcusdt@kline_1m", e="kline", E=1, s=BTC, k={"t": 1, "o": "1"})
        assert opened().received(frame, NOW_NS) == []

    def test_the_notice_that_the_server_goes_away_asks_for_another_connection(self) -> None:
        session = opened()
        assert session.received(push("!serverShutdown", e="serverShutdown", E=1_780_000_000_000), NOW_NS) == []
        (request,) = session.take_requests()
        assert isinstance(request, Reconnect)

    def test_the_venues_clock_is_read(self) -> None:
        reply = Reply(f"{HOST}/api/v3/time", 200, b'{"serverTime":1780000000000}')
        assert only(opened().fetched(reply, NOW_NS)) == VenueClock("binance", NOW_NS, 1_780_000_000_000 * MS)


class TestRequests:
    def test_subscribe_to_books_and_trades_in_the_venues_spelling(self) -> None:
        (request,) = BinanceMarketData().subscribe([BTC, "ETHUSDT"], NOW_NS)
        assert isinstance(request, Send)
        assert json.loads(request.text) == {
            "method": "SUBSCRIBE",
            "params": ["btcusdt@depth@100ms", "btcusdt@trade", "ethusdt@depth@100ms", "ethusdt@trade"],
            "id": 1,
        }

    def test_put_many_streams_into_one_and_number_each(self) -> None:
        symbols = [f"COIN{number}USDT" for number in range(250)]
        requests = [json.loads(request.text) for request in BinanceMarketData().subscribe(symbols, 0)]  # type: ignore[union-attr]
        streams = [stream for request in requests for stream in request["params"]]
        assert len(requests) == 3
        assert len(streams) == len(set(streams)) == 500
        assert len({request["id"] for request in requests}) == 3

    def test_for_a_snapshot_are_of_one_symbol(self) -> None:
        assert BinanceMarketData().ask_snapshot(BTC, NOW_NS) == [Fetch("/api/v3/depth?symbol=BTCUSDT&limit=1000", 50)]

    def test_are_those_of_a_venue_as_the_contract_has_it(self) -> None:
        market_data: MarketData = BinanceMarketData("depth")
        (request,) = market_data.subscribe([BTC], NOW_NS)
        assert isinstance(request, Send)
        assert "btcusdt@depth" in json.loads(request.text)["params"]


PRICE = {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"}
LOT = {"filterType": "LOT_SIZE", "minQty": "0.00010000", "maxQty": "9000", "stepSize": "0.00001000"}


class TestTheMarketList:
    def learned(self, *rows: dict[str, Any]) -> dict[str, Listing]:
        """The listings that come of these rows."""
        session = Session(BinanceMarketData(), Markets("binance"), follow_listed=lambda market: True)
        body = json.dumps({"timezone": "UTC", "symbols": rows}).encode()
        events = session.answered(f"{HOST}/api/v3/exchangeInfo", body, NOW_NS)
        return {found.symbol: found for event in events if isinstance(event, ListingsRead) for found in event.listings}

    def row(self, *filters: dict[str, str], status: str = "TRADING") -> dict[str, Any]:
        return {"symbol": BTC, "status": status, "baseAsset": "BTC", "quoteAsset": "USDT", "filters": list(filters)}

    @pytest.mark.parametrize("name", ["NOTIONAL", "MIN_NOTIONAL"])
    def test_gives_each_markets_rules(self, name: str) -> None:
        found = self.learned(self.row(PRICE, LOT, {"filterType": name, "minNotional": "5.00000000"}))[BTC]
        instrument = found.instrument
        shown = (instrument.show_price(found.tick), instrument.show_quantity(found.lot))
        assert shown == ("0.01", "0.00001")
        assert instrument.show_quantity(found.minimum_quantity) == "0.0001"
        assert instrument.show_notional(found.minimum_notional) == "5"
        assert (instrument.name, found.tradable) == ("BTC/USDT", True)

    def test_without_a_rule_leaves_it_out(self) -> None:
        found = self.learned(self.row())[BTC]
        assert (found.tick, found.lot, found.minimum_quantity, found.minimum_notional) == (0, 0, 0, 0)

    @pytest.mark.parametrize("status", ["BREAK", "HALT", "CANCEL_ONLY", "END_OF_DAY"])
    def test_says_which_markets_do_not_trade(self, status: str) -> None:
        assert not self.learned(self.row(PRICE, status=status))[BTC].tradable

    def test_does_not_change_the_scale_of_books_that_are_there(self) -> None:
        session = opened()
        session.answered(f"{HOST}/api/v3/exchangeInfo", json.dumps({"symbols": [self.row(PRICE)]}).encode(), NOW_NS)
        delta = only(session.received(diff(b=[["99.50", "0.520"]]), NOW_NS))
        assert isinstance(delta, BookDelta)
        assert delta.bids == Levels([BITCOIN.price("99.50")], [BITCOIN.quantity("0.52")])

    @pytest.mark.parametrize("body", [b"", b"{}", b'{"symbols":[{}]}', b'{"symbols":{}}', b"<html>"])
    def test_that_is_odd_is_refused(self, body: bytes) -> None:
        rejected = only(opened().answered(f"{HOST}/api/v3/exchangeInfo", body, NOW_NS))
        assert isinstance(rejected, FrameRejected)
        assert rejected.instrument is None
