"""One file, one venue: where it is, what it lists, what it charges, and how far it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeGuard

from pydantic import Field

from aggregator.config.declared import Declared
from aggregator.config.declared_relations import declared_relations
from aggregator.config.document import Document, Fault, KeyPath
from aggregator.config.scalars import (
    Asset,
    ConnectorName,
    Count,
    Day,
    Duration,
    EnvironmentName,
    Exact,
    InstrumentName,
    Quotes,
    Ratio,
    RestAddress,
    StreamAddress,
    Switch,
    Symbol,
    Text,
    VenueId,
)
from aggregator.config.schema import Reading, Root, Section, missing, read_file, read_text
from aggregator.config.templates import BLANK
from aggregator.domain.errors import ConfigurationRefused, NumberRefused
from aggregator.domain.instrument import Fees, Instrument, Listing, Venue
from aggregator.domain.numbers import POWERS, decimals_of, parse_decimal
from aggregator.domain.plan import VenueTerms


class Defunct(Section):
    """Since when, and why, the venue has ceased to exist."""

    since: Day
    """The first day on which it was no longer to be relied on."""
    reason: Text = Field(examples=["It filed for bankruptcy."])
    """What happened, in one sentence: shown wherever the venue is."""


class Endpoints(Section):
    """Where the venue answers. Its connector knows the paths below these."""

    stream: StreamAddress | None = None
    """The websocket of public market data, ws:// or wss://. Required unless the venue is defunct."""
    feed: StreamAddress | None = None
    """A second websocket, for a venue that sends incremental books from an address of their own."""
    private: StreamAddress | None = None
    """The websocket that tells of the account's own orders, ws:// or wss://."""
    rest: RestAddress | None = None
    """The root of the venue's HTTP interface, http:// or https://: snapshots, the market list, orders."""


class FeeRates(Section):
    """What the venue charges by default, as ratios of the notional: 0.1 % is 0.001. In the record they are integers
    on RATE_DECIMALS."""

    maker: Ratio
    """For an order that rested in the book: a ratio from 0 to 0.1."""
    taker: Ratio
    """For an order that matched on arrival: a ratio from 0 to 0.1."""


class ListingRules(Section):
    """An instrument as this venue lists it. Numbers are exact decimals, in quote for prices and notionals and in base
    for quantities; leave out a rule that the venue does not state."""

    symbol: Symbol
    """The venue's own spelling, in its own case."""
    instrument: InstrumentName
    """What is traded, as BASE/QUOTE. An asset is the same under all venues' files or has another name."""
    tick: Exact | None = None
    """The step between two prices, in quote."""
    lot: Exact | None = None
    """The step between two quantities, in base."""
    minimum_quantity: Exact | None = None
    """The least quantity of an order, in base."""
    minimum_notional: Exact | None = None
    """The least price times quantity of an order, in quote."""
    maximum_quantity: Exact | None = None
    """The most that one order of ours may be, in base."""
    cap_notional: Exact | None = None
    """The most that all our orders under way here may come to, in quote."""
    fixed_cost: Exact | None = None
    """What an order here costs besides its fee, in quote: it decides whether a small part is worth sending."""


class MarketList(Section):
    """Which listings to take from the venue's own market list, with the rules stated there."""

    quotes: Quotes
    """Take what is quoted in one of these assets, or `any`."""
    bases: tuple[Asset, ...] | None = Field(default=None, min_length=1)
    """Take only these bases. Left out: every base."""
    excluded: tuple[Symbol, ...] = Field(default=(), alias="except")
    """Symbols not to take, in the venue's spelling."""

    def takes(self, symbol: str, base: str, quote: str) -> bool:
        return (
            (self.quotes is None or quote in self.quotes)
            and (self.bases is None or base in self.bases)
            and symbol not in self.excluded
        )


class SecretNames(Section):
    """Names of the environment variables that hold the account's secrets; never the secrets."""

    key: EnvironmentName
    """The variable that holds the API key."""
    secret: EnvironmentName = Field(examples=["BINANCE_API_SECRET"])
    """The variable that holds the API secret."""
    passphrase: EnvironmentName | None = None
    """The variable that holds the passphrase, at a venue that asks for one."""


class Freshness(Section):
    """When a book becomes stale: 500ms, 10s, 2m, 24h, or `off` for a test that is not made. In the record they are
    ns, None for off."""

    silent_ns: Duration = Field(default="10s", alias="silent", validate_default=True)
    """No message about the book has come for this long."""
    behind_ns: Duration = Field(default="10s", alias="behind", validate_default=True)
    """The venue's own time of its newest message is older than this when it comes."""
    frozen_ns: Duration = Field(default="60s", alias="frozen", validate_default=True)
    """Messages come, but no level has changed for this long."""


