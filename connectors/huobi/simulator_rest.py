"""HTX's REST metadata, simulated: trading rules in their three spellings, and the assets."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Raw

from aggregator.domain.instrument import Listing
from aggregator.domain.numbers import decimals_of

VALUE_DECIMALS = 8


def rules(listing: Listing) -> dict[str, object]:
    """A row of /v1/settings/common/market-symbols."""
    return {
        "symbol": listing.symbol,
        "bc": listing.instrument.base.lower(),
        "qc": listing.instrument.quote.lower(),
        "pp": _price_decimals(listing),
        "ap": _quantity_decimals(listing),
        "vp": VALUE_DECIMALS,
        "minoa": _minimum_quantity(listing),
        "lominoa": _minimum_quantity(listing),
        "minov": _minimum_notional(listing),
        "state": _state(listing),
        "at": "enabled",
    }


def rules_in_words(listing: Listing) -> dict[str, object]:
    """A row of /v1/common/symbols."""
    return {
        "symbol": listing.symbol,
        "base-currency": listing.instrument.base.lower(),
        "quote-currency": listing.instrument.quote.lower(),
        "price-precision": _price_decimals(listing),
        "amount-precision": _quantity_decimals(listing),
        "value-precision": VALUE_DECIMALS,
        "symbol-partition": "main",
        "min-order-amt": _minimum_quantity(listing),
        "limit-order-min-order-amt": _minimum_quantity(listing),
        "min-order-value": _minimum_notional(listing),
        "state": _state(listing),
        "api-trading": "enabled",
    }


def display_rules(listing: Listing) -> dict[str, object]:
    """A row of /v2/settings/common/symbols."""
    return {
        "sc": listing.symbol,
        "dn": listing.instrument.name,
        "bc": listing.instrument.base.lower(),
        "qc": listing.instrument.quote.lower(),
        "tpp": _price_decimals(listing),
        "tap": _quantity_decimals(listing),
        "state": _state(listing),
    }


def currencies(listings: Iterable[Listing]) -> list[dict[str, object]]:
    """The rows of /v2/reference/currencies."""
    instruments = [listing.instrument for listing in listings]
    assets = dict.fromkeys(asset.lower() for pair in instruments for asset in (pair.base, pair.quote))
    return [{"currency": asset, "assetType": "1", "chains": [], "instStatus": "normal"} for asset in assets]


def _price_decimals(listing: Listing) -> int:
    return decimals_of(listing.instrument.show_price(listing.tick))


def _quantity_decimals(listing: Listing) -> int:
    return decimals_of(listing.instrument.show_quantity(listing.lot))


def _minimum_quantity(listing: Listing) -> Raw:
    return Raw(listing.instrument.show_quantity(listing.minimum_quantity).encode())


def _minimum_notional(listing: Listing) -> Raw:
    return Raw(listing.instrument.show_notional(listing.minimum_notional).encode())


def _state(listing: Listing) -> str:
    return "online" if listing.tradable else "offline"
