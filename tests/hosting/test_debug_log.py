"""A whole run at LOG_LEVEL=DEBUG with every tool, page and endpoint: nothing that a caller wrote is logged."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import every_tool
from tests.hosting.conftest import tool_call
from tests.monitoring.test_audit import MEMBERS

pytestmark = pytest.mark.slow

MARK = "mArKeD"
"""In whatever a caller writes."""
KEY = f"{MARK}kEy0123456789abcdefghijklmn1"
OWN_KEY = f"{MARK}kEy0123456789abcdefghijklmn2"
TOOLS = {tool.name: tool for tool in every_tool()}
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
AUDITED = {"time", *MEMBERS}

# Calls that succeed. `@name` stands for the id, or handle, that an earlier tool's answer had.
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("mistral_chat", {"prompt": MARK, "system": MARK, "images": [PNG]}),
    ("mistral_chat", {"prompt": MARK, "json_schema": {"type": "object", "properties": {MARK: {"type": "string"}}}}),
    ("mistral_embed", {"inputs": [MARK]}),
    ("mistral_rank", {"query": MARK, "documents": [MARK, "b"]}),
    ("mistral_function_call", {"prompt": MARK, "functions": [{"name": MARK, "description": MARK}]}),
    ("mistral_code_complete", {"prompt": f"def {MARK}(", "suffix": MARK}),
    ("mistral_moderate", {"inputs": [MARK]}),
    ("mistral_list_models", {"search": MARK}),
    ("mistral_upload_file", {"filename": f"{MARK}.txt", "purpose": "ocr", "content": f"{MARK} " * 10_000}),
    ("mistral_get_file", {"file_id": "@mistral_upload_file"}),
    ("mistral_get_file_url", {"file_id": "@mistral_upload_file"}),
    ("mistral_download_file", {"file_id": "@mistral_upload_file"}),
    ("mistral_request_upload", {"purpose": "ocr"}),
    ("mistral_read_result", {"handle": "@mistral_download_file"}),
    ("mistral_ocr", {"document": f"https://example.com/{MARK}.pdf"}),
    ("mistral_speak", {"text": MARK}),
    ("mistral_create_batch_job", {"endpoint": "/v1/chat/completions", "model": "mistral-small-latest"}
     | {"requests": [{"body": {"messages": [{"role": "user", "content": MARK}]}}]}),
    ("mistral_get_batch_job", {"job_id": "@mistral_create_batch_job"}),
    ("mistral_get_batch_results", {"job_id": "@mistral_create_batch_job"}),
    ("mistral_start_conversation", {"prompt": MARK}),
    ("mistral_append_conversation", {"conversation_id": "@mistral_start_conversation", "prompt": MARK}),
    ("mistral_get_conversation", {"conversation_id": "@mistral_start_conversation"}),
    ("mistral_create_library", {"name": MARK}),
    ("mistral_add_document", {"library_id": "@mistral_create_library", "filename": f"{MARK}.txt", "content": MARK}),
    ("mistral_list_documents", {"library_id": "@mistral_create_library"}),
    ("mistral_compare", {"models": ["mistral-small-latest", "mistral-large-latest"], "prompt": MARK}),
    ("mistral_web_search", {"query": MARK}),
    ("mistral_api_search", {"query": MARK}),
    ("mistral_api_read", {"operation": "models.list"}),
    ("mistral_delete_file", {"file_id": "@mistral_upload_file"}),
    ("mistral_delete_library", {"library_id": "@mistral_create_library"}),
    ("mistral_delete_conversation", {"conversation_id": "@mistral_start_conversation"}),
]  # fmt: skip


def invent_arguments(tool: str) -> dict[str, Any]:
    """What the tool's schema requires, all of it marked."""
    schema = TOOLS[tool].parameters
    return {name: mark_value(schema["properties"][name]) for name in schema.get("required", ())}


def mark_value(schema: dict[str, Any]) -> Any:
    if schema.get("enum"):
        return schema["enum"][0]
    match schema.get("type"):
        case "array":
            return [mark_value(schema["items"]), mark_value(schema["items"])]
        case "object":
            return {MARK: MARK}
        case _:
            return MARK


