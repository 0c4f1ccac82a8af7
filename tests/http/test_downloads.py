"""Results that the core's `serve` keeps in memory, fetched by their URL."""

import httpx2
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Route

from mistral_mcp.credentials import Credentials
from mistral_mcp.http.downloads import download_from
from mistral_mcp.kept_results import Content, MemoryStore, Owner
from tests.conftest import serving

DATA = b"<script>alert(1)</script>"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_result_is_a_file_to_save_and_nothing_a_browser_runs(method: str) -> None:
    store = MemoryStore(60, downloads=True)
    async with serving(Starlette(routes=[Route("/results/{handle}", download_from(store))])) as base:
        owner = Owner(Credentials(SecretStr("key-12345678"), "test"), base)
        location = await store.keep(owner, Content(DATA, "text/html", 'a "b"\u00e9.html'))
        async with httpx2.AsyncClient() as http:
            response = await http.request(method, location.url or "")

    assert response.status_code == 200
    assert response.content == (DATA if method == "GET" else b"")
    assert response.headers["content-length"] == str(len(DATA))
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20%22b%22%C3%A9.html"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"


async def test_an_unknown_handle_is_404() -> None:
    app = Starlette(routes=[Route("/results/{handle}", download_from(MemoryStore(60)))])
    async with serving(app) as base, httpx2.AsyncClient() as http:
        response = await http.get(f"{base}/results/kr_{'x' * 32}")

    assert response.status_code == 404
    assert "There is no kept result with this handle." in response.text
