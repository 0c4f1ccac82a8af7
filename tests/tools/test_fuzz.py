"""Whatever fits a tool's schema, and whatever nearly does: an answer or a refusal, never a crash.

The sandbox is strict, so a request that Mistral would call malformed shows in the result.
"""

from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mistral_mcp.sandbox import Sandbox, serve_app
from mistral_mcp.tools.framework.adapter import MistralTool
from tests.conftest import connect_in_memory, every_tool, text_of

TOOLS = every_tool()
# What Mistral says of members that it does not know, or misses: our mistakes, whatever the caller sent.
MALFORMED = ("Extra inputs are not permitted", "Field required")
PASSED_ON = {"hyperparameters"}
"""Members that are Mistral's own business, and go out as the caller wrote them."""

pytestmark = pytest.mark.slow

WORDS = st.sampled_from(["a", "Paris", "mistral-small-latest", "0", "[1]", "", " ", "ü" * 40, "a/b", "../x", "{}"])
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2**40), st.floats(-2, 3), WORDS, st.just([]), st.just({})
)


def values_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one for each type
    """Values that a schema of ours allows."""
    if "anyOf" in schema:
        return st.one_of([values_of(arm) for arm in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "string":
            return WORDS | st.text(max_size=30)
        case "integer":
            return st.integers(schema.get("minimum", 0), min(schema.get("maximum", 100), 100))
        case "number":
            return st.floats(schema.get("minimum", 0.01), schema.get("maximum", 1))
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(values_of(schema.get("items", {})), max_size=3)
        case "object":
            return st.fixed_dictionaries(
                {}, optional={name: values_of(inner) for name, inner in schema.get("properties", {}).items()}
            ) | st.sampled_from(
                [{"role": "user", "content": "Hi"}, {"name": "f", "parameters": {"type": "object"}}]
            )
        case _:
            return ANYTHING


def arguments(tool: MistralTool) -> st.SearchStrategy[dict[str, Any]]:
    """All that is required and some of the rest; sometimes one of them replaced, left out or added."""
    properties, required = tool.parameters["properties"], tool.parameters.get("required", ())
    valid = st.fixed_dictionaries(
        {name: values_of(properties[name]) for name in required},
        optional={name: values_of(schema) for name, schema in properties.items() if name not in required},
    )
    spoilt = st.tuples(valid, st.sampled_from([*properties, "zzz"]), ANYTHING)
    left_out = st.tuples(valid, st.sampled_from([*required] or ["zzz"]))
    return st.one_of(
        valid,
        spoilt.map(lambda parts: {**parts[0], parts[1]: parts[2]}),
        left_out.map(lambda parts: {name: value for name, value in parts[0].items() if name != parts[1]}),
    )


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
@given(data=st.data())
def test_any_arguments_get_an_answer_or_a_refusal(tool: MistralTool, data: st.DataObject) -> None:
    calls = data.draw(st.lists(arguments(tool), min_size=12, max_size=12))

    async def ask() -> None:
        with anyio.fail_after(20):
            async with (
                serve_app(Sandbox()) as url,
                connect_in_memory(url, toolsets="all,fine_tuning", max_retries=0, timeout=10) as client,
            ):
                for call in calls:
                    result = await client.call_tool(tool.name, call)
                    text = text_of(result)
                    assert "Error executing tool" not in text, call
                    if not PASSED_ON & call.keys():
                        assert not any(words in text for words in MALFORMED), (call, text)
                    assert result.is_error or result.structured_content is not None

    anyio.run(ask)
