"""What a running call reserves of a budget: the maximum of its own dry run, and no more."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import pytest

from mistral_mcp.hosting.app import create_app
from mistral_mcp.sandbox import Fault, Sandbox
from mistral_mcp.settings import Settings
from tests.conftest import KEY, serving
from tests.hosting.conftest import tool_call
from tests.tools.framework.estimates.files import flac, pdf

BUDGET = 0.1
UNKNOWN_FILE = "3f0b1c7e-2f0e-4b57-9a51-0d8f6a1f2b11"
CHAT = ("mistral_chat", {"prompt": "Hello", "max_tokens": 10})
LARGE = "mistral-large-latest"
ROWS = "/v1/chat/completions"


@pytest.fixture
async def http(settings: Settings, mistral_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Who calls a server that waits no longer than two seconds for what others have reserved."""
    hosting = {**settings.model_dump(exclude_unset=True), "route": mistral_url, "timeout": 2, "max_retries": 0}
    app = create_app(Settings.model_validate({**hosting, "toolsets": "all"}))
    async with serving(app) as base, httpx2.AsyncClient(base_url=base, timeout=30) as client:
        yield client


async def connect(http: httpx2.AsyncClient, **terms: object) -> str:
    made = await http.post("/connections", json={"api_key": KEY, **terms})
    return made.json()["token"]


