"""A configuration is a process file and the venue and key files that it names: all are sound, or none is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from aggregator.config.document import Document, read_document
from aggregator.config.keys import ApiKey, KeyFile, read_key_file
from aggregator.config.schema import json_schema, unreadable
from aggregator.config.settings import DEFAULT_VENUES, InstrumentScale, Settings, read_settings_file
from aggregator.config.venues import VenueSettings, read_venue_file
from aggregator.domain.errors import ConfigurationRefused
from aggregator.domain.instrument import Instrument
from aggregator.domain.numbers import decimals_of

Kind: TypeAlias = Literal["aggregator", "venue", "keys"]

SUFFIXES = {".yaml", ".yml"}


@dataclass(frozen=True, slots=True)
class Configuration:
    """`venues` in the order of their files, `instruments` by name: those listed by hand or given scales. `journal` is
    where the settings say, seen from where the command runs."""

    settings: Settings
    venues: tuple[VenueSettings, ...]
    instruments: dict[str, Instrument]
    keys: tuple[ApiKey, ...] = ()
    journal: Path | None = None

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
    scales = settings.record.instruments if settings.record else {}
    instruments = _instruments(scales, venues)
    for venue in venues:
        try:
            venue.fixed_listings(instruments.__getitem__)
        except ConfigurationRefused as refused:
            faults += refused.faults
    keys = _keys(path, settings.document, faults)
    if faults:
        raise ConfigurationRefused(faults)
    sound = settings.sound()
    journal = path.parent / sound.journal if sound.journal else None
    return Configuration(sound, tuple(venues), instruments, keys, journal)


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
    return "venue" if path.absolute().parent.name == "venues" else "aggregator"


def json_schemas() -> dict[Kind, dict[str, Any]]:
    """JSON Schema 2020-12 of each kind of file."""
    return {"aggregator": json_schema(Settings), "venue": json_schema(VenueSettings), "keys": json_schema(KeyFile)}


def _keys(path: Path, document: Document | None, faults: list[str]) -> tuple[ApiKey, ...]:
    named = document.at(("keys",)) if document else None
    if document is None or not isinstance(named, str):
        return ()
    file = path.parent / named
    if not file.is_file():
        text = f"nothing is at {file}; name a file of keys, relative to this file, or remove the key"
        faults.append(document.line(document.fault(("keys",), text)))
        return ()
    reading = read_key_file(file)
    faults += reading.faults
    return reading.record.api_keys if reading.record else ()


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


def _instruments(scales: dict[str, InstrumentScale], venues: Iterable[VenueSettings]) -> dict[str, Instrument]:
    instruments = {name: _unscaled(name) for name in scales}
    for venue in venues:
        for rules in venue.listings:
            instrument = instruments.setdefault(rules.instrument, _unscaled(rules.instrument))
            instruments[rules.instrument] = instrument.widened(
                decimals_of(rules.tick or "0"),
                max(decimals_of(rules.lot or "0"), decimals_of(rules.minimum_quantity or "0")),
            )
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
