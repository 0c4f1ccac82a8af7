"""Chat replies in every shape they come in, whole and streamed: the same reply either way.

The shapes are those of the live API.
"""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from mistral_mcp import Settings
from mistral_mcp.errors import InvalidApiKey, RateLimited, RequestRefused, Unavailable, UpstreamError
from mistral_mcp.mistral.api.chat import ChatCall, ChatReply, FimCall
from mistral_mcp.mistral.api.completions import ChatAssembly, complete
from mistral_mcp.mistral.client import MistralClient, Upstream
from mistral_mcp.mistral.progress import Progress
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.route import Route
from mistral_mcp.sandbox import serve_app
from tests.conftest import KEY

USAGE = {
    "prompt_tokens": 24,
    "total_tokens": 31,
    "completion_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 16},
    "service_tier": "standard",
}


def thinking_chunk(*texts: str, **members: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text} for text in texts], **members}


def words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def call(arguments: Any = '{"a": 1}', **members: Any) -> dict[str, Any]:
    """A tool call as recorded; members that are `...` are left out."""
    whole = {
        "id": "g6fVbXS8K",
        "type": "function",
        "function": {"name": "f", "arguments": arguments},
        "index": 0,
        **members,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def body(
    message: dict[str, Any] | None = None, choice: dict[str, Any] | None = None, **members: Any
) -> dict[str, Any]:
    """A reply as recorded, with these members changed; those that are `...` are left out."""
    whole_message = {"role": "assistant", "tool_calls": None, "content": "Hi", **(message or {})}
    whole_choice = {"index": 0, "finish_reason": "stop", "message": whole_message, **(choice or {})}
    whole = {
        "id": "909a959e9a924146be5302ec81f5f4e3",
        "created": 1787150053,
        "model": "mistral-small-latest",
        "usage": USAGE,
        "object": "chat.completion",
        "choices": [{name: value for name, value in whole_choice.items() if value is not ...}],
        **members,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def parse_reply(whole: dict[str, Any]) -> ChatReply:
    return ChatCall.read(json.dumps(whole).encode())


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **members: Any) -> str:
    """An event as recorded, its padding included."""
    event = {
        "id": "548e",
        "object": "chat.completion.chunk",
        "created": 1787150060,
        "model": "mistral-small-latest",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
        "p": "abcdefghijklmnopqrstuvwxyz01234567",
        **members,
    }
    return json.dumps({name: value for name, value in event.items() if value is not ...})


def assemble(*events: str) -> ChatReply:
    assembly = ChatAssembly()
    for event in events:
        assembly.add(event)
    return assembly.reply()


def facts(reply: ChatReply) -> dict[str, Any]:
    """What tools take from a reply."""
    calls = [(made.id, made.function.name, made.function.arguments) for made in reply.tool_calls]
    return {
        "text": reply.text,
        "thinking": reply.thinking,
        "content": reply.content,
        "calls": calls,
        "finish_reason": reply.finish_reason,
        "model": reply.model,
        "usage": reply.usage,
    }


REFERENCE = {"type": "reference", "reference_ids": [1, "source-1"]}
MESSAGES = [
    {"role": "assistant", "content": "", "tool_calls": [call(id="abcdefgh1")]},
    {"role": "tool", "content": None, "name": "f", "tool_call_id": "abcdefgh1"},
    {"role": "assistant", "content": [words("It is "), REFERENCE, words("42.")]},
]

SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as recorded": (body(), {"text": "Hi", "thinking": "", "calls": [], "finish_reason": "stop", "content": "Hi"}),
    "content in chunks": (
        body({"content": [words("One"), REFERENCE, words(" two"), REFERENCE]}),
        {"text": "One two", "thinking": "", "content": [words("One"), REFERENCE, words(" two"), REFERENCE]},
    ),
    "content null": (body({"content": None}), {"text": "", "content": None}),
    "content missing": (body(choice={"message": {"role": "assistant"}}), {"text": "", "content": None}),
    "content empty list": (body({"content": []}), {"text": ""}),
    "chunk without type": (body({"content": [{"text": "Hi"}, {"text": " you"}]}), {"text": "Hi you"}),
    "chunk of a kind nobody knows": (
        body({"content": [{"type": "hologram", "x": 1}, words("Hi")]}),
        {"text": "Hi"},
    ),
    "chunk with null text": (body({"content": [{"type": "text", "text": None}, words("Hi")]}), {"text": "Hi"}),
    "thinking": (
        body({"content": [thinking_chunk("So, ", "four.", closed=True), words("4")]}),
        {"text": "4", "thinking": "So, four."},
    ),
    "thinking interleaved": (
        body(
            {
                "content": [
                    thinking_chunk("a"),
                    words("1"),
                    thinking_chunk("b", closed=False),
                    words("2"),
                    thinking_chunk("c"),
                ]
            }
        ),
        {"text": "12", "thinking": "abc"},
    ),
    "thinking as a string": (
        body({"content": [{"type": "thinking", "thinking": "hm"}, words("4")]}),
        {"text": "4", "thinking": "hm"},
    ),
    "thinking with references in it": (
        body({"content": [{"type": "thinking", "thinking": [words("a"), REFERENCE, words("b")]}, words("4")]}),
        {"text": "4", "thinking": "ab"},
    ),
    "thinking, then calls": (
        body({"content": [thinking_chunk("f it is")], "tool_calls": [call()]}, {"finish_reason": "tool_calls"}),
        {
            "text": "",
            "thinking": "f it is",
            "calls": [("g6fVbXS8K", "f", '{"a": 1}')],
            "finish_reason": "tool_calls",
        },
    ),
    "call without type": (body({"tool_calls": [call(type=...)]}), {"calls": [("g6fVbXS8K", "f", '{"a": 1}')]}),
    "call without index": (body({"tool_calls": [call(index=...)]}), {"calls": [("g6fVbXS8K", "f", '{"a": 1}')]}),
    "arguments as an object": (body({"tool_calls": [call({"a": 1})]}), {"calls": [("g6fVbXS8K", "f", {"a": 1})]}),
    "arguments empty": (body({"tool_calls": [call("")]}), {"calls": [("g6fVbXS8K", "f", "")]}),
    "arguments null": (body({"tool_calls": [call(None)]}), {"calls": [("g6fVbXS8K", "f", "")]}),
    "arguments missing": (
        body({"tool_calls": [call(function={"name": "f"})]}),
        {"calls": [("g6fVbXS8K", "f", "")]},
    ),
    "id 'null'": (body({"tool_calls": [call(id="null")]}), {"calls": [("null", "f", '{"a": 1}')]}),
    "id null": (body({"tool_calls": [call(id=None)]}), {"calls": [("null", "f", '{"a": 1}')]}),
    "id missing": (body({"tool_calls": [call(id=...)]}), {"calls": [("null", "f", '{"a": 1}')]}),
    "calls null": (body({"tool_calls": None}), {"calls": []}),
    "calls empty": (body({"tool_calls": []}), {"calls": []}),
    "calls missing": (body(choice={"message": {"content": "Hi"}}), {"calls": [], "text": "Hi"}),
    "unknown finish reason": (body(choice={"finish_reason": "sandbox_ended"}), {"finish_reason": "sandbox_ended"}),
    "finish reason null": (body(choice={"finish_reason": None}), {"finish_reason": "unknown"}),
    "finish reason missing": (body(choice={"finish_reason": ...}), {"finish_reason": "unknown"}),
    "model_length": (body(choice={"finish_reason": "model_length"}), {"finish_reason": "model_length"}),
    "several messages": (
        body(choice={"message": ..., "messages": MESSAGES}),
        {
            "text": "It is 42.",
            "calls": [("abcdefgh1", "f", '{"a": 1}')],
            "content": [words("It is "), REFERENCE, words("42.")],
        },
    ),
    "several messages beside a null one": (
        body(choice={"message": None, "messages": MESSAGES}),
        {"text": "It is 42."},
    ),
    "unknown members everywhere": (
        body(
            {"prefix": False, "audio": {"x": 1}, "name": None},
            {"logprobs": None, "score": 1},
            guardrails=[{"a": 1}],
        ),
        {"text": "Hi"},
    ),
    "object, id and created missing": (body(object=..., id=..., created=...), {"text": "Hi"}),
    "model missing": (body(model=...), {"text": "Hi", "model": ""}),
    "model null": (body(model=None), {"text": "Hi", "model": ""}),
    "numbers as floats": (body(choice={"index": 0.0}, created=1787150053.0), {"text": "Hi"}),
    "call's index as a float": (
        body({"tool_calls": [call(index=1.0)]}),
        {"calls": [("g6fVbXS8K", "f", '{"a": 1}')]},
    ),
    "call's index null": (body({"tool_calls": [call(index=None)]}), {"calls": [("g6fVbXS8K", "f", '{"a": 1}')]}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_whole_reply_is_read_in_every_shape(shape: str) -> None:
    whole, expected = SHAPES[shape]
    reply = facts(parse_reply(whole))

    assert {name: reply[name] for name in expected} == expected


@pytest.mark.parametrize(
    "shape", [name for name in SHAPES if name not in {"finish reason null", "finish reason missing"}]
)
def test_and_in_one_event_of_a_stream(shape: str) -> None:
    whole, expected = SHAPES[shape]
    choice = whole["choices"][0]
    message = choice.get("message") or {}
    if "messages" in choice:
        pytest.skip("a delta is one message")
    event = {**whole, "choices": [{**choice, "delta": message}]}

    reply = facts(assemble(json.dumps(event)))

    assert {name: reply[name] or None for name in expected if name != "content"} == {
        name: value or None for name, value in expected.items() if name != "content"
    }


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (USAGE, (24, 7, 31, 16)),
        (dict.fromkeys(USAGE), (None, None, None, 0)),
        ({}, (None, None, None, 0)),
        (None, None),
        (..., None),
        ({**USAGE, "prompt_tokens_details": {"cached_tokens": None, "audio_tokens": 3}}, (24, 7, 31, 0)),
        ({**USAGE, "prompt_tokens": 24.0, "total_tokens": 31.0}, (24, 7, 31, 16)),
        ({**USAGE, "prompt_audio_seconds": {}, "request_count": 1, "num_cached_tokens": None}, (24, 7, 31, 16)),
        (
            {**USAGE, "completion_tokens_details": None, "prompt_token_details": {"cached_tokens": 1}},
            (24, 7, 31, 16),
        ),
    ],
)
def test_usage_is_read_with_whatever_is_null_or_missing(
    usage: Any, expected: tuple[int | None, ...] | None
) -> None:
    whole = parse_reply(body(usage=usage)).usage
    streamed = assemble(chunk({"content": "Hi"}, "stop", usage=usage)).usage

    for found in (whole, streamed):
        numbers = found and (found.prompt_tokens, found.completion_tokens, found.total_tokens, found.cached_tokens)
        assert numbers == expected


