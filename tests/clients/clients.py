"""The clients, one function each: list the tools and call one, each in its own way.

Each gives how many tools the client itself says there are. The rest is seen by the witness.
"""

import json
import re
import shlex
import socket
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
from anyio.abc import ByteReceiveStream, Process
from anyio.streams.text import TextReceiveStream
from mcp.client import Client, Transport
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from mistral_mcp.install import snippets
from tests.clients.model import ARGUMENTS, EVERY_CALL, TOOL
from tests.clients.place import KEY, PATIENCE, Door, Failed, Place
from tests.clients.whole import ASK, get_whole

Run = Callable[[Place], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A client."""

    title: str
    package: str
    run: Run
    doors: tuple[Door, ...] = ("stdio", "/mcp", "secret URL")


async def python(place: Place) -> int:
    server = place.server("Authorization", f"Bearer {place.around.token}")
    if place.url is None:
        return await python_over_stdio(place, server)
    async with httpx2.AsyncClient(headers=server["headers"], timeout=PATIENCE) as http:
        return await _call_with_python(streamable_http_client(place.url, http_client=http))


async def python_over_stdio(place: Place, server: dict[str, Any], calls: int = 1) -> int:
    log = place.home / "stderr.log"
    with log.open("w", encoding="utf-8") as out:
        try:
            return await _call_with_python(
                stdio_client(StdioServerParameters(**server, cwd=place.project), out), calls
            )
        except Exception as error:
            raise place.failure(f"{error!r} {log.read_text(encoding='utf-8')}") from error


async def _call_with_python(transport: Transport, calls: int = 1) -> int:
    with anyio.fail_after(PATIENCE):
        async with Client(transport, read_timeout_seconds=PATIENCE) as client:
            tools = (await client.list_tools()).tools
            for _ in range(calls):
                await client.call_tool(TOOL, ARGUMENTS)
            embedded = await client.call_tool("mistral_embed", {"inputs": ["a"], "output": "link"})
            await _get_whole((embedded.structured_content or {})["kept"])
            return len(tools)


async def _get_whole(kept: dict[str, Any]) -> None:
    """A result that was kept, by its link or at its path."""
    if "path" in kept:
        whole = await anyio.Path(kept["path"]).read_bytes()
    else:
        async with httpx2.AsyncClient(timeout=PATIENCE) as http:
            whole = (await http.get(kept["url"])).raise_for_status().content
    if len(whole) != kept["bytes"]:
        raise Failed(f"of a kept result of {kept['bytes']} bytes it got {len(whole)}")


async def mcp_remote(place: Place) -> int:
    """As Claude Desktop starts it, from the entry that `install` writes."""
    place.program("mcp-remote")
    (place.home / "package.json").symlink_to(place.around.node_modules.parent / "package.json")
    (place.home / "node_modules").symlink_to(place.around.node_modules)  # where npx looks first
    await place.install("claude-desktop", answer=f"{KEY}\n")
    file = place.home / ".config" / "Claude" / "claude_desktop_config.json"
    entry = json.loads(file.read_text(encoding="utf-8"))["mcpServers"]["mistral"]
    offline = {"npm_config_offline": "true"}
    return await python_over_stdio(place, {**entry, "env": place.variables | offline | entry.get("env", {})})


async def fastmcp(place: Place) -> int:
    python = place.around.python("fastmcp", "python")
    server = place.server("X-Mistral-Api-Key", KEY)
    script = Path(__file__).with_name("with_fastmcp.py")
    arguments = map(json.dumps, (server, TOOL, ARGUMENTS))
    said = await place.run(python, str(script), *arguments)
    return len(json.loads(said)["tools"])


def framework(package: str) -> Run:
    """A Python framework that makes functions of its own from the tools' schemas; calls each of them."""

    async def run(place: Place) -> int:
        server = place.server("X-Mistral-Api-Key", KEY)
        script = Path(__file__).with_name(f"with_{package}.py")
        said = await place.run(
            place.around.python(package, "python"), str(script), json.dumps(server), json.dumps(EVERY_CALL)
        )
        missed = EVERY_CALL.keys() - place.log.seen().called.keys()
        if missed:
            raise Failed(f"it did not call {sorted(missed)}")
        return len(json.loads(said.splitlines()[-1])["tools"])

    return run


async def mcpo(place: Place) -> int:
    """The tools as an OpenAPI server, as Open WebUI takes them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = place.server("X-Mistral-Api-Key", KEY)
    command = [place.around.python("mcpo", "mcpo"), "--host", "127.0.0.1", "--port", str(port)]
    if place.url is None:
        command += ["--", server["command"], *server["args"]]
    else:
        command += ["--server-type", "streamable-http", "--header", json.dumps(server["headers"]), "--", place.url]
    log = place.home / "mcpo.log"
    with log.open("w", encoding="utf-8") as out:
        async with await anyio.open_process(command, env=place.variables, stdout=out, stderr=out) as process:
            try:
                return await _call_over_openapi(f"http://127.0.0.1:{port}")
            except (httpx2.HTTPError, TimeoutError) as error:
                raise place.failure(f"{error!r} {log.read_text(encoding='utf-8')[-2000:]}") from error
            finally:
                process.terminate()


async def _call_over_openapi(url: str) -> int:
    # It starts to listen when it has listed the tools.
    wire = httpx2.AsyncHTTPTransport(retries=8)
    async with httpx2.AsyncClient(base_url=url, transport=wire, timeout=PATIENCE) as http:
        paths = (await http.get("/openapi.json")).raise_for_status().json()["paths"]
        for name, arguments in EVERY_CALL.items():
            (await http.post(f"/{name}", json=arguments)).raise_for_status()
        embedded = (await http.post("/mistral_embed", json=ASK)).raise_for_status()
        await anyio.to_thread.run_sync(get_whole, embedded.text)
    return len(paths)


def typescript(major: int) -> Run:
    async def run(place: Place) -> int:
        server = place.server("X-API-Key", KEY if major == 1 else place.around.token)
        script = Path(__file__).with_name("with_typescript.mjs")
        arguments = map(json.dumps, (major, server, TOOL, ARGUMENTS))
        return len(json.loads(await place.run(place.program("node"), str(script), *arguments))["tools"])

    return run


def inspector(era: str) -> Run:
    async def run(place: Place) -> int:
        server = place.server("X-Mistral-Api-Key", KEY) | {"protocolEra": era}
        if place.url is not None:
            server["type"] = "streamable-http"
        config = place.home / "servers.json"
        config.write_text(json.dumps({"mcpServers": {"mistral": server}}), encoding="utf-8")
        ask = (place.program("mcp-inspector"), "--cli", "--config", str(config), "--server", "mistral", "--method")
        listed = json.loads(await place.run(*ask, "tools/list", "--strict", "--format", "json"))
        arguments = [f"{name}={value}" for name, value in ARGUMENTS.items()]
        await place.run(*ask, "tools/call", "--tool-name", TOOL, "--tool-arg", *arguments, "--format", "json")
        return len(listed.get("result", listed)["tools"])

    return run


async def claude_code(place: Place) -> int:
    """Through `install`, the health check, and a turn in print mode, whose model is the stand-in."""
    claude = place.program("claude")
    place.use_model_for_claude()
    await place.install("claude-code")
    names = ["mistral"]
    if place.url is not None and place.door == "secret URL":  # what the connect page tells a person to type
        shown = next(each for each in snippets(place.url, name="page") if each.host == "claude-code")
        await place.run(claude, *shlex.split(shown.text)[1:])
        names.append("page")
    health = await place.run(claude, "mcp", "list", aside=True)
    if not all(re.search(rf"^{name}: .* Connected$", health, re.MULTILINE) for name in names):
        raise place.failure(health)
    if len(names) > 1:
        await place.run(claude, "mcp", "remove", "page")
    told = ("--allowedTools", f"mcp__mistral__{TOOL}", "--output-format", "text")
    return _count(place, await place.run(claude, "--print", "Say hello.", *told))


async def gemini(place: Place) -> int:
    """Through `install`, the health check, and a turn, whose model is the stand-in."""
    program = place.program("gemini")
    place.variables.update(GOOGLE_GEMINI_BASE_URL=place.around.model, GEMINI_API_KEY="pretend")
    settings = place.home / ".gemini" / "settings.json"
    settings.parent.mkdir()
    # In a folder that is not trusted, Gemini starts no server.
    chosen = {"security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}}}
    settings.write_text(json.dumps(chosen), encoding="utf-8")
    await place.install("gemini")
    health = await place.run(program, "mcp", "list", aside=True)
    if not re.search(r"mistral: .* - Connected", health):
        raise place.failure(health)
    told = ("--approval-mode", "yolo", "--output-format", "text", "--model", "gemini-2.5-flash")
    return _count(place, await place.run(program, "--prompt", "Say hello.", *told))


def _count(place: Place, said: str) -> int:
    """What the stand-in says last, and the host shows."""
    found = re.search(r"(\d+) tools", said)
    if found is None:
        raise place.failure(said)
    return int(found[1])


async def vibe(place: Place) -> int:
    """Through `install`, and a turn, whose model is the stand-in."""
    program = place.around.python("vibe", "vibe")
    await place.install("vibe", answer=f"{KEY}\n")
    file = place.home / ".vibe" / "config.toml"
    model = f"""
active_model = "none"
enable_telemetry = false
enable_update_checks = false
providers = [{{name = "none", api_base = "{place.around.model}/v1", api_key_env_var = "MISTRAL_API_KEY", backend = "mistral"}}]
models = [{{name = "none", provider = "none", alias = "none"}}]
"""
    file.write_text(model + file.read_text(encoding="utf-8"), encoding="utf-8")
    return _count(place, await place.run(program, "--prompt", "Say hello.", "--auto-approve", "--trust"))


async def codex(place: Place) -> int:
    """Through `install`, `codex mcp list`, and its app server, which calls tools without a model."""
    program = place.program("codex")
    await place.install("codex")
    if not re.search(r"^mistral .* enabled", said := await place.run(program, "mcp", "list"), re.MULTILINE):
        raise place.failure(said)
    async with Rpc.codex(place) as rpc:
        return await call_from_codex(rpc)


async def call_from_codex(rpc: "Rpc", calls: int = 1) -> int:
    """Codex's app server calls tools without a model."""
    about = {"clientInfo": {"name": "check", "version": "1"}, "capabilities": {"experimentalApi": True}}
    await rpc.ask("initialize", about)
    servers = (await rpc.ask("mcpServerStatus/list", {}))["data"]
    started = await rpc.ask("thread/start", {"cwd": str(rpc.place.project), "ephemeral": True})
    call = {"threadId": started["thread"]["id"], "server": "mistral", "tool": TOOL, "arguments": ARGUMENTS}
    for _ in range(calls):
        await rpc.ask("mcpServer/tool/call", call)
    return sum(len(server["tools"]) for server in servers)


@dataclass(slots=True)
class Rpc:
    """A program that answers a line with a line, and says other things in between."""

    place: Place
    process: Process
    lines: AsyncIterator[str]
    count: int = 0

    @classmethod
    @asynccontextmanager
    async def codex(cls, place: Place) -> AsyncGenerator["Rpc"]:
        nowhere = f'{{name = "none", base_url = "{place.around.model}", supports_websockets = false}}'
        command = [place.program("codex"), "app-server", "-c", "model_provider=none"]
        command += ["-c", f"model_providers.none={nowhere}"]
        started = anyio.open_process(command, cwd=place.project, env=place.variables, stderr=subprocess.DEVNULL)
        with anyio.fail_after(PATIENCE):
            async with await started as process:
                assert process.stdout
                yield cls(place, process, _lines(process.stdout))
                process.kill()

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self.count += 1
        line = json.dumps({"id": self.count, "method": method, "params": params}) + "\n"
        assert self.process.stdin
        await self.process.stdin.send(line.encode())
        async for line in self.lines:
            message = json.loads(line)
            if message.get("id") == self.count and "method" not in message:
                if "error" in message:
                    raise self.place.failure(f"{method}: {message['error']}")
                return message["result"]
        raise self.place.failure(f"{method}: the program ended")


async def _lines(stream: ByteReceiveStream) -> AsyncGenerator[str]:
    rest = ""
    async for text in TextReceiveStream(stream):
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield line


KINDS = (
    Kind("Python SDK", "mcp", python),
    Kind("FastMCP", "fastmcp-slim", fastmcp),
    Kind("google-genai", "google-genai", framework("google")),
    Kind("OpenAI Agents", "openai-agents", framework("agents")),
    Kind("LangChain", "langchain-mcp-adapters", framework("langchain_mcp_adapters")),
    Kind("smolagents", "smolagents", framework("smolagents")),
    Kind("mcpo", "mcpo", mcpo),
    Kind("TypeScript SDK 1", "@modelcontextprotocol/sdk", typescript(1)),
    Kind("TypeScript SDK 2", "@modelcontextprotocol/client", typescript(2)),
    Kind("Inspector", "@modelcontextprotocol/inspector", inspector("legacy")),
    Kind("Inspector, modern", "@modelcontextprotocol/inspector", inspector("modern")),
    Kind("mcp-remote", "mcp-remote", mcp_remote, ("/mcp", "secret URL")),
    Kind("Claude Code", "@anthropic-ai/claude-code", claude_code),
    Kind("Codex", "@openai/codex", codex),
    Kind("Gemini CLI", "@google/gemini-cli", gemini),
    Kind("Mistral Vibe", "mistral-vibe", vibe),
)
