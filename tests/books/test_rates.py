"""Rates between assets: exact, rounded against us, and none rather than a wrong one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.books.rates import Quoted, Rates, Top, premium, top_of
from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Health
from aggregator.domain.events import BookSnapshot
from aggregator.domain.instrument import Instrument, Listing, Side
from aggregator.domain.numbers import POWERS
from aggregator.domain.plan import BPS_DECIMALS, NET_DECIMALS, NET_ONE, Rate
from aggregator.domain.rates import BookRate, Peg, RateSource, StatedRate
from tests.twins.examples import examples
from tests.twins.listings import levels

NOW = 10**18
SECOND = 10**9
WON = Instrument.of("USDT", "KRW")


def rates(*sources: RateSource, **tops: Top | str) -> Rates:
    """Rates over venues that have these tops."""
    return Rates(sources, lambda venue, _: tops.get(venue, "it lists no such instrument"))


def top(bid: str, ask: str, age_ns: int = 0) -> Top:
    return Top(WON.price(bid), WON.price(ask), WON.price_decimals, NOW - age_ns)


def net(text: str) -> int:
    return Instrument("X", price_decimals=NET_DECIMALS).price(text)


MARKET = BookRate("market", "USDT", "KRW", "upbit", 10 * SECOND)
OFFICIAL = StatedRate("official", "USD", "KRW", net("1390.5"), NOW - 3600 * SECOND, 96 * 3600 * SECOND)


class TestSides:
    def test_who_buys_pays_the_ask_and_who_sells_gets_the_bid(self) -> None:
        source = rates(MARKET, upbit=top("1389", "1391"))
        buying = source.rate("USDT", "KRW", NOW, Side.BUY)
        assert buying == Rate("USDT", "KRW", net("1391"), "market", NOW, 10 * SECOND)
        assert source.rate("USDT", "KRW", NOW, Side.SELL) == Rate(
            "USDT", "KRW", net("1389"), "market", NOW, 10 * SECOND
        )
        assert source.middle("USDT", "KRW", NOW) == Rate("USDT", "KRW", net("1390"), "market", NOW, 10 * SECOND)

    def test_the_other_way_round_buying_won_is_selling_dollars(self) -> None:
        source = rates(MARKET, upbit=top("1400", "1500"))
        buying, selling = (source.rate("KRW", "USDT", NOW, side) for side in Side)
        assert buying == Rate("KRW", "USDT", 7_142_857_142_858, "market", NOW, 10 * SECOND), "1/1400, rounded up"
        assert selling == Rate("KRW", "USDT", 6_666_666_666_666, "market", NOW, 10 * SECOND), "1/1500, rounded down"

    def test_a_stated_rate_has_one_figure_both_ways(self) -> None:
        source = rates(OFFICIAL)
        for side in Side:
            rate = source.rate("USD", "KRW", NOW, side)
            assert isinstance(rate, Rate)
            assert rate.value == net("1390.5")
        assert source.rate("KRW", "USD", NOW, Side.BUY) == Rate(
            "KRW", "USD", 7_191_657_677_095, "official", NOW - 3600 * SECOND, 96 * 3600 * SECOND
        )

    def test_prices_finer_than_a_rate_are_rounded_against_us(self) -> None:
        source = rates(MARKET, upbit=Top(10**20 + 1, 10**20 + 1, 20, NOW))
        selling, buying = (source.rate("USDT", "KRW", NOW, side) for side in (Side.SELL, Side.BUY))
        assert isinstance(selling, Rate)
        assert isinstance(buying, Rate)
        assert (selling.value, buying.value) == (NET_ONE, NET_ONE + 1)


class TestWhatIsNotBelieved:
    def test_dollars_of_three_kinds_are_three_assets(self) -> None:
        """hummingbot#1120: a name that has USD in it does not make two coins equal."""
        source = rates(OFFICIAL, upbit=top("1389", "1391"))
        for base in ("USDT", "USDC"):
            assert source.rate(base, "KRW", NOW, Side.BUY) == f"no rate from {base} to KRW"
            assert source.rate(base, "USD", NOW, Side.BUY) == f"no rate from {base} to USD"

    def test_a_rate_is_not_made_of_two_others(self) -> None:
        source = rates(OFFICIAL, StatedRate("peg", "USDT", "USD", NET_ONE))
        assert source.rate("USDT", "KRW", NOW, Side.SELL) == "no rate from USDT to KRW"

    def test_a_missing_book_is_no_rate(self) -> None:
        """hummingbot#5695: a missing rate is not 1."""
        reason = "no rate from USDT to KRW; market: upbit: it lists no such instrument"
        assert rates(MARKET).rate("USDT", "KRW", NOW, Side.BUY) == reason
        assert rates(MARKET).middle("USDT", "KRW", NOW) == reason

    @pytest.mark.parametrize(("age_ns", "is_used"), [(10 * SECOND, True), (10 * SECOND + 1, False)])
    def test_an_old_book_is_no_rate(self, age_ns: int, is_used: bool) -> None:
        rate = rates(MARKET, upbit=top("1389", "1391", age_ns)).rate("USDT", "KRW", NOW, Side.BUY)
        assert isinstance(rate, Rate) == is_used
        if not is_used:
            assert rate == "no rate from USDT to KRW; market: the rate from USDT to KRW is 10.0 s old, at most 10.0 s"

    def test_a_stated_rate_ages_and_is_not_used_before_its_day(self) -> None:
        old = StatedRate("official", "USD", "KRW", NET_ONE, NOW - 5 * SECOND, 4 * SECOND)
        later = StatedRate("tomorrow", "USD", "KRW", NET_ONE, NOW + 1, 4 * SECOND)
        reason = rates(old, later).rate("USD", "KRW", NOW, Side.BUY)
        assert reason == (
            "no rate from USD to KRW; official: the rate from USD to KRW is 5.0 s old, at most 4.0 s; "
            "tomorrow: it was stated for a later day"
        )

    def test_a_rate_stated_for_ever_is_of_now_and_does_not_age(self) -> None:
        rate = rates(StatedRate("fixed", "USDT", "KRW", net("1400"))).rate("USDT", "KRW", NOW, Side.BUY)
        assert isinstance(rate, Rate)
        assert rate.at_ns == NOW
        assert rate.fault("USDT", "KRW", 2 * NOW) is None

    @pytest.mark.parametrize(
        ("bid", "ask", "far"),
        [
            ("1362.2", "1417.8", None),
            ("1362.1", "1390", "1362.1"),
            ("1390", "1417.9", "1417.9"),
        ],
    )
    def test_a_rate_off_its_peg_is_no_rate(self, bid: str, ask: str, far: str | None) -> None:
        source = BookRate("market", "USDT", "KRW", "upbit", 10 * SECOND, Peg(net("1390"), 200))
        pegged = rates(source, upbit=top(bid, ask))
        rate = pegged.rate("USDT", "KRW", NOW, Side.BUY)
        if far is None:
            assert isinstance(rate, Rate)
        else:
            assert rate == f"no rate from USDT to KRW; market: {far} KRW is more than 200 bps from 1390"
            assert isinstance(pegged.rate("KRW", "USDT", NOW, Side.SELL), str), "nor the other way round"

    def test_of_several_sources_the_first_that_is_believed_is_used(self) -> None:
        second = StatedRate("fixed", "KRW", "USDT", net("0.0007"))
        assert rates(MARKET, second, upbit="its book is stale").rate("USDT", "KRW", NOW, Side.SELL) == Rate(
            "USDT", "KRW", 14_285_714_285_714_285_714, "fixed", NOW, 2**63 - 1
        )
        rate = rates(MARKET, second, upbit=top("1389", "1391")).rate("USDT", "KRW", NOW, Side.SELL)
        assert isinstance(rate, Rate)
        assert rate.source == "market"

    def test_all_sources_are_shown_with_what_is_wrong_with_them(self) -> None:
        shown = rates(MARKET, OFFICIAL, BookRate("b", "USDC", "KRW", "x", 1), upbit=top("1389", "1391", 11 * SECOND))
        assert shown.shown(NOW) == [
            Quoted("market", "USDT", "KRW", net("1389"), net("1391"), NOW - 11 * SECOND, 10 * SECOND,
                   "the rate from USDT to KRW is 11.0 s old, at most 10.0 s"),
            Quoted("official", "USD", "KRW", net("1390.5"), net("1390.5"), NOW - 3600 * SECOND, 96 * 3600 * SECOND),
            Quoted("b", "USDC", "KRW", reason="x: it lists no such instrument"),
        ]  # fmt: skip


