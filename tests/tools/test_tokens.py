"""The tools' size in a context has an upper limit."""

import pytest

from mistral_mcp import tools

tokens = pytest.importorskip("benchmarks.tokens", reason="the benchmarks are not here, or mistral-common is not")


def test_a_context_can_pay_for_the_tools() -> None:
    costs = tokens.costs()
    each: dict[str, int] = {}
    for toolset in costs.values():
        each.update(toolset)

    default = sum(sum(costs[toolset].values()) for toolset in tools.DEFAULT)
    # Beside what keeps results, the tool that reads them is offered.
    assert default + costs["files"]["mistral_read_result"] <= 1_500
    # `all` leaves out the retired ones.
    assert sum(each.values()) - sum(costs["fine_tuning"].values()) <= 7_500
    assert sum(costs["api"].values()) <= 700
    assert max(each.values()) <= 520
