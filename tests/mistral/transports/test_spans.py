"""What a trace holds of an exchange, and that the caller's trace goes on to Mistral."""

from collections.abc import AsyncIterator
from typing import Any, cast

import anyio
import httpx2
import pytest
from mcp.client import Client
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TracerProvider
from pydantic import SecretStr

from mistral_mcp import Settings, create_server
from mistral_mcp.credentials import from_key
from mistral_mcp.errors import UpstreamError
from mistral_mcp.http.app import create_app
from mistral_mcp.mistral.api.chat import ChatCall
from mistral_mcp.mistral.client import MistralClient, Upstream
from mistral_mcp.mistral.transports.exchange import Caller, Exchange
from mistral_mcp.mistral.transports.retries import Retries
from mistral_mcp.mistral.transports.spans import Spans
from mistral_mcp.route import Route
from tests.conftest import KEY, connect_to, serving

TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "vendor=1"}
ANSWER = {"model": "m", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}


class Mistral(httpx2.AsyncBaseTransport):
    def __init__(self, *answers: httpx2.Response) -> None:
        self.answers = list(answers)
        self.headers: list[httpx2.Headers] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.headers.append(request.headers)
        return self.answers.pop(0) if self.answers else httpx2.Response(200, json=ANSWER)


class Recorded(NonRecordingSpan):
    """A span that keeps what it is told."""

    def __init__(self, name: str, kind: SpanKind, attributes: dict[str, object]) -> None:
        super().__init__(SpanContext(1, 2, is_remote=False))
        self.name, self.kind, self.attributes = name, kind, attributes
        self.status: StatusCode | None = None
        self.ended = 0

    def set_attribute(self, key: str, value: object) -> None:
        self.attributes[key] = value

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:  # noqa: ARG002 - the API has it
        self.status = status if isinstance(status, StatusCode) else status.status_code

    def end(self, end_time: int | None = None) -> None:  # noqa: ARG002 - the API has it
        self.ended += 1


class Recording(TracerProvider):
    def __init__(self) -> None:
        self.spans: list[Recorded] = []

    def get_tracer(self, *_: object, **__: object) -> "Recording":  # pyright: ignore[reportIncompatibleMethodOverride]
        return self

    def start_span(self, name: str, _: object, *, kind: SpanKind, attributes: dict[str, object]) -> Recorded:
        span = Recorded(name, kind, dict(attributes))
        self.spans.append(span)
        return span


def client(upstream: Upstream, trace: dict[str, str] | None = None) -> MistralClient:
    return upstream.client(caller(), None, trace)


def caller() -> Caller:
    return Caller.of(SecretStr(KEY), "a test", Route(kind="direct"), None)


async def trace_exchange(
    operation: str, path: str, *answers: httpx2.Response, model: str = ""
) -> tuple[Recorded, httpx2.Response]:
    """One exchange, and its span."""
    recording = Recording()
    spans = Spans(Retries(Mistral(*answers), sleep=anyio.sleep), recording)
    exchange = Exchange(caller(), repeatable=True, deadline=0, operation=operation, model=model)
    method = operation.partition(" ")[0]
    request = httpx2.Request(method, f"https://api.mistral.ai{path}", extensions={"exchange": exchange})
    response = await spans.handle_async_request(request)
    (span,) = recording.spans
    return span, response


CHAT = ChatCall(model="mistral-small-latest", messages=[])
CHATTING = "POST /v1/chat/completions"


async def test_an_exchange_is_a_client_span_by_the_conventions():
    span, _ = await trace_exchange(CHATTING, "/v1/chat/completions", model="mistral-small-latest")

    assert (span.name, span.kind, span.status, span.ended) == (
        "chat mistral-small-latest",
        SpanKind.CLIENT,
        None,
        1,
    )
    assert span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "mistral_ai",
        "gen_ai.request.model": "mistral-small-latest",
        "server.address": "api.mistral.ai",
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.template": "/v1/chat/completions",
    }


async def test_a_failure_is_an_error_and_no_id_of_a_caller_s_is_in_a_span():
    missing = httpx2.Response(404, json={"detail": "Model x was not found."})
    span, _ = await trace_exchange("GET /v1/models/{model_id}", "/v1/models/a-callers-own-id", missing, model=KEY)

    assert (span.name, span.status, span.ended) == ("GET /v1/models/{model_id}", StatusCode.ERROR, 1)
    assert span.attributes["error.type"] == "404"
    assert not any(secret in repr((span.name, span.attributes)) for secret in ("a-callers-own-id", KEY))


async def test_a_stream_s_span_ends_with_the_stream():
    stream = httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Pieces())
    span, response = await trace_exchange(CHATTING, "/v1/chat/completions", stream)

    assert span.ended == 0
    await response.aclose()
    await response.aclose()
    assert span.ended == 1


class Pieces(httpx2.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"


async def test_the_trace_of_an_http_request_is_passed_on_to_mistral():
    wire = Mistral()
    await client(Upstream(Settings(), wire), trace=TRACE).send(CHAT)

    assert wire.headers[0]["traceparent"].split("-")[1] == TRACE["traceparent"].split("-")[1]
    assert wire.headers[0]["tracestate"] == "vendor=1"


@pytest.mark.parametrize("trace", [{}, {"traceparent": "nonsense"}, {"tracestate": "vendor=1"}])
async def test_without_a_trace_there_is_no_header(trace: dict[str, str]):
    wire = Mistral()
    await client(Upstream(Settings(), wire), trace=trace).send(CHAT)

    assert "traceparent" not in wire.headers[0]


async def test_the_trace_of_a_call_s_meta_is_passed_on_to_mistral():
    wire = Mistral()
    async with Client(create_server(Settings(), from_key(KEY), wire)) as mcp:
        await mcp.call_tool("mistral_chat", {"prompt": "Hi"}, meta=cast("Any", TRACE))

    assert wire.headers[0]["traceparent"].split("-")[1] == TRACE["traceparent"].split("-")[1]


async def test_the_trace_of_an_mcp_request_s_headers_is_passed_on_to_mistral():
    wire = Mistral()
    headers = {"X-Mistral-Api-Key": KEY, **TRACE}
    async with serving(create_app(Settings(), wire)) as base, connect_to(f"{base}/mcp", headers) as mcp:
        await mcp.call_tool("mistral_chat", {"prompt": "Hi"})

    assert wire.headers[0]["traceparent"].split("-")[1] == TRACE["traceparent"].split("-")[1]


class Heard:
    def __init__(self) -> None:
        self.ended: list[tuple[str, int | None, int]] = []

    def exchange_ended(self, exchange: Exchange, status: int | None, seconds: float) -> None:
        assert seconds >= 0
        self.ended.append((exchange.operation, status, exchange.attempts))


async def test_an_observer_hears_of_each_exchange_once():
    heard = Heard()
    upstream = Upstream(Settings(max_retries=0), Mistral(httpx2.Response(500)), heard)
    with pytest.raises(UpstreamError):
        await client(upstream).send(CHAT)
    await client(upstream).send(CHAT)

    chat = "POST /v1/chat/completions"
    assert heard.ended == [(chat, 500, 1), (chat, 200, 1)]