class TestTheTopOfABook:
    def book(self, bids: dict[int, int], asks: dict[int, int]) -> VenueBook:
        book = VenueBook(Listing("upbit", "KRW-USDT", WON))
        book.apply(BookSnapshot("upbit", "KRW-USDT", 5, 4, levels(bids), levels(asks)))
        return book

    def test_a_live_book_tells_its_best(self) -> None:
        assert top_of(self.book({5: 1, 4: 1}, {6: 1})) == Top(5, 6, 12, 4)

    def test_a_book_without_a_side_or_a_life_tells_why(self) -> None:
        assert top_of(VenueBook(Listing("upbit", "KRW-USDT", WON))) == "its book is empty: nothing received yet"
        assert top_of(self.book({}, {6: 1})) == "its book has no bid"
        assert top_of(self.book({5: 1}, {})) == "its book has no ask"
        stale = self.book({5: 1}, {6: 1})
        stale.turn(Health.STALE, "no frame for 11.0 s", 6)
        assert top_of(stale) == "its book is stale: no frame for 11.0 s"


PRICES = st.integers(1, 10**20)


@given(bid=PRICES, spread=st.integers(0, 10**18), decimals=st.integers(0, 24), money=st.integers(1, 10**30))
@examples(300)
def test_no_round_trip_gains(bid: int, spread: int, decimals: int, money: int) -> None:
    source = rates(MARKET, upbit=Top(bid, bid + spread, decimals, NOW))
    for first, second in (("USDT", "KRW"), ("KRW", "USDT")):
        selling = source.rate(first, second, NOW, Side.SELL)
        buying = source.rate(first, second, NOW, Side.BUY)
        back = source.rate(second, first, NOW, Side.SELL)
        if isinstance(selling, str) or isinstance(buying, str) or isinstance(back, str):
            continue  # less than the least figure that a rate can have
        assert selling.value <= buying.value
        brought = money * selling.value // NET_ONE
        assert brought * back.value // NET_ONE <= money, "sold, and sold back"
        cost = -(-money * buying.value // NET_ONE)
        assert brought <= cost, "bought, and sold again"


@given(bid=PRICES, spread=st.integers(0, 10**18), decimals=st.integers(0, 24))
@examples(200)
def test_a_rate_is_its_book_to_the_last_digit_but_one(bid: int, spread: int, decimals: int) -> None:
    source = rates(MARKET, upbit=Top(bid, bid + spread, decimals, NOW))
    for side, price in ((Side.SELL, bid), (Side.BUY, bid + spread)):
        rate = source.rate("USDT", "KRW", NOW, side)
        if isinstance(rate, str):
            assert bid * NET_ONE < POWERS[decimals]
            continue
        error = rate.value * POWERS[decimals] - price * NET_ONE
        assert 0 <= (error if side is Side.BUY else -error) < POWERS[decimals]


class TestPremium:
    LOCAL = Instrument("BTC/KRW", "BTC", "KRW", 0, 8)
    OTHER = Instrument("BTC/USDT", "BTC", "USDT", 2, 8)

    def bps(self, local_twice_mid: int, other_twice_mid: int, rate: str) -> int:
        turned = Rate("USDT", "KRW", net(rate), "market", 1, 1)
        return premium(self.LOCAL, local_twice_mid, self.OTHER, other_twice_mid, turned)

    def test_it_is_how_far_the_local_price_is_above(self) -> None:
        one = 10**BPS_DECIMALS
        assert self.bps(2 * 86_520_000, 2 * 60_000_00, "1400") == 300 * one
        assert self.bps(2 * 84_000_000, 2 * 60_000_00, "1400") == 0
        assert self.bps(2 * 83_160_000, 2 * 60_000_00, "1400") == -100 * one

    def test_it_is_rounded_down(self) -> None:
        assert self.bps(2 * 84_000_001, 2 * 60_000_00, "1400") == 1
        assert self.bps(2 * 83_999_999, 2 * 60_000_00, "1400") == -2
        assert self.bps(84_000_000 + 84_000_001, 2 * 60_000_00, "1400") == 0

    def test_it_differs_between_the_official_and_the_market_rate(self) -> None:
        assert self.bps(2 * 86_000_000, 2 * 60_000_00, "1400") > self.bps(2 * 86_000_000, 2 * 60_000_00, "1428.57")

    @pytest.mark.parametrize(("base", "quote"), [("USD", "KRW"), ("KRW", "USDT"), ("USDC", "KRW")])
    def test_another_rate_is_refused(self, base: str, quote: str) -> None:
        with pytest.raises(ValueError, match=f"{base} to {quote} does not turn BTC/USDT into BTC/KRW"):
            premium(self.LOCAL, 2, self.OTHER, 2, Rate(base, quote, NET_ONE, "x", 1, 1))
