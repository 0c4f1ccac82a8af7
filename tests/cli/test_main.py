"""The commands, as a person runs them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import anyio
import anyio.to_thread
import httpx2
import pytest
from click.testing import CliRunner, Result

from mistral_mcp import __version__
from mistral_mcp.cli import main as cli
from mistral_mcp.cli.main import main, settings_from
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
        *(
            ({"MISTRAL_MCP_ROUTE": f"https://{place}/"}, "MISTRAL_MCP_ROUTE cannot be used: a base URL has a host")
            for place in ("abc:99999", "abc:0", "abc:soon", "ab c", "ab\tc", "ab<c", "[abc", "abc/soon maybe")
        ),
        ({"MISTRAL_MCP_TOOLSETS": ","}, "MISTRAL_MCP_TOOLSETS cannot be used: it names no toolset."),
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


@pytest.mark.parametrize(
    "route", ["https://host:8443/base", "https://192.0.2.1", "https://[2001:db8::1]:443", "https://bücher.example"]
)
def test_a_base_url_is_taken_as_it_is(route: str) -> None:
    assert str(settings_from({"MISTRAL_MCP_ROUTE": route}, {}).route) == route


def test_an_unknown_setting_is_warned_about_with_the_nearest(caplog: pytest.LogCaptureFixture) -> None:
    settings_from({"MISTRAL_MCP_CHATMODEL": "x", f"MISTRAL_MCP_{'Q' * 60}": "x"}, {})
    assert caplog.messages == [
        "MISTRAL_MCP_CHATMODEL is no setting; did you mean MISTRAL_MCP_CHAT_MODEL?",
        f"MISTRAL_MCP_{'Q' * 60} is no setting.",
    ]


def test_what_kubernetes_injects_is_passed_over_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    environment = {
        "MISTRAL_MCP_PORT": "tcp://10.0.0.1:8000",
        "MISTRAL_MCP_PORT_8000_TCP_ADDR": "10.0.0.1",
        "MISTRAL_MCP_SERVICE_HOST": "10.0.0.1",
        "MISTRAL_MCP_SERVICE_PORT": "8000",
    }
    assert settings_from(environment, {}).port == 8000
    assert not caplog.text


def test_variables_of_single_commands_are_known_and_count() -> None:
    shown = run("tools", MISTRAL_MCP_SANDBOX_PORT="9", MISTRAL_MCP_INSTALL_NAME="other")
    printed = run("install", "cursor", "--print", MISTRAL_MCP_INSTALL_URL="https://mcp.example.com/mcp")
    refused = run("sandbox", MISTRAL_MCP_SANDBOX_PORT="far")

    assert shown.exit_code == 0
    assert "is no setting" not in shown.output
    assert '"url": "https://mcp.example.com/mcp"' in printed.stdout
    assert (refused.exit_code, "'--port'" in refused.output) == (2, True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("typed", "begun", "completed"),
    [
        ("install", "claude-", {"claude-desktop", "claude-code"}),
        ("install --scope", "p", {"project"}),
        ("connections", "re", {"reseal", "revoke"}),
        ("serve --signup", "o", {"open", "off"}),
        ("serve --log-format", "", {"text", "json"}),
        ("tools --toolsets", "fi", {"files", "fine_tuning"}),
    ],
)
def test_a_shell_completes_commands_hosts_and_values(shell: str, typed: str, begun: str, completed: set[str]) -> None:
    words = f"mistral-mcp {typed} {begun}"
    asked = {"COMP_WORDS": words, "COMP_CWORD": begun if shell == "fish" else str(len(typed.split()) + 1)}
    result = CliRunner().invoke(
        main, [], prog_name="mistral-mcp", env={"_MISTRAL_MCP_COMPLETE": f"{shell}_complete", **asked}
    )
    words_of = re.split(r"[\n,\t]", result.output)

    assert completed <= set(words_of)
    assert not {name for name in ("vscode", "user", "create", "code", "core") if name in words_of}


def test_a_shell_completes_the_last_name_of_a_list() -> None:
    asked = {"COMP_WORDS": "mistral-mcp serve --toolsets core,fi", "COMP_CWORD": "3"}
    result = CliRunner().invoke(
        main, [], prog_name="mistral-mcp", env={"_MISTRAL_MCP_COMPLETE": "bash_complete", **asked}
    )

    assert result.output.split() == ["plain,core,files", "plain,core,fine_tuning"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_given_what_it_sources(shell: str) -> None:
    result = CliRunner().invoke(main, [], prog_name="mistral-mcp", env={"_MISTRAL_MCP_COMPLETE": f"{shell}_source"})

    assert f"_MISTRAL_MCP_COMPLETE={shell}_complete" in result.output


@pytest.mark.skipif(os.name != "posix", reason="there are no terminals of this kind")
@pytest.mark.parametrize(
    "plain", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb", "NO_COLOR": "1"}], ids=["", "no colour", "dumb"]
)
async def test_on_a_terminal_the_doctor_shows_what_it_waits_for_and_elsewhere_only_what_it_found(
    tmp_path: Path, plain: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "mistral_mcp", "doctor", "--data-dir", str(tmp_path / "no")]
    environment = {**os.environ, "TERM": "xterm", "MISTRAL_MCP_ROUTE": "http://127.0.0.1:1", **plain}
    piped = await anyio.run_process(command, env=environment, check=False)
    shown = await anyio.to_thread.run_sync(on_a_terminal, command, environment)

    assert piped.stderr == b""
    assert b"\x1b" not in piped.stdout
    assert [line.split()[0] for line in piped.stdout.decode().splitlines()] == ["ok", "failed", "ok", "skipped"]
    assert ("\x1b[32mok" in shown) == (not plain)
    assert ("Checking" in shown) == ("TERM" not in plain)


def test_without_a_terminal_a_long_wait_is_told_in_plain_lines_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with cli._waiting("Opening the vault") as tell:
        tell("1 of 9 turned")  # so soon nobody has waited
        monkeypatch.setattr(cli, "_NOW_AND_THEN", 0)
        tell("5 of 9 turned")

    assert capsys.readouterr() == ("", "5 of 9 turned…\n")


def on_a_terminal(command: list[str], environment: dict[str, str]) -> str:
    """Everything that the command writes to a terminal of 80 columns."""
    ours, its = os.openpty()
    with subprocess.Popen(  # noqa: S603
        command, stdin=its, stdout=its, stderr=its, env={**environment, "COLUMNS": "80"}
    ) as process:
        os.close(its)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # how Linux says that the other side is closed
                piece = b""
            if not piece:
                break
            shown += piece
        process.wait(60)
    os.close(ours)
    return shown.decode()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("serve", "--route", "nonsense"), 2),
        (("serve", "--no-such-option"), 2),
        (("serve", "--host", "0.0.0.0"), 2),  # noqa: S104
        (("tools", "--toolsets", "cores"), 2),
        (("tools", "--toolsets", ","), 2),
        (("doctor", "--toolsets", "cores"), 2),
        (("stdio", "--files-dir", "/nonexistent"), 2),
        (("connections", "revoke", "nope"), 1),
    ],
)
def test_failures_exit_with_1_and_wrong_usage_with_2(arguments: tuple[str, ...], code: int, tmp_path: Path) -> None:
    result = run(*arguments, MISTRAL_MCP_DATA_DIR=str(tmp_path))

    assert result.exit_code == code
    assert "Traceback" not in result.output


def test_a_port_that_is_taken_ends_the_sandbox_with_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("sandbox", "--port", str(taken.getsockname()[1]))

    assert result.exit_code == 1
    assert "cannot be used: Address already in use. Choose another." in result.stderr


def test_a_folder_that_is_not_there_stops_stdio_in_one_sentence_and_is_a_finding_of_the_doctor(tmp_path: Path) -> None:
    environment = {
        "MISTRAL_MCP_FILES_DIR": str(tmp_path / "no"),
        "MISTRAL_MCP_DATA_DIR": str(tmp_path),
        "MISTRAL_MCP_ROUTE": "http://127.0.0.1:1",
    }
    refused = run("stdio", **environment)
    found = run("doctor", **environment)

    assert (refused.exit_code, found.exit_code) == (2, 1)
    assert refused.stderr == "mistral-mcp: MISTRAL_MCP_FILES_DIR cannot be used: there is no such folder.\n"
    assert "FILES_DIR is no folder" in found.output


@pytest.mark.skipif(os.name != "posix", reason="there are no terminals of this kind")
def test_on_a_terminal_ctrl_c_ends_stdio() -> None:
    ours, its = os.openpty()
    with subprocess.Popen([sys.executable, "-m", "mistral_mcp"], stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        ask = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
        os.write(ours, json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": ask}).encode() + b"\n")
        shown = b""
        while b"serverInfo" not in shown:  # then it waits for more
            shown += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(10) == -signal.SIGINT
        finally:
            process.kill()
            os.close(ours)


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


@pytest.mark.parametrize(("key", "code"), [(KEY, 0), ("invalid-0123456789", 1), ("mmcp_0123456789abcdef", 1), ("", 1)])
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


async def test_the_doctor_asks_nobody_directly_where_a_proxy_stands_between(mistral_url: str, tmp_path: Path) -> None:
    environment = {"MISTRAL_MCP_ROUTE": mistral_url, "MISTRAL_MCP_DATA_DIR": str(tmp_path), "HTTPS_PROXY": mistral_url}
    command = [sys.executable, "-m", "mistral_mcp", "doctor", "--json"]
    done = await anyio.run_process(command, env={**os.environ, **environment}, check=False)

    assert {"check": "dns", "state": "skipped", "detail": "calls go through the environment's proxy"} in json.loads(
        done.stdout
    )["checks"]


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
    assert "address already in use" in logged
    assert "Traceback" not in logged


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_serve_finishes_what_is_under_way_on_sigterm(
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
            await _up(f"http://127.0.0.1:{port}/readyz")
            async with at(f"http://127.0.0.1:{port}/mcp", {"X-API-Key": KEY}, mode) as client:
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
