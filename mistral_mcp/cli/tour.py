"""The main job, end to end, for a person to watch.

The server runs as a child process, first over stdio and then over HTTP, and the SDK's client calls every tool that it
offers. Everything is real except Mistral, which the sandbox replaces if there is no key.
"""

import io
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import IO, Any, cast

import anyio
import httpx2
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent
from rich.console import Console
from rich.text import Text

from mistral_mcp.cli.options import API_KEY as KEY
from mistral_mcp.cli.options import LOGS, PREFIX, TOOLS, UPSTREAM
from mistral_mcp.sandbox import Sandbox, serve_app

SERVER = [sys.executable, "-m", "mistral_mcp"]
PATIENCE = 50  # seconds for one call
WIDTH = 96  # columns, at most
MARGIN = 14  # columns of them for the names of arguments

# 64 x 64 pixels: the left half red, the right half blue.
PICTURE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAABlBMVEX/AAAAAP9sof2OAAAAFUlEQVR42mNgAIL/QMAwyhhlkM4AAPTk/wHgcfYIAAAAAElFTkSuQmCC"
PERSON = {"name": {"type": "string"}, "born": {"type": "string", "format": "date"}, "city": {"type": "string"}}
WEATHER = {
    "name": "get_weather",
    "description": "Today's weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
WINDS = [
    "The sirocco brings hot air and dust from the desert.",
    "The mistral is a strong, cold wind from the north.",
    "Bouillabaisse is a soup of several kinds of fish.",
    "The tramontane is a dry wind from over the mountains.",
]


class Failed(Exception):
    """A call that failed unexpectedly. `str()` is the message for the person."""


def run(environ: dict[str, str], key: str) -> int:
    """Show the demo, with the key or the sandbox. 0 if every call was answered, 1 if one was not."""
    cast("io.TextIOWrapper", sys.stdout).reconfigure(errors="replace")
    console = Console(highlight=False)
    console.width = min(console.width, WIDTH)
    failure: BaseException | None = None
    gone = False
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        try:
            anyio.run(_demo, environ, key, console, log)
        except* (Failed, MCPError, OSError, httpx2.HTTPError) as failures:
            failure = failures
            while isinstance(failure, BaseExceptionGroup):  # one for each task group around it
                failure = cast("BaseExceptionGroup[Exception]", failure).exceptions[0]
        except* SystemExit:  # how rich ends when its output is closed: `mistral-mcp demo | head`
            gone = True
        log.seek(0)
        logged = log.read().strip()
    if failure is None:
        return int(gone)
    console.print("\n[bold red]The demo failed.[/]", Text(str(failure) or type(failure).__name__))
    if logged:
        console.print("[bold]The server's log:[/]", Text(f"\n{logged[-4000:]}"))
    return 1


async def _demo(environ: dict[str, str], key: str, console: Console, log: IO[str]) -> None:
    if key:
        console.print(f"[bold]This talks to Mistral with your {KEY}.[/] All calls together cost less than a cent.")
        await _both(environ, key, console, log)
        console.print(
            "\n[bold]What next:[/] `mistral-mcp install HOST` adds the server to your MCP client; "
            "`mistral-mcp install --help` names the clients. `mistral-mcp serve` serves it over HTTP."
        )
        return
    async with serve_app(Sandbox(chunk_delay=0.012)) as url:
        console.print(f"[bold]There is no {KEY}, so the sandbox answers,[/] a simulated Mistral API.")
        console.print(f"It listens on {url} and follows fixed rules; the rest is real.")
        # The sandbox is on this machine: neither settings nor certificates matter.
        environ = {name: value for name, value in environ.items() if not name.startswith((PREFIX, "SSL"))}
        await _both(environ | {f"{PREFIX}ROUTE": url}, "any-key-will-do", console, log)
        console.print(
            "\n[bold]What next:[/] create a key at https://console.mistral.ai, set it as MISTRAL_API_KEY, then "
            "`mistral-mcp doctor` checks it and `mistral-mcp install HOST` adds the server to your MCP client."
        )


async def _both(environ: dict[str, str], key: str, console: Console, log: IO[str]) -> None:
    tour = Tour(console)
    keyless = {name: value for name, value in environ.items() if _is_for_the_demo(name)}
    with tempfile.TemporaryDirectory(prefix="mistral-mcp-demo-") as folder:  # a vault and results of its own
        own = keyless | {f"{PREFIX}DATA_DIR": folder, f"{PREFIX}OUTPUT_DIR": folder}
        async with _connect(console, over_stdio(own | {KEY: key}, log)) as tour.client:
            await tour.take("stdio")
        async with _connect(console, over_http(own, key, log)) as tour.client:
            await tour.take("HTTP", brief=True)
    console.print()
    console.rule(style="green")
    console.print(
        f"[bold green]Every call was answered:[/] {tour.calls} calls of {len(tour.tools)} tools "
        f"over {' and '.join(tour.transports)}, {tour.reports} progress reports, "
        f"${tour.cost_usd:.5f} at list prices, {time.monotonic() - tour.began:.1f} s."
    )


def _is_for_the_demo(name: str) -> bool:
    """Whether a variable goes to the demo's servers: of ours only those of the route and its credentials."""
    if not name.startswith(PREFIX):
        return name not in (KEY, f"{KEY}_FILE")
    setting = name.removeprefix(PREFIX).removesuffix("_FILE").lower()
    return setting in {*UPSTREAM, *TOOLS, *LOGS, "route_token"}


@asynccontextmanager
async def _connect(console: Console, connecting: AbstractAsyncContextManager[Client]) -> AsyncGenerator[Client]:
    """The connected client; a terminal shows a status line while the server starts."""
    async with AsyncExitStack() as stack:
        if console.is_interactive:
            with console.status("The server starts…"):
                client = await stack.enter_async_context(connecting)
        else:
            client = await stack.enter_async_context(connecting)
        yield client


@asynccontextmanager
async def over_stdio(environ: dict[str, str], log: IO[str]) -> AsyncGenerator[Client]:
    """The server, started as clients such as Claude Desktop do, and a client of it."""
    server = StdioServerParameters(command=SERVER[0], args=SERVER[1:], env=environ)
    async with Client(stdio_client(server, cast("Any", log)), read_timeout_seconds=PATIENCE) as client:
        yield client


@asynccontextmanager
async def over_http(environ: dict[str, str], key: str, log: IO[str]) -> AsyncGenerator[Client]:
    """`mistral-mcp serve`, and a client that brings its own key in a header."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [*SERVER, "serve", "--host", "127.0.0.1", "--port", str(port)]
    nowhere = subprocess.DEVNULL
    async with await anyio.open_process(command, env=environ, stdin=nowhere, stdout=nowhere, stderr=log) as server:
        try:
            # The server takes a second to start: connecting is tried again after 0, 0.5, 1, 2, 4 seconds.
            patient = httpx2.AsyncHTTPTransport(retries=5, verify=False)
            headers = {"X-Mistral-Api-Key": key}
            async with httpx2.AsyncClient(transport=patient, headers=headers, timeout=PATIENCE) as http:
                transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http)
                async with Client(transport, read_timeout_seconds=PATIENCE) as client:
                    yield client
        finally:
            if server.returncode is None:
                server.terminate()


class Tour:
    """Calls every tool, over one connection after the other, and counts for the last line."""

    client: Client

    def __init__(self, console: Console) -> None:
        self.console = console
        self.brief = False  # a line a call
        self.calls = self.reports = 0
        self.cost_usd = 0.0
        self.tools: set[str] = set()
        self.transports: list[str] = []
        self.began = time.monotonic()

    async def take(self, transport: str, *, brief: bool = False) -> None:
        """Call every tool. Raises `Failed` at the first that does not answer."""
        self.brief = brief
        self.transports.append(f"{transport} (MCP {self.client.protocol_version})")
        offered = (await self.client.list_tools()).tools
        self.console.print()
        self.console.rule(f"[bold]{self.transports[-1]}[/], {len(offered)} tools", style="cyan", align="left")
        if brief:
            self.console.print("The same calls to mistral-mcp serve, the key in the header X-Mistral-Api-Key.\n")

        system = "Answer in one sentence."
        await self.call("mistral_chat", {"system": system, "prompt": "What is the mistral, in Provence?"})
        schema = {"type": "object", "properties": PERSON, "required": list(PERSON), "additionalProperties": False}
        who = 'Who is this? "Ada Lovelace" was born in London on 1815-12-10.'
        labels = {"json_schema": "an object of name, born (a date) and city"}
        await self.call("mistral_chat", {"prompt": who, "json_schema": schema}, labels)
        labels = {"images": "a PNG of 64 x 64 pixels, as a data URL"}
        await self.call("mistral_chat", {"prompt": "Which two colours does it have?", "images": [PICTURE]}, labels)
        await self.call("mistral_chat", {"prompt": "Write a poem of four lines about the wind."}, streams=True)

        question, weather = "What is the weather in Marseille?", "17 degrees, wind 80 km/h"
        labels = {"functions": "get_weather(city)"}
        chosen = await self.call("mistral_function_call", {"prompt": question, "functions": [WEATHER]}, labels)
        turns = [{"role": "user", "content": question}, chosen["assistant_message"]]
        turns += [{"role": "tool", "tool_call_id": call["id"], "content": weather} for call in chosen["calls"]]
        labels |= {"messages": f"the question, the call, and its result: {weather}"}
        await self.call("mistral_function_call", {"messages": turns, "functions": [WEATHER]}, labels)

        await self.call("mistral_embed", {"inputs": ["a cold north wind", "a warm bath"]})
        await self.call("mistral_rank", {"query": "Which wind is cold?", "documents": WINDS, "top_k": 3})
        code = {"prompt": "def double(number):\n    return", "suffix": "\n\nprint(double(21))"}
        await self.call("mistral_code_complete", code)
        await self.call("mistral_moderate", {"inputs": ["I like the wind.", "I will kill you and your dog."]})
        await self.call("mistral_list_models", {"search": "small"})
        await self.call("mistral_get_model", {"model": "codestral-latest"})

    async def call(
        self, tool: str, arguments: dict[str, Any], labels: dict[str, str] | None = None, *, streams: bool = False
    ) -> dict[str, Any]:
        """Call a tool and show what goes in (as `labels` has it) and what comes out: the structured result."""
        if not self.brief:
            self.console.print(f"\n[bold cyan]{tool}[/]")
            for name, value in (arguments | (labels or {})).items():
                self._row(name, "\n".join(cast("list[str]", value)) if isinstance(value, list) else str(value))
        reports = _Reports(None if self.brief else self.console)
        began = time.monotonic()
        result = await self.client.call_tool(tool, arguments, progress_callback=reports if streams else None)
        took = f"{(time.monotonic() - began) * 1000:.0f} ms"
        text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        if result.is_error:
            raise Failed(f"{tool} over {self.transports[-1]}: {text}")

        fields = cast("dict[str, Any]", result.structured_content)
        usage = cast("dict[str, float | None]", fields.get("usage") or {})
        cost_usd = usage.get("cost_usd") or 0.0
        self.calls += 1
        self.tools.add(tool)
        self.reports += reports.number
        self.cost_usd += cost_usd

        if streams:
            streamed = f", in {reports.number} reports"
        else:
            streamed = ""
        if self.brief:
            line = f"{tool:22}{took:>8}{streamed}  {' '.join(text.split())}"
            self.console.print(Text(line), no_wrap=True, overflow="ellipsis")
            return fields
        if streams:
            self.console.print()
        else:
            self._row("->", text)
        if usage:
            tokens = f", {usage['total_tokens']} tokens, ${cost_usd:.6f}"
        else:
            tokens = ""
        self._row("", f"{took}{streamed}{tokens}", style="dim")
        return fields

    def _row(self, name: str, text: str, style: str = "") -> None:
        for line in Text(text.strip("\n"), style).wrap(self.console, self.console.width - MARGIN):
            line.rstrip()
            self.console.print(Text(f"{name:>{MARGIN - 1}} ", "dim"), line, sep="")
            name = ""


class _Reports:
    """Progress reports: counted and, on a console, written out as they come, broken between words."""

    def __init__(self, console: Console | None) -> None:
        self.number = 0
        self._console = console
        self._column = MARGIN

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG002 - the SDK's
        self.number += 1
        if self._console is None:
            return
        if self.number == 1:
            self._console.print(Text(f"{'->':>{MARGIN - 1}} ", "dim"), end="")
        for piece in re.findall(r"\n|[^\S\n]+|\S+", message or ""):
            if piece == "\n" or self._column + len(piece) > self._console.width:
                self._console.print(Text("\n" + " " * MARGIN), end="")
                self._column = MARGIN
            if self._column > MARGIN or not piece.isspace():
                self._console.print(Text(piece), end="")
                self._column += len(piece)
