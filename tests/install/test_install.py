"""`mistral-mcp install`: every host's file keeps what is in it, and no key is ever shown."""

import json
import os
import re
import shutil
import stat
import tomllib
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from mistral_mcp.cli.main import main
from mistral_mcp.errors import BadSetting, CannotInstall
from mistral_mcp.install import (
    HOSTS,
    Machine,
    deeplink,
    remote_entry,
    snippets,
    stdio_entry,
)
from mistral_mcp.install import (
    plan as plans,
)
from mistral_mcp.install.documents import changed, entry_in, rendered

FIXTURES = Path(__file__).parents[1] / "fixtures" / "install"
KEY = "CaNaRy0123456789abcdefghijklmnop"
TOKEN = "mmcp_CANARY0123456789abcdefghijklmnopqrstuvwxyz"
SECRET_URL = f"https://mcp.example.com/c/{TOKEN}/mcp"
REMOTE = "https://mcp.example.com/mcp"

every_host = pytest.mark.parametrize("host", list(HOSTS))
asking = [host.name for host in HOSTS.values() if host.stdio_reference is None]


def a_machine(home: Path, platform: str = "linux", **variables: str) -> Machine:
    return Machine(platform, home, home / "project", "/opt/python", {"PATH": str(home / "bin"), **variables})


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "project").mkdir()
    return a_machine(tmp_path)


def fixture_of(host: str) -> bytes:
    return (FIXTURES / f"{host}.{HOSTS[host].language}").read_bytes()


@pytest.fixture
def put(machine: Machine) -> Callable[[str, bytes], Path]:
    """Writes a host's file as the user has it."""

    def write(host: str, content: bytes) -> Path:
        file = HOSTS[host].file(machine)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o640)
        return file

    return write


@pytest.fixture
def program(machine: Machine) -> Callable[[str, str], Path]:
    """Puts a program on PATH that writes its arguments down, then does what it is told."""

    def make(name: str, then: str = "") -> Path:
        told = machine.home / f"{name}.argv"
        file = machine.home / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >> {told}\n{then}\n")
        file.chmod(0o755)
        return told

    return make


def data(host: str, content: str) -> Any:
    match HOSTS[host].language:
        case "json":
            return json.loads(content)
        case "toml":
            return tomllib.loads(content)
        case _:
            return YAML(typ="safe", pure=True).load(content)


def servers(host: str, content: str) -> dict[str, Any]:
    found = data(host, content)[HOSTS[host].servers]
    return {item["name"]: item for item in found} if isinstance(found, list) else found


def backups(file: Path) -> list[Path]:
    return sorted(file.parent.glob("*.bak"))


def install(machine: Machine, host: str, key: str | None = None, **asked: Any) -> plans.Outcome:
    return plans.install(machine, plans.plan(machine, host, **asked), key)


def run(machine: Machine, *arguments: str, typed: str = "", **variables: str) -> Result:
    environment = {"HOME": str(machine.home), "PATH": machine.variables["PATH"], "XDG_CONFIG_HOME": "", **variables}
    return CliRunner().invoke(main, ["install", *arguments], input=typed, env=environment, catch_exceptions=False)


# Merging


@every_host
def test_installing_adds_one_server_and_keeps_every_letter_of_the_rest(machine: Machine, put, host: str):
    before = fixture_of(host).decode()
    file = put(host, before.encode())

    done = install(machine, host, KEY if host in asking else None)

    after = file.read_text()
    assert done.how == "file"
    assert set(servers(host, after)) == {*servers(host, before), "mistral"}
    assert {k: v for k, v in servers(host, after).items() if k != "mistral"} == servers(host, before)
    assert {k: v for k, v in data(host, after).items() if k not in {HOSTS[host].servers, "inputs"}} == {
        k: v for k, v in data(host, before).items() if k not in {HOSTS[host].servers, "inputs"}
    }
    letters = iter(after)
    assert all(letter in letters for letter in before)  # things were put between, nothing was taken or moved


