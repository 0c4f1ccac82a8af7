"""`mistral-mcp connections`."""

from pathlib import Path

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