@pytest.mark.parametrize("whole", [{}, {"choices": []}, {"choices": None}, {"choices": {}}, [], "text", None])
def test_what_is_no_reply_is_not_taken_for_one(whole: Any) -> None:
    with pytest.raises(ValidationError):
        parse_reply(whole)


# Streams.


def test_a_recorded_stream() -> None:
    reply = assemble(
        chunk({"role": "assistant", "content": ""}, p=...),
        chunk({"content": "1"}),
        chunk({"content": ", 2,"}),
        chunk({"content": " 3"}, "stop", usage=USAGE),
    )

    assert facts(reply) == facts(parse_reply(body({"content": "1, 2, 3"})))


def test_usage_that_comes_after_the_last_piece_or_with_no_choice_counts() -> None:
    events = [chunk({"content": "Hi"}), chunk({}, "stop"), chunk({}, choices=[], usage=USAGE)]

    assert facts(assemble(*events)) == facts(parse_reply(body()))


def test_thinking_and_text_in_one_delta() -> None:
    reply = assemble(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": [thinking_chunk("So")]}),
        chunk({"content": [thinking_chunk(", four.", closed=True)]}),
        chunk({"content": [thinking_chunk("", closed=True), words("4")]}),
        chunk({"content": "!"}, "stop", usage=USAGE),
    )

    assert facts(reply) == facts(
        parse_reply(body({"content": [thinking_chunk("So, four.", closed=True), words("4!")]}))
    )


