"""One service and one browser for all tests of a file: both take seconds to start."""

import pytest_asyncio

from tests.browser.chromium import chromium
from tests.browser.served import served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with chromium() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(browser, tmp_path_factory):
    async with served(tmp_path_factory.mktemp("service")) as started:
        yield started
