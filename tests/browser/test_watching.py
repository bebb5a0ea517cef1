"""The page follows the market: its numbers are the API's, faults are marked, and a lost connection shows at once."""

import re
from decimal import Decimal
from typing import Any

import pytest

from tests.browser.page import Watched, watched

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS_ASIDE = 16


def levels(book: Any, side: str) -> list[tuple[str, str]]:
    return [(price, quantity) for price, quantity, _ in book[side][:ROWS_ASIDE]]


async def pair(page: Watched, view: str, symbol: str = "BTC-USDT") -> Any:
    """The page's ladder and the API's book, as close to one moment as it gets."""
    book = await page.served.ask("GET", f"/v1/books/{symbol}?depth={ROWS_ASIDE}&view={view}")
    shown = {side: await page.ladder(side) for side in ("bids", "asks")}
    return book, shown


def is_same(seen: Any) -> bool:
    book, shown = seen
    return all([level[:2] for level in shown[side]] == levels(book, side) for side in ("bids", "asks"))


@pytest.mark.parametrize("view", ["gross", "net"])
async def test_the_ladder_follows_a_moving_book_and_its_numbers_are_the_apis(browser, service, view):
    async with watched(browser, service) as page:
        await page.open()
        await page.page.locator(f"#view [value={view}]").check(force=True)
        names = {venue["venue"]: venue["name"] for venue in (await service.ask("GET", "/v1/venues"))["venues"]}
        for _ in range(3):
            async with service.still():
                book, shown = await page.until(lambda: pair(page, view), is_same)
            for side in ("bids", "asks"):
                for level, (_, _, shares) in zip(shown[side], book[side], strict=False):
                    assert level.venues == ", ".join(f"{names[venue]} {share}" for venue, share in shares.items())
            await page.until(lambda: page.ladder("bids"), lambda rows: rows != shown["bids"])  # noqa: B023


async def test_best_spread_and_mid_are_exact(browser, service):
    async with watched(browser, service) as page:
        await page.open()
        best = {}
        for name in ("best-bid", "best-ask", "spread", "mid"):
            best[name] = f"document.getElementById('{name}').textContent"
        texts = await page.page.evaluate(f"() => [{', '.join(best.values())}]")
        bid, ask, spread, mid = map(Decimal, texts)
        assert spread == ask - bid
        assert mid == (ask + bid) / 2
        total = Decimal(0)
        for level in await page.ladder("asks"):
            total += Decimal(level.quantity)
            assert Decimal(level.total) == total


async def test_another_instrument_replaces_everything(browser, service):
    async with watched(browser, service) as page:
        await page.open()
        await page.page.select_option("#instrument", "ETH/USDT")
        async with service.still():
            await page.until(lambda: pair(page, "gross", "ETH-USDT"), is_same)
        assert await page.text("#ticket-base") == "ETH"
        assert (await page.page.title()).startswith("ETH/USDT")
        await page.page.reload()
        async with service.still():
            await page.until(lambda: pair(page, "gross", "ETH-USDT"), is_same)


async def test_a_venue_with_a_fault_is_greyed_with_its_reason_and_comes_back(browser, service):
    card = "#venue-cards li:has-text('Gate.io')"
    async with watched(browser, service) as page:
        await page.open()
        await page.until(lambda: page.page.locator(card).get_attribute("class"), lambda name: "health-live" in name)
        await service.fault("gateio", "crossed", symbol="BTC_USDT")
        try:
            gone = await page.until(
                lambda: page.page.locator(card).get_attribute("class"), lambda name: "health-live" not in name
            )
            health = re.search(r"health-(\w+)", gone)
            assert health and health[1] in ("crossed", "syncing")
            reason = await page.until(lambda: page.text(f"{card} .reason"), bool)
            mark = await page.until(lambda: page.text("#book-marks"), lambda text: "Gate.io out: " in text)
            told = (await service.ask("GET", "/v1/books/BTC-USDT"))["excluded"]
            assert reason
            assert mark
            assert "gateio" in told
            shown = await page.until(lambda: page.ladder("asks"), bool)
            assert not any("Gate.io" in level.venues for level in shown)
        finally:
            await service.heal("gateio", "crossed")
        await page.until(lambda: page.page.locator(card).get_attribute("class"), lambda name: "health-live" in name)
        await page.until(lambda: page.text("#book-marks"), lambda text: "Gate.io" not in text)