class Limits(Section):
    """What the venue allows to one address. A limit that is left out is not watched."""

    connections_per_5m: Count | None = None
    """Connections opened in five minutes."""
    messages_per_second: Count | None = None
    """Messages to the venue on one connection in a second."""
    weight_per_minute: Count | None = None
    """Requests a minute, each at the weight that the venue gives it; 1 where it gives none."""
    snapshot_weight_per_minute: Count | None = None
    """Of that weight, as much as book snapshots may use, so that orders always find some left."""
    subscriptions_per_connection: Count | None = None
    """Subscriptions that one connection carries before another is opened."""


class VenueSettings(Root):
    """One venue. The file is named after it: `binance.yaml` describes `venue: binance`."""

    venue: VenueId
    """The id by which everything else knows the venue: small letters, digits and _. It is the file's name."""
    name: Text
    """The name that people see."""
    connector: ConnectorName
    """The folder under connectors/ that speaks the venue's protocol. Venues with one protocol share it."""
    status: Literal["active", "defunct"] = "active"
    """A defunct venue is replayed from recordings and never connected to."""
    defunct: Defunct | None = None
    """Required when the status is defunct, and only then."""
    endpoints: Endpoints = Field(default_factory=Endpoints)
    """Where the venue answers."""
    book_channel: Text | None = None
    """Which of the connector's book channels to follow. Left out: the connector's first choice."""
    fees: FeeRates
    """What the venue charges by default."""
    listings: tuple[ListingRules, ...] = ()
    """Instruments listed here by hand. Symbols and instruments occur once each."""
    market_list: MarketList | None = None
    """Which listings to take from the venue's own market list. A rule that is written by hand is used until that list
    was read."""
    secrets: SecretNames | None = None
    """Where the account's secrets are. Not needed to watch the venue's books."""
    freshness: Freshness = Field(default_factory=Freshness)
    """When a book becomes stale."""
    display: Switch = True
    """Whether the venue's books are shown and counted in the consolidated book."""
    route: Switch = False
    """Whether orders may be sent to the venue."""
    limits: Limits = Field(default_factory=Limits)
    """What the venue allows to one address."""
    rules_every_ns: Duration = Field(default="1h", alias="rules_every", validate_default=True)
    """How often the venue's own market list is read for its rules (tick, lot, minimums, whether it trades): 30m, 1h,
    24h, or `off` for rules that stay as they are written here. In the record it is ns, None for off."""
    declared: Declared | None = None
    """The venue's protocol in full. Required for `connector: declarative`, and only then."""

    def as_venue(self) -> Venue:
        defunct = f"since {self.defunct.since}: {self.defunct.reason}" if self.defunct else ""
        return Venue(self.venue, self.connector, self.name, defunct)

    def fee_rates(self) -> Fees:
        return Fees(self.fees.maker, self.fees.taker)

    def fixed_listings(self, instrument_of: Callable[[str], Instrument]) -> list[Listing]:
        """The listings written by hand, on the scales of their instruments. Raises ConfigurationRefused with every
        rule that is finer than its scale."""
        faults: list[str] = []
        listings = [self._listing(index, instrument_of, faults) for index in range(len(self.listings))]
        if faults:
            raise ConfigurationRefused(faults)
        return listings

    def terms(self, instrument: Instrument) -> VenueTerms:
        """What the operator allows and expects of this venue for an instrument. A bound that is finer than its scale is
        taken as the next one below."""
        rules = next((rules for rules in self.listings if rules.instrument == instrument.name), None)
        if rules is None:
            return VenueTerms(route=self.route)
        prices, quantities = instrument.price_decimals, instrument.quantity_decimals

        def scaled(text: str | None, decimals: int) -> int | None:
            if text is None:
                return None
            own = decimals_of(text)
            return parse_decimal(text, max(own, decimals)) // POWERS[max(own - decimals, 0)]

        return VenueTerms(
            route=self.route,
            fixed_cost=scaled(rules.fixed_cost, prices + quantities) or 0,
            maximum_quantity=scaled(rules.maximum_quantity, quantities),
            cap_notional=scaled(rules.cap_notional, prices + quantities),
        )

    def _listing(self, index: int, instrument_of: Callable[[str], Instrument], faults: list[str]) -> Listing:
        rules = self.listings[index]
        instrument = instrument_of(rules.instrument)
        prices, quantities = instrument.price_decimals, instrument.quantity_decimals

        def scaled(key: str, text: str | None, decimals: int) -> int:
            try:
                return parse_decimal(text or "0", decimals)
            except NumberRefused:
                finer = f"{text} needs {decimals_of(text or '0')} decimals, but its scale has {decimals}"
                advice = "write a coarser number, or more decimals under `instruments`"
                faults.append(self.fault(("listings", index, key), f"{finer}; {advice}"))
                return 0

        return Listing(
            self.venue,
            rules.symbol,
            instrument,
            tick=scaled("tick", rules.tick, prices),
            lot=scaled("lot", rules.lot, quantities),
            minimum_quantity=scaled("minimum_quantity", rules.minimum_quantity, quantities),
            minimum_notional=scaled("minimum_notional", rules.minimum_notional, prices + quantities),
            fees=self.fee_rates(),
        )


