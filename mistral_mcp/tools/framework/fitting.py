"""What is too long for a context is kept, whichever tool it comes from."""

from collections.abc import Sequence

from pydantic import JsonValue
from pydantic_core import to_json

from mistral_mcp.errors import ResultTooLong, UpstreamError
from mistral_mcp.tools.framework.kept import LONG, Kept, KeptResults
from mistral_mcp.tools.framework.results import Result

LARGEST = 250_000
"""Bytes of JSON that no result exceeds, some 60,000 tokens; text comes beside it, and clients take a megabyte of both.
Vectors have a bound of their own.
"""


_REST = 2_000
"""Bytes of what a result holds beside its list."""


async def structured_content(result: Result, kept_results: KeptResults, filename: str) -> JsonValue:
    """The fields of a result. Raises `ResultTooLong`, which names where all of it is kept."""
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
    """Keep the text that had come before an answer broke, where it is long."""
    error.partial, kept = await keep_beginning(error.partial, kept_results)
    if kept is not None:
        error.partial += f"\n\n{kept.note(LONG)}"


async def keep_beginning(text: str, kept_results: KeptResults, limit: int = LONG) -> tuple[str, Kept | None]:
    """The text of an answer, or its beginning and where all of it is."""
    return await kept_results.keep_if_long(text, filename="answer.md", mime_type="text/markdown", limit=limit)
