"""Servers as processes of their own, on loopback, and what the system says they cost."""

import os
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx2

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Server:
    """A process that listens."""

    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """User and system time so far, workers included."""
        return sum(_cpu(pid) for pid in self._family())

    def rss_mb(self) -> float:
        """Resident memory, workers included."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) for pid in self._family())
        return pages * _PAGE / 1e6

    def _family(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii").split()
        return [self.pid, *map(int, children)]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@asynccontextmanager
async def running(
    arguments: Sequence[str], environment: dict[str, str], port: int, ready: str
) -> AsyncGenerator[Server]:
    """Start `python ARGUMENTS` and wait until it answers at `ready`."""
    url = f"http://127.0.0.1:{port}"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MISTRAL_")}
    process = await anyio.open_process([sys.executable, *arguments], env=clean | environment, stdout=None, stderr=None)
    try:
        async with httpx2.AsyncClient() as http:
            began = time.monotonic()
            while time.monotonic() - began < 30:  # noqa: PLR2004 - seconds
                try:
                    await http.get(url + ready)
                    break
                except httpx2.TransportError:
                    await anyio.sleep(0.05)
        yield Server(url, process.pid)
    finally:
        process.terminate()
        with anyio.CancelScope(shield=True):
            await process.wait()
