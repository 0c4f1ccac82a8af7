"""Change one member of a mapping in a YAML text, by lines, to keep the user's formatting of the rest."""

import io
import json
from typing import Any

from mistral_mcp.install.entries import Entry
from mistral_mcp.install.hosts import Host
from mistral_mcp.install.lines import newline_of, trim_block


def parse(text: str) -> Any:
    """The data of a YAML text. Raises one of `errors()`."""
    return _reader().load(text)


def _reader() -> Any:
    from ruamel.yaml import YAML  # noqa: PLC0415

    return YAML(typ="safe", pure=True)


def errors() -> tuple[type[Exception], ...]:
    """The exceptions of invalid YAML."""
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    return (YAMLError,)


def with_lines(host: Host, text: str, name: str, there: list[str], entry: Entry | None) -> str:
    """The text with the entry changed by lines, which keeps the user's formatting of the rest."""
    newline = newline_of(text)
    if text and not text.endswith("\n"):
        text += newline
    if name in there:
        text = _without(host, text, name)
    if entry is None:
        return text
    block = newline.join(_block({name: entry})) + newline
    at = _child(_reader().compose(text), host.servers)
    if at is None:
        return f"{text}{host.servers}:{newline}{_indent(block, 2)}"
    key, servers = at
    lines = text.splitlines(keepends=True)
    if not servers.value:  # `extensions:` and `extensions: {}`
        value_ends = key.end_mark.index + 1
        if servers.value == []:
            value_ends = servers.end_mark.index
        beside, _, below = text[value_ends:].partition("\n")
        head = f"{text[: key.end_mark.index]}:{beside}\n"
        return head + _indent(block, key.start_mark.column + 2) + below
    if servers.flow_style:
        within = json.dumps({name: entry}, ensure_ascii=False)[1:-1]
        end = servers.end_mark.index - 1
        return f"{text[:end].rstrip()}, {within}{text[end:]}"
    end = _block_end(lines, servers.value[-1][0].start_mark.line, servers.end_mark)
    return "".join([*lines[:end], _indent(block, servers.value[0][0].start_mark.column), *lines[end:]])


def _without(host: Host, text: str, name: str) -> str:
    at = _child(_reader().compose(text), host.servers)
    if at is None:
        return text
    if at[1].flow_style:
        return _within(text, at[1], name)
    key, servers = at
    lines: list[str] = text.splitlines(keepends=True)
    names: list[str] = [child.value for child, _ in servers.value]
    index = names.index(name)
    start = servers.value[index][0].start_mark.line
    if index + 1 < len(names):
        following = servers.value[index + 1][0].start_mark.line
        end = trim_block(lines, start, following)
    else:
        end = _block_end(lines, start, servers.end_mark)
    if len(names) == 1:
        opening: int = key.start_mark.line
        lines[opening] = lines[opening].replace(":", ": {}", 1)
    return "".join(lines[:start] + lines[end:])


def _within(text: str, servers: Any, name: str) -> str:
    """The text without that member of a mapping in braces."""
    spans: list[tuple[int, int]] = [
        (child.start_mark.index, value.end_mark.index) for child, value in servers.value
    ]
    index = [child.value for child, _ in servers.value].index(name)
    start, end = spans[index]
    if index > 0:
        start = spans[index - 1][1]
    elif len(spans) > 1:
        end = spans[1][0]
    return text[:start] + text[end:]


def _child(root: Any, name: str) -> Any:
    """The key and the value of that name in a mapping."""
    if not root:
        return None
    return next(((key, value) for key, value in root.value if key.value == name), None)


def _block_end(lines: list[str], start: int, mark: Any) -> int:
    """The line after the last one of a block that starts on one line and ends before a mark."""
    return trim_block(lines, start, mark.line + bool(mark.column))


def _block(data: Entry) -> list[str]:
    from ruamel.yaml import YAML  # noqa: PLC0415

    out = io.StringIO()
    writer: Any = YAML(typ="rt", pure=True)
    writer.width = 4096
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.dump(data, out)
    return out.getvalue().splitlines()


def _indent(block: str, width: int) -> str:
    return "".join(" " * width + line for line in block.splitlines(keepends=True))
