"""The configuration's files while the service runs: watched, and taken on whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from aggregator.assembly.fleet import Ask, Fleet
from aggregator.config.document import read_document
from aggregator.config.files import Configuration, files_of, load_configuration
from aggregator.config.venues import venue_from
from aggregator.domain.errors import ConfigurationRefused, JournalFailed

log = logging.getLogger("aggregator.configuration")

LOOK_EVERY_S = 1.0

Prepare = Callable[[Configuration], Configuration]
"""What is done to a configuration before it is used; a demo sends its venues elsewhere."""


def as_it_is(configuration: Configuration) -> Configuration:
    """For a configuration that is used as it stands in its files."""
    return configuration


class Files:
    """Of the process file and all that it names. Only venues and routing are changed while the service runs; what else
    has changed takes effect at the next start, and that is logged."""

    def __init__(self, configuration: Configuration, fleet: Fleet, ask: Ask, prepare: Prepare = as_it_is) -> None:
        self._configuration = configuration
        self._fleet = fleet
        self._ask = ask
        self._prepare = prepare
        self._one_at_a_time = asyncio.Lock()
        self._seen = ""

    async def watch(self) -> None:
        """Look for changes until cancelled. A file that is refused leaves the old one in use, and says so."""
        path = self._configuration.file
        if path is None:
            return
        self._seen = await asyncio.to_thread(_fingerprint, path)
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if await asyncio.to_thread(_fingerprint, path) == self._seen:
                continue
            try:
                await self._take(path, "its file", "")
            except ConfigurationRefused:
                log.warning("changed files are refused, and those of before stay in use: %s", self._fleet.refused[0])
            except JournalFailed as failed:
                log.error("changed files are not taken on, for nothing can be recorded: %s", failed)

    async def add(self, text: str, by: str, reason: str) -> str:
        """Take on the venue that a text describes, as a file of its own; returns its id. Raises ConfigurationRefused
        with every fault, and then nothing has changed."""
        raw = text.encode()
        named = read_document(raw, "the file").at(("venue",))
        venue = venue_from(raw, f"{named if isinstance(named, str) else 'venue'}.yaml").venue
        folder = self._configuration.added
        if venue in self._fleet.settings:
            raise ConfigurationRefused([f"{venue} is followed already; change its file, or switch it with PATCH"])
        if folder is None or self._configuration.file is None:
            text = "this service takes no venues on; name a folder for them under `added` in the process file"
            raise ConfigurationRefused([text])
        path = folder / f"{venue}.yaml"
        await asyncio.to_thread(_written, path, raw)
        try:
            await self._take(self._configuration.file, by, reason)
        except (ConfigurationRefused, JournalFailed):
            path.unlink(missing_ok=True)
            self._fleet.refused = ()
            raise
        return venue

    async def _take(self, path: Path, by: str, reason: str) -> None:
        async with self._one_at_a_time:
            seen = await asyncio.to_thread(_fingerprint, path)
            try:
                found = await asyncio.to_thread(load_configuration, path)
                await self._fleet.reload(self._prepare(found), self._ask, by, reason)
            except ConfigurationRefused as refused:
                self._fleet.refused = tuple(refused.faults)
                raise
            finally:
                self._seen = seen
            self._fleet.refused = ()
            if _others(found) != _others(self._configuration):
                log.warning("what else has changed in %s takes effect at the next start", path)


def _others(configuration: Configuration) -> object:
    """All of the process file that is not taken on while the service runs."""
    return configuration.settings.model_dump(exclude={"venues", "added", "routing"})


def _fingerprint(path: Path) -> str:
    digest = hashlib.sha256()
    for file in files_of(path):
        digest.update(str(file).encode())
        try:
            digest.update(file.read_bytes())
        except OSError as error:
            digest.update(repr(error).encode())
    return digest.hexdigest()


def _written(path: Path, raw: bytes) -> None:
    """Whole or not at all. Raises ConfigurationRefused where it cannot be written."""
    waiting = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting.write_bytes(raw)
        waiting.replace(path)
    except OSError as error:
        raise ConfigurationRefused([f"{path} cannot be written: {error.strerror}; let this user write there"]) from None
