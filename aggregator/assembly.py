"""Puts the rooms together. Only here is it known which connector a venue's file asks for.

The connectors are loaded by name: that one dynamic import is what makes a venue a matter of configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from aggregator.config.files import load_configuration
from aggregator.config.venues import VenueSettings, load_venue
from aggregator.domain.errors import ConfigurationRefused
from aggregator.domain.instrument import Instruments
from aggregator.records.replay import Conversation


def config_folder() -> Path:
    """The `config` folder where the command runs, or else the one that belongs to this code."""
    here = Path("config")
    return here if here.is_dir() else Path(__file__).resolve().parent.parent / "config"


def load_connector(venue: VenueSettings) -> Any:
    """The connector module that a venue's file names. Raises ConfigurationRefused when there is none."""
    name = f"connectors.{venue.connector}"
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
    folder = Path(str(import_module("connectors").__file__)).parent
    known = sorted(path.parent.name for path in folder.glob("*/market_data.py"))
    text = f"there is no connector {venue.connector!r}; there are {', '.join(known)}"
    raise ConfigurationRefused([venue.fault(("connector",), text)])


def market_data(venue: VenueSettings) -> Any:
    """The venue's protocol for public market data, on the book channel that its file chooses."""
    connector = load_connector(venue)
    return connector.MarketData(venue.book_channel) if venue.book_channel else connector.MarketData()


def recorded_conversations(folder: Path) -> Callable[[str], Conversation]:
    """How a replay talks about each venue: by its file in `folder/venues`, on the scales of the process file."""
    process_file = folder / "aggregator.yaml"
    known = load_configuration(process_file).instruments.values() if process_file.is_file() else ()
    instruments = Instruments(known)

    def converse(name: str) -> Conversation:
        path = folder / "venues" / f"{name}.yaml"
        if not path.is_file():
            raise ConfigurationRefused([f"venue {name!r} has no file {path}; write one to say how it speaks"])
        venue = load_venue(path)
        session = import_module("connectors.session").recorded_session(market_data(venue), venue, instruments)
        return cast(Conversation, session)

    return converse
