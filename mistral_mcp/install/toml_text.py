"""Change one table of a TOML text: by lines if possible, else through a parsed document."""

import re
from typing import Any, cast

from mistral_mcp.install.entries import Entry
from mistral_mcp.install.hosts import Host
from mistral_mcp.install.lines import newline_of, trim_block


def with_lines(host: Host, text: str, name: str, there: list[str], entry: Entry | None) -> str:
    """Change lines only: a new table is appended, and a removed one is deleted with its lines. Other lines are unchanged."""
    import tomlkit  # noqa: PLC0415

    if entry is None:
        return _without_lines(host, text, name, there)
    if name in there:
        return text
    opening = f"[{host.servers}.{name}]"
    if host.listed:
        opening = f"[[{host.servers}]]"
        entry = {"name": name, **entry}
    newline = newline_of(text)
    block = f"{opening}\n{tomlkit.dumps(_table(entry, inline=False))}".replace("\n", newline)
    if not text.strip():
        return block
    return f"{text.rstrip()}{newline * 2}{block}"


def _without_lines(host: Host, text: str, name: str, there: list[str]) -> str:
    lines = text.splitlines(keepends=True)
    if host.listed:
        heads = [index for index, line in enumerate(lines) if re.match(rf"\s*\[\[\s*{host.servers}\s*\]\]", line)]
        heads = heads[there.index(name) :][:1]
    else:
        own = re.compile(rf"""\s*\[\s*{host.servers}\s*\.\s*(["']?){name}\1\s*[\].]""")
        heads = [index for index, line in enumerate(lines) if own.match(line)]
    for head in reversed(heads):
        tables = (index for index in range(head + 1, len(lines)) if lines[index].lstrip().startswith("["))
        end = trim_block(lines, head, next(tables, len(lines)))
        start = head
        if head and not lines[head - 1].strip():
            start -= 1
        del lines[start:end]
    return "".join(lines)


def with_tables(host: Host, text: str, name: str, entry: Entry | None) -> str:
    """Change the parsed document, which keeps comments."""
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
            servers.append(_table({"name": name, **entry}, inline=not isinstance(servers, AoT)))
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
            servers[name] = _table(entry, inline=isinstance(servers, InlineTable))
    return tomlkit.dumps(document).replace("\r\n", "\n").replace("\n", newline_of(text))


def _table(entry: Entry, *, inline: bool) -> Any:
    import tomlkit  # noqa: PLC0415

    table: Any = tomlkit.table()
    if inline:
        table = tomlkit.inline_table()
    for key, value in entry.items():
        table[key] = _value(value)
    return table


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return _table(cast("Entry", value), inline=True)
    return value


def _update(table: Any, entry: Entry) -> None:
    """Update key by key, which keeps comments."""
    for key in [key for key in table if key not in entry]:
        del table[key]
    for key, value in entry.items():
        if key not in table or table[key] != value:
            table[key] = _value(value)