def test_calls_that_come_whole() -> None:
    calls = [call(), call('{"b": 2}', id="abcdefgh2", index=1)]
    reply = assemble(chunk({"content": "", "tool_calls": calls}, "tool_calls", usage=USAGE))

    expected = parse_reply(body({"content": "", "tool_calls": calls}, {"finish_reason": "tool_calls"}))
    assert facts(reply) == facts(expected)


@pytest.mark.parametrize("identity", [{"id": "null"}, {"id": None}, {"id": ...}, {"id": "null", "index": ...}])
def test_calls_without_an_id_are_as_many_streamed_as_whole(identity: dict[str, Any]) -> None:
    """Mistral's schema has defaults for both: two calls may look alike but for what they call."""
    calls = [call("{}", **identity), call('{"b": 2}', function={"name": "g", "arguments": "{}"}, **identity)]

    streamed = assemble(chunk({"tool_calls": calls}, "tool_calls"))

    assert (
        facts(streamed)["calls"]
        == facts(parse_reply(body({"tool_calls": calls})))["calls"]
        == [
            ("null", "f", "{}"),
            ("null", "g", "{}"),
        ]
    )


@pytest.mark.parametrize("later", [{"id": "null"}, {"id": None}, {"id": ...}, {"id": ""}, {"id": "g6fVbXS8K"}])
@pytest.mark.parametrize("name", [None, "", ...])
def test_a_call_in_fragments_is_put_together(later: dict[str, Any], name: Any) -> None:
    """Not seen of Mistral; servers that speak its language do it."""

    def fragment(arguments: str) -> dict[str, Any]:
        function = {"arguments": arguments} | ({} if name is ... else {"name": name})
        return call(function=function, **later)

    reply = assemble(
        chunk({"tool_calls": [call('{"a"')]}),
        chunk({"tool_calls": [fragment(": ")]}),
        chunk({"tool_calls": [call("[", id="abcdefgh2", index=1), fragment("1")]}),
        chunk({"tool_calls": [fragment("}")]}, "tool_calls"),
    )

    assert facts(reply)["calls"] == [("g6fVbXS8K", "f", '{"a": 1}'), ("abcdefgh2", "f", "[")]


