"""Options that a host does not support are rejected."""

import pytest

from mistral_mcp.errors import BadSetting
from mistral_mcp.install import Machine
from mistral_mcp.install.plan import plan
from tests.install.machines import REMOTE, SECRET_URL, TOKEN, run


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["cursor", "--url", "ftp://mcp.example.com/mcp"], "must be the URL of an MCP endpoint"),
        (["cursor", "--url", "https://mcp.example.com/"], "must be the URL of an MCP endpoint"),
        (["cursor", "--url", "http://mcp.example.com/mcp"], "Use https://"),
        (["cursor", "--url", "https://a:b@mcp.example.com/mcp"], "no user"),
        (["zed", "--scope", "project"], "Leave --scope out"),
        (["cline", "--scope", "project"], "Leave --scope out"),
        (["cursor", "--scope", "project", "--files-dir", "/home/ada/docs"], "a folder within the project"),
        (["cursor", "--files-dir", "/nonexistent"], "no such folder"),
        (["cursor", "--toolsets", "cores"], "cores"),
        (["cursor", "--route", "nonsense"], "--route cannot be used"),
        (["cursor", "--url", REMOTE, "--files-dir", "."], "--files-dir is for a server on this machine"),
        (["cursor", "--url", REMOTE, "--route", "eu"], "--route is for a server on this machine"),
        (["vibe", "--scope", "project"], "Leave --scope out"),
        (["cursor", "--scope", "project", "--url", SECRET_URL], "this URL is a secret"),
        (["cursor", "--scope", "project", "--ask-key"], "Leave --ask-key out"),
        (["cursor", "--name", "no spaces"], "--name"),
        (["emacs"], "Name one of claude-desktop, claude-code"),
    ],
)
def test_what_no_host_can_have_is_wrong_usage(machine: Machine, arguments: list[str], sentence: str):
    result = run(machine, *arguments)

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert TOKEN not in result.output


def test_a_plan_for_no_known_place_is_refused(machine: Machine):
    with pytest.raises(BadSetting, match="Claude Desktop"):
        plan(machine, "claude-desktop", scope="project")
