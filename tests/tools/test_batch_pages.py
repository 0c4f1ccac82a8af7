"""The pages of a batch job's answers: fetched once, in order, and only for their caller."""

from array import array
from typing import Any

import anyio
import pytest
from mcp.client import Client

from mistral_mcp.http.app import create_app
from mistral_mcp.mistral.api.batch import BatchJobReply
from mistral_mcp.mistral.api.batch_results import BatchAnswers
from mistral_mcp.sandbox import Sandbox
from mistral_mcp.settings import Settings
from tests.conftest import KEY, connect_to, serving, text_of
from tests.tools.test_batch import client, from_file, requests, run_job

__all__ = ["client"]

OTHER_KEY = "oThErKeY0123456789abcdefghijklmn"


async def read(client: Client, job_id: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool("mistral_get_batch_results", {"job_id": job_id, **arguments})
    assert not result.is_error, text_of(result)
    return result.structured_content


async def ids_of_all_pages(client: Client, job_id: str, **arguments: Any) -> list[str]:
    """In the order of the pages, of two each."""
    ids: list[str] = []
    page: int | None = 0
    while page is not None:
        found = await read(client, job_id, page=page, page_size=2, **arguments)
        ids += [row["custom_id"] for row in found["results"]]
        page = found.get("next_page")
    return ids


@pytest.mark.parametrize("way", ["inline", "file"])
async def test_pages_after_the_first_ask_mistral_for_nothing(client: Client, sandbox: Sandbox, way: str) -> None:
    rows = requests("a", "bad b", "c", "bad d", "e")
    given = {"requests": rows} if way == "inline" else {"input_files": await from_file(client, rows)}
    job_id = await run_job(client, **given)
    await read(client, job_id, page_size=2)
    before = len(sandbox.requests)

    assert await ids_of_all_pages(client, job_id) == ["a", "c", "e", "bad b", "bad d"]
    assert len(sandbox.requests) == before
    assert await ids_of_all_pages(client, job_id, only="succeeded") == ["a", "c", "e"]
    assert await ids_of_all_pages(client, job_id, only="failed") == ["bad b", "bad d"]
    assert (await read(client, job_id, page=7))["results"] == []


async def test_what_a_job_has_before_its_end_is_requested_again(client: Client, sandbox: Sandbox) -> None:
    result = await client.call_tool(
        "mistral_create_batch_job",
        {"endpoint": "/v1/chat/completions", "model": "mistral-small-latest", "requests": requests("a")},
    )
    job_id = result.structured_content["id"]
    found: dict[str, Any] = {"results": []}
    with anyio.fail_after(20):
        while not found["results"]:
            found = await read(client, job_id)

    assert found["status"] == "SUCCESS"
    assert len([request for request in sandbox.requests if job_id in request.path]) > 1


async def test_another_caller_of_the_same_server_reads_none_of_it(mistral_url: str) -> None:
    settings = Settings.model_validate({"route": mistral_url, "toolsets": "batch,files"})
    async with serving(create_app(settings)) as base:
        async with connect_to(f"{base}/mcp", {"X-Mistral-Api-Key": KEY}) as mine:
            job_id = await run_job(mine, requests=requests("a"))
            assert (await read(mine, job_id))["results"]
        async with connect_to(f"{base}/mcp", {"X-Mistral-Api-Key": OTHER_KEY}) as theirs:
            result = await theirs.call_tool("mistral_get_batch_results", {"job_id": job_id})
            assert result.is_error
            assert "404" in text_of(result)


@pytest.mark.parametrize(
    ("start", "stop", "found"),
    [
        (0, 2, [b"{}", b"[1]"]),
        (1, 3, [b"[1]", b"null"]),
        (2, 9, [b"null"]),
        (3, 5, []),
        (9, 11, []),
    ],
)
def test_lines_are_found_by_place(start: int, stop: int, found: list[bytes]) -> None:
    answers = BatchAnswers(BatchJobReply(id="j", status="SUCCESS"), b"{}[1]null", array("Q", [2, 5, 9]))

    assert answers.lines(start, stop) == found
    assert answers.size == 9 + 3 * 8