@every_host
def test_taking_the_entry_out_again_gives_the_file_back_as_it_was(machine: Machine, put, host: str):
    before = fixture_of(host)
    file = put(host, before)
    install(machine, host, KEY if host in asking else None)

    plans.remove(plans.plan(machine, host))

    if host == "windsurf":  # an empty object may lie on one line
        assert json.loads(file.read_text()) == {"mcpServers": {}}
    else:
        assert file.read_bytes() == before


@every_host
def test_a_second_run_changes_nothing_and_makes_no_backup(machine: Machine, put, host: str):
    file = put(host, fixture_of(host))
    install(machine, host, KEY if host in asking else None)
    after, first = file.read_bytes(), backups(file)

    done = install(machine, host, KEY if host in asking else None)

    assert done.how == "unchanged"
    assert file.read_bytes() == after
    assert backups(file) == first
    assert [backup.read_bytes() for backup in first] == [fixture_of(host)]
    assert stat.S_IMODE(first[0].stat().st_mode) == 0o640


@every_host
@pytest.mark.parametrize("content", [None, b"", b"  \n"], ids=["missing", "empty", "blank"])
def test_a_file_that_is_not_there_yet_is_made_for_the_user_alone(machine: Machine, put, host: str, content):
    file = HOSTS[host].file(machine) if content is None else put(host, content)

    done = install(machine, host, KEY if host in asking else None)

    assert list(servers(host, file.read_text())) == ["mistral"]
    assert stat.S_IMODE(file.stat().st_mode) == (0o600 if content is None else 0o640)
    assert (done.backup is None) == (content is None)


@every_host
def test_the_entry_for_a_url_takes_the_place_of_the_one_for_a_program(machine: Machine, put, host: str):
    file = put(host, fixture_of(host))
    install(machine, host, KEY if host in asking else None)

    install(machine, host, url=SECRET_URL)

    entry = servers(host, file.read_text())["mistral"]
    assert SECRET_URL in repr(entry)
    assert not {"command", "cmd", "env", "envs", "env_vars"} & (
        set(entry) - ({"command"} if "desktop" in host else set())
    )
    assert "Authorization" not in repr(entry)
    assert set(servers(host, file.read_text())) == {*servers(host, fixture_of(host).decode()), "mistral"}


BROKEN = {
    "json": [
        b'{"mcpServers": {',
        b"[]",
        b'{"mcpServers": [], "servers": 3, "context_servers": "x"}',
        b"\xff\xfe{}",
        b"nonsense",
    ],
    "toml": [b"[mcp_servers", b"mcp_servers = 3\n", b"a = 1\na = 2\n"],
    "yaml": [b"extensions: [", b"- a list\n", b"extensions: text\n", b"a: 1\na: 2\n", b"a: b: c\n"],
}


@pytest.mark.parametrize(
    ("host", "content"), [(host, content) for host in HOSTS for content in BROKEN[HOSTS[host].language]]
)
def test_a_broken_file_is_refused_and_stays_as_it_is(machine: Machine, put, host: str, content: bytes):
    file = put(host, content)

    with pytest.raises(CannotInstall):
        install(machine, host, KEY)
    with pytest.raises(CannotInstall):
        plans.remove(plans.plan(machine, host))

    assert file.read_bytes() == content
    assert list(file.parent.iterdir()) == [file] or host == "claude-code"


def test_a_file_with_comments_is_left_alone_and_the_entry_is_shown(machine: Machine, put):
    commented = (FIXTURES / "zed-commented.json").read_bytes()
    file = put("zed", commented)

    result = run(machine, "zed", typed=f"{KEY}\n")

    assert result.exit_code == 1
    assert "has comments" in result.stderr
    assert json.loads(result.stdout)["context_servers"]["mistral"]["env"] == {"MISTRAL_API_KEY": "YOUR_MISTRAL_API_KEY"}
    assert KEY not in result.output
    assert file.read_bytes() == commented
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


