"""The page is for everyone: both languages, both themes, small screens, readers of the screen."""

import re

import pytest

from tests.browser.page import watched
from tests.dashboard.test_texts import words

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3


async def test_the_language_is_switched_at_once_and_kept(browser, service):
    english, korean = words("en"), words("ko")
    async with watched(browser, service) as page:
        await page.open()
        assert await page.text("#ladder-title") == english["ladder.title"]
        await page.page.select_option("#language", "ko")
        await page.until(lambda: page.text("#ladder-title"), lambda text: text == korean["ladder.title"])
        assert await page.page.get_attribute("html", "lang") == "ko"
        assert await page.text("#venue-cards .health") == korean["health.live"]
        assert await page.page.get_attribute("#depth-canvas", "aria-label") == korean["depth.label"]
        left = await page.page.evaluate(
            "() => [...document.querySelectorAll('[data-text]')].map(node => [node.dataset.text, node.textContent])"
        )
        assert [key for key, shown in left if shown != korean[key]] == []
        await page.page.reload()
        await page.until(lambda: page.text("#ladder-title"), lambda text: text == korean["ladder.title"])


async def test_a_korean_browser_is_answered_in_korean(browser, service):
    async with watched(browser, service, locale="ko-KR") as page:
        await page.open()
        assert await page.page.get_attribute("html", "lang") == "ko"


@pytest.mark.parametrize("width", [390, 320])
async def test_it_works_on_a_phone(browser, service, width):
    screen = {"viewport": {"width": width, "height": 844}, "is_mobile": True, "has_touch": True}
    async with watched(browser, service, **screen) as page:
        await page.open(service.link())
        await page.until(lambda: page.page.is_visible("#sign-out"), bool)
        for language in ("en", "ko"):
            await page.page.select_option("#language", language)
            await page.until(lambda: page.page.get_attribute("html", "lang"), lambda lang: lang == language)  # noqa: B023
            assert await page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.page.tap("nav a[href='#ticket']")
        await page.page.fill("[name=quantity]", "0.5")
        await page.page.locator("#ticket-form [name=type][value=market]").check(force=True)
        async with page.page.expect_response("**/v1/quotes") as answered:
            await page.page.tap("#ticket-plan")
        told = await (await answered.value).json()
        await page.until(lambda: page.text("#plan"), lambda text: told["average_price"] in text)
        assert await page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        small = await page.page.evaluate(
            """() => [...document.querySelectorAll("button, select, #ticket-form input[inputmode]")]
              .filter(node => node.offsetParent && node.getBoundingClientRect().height < 24)
              .map(node => node.outerHTML)"""
        )
        assert small == [], "WCAG 2.2, 2.5.8: a target is at least 24 pixels high"


NAMELESS = """() => [...document.querySelectorAll("button, input, select, canvas, table, section, [role=tabpanel]")]
  .filter(node => node.offsetParent).filter(node => {
    const by = (node.getAttribute("aria-labelledby") ?? "").split(" ").map(id => document.getElementById(id));
    const label = node.closest("label")?.textContent ?? node.caption?.textContent ?? "";
    const own = node.matches("button") ? node.textContent : "";
    const names = [node.getAttribute("aria-label"), ...by.map(other => other?.textContent), label, own];
    return !names.some(name => name?.trim());
  }).map(node => node.outerHTML.slice(0, 120))"""


async def test_everything_has_a_name_for_who_hears_the_page(browser, service):
    async with watched(browser, service) as page:
        await page.open(service.link())
        assert await page.page.evaluate(NAMELESS) == []
        ids = await page.page.evaluate("[...document.querySelectorAll('[id]')].map(node => node.id)")
        assert len(ids) == len(set(ids))
        live = await page.page.evaluate(
            "[...document.querySelectorAll('[role=status], [role=alert], [aria-live]')].length"
        )
        assert live >= 5
        assert await page.page.evaluate(
            "[...document.querySelectorAll('h1, h2, h3')].findIndex(node => node.tagName === 'H1') === 0"
        )


COLOURS = """names => {
  const probe = document.body.appendChild(document.createElement("span"));
  const read = name => {
    probe.style.setProperty("color", `var(--${name})`);
    return getComputedStyle(probe).color;
  };
  const told = names.map(pair => pair.map(read));
  probe.remove();
  return told;
}"""
PAIRS = [
    *(("text", ground) for ground in ("ground", "panel", "raised")),
    *(("muted", ground) for ground in ("ground", "panel", "raised")),
    *((name, "panel") for name in ("bid", "ask", "accent", "warn", "danger", "green")),
    ("on-accent", "accent"),
    ("warn", "warn-ground"),
    ("danger", "danger-ground"),
    ("panel", "bid"),
    ("panel", "ask"),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ko"])
async def test_both_themes_can_be_read(browser, service, theme, language):
    async with watched(browser, service) as page:
        await page.open()
        await page.page.select_option("#language", language)
        await page.page.select_option("#theme", theme)
        told = await page.page.evaluate(COLOURS, [list(pair) for pair in PAIRS])
    weak = {pair: contrast(*colours) for pair, colours in zip(PAIRS, told, strict=True)}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < LEAST_CONTRAST} == {}


async def test_the_theme_follows_the_system_until_one_is_chosen(browser, service):
    background = "getComputedStyle(document.body).backgroundColor"
    async with watched(browser, service, color_scheme="dark") as page:
        await page.open()
        dark = await page.page.evaluate(background)
        await page.page.emulate_media(color_scheme="light")
        light = await page.page.evaluate(background)
        await page.page.select_option("#theme", "dark")
        chosen = await page.page.evaluate(background)
        await page.page.reload()
        await page.until(lambda: page.page.evaluate(background), lambda colour: colour == dark)
    assert dark != light
    assert chosen == dark


def contrast(left: str, right: str) -> float:
    """WCAG 2.2: relative luminance of the lighter to that of the darker."""
    bright, dim = sorted((luminance(left), luminance(right)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
