"""Stores results that are too long for a context, whichever tool they come from."""

from collections.abc import Sequence

from pydantic import JsonValue
from pydantic_core import to_json

from mistral_mcp.errors import ResultTooLong, UpstreamError
from mistral_mcp.tools.framework.kept import LONG, Kept, KeptResults
from mistral_mcp.tools.framework.results import Result

LARGEST = 250_000
"""Bytes of JSON in a result, some 60,000 tokens; the text comes in addition, and clients take a megabyte of both.
Vectors have their own bound.
"""


_REST = 2_000
"""Bytes of what a result holds beside its list."""


async def structured_content(result: Result, kept_results: KeptResults, filename: str) -> JsonValue:
    """The fields of a result. Raises `ResultTooLong`, which says where all of it is stored."""
    fields: JsonValue = result.model_dump(mode="json")
    if result.has_own_bound:
        return fields
    json = to_json(fields)
    if len(json) <= LARGEST:
        return fields
    kept = await kept_results.keep(json.decode(), mime_type="application/json", filename=filename)
    raise ResultTooLong(len(json), kept.note())


async def keep_if_large(
    results: Sequence[object],
    kept_results: KeptResults,
    filename: str,
) -> Kept | None:
    """Where all of a list is, if a result with it would be larger than may be shown."""
    json = to_json(results)
    if len(json) <= LARGEST - _REST:
        return None
    return await kept_results.keep(json.decode(), mime_type="application/json", filename=filename)


async def shorten_partial(error: UpstreamError, kept_results: KeptResults) -> None:
    """Store the text received before an answer broke off, if it is long."""
    error.partial, kept = await keep_beginning(error.partial, kept_results)
    if kept is not None:
        error.partial += f"\n\n{kept.note(LONG)}"


async def keep_beginning(text: str, kept_results: KeptResults, limit: int = LONG) -> tuple[str, Kept | None]:
    """An answer's text, or its beginning and where all of it is stored."""
    return await kept_results.keep_if_long(text, filename="answer.md", mime_type="text/markdown", limit=limit)
