"""Commands that play recorded traffic: into books, or with a journal through the whole engine and router again."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from aggregator import assembly
from aggregator.api.order_documents import parent_document
from aggregator.cli.console import FAULTS, GOOD, REFUSED, add_json, err, listed, natural, out, print_json, speed
from aggregator.config.files import load_configuration
from aggregator.domain.errors import BrokenInvariant, DocumentRefused, JournalRefused
from aggregator.domain.order import ParentOrder
from aggregator.engine.orders import Orders
from aggregator.records.replay import Replay
from aggregator.records.stretch import FOREVER_NS, Stretch, Traffic
from aggregator.records.what_if import Change, WhatIf, under, without
from aggregator.service.captures import BadLine, Record, read_captures
from aggregator.service.journal_file import JournalReader
from aggregator.terminal import market, orders, stretch

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def add_commands(commands: Any) -> None:
    replay = commands.add_parser("replay", help="play recorded traffic into books; with a journal, orders too")
    replay.add_argument("captures", type=Path, nargs="*", metavar="CAPTURE", help="files or folders, merged by time")
    replay.add_argument("--config", type=Path, metavar="DIR", help="folder of the configuration (config)")
    replay.add_argument("--depth", type=natural, default=10, metavar="N", help="levels to show (10)")
    replay.add_argument("--speed", type=speed, metavar="X", help="play at X times the recorded speed (at once)")
    replay.add_argument("--journal", type=Path, metavar="FILE", help="run its orders again on the recorded books")
    replay.add_argument("--until", type=moment, metavar="TIME", help="with --journal: up to this time, UTC or ns")
    replay.add_argument("--explain", metavar="ORDER", help="with --journal: the order as it stood then, and why")
    replay.add_argument("--without", metavar="A,B", help="with --journal: what it had cost without these venues")
    replay.add_argument("--policy", type=Path, metavar="FILE", help="with --journal: ... under this process file")
    add_json(replay)
    replay.set_defaults(run=_replay, usage_error=replay.error)


def moment(text: str) -> int:
    """`2022-11-08T09:00:00` in UTC, or ns since the Unix epoch, as ns."""
    if text.isascii() and text.isdecimal():
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write it as 2022-11-08T09:00:00 (UTC), or in ns since the Unix epoch"
        ) from None
    since = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)) - EPOCH
    return since // timedelta(microseconds=1) * 1000


def played(captures: Sequence[Path], config: Path | None, at_speed: float | None = None) -> Replay:
    """A replay that has played everything. Raises CaptureRefused for what is no recording."""
    replay = Replay(assembly.recorded_conversations(config or assembly.config_folder()))
    with _reading(captures) as records:
        replay.play(_paced(records, at_speed) if at_speed else records)
    return replay


def _replay(options: argparse.Namespace) -> int:
    wants_journal = options.until, options.explain, options.without, options.policy
    if options.journal is None and any(option is not None for option in wants_journal):
        options.usage_error("--until, --explain, --without and --policy ask about orders: name the --journal too")
    if options.journal is not None:
        return _run_again(options)
    if not options.captures:
        options.usage_error("name at least one recording, or a --journal")
    replay = played(_files(options.captures), options.config, options.speed)
    report = replay.report(options.depth)
    if options.json:
        print_json(report)
    else:
        out.print(market.replay_summary(report, len(options.captures)))
    return GOOD if replay.is_faultless else FAULTS


def _run_again(options: argparse.Namespace) -> int:
    """The whole: exit code 1 when anything is not what it was."""
    config = options.config or assembly.config_folder()
    instruments = assembly.recorded_instruments(config)
    converse = assembly.recorded_conversations(config, instruments)
    try:
        with JournalReader(options.journal) as journal, _reading(_files(options.captures)) as records:
            again = Stretch(Traffic(records, partial(Replay, converse, repairs=True)), instruments)
            what_if = _what_if(options, again.engine.orders)
            again.run(journal, options.until or FOREVER_NS, what_if or (lambda event, seen: None))
    except (JournalRefused, BrokenInvariant, DocumentRefused) as error:
        print(error, file=sys.stderr)
        return REFUSED
    explained = None
    if options.explain is not None:
        parent = _order(again.engine.orders, options.explain)
        if parent is None:
            print(f"there is no order {options.explain!r} in this stretch", file=sys.stderr)
            return REFUSED
        explained = parent_document(parent)
    _show(options, again.report(), explained, what_if)
    return FAULTS if again.difference_count else GOOD


def _show(
    options: argparse.Namespace, report: dict[str, Any], explained: dict[str, Any] | None, what_if: WhatIf | None
) -> None:
    compared = what_if.report() if what_if is not None else None
    if options.json:
        extra = {"order": explained, "what_if": compared}
        print_json(report | {name: part for name, part in extra.items() if part is not None})
        return
    if explained is not None:
        out.print(orders.explanation(explained))
    if compared is not None:
        out.print(stretch.what_if_table(compared))
    out.print(stretch.summary(report))


def _what_if(options: argparse.Namespace, placed: Orders) -> WhatIf | None:
    changes: list[Change] = []
    if options.policy is not None:
        changes.append(under(partial(assembly.policy, load_configuration(options.policy))))
    if options.without is not None:
        changes.append(without(listed(options.without) or ()))
    if not changes:
        return None
    return WhatIf(placed, _in_turn(changes))


def _in_turn(changes: Sequence[Change]) -> Change:
    def changed(seen: Any) -> Any:
        for change in changes:
            seen = change(seen)
        return seen

    return changed


def _order(placed: Orders, name: str) -> ParentOrder | None:
    """By our id, or by `client:` and the client's."""
    if not name.startswith("client:"):
        return placed.parents.get(name)
    wanted = name.removeprefix("client:")
    return next((order for order in placed.parents.values() if order.terms.client_order_id == wanted), None)


def _files(paths: Sequence[Path]) -> list[Path]:
    """A folder stands for the recordings in it, the one that is being written included."""
    found: list[Path] = []
    for path in paths:
        inside = sorted([*path.glob("*.jsonl.gz"), *path.glob("*.jsonl.gz.part")]) if path.is_dir() else [path]
        found += inside
    return found


@contextmanager
def _reading(captures: Sequence[Path]) -> Iterator[Iterator[Record | BadLine]]:
    """The records of all files, with a bar on a terminal that tells how far they are read."""
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("replay", total=sum(path.stat().st_size for path in captures if path.is_file()))
        on_bytes: Callable[[int], None] = lambda count: progress.advance(task, count)  # noqa: E731
        yield read_captures(captures, on_bytes)


def _paced(records: Iterator[Record | BadLine], at_speed: float) -> Iterator[Record | BadLine]:
    """Hold each record back until as much time has passed as it had in the recording, over `at_speed`."""
    started, first_ns = time.monotonic(), None
    for record in records:
        first_ns = first_ns or record.at_ns
        wait = (record.at_ns - first_ns) / 1e9 / at_speed - (time.monotonic() - started)
        if wait > 0:
            time.sleep(wait)
        yield record
