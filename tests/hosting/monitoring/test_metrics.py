"""/metrics does not grow with names that a client invents."""

import anyio
import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.hosting.monitoring.conftest import Call, samples_of

AT_ONCE = 8


@pytest.mark.parametrize("each", [40, pytest.param(3_400, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
async def test_invented_models_tools_and_methods_leave_few_series(
    http: httpx2.AsyncClient, call: Call, each: int
) -> None:
    http.timeout = httpx2.Timeout(60)  # it may be busy

    async def name_models(numbers: range) -> None:
        for number in numbers:
            await call("mistral_chat", {"prompt": "Hi", "model": f"INVENTED-{number}"})
            await call(f"mistral_INVENTED_{number}", {})
            await http.request(f"INVENTED{number}", "/mcp")

    async with anyio.create_task_group() as tasks:
        for first in range(AT_ONCE):
            tasks.start_soon(name_models, range(first, each, AT_ONCE))
    text = (await http.get("/metrics")).text

    assert "INVENTED" not in text
    assert 'mistral_mcp_tool_calls_total{model="other",outcome="error",tool="mistral_chat"}' in text
    series = samples_of(text_string_to_metric_families(text))
    assert len(series) <= 400
    print(f"{len(series)} series after {each} invented models, as many tools and as many methods")  # noqa: T201
