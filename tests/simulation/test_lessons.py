"""What went wrong with other projects, and what this one does instead: each test names the row of the list of lessons
that it is about. Rows that are held elsewhere too, or only there:

| row | module | test |
| --- | --- | --- |
| 1 | simulation/test_gateio_simulator.py | TestFollowed.test_a_gap_is_mended_by_subscribing_anew_to_that_book_alone |
| 2 | simulation/test_huobi_simulator.py | TestBroken.test_a_gap_takes_one_book_out_at_once_and_it_comes_back |
| 2 | simulation/test_huobi_simulator.py | TestBroken.test_frozen_books_are_stale_although_empty_increments_go_on |
| 2 | simulation/test_huobi_simulator.py | \
TestStart.test_every_start_succeeds_and_nineteen_in_twenty_take_less_than_five_seconds |
| 3 | books/test_venue_book.py | TestFreshness.test_of_a_venue_that_repeats_one_picture_ends |
| 3 | simulation/test_gateio_simulator.py | TestFollowed.test_whole_books_repeated_for_ever_are_no_sign_of_life |
| 4 | books/test_consolidated.py | test_its_age_is_that_of_its_oldest_contributor |
| 5 | connectors/test_sequencing.py | TestBothMachines.test_hold_so_many_and_no_more |
| 5 | service/test_runner.py | test_a_full_inbox_makes_the_poster_wait_and_drops_nothing |
| 5 | simulation/test_churn.py | test_memory_is_flat_over_reconnects_and_resyncs |
| 5 | simulation/test_churn.py | test_nothing_grows_over_reconnects_resyncs_and_new_listings |
| 6 | connectors/test_levels.py | TestBothPathsAgree.test_and_the_quick_one_is_taken_for_what_most_venues_send |
| 7 | connectors/test_continuity.py | TestOneFault.test_in_a_live_stream_is_noticed_at_the_very_event |
| 7 | connectors/test_session.py | test_each_single_fault_of_a_short_stream_is_noticed_or_harmless |
| 8 | connectors/test_continuity.py | TestASnapshot.test_of_every_offset_at_every_position_gives_the_true_book_or_none |
| 8 | connectors/test_continuity.py | TestOneFault.test_while_a_snapshot_is_awaited_is_noticed_when_it_comes |
| 9 | books/test_venue_book.py | test_a_snapshot_replaces_all_that_was_there |
| 9 | simulation/test_binance_simulator.py | TestFollowed.test_a_crossed_book_is_out_until_it_is_right |
| 9 | simulation/test_huobi_simulator.py | TestBroken.test_a_crossed_book_is_out_until_it_is_right |
| 9 | simulation/test_cryptocom_simulator.py | TestBroken.test_a_crossed_book_is_out_until_it_is_right |
| 9 | simulation/test_gateio_simulator.py | TestFollowed.test_a_crossed_book_is_out_until_it_is_right |
| 10 | simulation/test_binance_simulator.py | TestFollowed.test_a_refusal_by_rate_is_obeyed |
| 10 | simulation/test_binance_simulator.py | TestFollowed.test_fifty_symbols_start_within_the_budgets |
| 11 | engine/test_order_lessons.py | test_row_11_a_venue_that_rejects_is_left_alone_longer_each_time |
| 11 | engine/test_order_lessons.py | test_row_11_orders_faster_than_the_limit_are_refused |
| 12 | engine/test_order_lessons.py | test_row_12_a_timeout_is_neither_a_rejection_nor_a_reason_to_send_again |
| 12 | simulation/test_account_on_sockets.py | test_an_order_whose_reply_is_lost_is_in_doubt_until_asked_after |
| 13 | engine/test_order_lessons.py | test_row_13_one_answer_that_there_is_no_such_order_is_not_believed |
| 13 | engine/test_order_lessons.py | test_row_13_agreeing_answers_after_the_grace_window_are_believed |
| 14 | engine/test_order_lessons.py | \
test_row_14_after_a_restart_nothing_new_leaves_before_every_venue_is_reconciled |
| 14 | engine/test_order_lessons.py | test_row_14_a_fill_is_counted_once_however_often_it_is_told |
| 14 | engine/test_order_lessons.py | test_row_14_a_word_that_cannot_be_true_changes_nothing_and_raises_an_alarm |
| 14 | simulation/test_trading.py | \
test_a_service_that_is_killed_among_faulty_venues_finds_everything_again |
| 14 | test_kill.py | test_a_service_that_is_killed_again_and_again_loses_nothing_and_does_nothing_twice |
| 15 | engine/test_order_lessons.py | test_row_15_how_an_immediate_order_ends_follows_from_what_was_filled |
| 16 | routing/test_lessons.py | TestARemainderUnderEveryMinimum.test_is_taken_from_a_venue_that_can_spare_it |
| 16 | routing/test_lessons.py | TestARemainderUnderEveryMinimum.test_is_left_and_named_where_none_can |
| 16 | routing/test_properties.py | test_never_an_illegal_child_and_every_child_at_its_price |
| 17 | routing/test_lessons.py | \
TestAMinimumThatTheCheapestLevelsBreak.test_is_met_by_giving_the_cheaper_venue_less |
| 18 | routing/test_lessons.py | \
TestLotsOfDifferentSize.test_leave_their_remainders_to_the_venue_with_the_finest |
| 19 | routing/test_lessons.py | TestASell.test_goes_to_the_better_bid |
| 19 | routing/test_properties.py | test_a_sell_is_the_mirror_of_a_buy |
| 20 | engine/test_order_lessons.py | test_row_20_a_fee_in_the_base_asset_makes_the_received_quantity_smaller |
| 20 | engine/test_order_lessons.py | test_row_20_a_fee_in_a_third_asset_touches_neither_side |
| 22 | simulation/test_binance_simulator.py | TestFollowed.test_a_delisted_market_harms_no_other |
| 22 | simulation/test_binance_simulator.py | TestFollowed.test_a_market_that_the_venue_does_not_have_harms_no_other |
| 22 | simulation/test_huobi_simulator.py | \
TestStart.test_a_subscription_that_is_refused_leaves_the_others_and_is_tried_again |
| 22 | simulation/test_cryptocom_simulator.py | \
TestStart.test_a_subscription_that_is_refused_leaves_the_others_and_is_tried_again |
| 22 | simulation/test_gateio_simulator.py | TestFollowed.test_a_market_that_the_venue_does_not_have_harms_no_other |
| 24 | simulation/test_binance_simulator.py | TestFollowed.test_a_skewed_clock_is_measured |
| 24 | simulation/test_huobi_simulator.py | TestBroken.test_a_skewed_clock_is_measured |
| 24 | simulation/test_gateio_simulator.py | TestFollowed.test_a_clock_that_is_a_minute_off_is_said_to_be_why |
| 25 | engine/test_order_lessons.py | test_row_25_without_a_rate_a_book_in_another_quote_takes_no_part |
| 25 | routing/test_lessons.py | TestQuotesInAnotherCurrency.test_without_a_rate_are_not_routed_into |
| 25 | routing/test_lessons.py | TestQuotesInAnotherCurrency.test_with_a_rate_that_is_too_old_are_not_routed_into |
| 26 | engine/test_order_lessons.py | test_row_26_what_is_pending_is_not_planned_on_again |
| 26 | routing/test_lessons.py | TestWhatIsPending.test_is_taken_off_the_levels_that_it_will_take |
| 27 | simulation/test_trading.py | test_a_fill_uses_the_book_up_and_it_grows_back |
| 30 | engine/test_order_lessons.py | test_row_30_cancel_all_sends_every_cancel_at_once_and_reports_each |
| 31 | engine/test_market.py | TestConsolidated.test_leaves_a_lost_book_out_from_that_very_event_on |
"""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from random import Random
from typing import Any

