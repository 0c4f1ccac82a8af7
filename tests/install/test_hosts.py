"""Where each host keeps its file, and what it reads there."""

from pathlib import Path

import pytest

from mistral_mcp.install import HOSTS, Machine, stdio_entry
from mistral_mcp.install.documents import render
from tests.install.machines import ASKING, data, make_machine


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
    there = make_machine(tmp_path, platform, **variables)
    moved = variables.get("XDG_CONFIG_HOME")  # opencode follows it on every system
    everywhere = {
        "claude-code": ".claude.json",
        "cursor": ".cursor/mcp.json",
        "codex": ".codex/config.toml",
        "gemini": ".gemini/settings.json",
        "windsurf": ".codeium/windsurf/mcp_config.json",
        "lmstudio": ".lmstudio/mcp.json",
        "vibe": ".vibe/config.toml",
        "copilot-cli": ".copilot/mcp-config.json",
        "opencode": f"{moved or '.config'}/opencode/opencode.json",
        "cline": ".cline/data/settings/cline_mcp_settings.json",
    }

    found = {
        name: host.file(there).as_posix().removeprefix(f"{tmp_path.as_posix()}/") for name, host in HOSTS.items()
    }

    assert found == expected | everywhere


def test_variables_that_move_a_host_s_files_are_followed(tmp_path: Path):
    moved = {
        "CODEX_HOME": "/c",
        "CLAUDE_CONFIG_DIR": "/d",
        "VIBE_HOME": "/v",
        "XDG_CONFIG_HOME": "/x",
        "APPDATA": "/a",
    }
    moved |= {"COPILOT_HOME": "/p", "CLINE_MCP_SETTINGS_PATH": "/cline.json"}

    def file(host: str, platform: str = "linux") -> str:
        return HOSTS[host].file(make_machine(tmp_path, platform, **moved)).as_posix()

    assert (file("codex"), file("claude-code"), file("vibe")) == (
        "/c/config.toml",
        "/d/.claude.json",
        "/v/config.toml",
    )
    assert (file("goose"), file("zed", "win32")) == ("/x/goose/config.yaml", "/a/Zed/settings.json")
    assert (file("copilot-cli"), file("cline")) == ("/p/mcp-config.json", "/cline.json")
    assert file("opencode") == "/x/opencode/opencode.json"


def test_opencode_s_file_with_comments_is_the_one_that_is_changed_where_it_is_there(machine: Machine):
    folder = machine.home / ".config" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.jsonc").write_text("{}")

    assert HOSTS["opencode"].file(machine).name == "opencode.jsonc"


def test_entries_refer_to_the_environment_in_each_host_s_own_words():
    texts = {host: render(HOSTS[host], "mistral", stdio_entry(host)) for host in HOSTS if host not in ASKING}

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
        "inputs": [
            {"type": "promptString", "id": "mistral-key", "description": "Mistral API key", "password": True}
        ],
    }
    assert '"MISTRAL_API_KEY": "${MISTRAL_API_KEY}"' in texts["copilot-cli"]
    assert '"MISTRAL_API_KEY": "{env:MISTRAL_API_KEY}"' in texts["opencode"]
    assert ASKING == ["claude-desktop", "zed", "lmstudio", "vibe", "cline"]
