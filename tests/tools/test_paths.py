"""No argument that becomes part of a path can leave its place there, whatever the tool."""

from collections.abc import AsyncIterator, Iterator

import pytest
from mcp.client import Client

from mistral_mcp.sandbox import Sandbox
from tests.conftest import connect_in_memory, every_tool, text_of

ESCAPES = ["../models", "a/b", "%2e%2e", "x?y", "..", ".", "a\\b", "a#b", " ", "a\nb", "%2fmodels", "a b", "\0"]

# What a tool needs beside the id that is tried, to get as far as a request.
REQUIRED: dict[str, object] = {"filename": "x.txt"}
ONE_OF: dict[str, dict[str, object]] = {
    "mistral_add_document": {"content": "x"},
    "mistral_append_conversation": {"prompt": "x"},
    "mistral_update_fine_tuned_model": {"name": "x"},
}

# Tools that look a model up by its name.
LOOKS_UP = {
    "mistral_get_model",
    "mistral_update_fine_tuned_model",
    "mistral_archive_fine_tuned_model",
    "mistral_unarchive_fine_tuned_model",
    "mistral_delete_fine_tuned_model",
}

# Ids that go into the body, where they can do no harm.
IN_BODY = {
    ("mistral_agent_complete", "agent_id"),
    ("mistral_start_conversation", "agent_id"),
    ("mistral_speak", "voice_id"),
    ("mistral_transcribe", "file_id"),
    ("mistral_append_conversation", "from_entry_id"),
}


PARAMETERS = {tool.name: tool.parameters for tool in every_tool()}


def ids() -> Iterator[tuple[str, str]]:
    """Each tool and each of its parameters that is part of a path: ids, and the model where it is looked up."""
    for tool, parameters in PARAMETERS.items():
        for name in parameters["properties"]:
            if (tool, name) not in IN_BODY and (name.endswith("_id") or (name == "model" and tool in LOOKS_UP)):
                yield tool, name


@pytest.fixture
async def client(mistral_url: str) -> AsyncIterator[Client]:
    async with connect_in_memory(mistral_url, toolsets="all,fine_tuning") as client:
        yield client


@pytest.mark.parametrize(("tool", "name"), list(ids()))
async def test_no_id_leaves_its_path(client: Client, sandbox: Sandbox, tool: str, name: str) -> None:
    required = PARAMETERS[tool].get("required", [])
    others = {other: REQUIRED.get(other, "x") for other in required if other != name} | ONE_OF.get(tool, {})
    for escape in ESCAPES:
        result = await client.call_tool(tool, {**others, name: escape})

        assert result.is_error, escape
        assert "is not a valid id" in text_of(result), (escape, text_of(result))
    assert not sandbox.requests


@pytest.mark.parametrize(
    "name", ["ft:open-mistral-7b:abc:20250101:x1", "mistral-large@latest", "a,b+c=d~e!f'(g)*;$&"]
)
async def test_what_ids_hold_in_practice_is_let_through(client: Client, sandbox: Sandbox, name: str) -> None:
    await client.call_tool("mistral_get_model", {"model": name})

    assert sandbox.requests[-1].path == f"/v1/models/{name}"
