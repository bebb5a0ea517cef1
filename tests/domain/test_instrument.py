"""An instrument has one scale, on every venue and for ever."""

import pytest

from aggregator.domain.errors import NumberRefused
from aggregator.domain.instrument import PRICE_DECIMALS, QUANTITY_DECIMALS, Instrument, Instruments
from aggregator.domain.numbers import MAX_DECIMALS
from tests.twins.listings import BTC


class TestTheScale:
    def test_is_fixed_when_an_instrument_is_first_asked_for(self) -> None:
        instruments = Instruments()
        first = instruments.get("BTC", "USDT", 2, 5)
        assert instruments.get("BTC", "USDT") is first
        assert instruments.get("BTC", "USDT", PRICE_DECIMALS, QUANTITY_DECIMALS) is first

    def test_leaves_room_below_the_rules_of_most_listings(self) -> None:
        coarse = Instruments().get("BTC", "USDT", 2, 5)
        assert (coarse.price_decimals, coarse.quantity_decimals) == (PRICE_DECIMALS, QUANTITY_DECIMALS)

    def test_is_finer_where_the_first_listing_is(self) -> None:
        fine = Instruments().get("PEPE", "BTC", PRICE_DECIMALS + 1, 0)
        assert (fine.price_decimals, fine.quantity_decimals) == (PRICE_DECIMALS + 1, QUANTITY_DECIMALS)

    def test_refuses_a_later_listing_that_is_finer_and_says_what_to_set(self) -> None:
        instruments = Instruments([BTC])
        with pytest.raises(NumberRefused, match=r"BTC/USDT is kept on 2 decimals.*configuration"):
            instruments.get("BTC", "USDT", 3, 0)
        with pytest.raises(NumberRefused):
            instruments.get("BTC", "USDT", 2, 4)
        assert instruments.get("BTC", "USDT", 2, 3) is BTC

    def test_is_the_one_configured_before_any_listing(self) -> None:
        assert Instruments([BTC]).get("BTC", "USDT") is BTC

    @pytest.mark.parametrize(("price_decimals", "quantity_decimals"), [(MAX_DECIMALS + 1, 0), (0, MAX_DECIMALS + 1)])
    def test_is_never_finer_than_the_finest(self, price_decimals: int, quantity_decimals: int) -> None:
        instruments = Instruments()
        with pytest.raises(NumberRefused):
            instruments.get("BTC", "USDT", price_decimals, quantity_decimals)
        assert instruments.get("BTC", "USDT").price_decimals == PRICE_DECIMALS

    def test_of_assets_with_one_name_but_another_quote_is_its_own(self) -> None:
        instruments = Instruments()
        assert instruments.get("BTC", "USDT", 20).price_decimals != instruments.get("BTC", "USDC", 2).price_decimals


class TestNames:
    def test_are_base_and_quote(self) -> None:
        assert Instrument.of("BTC", "USDT").name == "BTC/USDT"
        assert Instruments().get("BTC", "KRW").name == "BTC/KRW"

    def test_of_markets_that_no_list_describes_are_the_venues_symbols(self) -> None:
        instruments = Instruments()
        unknown = instruments.named("XYZ-0325")
        assert (unknown.name, unknown.base, unknown.quote) == ("XYZ-0325", "", "")
        assert instruments.named("XYZ-0325") is unknown


class TestShowing:
    def test_uses_the_scale_of_what_is_shown(self) -> None:
        assert BTC.show_price(6183763) == "61837.63"
        assert BTC.show_quantity(3788) == "3.788"
        assert BTC.show_notional(6183763 * 3788) == "234240.94244"

    def test_is_the_reverse_of_reading(self) -> None:
        assert BTC.show_price(BTC.price("61837.60")) == "61837.6"
        assert BTC.show_quantity(BTC.quantity(b"0.001")) == "0.001"

    def test_a_widened_instrument_shows_the_same_numbers(self) -> None:
        wide = BTC.widened(8, 8)
        assert (wide.price_decimals, wide.quantity_decimals) == (8, 8)
        assert wide.show_price(wide.price("61837.63")) == BTC.show_price(BTC.price("61837.63"))
        assert wide.widened(1, 1) == wide
