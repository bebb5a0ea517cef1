"""Commands on configuration files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from aggregator.cli.console import FAULTS, GOOD, print_json
from aggregator.config.files import check_file, json_schemas


def add_commands(commands: Any) -> None:
    config = commands.add_parser("config", help="check configuration files, or print their schema")
    config_commands = config.add_subparsers(metavar="COMMAND", required=True)
    check = config_commands.add_parser("check", help="tell every fault of a file, with its place")
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(run=_check)
    schema = config_commands.add_parser("schema", help="JSON Schema of every file kind")
    schema.set_defaults(run=_schema)


def _check(options: argparse.Namespace) -> int:
    faults = check_file(options.file)
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        print(f"{options.file}: good", file=sys.stderr)
    return FAULTS if faults else GOOD


def _schema(_: argparse.Namespace) -> int:
    print_json(dict(json_schemas()))
    return GOOD
