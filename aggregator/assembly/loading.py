"""What a venue's file asks for is loaded by name: that one dynamic import makes a venue a matter of configuration."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from aggregator.config.files import load_configuration
from aggregator.config.venues import VenueSettings, load_venue
from aggregator.domain.errors import ConfigurationRefused
from aggregator.domain.instrument import Instruments
from aggregator.records.replay import Conversation

Tap = Callable[[int, str, str, str, str | bytes | None], None]
"""Sees raw traffic: time, venue, kind, url, payload."""

Post = Callable[[Sequence[Any]], Awaitable[None]]


def config_folder() -> Path:
    """The `config` folder where the command runs, or else the one that belongs to this code."""
    here = Path("config")
    return here if here.is_dir() else Path(__file__).resolve().parents[2] / "config"


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
    """The venue's protocol for public market data, on the book channel that its file chooses, or as it declares it."""
    connector = load_connector(venue)
    if venue.declared is not None:
        return connector.MarketData(venue.declared)
    return connector.MarketData(venue.book_channel) if venue.book_channel else connector.MarketData()


def recorded_instruments(folder: Path) -> Instruments:
    """Instruments on the scales of the process file in the folder."""
    process_file = folder / "aggregator.yaml"
    return Instruments(load_configuration(process_file).instruments.values() if process_file.is_file() else ())


def recorded_conversations(folder: Path, instruments: Instruments | None = None) -> Callable[[str], Conversation]:
    """How a replay talks about each venue: by its file in `folder/venues`, on the scales of the process file or on
    those that are given."""
    instruments = recorded_instruments(folder) if instruments is None else instruments

    def converse(name: str) -> Conversation:
        path = folder / "venues" / f"{name}.yaml"
        if not path.is_file():
            raise ConfigurationRefused([f"venue {name!r} has no file {path}; write one to say how it speaks"])
        venue = load_venue(path)
        session = import_module("connectors.session").recorded_session(market_data(venue), venue, instruments)
        return cast(Conversation, session)

    return converse


def credentials_of(venue: VenueSettings, environment: Mapping[str, str]) -> Any | None:
    """The account's secrets as the environment has them; None for a venue that is not to be routed to, or without them.
    Raises ConfigurationRefused when only some are there."""
    names = venue.secrets
    if names is None or not venue.route:
        return None
    wanted = {"key": names.key, "secret": names.secret} | ({"passphrase": names.passphrase} if names.passphrase else {})
    given = {key: environment[name] for key, name in wanted.items() if environment.get(name)}
    if not given:
        return None
    missing = [name for key, name in wanted.items() if key not in given]
    if missing:
        text = f"{', '.join(missing)} is not set in the environment, though others are; set it, or none of them"
        raise ConfigurationRefused([venue.fault(("secrets",), text)])
    return import_module("connectors.trading").Credentials(**given)


def connector_of(
    venue: VenueSettings,
    instruments: Instruments,
    credentials: Any | None,
    post: Post,
    clock_ns: Callable[[], int],
    tap: Tap | None,
) -> Any:
    """The venue's machines on real sockets; with credentials its account as well."""
    machine = import_module("connectors.machine").venue_machine(
        venue, lambda: market_data(venue), instruments, random.random
    )
    account = None
    if credentials is not None:
        listings = {listing.symbol: listing for listing in venue.fixed_listings(instruments.listed)}
        order_entry = load_connector(venue).OrderEntry
        account = import_module("connectors.account").account_machine(
            venue, order_entry, listings, credentials, random.random
        )
    connector = import_module("connectors.connector")
    return connector.Connector(machine, venue.endpoints.rest, post, clock_ns, tap or connector.no_tap, account=account)
