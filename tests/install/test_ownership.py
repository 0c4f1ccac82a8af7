"""Which entries are ours, and which parts of them stay."""

import json
from pathlib import Path
from typing import Any

import pytest

from mistral_mcp.errors import CannotInstall
from mistral_mcp.install import HOSTS, Machine
from mistral_mcp.install.documents import render
from mistral_mcp.install.entries import url_of
from mistral_mcp.install.hosts import uses_reference
from mistral_mcp.install.ownership import literal_key
from mistral_mcp.install.plan import plan
from tests.install.machines import (
    KEY,
    REMOTE,
    SECRET_URL,
    fixture_of,
    install,
    key_for,
    make_machine,
    remove,
    servers,
)


def test_what_the_user_has_set_in_the_entry_stays(machine: Machine, put):
    file = put(
        "cursor",
        json.dumps(
            {
                "mcpServers": {
                    "mistral": {
                        "command": "uvx",
                        "args": ["mistral-mcp"],
                        "disabled": True,
                        "env": {"MISTRAL_MCP_TOOLSETS": "all"},
                    }
                }
            }
        ).encode(),
    )

    install(machine, "cursor")

    entry = servers("cursor", file.read_text())["mistral"]
    assert entry["disabled"] is True
    assert entry["env"] == {"MISTRAL_MCP_TOOLSETS": "all", "MISTRAL_API_KEY": "${env:MISTRAL_API_KEY}"}


def test_goose_keeps_an_entry_switched_off(machine: Machine, put):
    file = put("goose", fixture_of("goose"))
    install(machine, "goose")
    file.write_text(
        file.read_text().replace("enabled: true\n      timeout: 300", "enabled: false\n      timeout: 300")
    )

    install(machine, "goose", url=SECRET_URL)

    assert servers("goose", file.read_text())["mistral"]["uri"] == SECRET_URL


@pytest.mark.parametrize(
    "theirs",
    [
        {"command": "npx", "args": ["-y", "mistral-mcp"]},  # npm has a package of this name, by somebody else
        {"command": "docker", "args": ["run", "mistral"]},
        {"url": "https://mcp.mistral.ai/mcp"},
    ],
)
def test_another_server_of_the_same_name_is_never_dropped(machine: Machine, put, theirs: dict[str, Any]):
    content = json.dumps({"mcpServers": {"mistral": theirs}}).encode()
    file = put("cursor", content)

    with pytest.raises(CannotInstall, match="--name"):
        install(machine, "cursor")
    with pytest.raises(CannotInstall, match="--name"):
        remove(machine, "cursor")
    assert file.read_bytes() == content

    install(machine, "cursor", name="mistral-2")
    assert list(servers("cursor", file.read_text())) == ["mistral", "mistral-2"]


@pytest.mark.parametrize("host", [host.name for host in HOSTS.values() if host.remote_reference])
def test_a_remote_entry_that_refers_to_the_key_is_taken_out_without_its_url(machine: Machine, put, host: str):
    before = fixture_of(host)
    file = put(host, before)
    install(machine, host, url=REMOTE)

    remove(machine, host)

    assert "mistral" not in servers(host, file.read_text())


@pytest.mark.parametrize("address", [None, "https://other.example.com/mcp", f"{REMOTE}/", SECRET_URL])
@pytest.mark.parametrize("host", list(HOSTS))
def test_our_own_entry_for_a_url_is_replaced_by_another(machine: Machine, host: str, address: str | None):
    install(machine, host, key_for(host), url=REMOTE)

    install(machine, host, key_for(host), url=address)

    [entry] = servers(host, HOSTS[host].file(machine).read_text()).values()
    assert url_of(entry) == (address or "")


LITERAL = {
    "cursor": {"command": "uvx", "args": ["mistral-mcp"], "env": {"MISTRAL_API_KEY": KEY}},
    "codex": {"command": "mistral-mcp", "args": [], "env": {"MISTRAL_API_KEY": KEY}},
    "goose": {"type": "stdio", "cmd": "uvx", "args": ["mistral-mcp"], "envs": {"MISTRAL_API_KEY": KEY}},
    "opencode": {"type": "local", "command": ["mistral-mcp"], "environment": {"MISTRAL_API_KEY": KEY}},
    "claude-code": {"type": "http", "url": REMOTE, "headers": {"Authorization": f"Bearer {KEY}"}},
}


@pytest.mark.parametrize("host", list(LITERAL))
def test_a_key_that_is_written_in_the_entry_is_not_swapped_for_a_reference(machine: Machine, put, host: str):
    file = put(host, render(HOSTS[host], "mistral", LITERAL[host]).encode())
    url = url_of(LITERAL[host]) or None

    outcome = install(machine, host, url=url)

    [entry] = servers(host, file.read_text()).values()
    assert literal_key(entry) == KEY
    assert not uses_reference(HOSTS[host], {**entry, "env": None, "envs": None, "environment": None})
    assert outcome.kept_key
    assert install(machine, host, url=url).how == "unchanged"


@pytest.mark.parametrize(
    "value", ["${env:MISTRAL_API_KEY}", "YOUR_MISTRAL_API_KEY", "<your key>", "%MISTRAL_API_KEY%", ""]
)
def test_a_placeholder_in_the_entry_gives_way_to_the_reference(machine: Machine, put, value: str):
    entry = {"command": "uvx", "args": ["mistral-mcp"], "env": {"MISTRAL_API_KEY": value}}
    file = put("cursor", json.dumps({"mcpServers": {"mistral": entry}}).encode())

    install(machine, "cursor")

    assert servers("cursor", file.read_text())["mistral"]["env"] == {"MISTRAL_API_KEY": "${env:MISTRAL_API_KEY}"}


@pytest.mark.parametrize("host", list(HOSTS))
def test_settings_go_into_the_entry_and_stay_there_until_others_are_given(machine: Machine, host: str):
    file = HOSTS[host].file(machine)

    install(machine, host, key_for(host), settings={"toolsets": "core,files", "read_only": "true"})
    install(machine, host)
    install(machine, host, settings={"toolsets": "all"})

    [entry] = servers(host, file.read_text()).values()
    variables = entry.get("env") or entry.get("envs") or entry["environment"]
    settings = {name: value for name, value in variables.items() if name != "MISTRAL_API_KEY"}
    assert settings == {"MISTRAL_MCP_TOOLSETS": "all", "MISTRAL_MCP_READ_ONLY": "true"}


def test_a_url_carries_the_selection_in_its_query():
    found = plan(make_machine(Path("/nowhere")), "cursor", url=REMOTE, settings={"toolsets": "core,files"})

    assert found.entry()["url"] == f"{REMOTE}?toolsets=core,files"
