"""The service on simulated venues, which are a process of their own: when the service is killed, they go on, as venues
do, and a service that is started again meets them as they are."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

from aggregator.assembly.local import Participants
from aggregator.assembly.service import Service
from aggregator.assembly.simulated import credentials, moved
from aggregator.config.files import Configuration
from aggregator.domain.local import LocalRules
from aggregator.service.clock import SystemClock

LEFT = "venues.json"
RECORDS = "records"
WON_IN_100 = 142_857
"""What a hundred simulated dollars are worth."""

START_PATIENCE_S = 60


class Found(NamedTuple):
    """Simulated venues that run: their process, which run it is, and `host:port` by venue."""

    run: str
    pid: int
    seed: int
    addresses: dict[str, str]


class NoVenues(Exception):
    """The simulated venues did not start."""


async def demo(
    configuration: Configuration, seed: int, folder: Path, stop: asyncio.Event, started: Callable[[str], None]
) -> None:
    """Serve until `stop` is set, then end the venues as well. `folder` keeps the journal and where the venues are; what
    a service that was killed has left there is gone on with, if its venues still run.

    Raises NoVenues, CannotListen, JournalRefused.
    """
    found, started_here = running(folder / LEFT), None
    if found is None or found.seed != seed:
        found, started_here = await start(folder, seed)
    forget_other_runs(folder, found.run)
    clock_ns = SystemClock()
    prepare = partial(moved, addresses=found.addresses)
    there = prepare(configuration)
    if started_here is not None:
        shutil.rmtree(folder / RECORDS, ignore_errors=True)  # of venues that are no more
    there = replace(there, journal=folder / f"{found.run}.db", records=folder / RECORDS)
    try:
        ours, participants = credentials(found.addresses), partial(trade, seed)
        service = Service(there, clock_ns, credentials=ours, participants=participants, prepare=prepare)
        await service.serve(stop, started)
    finally:
        with suppress(ProcessLookupError):  # they may have ended by themselves
            os.kill(found.pid, signal.SIGTERM)
        if started_here is not None:
            await started_here.wait()


async def trade(seed: int, service: Service) -> None:
    """Let simulated participants fill Busan's own books, around what the partners' books say in won."""
    rules = service.local_rules

    def fair(listing: LocalRules) -> int | None:
        """Where the partners' middle is, turned into won as the simulated markets began."""
        dollars = service.middle(f"{listing.instrument.base}/USDT")
        return None if dollars is None else dollars * WON_IN_100 // 100

    participants = Participants(rules, service.runner.ask, service.clock_ns, fair, seed)
    await participants.open_accounts(["demo"])
    await participants.run()


def running(left: Path) -> Found | None:
    """The simulated venues that this file tells of, if they still answer."""
    try:
        told: dict[str, Any] = json.loads(left.read_text())
        found = Found(str(told["run"]), int(told["pid"]), int(told["seed"]), dict(told["addresses"]))
        for address in found.addresses.values():
            with urlopen(f"http://{address}/_simulator/faults", timeout=5):
                pass
    except (OSError, URLError, ValueError, KeyError, TypeError):
        return None
    return found


async def start(folder: Path, seed: int) -> tuple[Found, asyncio.subprocess.Process]:
    """Start the venues' process, which outlives this one."""
    left = _cleared(folder)
    command = [sys.executable, "-m", "aggregator", "simulate", "--seed", str(seed), "--left", str(left)]
    venues = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, start_new_session=True
    )
    try:
        async with asyncio.timeout(START_PATIENCE_S):
            while (found := await asyncio.to_thread(running, left)) is None:
                if venues.returncode is not None:
                    raise NoVenues(f"the simulated venues ended at once: {' '.join(command)} tells why")
                await asyncio.sleep(0.1)
    except BaseException:
        if venues.returncode is None:
            venues.terminate()
        raise
    return found, venues


def _cleared(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    left = folder / LEFT
    left.unlink(missing_ok=True)
    return left


def forget_other_runs(folder: Path, run: str) -> None:
    """Journals of other runs speak of venues and accounts that are no more."""
    for journal in folder.glob("*.db*"):
        if not journal.name.startswith(f"{run}."):
            journal.unlink(missing_ok=True)
