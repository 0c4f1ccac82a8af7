"""The stdio transport: every message is answered, and the process ends when it should."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from subprocess import PIPE
from typing import Any

import anyio
import anyio.abc
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import KEY

pytestmark = pytest.mark.timeout(30)

PING = b'"jsonrpc":"2.0","method":"ping"'
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


class Product:
    """The process, and lines to and from it."""

    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stdin
        assert process.stdout
        self.process = process
        self._stdin = process.stdin
        self._lines = BufferedByteReceiveStream(process.stdout)

    async def write(self, line: bytes) -> None:
        await self._stdin.send(line + b"\n")

    async def send(self, method: str, params: Any = None, number: int | None = 1) -> None:
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        await self.write(
            json.dumps({name: value for name, value in message.items() if value is not None}).encode()
        )

    async def receive(self) -> dict[str, Any]:
        return json.loads(await self._lines.receive_until(b"\n", 1_000_000))

    async def read_log(self) -> str:
        assert self.process.stderr
        return b"".join([part async for part in self.process.stderr]).decode()


@asynccontextmanager
async def product(url: str) -> AsyncGenerator[Product]:
    environment = {**os.environ, "MISTRAL_MCP_ROUTE": url, "MISTRAL_API_KEY": KEY}
    command = [sys.executable, "-m", "mistral_mcp"]
    async with await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment) as process:
        started = Product(process)
        await started.send("initialize", HELLO)
        await started.receive()
        await started.send("notifications/initialized", number=None)
        try:
            yield started
        finally:
            if process.returncode is None:
                process.kill()


async def test_a_line_that_cannot_be_read_is_answered_and_logged_once(mistral_url: str):
    lines = {
        b"hello": (-32700, None),
        b'[{"id":3,' + PING + b"}]": (-32600, None),
        b'{"id":null,' + PING + b"}": (-32600, None),
        b'{"id":4.0,' + PING + b"}": (-32600, None),
        b'{"jsonrpc":"2.0","id":5}': (-32600, 5),
    }
    async with product(mistral_url) as client:
        for line, (code, number) in lines.items():
            await client.write(line)
            answer = await client.receive()
            assert (answer["error"]["code"], answer["id"]) == (code, number)
        await client.write(b'\xef\xbb\xbf{"id":6,' + PING + b"}")
        assert await client.receive() == {"jsonrpc": "2.0", "id": 6, "result": {}}
        await client.process.stdin.aclose()  # type: ignore[union-attr]
        assert (await client.read_log()).count("Refused a message") == len(lines)


async def test_half_an_emoji_is_answered_under_its_own_id(mistral_url: str, sandbox: Sandbox):
    call = rb'{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"mistral_chat","arguments":{"prompt":"a \ud83d"}}}'
    async with product(mistral_url) as client:
        await client.write(call)
        answer = await client.receive()
    assert answer["id"] == 9
    assert not answer["result"].get("isError")
    assert sandbox.requests[-1].json["messages"][-1]["content"] == "a \ufffd"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("busy", [False, True])
async def test_an_interrupt_ends_the_process_at_once(mistral_url: str, sandbox: Sandbox, *, busy: bool):
    sandbox.faults.append(Fault(hang=True))
    async with product(mistral_url) as client:
        if busy:
            await client.send("tools/call", {"name": "mistral_chat", "arguments": {"prompt": "x"}})
            while not sandbox.requests:  # noqa: ASYNC110 - the sandbox has no event for it
                await anyio.sleep(0.01)
        client.process.send_signal(signal.SIGINT)
        with anyio.fail_after(5):
            await client.process.wait()
        assert "Traceback" not in await client.read_log()


def test_a_closed_output_is_no_traceback_and_ends_the_process():
    with subprocess.Popen([sys.executable, "-m", "mistral_mcp"], stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        assert process.wait(10) == 0
        log = process.stderr.read().decode()
        assert "has closed the connection" in log
        assert "Traceback" not in log


STRAY = """
import anyio, os, sys
from mistral_mcp.stdio import client_streams
async def main():
    async with client_streams():
        print("stray", flush=True)
        os._exit(len(sys.stdin.read()))
anyio.run(main)
"""


def test_what_else_is_printed_or_read_does_not_touch_the_client():
    result = subprocess.run(  # noqa: S603
        [sys.executable, "-c", STRAY], input=b"{}", capture_output=True, timeout=20, check=False
    )
    assert (result.returncode, result.stdout) == (0, b"")
    assert b"stray" in result.stderr


def test_a_request_before_initialize_is_reported():
    line = b'{"jsonrpc":"2.0","id":3,"method":"tools/list"}\n'
    command = [sys.executable, "-m", "mistral_mcp"]
    result = subprocess.run(command, input=line, capture_output=True, timeout=20, check=False)  # noqa: S603
    answer = json.loads(result.stdout)
    assert answer["id"] == 3
    assert "initialize" in answer["error"]["message"]