@pytest.mark.parametrize("later", ["toolcall0", "null", None, ..., "g6fVbXS8K"])
def test_a_fragment_without_a_name_continues_the_latest_call_of_its_index(later: Any) -> None:
    """As GLM models send them: the id changes between the first piece and the rest."""

    def fragment(arguments: Any, **members: Any) -> str:
        return chunk({"tool_calls": [call(function={"name": "", "arguments": arguments}, id=later, **members)]})

    reply = assemble(
        chunk({"tool_calls": [call("", function={"name": "read", "arguments": ""})]}),
        fragment('{"path": '),
        chunk({"tool_calls": [call("", id="abcdefgh2")]}),
        fragment('{"b": '),
        fragment({}),
        fragment("}"),
        chunk({}, "tool_calls"),
    )

    assert facts(reply)["calls"] == [("g6fVbXS8K", "read", '{"path": '), ("abcdefgh2", "f", '{"b": {}}')]


def test_a_name_that_comes_before_its_id_is_one_call() -> None:
    reply = assemble(
        chunk({"tool_calls": [call("", id=None)]}),
        chunk({"tool_calls": [call(function={"arguments": "{}"})]}, "tool_calls"),
    )

    assert facts(reply)["calls"] == [("g6fVbXS8K", "f", "{}")]


@pytest.mark.parametrize(
    "event", [{}, {"choices": None}, {"choices": []}, {"usage": USAGE}, {"type": "new", "x": [1]}]
)
def test_an_event_without_choices_brings_nothing_but_its_usage(event: dict[str, Any]) -> None:
    reply = assemble(json.dumps(event), chunk({"content": "ab"}, "stop", usage=USAGE), json.dumps(event))

    assert (reply.text, reply.usage and reply.usage.total_tokens) == ("ab", 31)


@pytest.mark.parametrize(
    "usage",
    [
        {"num_cached_tokens": 16},
        {"prompt_tokens_details": {"cached_tokens": 16}},
        {"prompt_token_details": {"cached_tokens": 16}},
        {"num_cached_tokens": None, "prompt_tokens_details": {}, "prompt_token_details": {"cached_tokens": 16}},
        {"num_cached_tokens": 16, "prompt_tokens_details": {"cached_tokens": 16}},
    ],
)
def test_cached_tokens_are_found_wherever_they_are_counted(usage: dict[str, Any]) -> None:
    read = parse_reply(body(usage={**USAGE, "prompt_tokens_details": None, **usage})).usage

    assert read is not None
    assert read.cached_tokens == 16
    assert (read + read).cached_tokens == 32


@pytest.mark.parametrize(
    "data", ["", "{", "null", "[]", '"text"', '{"error": {"message": "no"}}', '{"choices": 1}']
)
def test_what_is_no_piece_of_an_answer_is_refused(data: str) -> None:
    with pytest.raises(ValidationError):
        ChatAssembly().add(data)


