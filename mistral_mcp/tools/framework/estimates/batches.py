"""Estimates the cost of a batch job, row by row, by the rules of its endpoint."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import cast

import anyio.lowlevel
from pydantic import JsonValue
from pydantic_core import from_json

from mistral_mcp.mistral.catalog import Per
from mistral_mcp.tools.framework.documents.page_ranges import parse_pages
from mistral_mcp.tools.framework.estimates.documents import measure_inline, pages_of_call
from mistral_mcp.tools.framework.estimates.estimate import Estimate, Part, Pricing, Range, Units, add_units
from mistral_mcp.tools.framework.estimates.stored_files import MOST_BYTES, look_up
from mistral_mcp.tools.framework.estimates.token_counts import (
    BASIS,
    COMPLETIONS,
    PRIORITY,
    count_tokens,
    estimate_chat,
    within_context,
)
from mistral_mcp.tools.framework.request import Mistral

Body = dict[str, JsonValue]


async def estimate_batch(
    mistral: Mistral,
    endpoint: str,
    model: str | None,
    bodies: Iterable[Body],
    input_files: Iterable[str],
) -> Estimate:
    """The lowest and highest cost of a job with these requests, and those in these files."""
    estimate = _BatchEstimate(mistral, endpoint, model)
    for body in bodies:
        await estimate.add_row(body)
    for file_id in input_files:
        await estimate.add_file(file_id)
    return estimate.result()


_CHATS = frozenset({"/v1/chat/completions", "/v1/fim/completions"})
_INPUTS = frozenset(
    {
        "/v1/embeddings",
        "/v1/moderations",
        "/v1/chat/moderations",
        "/v1/classifications",
        "/v1/chat/classifications",
    }
)
_DEPTH = 10


@dataclass
class _BatchEstimate:
    """Adds up the rows of a job, by model."""

    mistral: Mistral
    endpoint: str
    model: str | None
    unknown: list[str] = field(default_factory=list[str])
    _parts: dict[str, Part] = field(default_factory=dict[str, Part])
    _counts_tokens: bool = False

    async def add_file(self, file_id: str) -> None:
        """Add the rows of a file at Mistral; a large file is only noted."""
        file, content = await look_up(self.mistral, file_id)
        if content is not None:
            for line in content.split(b"\n"):
                if line.strip():
                    await self.add_row(_body_of(line))
            return
        limit = MOST_BYTES // 1024 // 1024
        self._note(f"what is in files beyond {limit} MB: they are not fetched for an estimate")
        rows = Range(min=file.num_lines or 0, max=file.num_lines)
        self._enter(self.model or "unknown", {"rows": rows}, Range(min=0, max=None))

    def result(self) -> Estimate:
        basis = ["Every row was counted; those that fail cost less or nothing."]
        if self._counts_tokens:
            basis += [BASIS, COMPLETIONS]
        basis += [Pricing.of(self.mistral, name, batch=True).basis() for name in self._parts]
        return Estimate.of(*self._parts.values(), basis=basis, unknown=self.unknown)

    async def add_row(self, body: Body) -> None:
        """Add one request."""
        await anyio.lowlevel.checkpoint()
        model = str(self.model or body.get("model") or "unknown")
        pricing = Pricing.of(self.mistral, model, batch=True)
        units, cost = await self._count(pricing, body)
        self._enter(model, {"rows": Range.exactly(1), **units}, cost)

    async def _count(self, pricing: Pricing, body: Body) -> tuple[Units, Range]:
        if self.endpoint in _CHATS:
            self._counts_tokens = True
            self._note(PRIORITY)
            prompt, completion, cost = await estimate_chat(pricing, body)
            return {"prompt_tokens": prompt, "completion_tokens": completion}, cost
        if self.endpoint in _INPUTS:
            self._counts_tokens = True
            tokens = await count_tokens(_strings(body.get("input", body.get("inputs"))))
            tokens = within_context(pricing.catalog, pricing.model, tokens, with_files=False)
            return {"prompt_tokens": tokens}, pricing.by_token(tokens, Range.exactly(0))
        if self.endpoint == "/v1/ocr":
            return await self._count_document(pricing, body)
        if self.endpoint == "/v1/audio/transcriptions":
            self._note("how long the recordings are")
            minutes = Range(min=0, max=None)
            return {"minutes": minutes}, pricing.by_unit(minutes, "minute")
        self._note("what conversations cost: their tools cost extra")
        return {}, Range(min=0, max=None)

    async def _count_document(self, pricing: Pricing, body: Body) -> tuple[Units, Range]:
        length = await measure_inline(body.get("document"))
        if length.pages is None:
            self._note(length.reason)
        per: Per = "1000 pages"
        if body.get("document_annotation_format") or body.get("bbox_annotation_format"):
            per = "1000 annotated pages"
        amount = pages_of_call(length, _pages(body.get("pages")), at_once=True)
        return {"pages": amount}, pricing.by_unit(amount, per)

    def _enter(self, model: str, units: Units, cost: Range) -> None:
        before = self._parts.get(model, Part(model=model, units={}, cost_usd=Range.exactly(0)))
        self._parts[model] = Part(
            model=model, units=add_units(before.units, units), cost_usd=before.cost_usd + cost
        )

    def _note(self, reason: str) -> None:
        if reason not in self.unknown:
            self.unknown.append(reason)


def _body_of(line: bytes) -> Body:
    """The request body in a line of a batch file; empty if the line is invalid, which Mistral will refuse."""
    try:
        row: JsonValue = from_json(line)
    except ValueError:
        return {}
    if isinstance(row, dict) and isinstance(row.get("body"), dict):
        return cast("Body", row["body"])
    return {}


def _pages(value: JsonValue) -> list[int] | None:
    try:
        return parse_pages(value)
    except ValueError:
        return None


def _strings(value: JsonValue, depth: int = 0) -> Iterator[str]:
    """The texts of an input: one, several, or those of messages."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth < _DEPTH:
        for item in value:
            yield from _strings(item, depth + 1)
    elif isinstance(value, dict) and depth < _DEPTH:
        for name in ("messages", "content", "text"):
            yield from _strings(value.get(name), depth + 1)
