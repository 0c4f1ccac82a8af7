"""Conversations: stored, continued, restarted, and streamed."""

import httpx2
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

from mistral_mcp.sandbox import Fault, Sandbox

MODEL = "mistral-small-latest"
WEATHER = "What is the weather in Paris for 5 days in celsius?"


@pytest.fixture
def start(sdk: Mistral):
    async def begin(inputs: object = "Good morning", **fields: object):
        who = {} if fields.keys() & {"agent_id", "model"} else {"model": MODEL}
        return await sdk.beta.conversations.start_async(inputs=inputs, **who, **fields)

    return begin


@pytest.fixture
def ask_for_error(api: httpx2.AsyncClient):
    async def ask(path: str = "", **fields: object) -> httpx2.Response:
        body = {"inputs": "Hello", "model": MODEL, **fields} if not path else fields
        reply = await api.post(f"/v1/conversations{path}", json={k: v for k, v in body.items() if v != "-"})
        assert reply.status_code >= 400
        return reply

    return ask


async def test_a_conversation_remembers_what_was_said(sdk: Mistral, start):
    first = await start(instructions="Be brief", name="Talk", metadata={"team": "red"})
    second = await sdk.beta.conversations.append_async(conversation_id=first.conversation_id, inputs="And now?")
    assert first.conversation_id.startswith("conv_")
    assert '"Good morning" (2 messages)' in first.outputs[0].content
    assert '"And now?" (4 messages)' in second.outputs[0].content
    assert second.usage.total_tokens == second.usage.prompt_tokens + second.usage.completion_tokens
    history = await sdk.beta.conversations.get_history_async(conversation_id=first.conversation_id)
    assert [entry.type for entry in history.entries] == ["message.input", "message.output"] * 2
    assert len({entry.id for entry in history.entries}) == 4
    card = await sdk.beta.conversations.get_async(conversation_id=first.conversation_id)
    assert (card.model, card.instructions, card.name) == (MODEL, "Be brief", "Talk")


async def test_conversations_are_listed_bare_and_deleted_with_204(sdk: Mistral, api: httpx2.AsyncClient, start):
    talks = [(await start(metadata={"n": str(number)})).conversation_id for number in range(3)]
    assert [talk.id for talk in await sdk.beta.conversations.list_async(page_size=2)] == [talks[2], talks[1]]
    assert [talk.id for talk in await sdk.beta.conversations.list_async(metadata={"n": "0"})] == [talks[0]]
    assert isinstance((await api.get("/v1/conversations")).json(), list)
    await sdk.beta.conversations.delete_async(conversation_id=talks[0])
    with pytest.raises(SDKError, match="404"):
        await sdk.beta.conversations.get_async(conversation_id=talks[0])


async def test_what_is_not_to_be_stored_is_answered_and_forgotten(sdk: Mistral, start):
    talk = await start(store=False)
    assert talk.outputs
    with pytest.raises(SDKError, match="404"):
        await sdk.beta.conversations.get_async(conversation_id=talk.conversation_id)


async def test_other_keys_see_nothing_of_it(stranger: Mistral, start):
    talk = await start()
    assert await stranger.beta.conversations.list_async() == []
    with pytest.raises(SDKError, match="404"):
        await stranger.beta.conversations.append_async(conversation_id=talk.conversation_id, inputs="x")


async def test_a_restart_is_a_new_conversation_with_the_old_beginning(sdk: Mistral, start):
    talk = await start()
    await sdk.beta.conversations.append_async(conversation_id=talk.conversation_id, inputs="Second")
    again = await sdk.beta.conversations.restart_async(
        conversation_id=talk.conversation_id, from_entry_id=talk.outputs[0].id, inputs="Another second"
    )
    assert again.conversation_id != talk.conversation_id
    said = await sdk.beta.conversations.get_messages_async(conversation_id=again.conversation_id)
    assert [entry.content for entry in said.messages if entry.type == "message.input"] == [
        "Good morning",
        "Another second",
    ]
    with pytest.raises(SDKError, match=r"404.*not found"):
        await sdk.beta.conversations.restart_async(
            conversation_id=talk.conversation_id, from_entry_id="x", inputs="y"
        )


