"""Serves one client over standard input and output.

The SDK's own transport does not answer a line that it cannot parse, and ends in a traceback when its output is closed.
"""

import asyncio
import json
import logging
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import anyio
import anyio.to_thread
from mcp.server.stdio import stdio_server
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST

from mistral_mcp.json_rpc import Message, MessageError, MessageReader

MAX_LINE = 64 * 1024 * 1024  # bytes

_log = logging.getLogger("mistral_mcp.stdio")


@asynccontextmanager
async def client_streams() -> AsyncGenerator[
    tuple[ReadStream[SessionMessage | Exception], WriteStream[SessionMessage]]
]:
    """Streams of the client's messages and of ours; both end when the client closes stdin or stdout."""
    with _own_streams() as (read_from, write_to):
        output = _Output(write_to)
        try:
            async with stdio_server(cast("Any", _Input(read_from, output)), cast("Any", output)) as streams:
                yield streams
        except* OSError as errors:
            _log.info("The client has closed the connection: %s.", errors.exceptions[0])


@contextmanager
def _own_streams() -> Generator[tuple[int, int]]:
    """Private descriptors for the client: other code's prints go to stderr, and its reads of stdin find it empty."""
    sys.stdout.flush()
    read_from, write_to = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    try:
        yield read_from, write_to
    finally:
        os.dup2(write_to, 1)
        os.close(write_to)  # the other may still be in use by the reading thread


class _Output:
    """Lines to the client, one at a time."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = anyio.Lock()

    async def write(self, text: str) -> None:
        async with self._lock:
            await anyio.to_thread.run_sync(self._write, text.encode())

    async def flush(self) -> None:
        """Does nothing: `write` is unbuffered."""

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


class _Input:
    """Messages from the client, one a line; invalid ones are answered here."""

    def __init__(self, descriptor: int, output: _Output) -> None:
        self._descriptor = descriptor
        self._output = output
        self._reader = MessageReader(MAX_LINE)
        self._initialized = False
        self._lines: asyncio.Queue[bytes] = asyncio.Queue(1)

    async def __aiter__(self) -> AsyncIterator[str]:
        # Not a pool's thread: the exit would wait for it, and a read ends only when the client closes stdin.
        threading.Thread(target=self._read, args=[asyncio.get_running_loop()], daemon=True).start()
        while line := await self._lines.get():
            if line.isspace():
                continue
            try:
                message = await self._reader.read(line)
                self._check_order(message)
            except MessageError as error:
                _log.warning("Refused a message: %s", error.text)
                await self._output.write(json.dumps(error.answer()) + "\n")
            else:
                yield message.body.decode()

    def _check_order(self, message: Message) -> None:
        """Refuses requests before `initialize`; the SDK would, without saying why."""
        self._initialized = self._initialized or message.method == "initialize" or message.is_self_contained
        if (
            not self._initialized
            and message.method not in {None, "ping", "server/discover"}
            and message.id is not None
        ):
            raise MessageError(INVALID_REQUEST, "The first request of a connection is initialize.", message.id)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        with os.fdopen(self._descriptor, "rb") as stream:
            while line := stream.readline(MAX_LINE + 1):
                self._hand_over(line, loop)
                while len(line) > MAX_LINE and not line.endswith(b"\n"):
                    line = stream.readline(MAX_LINE + 1)
            self._hand_over(b"", loop)

    def _hand_over(self, line: bytes, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.run_coroutine_threadsafe(self._lines.put(line), loop).result()
