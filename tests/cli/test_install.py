"""`mistral-mcp install`."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mistral_mcp.cli.main import main
from mistral_mcp.install import HOSTS, Machine
from tests.install.machines import (
    ASKING,
    FIXTURES,
    KEY,
    REMOTE,
    SECRET_URL,
    TOKEN,
    backups,
    run,
    servers,
)

every_host = pytest.mark.parametrize("host", list(HOSTS))


def test_the_help_and_the_completion_name_every_host():
    command = main.commands["install"]
    context = command.make_context("install", ["cursor"])

    named = re.search(r"HOST is (.+?)\.", command.help or "", re.DOTALL)
    assert named
    assert re.findall(r"[a-z-]+", named[1].replace(" or ", " ")) == list(HOSTS)
    assert [item.value for item in command.params[0].shell_complete(context, "c")] == [
        *("claude-desktop", "claude-code", "cursor", "codex", "copilot-cli", "cline")
    ]


def test_a_project_s_file_gets_the_entry_without_a_key(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(machine.project)

    run(machine, "cursor", "--scope", "project", MISTRAL_API_KEY=KEY)

    entry = json.loads((machine.project / ".cursor" / "mcp.json").read_text())["mcpServers"]["mistral"]
    assert entry["env"] == {"MISTRAL_API_KEY": "${env:MISTRAL_API_KEY}"}


@pytest.mark.parametrize("host", ASKING)
def test_a_key_is_requested_without_echo_where_the_host_cannot_refer_to_one(machine: Machine, host: str):
    result = run(machine, host, typed=f"{KEY}\n")

    assert result.exit_code == 0
    assert KEY not in result.output
    file = HOSTS[host].file(machine)
    assert servers(host, file.read_text())["mistral"]["env"] == {"MISTRAL_API_KEY": KEY}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_empty_answer_keeps_the_key_that_is_there(machine: Machine):
    run(machine, "zed", typed=f"{KEY}\n")

    result = run(machine, "zed", typed="\n")

    assert "nothing was changed" in result.stdout
    assert KEY in HOSTS["zed"].file(machine).read_text()


@pytest.mark.parametrize("typed", ["sk-proj-0123456789abcdefghij", "two words", TOKEN])
def test_what_is_no_mistral_key_is_refused_and_not_repeated(machine: Machine, typed: str):
    result = run(machine, "zed", typed=f"{typed}\n")

    assert result.exit_code != 0
    assert typed not in result.output
    assert not HOSTS["zed"].file(machine).exists()


@every_host
@pytest.mark.parametrize("url", [None, REMOTE], ids=["stdio", "remote"])
def test_printing_asks_nothing_changes_nothing_and_shows_a_whole_file(
    machine: Machine, host: str, url: str | None
):
    result = run(machine, host, "--print", *(["--url", url] if url else []), MISTRAL_API_KEY=KEY)

    assert result.exit_code == 0
    assert list(servers(host, result.stdout)) == ["mistral"]
    assert KEY not in result.output
    assert [path.name for path in machine.home.iterdir()] == ["project"]


def test_a_url_that_was_typed_without_echo_is_masked_when_printed(machine: Machine):
    result = run(machine, "cursor", "--print", "--url", "-", typed=f"{SECRET_URL}\n")

    assert TOKEN not in result.output
    assert servers("cursor", result.stdout)["mistral"] == {"url": "YOUR_URL"}


# What a person is told


def test_a_broken_file_and_another_server_of_that_name_are_met_before_a_key_is_requested(machine: Machine, put):
    file = put("zed", b"{")
    broken = run(machine, "zed", typed=f"{KEY}\n")
    file.write_bytes(b'{"context_servers": {"mistral": {"command": "docker", "args": []}}}')
    taken = run(machine, "zed", typed=f"{KEY}\n")

    for result in (broken, taken):
        assert result.exit_code == 1
        assert "not shown" not in result.output  # the prompt


def test_a_file_with_comments_is_changed_like_any_other(machine: Machine, put):
    commented = (FIXTURES / "zed.commented.json").read_text()
    file = put("zed", commented.encode())

    result = run(machine, "zed", typed=f"{KEY}\n")

    assert result.exit_code == 0
    assert servers("zed", file.read_text())["mistral"]["env"] == {"MISTRAL_API_KEY": KEY}
    letters = iter(file.read_text())
    assert all(letter in letters for letter in commented)


def test_removing_says_that_the_backup_holds_the_key(machine: Machine):
    run(machine, "lmstudio", typed=f"{KEY}\n")

    result = run(machine, "lmstudio", "--remove")

    [backup] = backups(HOSTS["lmstudio"].file(machine))
    assert KEY in backup.read_text()
    assert f"Backup: {backup}" in result.stdout
    assert "holds the key" in result.stdout
    assert KEY not in result.output


def test_a_variable_that_is_not_set_is_pointed_out(machine: Machine):
    unset = run(machine, "cursor", MISTRAL_API_KEY="")
    kept = run(machine, "codex", MISTRAL_API_KEY=KEY)

    assert "MISTRAL_API_KEY is not set" in unset.stdout
    assert "MISTRAL_API_KEY is not set" not in kept.stdout


def test_a_host_that_is_not_on_this_machine_is_pointed_out(machine: Machine, program):
    missing = run(machine, "claude-desktop", typed=f"{KEY}\n")
    program("codex")
    there = run(machine, "codex")

    assert "Claude Desktop was not found on this machine" in missing.stdout
    assert "not found" not in there.stdout


def test_what_vs_code_does_with_the_key_is_said_only_where_it_asks_for_one(machine: Machine):
    secret = run(machine, "vscode", "--url", "-", typed=f"{SECRET_URL}\n")
    own = run(machine, "vscode", "--name", "own")

    assert "asks for the key" not in secret.stdout
    assert "asks for the key" in own.stdout


def test_the_entry_starts_this_very_program(machine: Machine):
    result = run(machine, "cursor")

    [entry] = servers("cursor", HOSTS["cursor"].file(machine).read_text()).values()
    assert Path(entry["command"]).is_absolute()
    assert os.access(entry["command"], os.X_OK)
    assert entry["command"] in result.stdout


def test_options_and_the_environment_s_settings_go_into_the_entry(machine: Machine):
    folder = machine.home / "docs"
    folder.mkdir()
    arguments = ("--toolsets", "core, files", "--read-only", "--files-dir", str(folder))

    run(machine, "cursor", *arguments, MISTRAL_MCP_ROUTE="eu")

    [entry] = servers("cursor", HOSTS["cursor"].file(machine).read_text()).values()
    assert entry["env"] == {
        "MISTRAL_API_KEY": "${env:MISTRAL_API_KEY}",
        "MISTRAL_MCP_TOOLSETS": "core,files",
        "MISTRAL_MCP_READ_ONLY": "true",
        "MISTRAL_MCP_FILES_DIR": str(folder),
        "MISTRAL_MCP_ROUTE": "eu",
    }


@pytest.mark.parametrize("host", [host.name for host in HOSTS.values() if host.project and host.stdio_reference])
def test_a_project_s_file_names_nothing_of_this_machine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, host: str
):
    monkeypatch.chdir(machine.project)

    result = run(
        machine, host, "--scope", "project", "--files-dir", "docs", MISTRAL_MCP_ROUTE="http://127.0.0.1:8787"
    )

    assert result.exit_code == 0
    text = (machine.project / str(HOSTS[host].project)).read_text()
    assert "mistral-mcp" in text
    assert not re.search(r"/bin/|/home/|/tmp/|127\.0\.0\.1", text)
    assert '"docs"' in text
    assert "needs mistral-mcp on PATH" in result.stdout


def test_a_key_from_a_pipe_is_read_without_a_warning_of_python_s(machine: Machine):
    command = [sys.executable, "-m", "mistral_mcp", "install", "lmstudio"]
    environment = {"HOME": str(machine.home), "PATH": "/nonexistent"}
    done = subprocess.run(  # noqa: S603
        command, input=f"{KEY}\n", env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    assert done.stderr == ""
    assert servers("lmstudio", HOSTS["lmstudio"].file(machine).read_text())["mistral"]["env"] == {
        "MISTRAL_API_KEY": KEY
    }
