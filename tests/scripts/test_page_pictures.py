"""Every page in a real browser, as a picture and as axe-core reads it: no barrier, nothing sticks out to the side."""

import itertools
from pathlib import Path

import pytest

from scripts.page_pictures import CHROMIUM, SHOWN, WIDTHS, browse, find_barriers, serve, walk
from tests.conftest import skip_without

DOCS = Path(__file__).parents[2] / "docs"
_LARGEST = 150_000  # bytes

PAGES = {
    *("connect", "connect-own", "refused", "made", "tried", "consent", "manage", "unknown", "shown", "shown-open"),
    *("upload", "uploading", "uploaded", "upload-ended", "address", "endpoint", "privacy", "not-found"),
    *("consent-gone", "dead", "revoked"),
}


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
