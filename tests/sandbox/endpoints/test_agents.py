"""The deprecated agents API: chat under another name."""

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
async def test_what_the_agent_decides_cannot_be_asked_for(field: str, api: httpx2.AsyncClient):
    reply = await api.post("/v1/agents/completions", json={"agent_id": "ag_1", "messages": USER, field: None})
    detail = reply.json()["message"]["detail"]
    assert [(wrong["type"], wrong["loc"]) for wrong in detail] == [("extra_forbidden", ["body", field])]


async def test_the_rules_of_chat_hold(api: httpx2.AsyncClient):
    messages = [*USER, {"role": "assistant", "content": "Sunny"}]
    reply = await api.post("/v1/agents/completions", json={"agent_id": "ag_1", "messages": messages})
    assert (reply.status_code, reply.json()["code"]) == (400, "3230")
