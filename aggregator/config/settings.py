"""The running program's own file: which venues, where to listen, how often to publish."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from aggregator.config.document import Document, Fault
from aggregator.config.scalars import Decimals, InstrumentName, Port, Rate, Seed, Text, VenueFiles
from aggregator.config.schema import Reading, Root, Section, read_file

DEFAULT_VENUES = ("venues/",)


class Listen(Section):
    """Where the API and the dashboard are served."""

    host: Text = "127.0.0.1"
    """The address to listen on. 127.0.0.1 is reached from this machine only, 0.0.0.0 from every network."""
    port: Port = 8080
    """The TCP port; 0 takes any that is free."""


class InstrumentScale(Section):
    """The scales of an instrument's integers on every venue. What is left out follows from its listings: as many as
    the finest of them needs, and no fewer than an instrument has by default."""

    price_decimals: Decimals | None = None
    """Decimals of a price, 0 to 24."""
    quantity_decimals: Decimals | None = None
    """Decimals of a quantity, 0 to 24."""


class Log(Section):
    """What is logged, to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is written."""
    format: Literal["auto", "json", "text"] = "auto"
    """`text` for people, `json` for programs; `auto` writes text to a terminal and json elsewhere."""


class Settings(Root):
    """The running program."""

    venues: VenueFiles = DEFAULT_VENUES
    """Venue files, or folders of them, relative to this file."""
    listen: Listen = Field(default_factory=Listen)
    """The address and the port of the API and the dashboard."""
    display_rate_per_second: Rate = 10
    """How often in a second the consolidated books are merged and published, 1 to 1000."""
    instruments: dict[InstrumentName, InstrumentScale] = Field(
        default_factory=dict, json_schema_extra={"additionalProperties": False}
    )
    """Instruments whose scales are not to follow from their listings."""
    seed: Seed | None = None
    """What the simulated venues are generated from: the same seed gives the same run. Real venues ignore it."""
    log: Log = Field(default_factory=Log)
    """What is logged."""


def read_settings_file(path: Path) -> Reading[Settings]:
    return read_file(path, Settings, _no_relations)


def _no_relations(document: Document) -> tuple[Fault, ...]:
    return ()
