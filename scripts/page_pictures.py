"""Take screenshots of every page in both languages and colour schemes, for desktop and phone: `python -m scripts.page_pictures FOLDER`.

The pages come from a real server, with the sandbox in place of Mistral. axe-core checks each page, and its findings are
printed. Chromium is Debian's. `--docs` takes only the screenshots of docs/, and writes them there.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
from axe_playwright_python.async_playwright import Axe  # pyright: ignore[reportMissingTypeStubs] - it has none
from playwright.async_api import Browser, Page, Route, async_playwright

from mistral_mcp.hosting.app import create_app
from mistral_mcp.hosting.usage.sums import VaultUsage
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.sandbox.app import Sandbox
from mistral_mcp.sandbox.serving import serve_app
from mistral_mcp.settings import Settings
from mistral_mcp.usage.store import Batch
from mistral_mcp.usage.sums import DOLLAR, Key, Sums

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
KEY = "tEsTkEy0123456789abcdefghijklmn1"
CALLBACK = "https://client.example/callback"
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
NOTICES = {
    "endpoint": "/mcp",
    "privacy": "/privacy",
    "not-found": "/nothing",
    "consent-gone": "/consent",
    "dead": f"/c/{'mmcp_' + 'x' * 40}/mcp",
}
OPEN_ALL = "document.querySelectorAll('details').forEach(it => { it.removeAttribute('name'); it.open = true })"
USED = (
    ("mistral_embed", "mistral-embed"),
    ("mistral_chat", "mistral-small-latest"),
    ("mistral_ocr", "mistral-ocr-latest"),
    ("mistral_chat", "mistral-large-latest"),
)
DOCS = Path(__file__).parents[1] / "docs"
# The screenshots of docs/: page, device, colour scheme, language, and the part of the page; without one, the viewport.
SHOWN = {
    "connect-page.png": ("connect", "desktop", "light", "en", ""),
    "connect-page-dark.png": ("connect", "desktop", "dark", "en", ""),
    "connect-page-phone.png": ("made", "phone", "dark", "fr", ""),
    "consent-page.png": ("consent", "phone", "light", "en", ""),
    "upload-page.png": ("uploading", "phone", "light", "fr", ""),
    "manage-page.png": ("shown", "desktop", "light", "en", "section:has(svg)"),
}


@asynccontextmanager
async def serve() -> AsyncGenerator[tuple[str, Settings]]:
    with tempfile.TemporaryDirectory() as folder:
        async with serve_app(Sandbox()) as mistral:
            settings = Settings.model_validate({"route": mistral, "data_dir": folder, "log_level": "error"})
            async with serve_app(create_app(settings)) as base:
                yield base, settings


@asynccontextmanager
async def browse() -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


async def walk(page: Page, base: str, settings: Settings, language: str) -> AsyncGenerator[str]:
    """Visit the pages, and yield the name of each while it is open."""
    lang = f"?lang={language}"
    async for name in _connect(page, base, lang):
        yield name
    url = await page.locator("#url").input_value()
    await _use(base, settings, url)
    async for name in _manage(page, base, lang, url):
        yield name
    async for name in _upload(page, base, lang, url):
        yield name
    await page.goto(url + lang)
    yield "address"
    for name, path in NOTICES.items():
        await page.goto(base + path + lang)
        yield name
    await page.goto(f"{base}/manage{lang}")
    await page.locator("#token").fill(url)
    await _submit(page)
    await _submit(page, "revoke")
    yield "revoked"


async def _submit(page: Page, do: str | None = None) -> None:
    """Submit the page's form, or the one with this action."""
    form = f'form:has(input[name="do"][value="{do}"])' if do else "main form"
    async with page.expect_navigation():
        await page.locator(form).locator("button").last.evaluate("it => it.form.requestSubmit(it)")


async def _connect(page: Page, base: str, lang: str) -> AsyncGenerator[str]:
    await page.goto(f"{base}/{lang}")
    yield "connect"
    await page.locator('input[value="own"]').check()
    yield "connect-own"
    await page.locator("#api_key").fill("invalid-0123456789abcdef")
    await _submit(page)
    yield "refused"
    await page.locator("#api_key").fill(KEY)
    await page.locator("#label").fill("Mon portable" if lang.endswith("fr") else "My laptop")
    await page.locator('input[type="radio"][value="documents"]').check()
    await _submit(page)
    yield "made"
    await _submit(page, "try")
    yield "tried"


async def _manage(page: Page, base: str, lang: str, url: str) -> AsyncGenerator[str]:
    await page.route(f"{CALLBACK}**", _answer_callback)
    await page.goto(await _authorize_url(base))
    await page.goto(f"{page.url}&{lang[1:]}")
    yield "consent"
    await page.locator("summary").click()
    await page.locator("#token").fill(url)
    await page.locator('button[value="allow"]').click()
    await page.wait_for_url(f"{CALLBACK}**")
    await page.goto(f"{base}/manage{lang}")
    yield "manage"
    await page.locator("#token").fill("mmcp_mistyped")
    await _submit(page)
    yield "unknown"
    await page.locator("#token").fill(url)
    await _submit(page)
    yield "shown"
    await page.evaluate(OPEN_ALL)
    yield "shown-open"
    await page.goto(f"{base}/manage{lang}")
    await page.locator("#token").fill(KEY)
    await _submit(page)
    yield "key-connections"
    await _submit(page)
    await page.evaluate(OPEN_ALL)
    yield "by-key"


