"""A session keeps every book that it calls live true, asks for lost ones within bounds, and isolates them."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.book import Health
from aggregator.domain.events import BookLost, BookSnapshot, FrameRejected, ListingsRead
from connectors.binance.market_data import BinanceMarketData
from connectors.contract import Fetch, Send
from connectors.markets import Market, Markets
from connectors.session import Session
from tests.twins.binance import LISTINGS, SECOND, START_NS, BinanceTwin, depth_url, diff
from tests.twins.examples import examples
from tests.twins.feed import MARK

BTC, ETH = "BTCUSDT", "ETHUSDT"
GARBLED = [
    '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUp',
    "",
    "nonsense",
    b"\xff\xfe",
    "[]",
    "null",
    "{}",
    "\x00",
]


class TestOpening:
    def test_announces_every_book_as_awaited(self) -> None:
        twin = BinanceTwin()
        twin.open()
        assert [twin.book(symbol).health for symbol in LISTINGS] == [Health.SYNCING] * 2
        assert [twin.book(symbol).reason for symbol in LISTINGS] == ["a snapshot is awaited"] * 2

    def test_subscribes_first_and_asks_for_snapshots_a_second_later(self) -> None:
        twin = BinanceTwin()
        twin.open()
        assert [type(request) for request in twin.sent] == [Send]
        assert twin.asked == {BTC: [], ETH: []}
        assert twin.session.wake_at_ns() == START_NS + SECOND
        twin.wait(1)
        assert twin.asked == {BTC: [START_NS + SECOND], ETH: [START_NS + SECOND]}

    def test_makes_books_live_from_snapshots_and_what_was_held(self) -> None:
        twin = BinanceTwin()
        twin.open()
        twin.tell(BTC)
        twin.wait(1)
        twin.tell(BTC)
        twin.answer_all()
        for symbol in LISTINGS:
            assert twin.book(symbol).is_live
            assert twin.book(symbol).bids.quantity_at(MARK) == twin.newest_id(symbol)
        assert twin.session.wake_at_ns() is None
        assert [twin.book(symbol).counters.resyncs for symbol in LISTINGS] == [0, 0], "a start is no repair"

    def test_with_nothing_to_follow_asks_for_nothing(self) -> None:
        session = Session(BinanceMarketData(), Markets("binance"))
        assert session.opened(START_NS) == []
        assert session.take_requests() == []
        assert session.wake_at_ns() is None


class TestALoss:
    def test_is_told_and_asked_after_at_the_very_event(self) -> None:
        twin = BinanceTwin()
        twin.open_whole()
        twin.wait(60)
        twin.next_update(BTC)
        (lost,) = twin.tell(BTC)
        assert isinstance(lost, BookLost)
        assert (lost.instrument, lost.gap, lost.received_ns) == ("BTC/USDT", True, twin.now_ns)
        assert twin.asked[BTC][-1] == twin.now_ns

    def test_is_repaired_by_a_snapshot_and_the_updates_since(self) -> None:
        twin = BinanceTwin()
        twin.open_whole()
        twin.next_update(BTC)
        twin.tell(BTC)
        twin.tell(BTC)
        twin.wait(2)
        (found, *held) = twin.answer(BTC, lag=1)
        assert isinstance(found, BookSnapshot)
        assert found.resync
        assert len(held) == 1
        assert twin.book(BTC).is_live
        assert twin.book(BTC).bids.quantity_at(MARK) == twin.newest_id(BTC)
        assert (twin.book(BTC).counters.gaps, twin.book(BTC).counters.resyncs) == (1, 1)

    def test_touches_no_other_book(self) -> None:
        twin = BinanceTwin()
        twin.open_whole()
        asked = len(twin.asked[ETH])
        for _ in range(10):
            twin.next_update(BTC)
            twin.tell(BTC)
            twin.tell(ETH)
            twin.wait(3)
            twin.answer_all()
            assert twin.book(ETH).is_live
        assert len(twin.asked[ETH]) == asked
        assert {lost.instrument for lost in twin.lost if lost.gap} == {"BTC/USDT"}

    def test_with_the_connection_is_of_all_its_books(self) -> None:
        twin = BinanceTwin()
        twin.open_whole()
        twin.close()
        assert [twin.book(symbol).reason for symbol in LISTINGS] == ["the connection is gone"] * 2
        assert twin.session.wake_at_ns() is None
        for symbol in LISTINGS:
            twin.next_update(symbol)
        twin.open_whole()
        assert [twin.book(symbol).counters.resyncs for symbol in LISTINGS] == [1, 1]

    def test_on_demand_is_of_one_book_and_asked_after_at_once(self) -> None:
        twin = BinanceTwin()
        twin.open_whole()
        twin.wait(60)
        (lost,) = twin.session.resync(BTC, "crossed", twin.now_ns)
        assert isinstance(lost, BookLost)
        assert (lost.instrument, lost.reason, lost.gap) == ("BTC/USDT", "crossed", False)
        (request,) = twin.session.take_requests()
        assert isinstance(request, Fetch)
        assert "symbol=BTCUSDT" in request.path

    def test_on_demand_of_a_book_that_is_lost_or_unknown_is_nothing(self) -> None:
        twin = BinanceTwin()
        twin.open()
        assert twin.session.resync(BTC, "crossed", twin.now_ns) == []
        assert twin.session.resync("NOPE", "crossed", twin.now_ns) == []
        assert twin.session.take_requests() == []


class TestAFrameThatMeansNothing:
    @pytest.mark.parametrize("frame", GARBLED)
    def test_is_reported_and_harms_no_book(self, frame: str | bytes) -> None:
        twin = BinanceTwin()
        twin.open_whole()
        (rejected,) = twin.receive(frame)
        assert isinstance(rejected, FrameRejected)
        assert rejected.instrument is None
        assert all(twin.book(symbol).is_live for symbol in LISTINGS)

    def test_in_place_of_an_update_is_noticed_with_the_next_one(self) -> None:
        twin = BinanceTwin()
        twin.open_whole()
        twin.receive(diff(twin.next_update(BTC), LISTINGS[BTC])[:-9])
        assert twin.book(BTC).is_live, "nothing says yet whose it was"
        twin.tell(BTC)
        assert twin.book(BTC).health is Health.SYNCING

    def test_but_names_its_book_loses_that_book_at_once(self) -> None:
        twin = BinanceTwin()
        twin.open_whole()
        twin.wait(60)
        update = twin.next_update(BTC)
        events = twin.receive(diff(update, LISTINGS[BTC]).replace('"0.', '"-0.'))
        assert [type(event) for event in events] == [FrameRejected, BookLost]
        assert twin.book(BTC).health is Health.SYNCING
        assert twin.book(BTC).counters.rejected_frames == 1
        assert twin.book(ETH).is_live
        assert twin.asked[BTC][-1] == twin.now_ns

    def test_while_its_book_is_awaited_does_not_put_off_the_question(self) -> None:
        twin = BinanceTwin()
        twin.open()
        wake_ns = twin.session.wake_at_ns()
        for _ in range(5):
            twin.now_ns += SECOND // 10
            twin.receive(diff(twin.next_update(BTC), LISTINGS[BTC]).replace('"0.', '"-0.'))
        assert twin.session.wake_at_ns() == wake_ns

    def test_about_a_symbol_that_is_not_followed_makes_no_book(self) -> None:
        twin = BinanceTwin()
        twin.open_whole()
        (rejected,) = twin.receive(diff(twin.next_update(BTC), LISTINGS[BTC]).replace("BTCUSDT", "XRPUSDT"))
        assert isinstance(rejected, FrameRejected)
        assert "XRPUSDT" in rejected.reason
        assert len(list(twin.session.books)) == 2


class TestAReplyOfNoUse:
    @pytest.mark.parametrize(("status", "body"), [(429, b"slow down"), (503, b""), (0, b"no route"), (200, b"<html>")])
    def test_is_asked_again_after_growing_waits(self, status: int, body: bytes) -> None:
        twin = BinanceTwin(symbols=[BTC])
        twin.open()
        for _ in range(150):
            twin.wait(1)
            for symbol in list(twin.unanswered):
                (rejected,) = twin.reply(symbol, status, body)
                assert isinstance(rejected, FrameRejected)
                assert rejected.instrument == "BTC/USDT"
        waits = [(later - earlier) // SECOND for earlier, later in pairwise(twin.asked[BTC])]
        assert waits == [2, 4, 8, 16, 30, 30, 30]
        twin.wait(30)
        twin.answer(BTC)
        assert twin.book(BTC).is_live

    def test_that_never_comes_is_asked_again_too(self) -> None:
        twin = BinanceTwin(symbols=[BTC])
        twin.open()
        twin.wait(100)
        assert [(at_ns - START_NS) // SECOND for at_ns in twin.asked[BTC]] == [1, 11, 21, 31, 47, 79]

    def test_because_it_is_too_old_is_followed_by_one_that_is_not(self) -> None:
        twin = BinanceTwin(symbols=[BTC])
        twin.open()
        twin.next_update(BTC)
        twin.tell(BTC)
        twin.wait(1)
        assert twin.answer(BTC, lag=2) == []
        assert twin.book(BTC).health is Health.SYNCING
        twin.wait(2)
        assert len(twin.asked[BTC]) == 2
        twin.answer(BTC)
        assert twin.book(BTC).is_live

    @pytest.mark.parametrize(("status", "body"), [(503, b""), (200, b"<html>"), (200, b'{"lastUpdateId":1}')])
    def test_loses_no_book_that_is_whole(self, status: int, body: bytes) -> None:
        """Asked twice, answered once well and once badly: the stream was continuous all along."""
        twin = BinanceTwin(symbols=[BTC])
        twin.open()
        twin.wait(12)
        assert len(twin.asked[BTC]) == 2
        twin.answer(BTC)
        (rejected,) = twin.reply(BTC, status, body)
        assert isinstance(rejected, FrameRejected)
        assert twin.book(BTC).is_live
        twin.tell(BTC)
        assert twin.book(BTC).is_live
        assert twin.session.wake_at_ns() is None

    def test_about_a_symbol_that_is_not_followed_is_reported(self) -> None:
        twin = BinanceTwin()
        twin.open_whole()
        events = twin.session.answered(depth_url("XRPUSDT"), b'{"lastUpdateId":1,"bids":[],"asks":[]}', twin.now_ns)
        assert [type(event) for event in events] == [FrameRejected]


class TestABookThatIsLostOverAndOver:
    def test_costs_a_bounded_number_of_snapshots(self) -> None:
        """Every other update is bad: without a bound that is a snapshot for each, and the address is banned."""
        twin = BinanceTwin(count=400, symbols=[BTC])
        twin.open_whole()
        for _ in range(150):
            twin.wait(1)
            twin.tell(BTC)
            twin.receive(diff(twin.next_update(BTC), LISTINGS[BTC]).replace('"0.', '"-0.'))
            twin.answer_all()
        assert len(twin.lost) > 5
        assert len(twin.asked[BTC]) <= 10


class TestFollowingTheMarketList:
    ROWS = (Market("BTCUSDT", "BTC", "USDT"), Market("ETHUSDT", "ETH", "USDT"), Market("XRPBTC", "XRP", "BTC"))
    BODY = (
        b'{"symbols":['
        + b",".join(
            b'{"symbol":"%s","status":"TRADING","baseAsset":"%s","quoteAsset":"%s"}'
            % (row.symbol.encode(), row.base.encode(), row.quote.encode())
            for row in ROWS
        )
        + b"]}"
    )
    URL = "https://api.binance.com/api/v3/exchangeInfo"

    def session(self, *follow: str) -> Session:
        markets = Markets("binance", [LISTINGS[symbol] for symbol in follow])
        return Session(BinanceMarketData(), markets, follow, follow_listed=lambda market: market.quote == "USDT")

    def subscribed(self, session: Session) -> list[str]:
        """What the session subscribes to, by what it sends."""
        return [request.text for request in session.take_requests() if isinstance(request, Send)]

    def test_subscribes_to_what_is_accepted_of_it_once(self) -> None:
        session = self.session(BTC)
        session.opened(START_NS)
        first = self.subscribed(session)
        assert [BTC.lower() in text for text in first] == [True]
        events = session.answered(self.URL, self.BODY, START_NS + 1)
        listed = [event for event in events if isinstance(event, ListingsRead)]
        assert {found.symbol for event in listed for found in event.listings} == {BTC, ETH}
        (second,) = self.subscribed(session)
        assert ETH.lower() in second
        assert BTC.lower() not in second
        assert "xrpbtc" not in second
        session.answered(self.URL, self.BODY, START_NS + 2)
        assert self.subscribed(session) == []

    def test_asks_for_it_again_until_it_comes(self) -> None:
        session, asked = self.session(), []
        session.opened(START_NS)
        for second in range(40):
            now_ns = START_NS + second * SECOND
            session.woken(now_ns)
            if any(isinstance(request, Fetch) for request in session.take_requests()):
                asked.append(second)
                session.answered(self.URL, b"<html>", now_ns)
        assert asked == [0, 10, 20, 30]
        session.answered(self.URL, self.BODY, START_NS + 40 * SECOND)
        assert len(self.subscribed(session)) == 1
        session.woken(START_NS + 999 * SECOND)
        assert not [request for request in session.take_requests() if "exchangeInfo" in str(request)]

    def test_holds_over_a_reconnect(self) -> None:
        session = self.session()
        session.opened(START_NS)
        session.answered(self.URL, self.BODY, START_NS + 1)
        session.take_requests()
        session.closed("the connection is gone", START_NS + 2)
        session.opened(START_NS + 3)
        (text,) = self.subscribed(session)
        assert BTC.lower() in text
        assert ETH.lower() in text

    def test_with_a_row_that_cannot_be_listed_goes_on_with_the_others(self) -> None:
        session = self.session()
        session.opened(START_NS)
        bad = b'{"symbol":"BADUSDT","status":"TRADING","baseAsset":"BAD","quoteAsset":"USDT","filters":[%s]},'
        rule = b'{"filterType":"PRICE_FILTER","tickSize":"1e-99"}'
        session.answered(self.URL, self.BODY.replace(b"[", b"[" + bad % rule, 1), START_NS + 1)
        (text,) = [text for text in self.subscribed(session) if "SUBSCRIBE" in text]
        assert "badusdt" not in text
        assert ETH.lower() in text


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["tell"] * 8 + ["drop", "again", "garble", "spoil", "early", "answer", "fail", "wait"]),
        st.sampled_from([BTC, ETH]),
        st.integers(0, 6),
    ),
    max_size=50,
)


@given(acts=ACTS, seed=st.integers(0, 10**6))
@examples(80)
def test_whatever_befalls_the_wire_no_live_book_is_wrong_and_all_recover(
    acts: list[tuple[str, str, int]], seed: int
) -> None:
    """`BinanceTwin` checks both books after everything that it hears."""
    twin = BinanceTwin(seed, count=len(acts) + 20)
    twin.open()
    chance = Random(seed)
    for act, symbol, number in acts:
        told, updates = twin.told[symbol], twin.feeds[symbol].updates
        if act == "tell":
            twin.tell(symbol)
        elif act == "drop":
            twin.next_update(symbol)
        elif act == "again" and told:
            twin.hear(symbol, updates[max(0, told - 1 - number)])
        elif act == "early":
            twin.hear(symbol, updates[told + 1])
        elif act == "garble":
            frame = diff(twin.next_update(symbol), LISTINGS[symbol])
            twin.receive(frame[: chance.randrange(len(frame))])
        elif act == "spoil":
            twin.receive(diff(twin.next_update(symbol), LISTINGS[symbol]).replace('"a":[', '"a":[["0","1"],'))
        elif act == "answer" and symbol in twin.unanswered:
            twin.answer(symbol, lag=number)
        elif act == "fail" and symbol in twin.unanswered:
            twin.reply(symbol, (429, 500, 0)[number % 3], b"no")
        elif act == "wait":
            twin.wait(number)
    for _ in range(12):
        for symbol in LISTINGS:
            twin.tell(symbol)
        twin.wait(31)
        twin.answer_all()
    for symbol, feed in twin.feeds.items():
        assert twin.book(symbol).is_live
        assert twin.book(symbol).bids.quantity_at(MARK) == twin.newest_id(symbol)
        assert twin.newest_id(symbol) in feed.ids
        assert all(later - earlier >= 2 * SECOND for earlier, later in pairwise(twin.asked[symbol]))


def test_each_single_fault_of_a_short_stream_is_noticed_or_harmless() -> None:
    """On the wire: one frame lost, doubled, swapped or garbled at every position, with a snapshot at every other."""
    count = 6
    for fault in ("drop", "double", "swap", "garble"):
        for at in range(count):
            for answered in range(count + 1):
                twin = BinanceTwin(seed=3, count=count + 1, symbols=[BTC])
                twin.open()
                twin.wait(1)
                held = None
                for position in range(count):
                    if position == answered:
                        twin.answer(BTC)
                    update = twin.next_update(BTC)
                    if position != at:
                        twin.hear(BTC, update)
                    elif fault == "double":
                        twin.hear(BTC, update)
                        twin.hear(BTC, update)
                    elif fault == "garble":
                        twin.receive(diff(update, LISTINGS[BTC]).replace("depthUpdate", 'depth"Update'))
                    elif fault == "swap":
                        held = update
                    if held is not None and position == at + 1:
                        twin.hear(BTC, held)
                if not twin.book(BTC).is_live:
                    twin.wait(40)
                    twin.answer_all()
                twin.tell(BTC)
                if not twin.book(BTC).is_live:
                    twin.wait(40)
                    twin.answer_all()
                assert twin.book(BTC).bids.quantity_at(MARK) == twin.newest_id(BTC), (fault, at, answered)
