"""Servers as processes of their own, on loopback, and what the system says they cost."""

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
    """What a figure needs is not here; the text says what."""


@dataclass(frozen=True)
class Costs:
    """What a process and its children have used so far, and hold."""

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
async def running(
    command: Sequence[str], environment: Mapping[str, str], port: int, ready: str = "/"
) -> AsyncGenerator[Server]:
    """Start a command and wait until it answers at `ready`, with whatever status."""
    async with _process(command, environment) as process:
        await _answers(process, f"http://127.0.0.1:{port}{ready}", command)
        yield Server(process.pid, port)


async def _answers(process: Process, url: str, command: Sequence[str]) -> None:
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
    """A process that hears nothing of what the caller's environment says to us or to Mistral."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MISTRAL_", "MCP_"))}
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
class Lines:
    """A process that is talked to in lines: our helpers, and any server over stdio."""

    process: Process
    received: BufferedByteReceiveStream = field(repr=False)

    @property
    def costs(self) -> Costs:
        return Costs(self.process.pid)

    async def say(self, line: bytes) -> None:
        assert self.process.stdin is not None  # noqa: S101 - `talking` made it so
        await self.process.stdin.send(line + b"\n")

    async def hear(self) -> bytes:
        try:
            return await self.received.receive_until(b"\n", _LINE)
        except (anyio.EndOfStream, anyio.IncompleteRead):
            raise CannotMeasure("a process that was talked to ended") from None

    async def ask(self, message: Json) -> bytes:
        """The answer to one JSON-RPC request; whatever comes before it is passed over."""
        await self.say(as_bytes(message))
        wanted = message["id"]
        while True:
            line = await self.hear()
            answer = cast("Json", json.loads(line))
            if answer.get("id") == wanted:
                if "error" in answer:
                    raise CannotMeasure(f"{message['method']} was answered with {str(answer['error'])[:200]}")
                return line

    async def greet(self) -> None:
        await self.ask(INITIALIZE)
        await self.say(as_bytes(INITIALIZED))


@asynccontextmanager
async def talking(command: Sequence[str], environment: Mapping[str, str]) -> AsyncGenerator[Lines]:
    async with _process(command, environment) as process:
        assert process.stdout is not None  # noqa: S101 - pipes are anyio's default
        yield Lines(process, BufferedByteReceiveStream(process.stdout))
