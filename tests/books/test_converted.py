"""Partners' depth in the local quote: nothing looks better than taking it would be."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.books.consolidated import View, consolidate
from aggregator.books.converted import ConvertedDepth, converted
from aggregator.books.rates import Rates, Top
from aggregator.books.venue_book import VenueBook
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.events import BookSnapshot
from aggregator.domain.instrument import Fees, Instrument, Listing, Side
from aggregator.domain.local import LocalRules, TickBand
from aggregator.domain.plan import NET_ONE
from aggregator.domain.rates import BookRate
from tests.twins.examples import examples
from tests.twins.listings import levels

DOLLARS = Instrument("BTC/USDT", "BTC", "USDT", 2, 3)
WON = Instrument("BTC/KRW", "BTC", "KRW", 0, 3)
NOW = 10**18


def book(venue: str, bids: dict[int, int], asks: dict[int, int], taker: int = 0) -> VenueBook:
    made = VenueBook(Listing(venue, "BTCUSDT", DOLLARS, fees=Fees(0, taker)))
    made.apply(BookSnapshot(venue, "BTCUSDT", NOW, NOW, levels(bids), levels(asks)))
    return made


def rates(bid: int, ask: int, age_ns: int = 0) -> Rates:
    """USDT in won, whole ones."""
    return Rates([BookRate("market", "USDT", "KRW", "upbit", 10)], lambda *_: Top(bid, ask, 0, NOW - age_ns))


def rules(*bands: tuple[int, int]) -> LocalRules:
    ticks = tuple(TickBand(WON, from_price, tick) for from_price, tick in bands)
    return LocalRules(WON, ticks, 1, 1, 0, 0, 1, 1, 1, Fees())


TWO = [
    book("binance", {6000010: 1, 6000000: 5}, {6000020: 2, 6000300: 9}),
    book("gateio", {6000000: 3}, {6000030: 4}),
]


def test_bids_are_turned_at_the_bid_and_asks_at_the_ask() -> None:
    shown = converted(consolidate(DOLLARS, TWO), WON, rates(1399, 1401), NOW)
    shown.check()
    assert shown.bids.prices == [83_940_139, 83_940_000], "60000.10 * 1399 = 83,940,139.9, rounded down"
    assert shown.asks.prices == [84_060_281, 84_060_421, 84_064_203], "60000.20 * 1401 = 84,060,280.2, rounded up"
    assert (shown.bids.quantities, shown.asks.quantities) == ([1, 8], [2, 4, 9])
    assert shown.bids.venues_at(1) == {"binance": 5, "gateio": 3}
    assert (shown.venues, shown.reason) == (("binance", "gateio"), None)
    assert shown.selling is not None
    assert shown.buying is not None
    assert (shown.selling.value, shown.buying.value) == (1399 * NET_ONE, 1401 * NET_ONE)


def test_on_local_ticks_levels_come_together_and_keep_their_venues() -> None:
    local = rules((0, 1), (1_000_000, 1000))
    shown = converted(consolidate(DOLLARS, TWO), WON, rates(1399, 1401), NOW, local.tick_at)
    shown.check()
    assert (shown.bids.prices, shown.bids.quantities) == ([83_940_000], [9])
    assert (shown.asks.prices, shown.asks.quantities) == ([84_061_000, 84_065_000], [6, 9])
    assert shown.bids.venues_at(0) == {"binance": 6, "gateio": 3}


def test_prices_after_fees_are_turned_as_well() -> None:
    with_fee = [book("binance", {6000000: 1}, {6000100: 1}, taker=100_000)]
    shown = converted(consolidate(DOLLARS, with_fee, view=View.NET), WON, rates(1400, 1400), NOW)
    assert (shown.bids.prices, shown.asks.prices) == ([83_916_000], [84_085_402])


def test_without_a_rate_nothing_is_shown_but_why() -> None:
    shown = converted(consolidate(DOLLARS, TWO), WON, rates(1399, 1401, age_ns=11), NOW)
    shown.check()
    assert (shown.bids.prices, shown.asks.prices, shown.selling, shown.buying) == ([], [], None, None)
    assert shown.reason == "no rate from USDT to KRW; market: the rate from USDT to KRW is 0.0 s old, at most 0.0 s"
    assert shown.depth.bids.prices, "what the venues show is there all the same"


def test_what_is_less_than_the_least_price_or_quantity_is_not_shown() -> None:
    fine = Instrument("BTC/USDT", "BTC", "USDT", 2, 5)
    made = VenueBook(Listing("binance", "BTCUSDT", fine))
    made.apply(BookSnapshot("binance", "BTCUSDT", NOW, NOW, levels({300: 99, 200: 150, 10: 500}), levels({})))
    shown = converted(consolidate(fine, [made]), WON, rates(2, 2), NOW)
    shown.check()
    assert (shown.bids.prices, shown.bids.quantities) == ([4], [1]), "0.00099 is no lot, 0.10 * 2 no won"


def test_a_depth_that_contradicts_itself_is_found() -> None:
    sound = converted(consolidate(DOLLARS, TWO), WON, rates(1399, 1401), NOW)
    for reason, selling in (("no rate", sound.selling), (None, None)):
        broken = ConvertedDepth(WON, sound.depth, sound.bids, sound.asks, selling, sound.buying, reason)
        with pytest.raises(BrokenInvariant):
            broken.check()


LEVELS = st.dictionaries(st.integers(1, 10**7), st.integers(1, 99), max_size=6)


@given(
    bids=LEVELS,
    asks=LEVELS,
    bid=st.integers(1, 3000),
    spread=st.integers(0, 100),
    bands=st.sampled_from([((0, 1),), ((0, 5), (1000, 50), (10**6, 1000)), None]),
)
@examples(120)
def test_every_level_is_worse_than_its_own_and_by_less_than_a_tick(bids, asks, bid, spread, bands) -> None:
    bids = {price: quantity for price, quantity in bids.items() if price < min(asks, default=10**9)}
    local = rules(*bands) if bands else None
    source = rates(bid, bid + spread)
    depth = consolidate(DOLLARS, [book("binance", bids, asks)])
    shown = converted(depth, WON, source, NOW, local.tick_at if local else None)
    shown.check()
    for side, before, value in ((shown.bids, bids, bid), (shown.asks, asks, bid + spread)):
        exact = {Fraction(price * value, 100): quantity for price, quantity in before.items()}
        sign = 1 if side.side is Side.BUY else -1
        expected: dict[int, int] = {}
        for price, quantity in exact.items():
            whole = [at for at in side.prices if sign * (price - at) >= 0]
            if not whole:
                assert sign == 1, "only bids round to nothing"
                assert price < (local.tick_at(0) if local else 1)
                continue
            nearest = max(whole, key=lambda at: sign * at)
            tick = local.tick_at(nearest if sign == 1 else int(price)) if local else 1
            assert sign * (price - nearest) < tick
            assert nearest % tick == 0
            expected[nearest] = expected.get(nearest, 0) + quantity
        assert dict(zip(side.prices, side.quantities, strict=True)) == expected
