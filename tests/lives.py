"""A service that lives in a process of its own, again and again: on simulated venues that outlive it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.request import urlopen

from aggregator.api.client import Access, Answered, Api, Unreachable
from aggregator.assembly import SimulatedVenues
from aggregator.assembly.simulated import KEY, SECRET
from aggregator.config.files import load_configuration
from aggregator.service.clock import SystemClock
from tests.paths import REPOSITORY

INSTRUMENTS = ("BTC/USDT", "ETH/USDT")
VENUES = ("binance", "cryptocom", "gateio", "huobi")
PATIENCE_S = 120
"""Far more than anything here takes: no test is to depend on how fast the machine is."""

API_KEY, API_SECRET = "desk", "a-secret-of-the-tests-and-of-nobody-else"

PROCESS_FILE = """\
venues: [venues/]
listen: {host: 127.0.0.1, port: 0, anonymous: [read]}
journal: journal.db
keys: keys.yaml
log: {level: info, format: json}
"""

_ROOT = re.compile(r"(http://127\.0\.0\.1:\d+)\b")

KEY_FILE = f"""\
api_keys:
  - {{key: {API_KEY}, secret: {API_SECRET}, account: desk, scopes: [read, trade, admin]}}
"""


class Life:
    """One process, from its start to its end."""

    def __init__(self, program: asyncio.subprocess.Process, stderr: Path) -> None:
        self.pid = program.pid
        self._program = program
        self._stderr = stderr

    @classmethod
    async def begin(cls, *words: str, cwd: Path, environment: Mapping[str, str]) -> Life:
        """`aggregator` with these words."""
        told = cwd / f"stderr-{token_hex(4)}"
        with told.open("wb") as stderr:
            program = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "aggregator",
                *words,
                cwd=cwd,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr,
            )
        return cls(program, told)

    @property
    def told(self) -> str:
        """What it has written to its stderr."""
        return self._stderr.read_text(errors="replace")

    async def root(self) -> str:
        """Where it listens, once it does."""

        async def is_known() -> bool:
            assert self._program.returncode is None, self.told
            return _ROOT.search(self.told) is not None

        await until(is_known)
        found = _ROOT.search(self.told)
        assert found is not None
        return found[1]

    async def kill(self) -> None:
        """As `kill -9` does. One that has ended by itself before had no reason to."""
        assert self._program.returncode is None, self.told
        self._program.kill()
        await self._ended()

    async def stop(self) -> int:
        """In order; returns its exit code."""
        assert self._program.returncode is None, self.told
        self._program.terminate()
        return await self._ended()

    async def leave(self) -> None:
        """However the test went, nothing is left running."""
        if self._program.returncode is None:
            self._program.kill()
        await self._ended()

    async def _ended(self) -> int:
        async with asyncio.timeout(PATIENCE_S):
            return await self._program.wait()


class House:
    """The venues in this process, and the files of a service that trades on them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        (folder / "venues").mkdir(parents=True)
        (folder / "aggregator.yaml").write_text(PROCESS_FILE)
        keys = folder / "keys.yaml"
        keys.write_text(KEY_FILE)
        keys.chmod(0o600)
        self._write_venues({})
        configuration = load_configuration(folder / "aggregator.yaml")
        self.venues = SimulatedVenues(configuration, seed, SystemClock())
        self.addresses: dict[str, str] = {}
        self.environment = {
            name: secret
            for venue in configuration.venues
            if venue.secrets is not None
            for name, secret in ((venue.secrets.key, KEY), (venue.secrets.secret, SECRET))
        }
        self.lives: list[Life] = []
        self.root = ""

    @property
    def journal(self) -> Path:
        return self.folder / "journal.db"

    @property
    def api(self) -> Api:
        """Of the service that lives now, or lived last."""
        return Api(Access(self.root, API_KEY, API_SECRET))

    async def open(self) -> None:
        self.addresses = await self.venues.listen()
        self._write_venues(self.addresses)

    async def begin(self) -> Life:
        """Start the service; it listens when this returns, and may not be ready yet."""
        life = await self._begin()
        self.root = await life.root()
        return life

    async def begin_and_kill(self, after_s: float) -> None:
        """Start it, and kill it so soon that it may not have read its journal yet."""
        life = await self._begin()
        await asyncio.sleep(after_s)
        await life.kill()

    async def fault(self, venue: str, name: str, **options: Any) -> None:
        simulator = Api(Access(f"http://{self.addresses[venue]}"))
        await asyncio.to_thread(simulator.send, "POST", "/_simulator/faults", {"name": name, **options})

    async def no_faults(self) -> None:
        for address in self.addresses.values():
            simulator = Api(Access(f"http://{address}"))
            answer = await asyncio.to_thread(simulator.get, "/_simulator/faults")
            for fault in answer["faults"]:
                await asyncio.to_thread(simulator.send, "DELETE", f"/_simulator/faults?name={fault['name']}")

    def metrics(self) -> str:
        with urlopen(f"{self.root}/metrics", timeout=PATIENCE_S) as answer:
            text: str = answer.read().decode()
            return text

    async def is_ready(self) -> bool:
        """Every book is live, and every account is reconciled."""
        try:
            ready = await asyncio.to_thread(self.api.get, "/ready")
            halt = await asyncio.to_thread(self.api.halt)
        except (Answered, Unreachable):
            return False
        return ready["live_books"] == len(VENUES) * len(INSTRUMENTS) and not halt["reconciling"]

    async def _begin(self) -> Life:
        words = ("run", "--config", str(self.folder / "aggregator.yaml"))
        self.lives.append(await Life.begin(*words, cwd=self.folder, environment=self.environment))
        return self.lives[-1]

    def _write_venues(self, addresses: Mapping[str, str]) -> None:
        """The real files, with two of their listings, and at these addresses."""
        for venue in VENUES:
            lines = (REPOSITORY / "config" / "venues" / f"{venue}.yaml").read_text().splitlines()
            text = "\n".join(line for line in lines if "- {symbol" not in line or any(i in line for i in INSTRUMENTS))
            text = re.sub(r"^route: \w+", "route: true", text, flags=re.MULTILINE)
            if venue in addresses:
                text = re.sub(r"\b(ws|http)s://[^/\s]+", rf"\g<1>://{addresses[venue]}", text)
            (self.folder / "venues" / f"{venue}.yaml").write_text(text + "\n")


@asynccontextmanager
async def housed(folder: Path, seed: int) -> AsyncIterator[House]:
    """With the venues' time passing; all that lives in it ends with it."""
    house = House(folder, seed)
    await house.open()
    running = asyncio.create_task(house.venues.run())
    try:
        yield house
    finally:
        for life in house.lives:
            await life.leave()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await house.venues.close()


async def until(holds: Callable[[], Awaitable[bool]], patience_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(patience_s):
        while not await holds():
            await asyncio.sleep(0.05)
