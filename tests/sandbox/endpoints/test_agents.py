"""Stored agents, and the deprecated completions of an agent."""

import httpx2
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

USER = [{"role": "user", "content": "What is the weather in Rome for 2 days?"}]


async def test_any_agent_answers_whole_and_streamed(sdk: Mistral):
    asked = {"agent_id": "ag_123", "messages": [{"role": "user", "content": "Good morning"}]}
    whole = await sdk.agents.complete_async(**asked)
    stream = await sdk.agents.stream_async(**asked)
    text = "".join([event.data.choices[0].delta.content async for event in stream])
    assert '"Good morning"' in whole.choices[0].message.content
    assert text == whole.choices[0].message.content
    assert whole.model == "mistral-medium-latest"


async def test_an_agent_calls_functions(sdk: Mistral, weather: dict):
    reply = await sdk.agents.complete_async(agent_id="ag:old:20241101:abc", messages=USER, tools=[weather])
    assert reply.choices[0].message.tool_calls[0].function.name == "get_weather"


@pytest.mark.parametrize("agent", ["ag_unknown_1", "mistral-small-latest"])
async def test_an_unknown_agent_is_404(agent: str, sdk: Mistral):
    with pytest.raises(SDKError, match=r"404.*not found"):
        await sdk.agents.complete_async(agent_id=agent, messages=USER)


@pytest.mark.parametrize("field", ["model", "temperature", "top_p", "safe_prompt", "stream_options"])
async def test_what_the_agent_decides_cannot_be_requested(field: str, api: httpx2.AsyncClient):
    reply = await api.post("/v1/agents/completions", json={"agent_id": "ag_1", "messages": USER, field: None})
    detail = reply.json()["message"]["detail"]
    assert [(wrong["type"], wrong["loc"]) for wrong in detail] == [("extra_forbidden", ["body", field])]


async def test_the_rules_of_chat_hold(api: httpx2.AsyncClient):
    messages = [*USER, {"role": "assistant", "content": "Sunny"}]
    reply = await api.post("/v1/agents/completions", json={"agent_id": "ag_1", "messages": messages})
    assert (reply.status_code, reply.json()["code"]) == (400, "3230")


async def test_an_agent_is_made_found_changed_and_deleted(sdk: Mistral):
    agents = sdk.beta.agents
    made = await agents.create_async(model="mistral-small-latest", name="Poet", instructions="Rhyme.")
    assert (await agents.get_async(agent_id=made.id)).instructions == "Rhyme."
    changed = await agents.update_async(agent_id=made.id, instructions="Do not rhyme.")
    assert (changed.version, changed.versions, changed.name) == (1, [0, 1], "Poet")
    assert (await agents.get_async(agent_id=made.id, agent_version=0)).instructions == "Rhyme."
    back = await agents.update_version_async(agent_id=made.id, version=0)
    assert back.instructions == "Rhyme."
    assert [each.version for each in await agents.list_versions_async(agent_id=made.id)] == [1, 0]
    await agents.delete_async(agent_id=made.id)
    with pytest.raises(SDKError, match="Agent not found"):
        await agents.get_async(agent_id=made.id)


async def test_a_version_has_names(sdk: Mistral):
    agents = sdk.beta.agents
    made = await agents.create_async(model="mistral-small-latest", name="Poet")
    await agents.create_version_alias_async(agent_id=made.id, alias="live", version=0)
    assert [each.alias for each in await agents.list_version_aliases_async(agent_id=made.id)] == ["live"]
    assert (await agents.get_async(agent_id=made.id, agent_version="live")).id == made.id
    await agents.delete_version_alias_async(agent_id=made.id, alias="live")
    with pytest.raises(SDKError, match="version not found"):
        await agents.get_async(agent_id=made.id, agent_version="live")


async def test_agents_come_in_pages(api: httpx2.AsyncClient):
    for name in ("a", "b", "c"):
        assert (
            await api.post("/v1/agents", json={"model": "mistral-small-latest", "name": name})
        ).status_code == 200
    first = (await api.get("/v1/agents/pages", params={"page_size": 2})).json()
    rest = (await api.get("/v1/agents/pages", params={"page_token": first["next_page_token"]})).json()
    assert [agent["name"] for agent in first["data"] + rest["data"]] == ["c", "b", "a"]
    assert rest["next_page_token"] is None
    assert [each["name"] for each in (await api.get("/v1/agents", params={"page_size": 1})).json()] == ["c"]
    assert [each["name"] for each in (await api.get("/v1/agents/pages?search=B")).json()["data"]] == ["b"]


async def test_an_agent_that_was_made_answers_by_its_own_model_and_instructions(sdk: Mistral):
    made = await sdk.beta.agents.create_async(
        model="mistral-small-latest", name="Poet", instructions="Rhyme.", tools=[{"type": "web_search"}]
    )
    reply = await sdk.agents.complete_async(agent_id=made.id, messages=[{"role": "user", "content": "Hi"}])
    assert reply.model == "mistral-small-latest"
    talk = await sdk.beta.conversations.start_async(agent_id=made.id, inputs="Hi")
    assert [entry.type for entry in talk.outputs] == ["tool.execution", "message.output"]
    assert talk.outputs[0].agent_id == made.id


async def test_an_agent_with_a_model_that_is_none_is_refused(api: httpx2.AsyncClient):
    reply = await api.post("/v1/agents", json={"model": "nothing", "name": "x"})
    assert (reply.status_code, reply.json()["code"]) == (400, "1500")
    assert (await api.post("/v1/agents", json={"model": "mistral-small-latest"})).status_code == 422
