"""The running program's own file: which venues, where to listen, how often to publish, who may do how much, and what
one currency is worth in another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import time
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic.config import JsonDict

from aggregator.config.calendars import moment_ns
from aggregator.config.document import Document, Fault, KeyPath
from aggregator.config.scalars import (
    AccountOrRest,
    Age,
    Asset,
    BasisPoints,
    Count,
    CurrencyRate,
    Day,
    Decimals,
    InstrumentName,
    Money,
    Name,
    Port,
    Rate,
    Seed,
    Switch,
    Text,
    VenueFiles,
    VenueId,
)
from aggregator.config.schema import Reading, Root, Section, missing, read_file
from aggregator.domain.order_events import RiskLimits
from aggregator.domain.rates import BookRate, Peg, RateSource, StatedRate

DEFAULT_VENUES = ("venues/",)


class Listen(Section):
    """Where the API and the dashboard are served."""

    host: Text = "127.0.0.1"
    """The address to listen on. 127.0.0.1 is reached from this machine only, 0.0.0.0 from every network."""
    port: Port = 8080
    """The TCP port; 0 takes any that is free."""
    behind_proxy: Switch = False
    """Whether a proxy that speaks TLS stands before this address. With keys, none but this machine's own addresses are
    listened on without one. Only the proxy may reach it then, and appends each client's address to `X-Forwarded-For`
    where keys have `addresses`."""
    anonymous: tuple[Literal["read"], ...] = ()
    """What whoever has no key may do: `[read]` lets everyone see market data and plans. Left out: nothing."""


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
    certified: Switch = False
    """Whether only venues are routed to whose file `aggregator venue check` has passed as it is now. Looked at when the
    service starts, and when a file changes."""


class RateRule(Section):
    """Where a rate between two assets comes from: either a value that is stated here, or a venue's book of the two.
    Of several rules for the same two assets, the first that may be believed is used."""

    source: Name = Field(examples=["official"])
    """The name under which the rate is shown and recorded."""
    base: Asset
    """The asset of which one is worth the rate. USD, USDT and USDC are three different assets."""
    quote: Asset = Field(examples=["KRW"])
    """The asset in which the rate is told."""
    value: CurrencyRate | None = None
    """What one base is worth in quote."""
    as_of: Day | None = Field(default=None, examples=["2026-11-20"])
    """The day, in Seoul, for which the value was stated. Left out: the value holds at any time."""
    venue: VenueId | None = None
    """The venue in whose book base is sold for quote. It may be the local one."""
    max_age: Age | None = None
    """How old the rate may be: since that day began, or since the book was last heard of."""
    reference: CurrencyRate | None = None
    """What one base should be worth in quote."""
    depeg_bps: BasisPoints | None = None
    """How far from the reference the rate may be before it is not used any more."""

    def as_source(self) -> RateSource:
        peg = None if self.reference is None else Peg(self.reference, self.depeg_bps or 0)
        if self.venue is not None:
            return BookRate(self.source, self.base, self.quote, self.venue, self.max_age or 0, peg)
        as_of_ns = None if self.as_of is None else moment_ns(self.as_of, time())
        return StatedRate(self.source, self.base, self.quote, self.value or 0, as_of_ns, self.max_age or 0, peg)


class Records(Section):
    """What is recorded of the market while the service runs, for reports and for whoever asks later."""

    folder: Text = Field(examples=["../var/records"])
    """Where the tables lie, by day, relative to this file. It is made when it is not there."""
    depth_every_ns: Age = Field(default="1s", alias="depth_every", validate_default=True)
    """How often depth, liquidity and premium are sampled. Busan's own books are at every change as well."""
    depth_levels: Count = 20
    """How many levels of each side a sample of depth has."""
    tables_kept_ns: Age = Field(default="9600h", alias="tables_kept", validate_default=True)
    """For how long a day's tables are kept."""
    traffic: Switch = False
    """Whether what the venues send is recorded as well, as captures that `aggregator replay` reads."""
    traffic_every_ns: Age = Field(default="1h", alias="traffic_every", validate_default=True)
    """How long one capture is."""
    traffic_kept_ns: Age = Field(default="48h", alias="traffic_kept", validate_default=True)
    """For how long captures are kept."""


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
    added: Text | None = Field(default=None, examples=["../var/venues"])
    """The folder of venue files that are added while the service runs, relative to this file. It is made when it is
    first needed; what is dropped in there is taken on. Left out: no venue is added through the API."""
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
    listings: Text | None = Field(default=None, examples=["listings.yaml"])
    """The file of what Busan lists, relative to this file. Left out: there is no local book."""
    rates: tuple[RateRule, ...] = ()
    """Where rates between assets come from."""
    seed: Seed | None = None
    """What the simulated venues are generated from: the same seed gives the same run. Real venues ignore it."""
    log: Log = Field(default_factory=Log)
    """What is logged."""
    records: Records | None = None
    """What is recorded of the market. Left out: nothing is."""

    def risk_limits(self) -> Mapping[str, RiskLimits]:
        """By account, as the engine is told them; `*` is every other account."""
        return {account: limits.as_limits() for account, limits in self.risk.items()}

    def rate_sources(self) -> tuple[RateSource, ...]:
        """In the order in which they are tried."""
        return tuple(rule.as_source() for rule in self.rates)


def read_settings_file(path: Path) -> Reading[Settings]:
    return read_file(path, Settings, settings_relations)


def settings_relations(document: Document) -> Iterator[Fault]:
    host = document.at(("listen", "host"))
    is_open = isinstance(host, str) and not _is_this_machine(host)
    if is_open and document.at(("keys",)) and document.at(("listen", "behind_proxy")) != "true":
        text = f"with keys, {host} would take signed requests in the clear; listen on 127.0.0.1, or put a proxy that"
        yield document.fault(("listen", "host"), f"{text} speaks TLS before it and write `behind_proxy: true`")
    rules = document.at(("rates",))
    for index in range(len(rules) if isinstance(rules, tuple) else 0):
        yield from _rate_relations(document, ("rates", index))


def _rate_relations(document: Document, path: KeyPath) -> Iterator[Fault]:
    rule = document.at(path)
    if not isinstance(rule, dict):
        return
    is_book, is_stated = "venue" in rule, "value" in rule
    if is_book and is_stated:
        yield document.fault((*path, "venue"), "given beside a value; keep one of the two")
    if not is_book and not is_stated:
        yield missing(document, (*path, "value"), example="1390.5")
    if is_book and "as_of" in rule:
        yield document.fault((*path, "as_of"), "a book says itself how old it is; remove the key")
    if (is_book or "as_of" in rule) and "max_age" not in rule:
        yield missing(document, (*path, "max_age"), example="10s" if is_book else "96h")
    if is_stated and not is_book and "as_of" not in rule and "max_age" in rule:
        yield document.fault((*path, "max_age"), "nothing says how old the value is; write `as_of`, or remove the key")
    for key, other, example in (("reference", "depeg_bps", "200"), ("depeg_bps", "reference", "1")):
        if key in rule and other not in rule:
            yield missing(document, (*path, other), example=example)
    if isinstance(rule.get("base"), str) and rule["base"] == rule.get("quote"):
        yield document.fault((*path, "quote"), "the same as base; name another asset")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
