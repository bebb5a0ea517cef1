"""What a person sees of the page, and what a test may ask of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.browser.served import PATIENCE_S, Served

NONE = "\u2013"
"""Stands where there is no number."""

ROWS = """
side => [...document.querySelectorAll(`#ladder-${side} tr`)]
  .filter(row => row.cells[0].textContent.trim())
  .map(row => [
    row.cells[0].textContent.trim(), row.cells[1].textContent.trim(), row.cells[2].textContent.trim(),
    row.cells[3].title,
  ])
"""


class Level(NamedTuple):
    price: str
    quantity: str
    total: str
    venues: str


class Watched:
    """A page, and what it did that nobody saw."""

    def __init__(self, page: Any, served: Served) -> None:
        self.page = page
        self.served = served
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda socket: self._asked(socket.url))

    async def open(self, link: str | None = None) -> None:
        await self.page.goto(link or self.served.root)
        await self.until(lambda: self.text("#best-bid"), lambda bid: bid not in ("", NONE))

    async def text(self, selector: str) -> str:
        return str(await self.page.locator(selector).first.text_content()).strip()

    async def shown(self, selector: str) -> str:
        """As it is laid out; nothing when it is hidden."""
        return str(await self.page.locator(selector).first.inner_text()).strip()

    async def ladder(self, side: str) -> list[Level]:
        """The best level first."""
        rows = [Level(*row) for row in await self.page.evaluate(ROWS, side)]
        return rows[::-1] if side == "asks" else rows

    async def until(self, read: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> Any:
        seen: Any = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not holds(seen := await read()):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"it stayed {seen!r}") from None
        return seen

    async def frames(self, count: int) -> None:
        """Until the page was drawn so many times."""
        await self.page.evaluate(
            "count => new Promise(done => { const go = () => count-- ? requestAnimationFrame(go) : done(); go(); })",
            count,
        )

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _asked(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.served.root).netloc:
            self.elsewhere.append(url)


@asynccontextmanager
async def watched(browser: Any, served: Served, **context: Any) -> AsyncIterator[Watched]:
    """In a profile of its own. At the end it must not have complained, nor have asked any other host."""
    options = {"viewport": {"width": 1440, "height": 900}, "locale": "en-US", **context}
    profile = await browser.new_context(**options)
    try:
        page = Watched(await profile.new_page(), served)
        yield page
        assert not page.complaints, page.complaints
        assert not page.elsewhere, page.elsewhere
    finally:
        await profile.close()
