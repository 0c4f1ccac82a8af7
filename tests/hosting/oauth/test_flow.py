"""From a 401 to a tool call, in the steps of real clients."""

from typing import Any

import httpx2
import pytest
from mcp.shared.exceptions import MCPError

from mistral_mcp.sandbox import Sandbox
from tests.conftest import KEY, connect_to, text_of
from tests.hosting.conftest import tool_call
from tests.hosting.oauth.conftest import OAuthClient, consent
from tests.hosting.oauth.sdk import SdkClient
from tests.http.conftest import HEADERS, PING

NO_FILE = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_the_sdks_client_signs_in_and_calls_a_tool(
    http: httpx2.AsyncClient, base: str, sandbox: Sandbox, mode: str
) -> None:
    sdk = SdkClient(http, f"{base}/mcp")
    async with sdk.connect(mode) as client:
        result = await client.call_tool("mistral_chat", {"prompt": "Hi"})

    assert not result.is_error, text_of(result)
    assert sandbox.requests[-1].key == KEY
    assert sdk.memory.tokens
    assert KEY not in sdk.memory.tokens.model_dump_json()


async def test_the_sdks_client_refreshes_what_expired_without_a_person(
    http: httpx2.AsyncClient, base: str
) -> None:
    sdk = SdkClient(http, f"{base}/mcp")
    async with sdk.connect() as client:
        await client.call_tool("mistral_chat", {"prompt": "Hi"})
        first = sdk.access_token
        sdk.expire()
        result = await client.call_tool("mistral_chat", {"prompt": "Hi"})

    assert not result.is_error, text_of(result)
    assert sdk.access_token != first
    assert len(sdk.opened) == 1


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_the_sdks_client_asks_for_the_scope_that_a_call_lacks(
    http: httpx2.AsyncClient, base: str, sandbox: Sandbox, mode: str
) -> None:
    sdk = SdkClient(http, f"{base}/mcp?toolsets=files", typed=[{"access": "read"}, {"access": "write"}])
    async with sdk.connect(mode) as client:
        listed = await client.call_tool("mistral_list_files", {})
        granted = sdk.scopes
        await client.call_tool("mistral_delete_file", {"file_id": NO_FILE})

    assert not listed.is_error, text_of(listed)
    assert granted == {"mistral:read"}
    assert sdk.scopes == {"mistral:read", "mistral:write"}
    assert len(sdk.opened) == 2
    assert "scope=mistral%3Aread+mistral%3Awrite" in sdk.opened[1]
    assert sandbox.requests[-1].method == "DELETE"


async def test_whoever_is_not_given_the_scope_is_asked_once_and_not_again(
    http: httpx2.AsyncClient, base: str, sandbox: Sandbox
) -> None:
    sdk = SdkClient(http, f"{base}/mcp?toolsets=files", typed=[{"access": "read"}] * 5)
    async with sdk.connect() as client:
        await client.call_tool("mistral_list_files", {})
        with pytest.raises(MCPError):
            await client.call_tool("mistral_delete_file", {"file_id": NO_FILE})

    assert len(sdk.opened) == 2
    assert {request.method for request in sandbox.requests} == {"GET"}


async def call(base: str, token: str, tool: str = "mistral_chat", **arguments: Any) -> Any:
    async with connect_to(f"{base}/mcp", {"Authorization": f"Bearer {token}"}) as client:
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


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_whoever_may_only_read_is_offered_only_that_and_is_told_how_to_get_more(
    client: OAuthClient, base: str, era: str
) -> None:
    token = (await client.tokens(access="read"))["access_token"]

    async with connect_to(f"{base}/mcp?toolsets=files", {"Authorization": f"Bearer {token}"}) as connected:
        names = {tool.name for tool in (await connected.list_tools()).tools}
    assert "mistral_list_files" in names
    assert "mistral_delete_file" not in names
    request = tool_call(("mistral_delete_file", {"file_id": NO_FILE}), era)
    request["headers"]["authorization"] = f"Bearer {token}"
    refused = await client.http.post("/mcp", **request)
    assert refused.status_code == 403
    assert refused.headers["www-authenticate"] == (
        'Bearer error="insufficient_scope", '
        f'resource_metadata="{base}/.well-known/oauth-protected-resource/mcp", scope="mistral:read mistral:write"'
    )


async def test_a_connection_that_may_only_read_is_not_sent_for_a_wider_scope(client: OAuthClient) -> None:
    made = (await client.http.post("/connections", json={"api_key": KEY, "read_only": True})).json()
    request = tool_call(("mistral_delete_file", {"file_id": NO_FILE}))
    for access in ("read", "write"):
        token = (await client.tokens(token=made["url"], api_key="", access=access))["access_token"]
        request["headers"]["authorization"] = f"Bearer {token}"
        answer = await client.http.post("/mcp", **request)

        assert answer.status_code != 403
        assert "www-authenticate" not in answer.headers


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