async def call(http: httpx2.AsyncClient, token: str, tool: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    reply = await http.post(f"/c/{token}/mcp", **tool_call(tool))
    return reply.json()["result"]


def text(result: dict[str, Any]) -> str:
    return result["content"][0]["text"]


async def call_during(
    http: httpx2.AsyncClient, sandbox: Sandbox, under_way: tuple[str, dict[str, Any]], budget: float = BUDGET
) -> dict[str, Any]:
    """A chat's result while another call of the same connection hangs at Mistral."""
    token = await connect(http, budget_usd=budget)
    sandbox.reset()
    sandbox.faults.append(Fault(hang=True))
    async with anyio.create_task_group() as group:
        asked = tool_call(under_way, listens=True)  # which may take longer than two seconds
        group.start_soon(lambda: http.post(f"/c/{token}/mcp", **asked))
        with anyio.fail_after(10):
            await sandbox.wait_for_request()
        result = await call(http, token, CHAT)
        group.cancel_scope.cancel()
    return result


def as_url(pages: int) -> str:
    return f"data:application/pdf;base64,{base64.b64encode(pdf(pages)).decode()}"


def make_recording(seconds: int) -> dict[str, Any]:
    return {"content_base64": base64.b64encode(flac(seconds)).decode(), "filename": "talk.flac"}


@pytest.mark.parametrize(
    "dear",
    [
        ("mistral_ocr", {"document": as_url(300), "json_schema": {"type": "object"}}),
        ("mistral_transcribe", make_recording(36_000)),
        ("mistral_compare", {"models": ["mistral-large-latest"] * 2, "prompt": "Hello"}),
    ],
)
async def test_what_may_cost_more_than_is_left_lets_nothing_else_begin(
    http: httpx2.AsyncClient, sandbox: Sandbox, dear: tuple[str, dict[str, Any]]
):
    result = await call_during(http, sandbox, dear)

    assert result["isError"]
    assert "running calls have reserved it" in text(result)


@pytest.mark.parametrize(
    "cheap",
    [
        ("mistral_ocr", {"document": as_url(2), "json_schema": {"type": "object"}, "model": "mistral-ocr-latest"}),
        ("mistral_transcribe", make_recording(60)),
        ("mistral_compare", {"models": ["mistral-large-latest"] * 2, "prompt": "Hello", "max_tokens": 10}),
    ],
)
async def test_what_surely_costs_little_keeps_nothing_from_beginning(
    http: httpx2.AsyncClient, sandbox: Sandbox, cheap: tuple[str, dict[str, Any]]
):
    result = await call_during(http, sandbox, cheap)

    assert not result.get("isError"), text(result)


async def test_what_is_only_reserved_does_not_make_a_budget_nearly_used_up(
    http: httpx2.AsyncClient, sandbox: Sandbox
):
    dear = ("mistral_ocr", {"document": as_url(300), "json_schema": {"type": "object"}})
    result = await call_during(http, sandbox, dear, budget=1.6)

    assert [block["text"] for block in result["content"] if "is left of" in block["text"]] == []


def batch_of(rows: int, **more: object) -> tuple[str, dict[str, Any]]:
    body = {"messages": [{"role": "user", "content": "word " * 200}], "max_tokens": 10}
    requests = [{"body": body}] * rows
    asked = {"endpoint": ROWS, "model": "mistral-large-latest", "requests": requests, **more}
    return "mistral_create_batch_job", asked


async def test_a_batch_is_refused_whose_least_is_more_than_is_left(http: httpx2.AsyncClient, sandbox: Sandbox):
    token = await connect(http, budget_usd=0.001)
    dry = await call(http, token, batch_of(1000, dry_run=True))
    sandbox.requests.clear()
    refused = await call(http, token, batch_of(1000))
    allowed = await call(http, token, batch_of(10))

    assert dry["structuredContent"]["cost_usd"]["min"] > 0.001
    assert refused["_meta"]["mistral-mcp/error"]["code"] == "budget_spent"
    assert all(part in text(refused) for part in ("$0.0010 is left", "costs at least", "/manage"))
    assert not allowed.get("isError"), text(allowed)
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("operation", ["batch.create", "POST /v1/batch/jobs"])
@pytest.mark.parametrize("as_text", [False, True])
async def test_a_batch_by_an_operation_is_held_to_the_same(
    http: httpx2.AsyncClient, sandbox: Sandbox, operation: str, *, as_text: bool
):
    def call_by_operation(rows: int) -> tuple[str, dict[str, Any]]:
        body: object = batch_of(rows)[1]
        if as_text:
            body = json.dumps(body)
        return "mistral_api_write", {"operation": operation, "body": body}

    token = await connect(http, budget_usd=0.001)
    sandbox.requests.clear()
    refused = await call(http, token, call_by_operation(200))
    allowed = await call(http, token, call_by_operation(10))

    assert refused["_meta"]["mistral-mcp/error"]["code"] == "budget_spent"
    assert "costs at least" in text(refused)
    assert not allowed.get("isError"), text(allowed)
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("chat.complete", {"model": LARGE, "messages": [{"role": "user", "content": "x" * 400_000}]}),
        # Each of its texts fits into the model's context, all of them together do not.
        ("embeddings.create", {"model": "codestral-embed", "input": ["x" * 8_000] * 90}),
    ],
)
async def test_an_operation_reserves_what_its_body_may_cost_also_where_that_is_text(
    http: httpx2.AsyncClient, sandbox: Sandbox, operation: str, body: object, *, as_text: bool
):
    if as_text:
        body = json.dumps(body)
    result = await call_during(http, sandbox, ("mistral_api_read", {"operation": operation, "body": body}))

    assert result["isError"]
    assert "running calls have reserved it" in text(result)


async def test_nothing_is_looked_into_where_nothing_is_left(http: httpx2.AsyncClient, sandbox: Sandbox):
    token = await connect(http, budget_usd=0)
    sandbox.requests.clear()
    result = await call(http, token, ("mistral_ocr", {"document": UNKNOWN_FILE}))

    assert "Nothing is left" in text(result)
    assert not sandbox.requests


async def test_a_look_that_fails_leaves_it_to_the_call_to_say_why(http: httpx2.AsyncClient, sandbox: Sandbox):
    token = await connect(http, budget_usd=1)
    result = await call(http, token, ("mistral_ocr", {"document": UNKNOWN_FILE}))
    wrong = await call(http, token, ("mistral_ocr", {"document": as_url(1), "pages": "many"}))

    assert result["_meta"]["mistral-mcp/error"]["status"] == 404
    assert "pages" in text(wrong)