async def _upload(page: Page, base: str, lang: str, url: str) -> AsyncGenerator[str]:
    link = await request_upload(url)
    await page.goto(link + lang)
    yield "upload"
    await page.locator("#file").set_input_files([_file("contract.pdf"), _file("receipt.png")])
    await page.locator("#uploads li:last-child").get_by_text(re.compile("^(uploaded|envoyé)$")).wait_for()
    yield "uploading"
    await page.goto(link + lang)
    yield "uploaded"
    await page.goto(f"{base}/uploads/up_{'x' * 32}{lang}")
    yield "upload-ended"


async def _use(base: str, settings: Settings, url: str) -> None:
    """Use the connection on some days of this month, within a budget."""
    headers = {"authorization": f"Bearer {url.split('/')[-2]}"}
    async with httpx2.AsyncClient(base_url=base, headers=headers) as http:
        budget = {"budget_usd": 5, "budget_calls_per_day": 200}
        made = (await http.patch("/connections/current", json=budget)).json()
    first, today = datetime.now(UTC).replace(day=1), datetime.now(UTC)
    rows: dict[Key, Sums] = {}
    for number in range(today.day):
        day = (first + timedelta(days=number)).strftime("%Y-%m-%d")
        for place, (tool, model) in enumerate(USED):
            calls = (number * 7 + place * 5) % 11
            if calls:
                cost = calls * (place + 1) * DOLLAR // 1000
                tokens = calls * 900
                sums = Sums(calls=calls, errors=calls // 8, total_tokens=tokens, cost=cost)
                rows[Key(day, tool, model)] = sums
    async with Vault.open(settings) as vault:
        await VaultUsage(vault.database, vault.now).add(Batch({made["id"]: rows}))


def _file(name: str) -> Any:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": b"%PDF-1.4\n" * 1000}


async def _answer_callback(route: Route) -> None:
    await route.fulfill(status=200, content_type="text/html", body="<!doctype html><title>client</title>")


async def _authorize_url(base: str) -> str:
    described = {"redirect_uris": [CALLBACK], "client_name": "Claude", "token_endpoint_auth_method": "none"}
    async with httpx2.AsyncClient() as http:
        client = (await http.post(f"{base}/register", json=described)).json()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 48).digest()).decode().rstrip("=")
    query = {
        "response_type": "code",
        "client_id": client["client_id"],
        "redirect_uri": CALLBACK,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "resource": f"{base}/mcp",
    }
    return f"{base}/authorize?{urlencode(query)}"


async def request_upload(url: str) -> str:
    params = {"name": "mistral_request_upload", "arguments": {"purpose": "ocr"}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}
    async with httpx2.AsyncClient() as http:
        text = (await http.post(url, json=call, headers=headers)).text
    answer = json.loads(text[text.index("{") :])  # alone, or as the only event
    return answer["result"]["structuredContent"]["upload_url"]


async def find_barriers(page: Page) -> list[str]:
    """The findings of axe-core, one line each."""
    axe: Any = Axe()
    response: dict[str, Any] = (await axe.run(page)).response
    barriers: list[str] = []
    for found in response["violations"]:
        barriers += [f"{found['id']}: {_describe_node(node)}" for node in found["nodes"]]
    return barriers


def _describe_node(node: dict[str, Any]) -> str:
    return f"{node['html'][:160]}: {json.dumps(node.get('any', []))[:300]}"


async def take_pictures(folder: Path, *, docs: bool) -> int:
    """Take all screenshots, and return the number of axe-core's findings."""
    wanted = SHOWN.values()
    barriers = 0
    async with serve() as (base, settings), browse() as browser:
        for language in ("en", "fr"):
            for scheme in ("light", "dark"):
                for device, (width, height) in WIDTHS.items():
                    if docs and not any(what[1:4] == (device, scheme, language) for what in wanted):
                        continue
                    context = await browser.new_context(
                        viewport={"width": width, "height": height}, color_scheme=scheme, locale=language
                    )
                    page = await context.new_page()
                    async for name in walk(page, base, settings, language):
                        if docs:
                            await _picture_for_docs(page, folder, (name, device, scheme, language))
                            continue
                        await page.screenshot(
                            path=folder / f"{name}-{device}-{scheme}-{language}.png", full_page=True
                        )
                        for line in await find_barriers(page):
                            barriers += 1
                            print(f"{name} {device} {scheme} {language}: {line}")
                    await context.close()
    return barriers


async def _picture_for_docs(page: Page, folder: Path, now: tuple[str, str, str, str]) -> None:
    for file, (*what, part) in SHOWN.items():
        if tuple(what) == now and part:
            await page.locator(part).screenshot(path=folder / file)
        elif tuple(what) == now:
            await page.screenshot(path=folder / file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=DOCS)
    parser.add_argument("--docs", action="store_true", help="only the screenshots of docs/, one screen each")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    barriers = asyncio.run(take_pictures(asked.folder, docs=asked.docs))
    print(f"{barriers} barriers found")
    sys.exit(barriers > 0)


if __name__ == "__main__":
    main()
