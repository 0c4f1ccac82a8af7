"""Toolset `core`: vectors, and what they are mostly wanted for."""

import base64
import heapq
import math
import operator
from collections.abc import Sequence
from typing import Annotated, Literal

import anyio.lowlevel
from mcp_types import BlobResourceContents, ContentBlock, EmbeddedResource
from pydantic import BaseModel, Field, PrivateAttr

from mistral_mcp.mistral.api import embeddings
from mistral_mcp.mistral.api.embeddings import Dtype, Row, Vectors
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result, Usage, usage_of

toolset = Toolset()

INLINE_NUMBERS = 1_024  # one mistral-embed vector; a model pays 12,000 tokens for it already
MAX_INPUTS = 20_000

# As numpy and most vector stores call them; packed dtypes are bytes.
_NUMPY_DTYPE: dict[Dtype, str] = {
    "float": "float32",
    "int8": "int8",
    "uint8": "uint8",
    "binary": "int8",
    "ubinary": "uint8",
}

Text = Annotated[str, Field(min_length=1)]


class Attachment(BaseModel):
    """Where the vectors are, and how to read them."""

    uri: str
    mime_type: str = "application/octet-stream"
    dtype: str
    shape: tuple[int, int]
    byte_order: Literal["little"] = "little"


class Embeddings(Result):
    """Vectors in the order of the inputs: inline, or in one binary attachment."""

    model: str
    count: int
    dimensions: int
    dtype: str
    usage: Usage
    embeddings: Maybe[Sequence[list[float] | list[int]]] = None
    attachment: Maybe[Attachment] = None

    _blob: bytes = PrivateAttr(default=b"")

    def to_text(self) -> str:
        summary = f"{self.count} vectors of {self.dimensions} dimensions ({self.dtype}) from {self.model}"
        if self.attachment is not None:
            return f"{summary}, row after row in the attachment {self.attachment.uri}."
        return f"{summary}:\n{self.embeddings}"

    def extra_content(self) -> list[ContentBlock]:
        if self.attachment is None:
            return []
        blob = base64.b64encode(self._blob).decode()
        contents = BlobResourceContents(uri=self.attachment.uri, mime_type=self.attachment.mime_type, blob=blob)
        return [EmbeddedResource(type="resource", resource=contents)]

    @classmethod
    def of(cls, vectors: Vectors, usage: Usage, *, inline: bool) -> "Embeddings":
        dtype = _NUMPY_DTYPE[vectors.dtype]
        count, dimensions = len(vectors.rows), vectors.dimensions
        result = cls(model=vectors.model, count=count, dimensions=dimensions, dtype=dtype, usage=usage)
        if inline:
            result.embeddings = [row.tolist() for row in vectors.rows]
        else:
            result._blob = vectors.little_endian()
            uri = f"mistral-mcp://embeddings/{count}x{dimensions}.{dtype}"
            result.attachment = Attachment(uri=uri, dtype=dtype, shape=(count, dimensions))
        return result


@toolset.tool("Embed texts", effect="reads")
async def mistral_embed(
    mistral: Mistral,
    inputs: Annotated[list[Text], Field(description="Texts.", min_length=1, max_length=MAX_INPUTS)],
    model: parameters.Model = None,
    output_dimension: Annotated[int | None, Field(description="codestral-embed only.", gt=0)] = None,
    output_dtype: Annotated[Dtype | None, Field(description="codestral-embed only.")] = None,
    output: Annotated[
        Literal["auto", "inline", "attachment"], Field(description="auto: inline up to 1,024 numbers.")
    ] = "auto",
) -> Embeddings:
    """Turn texts into vectors, for search, clustering or classification in code; to compare texts use mistral_rank."""
    vectors = await embeddings.embed(
        mistral,
        model=model or mistral.settings.embed_model,
        inputs=inputs,
        output_dimension=output_dimension,
        output_dtype=output_dtype,
    )
    fits = len(vectors.rows) * vectors.dimensions <= INLINE_NUMBERS
    inline = output == "inline" or (output == "auto" and fits)
    return Embeddings.of(vectors, usage_of(mistral, vectors.model, vectors.usage), inline=inline)


class Ranked(BaseModel):
    """One document and how near it is to the query: 1 is the same direction, 0 unrelated."""

    index: int
    score: float
    document: str


class Ranking(Result):
    """The documents nearest to the query, best first."""

    results: list[Ranked]
    model: str
    usage: Usage

    def to_text(self) -> str:
        return "\n".join(f"{hit.score:.4f}  [{hit.index}] {hit.document}" for hit in self.results)


@toolset.tool("Rank documents", effect="reads")
async def mistral_rank(
    mistral: Mistral,
    query: Annotated[Text, Field(description="What to look for.")],
    documents: Annotated[list[Text], Field(description="Texts to look in.", min_length=1, max_length=MAX_INPUTS)],
    top_k: Annotated[int, Field(description="How many to return.", ge=1)] = 5,
    model: parameters.Model = None,
) -> Ranking:
    """Find the documents nearest in meaning to a query: semantic search over texts you have."""
    vectors = await embeddings.embed(mistral, model=model or mistral.settings.embed_model, inputs=[*documents, query])
    scores = await _cosines(vectors.rows[-1], vectors.rows[:-1])
    best = heapq.nlargest(top_k, enumerate(scores), key=operator.itemgetter(1))
    results = [Ranked(index=index, score=round(score, 6), document=documents[index]) for index, score in best]
    return Ranking(results=results, model=vectors.model, usage=usage_of(mistral, vectors.model, vectors.usage))


async def _cosines(query: Row, rows: list[Row]) -> list[float]:
    """Cosine similarities. A second of work for 20,000 rows, so others get their turn every few milliseconds."""
    scores: list[float] = []
    norm = math.hypot(*query)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        for row in rows[start : start + _ROWS_AT_ONCE]:
            product = norm * math.hypot(*row)
            scores.append(sum(map(operator.mul, query, row)) / product if product else 0.0)
        await anyio.lowlevel.checkpoint()
    return scores


_ROWS_AT_ONCE = 64
