"""Which markets a venue has: what its file states stays, what its list says fills the gaps, and no two are mixed."""

import pytest

from aggregator.domain.errors import NumberRefused
from aggregator.domain.instrument import PRICE_DECIMALS, Fees, Instrument, Instruments, Listing
from connectors.markets import Market, Markets
from tests.twins.listings import BTC, listing

ROW = Market("BTCUSDT", "BTC", "USDT", "0.01", "0.00001", "0.0001", "5")
FEES = Fees(100_000, 200_000)


def everything(market: Market) -> bool:
    return True


def learned(*rows: Market, adopts_unlisted: bool = False, separator: str = "") -> Markets:
    markets = Markets("binance", fees=FEES, adopts_unlisted=adopts_unlisted, separator=separator)
    markets.learn(rows)
    return markets


class TestARowOfTheMarketList:
    def test_becomes_a_listing_on_the_instruments_scale(self) -> None:
        (found,) = learned(ROW).choose(everything)
        instrument = found.instrument
        assert (found.venue, found.symbol, instrument.name) == ("binance", "BTCUSDT", "BTC/USDT")
        assert instrument.show_price(found.tick) == "0.01"
        assert instrument.show_quantity(found.lot) == "0.00001"
        assert instrument.show_quantity(found.minimum_quantity) == "0.0001"
        assert instrument.show_notional(found.minimum_notional) == "5"
        assert (found.fees, found.tradable) == (FEES, True)

    def test_that_is_not_traded_says_so(self) -> None:
        (found,) = learned(ROW._replace(tradable=False)).choose(everything)
        assert not found.tradable

    def test_whose_rules_are_not_numbers_harms_no_other(self) -> None:
        bad = [
            ROW._replace(symbol=f"BAD{number}", base=f"BAD{number}", tick=tick)
            for number, tick in enumerate(["-1", "abc", "", "1e-99", "0." + "0" * 30 + "1", "1" * 70, "1e-99999999999"])
        ]
        markets = learned(*bad, ROW)
        assert [found.symbol for found in markets.choose(everything)] == ["BTCUSDT"]
        for row in bad:
            with pytest.raises(NumberRefused):
                markets.adopt(row)

    def test_finer_than_the_instruments_configured_scale_is_left_out(self) -> None:
        markets = Markets("binance", instruments=Instruments([BTC]))
        markets.learn([ROW._replace(tick="0.001"), ROW._replace(symbol="ETHUSDT", base="ETH")])
        assert [found.symbol for found in markets.choose(everything)] == ["ETHUSDT"]

    def test_is_taken_only_if_it_is_accepted(self) -> None:
        markets = learned(ROW, ROW._replace(symbol="ETHUSDT", base="ETH"))
        assert [found.symbol for found in markets.choose(lambda market: market.base == "ETH")] == ["ETHUSDT"]
        assert markets.listing("BTCUSDT") is None

    def test_replaces_the_one_of_an_earlier_list(self) -> None:
        markets = learned(ROW)
        markets.choose(everything)
        markets.learn([ROW._replace(tick="0.1", tradable=False)])
        (found,) = markets.choose(everything)
        assert found.instrument.show_price(found.tick) == "0.1"
        assert not found.tradable
        assert markets.listing("BTCUSDT") == found


