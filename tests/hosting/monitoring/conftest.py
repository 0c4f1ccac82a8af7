"""Calls to a hosted server, and its /metrics."""

import re
from collections.abc import Awaitable, Callable, Iterable
from itertools import chain
from typing import Any

import httpx2
import pytest
from prometheus_client import Metric
from prometheus_client.samples import Sample

from tests.conftest import KEY
from tests.hosting.conftest import tool_call

Call = Callable[..., Awaitable[None]]
Value = Callable[[str], Awaitable[float]]


def samples_of(families: Iterable[Metric]) -> list[Sample]:
    return list(chain.from_iterable(family.samples for family in families))


@pytest.fixture
def call(http: httpx2.AsyncClient) -> Call:
    async def call(tool: str, arguments: dict[str, Any], url: str = "/mcp", **headers: str) -> None:
        asked = tool_call((tool, arguments))
        response = await http.post(
            url, json=asked["json"], headers=asked["headers"] | {"x-api-key": KEY} | headers
        )
        assert response.status_code == 200

    return call


@pytest.fixture
def value(http: httpx2.AsyncClient) -> Value:
    """What a series says, as it is written, or 0."""

    async def value(series: str) -> float:
        text = (await http.get("/metrics")).text
        found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    return value
