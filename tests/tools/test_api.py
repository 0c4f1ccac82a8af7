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

from mistral_mcp.operations.examples import example
from mistral_mcp.operations.operation import READS, Operation, operations, with_definitions
from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.faults import Fault
from tests.conftest import KEY, in_memory, refuses_at_once, text_of

SAMPLE = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
EFFECTS = ("create", "read", "compute", "change", "delete")
"""In this order each thing is there when it is asked for."""


@pytest.fixture
async def client(mistral_url: str) -> AsyncIterator[Client]:
    async with in_memory(mistral_url, toolsets="api") as client:
        yield client


async def call(client: Client, operation: str, parameters: object = None, body: object = None) -> dict[str, Any]:
    """The structured result of an operation that goes well."""
    tool = "mistral_api_read" if operations()[operation].effect in READS else "mistral_api_write"
    result = await client.call_tool(tool, {"operation": operation, "parameters": parameters, "body": body})
    assert not result.is_error, f"{operation}: {text_of(result)}"
    assert result.structured_content is not None
    return result.structured_content


async def made(client: Client, operation: str, parameters: object = None, body: object = None) -> dict[str, Any]:
    """What an operation answers."""
    return (await call(client, operation, parameters, body))["result"]


async def found(client: Client, question: str) -> list[str]:
    result = await client.call_tool("mistral_api_search", {"query": question})
    return [each["operation"] for each in result.structured_content["operations"]]


async def described(client: Client, operation: str) -> dict[str, Any]:
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
        agent = await made(self._client, "agents.create", body={"model": "mistral-small-latest", "name": "a"})
        talk = await made(self._client, "conversations.start", body={"model": "mistral-small-latest", "inputs": "Hi"})
        entries = (await made(self._client, "conversations.history", {"conversation_id": talk["conversation_id"]}))[
            "entries"
        ]
        library = (await made(self._client, "libraries.create", body={"name": "Papers"}))["id"]
        file = {"filename": "a.txt", "content": "Hello"}
        document = await made(self._client, "libraries.documents.upload", {"library_id": library}, {"file": file})
        job = await made(self._client, "batch.create", body=example(operations()["batch.create"])["body"])
        voice = await made(
            self._client, "audio.voices.create", body=example(operations()["audio.voices.create"])["body"]
        )
        upload = await made(self._client, "files.upload", body={"purpose": "ocr", "file": file})
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
        file = await made(
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
            reply = await self._whole(result)
            wrong = [f"{error.instance_path}: {error.message[-300:]}" for error in checker.iter_errors(reply)]
            assert wrong == []
        else:
            assert "kept" in result or isinstance(result["result"], str)

    async def _whole(self, result: dict[str, Any]) -> Any:
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
    async with in_memory(mistral_url, toolsets="api") as client:
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
