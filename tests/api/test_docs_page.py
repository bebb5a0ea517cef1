"""The page at /docs in a browser: it shows everything that the document says, and signs what is tried on it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from aggregator.api.problems import Code
from aggregator.api.routes import TABLE
from tests.api.desk import ORDER, TRADER, Desk
from tests.api.whole import whole
from tests.browser.chromium import chromium

pytestmark = pytest.mark.slow


@asynccontextmanager
async def shown(desk: Desk, **context: Any) -> AsyncIterator[Any]:
    """The page; it must log nothing, and ask nobody but its own service."""
    server = whole(desk, TRADER)
    root = await server.open("127.0.0.1", 0)
    complaints: list[str] = []
    try:
        async with chromium() as browser:
            page = await browser.new_page(**context)
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda asked: None if asked.url.startswith(root) else complaints.append(asked.url))
            await page.goto(f"{root}/docs")
            await page.wait_for_selector("html[data-ready]")
            yield page
    finally:
        await server.close()
    assert [text for text in complaints if not text.startswith("data:")] == []


async def tried(page: Any, name: str, body: Any = None, **parameters: str) -> tuple[int, Any]:
    """What the page shows after a request was sent by its form."""
    await page.evaluate(f"document.getElementById('{name}').open = true")
    for parameter, value in parameters.items():
        await page.fill(f"#{name} input[name={parameter}]", value)
    if body is not None:
        await page.fill(f"#{name} textarea", json.dumps(body))
    await page.click(f"#{name} button")
    # By its text, since the page's policy lets no script be evaluated in it from a string.
    answer = page.locator(f"#{name} pre", has_text=re.compile(r"^[0-9]{3} in "))
    await answer.wait_for()
    head, _, text = (await answer.text_content()).partition("\n\n")
    return int(head.split()[0]), msgspec.json.decode(text)


async def test_everything_that_is_documented_is_on_the_page() -> None:
    async with shown(Desk()) as page:
        drawn = await page.evaluate("[...document.querySelectorAll('#routes > details')].map((each) => each.id)")
        assert sorted(drawn) == sorted(route.name for route in TABLE)
        codes = await page.evaluate(
            "[...document.querySelectorAll('#codes tr td:first-child')].map((c) => c.textContent)"
        )
        assert codes == [code.value for code in Code]
        links = await page.evaluate("[...document.querySelectorAll('a[href^=\"#\"]')].map((a) => a.hash.slice(1))")
        assert await page.evaluate("(ids) => ids.filter((id) => !document.getElementById(id))", links) == []


async def test_a_request_is_signed_in_the_page_and_answered() -> None:
    desk = Desk(real_clock_ns=time.time_ns, anonymous=("read",))
    async with shown(desk) as page:
        status, book = await tried(page, "book", symbol="BTC-USDT", depth="1")
        assert (status, book["asks"]) == (200, [["101", "2", {"binance": "2"}]])
        await page.fill("#key", TRADER.key)
        await page.fill("#secret", TRADER.secret)
        status, order = await tried(page, "place_order", {**ORDER, "client_order_id": "from-the-page"})
        assert (status, order["client_order_id"]) == (201, "from-the-page")
        assert "from-the-page" in [parent.terms.client_order_id for parent in desk.engine.orders.parents.values()]
        status, found = await tried(page, "order", id="client:from-the-page")
        assert (status, found["order_id"]) == (200, order["order_id"])


async def test_whole_numbers_are_shown_as_they_were_sent() -> None:
    """JavaScript holds no more than 53 bits of one exactly; a time in ns has 61."""
    desk = Desk(anonymous=("read",))
    desk.now_ns += 123_456_789
    async with shown(desk) as page:
        _, book = await tried(page, "book", symbol="BTC-USDT")
    assert book["as_of_ns"] == desk.now_ns


async def test_what_is_shown_is_text_and_fits_a_phone() -> None:
    async with shown(Desk(), viewport={"width": 390, "height": 800}) as page:
        await page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        assert await page.evaluate("document.querySelectorAll('main script, main [onclick]').length") == 0
