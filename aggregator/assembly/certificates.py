"""Certificates: the last score card of each venue's file, kept beside it, and whether it still speaks of that file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from aggregator.config.files import Configuration
from aggregator.config.venues import VenueSettings
from aggregator.domain.certificate import ScoreCard, score_card
from aggregator.domain.errors import DocumentRefused

FOLDER = "certificates"

SWITCHES = {"name", "display", "route", "status"}
"""Keys of a venue's file that say nothing of how its connector behaves: they may change after the check."""


def fingerprint(venue: VenueSettings) -> str:
    """SHA-256 of all that a venue's file says, but for its SWITCHES."""
    said = venue.model_dump(mode="json", exclude=SWITCHES)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def folder_of(file: Path) -> Path:
    """Where the certificates of a venue's file lie."""
    return file.parent / FOLDER


def keep(card: ScoreCard, folder: Path) -> Sequence[Path]:
    """As JSON and as Markdown, in place of the one before; returns both files. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    document = json.dumps(card.document(), ensure_ascii=False, indent=1) + "\n"
    for suffix, text in (("json", document), ("md", card.markdown())):
        path = folder / f"{card.venue}.{suffix}"
        waiting = path.with_suffix(f".{suffix}.new")
        waiting.write_text(text, encoding="utf-8")
        waiting.replace(path)
        written.append(path)
    return written


def last(venue: VenueSettings) -> ScoreCard | None:
    """The venue's last score card, None where there is none that can be believed."""
    path = folder_of(Path(venue.file)) / f"{venue.venue}.json"
    try:
        return score_card(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, DocumentRefused):
        return None


def objection(venue: VenueSettings) -> str | None:
    """Why the venue is not certified as its file is now; None when it is."""
    command = f"run `aggregator venue check {venue.file}`"
    card = last(venue)
    if card is None:
        return f"it was never certified; {command}"
    if not card.is_passed:
        return f"it failed {len(card.failed)} of its checks; mend that, and {command}"
    if card.fingerprint != fingerprint(venue):
        return f"its file has changed since it was certified; {command}"
    return None


def only_certified(configuration: Configuration) -> tuple[Configuration, dict[str, str]]:
    """The configuration with no venue routed to that has no certificate, where `routing.certified` asks for that; and,
    by venue, why not."""
    if not configuration.settings.routing.certified:
        return configuration, {}
    objections = {
        venue.venue: why for venue in configuration.venues if venue.route and (why := objection(venue)) is not None
    }
    venues = tuple(
        venue.model_copy(update={"route": False}) if venue.venue in objections else venue
        for venue in configuration.venues
    )
    return replace(configuration, venues=venues), objections
