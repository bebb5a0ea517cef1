"""The command `aggregator`: words to calls, errors to exit codes.

Exit codes: 0 good, 1 a check found faults, 2 usage or configuration error, 3 could not start. What was
asked for goes to stdout, everything else to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from aggregator import assembly, terminal
from aggregator.books.consolidated import View
from aggregator.config.files import check_file, json_schemas
from aggregator.domain.errors import CaptureRefused, ConfigurationRefused
from aggregator.records.replay import Replay
from aggregator.service.captures import BadLine, Record, read_captures

GOOD, FAULTS, REFUSED, NOT_STARTED = 0, 1, 2, 3

T = TypeVar("T")

PIPED_COLUMNS = 160
"""Width of tables that no terminal limits."""

out = Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS)
err = Console(stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except ConfigurationRefused as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        return REFUSED
    except CaptureRefused as error:
        print(error, file=sys.stderr)
        return REFUSED
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GOOD
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aggregator", description="Partner venues' books as one, and a router over it."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    replay = commands.add_parser("replay", help="play recorded traffic into books, and report")
    _add_captures(replay)
    replay.add_argument("--depth", type=_natural, default=10, metavar="N", help="levels to show (10)")
    replay.add_argument("--speed", type=_speed, metavar="X", help="play at X times the recorded speed (at once)")
    replay.add_argument("--json", action="store_true", help="one JSON document on stdout")
    replay.set_defaults(run=_replay)

    book = commands.add_parser("book", help="show an instrument's consolidated book")
    book.add_argument("symbol", metavar="SYMBOL", help="such as BTC/USDT")
    book.add_argument("--replay", type=Path, nargs="+", required=True, metavar="CAPTURE", help="from recorded traffic")
    book.add_argument("--config", type=Path, metavar="DIR", help="folder of the configuration (config)")
    book.add_argument("--depth", type=_natural, default=10, metavar="N", help="levels to show (10)")
    book.add_argument("--view", type=View, choices=list(View), default=View.GROSS, help="net has taker fees in it")
    book.add_argument("--json", action="store_true", help="one JSON document on stdout")
    book.set_defaults(run=_book)

    config = commands.add_parser("config", help="check configuration files, or print their schema")
    config_commands = config.add_subparsers(metavar="COMMAND", required=True)
    check = config_commands.add_parser("check", help="tell every fault of a file, with its place")
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(run=_config_check)
    schema = config_commands.add_parser("schema", help="JSON Schema of every file kind")
    schema.set_defaults(run=_config_schema)
    return parser


def _add_captures(command: argparse.ArgumentParser) -> None:
    command.add_argument("captures", type=Path, nargs="+", metavar="CAPTURE", help="files, merged by time")
    command.add_argument("--config", type=Path, metavar="DIR", help="folder of the configuration (config)")


def _natural(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed; 1 is the recorded speed, 10 is ten times as fast")
    return speed


def _replay(options: argparse.Namespace) -> int:
    replay = _played(options.captures, options.config, options.speed)
    report = replay.report(options.depth)
    if options.json:
        _print_json(report)
    else:
        out.print(terminal.replay_summary(report, len(options.captures)))
    return GOOD if replay.is_faultless else FAULTS


def _book(options: argparse.Namespace) -> int:
    market = _played(options.replay, options.config).market
    name = options.symbol
    if name not in market.instruments:
        name = name.upper().replace("-", "/")
    if name not in market.instruments:
        print(f"{name} is in none of these recordings; there are {', '.join(market.instruments)}", file=sys.stderr)
        return REFUSED
    merged = market.consolidated(name, options.depth, options.view)
    if options.json:
        _print_json(terminal.book_document(merged))
    else:
        out.print(terminal.book_table(merged))
    return GOOD


def _played(captures: Sequence[Path], config: Path | None, speed: float | None = None) -> Replay:
    replay = Replay(assembly.recorded_conversations(config or assembly.config_folder()))
    with _progress() as progress:
        task = progress.add_task("replay", total=sum(path.stat().st_size for path in captures if path.is_file()))
        records = read_captures(captures, lambda count: progress.advance(task, count))
        replay.play(_paced(records, speed) if speed else records)
    return replay


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def _paced(records: Iterator[Record | BadLine], speed: float) -> Iterator[Record | BadLine]:
    """Hold each record back until as much time has passed as it had in the recording, over `speed`."""
    started, first_ns = time.monotonic(), None
    for record in records:
        first_ns = first_ns or record.at_ns
        wait = (record.at_ns - first_ns) / 1e9 / speed - (time.monotonic() - started)
        if wait > 0:
            time.sleep(wait)
        yield record


def _config_check(options: argparse.Namespace) -> int:
    faults = check_file(options.file)
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        print(f"{options.file}: good", file=sys.stderr)
    return FAULTS if faults else GOOD


def _config_schema(_: argparse.Namespace) -> int:
    _print_json(json_schemas())
    return GOOD


def _print_json(document: dict[Any, Any]) -> None:
    json.dump(document, sys.stdout, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False)
    print()
