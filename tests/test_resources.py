"""Resources and completions, each with the caller's key."""

import json
from typing import Any

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference, TextResourceContents

from mistral_mcp.sandbox import Sandbox
from tests.conftest import TRANSPORTS, connect_in_memory


async def read(client: Client, uri: str) -> Any:
    [content] = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "application/json"
    return json.loads(content.text)


@pytest.mark.parametrize("transport", ["in-memory", "http-2026", "http-2025"])
async def test_resources_are_listed_and_read_over_every_transport(mistral_url: str, transport: str) -> None:
    async with TRANSPORTS[transport](mistral_url) as client:
        listed = {str(resource.uri) for resource in (await client.list_resources()).resources}
        templates = [
            template.uri_template for template in (await client.list_resource_templates()).resource_templates
        ]
        models = await read(client, "mistral://models")
        one = await read(client, "mistral://models/mistral-small-latest")

    assert listed == {"mistral://models", "mistral://usage", "skill://choosing-a-model/SKILL.md"}
    assert templates == ["mistral://models/{model}"]
    assert any(model["price"]["date"] for model in models if "price" in model)
    assert "mistral-small-latest" in (one["id"], *one["aliases"])


async def test_usage_adds_up_what_this_connection_has_spent(client: Client) -> None:
    before = await read(client, "mistral://usage")
    results = [await client.call_tool("mistral_chat", {"prompt": "Hello"}) for _ in range(2)]
    await client.call_tool("mistral_chat", {"prompt": "Hello", "model": "mistral-tiny-9"})
    after = await read(client, "mistral://usage")

    assert before["month"]["calls"] == 0
    assert after["today"] == after["month"]
    assert after["today"]["calls"] == 3
    assert after["today"]["errors"] == 1
    prompts = [result.structured_content["usage"]["prompt_tokens"] for result in results]
    assert after["today"]["prompt_tokens"] == sum(prompts)
    assert after["today"]["cost_usd"] > 0
    assert after["budget"] is None
    assert [row["tool"] for row in after["by_tool"]] == ["mistral_chat"]
    assert [(row["model"], row["calls"]) for row in after["by_model"]] == [
        ("mistral-small-latest", 2),
        ("other", 1),
    ]


@pytest.mark.parametrize(
    "uri",
    ["mistral://nothing", "mistral://models/mistral-tiny-9", "mistral://models/..%2Fmodels", "file:///etc/passwd"],
)
async def test_an_unknown_resource_is_a_wrong_parameter(client: Client, uri: str) -> None:
    with pytest.raises(MCPError) as raised:
        await client.read_resource(uri)
    assert raised.value.error.code == -32602


async def test_without_a_key_a_resource_says_how_to_set_it(mistral_url: str) -> None:
    async with connect_in_memory(mistral_url, key=None) as client:
        with pytest.raises(MCPError, match="MISTRAL_API_KEY is not set"):
            await client.read_resource("mistral://models")


@pytest.mark.parametrize(
    "reference",
    [
        ResourceTemplateReference(type="ref/resource", uri="mistral://models/{model}"),
        PromptReference(type="ref/prompt", name="translate"),
    ],
)
async def test_model_names_are_completed_from_the_live_list_requested_once(
    client: Client, sandbox: Sandbox, reference: Any
) -> None:
    first = await client.complete(reference, {"name": "model", "value": "codes"})
    second = await client.complete(reference, {"name": "model", "value": "small"})

    assert "codestral-latest" in first.completion.values
    assert all("small" in name for name in second.completion.values)
    assert len(sandbox.requests) == 1


async def test_other_arguments_have_no_completions(client: Client, sandbox: Sandbox) -> None:
    result = await client.complete(
        PromptReference(type="ref/prompt", name="translate"), {"name": "text", "value": "a"}
    )

    assert result.completion.values == []
    assert not sandbox.requests


@pytest.mark.parametrize("name", ["x" * 201, "x" * 100_000, "%78" * 70_000])
async def test_an_id_longer_than_any_model_s_is_refused(client: Client, sandbox: Sandbox, name: str):
    with pytest.raises(MCPError, match="at most 200 characters"):
        await client.read_resource(f"mistral://models/{name}")
    assert not sandbox.requests
