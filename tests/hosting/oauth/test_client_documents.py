"""Client ID Metadata Documents: the whole way with one, and everywhere that none may be fetched from."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mistral_mcp import Settings
from mistral_mcp.hosting.app import create_app
from mistral_mcp.hosting.oauth.client_documents import ClientDocuments, is_document_url, is_public
from tests.conftest import KEY, serving, text_of
from tests.hosting.oauth.conftest import REDIRECT, OAuthClient, consent
from tests.hosting.oauth.local_web import PUBLIC, LocalWeb, serving_documents
from tests.hosting.oauth.sdk import SdkClient

SDKS = "https://sdk.example/oauth/client.json"
REDIRECTS = "https://redirects.example/oauth/client.json"
INSIDE = "https://inside.example/oauth/client.json"
REBINDS = "https://rebinds.example/oauth/client.json"
METADATA = "169.254.169.254"


def describe(url: str) -> dict[str, Any]:
    return {"client_id": url, "client_name": "Described", "redirect_uris": [REDIRECT]}


@pytest.fixture
def web() -> LocalWeb:
    answers = {SDKS: describe(SDKS), REDIRECTS: SDKS, INSIDE: describe(INSIDE), REBINDS: describe(REBINDS)}
    return LocalWeb(answers, {"inside.example": [METADATA]})


@pytest.fixture
async def base(hosting: dict[str, Any], web: LocalWeb, tmp_path: Path) -> AsyncIterator[str]:
    async with (
        serving_documents(web, tmp_path) as documents,
        serving(create_app(Settings.model_validate(hosting), client_documents=documents)) as url,
    ):
        yield url


async def authorize(http: httpx2.AsyncClient, client_id: str) -> httpx2.Response:
    return await http.get(OAuthClient(http, client_id=client_id).authorize_url())


async def test_the_sdks_client_signs_in_by_its_document_and_registers_nothing(
    http: httpx2.AsyncClient, base: str, web: LocalWeb
) -> None:
    sdk = SdkClient(http, f"{base}/mcp", document=SDKS)
    async with sdk.connect() as client:
        result = await client.call_tool("mistral_chat", {"prompt": "Hi"})
        sdk.expire()
        again = await client.call_tool("mistral_chat", {"prompt": "Hi"})
    token = {"token": sdk.access_token, "client_id": SDKS}
    revoked = await http.post("/revoke", data=token)

    assert not result.is_error, text_of(result)
    assert not again.is_error, text_of(again)
    assert revoked.status_code == 200
    assert sdk.memory.client
    assert sdk.memory.client.client_id == SDKS
    assert (web.requested, web.dialed) == ([SDKS], [PUBLIC])  # once, and remembered


async def test_the_consent_page_names_the_host_that_vouches_for_a_client(http: httpx2.AsyncClient) -> None:
    location = (await authorize(http, SDKS)).headers["location"]

    page = (await http.get(f"/{location}")).text
    assert "sdk.example" in page
    assert "Described" in page


async def test_what_redirects_describes_no_client_and_is_not_followed(
    http: httpx2.AsyncClient, web: LocalWeb
) -> None:
    refused = await authorize(http, REDIRECTS)

    assert refused.status_code == 400
    assert "location" not in refused.headers
    assert web.requested == [REDIRECTS]


async def test_nobody_has_the_server_fetch_without_end(http: httpx2.AsyncClient, web: LocalWeb) -> None:
    for number in range(60):
        unknown = f"https://elsewhere.example/{number}"
        await authorize(http, unknown)
        await http.post("/token", data={"grant_type": "refresh_token", "refresh_token": "x", "client_id": unknown})

    assert web.resolved == ["elsewhere.example"] * 20


async def test_a_host_that_resolves_to_the_inside_is_not_dialed(http: httpx2.AsyncClient, web: LocalWeb) -> None:
    refused = await authorize(http, INSIDE)

    assert refused.status_code == 400
    assert (web.resolved, web.dialed) == (["inside.example"], [])


async def test_a_host_that_resolves_otherwise_a_moment_later_gains_nothing(
    http: httpx2.AsyncClient, web: LocalWeb
) -> None:
    client = OAuthClient(http, client_id=REBINDS)
    code = (await consent(http, client.authorize_url(), api_key=KEY))["code"]
    web.addresses["rebinds.example"] = [METADATA]

    assert (await client.redeem(code)).status_code == 200
    assert (web.resolved, web.dialed) == (["rebinds.example"], [PUBLIC])


async def test_a_host_that_cannot_prove_its_name_describes_no_client(
    http: httpx2.AsyncClient, web: LocalWeb
) -> None:
    refused = await authorize(http, "https://other.example/oauth/client.json")

    assert refused.status_code == 400
    assert (web.dialed, web.requested) == ([PUBLIC], [])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", METADATA, "10.0.0.1", "0x7f000001"])
async def test_an_id_on_this_machine_or_its_network_is_resolved_and_refused(
    hosting: dict[str, Any], host: str
) -> None:
    dialed = Web(httpx2.Response(200, json=DOCUMENT))
    documents = ClientDocuments(transport=lambda: dialed)  # its own resolver
    app = create_app(Settings.model_validate(hosting), client_documents=documents)
    async with serving(app) as base, httpx2.AsyncClient(base_url=base) as http:
        refused = await authorize(http, f"https://{host}/oauth/client.json")

    assert refused.status_code == 400
    assert not dialed.requests


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.1",
            "224.0.0.1",
        ),
        *(
            "::1",
            "fe80::1%eth0",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ),
    ],
)
def test_no_document_is_fetched_from_an_address_that_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://a.example/c", "https://a.example", "https://a.example/", "https://a.example:8443/c"),
        *(
            "https://u:p@a.example/c",
            "https://a.example/c#x",
            "https://a.example/../c",
            "https://a.example/" + "c" * 500,
        ),
    ],
)
def test_no_such_url_is_taken_for_a_client(url: str) -> None:
    assert not is_document_url(url)


class Web(httpx2.AsyncBaseTransport):
    """Answers every request, and remembers where it went."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self.response


