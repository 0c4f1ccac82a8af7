"""From a 401 to a tool call, as real clients walk it."""

from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from mistral_mcp.sandbox import Sandbox
from tests.conftest import KEY, at, text_of
from tests.hosting.oauth.conftest import REDIRECT, OAuthClient, consent
from tests.http.conftest import HEADERS, PING


class Memory(TokenStorage):
    """Where the SDK's client keeps what it was given."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def sdk_client(http: httpx2.AsyncClient, base: str, memory: Memory, **typed: str) -> OAuthClientProvider:
    answers: dict[str, str] = {}

    async def open_browser(url: str) -> None:
        answers.update(await consent(http, url, **typed))

    async def come_back() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**answers)

    return OAuthClientProvider(
        f"{base}/mcp",
        OAuthClientMetadata(redirect_uris=[AnyUrl(REDIRECT)], client_name="The SDK"),
        memory,
        open_browser,
        come_back,
    )


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_the_sdks_client_signs_in_and_calls_a_tool(
    http: httpx2.AsyncClient, base: str, sandbox: Sandbox, mode: str
) -> None:
    memory = Memory()
    async with (
        httpx2.AsyncClient(auth=sdk_client(http, base, memory), timeout=30) as signed_in,
        Client(streamable_http_client(f"{base}/mcp", http_client=signed_in), mode=mode) as client,
    ):
        result = await client.call_tool("mistral_chat", {"prompt": "Hi"})

    assert not result.is_error, text_of(result)
    assert sandbox.requests[-1].key == KEY
    assert memory.tokens
    assert KEY not in memory.tokens.model_dump_json()


async def call(base: str, token: str, tool: str = "mistral_chat", **arguments: Any) -> Any:
    async with at(f"{base}/mcp", {"Authorization": f"Bearer {token}"}) as client:
        return await client.call_tool(tool, arguments or {"prompt": "Hi"})


async def test_a_401_names_the_metadata_and_the_metadata_names_the_rest(
    http: httpx2.AsyncClient, base: str
) -> None:
    refused = await http.post("/mcp", json=PING, headers=HEADERS)
    wrong = await http.post("/mcp", json=PING, headers=HEADERS | {"authorization": "Bearer mmcp_wrong"})

    assert refused.status_code == wrong.status_code == 401
    metadata_url = f"{base}/.well-known/oauth-protected-resource/mcp"
    assert f'resource_metadata="{metadata_url}"' in refused.headers["www-authenticate"]
    assert "error=" not in refused.headers["www-authenticate"]
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
    resource = (await http.get(metadata_url)).json()
    assert resource["resource"] == f"{base}/mcp"
    assert resource["authorization_servers"] == [base]
    server = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert server["issuer"] == base
    assert server["code_challenge_methods_supported"] == ["S256"]
    assert "none" in server["token_endpoint_auth_methods_supported"]
    assert server["client_id_metadata_document_supported"] is True
    assert server["authorization_response_iss_parameter_supported"] is True


async def test_a_secret_url_never_sends_a_client_to_sign_in(http: httpx2.AsyncClient) -> None:
    refused = await http.post("/c/mmcp_unknown/mcp", json=PING, headers=HEADERS)

    assert refused.status_code == 404
    assert "www-authenticate" not in refused.headers
    assert (await http.get("/.well-known/oauth-protected-resource/c/mmcp_unknown/mcp")).status_code == 404


async def test_the_way_back_carries_state_and_issuer(client: OAuthClient, base: str) -> None:
    answer = await consent(client.http, client.authorize_url())

    assert answer["state"] == "a-state"
    assert answer["iss"] == base


async def test_an_error_carries_the_issuer_too(client: OAuthClient, base: str) -> None:
    refused = await client.http.get(client.authorize_url(resource="https://elsewhere.example/mcp"))

    query = httpx2.URL(refused.headers["location"]).params
    assert query["error"] == "invalid_target"
    assert query["iss"] == base
    denied = await consent(client.http, client.authorize_url(), decision="deny")
    assert denied == {
        "error": "access_denied",
        "error_description": denied["error_description"],
        "iss": base,
        "state": "a-state",
    }


async def test_a_connection_that_is_there_already_can_be_used(client: OAuthClient, base: str) -> None:
    made = (await client.http.post("/connections", json={"api_key": KEY})).json()
    tokens = await client.tokens(token=made["url"], api_key="")

    assert not (await call(base, tokens["access_token"])).is_error
    assert (await client.http.delete("/connections/current", headers={"x-api-key": made["token"]})).is_success
    refused = await client.http.post(
        "/mcp", json=PING, headers=HEADERS | {"authorization": f"Bearer {tokens['access_token']}"}
    )
    assert refused.status_code == 401


async def test_whoever_may_only_read_is_offered_only_that_and_is_told_how_to_get_more(
    client: OAuthClient, base: str
) -> None:
    token = (await client.tokens(access="read"))["access_token"]

    async with at(f"{base}/mcp?toolsets=files", {"Authorization": f"Bearer {token}"}) as connected:
        names = {tool.name for tool in (await connected.list_tools()).tools}
    assert "mistral_list_files" in names
    assert "mistral_delete_file" not in names
    headers = {"authorization": f"Bearer {token}", "mcp-method": "tools/call", "mcp-name": "mistral_delete_file"}
    refused = await client.http.post("/mcp", json=PING, headers=HEADERS | headers)
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    assert "mistral:write" in refused.headers["www-authenticate"]


async def test_a_refresh_gives_new_tokens_and_the_old_one_lives_until_the_new_one_is_used(
    client: OAuthClient,
) -> None:
    first = (await client.tokens())["refresh_token"]
    lost = (await client.refresh(first)).json()["refresh_token"]
    second = (await client.refresh(first)).json()["refresh_token"]  # the answer before was lost on the way
    third = await client.refresh(second)

    assert third.status_code == 200
    assert len({first, lost, second, third.json()["refresh_token"]}) == 4


async def test_a_refresh_can_give_up_a_scope_and_never_gain_one(client: OAuthClient) -> None:
    tokens = await client.tokens(access="read")

    narrow = await client.refresh(tokens["refresh_token"], scope="mistral:read")
    wide = await client.refresh(narrow.json()["refresh_token"], scope="mistral:read mistral:write")
    assert narrow.json()["scope"] == "mistral:read"
    assert wide.json()["error"] == "invalid_scope"


async def test_a_public_client_revokes_its_grant(client: OAuthClient) -> None:
    tokens = await client.tokens()
    ping = HEADERS | {"authorization": f"Bearer {tokens['access_token']}"}
    assert (await client.http.post("/mcp", json=PING, headers=ping)).status_code != 401

    answer = await client.http.post(
        "/revoke", data={"token": tokens["refresh_token"], "client_id": client.client_id}
    )
    assert answer.status_code == 200
    assert (await client.http.post("/mcp", json=PING, headers=ping)).status_code == 401
    assert (await client.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_client_with_a_secret_must_show_it(http: httpx2.AsyncClient) -> None:
    client = OAuthClient(http)
    secret = (await client.register(token_endpoint_auth_method="client_secret_post")).json()["client_secret"]
    code = await client.code()

    assert (await client.redeem(code)).status_code == 401
    assert (await client.redeem(code, client_secret=secret)).status_code == 200


async def test_a_mistral_key_in_authorization_is_told_where_it_belongs(http: httpx2.AsyncClient) -> None:
    refused = await http.post("/mcp", json=PING, headers=HEADERS | {"authorization": f"Bearer {KEY}"})

    assert refused.status_code == 401
    assert "X-Mistral-Api-Key" in refused.json()["error"]["message"]
