"""`mistral-mcp serve`, in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import httpx2
import pytest

from mistral_mcp.sandbox import Fault, Sandbox
from tests.cli.commands import run
from tests.conftest import KEY, connect_to


def test_a_managed_route_is_not_served_to_just_anybody(tmp_path: Path) -> None:
    result = run(
        "serve", "--route", "lava://", MISTRAL_MCP_ROUTE_TOKEN="aks_0123", MISTRAL_MCP_DATA_DIR=str(tmp_path)
    )

    assert result.exit_code == 2
    assert "spend your money" in result.output


async def test_serve_says_where_it_is_and_a_port_that_is_taken_ends_it_with_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "mistral_mcp", "serve", "--port", str(port), "--data-dir", str(tmp_path)]
        with anyio.fail_after(60):
            done = await anyio.run_process(command, check=False)

    logged = done.stderr.decode()
    assert done.returncode == 1
    assert done.stdout == b""
    assert f"Serving MCP at http://127.0.0.1:{port}/mcp, the connect page at http://127.0.0.1:{port}/." in logged
    assert "ddress already in use" in logged
    assert "Traceback" not in logged


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_serve_finishes_what_is_in_flight_on_sigterm(
    mistral_url: str, sandbox: Sandbox, tmp_path: Path, mode: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "MISTRAL_MCP_ROUTE": mistral_url,
        "MISTRAL_MCP_DATA_DIR": str(tmp_path),
        "MISTRAL_API_KEY": "sPeNdMeNot0123456789",
        "MISTRAL_MCP_LOG_FORMAT": "json",
    }
    command = [sys.executable, "-m", "mistral_mcp", "serve", "--port", str(port)]
    with anyio.fail_after(60):
        async with await anyio.open_process(
            command, env={**os.environ, **environment}, stderr=subprocess.PIPE
        ) as server:
            await _wait_until_up(f"http://127.0.0.1:{port}/readyz")
            async with connect_to(f"http://127.0.0.1:{port}/mcp", {"X-API-Key": KEY}, mode) as client:
                await client.list_tools()  # or the client would ask for the result's schema afterwards
                sandbox.faults.append(Fault(delay=1.0))

                async def stop() -> None:
                    await sandbox.wait_for_request()
                    server.send_signal(signal.SIGTERM)

                async with anyio.create_task_group() as group:
                    group.start_soon(stop)
                    result = await client.call_tool("mistral_chat", {"prompt": "Hi"})
                assert not result.is_error
            assert server.stderr is not None
            logged = b"".join([chunk async for chunk in server.stderr]).decode()
            await server.wait()

    assert sandbox.requests[-1].key == KEY
    entries = [json.loads(line) for line in logged.splitlines()]
    assert any("MISTRAL_API_KEY is ignored" in entry["message"] for entry in entries)
    assert any("POST /mcp 200" in entry["message"] for entry in entries)
    assert KEY not in logged
    assert "sPeNdMeNot" not in logged


async def _wait_until_up(url: str) -> None:
    async with httpx2.AsyncClient() as http:
        while True:
            try:
                if (await http.get(url)).status_code == 200:
                    return
            except httpx2.TransportError:
                await anyio.sleep(0.05)  # until it listens
