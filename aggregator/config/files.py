"""A configuration is a process file and the venue, listing and key files that it names: all are sound, or none is
used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from aggregator.config.document import Document, KeyPath, read_document
from aggregator.config.keys import ApiKey, KeyFile, read_key_file
from aggregator.config.listings import Listings, read_listings_file
from aggregator.config.schema import Root, json_schema, unreadable
from aggregator.config.settings import DEFAULT_VENUES, InstrumentScale, Settings, read_settings_file
from aggregator.config.venues import VenueSettings, read_venue_file
from aggregator.domain.errors import ConfigurationRefused
from aggregator.domain.instrument import Instrument
from aggregator.domain.local import LOCAL_VENUE, LocalRules
from aggregator.domain.numbers import decimals_of

Kind: TypeAlias = Literal["aggregator", "venue", "listings", "keys"]

SUFFIXES = {".yaml", ".yml"}


@dataclass(frozen=True, slots=True)
class Configuration:
    """`venues` in the order of their files, `instruments` by name: those listed by hand or given scales. `listings` is
    what Busan lists, None without a local book. `journal` is where the settings say, seen from where the command runs.
    """

    settings: Settings
    venues: tuple[VenueSettings, ...]
    instruments: dict[str, Instrument]
    keys: tuple[ApiKey, ...] = ()
    journal: Path | None = None
    listings: Listings | None = None
    records: Path | None = None
    """The folder of records, None where none are kept."""
    file: Path | None = None
    """The process file, None for a configuration that was put together otherwise."""

    @property
    def added(self) -> Path | None:
        """The folder of venue files that are added while the service runs. It need not be there yet."""
        if self.file is None or self.settings.added is None:
            return None
        return self.file.parent / self.settings.added

    def local_rules(self) -> list[LocalRules]:
        """What Busan lists, on the scales of the instruments; nothing without a local book."""
        return self.listings.local_rules(self.instrument) if self.listings else []

    def local_routes(self) -> dict[str, frozenset[str]]:
        """By each instrument that Busan lists, the venues to which orders in it may go."""
        listings = self.listings.listings if self.listings else ()
        return {listing.instrument: frozenset(listing.route) for listing in listings}

    def instrument(self, name: str) -> Instrument:
        """Also one that only a venue's market list or a recording names."""
        return self.instruments.get(name) or _unscaled(name)


def load_configuration(path: Path) -> Configuration:
    """Raises ConfigurationRefused with every fault of all the files."""
    settings = read_settings_file(path)
    faults = [*settings.faults]
    venues = []
    first: dict[str, str] = {}
    for file in _venue_files(path, settings.document, faults):
        reading = read_venue_file(file)
        faults += reading.faults
        if file.stem in first and reading.document:
            fault = reading.document.fault(("venue",), f"described by {first[file.stem]} too; keep one of the two")
            faults.append(reading.document.line(fault))
        first.setdefault(file.stem, reading.file)
        if reading.record:
            venues.append(reading.record)
            faults += _not_local(reading.record)
    listings = _listings(path, settings.document, faults)
    scales = settings.record.instruments if settings.record else {}
    instruments = _instruments(scales, venues, listings)
    rules_of = [venue.fixed_listings for venue in venues] + ([listings.local_rules] if listings else [])
    for rules in rules_of:
        try:
            rules(instruments.__getitem__)
        except ConfigurationRefused as refused:
            faults += refused.faults
    faults += _unknown_venues(settings.record, listings, first.keys())
    keys = _keys(path, settings.document, faults)
    if faults:
        raise ConfigurationRefused(faults)
    sound = settings.sound()
    journal = path.parent / sound.journal if sound.journal else None
    records = path.parent / sound.records.folder if sound.records else None
    return Configuration(sound, tuple(venues), instruments, keys, journal, listings, records, path)


def files_of(path: Path) -> list[Path]:
    """The files that a configuration is made of, as far as they can be found: what is to be looked at for changes."""
    try:
        document = read_document(path.read_bytes(), str(path))
    except (OSError, ConfigurationRefused):
        return [path]
    named = [document.at((key,)) for key in ("listings", "keys")]
    beside = [path.parent / name for name in named if isinstance(name, str)]
    return [path, *_venue_files(path, document, []), *beside]


def check_file(path: Path) -> list[str]:
    """The faults of a file of any kind; a process file is checked with all the files that it names."""
    try:
        document = read_document(path.read_bytes(), str(path))
    except OSError as error:
        return [unreadable(path, error)]
    except ConfigurationRefused as refused:
        return list(refused.faults)
    kind = kind_of(path, document)
    if kind == "venue":
        return list(read_venue_file(path).faults)
    if kind == "listings":
        return list(read_listings_file(path).faults)
    if kind == "keys":
        return list(read_key_file(path).faults)
    try:
        load_configuration(path)
    except ConfigurationRefused as refused:
        return list(refused.faults)
    return []


def kind_of(path: Path, document: Document) -> Kind:
    """By the keys, so that neither a wrong name nor a missing key makes one kind into the other."""
    keys = set(document.content) if isinstance(document.content, dict) else set()
    fits = {kind: len(keys & schema["properties"].keys()) for kind, schema in json_schemas().items()}
    best = [kind for kind, known in fits.items() if known == max(fits.values())]
    if len(best) == 1:
        return best[0]
    if path.stem == "listings":
        return "listings"
    return "venue" if path.absolute().parent.name == "venues" else "aggregator"


