"""Who is signed in trades from the page: planned, sent, filled, canceled, halted; by mouse and by keyboard alone."""

from typing import Any

import pytest

from tests.browser.page import NONE, Watched, watched
from tests.browser.served import KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROW = "#orders-rows tr:not(.detail)"


async def plan(page: Watched, **fields: str) -> Any:
    """Fill in the ticket and ask for a plan; returns the API's answer."""
    for name, value in fields.items():
        field = page.page.locator(f"#ticket-form [name={name}]")
        if name in ("side", "type"):
            await page.page.locator(f"#ticket-form [name={name}][value={value}]").check(force=True)
        elif name == "time_in_force":
            await field.select_option(value)
        else:
            await field.fill(value)
    async with page.page.expect_response("**/v1/quotes") as answered:
        await page.page.click("#ticket-plan")
    return await (await answered.value).json()


async def send(page: Watched) -> Any:
    async with page.page.expect_response("**/v1/orders") as answered:
        await page.page.click("#ticket-send")
    return await (await answered.value).json()


async def test_a_ticket_is_planned_and_sent_and_its_fills_appear(browser, service):
    async with watched(browser, service) as page:
        await page.open(service.link())
        await page.until(lambda: page.text("#account"), lambda text: "demo" in text)
        assert "#" not in page.page.url
        assert await page.page.is_disabled("#ticket-send"), "nothing is sent unplanned"
        told = await plan(page, side="buy", type="market", quantity="3")
        shown = await page.until(lambda: page.text("#plan"), bool)
        numbers = [told[name] for name in ("average_price", "net_price", "saving_bps", "bound_price")]
        numbers += [child[name] for child in told["children"] for name in ("quantity", "limit_price", "expected_fee")]
        assert [number for number in numbers if number not in shown] == []
        for reasons in (told["excluded"], told["unused"]):
            assert all(reason in shown for reason in reasons.values())

        order = await send(page)
        await page.until(lambda: page.text("#plan"), lambda text: order["order_id"] in text)
        await page.page.click("#tab-all")
        await page.until(lambda: page.text(f"{ROW} .order-state"), lambda text: text in ("Filled", "Partly filled"))
        whole = await service.ask("GET", f"/v1/orders/{order['order_id']}")
        cells = await page.page.locator(f"{ROW} >> nth=0").locator("td").all_text_contents()
        assert cells[5:9] == ["3", NONE, whole["filled"], whole["average_price"]]

        await page.page.click(f"{ROW} .unfold >> nth=0")
        children = await page.page.locator("#orders-rows .children li").all_text_contents()
        assert len(children) == len(whole["children"])

        await page.page.click("#tab-fills")
        fills = (await service.ask("GET", "/v1/fills?limit=200"))["fills"]
        rows = page.page.locator("#fills-rows tr")
        await page.until(rows.count, lambda count: count == len(fills))
        for fill, row in zip(fills, await rows.all(), strict=True):
            cells = await row.locator("td").all_text_contents()
            assert cells[4:7] == [fill["price"], fill["quantity"], f"{fill['fee']} {fill['fee_asset']}"]


async def test_an_order_that_rests_is_canceled_alone_or_with_all(browser, service):
    async with watched(browser, service) as page:
        await page.open(service.link())
        for _ in range(3):
            bid = await page.text("#best-bid")
            far = f"{bid.partition('.')[0][:-3]}000"  # well below the market, and within the collar
            fields = {"side": "buy", "type": "limit", "quantity": "0.01", "limit_price": far, "time_in_force": "GTC"}
            await plan(page, **fields)
            await send(page)
        await page.until(lambda: page.page.locator(ROW).count(), lambda count: count == 3)
        await page.page.locator(f"{ROW} button:has-text('Cancel')").first.click()
        await page.until(lambda: page.page.locator(ROW).count(), lambda count: count == 2)
        await page.page.click("#cancel-all")
        await page.page.click("#confirm-yes")
        await page.until(lambda: page.page.locator(ROW).count(), lambda count: count == 0)
        assert await page.page.is_hidden("#confirm-dialog")
        assert (await service.ask("GET", "/v1/orders?status=open"))["orders"] == []


async def test_a_refusal_says_what_would_be_right(browser, service):
    async with watched(browser, service) as page:
        await page.open(service.link())
        told = await plan(page, type="market", quantity="-1")
        assert await page.text("#ticket-error") == told["detail"]
        page.complaints = [line for line in page.complaints if "400" not in line]


