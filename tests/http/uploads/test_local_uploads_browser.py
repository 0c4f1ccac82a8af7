"""The upload page of stdio in a real browser: several files with their progress, on a phone's width, light and dark."""

import sys
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from tests.conftest import skip_without
from tests.http.uploads.test_local_uploads import PDF, at_home, request_upload

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="Debian's Chromium is meant")]


@pytest.fixture(autouse=True)
def _chromium() -> None:
    if not CHROMIUM.exists():
        skip_without("Chromium")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_several_files_are_uploaded_by_keyboard_at_a_phones_width(mistral_url: str, scheme: str) -> None:
    files = [{"name": name, "mimeType": "application/pdf", "buffer": PDF} for name in ("one.pdf", "two.pdf")]
    async with at_home(mistral_url) as client, async_playwright() as playwright:
        link = await request_upload(client)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--headless", "--no-sandbox"])
        page = await browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
        await page.goto(link["upload_url"])
        await expect(page.get_by_role("button", name="Upload")).to_be_hidden()
        await page.keyboard.press("Tab")
        await expect(page.locator("#file")).to_be_focused()
        await page.locator("#file").set_input_files(files)
        await expect(page.locator("#uploads li")).to_have_text(["one.pdfuploaded", "two.pdfuploaded"])
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        second = await client.call_tool("mistral_get_file", {"file_id": f"{link['handle']}/2"})
        await browser.close()

    assert second.structured_content["filename"] == "two.pdf"
