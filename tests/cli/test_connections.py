"""`mistral-mcp connections`."""

import json
import re
from itertools import chain
from pathlib import Path

import pytest
from click.testing import CliRunner

from mistral_mcp.cli.main import main
from tests.cli.commands import run
from tests.conftest import KEY


def test_an_operator_makes_lists_and_revokes_connections(tmp_path: Path) -> None:
    environment = {"MISTRAL_MCP_DATA_DIR": str(tmp_path)}
    made = CliRunner().invoke(
        main, ["connections", "create", "--label", "phone"], input=f"{KEY}\n", env=environment
    )
    identity = made.stdout.split("\n\n")[0].split()[-1]

    listed = run("connections", "list", **environment)
    assert identity in listed.output
    assert "phone" in listed.output
    assert KEY not in made.output + listed.output
    assert "1 on master key" in listed.output
    assert run("connections", "reseal", **environment).exit_code == 0
    assert run("connections", "revoke", identity, **environment).exit_code == 0
    assert "revoked" in run("connections", "list", **environment).output


def test_what_an_operator_makes_and_ends_has_its_line_in_the_audit(tmp_path: Path) -> None:
    environment = {"MISTRAL_MCP_DATA_DIR": str(tmp_path), "MISTRAL_MCP_LOG_FORMAT": "json"}
    ended = [
        CliRunner().invoke(main, ["connections", "create"], input=f"{KEY}\n", env=environment) for _ in range(3)
    ]
    identities = [each.stdout.split("\n\n")[0].split()[-1] for each in ended]
    ended.append(run("connections", "revoke", identities[0], **environment))
    ended.append(run("connections", "revoke", "--all", **environment))

    lines = chain.from_iterable(each.stderr.splitlines() for each in ended)
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    audit = [(each["event"], each["connection_id"], each["address"]) for each in logged if "event" in each]
    assert audit[:3] == [("connection_created", identity, "operator") for identity in identities]
    assert audit[3] == ("connection_revoked", identities[0], "operator")
    # Those that end together have no order.
    assert sorted(audit[4:]) == sorted(("connection_revoked", identity, "operator") for identity in identities[1:])


@pytest.mark.parametrize(
    ("route", "code"),
    [("http://127.0.0.1:8787", 0), ("eu", 0), ("http://elsewhere.example", 1), ("lava://", 1), ("nowhere", 1)],
)
def test_an_operator_chooses_the_route_of_a_connection(tmp_path: Path, route: str, code: int) -> None:
    environment = {"MISTRAL_MCP_DATA_DIR": str(tmp_path)}
    made = CliRunner().invoke(
        main, ["connections", "create", "--connection-route", route], input=f"{KEY}\n", env=environment
    )

    assert made.exit_code == code, made.output
    listed = json.loads(run("connections", "list", "--json", **environment).stdout)
    assert [each["route"] for each in listed["connections"]] == [route] * (code == 0)


def test_a_list_for_programs_holds_no_secret(tmp_path: Path) -> None:
    environment = {"MISTRAL_MCP_DATA_DIR": str(tmp_path)}
    empty = run("connections", "list", "--json", **environment)
    arguments = ["connections", "create", "--label", "phone", "--connection-toolsets", "core,files"]
    made = CliRunner().invoke(main, arguments, input=f"{KEY}\n", env=environment)

    listed = run("connections", "list", "--json", **environment)

    assert json.loads(empty.stdout) == {"connections": []}
    [connection] = json.loads(listed.stdout)["connections"]
    assert (connection["label"], connection["toolsets"]) == ("phone", ["core", "files"])
    assert connection["id"] in made.stdout
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", connection["created_at"])
    assert (connection["expires_at"], connection["revoked_at"]) == (None, None)
    assert (connection["budget_usd"], connection["budget_calls_per_day"]) == (None, None)
    assert KEY not in listed.output
    assert "mmcp_" not in listed.output


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


def test_an_operator_sees_what_each_connection_used(tmp_path: Path) -> None:
    environment = {"MISTRAL_MCP_DATA_DIR": str(tmp_path), "MISTRAL_MCP_BUDGET_CALLS_PER_DAY": "9"}
    made = CliRunner().invoke(
        main, ["connections", "create", "--label", "phone"], input=f"{KEY}\n", env=environment
    )
    identity = made.stdout.split("\n\n")[0].split()[-1]
    shown = run("connections", "usage", **environment)
    [entry] = json.loads(run("connections", "usage", "--json", **environment).stdout)["connections"]

    assert "phone" in shown.output
    assert "9 calls" in shown.output
    assert (entry["id"], entry["label"]) == (identity, "phone")
    assert entry["month"]["calls"] == 0
    assert entry["budget"]["left_calls"] == 9
