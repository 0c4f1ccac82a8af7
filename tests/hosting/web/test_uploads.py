"""Upload links: from the tool to the page, to Mistral and back to a tool; of two replicas, on both databases."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import pytest
from mcp_types import CallToolResult

from mistral_mcp.hosting.app import create_app
from mistral_mcp.hosting.vault.uploads import MOST_OPEN
from mistral_mcp.sandbox import Fault, Sandbox
from mistral_mcp.settings import Settings
from tests.conftest import KEY, connect_to, serving, text_of

OTHER_KEY = "oThErKeY0123456789abcdefghijklmn"
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n" * 20_000


@pytest.fixture
async def replicas(settings: Settings, mistral_url: str) -> AsyncIterator[list[httpx2.AsyncClient]]:
    both = Settings.model_validate({**settings.model_dump(), "route": mistral_url})
    async with (
        serving(create_app(both)) as one,
        serving(create_app(both)) as other,
        httpx2.AsyncClient(base_url=one, timeout=30) as at_one,
        httpx2.AsyncClient(base_url=other, timeout=30) as at_other,
    ):
        yield [at_one, at_other]


async def connect(http: httpx2.AsyncClient, key: str = KEY) -> dict[str, Any]:
    return (await http.post("/connections", json={"api_key": key, "toolsets": ["files", "documents"]})).json()


async def call(url: str, tool: str, **arguments: Any) -> CallToolResult:
    async with connect_to(url, {}) as client:
        return await client.call_tool(tool, arguments)


async def request_upload(url: str, **arguments: Any) -> dict[str, Any]:
    result = await call(url, "mistral_request_upload", **arguments)
    assert not result.is_error, text_of(result)
    assert result.structured_content
    return result.structured_content


def path_of(link: dict[str, Any]) -> str:
    return re.sub(r"^https?://[^/]+", "", link["upload_url"])


async def test_a_file_goes_from_the_page_to_mistral_and_its_handle_stands_for_it(
    replicas: list[httpx2.AsyncClient], sandbox: Sandbox
) -> None:
    made = await connect(replicas[0])
    link = await request_upload(made["url"], purpose="ocr")
    assert link["upload_url"].endswith(link["handle"])

    sent = await replicas[1].put(f"{path_of(link)}/scan.pdf", content=PDF)  # as curl -T does

    assert sent.status_code == 201, sent.text
    assert sandbox.requests[-1].key == KEY
    found = await call(made["url"], "mistral_get_file", file_id=link["handle"])
    assert found.structured_content
    assert (found.structured_content["filename"], found.structured_content["bytes"]) == ("scan.pdf", len(PDF))
    read = await call(made["url"], "mistral_ocr", document=link["handle"])
    assert not read.is_error, text_of(read)


async def test_a_form_without_javascript_sends_one_file(
    replicas: list[httpx2.AsyncClient], sandbox: Sandbox
) -> None:
    made = await connect(replicas[0])
    link = await request_upload(made["url"])
    page = await replicas[1].get(path_of(link))
    sent = await replicas[1].post(path_of(link), files={"file": ("été.pdf", PDF, "application/pdf")})

    assert 'enctype="multipart/form-data"' in page.text
    assert sent.status_code == 200, sent.text
    assert "été.pdf" in sent.text
    found = await call(made["url"], "mistral_get_file", file_id=link["handle"])
    assert found.structured_content
    assert found.structured_content["bytes"] == len(PDF)


async def test_several_files_stand_in_a_list_and_one_by_one(replicas: list[httpx2.AsyncClient]) -> None:
    made = await connect(replicas[0])
    link = await request_upload(made["url"])
    for name in ("one.pdf", "two.pdf"):
        assert (await replicas[0].put(f"{path_of(link)}/{name}", content=PDF)).status_code == 201

    both = await call(made["url"], "mistral_get_file", file_id=link["handle"])
    second = await call(made["url"], "mistral_get_file", file_id=f"{link['handle']}/2")

    assert both.is_error
    assert "2 files were uploaded" in text_of(both)
    assert second.structured_content
    assert second.structured_content["filename"] == "two.pdf"


async def test_a_link_takes_ten_files(replicas: list[httpx2.AsyncClient]) -> None:
    link = await request_upload((await connect(replicas[0]))["url"])
    statuses = [
        (await replicas[n % 2].put(f"{path_of(link)}/{n}.pdf", content=b"%PDF")).status_code for n in range(12)
    ]

    assert statuses == [201] * 10 + [410] * 2
    assert (await replicas[0].get(path_of(link))).status_code == 410


async def test_another_connection_knows_nothing_of_a_link(replicas: list[httpx2.AsyncClient]) -> None:
    mine, theirs = await connect(replicas[0]), await connect(replicas[0], OTHER_KEY)
    link = await request_upload(mine["url"])
    await replicas[0].put(f"{path_of(link)}/scan.pdf", content=PDF)

    result = await call(theirs["url"], "mistral_get_file", file_id=link["handle"])

    assert result.is_error
    assert "no such upload link" in text_of(result)


async def test_before_a_file_has_come_the_tool_says_so_or_waits(
    replicas: list[httpx2.AsyncClient], sandbox: Sandbox
) -> None:
    made = await connect(replicas[0])
    link = await request_upload(made["url"])
    sandbox.reset()
    at_once = await call(made["url"], "mistral_get_file", file_id=link["handle"])
    assert at_once.is_error
    assert "No file was uploaded" in text_of(at_once)
    assert not sandbox.requests

    reports: list[str | None] = []
    waits = anyio.Event()

    async def hear(_done: float, _total: float | None, message: str | None) -> None:
        reports.append(message)
        waits.set()

    results: list[CallToolResult] = []
    async with connect_to(made["url"], {}) as client, anyio.create_task_group() as group:

        async def wait() -> None:
            answer = await client.call_tool(
                "mistral_get_file", {"file_id": link["handle"]}, progress_callback=hear
            )
            results.append(answer)

        group.start_soon(wait)
        await waits.wait()
        await replicas[1].put(f"{path_of(link)}/late.pdf", content=PDF)

    assert not results[0].is_error, text_of(results[0])
    assert "Waiting for the file" in str(reports[0])


async def test_a_link_ends_with_its_connection(replicas: list[httpx2.AsyncClient]) -> None:
    made = await connect(replicas[0])
    link = await request_upload(made["url"])
    await replicas[0].delete("/connections/current", headers={"X-API-Key": made["token"]})

    sent = await replicas[1].put(f"{path_of(link)}/scan.pdf", content=PDF)
    assert sent.status_code == 410
    assert (await replicas[1].get(path_of(link))).status_code == 410
    assert (await replicas[1].get("/uploads/up_" + "x" * 32)).status_code == 404


async def test_an_upload_in_flight_ends_with_its_connection_and_nothing_more_goes_to_mistral(
    replicas: list[httpx2.AsyncClient], sandbox: Sandbox
) -> None:
    made = await connect(replicas[0])
    link = await request_upload(made["url"])
    sandbox.reset()
    port = replicas[1].base_url.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"PUT {path_of(link)}/scan.pdf HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(PDF)}\r\n\r\n"
    writer.write(head.encode() + PDF[: len(PDF) // 2])
    await writer.drain()
    await replicas[0].delete("/connections/current", headers={"X-API-Key": made["token"]})
    with anyio.fail_after(5):
        answer = await reader.readline()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 410")
    assert [request.path for request in sandbox.requests if request.body] == []


async def test_a_connection_has_so_many_open_links(replicas: list[httpx2.AsyncClient]) -> None:
    made, other = await connect(replicas[0]), await connect(replicas[0], OTHER_KEY)
    async with connect_to(made["url"], {}) as client:
        results = [await client.call_tool("mistral_request_upload", {}) for _ in range(MOST_OPEN + 1)]

    assert [result.is_error for result in results] == [False] * MOST_OPEN + [True]
    assert "open already" in text_of(results[-1])
    assert (await request_upload(other["url"]))["handle"]


@pytest.mark.parametrize("fault", [Fault(status=422), Fault(status=500), Fault(drop="before_headers")])
async def test_an_upload_that_fails_counts_for_nothing(
    replicas: list[httpx2.AsyncClient], sandbox: Sandbox, fault: Fault
) -> None:
    made = await connect(replicas[0])
    link = await request_upload(made["url"])
    sandbox.faults.append(fault)
    failed = await replicas[0].put(f"{path_of(link)}/scan.pdf", content=PDF)
    again = await replicas[0].put(f"{path_of(link)}/scan.pdf", content=PDF)

    assert failed.status_code in {422, 503}
    assert KEY not in failed.text
    assert again.status_code == 201
    files = await call(made["url"], "mistral_list_files")
    assert files.structured_content
    assert files.structured_content["total"] == 1


async def test_an_upload_cut_in_the_middle_leaves_nothing(
    replicas: list[httpx2.AsyncClient], sandbox: Sandbox
) -> None:
    made = await connect(replicas[0])
    link = await request_upload(made["url"])
    sandbox.reset()
    base = replicas[0].base_url
    _, writer = await asyncio.open_connection("127.0.0.1", base.port)
    head = f"PUT {path_of(link)}/scan.pdf HTTP/1.1\r\nHost: 127.0.0.1:{base.port}\r\nContent-Length: {len(PDF)}\r\n\r\n"
    writer.write(head.encode() + PDF[: len(PDF) // 2])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    with anyio.fail_after(10):
        while (await replicas[0].get("/metrics")).text.count('route="/uploads/{handle}/{filename}"') == 0:  # noqa: ASYNC110
            await anyio.sleep(0.05)

    files = await call(made["url"], "mistral_list_files")
    assert files.structured_content
    assert files.structured_content["files"] == []
    assert (await replicas[0].put(f"{path_of(link)}/scan.pdf", content=PDF)).status_code == 201


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\nno file\r\n\r\nx\r\n--x--\r\n", "not one of this page"),
        ("multipart/form-data", b"--x\r\n", "not one of this page"),
        ("application/octet-stream", b"", "empty"),
    ],
)
async def test_what_is_no_file_is_refused(
    replicas: list[httpx2.AsyncClient], sandbox: Sandbox, kind: str, body: bytes, words: str
) -> None:
    link = await request_upload((await connect(replicas[0]))["url"])
    sandbox.reset()
    sent = await replicas[0].post(path_of(link), content=body, headers={"content-type": kind})

    assert sent.status_code == 422
    assert words in sent.text
    assert not sandbox.requests


async def test_a_handle_stands_for_a_file_within_the_body_of_any_operation(
    replicas: list[httpx2.AsyncClient], sandbox: Sandbox
) -> None:
    made = (await replicas[0].post("/connections", json={"api_key": KEY, "toolsets": ["files", "api"]})).json()
    link = await request_upload(made["url"], purpose="ocr")
    await replicas[0].put(path_of(link) + "/a.pdf", content=PDF)
    document = {"type": "file", "file_id": link["handle"]}
    body = {"model": "mistral-ocr-latest", "document": document}

    result = await call(made["url"], "mistral_api_read", operation="ocr.process", body=body)

    assert not result.is_error, text_of(result)
    assert sandbox.requests[-1].json["document"]["file_id"] != link["handle"]


@pytest.mark.parametrize("prefix", ["/tools/ai/mistral", ""])
async def test_links_work_below_a_deep_path_of_the_public_url(
    sqlite_settings: Settings, mistral_url: str, prefix: str
) -> None:
    """A proxy passes the path on, or takes it off."""
    public = "https://example.org/tools/ai/mistral"
    settings = Settings.model_validate(
        {**sqlite_settings.model_dump(), "route": mistral_url, "public_url": public}
    )
    async with serving(create_app(settings)) as base, httpx2.AsyncClient(base_url=base) as http:
        made = await connect(http)
        url = made["url"].replace(public, base + prefix)
        link = await request_upload(url)
        page = await http.get(link["upload_url"].replace(public, base + prefix))
        action = re.search(r'action="([^"]+)"', page.text)
        script = re.search(r'script src="([^"]+upload.js)"', page.text)
        assert action
        assert script
        form = {"file": ("a.pdf", PDF, "application/pdf")}
        sent = await http.post(
            base + prefix + action[1].removeprefix("/tools/ai/mistral"),
            files=form,
            headers={"origin": "https://example.org"},
        )
        scripted = await http.get(base + prefix + script[1].removeprefix("/tools/ai/mistral"))
        found = await call(url, "mistral_get_file", file_id=link["handle"])
        download = await call(url, "mistral_download_file", file_id=link["handle"])
        kept = download.structured_content["kept"]
        result = await http.get(kept["url"].replace(public, base + prefix), headers={"range": "bytes=0-7"})

    assert link["upload_url"].startswith(f"{public}/uploads/up_")
    assert action[1].startswith("/tools/ai/mistral/uploads/up_")
    assert (page.status_code, sent.status_code, scripted.status_code) == (200, 200, 200)
    assert found.structured_content["filename"] == "a.pdf"
    assert kept["url"].startswith(f"{public}/results/kr_")
    assert (result.status_code, result.content) == (206, PDF[:8])
