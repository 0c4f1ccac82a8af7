"""`mistral-mcp tools`."""

from tests.cli.commands import run


def test_tools_lists_what_a_caller_would_get() -> None:
    result = run("tools", "--toolsets", "models")

    assert [line.split()[1] for line in result.output.splitlines()] == ["mistral_list_models", "mistral_get_model"]
