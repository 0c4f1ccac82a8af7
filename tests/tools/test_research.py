"""The toolset `research`, against the sandbox."""

from collections.abc import AsyncIterator

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import connect_in_memory, connect_over_http, expect_refusal_at_once, text_of

MODELS = ["mistral-small-latest", "mistral-medium-latest", "no-such-model"]


@pytest.fixture
async def client(mistral_url: str) -> AsyncIterator[Client]:
    async with connect_in_memory(mistral_url, toolsets="research", max_retries=0) as client:
        yield client


async def test_answers_come_in_the_order_asked_and_one_failure_spares_the_others(client: Client) -> None:
    result = await client.call_tool(
        "mistral_compare", {"models": [*MODELS[::-1], MODELS[0]], "prompt": "Hello there"}
    )

    structured = result.structured_content
    failed, *answers = structured["answers"]
    assert [answer["model"] for answer in structured["answers"]] == [*MODELS[::-1], MODELS[0]]
    assert "no-such-model" in failed["error"]
    assert "text" not in failed
    for answer in answers:
        assert "Hello there" in answer["text"]
        assert answer["finish_reason"] == "stop"
        assert answer["seconds"] > 0
        assert answer["usage"]["cost_usd"] > 0
    assert structured["total_cost_usd"] == pytest.approx(sum(answer["usage"]["cost_usd"] for answer in answers))
    assert "## no-such-model" in text_of(result)


async def test_where_all_fail_the_call_fails(client: Client, sandbox: Sandbox) -> None:
    for _ in range(2):
        sandbox.faults.append(Fault(status=401, body={"detail": "Unauthorized"}))
    result = await client.call_tool("mistral_compare", {"models": MODELS[:2], "prompt": "Hi"})

    assert result.is_error
    assert "MISTRAL_API_KEY" in text_of(result)


async def test_progress_counts_the_models_that_are_done(mistral_url: str) -> None:
    reports: list[tuple[float, float | None, str | None]] = []

    async def listen(done: float, total: float | None, message: str | None) -> None:
        reports.append((done, total, message))

    async with connect_over_http(mistral_url, toolsets="research", max_retries=0) as client:
        await client.call_tool("mistral_compare", {"models": MODELS, "prompt": "Hi"}, progress_callback=listen)

    assert reports[-1] == (3, 3, None)
    assert all(message is None for _, __, message in reports)


async def test_answers_are_checked_against_a_schema_each_by_itself(client: Client, sandbox: Sandbox) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    sandbox.faults.append(Fault(status=200, body={"model": "m", "choices": [{"message": {"content": "{}"}}]}))
    asked = {"models": MODELS[:2], "prompt": "A number", "json_schema": schema}
    answers = (await client.call_tool("mistral_compare", asked)).structured_content["answers"]

    assert sorted("parsed" in answer for answer in answers) == [False, True]
    assert sorted("does not match json_schema" in answer.get("error", "") for answer in answers) == [False, True]


async def test_the_web_answers_with_sources_and_nothing_is_stored(client: Client, sandbox: Sandbox) -> None:
    result = await client.call_tool("mistral_web_search", {"query": "Who won?"})

    structured = result.structured_content
    assert "Who won?" in structured["text"]
    assert structured["sources"] == [{"title": "Sandbox source", "url": "https://example.com/web_search"}]
    assert structured["model"]
    assert structured["usage"]["connectors"] == {"web_search": 1}
    assert "https://example.com/web_search" in text_of(result)
    assert sandbox.requests[-1].json["store"] is False
    assert sandbox.requests[-1].json["tools"] == [{"type": "web_search"}]


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("compare", {"models": ["a"], "prompt": "x"}, "models needs at least 2 items"),
        ("compare", {"models": ["a"] * 9, "prompt": "x"}, "models has more than 8 items"),
        ("compare", {"models": ["a", "b"]}, "prompt and messages are both missing"),
        ("web_search", {"query": ""}, "query is empty"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, tool: str, arguments: dict[str, object], sentence: str
) -> None:
    await expect_refusal_at_once(client, sandbox, f"mistral_{tool}", arguments, sentence)