@contextmanager
def serve(log: Path, **settings: str) -> Iterator[str]:
    """A process of its own, with its log in a file."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {f"MISTRAL_MCP_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "mistral_mcp", "serve", "--port", str(port)]
    with log.open("wb") as file, subprocess.Popen(command, stderr=file, env=environment) as process:  # noqa: S603
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


class Client:
    """Sends marked messages, and remembers each id that it was given."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.ids: dict[str, str] = {}
        self.secrets = {MARK}

    async def ready(self) -> None:
        with anyio.fail_after(30):
            while True:
                try:
                    return (await self.http.get("/readyz")).raise_for_status() and None
                except httpx2.TransportError:
                    await anyio.sleep(0.05)  # until the process listens

    async def call(self, url: str, tool: str, arguments: dict[str, Any], **headers: str) -> dict[str, Any]:
        """The tool's result."""
        asked = tool_call((tool, arguments))
        message = asked["json"] | {"id": f"{MARK}-id"}
        message["params"]["_meta"] |= {"io.modelcontextprotocol/clientInfo": {"name": MARK, "version": MARK}}
        response = await self.http.post(url, json=message, headers=asked["headers"] | headers)
        assert response.status_code == 200, response.text
        result: dict[str, Any] = json.loads(re.sub(r"^.*?data: ", "", response.text, flags=re.DOTALL))["result"]
        content = result.get("structuredContent") or {}
        content |= content.get("kept") or {}
        known = content.get("conversation_id") or content.get("id") or content.get("handle")
        if known:
            self.ids[tool] = known
            self.secrets.add(known)
        return result

    def fill(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {
            name: self.ids[value[1:]] if isinstance(value, str) and value.startswith("@") else value
            for name, value in arguments.items()
        }


@pytest.fixture(params=["json", "text"])
def form(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def log(form: str, mistral_url: str, sandbox: Sandbox, tmp_path: Path) -> tuple[str, Client]:
    """What a whole run logged."""
    path = tmp_path / "log"
    options = {"log_level": "DEBUG", "log_format": form, "data_dir": str(tmp_path / "data"), "route": mistral_url}
    with serve(path, **options) as base:
        async with httpx2.AsyncClient(
            base_url=base, timeout=60, headers={"user-agent": MARK, "traceparent": MARK}
        ) as http:
            client = Client(http)
            await client.ready()
            await run(client, sandbox)
    return path.read_text(), client


async def run(client: Client, sandbox: Sandbox) -> None:
    http = client.http
    made = (await http.post("/connections", json={"api_key": KEY, "label": MARK})).json()
    client.secrets |= {made["token"], made["token"].removeprefix("mmcp_")}
    url = f"{made['url']}?toolsets=all,fine_tuning&read_only=false&x={MARK}"
    for tool, arguments in CALLS:
        result = await client.call(url, tool, client.fill(arguments))
        assert not result.get("isError"), (tool, result["content"])
    for tool in TOOLS:
        await client.call(url, tool, invent_arguments(tool))
    for fault in (Fault.json_in_message(MARK), Fault.plain_text(503, MARK), Fault.invalid_model(MARK)):
        sandbox.faults.append(fault)
        await client.call(url, "mistral_chat", {"prompt": MARK})
    await client.call("/mcp", "mistral_chat", {"prompt": MARK, "model": MARK}, **{"x-mistral-api-key": OWN_KEY})
    await client.call("/mcp", MARK, {MARK: MARK}, **{"x-mistral-api-key": OWN_KEY})
    bearer = {"authorization": f"Bearer {made['token']}"}
    await http.patch("/connections/current", headers=bearer, json={"label": MARK})
    rotated = (await http.post("/connections/current/rotate", headers=bearer)).json()
    client.secrets.add(rotated["token"])
    await http.delete("/connections/current", headers={"authorization": f"Bearer {rotated['token']}"})
    for path in (f"/{MARK}", f"/c/{MARK}/mcp", f"/results/{MARK}", f"/uploads/{MARK}", f"/static/{MARK}"):
        for method in ("GET", "POST", MARK):
            await http.request(method, path, content=MARK, params={MARK: MARK})
    await http.post("/register", json={"client_name": MARK, "redirect_uris": [f"https://{MARK}.example/cb"]})
    await http.get("/authorize", params={"client_id": f"https://{MARK}.example", "state": MARK})
    await http.post("/token", data={"grant_type": "authorization_code", "code": MARK, "client_id": MARK})
    await http.post("/manage", data={"token": MARK})
    await http.post("/mcp", content=f'{{"{MARK}": {MARK}', headers={"x-api-key": OWN_KEY})
    await http.post("/mcp", json={"jsonrpc": "2.0", "id": MARK, "method": MARK}, headers={"x-api-key": OWN_KEY})


async def test_nothing_that_a_caller_wrote_is_logged_and_every_tool_has_its_line(
    log: tuple[str, Client], form: str
) -> None:
    text, client = log
    shown = [
        line for line in text.splitlines() if any(secret.lower() in line.lower() for secret in client.secrets)
    ]
    assert not shown
    assert "Traceback" not in text

    if form == "json":
        lines = [json.loads(line) for line in text.splitlines()]
        calls = [line for line in lines if line.get("event") == "tool_call"]
        assert all(set(line) >= AUDITED for line in calls)
        outcomes = {(line["tool"], line["outcome"]) for line in calls}
        events = {line.get("event") for line in lines}
        assert {f"connection_{event}" for event in ("created", "changed", "rotated", "revoked")} <= events
    else:
        outcomes = set(re.findall(r" tool_call .* tool=(\S+) .*outcome=(\w+)", text))
    assert {tool for tool, _ in outcomes} == set(TOOLS)
    assert {tool for tool, outcome in outcomes if outcome == "ok"} >= {tool for tool, _ in CALLS}
