"""Settings from the environment."""

from collections.abc import Mapping

import pytest

from mistral_mcp.cli.environment import settings_from, warn_about_unknown_names
from mistral_mcp.cli.main import main
from mistral_mcp.cli.options import command_variables
from mistral_mcp.errors import BadSetting


def test_options_go_before_the_environment_and_the_environment_before_defaults() -> None:
    environment = {"MISTRAL_MCP_CHAT_MODEL": "from-the-environment", "MISTRAL_MCP_TIMEOUT": "7", "MISTRAL_MCP_PORT": ""}
    settings = settings_from(environment, {"chat_model": "from-an-option", "timeout": None})

    assert (settings.chat_model, settings.timeout, settings.port) == ("from-an-option", 7, 8000)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"MISTRAL_MCP_TIMEOUT": "soon"}, "MISTRAL_MCP_TIMEOUT cannot be used: input should be a valid number"),
        ({"MISTRAL_MCP_ROUTE": "ftp://x"}, "MISTRAL_MCP_ROUTE cannot be used: it must be direct, eu, us"),
        ({"MISTRAL_MCP_ROUTE": "http://mistral.example"}, "http:// is for loopback only"),
        *(
            ({"MISTRAL_MCP_ROUTE": f"https://{place}/"}, "MISTRAL_MCP_ROUTE cannot be used: a base URL has a host")
            for place in ("abc:99999", "abc:0", "abc:soon", "ab c", "ab\tc", "ab<c", "[abc", "abc/soon maybe")
        ),
        ({"MISTRAL_MCP_TOOLSETS": ","}, "MISTRAL_MCP_TOOLSETS cannot be used: it names no toolset."),
        ({"MISTRAL_MCP_ROUTE": "lava://byok"}, "need ROUTE_TOKEN"),
        ({"MISTRAL_MCP_MASTER_KEYS": "abc"}, "MISTRAL_MCP_MASTER_KEYS cannot be used: each key is 64 hex digits"),
        ({"MISTRAL_MCP_SIGNUP": "maybe"}, "MISTRAL_MCP_SIGNUP cannot be used"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_in_one_sentence_and_not_repeated(
    environment: Mapping[str, str], words: str
) -> None:
    with pytest.raises(BadSetting) as raised:
        settings_from(environment, {})
    assert words in str(raised.value)
    assert not any(value in str(raised.value) for value in ("abc", "soon", "maybe"))


@pytest.mark.parametrize(
    "route", ["https://host:8443/base", "https://192.0.2.1", "https://[2001:db8::1]:443", "https://bücher.example"]
)
def test_a_base_url_is_taken_as_it_is(route: str) -> None:
    assert str(settings_from({"MISTRAL_MCP_ROUTE": route}, {}).route) == route


def test_an_unknown_setting_is_warned_about_with_the_nearest(caplog: pytest.LogCaptureFixture) -> None:
    environment = {"MISTRAL_MCP_CHATMODEL": "x", f"MISTRAL_MCP_{'Q' * 60}": "x", "MISTRAL_MCP_INSTALL_NAME": "x"}
    warn_about_unknown_names(environment, command_variables(main))
    assert caplog.messages == [
        "Unknown setting MISTRAL_MCP_CHATMODEL; did you mean MISTRAL_MCP_CHAT_MODEL?",
        f"Unknown setting MISTRAL_MCP_{'Q' * 60}.",
    ]


def test_what_kubernetes_injects_is_passed_over_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    environment = {
        "MISTRAL_MCP_PORT": "tcp://10.0.0.1:8000",
        "MISTRAL_MCP_PORT_8000_TCP_ADDR": "10.0.0.1",
        "MISTRAL_MCP_SERVICE_HOST": "10.0.0.1",
        "MISTRAL_MCP_SERVICE_PORT": "8000",
    }
    assert settings_from(environment, {}).port == 8000
    warn_about_unknown_names(environment, ())
    assert not caplog.text
