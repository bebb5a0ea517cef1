"""Commands that run the service, or break something at the venues that a demo simulates."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from aggregator import assembly
from aggregator.api.auth import one_time_link
from aggregator.api.client import Access, Api, read_access, write_access
from aggregator.api.server import CannotListen
from aggregator.assembly.demo import NoVenues
from aggregator.cli.console import (
    ACCESS_FILE,
    FAULTS,
    GOOD,
    NOT_STARTED,
    add_url,
    err,
    natural,
    port,
    print_json,
    service,
)
from aggregator.config.files import Configuration, load_configuration
from aggregator.config.keys import ApiKey
from aggregator.domain.errors import JournalRefused, VenueDefunct
from aggregator.service.clock import SystemClock
from aggregator.service.logs import start_logging
from aggregator.service.recorder import Recorder
from aggregator.terminal.greeting import demo_greeting

FAULTS_ROUTE = "/_simulator/faults"


def add_commands(commands: Any) -> None:
    demo = commands.add_parser("demo", help="the service on simulated venues of this machine")
    demo.add_argument("--seed", type=natural, metavar="N", help="another market")
    demo.add_argument("--port", type=port, metavar="P", help="where the API listens (8080); 0 takes any that is free")
    demo.set_defaults(run=_demo)

    simulate = commands.add_parser("simulate", help="only the demo's simulated venues, until nobody is connected")
    simulate.add_argument("--seed", type=natural, metavar="N", help="another market")
    simulate.add_argument("--left", type=Path, required=True, metavar="FILE", help="where to write where they are")
    simulate.set_defaults(run=_simulate)

    run = commands.add_parser("run", help="the service, on the venues that a configuration names")
    run.add_argument("--config", type=Path, required=True, metavar="FILE")
    run.set_defaults(run=_run)

    capture = commands.add_parser("capture", help="record raw traffic of a configuration's venues")
    capture.add_argument("--config", type=Path, required=True, metavar="FILE")
    capture.add_argument("--out", type=Path, required=True, metavar="FILE", help="such as traffic.jsonl.gz")
    capture.add_argument("--seconds", type=natural, metavar="N", help="stop by itself (on Ctrl-C)")
    capture.set_defaults(run=_capture)

    fault = commands.add_parser("fault", help="break something at a simulated venue of a running demo")
    fault.add_argument("venue", metavar="VENUE")
    fault.add_argument("name", nargs="?", metavar="FAULT", help="such as silent, gap, crossed; left out: what is on")
    fault.add_argument("options", nargs="*", metavar="OPTION=VALUE", help="such as symbol=BTCUSDT")
    fault.add_argument("--seconds", type=natural, metavar="N", help="end by itself")
    fault.add_argument("--off", action="store_true", help="switch it off")
    add_url(fault)
    fault.set_defaults(run=_fault)


def _demo(options: argparse.Namespace) -> int:
    configuration = _demo_configuration()
    settings = configuration.settings
    if options.port is not None:
        settings = settings.model_copy(update={"listen": settings.listen.model_copy(update={"port": options.port})})
    start_logging(settings.log)
    seed = options.seed or settings.seed or 1
    key = ApiKey(key="demo", secret=secrets.token_urlsafe(32), account="demo", scopes=("read", "trade", "admin"))

    def started(root: str) -> None:
        access = Access(root, key.key, key.secret)
        names = [venue.venue for venue in configuration.venues]
        try:
            write_access(ACCESS_FILE, access)
        except OSError as error:
            print(f"{ACCESS_FILE} cannot be written: {error.strerror}; give commands the key below", file=sys.stderr)
        link = one_time_link(key.key, key.secret, time.time_ns())
        err.print(demo_greeting(access, names, seed, ACCESS_FILE, link), soft_wrap=True)

    configuration = replace(configuration, settings=settings, keys=(*configuration.keys, key))
    try:
        return _until_interrupted(lambda stop: assembly.demo(configuration, seed, ACCESS_FILE.parent, stop, started))
    finally:
        left = read_access(ACCESS_FILE)
        if left and left.secret == key.secret:
            ACCESS_FILE.unlink()


def _simulate(options: argparse.Namespace) -> int:
    configuration = _demo_configuration()
    start_logging(configuration.settings.log)
    seed = options.seed or configuration.settings.seed or 1
    return _until_interrupted(lambda stop: assembly.simulate(configuration, seed, options.left, stop))


def _demo_configuration() -> Configuration:
    return load_configuration(assembly.config_folder() / "demo.yaml")


def _run(options: argparse.Namespace) -> int:
    configuration = load_configuration(options.config)
    start_logging(configuration.settings.log)

    async def serve(stop: asyncio.Event) -> None:
        serving = assembly.Service(configuration, SystemClock())
        await serving.serve(stop, lambda root: err.print(f"listening on {root}"))

    return _until_interrupted(serve)


def _capture(options: argparse.Namespace) -> int:
    # Without a journal it only watches, and can do so beside a service that has this one's journal open.
    configuration = replace(load_configuration(options.config), journal=None)
    start_logging(configuration.settings.log)
    try:
        recorder = Recorder(options.out, f"aggregator capture of {options.config.name}")
    except OSError as error:
        print(f"{options.out} cannot be written: {error.strerror}", file=sys.stderr)
        return NOT_STARTED

    async def record(stop: asyncio.Event) -> None:
        watching = assembly.Service(configuration, SystemClock(), recorder)
        if options.seconds:
            asyncio.get_running_loop().call_later(options.seconds, stop.set)
        await watching.run(stop)

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
    except (CannotListen, VenueDefunct, JournalRefused, NoVenues) as error:
        print(error, file=sys.stderr)
        return NOT_STARTED
    return GOOD


def _fault(options: argparse.Namespace) -> int:
    venue = service(options).get(f"/v1/venues/{options.venue}")
    simulator = Api(Access(venue["rest"]))
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
    print_json(answer)
    return GOOD
