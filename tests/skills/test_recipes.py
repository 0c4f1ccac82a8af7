"""The skills have the form that hosts expect, and each is followed step by step against the sandbox."""

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from ruamel.yaml import YAML

from mistral_mcp import tools
from mistral_mcp.skills.recipes import Recipe, recipes
from mistral_mcp.tools.framework import transcripts
from tests.conftest import connect_in_memory, text_of

TOOLSETS = {
    "choosing-a-model": "core,models",
    "document-to-data": "core,documents",
    "recording-to-minutes": "core,audio",
    "requests-as-a-batch": "core,batch",
    "second-opinion": "core,models,research",
}
PAGES = ["# Invoice 7", *(f"page {number} " + "x" * 9_000 for number in range(1, 9)), "The total is 12.50 EUR."]
INVOICE = "\f".join(PAGES)  # longer than a result may be
FROM_THE_USER = {
    "document": f"data:text/plain;base64,{base64.b64encode(INVOICE.encode()).decode()}",
    "recording": "https://example.com/meeting.mp3",
    "names": "Ada",
    "first item": "Where is my parcel?",
    "second item": "Thank you!",
    "capability": "vision",
    "a typical task of the user's": "Say what colour the sky is.",
    "question": "Is 91 a prime?",
}
PLACEHOLDER = re.compile(r"<([^<>]+)>")

every_recipe = pytest.mark.parametrize("recipe", recipes(), ids=lambda recipe: recipe.name)


def calls(recipe: Recipe) -> list[dict[str, Any]]:
    """The recipe's calls, a step each."""
    sections = re.split(r"^## Step \d+: .*$", recipe.text, flags=re.MULTILINE)[1:]
    blocks = [re.findall(r"```json\n(.*?)```", section, re.DOTALL) for section in sections]
    return [json.loads(block) for [block] in blocks]


def fill(value: Any, results: list[Mapping[str, Any]]) -> Any:
    """A call's arguments, with what the user or an earlier step gave in place of `<…>`."""
    if isinstance(value, dict):
        return {name: fill(each, results) for name, each in value.items()}
    if isinstance(value, list):
        return [fill(each, results) for each in value]
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda found: look_up(found[1], results), value)
    return value


def look_up(name: str, results: list[Mapping[str, Any]]) -> str:
    path, _, step = name.partition(" of step ")
    if not step:
        return FROM_THE_USER[name]
    value: Any = results[int(step) - 1]
    for part in path.split("."):
        value = value[int(part)] if part.isdecimal() else value[part]
    return value


async def follow(client: Client, recipe: Recipe) -> list[Mapping[str, Any]]:
    """The results of a recipe's steps, each of which must succeed."""
    results: list[Mapping[str, Any]] = []
    for call in calls(recipe):
        arguments = fill(call["arguments"], results)
        result = await client.call_tool(call["tool"], arguments)
        assert not result.is_error, text_of(result)
        while result.structured_content.get("status") in {"QUEUED", "RUNNING"} and "get" in call["tool"]:
            result = await client.call_tool(call["tool"], arguments)
        results.append(result.structured_content)
    return results


@pytest.fixture
def recipes_by_name() -> dict[str, Recipe]:
    return {recipe.name: recipe for recipe in recipes()}


@every_recipe
def test_a_recipe_is_as_the_agent_skills_specification_has_it(recipe: Recipe) -> None:
    header = YAML(typ="safe", pure=True).load(recipe.text.split("---\n")[1])

    assert header == recipe.frontmatter
    assert set(header) <= {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", recipe.name)
    assert len(recipe.name) <= 64
    assert 50 < len(recipe.description) <= 1024
    assert len(recipe.text.splitlines()) < 500
    assert recipe.text.startswith("---\n")
    assert "\r" not in recipe.text


@every_recipe
def test_a_recipe_names_the_toolsets_that_its_tools_are_in(recipe: Recipe) -> None:
    named = set(re.findall(r"[a-z_]+", recipe.frontmatter["compatibility"])) & set(tools.TOOLSETS)

    assert named == set(TOOLSETS[recipe.name].split(","))
    assert recipe.tools <= tools.names(tuple(named), read_only=False)


@every_recipe
def test_a_recipe_has_one_call_a_step_and_names_no_other_tool(recipe: Recipe) -> None:
    headings = re.findall(r"^## Step (\d+): ", recipe.text, re.MULTILINE)

    assert headings == [str(number) for number in range(1, len(headings) + 1)]
    assert {call["tool"] for call in calls(recipe)} == recipe.tools
    for call in calls(recipe):
        assert set(call) == {"tool", "arguments"}


async def test_a_document_becomes_data(mistral_url: str, recipes_by_name: dict[str, Recipe]) -> None:
    async with connect_in_memory(mistral_url, toolsets=TOOLSETS["document-to-data"]) as client:
        read, passage, checked = await follow(client, recipes_by_name["document-to-data"])

    assert set(read["annotation"]) == {"supplier", "invoice_date", "currency", "total_with_tax", "lines"}
    assert read["usage"]["pages_processed"] == len(PAGES)
    assert PAGES[-1] in passage["text"]
    assert set(checked["parsed"]) == {"total_with_tax", "quote"}


async def test_a_recording_becomes_minutes(
    mistral_url: str, recipes_by_name: dict[str, Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "LONG", 200)  # so that it is kept, and read on
    async with connect_in_memory(
        mistral_url, toolsets=TOOLSETS["recording-to-minutes"], output_dir=tmp_path
    ) as client:
        heard, rest, notes, minutes = await follow(client, recipes_by_name["recording-to-minutes"])

    assert heard["segments"][0]["speaker_id"]
    assert len(rest["text"]) == rest["total"] > 100
    assert set(notes["parsed"]) == {"topics", "decisions", "actions", "open_questions"}
    assert minutes["text"]


async def test_many_requests_become_a_batch(mistral_url: str, recipes_by_name: dict[str, Recipe]) -> None:
    async with connect_in_memory(mistral_url, toolsets=TOOLSETS["requests-as-a-batch"]) as client:
        tried, job, ended, answers, failed = await follow(client, recipes_by_name["requests-as-a-batch"])

    assert tried["usage"]["cost_usd"] > 0
    assert ended["id"] == job["id"]
    assert (ended["status"], ended["succeeded_requests"]) == ("SUCCESS", 2)
    assert {row["custom_id"] for row in answers["results"]} == {"message-1", "message-2"}
    assert failed["results"] == []


async def test_a_model_is_chosen_looked_at_and_tried(mistral_url: str, recipes_by_name: dict[str, Recipe]) -> None:
    async with connect_in_memory(mistral_url) as client:
        listed, looked_at, tried = await follow(client, recipes_by_name["choosing-a-model"])

    assert all("vision" in model["capabilities"] for model in listed["models"])
    assert looked_at["id"] == listed["models"][0]["id"]
    assert tried["model"] == looked_at["id"]


async def test_models_are_asked_and_their_disagreement_looked_at(
    mistral_url: str, recipes_by_name: dict[str, Recipe]
) -> None:
    async with connect_in_memory(mistral_url, toolsets=TOOLSETS["second-opinion"]) as client:
        listed, opinions, judged = await follow(client, recipes_by_name["second-opinion"])

    assert [answer["model"] for answer in opinions["answers"]] == [model["id"] for model in listed["models"][:2]]
    assert set(opinions["answers"][0]["parsed"]) == {"answer", "reasons", "doubts", "sure_from_0_to_10"}
    assert judged["text"]
