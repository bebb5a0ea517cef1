"""What all commands have in common: where they write, how they end, and the arguments that several take."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from aggregator.api.client import DEFAULT_URL, Api, find_access

GOOD, FAULTS, REFUSED, NOT_STARTED = 0, 1, 2, 3

ACCESS_FILE = Path("var") / "demo" / "client.json"
"""Where a running demo leaves its address and its key, for commands in the same folder."""

PIPED_COLUMNS = 160
"""Width of tables that no terminal limits."""

out = Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS)
err = Console(stderr=True)


def service(options: argparse.Namespace) -> Api:
    """The service that a command is to ask."""
    return Api(find_access(options.url, os.environ, ACCESS_FILE))


def add_url(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--url", metavar="URL", help=f"the running service (the demo of this folder, or {DEFAULT_URL})"
    )


def add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="one JSON document on stdout")


def print_json(document: dict[Any, Any]) -> None:
    json.dump(document, sys.stdout, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False)
    print()


def natural(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def seconds(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds, 0 for none")
    return int(text)


def port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a whole number from 0 to 65535")
    return int(text)


def speed(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed; 1 is the recorded speed, 10 is ten times as fast")
    return value


def listed(text: str | None) -> list[str] | None:
    """Words with commas between them."""
    return text.split(",") if text else None
