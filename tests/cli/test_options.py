"""Options made from settings."""

import click
import pytest
from click.testing import CliRunner

from mistral_mcp.cli.main import main
from mistral_mcp.cli.options import SECRETS
from mistral_mcp.settings import SETTINGS, Settings


def test_a_shell_completes_the_last_name_of_a_list() -> None:
    asked = {"COMP_WORDS": "mistral-mcp serve --toolsets core,fi", "COMP_CWORD": "3"}
    result = CliRunner().invoke(
        main, [], prog_name="mistral-mcp", env={"_MISTRAL_MCP_COMPLETE": "bash_complete", **asked}
    )

    assert result.output.split() == ["plain,core,files", "plain,core,fine_tuning"]


@pytest.mark.parametrize("command", ["stdio", "serve"])
def test_the_help_of_a_setting_names_its_type_and_its_default(command: str) -> None:
    for option in main.commands[command].params:
        assert isinstance(option, click.Option)
        field = Settings.model_fields[str(option.name)]
        assert option.is_flag or option.metavar or isinstance(option.type, click.Choice), option.name
        if field.default not in (None, ()):
            shown = str(field.default).lower() if isinstance(field.default, bool) else field.default
            assert f"[default: {shown}]" in str(option.help)


def test_every_setting_is_an_option_of_some_command_or_a_secret() -> None:
    options = {option.name for option in main.commands["stdio"].params + main.commands["serve"].params}

    assert set(SETTINGS) - options == set(SECRETS) | VARIABLES_ONLY


VARIABLES_ONLY: set[str] = set()
"""Settings that make no sense as an option."""


def test_the_list_of_commands_shows_each_summary_whole() -> None:
    assert "..." not in CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]
