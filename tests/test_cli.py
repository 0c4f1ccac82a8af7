"""The commands, as a person runs them."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import anyio
import httpx2
import pytest
from click.testing import CliRunner, Result

from mistral_mcp import __version__
from mistral_mcp.cli import main, settings_from
from mistral_mcp.errors import BadSetting
from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import KEY, at


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment)


def test_the_version_is_told() -> None:
    assert __version__ in run("--version").output


def test_options_go_before_the_environment_and_the_environment_before_defaults() -> None:
    environment = {"MISTRAL_MCP_CHAT_MODEL": "from-the-environment", "MISTRAL_MCP_TIMEOUT": "7", "MISTRAL_MCP_PORT": ""}
    settings = settings_from(environment, {"chat_model": "from-an-option", "timeout": None})

    assert (settings.chat_model, settings.timeout, settings.port) == ("from-an-option", 7, 8000)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"MISTRAL_MCP_TIMEOUT": "soon"}, "MISTRAL_MCP_TIMEOUT cannot be used: input should be a valid number"),
        ({"MISTRAL_MCP_ROUTE": "ftp://x"}, "MISTRAL_MCP_ROUTE cannot be used: it must be direct, eu, us"),
        ({"MISTRAL_MCP_ROUTE": "http://mistral.example"}, "http:// is for loopback only"),
        ({"MISTRAL_MCP_ROUTE": "lava://byok"}, "need ROUTE_TOKEN"),
        ({"MISTRAL_MCP_MASTER_KEYS": "abc"}, "MISTRAL_MCP_MASTER_KEYS cannot be used: each key is 64 hex digits"),
        ({"MISTRAL_MCP_SIGNUP": "maybe"}, "MISTRAL_MCP_SIGNUP cannot be used"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_in_one_sentence_and_not_repeated(
    environment: Mapping[str, str], words: str
) -> None:
    with pytest.raises(BadSetting) as raised:
        settings_from(environment, {})
    assert words in str(raised.value)
    assert not any(value in str(raised.value) for value in ("abc", "soon", "maybe"))


def test_an_unknown_setting_is_warned_about_with_the_nearest(caplog: pytest.LogCaptureFixture) -> None:
    settings_from({"MISTRAL_MCP_CHATMODEL": "x"}, {})
    assert "did you mean MISTRAL_MCP_CHAT_MODEL?" in caplog.text


def test_what_kubernetes_injects_is_passed_over_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    environment = {
        "MISTRAL_MCP_PORT": "tcp://10.0.0.1:8000",
        "MISTRAL_MCP_PORT_8000_TCP_ADDR": "10.0.0.1",
        "MISTRAL_MCP_SERVICE_HOST": "10.0.0.1",
        "MISTRAL_MCP_SERVICE_PORT": "8000",
    }
    assert settings_from(environment, {}).port == 8000
    assert not caplog.text


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("serve", "--route", "nonsense"), 2),
        (("serve", "--no-such-option"), 2),
        (("serve", "--host", "0.0.0.0"), 2),  # noqa: S104
        (("tools", "--toolsets", "cores"), 2),
        (("connections", "revoke", "nope"), 1),
    ],
)
def test_failures_exit_with_1_and_wrong_usage_with_2(arguments: tuple[str, ...], code: int, tmp_path: Path) -> None:
    result = run(*arguments, MISTRAL_MCP_DATA_DIR=str(tmp_path))

    assert result.exit_code == code
    assert "Traceback" not in result.output


def test_a_managed_route_is_not_served_to_just_anybody(tmp_path: Path) -> None:
    result = run("serve", "--route", "lava://", MISTRAL_MCP_ROUTE_TOKEN="aks_0123", MISTRAL_MCP_DATA_DIR=str(tmp_path))

    assert result.exit_code == 2
    assert "spend your money" in result.output


def test_tools_lists_what_a_caller_would_get() -> None:
    result = run("tools", "--toolsets", "models")

    assert [line.split()[1] for line in result.output.splitlines()] == ["mistral_list_models", "mistral_get_model"]


def test_an_operator_makes_lists_and_revokes_connections(tmp_path: Path) -> None:
    environment = {"MISTRAL_MCP_DATA_DIR": str(tmp_path)}
    made = CliRunner().invoke(main, ["connections", "create", "--label", "phone"], input=f"{KEY}\n", env=environment)
    identity = made.stdout.split("\n\n")[0].split()[-1]

    listed = run("connections", "list", **environment)
    assert identity in listed.output
    assert "phone" in listed.output
    assert KEY not in made.output + listed.output
    assert "1 on master key" in listed.output
    assert run("connections", "reseal", **environment).exit_code == 0
    assert run("connections", "revoke", identity, **environment).exit_code == 0
    assert "revoked" in run("connections", "list", **environment).output


@pytest.mark.parametrize(("key", "code"), [(KEY, 0), ("invalid-0123456789", 1), ("", 1)])
async def test_the_doctor_finds_a_key_that_does_not_work(mistral_url: str, tmp_path: Path, key: str, code: int) -> None:
    environment = {
        "MISTRAL_API_KEY": key,
        "MISTRAL_MCP_ROUTE": mistral_url,
        "MISTRAL_MCP_DATA_DIR": str(tmp_path / "no"),
    }
    # A process of its own: this one's loop serves the sandbox.
    command = [sys.executable, "-m", "mistral_mcp", "doctor", "--json"]
    done = await anyio.run_process(command, env={**os.environ, **environment}, check=False)
    report = json.loads(done.stdout)

    assert done.returncode == code
    assert report["ok"] is (code == 0)
    assert {check["check"] for check in report["checks"]} >= {"route", "key", "dns", "vault"}
    assert not key or key.encode() not in done.stdout + done.stderr


async def test_serve_finishes_what_is_under_way_on_sigterm(mistral_url: str, sandbox: Sandbox, tmp_path: Path) -> None:
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
            await _up(f"http://127.0.0.1:{port}/readyz")
            async with at(f"http://127.0.0.1:{port}/mcp", {"X-API-Key": KEY}) as client:
                await client.list_tools()  # or the client would ask for the result's schema afterwards
                sandbox.faults.append(Fault(delay=1.0))

                async def stop() -> None:
                    await sandbox.arrived()
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


async def _up(url: str) -> None:
    async with httpx2.AsyncClient() as http:
        while True:
            try:
                if (await http.get(url)).status_code == 200:
                    return
            except httpx2.TransportError:
                await anyio.sleep(0.05)  # until it listens
