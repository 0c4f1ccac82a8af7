"""A file that was uploaded a moment ago, and that Mistral does not know yet."""

import json
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
from pydantic import SecretStr

from mistral_mcp import Settings
from mistral_mcp.errors import NotFound
from mistral_mcp.mistral.api.files import UploadFileCall
from mistral_mcp.mistral.api.ocr import OcrCall
from mistral_mcp.mistral.client import MistralClient, Upstream
from mistral_mcp.mistral.multipart import FilePart
from mistral_mcp.mistral.transports.exchange import Caller, Exchange
from mistral_mcp.mistral.transports.retries import Retries
from mistral_mcp.route import Route
from tests.conftest import KEY

FILE = "497f6eca-6276-4993-bfeb-53cbbbba6f08"
PAGES: dict[str, object] = {"pages": [], "model": "mistral-ocr-latest", "usage_info": {"pages_processed": 1}}


class Forgetful(httpx2.AsyncBaseTransport):
    """Mistral, that knows an uploaded file only when it is asked for it the third time, or a later one."""

    def __init__(self, knows_at: int = 3) -> None:
        self.asked = 0
        self.knows_at = knows_at

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        if request.url.path == "/v1/files":
            about = {
                "object": "file",
                "id": FILE,
                "bytes": 1,
                "created_at": 1,
                "filename": "a.pdf",
                "purpose": "ocr",
            }
            return httpx2.Response(200, json=about)
        self.asked += 1
        if self.asked < self.knows_at:
            return httpx2.Response(404, json={"detail": "File not found"})
        return httpx2.Response(200, json=PAGES)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream(Settings(), Forgetful())
    yield upstream
    await upstream.aclose()


def client(upstream: Upstream, key: str = KEY) -> MistralClient:
    return upstream.client(Caller.of(SecretStr(key), "a test", upstream.settings.route, None))


def read(file_id: str = FILE) -> OcrCall:
    return OcrCall.model_validate(
        {"model": "mistral-ocr-latest", "document": json.loads(json.dumps({"type": "file", "file_id": file_id}))}
    )


async def test_a_fresh_file_is_requested_again(upstream: Upstream):
    await client(upstream).send(UploadFileCall(purpose="ocr", file=FilePart.of("a.pdf", b"x")))
    mistral = client(upstream)

    await mistral.send(read())

    assert mistral.attempts == 3


async def test_another_caller_s_fresh_file_is_not(upstream: Upstream):
    await client(upstream).send(UploadFileCall(purpose="ocr", file=FilePart.of("a.pdf", b"x")))
    other = client(upstream, KEY[::-1])

    with pytest.raises(NotFound, match="just uploaded may need a moment"):
        await other.send(read())
    assert other.attempts == 1


async def test_a_file_that_was_not_just_uploaded_is_requested_once(upstream: Upstream):
    mistral = client(upstream)

    with pytest.raises(NotFound):
        await mistral.send(read())
    assert mistral.attempts == 1


@pytest.mark.parametrize(("knows_at", "status", "waits"), [(6, 200, 5), (7, 404, 5)])
async def test_a_fresh_file_is_requested_six_times_at_most(knows_at: int, status: int, waits: int):
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    retries = Retries(Forgetful(knows_at), 2, lambda: 1.0, sleep)

    async def ask(method: str, path: str, operation: str) -> httpx2.Response:
        caller = Caller.of(SecretStr(KEY), "a test", Route(kind="direct"), None)
        exchange = Exchange(caller, repeatable=True, deadline=time.monotonic() + 100, operation=operation)
        url = f"https://api.mistral.ai{path}"
        request = httpx2.Request(method, url, content=b"", extensions={"exchange": exchange})
        return await retries.handle_async_request(request)

    await ask("POST", "/v1/files", "POST /v1/files")
    assert (await ask("GET", f"/v1/files/{FILE}", "GET /v1/files/{file_id}")).status_code == status
    assert len(waited) == waits
