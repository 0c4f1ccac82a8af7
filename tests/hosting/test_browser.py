"""The connect page in a real browser: Debian's Chromium, driven by Playwright, against the sandbox."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from mistral_mcp.sandbox import Fault, Sandbox
from scripts.page_pictures import request_upload
from tests.conftest import KEY, connect_to, skip_without
from tests.http.conftest import HEADERS, PING

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
NARROW = {"width": 320, "height": 640}

Open = Callable[..., AbstractAsyncContextManager[Page]]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="Debian's Chromium is meant")]


@pytest.fixture
def chromium() -> Path:
    if not CHROMIUM.exists():
        skip_without("Chromium (apt-get install chromium)")
    return CHROMIUM


@pytest.fixture
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    """With a profile of its own, gone afterwards."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
def hosting(mistral_url: str, tmp_path: Path) -> dict[str, Any]:
    return {"route": mistral_url, "data_dir": tmp_path / "data", "allowed_hosts": "plain.test:*"}


@pytest.fixture
def open_page(browser: Browser, base: str) -> Open:
    """A page of a new window; at the end, nothing may have been complained of in its console."""

    @asynccontextmanager
    async def open_page_at(viewport: dict[str, int] = DESKTOP, **options: Any) -> AsyncIterator[Page]:
        context: BrowserContext = await browser.new_context(**{"viewport": viewport, "base_url": base} | options)
        complaints: list[str] = []
        page = await context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        # That an answer is a refusal is no complaint of the page's.
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type in {"error", "warning"} and "server responded with a status of 4" not in said.text
                else None
            ),
        )
        yield page
        await context.close()
        assert complaints == []

    return open_page_at


async def fill_in(page: Page, key: str = KEY, label: str = "my laptop") -> None:
    await page.get_by_label("Mistral API key").fill(key)
    await page.get_by_label("Label").fill(label)


async def connect(page: Page) -> str:
    """The secret URL."""
    await page.goto("/")
    await fill_in(page)
    await page.get_by_role("button", name="Get my address").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your connection is ready")
    return await page.get_by_label("Secret address").input_value()


async def fits(page: Page) -> bool:
    """Nothing sticks out to the side."""
    return await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


async def count_created(base: str) -> int:
    async with httpx2.AsyncClient() as http:
        metrics = (await http.get(f"{base}/metrics")).text
    return sum(
        int(float(line.split()[-1]))
        for line in metrics.splitlines()
        if 'connections_total{event="created"}' in line
    )


async def status_at(url: str) -> int:
    async with httpx2.AsyncClient() as http:
        return (await http.post(url, json=PING, headers=HEADERS)).status_code


@pytest.mark.parametrize(
    ("viewport", "scripts", "colours"),
    [
        (DESKTOP, True, "light"),
        (DESKTOP, False, "dark"),
        (PHONE, True, "dark"),
        (PHONE, False, "light"),
        (NARROW, True, "light"),
    ],
    ids=["desktop", "desktop without JavaScript", "phone", "phone without JavaScript", "narrow"],
)
async def test_a_person_connects_tries_replaces_and_ends(
    open_page: Open, tmp_path: Path, viewport: dict[str, int], colours: str, *, scripts: bool
) -> None:
    async with open_page(viewport, java_script_enabled=scripts, color_scheme=colours) as page:

        async def look(name: str) -> None:
            await page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
            assert await fits(page), name

        await page.goto("/")
        await look("connect")
        url = await connect(page)
        await look("made")
        async with connect_to(url, {}) as client:
            assert not (await client.call_tool("mistral_chat", {"prompt": "Hi"})).is_error

        await page.get_by_text("Claude Code", exact=True).click()
        await expect(
            page.get_by_text(f"claude mcp add --transport http --scope user mistral {url}")
        ).to_be_visible()

        await page.get_by_role("button", name="Try it with one live call").click()
        await expect(page.get_by_text("It works.")).to_be_visible()
        await look("tried")

        await page.get_by_role("link", name="Manage").click()
        await look("manage")
        await page.get_by_label("Secret address, or Mistral key").fill(url)
        await page.get_by_role("button", name="Show the connection").click()
        await expect(page.get_by_text("my laptop, made on")).to_be_visible()

        await page.locator("summary", has_text="Replace the address").click()
        await page.get_by_role("button", name="Replace the address").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your new address")
        newer = await page.get_by_label("Secret address").input_value()
        assert [await status_at(url), await status_at(newer)] == [410, 200]

        await page.goto(newer)
        await expect(page.get_by_role("heading", level=1)).to_have_text("This address is for your MCP client")
        await look("address")

        await page.goto("/manage")
        await page.get_by_label("Secret address, or Mistral key").fill(newer)
        await page.keyboard.press("Enter")
        await page.locator("summary", has_text="End this connection").click()
        await page.get_by_role("button", name="End it for good").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("The connection has ended")
        await look("ended")
        assert await status_at(newer) == 410


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])
async def test_what_is_wrong_is_reported_beside_its_field_and_the_key_is_not_kept(
    open_page: Open, *, scripts: bool
) -> None:
    async with open_page(PHONE, java_script_enabled=scripts) as page:
        await page.goto("/")
        await fill_in(page, key="invalid-0123456789abcdef")
        await page.get_by_label("Expires").select_option("In 90 days")
        await page.get_by_label("My own choice").check()
        await page.get_by_label("documents Read").check()
        await page.get_by_role("button", name="Get my address").click()

        key = page.get_by_label("Mistral API key")
        await expect(key).to_have_attribute("aria-invalid", "true")
        await expect(page.locator("#api_key-wrong")).to_contain_text("refused the key")
        await expect(key).to_be_focused()
        await expect(key).to_have_value("")
        await expect(page.get_by_role("alert")).to_be_visible()
        await expect(page.get_by_label("Label")).to_have_value("my laptop")
        await expect(page.get_by_label("Expires")).to_have_value("90")
        await expect(page.get_by_label("documents Read")).to_be_checked()
        await key.fill(KEY)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your connection is ready")