def load_venue(path: Path) -> VenueSettings:
    """Raises ConfigurationRefused with every fault of the file."""
    return read_venue_file(path).sound()


def venue_from(raw: bytes, file: str) -> VenueSettings:
    """A venue whose text came otherwise. `file` is the name it would have, such as `binance.yaml`; JSON is YAML."""
    return read_text(raw, file, VenueSettings, venue_relations).sound()


def read_venue_file(path: Path) -> Reading[VenueSettings]:
    return read_file(path, VenueSettings, venue_relations)


def venue_relations(document: Document) -> Iterator[Fault]:
    if isinstance(document.content, dict):
        yield from _named_as_its_file(document)
        yield from _defunct_or_reachable(document)
        yield from _listed_once(document)
        yield from _snapshots_within_weight(document)
        yield from declared_relations(document)
        yield from _blanks(document)


def _named_as_its_file(document: Document) -> Iterator[Fault]:
    venue, stem = document.at(("venue",)), Path(document.file).stem
    if isinstance(venue, str) and venue != stem:
        yield document.fault(("venue",), f"{venue!r} in a file named {stem!r}; give both the same name")


def _defunct_or_reachable(document: Document) -> Iterator[Fault]:
    status = document.at(("status",)) or "active"
    if status == "defunct":
        if not _given(document, ("defunct",)):
            yield missing(document, ("defunct",), "since", "reason")
        if document.at(("route",)) == "true":
            yield document.fault(("route",), "a defunct venue takes no orders; write false, or remove the key")
    elif status == "active":
        if _given(document, ("defunct",)):
            text = "given for a venue that is active; write `status: defunct`, or remove this"
            yield document.key_fault(("defunct",), text)
        if not _given(document, ("endpoints",)):
            yield missing(document, ("endpoints",), "stream", "feed", "rest")
        elif isinstance(document.at(("endpoints",)), dict) and not _given(document, ("endpoints", "stream")):
            yield missing(document, ("endpoints", "stream"), example="wss://example.org/path")


def _listed_once(document: Document) -> Iterator[Fault]:
    listings = document.at(("listings",))
    if not listings and not _given(document, ("market_list",)) and ("listings",) not in document.faulted:
        yield document.fault(("listings",), "nothing is listed; give `listings`, `market_list`, or both")
    if not isinstance(listings, tuple):
        return
    first: dict[tuple[str, str], int] = {}
    for index in range(len(listings)):
        for key in ("symbol", "instrument"):
            path: KeyPath = ("listings", index, key)
            value = document.at(path)
            if not isinstance(value, str):
                continue
            earlier = first.setdefault((key, value), index)
            if earlier != index:
                line = document.values["listings", earlier, key].line
                yield document.fault(path, f"{value} is listed a second time, first on line {line}; keep one")


def _snapshots_within_weight(document: Document) -> Iterator[Fault]:
    path = ("limits", "snapshot_weight_per_minute")
    whole, share = document.at(("limits", "weight_per_minute")), document.at(path)
    if _is_count(whole) and _is_count(share) and int(share) > int(whole):
        yield document.fault(path, f"{share} is more than weight_per_minute, {whole}; write a part of that")


def _blanks(document: Document) -> Iterator[Fault]:
    """What a new file leaves open."""
    for path in document.values:
        value, key = document.at(path), path[-1] if path else ""
        if isinstance(value, str) and BLANK in value:
            yield document.fault(path, f"{BLANK} is still to be filled in; write the venue's own value")
        elif isinstance(key, str) and BLANK in key:
            yield document.key_fault(path, f"{BLANK} is still to be filled in; write the key that is meant")


def _is_count(value: object) -> TypeGuard[str]:
    """Anything else is refused by its field."""
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10


def _given(document: Document, path: KeyPath) -> bool:
    return path in document.values
