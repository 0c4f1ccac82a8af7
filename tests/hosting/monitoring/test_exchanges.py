"""What /metrics says of exchanges with Mistral."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mistral_mcp import Settings
from mistral_mcp.hosting.app import create_app
from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import KEY, serving
from tests.hosting.conftest import tool_call

CHAT = ("mistral_chat", {"prompt": "Hi"})
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def hosting(mistral_url: str, tmp_path: Path) -> dict[str, Any]:
    return {"route": mistral_url, "data_dir": tmp_path / "data"}


@pytest.fixture
async def http(hosting: dict[str, Any]) -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        serving(create_app(Settings.model_validate(hosting))) as base,
        httpx2.AsyncClient(base_url=base, headers={"X-API-Key": KEY}) as client,
    ):
        yield client


async def call(
    http: httpx2.AsyncClient, tool: tuple[str, dict[str, Any]], url: str = "/mcp", **headers: str
) -> None:
    asked = tool_call(tool)
    response = await http.post(url, json=asked["json"], headers=asked["headers"] | headers)
    assert response.status_code == 200


async def value(http: httpx2.AsyncClient, series: str) -> float:
    text = (await http.get("/metrics")).text
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_each_exchange_is_counted_by_status_and_measured_by_the_section_of_the_api(
    http: httpx2.AsyncClient,
) -> None:
    await call(http, CHAT)
    await call(http, CHAT)
    await call(
        http, ("mistral_get_file", {"file_id": "00000000-0000-4000-8000-000000000000"}), "/mcp?toolsets=files"
    )

    assert await value(http, 'mistral_mcp_upstream_exchanges_total{route="base",status="200"}') == 2
    assert await value(http, 'mistral_mcp_upstream_exchanges_total{route="base",status="404"}') == 1
    assert await value(http, 'mistral_mcp_upstream_seconds_count{api="chat"}') == 2
    assert await value(http, 'mistral_mcp_upstream_seconds_count{api="files"}') == 1


async def test_retries_are_counted(http: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(status=503))
    await call(http, CHAT)

    assert await value(http, "mistral_mcp_upstream_retries_total") == 1
    assert await value(http, 'mistral_mcp_upstream_exchanges_total{route="base",status="200"}') == 1


async def test_waits_for_a_turn_are_counted_and_a_call_that_gets_none_is_unsent(
    hosting: dict[str, Any], sandbox: Sandbox
) -> None:
    settings = Settings.model_validate(hosting | {"requests_per_second": 0.2, "timeout": 1})
    async with (
        serving(create_app(settings)) as base,
        httpx2.AsyncClient(base_url=base, headers={"X-API-Key": KEY}) as http,
    ):
        await call(http, CHAT)
        await call(http, CHAT)

        assert len(sandbox.requests) == 1
        assert await value(http, 'mistral_mcp_upstream_exchanges_total{route="base",status="unsent"}') == 1
        assert await value(http, 'mistral_mcp_upstream_seconds_count{api="chat"}') == 1


async def test_a_trace_that_is_recorded_is_the_exemplar_of_a_duration_for_those_who_ask_for_openmetrics(
    http: httpx2.AsyncClient,
) -> None:
    await call(http, CHAT, traceparent=f"00-{TRACE_ID}-b7ad6b7169203331-01")
    accept = {"accept": "application/openmetrics-text; version=1.0.0, text/plain;version=0.0.4;q=0.5"}
    response = await http.get("/metrics", headers=accept)

    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert f'# {{trace_id="{TRACE_ID}"}}' in response.text
    assert response.text.endswith("# EOF\n")
    plain = await http.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    assert TRACE_ID not in plain.text


@pytest.mark.parametrize("trace", ["nonsense", f"00-{TRACE_ID}-b7ad6b7169203331-00"])
async def test_a_trace_that_nobody_records_is_no_exemplar(http: httpx2.AsyncClient, trace: str) -> None:
    await call(http, CHAT, traceparent=trace)
    text = (await http.get("/metrics", headers={"accept": "application/openmetrics-text"})).text

    assert "trace_id" not in text


async def test_checking_a_key_for_a_new_connection_is_an_exchange_too(http: httpx2.AsyncClient) -> None:
    made = await http.post("/connections", json={"api_key": KEY})

    assert made.status_code == 201
    assert await value(http, 'mistral_mcp_upstream_seconds_count{api="models"}') == 1
