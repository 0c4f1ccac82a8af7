"""The toolset `conversations`, against the sandbox."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp.client import Client
from mcp_types import CallToolResult

from mistral_mcp.mistral.api.conversation_stream import ConversationAssembly
from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.faults import Fault
from mistral_mcp.tools.framework.kept import LONG
from tests.conftest import connect_in_memory, connect_over_http, expect_refusal_at_once, text_of

WEATHER = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TO_CONFIRM = {"type": "web_search", "tool_configuration": {"requires_confirmation": ["web_search"]}}
EVERY_TOOL = ["web_search", "code_interpreter", "image_generation"]


@pytest.fixture
async def client(mistral_url: str) -> AsyncIterator[Client]:
    async with connect_in_memory(mistral_url, toolsets="conversations") as client:
        yield client


@pytest.fixture
async def listener(mistral_url: str) -> AsyncIterator[Client]:
    """A client over HTTP, with progress reports."""
    async with connect_over_http(mistral_url, toolsets="conversations") as client:
        yield client


async def call_and_listen(
    client: Client, tool: str, arguments: dict[str, Any]
) -> tuple[CallToolResult, list[str]]:
    """The result for a caller who listens, and the texts that were told on the way."""
    reports: list[str] = []

    async def listen(_: float, __: float | None, message: str | None) -> None:
        if message:
            reports.append(message)

    return await client.call_tool(tool, arguments, progress_callback=listen), reports


async def start_conversation(client: Client, **arguments: object) -> dict[str, Any]:
    result = await client.call_tool("mistral_start_conversation", {"prompt": "Hello there", **arguments})
    assert not result.is_error, text_of(result)
    return result.structured_content


async def test_an_answer_comes_with_what_it_takes_to_continue(client: Client) -> None:
    result = await client.call_tool("mistral_start_conversation", {"prompt": "Hello there"})

    structured = result.structured_content
    assert set(structured) == {"conversation_id", "text", "calls", "model", "usage"}
    assert "Hello there" in structured["text"]
    assert structured["usage"]["cost_usd"] > 0
    assert text_of(result) == f"{structured['text']}\n\n(conversation_id {structured['conversation_id']})"


async def test_nothing_is_sent_that_the_caller_did_not_ask_for(client: Client, sandbox: Sandbox) -> None:
    conversation = await start_conversation(client)
    assert sandbox.requests[-1].json == {"inputs": "Hello there", "model": "mistral-small-latest"}

    reports = {"conversation_id": conversation["conversation_id"], "prompt": "And now?"}
    await client.call_tool("mistral_append_conversation", reports)
    assert sandbox.requests[-1].json == {"inputs": "And now?"}


async def test_what_was_requested_is_sent_as_mistral_names_it(client: Client, sandbox: Sandbox) -> None:
    asked = {"instructions": "Be brief.", "temperature": 0, "max_tokens": 9, "store": True, "name": "Mine"}
    await start_conversation(
        client, **asked, tools=["web_search", WEATHER, {"type": "function", "function": WEATHER}, TO_CONFIRM]
    )

    sent = sandbox.requests[-1].json
    assert sent["completion_args"] == {"temperature": 0, "max_tokens": 9, "top_p": 1}
    assert {name: sent[name] for name in ("instructions", "store", "name")} == {
        "instructions": "Be brief.",
        "store": True,
        "name": "Mine",
    }
    function = {"type": "function", "function": WEATHER}
    assert sent["tools"] == [{"type": "web_search"}, function, function, TO_CONFIRM]


async def test_an_agent_takes_the_place_of_a_model(client: Client, sandbox: Sandbox) -> None:
    conversation = await start_conversation(client, agent_id="ag_0123456789abcdef")

    assert sandbox.requests[-1].json == {"inputs": "Hello there", "agent_id": "ag_0123456789abcdef"}
    assert conversation["usage"]["cost_usd"] > 0


async def test_what_ran_at_mistral_is_reported_with_its_files_and_sources(client: Client) -> None:
    conversation = await start_conversation(client, tools=EVERY_TOOL)

    assert [ran["name"] for ran in conversation["executions"]] == EVERY_TOOL
    assert conversation["files"][0]["file_id"]
    assert conversation["sources"] == [{"title": "Sandbox source", "url": "https://example.com/web_search"}]
    assert conversation["usage"]["connectors"] == dict.fromkeys(EVERY_TOOL, 1)
    assert conversation["usage"]["connector_tokens"] > 0
    assert conversation["usage"]["cost_usd"] is None


async def test_a_function_is_called_and_its_result_taken(client: Client, sandbox: Sandbox) -> None:
    asked = {"prompt": "What is the weather in Paris?", "tools": [WEATHER]}
    result = await client.call_tool("mistral_start_conversation", asked)
    call = result.structured_content["calls"][0]
    assert call == {"id": call["id"], "name": "get_weather", "arguments": {"city": "Paris"}}
    assert f'calls get_weather({{"city": "Paris"}}), id {call["id"]}' in text_of(result)

    results = [{"tool_call_id": call["id"], "result": {"celsius": 20}}]
    reports = {"conversation_id": result.structured_content["conversation_id"], "function_results": results}
    answer = await client.call_tool("mistral_append_conversation", reports)
    assert '{"celsius": 20}' in answer.structured_content["text"]
    assert sandbox.requests[-1].json == {
        "inputs": [{"type": "function.result", "tool_call_id": call["id"], "result": '{"celsius": 20}'}]
    }


@pytest.mark.parametrize(("word", "runs"), [("allow", 1), ("deny", 0)])
async def test_a_tool_that_waits_for_a_yes_is_confirmed_or_denied(client: Client, word: str, runs: int) -> None:
    conversation = await start_conversation(client, tools=[TO_CONFIRM])
    call = conversation["calls"][0]
    assert call["confirmation_status"] == "pending"

    confirmations = [{"tool_call_id": call["id"], "confirmation": word}]
    reports = {"conversation_id": conversation["conversation_id"], "tool_confirmations": confirmations}
    answer = await client.call_tool("mistral_append_conversation", reports)
    assert len(answer.structured_content.get("executions", [])) == runs


@pytest.mark.parametrize(
    "arguments",
    [
        {"prompt": "Hello there"},
        {"prompt": "Search", "tools": EVERY_TOOL},
        {"prompt": "The weather in Paris?", "tools": [WEATHER]},
    ],
)
async def test_a_caller_who_listens_gets_the_same_in_pieces(
    client: Client, listener: Client, sandbox: Sandbox, arguments: dict[str, Any]
) -> None:
    whole = await start_conversation(client, **arguments)
    result, reports = await call_and_listen(listener, "mistral_start_conversation", arguments)

    assert sandbox.requests[-1].json["stream"] is True
    assert "".join(reports) == whole["text"]
    for once in (whole, result.structured_content):
        once.pop("conversation_id")
        for file in once.get("files", ()):
            file.pop("file_id")
    assert result.structured_content == whole


async def test_an_append_is_streamed_too(listener: Client, sandbox: Sandbox) -> None:
    conversation = await start_conversation(listener)
    reports = {"conversation_id": conversation["conversation_id"], "prompt": "And now?"}
    result, texts = await call_and_listen(listener, "mistral_append_conversation", reports)

    assert sandbox.requests[-1].json == {"inputs": "And now?", "stream": True}
    assert result.structured_content["conversation_id"] == conversation["conversation_id"]
    assert "".join(texts) == result.structured_content["text"]


@pytest.mark.parametrize("fault", [Fault(cut_after=6), Fault(no_done=True), Fault(error_event=True)])
async def test_a_stream_that_breaks_keeps_what_had_come_and_is_not_started_again(
    listener: Client, sandbox: Sandbox, fault: Fault
) -> None:
    sandbox.faults.append(fault)
    result, _ = await call_and_listen(listener, "mistral_start_conversation", {"prompt": "Hello there"})

    assert result.is_error
    assert "Sandbox answer" in text_of(result)
    assert "check before retrying" in text_of(result)
    assert "The conversation is conv_" in text_of(result)
    assert len(sandbox.requests) == 1


async def test_an_error_event_is_reported_with_its_reason_and_code(listener: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(error_event=True))
    result, _ = await call_and_listen(listener, "mistral_start_conversation", {"prompt": "Hello there"})

    assert "Service unavailable" in text_of(result)
    assert result.meta["mistral-mcp/error"]["code"] == "3000"


async def test_a_start_that_may_have_arrived_is_not_repeated(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(status=503))
    result = await client.call_tool("mistral_start_conversation", {"prompt": "Hello there"})

    assert result.is_error
    assert len(sandbox.requests) == 1


def test_arguments_in_pieces_are_put_together_and_wholes_are_not_doubled() -> None:
    assembly = ConversationAssembly("conv_1")
    call = {"type": "function.call.delta", "id": "fc_1", "name": "f", "tool_call_id": "abcdefghi"}
    ran = {"id": "tool_exec_1", "output_index": 1, "name": "web_search", "arguments": '{"q": 1}'}
    for event in (
        {**call, "arguments": '{"a"'},
        {**call, "arguments": ": 1}"},
        {"type": "tool.execution.started", **ran},
        {"type": "tool.execution.delta", **ran},
    ):
        assembly.add(json.dumps(event))

    assert [entry.arguments for entry in assembly.reply().outputs] == ['{"a": 1}', '{"q": 1}']


def test_pieces_of_arguments_may_be_json_by_themselves() -> None:
    assembly = ConversationAssembly("conv_1")
    call = {"type": "function.call.delta", "id": "fc_1", "name": "f", "tool_call_id": "abcdefghi"}
    for piece in ('{"a": ', "{}", "}"):
        assembly.add(json.dumps({**call, "arguments": piece}))

    assert [entry.arguments for entry in assembly.reply().outputs] == ['{"a": {}}']


def test_events_of_an_unknown_type_are_ignored() -> None:
    assembly = ConversationAssembly("")
    said = {"type": "message.output.delta", "id": "msg_1"}
    for event in (
        {"type": "conversation.response.started", "conversation_id": "conv_1"},
        {"type": "conversation.response.requires_action"},
        {**said, "content": "Hel"},
        {**said, "content": {"type": "text", "text": "lo"}},
        {"type": "something.new", "id": "x", "content": 7, "arguments": []},
        {
            **said,
            "content": [{"type": "text", "text": "!"}, {"type": "image_url", "image_url": "https://x.test/a"}],
        },
        {"type": "conversation.response.done", "usage": {"total_tokens": 3}},
        {"type": "conversation.response.finished"},
    ):
        assembly.add(json.dumps(event))

    reply = assembly.reply()
    assert (reply.conversation_id, reply.text, assembly.finished) == ("conv_1", "Hello!", True)
    assert reply.chunks("image_url")
    assert reply.usage is not None


async def test_a_conversation_is_read_page_by_page(client: Client) -> None:
    conversation = await start_conversation(client, name="Mine")
    reports = {"conversation_id": conversation["conversation_id"]}
    await client.call_tool("mistral_append_conversation", {**reports, "prompt": "And now?"})
    result = await client.call_tool("mistral_get_conversation", {**reports, "page_size": 3})

    structured = result.structured_content
    assert (structured["total"], structured["next_page"]) == (4, 1)
    assert (structured["name"], structured["model"]) == ("Mine", "mistral-small-latest")
    assert [entry["role"] for entry in structured["entries"]] == ["user", "assistant", "user"]
    assert "user: Hello there" in text_of(result)
    assert "(4 entries; more on page 1)" in text_of(result)
    rest = await client.call_tool("mistral_get_conversation", {**reports, "page": 1, "page_size": 3})
    assert len(rest.structured_content["entries"]) == 1
    assert "next_page" not in rest.structured_content


async def test_calls_and_results_are_part_of_what_is_read(client: Client) -> None:
    conversation = await start_conversation(client, prompt="The weather in Paris?", tools=[WEATHER])
    reports = {"conversation_id": conversation["conversation_id"]}
    results = [{"tool_call_id": conversation["calls"][0]["id"], "result": "20 degrees"}]
    await client.call_tool("mistral_append_conversation", {**reports, "function_results": results})
    entries = (await client.call_tool("mistral_get_conversation", reports)).structured_content["entries"]

    assert [entry["type"] for entry in entries[1:3]] == ["function.call", "function.result"]
    assert entries[1]["text"] == 'get_weather({"city": "Paris"})'
    assert entries[2]["text"] == "20 degrees"
    assert entries[1]["tool_call_id"] == results[0]["tool_call_id"]


async def test_a_long_entry_is_cut_and_longer_alone(client: Client) -> None:
    conversation = await start_conversation(client, prompt="x" * 3 * LONG)
    reports = {"conversation_id": conversation["conversation_id"]}
    page = (await client.call_tool("mistral_get_conversation", reports)).structured_content["entries"][0]["text"]
    alone = await client.call_tool("mistral_get_conversation", {**reports, "page_size": 1})

    assert len(page) < len(alone.structured_content["entries"][0]["text"]) <= LONG + 1
    kept = alone.structured_content["kept"]
    last = await client.call_tool("mistral_read_result", {"handle": kept["handle"], "offset": 3 * LONG})
    assert last.structured_content["text"] == "x" * len("user: ")


async def test_earlier_messages_become_entries_and_instructions(client: Client, sandbox: Sandbox) -> None:
    call = {"id": "call_1", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "20"},
        {"role": "assistant", "content": "20 degrees."},
    ]
    await client.call_tool(
        "mistral_start_conversation", {"messages": messages, "prompt": "And now?", "instructions": "Be brief."}
    )

    sent = sandbox.requests[-1].json
    assert sent["instructions"] == "Be brief.\n\nBe kind."
    assert [(entry["type"], entry.get("role")) for entry in sent["inputs"]] == [
        ("message.input", "user"),
        ("function.call", None),
        ("function.result", None),
        ("message.input", "assistant"),
        ("message.input", "user"),
    ]
    assert sent["inputs"][1]["tool_call_id"] == sent["inputs"][2]["tool_call_id"]


async def test_images_and_documents_go_by_url(client: Client, sandbox: Sandbox) -> None:
    image, document = "https://example.com/a.png", "https://example.com/a.pdf"
    await start_conversation(client, images=[image], documents=[document])

    assert sandbox.requests[-1].json["inputs"][0]["content"] == [
        {"type": "text", "text": "Hello there"},
        {"type": "image_url", "image_url": image},
        {"type": "document_url", "document_url": document},
    ]


async def test_json_schema_gives_parsed(client: Client, sandbox: Sandbox) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    conversation = await start_conversation(client, json_schema=schema)

    assert isinstance(conversation["parsed"]["n"], int)
    assert sandbox.requests[-1].json["completion_args"]["response_format"]["type"] == "json_schema"


async def test_what_code_printed_is_given_back(client: Client) -> None:
    conversation = await start_conversation(client, tools=["code_interpreter"])

    assert conversation["executions"][0]["code"] == "print(6 * 7)"
    assert conversation["executions"][0]["output"] == "42\n"


async def test_urls_of_images_and_documents_are_given_back(client: Client, sandbox: Sandbox) -> None:
    content = [
        {"type": "text", "text": "Here."},
        {"type": "image_url", "image_url": {"url": "https://example.com/signed.png"}},
        {"type": "document_url", "document_url": "https://example.com/a.pdf"},
    ]
    outputs = [{"type": "message.output", "content": content}]
    sandbox.faults.append(Fault(status=200, body={"conversation_id": "conv_1", "outputs": outputs}))
    result = await client.call_tool("mistral_start_conversation", {"prompt": "Draw"})

    assert result.structured_content["images"] == ["https://example.com/signed.png"]
    assert result.structured_content["documents"] == ["https://example.com/a.pdf"]
    assert "image: https://example.com/signed.png" in text_of(result)


async def test_a_conversation_is_restarted_from_an_entry(client: Client, sandbox: Sandbox) -> None:
    conversation = await start_conversation(client)
    identity = conversation["conversation_id"]
    history = await client.call_tool("mistral_get_conversation", {"conversation_id": identity})
    entry = history.structured_content["entries"][0]["id"]
    asked = {"conversation_id": identity, "from_entry_id": entry, "prompt": "Once more"}
    again = await client.call_tool("mistral_append_conversation", asked)

    assert not again.is_error, text_of(again)
    assert sandbox.requests[-1].path == f"/v1/conversations/{identity}/restart"
    assert again.structured_content["conversation_id"] != identity


async def test_conversations_are_listed_newest_first_and_deleted(client: Client) -> None:
    ids = [(await start_conversation(client))["conversation_id"] for _ in range(3)]
    listed = await client.call_tool("mistral_list_conversations", {"page_size": 2})
    assert [card["id"] for card in listed.structured_content["conversations"]] == ids[:0:-1]
    assert listed.structured_content["next_page"] == 1

    deleted = await client.call_tool("mistral_delete_conversation", {"conversation_id": ids[0]})
    assert deleted.structured_content == {"id": ids[0], "deleted": True}
    again = await client.call_tool("mistral_delete_conversation", {"conversation_id": ids[0]})
    assert again.is_error
    assert "Check the id" in text_of(again)


async def test_an_empty_list_says_so(client: Client) -> None:
    result = await client.call_tool("mistral_list_conversations", {})

    assert text_of(result) == "No conversations."


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("start", {}, "prompt and messages are both missing"),
        ("start", {"prompt": "x", "model": "m", "agent_id": "a"}, "are given together"),
        ("start", {"prompt": "x", "temperature": 1.2}, "temperature must be at most 1"),
        (
            "start",
            {"prompt": "x", "tools": ["websearch"]},
            "unknown built-in tool; did you mean web_search?",
        ),
        (
            "start",
            {"prompt": "x", "tools": ["zzz"]},
            "there are web_search, web_search_premium, code_interpreter or",
        ),
        ("start", {"prompt": "x", "tools": [{"nme": "f"}]}, "a function is {name, description, parameters}"),
        ("start", {"prompt": "x", "tools": [7]}, "a function is {name, description, parameters}"),
        ("start", {"prompt": "x", "tools": [{"type": "web_search", "name": "f"}]}, "web_search takes no name"),
        ("start", {"prompt": "x", "tools": [{"type": "document_library"}]}, "document_library needs library_ids"),
        ("start", {"prompt": "x", "tools": [{"type": ["web_search"]}]}, "the type of a tool is a name"),
        (
            "start",
            {"prompt": "x", "tools": [{"name": "f", "parameters": {"type": "objekt"}}]},
            "tools[0].parameters is not a valid",
        ),
        ("append", {"prompt": "x"}, "conversation_id is missing"),
        ("append", {"conversation_id": "c"}, "There is nothing to append"),
        ("append", {"conversation_id": "../models", "prompt": "x"}, "conversation_id is not a valid id"),
        (
            "append",
            {"conversation_id": "c", "function_results": [{"id": "x"}]},
            "function_results[0].tool_call_id is missing",
        ),
        (
            "append",
            {"conversation_id": "c", "tool_confirmations": [{"tool_call_id": "x", "confirmation": "yes"}]},
            "must be allow or deny",
        ),
        ("get", {"conversation_id": "a/b"}, "conversation_id is not a valid id"),
        ("get", {"conversation_id": "c", "page": -1}, "page must be at least 0"),
        ("delete", {"conversation_id": "x?y"}, "conversation_id is not a valid id"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, tool: str, arguments: dict[str, object], sentence: str
) -> None:
    await expect_refusal_at_once(client, sandbox, f"mistral_{tool}_conversation", arguments, sentence)