import pytest
from prometheus_client import generate_latest

from aggregator.api.market import show_book
from aggregator.books.consolidated import ConsolidatedDepth
from aggregator.domain.book import Health
from aggregator.domain.instrument import Listing, Side
from aggregator.domain.plan import RouteRequest, RoutingPolicy
from aggregator.engine.engine import Engine
from aggregator.engine.views import KEPT_AT_MOST, Views
from aggregator.routing.depth import seen
from aggregator.routing.planner import plan
from aggregator.service.metrics import MarketCollector, registry
from connectors.binance.simulator import BinanceSimulator
from connectors.contract import Reply
from connectors.huobi.simulator import simulator as huobi_simulator
from connectors.markets import Markets
from connectors.session import Session
from tests.fuzz import dialects
from tests.paths import REPOSITORY
from tests.simulation import test_gateio_simulator
from tests.simulation.broken_feeds import NOTICED_NS, QUIET_NS
from tests.simulation.one_venue import MINUTE, MS, SECOND, START_NS, OneVenue, made_up
from tests.twins.feed import State, Update

ROWS = {*range(1, 21), 22, *range(24, 28), 30, 31}
BTC = "BTC/USDT"
STEP_NS = 10 * MS


class Together:
    """Venues that feed one engine, a hundredth of a second of each in turn."""

    def __init__(self, *venues: OneVenue) -> None:
        self.venues = venues
        self.engine = Engine({venue.name: venue.freshness for venue in venues})
        self.effects = venues[0].effects
        for venue in venues:
            venue.engine, venue.effects = self.engine, self.effects
        self.until(lambda: len(self.merged().venues) == len(venues), 10 * SECOND)
        self.run(SECOND)

    @property
    def now_ns(self) -> int:
        return min(venue.now_ns for venue in self.venues)

    def run(self, duration_ns: int) -> None:
        for _ in range(duration_ns // STEP_NS):
            for venue in self.venues:
                venue.run(STEP_NS)

    def until(self, holds: Callable[[], bool], within_ns: int) -> int:
        start_ns = self.now_ns
        while not holds():
            assert self.now_ns - start_ns < within_ns, self.effects[-3:]
            self.run(STEP_NS)
        return self.now_ns - start_ns

    def merged(self) -> ConsolidatedDepth:
        if BTC not in self.engine.market.instruments:
            self.run(SECOND)
        merged = self.engine.market.consolidated(BTC)
        merged.check()
        return merged


def binance(**options: Any) -> OneVenue:
    chosen: dict[str, Any] = {"listings": [BTC], "depth": 30} | options
    return OneVenue("binance", BinanceSimulator, **chosen)


def gateio(**options: Any) -> OneVenue:
    chosen: dict[str, Any] = {"listings": [BTC], "depth": 60} | options
    return test_gateio_simulator.joined(**chosen)


def huobi_by_pictures(**options: Any) -> OneVenue:
    """HTX's whole books, once a second: each frame is the book again, whether or not it has changed."""
    chosen: dict[str, Any] = {"listings": [BTC], "depth": 30} | options
    venue = OneVenue("huobi", huobi_simulator, lambda *_: 0, book_channel="depth.step0", **chosen)
    venue._compare = lambda instrument: None  # type: ignore[method-assign] # a picture has no id to compare it at
    return venue


def best_owners(merged: ConsolidatedDepth) -> set[str]:
    return {*merged.bids.venues_at(0), *merged.asks.venues_at(0)}


class TestARowHeldElsewhere:
    def test_names_a_test_that_exists(self) -> None:
        assert len(list(_references())) >= 30
        for row, module, name in _references():
            assert row in ROWS
            assert name in _tests_of(module), f"{module} has no {name}"

    def test_or_is_held_here(self) -> None:
        here = ast.parse((REPOSITORY / "tests" / "simulation" / "test_lessons.py").read_text(encoding="utf-8"))
        docstrings = [ast.get_docstring(node) or "" for node in ast.walk(here) if isinstance(node, ast.FunctionDef)]
        held = {int(text.split()[1].strip(".,:")) for text in docstrings if text.startswith("Row ")}
        assert held | {row for row, _, _ in _references()} == ROWS


def _references() -> Iterator[tuple[int, str, str]]:
    for line in (__doc__ or "").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0].isdecimal():
            yield int(cells[0]), cells[1], cells[2]


