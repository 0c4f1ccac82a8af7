"""A host's file as text: find an entry, put one in, take one out, and leave the rest as it is.

Whatever a change is made with, its result is read back and compared with what was meant; a difference refuses the change.
"""

import io
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from mistral_mcp.errors import CannotInstall
from mistral_mcp.install import splicing
from mistral_mcp.install.hosts import VARIABLE, Entry, Host, uses_reference

# What says how a server is reached. What else stands in an entry is the user's own and stays.
_REACHING = frozenset(
    (
        *("command", "args", "env", "cwd", "type", "url", "headers"),  # most hosts
        *("source", "serverUrl", "httpUrl", "transport", "auth"),
        *("env_vars", "http_headers", "env_http_headers", "bearer_token_env_var"),  # Codex
        *("cmd", "envs", "env_keys", "uri"),  # Goose
        *("api_key_env", "api_key_header", "api_key_format"),  # Vibe
    )
)
_VARIABLES = ("env", "envs")
_NAMES = ("env_vars", "env_keys")


def rendered(host: Host, name: str, entry: Entry) -> str:
    """A whole file with this one entry."""
    return changed(host, "", name, entry).removesuffix("\n")


def entry_in(host: Host, text: str, name: str) -> Entry | None:
    """The entry of that name, as plain data. Raises `CannotInstall` for a file that cannot be read."""
    return _servers(host, _read(host, text)).get(name)


def updated(old: Entry | None, new: Entry, *, same_kind: bool) -> Entry:
    """The new way to reach the server, with what the user has set in the old entry: options, and variables of a program."""
    if old is None:
        return new
    kept = {key: value for key, value in old.items() if key not in _REACHING}
    elsewhere = any(VARIABLE in new.get(key, ()) for key in _NAMES)
    for key in _VARIABLES:
        if old.get(key) and same_kind:
            variables = {name: value for name, value in old[key].items() if not (elsewhere and name == VARIABLE)}
            kept[key] = {**variables, **new.get(key, {})}
    return {key: value for key, value in {**new, **kept}.items() if value != {} or key in new}


def changed(host: Host, text: str, name: str, entry: Entry | None) -> str:
    """The text with the entry; without any of that name where it is None. Raises `CannotInstall`."""
    if entry is not None and host.says_name:
        entry = {"name": name, **entry}
    before = _read(host, text)
    meant = _meant(host, before, name, entry)
    if before == meant:
        return text
    match host.language:
        case "json":
            ways = [_json(host, text, name, before, meant)]
        case "toml":
            ways = [_toml_lines(host, text, name, before, entry), _toml(host, text, name, entry)]
        case "yaml":
            ways = [_yaml(host, text, name, before, entry)]
    for after in ways:
        with suppress(CannotInstall):
            if _without_nothing(host, _read(host, after)) == _without_nothing(host, meant):
                return after
    raise CannotInstall(
        "The file is written in a way that cannot be changed safely.", "Change it by hand.", by_hand=True
    )


def _without_nothing(host: Host, data: Entry) -> Entry:
    """The data, where no servers and an empty place for them are the same."""
    return {key: value for key, value in data.items() if key != host.servers or value}


def _meant(host: Host, before: Entry, name: str, entry: Entry | None) -> Entry:
    """The file's data after the change."""
    servers = _servers(host, before)
    if entry is None and name not in servers:
        return before
    servers = {key: value for key, value in servers.items() if key != name or entry is not None}
    if entry is not None:
        servers[name] = entry
    after = {
        **before,
        host.servers: [{"name": key} | value for key, value in servers.items()] if host.listed else servers,
    }
    after |= _beside(host, before, servers)
    return after


def _beside(host: Host, before: Entry, servers: Mapping[str, Entry]) -> Entry:
    """The lists that references need, as long as there are references."""
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
        raise CannotInstall(f"In the file, {host.servers} is not what {host.title} takes.", "Mend it first.")
    return cast("dict[str, Entry]", found)


