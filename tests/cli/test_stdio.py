"""`mistral-mcp` and `mistral-mcp stdio`."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import run


def test_a_folder_that_is_not_there_stops_stdio_in_one_sentence_and_is_a_finding_of_the_doctor(
    tmp_path: Path,
) -> None:
    environment = {
        "MISTRAL_MCP_FILES_DIR": str(tmp_path / "no"),
        "MISTRAL_MCP_DATA_DIR": str(tmp_path),
        "MISTRAL_MCP_ROUTE": "http://127.0.0.1:1",
    }
    refused = run("stdio", **environment)
    found = run("doctor", **environment)

    assert (refused.exit_code, found.exit_code) == (2, 1)
    assert refused.stderr == "mistral-mcp: MISTRAL_MCP_FILES_DIR cannot be used: there is no such folder.\n"
    assert "FILES_DIR is not a folder" in found.output


@pytest.mark.skipif(os.name != "posix", reason="there are no terminals of this kind")
def test_on_a_terminal_ctrl_c_ends_stdio() -> None:
    ours, its = os.openpty()
    with subprocess.Popen([sys.executable, "-m", "mistral_mcp"], stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        ask = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
        os.write(
            ours, json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": ask}).encode() + b"\n"
        )
        shown = b""
        while b"serverInfo" not in shown:  # then it waits for more
            shown += os.read(ours, 65536)
        assert b"waits for an MCP client" in shown
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(10) == -signal.SIGINT
        finally:
            process.kill()
            os.close(ours)


def test_with_a_pipe_for_stdin_an_interrupt_ends_it_as_well() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "mistral_mcp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        try:
            _, logged = process.communicate(timeout=10)
        finally:
            process.kill()

    assert process.returncode == -signal.SIGINT
    assert logged == b""  # no traceback, and without a terminal no word on waiting


@pytest.mark.skipif(sys.platform != "linux", reason="the cache is elsewhere")
def test_results_of_earlier_runs_are_removed_when_their_time_is_over(tmp_path: Path) -> None:
    folder = tmp_path / "mistral-mcp" / "results"
    folder.mkdir(parents=True)
    old, young, other = folder / "kr_old-a.txt", folder / "kr_young-a.txt", folder / "notes.txt"
    for path in (old, young, other):
        path.write_text("A result.")
    for path in (old, other):
        os.utime(path, (0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "mistral_mcp"],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        while old.exists():
            process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode() + b"\n")
            process.stdin.flush()
            process.stdout.readline()
        process.stdin.close()
        assert process.wait(10) == 0

    assert young.exists()
    assert other.exists()


def test_without_a_command_the_options_of_stdio_are_taken_and_elsewhere_refused() -> None:
    refused = run("--route", "nonsense")
    misplaced = run("--toolsets", "all", "tools")

    assert (refused.exit_code, misplaced.exit_code) == (2, 2)
    assert "--route cannot be used" in refused.stderr
    assert "--toolsets belongs after the command" in misplaced.stderr
