"""mistral_chat, against the sandbox."""

import base64
import json

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import KEY, connect_in_memory, connect_over_http, expect_refusal_at_once, text_of

PIXEL = base64.b64encode(
    base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
).decode()


async def test_an_answer_comes_as_text_and_as_structure(client: Client) -> None:
    result = await client.call_tool("mistral_chat", {"prompt": "Hello there"})

    assert result.structured_content is not None
    assert result.structured_content["text"] == text_of(result)
    assert "Hello there" in text_of(result)
    assert result.structured_content["finish_reason"] == "stop"
    assert set(result.structured_content) == {"text", "model", "finish_reason", "usage"}
    assert result.meta["mistral-mcp/correlation_id"]


async def test_nothing_is_sent_that_the_caller_did_not_ask_for(client: Client, sandbox: Sandbox) -> None:
    await client.call_tool("mistral_chat", {"prompt": "Hi"})

    sent = {name: item for name, item in sandbox.requests[-1].json.items() if name != "prompt_cache_key"}
    assert sent == {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hi"}]}


async def test_requests_with_the_same_instructions_share_a_prompt_cache(
    mistral_url: str, sandbox: Sandbox
) -> None:
    async with connect_in_memory(mistral_url) as mine, connect_in_memory(mistral_url, key=KEY[::-1]) as other:
        for client, system in ((mine, "Be brief."), (mine, "Be brief."), (mine, "Be kind."), (other, "Be brief.")):
            await client.call_tool("mistral_chat", {"prompt": f"Number {len(sandbox.requests)}", "system": system})

    first, second, third, fourth = (request.json["prompt_cache_key"] for request in sandbox.requests)
    assert first == second
    assert len({first, third, fourth}) == 3


async def test_system_comes_first_and_prompt_last(client: Client, sandbox: Sandbox) -> None:
    earlier = [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}]
    await client.call_tool("mistral_chat", {"prompt": "Three", "messages": earlier, "system": "Be brief."})

    assert sandbox.requests[-1].json["messages"] == [
        {"role": "system", "content": "Be brief."},
        *earlier,
        {"role": "user", "content": "Three"},
    ]


async def test_a_prompt_that_is_itself_json_stays_text(client: Client, sandbox: Sandbox) -> None:
    prompt = json.dumps({"a": [1, 2], "b": None})
    await client.call_tool("mistral_chat", {"prompt": prompt})

    assert sandbox.requests[-1].json["messages"][0]["content"] == prompt


async def test_messages_sent_as_json_text_by_a_host_are_understood(client: Client, sandbox: Sandbox) -> None:
    await client.call_tool("mistral_chat", {"messages": json.dumps([{"role": "user", "content": "Hi"}])})

    assert sandbox.requests[-1].json["messages"] == [{"role": "user", "content": "Hi"}]


async def test_images_go_with_the_prompt(client: Client, sandbox: Sandbox) -> None:
    url = f"data:image/png;base64,{PIXEL}"
    result = await client.call_tool("mistral_chat", {"prompt": "What is it?", "images": [url]})

    assert not result.is_error
    assert sandbox.requests[-1].json["messages"][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": url},
    ]


async def test_json_schema_gives_parsed_data(client: Client, sandbox: Sandbox) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
    }
    result = await client.call_tool("mistral_chat", {"prompt": "A person", "json_schema": schema})

    assert isinstance(result.structured_content["parsed"]["age"], int)
    assert json.loads(text_of(result)) == result.structured_content["parsed"]
    assert sandbox.requests[-1].json["response_format"]["json_schema"]["schema"] == schema


async def test_an_answer_that_breaks_the_schema_is_an_error_that_shows_the_answer(client: Client) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    result = await client.call_tool(
        "mistral_chat", {"prompt": "A number", "model": "sandbox-bad-json", "json_schema": schema}
    )

    assert result.is_error
    assert "does not match json_schema" in text_of(result)


