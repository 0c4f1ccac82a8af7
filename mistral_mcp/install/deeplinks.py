"""Links that make a client offer to add an entry."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from mistral_mcp.install.entries import Entry
from mistral_mcp.install.hosts import HOSTS, NAME, uses_reference

_DESCRIPTION = "Mistral's models as tools"


def deeplink(host: str, entry: Entry, *, name: str = NAME, web: bool = False) -> str | None:
    """A link that makes the client offer to add the entry; None for clients without such links.

    `web`: through the vendor's page, where other schemes are refused. The page sees the entry, so it must hold no secret.
    """
    links = {True: _WEB_LINKS, False: _LINKS}[web]
    if host not in links:
        return None
    return links[host](name, entry)


def vscode_definition(name: str, entry: Entry) -> str:
    """An entry as VS Code takes it in links and on its command line."""
    return _compact({"name": name, **entry, **_inputs(entry)})


def _inputs(entry: Entry) -> Entry:
    host = HOSTS["vscode"]
    if uses_reference(host, entry):
        return host.beside
    return {}


def _vscode_page(name: str, entry: Entry) -> str:
    inputs = {key: _compact(value) for key, value in _inputs(entry).items()}
    return _query({"name": name, "config": _compact(entry), **inputs})


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _base64_query(name: str, entry: Entry) -> str:
    return _query({"name": name, "config": base64.b64encode(_compact(entry).encode()).decode()})


def _goose(name: str, entry: Entry) -> str:
    if "uri" in entry:
        source = [("url", entry["uri"]), ("type", entry["type"])]
    else:
        source = [("cmd", entry["cmd"]), *(("arg", argument) for argument in entry["args"])]
        source += [("env", f"{key}=Mistral API key") for key in entry.get("env_keys", [])]
    return _query([*source, ("id", name), ("name", name), ("description", _DESCRIPTION)])


def _query(parts: Mapping[str, str] | Sequence[tuple[str, str]]) -> str:
    return urlencode(parts, quote_via=quote)


_Link = Callable[[str, Entry], str]

_LINKS: Mapping[str, _Link] = {
    "cursor": lambda name, entry: f"cursor://anysphere.cursor-deeplink/mcp/install?{_base64_query(name, entry)}",
    "vscode": lambda name, entry: f"vscode:mcp/install?{quote(vscode_definition(name, entry), safe='')}",
    "goose": lambda name, entry: f"goose://extension?{_goose(name, entry)}",
    "lmstudio": lambda name, entry: f"lmstudio://add_mcp?{_base64_query(name, entry)}",
}
_WEB_LINKS: Mapping[str, _Link] = {
    "cursor": lambda name, entry: f"https://cursor.com/en/install-mcp?{_base64_query(name, entry)}",
    "vscode": lambda name, entry: f"https://insiders.vscode.dev/redirect/mcp/install?{_vscode_page(name, entry)}",
    "lmstudio": lambda name, entry: f"https://lmstudio.ai/install-mcp?{_base64_query(name, entry)}",
}
