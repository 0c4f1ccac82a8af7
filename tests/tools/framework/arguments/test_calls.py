"""How a caller's arguments are interpreted before any tool sees them, and their size limits."""

import json
import time
import tracemalloc
from typing import Any

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Sandbox
from mistral_mcp.tools.framework.arguments import ADDED_BY_HOSTS
from mistral_mcp.tools.framework.arguments.shapes import MAX_TEXT
from tests.conftest import KEY, connect_in_memory, text_of

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
REQUESTS = [{"custom_id": "1", "body": {"messages": [{"role": "user", "content": "hi"}]}}]


async def call(url: str, tool: str, arguments: dict[str, Any]) -> Any:
    async with connect_in_memory(url, toolsets="all", max_retries=0) as client:
        return await client.call_tool(tool, arguments)


@pytest.mark.parametrize("nothing", [None, "", {}, []])
@pytest.mark.parametrize(
    ("tool", "arguments", "optional"),
    [
        ("mistral_list_models", {}, ["capability", "search"]),
        (
            "mistral_chat",
            {"prompt": "hi"},
            [
                "messages",
                "system",
                "model",
                "images",
                "temperature",
                "top_p",
                "max_tokens",
                "stop",
                "random_seed",
                "json_schema",
                "response_format",
                "reasoning_effort",
            ],
        ),
        ("mistral_function_call", {"prompt": "x", "functions": [{"name": "f"}]}, ["tool_choice", "max_repairs"]),
        ("mistral_embed", {"inputs": ["a"]}, ["output", "output_dtype", "output_dimension", "model"]),
        ("mistral_moderate", {"inputs": ["a"]}, ["messages", "model"]),
        ("mistral_rank", {"query": "a", "documents": ["b"]}, ["top_k", "model"]),
        ("mistral_ocr", {"document": "https://example.com/a.pdf"}, ["pages"]),
        ("mistral_list_libraries", {}, ["page_token", "page_size"]),
        ("mistral_list_files", {}, ["purpose", "search", "page", "page_size"]),
        ("mistral_start_conversation", {"prompt": "x", "model": "mistral-small-latest"}, ["agent_id", "tools"]),
    ],
)
async def test_what_is_not_required_and_holds_nothing_is_not_given(
    mistral_url: str, sandbox: Sandbox, nothing: object, tool: str, arguments: dict[str, Any], optional: list[str]
) -> None:
    plain = await call(mistral_url, tool, arguments)
    bodies = [request.body for request in sandbox.requests]
    sandbox.requests.clear()
    filled = await call(mistral_url, tool, {**dict.fromkeys(optional, nothing), **arguments})

    assert not filled.is_error, text_of(filled)
    assert [request.body for request in sandbox.requests] == bodies
    assert set(filled.structured_content) == set(plain.structured_content)


async def test_a_required_argument_that_holds_nothing_is_refused(mistral_url: str, sandbox: Sandbox) -> None:
    for nothing in (None, ""):
        result = await call(mistral_url, "mistral_get_model", {"model": nothing})
        assert result.is_error
        assert "model is" in text_of(result)
    assert not sandbox.requests


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("mistral_embed", {"inputs": "hello"}),
        ("mistral_moderate", {"inputs": "hello"}),
        ("mistral_rank", {"query": "a", "documents": "b"}),
        ("mistral_chat", {"prompt": "hi", "stop": "END"}),
        ("mistral_chat", {"prompt": "hi", "stop": '["END", "STOP"]'}),
        ("mistral_chat", {"prompt": "hi", "images": "https://example.com/a.png"}),
        ("mistral_chat", {"messages": {"role": "user", "content": "hi"}}),
        ("mistral_chat", {"messages": '[{"role": "user", "content": "hi"}]'}),
        (
            "mistral_chat",
            {"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "x"}]},
        ),
        ("mistral_chat", {"prompt": "hi", "response_format": {"type": "json_object"}}),
        ("mistral_chat", {"prompt": "hi", "max_tokens": "5", "temperature": "0.5"}),
        ("mistral_start_conversation", {"prompt": "x", "model": "mistral-small-latest", "tools": "web_search"}),
        (
            "mistral_start_conversation",
            {"prompt": "x", "model": "mistral-small-latest", "tools": [{"type": "function", "name": "f"}]},
        ),
        ("mistral_ocr", {"document": "https://example.com/a.pdf", "pages": 0}),
        ("mistral_function_call", {"prompt": "x", "functions": {"name": "f"}}),
        ("mistral_function_call", {"prompt": "x", "functions": {"type": "function", "function": {"name": "f"}}}),
        (
            "mistral_function_call",
            {"prompt": "x", "functions": [{"type": "function", "name": "f", "strict": None}]},
        ),
        (
            "mistral_function_call",
            {
                "prompt": "x",
                "functions": [{"name": "f"}],
                "tool_choice": {"type": "function", "function": {"name": "f"}},
            },
        ),
        ("mistral_function_call", {"prompt": "x", "functions": [{"name": "f"}], "tool_choice": {"type": "auto"}}),
        (
            "mistral_create_batch_job",
            {
                "endpoint": "/v1/chat/completions",
                "model": "mistral-small-latest",
                "requests": json.dumps(REQUESTS),
                "input_files": [],
            },
        ),
    ],
)
async def test_what_other_apis_take_is_understood(mistral_url: str, tool: str, arguments: dict[str, Any]) -> None:
    result = await call(mistral_url, tool, arguments)

    assert not result.is_error, text_of(result)


