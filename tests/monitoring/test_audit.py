"""One line of the log for each tool call, with the members that the contract names."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from mcp.client import Client
from mcp_types import Implementation

from mistral_mcp import Settings, create_server
from mistral_mcp.credentials import from_key
from mistral_mcp.http.app import create_app
from mistral_mcp.logs import JsonFormatter, TextFormatter
from mistral_mcp.monitoring.audit import AuditLog, client_label
from mistral_mcp.sandbox import Fault, Sandbox
from mistral_mcp.usage.calls import RunningCall
from tests.conftest import KEY, connect_to, serving

MEMBERS = {
    "event",
    "request_id",
    "correlation_id",
    "connection_id",
    "client",
    "tool",
    "model",
    "route",
    "outcome",
    "status",
    "attempts",
    "ms",
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
}
ENVELOPE = {"time", "level", "logger", "message"}
CHAT = ("mistral_chat", {"prompt": "MARKED", "model": "mistral-small-latest"})


class Lines(logging.Handler):
    """What is logged, as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(JsonFormatter().format(record)))


@pytest.fixture
def audit(caplog: pytest.LogCaptureFixture) -> Iterator[list[dict[str, Any]]]:
    caplog.set_level(logging.INFO)
    handler = Lines()
    logger = logging.getLogger("mistral_mcp.audit")
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)


async def call(url: str, tool: str, arguments: dict[str, Any], *, client: str = "test", **settings: Any) -> None:
    server = create_server(Settings.model_validate({"route": url, **settings}), from_key(KEY))
    async with Client(server, client_info=Implementation(name=client, version="1.0")) as mcp:
        await mcp.call_tool(tool, arguments)


async def test_a_call_is_one_line_with_the_contract_s_members(
    mistral_url: str, audit: list[dict[str, Any]]
) -> None:
    await call(mistral_url, *CHAT, client="claude-code")
    [line] = audit

    assert set(line) == MEMBERS | ENVELOPE
    assert (line["event"], line["tool"], line["model"]) == ("tool_call", "mistral_chat", "mistral-small-latest")
    assert (line["client"], line["route"], line["connection_id"]) == ("claude-code", "base", None)
    assert (line["outcome"], line["status"], line["attempts"]) == ("ok", 200, 1)
    assert line["prompt_tokens"] > 0
    assert line["completion_tokens"] > 0
    assert line["cost_usd"] > 0
    assert line["ms"] > 0
    assert line["request_id"]
    assert line["correlation_id"]


def test_a_line_has_the_time_at_which_the_call_ended(audit: list[dict[str, Any]]) -> None:
    AuditLog().calls_ended([RunningCall("mistral_chat", "base").record()._replace(ended_at=1_000_000.25)])

    assert [line["time"] for line in audit] == ["1970-01-12T13:46:40.250+00:00"]


async def test_a_failed_call_says_how_it_failed(
    mistral_url: str, sandbox: Sandbox, audit: list[dict[str, Any]]
) -> None:
    sandbox.faults.append(Fault(status=500, times=None))
    await call(mistral_url, *CHAT, max_retries=1)
    [line] = audit

    assert (line["outcome"], line["status"], line["attempts"]) == ("error", 500, 2)
    assert (line["prompt_tokens"], line["completion_tokens"], line["cost_usd"]) == (0, 0, 0)


async def test_a_call_that_was_refused_here_has_its_line_too(
    mistral_url: str, audit: list[dict[str, Any]]
) -> None:
    await call(mistral_url, "mistral_chat", {"INVENTED": 1})
    [line] = audit

    assert (line["tool"], line["outcome"], line["status"], line["attempts"]) == ("mistral_chat", "error", None, 0)
    assert "INVENTED" not in json.dumps(line)


async def test_names_that_a_caller_invents_are_other(mistral_url: str, audit: list[dict[str, Any]]) -> None:
    await call(mistral_url, "mistral_chat", {"prompt": "Hi", "model": "INVENTED-model"}, client="INVENTED-client")
    [line] = audit

    assert (line["model"], line["client"]) == ("other", "other")
    assert "INVENTED" not in json.dumps(line)


async def test_a_client_of_2025_is_known_by_its_user_agent(mistral_url: str, audit: list[dict[str, Any]]) -> None:
    headers = {"X-API-Key": KEY, "User-Agent": "claude-code/2.1.0 (cli)"}
    async with (
        serving(create_app(Settings(route=mistral_url))) as base,
        connect_to(f"{base}/mcp", headers, "legacy") as mcp,
    ):
        await mcp.call_tool(*CHAT)

    assert [line["client"] for line in audit] == ["claude-code"]


@pytest.mark.parametrize(
    ("told", "label"),
    [
        (None, None),
        ("Visual Studio Code 1.99", "vscode"),
        ("cursor-vscode 1.0", "cursor"),
        ("claude-ai 0.1.0", "claude"),
        ("codex-mcp-client 0.98", "codex"),
        ("gemini-cli-mcp-client 1", "gemini"),
        ("somebody's own 1.0", "other"),
        ("", "other"),
    ],
)
def test_clients_are_distinguished_by_names_that_are_known(told: str | None, label: str | None) -> None:
    assert client_label(told) == label


async def test_as_text_it_reads_from_left_to_right(mistral_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await call(mistral_url, *CHAT)
    [record] = [record for record in caplog.records if record.name == "mistral_mcp.audit"]
    line = TextFormatter().format(record)

    assert " INFO mistral_mcp.audit: tool_call request_id=" in line
    assert " tool=mistral_chat model=mistral-small-latest route=base outcome=ok status=200 attempts=1 ms=" in line
    assert "connection_id" not in line
