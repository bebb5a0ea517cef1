"""Debian's Chromium over the page. Where it or Playwright is absent, tests are skipped and say why; on CI they fail."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-pings",
)


def executable() -> str:
    """Where it is. Skips the test, or fails it on CI, where there is none."""
    for name in ("chromium", "chromium-browser"):
        found = shutil.which(name)
        if found:
            return found
    return _missing("Chromium is not installed: `apt-get install chromium` brings it")


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """A browser, as Playwright has it."""
    path = executable()
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        _missing("Playwright is not installed; `make setup` brings it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


def _missing(why: str) -> str:
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{why}; on CI the page must be seen")
    pytest.skip(why)
