"""Texts to vectors, in as many requests as Mistral's limits ask for.

Source: `POST /v1/embeddings`. The limits are not in Mistral's specification: 512 inputs and some
16,000 tokens a request were observed, so parts stay well below both and are halved where Mistral still refuses (3210).
"""

import base64
import math
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import anyio
from pydantic import Field

from mistral_mcp.bounds.cycles import raise_first
from mistral_mcp.errors import BadArgument, TooManyInputs, UpstreamError
from mistral_mcp.mistral.api.usage import ModelCall, TokenReply, UsageReply
from mistral_mcp.mistral.call import Reply
from mistral_mcp.mistral.client import MistralClient

Dtype = Literal["float", "int8", "uint8", "binary", "ubinary"]

Row: TypeAlias = "array[int] | array[float]"  # quoted: `array` takes a parameter in annotations only

_PART_INPUTS = 128
_PART_TOKENS = 12_000
_BYTES_PER_TOKEN = 3  # UTF-8 bytes; a low estimate, since a part that is refused costs a round trip

# How a dtype is kept: `array` type codes; `binary` is packed bits read as signed bytes, as Mistral sends them.
_TYPECODES = {"float": "f", "int8": "b", "uint8": "B", "binary": "b", "ubinary": "B"}


_PACKED = 8  # dimensions in a byte
_DIMENSIONS = {"mistral-embed": 1_024, "codestral-embed": 1_536}
"""Of these models and their versions, where nothing else is asked for."""


class EmbeddingItem(Reply):
    embedding: str | list[float]
    """Base64 of little-endian float32 where that was asked for and granted, else numbers."""
    index: int = 0


class EmbeddingReply(TokenReply):
    data: list[EmbeddingItem]


class EmbeddingCall(ModelCall[EmbeddingReply]):
    path = "/v1/embeddings"

    inputs: list[str] = Field(serialization_alias="input")
    encoding_format: Literal["base64"] | None = None
    output_dimension: int | None = None
    output_dtype: Dtype | None = None


@dataclass(frozen=True)
class Vectors:
    """Rows in the order of the inputs."""

    model: str
    dtype: Dtype
    rows: list[Row]
    usage: UsageReply

    @property
    def dimensions(self) -> int:
        if self.rows:
            return len(self.rows[0])
        return 0

    def little_endian(self) -> bytes:
        """All rows, one after the other."""
        if sys.byteorder == "little":
            return b"".join(row.tobytes() for row in self.rows)
        return b"".join(_swap(row).tobytes() for row in self.rows)


@dataclass(frozen=True)
class _Part:
    start: int
    inputs: list[str]

    def __str__(self) -> str:
        last = self.start + len(self.inputs) - 1
        if len(self.inputs) == 1:
            return f"Input {last}"
        return f"Inputs {self.start} to {last}"

    def halves(self) -> "tuple[_Part, _Part]":
        middle = len(self.inputs) // 2
        return _Part(self.start, self.inputs[:middle]), _Part(self.start + middle, self.inputs[middle:])


async def embed(
    mistral: MistralClient,
    *,
    model: str,
    inputs: list[str],
    max_bytes: int,
    output_dimension: int | None = None,
    output_dtype: Dtype | None = None,
) -> Vectors:
    """Embed any number of inputs. One failed part fails the whole, and says which inputs it held.

    Raises `BadArgument` where the vectors would have more than `max_bytes`: before anything is sent where the model's
    dimensions are known, else after one part.
    """
    dimensions = output_dimension or known_dimensions(model)
    if dimensions is not None:
        _check_size(len(inputs), _bytes_of(dimensions, output_dtype), max_bytes)
    template = EmbeddingCall(
        model=model,
        inputs=[],
        # Ten times less text to parse; only floats are known to come this way.
        encoding_format="base64" if output_dtype in {None, "float"} else None,
        output_dimension=output_dimension,
        output_dtype=output_dtype,
    )
    job = _Job(mistral, template, inputs, max_bytes)
    await job.run(first_alone=dimensions is None)
    return Vectors(job.model, output_dtype or "float", job.rows, job.usage)


def known_dimensions(model: str) -> int | None:
    """How long this model's vectors are; None where that is not known."""
    return next((size for name, size in _DIMENSIONS.items() if model.startswith(name)), None)


