"""Which tools a caller gets: operator, connection, header, URL; each narrows what the one before allows."""

import httpx2
import pytest
from pydantic import ValidationError

from mistral_mcp import Settings, create_server, tools
from mistral_mcp.credentials import Credentials, from_key
from mistral_mcp.errors import BadSetting, NothingSelected
from mistral_mcp.http.app import create_app
from mistral_mcp.sandbox import Sandbox
from mistral_mcp.selection import AllowedToolsets
from tests.conftest import KEY, connect_in_memory, connect_to, serving, text_of

CONNECTION = Credentials(None, "a connection", toolsets=("core", "files"))


NOT_RETIRED = tuple(name for name in tools.TOOLSETS if name != "fine_tuning")


@pytest.mark.parametrize(
    ("operator", "connection", "header", "query", "expected"),
    [
        (None, None, None, None, ("core", "models")),
        (None, None, "files,core", None, ("core", "files")),
        (None, None, None, "batch", ("batch",)),
        (None, None, "all", None, NOT_RETIRED),
        (None, None, "all,fine_tuning", None, tuple(tools.TOOLSETS)),
        (None, None, "core,files", "files,batch", ("files",)),
        (None, None, "core,unheard-of", None, ("core",)),
        (None, None, " CORE , Models ", None, ("core", "models")),
        (None, None, "", "", ("core", "models")),
        ("core", None, None, None, ("core",)),
        ("core", None, "core,files", None, ("core",)),
        ("all", None, None, None, NOT_RETIRED),
        ("all,fine_tuning", None, "all", None, NOT_RETIRED),
        (None, CONNECTION, None, None, ("core", "files")),
        (None, CONNECTION, "files,batch", None, ("files",)),
        ("core,models", CONNECTION, None, None, ("core",)),
    ],
)
def test_each_can_only_narrow_what_is_above_it(
    operator: str | None,
    connection: Credentials | None,
    header: str | None,
    query: str | None,
    expected: tuple[str, ...],
) -> None:
    bound = AllowedToolsets.of(Settings.model_validate({"toolsets": operator}))
    headers = {"x-mcp-toolsets": header} if header is not None else {}
    queried = {"toolsets": query} if query is not None else {}

    assert bound.select(connection, headers, queried).toolsets == expected


@pytest.mark.parametrize(
    ("operator", "header"), [("core", "files"), (None, "unheard-of"), (None, ","), ("core", "unheard-of,files")]
)
def test_a_selection_of_nothing_is_refused(operator: str | None, header: str) -> None:
    with pytest.raises(NothingSelected, match="Select from core"):
        AllowedToolsets.of(Settings.model_validate({"toolsets": operator})).select(
            None, {"x-mcp-toolsets": header}
        )


@pytest.mark.parametrize(
    ("operator", "connection", "header", "query", "expected"),
    [
        (False, False, None, None, False),
        (True, False, "false", "false", True),
        (False, True, "0", None, True),
        (False, False, "true", None, True),
        (False, False, "1", "no", True),
        (False, False, None, "yes", True),
        (False, False, "off", "N", False),
    ],
)
def test_read_only_is_never_relaxed(
    operator: bool,  # noqa: FBT001 - a table's columns
    connection: bool,  # noqa: FBT001
    header: str | None,
    query: str | None,
    expected: bool,  # noqa: FBT001
) -> None:
    bound = AllowedToolsets.of(Settings(read_only=operator))
    headers = {"x-mcp-readonly": header} if header is not None else {}
    queried = {"read_only": query} if query is not None else {}

    assert bound.select(Credentials(None, "x", read_only=connection), headers, queried).read_only is expected


def test_an_operators_unknown_toolset_stops_the_start() -> None:
    with pytest.raises(BadSetting, match="did you mean models"):
        create_server(Settings(toolsets="core,model"), from_key(KEY))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("toolsets", ["", ",", " , ", ()])
def test_an_operators_selection_of_nothing_is_refused(toolsets: object) -> None:
    with pytest.raises(ValidationError, match="it must name a toolset"):
        Settings.model_validate({"toolsets": toolsets})


async def test_a_tool_that_is_not_listed_cannot_be_called(mistral_url: str, sandbox: Sandbox) -> None:
    async with connect_in_memory(mistral_url, toolsets="models") as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        hidden = await client.call_tool("mistral_chat", {"prompt": "Hi"})
        unknown = await client.call_tool("mistral_list_model", {})

    assert listed == {"mistral_list_models", "mistral_get_model"}
    assert hidden.is_error
    assert "its toolset core is not selected" in text_of(hidden)
    assert hidden.meta == unknown.meta == {"mistral-mcp/error": {}}
    assert "Did you mean mistral_list_models?" in text_of(unknown)
    assert not sandbox.requests


@pytest.mark.parametrize(
    ("settings", "tool", "reason"),
    [
        ({}, "mistral_ocr", "its toolset documents is not selected"),
        ({"toolsets": "files", "read_only": True}, "mistral_upload_file", "read-only"),
        ({}, "chat", "Did you mean mistral_chat?"),
        ({}, "mistral-chat", "Did you mean mistral_chat?"),
        ({}, "mistral_nope", "The toolsets selected are core, models."),
        ({}, "m" * 1_000_000, "There is no tool"),
    ],
)
async def test_a_tool_that_is_not_offered_is_refused_with_the_reason(
    mistral_url: str, settings: dict[str, object], tool: str, reason: str
) -> None:
    async with connect_in_memory(mistral_url, **settings) as client:
        refused = await client.call_tool(tool, {})

    assert refused.is_error
    assert reason in text_of(refused)
    assert len(text_of(refused)) < 300


async def test_read_only_hides_what_changes_anything(mistral_url: str) -> None:
    async with connect_in_memory(mistral_url, toolsets="all", read_only=True) as client:
        listed = (await client.list_tools()).tools

    assert listed
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in listed)


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_header_and_url_select_for_each_request(mistral_url: str, mode: str) -> None:
    async with serving(create_app(Settings.model_validate({"route": mistral_url}))) as base:
        async with connect_to(f"{base}/mcp", {"X-API-Key": KEY, "X-MCP-Toolsets": "models"}, mode) as client:
            by_header = {tool.name for tool in (await client.list_tools()).tools}
        async with connect_to(f"{base}/mcp?toolsets=models", {"X-API-Key": KEY}, mode) as client:
            by_url = {tool.name for tool in (await client.list_tools()).tools}

    assert by_header == by_url == {"mistral_list_models", "mistral_get_model"}


async def test_a_request_that_selects_nothing_gets_400_in_json_rpc(mistral_url: str) -> None:
    async with (
        serving(create_app(Settings.model_validate({"route": mistral_url}))) as base,
        httpx2.AsyncClient(base_url=base) as http,
    ):
        response = await http.post("/mcp?toolsets=unheard-of", headers={"X-API-Key": KEY}, json={})

    assert response.status_code == 400
    assert "None of the toolsets selected" in response.json()["error"]["message"]


async def test_lists_are_private_to_a_caller_and_may_be_kept(mistral_url: str) -> None:
    async with connect_in_memory(mistral_url) as client:
        result = await client.list_tools()

    assert result.cache_scope == "private"
    assert result.ttl_ms == 300_000