def _read(host: Host, text: str) -> Entry:
    """The file's data. An empty file has none."""
    if not text.strip():
        return {}
    try:
        match host.language:
            case "json":
                data: Any = json.loads(text)
            case "toml":
                import tomlkit  # noqa: PLC0415 - only who installs pays for it

                data = tomlkit.parse(text).unwrap()
            case "yaml":
                data = _yaml_reader().load(text) or {}
    except (ValueError, RecursionError, *_yaml_errors()) as error:
        if host.language == "json" and splicing.only_commented(text):
            raise CannotInstall(
                "The file has comments, so it is left as it is.", "Put this in by hand.", by_hand=True
            ) from None
        line = re.search(r"line (\d+)", str(error))
        raise CannotInstall(
            f"The file is not {host.language.upper()}{f' (line {line[1]})' if line else ''}.", "Mend it first."
        ) from None
    if not isinstance(data, dict):
        raise CannotInstall(f"The file does not hold what {host.title} keeps there.", "Mend it first.")
    return cast("Entry", data)


def _json(host: Host, text: str, name: str, before: Entry, meant: Entry) -> str:
    if not text.strip():
        return json.dumps(meant, indent=2, ensure_ascii=False) + "\n"
    servers = _servers(host, meant)
    path = (host.servers, name)
    text = splicing.with_member(text, path, servers[name]) if name in servers else splicing.without_member(text, path)
    for key in host.beside:
        was: list[Any] | None = before.get(key)
        will: list[Any] | None = meant.get(key)
        if was and will and was == will[: len(was)]:
            for item in will[len(was) :]:
                text = splicing.with_item(text, key, item)
        elif was and will is not None and (gone := [item for item in was if item not in will]):
            for item in gone:
                text = splicing.without_item(text, key, was.index(item))
        elif was != will:
            text = splicing.with_member(text, [key], will)
    return text


def _toml_lines(host: Host, text: str, name: str, before: Entry, entry: Entry | None) -> str:
    """A new table goes to the end, and one that goes takes its lines along. What is between is not touched."""
    import tomlkit  # noqa: PLC0415

    newline = "\r\n" if "\r\n" in text else "\n"
    there = list(_servers(host, before))
    if entry is not None and name not in there:
        item = _toml_table({"name": name, **entry} if host.listed else entry, inline=False)
        opening = f"[[{host.servers}]]" if host.listed else f"[{host.servers}.{name}]"
        block = f"{opening}\n{tomlkit.dumps(item)}".replace("\n", newline)
        return f"{text.rstrip()}{newline * 2}{block}" if text.strip() else block
    if entry is not None:
        return text
    lines = text.splitlines(keepends=True)
    if host.listed:
        heads = [index for index, line in enumerate(lines) if re.match(rf"\s*\[\[\s*{host.servers}\s*\]\]", line)]
        heads = heads[there.index(name) :][:1]
    else:
        own = re.compile(rf"""\s*\[\s*{host.servers}\s*\.\s*(["']?){name}\1\s*[\].]""")
        heads = [index for index, line in enumerate(lines) if own.match(line)]
    for head in reversed(heads):
        tables = (index for index in range(head + 1, len(lines)) if lines[index].lstrip().startswith("["))
        end = _trimmed(lines, head, next(tables, len(lines)))
        del lines[head - 1 if head and not lines[head - 1].strip() else head : end]
    return "".join(lines)


def _toml(host: Host, text: str, name: str, entry: Entry | None) -> str:
    import tomlkit  # noqa: PLC0415
    from tomlkit.items import AoT, InlineTable  # noqa: PLC0415

    document = cast("dict[str, Any]", tomlkit.parse(text))
    servers: Any = document.get(host.servers)
    if host.listed:
        if not servers:  # none yet, or the empty list that the host itself writes
            document.pop(host.servers, None)
            servers = document[host.servers] = tomlkit.aot()
        index = next((index for index, item in enumerate(servers) if item.get("name") == name), None)
        if entry is None:
            del servers[index]
            if not servers:
                del document[host.servers]
        elif index is None:
            servers.append(_toml_table({"name": name, **entry}, inline=not isinstance(servers, AoT)))
        else:
            _update(servers[index], {"name": name, **entry})
    elif entry is None:
        del servers[name]
    else:
        if servers is None:
            servers = document[host.servers] = tomlkit.table(is_super_table=True)
        if name in servers:
            _update(servers[name], entry)
        else:
            servers[name] = _toml_table(entry, inline=isinstance(servers, InlineTable))
    after = tomlkit.dumps(document)
    return after.replace("\r\n", "\n").replace("\n", "\r\n") if "\r\n" in text else after


def _toml_table(entry: Entry, *, inline: bool) -> Any:
    import tomlkit  # noqa: PLC0415

    table: Any = tomlkit.inline_table() if inline else tomlkit.table()
    for key, value in entry.items():
        table[key] = _toml_value(value)
    return table