async def test_an_order_without_an_answer_is_sent_again_under_the_same_id(browser, service):
    async with watched(browser, service) as page:
        await page.open(service.link())
        await plan(page, side="sell", type="market", quantity="0.01")
        sent = []

        async def lose_the_answer(route):
            sent.append(route.request.post_data_json)
            await route.fetch()
            await route.abort()

        await page.page.route("**/v1/orders", lose_the_answer)
        await page.page.click("#ticket-send")
        await page.until(lambda: page.text("#ticket-error"), lambda text: "Sending again is safe" in text)
        await page.page.unroute("**/v1/orders")
        again = await send(page)
        assert again["client_order_id"] == sent[0]["client_order_id"]
        listed = (await service.ask("GET", "/v1/orders?limit=200"))["orders"]
        assert [order["client_order_id"] for order in listed].count(again["client_order_id"]) == 1
        page.complaints = [line for line in page.complaints if "ERR_FAILED" not in line]


async def test_a_key_is_typed_in_and_its_secret_is_never_sent(browser, service):
    async with watched(browser, service) as page:
        bodies = []
        page.page.on("request", lambda request: bodies.append(f"{request.url} {request.headers} {request.post_data}"))
        await page.open()
        assert await page.text("#orders-nothing") == "Sign in to see your orders and fills."
        await page.page.click("#sign-in")
        await page.page.fill("#sign-in-form [name=key]", KEY.key)
        await page.page.fill("#sign-in-form [name=secret]", "another-secret-that-is-wrong-0123456789")
        await page.page.keyboard.press("Enter")
        await page.until(lambda: page.text("#sign-in-error"), lambda text: "signature" in text)
        await page.page.fill("#sign-in-form [name=secret]", KEY.secret)
        await page.page.keyboard.press("Enter")
        await page.until(lambda: page.text("#account"), lambda text: "demo" in text)
        assert await page.page.is_hidden("#sign-in-dialog")
        await page.page.reload()
        await page.until(lambda: page.text("#account"), lambda text: "demo" in text)
        assert not any(KEY.secret in body for body in bodies)
        assert "aggregator" not in await page.page.evaluate("document.cookie")

        await page.page.click("#sign-out")
        await page.until(lambda: page.text("#account"), lambda text: text == "")
        assert await page.page.is_hidden("#halt")
        page.complaints = [line for line in page.complaints if "401" not in line]


async def test_a_link_that_was_used_asks_for_a_key(browser, service):
    link = service.link()
    async with watched(browser, service) as page:
        await page.open(link)
        await page.until(lambda: page.text("#account"), lambda text: "demo" in text)
    async with watched(browser, service) as page:
        await page.open(link)
        await page.until(lambda: page.shown("#sign-in-error"), lambda text: "followed before" in text)
        page.complaints = [line for line in page.complaints if "401" not in line]


async def test_the_halt_is_turned_on_with_a_reason_and_off_again(browser, service):
    async with watched(browser, service) as page:
        await page.open(service.link())
        await page.page.click("#halt")
        await page.page.fill("#confirm-reason input", "a drill")
        await page.page.click("#confirm-yes")
        await page.until(lambda: page.shown("#halted"), lambda text: "a drill" in text)
        assert (await service.ask("GET", "/v1/halt"))["halted"]
        await page.page.click("#halt")
        await page.page.click("#confirm-yes")
        await page.until(lambda: page.shown("#halted"), lambda text: text == "")
        assert not (await service.ask("GET", "/v1/halt"))["halted"]


async def test_an_order_is_placed_with_the_keyboard_alone(browser, service):
    async with watched(browser, service) as page:
        await page.open(service.link())
        await page.until(lambda: page.text("#account"), lambda text: "demo" in text)
        keyboard = page.page.keyboard
        await keyboard.press("Tab")
        assert await page.page.evaluate("document.activeElement.className") == "skip"
        await keyboard.press("Enter")
        for presses in (["Tab", "ArrowRight"], ["Tab", "ArrowRight"], ["Tab"]):
            for press in presses:
                await keyboard.press(press)
                assert await page.page.evaluate(FOCUS_IS_VISIBLE)
        await keyboard.type("0.02")
        async with page.page.expect_response("**/v1/quotes") as answered:
            await keyboard.press("Enter")
        told = await (await answered.value).json()
        assert (told["side"], told["limit_price"]) == ("sell", None), "arrows chose a sell at the market"
        await page.until(lambda: page.page.is_enabled("#ticket-send"), bool)
        while await page.page.evaluate("document.activeElement.id") != "ticket-send":
            await keyboard.press("Tab")
            assert await page.page.evaluate(FOCUS_IS_VISIBLE)
        async with page.page.expect_response("**/v1/orders") as answered:
            await keyboard.press("Enter")
        assert (await (await answered.value).json())["side"] == "sell"


FOCUS_IS_VISIBLE = """() => {
  const focused = document.activeElement;
  const drawn = focused.type === "radio" ? focused.nextElementSibling : focused;
  return focused !== document.body && getComputedStyle(drawn).outlineStyle !== "none";
}"""
