"""mistral_code_complete, against the sandbox."""

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Sandbox
from tests.conftest import expect_refusal_at_once, text_of


async def test_code_between_prompt_and_suffix_is_completed(client: Client, sandbox: Sandbox) -> None:
    result = await client.call_tool(
        "mistral_code_complete", {"prompt": "def add(a, b):", "suffix": "    return c", "max_tokens": 20}
    )

    assert not result.is_error, text_of(result)
    assert set(result.structured_content) == {"completion", "finish_reason", "model", "usage"}
    assert result.structured_content["completion"] == text_of(result)
    assert sandbox.requests[-1].path == "/v1/fim/completions"
    assert sandbox.requests[-1].json == {
        "model": "codestral-latest",
        "prompt": "def add(a, b):",
        "suffix": "    return c",
        "max_tokens": 20,
    }


async def test_a_model_without_fill_in_the_middle_is_refused_by_mistral_in_one_sentence(client: Client) -> None:
    result = await client.call_tool("mistral_code_complete", {"prompt": "x", "model": "mistral-small-latest"})

    assert result.is_error
    assert result.meta["mistral-mcp/error"]["status"] == 400


@pytest.mark.parametrize("arguments", [{}, {"prompt": ""}, {"prompt": "x", "sufix": "y"}])
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, arguments: dict[str, object]
) -> None:
    await expect_refusal_at_once(client, sandbox, "mistral_code_complete", arguments)