@pytest.mark.parametrize(
    "given",
    [
        SCHEMA,
        json.dumps(SCHEMA),
        {"name": "n", "schema": SCHEMA, "strict": True},
        {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
        json.dumps({"type": "json_schema", "json_schema": {"schema": SCHEMA}}),
    ],
)
@pytest.mark.parametrize("parameter", ["json_schema", "response_format"])
async def test_a_schema_is_found_in_every_wrapper(mistral_url: str, given: object, parameter: str) -> None:
    if parameter == "response_format" and not (isinstance(given, dict) and "json_schema" in given):
        pytest.skip("no response format")
    result = await call(mistral_url, "mistral_chat", {"prompt": "x", parameter: given})

    assert not result.is_error, text_of(result)
    assert "city" in result.structured_content["parsed"]


async def test_a_schema_that_looks_like_a_wrapper_is_left_alone(mistral_url: str, sandbox: Sandbox) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "schema": {"type": "object"}}}
    await call(mistral_url, "mistral_chat", {"prompt": "x", "json_schema": schema})

    assert sandbox.requests[-1].json["response_format"]["json_schema"]["schema"] == schema


async def test_text_that_is_json_stays_text(mistral_url: str, sandbox: Sandbox) -> None:
    for text in ('{"a": 1}', "[1]", "5", "null"):
        await call(mistral_url, "mistral_chat", {"prompt": text})
        assert sandbox.requests[-1].json["messages"][-1]["content"] == text


async def test_what_hosts_add_is_dropped_and_nothing_else(mistral_url: str, sandbox: Sandbox) -> None:
    added = {name: {"any": "thing"} for name in ADDED_BY_HOSTS}
    assert not (await call(mistral_url, "mistral_chat", {"prompt": "hi", **added})).is_error
    sandbox.requests.clear()
    for name in ("_meta", "session_id", "sessionID", "toolcallid", "random", "temprature", "tools"):
        refused = await call(mistral_url, "mistral_chat", {"prompt": "hi", name: "x"})
        assert refused.is_error
        assert f"unknown argument '{name}'" in text_of(refused)
    assert not sandbox.requests


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"prmpt": "x"}, "(did you mean prompt?)"),
        ({"temprature": 1}, "(did you mean temperature?)"),
        ({"stream": True}, "(known are prompt, messages"),
        ({"x" * 1_000_000: 1}, "(known are prompt, messages"),
    ],
)
async def test_a_name_is_suggested_only_where_one_is_near(
    client: Client, arguments: dict[str, Any], hint: str
) -> None:
    text = text_of(await client.call_tool("mistral_chat", {"prompt": "x", **arguments}))

    assert hint in text
    assert len(text) < 500


HEAVY = {
    "messages": {"messages": [{}] * 430_000},
    "valid messages": {"messages": [{"role": "user", "content": "x"}] * 200_000},
    "stop": {"prompt": "x", "stop": [1] * 650_000},
    "members": {"messages": [{f"m{number}": 1 for number in range(100_000)}]},
    "unknown": {"prompt": "x", "zzz": [[]] * 5_000_000},
    "many unknown": {f"u{number}": 1 for number in range(300_000)},
    "a name": {"n" * 20_000_000: 1},
    "schema": {"prompt": "x", "json_schema": {"enum": list(range(1_000_000))}},
    "a prompt": {"prompt": "x" * (MAX_TEXT + 1)},
    "a model": {"prompt": "x", "model": "m" * 54_000},
    "depth": {"prompt": "x", "json_schema": json.loads("[" * 200 + "]" * 200)},
    "json in a text": {"messages": "[" + "{}," * 400_000 + "{}]"},
}


@pytest.mark.parametrize("arguments", HEAVY.values(), ids=HEAVY)
async def test_what_is_too_large_is_refused_before_it_is_worked_on(
    client: Client, sandbox: Sandbox, arguments: dict[str, Any]
) -> None:
    from mistral_mcp import tools  # noqa: PLC0415
    from mistral_mcp.errors import BadArgument  # noqa: PLC0415
    from mistral_mcp.masking import Mask  # noqa: PLC0415

    [chat] = [tool for tool in tools.build("core") if tool.name == "mistral_chat"]
    started = time.perf_counter()
    tracemalloc.start()
    with pytest.raises(BadArgument) as refused:
        chat.arguments.read(arguments, list(chat.parameters["properties"]), Mask([KEY]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 16 * 1024 * 1024
    assert time.perf_counter() - started < 2
    assert len(str(refused.value)) < 500


async def test_at_most_four_problems_are_named(client: Client) -> None:
    wrong = {
        "temperature": 9,
        "top_p": 9,
        "max_tokens": -1,
        "random_seed": -1,
        "response_format": "x",
        "images": ["x"],
    }
    text = text_of(await client.call_tool("mistral_chat", {"prompt": "x", **wrong}))

    assert "random_seed" in text
    assert "response_format" not in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"inputs": []}, "inputs is empty."),
        ({"inputs": ["a", ""]}, "inputs[1] is empty."),
        ({"inputs": [["a"]]}, "inputs[0] must be text."),
        ({"inputs": ["a"], "output_dimension": "abc"}, "output_dimension must be a whole number."),
        ({"inputs": ["a"], "output_dimension": 0}, "output_dimension must be at least 1."),
        ({"inputs": ["a"], "output": "file"}, "output must be auto, inline or"),
        ({}, "inputs is missing."),
    ],
)
async def test_problems_are_said_in_plain_words(client: Client, arguments: dict[str, Any], sentence: str) -> None:
    assert sentence in text_of(await client.call_tool("mistral_embed", arguments))
