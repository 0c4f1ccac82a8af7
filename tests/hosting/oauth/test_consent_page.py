"""The consent page in a real browser."""

import sys
from collections.abc import AsyncIterator

import httpx2
import pytest
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.conftest import KEY, serving, skip_without
from tests.hosting.oauth.browser import CHROMIUM, agree, chromium
from tests.hosting.oauth.conftest import OAuthClient

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="Debian's Chromium is meant")]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    if not CHROMIUM.exists():
        skip_without("Chromium (apt-get install chromium)")
    async with chromium() as browser:
        page = await browser.new_page()
        page.set_default_timeout(10_000)
        yield page


class Waiting:
    """Where the client waits for its answer."""

    def __init__(self) -> None:
        self.answers: list[dict[str, str]] = []

    async def take(self, request: Request) -> Response:
        self.answers.append(dict(request.query_params))
        return PlainTextResponse("Back in the client")


async def client_of(http: httpx2.AsyncClient, redirect_uri: str, **described: str) -> OAuthClient:
    client = OAuthClient(http, redirect_uri=redirect_uri)
    assert (await client.register(**described)).status_code == 201
    return client


async def test_a_person_agrees_and_is_back_in_the_client_with_a_code(
    page: Page, http: httpx2.AsyncClient, base: str
) -> None:
    waiting = Waiting()
    async with serving(Starlette(routes=[Route("/callback", waiting.take)])) as place:
        client = await client_of(http, f"{place}/callback", client_name="<b>Claude</b>")
        await page.goto(base + client.authorize_url())
        await expect(page.get_by_role("heading", level=1)).to_contain_text("<b>Claude</b>")
        await expect(page.get_by_text(place.removeprefix("http://"), exact=True)).to_be_visible()

        await agree(page, "invalid-0123456789abcdef")
        await expect(page.get_by_role("alert")).to_contain_text("refused the key")
        await expect(page.locator("input[name=api_key]")).to_have_value("")
        await agree(page, KEY)
        await expect(page.get_by_text("Back in the client")).to_be_visible()

    [answer] = waiting.answers
    assert (answer["state"], answer["iss"]) == ("a-state", base)
    assert (await client.redeem(answer["code"])).status_code == 200


async def test_a_person_who_does_not_agree_gives_nothing(page: Page, http: httpx2.AsyncClient, base: str) -> None:
    waiting = Waiting()
    async with serving(Starlette(routes=[Route("/callback", waiting.take)])) as place:
        client = await client_of(http, f"{place}/callback")
        await page.goto(base + client.authorize_url())
        await page.locator("button[value=deny]").click()
        await expect(page.get_by_text("Back in the client")).to_be_visible()

    assert [answer["error"] for answer in waiting.answers] == ["access_denied"]


async def test_another_sites_frame_of_the_consent_page_stays_empty(
    page: Page, client: OAuthClient, base: str
) -> None:
    consent = (await client.http.get(client.authorize_url())).headers["location"]

    async def overlay(_: Request) -> Response:
        return HTMLResponse(f'<title>Win a prize</title><iframe src="{base}/{consent}"></iframe>')

    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text))
    async with serving(Starlette(routes=[Route("/", overlay)])) as elsewhere:
        await page.goto(elsewhere)
        await page.wait_for_load_state("networkidle")
        [_, frame] = page.frames
        assert await frame.locator("form").count() == 0

    assert any("frame-ancestors" in text for text in refused)
