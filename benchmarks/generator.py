"""The load generator, which runs in its own process: sends prepared requests and checks the answers, without retries.

Reads one `Plan` per line, opens its connections, writes `ready`, waits for a line, and writes the `Outcome`.
"""

import asyncio
import gc
import itertools
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.plans import Outcome, Plan
from benchmarks.wire import CALL_ID

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SESSION = re.compile(rb"\r\nmcp-session-id: *([^\r]+)", re.IGNORECASE)


_ID = f'"id":{CALL_ID}'.encode()


class Ready(NamedTuple):
    port: int
    request: bytes
    expect: bytes
    position: int
    """The index of the plan's target."""


class WrongAnswer(Exception):
    """An answer with the wrong status or content; the text has both."""


class Connection:
    """One keep-alive connection. After a failure it is reopened for the next call."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        return self._streams

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def exchange(self, request: bytes, first: bytes = b"") -> tuple[bytes, bytes, float]:
        """The head and body of the answer, and the time when `first` arrived in its body, 0 if it did not."""
        reader, writer = await self.open()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if length := _LENGTH.search(head):
            return head, await reader.readexactly(int(length[1])), 0.0
        parts: list[bytes] = []
        seen = 0.0
        while size := int(await reader.readuntil(b"\r\n"), 16):
            part = await reader.readexactly(size + 2)
            if first and not seen and first in part:
                seen = time.perf_counter()
            parts.append(part[:-2])
        await reader.readuntil(b"\r\n")
        return head, b"".join(parts), seen


class Run:
    """The execution of one plan."""

    def __init__(self, plan: Plan, sessions: dict[int, bytes]) -> None:
        self.plan = plan
        self.sessions = sessions
        """Session headers by port, shared by all plans: some servers open only one session."""
        self.latencies: list[float] = []
        self.firsts: list[float] = []
        self.errors: Counter[str] = Counter()
        self.answers: dict[int, str] = {}
        ports = sorted({target.port for target in plan.targets})
        self.callers = [{port: Connection(port) for port in ports} for _ in range(plan.callers)]
        self._first = plan.first.encode()
        self._ids = itertools.count(CALL_ID + 1)

    async def open(self) -> list[Ready]:
        """Open all connections before the measurement starts, and return the targets, with a session header if there is one."""
        # In batches: most servers do not queue a thousand connections.
        for some in _batches(self.callers):
            connections = itertools.chain.from_iterable(caller.values() for caller in some)
            connecting = [connection.open() for connection in connections]
            # A connection that fails now fails again in its first call, which counts it.
            await asyncio.gather(*connecting, return_exceptions=True)
        extra = await self._session() if self.plan.handshake else b""
        return [
            Ready(
                target.port, _add_header(target.request.encode("latin-1"), extra), target.expect.encode(), position
            )
            for position, target in enumerate(self.plan.targets)
        ]

    async def _session(self) -> bytes:
        """The header of the shared session; empty if the server has no sessions."""
        [(port, connection)] = self.callers[0].items()
        if port not in self.sessions:
            extra = b""
            for request in self.plan.handshake:
                head, body, _ = await connection.exchange(_add_header(request.encode("latin-1"), extra))
                if head[9:10] != b"2":
                    self.errors[f"handshake: {head[9:12].decode()} {body[-200:].decode('utf-8', 'replace')}"] += 1
                if session := _SESSION.search(head):
                    extra = b"mcp-session-id: " + session[1] + b"\r\n"
            self.sessions[port] = extra
        return self.sessions[port]

    async def run(self, targets: list[Ready]) -> Outcome:
        left = itertools.islice(itertools.cycle(targets), self.plan.calls)
        busy, began = time.process_time(), time.perf_counter()
        await asyncio.gather(*(self._caller(connections, left) for connections in self.callers))
        seconds = time.perf_counter() - began
        for caller in self.callers:
            for connection in caller.values():
                connection.close()
        return Outcome(
            seconds=seconds,
            calls=self.plan.calls,
            latencies=sorted(self.latencies),
            firsts=sorted(self.firsts),
            errors=dict(self.errors),
            answers=[self.answers[position] for position in sorted(self.answers)],
            busy=(time.process_time() - busy) / seconds,
        )

    async def _caller(self, connections: dict[int, Connection], left: Iterator[Ready]) -> None:
        for target in left:
            connection = connections[target.port]
            try:
                async with asyncio.timeout(self.plan.timeout):
                    await self._call(connection, target)
            except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError, WrongAnswer) as error:
                connection.close()
                self.errors[f"{type(error).__name__} {error}"[:300].strip()] += 1

    async def _call(self, connection: Connection, target: Ready) -> None:
        request = target.request
        if self.plan.handshake:
            request = request.replace(_ID, b'"id":%d' % next(self._ids), 1)
        began = time.perf_counter()
        head, body, first = await connection.exchange(request, self._first)
        ended = time.perf_counter()
        if head[9:12] not in {b"200", b"201"} or target.expect not in body:
            raise WrongAnswer(f"{head[9:12].decode()} {body[-200:].decode('utf-8', 'replace')}")
        if self._first and not first:
            raise WrongAnswer("no progress before the answer")
        self.latencies.append(ended - began)
        if first:
            self.firsts.append(first - began)
        if self.plan.keep:
            self.answers[target.position] = body.decode()


def _batches(callers: list[dict[int, Connection]]) -> Iterator[list[dict[int, Connection]]]:
    for start in range(0, len(callers), 64):
        yield callers[start : start + 64]


def _add_header(request: bytes, header: bytes) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    return head + b"\r\n" + header + b"\r\n" + body


def main() -> None:
    gc.disable()  # avoids pauses; the plans create few reference cycles
    sessions: dict[int, bytes] = {}
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            run = Run(Plan.model_validate_json(line), sessions)
            targets = runner.run(run.open())
            print("ready", flush=True)
            sys.stdin.readline()
            print(runner.run(run.run(targets)).model_dump_json(), flush=True)


if __name__ == "__main__":
    main()