@pytest.mark.parametrize(("host", "content"), [(host, content) for host in ODD for content in ODD[host]])
def test_oddly_written_files_keep_their_data_and_their_line_ends(machine: Machine, put, host: str, content: str):
    file = put(host, content.encode())

    install(machine, host, KEY if host in asking else None)

    after = file.read_bytes().decode()
    before = data(host, content.lstrip("\ufeff")) or {}
    assert {k: v for k, v in data(host, after.lstrip("\ufeff")).items() if k != HOSTS[host].servers} == {
        k: v for k, v in before.items() if k != HOSTS[host].servers
    }
    assert "mistral" in servers(host, after.lstrip("\ufeff"))
    assert after.startswith("\ufeff") == content.startswith("\ufeff")
    if "\r\n" in content:
        assert not re.search(r"(?<!\r)\n", after)

    plans.remove(plans.plan(machine, host))

    left = data(host, file.read_bytes().decode().lstrip("\ufeff"))
    assert {k: v for k, v in left.items() if v} == {k: v for k, v in before.items() if v}


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
    file.write_text(file.read_text().replace("enabled: true\n      timeout: 300", "enabled: false\n      timeout: 300"))

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
        plans.remove(plans.plan(machine, "cursor"))
    assert file.read_bytes() == content

    install(machine, "cursor", name="mistral-2")
    assert list(servers("cursor", file.read_text())) == ["mistral", "mistral-2"]


@pytest.mark.parametrize("host", [host.name for host in HOSTS.values() if host.remote_reference])
def test_a_remote_entry_that_refers_to_the_key_is_taken_out_without_its_url(machine: Machine, put, host: str):
    before = fixture_of(host)
    file = put(host, before)
    install(machine, host, url=REMOTE)

    plans.remove(plans.plan(machine, host))

    assert "mistral" not in servers(host, file.read_text())


def test_a_link_stays_a_link_and_what_it_leads_to_is_changed(machine: Machine):
    real = machine.home / "dotfiles" / "codex.toml"
    real.parent.mkdir()
    real.write_bytes(fixture_of("codex"))
    file = HOSTS["codex"].file(machine)
    file.parent.mkdir()
    file.symlink_to(real)

    install(machine, "codex")

    assert file.is_symlink()
    assert "mistral" in servers("codex", real.read_text())
    assert [backup.read_bytes() for backup in backups(real)] == [fixture_of("codex")]


def test_a_file_that_cannot_be_written_is_refused_in_one_sentence(machine: Machine):
    (machine.home / ".cursor").write_text("a file where a folder should be")

    result = run(machine, "cursor")

    assert result.exit_code == 1
    assert re.fullmatch(r"mistral-mcp: \S+: .+\.\n", result.stderr)


def test_a_file_that_others_can_read_is_pointed_out_when_it_holds_a_key(machine: Machine, put):
    file = put("zed", fixture_of("zed"))
    file.chmod(0o644)

    assert f"chmod 600 {file}" in run(machine, "zed", typed=f"{KEY}\n").stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


