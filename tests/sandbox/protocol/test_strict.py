"""Bodies reject unknown members, wrong types and values out of range, with a 422 that names the place."""

import httpx2
import pytest

TEXT = {"role": "user", "content": "Hello"}


def function(**fields: object) -> dict:
    return {"type": "function", "function": {"name": "f", "parameters": {}, **fields}}


EXTRA = [
    ({"max_completion_tokens": 5}, ["max_completion_tokens"]),
    ({"seed": 5}, ["seed"]),
    ({"stream_options": {"include_usage": True}}, ["stream_options", "include_usage"]),
    ({"messages": [{**TEXT, "name": "Bob"}]}, ["messages", 0, "user", "name"]),
    (
        {"messages": [TEXT, {"role": "assistant", "content": "x", "reasoning_content": "y"}, TEXT]},
        ["messages", 1, "assistant", "reasoning_content"],
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache": 1}]}]},
        ["messages", 0, "user", "content", "list[ContentChunk]", 0, "text", "cache"],
    ),
    ({"tools": [function(extra=1)]}, ["tools", 0, "function", "function", "extra"]),
    ({"tools": [{**function(), "extra": 1}]}, ["tools", 0, "function", "extra"]),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "x": 1}}},
        ["response_format", "json_schema", "x"],
    ),
]
WRONG = [
    ({"temperature": 1.6}, "less_than_equal"),
    ({"temperature": -0.1}, "greater_than_equal"),
    ({"temperature": "hot"}, "float_type"),
    ({"top_p": 0}, "greater_than"),
    ({"top_p": 1.1}, "less_than_equal"),
    ({"random_seed": -1}, "greater_than_equal"),
    ({"max_tokens": -1}, "greater_than_equal"),
    ({"max_tokens": 1.5}, "int_type"),
    ({"n": 0}, "greater_than_equal"),
    ({"presence_penalty": 3}, "less_than_equal"),
    ({"reasoning_effort": "very"}, "literal_error"),
    ({"service_tier": "priority"}, "literal_error"),
    ({"response_format": {"type": "xml"}}, "literal_error"),
    ({"response_format": None}, "model_type"),
    ({"messages": "Hello"}, "list_type"),
    ({"messages": [{"role": "developer", "content": "x"}]}, "union_tag_invalid"),
    ({"messages": [{"content": "x"}]}, "union_tag_not_found"),
    ({"tools": [{"type": "web_search"}]}, "union_tag_invalid"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "missing"),
    ({"metadata": "x"}, "dict_type"),
]
ACCEPTED = [
    {"stop": None, "max_tokens": None, "presence_penalty": None, "tools": None, "n": 1},
    {"tools": [function(parameters={"type": "object", "strict": True, "anything": 1})]},
    {"metadata": {"a": 1}, "prompt_cache_key": "k", "service_tier": "standard_only", "safe_prompt": True},
    {"prediction": {"type": "content", "content": "x"}, "top_k": 5, "logprobs": True, "top_logprobs": 2},
    {"guardrails": [{"block_on_error": True, "moderation_llm_v2": {"action": "none", "later": 1}, "other": 2}]},
    {"messages": [TEXT, TEXT]},
]


def error_details(reply: httpx2.Response) -> list[dict]:
    body = reply.json()
    assert (reply.status_code, body["type"], body["code"]) == (422, "invalid_request_error", None)
    return body["message"]["detail"]


@pytest.mark.parametrize(("fields", "place"), EXTRA)
async def test_an_unknown_field_is_refused_where_it_stands(fields: dict, place: list, chat):
    details = error_details(await chat(**fields))
    found = [detail for detail in details if detail["type"] == "extra_forbidden"]
    assert [detail["msg"] for detail in found] == ["Extra inputs are not permitted"]
    if "list[ContentChunk]" not in place:
        assert found[0]["loc"] == ["body", *place]
    else:
        assert found[0]["loc"][-2:] == place[-2:]


@pytest.mark.parametrize(("fields", "kind"), WRONG)
async def test_a_value_that_does_not_fit_is_refused(fields: dict, kind: str, chat):
    assert kind in [detail["type"] for detail in error_details(await chat(**fields))]


@pytest.mark.parametrize("fields", ACCEPTED)
async def test_what_the_reference_allows_is_accepted(fields: dict, chat):
    reply = await chat(**fields)
    assert reply.status_code == 200, reply.text


async def test_a_body_that_is_not_json_is_422(api: httpx2.AsyncClient):
    details = error_details(await api.post("/v1/chat/completions", content=b"{nonsense"))
    assert [detail["type"] for detail in details] == ["json_invalid"]


async def test_no_body_is_a_missing_one(api: httpx2.AsyncClient):
    details = error_details(await api.post("/v1/embeddings"))
    assert details == [{"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}]


async def test_other_endpoints_are_as_strict(api: httpx2.AsyncClient):
    for path, body in {
        "/v1/fim/completions": {"model": "codestral-latest", "prompt": "x", "tools": []},
        "/v1/embeddings": {"model": "mistral-embed", "inputs": ["x"]},
        "/v1/moderations": {"model": "mistral-moderation-latest", "inputs": ["x"]},
        "/v1/chat/moderations": {"model": "mistral-moderation-latest", "messages": [TEXT]},
    }.items():
        details = error_details(await api.post(path, json=body))
        assert "extra_forbidden" in [detail["type"] for detail in details], path
