"""The answers to clients that probe other paths, and to people who open an endpoint in a browser."""

import httpx2
import pytest

from mistral_mcp import Settings
from mistral_mcp.http.app import create_app
from tests.conftest import serving

PROBED = [
    "/",
    "/sse",
    "/register",
    "/authorize",
    "/token",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-authorization-server/mcp",
    "/.well-known/openid-configuration",
    "/nothing/at/all",
    "//mcp",
]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", PROBED)
async def test_a_path_of_nothing_names_the_endpoint_and_the_way_in(
    http: httpx2.AsyncClient, method: str, path: str
) -> None:
    response = await http.request(method, path)

    assert response.status_code == 404
    assert f"{http.base_url}/mcp" in response.json()["error"]["message"]
    assert "X-Mistral-Api-Key" in response.json()["error"]["message"]


async def test_the_endpoint_is_named_as_users_see_it() -> None:
    app = create_app(Settings(public_url="https://mcp.example.com/mistral"))
    async with serving(app) as base, httpx2.AsyncClient(base_url=base) as http:
        assert "https://mcp.example.com/mistral/mcp" in (await http.get("/sse")).text


async def test_a_method_that_a_path_does_not_take_is_refused_in_json(http: httpx2.AsyncClient) -> None:
    response = await http.post("/healthz")

    assert response.status_code == 405
    assert "GET" in response.headers["allow"]
    assert "/mcp" in response.json()["error"]["message"]


async def test_a_person_at_the_endpoint_reads_what_it_is(http: httpx2.AsyncClient) -> None:
    response = await http.get("/mcp", headers={"accept": "text/html,*/*;q=0.8"})

    assert response.status_code == 200
    assert "MCP server" in response.text
    assert (await http.get("/c/mmcp_x/mcp", headers={"accept": "text/html"})).status_code == 404
