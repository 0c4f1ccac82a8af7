"""Toolset `files`: reading results that were too long for a context."""

from typing import Annotated, Any

from pydantic import Field

from mistral_mcp.bounds.heavy_work import run_heavy, turn_for_file
from mistral_mcp.errors import BadArgument
from mistral_mcp.kept_results import Content
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.kept import LONG, KeptResults
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result

toolset = Toolset()


def _drop_maximum(schema: dict[str, Any]) -> None:
    """Remove the maximum from the schema: the description says it in fewer tokens."""
    del schema["minimum"], schema["maximum"]


_AROUND = 500  # characters shown before a found phrase


class ResultPart(Result):
    """A part of a kept text."""

    text: str
    offset: int
    total: int
    next_offset: Maybe[int] = None
    found: Maybe[list[int]] = Field(
        default=None, description="Offsets of the phrase, the first 20 from `offset` on."
    )

    def to_text(self) -> str:
        place = f"[Characters {self.offset:,} to {self.offset + len(self.text):,} of {self.total:,}"
        if self.next_offset is None:
            rest = "."
        else:
            rest = f"; read on at offset {self.next_offset}."
        if self.found is None:
            found = ""
        else:
            found = f" The phrase is at {', '.join(map(str, self.found))}."
        return f"{self.text}\n\n{place}{rest}{found}]"


@toolset.tool("Read a long result", effect="reads")
async def mistral_read_result(
    mistral: Mistral,
    kept_results: KeptResults,
    handle: Annotated[str, Field(description="From `kept`.", min_length=1, max_length=200)],
    offset: Annotated[int, Field(description="Start.", ge=0)] = 0,
    limit: Annotated[
        int, Field(description="Characters, up to 40,000.", json_schema_extra=_drop_maximum, ge=1, le=LONG)
    ] = 10_000,
    search: Annotated[str | None, Field(description="A phrase to find.", max_length=200)] = None,
) -> ResultPart:
    """Read on in a long result, by part or around a phrase."""
    async with turn_for_file():
        content = await kept_results.read(handle, mistral.memory.add)
        if len(content.data) > _LARGE:
            return await run_heavy(_read, content, offset, limit, search)
        return _read(content, offset, limit, search)


def _read(content: Content, offset: int, limit: int, search: str | None) -> ResultPart:
    try:
        text = content.data.decode()
    except UnicodeDecodeError:
        raise BadArgument("This result is not text.", "Get it from its URL or path.") from None
    found = None
    if search is not None:
        found = _find(text, search, offset)
        if not found:
            raise BadArgument("The phrase is not in the text from offset on.", "Try another phrase, or offset 0.")
        offset = max(found[0] - _AROUND, 0)
    part = text[offset : offset + limit]
    end = offset + len(part)
    return ResultPart(
        text=part, offset=offset, total=len(text), next_offset=end if end < len(text) else None, found=found
    )


def _find(text: str, phrase: str, start: int) -> list[int]:
    """Where the phrase is, in any case of letters; a window at a time, so that others get their turn."""
    wanted = _fold(phrase)
    found: list[int] = []
    while start < len(text) and len(found) < _MOST_FOUND:
        window = _fold(text[start : start + _WINDOW + len(phrase)])
        at = window.find(wanted)
        if at < 0:
            start += _WINDOW
        else:
            found.append(start + at)
            start += at + len(phrase)
    return found


def _fold(text: str) -> str:
    """The text in small letters, of which there are as many."""
    return text.replace("\u0130", "i").lower().replace("\u03c2", "\u03c3")


_MOST_FOUND = 20
_WINDOW = 256 * 1024  # characters
_LARGE = 256 * 1024  # bytes; what is larger is read beside the event loop
