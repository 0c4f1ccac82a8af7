"""Whether an entry belongs to this server, and which parts of it must be kept."""

import re
from collections.abc import Mapping
from itertools import chain
from typing import Any, cast
from urllib.parse import urlsplit

from mistral_mcp.errors import CannotInstall
from mistral_mcp.install import documents
from mistral_mcp.install.entries import KEY_HEADER, TOKEN_PREFIX, VARIABLE, Entry, command_of, program_of, url_of
from mistral_mcp.install.hosts import uses_reference
from mistral_mcp.install.plan import InstallPlan

# Members that say how to reach a server. All others are the user's own, and are kept.
_REACHING = frozenset(
    (
        *("command", "args", "env", "cwd", "type", "url", "headers"),  # most hosts
        *("source", "serverUrl", "httpUrl", "transport", "auth"),
        *("env_vars", "http_headers", "env_http_headers", "bearer_token_env_var"),  # Codex
        *("cmd", "envs", "env_keys", "uri"),  # Goose
        *("api_key_env", "api_key_header", "api_key_format"),  # Vibe
        *("environment", "oauth"),  # opencode
    )
)
_VARIABLES = ("env", "envs", "environment")
_NAMES = ("env_vars", "env_keys")
_HEADERS = ("headers", "http_headers")
_NOT_A_KEY = re.compile(rf"[${{}}%<>\s]|YOUR_|{VARIABLE}|undefined|null")


def own_entry(plan: InstallPlan, text: str) -> Entry | None:
    """The entry of that name, if it is one of this server's. Raises `CannotInstall` for another server's."""
    found = documents.entry_in(plan.host, text, plan.name)
    if found is None or _is_ours(plan, found):
        return found
    raise CannotInstall(
        f"Another server is called {plan.name} there, and was not changed.",
        "Give this one another name with --name.",
    )


def merge(plan: InstallPlan, old: Entry | None, key: str | None) -> Entry:
    """The new entry, merged with the user's settings in the old one: options, variables, and a working key."""
    if old is None:
        return plan.entry(key)
    same_kind = (plan.url is None) == (not url_of(old))
    if key is None and same_kind:
        key = literal_key(old)
    new = plan.entry(key)
    entry = {**new, **{name: value for name, value in old.items() if name not in _REACHING}}
    if not same_kind or plan.url is not None:
        return entry
    forwards_key = any(VARIABLE in new.get(name, ()) for name in _NAMES)
    for name in _VARIABLES:
        variables = {**_mapping(old, name), **_mapping(new, name)}
        if forwards_key:
            variables.pop(VARIABLE, None)
        if variables or name in new:
            entry[name] = variables
    return entry


def literal_key(entry: Entry) -> str | None:
    """The key or token in an entry; None if it is only a reference."""
    mappings = [_mapping(entry, name) for name in (*_VARIABLES, *_HEADERS)]
    values = chain.from_iterable(map(_credentials, mappings))
    return next((value for value in values if value and not _NOT_A_KEY.search(value)), None)


def holds_secret(plan: InstallPlan, text: str) -> bool:
    """Whether the entry of that name in a file holds a key, a token or a secret URL."""
    found = documents.entry_in(plan.host, text, plan.name)
    return found is not None and (literal_key(found) is not None or TOKEN_PREFIX in repr(found))


def _credentials(values: Mapping[str, Any]) -> list[str]:
    """The values of keys in variables or headers."""
    names = {
        VARIABLE.lower(),
        KEY_HEADER.lower(),
        "authorization",
        "mistral_mcp_credential",
        "mistral_mcp_authorization",
    }
    return [str(value).removeprefix("Bearer ").strip() for name, value in values.items() if name.lower() in names]


def _mapping(entry: Entry, name: str) -> dict[str, Any]:
    found: Any = entry.get(name)
    if isinstance(found, dict):
        return cast("dict[str, Any]", found)
    return {}


def _is_ours(plan: InstallPlan, found: Entry) -> bool:
    if url := url_of(found):
        return _endpoint(url) == _endpoint(plan.url or "") or "/c/mmcp_" in url or _sends_our_key(plan, found)
    if program_of(found) in {"npx", "node", "bunx", "deno"}:
        return False  # npm has another author's package of this name
    names = [program_of(found), *command_of(found)]
    return any(re.fullmatch(r"mistral[-_]mcp([\[=<>@~!].*)?", name) for name in names)


def _endpoint(url: str) -> str:
    """A URL without query and trailing slash."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _sends_our_key(plan: InstallPlan, found: Entry) -> bool:
    """Whether it has an endpoint as in `--url`, with a credential in our format."""
    if not _endpoint(url_of(found)).endswith("/mcp"):
        return False
    text = repr(found)
    return KEY_HEADER.lower() in text.lower() or TOKEN_PREFIX in text or uses_reference(plan.host, found)
