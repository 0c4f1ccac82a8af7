"""Installing and removing: the rest of the file stays unchanged."""

import json
import re
import stat
from pathlib import Path

import pytest

from mistral_mcp.errors import CannotInstall
from mistral_mcp.install import HOSTS, Machine
from tests.conftest import pairs_of
from tests.install.machines import (
    ASKING,
    FILES,
    KEY,
    SECRET_URL,
    backups,
    data,
    fixture_of,
    host_of,
    install,
    key_for,
    remove,
    servers,
)

every_host = pytest.mark.parametrize("host", list(HOSTS))
every_file = pytest.mark.parametrize("fixture", FILES, ids=lambda file: file.name)


@every_file
def test_installing_adds_one_server_and_keeps_every_letter_of_the_rest(machine: Machine, put, fixture: Path):
    host, before = host_of(fixture), fixture.read_text()
    file = put(host, before.encode())

    done = install(machine, host, key_for(host))

    after = file.read_text()
    assert done.how == "file"
    assert set(servers(host, after)) == {*servers(host, before), "mistral"}
    assert {k: v for k, v in servers(host, after).items() if k != "mistral"} == servers(host, before)
    assert {k: v for k, v in data(host, after).items() if k not in {HOSTS[host].servers, "inputs"}} == {
        k: v for k, v in data(host, before).items() if k not in {HOSTS[host].servers, "inputs"}
    }
    letters = iter(after)
    assert all(letter in letters for letter in before)  # things were put between, nothing was taken or moved


@every_file
def test_taking_the_entry_out_again_gives_the_file_back_as_it_was(machine: Machine, put, fixture: Path):
    host, before = host_of(fixture), fixture.read_bytes()
    file = put(host, before)
    install(machine, host, key_for(host))

    remove(machine, host)

    if host == "windsurf":  # an empty object may lie on one line
        assert json.loads(file.read_text()) == {"mcpServers": {}}
    else:
        assert file.read_bytes() == before


@every_file
def test_a_second_run_changes_nothing_and_makes_no_backup(machine: Machine, put, fixture: Path):
    host = host_of(fixture)
    file = put(host, fixture.read_bytes())
    install(machine, host, key_for(host))
    after, first = file.read_bytes(), backups(file)

    done = install(machine, host, key_for(host))

    assert done.how == "unchanged"
    assert file.read_bytes() == after
    assert backups(file) == first
    assert [backup.read_bytes() for backup in first] == [fixture.read_bytes()]
    assert stat.S_IMODE(first[0].stat().st_mode) == 0o640


@every_host
@pytest.mark.parametrize("content", [None, b"", b"  \n"], ids=["missing", "empty", "blank"])
def test_a_file_that_is_not_there_yet_is_made_for_the_user_alone(machine: Machine, put, host: str, content):
    file = HOSTS[host].file(machine) if content is None else put(host, content)

    done = install(machine, host, key_for(host))

    assert list(servers(host, file.read_text())) == ["mistral"]
    mode = 0o600 if content is None or host in ASKING else 0o640
    assert stat.S_IMODE(file.stat().st_mode) == mode
    assert (done.backup is None) == (content is None)


@every_file
def test_the_entry_for_a_url_takes_the_place_of_the_one_for_a_program(machine: Machine, put, fixture: Path):
    host, before = host_of(fixture), fixture.read_text()
    file = put(host, before.encode())
    install(machine, host, key_for(host))

    install(machine, host, url=SECRET_URL)

    entry = servers(host, file.read_text())["mistral"]
    assert SECRET_URL in repr(entry)
    assert not {"command", "cmd", "env", "envs", "env_vars", "environment"} & (
        set(entry) - ({"command"} if "desktop" in host else set())
    )
    assert "Mistral-Api-Key" not in repr(entry)
    assert set(servers(host, file.read_text())) == {*servers(host, before), "mistral"}
    letters = iter(file.read_text())
    assert all(letter in letters for letter in before)


BROKEN = {
    "json": [
        b'{"mcpServers": {',
        b"[]",
        b'{"mcpServers": [], "servers": 3, "context_servers": "x", "mcp": 4}',
        b"\xff\xfe{}",
        b"nonsense",
    ],
    "toml": [b"[mcp_servers", b"mcp_servers = 3\n", b"a = 1\na = 2\n"],
    "yaml": [b"extensions: [", b"- a list\n", b"extensions: text\n", b"a: 1\na: 2\n", b"a: b: c\n"],
}


@pytest.mark.parametrize(
    ("host", "content"), list(pairs_of({name: BROKEN[host.language] for name, host in HOSTS.items()}))
)
def test_a_broken_file_is_refused_and_stays_as_it_is(machine: Machine, put, host: str, content: bytes):
    file = put(host, content)

    with pytest.raises(CannotInstall):
        install(machine, host, KEY)
    with pytest.raises(CannotInstall):
        remove(machine, host)

    assert file.read_bytes() == content
    assert backups(file) == []


