"""Real clients against the product, over every transport they speak: `python -m tests.clients NODE_MODULES ENVIRONMENTS`.

NODE_MODULES is where npm put the clients, ENVIRONMENTS holds Python environments with the others. Prints a table, and exits
with 1 if a client failed. One that cannot run without the world outside is in the table with what it said, and is no failure.
"""

import importlib.metadata
import itertools
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import anyio
import httpx2

from mistral_mcp import Settings
from mistral_mcp.hosting.app import create_app
from mistral_mcp.http.uvicorn_protocol import ClientProtocol
from mistral_mcp.sandbox import Sandbox, serve_app
from mistral_mcp.tools import DEFAULT, names
from tests.clients import model, proxy
from tests.clients.clients import KINDS, Kind
from tests.clients.place import KEY, PRODUCT, Around, Door, Failed, NotOffline, Place
from tests.clients.sign_ins import SIGN_INS, documents
from tests.clients.signing_in import SignIn
from tests.clients.witness import Log, Seen
from tests.hosting.oauth.local_web import LocalWeb, serving_documents

AT_ONCE = 4  # clients


@dataclass(slots=True)
class Row:
    """One client over one transport, and what came of it."""

    kind: Kind
    place: Place
    sign_in: SignIn | None = None
    seconds: float = 0
    failed: bool = False
    verdict: str = ""

    async def fill(self, http: httpx2.AsyncClient) -> None:
        began = time.monotonic()
        try:
            self.verdict = self._judge(await self.kind.run(self.place), self.place.log.seen())
            if self.sign_in:
                await self.sign_in.end(http, str(self.place.url).removesuffix("/mcp"))
        except Exception as raised:  # noqa: BLE001 - one client must not stop the others
            error = _first(raised)
            self.failed = not isinstance(error, NotOffline)
            said = str(error).replace(self.place.around.token, "…") or type(error).__name__
            self.verdict = f"FAILED: {said}" if self.failed else f"not offline: {said}"
        self.seconds = time.monotonic() - began

    def _judge(self, count: int, seen: Seen) -> str:
        expected = self.place.around.tools
        if seen.tools != expected:
            raise Failed(f"it listed {sorted(seen.tools)} instead of {sorted(expected)}")
        if count != len(expected):
            raise Failed(f"it says that it has {count} tools of {len(expected)}")
        if model.ARGUMENTS["prompt"] not in seen.called.get(model.TOOL, ""):
            raise Failed(f"{model.TOOL} did not answer: {seen.failed or seen.called or 'nobody called it'}")
        return "ok"

    def cells(self) -> tuple[str, ...]:
        seen = self.place.log.seen()
        return (
            self.kind.title,
            _version(self.kind, self.place.around),
            self.place.door,
            ", ".join(sorted(seen.credentials)) or "-",
            str(len(seen.tools)) if seen.tools else "-",
            _calls(seen),
            ", ".join(sorted(seen.revisions)) or "-",
            f"{self.seconds:.1f} s",
            self._verdict_and_steps(),
        )

    def _verdict_and_steps(self) -> str:
        steps = self.sign_in.steps if self.sign_in else []
        return f"{self.verdict} ({', '.join(steps)})" if steps else self.verdict


HEAD = ("client", "version", "transport", "credential", "tools", "called", "revision", "took", "verdict")


def _calls(seen: Seen) -> str:
    if len(seen.called) > 1:
        return f"{len(seen.called)} tools"
    return ", ".join(seen.called) or "-"


def _first(error: Exception) -> Exception:
    """The error within groups of them."""
    return (
        _first(cast("ExceptionGroup[Exception]", error).exceptions[0])
        if isinstance(error, ExceptionGroup)
        else error
    )


def _version(kind: Kind, around: Around) -> str:
    file = around.node_modules / kind.package / "package.json"
    if file.exists():
        return json.loads(file.read_text(encoding="utf-8"))["version"]
    path = [*sys.path, *map(str, around.site_packages)]
    found = next(iter(importlib.metadata.distributions(name=kind.package, path=path)), None)
    return found.version if found else "-"


