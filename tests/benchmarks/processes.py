"""Processes that take part in a benchmark: modules of it, which are spoken to line by line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.paths import REPOSITORY


class Process:
    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self._popen = popen

    def ask(self, question: str) -> str:
        assert self._popen.stdin is not None
        print(question, file=self._popen.stdin, flush=True)
        return self.line()

    def line(self) -> str:
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if not line:
            raise RuntimeError("a process of the benchmark ended before it answered; its errors stand above")
        return line.strip()


@contextmanager
def python(module: str, *arguments: str) -> Iterator[Process]:
    """Runs until the end of the block."""
    command = [sys.executable, "-m", module, *arguments]
    popen = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Process(popen)
    finally:
        popen.kill()
        popen.communicate()
