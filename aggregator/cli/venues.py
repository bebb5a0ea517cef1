"""Commands on venues: which there are, and the file of a new one."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.text import Text

from aggregator import assembly
from aggregator.assembly import certificates
from aggregator.assembly.certifying import certify
from aggregator.cli.console import FAULTS, GOOD, add_json, add_url, out, print_json, service
from aggregator.cli.scaffold import DECLARATIVE, blanks_in, scaffold
from aggregator.config.files import SUFFIXES
from aggregator.config.venues import VenueSettings, read_venue_file
from aggregator.domain.certificate import Check, Outcome
from aggregator.domain.errors import ConfigurationRefused
from aggregator.domain.switches import VenueState
from aggregator.terminal.tables import BAD, NOTE, table
from aggregator.terminal.tables import GOOD as GREEN

FOLDER = Path("config") / "venues"
COLUMNS = ("venue", "name", "connector", "numbering", "status", "listings", "display", "route", "score", "checked")


def add_commands(commands: Any) -> None:
    venue = commands.add_parser("venue", help="list the venues, write the file of a new one, switch one")
    venue_commands = venue.add_subparsers(metavar="COMMAND", required=True)
    listing = venue_commands.add_parser("list", help="every venue that has a file, and how far it is used")
    _add_folder(listing)
    add_json(listing)
    listing.set_defaults(run=_list)
    adding = venue_commands.add_parser("add", help="write the commented file of a new venue, with blanks to fill in")
    adding.add_argument("name", metavar="NAME", help="its id: small letters, digits and _")
    adding.add_argument(
        "--via", default=DECLARATIVE, metavar="CONNECTOR", help="whose protocol it speaks (declarative: its file says)"
    )
    _add_folder(adding)
    adding.set_defaults(run=_add)
    checking = venue_commands.add_parser("check", help="certify a venue: its file, books and orders")
    checking.add_argument("file", type=Path, metavar="FILE", help="such as config/venues/gateio.yaml")
    checking.add_argument(
        "--recording", type=Path, action="append", default=[], metavar="CAPTURE", help="in place of its simulator"
    )
    checking.add_argument("--out", type=Path, metavar="DIR", help="of the card as JSON and Markdown (beside the file)")
    add_json(checking)
    checking.set_defaults(run=_check)
    switching = venue_commands.add_parser("switch", help="say how far a running service is to use a venue")
    switching.add_argument("name", metavar="NAME")
    for switch, what in (("display", "whether its books are shown"), ("route", "whether new orders may go there")):
        switching.add_argument(f"--{switch}", choices=("on", "off"), help=what)
    switching.add_argument("--state", choices=list(VenueState), type=VenueState, help="draining ends as off")
    switching.add_argument("--reason", required=True, help="for everyone to see; it is journaled")
    add_url(switching)
    add_json(switching)
    switching.set_defaults(run=_switch)


def _check(options: argparse.Namespace) -> int:
    """What is certified is the file as it is now: change it, and it is to be checked again."""
    told = (lambda check: None) if options.json else _tell_check
    card = certify(options.file, options.recording, time.time_ns(), told)
    written = certificates.keep(card, options.out or certificates.folder_of(options.file))
    if options.json:
        print_json(card.document())
    else:
        verdict = Text("certified", style=GREEN) if card.is_passed else Text("NOT certified", style=BAD)
        told_of = f", {card.score}, against {card.against}: {written[1]}"
        out.print(Text(f"{card.venue} is ").append(verdict).append(told_of))
    return GOOD if card.is_passed else FAULTS


def _tell_check(check: Check) -> None:
    style = {Outcome.PASSED: GREEN, Outcome.FAILED: BAD}.get(check.outcome, NOTE)
    line = Text(f"{check.outcome.value:13} ", style=style)
    out.print(line.append(check.done, style="default").append(f": {check.seen}", style="dim"))


def _switch(options: argparse.Namespace) -> int:
    switches = {name: getattr(options, name) == "on" for name in ("display", "route") if getattr(options, name)}
    wanted = {"reason": options.reason, **switches} | ({"state": options.state.value} if options.state else {})
    venue = service(options).send("PATCH", f"/v1/venues/{quote(options.name, safe='')}", wanted)
    if options.json:
        print_json(venue)
        return GOOD
    shown, routed = (_shown(venue[name]) for name in ("display", "route"))
    out.print(Text(f"{venue['venue']} is {venue['state']}; displayed: {shown}; routed to: {routed}"))
    return GOOD


def _add_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument("--folder", type=Path, default=FOLDER, metavar="DIR", help=f"of the venue files ({FOLDER})")


def _list(options: argparse.Namespace) -> int:
    if not options.folder.is_dir():
        raise ConfigurationRefused([f"{options.folder}: no such folder; name the one that holds the venue files"])
    files = sorted(path for path in options.folder.iterdir() if path.suffix in SUFFIXES and path.name[0] != ".")
    readings = [read_venue_file(path) for path in files]
    rows = [_row(reading.record) for reading in readings if reading.record is not None]
    faults = [fault for reading in readings for fault in reading.faults]
    if options.json:
        print_json({"venues": rows, "faults": faults})
    else:
        drawn = table("Venues")
        for column in COLUMNS:
            drawn.add_column(column)
        for row in rows:
            drawn.add_row(*(_shown(row[column]) for column in COLUMNS))
        out.print(drawn)
        for fault in faults:
            print(fault, file=sys.stderr)
    return FAULTS if faults else GOOD


def _row(venue: VenueSettings) -> dict[str, Any]:
    """A connector in Python numbers updates as its venue does; only a declaration says here how that is."""
    return {
        "venue": venue.venue,
        "name": venue.name,
        "connector": venue.connector,
        "numbering": venue.declared.numbering if venue.declared is not None else None,
        "never_live": venue.declared.snapshot.nowhere if venue.declared is not None else None,
        "status": venue.status,
        "listings": len(venue.listings),
        "display": venue.display,
        "route": venue.route,
        **_last_check(venue),
    }


def _last_check(venue: VenueSettings) -> dict[str, Any]:
    """Its score when it was checked last, when that was, and why it is not certified as it is now."""
    card, objection = certificates.last(venue), certificates.objection(venue)
    if card is None:
        return {"score": None, "checked": None, "uncertified": objection}
    return {"score": card.score, "checked": card.made, "uncertified": objection}


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _add(options: argparse.Namespace) -> int:
    name, connector = options.name, options.via
    if not re.fullmatch("[a-z][a-z0-9_]{0,31}", name):
        raise ConfigurationRefused([f"{name!r} is not a venue id of small letters, digits and _, such as gateio"])
    _require_connector(connector)
    file = options.folder / f"{name}.yaml"
    text = scaffold(name, connector, str(file))
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        raise ConfigurationRefused([f"{file} is there already; edit it, or choose another name"]) from None
    print(f"{file}: {blanks_in(text)} blanks to fill in, then `aggregator config check {file}`", file=sys.stderr)
    return GOOD


def _require_connector(name: str) -> None:
    """Raises ConfigurationRefused, naming those that there are."""
    try:
        assembly.load_connector(VenueSettings.model_construct(connector=name))
    except ConfigurationRefused as refused:
        raise ConfigurationRefused([fault.partition("connector: ")[2] for fault in refused.faults]) from None
