"""Certifies a venue: its file, and its connector against its simulator or a recording of its traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aggregator.assembly.certificates import fingerprint
from aggregator.assembly.loading import load_connector, market_data
from aggregator.assembly.recorded_trials import RecordedBench, recorded_trials
from aggregator.config.venues import VenueSettings, load_venue
from aggregator.domain.certificate import Check, Outcome, ScoreCard
from aggregator.domain.instrument import Instruments
from aggregator.service.captures import read_captures

SIMULATOR, RECORDING, NOTHING = "its simulator", "a recording", "nothing"


def certify(
    file: Path, recordings: Sequence[Path], now_ns: int, told: Callable[[Check], None] = lambda check: None
) -> ScoreCard:
    """The score card of a venue's file; `told` of each check as it is made. Raises ConfigurationRefused for a file with
    faults, CaptureRefused for a recording that is none."""
    venue = load_venue(file)
    simulator = _simulator_of(venue)
    against = RECORDING if recordings else SIMULATOR if simulator is not None else NOTHING
    checks = []
    for check in _checks(venue, recordings, simulator):
        checks.append(check)
        told(check)
    return ScoreCard(venue.venue, venue.connector, fingerprint(venue), against, now_ns, tuple(checks))


def _checks(venue: VenueSettings, recordings: Sequence[Path], simulator: Any | None) -> Iterator[Check]:
    yield Check("file", "reads the venue's file", "no fault", Outcome.PASSED, "no fault")
    if recordings:
        numbering = venue.declared.numbering if venue.declared is not None else None
        bench = RecordedBench(list(read_captures(recordings)), lambda name: _session(venue), numbering)
        yield from recorded_trials(bench)
    elif simulator is not None:
        yield from import_module("connectors.certification").certify(_subject(venue, simulator))
    else:
        # What was not tried is not certified.
        text = f"nobody simulates {venue.connector!r}; give a recording of its traffic with --recording"
        yield Check("books", "follows its books", "they are right", Outcome.FAILED, text)


def _subject(venue: VenueSettings, simulator: Any) -> Any:
    connector = load_connector(venue)
    subject = import_module("connectors.certification").Subject
    order_entry = getattr(connector, "OrderEntry", None)
    return subject(venue, Instruments(), lambda: market_data(venue), order_entry, simulator)


def _simulator_of(venue: VenueSettings) -> Any | None:
    name = f"{load_connector(venue).__name__}.simulator"
    return import_module(name) if find_spec(name) is not None else None


def _session(venue: VenueSettings) -> Any:
    return import_module("connectors.session").recorded_session(market_data(venue), venue, Instruments())
