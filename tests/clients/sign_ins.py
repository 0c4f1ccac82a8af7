"""The clients that sign in, one function each: discovery, a client id, a person's consent, a call, and another after a refresh.

What they did on the way is seen by `SignIn`. Those that cannot revoke are revoked.
"""

import json
import re
import socket
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx2
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from pydantic import AnyUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mistral_mcp.sandbox import serve_app
from tests.clients.clients import Kind, Rpc, Run, call_from_codex, python_over_stdio
from tests.clients.model import ARGUMENTS, TOOL
from tests.clients.place import PATIENCE, NotOffline, Place
from tests.hosting.oauth.browser import CHROMIUM
from tests.hosting.oauth.sdk import Memory

AT_A_TERMINAL = (sys.executable, "-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)")
DOCUMENT = "https://client.example/oauth/client.json"
CODEX = "https://chatgpt.com/oauth/codex/client.json"
CLAUDE_CODE = "https://claude.ai/oauth/claude-code-client-metadata"


def documents() -> dict[str, dict[str, Any]]:
    """What the web has of clients: ours, and what stands in for their makers', which are out of reach."""
    redirects = ["http://127.0.0.1/callback", "http://localhost/callback"]
    names = {DOCUMENT: "Described", CLAUDE_CODE: "Claude Code", CODEX: "Codex"}
    return {
        url: {"client_id": url, "client_name": name, "redirect_uris": redirects} for url, name in names.items()
    }


class _Callback:
    """Where the browser brings the answer."""

    def __init__(self) -> None:
        self.came = anyio.Event()
        self.query: dict[str, str] = {}

    async def take(self, request: Request) -> Response:
        self.query = dict(request.query_params)
        self.came.set()
        return PlainTextResponse("Back in the client")

    async def wait(self) -> AuthorizationCodeResult:
        await self.came.wait()
        names = ("code", "state", "iss")
        return AuthorizationCodeResult(**{name: self.query[name] for name in names})


def python(document: str | None = None) -> Run:
    async def run(place: Place) -> int:
        callback = _Callback()
        async with serve_app(Starlette(routes=[Route("/callback", callback.take)])) as base:
            assert place.url
            provider = OAuthClientProvider(
                place.url,
                OAuthClientMetadata(redirect_uris=[AnyUrl(f"{base}/callback")], client_name="Python SDK"),
                Memory(),
                lambda url: _open(place, url),
                callback.wait,
                client_metadata_url=document,
            )
            with anyio.fail_after(PATIENCE):
                async with (
                    httpx2.AsyncClient(auth=provider, timeout=PATIENCE) as http,
                    Client(streamable_http_client(place.url, http_client=http)) as client,
                ):
                    tools = (await client.list_tools()).tools
                    await client.call_tool(TOOL, ARGUMENTS)
                    provider.context.token_expiry_time = 1  # it goes by the clock
                    await client.call_tool(TOOL, ARGUMENTS)
                    return len(tools)

    return run


async def _open(place: Place, url: str) -> None:
    await place.run(place.browser, url)


def typescript(major: int, document: str | None = None) -> Run:
    async def run(place: Place) -> int:
        script = Path(__file__).with_name("with_typescript_sign_in.mjs")
        arguments = map(json.dumps, (major, place.url, document, TOOL, ARGUMENTS))
        return len(json.loads(await place.run(place.program("node"), str(script), *arguments))["tools"])

    return run


async def mcp_remote(place: Place) -> int:
    """As a client that speaks stdio alone starts it."""
    server = {"command": place.program("mcp-remote"), "args": [place.url], "env": place.variables}
    return await python_over_stdio(place, server, calls=2)


def inspector(document: str | None = None) -> Run:
    """Its command-line program, which keeps what it was given and revokes it when it logs in anew."""

    async def run(place: Place) -> int:
        chosen = ["--client-metadata-url", document] if document else []
        with socket.create_server(("127.0.0.1", 0)) as free:
            chosen += ["--callback-url", f"http://127.0.0.1:{free.getsockname()[1]}/callback"]
        # Though there is no terminal; and no keychain.
        place.variables.update(MCP_AUTO_OPEN_ENABLED="true", MCP_INSPECTOR_SECRET_STORE="file")
        ask = (
            place.program("mcp-inspector"),
            "--cli",
            "--server-url",
            str(place.url),
            "--transport",
            "http",
            *chosen,
        )
        listed = json.loads(await place.run(*ask, "--method", "tools/list", "--format", "json"))
        arguments = [f"{name}={value}" for name, value in ARGUMENTS.items()]
        call = (*ask, "--method", "tools/call", "--tool-name", TOOL, "--tool-arg", *arguments, "--format", "json")
        await place.run(*call)
        await place.run(*call, "--stored-auth-only")
        return len(listed.get("result", listed)["tools"])

    return run


async def claude_code(place: Place) -> int:
    """`claude mcp add`, `login`, two turns whose model is the stand-in, `logout`."""
    claude = place.program("claude")
    place.use_model_for_claude()
    await place.run(claude, "mcp", "add", "--transport", "http", "--scope", "user", "mistral", str(place.url))
    await place.run(*AT_A_TERMINAL, claude, "mcp", "login", "mistral")
    turn = ("--print", "Say hello.", "--allowedTools", f"mcp__mistral__{TOOL}", "--output-format", "text")
    said = await place.run(claude, *turn)
    await place.run(claude, *turn)
    await place.run(claude, "mcp", "logout", "mistral")
    found = re.search(r"(\d+) tools", said)
    if found is None:
        raise place.failure(said)
    return int(found[1])


def codex(registration: str) -> Run:
    """`codex mcp login`, and its app server, which calls tools without a model."""

    async def run(place: Place) -> int:
        program = place.program("codex")
        file = place.home / ".codex" / "config.toml"
        file.parent.mkdir()
        file.write_text(f'[mcp_servers.mistral]\nurl = "{place.url}"\n', encoding="utf-8")
        await place.run(program, "mcp", "login", "mistral", "--oauth-client-registration", registration)
        async with Rpc.codex(place) as rpc:
            return await call_from_codex(rpc, calls=2)

    return run


def _kind(title: str, package: str, run: Run) -> Kind:
    async def run_with_browser(place: Place) -> int:
        if not CHROMIUM.exists():
            raise NotOffline("Chromium is not there, with which a person agrees")
        return await run(place)

    return Kind(title, package, run_with_browser, ("sign-in",))


SIGN_INS = (
    _kind("Python SDK", "mcp", python()),
    _kind("Python SDK, by document", "mcp", python(DOCUMENT)),
    _kind("TypeScript SDK 1", "@modelcontextprotocol/sdk", typescript(1)),
    _kind("TypeScript SDK 1, by document", "@modelcontextprotocol/sdk", typescript(1, DOCUMENT)),
    _kind("TypeScript SDK 2", "@modelcontextprotocol/client", typescript(2)),
    _kind("TypeScript SDK 2, by document", "@modelcontextprotocol/client", typescript(2, DOCUMENT)),
    _kind("mcp-remote", "mcp-remote", mcp_remote),
    _kind("Inspector", "@modelcontextprotocol/inspector", inspector()),
    _kind("Inspector, by document", "@modelcontextprotocol/inspector", inspector(DOCUMENT)),
    _kind("Claude Code, by document", "@anthropic-ai/claude-code", claude_code),
    _kind("Codex", "@openai/codex", codex("dcr")),
    _kind("Codex, by document", "@openai/codex", codex("cimd")),
)