async def test_copy_buttons_copy_and_say_so(open_page: Open) -> None:
    async with open_page(permissions=["clipboard-read", "clipboard-write"]) as page:
        url = await connect(page)
        await page.get_by_role("button", name="Copy", exact=True).click()

        await expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
        await expect(page.get_by_role("status")).to_have_text("Copied to the clipboard.")
        assert await page.evaluate("navigator.clipboard.readText()") == url
        await page.get_by_text("Claude Code", exact=True).click()
        await page.get_by_role("button", name="Copy the entry for Claude Code").click()
        await expect(page.get_by_role("button", name="Copied")).to_have_count(2)
        assert (await page.evaluate("navigator.clipboard.readText()")).startswith("claude mcp add")


async def test_without_javascript_there_are_no_buttons_that_do_nothing(open_page: Open) -> None:
    async with open_page(java_script_enabled=False) as page:
        await connect(page)

        await expect(page.get_by_role("button", name="Copy")).to_have_count(0)


async def test_without_tls_a_browser_tells_less_and_the_page_still_works(open_page: Open, base: str) -> None:
    plain = base.replace("127.0.0.1", "plain.test")
    async with open_page(base_url=plain) as page:
        sent: list[dict[str, str]] = []
        page.on("request", lambda request: sent.append(request.headers) if request.method == "POST" else None)
        url = await connect(page)
        assert url.startswith(plain)
        assert "sec-fetch-site" not in sent[0]
        assert await page.evaluate("navigator.clipboard") is None
        await page.get_by_role("button", name="Copy", exact=True).click()
        await expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()


async def test_a_reload_makes_nothing(open_page: Open, base: str) -> None:
    async with open_page() as page:
        await connect(page)
        await page.reload()

        await expect(page.get_by_role("heading", level=1)).to_have_text("This was done already")
        assert await count_created(base) == 1


async def test_a_double_click_sends_once(open_page: Open, base: str) -> None:
    async with open_page() as page:
        await page.goto("/")
        await fill_in(page)
        await page.get_by_role("button", name="Get my address").dblclick()

        await expect(page.get_by_role("heading", level=1)).to_have_text("Your connection is ready")
        assert await count_created(base) == 1


async def test_another_sites_form_is_not_read(open_page: Open, base: str) -> None:
    async with httpx2.AsyncClient() as http:
        stamp = (await http.get(base)).text.split('name="stamp" value="')[1].split('"')[0]
    fields = {"stamp": stamp, "api_key": KEY, "toolsets": "core", "label": "theirs"}
    hidden = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
    async with open_page() as page:
        await page.goto(f"data:text/html,<form method=post action={base}/>{hidden}<button>Win</button></form>")
        await page.get_by_role("button").click()

        await expect(page.get_by_role("alert")).to_contain_text("Another site's page sent this form")
        await expect(page.get_by_label("Label")).to_have_value("")
        assert await count_created(base) == 0


DROP = """files => {
  const held = new DataTransfer();
  for (const [name, kind] of files) held.items.add(new File(["%PDF-1.4 text"], name, {type: kind}));
  for (const kind of ["dragover", "drop"]) {
    document.getElementById("drop").dispatchEvent(new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: held}));
  }
}"""