async def test_thinking_is_kept_apart_from_the_text(client: Client) -> None:
    result = await client.call_tool("mistral_chat", {"prompt": "12 * 12", "reasoning_effort": "high"})

    assert result.structured_content["thinking"]
    assert result.structured_content["thinking"] not in result.structured_content["text"]


@pytest.mark.parametrize("model", ["mistral-small-latest", "mistral-medium-3-5"])
@pytest.mark.parametrize("top_p", [None, 0.5])
async def test_temperature_zero_never_earns_a_complaint_about_top_p(
    client: Client, sandbox: Sandbox, model: str, top_p: float | None
) -> None:
    arguments = {"prompt": "Hi", "model": model, "temperature": 0, "reasoning_effort": "high"}
    result = await client.call_tool("mistral_chat", arguments | ({"top_p": top_p} if top_p else {}))

    assert not result.is_error
    assert sandbox.requests[-1].json["top_p"] == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"prompt": [7]}, "prompt must be text"),
        ({"messages": "hello"}, "messages[0] must be an object"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role must be system, user"),
        ({"messages": [{"role": "user", "content": True}]}, "messages[0].content must be text"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "last message has the role assistant"),
        ({"prompt": "x", "stopp": ["a"]}, "unknown argument 'stopp' (did you mean stop?)"),
        ({"prompt": "x", "images": ["data:image/png;base64,???"]}, "The base64 of images[0] cannot be decoded"),
        ({"prompt": "x", "images": ["ftp://a/b"]}, "images[0] is not an https URL"),
        ({"prompt": "x", "temperature": 2}, "temperature must be at most 1.5"),
        ({"prompt": "x", "json_schema": {"type": "objekt"}}, "json_schema"),
        ({"prompt": "x", "json_schema": {"$ref": "https://example.com/s.json"}}, "json_schema"),
        ({"prompt": "x", "images": ["https://a/b"] * 101}, "images"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, arguments: dict[str, object], sentence: str
) -> None:
    await expect_refusal_at_once(client, sandbox, "mistral_chat", arguments, sentence)


async def test_no_argument_value_is_echoed(client: Client) -> None:
    result = await client.call_tool("mistral_chat", {"prompt": ["private words"], "temperature": "private words"})

    assert "private words" not in text_of(result)


async def test_an_unknown_model_is_named_with_the_tool_that_lists_them(client: Client) -> None:
    result = await client.call_tool("mistral_chat", {"prompt": "Hi", "model": "mistral-tiny-9"})

    assert result.is_error
    assert "mistral-tiny-9" in text_of(result)
    assert "mistral_list_models" in text_of(result)
    assert result.meta["mistral-mcp/error"] == {"status": 400, "code": "1500"}


@pytest.mark.parametrize(
    "usage",
    [None, {"prompt_tokens": None, "completion_tokens": None}, {"prompt_tokens": 9, "completion_tokens": None}],
)
async def test_an_answer_whose_tokens_were_not_counted_costs_nobody_knows_what(
    client: Client, sandbox: Sandbox, usage: object
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    body = {"model": "mistral-small-latest", "choices": [choice], "usage": usage}
    sandbox.faults.append(Fault(status=200, body=body))
    result = await client.call_tool("mistral_chat", {"prompt": "Hello"})

    assert result.structured_content["text"] == "Hi"
    assert result.structured_content["usage"]["cost_usd"] is None


@pytest.mark.parametrize(
    ("listens", "setting"), [(False, "MISTRAL_MCP_TIMEOUT"), (True, "MISTRAL_MCP_STREAM_TIMEOUT")]
)
async def test_a_deadline_names_the_setting_that_it_comes_from(
    mistral_url: str, sandbox: Sandbox, *, listens: bool, setting: str
) -> None:
    async def hear(*_: object) -> None:
        pass

    sandbox.faults.append(Fault(hang=True))
    async with connect_over_http(mistral_url, timeout=0.3, stream_timeout=0.3) as client:
        result = await client.call_tool(
            "mistral_chat", {"prompt": "Hi"}, progress_callback=hear if listens else None
        )

    assert f"have {setting} raised." in text_of(result)
