"""The API against a bare aiohttp handler that answers with the same bytes: what a book and a plan cost beyond HTTP.

Both are in one server process and are asked in turn. A figure is of the server's processor, of one request from its
sending to its answer, or of the clock when many connections ask at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from statistics import median
from time import perf_counter
from typing import NamedTuple

from tests.benchmarks.api_requests import BOOK, QUOTE, Line, Request
from tests.benchmarks.contest import ROUNDS, Figure
from tests.benchmarks.processes import Process, python

ASKED, WARM, CONNECTIONS = 600, 50, 8
BARE_COSTS_AT_MOST = 2
"""A book that is encoded already costs at most so many times what HTTP alone does."""


class Score(NamedTuple):
    """Seconds: of the server's processor for one request, from sending to answer, and for one of many at once."""

    cpu: float
    single: float
    crowded: float


def run() -> Iterator[Figure]:
    with python("tests.benchmarks.api_server") as server:
        ports = json.loads(server.line())
        yield from _figures("GET /v1/books, 50 levels", BOOK, server, ports, 1 / BARE_COSTS_AT_MOST)
        yield from _figures("POST /v1/quotes, 4 x 200 levels", QUOTE, server, ports, None)


def _figures(
    case: str, request: Request, server: Process, ports: dict[str, int], times_at_least: float | None
) -> Iterator[Figure]:
    answers = {name: request.sent_to(port) for name, port in ports.items()}
    if answers["ours"] != answers["theirs"]:
        yield Figure(case, faulty="ours and theirs did not answer with the same bytes")
        return
    scores: dict[str, list[Score]] = {name: [] for name in ports}
    for _ in range(ROUNDS):
        for name, port in ports.items():
            scores[name].append(_round(request, server, port))
    for field, word in (("cpu", "CPU of the server"), ("single", "one at a time, p50"), ("crowded", "8 at a time")):
        ours, theirs = (median(getattr(score, field) for score in scores[name]) * 1e6 for name in ("ours", "theirs"))
        yield Figure(f"{case}: {word}", "µs", ours, theirs, times_at_least if field == "cpu" else None)


def _round(request: Request, server: Process, port: int) -> Score:
    with closing(Line(port)) as line:
        _asked(line, request, WARM)
        before = float(server.ask("cpu"))
        singles = _asked(line, request, ASKED)
        cpu = (float(server.ask("cpu")) - before) / ASKED
    return Score(cpu, median(singles), _crowded(request, port))


def _asked(line: Line, request: Request, count: int) -> list[float]:
    """Seconds of each."""
    seconds = []
    for _ in range(count):
        begin = perf_counter()
        line.send(request.content)
        line.answer()
        seconds.append(perf_counter() - begin)
    return seconds


def _crowded(request: Request, port: int) -> float:
    lines = [Line(port) for _ in range(CONNECTIONS)]
    begin = perf_counter()
    for _ in range(ASKED // CONNECTIONS):
        for line in lines:
            line.send(request.content)
        for line in lines:
            line.answer()
    seconds = perf_counter() - begin
    for line in lines:
        line.close()
    return seconds / (ASKED // CONNECTIONS * CONNECTIONS)