@st.composite
def replies(draw: st.DrawFn) -> tuple[dict[str, Any], list[str]]:
    """A whole reply, and the same in events: split anywhere, by whoever sends it."""
    text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
    segments = draw(st.lists(st.tuples(st.sampled_from(["text", "thinking", "reference"]), text), max_size=5))
    chunks: list[dict[str, Any]] = []
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for kind, said in segments:
        cuts = sorted(draw(st.sets(st.integers(1, max(len(said) - 1, 1)), max_size=3)))
        pieces = [said[start:end] for start, end in zip([0, *cuts], [*cuts, len(said)], strict=True)]
        if kind == "reference":
            reference = {"type": "reference", "reference_ids": [said]}
            chunks.append(reference)
            deltas.append({"content": [reference]})
        elif kind == "thinking":
            deltas += [
                {"content": [thinking_chunk(piece, **draw(st.sampled_from([{}, {"closed": True}])))]}
                for piece in pieces
            ]
            if chunks and chunks[-1]["type"] == kind:
                chunks[-1]["thinking"][0]["text"] += said
            else:
                chunks.append(thinking_chunk(said, closed=True))
        else:
            forms: list[Callable[[str], Any]] = [
                str,
                lambda piece: [words(piece)],
                lambda piece: [{"text": piece}],
            ]
            deltas += [{"content": draw(st.sampled_from(forms))(piece)} for piece in pieces]
            if chunks and chunks[-1]["type"] == kind:
                chunks[-1]["text"] += said
            else:
                chunks.append(words(said))
    only_text = all(each["type"] == "text" for each in chunks)
    content = "".join(each["text"] for each in chunks) if only_text else chunks
    calls = [
        call(arguments, id=f"abcdefgh{index}", index=index)
        for index, arguments in enumerate(
            draw(st.lists(st.sampled_from(["{}", '{"a": "ä"}', {"a": 1}]), max_size=3))
        )
    ]
    if calls:
        deltas.append({"content": "", "tool_calls": calls})
    finish_reason = draw(st.sampled_from(["stop", "length", "tool_calls", "something-new"]))
    events = [chunk(delta) for delta in deltas]
    match draw(st.sampled_from(["with the last", "empty", "after it"])):
        case "with the last":
            events[-1] = chunk(deltas[-1], finish_reason, usage=USAGE)
        case "empty":
            events.append(chunk({"content": ""}, finish_reason, usage=USAGE))
        case _:
            events += [chunk({}, finish_reason), chunk({}, choices=[], usage=USAGE)]
    whole = body({"content": content, "tool_calls": calls or None}, {"finish_reason": finish_reason})
    return whole, events


@given(replies())
@settings(max_examples=150, deadline=None)
def test_however_a_reply_is_split_it_is_the_same_reply(made: tuple[dict[str, Any], list[str]]) -> None:
    whole, events = made

    assembly = ChatAssembly()
    pieces = [assembly.add(event) for event in events]

    assert facts(assembly.reply()) == facts(parse_reply(whole))
    assert "".join(pieces) == assembly.text == parse_reply(whole).text
    assert assembly.finished


# Over a socket.


class Answering:
    """A Mistral that gives one answer: `plain` to whoever does not stream, `events` to whoever does."""

    def __init__(self, plain: dict[str, Any], *events: str, content_type: str = "text/event-stream") -> None:
        self.plain = plain
        self.stream = "".join(f"data: {event}\n\n" for event in events)
        self.content_type = content_type
        self.bodies: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        asked = await Request(scope, receive).json()
        self.bodies.append(asked)
        streams = asked.get("stream", False)
        answer = self.stream if streams else json.dumps(self.plain)
        kind = self.content_type if streams else "application/json"
        await Response(answer, 200, {"content-type": kind})(scope, receive, send)

    @asynccontextmanager
    async def client(self, *, listens: bool) -> AsyncGenerator[MistralClient]:
        async def report(*_: object) -> None:
            pass

        async with serve_app(self) as url:
            upstream = Upstream(Settings.model_validate({"route": url, "max_retries": 0}))
            caller = Caller.of(SecretStr(KEY), "MISTRAL_API_KEY", Route.parse(url), None)
            yield upstream.client(caller, Progress(report) if listens else None)
            await upstream.aclose()


CALL = ChatCall(model="mistral-small-latest", messages=[{"role": "user", "content": "Hi"}])


@pytest.mark.parametrize("listens", [True, False])
async def test_nobody_who_does_not_listen_gets_a_stream(listens: Any) -> None:
    mistral = Answering(body(), chunk({"content": "Hi"}, "stop", usage=USAGE), "[DONE]")
    async with mistral.client(listens=listens) as client:
        reply = await complete(client, CALL)

    assert facts(reply) == facts(parse_reply(body()))
    assert [asked.get("stream") for asked in mistral.bodies] == [True if listens else None]
    assert "stream_options" not in mistral.bodies[0]