class TestWhatTheVenuesFileStates:
    def test_stays_and_its_gaps_are_filled(self) -> None:
        instrument = Instrument.of("BTC", "USDT")
        stated = Listing("binance", "BTCUSDT", instrument, tick=instrument.price("0.5"), fees=Fees(1, 2))
        markets = Markets("binance", [stated], Instruments([instrument]), FEES)
        markets.learn([ROW])
        (found,) = markets.choose(everything)
        assert (found.tick, found.fees) == (stated.tick, Fees(1, 2))
        assert instrument.show_quantity(found.lot) == "0.00001"

    def test_is_on_its_own_instruments_scale_whatever_the_list_calls_its_assets(self) -> None:
        instrument = Instrument("BCH/USDT", "BCH", "USDT", price_decimals=4, quantity_decimals=6)
        markets = Markets("binance", [Listing("binance", "BCCUSDT", instrument)], Instruments([instrument]))
        markets.learn([Market("BCCUSDT", "BCC", "USDT", "0.01", "0.001", "0.001", "5")])
        (found,) = markets.choose(everything)
        assert found.instrument is instrument
        assert (instrument.show_price(found.tick), instrument.show_notional(found.minimum_notional)) == ("0.01", "5")

    def test_is_known_before_any_list(self) -> None:
        markets = Markets("binance", [listing()])
        assert markets.listing("BTCUSDT") == listing()
        assert markets.symbol_of("BTC/USDT") == "BTCUSDT"
        assert not markets.is_read_anew


class TestOneInstrumentHasOneSymbol:
    """Two would be one book in the aggregator, fed by both."""

    def test_of_the_market_list_the_first(self) -> None:
        markets = learned(ROW, ROW._replace(symbol="BTCUSDT_2"))
        assert [found.symbol for found in markets.choose(everything)] == ["BTCUSDT"]
        assert markets.symbol_of("BTC/USDT") == "BTCUSDT"

    def test_and_the_files_before_any_of_the_list(self) -> None:
        markets = Markets("binance", [listing(symbol="XBTUSDT")], Instruments([BTC]))
        markets.learn([ROW])
        assert markets.choose(everything) == []
        assert markets.symbol_of("BTC/USDT") == "XBTUSDT"

    def test_in_a_recording_the_other_is_named_by_its_symbol(self) -> None:
        markets = learned(ROW, ROW._replace(symbol="BTCUSDT_2"), adopts_unlisted=True)
        first, second = markets.listing("BTCUSDT"), markets.listing("BTCUSDT_2")
        assert first is not None
        assert second is not None
        assert (first.instrument.name, second.instrument.name) == ("BTC/USDT", "BTCUSDT_2")
        assert (markets.symbol_of("BTC/USDT"), markets.symbol_of("BTCUSDT_2")) == ("BTCUSDT", "BTCUSDT_2")


class TestAMarketThatNothingDescribes:
    def test_is_unknown_to_a_live_connection(self) -> None:
        assert learned(ROW).listing("NEWUSDT") is None
        assert learned(ROW).listing("BTCUSDT") is None, "it was not chosen"

    def test_still_has_a_book_in_a_recording(self) -> None:
        found = learned(ROW, adopts_unlisted=True).listing("NEWUSDT")
        assert found is not None
        expected = ("NEWUSDT", PRICE_DECIMALS, FEES)
        assert (found.instrument.name, found.instrument.price_decimals, found.fees) == expected

    def test_is_named_by_its_assets_where_the_spelling_shows_them(self) -> None:
        found = learned(adopts_unlisted=True, separator="_").listing("NEW_USDT")
        assert found is not None
        assert (found.instrument.name, found.instrument.base) == ("NEW/USDT", "NEW")

    @pytest.mark.parametrize("symbol", ["NEWUSDT", "_USDT", "NEW_"])
    def test_is_named_by_its_symbol_where_it_does_not(self, symbol: str) -> None:
        found = learned(adopts_unlisted=True, separator="_").listing(symbol)
        assert found is not None
        assert (found.instrument.name, found.instrument.base) == (symbol, "")

    def test_is_adopted_once(self) -> None:
        markets = learned(adopts_unlisted=True)
        assert markets.listing("NEWUSDT") is markets.listing("NEWUSDT")

    def test_without_even_a_symbol_is_none(self) -> None:
        assert learned(adopts_unlisted=True).listing("") is None


def test_instruments_are_shared_by_all_venues() -> None:
    instruments = Instruments()
    found = []
    for venue in ("binance", "huobi"):
        markets = Markets(venue, instruments=instruments)
        markets.learn([ROW])
        found += markets.choose(everything)
    assert found[0].instrument is found[1].instrument
