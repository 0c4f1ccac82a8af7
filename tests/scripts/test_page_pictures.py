"""Every page in a real browser, as a picture and as axe-core reads it: no barrier, nothing sticks out to the side."""

import itertools
from pathlib import Path

import pytest
from playwright.async_api import Page

from scripts.page_pictures import CHROMIUM, SHOWN, WIDTHS, browse, find_barriers, serve, walk
from tests.conftest import skip_without

DOCS = Path(__file__).parents[2] / "docs"
_LARGEST = 150_000  # bytes

# What the keyboard should reach: of radio buttons with one name, the one that is chosen.
REACHABLE = """
[...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')].filter(
  (it) => it.checkVisibility() && !it.disabled && it.type !== "hidden"
    && (it.type !== "radio" || it.checked || !document.querySelector(`input[name="${it.name}"]:checked`)))
"""
NEXT = f"""() => {{
  const it = document.activeElement, style = getComputedStyle(it);
  return [{REACHABLE}.indexOf(it), style.outlineStyle !== "none" && style.outlineWidth !== "0px", it.outerHTML.slice(0, 120)];
}}"""

PAGES = {
    *("connect", "connect-own", "refused", "made", "tried", "consent", "manage", "unknown", "shown", "shown-open"),
    *("key-connections", "by-key"),
    *("upload", "uploading", "uploaded", "upload-ended", "address", "endpoint", "privacy", "not-found"),
    *("consent-gone", "dead", "revoked"),
}


async def tab_through(page: Page, name: str) -> None:
    """The keyboard gets to everything, in the order of the page, and one sees where it is."""
    count = await page.evaluate(f"{REACHABLE}.length")
    await page.locator(".skip").focus()
    for place in range(1, count):
        await page.keyboard.press("Tab")
        index, is_seen, element = await page.evaluate(NEXT)
        assert index == place, (name, place, element)
        assert is_seen, (name, element)


@pytest.mark.slow
@pytest.mark.parametrize(("language", "device"), [("en", "desktop"), ("fr", "phone")])
async def test_the_keyboard_gets_everywhere_in_order_and_is_seen(language: str, device: str) -> None:
    if not CHROMIUM.exists():
        skip_without("Chromium (apt-get install chromium)")
    width, height = WIDTHS[device]
    async with serve() as (base, settings), browse() as browser:
        page = await browser.new_page(viewport={"width": width, "height": height})
        async for name in walk(page, base, settings, language):
            await tab_through(page, name)


@pytest.mark.slow
@pytest.mark.parametrize(("language", "scheme"), list(itertools.product(("en", "fr"), ("light", "dark"))))
@pytest.mark.parametrize("device", list(WIDTHS))
async def test_axe_core_finds_nothing_on_any_page(language: str, scheme: str, device: str) -> None:
    if not CHROMIUM.exists():
        skip_without("Chromium (apt-get install chromium)")
    width, height = WIDTHS[device]
    seen: set[str] = set()
    async with serve() as (base, settings), browse() as browser:
        page = await browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        async for name in walk(page, base, settings, language):
            seen.add(name)
            assert await find_barriers(page) == [], name
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, name

    assert seen == PAGES


@pytest.mark.parametrize("name", list(SHOWN))
def test_pictures_of_the_documents_are_there_and_small(name: str) -> None:
    picture = (DOCS / name).read_bytes()

    assert picture.startswith(b"\x89PNG")
    assert len(picture) < _LARGEST
