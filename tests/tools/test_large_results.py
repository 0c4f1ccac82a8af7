"""Every tool, given and answered as much as there may be: no result floods a context, and none holds binary resources."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp_types import AudioContent, CallToolResult, ImageContent, TextContent

from mistral_mcp.sandbox import Sandbox, serve_app
from mistral_mcp.tools.framework.kept import LONG
from tests.conftest import connect_in_memory, every_tool, text_of

MODEL = "mistral-small-latest"
LARGE = "A sentence that is said again and again. " * 2_500  # 100,000 characters
PAGES = "\f".join(LARGE[:9_000] for _ in range(40))
NOTE = 2_000
"""Characters of what a result says of itself: where the rest is, what comes next."""
MEMBERS = 3
"""Names, ids and escapes make a structured result longer than its text, by so much at most."""


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with (
        serve_app(Sandbox(fine_tuning=True)) as url,
        connect_in_memory(url, toolsets="all,fine_tuning", output_dir=tmp_path, files_dir=tmp_path) as client,
    ):
        yield client


class Walk:
    """Calls each tool once, at least, and looks at every result."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.called: set[str] = set()
        self.problems: list[str] = []

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments)
        self.called.add(tool)
        self.problems += [f"{tool}: {problem}" for problem in find_problems(result)]
        return result.structured_content or {}


def find_problems(result: CallToolResult) -> list[str]:
    found: list[str] = []
    if result.is_error:
        found.append(text_of(result)[:300])
    text = sum(len(block.text) for block in result.content if isinstance(block, TextContent))
    if text > LONG + NOTE:
        found.append(f"{text:,} characters of text")
    structured = len(json.dumps(result.structured_content, ensure_ascii=False))
    if structured > MEMBERS * LONG:
        found.append(f"{structured:,} characters of structured result")
    blocks = [
        block for block in result.content if not isinstance(block, TextContent | ImageContent | AudioContent)
    ]
    return [*found, *(f"a block of {type(block).__name__}" for block in blocks)]


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.slow
async def test_no_tool_floods_a_context_or_returns_a_binary_resource(client: Client) -> None:
    walk = Walk(client)
    await walk_core(walk)
    await walk_files(walk)
    await walk_conversations(walk)
    await walk_libraries(walk)
    await walk_batch_and_api(walk)
    await walk_fine_tuning(walk)

    assert walk.problems == []
    every = {tool.name for tool in every_tool()}
    # Which makes a link, and needs a server that people can open a page of.
    assert every - walk.called == {"mistral_request_upload"}


async def walk_core(walk: Walk) -> None:
    await walk.call("mistral_chat", prompt=LARGE)
    await walk.call("mistral_embed", inputs=[LARGE[:9_000]] * 200)
    await walk.call("mistral_rank", query="again", documents=[LARGE[:20_000]] * 40, top_k=40)
    await walk.call("mistral_function_call", prompt=LARGE, functions=[{"name": "say", "description": LARGE[:900]}])
    await walk.call("mistral_code_complete", prompt=LARGE)
    await walk.call("mistral_moderate", inputs=[LARGE[:1_000]] * 100)
    await walk.call("mistral_list_models")
    await walk.call("mistral_get_model", model=MODEL)
    await walk.call("mistral_agent_complete", agent_id="ag_" + "x" * 20, prompt=LARGE)
    await walk.call(
        "mistral_classify", model="ft:classifier:ministral-3b-latest:abc", inputs=[LARGE[:1_000]] * 100
    )
    await walk.call("mistral_compare", models=[MODEL] * 8, prompt=LARGE)
    await walk.call("mistral_web_search", query=LARGE[:99_000])


