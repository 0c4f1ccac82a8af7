"""mistral_moderate, against the sandbox."""

import json
from pathlib import Path

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import connect_in_memory, expect_refusal_at_once, read_kept_file, text_of


async def test_each_input_gets_its_verdict(client: Client) -> None:
    result = await client.call_tool("mistral_moderate", {"inputs": ["a nice day", "I will kill you"]})

    fine, bad = result.structured_content["results"]
    assert result.structured_content["flagged"] is True
    assert fine["flagged"] is False
    assert fine["categories"] == []
    assert bad["flagged"] is True
    assert set(bad["categories"]) <= set(bad["scores"])
    assert len(bad["scores"]) == 11
    assert "[0] not flagged" in text_of(result)
    assert "[1] flagged: violence" in text_of(result)


async def test_a_conversation_is_judged_as_one(client: Client, sandbox: Sandbox) -> None:
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "I will kill you"}]
    result = await client.call_tool("mistral_moderate", {"messages": turns})

    assert sandbox.requests[-1].path == "/v1/chat/moderations"
    assert len(result.structured_content["results"]) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "none of them is given"),
        ({"inputs": ["x"], "messages": [{"role": "user", "content": "x"}]}, "given together"),
        ({"inputs": []}, "none of them is given"),
        ({"inputs": ["x"] * 513}, "inputs has more than 512 items"),
        ({"messages": []}, "messages"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, arguments: dict[str, object], sentence: str
) -> None:
    await expect_refusal_at_once(client, sandbox, "mistral_moderate", arguments, sentence)


VERDICT = {"categories": {"pii": False}, "category_scores": {"pii": 0.1}}


@pytest.mark.parametrize(
    ("arguments", "results"),
    [
        ({"inputs": ["x"]}, []),
        ({"inputs": ["x", "y"]}, [VERDICT]),
        ({"inputs": ["x"]}, [VERDICT, VERDICT]),
        ({"messages": [{"role": "user", "content": "x"}]}, []),
    ],
)
async def test_a_reply_without_a_verdict_for_each_input_is_no_verdict(
    client: Client, sandbox: Sandbox, arguments: dict[str, object], results: list[object]
) -> None:
    sandbox.faults.append(Fault(status=200, body={"model": "m", "results": results}))
    result = await client.call_tool("mistral_moderate", arguments)

    assert result.is_error
    assert text_of(result).startswith("Mistral's reply does not hold one verdict for each input. Try again.")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
async def test_a_score_that_is_no_number_makes_the_reply_unreadable(
    client: Client, sandbox: Sandbox, number: str
) -> None:
    body = f'{{"results": [{{"categories": {{"pii": false}}, "category_scores": {{"pii": {number}}}}}]}}'
    sandbox.faults.append(Fault(status=200, body=body))
    result = await client.call_tool("mistral_moderate", {"inputs": ["x"]})

    assert result.is_error
    assert "sent a reply that cannot be read" in text_of(result)


async def test_verdicts_too_large_to_show_come_with_the_scores_of_what_was_flagged_and_are_kept_whole(
    mistral_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    names = [f"category_{number}" for number in range(40)]
    verdict = {
        "categories": {name: name == "category_7" for name in names},
        "category_scores": dict.fromkeys(names, 0.123456),
    }
    sandbox.faults.append(Fault(status=200, body={"model": "m", "results": [verdict] * 512}))
    async with connect_in_memory(mistral_url, output_dir=tmp_path) as client:
        result = await client.call_tool("mistral_moderate", {"inputs": ["x"] * 512})

    assert not result.is_error, text_of(result)
    found = result.structured_content
    assert (
        found["results"]
        == [{"flagged": True, "categories": ["category_7"], "scores": {"category_7": 0.123456}}] * 512
    )
    whole = json.loads(read_kept_file(found["kept"]))
    assert [len(each["scores"]) for each in whole] == [40] * 512
    assert "mistral_read_result" in text_of(result)
