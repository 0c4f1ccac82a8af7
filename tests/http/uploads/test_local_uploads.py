"""The upload page of stdio: on loopback, to Mistral and back to a tool, and closed after its time."""

import re
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from mistral_mcp import Settings, create_server
from mistral_mcp.credentials import from_key
from mistral_mcp.http.uploads.local_uploads import LocalUploads
from mistral_mcp.http.uploads.problems import read_problems
from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import KEY, stdio_parameters, text_of

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n" * 20_000


@asynccontextmanager
async def connect_with_local_page(url: str, *, open_seconds: float = 60) -> AsyncGenerator[Client]:
    """A client of a server with a page of its own, as stdio has it."""
    settings = Settings.model_validate({"route": url, "toolsets": "files,documents", "max_retries": 0})
    uploads = LocalUploads(settings, open_seconds=open_seconds)
    server = create_server(settings, from_key(KEY), upload_links=uploads)
    async with anyio.create_task_group() as group:
        await group.start(uploads.run)
        async with Client(server) as client:
            yield client
        group.cancel_scope.cancel()


@pytest.fixture
async def client(mistral_url: str) -> AsyncIterator[Client]:
    async with connect_with_local_page(mistral_url) as client:
        yield client


async def request_upload(client: Client) -> dict[str, str]:
    result = await client.call_tool("mistral_request_upload", {})
    assert not result.is_error, text_of(result)
    return result.structured_content


async def test_a_file_goes_from_this_machines_page_to_mistral_and_its_handle_stands_for_it(
    client: Client, sandbox: Sandbox
) -> None:
    link = await request_upload(client)
    async with httpx2.AsyncClient() as http:
        page = await http.get(link["upload_url"])
        script = await http.get(re.sub(r"/uploads/.*", "/static/upload.js", link["upload_url"]))
        sent = await http.put(f"{link['upload_url']}/scan.pdf", content=PDF)  # as the script and curl -T do

    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/uploads/up_[\w-]{32}", link["upload_url"])
    assert 'src="/static/upload.js"' in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert script.status_code == 200
    assert sent.status_code == 201, sent.text
    assert sandbox.requests[-1].key == KEY
    found = await client.call_tool("mistral_get_file", {"file_id": link["handle"]})
    assert found.structured_content["bytes"] == len(PDF)
    read = await client.call_tool("mistral_ocr", {"document": link["handle"]})
    assert not read.is_error, text_of(read)


async def test_a_form_without_javascript_sends_one_file_in_french_too(client: Client) -> None:
    link = await request_upload(client)
    async with httpx2.AsyncClient(headers={"accept-language": "fr-CA,en;q=0.5"}) as http:
        page = await http.get(link["upload_url"])
        sent = await http.post(
            link["upload_url"],
            files={"file": ("<été>.pdf", PDF, "application/pdf")},
            headers={"origin": re.sub(r"/uploads/.*", "", link["upload_url"])},
        )
        english = await http.get(link["upload_url"], params={"lang": "en"})

    assert "<h1>Envoyer des fichiers</h1>" in page.text
    assert sent.status_code == 200, sent.text
    assert "&lt;été&gt;.pdf" in sent.text
    assert "<h1>Upload files</h1>" in english.text


async def test_a_link_takes_ten_files_and_one_that_fails_counts_for_nothing(
    client: Client, sandbox: Sandbox
) -> None:
    link = await request_upload(client)
    sandbox.faults.append(Fault(status=500))
    async with httpx2.AsyncClient() as http:
        failed = await http.put(f"{link['upload_url']}/a.pdf", content=b"%PDF")
        statuses = [
            (await http.put(f"{link['upload_url']}/{number}.pdf", content=b"%PDF")).status_code
            for number in range(11)
        ]
        ended = await http.get(link["upload_url"])

    assert failed.status_code == 503
    assert statuses == [201] * 10 + [410]
    assert (ended.status_code, "This upload link has ended" in ended.text) == (410, True)