async def open_upload(page: Page, base: str, lang: str) -> None:
    async with httpx2.AsyncClient(base_url=base) as http:
        made = (await http.post("/connections", json={"api_key": KEY, "toolsets": ["files"]})).json()
    await page.goto(f"{await request_upload(made['url'])}?lang={lang}")


async def test_files_that_are_dropped_go_one_after_another_and_what_fails_says_why(
    open_page: Open, base: str, sandbox: Sandbox
) -> None:
    async with open_page(PHONE) as page:
        await open_upload(page, base, "fr")
        sandbox.faults.append(Fault(status=422, match="/v1/files"))
        await page.evaluate(DROP, [["a.pdf", "application/pdf"], ["b.pdf", "application/pdf"]])

        rows = page.get_by_role("listitem")
        await expect(rows.nth(0)).to_contain_text("échec")
        await expect(rows.nth(0)).to_contain_text("Mistral n'a pas accepté cet envoi")
        await expect(rows.nth(1)).to_contain_text("envoyé")
        await page.reload()
        await expect(page.get_by_role("listitem")).to_have_text(["b.pdf"])


async def test_one_file_is_sent_without_javascript(open_page: Open, base: str) -> None:
    async with open_page(PHONE, java_script_enabled=False) as page:
        await open_upload(page, base, "fr")
        file = {"name": "été.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 text"}
        await page.get_by_label("Déposez des fichiers").set_input_files([file])
        await page.get_by_role("button", name="Envoyer").click()

        await expect(page.get_by_role("listitem")).to_have_text(["été.pdf"])
        await expect(page.get_by_role("heading", level=1)).to_have_text("Envoyer des fichiers")


async def test_the_language_is_switched_on_every_page_and_stays(open_page: Open) -> None:
    async with open_page(locale="en-GB") as page:
        await page.goto("/")
        await page.get_by_role("link", name="Français").click()
        await page.get_by_label("Clé d'API Mistral").fill(KEY)
        await page.get_by_role("button", name="Obtenir mon adresse").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Votre connexion est prête")
        url = await page.get_by_label("Adresse secrète").input_value()

        await page.get_by_role("button", name="English").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your connection")
        assert await page.get_by_label("Secret address").input_value() == url
        await page.get_by_role("link", name="Manage").first.click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Manage a connection")


async def test_the_keyboard_alone_is_enough(open_page: Open) -> None:
    async with open_page(permissions=["clipboard-read", "clipboard-write"]) as page:

        async def tab_to(name: str) -> None:
            """Tab on until this has the focus, which must be seen."""
            for _ in range(40):
                await page.keyboard.press("Tab")
                focused = page.locator(":focus")
                text = await focused.evaluate("it => it.labels?.[0]?.textContent || it.textContent")
                assert await focused.evaluate("it => getComputedStyle(it).outlineStyle") != "none", text
                if name in text:
                    return
            pytest.fail(f"the keyboard does not get to {name}")

        await page.goto("/")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await tab_to("Mistral API key")
        await page.keyboard.type(KEY)
        await tab_to("Essentials")
        await page.keyboard.press("ArrowUp")  # round to the last, one's own choice
        await tab_to("documents Read")
        await page.keyboard.press("Space")
        await tab_to("Get my address")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your connection is ready")
        await expect(page.get_by_text("core, models, documents")).to_be_visible()
        url = await page.get_by_label("Secret address").input_value()

        await tab_to("Copy")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_have_text("Copied to the clipboard.")
        assert await page.evaluate("navigator.clipboard.readText()") == url
        await tab_to("End this connection")
        await page.keyboard.press("Enter")
        await tab_to("End it for good")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("The connection has ended")


async def test_nothing_is_loaded_from_elsewhere_and_no_referrer_is_sent(open_page: Open, base: str) -> None:
    async with open_page() as page:
        seen: list[Any] = []
        page.on("request", lambda request: seen.append(request))  # noqa: PLW0108 - Playwright marks what it is given
        url = await connect(page)
        await page.goto(url)
        await page.get_by_role("link", name="Manage").first.click()

        assert len(seen) > 5
        assert all(request.url.startswith(f"{base}/") for request in seen)
        assert not [request.url for request in seen if (await request.all_headers()).get("referer")]


async def test_the_sandbox_was_asked_with_the_key_and_nothing_else(open_page: Open, sandbox: Sandbox) -> None:
    async with open_page() as page:
        await connect(page)

    assert [(request.method, request.path, request.key) for request in sandbox.requests] == [
        ("GET", "/v1/models", KEY)
    ]
