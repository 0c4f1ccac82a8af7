"""One table: what each MCP host wants to be told, and where.

A host keeps its servers under one name in one file. An entry starts the server (`stdio_entry`) or names a URL
(`remote_entry`). Where a host can refer to the environment, entries hold that reference rather than the key.
"""

import ntpath
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

VARIABLE = "MISTRAL_API_KEY"
COMMAND = ("uvx", "mistral-mcp")
NAME = "mistral"

Entry = dict[str, Any]
Language = Literal["json", "toml", "yaml"]
Scope = Literal["user", "project"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What of a machine an installation depends on. Only `cli` looks it up."""

    platform: str
    """As `sys.platform` has it."""
    home: Path
    project: Path
    """The folder a project's own entries belong to."""
    python: str
    """The interpreter that runs this."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """The environment: PATH, and the variables that move a host's files."""

    def variable(self, name: str, default: Path) -> Path:
        """The folder a variable names, where it is set."""
        return Path(self.variables[name]) if self.variables.get(name) else default

    def application_data(self, file: str) -> Path:
        """Where desktop applications keep their settings."""
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support" / file
        return self.dot_config(file, file)

    def dot_config(self, file: str, windows: str) -> Path:
        """Where programs with Unix manners keep theirs."""
        if self.platform == "win32":
            return self.variable("APPDATA", self.home / "AppData" / "Roaming") / windows
        default = self.home / ".config"
        return (self.variable("XDG_CONFIG_HOME", default) if self.platform == "linux" else default) / file


@dataclass(frozen=True, slots=True)
class Host:
    """One host. `stdio_reference` and `remote_reference` are its words for "the key from the environment", if it has any."""

    name: str
    title: str
    language: Language
    servers: str
    """The name, in the file, of what holds the servers."""
    where: str
    """The file or the menu, in words."""
    file: Callable[[Machine], Path]
    stdio: Callable[[Sequence[str], str | None], Entry]
    remote: Callable[[str, str | None], Entry]
    stdio_reference: str | None = None
    remote_reference: str | None = None
    beside: Entry = field(default_factory=dict[str, Any])
    """What a reference needs elsewhere in the file: lists, by name."""
    project: str | None = None
    """The file of a project's own servers."""
    listed: bool = False
    """The servers are a list, and each says its name."""
    says_name: bool = False
    """The servers are an object, and each says its name all the same."""
    bare_path: bool = False
    """Started by the desktop, which does not know what the user's shell adds to PATH."""
    after: str = "Start it again to see the server."


def is_secret_url(url: str) -> bool:
    """Whether the URL carries its own credential, so that nothing may go beside it."""
    return re.search(r"/c/[^/]+/mcp/?$", urlsplit(url).path) is not None


def _bearer(value: str | None) -> Entry:
    return {"headers": {"Authorization": f"Bearer {value}"}} if value else {}


def _env(value: str | None) -> Entry:
    return {"env": {VARIABLE: value}} if value else {}


def _started(command: Sequence[str], value: str | None, **first: str) -> Entry:
    """What most hosts take for a program."""
    return {**first, "command": command[0], "args": list(command[1:]), **_env(value)}


def _addressed(url: str, value: str | None, *, key: str = "url", **first: str) -> Entry:
    """What most hosts take for a URL."""
    return {**first, key: url, **_bearer(value)}


def _bridged(url: str, value: str | None) -> Entry:
    """Claude Desktop's file takes programs only. No blank after the colon: some systems break arguments there."""
    entry: Entry = {"command": "npx", "args": ["-y", "mcp-remote@0.15", url]}
    if value:
        entry["args"] += ["--header", "Authorization:${MISTRAL_MCP_AUTHORIZATION}"]
        entry["env"] = {"MISTRAL_MCP_AUTHORIZATION": f"Bearer {value}"}
    return entry


def _codex_stdio(command: Sequence[str], value: str | None) -> Entry:
    """Codex hands on only the variables that are named."""
    entry = _started(command, None if value == VARIABLE else value)
    return entry | ({"env_vars": [VARIABLE]} if value == VARIABLE else {})


def _codex_remote(url: str, value: str | None) -> Entry:
    if value == VARIABLE:
        return {"url": url, "bearer_token_env_var": VARIABLE}
    return {"url": url} | ({"http_headers": {"Authorization": f"Bearer {value}"}} if value else {})


_GOOSE: Entry = {"enabled": True, "timeout": 300}


def _goose_stdio(command: Sequence[str], value: str | None) -> Entry:
    """Goose looks names in `env_keys` up in the environment, then in its keyring."""
    keys: Entry = {"envs": {VARIABLE: value} if value else {}}
    if value == VARIABLE:
        keys = {"envs": {}, "env_keys": [VARIABLE]}
    return {"type": "stdio", "cmd": command[0], "args": list(command[1:]), **keys, **_GOOSE}


def _goose_remote(url: str, value: str | None) -> Entry:
    entry: Entry = {"type": "streamable_http", "uri": url}
    if value == VARIABLE:
        entry |= {"headers": {"Authorization": f"Bearer ${{{VARIABLE}}}"}, "envs": {}, "env_keys": [VARIABLE]}
    elif value:
        entry |= _bearer(value)
    return entry | _GOOSE


def _vibe_remote(url: str, value: str | None) -> Entry:
    entry: Entry = {"transport": "streamable-http", "url": url}
    if value == VARIABLE:
        return entry | {
            "api_key_env": VARIABLE,
            "api_key_header": "Authorization",
            "api_key_format": "Bearer {token}",
        }
    return entry | _bearer(value)


_EVERY = (
    Host(
        name="claude-desktop",
        title="Claude Desktop",
        language="json",
        servers="mcpServers",
        where="Settings, Developer, Edit Config: claude_desktop_config.json",
        file=lambda machine: machine.application_data("Claude/claude_desktop_config.json"),
        stdio=_started,
        remote=_bridged,
        bare_path=True,
        after="Quit it altogether and start it again.",
    ),
    Host(
        name="claude-code",
        title="Claude Code",
        language="json",
        servers="mcpServers",
        where="~/.claude.json",
        file=lambda machine: machine.variable("CLAUDE_CONFIG_DIR", machine.home) / ".claude.json",
        project=".mcp.json",
        stdio=lambda command, value: _started(command, value, type="stdio"),
        remote=lambda url, value: _addressed(url, value, type="http"),
        stdio_reference=f"${{{VARIABLE}}}",
        remote_reference=f"${{{VARIABLE}}}",
        after="`claude mcp list` shows it.",
    ),
    Host(
        name="cursor",
        title="Cursor",
        language="json",
        servers="mcpServers",
        where="~/.cursor/mcp.json",
        file=lambda machine: machine.home / ".cursor" / "mcp.json",
        project=".cursor/mcp.json",
        stdio=_started,
        remote=_addressed,
        stdio_reference=f"${{env:{VARIABLE}}}",
        remote_reference=f"${{env:{VARIABLE}}}",
        bare_path=True,
        after="Settings, Tools & MCP shows it.",
    ),
    Host(
        name="vscode",
        title="VS Code",
        language="json",
        servers="servers",
        where="mcp.json (command “MCP: Open User Configuration”)",
        file=lambda machine: machine.application_data("Code/User/mcp.json"),
        project=".vscode/mcp.json",
        stdio=lambda command, value: _started(command, value, type="stdio"),
        remote=lambda url, value: _addressed(url, value, type="http"),
        stdio_reference="${input:mistral-key}",
        remote_reference="${input:mistral-key}",
        beside={
            "inputs": [
                {"type": "promptString", "id": "mistral-key", "description": "Mistral API key", "password": True}
            ]
        },
        after="It asks for the key when the server starts, and keeps it in the system's store.",
    ),
    Host(
        name="codex",
        title="Codex",
        language="toml",
        servers="mcp_servers",
        where="~/.codex/config.toml",
        file=lambda machine: machine.variable("CODEX_HOME", machine.home / ".codex") / "config.toml",
        project=".codex/config.toml",
        stdio=_codex_stdio,
        remote=_codex_remote,
        stdio_reference=VARIABLE,
        remote_reference=VARIABLE,
        after="`codex mcp list` shows it.",
    ),
    Host(
        name="gemini",
        title="Gemini CLI",
        language="json",
        servers="mcpServers",
        where="~/.gemini/settings.json",
        file=lambda machine: machine.home / ".gemini" / "settings.json",
        project=".gemini/settings.json",
        stdio=_started,
        remote=lambda url, value: {"url": url, "type": "http", **_bearer(value)},
        stdio_reference=f"${VARIABLE}",
        remote_reference=f"${VARIABLE}",
        after="`gemini mcp list` shows it, in a folder that Gemini trusts.",
    ),
    Host(
        name="zed",
        title="Zed",
        language="json",
        servers="context_servers",
        where="settings.json (command “zed: open settings file”)",
        file=lambda machine: machine.dot_config("zed/settings.json", "Zed/settings.json"),
        stdio=_started,
        remote=_addressed,
        bare_path=True,
        after="The agent panel's settings show it.",
    ),
    Host(
        name="windsurf",
        title="Windsurf",
        language="json",
        servers="mcpServers",
        where="~/.codeium/windsurf/mcp_config.json",
        file=lambda machine: machine.home / ".codeium" / "windsurf" / "mcp_config.json",
        stdio=_started,
        remote=lambda url, value: _addressed(url, value, key="serverUrl"),
        stdio_reference=f"${{env:{VARIABLE}}}",
        remote_reference=f"${{env:{VARIABLE}}}",
        bare_path=True,
        after="Refresh the list of MCP servers in Cascade.",
    ),
    Host(
        name="goose",
        title="Goose",
        language="yaml",
        servers="extensions",
        where="~/.config/goose/config.yaml",
        file=lambda machine: machine.dot_config("goose/config.yaml", "Block/goose/config/config.yaml"),
        stdio=_goose_stdio,
        remote=_goose_remote,
        stdio_reference=VARIABLE,
        remote_reference=VARIABLE,
        says_name=True,
        after="New sessions have it.",
    ),
    Host(
        name="lmstudio",
        title="LM Studio",
        language="json",
        servers="mcpServers",
        where="Program, Install, Edit mcp.json: ~/.lmstudio/mcp.json",
        file=lambda machine: machine.home / ".lmstudio" / "mcp.json",
        stdio=_started,
        remote=_addressed,
        bare_path=True,
        after="It loads the file when it is saved.",
    ),
    Host(
        name="vibe",
        title="Mistral Vibe",
        language="toml",
        servers="mcp_servers",
        where="~/.vibe/config.toml",
        file=lambda machine: machine.variable("VIBE_HOME", machine.home / ".vibe") / "config.toml",
        project=".vibe/config.toml",
        stdio=lambda command, value: _started(command, value, transport="stdio"),
        remote=_vibe_remote,
        remote_reference=VARIABLE,
        listed=True,
    ),
)

HOSTS: Mapping[str, Host] = {host.name: host for host in _EVERY}


def stdio_entry(host: str, *, command: Sequence[str] = COMMAND, key: str | None = None) -> Entry:
    """The entry that starts the server. Without a key: with the host's own reference to the environment, if it has one."""
    found = HOSTS[host]
    return found.stdio(command, key or found.stdio_reference)


def remote_entry(host: str, url: str, *, key: str | None = None) -> Entry:
    """The entry for a URL: nothing beside a secret one; otherwise the key, or the host's reference, as a bearer token."""
    found = HOSTS[host]
    return found.remote(url, None if is_secret_url(url) else key or found.remote_reference)


def uses_reference(host: Host, entry: Entry) -> bool:
    """Whether the entry needs what goes beside the servers."""
    return any(reference and reference in repr(entry) for reference in (host.stdio_reference, host.remote_reference))


def starts(entry: Mapping[str, Any]) -> str:
    """The program an entry starts, without folder and ending; empty for a URL."""
    command: Any = entry.get("command") or entry.get("cmd") or ""
    if isinstance(command, list):
        command = command[0] if command else ""  # pyright: ignore[reportUnknownVariableType] - as the file has it
    return posixpath.basename(ntpath.basename(str(command))).lower().removesuffix(".exe")  # pyright: ignore[reportUnknownArgumentType]
