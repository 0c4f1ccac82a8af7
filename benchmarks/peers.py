"""Other MCP servers for Mistral, each installed once in its own environment: npm's `mistral-mcp`, and FastMCP from OpenAPI."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import anyio.to_thread
from pydantic import BaseModel, Field

from benchmarks.bench import Bench, Contender
from benchmarks.processes import CannotMeasure, start_process
from benchmarks.wire import KEY, Json, question, tool_call

_NPM = "npm mistral-mcp"
_FASTMCP = "FastMCP.from_openapi"
_FOLDER = Path(tempfile.gettempdir()) / "mistral-mcp-benchmarks"
_HERE = Path(__file__).parent


class _Operation(BaseModel):
    operation_id: str = Field(default="", alias="operationId")


class _Path(BaseModel):
    post: _Operation = _Operation()


class _OpenApi(BaseModel):
    paths: dict[str, _Path]


def not_requested() -> dict[str, str]:
    return dict.fromkeys((_NPM, _FASTMCP), "only with --peers")


async def install(bench: Bench, openapi: Path | None) -> tuple[list[Contender], dict[str, str]]:
    """The peers that work, and for each of the others the reason why it does not."""
    ways: dict[str, Callable[[], Contender]] = {
        _NPM: lambda: _npm(bench.upstream.url),
        _FASTMCP: lambda: _fastmcp(bench.upstream.url, openapi),
    }
    found: list[Contender] = []
    missing: dict[str, str] = {}
    for name, way in ways.items():
        try:
            peer = await anyio.to_thread.run_sync(way)
            await _check_peer(bench, peer)
            found.append(peer)
        except CannotMeasure as why:
            missing[name] = str(why)
    return found, missing


async def _check_peer(bench: Bench, peer: Contender) -> None:
    """Make one call over stdio and one over HTTP before measuring. Raises `CannotMeasure` if they fail."""
    async with start_process(peer.stdio, peer.environment) as server:
        await server.initialize()
        await server.ask(tool_call(peer.tool, peer.arguments, "2025-11-25"))
    async with bench.start_servers(peer) as (server,):
        outcome = (await bench.load(bench.plan(peer, server.port, 1, 1, era=peer.eras[-1]))).outcome
    if outcome.errors:
        raise CannotMeasure(f"its calls fail: {next(iter(outcome.errors))}")


def _npm(upstream: str) -> Contender:
    """Not every version has a setting for the upstream's address, so `peer_fetch.mjs` redirects `fetch`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise CannotMeasure("node and npm are not installed")
    prefix = _FOLDER / "npm"
    package = prefix / "node_modules" / "mistral-mcp"
    if not package.exists():
        prefix.mkdir(parents=True, exist_ok=True)
        _run(npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(prefix), "mistral-mcp@latest")
    described = cast("Json", json.loads((package / "package.json").read_text(encoding="utf-8")))
    command = [node, "--import", str(_HERE / "peer_fetch.mjs"), str(package / "dist" / "index.js")]
    return Contender(
        f"{_NPM} {described['version']}",
        command,
        lambda _: [*command, "--http"],
        {"MISTRAL_API_KEY": KEY, "BENCHMARKS_UPSTREAM": upstream},
        port_variable="MCP_HTTP_PORT",
        arguments={"messages": [{"role": "user", "content": "Hello"}], "model": "mistral-small-latest"},
        eras=("2025-11-25",),
        all_tools={"MISTRAL_MCP_PROFILE": "admin"},
        own_keys=False,
    )


def _fastmcp(upstream: str, openapi: Path | None) -> Contender:
    if openapi is None:
        raise CannotMeasure("give Mistral's OpenAPI file with --openapi")
    if not openapi.is_file():
        raise CannotMeasure(f"there is no file {openapi.name}")
    python = _FOLDER / "fastmcp" / "bin" / "python"
    if not python.exists():
        _run(sys.executable, "-m", "venv", "--clear", str(python.parent.parent))
    if not list(python.parent.parent.glob("lib/python*/site-packages/fastmcp")):
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "fastmcp", "pyyaml")
    # Converted now, so that parsing YAML for three seconds does not count as the peer's time.
    spec = _FOLDER / "openapi.json"
    convert = (
        "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), open(sys.argv[2], 'w'), default=str)"
    )
    _run(str(python), "-c", convert, str(openapi.resolve()), str(spec))
    version = _run(str(python), "-c", "from importlib.metadata import version; print(version('fastmcp'))")
    chat = _OpenApi.model_validate_json(spec.read_bytes()).paths["/v1/chat/completions"].post
    command = [str(python), str(_HERE / "peer_fastmcp.py"), str(spec), upstream]
    return Contender(
        f"{_FASTMCP} {version}",
        command,
        lambda port: [*command, str(port)],
        {},
        tool=chat.operation_id[:64],
        arguments=question("Hello"),
        # It is fastest with a session: without one it builds all of its tools for each request.
        eras=("2026-07-28", "2025-11-25"),
        own_keys=False,
        slowdown=50,
    )


def _run(*command: str) -> str:
    """Run the command, and return its output. Raises `CannotMeasure` if it fails."""
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)  # noqa: S603 - ours
    except (subprocess.SubprocessError, OSError):
        raise CannotMeasure(f"{_short(command)} failed") from None
    return done.stdout.strip()


def _short(command: Sequence[str]) -> str:
    return " ".join([Path(command[0]).name, *command[1:4]])
