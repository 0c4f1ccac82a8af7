"""Tasks with the toolset `api`, step by step: search, describe, write, read, through a real client."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp.client import Client

from mistral_mcp.operations.operation import READS, operations
from tests.conftest import connect_in_memory, text_of


class Person:
    """Somebody who knows nothing of the API but what the tools say."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def perform(self, question: str, operation: str, parameters: object = None, **body: Any) -> Any:
        """Finds the operation among the first three, looks at what it takes, and calls it by the effect it has."""
        found = await self._tool("search", query=question)
        assert operation in [each["operation"] for each in found["operations"][:3]]
        shown = await self._tool("describe", operation=operation)
        members = shown["body"]["properties"].keys() if "body" in shown else set()
        assert body.keys() <= members
        tool = "read" if shown["effect"] in READS else "write"
        called = await self._tool(tool, operation=operation, parameters=parameters, body=body or None)
        assert str(called["status"]) in {reply["status"] for reply in operations()[operation].replies}
        return called.get("result")

    async def get_error(self, operation: str, parameters: object) -> str:
        result = await self._client.call_tool(
            "mistral_api_read", {"operation": operation, "parameters": parameters}
        )
        assert result.is_error
        return text_of(result)

    async def _tool(self, name: str, **arguments: object) -> dict[str, Any]:
        result = await self._client.call_tool(f"mistral_api_{name}", arguments)
        assert not result.is_error, text_of(result)
        assert result.structured_content is not None
        return result.structured_content


@pytest.fixture
async def person(mistral_url: str) -> AsyncIterator[Person]:
    async with connect_in_memory(mistral_url, toolsets="api") as client:
        yield Person(client)


async def test_make_an_agent_and_ask_it(person: Person):
    agent = await person.perform(
        "make an agent",
        "agents.create",
        model="mistral-small-latest",
        name="Poet",
        instructions="Answer in verse.",
    )
    talk = await person.perform(
        "ask an agent something", "conversations.start", agent_id=agent["id"], inputs="Hello"
    )
    report = await person.perform(
        "messages of a conversation", "conversations.messages", {"conversation_id": talk["conversation_id"]}
    )

    assert talk["outputs"]
    assert "Hello" in str(report["messages"])


async def test_change_an_agent_and_roll_back(person: Person):
    agent = await person.perform("create an agent", "agents.create", model="mistral-small-latest", name="Helper")
    name = {"agent_id": agent["id"]}
    await person.perform("change an agent's instructions", "agents.update", name, instructions="Be brief.")
    versions = await person.perform("versions of my agent", "agents.versions.list", name)
    back = await person.perform(
        "switch an agent to another version", "agents.versions.switch", {**name, "version": 0}
    )

    assert len(versions) == 2
    assert back["version"] == 0


async def test_run_a_workflow_and_wait(person: Person):
    started = await person.perform(
        "run a workflow", "workflows.execute", {"workflow_identifier": "invoices"}, input={"id": 1}
    )
    state = await person.perform(
        "how far is the workflow execution", "workflows.executions.get", {"execution_id": started["execution_id"]}
    )

    assert state["execution_id"] == started["execution_id"]
    assert state["status"] == "COMPLETED"


async def test_schedule_a_workflow_and_pause_it(person: Person):
    made = await person.perform(
        "plan to run a workflow every day",
        "workflows.schedules.create",
        schedule={"input": {}},
        workflow_identifier="report",
    )
    name = {"schedule_id": made["schedule_id"]}
    await person.perform("pause a workflow schedule", "workflows.schedules.pause", name)
    seen = await person.perform("show one workflow schedule", "workflows.schedules.get", name)

    assert seen["schedule_id"] == made["schedule_id"]


async def test_connect_a_connector(person: Person):
    made = await person.perform(
        "connect an MCP server",
        "connectors.create",
        name="notes",
        description="My notes.",
        server="https://mcp.example.com",
    )
    link = await person.perform(
        "link to sign in to a connector", "connectors.auth_url", {"connector_id_or_name": made["id"]}
    )
    tools = await person.perform(
        "which tools does a connector have", "connectors.tools.list", {"connector_id_or_name": "notes"}
    )

    assert link["auth_url"]
    assert tools


async def test_share_a_library_and_stop(person: Person):
    library = await person.perform("make a document library", "libraries.create", name="Handbook")
    name = {"library_id": library["id"]}
    somebody = {"share_with_uuid": "123e4567-e89b-42d3-a456-426614174000", "share_with_type": "User"}
    await person.perform(
        "share a library with a colleague", "libraries.access.set", name, level="Viewer", **somebody
    )
    await person.perform("who has access to the library", "libraries.access.list", name)
    await person.perform("stop sharing the library", "libraries.access.delete", name, **somebody)


async def test_put_a_document_into_a_library_and_read_it(person: Person):
    library = await person.perform("create a library", "libraries.create", name="Papers")
    document = await person.perform(
        "upload a document to a library",
        "libraries.documents.upload",
        {"library_id": library["id"]},
        file={"filename": "a.txt", "content": "Opening hours: nine to five."},
    )
    name = {"library_id": library["id"], "document_id": document["id"]}
    for _ in range(9):
        state = await person.perform("has the document been processed", "libraries.documents.status", name)
        if state["process_status"] != "in_progress":
            break
    text = await person.perform("read the text of a library document", "libraries.documents.text", name)

    assert "nine to five" in text["text"]


async def test_keep_a_prompt_and_list_prompts(person: Person):
    made = await person.perform(
        "save a prompt", "prompts.create", name="greeting", definition={"content": "Hello, {{name}}"}
    )
    seen = await person.perform("get one prompt", "prompts.get", {"prompt_id": made["id"]})
    listed = await person.perform("list my prompts", "prompts.list")
    await person.perform("delete a prompt", "prompts.delete", {"prompt_id": made["id"]})

    assert seen["name"] == "greeting"
    assert "greeting" in str(listed)
    assert "404" in await person.get_error("prompts.get", {"prompt_id": made["id"]})


async def test_make_a_dataset_and_import_a_file(person: Person):
    made = await person.perform(
        "create an evaluation dataset", "datasets.create", name="tickets", description="From 2026."
    )
    name = {"dataset_id": made["id"]}
    file = await person.perform(
        "upload a file",
        "files.upload",
        purpose="batch",
        file={"filename": "a.jsonl", "content": '{"custom_id":"1","body":{}}'},
    )
    task = await person.perform(
        "import a file into a dataset", "datasets.import_from_file", name, file_id=file["id"]
    )
    state = await person.perform(
        "how far is the dataset import task", "datasets.tasks.get", {**name, "task_id": task["id"]}
    )

    assert state["id"] == task["id"]


async def test_receive_events_and_start_a_workflow_on_them(person: Person):
    hook = await person.perform("create a webhook", "webhooks.create", provider="custom", name="orders")
    made = await person.perform(
        "start a workflow when an event comes",
        "triggers.create",
        event_source_id=hook["id"],
        handler="workflows",
        action={"primitive_id": "orders", "type": "start_workflow"},
        owner_type="workspace",
        title="Orders",
    )
    seen = await person.perform("show one trigger", "triggers.get", {"trigger_id": made["id"]})

    assert seen["title"] == "Orders"
