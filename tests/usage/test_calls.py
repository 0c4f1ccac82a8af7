"""The record of each finished call, and its observers."""

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar

import anyio.lowlevel
import pytest
from mcp.client import Client
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError

from mistral_mcp import Settings, create_server
from mistral_mcp.credentials import from_key
from mistral_mcp.sandbox import Fault, Sandbox
from mistral_mcp.tools.framework import adapter
from mistral_mcp.tools.framework.request import Served
from mistral_mcp.usage.calls import CallRecord, RunningCall
from mistral_mcp.usage.ended_calls import EndedCalls
from mistral_mcp.usage.ledger import Ledger, digest_of_key
from mistral_mcp.usage.store import MemoryUsage
from tests.conftest import KEY


class Records:
    """The records of all calls that have ended until it is asked."""

    def __init__(self) -> None:
        self.ledger = Ledger(MemoryUsage(), digest_of_key)
        self.told: list[CallRecord] = []

    def calls_ended(self, records: Sequence[CallRecord]) -> None:
        self.told += records

    def __iter__(self) -> Iterator[CallRecord]:
        self.ledger.ended.settle()
        return iter(self.told)

    def server(self, settings: Settings, key: str | None = KEY) -> MCPServer[Served]:
        return create_server(settings, from_key(key), observers=[self], ledger=self.ledger)


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
async def client(mistral_url: str, records: Records) -> AsyncIterator[Client]:
    settings = Settings.model_validate({"route": mistral_url, "toolsets": "all", "max_retries": 2})
    async with Client(records.server(settings)) as client:
        yield client


async def test_an_answered_call_is_recorded_with_its_model_tokens_and_cost(client: Client, records: Records):
    result = await client.call_tool("mistral_chat", {"prompt": "Hello"})

    [record] = records
    usage = result.structured_content["usage"]
    assert (record.tool, record.outcome, record.error, record.status) == ("mistral_chat", "ok", None, 200)
    assert record.model == "mistral-small-latest"
    assert (record.used.prompt_tokens, record.used.completion_tokens) == (
        usage["prompt_tokens"],
        usage["completion_tokens"],
    )
    assert record.used.cost_usd == usage["cost_usd"]
    assert record.correlation_id == result.meta["mistral-mcp/correlation_id"]
    assert record.attempts == 1
    assert record.ms > 0
    assert record.route == "base"
    assert record.client


async def test_a_streamed_answer_is_metered_as_one_in_one_piece(client: Client, records: Records):
    async def listen(*_: object) -> None: ...

    await client.call_tool("mistral_chat", {"prompt": "Hello"}, progress_callback=listen)
    await client.call_tool("mistral_chat", {"prompt": "Hello"})

    streamed, whole = records
    assert streamed.used == whole.used


async def test_what_was_paid_counts_where_the_tool_fails_afterwards(client: Client, records: Records):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    arguments = {"prompt": "Hello", "json_schema": schema, "model": "sandbox-bad-json"}
    result = await client.call_tool("mistral_chat", arguments)

    [record] = records
    assert result.is_error
    assert (record.outcome, record.error) == ("error", "AnswerMismatch")
    assert record.used.prompt_tokens > 0


async def test_several_models_of_one_call_are_distinguished(client: Client, records: Records):
    models = ["mistral-small-latest", "mistral-large-latest"]
    result = await client.call_tool("mistral_compare", {"models": models, "prompt": "Hello"})

    [record] = records
    assert sorted(used.model for used in record.by_model) == sorted(models)
    assert record.used.cost_usd == pytest.approx(result.structured_content["total_cost_usd"])


async def test_a_failed_call_says_what_failed(client: Client, sandbox: Sandbox, records: Records):
    sandbox.faults.append(Fault.rate_limited(times=3))
    await client.call_tool("mistral_chat", {"prompt": "Hello", "model": "mistral-small-latest"})
    await client.call_tool("mistral_chat", {"prompt": "Hello", "model": "anybody/invented-this"})
    await client.call_tool("mistral_chat", {"prompt": "Hello", "tone": "kind"})

    limited, unknown, wrong = records
    assert (limited.error, limited.status, limited.attempts) == ("RateLimited", 429, 3)
    assert limited.model == "mistral-small-latest"
    assert (unknown.error, unknown.model) == ("UnknownModel", "other")
    assert (wrong.error, wrong.status, wrong.attempts, wrong.model) == ("BadArgument", None, 0, None)


def test_a_bug_is_called_a_crash() -> None:
    running = RunningCall("mistral_chat", "direct", error=adapter._Crash("what happened"))
    running.end()

    assert running.record().error == "Crash"


async def test_a_call_without_a_key_is_recorded_without_credentials(mistral_url: str, records: Records):
    async with Client(records.server(Settings(route=mistral_url), None)) as client:
        await client.call_tool("mistral_chat", {"prompt": "Hello"})

    [record] = records
    assert (record.error, record.credentials, record.connection_id) == ("MissingCredential", None, None)