async def walk_files(walk: Walk) -> None:
    file_id = (await walk.call("mistral_upload_file", filename="book.txt", purpose="ocr", content=PAGES))["id"]
    for number in range(100):
        other = await walk.call(
            "mistral_upload_file", filename=f"{'name' * 50}{number}.txt", purpose="ocr", content="A note."
        )
    await walk.call("mistral_list_files", page_size=100)
    await walk.call("mistral_get_file", file_id=file_id)
    await walk.call("mistral_get_file_url", file_id=file_id)
    kept = (await walk.call("mistral_download_file", file_id=file_id))["kept"]
    await walk.call("mistral_read_result", handle=kept["handle"], limit=LONG)
    await walk.call("mistral_ocr", document=file_id, blocks=True, confidence="word", figures=True)
    await walk.call("mistral_ocr", document=f"data:text/plain;base64,{encode(PAGES)}", include_images=True)
    await walk.call("mistral_delete_file", file_id=other["id"])
    await walk.call("mistral_transcribe", url="https://example.com/talk.mp3", timestamps="word")
    await walk.call("mistral_speak", text=LARGE[:4_000], inline=True)
    await walk.call("mistral_list_voices", page_size=100)


async def walk_conversations(walk: Walk) -> None:
    started = await walk.call("mistral_start_conversation", prompt=LARGE, model=MODEL)
    conversation = started["conversation_id"]
    await walk.call("mistral_append_conversation", conversation_id=conversation, prompt=LARGE)
    await walk.call("mistral_get_conversation", conversation_id=conversation)
    await walk.call("mistral_list_conversations", page_size=100)
    await walk.call("mistral_delete_conversation", conversation_id=conversation)


async def walk_libraries(walk: Walk) -> None:
    library = (await walk.call("mistral_create_library", name="x" * 200, description=LARGE[:900]))["id"]
    document = await walk.call("mistral_add_document", library_id=library, filename="long.txt", content=LARGE)
    await walk.call("mistral_list_libraries")
    await walk.call("mistral_list_documents", library_id=library)
    await walk.call("mistral_get_document_text", library_id=library, document_id=document["id"])
    await walk.call("mistral_delete_document", library_id=library, document_id=document["id"])
    await walk.call("mistral_delete_library", library_id=library)


async def walk_batch_and_api(walk: Walk) -> None:
    body = {"messages": [{"role": "user", "content": LARGE}]}
    job = await walk.call(
        "mistral_create_batch_job", endpoint="/v1/chat/completions", model=MODEL, requests=[{"body": body}] * 60
    )
    for _ in range(4):
        await walk.call("mistral_get_batch_job", job_id=job["id"])
    await walk.call("mistral_get_batch_results", job_id=job["id"], page_size=100)
    await walk.call("mistral_list_batch_jobs", page_size=100)
    await walk.call("mistral_cancel_batch_job", job_id=job["id"])
    await walk.call("mistral_api_search", query="everything that can be done with agents", top_k=20)
    await walk.call("mistral_api_describe", operation="agents.create")
    await walk.call("mistral_api_read", operation="models.list")
    await walk.call("mistral_api_write", operation="agents.create", body={"name": "x", "model": MODEL})


async def walk_fine_tuning(walk: Walk) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    samples = "\n".join([json.dumps({"messages": turns})] * 2_000)
    file = await walk.call("mistral_upload_file", filename="a.jsonl", purpose="fine-tune", content=samples)
    asked = {"model": "open-mistral-nemo", "training_files": [file["id"]]}
    for _ in range(30):
        job = await walk.call("mistral_create_fine_tuning_job", **asked)
    await walk.call("mistral_start_fine_tuning_job", job_id=job["id"])
    seen: dict[str, Any] = {}
    while "fine_tuned_model" not in seen:
        seen = await walk.call("mistral_get_fine_tuning_job", job_id=job["id"])
    await walk.call("mistral_list_fine_tuning_jobs", page_size=100)
    other = await walk.call("mistral_create_fine_tuning_job", **asked)
    await walk.call("mistral_cancel_fine_tuning_job", job_id=other["id"])
    model = seen["fine_tuned_model"]
    await walk.call("mistral_update_fine_tuned_model", model=model, name="x" * 200, description=LARGE[:9_000])
    await walk.call("mistral_archive_fine_tuned_model", model=model)
    await walk.call("mistral_unarchive_fine_tuned_model", model=model)
    await walk.call("mistral_delete_fine_tuned_model", model=model)
