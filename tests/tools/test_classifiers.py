"""mistral_classify, against the sandbox."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import connect_in_memory, expect_refusal_at_once, read_kept_file, text_of

MODEL = "ft:classifier:ministral-3b-latest:abc"


@pytest.fixture
async def client(mistral_url: str) -> AsyncIterator[Client]:
    async with connect_in_memory(mistral_url, toolsets="classifiers") as client:
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
    await expect_refusal_at_once(client, sandbox, "mistral_classify", arguments, sentence)


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


async def test_results_too_large_to_show_come_with_the_best_scores_and_are_kept_whole(
    mistral_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    scores = {f"label {number}": number / 100 for number in range(60)}
    reply = {"model": MODEL, "results": [{"topic": {"scores": scores}}] * 512}
    sandbox.faults.append(Fault(status=200, body=reply))
    async with connect_in_memory(mistral_url, toolsets="classifiers", output_dir=tmp_path) as client:
        result = await client.call_tool("mistral_classify", {"model": MODEL, "inputs": ["x"] * 512})
        assert not result.is_error, text_of(result)
        found = result.structured_content
        arguments = {"handle": found["kept"]["handle"], "limit": 100}
        beginning = await client.call_tool("mistral_read_result", arguments)

    assert found["results"] == [{"topic": {"label": "label 59", "scores": {"label 59": 0.59}}}] * 512
    assert [len(each["topic"]["scores"]) for each in json.loads(read_kept_file(found["kept"]))] == [60] * 512
    assert beginning.structured_content["text"].startswith('[{"topic"')
