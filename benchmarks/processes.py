"""Start servers as processes on loopback, and read their CPU time and memory from the system."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import anyio
import httpx2
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from benchmarks.wire import INITIALIZE, INITIALIZED, Json, as_bytes

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LINE = 256 * 1024 * 1024  # bytes; a line may hold three thousand vectors


class CannotMeasure(Exception):
    """Something that a figure needs is missing; the text says what."""


@dataclass(frozen=True)
class Costs:
    """The CPU time and memory of a process and its children."""

    pid: int

    def cpu_seconds(self) -> float:
        """User and system time."""
        return sum(_cpu(pid) for pid in self._family())

    def rss_mb(self) -> float:
        """Resident memory."""
        pages = sum(
            int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) for pid in self._family()
        )
        return pages * _PAGE / 1e6

    def _family(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii").split()
        return [self.pid, *map(int, children)]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@dataclass(frozen=True)
class Server(Costs):
    """A process that listens."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return cast("int", taken.getsockname()[1])


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


@asynccontextmanager
async def start_server(
    command: Sequence[str], environment: Mapping[str, str], port: int, ready: str = "/"
) -> AsyncGenerator[Server]:
    """Start a command and wait until it answers at `ready`, with whatever status."""
    async with _process(command, environment) as process:
        await _wait_until_ready(process, f"http://127.0.0.1:{port}{ready}", command)
        yield Server(process.pid, port)


async def _wait_until_ready(process: Process, url: str, command: Sequence[str]) -> None:
    async with httpx2.AsyncClient() as http:
        began = time.monotonic()
        while time.monotonic() - began < 60:  # noqa: PLR2004 - seconds
            with suppress(httpx2.TransportError):
                await http.get(url)
                return
            if process.returncode is not None:
                break
            await anyio.sleep(0.05)
    raise CannotMeasure(f"{Path(command[0]).name} {' '.join(command[1:4])} did not start")


@asynccontextmanager
async def _process(command: Sequence[str], environment: Mapping[str, str]) -> AsyncGenerator[Process]:
    """A process without the caller's environment variables for this server, for Mistral, or against compiled modules: an
    installed package is compiled, and compiling it at every start would count as its memory.
    """
    left_out = ("MISTRAL_", "MCP_", "PYTHONDONTWRITEBYTECODE")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    process = await anyio.open_process(command, env=clean | dict(environment), stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True), suppress(ProcessLookupError):
            process.terminate()
            with anyio.move_on_after(10):
                await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()
            await process.aclose()


@dataclass(frozen=True)
class LineProcess:
    """A process that reads and writes lines: a helper, or a server over stdio."""

    process: Process
    received: BufferedByteReceiveStream = field(repr=False)

    @property
    def costs(self) -> Costs:
        return Costs(self.process.pid)

    async def send_line(self, line: bytes) -> None:
        assert self.process.stdin is not None  # noqa: S101 - `start_process` made it so
        await self.process.stdin.send(line + b"\n")

    async def read_line(self) -> bytes:
        try:
            return await self.received.receive_until(b"\n", _LINE)
        except (anyio.EndOfStream, anyio.IncompleteRead):
            raise CannotMeasure("a process ended before it answered") from None

    async def ask(self, message: Json) -> bytes:
        """Send a JSON-RPC request, and return the line with its response. Earlier messages are ignored."""
        await self.send_line(as_bytes(message))
        wanted = message["id"]
        while True:
            line = await self.read_line()
            answer = cast("Json", json.loads(line))
            if answer.get("id") == wanted:
                if "error" in answer:
                    raise CannotMeasure(f"{message['method']} was answered with {str(answer['error'])[:200]}")
                return line

    async def initialize(self) -> None:
        await self.ask(INITIALIZE)
        await self.send_line(as_bytes(INITIALIZED))


@asynccontextmanager
async def start_process(command: Sequence[str], environment: Mapping[str, str]) -> AsyncGenerator[LineProcess]:
    async with _process(command, environment) as process:
        assert process.stdout is not None  # noqa: S101 - pipes are anyio's default
        yield LineProcess(process, BufferedByteReceiveStream(process.stdout))
