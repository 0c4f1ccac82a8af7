"""The endpoints' answers are valid by the API's published schemas."""

import base64
import re
from typing import Any

import httpx2
import jsonschema_rs
import pytest

from mistral_mcp.sandbox.answers.make_audio import make_silence
from mistral_mcp.sandbox.app import ENDPOINTS
from mistral_mcp.sandbox.protocol.operation import Operation, operations, standalone

USER = {"role": "user", "content": "Hello"}
SMALL = "mistral-small-latest"
SOUND = make_silence(1.0, "wav")
FILES = {"file": ("a.txt", b"Hello", "text/plain")}
BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/chat/completions": {"json": {"model": SMALL, "messages": [USER], "reasoning_effort": "high"}},
    "POST /v1/agents/completions": {"json": {"agent_id": "ag_1", "messages": [USER]}},
    "POST /v1/agents": {"json": {"model": SMALL, "name": "Poet", "tools": [{"type": "web_search"}]}},
    "PATCH /v1/agents/{agent_id}": {"json": {"instructions": "Rhyme."}},
    "PATCH /v1/agents/{agent_id}/version": {"params": {"version": 0}},
    "PUT /v1/agents/{agent_id}/aliases": {"params": {"alias": "live", "version": 0}},
    "DELETE /v1/agents/{agent_id}/aliases": {"params": {"alias": "first"}},
    "POST /v1/fim/completions": {"json": {"model": "codestral-latest", "prompt": "def f():"}},
    "POST /v1/embeddings": {"json": {"model": "mistral-embed", "input": ["a", "b"]}},
    "POST /v1/moderations": {"json": {"model": "mistral-moderation-latest", "input": "a"}},
    "POST /v1/chat/moderations": {"json": {"model": "mistral-moderation-latest", "input": [USER]}},
    "POST /v1/classifications": {"json": {"model": "ft:classifier:x", "input": "a"}},
    "POST /v1/chat/classifications": {"json": {"model": "ft:classifier:x", "input": {"messages": [USER]}}},
    "POST /v1/files": {"files": FILES, "data": {"purpose": "ocr"}},
    "POST /v1/ocr": {
        "json": {
            "model": "mistral-ocr-latest",
            "document": {"type": "document_url", "document_url": "https://example.com/a.pdf"},
            "confidence_scores_granularity": "word",
            "table_format": "html",
        }
    },
    "POST /v1/batch/jobs": {
        "json": {"endpoint": "/v1/chat/completions", "requests": [{"body": {"messages": [USER]}}], "model": SMALL}
    },
    "POST /v1/conversations": {
        "json": {"model": SMALL, "inputs": "Draw", "tools": [{"type": "image_generation"}, {"type": "web_search"}]}
    },
    "POST /v1/conversations/{conversation_id}": {"json": {"inputs": "More"}},
    "POST /v1/conversations/{conversation_id}/restart": {
        "json": {"inputs": "Again", "from_entry_id": "{entry_id}"}
    },
    "POST /v1/libraries": {"json": {"name": "Books"}},
    "PATCH /v1/libraries/{library_id}": {"json": {"name": "Books"}},
    "PUT /v1/libraries/{library_id}": {"json": {"name": "Books"}},
    "POST /v1/libraries/{library_id}/documents": {"files": {"file": ("b.txt", b"Other", "text/plain")}},
    "PATCH /v1/libraries/{library_id}/documents/{document_id}": {"json": {"name": "b.txt"}},
    "PUT /v1/libraries/{library_id}/documents/{document_id}": {"json": {"name": "b.txt"}},
    "POST /v1/audio/transcriptions": {
        "files": {"file": ("a.wav", SOUND, "audio/wav")},
        "data": {"model": "voxtral-mini-latest", "timestamp_granularities": "segment"},
    },
    "POST /v1/audio/speech": {"json": {"input": "Hello"}},
    "POST /v1/audio/voices": {"json": {"name": "Me", "sample_audio": base64.b64encode(SOUND).decode()}},
    "PATCH /v1/audio/voices/{voice_id}": {"json": {"name": "You"}},
}
SEEN_LIVE = (
    "service_tier",
    "ocr_input",
    "request_count",
    "prompt_token_details",
    "completion_tokens_details",
    "audio_tokens",
)
"""Members that recordings have and the schemas lack."""
OPERATIONS = {(each.method, each.path): each for each in operations()}
NEED_A_JOB = "fine_tuning"  # only what a job has made can be changed, and jobs are retired
ROWS = [each for each in ENDPOINTS if (each.method, each.path) in OPERATIONS and NEED_A_JOB not in each.path]


@pytest.fixture
async def ids(api: httpx2.AsyncClient) -> dict[str, str]:
    """One of each thing."""

    async def make(path: str, **more: str) -> dict[str, Any]:
        reply = await api.post(path, **BODIES[f"POST {re.sub('[0-9a-f-]{36}', '{library_id}', path)}"])
        assert reply.status_code < 300, reply.text
        return reply.json()

    library = (await make("/v1/libraries"))["id"]
    talk = await make("/v1/conversations")
    agent = (await make("/v1/agents"))["id"]
    await api.put(f"/v1/agents/{agent}/aliases", params={"alias": "first", "version": 0})
    return {
        "library_id": library,
        "document_id": (await make(f"/v1/libraries/{library}/documents"))["id"],
        "conversation_id": talk["conversation_id"],
        "entry_id": talk["outputs"][0]["id"],
        "agent_id": agent,
        "version": "0",
        "file_id": (await make("/v1/files"))["id"],
        "job_id": (await make("/v1/batch/jobs"))["id"],
        "voice_id": (await make("/v1/audio/voices"))["id"],
        "model_id": SMALL,
    }


@pytest.mark.parametrize("endpoint", ROWS, ids=lambda each: f"{each.method} {each.path}")
async def test_a_reply_is_valid_by_its_schema(endpoint, ids: dict[str, str], api: httpx2.AsyncClient):
    if (endpoint.method, endpoint.path) == ("DELETE", "/v1/models/{model_id}"):
        pytest.skip("nobody's but one's own can be deleted, and jobs that make one are retired")
    path = re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], endpoint.path)
    asked = BODIES.get(f"{endpoint.method} {endpoint.path}", {})
    if "{entry_id}" in str(asked):
        asked = {"json": {**asked["json"], "from_entry_id": ids["entry_id"]}}

    reply = await api.request(endpoint.method, path, **asked)

    problems = find_problems(OPERATIONS[endpoint.method, endpoint.path], reply)
    assert [problem for problem in problems if not any(word in problem for word in SEEN_LIVE)] == []


def find_problems(operation: Operation, reply: httpx2.Response) -> list[str]:
    answer = next(each for each in operation.replies if int(each["status"]) == reply.status_code)
    if answer.get("media") != "application/json":
        return []
    checker = jsonschema_rs.validator_for(dict(standalone(answer["schema"])))
    return [error.message for error in checker.iter_errors(reply.json())]