async def test_a_very_large_event_is_read() -> None:
    mistral = Answering({}, chunk({"content": "x" * 3_000_000}, "stop"), "[DONE]")
    async with mistral.client(listens=True) as client:
        assert len((await complete(client, CALL)).text) == 3_000_000


async def test_a_stream_that_finished_is_whole_without_done() -> None:
    mistral = Answering({}, chunk({"content": "Hi"}, "stop"))
    async with mistral.client(listens=True) as client:
        assert (await complete(client, CALL)).text == "Hi"


@pytest.mark.parametrize(
    ("events", "partial"),
    [
        ([chunk({"content": "Half"})], "Half"),
        ([chunk({"content": "Half"}), "[DONE]"], "Half"),
        ([chunk({"content": [thinking_chunk("hm")]}), "[DONE]"], ""),
        ([chunk({"content": "Half"}), "{"], "Half"),
        ([chunk({"content": "Half"}), '{"choices": 3}'], "Half"),
        ([chunk({"content": "Half"}, "error"), "[DONE]"], "Half"),
        ([chunk({"content": "Half"}), chunk({"content": ""}, "error", usage=USAGE), "[DONE]"], "Half"),
        (["[DONE]"], ""),
    ],
)
async def test_a_stream_that_is_not_whole_is_an_error_with_what_had_come(events: list[str], partial: str) -> None:
    mistral = Answering({}, *events)
    async with mistral.client(listens=True) as client:
        with pytest.raises(Unavailable) as caught:
            await complete(client, CALL)

    assert caught.value.partial == partial
    assert str(caught.value).count("Try again") == 1


async def test_an_answer_that_mistral_itself_calls_an_error_is_one_streamed_or_not() -> None:
    mistral = Answering(body({"content": "Half"}, {"finish_reason": "error"}))
    async with mistral.client(listens=False) as client:
        with pytest.raises(Unavailable) as caught:
            await complete(client, CALL)

    assert caught.value.partial == "Half"


@pytest.mark.parametrize(
    ("event", "kind", "status", "code"),
    [
        ({"object": "error", "message": "Service unavailable.", "code": "3000"}, Unavailable, None, "3000"),
        (
            {"object": "error", "message": "no", "code": "3051", "raw_status_code": 400},
            RequestRefused,
            400,
            "3051",
        ),
        (
            {"object": "error", "type": "rate_limited", "code": "1300", "raw_status_code": 429},
            RateLimited,
            429,
            "1300",
        ),
        ({"object": "Error", "message": "no", "code": 3201, "raw_status_code": 403}, UpstreamError, 403, "3201"),
        ({"error": {"message": "no"}}, Unavailable, None, None),
        ({"object": "error", "message": "no", "raw_status_code": 401}, InvalidApiKey, 401, None),
        ({"object": "error", "message": "no", "raw_status_code": "x"}, Unavailable, None, None),
    ],
)
async def test_an_error_in_the_middle_of_a_stream_is_reported_as_what_it_is(
    event: dict[str, Any], kind: type[UpstreamError], status: int | None, code: str | None
) -> None:
    mistral = Answering({}, chunk({"content": "Half"}), json.dumps(event))
    async with mistral.client(listens=True) as client:
        with pytest.raises(kind) as caught:
            await complete(client, CALL)

    assert (caught.value.partial, caught.value.status, caught.value.code) == ("Half", status, code)


@pytest.mark.parametrize("content_type", ["application/json", "text/html", ""])
async def test_what_is_no_stream_of_events_is_reported_as_such(content_type: str) -> None:
    mistral = Answering({}, chunk({"content": "Hi"}, "stop"), content_type=content_type)
    async with mistral.client(listens=True) as client:
        with pytest.raises(Unavailable, match="event stream"):
            await complete(client, CALL)


@pytest.mark.parametrize(
    ("temperature", "top_p", "sent"), [(0, None, 1), (0, 0.5, 1), (0.5, 0.5, 0.5), (0.5, None, None)]
)
def test_greedy_sampling_goes_out_with_the_only_top_p_it_tolerates(
    temperature: float, top_p: float | None, sent: float | None
) -> None:
    for made in (
        ChatCall(model="m", messages=[], temperature=temperature, top_p=top_p),
        FimCall(model="m", prompt="def", temperature=temperature, top_p=top_p),
    ):
        assert json.loads(made.body() or b"").get("top_p") == sent
