"""A client's config file as text: find, add or remove an entry, and leave the rest unchanged.

The result of a change is always parsed and compared with the intended data; a difference refuses the change.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from mistral_mcp.errors import CannotInstall
from mistral_mcp.install import json_text, toml_text, yaml_text
from mistral_mcp.install.entries import Entry
from mistral_mcp.install.hosts import Host, uses_reference


def render(host: Host, name: str, entry: Entry) -> str:
    """A whole file with this one entry."""
    return change(host, "", name, entry).removesuffix("\n")


def entry_in(host: Host, text: str, name: str) -> Entry | None:
    """The entry of that name, as plain data. Raises `CannotInstall` for a file that cannot be read."""
    return _servers(host, _parse(host, text)).get(name)


def change(host: Host, text: str, name: str, entry: Entry | None) -> str:
    """The text with the entry; if it is None, without the entry of that name. Raises `CannotInstall`."""
    if entry is not None and host.says_name:
        entry = {"name": name, **entry}
    before = _parse(host, text)
    meant = _data_after(host, before, name, entry)
    if before == meant:
        return text
    there = list(_servers(host, before))
    match host.language:
        case "json":
            ways = [_json(host, text, name, before, meant)]
        case "toml":
            ways = [
                toml_text.with_lines(host, text, name, there, entry),
                toml_text.with_tables(host, text, name, entry),
            ]
        case "yaml":
            ways = [yaml_text.with_lines(host, text, name, there, entry)]
    for after in ways:
        with suppress(CannotInstall):
            if _without_empty_place(host, _parse(host, after)) == _without_empty_place(host, meant):
                return after
    raise CannotInstall("The file's formatting cannot be changed safely.", "Change it by hand.", by_hand=True)


def _without_empty_place(host: Host, data: Entry) -> Entry:
    """The data, in which no servers and an empty collection of them are the same."""
    return {key: value for key, value in data.items() if key != host.servers or value}


def _data_after(host: Host, before: Entry, name: str, entry: Entry | None) -> Entry:
    """The file's data after the change."""
    servers = _servers(host, before)
    if entry is None and name not in servers:
        return before
    servers = {key: value for key, value in servers.items() if key != name or entry is not None}
    if entry is not None:
        servers[name] = entry
    place: Any = servers
    if host.listed:
        place = [{"name": key} | value for key, value in servers.items()]
    return {**before, host.servers: place, **_beside(host, before, servers)}


def _beside(host: Host, before: Entry, servers: Mapping[str, Entry]) -> Entry:
    """The lists that references need, while there are references."""
    needed = any(uses_reference(host, server) for server in servers.values())
    found: Entry = {}
    for key, wanted in host.beside.items():
        ids = {item["id"] for item in wanted}
        there: list[Any] = before.get(key, [])
        has = {item.get("id") for item in there}
        if needed:
            found[key] = there + [item for item in wanted if item["id"] not in has]
        elif ids & has:
            found[key] = [item for item in there if item.get("id") not in ids]
    return found


def _servers(host: Host, data: Entry) -> dict[str, Entry]:
    found: Any = data.get(host.servers)
    if found is None:
        return {}
    if host.listed and isinstance(found, list):
        items = cast("list[Entry]", found)
        return {str(item.get("name")): {key: item[key] for key in item if key != "name"} for item in items}
    if not isinstance(found, dict) or not all(
        isinstance(entry, dict) for entry in cast("dict[str, Any]", found).values()
    ):
        raise CannotInstall(
            f"In the file, {host.servers} is not what {host.title} takes.", "Fix the file and run this again."
        )
    return cast("dict[str, Entry]", found)


def _parse(host: Host, text: str) -> Entry:
    """The file's data. An empty file has none."""
    if not text.strip():
        return {}
    try:
        match host.language:
            case "json":
                data: Any = json_text.parse(text)
            case "toml":
                import tomlkit  # noqa: PLC0415 - only who installs pays for it

                data = tomlkit.parse(text).unwrap()
            case "yaml":
                data = yaml_text.parse(text) or {}
    except (ValueError, RecursionError, *yaml_text.errors()) as error:
        line = re.search(r"line \d+", str(error)) or [""]
        where = f" ({line[0]})".replace(" ()", "")
        raise CannotInstall(
            f"The file is not valid {host.language.upper()}{where}.", "Fix the file and run this again."
        ) from None
    if not isinstance(data, dict):
        raise CannotInstall(
            f"The file does not hold what {host.title} keeps there.", "Fix the file and run this again."
        )
    return cast("Entry", data)


def _json(host: Host, text: str, name: str, before: Entry, meant: Entry) -> str:
    if not text.strip():
        return json.dumps(meant, indent=2, ensure_ascii=False) + "\n"
    servers = _servers(host, meant)
    path = (host.servers, name)
    if name not in servers:
        text = json_text.without_member(text, path)
    else:
        text = json_text.with_member(text, path, servers[name])
    for key in host.beside:
        text = _json_list(text, key, before.get(key), meant.get(key))
    return text


def _json_list(text: str, key: str, was: list[Any] | None, will: list[Any] | None) -> str:
    """The text with that list changed: item by item, where it keeps some."""
    if was == will or will is None:
        return text
    if not was:
        return json_text.with_member(text, [key], will)
    for item in [item for item in was if item not in will]:
        text = json_text.without_item(text, key, was.index(item))
    for item in [item for item in will if item not in was]:
        text = json_text.with_item(text, key, item)
    return text