ODD = {
    "vibe": ["mcp_servers = []\n", 'mcp_servers = [{name = "a", transport = "stdio", command = "b"}]\n'],
    "codex": [
        "mcp_servers = {}\n",
        'mcp_servers = {docs = {command = "docs"}}\n',
        "[mcp_servers]\n# none yet\n\n[other]\nx = 1\n",
        '[mcp_servers.a]\ncommand = "a"\n\n[x]\ny = 1\n\n[mcp_servers.b]\ncommand = "b"\n',
        'mcp_servers.a.command = "a"\n',
        '[mcp_servers.a]\r\ncommand = "a"\r\n',
    ],
    "goose": [
        "extensions: {}\n",
        "extensions:\n",
        "extensions:  # none\nother: 1",
        "extensions: {}  # none\nother: 1\n",
        "extensions: {a: {type: builtin, name: a}}\n",
        "extensions:\n  a:\n    type: builtin\n    name: a",
        "# only a comment\n",
        "other: 1\r\nextensions:\r\n  a: {name: a}\r\n\r\n# end\r\n",
        "---\nextensions:\n  a:\n    name: a\n# about b\nb: 1\n",
        "extensions:\n  a:\n    name: |\n      a\n\n      b\n\n",
    ],
    "cursor": [
        "{}",
        '{ "other": 1 }',
        '{"mcpServers": null, "other": [1, 2]}',
        '{\r\n  "mcpServers": {\r\n    "a": {}\r\n  }\r\n}\r\n',
        '\ufeff{"mcpServers": {}}',
        '{"a{": "}\\"", "mcpServers": {"b": {"c": "{,}"}}}',
        '{"mcpServers":\n{\n"a":{}}\n}',
    ],
}


@pytest.mark.parametrize(("host", "content"), list(pairs_of(ODD)))
def test_oddly_written_files_keep_their_data_and_their_line_ends(machine: Machine, put, host: str, content: str):
    file = put(host, content.encode())

    install(machine, host, key_for(host))

    after = file.read_bytes().decode()
    before = data(host, content.lstrip("\ufeff")) or {}
    assert {k: v for k, v in data(host, after.lstrip("\ufeff")).items() if k != HOSTS[host].servers} == {
        k: v for k, v in before.items() if k != HOSTS[host].servers
    }
    assert "mistral" in servers(host, after.lstrip("\ufeff"))
    assert after.startswith("\ufeff") == content.startswith("\ufeff")
    if "\r\n" in content:
        assert not re.search(r"(?<!\r)\n", after)

    remove(machine, host)

    left = data(host, file.read_bytes().decode().lstrip("\ufeff"))
    assert {k: v for k, v in left.items() if v} == {k: v for k, v in before.items() if v}


@pytest.mark.parametrize("roaming", [None, "Elsewhere/Roaming"], ids=["default", "APPDATA"])
@every_host
def test_on_windows_each_host_s_file_is_found_and_only_added_to(tmp_path: Path, host: str, roaming: str | None):
    """As Windows has it: APPDATA, line ends, a byte order mark, a program with blanks in its path."""
    variables = {"USERPROFILE": str(tmp_path), **({"APPDATA": str(tmp_path / roaming)} if roaming else {})}
    script = "C:\\Program Files\\mistral-mcp\\mistral-mcp.exe"
    there = Machine("win32", tmp_path, tmp_path / "project", (script,), variables=variables)
    file = HOSTS[host].file(there)
    in_roaming = {"claude-desktop", "vscode", "zed", "goose"}
    before = fixture_of(host).decode().replace("\n", "\r\n")
    mark = "\ufeff" if HOSTS[host].language == "json" else ""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(f"{mark}{before}".encode())

    install(there, host, key_for(host))

    after = file.read_bytes().decode()
    assert file.is_relative_to(tmp_path / (roaming or "AppData/Roaming")) == (host in in_roaming)
    assert after.startswith(mark)
    assert not re.search(r"(?<!\r)\n", after)
    text = after.removeprefix("\ufeff")
    assert {k: v for k, v in servers(host, text).items() if k != "mistral"} == servers(host, before)
    entry = servers(host, text)["mistral"]
    assert (entry.get("command") or entry["cmd"]) in (script, [script])
    assert install(there, host, key_for(host)).how == "unchanged"


def test_vs_code_keeps_other_inputs_and_loses_ours_with_the_entry(machine: Machine, put):
    file = put("vscode", fixture_of("vscode"))
    install(machine, "vscode")
    assert [item["id"] for item in json.loads(file.read_text())["inputs"]] == ["other-key", "mistral-key"]

    remove(machine, "vscode")

    assert [item["id"] for item in json.loads(file.read_text())["inputs"]] == ["other-key"]