def documents(web: Web, *addresses: str) -> ClientDocuments:
    async def resolver(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return ClientDocuments(resolver=resolver, transport=lambda: web)


URL = "https://client.example/mcp.json"
DOCUMENT = {"client_id": URL, "client_name": "Its own", "redirect_uris": ["https://client.example/callback"]}


async def test_a_document_is_fetched_from_the_very_address_that_was_looked_at() -> None:
    web = Web(httpx2.Response(200, json=DOCUMENT))

    assert await documents(web, "93.184.216.34").fetch(URL) == DOCUMENT
    assert web.requests[0].url.host == "93.184.216.34"
    assert web.requests[0].headers["host"] == "client.example"
    assert web.requests[0].extensions["sni_hostname"] == "client.example"


async def test_one_private_address_among_public_ones_is_enough_to_fetch_nothing() -> None:
    web = Web(httpx2.Response(200, json=DOCUMENT))

    assert await documents(web, "93.184.216.34", "169.254.169.254").fetch(URL) is None
    assert await documents(web).fetch(URL) is None
    assert not web.requests


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(302, headers={"location": "https://169.254.169.254/"}),
        httpx2.Response(200, json=DOCUMENT | {"client_id": "https://other.example/mcp.json"}),
        httpx2.Response(200, json=DOCUMENT | {"padding": "x" * 20_000}),
        httpx2.Response(200, content=b"<html>"),
        httpx2.Response(200, json=[DOCUMENT]),
    ],
    ids=["redirect", "another client's", "too large", "no JSON", "a list"],
)
async def test_a_document_that_is_not_the_clients_own_is_not_used(response: httpx2.Response) -> None:
    assert await documents(Web(response), "93.184.216.34").fetch(URL) is None
