"""What calling an operation of Mistral's API needs of a budget, by its validated arguments: clients may send a body as text."""

from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue

from mistral_mcp.mistral.api.batch import MOST_REQUESTS
from mistral_mcp.operations.operation import find
from mistral_mcp.tools.framework.estimates.batches import Body, estimate_batch
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.usage.bounds import Charge, Needs, needs_of_batch

_CREATE_BATCH = "batch.create"
_NAMES_A_MODEL = frozenset({"model", "models", "agent_id", "conversation_id"})
"""Members of the bodies of operations that use a model."""
_SPLIT = ("embeddings.", "moderations.", "classifications.")
"""Operations for many texts, each of which may fill the model's context."""


async def operation_needs(mistral: Mistral, arguments: Mapping[str, JsonValue]) -> Needs:
    """Raises `MistralMcpError`: the call itself then reports why."""
    body = arguments.get("body")
    if not isinstance(body, dict):
        return Needs(0)
    operation = find(str(arguments["operation"])).id
    if operation == _CREATE_BATCH:
        return await _batch_needs(mistral, body)
    if body.keys().isdisjoint(_NAMES_A_MODEL):
        return Needs(0)
    charge = Charge(is_split=operation.startswith(_SPLIT))
    return Needs(charge.highest_cost(body, mistral.settings, mistral.catalog))


async def _batch_needs(mistral: Mistral, body: Body) -> Needs:
    rows = _list(body.get("requests"))[:MOST_REQUESTS]
    bodies = [
        cast("Body", row["body"]) for row in rows if isinstance(row, dict) and isinstance(row.get("body"), dict)
    ]
    files = [file for file in _list(body.get("input_files")) if isinstance(file, str)]
    model = body.get("model")
    estimate = await estimate_batch(
        mistral,
        str(body.get("endpoint")),
        model if isinstance(model, str) else None,
        bodies,
        files,
    )
    return needs_of_batch(estimate.cost_usd.min)


def _list(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, list):
        return value
    return []