# Where, and what


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        (
            "darwin",
            {"XDG_CONFIG_HOME": "/ignored"},
            {
                "claude-desktop": "Library/Application Support/Claude/claude_desktop_config.json",
                "vscode": "Library/Application Support/Code/User/mcp.json",
                "zed": ".config/zed/settings.json",
                "goose": ".config/goose/config.yaml",
            },
        ),
        (
            "win32",
            {},
            {
                "claude-desktop": "AppData/Roaming/Claude/claude_desktop_config.json",
                "vscode": "AppData/Roaming/Code/User/mcp.json",
                "zed": "AppData/Roaming/Zed/settings.json",
                "goose": "AppData/Roaming/Block/goose/config/config.yaml",
            },
        ),
        (
            "linux",
            {},
            {
                "claude-desktop": ".config/Claude/claude_desktop_config.json",
                "vscode": ".config/Code/User/mcp.json",
                "zed": ".config/zed/settings.json",
                "goose": ".config/goose/config.yaml",
            },
        ),
    ],
)
def test_each_system_keeps_the_files_elsewhere(tmp_path: Path, platform: str, variables, expected):
    there = a_machine(tmp_path, platform, **variables)
    everywhere = {
        "claude-code": ".claude.json",
        "cursor": ".cursor/mcp.json",
        "codex": ".codex/config.toml",
        "gemini": ".gemini/settings.json",
        "windsurf": ".codeium/windsurf/mcp_config.json",
        "lmstudio": ".lmstudio/mcp.json",
        "vibe": ".vibe/config.toml",
    }

    found = {name: host.file(there).relative_to(tmp_path).as_posix() for name, host in HOSTS.items()}

    assert found == expected | everywhere


@pytest.mark.parametrize("roaming", [None, "Elsewhere/Roaming"], ids=["default", "APPDATA"])
@every_host
def test_on_windows_each_host_s_file_is_found_and_only_added_to(tmp_path: Path, host: str, roaming: str | None):
    """As Windows has it: APPDATA, line ends, a byte order mark, an interpreter with blanks in its path."""
    variables = {"USERPROFILE": str(tmp_path), **({"APPDATA": str(tmp_path / roaming)} if roaming else {})}
    python = "C:\\Program Files\\Python313\\python.exe"
    there = Machine("win32", tmp_path, tmp_path / "project", python, variables)
    file = HOSTS[host].file(there)
    in_roaming = {"claude-desktop", "vscode", "zed", "goose"}
    before = fixture_of(host).decode().replace("\n", "\r\n")
    mark = "\ufeff" if HOSTS[host].language == "json" else ""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(f"{mark}{before}".encode())

    install(there, host, KEY if host in asking else None)

    after = file.read_bytes().decode()
    assert file.is_relative_to(tmp_path / (roaming or "AppData/Roaming")) == (host in in_roaming)
    assert after.startswith(mark)
    assert not re.search(r"(?<!\r)\n", after)
    text = after.removeprefix("\ufeff")
    assert {k: v for k, v in servers(host, text).items() if k != "mistral"} == servers(host, before)
    entry = servers(host, text)["mistral"]
    assert (entry.get("command") or entry["cmd"]) == python  # there is no uvx
    assert install(there, host, KEY if host in asking else None).how == "unchanged"


def test_variables_that_move_a_host_s_files_are_followed(tmp_path: Path):
    moved = {"CODEX_HOME": "/c", "CLAUDE_CONFIG_DIR": "/d", "VIBE_HOME": "/v", "XDG_CONFIG_HOME": "/x", "APPDATA": "/a"}

    def file(host: str, platform: str = "linux") -> str:
        return HOSTS[host].file(a_machine(tmp_path, platform, **moved)).as_posix()

    assert (file("codex"), file("claude-code"), file("vibe")) == ("/c/config.toml", "/d/.claude.json", "/v/config.toml")
    assert (file("goose"), file("zed", "win32")) == ("/x/goose/config.yaml", "/a/Zed/settings.json")


def test_hosts_that_a_desktop_starts_get_the_whole_path_of_the_program(machine: Machine, program):
    program("uvx")
    uvx = str(machine.home / "bin" / "uvx")

    def command(host: str, **asked: Any) -> str:
        return plans.entry(machine, plans.plan(machine, host, **asked))["command"]

    assert {command(host) for host in ("claude-desktop", "cursor", "zed", "windsurf", "lmstudio")} == {uvx}
    assert {command(host) for host in ("claude-code", "vscode", "codex", "gemini", "vibe")} == {"uvx"}
    assert command("cursor", scope="project") == "uvx"


