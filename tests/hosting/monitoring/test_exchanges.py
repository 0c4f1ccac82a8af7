"""The metrics of exchanges with Mistral."""

from typing import Any

import httpx2
import pytest

from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import KEY
from tests.hosting.monitoring.conftest import Call, Value

CHAT = ("mistral_chat", {"prompt": "Hi"})
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


async def test_each_exchange_is_counted_by_status_and_measured_by_the_section_of_the_api(
    call: Call, value: Value
) -> None:
    await call(*CHAT)
    await call(*CHAT)
    await call("mistral_get_file", {"file_id": "00000000-0000-4000-8000-000000000000"}, "/mcp?toolsets=files")

    assert await value('mistral_mcp_upstream_exchanges_total{route="base",status="200"}') == 2
    assert await value('mistral_mcp_upstream_exchanges_total{route="base",status="404"}') == 1
    assert await value('mistral_mcp_upstream_seconds_count{api="chat"}') == 2
    assert await value('mistral_mcp_upstream_seconds_count{api="files"}') == 1


async def test_retries_are_counted(call: Call, value: Value, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(status=503))
    await call(*CHAT)

    assert await value("mistral_mcp_upstream_retries_total") == 1
    assert await value('mistral_mcp_upstream_exchanges_total{route="base",status="200"}') == 1


@pytest.fixture
def slow_pace(hosting: dict[str, Any]) -> None:
    """Before `http` in a test's arguments: the server is built with it."""
    hosting.update(requests_per_second=0.2, timeout=1)


async def test_waits_for_a_turn_are_counted_and_a_call_that_gets_none_is_unsent(
    slow_pace: None, call: Call, value: Value, sandbox: Sandbox
) -> None:
    await call(*CHAT)
    await call(*CHAT)

    assert len(sandbox.requests) == 1
    assert await value('mistral_mcp_upstream_exchanges_total{route="base",status="unsent"}') == 1
    assert await value('mistral_mcp_upstream_seconds_count{api="chat"}') == 1


async def test_a_trace_that_is_recorded_is_the_exemplar_of_a_duration_for_those_who_ask_for_openmetrics(
    http: httpx2.AsyncClient, call: Call
) -> None:
    await call(*CHAT, traceparent=f"00-{TRACE_ID}-b7ad6b7169203331-01")
    accept = {"accept": "application/openmetrics-text; version=1.0.0, text/plain;version=0.0.4;q=0.5"}
    response = await http.get("/metrics", headers=accept)

    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert f'# {{trace_id="{TRACE_ID}"}}' in response.text
    assert response.text.endswith("# EOF\n")
    plain = await http.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    assert TRACE_ID not in plain.text


@pytest.mark.parametrize("trace", ["nonsense", f"00-{TRACE_ID}-b7ad6b7169203331-00"])
async def test_a_trace_that_nobody_records_is_no_exemplar(
    http: httpx2.AsyncClient, call: Call, trace: str
) -> None:
    await call(*CHAT, traceparent=trace)
    text = (await http.get("/metrics", headers={"accept": "application/openmetrics-text"})).text

    assert "trace_id" not in text


async def test_checking_a_key_for_a_new_connection_is_an_exchange_too(
    http: httpx2.AsyncClient, value: Value
) -> None:
    made = await http.post("/connections", json={"api_key": KEY})

    assert made.status_code == 201
    assert await value('mistral_mcp_upstream_seconds_count{api="models"}') == 1
