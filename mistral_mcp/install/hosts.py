"""The table of MCP clients: their config files and entry formats.

A client has its servers under one name in one file. An entry starts the server (`stdio_entry`) or names a URL
(`remote_entry`). If a client supports references to the environment, entries hold these rather than the key.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mistral_mcp.install import entries
from mistral_mcp.install.entries import VARIABLE, Entry, Variables, command_entry, is_secret_url, url_entry
from mistral_mcp.install.machine import Machine

PUBLISHED = ("uvx", "mistral-mcp")
"""Command that starts the released package anywhere, for manifests and links."""
NAME = "mistral"

Language = Literal["json", "toml", "yaml"]
Scope = Literal["user", "project"]


@dataclass(frozen=True, slots=True)
class Host:
    """One host. `stdio_reference` and `remote_reference` are its syntax for a key from the environment, if it has one."""

    name: str
    title: str
    language: Language
    servers: str
    """Name of the member that holds the servers."""
    where: str
    """The file or the menu, as text for people."""
    file: Callable[[Machine], Path]
    stdio: Callable[[Sequence[str], str | None, Variables], Entry]
    remote: Callable[[str, str | None], Entry]
    stdio_reference: str | None = None
    remote_reference: str | None = None
    beside: Entry = field(default_factory=dict[str, Any])
    """Lists elsewhere in the file that a reference needs, by name."""
    project: str | None = None
    """The file for the servers of a project."""
    listed: bool = False
    """Whether the servers are a list, each with its name."""
    says_name: bool = False
    """Whether the servers are an object, but each also has its name."""
    program: str = ""
    """Its command; if it exists, the client is installed."""
    after: str = "Restart it to see the server."
    after_reference: str = ""
    """The next step if the entry is a reference to the key."""


def _opencode_file(machine: Machine) -> Path:
    """opencode reads both names; the existing file counts."""
    folder = machine.variable("XDG_CONFIG_HOME", machine.home / ".config") / "opencode"
    with_comments = folder / "opencode.jsonc"
    if with_comments.exists():
        return with_comments
    return folder / "opencode.json"


def _cline_file(machine: Machine) -> Path:
    """One file for its editor extensions and its command."""
    folder = machine.variable("CLINE_DIR", machine.home / ".cline") / "data" / "settings"
    return machine.variable("CLINE_MCP_SETTINGS_PATH", folder / "cline_mcp_settings.json")


_EVERY = (
    Host(
        name="claude-desktop",
        title="Claude Desktop",
        language="json",
        servers="mcpServers",
        where="Settings, Developer, Edit Config: claude_desktop_config.json",
        file=lambda machine: machine.application_data("Claude/claude_desktop_config.json"),
        stdio=command_entry,
        remote=entries.bridge_entry,
        after="Quit it completely and start it again.",
    ),
    Host(
        name="claude-code",
        title="Claude Code",
        program="claude",
        language="json",
        servers="mcpServers",
        where="~/.claude.json",
        file=lambda machine: machine.variable("CLAUDE_CONFIG_DIR", machine.home) / ".claude.json",
        project=".mcp.json",
        stdio=lambda command, key, variables: command_entry(command, key, variables, type="stdio"),
        remote=lambda url, key: url_entry(url, key, type="http"),
        stdio_reference=f"${{{VARIABLE}}}",
        remote_reference=f"${{{VARIABLE}}}",
        after="`claude mcp list` shows it.",
    ),
    Host(
        name="cursor",
        title="Cursor",
        program="cursor",
        language="json",
        servers="mcpServers",
        where="~/.cursor/mcp.json",
        file=lambda machine: machine.home / ".cursor" / "mcp.json",
        project=".cursor/mcp.json",
        stdio=command_entry,
        remote=url_entry,
        stdio_reference=f"${{env:{VARIABLE}}}",
        remote_reference=f"${{env:{VARIABLE}}}",
        after="Settings, Tools & MCP shows it.",
    ),
    Host(
        name="vscode",
        title="VS Code",
        program="code",
        language="json",
        servers="servers",
        where="mcp.json (command “MCP: Open User Configuration”)",
        file=lambda machine: machine.application_data("Code/User/mcp.json"),
        project=".vscode/mcp.json",
        stdio=lambda command, key, variables: command_entry(command, key, variables, type="stdio"),
        remote=lambda url, key: url_entry(url, key, type="http"),
        stdio_reference="${input:mistral-key}",
        remote_reference="${input:mistral-key}",
        beside={
            "inputs": [
                {"type": "promptString", "id": "mistral-key", "description": "Mistral API key", "password": True}
            ]
        },
        after="“MCP: List Servers” shows it.",
        after_reference="It asks for the key when the server starts, and keeps it in the system's store.",
    ),
    Host(
        name="codex",
        title="Codex",
        program="codex",
        language="toml",
        servers="mcp_servers",
        where="~/.codex/config.toml",
        file=lambda machine: machine.variable("CODEX_HOME", machine.home / ".codex") / "config.toml",
        project=".codex/config.toml",
        stdio=entries.codex_command,
        remote=entries.codex_url,
        stdio_reference=VARIABLE,
        remote_reference=VARIABLE,
        after="`codex mcp list` shows it.",
    ),
    Host(
        name="gemini",
        title="Gemini CLI",
        program="gemini",
        language="json",
        servers="mcpServers",
        where="~/.gemini/settings.json",
        file=lambda machine: machine.home / ".gemini" / "settings.json",
        project=".gemini/settings.json",
        stdio=command_entry,
        remote=lambda url, key: url_entry(url, key) | {"type": "http"},
        stdio_reference=f"${VARIABLE}",
        remote_reference=f"${VARIABLE}",
        after="`gemini mcp list` shows it, in a folder that Gemini trusts.",
    ),
    Host(
        name="zed",
        title="Zed",
        program="zed",
        language="json",
        servers="context_servers",
        where="settings.json (command “zed: open settings file”)",
        file=lambda machine: machine.dot_config("zed/settings.json", "Zed/settings.json"),
        stdio=command_entry,
        remote=url_entry,
        after="The agent panel's settings show it.",
    ),
    Host(
        name="windsurf",
        title="Windsurf",
        program="windsurf",
        language="json",
        servers="mcpServers",
        where="~/.codeium/windsurf/mcp_config.json",
        file=lambda machine: machine.home / ".codeium" / "windsurf" / "mcp_config.json",
        stdio=command_entry,
        remote=lambda url, key: url_entry(url, key, name="serverUrl"),
        stdio_reference=f"${{env:{VARIABLE}}}",
        remote_reference=f"${{env:{VARIABLE}}}",
        after="Refresh the list of MCP servers in Cascade.",
    ),
    Host(
        name="goose",
        title="Goose",
        program="goose",
        language="yaml",
        servers="extensions",
        where="~/.config/goose/config.yaml",
        file=lambda machine: machine.dot_config("goose/config.yaml", "Block/goose/config/config.yaml"),
        stdio=entries.goose_command,
        remote=entries.goose_url,
        stdio_reference=VARIABLE,
        remote_reference=VARIABLE,
        says_name=True,
        after="New sessions have it.",
    ),
    Host(
        name="lmstudio",
        title="LM Studio",
        program="lms",
        language="json",
        servers="mcpServers",
        where="Program, Install, Edit mcp.json: ~/.lmstudio/mcp.json",
        file=lambda machine: machine.home / ".lmstudio" / "mcp.json",
        stdio=command_entry,
        remote=url_entry,
        after="It loads the file when it is saved.",
    ),
    Host(
        name="vibe",
        title="Mistral Vibe (terminal)",
        program="vibe",
        language="toml",
        servers="mcp_servers",
        where="~/.vibe/config.toml",
        file=lambda machine: machine.variable("VIBE_HOME", machine.home / ".vibe") / "config.toml",
        project=".vibe/config.toml",
        stdio=lambda command, key, variables: command_entry(command, key, variables, transport="stdio"),
        remote=entries.vibe_url,
        remote_reference=VARIABLE,
        listed=True,
    ),
    Host(
        name="copilot-cli",
        title="Copilot CLI",
        program="copilot",
        language="json",
        servers="mcpServers",
        where="~/.copilot/mcp-config.json",
        file=lambda machine: machine.variable("COPILOT_HOME", machine.home / ".copilot") / "mcp-config.json",
        project=".github/mcp.json",
        stdio=entries.copilot_command,
        remote=entries.copilot_url,
        stdio_reference=f"${{{VARIABLE}}}",
        remote_reference=f"${{{VARIABLE}}}",
        after="`/mcp show` shows it.",
    ),
    Host(
        name="opencode",
        title="opencode",
        program="opencode",
        language="json",
        servers="mcp",
        where="~/.config/opencode/opencode.json",
        file=_opencode_file,
        project="opencode.json",
        stdio=entries.opencode_command,
        remote=entries.opencode_url,
        stdio_reference=f"{{env:{VARIABLE}}}",
        remote_reference=f"{{env:{VARIABLE}}}",
        after="`opencode mcp list` shows it.",
    ),
    Host(
        name="cline",
        title="Cline",
        program="cline",
        language="json",
        servers="mcpServers",
        where="MCP Servers, Configure: ~/.cline/data/settings/cline_mcp_settings.json",
        file=_cline_file,
        stdio=command_entry,
        remote=lambda url, key: url_entry(url, key, type="streamableHttp"),
        after="The list of MCP servers shows it.",
    ),
)

HOSTS: Mapping[str, Host] = {host.name: host for host in _EVERY}


def stdio_entry(
    host: str, *, command: Sequence[str] = PUBLISHED, key: str | None = None, variables: Variables | None = None
) -> Entry:
    """The entry for a local command. Without a key: with the client's reference to the environment, if it has one."""
    found = HOSTS[host]
    return found.stdio(command, key or found.stdio_reference, variables or {})


def remote_entry(host: str, url: str, *, key: str | None = None) -> Entry:
    """The entry for a URL: a secret one alone; otherwise with the key, or the client's reference, in a header."""
    found = HOSTS[host]
    return found.remote(url, None if is_secret_url(url) else key or found.remote_reference)


def uses_reference(host: Host, entry: Entry) -> bool:
    """Whether the entry needs the client's further lists."""
    return any(
        reference and reference in repr(entry) for reference in (host.stdio_reference, host.remote_reference)
    )