def test_without_uvx_the_installed_package_is_started(machine: Machine):
    entry = plans.entry(machine, plans.plan(machine, "cursor"))

    assert (entry["command"], entry["args"]) == ("/opt/python", ["-m", "mistral_mcp"])


def test_entries_refer_to_the_environment_in_each_host_s_own_words():
    texts = {host: rendered(HOSTS[host], "mistral", stdio_entry(host)) for host in HOSTS if host not in asking}

    assert '"MISTRAL_API_KEY": "${MISTRAL_API_KEY}"' in texts["claude-code"]
    assert '"MISTRAL_API_KEY": "${env:MISTRAL_API_KEY}"' in texts["cursor"]
    assert '"MISTRAL_API_KEY": "${env:MISTRAL_API_KEY}"' in texts["windsurf"]
    assert '"MISTRAL_API_KEY": "$MISTRAL_API_KEY"' in texts["gemini"]
    assert 'env_vars = ["MISTRAL_API_KEY"]' in texts["codex"]
    assert data("goose", texts["goose"])["extensions"]["mistral"]["env_keys"] == ["MISTRAL_API_KEY"]
    assert data("vscode", texts["vscode"]) == {
        "servers": {
            "mistral": {
                "type": "stdio",
                "command": "uvx",
                "args": ["mistral-mcp"],
                "env": {"MISTRAL_API_KEY": "${input:mistral-key}"},
            }
        },
        "inputs": [{"type": "promptString", "id": "mistral-key", "description": "Mistral API key", "password": True}],
    }
    assert asking == ["claude-desktop", "zed", "lmstudio", "vibe"]


def test_vs_code_keeps_other_inputs_and_loses_ours_with_the_entry(machine: Machine, put):
    file = put("vscode", fixture_of("vscode"))
    install(machine, "vscode")
    assert [item["id"] for item in json.loads(file.read_text())["inputs"]] == ["other-key", "mistral-key"]

    plans.remove(plans.plan(machine, "vscode"))

    assert [item["id"] for item in json.loads(file.read_text())["inputs"]] == ["other-key"]


@every_host
def test_a_secret_url_goes_alone_and_any_other_with_a_bearer_token(host: str):
    alone = remote_entry(host, SECRET_URL)
    with_key = remote_entry(host, REMOTE, key=KEY)

    assert SECRET_URL in repr(alone)
    assert not re.search(r"(?i)authorization|bearer|api_key", repr(alone))
    assert f"Bearer {KEY}" in repr(with_key)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["cursor", "--url", "ftp://mcp.example.com/mcp"], "must be the URL of an MCP endpoint"),
        (["cursor", "--url", "https://mcp.example.com/"], "must be the URL of an MCP endpoint"),
        (["cursor", "--url", "http://mcp.example.com/mcp"], "Use https://"),
        (["cursor", "--url", "https://a:b@mcp.example.com/mcp"], "no user"),
        (["zed", "--scope", "project"], "Leave --scope out"),
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


def test_the_help_and_the_completion_name_every_host():
    command = main.commands["install"]
    context = command.make_context("install", ["cursor"])

    named = re.search(r"HOST is (.+?)\.", command.help or "", re.DOTALL)
    assert named
    assert re.findall(r"[a-z-]+", named[1].replace(" or ", " ")) == list(HOSTS)
    assert [item.value for item in command.params[0].shell_complete(context, "c")] == [
        *("claude-desktop", "claude-code", "cursor", "codex")
    ]


