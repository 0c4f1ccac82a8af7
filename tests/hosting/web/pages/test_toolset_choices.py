"""Presets of tools: their content, their size in a context, and that a connection gets exactly that."""

import re
from typing import Any

import httpx2
import pytest

from benchmarks.tokens import costs
from mistral_mcp import Settings, tools
from mistral_mcp.hosting.app import create_app
from mistral_mcp.hosting.web.pages.toolset_choices import PRESETS, count_tokens, offer_presets, preset_of
from mistral_mcp.selection import AllowedToolsets
from mistral_mcp.tools import DEFAULT, RETIRED, TOOLSETS
from tests.conftest import KEY, connect_to, serving
from tests.hosting.oauth.conftest import OAuthClient

HERE = {"sec-fetch-site": "same-origin"}


async def test_the_cost_of_a_toolset_is_close_to_what_the_tokenizer_counts() -> None:
    counted = {toolset: sum(of_tools.values()) for toolset, of_tools in costs().items()}

    for toolset, estimate in (await count_tokens()).items():
        assert estimate == pytest.approx(counted[toolset], rel=0.12), toolset
    assert sum((await count_tokens()).values()) == pytest.approx(sum(counted.values()), rel=0.05)


async def test_presets_grow_and_the_last_holds_all_that_is_not_retired() -> None:
    presets = await offer_presets(AllowedToolsets.of(Settings()))

    assert [preset.name for preset in presets] == list(PRESETS)
    assert presets[0].toolsets == DEFAULT
    assert set(presets[-1].toolsets) == set(TOOLSETS) - RETIRED
    assert [preset.tokens for preset in presets] == sorted({preset.tokens for preset in presets})
    assert preset_of(("models", "core"), presets) == "essentials"
    assert preset_of(("core",), presets) == "own"


@pytest.mark.parametrize(
    ("toolsets", "offered"),
    [
        ("core,models", ["essentials"]),
        ("documents", ["documents"]),
        ("core,models,batch", ["essentials", "everything"]),
        ("fine_tuning", []),
    ],
)
async def test_only_presets_that_differ_within_what_the_operator_allows_are_offered(
    toolsets: str, offered: list[str]
) -> None:
    settings = Settings.model_validate({"toolsets": toolsets})

    assert [preset.name for preset in await offer_presets(AllowedToolsets.of(settings))] == offered


async def post(http: httpx2.AsyncClient, path: str, **fields: Any) -> str:
    stamp = re.findall(r'name="stamp" value="([^"]+)"', (await http.get(path)).text)[0]
    answer = await http.post(path, data={"stamp": stamp} | fields, headers=HERE)
    assert answer.status_code == 200, answer.text
    return answer.text


async def list_tools_at(url: str) -> set[str]:
    async with connect_to(url, {}) as client:
        return {tool.name for tool in (await client.list_tools()).tools}


@pytest.mark.parametrize("preset", list(PRESETS))
async def test_a_client_gets_the_tools_of_the_preset_and_no_others(http: httpx2.AsyncClient, preset: str) -> None:
    page = await post(http, "/", api_key=KEY, preset=preset, toolsets="batch")  # ticked, and not chosen
    url = re.findall(r'id="url" value="([^"]+)"', page)[0]

    assert await list_tools_at(url) == tools.names(PRESETS[preset], read_only=False)
    assert f'value="{preset}" checked' in page


async def test_tools_are_changed_on_manage_and_kept_where_nothing_is_chosen(http: httpx2.AsyncClient) -> None:
    made = (await http.post("/connections", json={"api_key": KEY})).json()
    kept = await post(
        http, "/manage", token=made["url"], do="change", preset="keep", label="new", expires_in_days="keep"
    )
    changed = await post(
        http, "/manage", token=made["url"], do="change", preset="documents", expires_in_days="keep"
    )

    assert 'value="keep" checked' in kept
    assert "<dd>new</dd>" in kept
    assert 'name="preset" value="keep"' not in changed
    assert await list_tools_at(made["url"]) == tools.names(PRESETS["documents"], read_only=False)


async def test_no_longer_life_is_offered_than_the_operator_allows(hosting: dict[str, Any]) -> None:
    settings = Settings.model_validate(hosting | {"max_expiry_days": 60})
    async with serving(create_app(settings)) as base, httpx2.AsyncClient(base_url=base) as http:
        page = (await http.get("/")).text

    assert re.findall(r'<option value="(\d*)"', page[: page.index("route-hint")])[:2] == ["", "30"]
    assert "In 60 days, the most here" in page


async def test_a_client_that_signs_in_gets_the_preset_that_was_agreed_to(http: httpx2.AsyncClient) -> None:
    client = OAuthClient(http)
    await client.register()
    code = await client.code(preset="documents")
    access_token = (await client.redeem(code)).json()["access_token"]
    page = (await http.get(client.authorize_url(), follow_redirects=True)).text

    assert "Takes about" in page
    assert 'value="essentials" checked' in page
    async with connect_to(
        f"{http.base_url}/mcp".replace("//mcp", "/mcp"), {"authorization": f"Bearer {access_token}"}
    ) as mcp:
        offered = {tool.name for tool in (await mcp.list_tools()).tools}
    assert offered == tools.names(PRESETS["documents"], read_only=False)
