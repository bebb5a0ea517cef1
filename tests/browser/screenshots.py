"""`python -m tests.browser.screenshots FOLDER`: the pictures of the README, from simulated venues."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.browser.chromium import chromium
from tests.browser.page import Watched, watched
from tests.browser.served import Served, served

DESK = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


async def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as kept:
        async with chromium() as browser, served(Path(kept)) as service:
            async with watched(browser, service, color_scheme="dark", **DESK) as page:
                await planned(page, service)
                await page.page.screenshot(path=folder / "dashboard.png")
            async with watched(browser, service, color_scheme="dark", locale="ko-KR", **PHONE) as page:
                await page.open(service.link())
                await settled(page)
                await page.page.screenshot(path=folder / "dashboard-phone.png")
            async with watched(browser, service, color_scheme="light", **DESK) as page:
                await broken(page, service)
                await page.page.screenshot(path=folder / "dashboard-fault.png")


async def planned(page: Watched, service: Served) -> None:
    """A plan on the ticket."""
    await page.open(service.link())
    await settled(page)
    await page.page.fill("[name=quantity]", "5")
    await page.page.locator("[name=type][value=market]").check(force=True)
    await page.page.click("#ticket-plan")
    await page.until(lambda: page.text("#plan"), bool)
    await page.page.click("h1")


async def broken(page: Watched, service: Served) -> None:
    """One venue is silent: greyed, with its reason."""
    await page.open(service.link())
    await settled(page)
    await service.fault("huobi", "silent")
    await page.until(lambda: page.text("#book-marks"), lambda text: "HTX" in text)
    await page.until(lambda: page.text("#venue-cards .health-stale .reason"), bool)


async def settled(page: Watched) -> None:
    """Until the account is known and every part has something to show."""
    rows: Any = page.page.locator("#trades-rows tr")
    await page.until(lambda: page.text("#account"), bool)
    await page.until(rows.count, lambda count: count > 12)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("give the folder for the pictures, such as docs/")
    asyncio.run(main(Path(sys.argv[1])))
