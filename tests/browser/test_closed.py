"""Where the market is for holders of keys, the page asks who it is before it shows any of it."""

import pytest
import pytest_asyncio

from tests.browser.page import NONE, watched
from tests.browser.served import KEY, served
from tests.dashboard.test_texts import words

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def closed(browser, tmp_path_factory):
    async with served(tmp_path_factory.mktemp("closed"), anonymous=()) as started:
        yield started


async def test_the_page_asks_to_sign_in_and_then_shows_the_market(browser, closed):
    async with watched(browser, closed) as page:
        await page.page.goto(closed.root)
        await page.until(lambda: page.page.is_visible("#sign-in-dialog"), bool)
        assert await page.text("#sign-in-error") == words("en")["session.required"]
        assert await page.text("#best-bid") in ("", NONE)
        await page.page.fill("#sign-in-form [name=key]", KEY.key)
        await page.page.fill("#sign-in-form [name=secret]", KEY.secret)
        await page.page.locator("#sign-in-form button[type=submit]").click()
        await page.until(lambda: page.text("#best-bid"), lambda bid: bid not in ("", NONE))
        assert not await page.page.is_visible("#sign-in-dialog")
        refused = [complaint for complaint in page.complaints if "401" in complaint]
        page.complaints[:] = [complaint for complaint in page.complaints if complaint not in refused]
        assert len(refused) <= 2, "it asks again when somebody has signed in, and not before"


async def test_the_one_time_link_is_followed_without_a_question(browser, closed):
    async with watched(browser, closed) as page:
        await page.open(closed.link())
        assert not await page.page.is_visible("#sign-in-dialog")