def _tests_of(module: str) -> set[str]:
    names: set[str] = set()
    for node in ast.parse((REPOSITORY / "tests" / module).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{test.name}" for test in node.body if isinstance(test, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return names


def test_a_symbol_that_breaks_over_and_over_is_reset_within_bounds_and_the_venue_never() -> None:
    """Row 1: every other update of one Gate.io book is lost for three minutes."""
    venue = gateio(listings=["BTC/USDT", "ETH/USDT", "XRP/USDT"])
    venue.start()
    venue.run(SECOND)
    since_ns = venue.now_ns
    venue.lane.switch_on("loss", symbol="BTC_USDT", probability=0.5)
    venue.run(3 * MINUTE)
    venue.lane.switch_off("loss")
    asked = [sent for sent in venue.venue.sent if sent.at_ns > since_ns and sent.message.get("event") == "subscribe"]
    assert {str(sent.message["payload"]) for sent in asked} == {"['ob.BTC_USDT.50']"}
    assert 5 <= len(asked) <= 12, "waits grow to half a minute"
    assert venue.ever_turned(since_ns) == {BTC}
    assert venue.status.connects == 1
    venue.until_live(31 * SECOND)
    venue.settle()


class TestAVenueThatRepeatsOneFrozenBook:
    """It is connected, it sends, and it complains of nothing."""

    def frozen(self, *, replay: bool) -> tuple[Together, OneVenue]:
        """HTX has the better ask, and stands still from now on."""
        frozen = huobi_by_pictures(seed=11)
        market = Together(frozen, binance(seed=11))
        market.until(lambda: "huobi" in market.merged().asks.venues_at(0), MINUTE)
        frozen.lane.switch_on("frozen", replay=replay)
        return market, frozen

    @pytest.mark.parametrize(
        ("replay", "reason"), [(True, "the venue's own time is 10."), (False, "no level changed for 60.")]
    )
    def test_goes_stale_and_owns_no_best(self, replay: bool, reason: str) -> None:
        """Row 4, by the venue's own time, and by what changes where even that goes on."""
        market, frozen = self.frozen(replay=replay)
        limit_ns = frozen.freshness.behind_ns if replay else frozen.freshness.frozen_ns
        owned_ns = market.until(lambda: "huobi" not in market.merged().venues, QUIET_NS + limit_ns + NOTICED_NS)
        assert owned_ns > limit_ns // 2
        assert market.merged().excluded["huobi"].startswith(f"stale: {reason}"), market.merged().excluded
        for _ in range(300):
            market.run(100 * MS)
            assert best_owners(market.merged()) == {"binance"}
        assert market.now_ns - frozen.book(BTC).received_ns < 2 * SECOND, "it still sends"
        assert frozen.status.connects == frozen.status.open_connections == 1
        frozen.lane.switch_off("frozen")
        market.until(lambda: "huobi" in market.merged().venues, 3 * SECOND)

    def test_is_said_to_be_stale_wherever_anyone_looks(self) -> None:
        """Row 3: an event, the API, the metrics and the router."""
        market, frozen = self.frozen(replay=True)
        since_ns = market.now_ns
        market.until(lambda: not frozen.book(BTC).is_live, 12 * SECOND)
        reason = frozen.reason(BTC)
        assert [
            (effect.venue, effect.instrument, effect.before, effect.after, effect.reason)
            for effect in market.effects
            if effect.at_ns > since_ns
        ] == [("huobi", BTC, Health.LIVE, Health.STALE, reason)]
        document = show_book(market.merged(), market.now_ns)
        assert (document["venues"], document["excluded"]) == (["binance"], {"huobi": f"stale: {reason}"})
        collector = MarketCollector(market.engine, {}, lambda: 0, lambda: market.now_ns)
        metrics = generate_latest(registry(collector)).decode()
        assert f'aggregator_book_health{{health="stale",instrument="{BTC}",venue="huobi"}} 1.0' in metrics
        books = market.engine.market.books(BTC)
        instrument = books["huobi"].listing.instrument
        asked = RouteRequest(instrument, Side.BUY, quantity=instrument.quantity("0.5"), as_of_ns=market.now_ns)
        planned = plan(asked, [seen(book, asked) for book in books.values()], RoutingPolicy())
        assert {child.venue for child in planned.children} == {"binance"}
        assert planned.excluded == {"huobi": f"stale: {reason}"}


def test_the_age_shown_is_that_of_the_oldest_contributor() -> None:
    """Row 4: of a venue that is silent and one that is not, how old the older one is, as long as it counts."""
    silent = gateio()
    market = Together(binance(), silent)
    silent.lane.switch_on("silent")
    ages_ns = []
    for _ in range(100):
        market.run(100 * MS)
        merged = market.merged()
        assert merged.venues == ("binance", "gateio")
        ages_ns.append(market.now_ns - merged.oldest_ns)
    assert 10 * SECOND <= ages_ns[-1] < 11 * SECOND
    assert ages_ns[10:] == sorted(ages_ns[10:])
    assert market.now_ns - market.engine.market.books(BTC)["binance"].received_ns < 2 * SECOND
    market.until(lambda: market.merged().venues == ("binance",), silent.freshness.silent_ns)
    assert market.now_ns - market.merged().oldest_ns < 2 * SECOND


def test_merged_books_are_kept_up_to_a_bound() -> None:
    """Row 5: whatever readers ask for."""
    venue = binance()
    venue.start()
    views = Views(venue.engine)
    for depth in range(1, 3 * KEPT_AT_MOST):
        assert len(views.book(BTC, depth).bids.prices) <= depth
        assert len(views._merged) <= KEPT_AT_MOST


class TestALevel:
    """Row 6: books of integer columns, however many levels a message has."""

    @pytest.mark.parametrize("name", ["Binance", "Huobi", "Cryptocom", "Gateio"])
    def test_costs_no_object_of_its_own(self, name: str) -> None:
        """Row 6: a message of forty levels leaves as many objects behind as one of two."""
        follow = Followed(name)
        assert follow.objects_of(follow.update(40)) == follow.objects_of(follow.update(2)) < 12

    def test_costs_no_call_of_its_own_to_read(self) -> None:
        """Row 6: where a venue writes its levels evenly, sixty of them take no more calls than forty, and a message of
        two takes fewer, since how it is laid out was met before."""
        follow = Followed("Binance")
        calls = [follow.calls_for(follow.update(levels)) for levels in (2, 40, 60)]
        assert calls[0] <= calls[1] == calls[2] < 60


class Followed:
    """A session and an engine that follow one book of a hundred levels, in a venue's own words."""

    def __init__(self, name: str) -> None:
        venue, self.dialect = name.lower(), getattr(dialects, name)()
        self.symbol = self.dialect.symbol("BTC")
        self.at, self.random = 1000, Random(1)
        self.state = State({49_999 - 2 * n: 7_001 for n in range(100)}, {50_001 + 2 * n: 7_001 for n in range(100)})
        listing = Listing(venue, self.symbol, dialects.instrument("BTC"))
        market_data = import_module(f"connectors.{venue}").MarketData()
        self.session = Session(market_data, Markets(venue, [listing], separator=market_data.separator), [self.symbol])
        self.engine = Engine()
        for event in self.session.opened(START_NS):
            self.engine.apply(event)
        self.session.received(self.update(2), START_NS)  # held until there is a book
        whole = self.dialect.whole(self.symbol, self.at, self.state)
        reply = Reply(whole.path, 200, whole.payload)
        whole_book = self.session.fetched(reply, START_NS) if reply.url else self.session.received(reply.body, START_NS)
        for event in whole_book:
            self.engine.apply(event)
        for levels in (2, 40):
            self.apply(self.session.received(self.update(levels), START_NS))

    def update(self, levels: int) -> str | bytes:
        """A frame that changes this many, half of them on either side."""
        bids, asks = (
            {price: self.random.randrange(1_001, 9_000, 2) for price in self.random.sample(sorted(side), levels // 2)}
            for side in self.state
        )
        previous, self.at = self.at, self.at + 3
        payload: str | bytes = self.dialect.update(
            self.symbol, Update(previous, self.at, bids, asks), self.state
        ).payload
        return payload

    def apply(self, events: Any) -> None:
        assert len(events) == 1
        self.engine.apply(events[0])
        book = self.engine.market.books(BTC)[events[0].venue]
        assert book.is_live
        assert book.bids.top().quantities

    def objects_of(self, frame: str | bytes) -> int:
        """How many more containers there are while its event is held, and has been applied."""
        gc.collect()
        gc.disable()
        try:
            before = len(gc.get_objects())
            events = self.session.received(frame, START_NS)
            self.engine.apply(events[0])
            made = len(gc.get_objects()) - before
        finally:
            gc.enable()
        self.apply(events)
        return made

    def calls_for(self, frame: str | bytes) -> int:
        calls = 0

        def counted(_: Any, event: str, __: Any) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        sys.setprofile(counted)
        try:
            events = self.session.received(frame, START_NS)
        finally:
            sys.setprofile(None)
        self.apply(events)
        return calls


class TestASnapshotStorm:
    """Row 10: fifty books of which each is lost over and over, at a venue whose snapshots are dear."""

    WEIGHT = 50

    def storm(self) -> OneVenue:
        venue = OneVenue("binance", BinanceSimulator, listings=made_up(50), depth=10, mean_wait_ns=SECOND)
        venue.start()
        venue.lane.switch_on("loss", probability=0.2)
        return venue

    def test_stays_within_the_budget(self) -> None:
        """Row 10: at no time has more been asked in a minute than the venue's file permits, and nothing was refused."""
        venue = self.storm()
        venue.run(3 * MINUTE)
        assert len(venue.ever_turned(START_NS + 10 * SECOND)) == 50
        snapshots_ns = [asked.at_ns for asked in venue.asked("/api/v3/depth")]
        limit = venue.status.weight_limit
        assert limit is not None
        in_a_minute = [sum(at_ns <= later_ns < at_ns + MINUTE for later_ns in snapshots_ns) for at_ns in snapshots_ns]
        assert limit // 2 < max(in_a_minute) * self.WEIGHT <= limit
        assert {asked.reply.status for asked in venue.venue.asked} == {200}
        assert venue.status.breaker_remaining_ns == 0
        venue.lane.switch_off("loss")
        venue.until_live(2 * MINUTE)
        venue.settle()

    @pytest.mark.parametrize("status", [429, 418])
    def test_that_is_refused_waits_for_as_long_as_it_was_told(self, status: int) -> None:
        """Row 10: Retry-After is obeyed by fifty books at once, and the breaker counts down in sight."""
        venue = self.storm()
        venue.run(5 * SECOND)
        venue.lane.switch_on("http_status", status=status, retry_after=90, count=1)
        venue.until(lambda: venue.status.breaker_remaining_ns > 0, MINUTE)
        opened_ns, asked = venue.now_ns, len(venue.venue.asked)
        collector = MarketCollector(
            venue.engine,
            {"binance": lambda: {"breaker_remaining_ns": venue.status.breaker_remaining_ns}},
            lambda: 0,
            lambda: venue.now_ns,
        )
        shown = registry(collector)
        for second in range(89):
            left_s = shown.get_sample_value("aggregator_venue_breaker_remaining_seconds", {"venue": "binance"})
            assert left_s == pytest.approx(90 - second, abs=0.02)
            assert venue.status.breaker_reason.endswith(f"answered {status}")
            venue.run(SECOND)
        assert len(venue.not_live) > 25, "they wait"
        on_their_way = [request for request in venue.venue.asked[asked:] if request.at_ns > opened_ns + 10 * MS]
        assert not on_their_way
        venue.lane.switch_off("loss")
        venue.until_live(2 * MINUTE)
        assert venue.status.breaker_reason == ""
        venue.settle()


class TestADeadVenue:
    """Row 31: what it quoted last expires, and whoever is left makes the best."""

    @pytest.mark.parametrize(
        ("faults", "within_ns"),
        [
            (("refuse", "disconnect"), 20 * MS),
            (("refuse", "half_open"), 30 * SECOND + NOTICED_NS),
        ],
    )
    def test_is_in_no_best(self, faults: tuple[str, ...], within_ns: int) -> None:
        """Row 31: at once where the connection is seen to end, within the limit on silence where it is not."""
        dead, other = gateio(seed=2), binance(seed=2)
        market = Together(dead, other, huobi_by_pictures(seed=2))
        assert market.merged().venues == ("gateio", "binance", "huobi")
        for fault in faults:
            dead.lane.switch_on(fault)
        market.until(lambda: "gateio" not in market.merged().venues, within_ns + STEP_NS)
        for _ in range(400):
            market.run(200 * MS)
            merged = market.merged()
            assert set(merged.venues) == {"binance", "huobi"}
            assert best_owners(merged) <= {"binance", "huobi"}
            assert merged.excluded.keys() == {"gateio"}
            alive = [market.engine.market.books(BTC)[venue] for venue in merged.venues]
            assert merged.bids.prices[0] == max(book.bids.best or 0 for book in alive)
            assert merged.asks.prices[0] == min(book.asks.best or sys.maxsize for book in alive)
        for fault in faults:
            dead.lane.switch_off(fault)
        market.until(lambda: "gateio" in market.merged().venues, 100 * SECOND)
