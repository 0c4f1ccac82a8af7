"""What OpenTelemetry's SDK records of calls over HTTP, where a program has set it up. It is set up once for a process."""

import json
import subprocess
import sys
from typing import Any, NamedTuple

import pytest

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CALLER_SPAN = "b7ad6b7169203331"
KEY = "tEsTkEy0123456789abcdefghijklmn1"

RECORD = """
import json, sys, anyio, httpx2
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id, set_tracer_provider
from mistral_mcp import Settings
from mistral_mcp.http.app import create_app
from mistral_mcp.sandbox import Sandbox, serve_app

async def main(requests):
    sandbox = Sandbox()
    async with serve_app(sandbox) as upstream, serve_app(create_app(Settings(route=upstream))) as base:
        async with httpx2.AsyncClient(base_url=base) as http:
            for request in requests:
                await http.post("/mcp", **request)
    return [exchange.headers.get("traceparent") for exchange in sandbox.requests]

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
set_tracer_provider(provider)
sent = anyio.run(main, json.load(sys.stdin))
spans = [
    {
        "name": span.name,
        "kind": span.kind.name,
        "trace": format_trace_id(span.context.trace_id),
        "id": format_span_id(span.context.span_id),
        "parent": format_span_id(span.parent.span_id) if span.parent else None,
        "status": span.status.status_code.name,
        "attributes": dict(span.attributes),
    }
    for span in exporter.get_finished_spans()
]
print(json.dumps({"spans": spans, "sent": sent}))
"""


class Recorded(NamedTuple):
    spans: list[dict[str, Any]]
    sent: list[str | None]
    """`traceparent` of each request to Mistral."""


def record(*requests: dict[str, Any]) -> Recorded:
    run = subprocess.run(  # noqa: S603 - the script above
        [sys.executable, "-c", RECORD], input=json.dumps(requests), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return Recorded(**json.loads(run.stdout))


def message(method: str, params: dict[str, Any], request_id: object = 1, **headers: str) -> dict[str, Any]:
    """A request as a 2026 client sends it."""
    prefix = "io.modelcontextprotocol/"
    meta = {f"{prefix}protocolVersion": "2026-07-28", f"{prefix}clientCapabilities": {}} | params.pop("_meta", {})
    described = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": method,
        "x-api-key": KEY,
        **headers,
    }
    if "name" in params:
        described["mcp-name"] = params["name"]
    body = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": {**params, "_meta": meta}}
    return {"headers": described, "json": body}


CHAT: dict[str, Any] = {"name": "mistral_chat", "arguments": {"prompt": "MARKED content"}}
IN_HEADERS = {"traceparent": f"00-{TRACE_ID}-{CALLER_SPAN}-01"}


@pytest.mark.parametrize("place", ["headers", "_meta"])
def test_a_call_is_a_server_span_with_a_client_span_in_it_within_the_caller_s_trace(place: str):
    if place == "headers":
        call = message("tools/call", {**CHAT}, **IN_HEADERS)
    else:
        call = message("tools/call", {**CHAT, "_meta": IN_HEADERS})
    spans, sent = record(call)
    [server] = [span for span in spans if span["kind"] == "SERVER"]
    [client] = [span for span in spans if span["kind"] == "CLIENT"]

    assert server["name"] == "tools/call mistral_chat"
    assert server["attributes"]["gen_ai.tool.name"] == "mistral_chat"
    assert server["attributes"]["gen_ai.response.model"].startswith("mistral-")
    assert server["attributes"]["gen_ai.usage.input_tokens"] > 0
    assert server["attributes"]["gen_ai.usage.output_tokens"] > 0
    assert (server["trace"], server["parent"]) == (TRACE_ID, CALLER_SPAN)
    assert client["name"].startswith("chat mistral-")
    assert (client["trace"], client["parent"]) == (TRACE_ID, server["id"])
    assert sent == [f"00-{TRACE_ID}-{client['id']}-01"]
    assert "MARKED" not in json.dumps(spans)
    assert KEY not in json.dumps(spans)


def test_no_span_holds_what_a_caller_invented():
    invented = "INVENTED"
    spans, _ = record(
        message("tools/call", {"name": f"mistral_{invented}", "arguments": {}}),
        message("prompts/get", {"name": invented}),
        message("prompts/get", {"name": "choose_model", "arguments": {"task": "words"}}),
        message(invented, {}),
        message("tools/call", {**CHAT}, request_id=invented),
    )

    assert invented not in json.dumps(spans)
    names = {span["name"] for span in spans if span["kind"] == "SERVER"}
    assert {
        "tools/call other",
        "prompts/get other",
        "prompts/get choose_model",
        "tools/call mistral_chat",
    } <= names