async def test_a_call_that_the_client_gives_up_is_recorded_as_cancelled(
    client: Client, sandbox: Sandbox, records: Records
):
    sandbox.faults.append(Fault(delay=30))
    with anyio.move_on_after(0.2):
        await client.call_tool("mistral_chat", {"prompt": "Hello"})
    await client.list_tools()

    [record] = records
    assert (record.outcome, record.error) == ("error", "Cancelled")


async def test_a_tool_that_does_not_exist_is_not_recorded(client: Client, records: Records):
    with suppress(MCPError):
        await client.call_tool("mistral_nothing", {})

    assert list(records) == []


async def test_pages_seconds_and_characters_are_metered(client: Client, records: Records):
    await client.call_tool("mistral_ocr", {"document": "https://example.org/a.pdf", "pages": "0-2"})
    await client.call_tool("mistral_speak", {"text": "Good morning"})
    await client.call_tool("mistral_transcribe", {"url": "https://example.org/a.mp3"})

    ocr, speech, transcription = [record.used for record in records]
    assert ocr.pages == 3
    assert speech.characters == len("Good morning")
    assert transcription.seconds > 0
    assert all(used.cost_usd for used in (ocr, speech, transcription))


async def test_operations_of_the_whole_api_are_metered_too(client: Client, records: Records):
    document = {"type": "document_url", "document_url": "https://example.org/a.pdf"}
    chat = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hello"}]}
    for operation, body in (
        ("chat.complete", chat),
        ("ocr.process", {"model": "mistral-ocr-latest", "document": document, "pages": [0, 1]}),
        ("audio.speech.create", {"model": "voxtral-mini-tts-latest", "input": "Hello", "response_format": "mp3"}),
    ):
        called = {"operation": operation, "body": body}
        result = await client.call_tool("mistral_api_read", called)
        assert not result.is_error, result.content

    chat_used, ocr, speech = [record.used for record in records]
    assert chat_used.total_tokens > 0
    assert (ocr.pages, speech.characters) == (2, 5)
    assert all(used.cost_usd for used in (chat_used, ocr, speech))


class Groups:
    """The names of the tools whose calls were told of together."""

    def __init__(self) -> None:
        self.told: list[list[str]] = []
        self.was_told = anyio.Event()

    def calls_ended(self, records: Sequence[CallRecord]) -> None:
        self.told.append([record.tool for record in records])
        self.was_told.set()


def ended(tool: str) -> RunningCall:
    call = RunningCall(tool, "base")
    call.end()
    return call


async def test_calls_that_end_while_others_run_are_told_of_together_and_each_once():
    groups = Groups()
    calls = EndedCalls(groups)
    calls.running = 4
    calls.add(ended("a"))
    calls.add(ended("b"))
    assert groups.told == []

    with anyio.fail_after(5):
        await groups.was_told.wait()
    calls.add(ended("c"))
    calls.settle()
    calls.settle()

    assert groups.told == [["a", "b"], ["c"]]


async def test_a_call_that_ran_alone_is_told_of_at_once_with_those_that_wait():
    groups = Groups()
    calls = EndedCalls(groups)
    calls.running = 2
    beside = RunningCall("b", "base")
    calls.add(ended("a"))
    calls.add(beside)  # the last one to end, but it began beside the first
    calls.running = 1
    assert groups.told == []

    calls.add(ended("c"))
    await anyio.lowlevel.checkpoint()

    assert groups.told == [["a", "b", "c"]]


async def test_a_call_that_runs_alone_is_told_of_before_its_answer(client: Client, records: Records):
    await client.call_tool("mistral_chat", {"prompt": "Hello"})
    await client.call_tool("mistral_chat", {"tone": "kind"})

    assert [record.outcome for record in records.told] == ["ok", "error"]


async def test_calls_that_waited_are_told_of_outside_of_the_trace_of_any_of_them():
    trace: ContextVar[str] = ContextVar("trace", default="none")
    seen: list[str] = []

    class Traced(Groups):
        def calls_ended(self, records: Sequence[CallRecord]) -> None:
            seen.append(trace.get())
            super().calls_ended(records)

    groups = Traced()
    calls = EndedCalls(groups)
    calls.running = 2
    trace.set("of the first call")
    calls.add(ended("a"))
    with anyio.fail_after(5):
        await groups.was_told.wait()

    assert seen == ["none"]


async def test_calls_that_nobody_was_told_of_are_told_of_when_the_server_stops(mistral_url: str):
    groups = Groups()
    ledger = Ledger(MemoryUsage(), digest_of_key)
    server = create_server(Settings(route=mistral_url), from_key(KEY), observers=[groups], ledger=ledger)
    async with Client(server) as client:
        ledger.ended.running += 1  # of another caller
        await client.call_tool("mistral_chat", {"prompt": "Hello"})
        assert groups.told == []

    assert groups.told == [["mistral_chat"]]


def test_an_ended_call_holds_neither_its_client_nor_its_error():
    call = RunningCall("mistral_chat", "direct", error=ValueError("with its frames"))
    call.end()

    assert (call.mistral, call.error) == (None, None)


def test_records_have_ids_of_their_own_and_leave_the_random_numbers_of_the_program_alone():
    before = random.getstate()
    first, second = ended("mistral_chat").record(), ended("mistral_chat").record()

    assert first.request_id != second.request_id
    assert random.getstate() == before
