"""Callers' own keys: their headers, and the requests that are refused before any tool runs."""

import httpx2
import pytest

from mistral_mcp import Settings
from mistral_mcp.http.app import create_app
from mistral_mcp.sandbox import Sandbox
from tests.conftest import KEY, serving
from tests.http.conftest import HEADERS, PING, ask


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Mistral-Api-Key": KEY},
        {"X-API-Key": KEY},
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"X-API-Key": KEY, "Authorization": f"Bearer {KEY}"},
        {"X-API-Key": KEY, "Authorization": "Basic dXNlcjpwYXNz"},
    ],
)
async def test_a_key_comes_in_any_of_three_headers(http: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    response = await ask(http, headers)

    assert response.status_code == 200
    assert len(response.json()["result"]["tools"]) == 9


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({}, 401, "X-Mistral-Api-Key, X-API-Key or Authorization: Bearer"),
        ({"X-API-Key": ""}, 401, "no credential"),
        ({"Authorization": "Bearer"}, 401, "no credential"),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, 401, "Bearer"),
        ({"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.abcdefgh"}, 401, "another service's"),
        ({"X-API-Key": "ghp_0123456789abcdefghijklmnopqrstuvwxyz"}, 401, "another service's"),
        ({"X-API-Key": "sk-0123456789abcdefghij"}, 401, "another service's"),
        ({"X-API-Key": "aks_live_0123456789"}, 401, "another service's"),
        ({"X-API-Key": "mmcp_whatever"}, 401, "has no stored connections"),
        ({"X-API-Key": "MMCP_whatever"}, 401, "has no stored connections"),
        ({"X-API-Key": "https://example.org/c/mmcp_whatever/mcp"}, 401, "holds a connection's token"),
        ({"X-API-Key": "two words"}, 401, "not a key"),
        ({"X-API-Key": KEY, "X-Mistral-Api-Key": "another-key-0123456789"}, 400, "two different"),
        ({"X-API-Key": KEY, "Authorization": "Bearer another-key-0123456789"}, 400, "two different"),
    ],
)
async def test_what_is_no_single_key_of_mistrals_is_refused_and_never_sent_on(
    http: httpx2.AsyncClient, sandbox: Sandbox, headers: dict[str, str], status: int, words: str
) -> None:
    response = await ask(http, headers)

    assert response.status_code == status
    assert words in response.json()["error"]["message"]
    assert response.json()["jsonrpc"] == "2.0"
    assert ("www-authenticate" in response.headers) == (status == 401)
    assert not any(value and value in response.text for name, value in headers.items() if "0123456789" in value)
    assert not sandbox.requests


async def test_without_a_vault_there_is_no_secret_url_and_the_server_is_ready(http: httpx2.AsyncClient) -> None:
    response = await http.post("/c/mmcp_whatever/mcp", headers={**HEADERS, "X-API-Key": KEY}, json=PING)

    assert response.status_code == 404
    assert "has no stored connections" in response.json()["error"]["message"]
    assert (await http.get("/readyz", headers={"Host": "10.1.2.3"})).status_code == 200


async def test_keys_of_callers_are_refused_where_the_operator_does_not_want_them(mistral_url: str) -> None:
    app = create_app(Settings(route=mistral_url, byok=False))
    async with serving(app) as base, httpx2.AsyncClient(base_url=base) as http:
        assert (await ask(http, {"X-API-Key": KEY})).status_code == 401
