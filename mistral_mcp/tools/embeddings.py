"""Toolset `core`: embeddings, and ranking, their main use."""

import heapq
import math
import operator
from typing import Annotated, Literal

import anyio.lowlevel
from pydantic import BaseModel, Field

from mistral_mcp.bounds.heavy_work import run_heavy
from mistral_mcp.kept_results import MAX_BYTES
from mistral_mcp.mistral.api import embeddings
from mistral_mcp.mistral.api.embeddings import Dtype, Row, Vectors
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.estimates.estimate import Estimate, Pricing
from mistral_mcp.tools.framework.estimates.token_counts import estimate_texts
from mistral_mcp.tools.framework.kept import LONG, Kept, KeptResults, shorten_text
from mistral_mcp.tools.framework.model_capability import needs_capability
from mistral_mcp.tools.framework.paging import counted
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result, Usage, usage_of
from mistral_mcp.tools.framework.slim_schema import MAX_INTEGER
from mistral_mcp.usage.bounds import Charge

toolset = Toolset()

SMALL = 1_024
"""Numbers returned inline by default: one mistral-embed vector, which already takes 6,000 tokens."""
MAX_INLINE = 262_144
MAX_INLINE_HTTP = 65_536
"""Clients take events of up to a megabyte, and a number has some eleven characters."""
MAX_INPUTS = 20_000

# Names of numpy and most vector stores; packed dtypes are bytes.
_NUMPY_DTYPE: dict[Dtype, str] = {
    "float": "float32",
    "int8": "int8",
    "uint8": "uint8",
    "binary": "int8",
    "ubinary": "uint8",
}


class Embeddings(Result):
    """Vectors in the order of the inputs: inline, or stored as little-endian numbers, row after row."""

    has_own_bound = True

    model: str
    count: int
    dimensions: int
    dtype: str
    embeddings: Maybe[list[list[float] | list[int]]] = None
    kept: Maybe[Kept] = None
    usage: Usage

    def to_text(self) -> str:
        vectors = (
            f"{counted(self.count, 'vector')} of {self.dimensions} dimensions ({self.dtype}) from {self.model}"
        )
        if self.kept is None:
            return f"{vectors}, in the structured result."
        return f"{vectors}, little-endian, row after row.\n{self.kept.note()}"


@toolset.tool("Embed texts", effect="reads", charge=Charge("embed_model", is_split=True))
async def mistral_embed(
    mistral: Mistral,
    kept_results: KeptResults,
    inputs: Annotated[list[parameters.Text], Field(description="Texts.", min_length=1, max_length=MAX_INPUTS)],
    model: parameters.Model = None,
    output_dimension: Annotated[
        int | None, Field(description="Vector size (codestral-embed).", ge=1, le=MAX_INTEGER)
    ] = None,
    output_dtype: Annotated[Dtype | None, Field(description="Number type (codestral-embed).")] = None,
    output: Annotated[
        Literal["auto", "inline", "link"], Field(description="auto: inline up to 1,024 numbers.")
    ] = "auto",
    dry_run: parameters.DryRun = None,
) -> Embeddings | Estimate:
    """Turn texts into vectors for use in code; to compare texts use mistral_rank."""
    name = model or mistral.settings.embed_model
    if dry_run:
        return await estimate_texts(Pricing.of(mistral, name), inputs)
    async with needs_capability(mistral, name, "embeddings"):
        vectors = await embeddings.embed(
            mistral,
            model=name,
            inputs=inputs,
            max_bytes=MAX_BYTES,
            output_dimension=output_dimension,
            output_dtype=output_dtype,
        )
    count, dimensions, dtype = len(vectors.rows), vectors.dimensions, _NUMPY_DTYPE[vectors.dtype]
    result = Embeddings(
        model=vectors.model,
        count=count,
        dimensions=dimensions,
        dtype=dtype,
        usage=usage_of(mistral, vectors.model, vectors.usage),
    )
    if kept_results.over_http:
        max_inline = MAX_INLINE_HTTP
    else:
        max_inline = MAX_INLINE
    most = {"auto": SMALL, "inline": max_inline, "link": 0}[output]
    if count * dimensions <= most:
        result.embeddings = await run_heavy(_numbers, vectors)
    else:
        result.kept = await kept_results.keep(
            vectors.little_endian(),
            mime_type="application/octet-stream",
            filename=f"vectors-{count}x{dimensions}.{dtype}",
            dtype=dtype,
            shape=[count, dimensions],
            byte_order="little",
        )
    return result


def _numbers(vectors: Vectors) -> list[list[float] | list[int]]:
    """Rows as JSON; a float32 has six significant digits."""
    if vectors.dtype != "float":
        return [[int(number) for number in row] for row in vectors.rows]
    return [[float(f"{number:.6g}") for number in row] for row in vectors.rows]


class Ranked(BaseModel):
    """One document and its similarity to the query: 1 is the same direction, 0 unrelated."""

    index: int
    score: float
    document: str = Field(description="Its beginning, where all of them are too long to show.")


class Ranking(Result):
    """The documents most similar to the query, best first."""

    results: list[Ranked]
    model: str
    usage: Usage

    def to_text(self) -> str:
        return "\n".join(f"{hit.score:.4f}  [{hit.index}] {hit.document}" for hit in self.results)


@toolset.tool("Rank documents", effect="reads", charge=Charge("embed_model", is_split=True))
async def mistral_rank(
    mistral: Mistral,
    query: Annotated[parameters.Text, Field(description="What to look for.")],
    documents: Annotated[
        list[parameters.Text], Field(description="Texts to rank.", min_length=1, max_length=MAX_INPUTS)
    ],
    top_k: Annotated[int, Field(description="Number of results.", ge=1, le=MAX_INTEGER)] = 5,
    model: parameters.Model = None,
) -> Ranking:
    """Rank texts by similarity of meaning to a query (semantic search)."""
    name = model or mistral.settings.embed_model
    async with needs_capability(mistral, name, "embeddings"):
        vectors = await embeddings.embed(mistral, model=name, inputs=[*documents, query], max_bytes=2 * MAX_BYTES)
    scores = await _cosines(vectors.rows[-1], vectors.rows[:-1])
    best = heapq.nlargest(top_k, enumerate(scores), key=operator.itemgetter(1))
    results = [
        Ranked(
            index=index,
            score=round(score, 6),
            document=shorten_text(documents[index], LONG // len(best)),
        )
        for index, score in best
    ]
    return Ranking(results=results, model=vectors.model, usage=usage_of(mistral, vectors.model, vectors.usage))


async def _cosines(query: Row, rows: list[Row]) -> list[float]:
    """Cosine similarities. 20,000 rows take a second, so it yields to other tasks every few milliseconds."""
    scores: list[float] = []
    norm = math.hypot(*query)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        for row in rows[start : start + _ROWS_AT_ONCE]:
            product = norm * math.hypot(*row)
            scores.append(sum(map(operator.mul, query, row)) / product if product else 0.0)
        await anyio.lowlevel.checkpoint()
    return scores


_ROWS_AT_ONCE = 64
