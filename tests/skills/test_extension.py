"""Skills over MCP: listed, read and verified as hosts do, and only those whose tools the caller is offered."""

import hashlib
from typing import Any

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import Request as McpRequest
from mcp_types import RequestParams, TextResourceContents
from pydantic import TypeAdapter

from mistral_mcp.skills.recipes import recipes
from tests.conftest import Connect, connect_in_memory, connect_over_http, connect_over_stdio

SKILLS = "io.modelcontextprotocol/skills"
EVERYTHING = "all"


class AnyParams(RequestParams, extra="allow"):
    pass


async def ask(client: Client, method: str, **params: object) -> dict[str, Any]:
    request = McpRequest[AnyParams, str](method=method, params=AnyParams.model_validate(params))
    return await client.session.send_request(request, TypeAdapter(dict[str, Any]))


@pytest.mark.parametrize("connect", [connect_in_memory, connect_over_stdio, connect_over_http])
async def test_a_host_finds_reads_and_verifies_every_skill(mistral_url: str, connect: Connect) -> None:
    async with connect(mistral_url, toolsets=EVERYTHING) as client:
        capabilities = client.server_capabilities
        listed = await ask(client, "skills/list")
        read = {skill["uri"]: (await client.read_resource(skill["uri"])).contents for skill in listed["skills"]}

    assert (capabilities.extensions or {})[SKILLS] == {}
    assert capabilities.resources
    assert (listed["resultType"], listed["cacheScope"]) == ("complete", "private")
    assert listed["ttlMs"] > 0
    assert len(listed["skills"]) == len(recipes()) == 5
    for skill in listed["skills"]:
        [file] = skill["resources"]
        [content] = read[skill["uri"]]
        assert isinstance(content, TextResourceContents)
        raw = content.text.encode()
        assert file == {
            "uri": skill["uri"],
            "digest": f"sha256:{hashlib.sha256(raw).hexdigest()}",
            "size": len(raw),
        }
        assert content.mime_type == "text/markdown"
        assert skill["uri"] == f"skill://{skill['frontmatter']['name']}/SKILL.md"


async def test_one_skill_is_got_by_its_uri(mistral_url: str) -> None:
    async with connect_in_memory(mistral_url, toolsets=EVERYTHING) as client:
        [first, *_] = (await ask(client, "skills/list"))["skills"]
        got = await ask(client, "skills/get", uri=first["uri"])

    assert got["skill"] == first
    assert got["ttlMs"] > 0


async def test_skills_whose_tools_are_not_offered_are_neither_listed_nor_read(mistral_url: str) -> None:
    uri = "skill://document-to-data/SKILL.md"
    async with connect_in_memory(mistral_url) as client:
        listed = [skill["frontmatter"]["name"] for skill in (await ask(client, "skills/list"))["skills"]]
        resources = [str(resource.uri) for resource in (await client.list_resources()).resources]
        with pytest.raises(MCPError) as got:
            await ask(client, "skills/get", uri=uri)
        with pytest.raises(MCPError) as read:
            await client.read_resource(uri)

    assert listed == ["choosing-a-model"]
    assert [each for each in resources if each.startswith("skill:")] == ["skill://choosing-a-model/SKILL.md"]
    assert got.value.error.code == read.value.error.code == -32602


async def test_a_batch_is_no_skill_of_those_who_may_only_read(mistral_url: str) -> None:
    async with connect_in_memory(mistral_url, toolsets=EVERYTHING, read_only=True) as client:
        listed = [skill["frontmatter"]["name"] for skill in (await ask(client, "skills/list"))["skills"]]

    assert "requests-as-a-batch" not in listed
    assert "document-to-data" in listed


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("skills/get", {"uri": "skill://nothing/SKILL.md"}),
        ("skills/get", {"uri": "skill://choosing-a-model"}),
        ("skills/get", {}),
        ("skills/list", {"cursor": "2"}),
    ],
)
async def test_what_is_not_there_is_a_wrong_parameter(
    mistral_url: str, method: str, params: dict[str, str]
) -> None:
    async with connect_in_memory(mistral_url) as client:
        with pytest.raises(MCPError) as raised:
            await ask(client, method, **params)

    assert raised.value.error.code == -32602


async def test_older_clients_find_the_skills_among_the_resources(mistral_url: str) -> None:
    async with connect_in_memory(mistral_url, mode="legacy", toolsets=EVERYTHING) as client:
        listed = (await client.list_resources()).resources
        skills = [resource for resource in listed if str(resource.uri).startswith("skill:")]
        [content] = (await client.read_resource(str(skills[0].uri))).contents
        with pytest.raises(MCPError) as raised:
            await ask(client, "skills/list")

    assert {resource.name for resource in skills} == {recipe.name for recipe in recipes()}
    assert all(resource.title and resource.description for resource in skills)
    assert isinstance(content, TextResourceContents)
    assert raised.value.error.code == -32601
