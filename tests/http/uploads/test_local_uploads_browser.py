"""The upload page of stdio in a real browser: files with their progress, on a phone's width, light and dark, read by axe-core."""

import re
import sys
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from mistral_mcp.http.uploads.local_upload_page import TEXTS
from mistral_mcp.http.uploads.problems import read_problems
from mistral_mcp.sandbox import Fault, Sandbox
from scripts.page_pictures import browse, find_barriers
from tests.conftest import skip_without
from tests.http.uploads.test_local_uploads import PDF, connect_with_local_page, request_upload

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="Debian's Chromium is meant")]


@pytest.fixture(autouse=True)
def _chromium() -> None:
    if not CHROMIUM.exists():
        skip_without("Chromium")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_several_files_are_uploaded_by_keyboard_at_a_phones_width(mistral_url: str, scheme: str) -> None:
    files = [{"name": name, "mimeType": "application/pdf", "buffer": PDF} for name in ("one.pdf", "two.pdf")]
    async with connect_with_local_page(mistral_url) as client, async_playwright() as playwright:
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


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_core_finds_nothing_from_the_first_look_to_the_ended_link(
    mistral_url: str, sandbox: Sandbox, scheme: str, language: str
) -> None:
    refused, taken = (
        {"name": name, "mimeType": "application/pdf", "buffer": PDF} for name in ("refused.pdf", "taken.pdf")
    )
    async with connect_with_local_page(mistral_url) as client, browse() as browser:
        link = (await request_upload(client))["upload_url"]
        page = await browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme, locale=language)
        await page.goto(link)
        assert await find_barriers(page) == []

        sandbox.faults.append(Fault(status=422))
        await page.locator("#file").set_input_files([refused, taken])
        await expect(page.locator("#uploads li.wrong")).to_contain_text("Mistral")
        await expect(page.locator("#uploads li").nth(1)).to_contain_text(TEXTS[language]["uploaded"])
        assert await find_barriers(page) == []

        await page.reload()
        await expect(page.get_by_role("heading", level=2)).to_have_text(TEXTS[language]["received"])
        assert await find_barriers(page) == []

        await page.goto(re.sub(r"up_.*", f"up_{'x' * 32}", link))
        await expect(page.get_by_role("heading", level=1)).to_have_text(TEXTS[language]["ended_title"])
        assert await find_barriers(page) == []


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_a_form_without_javascript_says_in_its_language_what_is_wrong(
    mistral_url: str, language: str
) -> None:
    empty = {"name": "empty.pdf", "mimeType": "application/pdf", "buffer": b""}
    async with connect_with_local_page(mistral_url) as client, browse() as browser:
        link = (await request_upload(client))["upload_url"]
        page = await browser.new_page(java_script_enabled=False, locale=language)
        await page.goto(link)
        await page.locator("#file").set_input_files([empty])
        await page.locator("#send").click()
        await expect(page.get_by_role("alert")).to_contain_text(TEXTS[language]["not_here"])
        await expect(page.get_by_role("alert")).to_contain_text(read_problems(language)["EmptyFile"])