@asynccontextmanager
async def serving(mistral: str, home: Path) -> AsyncGenerator[str]:
    """`mistral-mcp serve`, with a vault in that folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = {"ROUTE": mistral, "DATA_DIR": str(home), "PORT": str(port), "MASTER_KEYS": os.urandom(32).hex()}
    environ = {"PATH": os.environ["PATH"], "HOME": str(home)} | {f"MISTRAL_MCP_{key}": told[key] for key in told}
    log = home / "serve.log"
    with log.open("w", encoding="utf-8") as out:
        async with await anyio.open_process(
            [str(PRODUCT), "serve"], env=environ, stdout=out, stderr=out
        ) as server:
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                if server.returncode is None:
                    server.terminate()
                code = await server.wait()
                said = log.read_text(encoding="utf-8").splitlines()
                errors = any(" ERROR " in line or line.startswith("Traceback") for line in said)
                if errors or code not in {0, -signal.SIGTERM}:
                    raise Failed("\n".join([f"`serve` ended with {code}, and its log ends:", *said[-40:]]))


async def main(node_modules: Path, environments: Path, work: Path) -> bool:
    """Whether no client failed."""
    (work / "vault").mkdir()
    async with (
        serve_app(Sandbox()) as mistral,
        serve_app(model.create_app()) as models,
        serving(mistral, work / "vault") as server,
        httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(retries=6), timeout=600) as http,
        AsyncExitStack() as proxies,
    ):
        made = await http.post(f"{server}/connections", json={"api_key": KEY})
        token: str = made.raise_for_status().json()["token"]
        tools = set(names(DEFAULT, read_only=False))
        around = Around(node_modules, environments, mistral, models, token, tools)
        with_web = await proxies.enter_async_context(_serve_with_web(mistral, work))
        numbers = itertools.count()

        async def make_row(kind: Kind, door: Door) -> Row:
            home, sign_in = work / str(next(numbers)), SignIn() if door == "sign-in" else None
            log, url = Log(home.with_suffix(".log")), None
            if door != "stdio":
                behind = with_web if sign_in else server
                base = await proxies.enter_async_context(serve_app(proxy.create_app(behind, http, log, sign_in)))
                url = f"{base}/c/{token}/mcp" if door == "secret URL" else f"{base}/mcp"
            place = Place(around, door, url, home, log)
            place.prepare()
            if sign_in:
                place.prepare_browser()
            return Row(kind, place, sign_in)

        rows: list[Row] = []
        for kind in (*KINDS, *SIGN_INS):
            rows += [await make_row(kind, door) for door in kind.doors]
        await _run(rows, http)
        for number, row in enumerate(rows):
            if row.failed:  # alone: a client that gave up while the machine was busy is not at fault
                again = rows[number] = await make_row(row.kind, row.place.door)
                await again.fill(http)
                again.verdict = f"{again.verdict}, at the second try; at the first {row.verdict}"
        _print(rows)
        return not any(row.failed for row in rows)


@asynccontextmanager
async def _serve_with_web(mistral: str, work: Path) -> AsyncGenerator[str]:
    """The same server in this process, which finds clients' metadata documents on this machine."""
    folder = work / "web"
    folder.mkdir()
    settings = Settings.model_validate(
        {"route": mistral, "data_dir": folder / "data", "log_level": "WARNING", "max_connections_per_key": 100}
    )
    async with (
        serving_documents(LocalWeb(documents()), folder) as client_documents,
        serve_app(create_app(settings, client_documents=client_documents), http=ClientProtocol) as server,
    ):
        yield server


async def _run(rows: list[Row], http: httpx2.AsyncClient) -> None:
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def fill_within_limit(row: Row) -> None:
        async with limit:
            await row.fill(http)

    async with anyio.create_task_group() as group:
        for row in reversed(rows):  # the slowest are last
            group.start_soon(fill_within_limit, row)


def _print(rows: list[Row]) -> None:
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD) - 1)]
    for line in lines:
        cells = [*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]
        print("  ".join(cells))  # noqa: T201 - what this is for


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(not anyio.run(main, Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute(), Path(folder)))
