"""`mistral-mcp doctor`."""

import json
import os
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.cli.commands import run_on_a_terminal
from tests.conftest import KEY


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
    shown = await anyio.to_thread.run_sync(run_on_a_terminal, command, environment)

    assert piped.stderr == b""
    assert b"\x1b" not in piped.stdout
    assert [line.split()[0] for line in piped.stdout.decode().splitlines()] == [
        "ok",
        "failed",
        "ok",
        "skipped",
        "skipped",
    ]
    assert ("\x1b[32mok" in shown) == (not plain)
    assert ("Checking" in shown) == ("TERM" not in plain)


@pytest.mark.parametrize(
    ("key", "code"), [(KEY, 0), ("invalid-0123456789", 1), ("mmcp_0123456789abcdef", 1), ("", 1)]
)
async def test_the_doctor_finds_a_key_that_does_not_work(
    mistral_url: str, tmp_path: Path, key: str, code: int
) -> None:
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
    found = {check["check"]: check for check in report["checks"]}
    assert set(found) >= {"route", "key", "dns", "mistral", "vault"}
    if not key:
        assert "https://console.mistral.ai" in found["key"]["detail"]
        assert found["mistral"]["state"] == "skipped"
    if not code:
        assert found["account"]["detail"] == "organisation Sandbox, tier free, workspace Default Workspace"
    assert not key or key.encode() not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSLKEYLOGFILE", "HTTPS_PROXY"])
async def test_the_doctor_names_a_network_setting_that_cannot_be_used(name: str, tmp_path: Path) -> None:
    environment = {
        "MISTRAL_API_KEY": KEY,
        "MISTRAL_MCP_ROUTE": "https://gateway.invalid",
        "MISTRAL_MCP_DATA_DIR": str(tmp_path),
        name: "gopher://nowhere/file",
    }
    command = [sys.executable, "-m", "mistral_mcp", "doctor", "--json"]
    done = await anyio.run_process(command, env={**os.environ, **environment}, check=False)

    findings = {finding["check"]: finding for finding in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert {findings["network"]["state"], findings["mistral"]["state"]} == {"failed"}
    assert name in findings["network"]["detail"]
    assert "Traceback" not in done.stderr.decode()


async def test_the_doctor_asks_nobody_directly_where_a_proxy_stands_between(
    mistral_url: str, tmp_path: Path
) -> None:
    environment = {
        "MISTRAL_MCP_ROUTE": "https://gateway.invalid",
        "MISTRAL_MCP_DATA_DIR": str(tmp_path),
        "HTTPS_PROXY": mistral_url,
    }
    command = [sys.executable, "-m", "mistral_mcp", "doctor", "--json"]
    done = await anyio.run_process(command, env={**os.environ, **environment}, check=False)

    assert {
        "check": "dns",
        "state": "skipped",
        "detail": "calls go through the environment's proxy",
    } in json.loads(done.stdout)["checks"]
