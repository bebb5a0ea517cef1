"""The command `aggregator`: words to calls, errors to exit codes.

Exit codes: 0 good, 1 a check found faults, 2 usage or configuration error, 3 could not start. What was
asked for goes to stdout, everything else to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from aggregator import assembly, terminal
from aggregator.api.client import Answered, Api, Unreachable
from aggregator.api.market import show_book
from aggregator.api.problems import Problem
from aggregator.api.quotes import QuoteRoutes
from aggregator.api.server import CannotListen
from aggregator.books.consolidated import View
from aggregator.config.files import check_file, json_schemas, load_configuration
from aggregator.domain.errors import CaptureRefused, ConfigurationRefused, VenueDefunct
from aggregator.domain.instrument import Side
from aggregator.domain.plan import RoutingPolicy
from aggregator.engine.engine import Engine
from aggregator.records.replay import Replay
from aggregator.service.captures import BadLine, Record, read_captures
from aggregator.service.clock import SystemClock
from aggregator.service.logs import start_logging
from aggregator.service.recorder import Recorder

GOOD, FAULTS, REFUSED, NOT_STARTED = 0, 1, 2, 3

DEFAULT_URL = "http://127.0.0.1:8080"
FAULTS_ROUTE = "/_simulator/faults"
WATCH_EVERY_S = 0.2

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
    except (CaptureRefused, Answered) as error:
        print(error, file=sys.stderr)
        return REFUSED
    except Unreachable as error:
        print(error, file=sys.stderr)
        return NOT_STARTED
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
    book.add_argument("--replay", type=Path, nargs="+", metavar="CAPTURE", help="from recorded traffic, not a service")
    book.add_argument("--config", type=Path, metavar="DIR", help="for --replay: folder of the configuration (config)")
    book.add_argument("--url", default=DEFAULT_URL, help=f"the running service ({DEFAULT_URL})")
    book.add_argument("--watch", action="store_true", help="redraw until interrupted")
    book.add_argument("--depth", type=_natural, default=10, metavar="N", help="levels to show (10)")
    book.add_argument("--view", type=View, choices=list(View), default=View.GROSS, help="net has taker fees in it")
    book.add_argument("--json", action="store_true", help="one JSON document on stdout")
    book.set_defaults(run=_book)

    quote = commands.add_parser("quote", help="how an order would be split over the venues now; nothing is sent")
    quote.add_argument("symbol", metavar="SYMBOL", help="such as BTC/USDT")
    quote.add_argument("side", choices=list(Side), type=Side)
    quote.add_argument("quantity", metavar="QUANTITY", help="in base, such as 5; with --notional in quote")
    quote.add_argument("--notional", action="store_true", help="QUANTITY is what to pay, or to get, in quote")
    quote.add_argument("--limit", metavar="PRICE", help="no worse than this (a bound in bps from the best price)")
    quote.add_argument("--venues", metavar="A,B", help="only these")
    quote.add_argument("--replay", type=Path, nargs="+", metavar="CAPTURE", help="from recorded traffic, not a service")
    quote.add_argument("--config", type=Path, metavar="DIR", help="for --replay: folder of the configuration (config)")
    quote.add_argument("--url", default=DEFAULT_URL, help=f"the running service ({DEFAULT_URL})")
    quote.add_argument("--json", action="store_true", help="one JSON document on stdout")
    quote.set_defaults(run=_quote)

    demo = commands.add_parser("demo", help="the service on simulated venues of this machine")
    demo.add_argument("--seed", type=_natural, metavar="N", help="another market")
    demo.add_argument("--port", type=_port, metavar="P", help="where the API listens (8080); 0 takes any that is free")
    demo.set_defaults(run=_demo)

    run = commands.add_parser("run", help="the service, on the venues that a configuration names")
    run.add_argument("--config", type=Path, required=True, metavar="FILE")
    run.set_defaults(run=_run)

    capture = commands.add_parser("capture", help="record raw traffic of a configuration's venues")
    capture.add_argument("--config", type=Path, required=True, metavar="FILE")
    capture.add_argument("--out", type=Path, required=True, metavar="FILE", help="such as traffic.jsonl.gz")
    capture.add_argument("--seconds", type=_natural, metavar="N", help="stop by itself (on Ctrl-C)")
    capture.set_defaults(run=_capture)

    fault = commands.add_parser("fault", help="break something at a simulated venue of a running demo")
    fault.add_argument("venue", metavar="VENUE")
    fault.add_argument("name", nargs="?", metavar="FAULT", help="such as silent, gap, crossed; left out: what is on")
    fault.add_argument("options", nargs="*", metavar="OPTION=VALUE", help="such as symbol=BTCUSDT")
    fault.add_argument("--seconds", type=_natural, metavar="N", help="end by itself")
    fault.add_argument("--off", action="store_true", help="switch it off")
    fault.add_argument("--url", default=DEFAULT_URL, help=f"the running demo ({DEFAULT_URL})")
    fault.set_defaults(run=_fault)

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


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a whole number from 0 to 65535")
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
    if options.replay:
        return _book_of_recordings(options)
    if not options.watch:
        document = Api(options.url).book(options.symbol, options.depth, options.view)
        _show_book(document, options)
        return GOOD
    return _watch_book(options)


def _book_of_recordings(options: argparse.Namespace) -> int:
    market = _played(options.replay, options.config).market
    name = options.symbol
    if name not in market.instruments:
        name = name.upper().replace("-", "/")
    if name not in market.instruments:
        print(f"{name} is in none of these recordings; there are {', '.join(market.instruments)}", file=sys.stderr)
        return REFUSED
    merged = market.consolidated(name, options.depth, options.view)
    _show_book(show_book(merged, merged.oldest_ns), options)
    return GOOD


def _show_book(document: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        _print_json(document)
    else:
        out.print(terminal.book_table(document))


def _watch_book(options: argparse.Namespace) -> int:
    """Redraw in place. A service that cannot be reached is waited for, and the screen says so."""
    api = Api(options.url)
    with Live(console=out, auto_refresh=False, screen=False) as live:
        while True:
            try:
                live.update(terminal.book_table(api.book(options.symbol, options.depth, options.view)), refresh=True)
            except Unreachable as error:
                live.update(Text(str(error), style="yellow"), refresh=True)
            time.sleep(WATCH_EVERY_S)


def _quote(options: argparse.Namespace) -> int:
    request = {
        "symbol": options.symbol,
        "side": options.side.value,
        "notional" if options.notional else "quantity": options.quantity,
        "limit_price": options.limit,
        "venues": options.venues.split(",") if options.venues else None,
    }
    document = _quote_of_recordings(options, request) if options.replay else Api(options.url).quote(request)
    if options.json:
        _print_json(document)
    else:
        out.print(terminal.quote_table(document))
    return GOOD


def _quote_of_recordings(options: argparse.Namespace, request: dict[str, Any]) -> dict[str, Any]:
    market = _played(options.replay, options.config).market
    venues = {book.venue for book in market}
    newest_ns = max((book.received_ns for book in market), default=0)
    quotes = QuoteRoutes(Engine(market=market), venues, lambda instrument: RoutingPolicy(), lambda: newest_ns)
    try:
        return quotes.answer(json.dumps(request).encode())
    except Problem as problem:
        raise Answered(problem.detail) from None


def _demo(options: argparse.Namespace) -> int:
    configuration = load_configuration(assembly.config_folder() / "demo.yaml")
    settings = configuration.settings
    if options.port is not None:
        settings = settings.model_copy(update={"listen": settings.listen.model_copy(update={"port": options.port})})
    start_logging(settings.log)
    seed = options.seed or settings.seed or 1

    def started(root: str) -> None:
        names = [venue.venue for venue in configuration.venues]
        err.print(terminal.demo_greeting(root, names, seed), soft_wrap=True)

    configuration = replace(configuration, settings=settings)
    return _until_interrupted(lambda stop: assembly.demo(configuration, seed, stop, started))


def _run(options: argparse.Namespace) -> int:
    configuration = load_configuration(options.config)
    start_logging(configuration.settings.log)

    async def serve(stop: asyncio.Event) -> None:
        service = assembly.Service(configuration, SystemClock())
        await service.serve(stop, lambda root: err.print(f"listening on {root}"))

    return _until_interrupted(serve)


def _capture(options: argparse.Namespace) -> int:
    configuration = load_configuration(options.config)
    start_logging(configuration.settings.log)
    try:
        recorder = Recorder(options.out, f"aggregator capture of {options.config.name}")
    except OSError as error:
        print(f"{options.out} cannot be written: {error.strerror}", file=sys.stderr)
        return NOT_STARTED

    async def record(stop: asyncio.Event) -> None:
        service = assembly.Service(configuration, SystemClock(), recorder)
        if options.seconds:
            asyncio.get_running_loop().call_later(options.seconds, stop.set)
        await service.run(stop)

    with recorder:
        code = _until_interrupted(record)
    print(f"{options.out}: {recorder.recorded} records", file=sys.stderr)
    if recorder.dropped or recorder.failure:
        print(f"{recorder.failure or 'the disk was too slow'}; {recorder.dropped} records are missing", file=sys.stderr)
        return FAULTS
    return code


def _until_interrupted(work: Callable[[asyncio.Event], Coroutine[None, None, None]]) -> int:
    """Run until SIGINT or SIGTERM, then let it end in order."""

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await work(stop)

    try:
        asyncio.run(main())
    except (CannotListen, VenueDefunct) as error:
        print(error, file=sys.stderr)
        return NOT_STARTED
    return GOOD


def _fault(options: argparse.Namespace) -> int:
    api = Api(options.url)
    venue = api.get(f"/v1/venues/{options.venue}")
    simulator = Api(venue["rest"])
    if options.name is None:
        answer = simulator.get(FAULTS_ROUTE)
    elif options.off:
        answer = simulator.send("DELETE", f"{FAULTS_ROUTE}?name={options.name}")
    else:
        wanted: dict[str, Any] = {"name": options.name}
        for option in options.options:
            key, _, value = option.partition("=")
            wanted[key] = json.loads(value) if value.lstrip("-").isdecimal() else value
        if options.seconds:
            wanted["until_ns"] = time.time_ns() + options.seconds * 1_000_000_000
        answer = simulator.send("POST", FAULTS_ROUTE, wanted)
    _print_json(answer)
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
