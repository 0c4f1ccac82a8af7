"""A person's browser at the consent page: Debian's Chromium without a window, driven by Playwright.

As a program it is what OAuth clients start as `BROWSER`: `python browser.py KEY URL`.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """With a profile of its own, gone afterwards."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


async def agree(page: Page, key: str, access: str = "write") -> None:
    """At the consent page, to its end at the client's."""
    await page.locator(f"input[name=access][value={access}]").check()
    await page.locator("input[name=api_key]").fill(key)
    await page.locator("button[value=allow]").click()


async def main(key: str, url: str) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(url)
        await agree(page, key)
        # Until the client's own page is there, which may lead on to another.
        await page.wait_for_url(lambda current: "/consent" not in current)
        await page.wait_for_load_state()


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
