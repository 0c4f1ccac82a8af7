"""The metrics of tool calls."""

from typing import Any

import httpx2

from mistral_mcp.hosting.monitoring.calls import CallMetrics
from mistral_mcp.hosting.monitoring.metrics import Metrics
from mistral_mcp.mistral.catalog import Catalog
from mistral_mcp.sandbox import Fault, Sandbox
from mistral_mcp.usage.calls import CallRecord
from tests.conftest import every_tool
from tests.hosting.monitoring.conftest import Call, Value, samples_of

SMALL = {"prompt": "Hi", "model": "mistral-small-latest"}


async def test_calls_are_counted_by_tool_model_and_outcome(call: Call, value: Value) -> None:
    await call("mistral_chat", SMALL)
    await call("mistral_chat", SMALL)
    await call("mistral_chat", {"prompt": "Hi", "model": "INVENTED"})
    await call("mistral_chat", {"INVENTED": 1})

    series = 'mistral_mcp_tool_calls_total{{model="{}",outcome="{}",tool="mistral_chat"}}'.format
    assert await value(series("mistral-small-latest", "ok")) == 2
    assert await value(series("other", "error")) == 1
    assert await value(series("none", "error")) == 1
    assert await value('mistral_mcp_tool_seconds_count{outcome="error"}') == 2


async def test_tokens_and_dollars_are_summed_by_model(call: Call, value: Value) -> None:
    await call("mistral_chat", SMALL)

    assert await value('mistral_mcp_tokens_total{kind="prompt",model="mistral-small-latest"}') > 0
    assert await value('mistral_mcp_tokens_total{kind="completion",model="mistral-small-latest"}') > 0
    assert await value('mistral_mcp_cost_usd_total{model="mistral-small-latest"}') > 0
    assert await value("mistral_mcp_unpriced_calls_total") == 0


async def test_failures_are_counted_by_what_failed_them(call: Call, value: Value, sandbox: Sandbox) -> None:
    await call("mistral_chat", {"prompt": "Hi", "model": "INVENTED"})
    await call("mistral_chat", {"INVENTED": 1})
    sandbox.faults.append(Fault(status=401))
    await call("mistral_chat", SMALL)

    for error in ("UnknownModel", "BadArgument", "InvalidApiKey"):
        assert await value(f'mistral_mcp_tool_errors_total{{error="{error}"}}') == 1


async def test_memory_and_descriptors_are_shown(http: httpx2.AsyncClient) -> None:
    text = (await http.get("/metrics")).text

    assert "process_resident_memory_bytes " in text
    assert "process_open_fds " in text


def record(**facts: Any) -> CallRecord:
    known: dict[str, Any] = {
        "ended_at": 0,
        "tool": "mistral_chat",
        "model": None,
        "credentials": None,
        "client": None,
        "route": "direct",
        "outcome": "ok",
        "ms": 1,
        "request_id": "x",
    }
    return CallRecord(**(known | facts))


def test_every_model_with_every_tool_leaves_a_bounded_number_of_series() -> None:
    metrics = Metrics()
    observer = CallMetrics(metrics)
    for tool in every_tool():
        observer.calls_ended([record(tool=tool.name, model=model) for model in Catalog.load()._prices.models])

    assert len(samples_of(metrics.registry.collect())) < 400


async def test_what_alerts_wait_for_is_counted_from_0(http: httpx2.AsyncClient) -> None:
    text = (await http.get("/metrics")).text

    assert 'mistral_mcp_tool_errors_total{error="Crash"} 0.0' in text
    assert 'mistral_mcp_connections_total{event="created"} 0.0' in text


def test_an_error_that_is_none_of_ours_is_a_crash() -> None:
    metrics = Metrics()
    CallMetrics(metrics).calls_ended([record(outcome="error", error="ZeroDivisionError")])

    assert metrics.registry.get_sample_value("mistral_mcp_tool_errors_total", {"error": "Crash"}) == 1
