"""The entry formats of each client: for a local command, and for a URL."""

import ntpath
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

VARIABLE = "MISTRAL_API_KEY"
KEY_HEADER = "X-Mistral-Api-Key"
TOKEN_PREFIX = "mmcp_"  # noqa: S105 - of every connection's token

Entry = dict[str, Any]
Variables = Mapping[str, str]


def is_secret_url(url: str) -> bool:
    """Whether the URL holds its own credential, so that no header may be added."""
    return re.search(r"/c/[^/]+/mcp/?$", urlsplit(url).path) is not None


def header(value: str) -> tuple[str, str]:
    """The header for a Mistral key, or for a connection's token."""
    if value.startswith(TOKEN_PREFIX):
        return "Authorization", f"Bearer {value}"
    return KEY_HEADER, value


def command_entry(command: Sequence[str], key: str | None, variables: Variables, **first: str) -> Entry:
    """The format of most clients for a command."""
    entry: Entry = {**first, "command": command[0], "args": list(command[1:])}
    return entry | _environment("env", key, variables)


def url_entry(url: str, key: str | None, *, name: str = "url", **first: str) -> Entry:
    """The format of most clients for a URL."""
    return {**first, name: url, **_headers(key)}


def bridge_entry(url: str, key: str | None) -> Entry:
    """Claude Desktop's file supports commands only. No blank after the colon: some systems split arguments there."""
    entry: Entry = {"command": "npx", "args": ["-y", "mcp-remote@0.15", url]}
    if key:
        name, value = header(key)
        entry["args"] += ["--header", f"{name}:${{MISTRAL_MCP_CREDENTIAL}}"]
        entry["env"] = {"MISTRAL_MCP_CREDENTIAL": value}
    return entry


def codex_command(command: Sequence[str], key: str | None, variables: Variables) -> Entry:
    """Codex passes only the listed variables to the server."""
    if key != VARIABLE:
        return command_entry(command, key, variables)
    return command_entry(command, None, variables) | {"env_vars": [VARIABLE]}


def codex_url(url: str, key: str | None) -> Entry:
    if key == VARIABLE:
        return {"url": url, "env_http_headers": {KEY_HEADER: VARIABLE}}
    return {"url": url, **_headers(key, "http_headers")}


_GOOSE: Entry = {"enabled": True, "timeout": 300}


def goose_command(command: Sequence[str], key: str | None, variables: Variables) -> Entry:
    """Goose looks names in `env_keys` up in the environment, then in its keyring."""
    envs = dict(variables)
    entry: Entry = {"type": "stdio", "cmd": command[0], "args": list(command[1:]), "envs": envs}
    if key == VARIABLE:
        entry["env_keys"] = [VARIABLE]
    elif key:
        envs[VARIABLE] = key
    return entry | _GOOSE


def goose_url(url: str, key: str | None) -> Entry:
    entry: Entry = {"type": "streamable_http", "uri": url}
    if key == VARIABLE:
        entry |= {"headers": {KEY_HEADER: f"${{{VARIABLE}}}"}, "envs": {}, "env_keys": [VARIABLE]}
    else:
        entry |= _headers(key)
    return entry | _GOOSE


def vibe_url(url: str, key: str | None) -> Entry:
    entry: Entry = {"transport": "streamable-http", "url": url}
    if key == VARIABLE:
        return entry | {"api_key_env": VARIABLE, "api_key_header": KEY_HEADER, "api_key_format": "{token}"}
    return entry | _headers(key)


def copilot_command(command: Sequence[str], key: str | None, variables: Variables) -> Entry:
    return command_entry(command, key, variables, type="local") | {"tools": ["*"]}


def copilot_url(url: str, key: str | None) -> Entry:
    return url_entry(url, key, type="http") | {"tools": ["*"]}


def opencode_command(command: Sequence[str], key: str | None, variables: Variables) -> Entry:
    entry: Entry = {"type": "local", "command": list(command), "enabled": True}
    return entry | _environment("environment", key, variables)


def opencode_url(url: str, key: str | None) -> Entry:
    """With `oauth: false`, since a 401 would start a sign-in there."""
    entry: Entry = {"type": "remote", "url": url, "enabled": True}
    if key:
        entry |= {**_headers(key), "oauth": False}
    return entry


def _headers(key: str | None, member: str = "headers") -> Entry:
    """The member with the header for a key; empty without one."""
    if not key:
        return {}
    return {member: dict([header(key)])}


def _environment(member: str, key: str | None, variables: Variables) -> Entry:
    """The member with a command's variables; empty if there are none."""
    environment = dict(variables)
    if key:
        environment = {VARIABLE: key, **environment}
    if not environment:
        return {}
    return {member: environment}


def command_of(entry: Mapping[str, Any]) -> list[str]:
    """The program an entry starts, with its arguments; empty for a URL."""
    command: Any = entry.get("command") or entry.get("cmd") or []
    if not isinstance(command, list):
        command = [command]
    parts = cast("list[Any]", command) + list(entry.get("args") or [])
    return [str(part) for part in parts]


def program_of(entry: Mapping[str, Any]) -> str:
    """The program an entry starts, without folder and ending; empty for a URL."""
    command = command_of(entry) or [""]
    return posixpath.basename(ntpath.basename(command[0])).lower().removesuffix(".exe")


def url_of(entry: Mapping[str, Any]) -> str:
    """The URL of an entry; empty for a local command."""
    for name in ("url", "serverUrl", "uri", "httpUrl"):
        if entry.get(name):
            return str(entry[name])
    if program_of(entry) != "npx":
        return ""
    return next((argument for argument in command_of(entry) if "://" in argument), "")