async def test_a_lost_connection_shows_at_once_and_heals(browser, service):
    sockets: list[Any] = []

    def through(socket):
        socket.connect_to_server()
        sockets.append(socket)

    async with watched(browser, service) as page:
        await page.page.route_web_socket("**/v1/stream", through)
        await page.open()
        assert await page.shown("#lost") == ""
        await page.page.context.set_offline(True)
        await sockets[-1].close(code=1001)
        await page.until(lambda: page.shown("#lost"), lambda text: "no longer current" in text)
        assert await page.text("#connection") == "Not connected"
        await page.page.context.set_offline(False)
        await page.until(lambda: page.shown("#lost"), lambda text: text == "")
        async with service.still():
            await page.until(lambda: pair(page, "gross"), is_same)
        page.complaints = [line for line in page.complaints if "ERR_INTERNET_DISCONNECTED" not in line]


async def test_a_number_that_does_not_follow_brings_a_new_snapshot(browser, service):
    dropped: list[str] = []

    def through(socket):
        server = socket.connect_to_server()

        def forward(message):
            if '"channel":"book"' in message and '"type":"change"' in message and len(dropped) < 3:
                dropped.append(message)
            else:
                socket.send(message)

        server.on_message(forward)

    async with watched(browser, service) as page:
        await page.page.route_web_socket("**/v1/stream", through)
        await page.open()
        await page.until(lambda: page.ladder("bids"), lambda _: len(dropped) == 3)
        async with service.still():
            await page.until(lambda: pair(page, "gross"), is_same)


COUNT_DRAWING = """
window.drawn = { canvas: 0, cells: 0 };
const clear = CanvasRenderingContext2D.prototype.clearRect;
CanvasRenderingContext2D.prototype.clearRect = function (...box) { window.drawn.canvas += 1; clear.apply(this, box); };
"""
COUNT_CELLS = """() => new MutationObserver(seen => { window.drawn.cells += seen.length; }).observe(
  document.querySelector("#ladder"), { subtree: true, childList: true, characterData: true, attributes: true })"""


async def test_nothing_moves_when_nothing_changed(browser, service):
    is_open = [True]

    def through(socket):
        server = socket.connect_to_server()
        server.on_message(lambda message: socket.send(message) if is_open[0] or "pong" in message else None)

    async with watched(browser, service) as page:
        await page.page.add_init_script(COUNT_DRAWING)
        await page.page.route_web_socket("**/v1/stream", through)
        await page.open()
        is_open[0] = False
        await page.frames(10)
        await page.page.evaluate(COUNT_CELLS)
        before = await page.page.evaluate("window.drawn")
        await page.frames(40)
        assert await page.page.evaluate("window.drawn") == before
        assert before["canvas"] > 0


async def test_the_depth_can_be_zoomed_and_read_by_keyboard(browser, service):
    async with watched(browser, service) as page:
        await page.open()
        await page.page.focus("#depth-canvas")
        for key in ("+", "+", "-"):
            await page.page.keyboard.press(key)
        await page.page.keyboard.press("ArrowRight")
        told = await page.until(lambda: page.text("#depth-readout"), bool)
        assert re.search(r"\d BTC", told) or told == "Between best bid and offer"
        await page.page.keyboard.press("Escape")
        await page.until(lambda: page.text("#depth-readout"), lambda text: text == "")
        await page.page.hover("#depth-canvas", position={"x": 20, "y": 100})
        told = await page.until(lambda: page.text("#depth-readout"), bool)
        assert told.startswith("Bids down to ")


async def test_public_trades_come_in(browser, service):
    async with watched(browser, service) as page:
        await page.open()
        rows = page.page.locator("#trades-rows tr")
        await page.until(rows.count, lambda count: count > 3)
