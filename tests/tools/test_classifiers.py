"""mistral_classify, against the sandbox."""

from collections.abc import AsyncIterator

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import in_memory, refuses_at_once, text_of

MODEL = "ft:classifier:ministral-3b-latest:abc"


@pytest.fixture
async def client(mistral_url: str) -> AsyncIterator[Client]:
    async with in_memory(mistral_url, toolsets="classifiers") as client:
        yield client


async def test_each_text_gets_the_best_label_of_each_target(client: Client) -> None:
    result = await client.call_tool(
        "mistral_classify", {"model": MODEL, "inputs": ["I love it", "the worst ever"]}
    )

    first, second = result.structured_content["results"]
    assert first["sentiment"]["label"] == "positive"
    assert second["sentiment"]["label"] == "negative"
    assert set(first["sentiment"]["scores"]) == {"negative", "neutral", "positive"}
    assert result.structured_content["model"] == MODEL
    assert text_of(result).startswith("[0] sentiment: positive 0.8")
    assert result.structured_content["usage"]["cost_usd"] is None


async def test_a_conversation_is_classified_as_a_whole(client: Client, sandbox: Sandbox) -> None:
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "I hate this"}]
    result = await client.call_tool("mistral_classify", {"model": MODEL, "messages": turns})

    assert len(result.structured_content["results"]) == 1
    assert sandbox.requests[-1].path == "/v1/chat/classifications"
    assert sandbox.requests[-1].json == {"model": MODEL, "input": {"messages": turns}}


async def test_texts_go_out_under_mistrals_own_name(client: Client, sandbox: Sandbox) -> None:
    await client.call_tool("mistral_classify", {"model": MODEL, "inputs": ["x"]})

    assert sandbox.requests[-1].json == {"model": MODEL, "input": ["x"]}


async def test_a_model_that_is_no_classifier_is_refused_by_name(client: Client) -> None:
    result = await client.call_tool("mistral_classify", {"model": "mistral-small-latest", "inputs": ["x"]})

    assert result.is_error
    assert "mistral-small-latest" in text_of(result)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"inputs": ["x"]}, "model is missing"),
        ({"model": MODEL}, "none of them is given"),
        ({"model": MODEL, "inputs": ["x"], "messages": [{"role": "user", "content": "x"}]}, "given together"),
        ({"model": MODEL, "inputs": []}, "none of them is given"),
        ({"model": MODEL, "messages": []}, "messages"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, arguments: dict[str, object], sentence: str
) -> None:
    await refuses_at_once(client, sandbox, "mistral_classify", arguments, sentence)


RESULT = {"sentiment": {"scores": {"positive": 0.9}}}


@pytest.mark.parametrize(
    ("arguments", "results"),
    [
        ({"inputs": ["x", "y"]}, [RESULT]),
        ({"messages": [{"role": "user", "content": "x"}]}, []),
        ({"messages": [{"role": "user", "content": "x"}]}, [RESULT, RESULT]),
    ],
)
async def test_a_reply_without_a_result_for_each_input_is_no_classification(
    client: Client, sandbox: Sandbox, arguments: dict[str, object], results: list[object]
) -> None:
    sandbox.faults.append(Fault(status=200, body={"model": MODEL, "results": results}))
    result = await client.call_tool("mistral_classify", {"model": MODEL, **arguments})

    assert result.is_error
    assert text_of(result).startswith("Mistral's reply does not hold one result for each input. Try again.")
