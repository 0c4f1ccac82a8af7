"""The hosts' own commands."""

import pytest

from mistral_mcp.install import HOSTS, Machine, apply
from mistral_mcp.install.plan import plan
from tests.install.machines import (
    KEY,
    REMOTE,
    SCRIPT,
    SECRET_URL,
    TOKEN,
    backups,
    fixture_of,
    install,
    run,
    servers,
)


def test_claude_code_adds_the_entry_through_its_own_command(machine: Machine, program):
    planned = plan(machine, "claude-code", settings={"toolsets": "core,files"})
    log = program("claude", f"echo '{planned.preview()}' > {planned.file}")

    first = apply.install(machine, planned)
    again = apply.install(machine, planned)

    assert (first.how, again.how) == ("command", "unchanged")
    assert log.read_text().splitlines() == [
        *("mcp", "add", "--scope", "user", "mistral", "--env", "MISTRAL_API_KEY=${MISTRAL_API_KEY}"),
        *("--env", "MISTRAL_MCP_TOOLSETS=core,files"),
        *("--", SCRIPT),
    ]


@pytest.mark.parametrize(("host", "name"), [("claude-code", "claude"), ("gemini", "gemini"), ("vscode", "code")])
def test_no_key_and_no_secret_url_is_on_any_command_line(machine: Machine, program, host: str, name: str):
    log = program(name)

    outputs = [
        run(machine, host, MISTRAL_API_KEY=KEY),
        run(machine, host, "--name", "far", "--url", REMOTE, MISTRAL_API_KEY=KEY),
        run(machine, host, "--name", "asked", "--ask-key", typed=f"{KEY}\n"),
        run(machine, host, "--name", "far-asked", "--url", REMOTE, "--ask-key", typed=f"{TOKEN}\n"),
        run(machine, host, "--name", "secret", "--url", "-", typed=f"{SECRET_URL}\n"),
    ]

    assert [result.exit_code for result in outputs] == [0] * 5
    arguments = log.read_text()
    assert "far\n" in arguments or '"name":"far"' in arguments
    shown = arguments + "".join(result.output for result in outputs)
    assert KEY not in shown
    assert TOKEN not in shown
    # The command did nothing, so the file was written in its stead.
    found = servers(host, HOSTS[host].file(machine).read_text())
    assert set(found) == {"mistral", "far", "asked", "far-asked", "secret"}
    assert KEY in repr(found["asked"])
    assert TOKEN in repr(found["far-asked"])


def test_a_command_that_fails_leaves_no_backup_of_its_own_behind(machine: Machine, program, put):
    program("gemini", "exit 3")
    file = put("gemini", fixture_of("gemini"))

    done = install(machine, "gemini")

    assert done.how == "file"
    assert backups(file) == [done.backup]
