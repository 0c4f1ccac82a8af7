"""The toolset `api`, through a real client, against the sandbox: every operation, and what people do with them."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest
from mcp.client import Client
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from mistral_mcp.operations.examples import example
from mistral_mcp.operations.operation import READS, Operation, operations, with_definitions
from mistral_mcp.sandbox import Sandbox, serve_app
from mistral_mcp.sandbox.faults import Fault
from tests.conftest import KEY, connect_in_memory, expect_refusal_at_once, text_of

"""In this order each thing is there when it is asked for."""

EFFECTS = ("create", "read", "compute", "change", "delete")
"""In this order each thing is there when it is asked for."""


@pytest.fixture
async def client(mistral_url: str) -> AsyncIterator[Client]:
    async with connect_in_memory(mistral_url, toolsets="api") as client:
        yield client


async def call(client: Client, operation: str, parameters: object = None, body: object = None) -> dict[str, Any]:
    """The structured result of an operation that goes well."""
    tool = "mistral_api_read" if operations()[operation].effect in READS else "mistral_api_write"
    result = await client.call_tool(tool, {"operation": operation, "parameters": parameters, "body": body})
    assert not result.is_error, f"{operation}: {text_of(result)}"
    assert result.structured_content is not None
    return result.structured_content


async def call_operation(
    client: Client, operation: str, parameters: object = None, body: object = None
) -> dict[str, Any]:
    """What an operation answers."""
    return (await call(client, operation, parameters, body))["result"]


async def search(client: Client, question: str) -> list[str]:
    result = await client.call_tool("mistral_api_search", {"query": question})
    return [each["operation"] for each in result.structured_content["operations"]]


async def describe(client: Client, operation: str) -> dict[str, Any]:
    result = await client.call_tool("mistral_api_describe", {"operation": operation})
    assert not result.is_error, text_of(result)
    return result.structured_content


class EveryOperation:
    """Calls each operation with the example that is shown of it, and with the ids of what is there."""

    def __init__(self, client: Client, sandbox: Sandbox, url: str) -> None:
        self._url = url
        self._client = client
        self._sandbox = sandbox
        self._ids: dict[str, dict[str, Any]] = {}

    async def prepare(self) -> None:
        """Things for those operations that answer only what was made before."""
        agent = await call_operation(
            self._client, "agents.create", body={"model": "mistral-small-latest", "name": "a"}
        )
        talk = await call_operation(
            self._client, "conversations.start", body={"model": "mistral-small-latest", "inputs": "Hi"}
        )
        entries = (
            await call_operation(
                self._client, "conversations.history", {"conversation_id": talk["conversation_id"]}
            )
        )["entries"]
        library = (await call_operation(self._client, "libraries.create", body={"name": "Papers"}))["id"]
        file = {"filename": "a.txt", "content": "Hello"}
        document = await call_operation(
            self._client, "libraries.documents.upload", {"library_id": library}, {"file": file}
        )
        job = await call_operation(
            self._client, "batch.create", body=example(operations()["batch.create"])["body"]
        )
        voice = await call_operation(
            self._client, "audio.voices.create", body=example(operations()["audio.voices.create"])["body"]
        )
        upload = await call_operation(self._client, "files.upload", body={"purpose": "ocr", "file": file})
        model = await self._classifier()
        self._ids = {
            "/v1/agents": {"agent_id": agent["id"], "version": "0"},
            "/v1/audio/voices": {"voice_id": voice["id"]},
            "/v1/conversations": {"conversation_id": talk["conversation_id"], "from_entry_id": entries[-1]["id"]},
            "/v1/libraries": {"library_id": library, "document_id": document["id"]},
            "/v1/batch": {"job_id": job["id"]},
            "/v1/files": {"file_id": upload["id"]},
            "/v1/models": {"model_id": model},
            "/v1/fine_tuning/models": {"model_id": model},
            "/v1/classifications": {"model": model},
            "/v1/chat/classifications": {"model": model},
        }

    async def _classifier(self) -> str:
        """A fine-tuned model: Mistral has retired the jobs that made them, and those that were made go on."""
        line = json.dumps({"text": "Hi", "labels": {"tone": "kind"}})
        content = "\n".join([line] * 3)
        file = await call_operation(
            self._client,
            "files.upload",
            body={"purpose": "fine-tune", "file": {"filename": "a.jsonl", "content": content}},
        )
        async with httpx2.AsyncClient(base_url=self._url, headers={"authorization": f"Bearer {KEY}"}) as api:
            asked = {
                "model": "ministral-3b-latest",
                "job_type": "classifier",
                "training_files": [{"file_id": file["id"], "weight": 1}],
                "classifier_targets": [{"name": "tone", "labels": ["kind", "rude"]}],
                "hyperparameters": {},
                "auto_start": True,
            }
            job = (await api.post("/v1/fine_tuning/jobs", json=asked)).json()
            for _ in range(9):
                job = (await api.get(f"/v1/fine_tuning/jobs/{job['id']}")).json()
                if job.get("fine_tuned_model"):
                    return job["fine_tuned_model"]
        pytest.fail(f"the job made no model: {job}")

    async def call(self, operation: Operation) -> None:
        """Raises `AssertionError` where it does not go well, or its reply does not fit."""
        given = example(operation)
        ids = next((ids for start, ids in self._ids.items() if operation.path.startswith(start)), {})
        parameters = {name: ids.get(name, value) for name, value in given.get("parameters", {}).items()}
        body = given.get("body")
        if isinstance(body, dict):
            body = {name: ids.get(name, value) for name, value in body.items()}
        before = len(self._sandbox.requests)
        result = await call(self._client, operation.id, parameters or None, body)
        assert len(self._sandbox.requests) == before + 1
        assert self._sandbox.requests[-1].method == operation.method
        assert str(result["status"]) in {reply["status"] for reply in operation.replies}
        await self._check(operation, result)

    async def _check(self, operation: Operation, result: dict[str, Any]) -> None:
        if operation.is_stream:
            assert isinstance(result["result"], list)
        elif not operation.media:
            assert "result" not in result
        elif operation.is_json:
            checker = jsonschema_rs.validator_for(with_definitions(operation.reply))
            reply = await self._read_whole(result)
            wrong = [f"{error.instance_path}: {error.message[-300:]}" for error in checker.iter_errors(reply)]
            assert wrong == []
        else:
            assert "kept" in result or isinstance(result["result"], str)

    async def _read_whole(self, result: dict[str, Any]) -> Any:
        """The reply, read on where it was kept."""
        if "kept" not in result:
            return result.get("result")
        text, offset = "", 0
        while offset < result["kept"]["characters"]:
            asked = {"handle": result["kept"]["handle"], "offset": offset, "limit": 40_000}
            part = await self._client.call_tool("mistral_read_result", asked)
            text += part.structured_content["text"]
            offset = len(text)
        return json.loads(text)


@pytest.fixture
def sandbox() -> Sandbox:
    """With fine-tuned models, which some operations are about."""
    return Sandbox(fine_tuning=True)


async def test_every_operation_goes_through_the_tools_and_comes_back_as_its_schema_says(
    mistral_url: str, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
):
    async with connect_in_memory(mistral_url, toolsets="api") as client:
        every = EveryOperation(client, sandbox, mistral_url)
        await every.prepare()
        wrong: dict[str, str] = {}
        order = sorted(operations().values(), key=lambda each: (EFFECTS.index(each.effect), -each.path.count("/")))
        for operation in order:
            try:
                await every.call(operation)
            except AssertionError as error:
                wrong[operation.id] = str(error)[:900]
    by_effect = Counter(operation.effect for operation in order)
    with capsys.disabled():
        print(f"\n{len(order) - len(wrong)} of {len(order)} operations, by effect {dict(by_effect)}")  # noqa: T201
    assert not wrong, "\n".join(f"{name}: {why}" for name, why in wrong.items())


async def test_search_finds_operations_with_what_they_do(client: Client):
    result = await client.call_tool("mistral_api_search", {"query": "share a library with a colleague"})

    first = result.structured_content["operations"][0]
    assert first == {
        "operation": "libraries.access.set",
        "method": "PUT",
        "path": "/v1/libraries/{library_id}/share",
        "summary": "Share a library with a user, workspace or organization",
        "effect": "change",
    }
    assert "libraries.access.set" in text_of(result)


async def test_search_names_what_took_an_old_operation_s_place(client: Client):
    result = await client.call_tool("mistral_api_search", {"query": "agents.list_v1"})

    assert result.structured_content["operations"][0]["instead"] == "agents.list"


async def test_of_a_stream_with_large_events_the_first_are_enough():
    async def stream_endlessly(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(90):
            event = b'data: {"x": "%b"}\n\n' % (b"x" * 45_000)
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async with serve_app(stream_endlessly) as url, connect_in_memory(url, toolsets="api") as client:
        result = await call(client, "workflows.executions.stream", {"execution_id": "e"})

    assert "these are its first 2 events" in result["note"]


async def test_search_sends_nothing(client: Client, sandbox: Sandbox):
    await client.call_tool("mistral_api_search", {"query": "make an agent", "top_k": 20})
    await client.call_tool("mistral_api_describe", {"operation": "agents.create"})

    assert not sandbox.requests


async def test_a_description_has_schemas_and_an_example_that_works(client: Client):
    shown = await describe(client, "agents.create")

    assert shown["effect"] == "create"
    assert {"model", "name"} <= shown["body"]["properties"].keys()
    assert sorted(shown["body"]["required"]) == ["model", "name"]
    assert shown["example"]["operation"] == "agents.create"
    assert "id" in await call_operation(client, "agents.create", body=shown["example"]["body"])


async def test_a_part_that_was_cut_can_be_described_by_itself(client: Client):
    shown = await describe(client, "responses.create")
    cut = json.dumps(shown["body"])
    assert "describe responses.create#" in cut

    part = await describe(client, "agents.create#tools.function")

    assert {"type", "function"} <= part["body"]["properties"].keys()


async def test_what_takes_long_says_how_to_see_how_far_it_is(client: Client):
    shown = await describe(client, "workflows.execute")

    assert "workflows.executions.get" in " ".join(shown["notes"])


async def test_a_description_says_where_the_route_does_not_carry_it(mistral_url: str):
    async with connect_in_memory("eu", toolsets="api") as client:
        shown = await describe(client, "workflows.execute")
        spared = await describe(client, "chat.complete")

    assert "does not support" in " ".join(shown["notes"])
    assert not spared["notes"]


async def test_parameters_and_body_may_come_as_text(client: Client):
    await call(client, "agents.create", body='{"model": "mistral-small-latest", "name": "a"}')
    reply = await call_operation(client, "agents.list", '{"page_size": 1}')

    assert [agent["name"] for agent in reply["data"]] == ["a"]


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("write", {"operation": "agents.craete"}, "agents.create"),
        ("write", {"operation": "agents.create", "body": {"modle": "m", "name": "a"}}, "did you mean 'model'?"),
        ("write", {"operation": "agents.create", "parameters": {"model": "m"}}, "belongs in body"),
        ("write", {"operation": "agents.create", "body": {"name": "a"}}, "model"),
        ("write", {"operation": "agents.create", "body": "{"}, "body"),
        ("write", {"operation": "agents.create", "body": "[1]"}, "body"),
        (
            "write",
            {"operation": "agents.create", "body": {"model": "m", "name": "a", "tools": [{"type": "web_serch"}]}},
            "did you mean 'web_search'?",
        ),
        ("write", {"operation": "agents.get", "parameters": {"agent_id": "a"}}, "mistral_api_read"),
        ("read", {"operation": "agents.create", "body": {"model": "m", "name": "a"}}, "mistral_api_write"),
        ("read", {"operation": "agents.get"}, "agent_id"),
        (
            "read",
            {"operation": "agents.get", "parameters": {"agent_id": "../files"}},
            "agent_id is not a valid id",
        ),
        ("read", {"operation": "agents.list", "parameters": {"page_size": 5000}}, "page_size"),
        ("read", {"operation": "agents.list", "parameters": {"pagesize": 5}}, "page_size"),
        ("read", {"operation": "agents.list", "body": {"page_size": 5}}, "no body"),
        (
            "read",
            {
                "operation": "chat.complete",
                "body": {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True},
            },
            "stream",
        ),
        (
            "write",
            {"operation": "files.upload", "body": {"purpose": "ocr", "file": "notes.txt"}},
            "no local files",
        ),
        ("write", {"operation": "files.upload", "body": {"purpose": "ocr", "file": "data:text/plain"}}, "comma"),
        ("describe", {"operation": "agents.create#toolz"}, "tools"),
    ],
)
async def test_what_does_not_fit_is_refused_before_anything_is_sent(
    client: Client, sandbox: Sandbox, tool: str, arguments: dict[str, object], sentence: str
):
    await expect_refusal_at_once(client, sandbox, f"mistral_api_{tool}", arguments, sentence)


async def test_at_most_four_problems_are_named_and_no_value_is_repeated(client: Client):
    body = {f"unknown{number}": "hunter2" for number in range(10)}
    result = await client.call_tool("mistral_api_write", {"operation": "agents.create", "body": body})

    assert text_of(result).count("unknown member") == 4
    assert "hunter2" not in text_of(result)


async def test_no_secret_comes_back_in_a_problem(client: Client):
    body = {f"{'x' * 50}{KEY}": 1, KEY: 2, "model": KEY}
    result = await client.call_tool("mistral_api_write", {"operation": "agents.create", "body": body})

    assert result.is_error
    assert KEY[:12] not in text_of(result)


async def test_read_only_has_no_way_to_write(mistral_url: str):
    async with connect_in_memory(mistral_url, toolsets="api", read_only=True) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}

    assert "mistral_api_write" not in names
    assert {"mistral_api_search", "mistral_api_describe", "mistral_api_read"} <= names


async def test_what_creates_is_not_repeated_and_what_reads_is(client: Client, sandbox: Sandbox):
    sandbox.faults.append(Fault(match="/v1/agents", status=503))
    body = {"model": "mistral-small-latest", "name": "a"}
    result = await client.call_tool("mistral_api_write", {"operation": "agents.create", "body": body})
    assert result.is_error
    assert len(sandbox.requests) == 1

    sandbox.reset()
    sandbox.faults.append(Fault(match="/v1/agents/pages", status=503, times=1))
    await call(client, "agents.list")
    assert len(sandbox.requests) == 2


async def test_secrets_in_a_reply_are_masked(client: Client):
    reply = await call_operation(client, "webhooks.signing_secret", {"webhook_id": "w1"})
    session = await call_operation(client, "client_sessions.create", body={"model": "voxtral-mini-latest"})

    assert reply["signing_secret"] == "[masked]"
    assert session["client_secret"]["value"] == "[masked]"


async def test_a_long_list_is_cut_with_a_sentence_and_kept_whole(client: Client):
    for number in range(40):
        await call(
            client,
            "prompts.create",
            body={"name": f"prompt-{number}", "title": "x" * 3_000, "definition": {"content": "Hi"}},
        )
    result = await call(client, "prompts.list")

    shown = len(result["result"]["prompts" if "prompts" in result["result"] else "data"])
    assert 0 < shown < 40
    assert f"{shown} of 40 items" in result["note"]
    assert result["kept"]["handle"] in result["note"]


async def test_a_reply_that_is_no_text_is_kept(client: Client):
    voice = await call_operation(
        client, "audio.voices.create", body=example(operations()["audio.voices.create"])["body"]
    )
    result = await call(client, "audio.voices.sample", {"voice_id": voice["id"]})

    assert result["kept"]["mime_type"] == "audio/wav"
    assert "result" not in result


async def test_a_file_of_the_folder_goes_up_by_its_path(mistral_url: str, sandbox: Sandbox, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("Some notes.")
    async with connect_in_memory(mistral_url, toolsets="api", files_dir=tmp_path) as client:
        file = await call_operation(client, "files.upload", body={"purpose": "ocr", "file": "notes.txt"})

    assert (file["filename"], file["bytes"]) == ("notes.txt", len("Some notes."))


async def test_a_file_that_is_at_mistral_already_is_passed_on_by_its_id(client: Client):
    file = await call_operation(
        client, "files.upload", body={"purpose": "ocr", "file": {"filename": "a.txt", "content": "Hello"}}
    )
    library = await call_operation(client, "libraries.create", body={"name": "Papers"})
    document = await call_operation(
        client, "libraries.documents.upload", {"library_id": library["id"]}, {"file": file["id"]}
    )

    assert document["name"] == "a.txt"


async def test_what_an_answer_cost_is_counted(client: Client):
    body = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hi"}]}
    result = await call(client, "chat.complete", body=body)

    assert result["usage"]["prompt_tokens"] == result["result"]["usage"]["prompt_tokens"]
    assert result["usage"]["cost_usd"] > 0


def tokens(shown: object) -> int:
    tekken = pytest.importorskip(
        "benchmarks.tokens", reason="the benchmarks are not here, or mistral-common is not"
    )
    text = shown if isinstance(shown, str) else json.dumps(shown, separators=(",", ":"), ensure_ascii=False)
    return tekken.count(text)


async def test_finding_and_describing_cost_a_context_little(client: Client, capsys: pytest.CaptureFixture[str]):
    found: dict[str, int] = {}
    for question in (
        "make an agent",
        "search the spans of evaluation runs",
        "store credentials for a connector",
        "list",
    ):
        result = await client.call_tool("mistral_api_search", {"query": question})
        assert len(result.structured_content["operations"]) == 5
        found[question] = max(tokens(text_of(result)), tokens(result.structured_content))
    shown: dict[str, int] = {}
    for name in operations():
        result = await client.call_tool("mistral_api_describe", {"operation": name})
        shown[name] = max(tokens(text_of(result)), tokens(result.structured_content))
    largest = max(shown, key=lambda name: shown[name])
    average = sum(shown.values()) // len(shown)
    with capsys.disabled():
        print(f"\nsearch: at most {max(found.values())} tokens", end="")  # noqa: T201
        print(f"; describe: {average} on average, at most {shown[largest]} ({largest})", end="")  # noqa: T201

    assert max(found.values()) <= 400
    assert shown[largest] <= 1_500