def test_a_project_s_file_gets_the_entry_without_a_key(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(machine.project)

    run(machine, "cursor", "--scope", "project", MISTRAL_API_KEY=KEY)

    entry = json.loads((machine.project / ".cursor" / "mcp.json").read_text())["mcpServers"]["mistral"]
    assert entry["env"] == {"MISTRAL_API_KEY": "${env:MISTRAL_API_KEY}"}


# The hosts' own commands


def test_claude_code_is_told_through_its_own_command(machine: Machine, program):
    file = HOSTS["claude-code"].file(machine)
    program("uvx")
    entry = stdio_entry("claude-code")
    told = program("claude", f"echo '{rendered(HOSTS['claude-code'], 'mistral', entry)}' > {file}")

    first = run(machine, "claude-code", MISTRAL_API_KEY=KEY)
    again = run(machine, "claude-code", MISTRAL_API_KEY=KEY)

    assert "by the host's own command" in first.stdout
    assert "nothing was changed" in again.stdout
    assert told.read_text().splitlines() == [
        *("mcp", "add", "--scope", "user", "mistral", "--env", "MISTRAL_API_KEY=${MISTRAL_API_KEY}"),
        *("--", "uvx", "mistral-mcp"),
    ]


@pytest.mark.parametrize(
    ("host", "name"), [("claude-code", "claude"), ("gemini", "gemini"), ("codex", "codex"), ("vscode", "code")]
)
def test_no_key_and_no_secret_url_is_on_any_command_line(machine: Machine, program, host: str, name: str):
    told = program(name)

    outputs = [
        run(machine, host, MISTRAL_API_KEY=KEY),
        run(machine, host, "--name", "far", "--url", REMOTE, MISTRAL_API_KEY=KEY),
        run(machine, host, "--name", "asked", "--ask-key", typed=f"{KEY}\n"),
        run(machine, host, "--name", "far-asked", "--url", REMOTE, "--ask-key", typed=f"{TOKEN}\n"),
        run(machine, host, "--name", "secret", "--url", "-", typed=f"{SECRET_URL}\n"),
    ]

    assert [result.exit_code for result in outputs] == [0] * 5
    arguments = told.read_text()
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


# Keys


@pytest.mark.parametrize("host", asking)
def test_a_key_is_asked_for_unseen_where_the_host_cannot_refer_to_one(machine: Machine, host: str):
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
def test_printing_asks_nothing_changes_nothing_and_shows_a_whole_file(machine: Machine, host: str, url: str | None):
    result = run(machine, host, "--print", *(["--url", url] if url else []), MISTRAL_API_KEY=KEY)

    assert result.exit_code == 0
    assert list(servers(host, result.stdout)) == ["mistral"]
    assert KEY not in result.output
    assert [path.name for path in machine.home.iterdir()] == ["project"]


def test_a_url_that_was_typed_unseen_is_masked_when_printed(machine: Machine):
    result = run(machine, "cursor", "--print", "--url", "-", typed=f"{SECRET_URL}\n")

    assert TOKEN not in result.output
    assert servers("cursor", result.stdout)["mistral"] == {"url": "YOUR_URL"}


# What a person copies


def test_there_is_a_snippet_for_every_host_that_takes_a_url():
    found = {snippet.host: snippet for snippet in snippets(SECRET_URL)}

    assert set(found) == (set(HOSTS) - {"claude-desktop"}) | {"claude", "chatgpt", "le-chat", "json"}
    assert all(SECRET_URL in snippet.text and snippet.where and snippet.title for snippet in found.values())
    assert found["claude-code"].text == f"claude mcp add --transport http --scope user mistral {SECRET_URL}"
    for host in set(HOSTS) & set(found) - {"claude-code"}:
        assert SECRET_URL in repr(servers(host, found[host].text)["mistral"])


def test_links_with_a_secret_in_them_never_lead_to_a_web_server():
    for snippet in snippets(SECRET_URL):
        if snippet.link and urlsplit(snippet.link).scheme == "https":
            assert TOKEN not in unquote(snippet.link)
            assert "config=" not in snippet.link


def test_deeplinks_carry_the_entry():
    links = {snippet.host: snippet.link or "" for snippet in snippets(SECRET_URL, name="mine")}

    def config(link: str) -> Any:
        return json.loads(b64decode(parse_qs(urlsplit(link).query)["config"][0]))

    assert links["cursor"].startswith("cursor://anysphere.cursor-deeplink/mcp/install?name=mine&config=")
    assert config(links["cursor"]) == {"url": SECRET_URL}
    assert config(links["lmstudio"]) == {"url": SECRET_URL}
    assert json.loads(unquote(links["vscode"].removeprefix("vscode:mcp/install?"))) == {
        "name": "mine",
        "type": "http",
        "url": SECRET_URL,
    }
    assert parse_qs(urlsplit(links["goose"]).query)["url"] == [SECRET_URL]
    assert deeplink("zed", stdio_entry("zed")) is None


def decoded(link: str) -> dict[str, Any]:
    """The entry in a link, as the host reads it there."""
    parts = urlsplit(link)
    if parts.scheme == "vscode":
        return json.loads(unquote(parts.query))
    query = parse_qs(parts.query)
    if parts.scheme == "goose":
        if "url" in query:
            return {"uri": query["url"][0], "type": query["type"][0]}
        return {"type": "stdio", "cmd": query["cmd"][0], "args": query["arg"]}
    [config] = query["config"]
    return (
        json.loads(config) if parts.hostname == "insiders.vscode.dev" else json.loads(b64decode(config, validate=True))
    )


@pytest.mark.parametrize("web", [False, True], ids=["app", "web"])
@pytest.mark.parametrize("host", ["cursor", "vscode", "lmstudio", "goose"])
@pytest.mark.parametrize("url", [None, REMOTE, SECRET_URL], ids=["stdio", "remote", "secret"])
def test_a_link_decodes_to_the_very_entry_that_the_file_would_get(host: str, url: str | None, web: bool):  # noqa: FBT001
    entry = stdio_entry(host) if url is None else remote_entry(host, url)
    link = deeplink(host, entry, name="mine", web=web)
    if link is None:
        assert (host, web) == ("goose", True)  # it has no page
        return
    found = decoded(link)

    name = found.pop("name", None) or parse_qs(urlsplit(link).query)["name"][0]
    inputs = found.pop("inputs", None)
    assert name == "mine"
    assert found == {key: value for key, value in entry.items() if key in found}
    assert host == "goose" or found == entry
    if host == "vscode" and not web:
        assert inputs == (HOSTS["vscode"].beside["inputs"] if "${input:" in repr(entry) else None)
    assert " " not in link
    assert "+" not in urlsplit(link).query  # a blank, to some


def test_web_links_for_a_program_hold_no_key_but_ask_for_it():
    link = deeplink("vscode", stdio_entry("vscode"), web=True) or ""
    query = parse_qs(urlsplit(link).query)

    assert json.loads(query["config"][0])["env"] == {"MISTRAL_API_KEY": "${input:mistral-key}"}
    assert json.loads(query["inputs"][0])[0]["password"] is True
    assert (deeplink("goose", stdio_entry("goose")) or "").startswith("goose://extension?cmd=uvx&arg=mistral-mcp&")


def test_a_change_that_would_lose_something_is_refused():
    anchored = "base: &base\n  name: a\nextensions: &all\n  a: *base\nagain: *all\n"

    with pytest.raises(CannotInstall, match="by hand"):
        changed(HOSTS["goose"], anchored, "mistral", stdio_entry("goose"))
    assert entry_in(HOSTS["goose"], anchored, "mistral") is None


def test_a_plan_for_no_known_place_is_refused(machine: Machine):
    with pytest.raises(BadSetting, match="Claude Desktop"):
        plans.plan(machine, "claude-desktop", scope="project")


@pytest.mark.skipif(shutil.which("uvx") is None or os.name != "posix", reason="needs uvx")
def test_the_path_of_the_program_is_one_that_can_be_started(tmp_path: Path):
    there = Machine("linux", tmp_path, tmp_path, "/opt/python", {"PATH": os.environ["PATH"]})

    assert os.access(plans.entry(there, plans.plan(there, "zed"))["command"], os.X_OK)
