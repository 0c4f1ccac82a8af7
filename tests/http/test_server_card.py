"""What crawlers and directories read of the server without connecting."""

import json
import struct
from pathlib import Path

import httpx2
import jsonschema
import pytest
from mistralai.client.models import MCPServerCard

from mistral_mcp import Settings
from mistral_mcp.http.app import create_app
from mistral_mcp.http.server_card import server_card
from tests.conftest import connect_in_memory, connect_over_http, serving

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "fixtures/manifests/server-card.schema.json").read_text(encoding="utf-8")
)
PUBLIC = "https://mcp.example.com"


async def test_the_card_says_how_to_reach_the_server_and_keeps_its_schema_s_rules(
    http: httpx2.AsyncClient, base: str
) -> None:
    response = await http.get("/mcp/server-card", headers={"Accept": "application/mcp-server-card+json"})
    card = response.json()

    assert response.headers["content-type"] == "application/mcp-server-card+json"
    jsonschema.validate(card, SCHEMA)
    [remote] = card["remotes"]
    assert remote["url"] == f"{base}/mcp"
    assert remote["supportedProtocolVersions"] == ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]
    assert [header["name"] for header in remote["headers"] if header["isRequired"]] == ["X-Mistral-Api-Key"]


@pytest.mark.parametrize("signs_in", [True, False])
@pytest.mark.parametrize("byok", [True, False])
def test_the_card_asks_for_a_key_only_where_one_is_needed(*, byok: bool, signs_in: bool) -> None:
    card = server_card(PUBLIC, byok=byok, signs_in=signs_in)

    jsonschema.validate(card, SCHEMA)
    headers = card["remotes"][0].get("headers", [])  # pyright: ignore[reportIndexIssue]
    assert [header["isRequired"] for header in headers] == ([not signs_in] if byok else [])


def test_mistral_s_own_sdk_reads_the_card() -> None:
    card = MCPServerCard.model_validate(server_card(PUBLIC, byok=True, signs_in=True))
    [remote] = card.remotes or []

    assert (card.name, remote.url) == ("io.github.mistral-mcp/mistral-mcp", f"{PUBLIC}/mcp")


async def test_the_card_says_what_the_server_says_of_itself(mistral_url: str, http: httpx2.AsyncClient) -> None:
    card = (await http.get("/mcp/server-card")).json()
    async with connect_in_memory(mistral_url) as client:
        info = client.server_info

    assert (card["title"], card["version"], card["websiteUrl"]) == (info.title, info.version, info.website_url)


async def test_who_has_the_card_is_not_sent_it_again(http: httpx2.AsyncClient) -> None:
    first = await http.get("/mcp/server-card")
    etag = first.headers["etag"]

    for known in (etag, f'"other", W/{etag}', "*"):
        again = await http.get("/mcp/server-card", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await http.get("/mcp/server-card", headers={"If-None-Match": '"other"'})).status_code == 200
    assert "max-age=3600" in first.headers["cache-control"]


@pytest.mark.parametrize("origin", ["https://crawler.example", "http://localhost:6274"])
async def test_pages_of_any_site_may_read_the_card(http: httpx2.AsyncClient, origin: str) -> None:
    response = await http.get("/mcp/server-card", headers={"Origin": origin})
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    preflight = await http.options("/mcp/server-card", headers=asked)

    assert response.status_code == 200
    assert response.headers.get_list("access-control-allow-origin") in (["*"], [origin])
    assert preflight.status_code == 204
    assert "GET" in preflight.headers["access-control-allow-methods"]


async def test_the_catalog_leads_to_the_card(http: httpx2.AsyncClient) -> None:
    response = await http.get("/.well-known/ai-catalog.json")
    [entry] = response.json()["entries"]
    card = await http.get(entry["url"])

    assert response.headers["content-type"] == "application/ai-catalog+json"
    assert card.headers["content-type"] == entry["type"]


async def test_icons_are_the_server_s_own_where_it_has_an_address(mistral_url: str) -> None:
    async with connect_in_memory(mistral_url, public_url=PUBLIC) as client:
        [icon] = client.server_info.icons or []
    app = create_app(Settings.model_validate({"route": mistral_url, "public_url": PUBLIC}))
    async with serving(app) as base, httpx2.AsyncClient(base_url=base) as http:
        card = (await http.get("/mcp/server-card")).json()
        png = (await http.get(icon.src.removeprefix(PUBLIC))).content
        favicon = await http.get("/favicon.ico")

    assert [icon.src] == [each["src"] for each in card["icons"]]
    assert struct.unpack(">II", png[16:24]) == (128, 128)
    assert icon.sizes == ["128x128"]
    assert favicon.headers["content-type"] == "image/x-icon"
    assert favicon.content[:4] == b"\0\0\1\0"


async def test_over_http_a_client_reads_the_same_icon(mistral_url: str) -> None:
    async with connect_over_http(mistral_url, public_url=PUBLIC) as client:
        [icon] = client.server_info.icons or []

    assert icon.src == f"{PUBLIC}/icon.png"
