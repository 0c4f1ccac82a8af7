"""CORS with a real browser as witness: a page of a listed origin reads answers and refusals, a page of another does not."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from mistral_mcp import Settings
from mistral_mcp.http.app import create_app
from tests.conftest import KEY, serving, skip_without
from tests.http.conftest import HEADERS, PING

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP *.test 127.0.0.1"]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="Debian's Chromium is meant")]


@pytest.fixture(autouse=True)
def _chromium() -> None:
    if not CHROMIUM.exists():
        skip_without("Chromium")


FETCH = """async ({url, headers, body}) => {
  try {
    const answer = await fetch(url, {method: "POST", headers, body});
    return [answer.status, await answer.text(), answer.headers.get("www-authenticate")];
  } catch (error) { return [0, String(error), null]; }
}"""


async def page_of_a_site(scope: Scope, receive: Receive, send: Send) -> None:
    await HTMLResponse("<!doctype html><title>A site</title>")(scope, receive, send)


async def test_a_browser_lets_pages_of_listed_origins_read_every_answer_and_others_none(mistral_url: str):
    async with serving(page_of_a_site) as site, async_playwright() as playwright:
        port = site.rpartition(":")[2]
        listed, other = f"http://listed.test:{port}", f"http://other.test:{port}"
        app = create_app(Settings.model_validate({"route": mistral_url, "allowed_origins": listed}))
        async with serving(app) as base:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)

            async def fetch(origin: str, headers: dict[str, str]) -> list[Any]:
                page = await browser.new_page()
                await page.goto(origin)
                request = {"url": f"{base}/mcp", "headers": {**HEADERS, **headers}, "body": json.dumps(PING)}
                return await page.evaluate(FETCH, request)

            status, text, _ = await fetch(listed, {"X-Mistral-Api-Key": KEY})
            assert (status, "tools" in text) == (200, True)
            status, text, challenge = await fetch(listed, {})
            assert (status, "no credential" in text, challenge) == (401, True, 'Bearer realm="mistral-mcp"')
            assert (await fetch(other, {"X-Mistral-Api-Key": KEY}))[0] == 0
            await browser.close()
