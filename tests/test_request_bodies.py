"""Every tool's request, held against Mistral's OpenAPI files and the request models of the official SDK.

A row is a call of a tool. What the sandbox received is looked up by method and path; the query parameters must be known,
and the body must fit the schema. The sandbox need not like it: an id that nothing has is as good as any.
"""

import json
import re
from base64 import b64encode
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import mistralai.client.models as sdk
import pytest
import yaml
from jsonschema import Draft202012Validator

from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.faults import Fault
from mistral_mcp.sandbox.protocol.forms import read_form
from mistral_mcp.sandbox.protocol.request import Received
from tests.conftest import FIXTURES, connect_in_memory, every_tool

SPECIFICATIONS = [
    FIXTURES / "schemas-2026-11.json",
    FIXTURES / "openapi-2026-08.yaml",
    FIXTURES / "openapi-2026-08-with-fine-tuning.yaml",  # the older one, for what the newer has dropped
]
ID = "0b3f3a50-9f0c-4f0e-8f3c-0a52b9ab7d11"
MODEL = "ft:open-mistral-7b:a1b2c3d4:20250101:e5f6a7b8"
TURNS = [
    {"role": "user", "content": "What is the weather?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "call_0123456789abcdef", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_0123456789abcdef", "name": "weather", "content": "Sunny"},
]
FUNCTION = {"name": "weather", "description": "Tells it.", "parameters": {"type": "object", "properties": {}}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
SAMPLING = {"max_tokens": 50, "stop": ["\n"], "random_seed": 7}
LINES = '{"custom_id": "a", "body": {"messages": []}}'


class Row(NamedTuple):
    tool: str
    arguments: dict[str, Any]
    model: str | None
    """The SDK's model of the last request; None where it has none."""
    replies: tuple[dict[str, Any], ...] = ()
    """What the first requests are answered, where the sandbox would know nothing."""


# fmt: off
ROWS = [
    Row("mistral_chat", {"prompt": "Hi"}, "ChatCompletionRequest"),
    Row("mistral_chat", {
        "prompt": "Hi", "messages": TURNS, "system": "Be brief.", "images": ["https://example.com/a.png"], "top_p": 0.5,
        "temperature": 0.3, "json_schema": SCHEMA, "reasoning_effort": "none", "model": "mistral-small-latest",
        "documents": ["https://example.com/a.pdf", ID], **SAMPLING,
    }, "ChatCompletionRequest"),
    Row("mistral_chat", {"prompt": "Hi", "response_format": "json_object"}, "ChatCompletionRequest"),
    Row("mistral_function_call", {
        "functions": [FUNCTION, {"type": "function", "function": {"name": "other"}}], "prompt": "Hi",
        "tool_choice": "weather", "parallel_tool_calls": False, "messages": TURNS, "system": "Be brief.", "top_p": 0.5,
        "temperature": 0.3, "model": "mistral-small-latest", "max_repairs": 1, **SAMPLING,
    }, "ChatCompletionRequest"),
    Row("mistral_embed", {"inputs": ["a", "b"]}, "EmbeddingRequest"),
    Row("mistral_embed", {
        "inputs": ["a"], "model": "codestral-embed", "output_dimension": 64, "output_dtype": "int8", "output": "link",
    }, "EmbeddingRequest"),
    Row("mistral_rank", {
        "query": "a", "documents": ["b", "c"], "top_k": 1, "model": "mistral-embed",
    }, "EmbeddingRequest"),
    Row("mistral_code_complete", {
        "prompt": "def f(", "suffix": "):", "min_tokens": 1, "temperature": 0, "top_p": 1, "model": "codestral-latest",
        **SAMPLING,
    }, "FIMCompletionRequest"),
    Row("mistral_moderate", {"inputs": ["a"]}, "ClassificationRequest"),
    Row("mistral_moderate", {"messages": TURNS, "model": "mistral-moderation-latest"}, "ChatModerationRequest"),
    Row("mistral_list_models", {"capability": "ocr", "search": "a"}, "ListModelsV1ModelsGetRequest"),
    Row("mistral_get_model", {"model": MODEL}, "RetrieveModelV1ModelsModelIDGetRequest"),

    Row("mistral_agent_complete", {"agent_id": "ag_1", "prompt": "Hi"}, "AgentsCompletionRequest"),
    Row("mistral_agent_complete", {
        "agent_id": "ag_1", "messages": TURNS, "functions": [FUNCTION], "tool_choice": "any", "json_schema": SCHEMA,
        **SAMPLING,
    }, "AgentsCompletionRequest"),
    Row("mistral_agent_complete", {
        "agent_id": "ag_1", "prompt": "Hi", "response_format": "json_object",
    }, "AgentsCompletionRequest"),

    Row("mistral_classify", {"model": "ft:classifier:x", "inputs": ["a"]}, "ClassificationRequest"),
    Row("mistral_classify", {"model": "ft:classifier:x", "messages": TURNS}, "ChatClassificationRequest"),

    Row("mistral_list_files", {
        "page": 1, "page_size": 5, "purpose": "batch", "search": "a",
    }, "FilesAPIRoutesListFilesRequest"),
    Row("mistral_get_file", {"file_id": ID}, "FilesAPIRoutesRetrieveFileRequest"),
    Row("mistral_upload_file", {"filename": "a.txt", "purpose": "ocr", "content": "Hello"}, "MultiPartBodyParams"),
    Row("mistral_upload_file", {
        "filename": "a.jsonl", "purpose": "batch", "content_base64": b64encode(LINES.encode()).decode(),
    }, "MultiPartBodyParams"),
    Row("mistral_download_file", {"file_id": ID}, "FilesAPIRoutesDownloadFileRequest", ({"id": ID},)),
    Row("mistral_get_file_url", {"file_id": ID, "expiry_hours": 2}, "FilesAPIRoutesGetSignedURLRequest"),
    Row("mistral_delete_file", {"file_id": ID}, "FilesAPIRoutesDeleteFileRequest"),

    Row("mistral_create_batch_job", {
        "endpoint": "/v1/chat/completions", "requests": [{"body": {"messages": []}}, {"custom_id": "b", "body": {}}],
        "model": "mistral-small-latest", "timeout_hours": 1, "metadata": {"a": "b"},
    }, "CreateBatchJobRequest"),
    Row("mistral_create_batch_job", {
        "endpoint": "/v1/ocr", "input_files": [ID], "model": "mistral-ocr-latest",
    }, "CreateBatchJobRequest"),
    Row("mistral_get_batch_job", {"job_id": ID}, "JobsAPIRoutesBatchGetBatchJobRequest"),
    Row("mistral_get_batch_results", {
        "job_id": ID, "page": 1, "page_size": 5, "only": "failed",
    }, "JobsAPIRoutesBatchGetBatchJobRequest"),
    Row("mistral_get_batch_results", {"job_id": ID}, "FilesAPIRoutesDownloadFileRequest", (
        {"id": ID, "status": "SUCCESS", "error_file": ID},
    )),
    Row("mistral_list_batch_jobs", {
        "page": 1, "page_size": 5, "status": "SUCCESS", "model": "mistral-small-latest",
    }, "JobsAPIRoutesBatchGetBatchJobsRequest"),
    Row("mistral_cancel_batch_job", {"job_id": ID}, "JobsAPIRoutesBatchCancelBatchJobRequest"),

    Row("mistral_list_fine_tuning_jobs", {"page": 1, "page_size": 5, "status": "RUNNING"}, None),
    Row("mistral_get_fine_tuning_job", {"job_id": ID}, None),
    Row("mistral_create_fine_tuning_job", {"model": "open-mistral-nemo", "training_files": [ID]}, None),
    Row("mistral_create_fine_tuning_job", {
        "model": "ministral-3b-latest", "training_files": [ID], "validation_files": [ID], "suffix": "mine",
        "hyperparameters": {"training_steps": 10, "weight_decay": 0.1}, "auto_start": True, "dry_run": True,
        "job_type": "classifier", "classifier_targets": [{"name": "mood", "labels": ["good", "bad"]}],
    }, None),
    Row("mistral_start_fine_tuning_job", {"job_id": ID}, None),
    Row("mistral_cancel_fine_tuning_job", {"job_id": ID}, None),
    Row("mistral_update_fine_tuned_model", {"model": MODEL, "name": "Mine", "description": "It is"}, "UpdateModelRequest"),
    Row(
        "mistral_archive_fine_tuned_model", {"model": MODEL}, "JobsAPIRoutesFineTuningArchiveFineTunedModelRequest",
    ),
    Row(
        "mistral_unarchive_fine_tuned_model", {"model": MODEL}, "JobsAPIRoutesFineTuningUnarchiveFineTunedModelRequest",
    ),
    Row("mistral_delete_fine_tuned_model", {"model": MODEL}, "DeleteModelV1ModelsModelIDDeleteRequest"),

    Row("mistral_ocr", {"document": "https://example.com/a.pdf"}, "OCRRequest"),
    Row("mistral_ocr", {
        "document": ID, "pages": "0,2-4", "json_schema": SCHEMA, "table_format": "html", "include_images": True,
        "instructions": "Only the total.", "figures": True, "header_footer": True, "confidence": "word", "blocks": True,
        "model": "mistral-ocr-latest",
    }, "OCRRequest"),
    Row("mistral_ocr", {"document": "https://example.com/a.png", "pages": [0]}, "OCRRequest"),
    Row("mistral_ocr", {"document": "https://example.com/a.docx"}, "OCRRequest"),

    Row("mistral_transcribe", {"url": "https://example.com/a.mp3", "return_language": True}, None),
    Row("mistral_transcribe", {
        "content_base64": "AAAA", "filename": "a.mp3", "timestamps": "word", "diarize": True,
        "context_bias": ["Bob", "Al"], "temperature": 0.5, "model": "voxtral-mini-latest",
    }, "AudioTranscriptionRequest"),
    Row("mistral_transcribe", {
        "file_id": ID, "language": "fr", "diarize": True, "context_bias": ["Le Mans, 24 hours"],
    }, "AudioTranscriptionRequest"),
    Row("mistral_speak", {"text": "Hello", "voice_id": "en_paul_neutral", "format": "wav"}, "SpeechRequest"),
    Row("mistral_speak", {
        "text": "Hello", "ref_audio": "data:audio/wav;base64,AAAA", "expressiveness": 1.5, "inline": True,
        "phoneme_hints": [{"word": "Hello", "phonemes": ["h", "ə", "l", "oʊ"]}], "model": "voxtral-mini-tts-3-0",
    }, "SpeechRequest"),
    Row("mistral_list_voices", {
        "page_size": 5, "page_token": "a", "type": "preset", "language": ["en", "fr"], "gender": ["female", "male"],
        "search": "a",
    }, "AudioV2VoicesListRequest"),

    Row("mistral_start_conversation", {"prompt": "Hi"}, "ConversationRequest"),
    Row("mistral_start_conversation", {
        "prompt": "Hi", "model": "mistral-small-latest", "instructions": "Be brief.", "temperature": 0, "top_p": 0.5,
        "tools": ["web_search", FUNCTION, {"type": "document_library", "library_ids": [ID]}], "store": False,
        "name": "Mine", "messages": TURNS, "images": ["https://example.com/a.png"], "json_schema": SCHEMA,
        "documents": ["https://example.com/a.pdf"], "reasoning_effort": "none", **SAMPLING,
    }, "ConversationRequest"),
    Row("mistral_start_conversation", {
        "prompt": "Hi", "agent_id": "ag_1", "agent_version": "2",
    }, "ConversationRequest"),
    Row("mistral_append_conversation", {"conversation_id": "conv_1", "prompt": "Hi"}, "ConversationAppendRequest"),
    Row("mistral_append_conversation", {
        "conversation_id": "conv_1", "prompt": "Hi", "function_results": [{"tool_call_id": "abcdefghi", "result": [1]}],
        "tool_confirmations": [{"tool_call_id": "abcdefghj", "confirmation": "deny"}], "temperature": 1,
        "max_tokens": 9, "json_schema": SCHEMA, "reasoning_effort": "high", "images": ["https://example.com/a.png"],
        "documents": ["https://example.com/a.pdf"],
    }, "ConversationAppendRequest"),
    Row("mistral_append_conversation", {
        "conversation_id": "conv_1", "prompt": "Hi", "from_entry_id": "msg_1", "agent_version": "production",
    }, "ConversationRestartRequest"),
    Row("mistral_get_conversation", {"conversation_id": "conv_1", "page": 0, "page_size": 5}, "AgentsAPIV1ConversationsHistoryRequest", (
        {"id": "conv_1"},
    )),
    Row("mistral_list_conversations", {"page": 1, "page_size": 5}, "AgentsAPIV1ConversationsListRequest"),
    Row("mistral_delete_conversation", {"conversation_id": "conv_1"}, "AgentsAPIV1ConversationsDeleteRequest"),

    Row("mistral_list_libraries", {
        "page_size": 5, "page_token": "a", "search": "b",
    }, "LibrariesListV1Request"),
    Row("mistral_create_library", {"name": "Papers", "description": "All of them"}, "CreateLibraryRequest"),
    Row("mistral_list_documents", {
        "library_id": ID, "page": 1, "page_size": 5, "search": "a",
    }, "LibrariesDocumentsListV1Request"),
    Row("mistral_add_document", {"library_id": ID, "filename": "a.txt", "content": "Hello"}, "DocumentUpload"),
    Row("mistral_add_document", {"library_id": ID, "filename": "a.txt", "content_base64": "AAAA"}, "DocumentUpload"),
    Row("mistral_get_document_text", {
        "library_id": ID, "document_id": ID, "page_start": 0, "page_end": 2,
    }, "LibrariesDocumentsGetTextContentV1Request"),
    Row("mistral_delete_document", {"library_id": ID, "document_id": ID}, "LibrariesDocumentsDeleteV1Request"),
    Row("mistral_delete_library", {"library_id": ID}, "LibrariesDeleteV1Request"),

    Row("mistral_compare", {
        "models": ["mistral-small-latest", "mistral-medium-latest"], "prompt": "Hi", "messages": TURNS,
        "system": "Be brief.", "max_tokens": 5, "temperature": 0.1, "json_schema": SCHEMA,
    }, "ChatCompletionRequest"),
    Row("mistral_web_search", {"query": "Who won?", "model": "mistral-medium-latest"}, "ConversationRequest"),
]
# fmt: on


ELSEWHERE = {
    "/v1/audio/transcriptions": {
        "return_language": {"type": "boolean"},  # of Voxtral 3, in neither file
        "context_bias": {"type": "array"},  # has the pattern of Voxtral 2 there
    }
}
"""Members that the files do not know, or not as they are now."""

NOT_SENT = {
    "mistral_request_upload",
    "mistral_read_result",
    "mistral_api_search",
    "mistral_api_describe",
    "mistral_api_read",
    "mistral_api_write",
}
"""Tools without requests of their own, or with those that the caller names."""

ESTIMATED = {"dry_run"}
"""With it, nothing is sent."""


class Operation(NamedTuple):
    """What a specification says of one method of one path."""

    document: dict[str, Any]
    says: dict[str, Any]
    in_path: dict[str, str]

    @property
    def query(self) -> dict[str, Any]:
        return {
            item["name"]: item.get("schema", {})
            for item in self.says.get("parameters", ())
            if item["in"] == "query"
        }

    def validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        return Draft202012Validator({**schema, "components": self.document["components"]})

    def schema_of(self, kind: str) -> dict[str, Any]:
        schema = self.says["requestBody"]["content"][kind]["schema"]
        while "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    async def check(self, request: Received) -> dict[str, Any]:
        """The members of the request, path, query and body. They must fit what this file says of the operation."""
        query = {name: read_value(request.query.getlist(name), self.query[name], self) for name in request.query}
        body = await read_members(request, self)
        if body is None:
            return {**self.in_path, **query}
        kind = request.headers["content-type"].partition(";")[0]
        known = {name: member for name, member in body.items() if name not in ELSEWHERE.get(request.path, ())}
        self.validator(self.schema_of(kind)).validate(known)
        return body


@cache
def documents() -> list[dict[str, Any]]:
    return [yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader) for path in SPECIFICATIONS]