def _toml_value(value: Any) -> Any:
    return _toml_table(cast("Entry", value), inline=True) if isinstance(value, dict) else value


def _update(table: Any, entry: Entry) -> None:
    """Key by key, so that comments stay."""
    for key in [key for key in table if key not in entry]:
        del table[key]
    for key, value in entry.items():
        if key not in table or table[key] != value:
            table[key] = _toml_value(value)


def _yaml_reader() -> Any:
    from ruamel.yaml import YAML  # noqa: PLC0415

    return YAML(typ="safe", pure=True)


def _yaml_errors() -> tuple[type[Exception], ...]:
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    return (YAMLError,)


def _yaml(host: Host, text: str, name: str, before: Entry, entry: Entry | None) -> str:
    """By lines: what this host keeps beside its servers is the user's own hand."""
    newline = "\r\n" if "\r\n" in text else "\n"
    if text and not text.endswith("\n"):
        text += newline
    if name in _servers(host, before):
        text = _yaml_without(host, text, name)
    if entry is None:
        return text
    block = newline.join(_yaml_block({name: entry})) + newline
    at = _yaml_child(_yaml_reader().compose(text), host.servers)
    if at is None:
        return f"{text}{host.servers}:{newline}{_indented(block, 2)}"
    key, servers = at
    lines = text.splitlines(keepends=True)
    if not servers.value:  # `extensions:` and `extensions: {}`
        value_ends = servers.end_mark.index if servers.value == [] else key.end_mark.index + 1
        beside, _, below = text[value_ends:].partition("\n")
        head = f"{text[: key.end_mark.index]}:{beside}\n"
        return head + _indented(block, key.start_mark.column + 2) + below
    if servers.flow_style:
        within = json.dumps({name: entry}, ensure_ascii=False)[1:-1]
        end = servers.end_mark.index - 1
        return f"{text[:end].rstrip()}, {within}{text[end:]}"
    end = _yaml_end(lines, servers.value[-1][0].start_mark.line, servers.end_mark)
    return "".join([*lines[:end], _indented(block, servers.value[0][0].start_mark.column), *lines[end:]])


def _yaml_without(host: Host, text: str, name: str) -> str:
    at = _yaml_child(_yaml_reader().compose(text), host.servers)
    if at is None:
        return text
    if at[1].flow_style:
        return _yaml_within(text, at[1], name)
    key, servers = at
    lines: list[str] = text.splitlines(keepends=True)
    names: list[str] = [child.value for child, _ in servers.value]
    index = names.index(name)
    start = servers.value[index][0].start_mark.line
    if index + 1 < len(names):
        following = servers.value[index + 1][0].start_mark.line
        end = _trimmed(lines, start, following)
    else:
        end = _yaml_end(lines, start, servers.end_mark)
    if len(names) == 1:
        opening: int = key.start_mark.line
        lines[opening] = lines[opening].replace(":", ": {}", 1)
    return "".join(lines[:start] + lines[end:])


def _yaml_within(text: str, servers: Any, name: str) -> str:
    """Without that member of a mapping in braces."""
    spans: list[tuple[int, int]] = [(child.start_mark.index, value.end_mark.index) for child, value in servers.value]
    index = [child.value for child, _ in servers.value].index(name)
    start, end = spans[index]
    if index > 0:
        start = spans[index - 1][1]
    elif len(spans) > 1:
        end = spans[1][0]
    return text[:start] + text[end:]


def _yaml_child(root: Any, name: str) -> Any:
    """The key and the value of that name in a mapping."""
    return next(((key, value) for key, value in root.value if key.value == name), None) if root else None


def _yaml_end(lines: list[str], start: int, mark: Any) -> int:
    """The line after the last one of a block that starts on one line and ends before a mark."""
    return _trimmed(lines, start, mark.line + 1 if mark.column else mark.line)


def _trimmed(lines: list[str], start: int, end: int) -> int:
    """Blank lines and comments at the end belong to what comes after."""
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _yaml_block(data: Entry) -> list[str]:
    from ruamel.yaml import YAML  # noqa: PLC0415

    out = io.StringIO()
    writer: Any = YAML(typ="rt", pure=True)
    writer.width = 4096
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.dump(data, out)
    return out.getvalue().splitlines()


def _indented(block: str, width: int) -> str:
    return "".join(" " * width + line for line in block.splitlines(keepends=True))
