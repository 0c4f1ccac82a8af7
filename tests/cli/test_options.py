"""Options made from settings."""

from click.testing import CliRunner

from mistral_mcp.cli.main import main


def test_a_shell_completes_the_last_name_of_a_list() -> None:
    asked = {"COMP_WORDS": "mistral-mcp serve --toolsets core,fi", "COMP_CWORD": "3"}
    result = CliRunner().invoke(
        main, [], prog_name="mistral-mcp", env={"_MISTRAL_MCP_COMPLETE": "bash_complete", **asked}
    )

    assert result.output.split() == ["plain,core,files", "plain,core,fine_tuning"]