def operations_of(request: Received) -> list[Operation]:
    """What the files say of the request's operation; the oldest only where no other knows it."""
    *current, oldest = [operation_in(document, request) for document in documents()]
    found = [operation for operation in current if operation] or ([oldest] if oldest else [])
    assert found, f"Mistral knows no {request.method} {request.path}"
    return found


def operation_in(document: dict[str, Any], request: Received) -> Operation | None:
    # A path without placeholders goes before one with.
    for path, methods in sorted(document["paths"].items(), key=lambda item: item[0].count("{")):
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path.partition("#")[0]))
        found = re.fullmatch(pattern, request.path)
        if found and (says := methods.get(request.method.lower())):
            return Operation(document, says, found.groupdict())
    return None


async def read_members(request: Received, operation: Operation) -> dict[str, Any] | None:
    """The members of the body; of a form as what they stand for."""
    if not request.body:
        return None
    form = await read_form(request)
    if form is None:
        return request.json
    properties = dict(operation.schema_of("multipart/form-data")["properties"])
    properties |= ELSEWHERE.get(request.path, {})
    fields = {name: list(values) for name, values in form.fields.items()}
    files = {name: [file.filename] for name, file in form.files.items()}
    return {
        name: read_value(values, properties.get(name, {}), operation) for name, values in (fields | files).items()
    }


