"""What the tools cost a context has a ceiling."""

import pytest

from mistral_mcp import tools

tokens = pytest.importorskip("benchmarks.tokens", reason="the benchmarks are not here, or mistral-common is not")


def test_a_context_can_pay_for_the_tools() -> None:
    costs = tokens.costs()
    each = {name: cost for toolset in costs.values() for name, cost in toolset.items()}

    assert sum(sum(costs[name].values()) for name in tools.DEFAULT) <= 1_700
    assert sum(each.values()) <= 8_300
    assert sum(costs["api"].values()) <= 700
    assert max(each.values()) <= 520
