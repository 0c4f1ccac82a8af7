"""mistral_list_models and mistral_get_model, against the sandbox."""

import pytest
from mcp.client import Client

from mistral_mcp.mistral.api.models import ModelCard
from mistral_mcp.mistral.catalog import Catalog
from mistral_mcp.sandbox import Sandbox
from mistral_mcp.tools.models import Model
from tests.conftest import text_of


async def test_aliases_are_folded_into_one_entry(client: Client) -> None:
    result = await client.call_tool("mistral_list_models", {})

    names: list[str] = []
    for model in result.structured_content["models"]:
        names += [model["id"], *model["aliases"]]

    assert len(names) == len(set(names))
    assert "mistral-small-latest" in names


async def test_an_entry_tells_context_capabilities_and_a_dated_price(client: Client) -> None:
    result = await client.call_tool("mistral_list_models", {"search": "small"})

    [model, *_] = result.structured_content["models"]
    assert model["context_length"] > 100_000
    assert "function_calling" in model["capabilities"]
    assert model["price"]["input_usd_per_mtok"] > 0
    assert model["price"]["date"].startswith("2026-")
    assert model["id"] in text_of(result)


@pytest.mark.parametrize(
    ("capability", "expected", "other"),
    [("completion_fim", "codestral", "mistral-small"), ("embeddings", "mistral-embed", "mistral-small")],
)
async def test_models_are_found_by_capability(client: Client, capability: str, expected: str, other: str) -> None:
    result = await client.call_tool("mistral_list_models", {"capability": capability})

    ids = " ".join(model["id"] for model in result.structured_content["models"])
    assert expected in ids
    assert other not in ids


async def test_a_model_that_becomes_unavailable_says_so(client: Client) -> None:
    result = await client.call_tool("mistral_list_models", {})

    going = [model for model in result.structured_content["models"] if "deprecation" in model]
    assert going
    assert all(model.get("replacement") for model in going)


async def test_one_model_is_found_by_alias(client: Client) -> None:
    result = await client.call_tool("mistral_get_model", {"model": "mistral-small-latest"})

    assert "mistral-small-latest" in (result.structured_content["id"], *result.structured_content["aliases"])


async def test_an_unknown_model_is_named(client: Client) -> None:
    result = await client.call_tool("mistral_get_model", {"model": "mistral-tiny-9"})

    assert result.is_error
    assert "mistral-tiny-9" in text_of(result)
    assert "mistral_list_models" in text_of(result)


@pytest.mark.parametrize("model", ["../models", "a/b", "%2e%2e", "x?y", "..", ".", "a\\b", "a#b", " "])
async def test_a_name_cannot_leave_its_path(client: Client, sandbox: Sandbox, model: str) -> None:
    result = await client.call_tool("mistral_get_model", {"model": model})

    assert result.is_error
    assert not sandbox.requests


def test_a_context_window_that_mistral_leaves_out_is_the_catalogues() -> None:
    given, left_out = (ModelCard(id="codestral-2508", max_context_length=length) for length in (1000, None))

    assert [Model.of(card, Catalog.load()).context_length for card in (given, left_out)] == [1000, 131072]