def json_schemas() -> dict[Kind, dict[str, Any]]:
    """JSON Schema 2020-12 of each kind of file."""
    models: dict[Kind, type[Root]] = {
        "aggregator": Settings,
        "venue": VenueSettings,
        "listings": Listings,
        "keys": KeyFile,
    }
    return {kind: json_schema(model) for kind, model in models.items()}


def _keys(path: Path, document: Document | None, faults: list[str]) -> tuple[ApiKey, ...]:
    file = _named_file(path, document, "keys", "a file of keys", faults)
    if file is None:
        return ()
    reading = read_key_file(file)
    faults += reading.faults
    return reading.record.api_keys if reading.record else ()


def _listings(path: Path, document: Document | None, faults: list[str]) -> Listings | None:
    file = _named_file(path, document, "listings", "a file of listings", faults)
    if file is None:
        return None
    reading = read_listings_file(file)
    faults += reading.faults
    return reading.record


def _named_file(path: Path, document: Document | None, key: str, wanted: str, faults: list[str]) -> Path | None:
    """The file that a key of the process file names, None when it names none that is there."""
    named = document.at((key,)) if document else None
    if document is None or not isinstance(named, str):
        return None
    file = path.parent / named
    try:
        if file.is_file():
            return file
        wrong = f"nothing is at {file}"
    except OSError as error:
        wrong = f"{file} cannot be read: {error.strerror}"
    text = f"{wrong}; name {wanted}, relative to this file, or remove the key"
    faults.append(document.line(document.fault((key,), text)))
    return None


def _not_local(venue: VenueSettings) -> Iterator[str]:
    if venue.venue == LOCAL_VENUE:
        yield venue.fault(("venue",), f"{LOCAL_VENUE} is the local book, which no file describes; give it another name")


def _unknown_venues(settings: Settings | None, listings: Listings | None, known: Collection[str]) -> Iterator[str]:
    """Venues that rates and listings speak of although no file of this configuration describes them."""
    named: list[tuple[Root, KeyPath, str]] = []
    if settings is not None:
        for index, rule in enumerate(settings.rates):
            if rule.venue is not None and rule.venue != LOCAL_VENUE:
                named.append((settings, ("rates", index, "venue"), rule.venue))
    if listings is not None:
        for index, listing in enumerate(listings.listings):
            for key, venues in (("display", listing.display), ("route", listing.route)):
                named += [(listings, ("listings", index, key, place), venue) for place, venue in enumerate(venues)]
    for root, path, venue in named:
        if venue not in known:
            yield root.fault(path, f"no venue is called {venue}; known here: {', '.join(known)}")


def _venue_files(path: Path, document: Document | None, faults: list[str]) -> Iterator[Path]:
    """From the document, since a fault elsewhere in it must not hide those of the venue files."""
    if document is None or not isinstance(document.content, dict):
        return
    named = document.at(("venues",)) if ("venues",) in document.values else DEFAULT_VENUES
    single = isinstance(named, str)
    entries = (named,) if single else named if isinstance(named, tuple) else ()
    for index, entry in enumerate(entries):
        if not isinstance(entry, str):
            continue
        files, wrong = _files_at(path.parent / entry)
        yield from files
        if wrong:
            advice = "name a .yaml file, or a folder of them, relative to this file"
            fault = document.fault(("venues",) if single else ("venues", index), f"{wrong}; {advice}")
            faults.append(document.line(fault))
    added = document.at(("added",))
    if isinstance(added, str):
        yield from _files_at(path.parent / added)[0]


def _files_at(place: Path) -> tuple[list[Path], str]:
    """The venue files at a place, or what is wrong with it. Hidden files are none: editors leave them behind."""
    try:
        if place.is_file():
            return [place], ""
        if not place.is_dir():
            return [], f"nothing is at {place}"
        files = sorted(file for file in place.iterdir() if file.suffix in SUFFIXES and file.name[0] != ".")
    except OSError as error:
        return [], f"{place} cannot be read: {error.strerror}"
    return files, "" if files else f"no venue file is in {place}"


def _instruments(
    scales: dict[str, InstrumentScale], venues: Iterable[VenueSettings], listings: Listings | None
) -> dict[str, Instrument]:
    instruments = {name: _unscaled(name) for name in scales}
    for venue in venues:
        for rules in venue.listings:
            instrument = instruments.setdefault(rules.instrument, _unscaled(rules.instrument))
            instruments[rules.instrument] = instrument.widened(
                decimals_of(rules.tick or "0"),
                max(decimals_of(rules.lot or "0"), decimals_of(rules.minimum_quantity or "0")),
            )
    if listings is not None:
        for index, listing in enumerate(listings.listings):
            name = listing.instrument
            instruments[name] = listings.widened(index, instruments.setdefault(name, _unscaled(name)))
    return {name: _rescaled(instrument, scales.get(name)) for name, instrument in instruments.items()}


def _unscaled(name: str) -> Instrument:
    """A market whose assets no list describes is named by the venue's symbol, which has no slash."""
    base, _, quote = name.partition("/")
    return Instrument.of(base, quote) if quote else Instrument(name)


def _rescaled(instrument: Instrument, scale: InstrumentScale | None) -> Instrument:
    if scale is None:
        return instrument
    prices, quantities = scale.price_decimals, scale.quantity_decimals
    return Instrument(
        instrument.name,
        instrument.base,
        instrument.quote,
        instrument.price_decimals if prices is None else prices,
        instrument.quantity_decimals if quantities is None else quantities,
    )
