"""The venues that can be certified on their simulators, as their files in this repository have them."""

from importlib import import_module

from aggregator.config.files import load_configuration
from aggregator.config.venues import load_venue
from aggregator.domain.instrument import Instruments
from connectors.certification.subject import Subject
from tests.paths import REPOSITORY

VENUES = ("binance", "cryptocom", "gateio", "huobi")


def subject(name: str) -> Subject:
    venue = load_venue(REPOSITORY / "config" / "venues" / f"{name}.yaml")
    connector = import_module(f"connectors.{name}")
    instruments = load_configuration(REPOSITORY / "config" / "aggregator.yaml").instruments.values()
    return Subject(
        venue,
        Instruments(instruments),
        lambda: connector.MarketData(venue.book_channel),
        connector.OrderEntry,
        import_module(f"connectors.{name}.simulator"),
    )