async def test_functions_are_called_and_their_results_taken(sdk: Mistral, start, weather: dict):
    talk = await start(WEATHER, tools=[weather])
    call = talk.outputs[0]
    assert (call.type, call.name) == ("function.call", "get_weather")
    result = {"type": "function.result", "tool_call_id": call.tool_call_id, "result": "Sunny"}
    answer = await sdk.beta.conversations.append_async(conversation_id=talk.conversation_id, inputs=[result])
    assert '"Sunny"' in answer.outputs[0].content


async def test_a_call_that_is_not_answered_blocks_the_conversation(start, ask_for_error, weather: dict):
    talk = await start(WEATHER, tools=[weather])
    reply = await ask_for_error(f"/{talk.conversation_id}", inputs="Never mind")
    assert (reply.status_code, reply.json()["code"]) == (400, "3230")


async def test_built_in_tools_run_and_leave_their_marks(sdk: Mistral, start):
    tools = [{"type": name} for name in ("web_search", "code_interpreter", "image_generation")]
    talk = await start("Draw the news", tools=tools)
    *ran, message = talk.outputs
    assert [entry.name for entry in ran] == ["web_search", "code_interpreter", "image_generation"]
    assert ran[1].info["code_output"] == "42\n"
    assert [chunk.type for chunk in message.content] == ["text", "tool_reference", "tool_file"]
    assert talk.usage.connectors == {"web_search": 1, "code_interpreter": 1, "image_generation": 1}
    image = await sdk.files.download_async(file_id=message.content[2].file_id)
    assert (await image.aread()).startswith(b"\x89PNG")


@pytest.mark.parametrize(("decision", "ran"), [("allow", ["mail"]), ("deny", [])])
async def test_a_tool_can_wait_for_a_yes(decision: str, ran: list, sdk: Mistral, start, ask_for_error):
    tool = {"type": "connector", "connector_id": "mail", "tool_configuration": {"requires_confirmation": ["send"]}}
    talk = await start("Send it", tools=[tool])
    call = talk.outputs[0]
    assert (call.name, call.confirmation_status) == ("send", "pending")
    assert (await ask_for_error(f"/{talk.conversation_id}", inputs="Well?")).status_code == 400
    wrong = [{"tool_call_id": "other", "confirmation": "allow"}]
    assert (await ask_for_error(f"/{talk.conversation_id}", tool_confirmations=wrong)).status_code == 422
    answer = await sdk.beta.conversations.append_async(
        conversation_id=talk.conversation_id,
        tool_confirmations=[{"tool_call_id": call.tool_call_id, "confirmation": decision}],
    )
    assert [entry.name for entry in answer.outputs if entry.type == "tool.execution"] == ran
    assert answer.outputs[-1].type == "message.output"


async def test_an_agent_can_be_the_one_who_answers(sdk: Mistral, start):
    talk = await start(agent_id="ag_1", agent_version=2)
    assert talk.outputs[0].agent_id == "ag_1"
    card = await sdk.beta.conversations.get_async(conversation_id=talk.conversation_id)
    assert (card.agent_id, card.agent_version) == ("ag_1", 2)
    with pytest.raises(SDKError, match=r"404.*not found"):
        await start(agent_id="ag_unknown")


async def test_a_start_a_step_and_a_restart_can_be_streamed(sdk: Mistral):
    talks = sdk.beta.conversations
    stream = await talks.start_stream_async(inputs="Write a poem", model=MODEL, tools=[{"type": "web_search"}])
    events = [event async for event in stream]
    names = list(dict.fromkeys(event.event for event in events))
    assert names == [
        "conversation.response.started",
        "tool.execution.started",
        "tool.execution.delta",
        "tool.execution.done",
        "message.output.delta",
        "conversation.response.done",
    ]
    assert [event.data.type for event in events] == [event.event for event in events]
    known = events[0].data.conversation_id
    history = await talks.get_history_async(conversation_id=known)
    text = "".join(event.data.content for event in events[4:-1] if isinstance(event.data.content, str))
    assert history.entries[-1].content[0].text == text
    again = await talks.append_stream_async(conversation_id=known, inputs="More")
    assert [event async for event in again][-1].data.usage.total_tokens > 0
    entry = history.entries[-1].id
    anew = await talks.restart_stream_async(conversation_id=known, from_entry_id=entry, inputs="Other")
    started, *_ = [event async for event in anew]
    assert started.data.conversation_id != known