def _bytes_of(dimensions: int, dtype: Dtype | None) -> int:
    """The size of one vector as it is kept."""
    if dtype in {"binary", "ubinary"}:
        return dimensions // _PACKED
    return dimensions * array(_TYPECODES[dtype or "float"]).itemsize


def _check_size(count: int, vector: int, max_bytes: int) -> None:
    if count * vector > max_bytes:
        most = max_bytes // vector
        raise BadArgument(
            f"The vectors of {count:,} inputs would be larger than {max_bytes // 1024 // 1024} MB.",
            f"Embed at most {most:,} inputs at once.",
        )


class _Job:
    """The parts of one large input on their way."""

    def __init__(self, mistral: MistralClient, template: EmbeddingCall, inputs: list[str], max_bytes: int) -> None:
        self.model = template.model
        self.usage = UsageReply()
        self._mistral = mistral
        self._template = template
        self._inputs = inputs
        self._max_bytes = max_bytes
        self._parts = list(_parts(inputs))
        self._rows: dict[int, Row] = {}

    @property
    def rows(self) -> list[Row]:
        return [self._rows[position] for position in range(len(self._inputs))]

    async def run(self, *, first_alone: bool) -> None:
        """No more parts at once than the key's pacing would let through; the first failure is the failure."""
        queue = iter(self._parts)
        if first_alone:
            await self._embed(next(queue))
        failures: list[Exception] = []

        async def worker(scope: anyio.CancelScope) -> None:
            try:
                for part in queue:
                    await self._embed(part)
            except Exception as error:  # noqa: BLE001 - carried over the task group, which would wrap it
                failures.append(error)
                scope.cancel()

        async with anyio.create_task_group() as group:
            for _ in range(min(self._mistral.settings.max_concurrency, len(self._parts))):
                group.start_soon(worker, group.cancel_scope)
        if failures:
            raise_first(failures)

    async def _embed(self, part: _Part) -> None:
        try:
            await self._send(part)
        except UpstreamError as error:
            if isinstance(error, TooManyInputs) and len(part.inputs) > 1:
                for half in part.halves():
                    await self._embed(half)
                return
            if len(part.inputs) < len(self._inputs):
                error.what = f"{part} failed: {error.what}"
            raise

    async def _send(self, part: _Part) -> None:
        call = self._template.model_copy(update={"inputs": part.inputs})
        reply = await self._mistral.send(call, model=call.model, tokens=sum(map(_tokens, part.inputs)))
        if sorted(item.index for item in reply.data) != list(range(len(part.inputs))):
            raise self._mistral.unusable_reply("does not hold one vector for each input")
        try:
            rows = {
                part.start + item.index: _row(item.embedding, call.output_dtype or "float") for item in reply.data
            }
            readable = all(math.isfinite(sum(row)) for row in rows.values())
        except (ValueError, OverflowError):
            readable, rows = False, {}
        if not readable:
            raise self._mistral.unusable_reply("holds a vector that cannot be read")
        self._rows |= rows
        first = next(iter(self._rows.values()))
        if not first or any(len(row) != len(first) for row in rows.values()):
            raise self._mistral.unusable_reply("holds vectors of different lengths, or none")
        _check_size(len(self._inputs), first.itemsize * len(first), self._max_bytes)
        self.model = reply.model or self.model
        self.usage = self.usage + (reply.usage or UsageReply())
        if self._mistral.progress is not None and len(self._parts) > 1:
            await self._mistral.progress.parts(len(self._rows), len(self._inputs))


def _parts(inputs: list[str]) -> Iterator[_Part]:
    start, tokens = 0, 0
    for position, text in enumerate(inputs):
        size = _tokens(text)
        if position > start and (position - start >= _PART_INPUTS or tokens + size > _PART_TOKENS):
            yield _Part(start, inputs[start:position])
            start, tokens = position, 0
        tokens += size
    yield _Part(start, inputs[start:])


def _tokens(text: str) -> int:
    return len(text.encode()) // _BYTES_PER_TOKEN + 1


def _row(embedding: str | list[float], dtype: Dtype) -> Row:
    if isinstance(embedding, str):
        row = array("f", base64.b64decode(embedding))
        if sys.byteorder == "little":
            return row
        return _swap(row)
    if dtype == "float":
        return array("f", embedding)
    return array(_TYPECODES[dtype], [int(number) for number in embedding])


def _swap(row: Row) -> Row:
    copy = row[:]
    copy.byteswap()
    return copy
