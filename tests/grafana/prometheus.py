"""Prometheus of Debian's packages, where it is installed; with CI=true it has to be."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import pytest

from tests.paths import REPOSITORY

GRAFANA = REPOSITORY / "grafana"
PATIENCE_S = 60


def installed(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        text = f"{name} is not installed; it is in Debian's package prometheus"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    return found


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [installed("promtool"), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE_S)


class Prometheus:
    def __init__(self, root: str, http: aiohttp.ClientSession) -> None:
        self._root = root
        self._http = http

    async def query(self, expression: str) -> list[Any]:
        """The series that it gives. Raises AssertionError for what is no expression."""
        async with self._http.get(f"{self._root}/api/v1/query?{urlencode({'query': expression})}") as answer:
            document = json.loads(await answer.text())
        assert document["status"] == "success", f"{expression}: {document.get('error')}"
        result: list[Any] = document["data"]["result"]
        return result

    async def until_scraped(self, times: int) -> None:
        """At least so many scrapes are kept."""
        async with asyncio.timeout(PATIENCE_S):
            while not (rows := await self.query("count_over_time(up[10m])")) or int(rows[0]["value"][1]) < times:
                await asyncio.sleep(0.2)


@asynccontextmanager
async def scraping(target: str, folder: Path) -> AsyncIterator[Prometheus]:
    """With the project's own rules; it looks each second."""
    config = (GRAFANA / "prometheus.yaml").read_text()
    for old, new in (
        ("127.0.0.1:8080", urlsplit(target).netloc),
        ("interval: 5s", "interval: 1s"),
        ("- alerts.yaml", f"- {GRAFANA / 'alerts.yaml'}"),
    ):
        assert old in config
        config = config.replace(old, new)
    (folder / "prometheus.yaml").write_text(config)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        installed("prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address={address}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession() as http:
            await _until_ready(f"http://{address}", http, process)
            yield Prometheus(f"http://{address}", http)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_ready(root: str, http: aiohttp.ClientSession, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            assert process.returncode is None, "prometheus ended at once"
            try:
                async with http.get(f"{root}/-/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
