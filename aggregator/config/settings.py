"""The running program's own file: which venues, where to listen, how often to publish, who may do how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from aggregator.config.document import Document, Fault
from aggregator.config.scalars import (
    AccountOrRest,
    Asset,
    BasisPoints,
    Count,
    Decimals,
    InstrumentName,
    Money,
    Port,
    Rate,
    Seed,
    Switch,
    Text,
    VenueFiles,
)
from aggregator.config.schema import Reading, Root, Section, read_file
from aggregator.domain.order_events import RiskLimits

DEFAULT_VENUES = ("venues/",)


class Listen(Section):
    """Where the API and the dashboard are served."""

    host: Text = "127.0.0.1"
    """The address to listen on. 127.0.0.1 is reached from this machine only, 0.0.0.0 from every network."""
    port: Port = 8080
    """The TCP port; 0 takes any that is free."""
    behind_proxy: Switch = False
    """Whether a proxy that speaks TLS stands before this address. With keys, none but this machine's own addresses are
    listened on without one."""


class InstrumentScale(Section):
    """The scales of an instrument's integers on every venue. What is left out follows from its listings: as many as
    the finest of them needs, and no fewer than an instrument has by default."""

    price_decimals: Decimals | None = None
    """Decimals of a price, 0 to 24."""
    quantity_decimals: Decimals | None = None
    """Decimals of a quantity, 0 to 24."""


Allowed = dict[Asset, Money]
"""By asset, on ASSET_DECIMALS."""

_CLOSED: JsonDict = {"additionalProperties": False}


class AccountLimits(Section):
    """What an account may do. A limit that is left out is not held; where assets are named, the others have none."""

    order_notional: Allowed | None = Field(default=None, json_schema_extra=_CLOSED)
    """The most that one parent order may come to, by quote asset."""
    open_notional: Allowed | None = Field(default=None, json_schema_extra=_CLOSED)
    """The most that all open parent orders together may still come to, by quote asset."""
    venue_open_notional: Allowed | None = Field(default=None, json_schema_extra=_CLOSED)
    """The same at any one venue."""
    orders_per_second: Count | None = None
    """The most parent orders that are taken on in a second."""
    collar_bps: BasisPoints | None = None
    """How far from the mid price a limit price may be on its wrong side: above it for a buy, below it for a sell."""

    def as_limits(self) -> RiskLimits:
        return RiskLimits(
            self.order_notional,
            self.open_notional,
            self.venue_open_notional,
            self.orders_per_second,
            self.collar_bps,
        )


class Routing(Section):
    """How orders are split over the venues."""

    market_bound_bps: BasisPoints = 100
    """How much worse than the best price an order without a limit price may go."""
    search_limit: Count = 2_000
    """How long the best split is searched for, in nodes; past it the plan says how far it may be off."""


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
    instruments: dict[InstrumentName, InstrumentScale] = Field(default_factory=dict, json_schema_extra=_CLOSED)
    """Instruments whose scales are not to follow from their listings."""
    journal: Text | None = Field(default=None, examples=["../var/journal.db"])
    """The file that holds every order, relative to this file. It is made when it is not there. Required for orders."""
    keys: Text | None = Field(default=None, examples=["../var/keys.yaml"])
    """The file of those who may come in, relative to this file. Only its owner may be able to read it. Left out: nobody
    may place an order or see one."""
    risk: dict[AccountOrRest, AccountLimits] = Field(default_factory=dict, json_schema_extra=_CLOSED)
    """What each account may do; "*" is every account that is not named."""
    routing: Routing = Field(default_factory=Routing)
    """How far orders may go, and how long the best way is searched for."""
    seed: Seed | None = None
    """What the simulated venues are generated from: the same seed gives the same run. Real venues ignore it."""
    log: Log = Field(default_factory=Log)
    """What is logged."""

    def risk_limits(self) -> Mapping[str, RiskLimits]:
        """By account, as the engine is told them; `*` is every other account."""
        return {account: limits.as_limits() for account, limits in self.risk.items()}


def read_settings_file(path: Path) -> Reading[Settings]:
    return read_file(path, Settings, settings_relations)


def settings_relations(document: Document) -> Iterator[Fault]:
    host = document.at(("listen", "host"))
    is_open = isinstance(host, str) and not _is_this_machine(host)
    if is_open and document.at(("keys",)) and document.at(("listen", "behind_proxy")) != "true":
        text = f"with keys, {host} would take signed requests in the clear; listen on 127.0.0.1, or put a proxy that"
        yield document.fault(("listen", "host"), f"{text} speaks TLS before it and write `behind_proxy: true`")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
