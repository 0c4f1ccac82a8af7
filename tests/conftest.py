"""What every test may use: a sandbox on a real socket, and a real MCP client over each transport."""

import atexit
import functools
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from mistral_mcp import Settings, create_server, tools
from mistral_mcp.credentials import from_key
from mistral_mcp.http.app import create_app
from mistral_mcp.http.uvicorn_protocol import ClientProtocol
from mistral_mcp.sandbox import Sandbox, serve_app
from mistral_mcp.tools.framework.adapter import MistralTool

KEY = "tEsTkEy0123456789abcdefghijklmn1"
FIXTURES = Path(__file__).parent / "fixtures" / "mistral"
RECORDED = FIXTURES / "recorded"
"""Exchanges with api.mistral.ai that public projects recorded."""

Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what the developer has set."""
    for name in list(os.environ):
        if name.startswith(("MISTRAL_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy")):
            monkeypatch.delenv(name)


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.fixture
async def mistral_url(sandbox: Sandbox) -> AsyncIterator[str]:
    async with serve_app(sandbox) as url:
        yield url


@asynccontextmanager
async def connect_in_memory(
    url: str, *, key: str | None = KEY, mode: str = "auto", **settings: object
) -> AsyncGenerator[Client]:
    server = create_server(Settings.model_validate({"route": url, **settings}), from_key(key))
    async with Client(server, mode=mode) as client:
        yield client


serving = partial(serve_app, http=ClientProtocol)
"""On a real socket, as `serve` does it."""


@asynccontextmanager
async def connect_over_http(
    url: str,
    *,
    key: str = KEY,
    mode: str = "auto",
    header: str = "X-Mistral-Api-Key",
    transport: httpx2.AsyncBaseTransport | None = None,
    **settings: object,
) -> AsyncGenerator[Client]:
    app = create_app(Settings.model_validate({"route": url, **settings}), transport)
    async with serving(app) as base, connect_to(f"{base}/mcp", {header: key}, mode) as client:
        yield client


@asynccontextmanager
async def connect_to(url: str, headers: dict[str, str], mode: str = "auto") -> AsyncGenerator[Client]:
    """A client of a server that runs already."""
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@functools.cache
def data_folder() -> str:
    """Where servers over stdio write what was used, unless a test says otherwise: not where the developer's do."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    return folder


def stdio_parameters(url: str, *, key: str | None = KEY, **settings: object) -> StdioServerParameters:
    settings = {"route": url, "data_dir": data_folder(), **settings}
    environment = {f"MISTRAL_MCP_{name.upper()}": str(value) for name, value in settings.items()}
    if key is not None:
        environment["MISTRAL_API_KEY"] = key
    return StdioServerParameters(command=sys.executable, args=["-m", "mistral_mcp"], env=environment)


@asynccontextmanager
async def connect_over_stdio(
    url: str, *, key: str | None = KEY, mode: str = "auto", **settings: object
) -> AsyncGenerator[Client]:
    async with Client(stdio_parameters(url, key=key, **settings), mode=mode) as client:
        yield client


TRANSPORTS: dict[str, Connect] = {
    "in-memory": connect_in_memory,
    "stdio": connect_over_stdio,
    "stdio-2025": lambda url, **options: connect_over_stdio(url, mode="legacy", **options),
    "http-2026": lambda url, **options: connect_over_http(url, mode="2026-07-28", **options),
    "http-2025": lambda url, **options: connect_over_http(url, mode="legacy", **options),
}


@pytest.fixture
async def client(mistral_url: str) -> AsyncIterator[Client]:
    """A client in memory, for what no transport changes."""
    async with connect_in_memory(mistral_url) as client:
        yield client


@pytest.fixture
def no_collector() -> Iterator[None]:
    """No garbage collection while the test runs."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def every_tool(*, local_files: bool = False) -> list[MistralTool]:
    """The tools of all toolsets."""
    return list(chain.from_iterable(tools.build_all(local_files=local_files).values()))


def pairs_of(several: Mapping[str, Iterable[Any]]) -> Iterator[tuple[str, Any]]:
    """Each key with each of its values."""
    for key, values in several.items():
        for value in values:
            yield key, value


def text_of(result: CallToolResult) -> str:
    """What a reader sees."""
    first = result.content[0]
    assert isinstance(first, TextContent)
    return first.text


def read_kept_file(kept: Mapping[str, str]) -> bytes:
    """The whole of a result that was kept in OUTPUT_DIR."""
    return Path(kept["path"]).read_bytes()


async def expect_refusal_at_once(
    client: Client, sandbox: Sandbox, tool: str, arguments: Mapping[str, object], sentence: str = ""
) -> None:
    """The tool does not take these arguments: it says why in few words, and nothing is sent to Mistral."""
    result = await client.call_tool(tool, dict(arguments))

    assert result.is_error
    assert sentence in text_of(result)
    assert len(text_of(result)) < 500
    assert not sandbox.requests


def skip_without(service: str) -> None:
    """Skip for lack of a service; in CI that is a failure."""
    message = f"{service} is not there"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
