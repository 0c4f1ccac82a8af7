"""The command line as a whole: exit codes, help, completion."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from mistral_mcp import __version__
from mistral_mcp.cli.main import main
from tests.cli.commands import run


def test_the_version_is_reported() -> None:
    assert __version__ in run("--version").output


def test_variables_of_single_commands_are_known_and_count() -> None:
    shown = run("tools", MISTRAL_MCP_SANDBOX_PORT="9", MISTRAL_MCP_INSTALL_NAME="other")
    printed = run("install", "cursor", "--print", MISTRAL_MCP_INSTALL_URL="https://mcp.example.com/mcp")
    refused = run("sandbox", MISTRAL_MCP_SANDBOX_PORT="far")

    assert shown.exit_code == 0
    assert "Unknown setting" not in shown.output
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
def test_a_shell_completes_commands_hosts_and_values(
    shell: str, typed: str, begun: str, completed: set[str]
) -> None:
    words = f"mistral-mcp {typed} {begun}"
    asked = {"COMP_WORDS": words, "COMP_CWORD": begun if shell == "fish" else str(len(typed.split()) + 1)}
    result = CliRunner().invoke(
        main, [], prog_name="mistral-mcp", env={"_MISTRAL_MCP_COMPLETE": f"{shell}_complete", **asked}
    )
    words_of = re.split(r"[\n,\t]", result.output)

    assert completed <= set(words_of)
    assert not {name for name in ("vscode", "user", "create", "code", "core") if name in words_of}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_given_what_it_sources(shell: str) -> None:
    result = CliRunner().invoke(
        main, [], prog_name="mistral-mcp", env={"_MISTRAL_MCP_COMPLETE": f"{shell}_source"}
    )

    assert f"_MISTRAL_MCP_COMPLETE={shell}_complete" in result.output


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
def test_failures_exit_with_1_and_wrong_usage_with_2(
    arguments: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    result = run(*arguments, MISTRAL_MCP_DATA_DIR=str(tmp_path))

    assert result.exit_code == code
    assert "Traceback" not in result.output
