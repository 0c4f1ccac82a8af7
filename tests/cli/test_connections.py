"""`mistral-mcp connections`."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from mistral_mcp.cli.main import main
from tests.cli.commands import run
from tests.conftest import KEY


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


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        (["--all"], set()),
        (["--label", "phone"], {"laptop"}),
        (["--older-than", "0"], set()),
        (["--older-than", "1"], {"phone", "laptop"}),
        (["--label", "laptop", "--older-than", "0"], {"phone"}),
    ],
)
def test_an_operator_revokes_many_at_once(tmp_path: Path, chosen: list[str], left: set[str]) -> None:
    environment = {"MISTRAL_MCP_DATA_DIR": str(tmp_path)}
    for label in ("phone", "laptop"):
        CliRunner().invoke(main, ["connections", "create", "--label", label], input=f"{KEY}\n", env=environment)

    result = run("connections", "revoke", *chosen, **environment)

    assert result.exit_code == 0
    assert f"{2 - len(left)} connections are revoked" in result.output
    listed = run("connections", "list", **environment).output.splitlines()
    live = {line.split()[2] for line in listed if line.endswith("live")}
    assert live == left


@pytest.mark.parametrize("chosen", [[], ["abc", "--all"], ["--all", "--label", "x"], ["abc", "--older-than", "3"]])
def test_what_to_revoke_is_said_in_one_way(tmp_path: Path, chosen: list[str]) -> None:
    assert run("connections", "revoke", *chosen, MISTRAL_MCP_DATA_DIR=str(tmp_path)).exit_code == 2
