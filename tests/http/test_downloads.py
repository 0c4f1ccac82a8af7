"""Results that the core's `serve` keeps in memory, fetched by their URL."""

import asyncio

import anyio
import httpx2
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Route

from mistral_mcp.bounds.memory import MIB
from mistral_mcp.credentials import Credentials
from mistral_mcp.http.app import create_app
from mistral_mcp.http.downloads import download_from
from mistral_mcp.http.uvicorn_protocol import ClientProtocol
from mistral_mcp.kept_results import MAX_BYTES, Content, MemoryStore, Owner
from mistral_mcp.settings import Settings
from tests.conftest import KEY, connect_to, serving

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
    assert response.headers["content-disposition"] == (
        "attachment; filename=\"a _b__.html\"; filename*=UTF-8''a%20%22b%22%C3%A9.html"
    )
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"


async def test_a_result_is_sent_no_faster_than_it_is_read_and_no_further_than_it_is_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = bytes(16 * MIB)
    store = MemoryStore(60, downloads=True)
    async with serving(Starlette(routes=[Route("/results/{handle}", download_from(store))])) as base:
        owner = Owner(Credentials(SecretStr("key-12345678"), "test"), base)
        location = await store.keep(owner, Content(data, "text/plain", "a.txt"))
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx2.URL(base).port, limit=1024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(f"GET /results/{location.handle} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        with anyio.fail_after(5):
            while not any(each.unread for each in ClientProtocol.open_connections):  # noqa: ASYNC110 - nothing tells it
                await anyio.sleep(0.01)
        assert max(each.unread for each in ClientProtocol.open_connections) < 256 * 1024

        for _ in range(MAX_BYTES // len(data)):  # so that it has to go
            await store.keep(owner, Content(data, "text/plain", "b.txt"))
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        received = await reader.read()
        assert 0 < len(received) < len(data)
        writer.close()
    assert "A download ended early: UnknownResult." in caplog.text
    assert "Traceback" not in caplog.text


async def test_an_unknown_handle_is_404() -> None:
    app = Starlette(routes=[Route("/results/{handle}", download_from(MemoryStore(60)))])
    async with serving(app) as base, httpx2.AsyncClient() as http:
        response = await http.get(f"{base}/results/kr_{'x' * 32}")

    assert response.status_code == 404
    assert "There is no kept result with this handle." in response.text


@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=20-", 206, slice(20, None)),
        ("bytes=-5", 206, slice(-5, None)),
        ("bytes=0-1,5-6", 200, slice(0, None)),
        (f"bytes={'9' * 5_000}-", 200, slice(0, None)),
        ("bytes=999-", 416, slice(0, 0)),
    ],
)
async def test_a_part_is_what_was_requested(header: str, status: int, part: slice) -> None:
    store = MemoryStore(60, downloads=True)
    async with serving(Starlette(routes=[Route("/results/{handle}", download_from(store))])) as base:
        owner = Owner(Credentials(SecretStr("key-12345678"), "test"), base)
        location = await store.keep(owner, Content(DATA, "text/html", "a.html"))
        async with httpx2.AsyncClient() as http:
            response = await http.get(location.url or "", headers={"range": header})

    assert (response.status_code, response.content) == (status, DATA[part])
    if status == 206:
        start, stop, _ = part.indices(len(DATA))
        assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
        assert response.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("prefix", ["/tools/ai/mistral", ""])
async def test_a_result_is_found_below_a_deep_path_of_the_public_url(mistral_url: str, prefix: str) -> None:
    """A proxy passes the path on, or takes it off."""
    public = "https://example.org/tools/ai/mistral"
    app = create_app(Settings.model_validate({"route": mistral_url, "public_url": public}))
    async with serving(app) as base, httpx2.AsyncClient() as http:
        async with connect_to(f"{base}{prefix}/mcp", {"X-Mistral-Api-Key": KEY}) as client:
            embedded = await client.call_tool("mistral_embed", {"inputs": ["Hello"], "output": "link"})
        kept = embedded.structured_content["kept"]
        response = await http.get(kept["url"].replace(public, base + prefix))

    assert kept["url"].startswith(f"{public}/results/kr_")
    assert (response.status_code, len(response.content)) == (200, kept["bytes"])