async def test_a_streamed_call_is_an_event(sdk: Mistral, weather: dict):
    stream = await sdk.beta.conversations.start_stream_async(inputs=WEATHER, model=MODEL, tools=[weather])
    calls = [event.data for event in [event async for event in stream] if event.event == "function.call.delta"]
    assert [call.name for call in calls] == ["get_weather"]


async def test_a_stream_has_no_done_marker_and_fails_in_its_own_way(sandbox: Sandbox, api: httpx2.AsyncClient):
    asked = {"inputs": "Hello", "model": MODEL, "stream": True}
    assert "[DONE]" not in (await api.post("/v1/conversations", json=asked)).text
    sandbox.faults.append(Fault(error_event=True, cut_after=2))
    *_, last, _ = (await api.post("/v1/conversations", json=asked)).text.split("\n\n")
    assert last == (
        "event: conversation.response.error\n"
        'data: {"type":"conversation.response.error","message":"Service unavailable.","code":3000}'
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"agent_id": "ag_1"},
        {"model": "-"},
        {"agent_version": 1},
        {"inputs": "-"},
        {"inputs": [{"type": "nonsense"}]},
        {"inputs": [{"role": "system", "content": "x"}]},
        {"messages": []},
        {"completion_args": {"temperature": 1.2}},
        {"completion_args": {"n": 2}},
        {"tools": [{"type": "web_search", "max_results": 3}]},
    ],
)
async def test_what_does_not_fit_is_422_with_a_number_for_a_code(fields: dict, ask_for_error):
    reply = await ask_for_error(**fields)
    body = reply.json()
    assert (reply.status_code, body["object"], body["code"]) == (422, "Error", 3001)
    assert body["detail"] == body["message"]
    assert body["detail"][0]["loc"][0] == "body"


async def test_a_step_takes_no_model(start, ask_for_error):
    talk = await start()
    reply = await ask_for_error(f"/{talk.conversation_id}", inputs="x", model=MODEL)
    assert reply.json()["detail"][0]["type"] == "extra_forbidden"


async def test_arguments_of_the_completion_hold(start):
    schema = {"name": "n", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}
    wanted = {"response_format": {"type": "json_schema", "json_schema": schema}, "temperature": 0.5}
    assert (await start(completion_args=wanted)).outputs[0].content == '{"a": 1}'
    assert (await start(completion_args={"stop": "answer"})).outputs[0].content == "Sandbox "


async def test_entries_may_come_without_a_type_and_be_sent_back_whole(sdk: Mistral, start):
    talk = await start([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}])
    history = await sdk.beta.conversations.get_history_async(conversation_id=talk.conversation_id)
    back = [entry.model_dump(mode="json") for entry in history.entries]
    again = await start([*back, {"role": "user", "content": "Bye"}])
    assert '"Bye" (3 messages)' in again.outputs[0].content


async def test_a_guardrail_can_block_a_conversation(start, ask_for_error):
    guardrail = {"block_on_error": False, "moderation_llm_v2": {"action": "block"}}
    reply = await ask_for_error(inputs="I will kill you", guardrails=[guardrail])
    assert reply.status_code == 403
    conversation = await start(guardrails=[{"block_on_error": False, "moderation_llm_v2": {"action": "none"}}])
    assert conversation.guardrails[0]["moderation_llm_v2"]["violated"] is False


async def test_code_makes_a_file_where_it_is_asked_to(sdk: Mistral, start):
    talk = await start("Make a CSV file of it", tools=[{"type": "code_interpreter"}])
    file = next(chunk for chunk in talk.outputs[-1].content if chunk.type == "tool_file")
    assert (await (await sdk.files.download_async(file_id=file.file_id)).aread()) == b"a,b\n6,7\n"


async def test_pictures_can_be_signed_links_without_a_file(start):
    talk = await start("Draw it", model="sandbox-image-urls", tools=[{"type": "image_generation"}])
    assert [chunk.type for chunk in talk.outputs[-1].content] == ["text", "image_url", "document_url"]
    assert "sig=" in talk.outputs[-1].content[1].image_url.url


@pytest.mark.parametrize("chunk", [{"type": "input_audio", "input_audio": "x"}, {"type": "file", "file_id": "x"}])
async def test_neither_recordings_nor_file_ids_are_inputs(chunk: dict, ask_for_error):
    inputs = [{"type": "message.input", "role": "user", "content": [chunk]}]
    assert (await ask_for_error("", model="mistral-small-latest", inputs=inputs)).status_code == 422