def read_value(values: list[str], schema: dict[str, Any], operation: Operation) -> object:
    """Text, or what it stands for in JSON, or a list: whichever the schema takes."""
    candidates: list[object] = [values[0], values]
    with suppress(ValueError):
        candidates.insert(1, json.loads(values[0]))
    fitting = [candidate for candidate in candidates if operation.validator(schema).is_valid(candidate)]
    assert fitting, f"{values} does not fit {schema}"
    return fitting[0]


@pytest.mark.parametrize("row", ROWS, ids=[f"{number}-{row.tool}" for number, row in enumerate(ROWS)])
async def test_what_is_sent_is_what_mistral_takes(mistral_url: str, sandbox: Sandbox, row: Row) -> None:
    sandbox.faults.extend(Fault(status=200, body=body) for body in row.replies)
    async with connect_in_memory(mistral_url, toolsets="all,fine_tuning") as client:
        await client.call_tool(row.tool, row.arguments)

    assert len(sandbox.requests) > len(row.replies)
    members: dict[str, Any] = {}
    for request in sandbox.requests:
        for operation in operations_of(request):
            members = await operation.check(request)
    if row.model is not None:
        known = getattr(sdk, row.model)
        assert members.keys() <= {field.alias or name for name, field in known.model_fields.items()}
        # A file is a name and its content to the SDK.
        files = {"file": {"file_name": members["file"], "content": b"x"}} if "file" in members else {}
        known.model_validate(members | files)


def test_every_tool_has_rows_with_all_that_it_takes() -> None:
    built = {tool.name: set(tool.parameters["properties"]) for tool in every_tool()}
    used: dict[str, set[str]] = {}
    for row in ROWS:
        used.setdefault(row.tool, set()).update(row.arguments.keys() - ESTIMATED)

    sent = {name: parameters - ESTIMATED for name, parameters in built.items() if name not in NOT_SENT}
    assert used == sent
