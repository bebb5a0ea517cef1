"""The simulated books look like books, follow one another, and are the same again for the same seed."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.instrument import Instrument, Listing, Side
from connectors.simulation import prices
from connectors.simulation.book import Change, merge
from connectors.simulation.crowd import REACH
from connectors.simulation.exchange import NEVER_NS, SimulatedExchange
from connectors.simulation.prices import ONE, FairPrice, ReferencePrice, starting_price
from connectors.simulation.window import Window
from tests.simulation.markets import BTC, MS, SECOND, START_NS, XRP, Follower, exchange, listings
from tests.twins.examples import examples


def run(venue: SimulatedExchange, seconds: int) -> list[Change]:
    return venue.advance(START_NS + seconds * SECOND)


def run_on(venue: SimulatedExchange, symbol: str, from_s: int, to_s: int) -> Iterator[Change]:
    """What happens to one book, event by event."""
    end_ns, now_ns = START_NS + to_s * SECOND, START_NS + from_s * SECOND
    while now_ns <= end_ns:
        yield from (change for change in venue.advance(now_ns) if change.symbol == symbol)
        now_ns = venue.next_event_ns()


def test_the_same_seed_gives_the_same_updates_and_another_seed_others() -> None:
    assert run(exchange(seed=3), 20) == run(exchange(seed=3), 20)
    assert run(exchange(seed=3), 20) != run(exchange(seed=4), 20)


def test_two_venues_of_one_seed_have_books_of_their_own() -> None:
    one, other = exchange(name="binance"), exchange(name="gateio")
    assert one.book("BTCUSDT").bids != other.book("BTCUSDT").bids


@examples(60)
@given(st.lists(st.integers(0, 700 * MS), max_size=30), st.integers(0, 2**32))
def test_updates_do_not_depend_on_how_time_is_cut(steps: list[int], seed: int) -> None:
    stepwise, at_once = exchange(seed, depth=20), exchange(seed, depth=20)
    now_ns, seen = START_NS, []
    for step in steps:
        now_ns += step
        seen += stepwise.advance(now_ns)
    assert seen == at_once.advance(now_ns)
    assert stepwise.book("BTCUSDT") == at_once.book("BTCUSDT")
    assert stepwise.next_event_ns() == at_once.next_event_ns() > now_ns


def test_going_from_event_to_event_misses_nothing() -> None:
    eager, lazy = exchange(), exchange()
    seen: list[Change] = []
    while (next_ns := eager.next_event_ns()) <= START_NS + 10 * SECOND:
        seen += eager.advance(next_ns)
    assert seen == run(lazy, 10)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "XRPUSDT"])
@pytest.mark.parametrize("mean_wait_ns", [100 * MS, 20 * SECOND])
def test_books_are_sane_after_every_update(symbol: str, mean_wait_ns: int) -> None:
    venue = exchange(depth=100, mean_wait_ns=mean_wait_ns)
    rules, follower = venue.listing(symbol), Follower(venue.book(symbol))
    changes = [change for change in venue.advance(START_NS + 600 * mean_wait_ns) if change.symbol == symbol]
    assert len(changes) > 300
    for change in changes:
        follower.apply(change)
        follower.bids.check()
        follower.asks.check()
        assert 0 < follower.spread <= (2 * REACH + 1) * rules.tick
        for side in follower.levels:
            assert 60 <= len(side.prices) <= 125
            assert not any(price % rules.tick for price in side.prices)
            assert not any(quantity % rules.lot for quantity in side.quantities)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "XRPUSDT"])
def test_what_is_placed_keeps_the_minimums(symbol: str) -> None:
    venue = exchange()
    rules, picture = venue.listing(symbol), venue.book(symbol)
    for side in (picture.bids, picture.asks):
        for price, quantity in zip(*side, strict=True):
            assert quantity >= rules.minimum_quantity
            assert price * quantity >= rules.minimum_notional


def test_levels_are_densest_near_the_middle_and_their_quantities_heavy_tailed() -> None:
    picture = exchange(depth=200).book("BTCUSDT")
    for side in (picture.bids, picture.asks):
        near, far = abs(side.prices[49] - side.prices[0]), abs(side.prices[-1] - side.prices[-50])
        assert far > 3 * near
        quantities = sorted(side.quantities)
        assert quantities[-1] > 20 * quantities[len(quantities) // 2]


def test_updates_cluster_in_time() -> None:
    """The variance of their number in a short while is well above its mean, where that of independent ones is equal."""
    changes = [change for change in run(exchange(), 600) if change.symbol == "BTCUSDT"]
    counts = [0] * 6000
    for change in changes:
        counts[(change.venue_time_ns - START_NS - 1) // (100 * MS)] += 1
    mean = sum(counts) / len(counts)
    assert 0.8 < mean < 1.2
    assert sum((count - mean) ** 2 for count in counts) / len(counts) > 2 * mean


def test_trades_consume_what_rests_and_are_numbered() -> None:
    venue = exchange()
    changes = [change for change in run(venue, 120) if change.symbol == "BTCUSDT"]
    trades = [trade for change in changes for trade in change.trades]
    assert len(trades) > 30
    assert {trade.taker for trade in trades} == {Side.BUY, Side.SELL}
    assert all(later.trade_id == earlier.trade_id + 1 for earlier, later in pairwise(trades))
    follower = Follower(exchange().book("BTCUSDT"))
    for change in changes:
        for trade in change.trades:
            resting = follower.asks if trade.taker is Side.BUY else follower.bids
            assert trade.quantity <= resting.quantity_at(trade.price)
        follower.apply(change)


def test_venues_follow_one_another_within_basis_and_lag() -> None:
    venues = [exchange(name=name) for name in ("binance", "huobi", "cryptocom", "gateio")]
    widest = 2 * FairPrice.WIDEST_BASIS + ONE // 10_000  # and the spread, and what moves within the lag
    middles: set[int] = set()
    for second in range(5, 600, 5):
        best = []
        for venue in venues:
            run(venue, second)
            picture = venue.book("BTCUSDT")
            best.append((picture.bids.prices[0] + picture.asks.prices[0]) // 2)
        assert (max(best) - min(best)) * ONE // min(best) < widest
        middles.add(best[0])
    assert len(middles) > 100
    assert max(middles) - min(middles) > 20 * 10**8


def test_each_venue_has_its_own_lag_and_basis() -> None:
    fairs = [FairPrice(BTC, venue, 1) for venue in ("binance", "huobi", "cryptocom", "gateio")]
    assert len({fair.lag_ns for fair in fairs}) == len({fair.basis for fair in fairs}) == 4
    assert all(0 <= fair.lag_ns < FairPrice.LONGEST_LAG_NS for fair in fairs)
    assert all(abs(fair.basis) <= FairPrice.WIDEST_BASIS for fair in fairs)


@examples(50)
@given(st.lists(st.integers(0, 2**62), min_size=1))
def test_a_reference_price_does_not_depend_on_who_asked_before(times: list[int]) -> None:
    one = ReferencePrice(1, "BTC/USDT")
    for at_ns in [*times, *times]:
        assert one.moved(at_ns) == ReferencePrice(1, "BTC/USDT").moved(at_ns)
        assert abs(one.moved(at_ns)) < ONE // 40


def test_a_reference_price_has_no_jumps() -> None:
    reference = ReferencePrice(1, "BTC/USDT")
    moved = [reference.moved(START_NS + step * MS) for step in range(0, 100_000, 10)]
    assert max(abs(later - earlier) for earlier, later in pairwise(moved)) < ONE // 100_000
    assert max(moved) - min(moved) > ONE // 5000


def test_prices_start_where_the_table_says() -> None:
    assert starting_price(BTC) == 60000 * 10**8
    assert starting_price(XRP) == 5 * 10**7
    assert starting_price(Instrument("BTC/KRW", "BTC", "KRW", 0)) > 10**7
    assert starting_price(Instrument("NEW/USDT", "NEW", "USDT", 2)) == int(prices.UNKNOWN_ASSET) * 100
    assert starting_price(Instrument("newusdt", price_decimals=2)) == int(prices.UNKNOWN_ASSET) * 100


def test_a_listing_without_rules_gets_plausible_ones() -> None:
    bare = Listing("cryptocom", "BTC_USDT", BTC)
    venue = SimulatedExchange("cryptocom", [bare], 1, START_NS)
    rules = venue.listing("BTC_USDT")
    assert (rules.tick, rules.lot) == (10**7, 10**3)
    assert not rules.minimum_notional
    assert run(venue, 5)


def test_history_knows_the_digest_of_every_update() -> None:
    venue = exchange()
    followers = {symbol: Follower(venue.book(symbol)) for symbol in venue.symbols}
    for second in range(1, 60):
        for change in run(venue, second):
            followers[change.symbol].apply(change)
            assert venue.state_digest(change.symbol, change.last_id) == followers[change.symbol].digest
    for symbol, follower in followers.items():
        assert venue.last_id(symbol) == follower.last_id
        assert venue.state_digest(symbol, follower.last_id - 1) != follower.digest


def test_history_is_bounded_and_says_so() -> None:
    venue = SimulatedExchange("binance", listings(), 1, START_NS, history=50)
    run(venue, 60)
    last_id = venue.last_id("BTCUSDT")
    assert venue.state_digest("BTCUSDT", last_id - 49)
    for unknown in (last_id - 50, last_id + 1, 0):
        with pytest.raises(LookupError, match="remembers 50 ids back"):
            venue.state_digest("BTCUSDT", unknown)


def test_merged_changes_are_the_same_change() -> None:
    venue = exchange()
    stepwise, merged = Follower(venue.book("BTCUSDT")), Follower(venue.book("BTCUSDT"))
    changes = [change for change in run(venue, 30) if change.symbol == "BTCUSDT"]
    for change in changes:
        stepwise.apply(change)
    whole = merge(changes)
    merged.apply_levels(whole.bids, whole.asks)
    assert merged.levels == stepwise.levels == (venue.book("BTCUSDT").bids, venue.book("BTCUSDT").asks)
    assert (whole.first_id, whole.last_id) == (changes[0].first_id, changes[-1].last_id)
    assert len(set(whole.bids.prices)) == len(whole.bids.prices)
    assert len(whole.trades) == sum(len(change.trades) for change in changes)


ACTIONS = ["none", "take", "cross", "uncross", "change_tick", "freeze", "thaw"]


@examples(60)
@given(
    st.integers(1, 60),
    st.integers(0, 2**32),
    st.lists(st.tuples(st.integers(0, 500 * MS), st.sampled_from(ACTIONS)), max_size=25),
)
def test_deltas_of_a_window_keep_its_followers_at_the_true_top(
    depth: int, seed: int, steps: list[tuple[int, str]]
) -> None:
    venue = exchange(seed, depth=40)
    window = Window(venue, "BTCUSDT", depth)
    follower, now_ns = Follower(window.picture), START_NS
    for step, action in steps:
        now_ns += step
        venue.advance(now_ns)
        if action == "take":
            venue.take("BTCUSDT", Side.BUY, 10**8, 61000 * 10**8)
        elif action == "change_tick":
            venue.change_tick("BTCUSDT", 10**7 if venue.listing("BTCUSDT").tick == 10**6 else 10**6)
        elif action != "none":
            getattr(venue, action)("BTCUSDT")
        delta = window.delta()
        assert delta.previous_id == follower.last_id
        follower.last_id = delta.last_id
        follower.apply_levels(delta.bids, delta.asks)
        published = venue.book("BTCUSDT", depth)
        assert follower.levels == (published.bids, published.asks)
        assert follower.last_id == published.last_id
        assert window.state_digest(delta.last_id) == follower.digest
        assert window.picture == published
    assert not any(window.delta().bids)


def test_a_window_knows_only_what_it_published() -> None:
    venue = exchange()
    window = Window(venue, "BTCUSDT", 10)
    run(venue, 10)
    window.delta()
    assert window.state_digest(window.picture.last_id)
    with pytest.raises(LookupError):
        window.state_digest(window.picture.last_id - 1)


def test_a_taker_consumes_the_best_levels_up_to_its_limit_and_the_book_grows_back() -> None:
    venue = exchange()
    follower = Follower(venue.book("BTCUSDT"))
    asks = follower.asks.top()
    quantity = sum(asks.quantities[:3]) - 10**3
    fills = venue.take("BTCUSDT", Side.BUY, quantity, asks.prices[-1])
    assert [price for price, _ in fills] == asks.prices[:3]
    assert sum(filled for _, filled in fills) == quantity
    assert venue.book("BTCUSDT").asks.quantities[0] == 10**3
    assert venue.next_event_ns() == START_NS
    [change] = venue.advance(START_NS)
    follower.apply(change)
    assert [(trade.price, trade.quantity) for trade in change.trades] == fills
    assert all(trade.taker is Side.BUY for trade in change.trades)

    best = venue.book("BTCUSDT").bids.prices[0]
    assert venue.take("BTCUSDT", Side.SELL, 10**12, best)[0][0] == best
    assert venue.book("BTCUSDT").bids.prices[0] < best
    assert not venue.take("BTCUSDT", Side.SELL, 10**12, best)

    venue.take("BTCUSDT", Side.BUY, 10**18, 10**18)
    assert not venue.book("BTCUSDT").asks.prices
    for change in run_on(venue, "BTCUSDT", 0, 20):
        follower.apply(change)
    assert len(venue.book("BTCUSDT").asks.prices) >= 35
    assert follower.digest == venue.state_digest("BTCUSDT", follower.last_id)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("ticks", [-300, -1, 0, 1, 300, 10**6])
def test_what_is_offered_is_what_a_taker_gets(side: Side, ticks: int) -> None:
    venue = exchange()
    venue.cross("BTCUSDT")
    tick = venue.listing("BTCUSDT").tick
    limit = (venue.fair_price("BTCUSDT", START_NS) // tick + ticks) * tick
    offered = venue.offered("BTCUSDT", side, limit)
    assert offered == sum(quantity for _, quantity in venue.take("BTCUSDT", side, 10**18, limit))
    assert venue.offered("BTCUSDT", side, limit) == 0


def test_a_frozen_book_stands_while_others_move() -> None:
    venue = exchange()
    run(venue, 5)
    before = venue.book("BTCUSDT")
    venue.freeze("BTCUSDT")
    assert {change.symbol for change in run(venue, 20)} == {"XRPUSDT"}
    assert venue.book("BTCUSDT") == before
    venue.thaw()
    assert {change.symbol for change in run(venue, 40)} == {"BTCUSDT", "XRPUSDT"}
    venue.freeze()
    assert not run(venue, 60)


def test_a_thawed_book_catches_up_without_a_gap() -> None:
    venue = exchange()
    follower = Follower(venue.book("BTCUSDT"))
    venue.freeze("BTCUSDT")
    run(venue, 300)
    venue.thaw("BTCUSDT")
    for change in run_on(venue, "BTCUSDT", 300, 320):
        follower.apply(change)
    fair, tick = venue.fair_price("BTCUSDT", change.venue_time_ns), venue.listing("BTCUSDT").tick
    assert follower.bids.best is not None
    assert 0 <= fair - follower.bids.best < (REACH + 1) * tick
    assert follower.spread <= (2 * REACH + 1) * tick


def test_a_delisted_symbol_is_known_but_neither_moves_nor_trades() -> None:
    venue = exchange()
    venue.delist("BTCUSDT")
    assert "BTCUSDT" in venue
    assert not venue.listing("BTCUSDT").tradable
    assert {change.symbol for change in run(venue, 20)} == {"XRPUSDT"}
    venue.relist("BTCUSDT")
    assert venue.listing("BTCUSDT").tradable
    assert "BTCUSDT" in {change.symbol for change in run(venue, 40)}


def test_a_changed_tick_moves_every_level_onto_it_in_one_update() -> None:
    venue = exchange()
    follower = Follower(venue.book("BTCUSDT"))
    total = sum(map(sum, (follower.levels[0].quantities, follower.levels[1].quantities)))
    venue.change_tick("BTCUSDT", 5 * 10**8)
    assert venue.listing("BTCUSDT") == replace(venue.listing("BTCUSDT"), tick=5 * 10**8)
    [change] = venue.advance(START_NS)
    follower.apply(change)
    levels = follower.levels
    assert sum(map(sum, (levels[0].quantities, levels[1].quantities))) == total
    for change in run_on(venue, "BTCUSDT", 0, 20):
        assert not any(price % (5 * 10**8) for price in [*follower.bids.top_prices(), *follower.asks.top_prices()])
        assert follower.spread > 0
        follower.apply(change)
    with pytest.raises(ValueError, match="must be positive"):
        venue.change_tick("BTCUSDT", 0)


def test_a_crossed_book_is_only_published() -> None:
    venue = exchange()
    follower, truth = Follower(venue.book("BTCUSDT")), Follower(exchange().book("BTCUSDT"))
    venue.cross("BTCUSDT")
    phantoms = set()
    for change in run_on(venue, "BTCUSDT", 0, 300):
        follower.apply(change)
        assert follower.spread < 0
        picture = venue.book("BTCUSDT")
        assert picture.bids.prices[0] > picture.asks.prices[0]
        assert follower.digest != venue.state_digest("BTCUSDT", change.last_id)
        phantoms.add(follower.bids.best)
    assert len(phantoms) > 1, "it must follow the market to stay crossed"
    venue.uncross("BTCUSDT")
    [change] = run(venue, 300)
    follower.apply(change)
    assert follower.spread > 0
    assert follower.digest == venue.state_digest("BTCUSDT", change.last_id)

    honest = exchange()
    for change in run_on(honest, "BTCUSDT", 0, 300):
        truth.apply(change)
    assert truth.levels == follower.levels, "the true book moved on as if nothing had happened"


def test_the_clock_may_be_wrong_while_the_books_move_on() -> None:
    right, wrong = exchange(), exchange()
    expected = run(right, 5) + run(right, 10)
    changes = run(wrong, 5)
    wrong.clock_offset_ns = -30 * SECOND
    assert wrong.next_event_ns() == right_next(expected, 5) - 30 * SECOND
    shown = wrong.advance(START_NS + 10 * SECOND - 30 * SECOND)
    assert shown[0].venue_time_ns < START_NS
    wrong.clock_offset_ns = 0
    assert changes + [change._replace(venue_time_ns=change.venue_time_ns + 30 * SECOND) for change in shown] == expected


def right_next(changes: list[Change], after_s: int) -> int:
    return next(change.venue_time_ns for change in changes if change.venue_time_ns > START_NS + after_s * SECOND)


def test_the_pace_may_be_changed_while_running() -> None:
    venue = exchange()
    usual = len(run(venue, 60))
    venue.quicken(20)
    assert 10 * usual < len(run(venue, 120)) < 30 * usual
    venue.quicken(1, 10)
    run(venue, 130)
    assert len(run(venue, 190)) < usual // 4


def test_a_symbol_that_is_not_listed_is_refused_with_those_that_are() -> None:
    with pytest.raises(LookupError, match="'ETHUSDT' is not listed on binance; BTCUSDT, XRPUSDT are"):
        exchange().book("ETHUSDT")


def test_an_exchange_without_listings_has_nothing_to_do() -> None:
    assert SimulatedExchange("empty", [], 1, START_NS).next_event_ns() == NEVER_NS