@pytest.mark.parametrize(
    ("status", "content", "french", "english"),
    [
        (None, b"", "Le fichier est vide. Choisissez-en un autre.", "The file is empty. Choose another."),
        (422, b"%PDF", "Mistral n'a pas accepté cet envoi.", "Mistral did not take this."),
        (401, b"%PDF", "Mistral a refusé la clé.", "Mistral refused the key."),
        (
            503,
            b"%PDF",
            "Mistral n'a pas répondu comme prévu.",
            "Mistral did not answer as it should.",
        ),
    ],
    ids=["empty", "refused", "key", "failed"],
)
async def test_an_error_is_said_in_the_language_of_the_page(
    client: Client, sandbox: Sandbox, status: int | None, content: bytes, french: str, english: str
) -> None:
    link = (await request_upload(client))["upload_url"]
    origin = {"origin": re.sub(r"/uploads/.*", "", link)}
    async with httpx2.AsyncClient(headers={"accept-language": "fr-FR"}) as http:
        for lang, sentence in (("", french), ("?lang=en", english)):
            if status:
                sandbox.faults.append(Fault(status=status, times=2))
            by_script = await http.put(f"{link}/a.pdf{lang}", content=content)
            by_form = await http.post(link + lang, files={"file": ("a.pdf", content)}, headers=origin)

            assert by_script.json()["error"]["message"].startswith(sentence)
            assert sentence in unescape(by_form.text)


def test_both_languages_have_a_sentence_for_the_same_errors() -> None:
    english, french = read_problems("en"), read_problems("fr")

    assert set(english) == set(french)
    assert not [name for name in english if english[name] == french[name]]


async def test_others_than_who_has_the_link_get_nothing(client: Client, sandbox: Sandbox) -> None:
    link = await request_upload(client)
    sandbox.reset()  # the key was checked
    base = re.sub(r"/uploads/.*", "", link["upload_url"])
    async with httpx2.AsyncClient() as http:
        unknown = await http.put(f"{base}/uploads/up_{'x' * 32}/a.pdf", content=PDF)
        rebound = await http.get(link["upload_url"], headers={"host": "evil.example"})
        foreign = await http.put(
            f"{link['upload_url']}/a.pdf", content=PDF, headers={"origin": "https://evil.example"}
        )

    assert (unknown.status_code, rebound.status_code, foreign.status_code) == (404, 421, 403)
    assert not sandbox.requests


async def is_reachable(url: str) -> bool:
    """Whether something listens there; a connection cut by the closing server does not tell."""
    async with httpx2.AsyncClient() as http:
        try:
            await http.get(url)
        except httpx2.ConnectError:
            return False
        except (httpx2.ReadError, httpx2.RemoteProtocolError):
            return True
        return True


async def test_after_its_time_the_page_is_gone_its_files_are_not_and_a_new_one_can_be_had(
    mistral_url: str,
) -> None:
    async with connect_with_local_page(mistral_url, open_seconds=0.5) as client:
        link = await request_upload(client)
        async with httpx2.AsyncClient() as http:
            sent = await http.put(f"{link['upload_url']}/a.pdf", content=b"%PDF")
        with anyio.fail_after(20):
            while await is_reachable(link["upload_url"]):
                pass
        found = await client.call_tool("mistral_get_file", {"file_id": link["handle"]})
        again = await request_upload(client)

    assert sent.status_code == 201
    assert found.structured_content["filename"] == "a.pdf"
    assert again["upload_url"] != link["upload_url"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a browser")
@pytest.mark.parametrize("display", [":0", ""])
async def test_over_stdio_there_is_a_page_where_a_browser_can_be_opened(
    mistral_url: str, tmp_path: Path, display: str
) -> None:
    parameters = stdio_parameters(mistral_url, toolsets="files", files_dir=tmp_path)
    assert parameters.env is not None
    environment = {**parameters.env, "DISPLAY": display, "XDG_CACHE_HOME": str(tmp_path)}
    started = StdioServerParameters(command=parameters.command, args=parameters.args, env=environment)
    async with Client(started) as client:
        result = await client.call_tool("mistral_request_upload", {})
        if not display:
            assert result.is_error
            assert "give a path" in text_of(result)
            return
        link = result.structured_content
        async with httpx2.AsyncClient() as http:
            sent = await http.put(f"{link['upload_url']}/a.pdf", content=PDF)
        found = await client.call_tool("mistral_get_file", {"file_id": link["handle"]})

    assert sent.status_code == 201, sent.text
    assert found.structured_content["bytes"] == len(PDF)
