"""Settings from the environment."""

import gc
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from mcp.server.runner import ServerRunner

from mistral_mcp.cli.environment import (
    api_key,
    free_requests_at_once,
    settings_from,
    warn_about_unknown_names,
)
from mistral_mcp.cli.main import main
from mistral_mcp.cli.options import SECRETS, command_variables
from mistral_mcp.errors import BadSetting
from mistral_mcp.http.app import create_app
from mistral_mcp.settings import Settings
from tests.cli.commands import run
from tests.conftest import KEY, connect_to, serving


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_server_leaves_no_memory_for_others_to_read() -> None:
    program = (
        "import ctypes, resource; from mistral_mcp.cli.environment import forbid_core_dumps; forbid_core_dumps(); "
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0], ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603

    assert found.stdout.split() == ["0", "0"]


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_what_a_request_took_is_freed_with_its_answer(
    mode: str, mistral_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("on_request", "on_notify"):
        monkeypatch.setattr(ServerRunner, name, vars(ServerRunner)[name])  # put back afterwards
    free_requests_at_once()

    async with (
        serving(create_app(Settings(route=mistral_url))) as base,
        connect_to(f"{base}/mcp", {"x-mistral-api-key": KEY}, mode) as client,
    ):
        result = await client.call_tool("mistral_chat", {"prompt": "Hello"})
        with anyio.fail_after(5):
            while any(type(each) is ServerRunner for each in gc.get_objects()):
                await anyio.lowlevel.checkpoint()

    assert not result.is_error


def test_options_go_before_the_environment_and_the_environment_before_defaults() -> None:
    environment = {
        "MISTRAL_MCP_CHAT_MODEL": "from-the-environment",
        "MISTRAL_MCP_TIMEOUT": "7",
        "MISTRAL_MCP_PORT": "",
    }
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
        ({"MISTRAL_MCP_TOOLSETS": ","}, "MISTRAL_MCP_TOOLSETS cannot be used: it must name a toolset."),
        ({"MISTRAL_MCP_ROUTE": "lava://byok"}, "need ROUTE_TOKEN"),
        ({"MISTRAL_MCP_MASTER_KEYS": "abc"}, "MISTRAL_MCP_MASTER_KEYS cannot be used: each key is 64 hex digits"),
        ({"MISTRAL_MCP_SIGNUP": "maybe"}, "MISTRAL_MCP_SIGNUP cannot be used"),
        ({"MISTRAL_MCP_SIGNUP": "code"}, "SIGNUP=code needs SIGNUP_CODE"),
        ({"MISTRAL_MCP_SIGNUP_CODE": "maybe"}, "SIGNUP_CODE has an effect only with SIGNUP=code"),
        ({"MISTRAL_MCP_LOG_LEVEL": "loudly"}, "MISTRAL_MCP_LOG_LEVEL cannot be used"),
        ({"MISTRAL_MCP_METRICS_TOKEN_FILE": "/nowhere/soon"}, "MISTRAL_MCP_METRICS_TOKEN_FILE cannot be used"),
    ],
)
def test_a_value_that_cannot_be_used_is_reported_in_one_sentence_and_not_repeated(
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


def test_what_kubernetes_injects_is_ignored_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    environment = {
        "MISTRAL_MCP_PORT": "tcp://10.0.0.1:8000",
        "MISTRAL_MCP_PORT_8000_TCP_ADDR": "10.0.0.1",
        "MISTRAL_MCP_SERVICE_HOST": "10.0.0.1",
        "MISTRAL_MCP_SERVICE_PORT": "8000",
    }
    assert settings_from(environment, {}).port == 8000
    warn_about_unknown_names(environment, ())
    assert not caplog.text


def test_a_value_that_came_as_an_option_is_refused_by_the_option_s_name():
    with pytest.raises(BadSetting, match=r"^--port cannot be used"):
        settings_from({"MISTRAL_MCP_PORT": "8000"}, {"port": "abc"})


@pytest.mark.parametrize(
    ("pasted", "route"),
    [
        ("https://api.mistral.ai/v1", "direct"),
        ("https://api.mistral.ai/", "direct"),
        ("https://API.mistral.ai/v1/chat/completions", "direct"),
        ('"https://api.eu.mistral.ai/v1/"', "eu"),
        ("https://gateway.example/mistral/v1", "https://gateway.example/mistral"),
        ("https://gateway.example/v1/mistral", "https://gateway.example/v1/mistral"),
        ("https://gateway.example/v1x", "https://gateway.example/v1x"),
    ],
)
def test_a_base_url_that_was_copied_with_its_path_does_not_double_it(pasted: str, route: str) -> None:
    assert str(settings_from({"MISTRAL_MCP_ROUTE": pasted}, {}).route) == route


@pytest.mark.parametrize("level", ["warn", "WARN", "Warning", "warning", "debug", "info", "error"])
def test_the_usual_names_of_levels_are_known(level: str) -> None:
    assert (
        settings_from({"MISTRAL_MCP_LOG_LEVEL": level}, {}).log_level
        == level.upper().replace("WARN", "WARNING")[:7]
    )
    assert run("tools", "--toolsets", "models", MISTRAL_MCP_LOG_LEVEL=level).exit_code == 0


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    settings = settings_from({"MISTRAL_MCP_FILES_DIR": "~/docs", "MISTRAL_MCP_DATA_DIR": "~"}, {})

    assert (settings.files_dir, settings.data_dir) == (tmp_path / "docs", tmp_path)


SECRET_VALUES = {
    "route_token": "a-token",
    "master_keys": "5" * 64 + "," + "6" * 64,
    "signup_code": "a-code",
    "metrics_token": "a-token",
    "database_url": "sqlite:////tmp/x.db",
    "redis_url": "redis://localhost",
}


def test_every_setting_that_holds_a_secret_is_among_the_secrets() -> None:
    secret = [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]

    assert sorted(SECRETS) == sorted(secret) == sorted(SECRET_VALUES)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_comes_from_a_file_where_one_is_named(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET_VALUES[name].replace(",", "\n") + "\n")
    signup = {"MISTRAL_MCP_SIGNUP": "code"} if name == "signup_code" else {}
    variable = f"MISTRAL_MCP_{name.upper()}"

    from_file = settings_from({f"{variable}_FILE": str(file), **signup}, {})
    from_variable = settings_from({variable: SECRET_VALUES[name], **signup}, {})
    warn_about_unknown_names({f"{variable}_FILE": str(file)}, ())

    assert getattr(from_file, name) == getattr(from_variable, name)
    assert caplog.messages == []
    with pytest.raises(BadSetting, match="both set"):
        settings_from({variable: SECRET_VALUES[name], f"{variable}_FILE": str(file), **signup}, {})


def test_the_key_comes_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("tEsTkEy0123456789\n")

    assert api_key({"MISTRAL_API_KEY_FILE": str(file)}) == "tEsTkEy0123456789"
    with pytest.raises(BadSetting, match="MISTRAL_API_KEY_FILE cannot be used"):
        api_key({"MISTRAL_API_KEY_FILE": str(tmp_path / "no")})
    with pytest.raises(BadSetting, match="empty"):
        api_key({"MISTRAL_API_KEY_FILE": os.devnull})
