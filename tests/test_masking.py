"""No secret on any way out: by value and by shape, encoded or cut in two; and what is masked stays what it was."""

import base64
import json
import logging
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import product
from typing import Any
from urllib.parse import quote, quote_plus

import anyio
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.client import Client
from mcp.client.stdio import stdio_client
from mcp.server.mcpserver import MCPServer
from starlette.requests import Request
from starlette.responses import Response

from mistral_mcp import Settings, tools
from mistral_mcp.credentials import from_key
from mistral_mcp.kept_results import MemoryStore
from mistral_mcp.logs import JsonFormatter, TextFormatter
from mistral_mcp.masking import MASK, Mask, mask_shapes
from mistral_mcp.mistral.call import Call, Reply
from mistral_mcp.mistral.client import Upstream
from mistral_mcp.sandbox import Fault, Sandbox, serve_app
from mistral_mcp.tools.framework.adapter import MistralTool
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.request import Mistral, Served
from mistral_mcp.tools.framework.results import Result
from mistral_mcp.usage.ledger import Ledger, digest_of_key
from mistral_mcp.usage.store import MemoryUsage
from tests.conftest import KEY, TRANSPORTS, connect_in_memory, connect_over_http, stdio_parameters, text_of

ODD = 'p+q/"r\\s%t=u&v<w>x'
"""A key with every character that some encoding minds."""

secrets = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=12, max_size=64)
# Nothing that can be a part of a secret's encoding, so that what is left of it would show.
around = st.text(" äß→\n", max_size=12)


def leaks(text: str, secret: str) -> bool:
    """Whether any form of the secret is in the text."""
    raw = secret.encode()
    cores = [
        encode(b"\0" * offset + raw).decode().rstrip("=")[(0, 2, 3)[offset] : -2]
        for offset, encode in product(range(3), (base64.b64encode, base64.urlsafe_b64encode))
    ]
    forms = [secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], *cores]
    return any(form in text for form in forms)


@pytest.mark.parametrize("secret", [KEY, ODD])
@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"xyz", b"user:"])
@pytest.mark.parametrize("after", [b"", b"x", b"xy", b":pass"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_masked_wherever_in_the_whole_the_secret_stands(
    secret: str, before: bytes, after: bytes, encode: Any
) -> None:
    encoded = encode(before + secret.encode() + after).decode()

    masked = Mask([secret]).text(f"Authorization: Basic {encoded}.")

    assert MASK in masked
    assert not leaks(masked, secret)


@pytest.mark.parametrize("secret", [KEY, ODD])
@pytest.mark.parametrize(
    "text",
    [
        "The key {plain} is bad.",
        "Bearer {plain}",
        "https://api.example/v1?key={url}&x=1",
        "https://user:{url}@api.example/v1",
        "https://api.example/v1?u={twice}",
        "{plain}{plain}",
        '{{"message": "{json}"}}',
    ],
)
def test_text_addresses_and_quotations_are_masked(secret: str, text: str) -> None:
    forms = {
        "plain": secret,
        "url": quote(secret, safe=""),
        "twice": quote(f"https://x/?key={quote(secret, safe='')}", safe=""),
        "json": json.dumps(secret)[1:-1],
    }
    masked = Mask([secret]).text(text.format(**forms))

    assert MASK in masked
    assert not leaks(masked, secret)
    assert quote(quote(secret, safe=""), safe="") not in masked


def test_of_two_secrets_neither_leaves_the_rest_of_the_other_standing() -> None:
    mask = Mask(["abcdefghijkl", "abcdefghijklmnopqrst"])

    assert mask.text("abcdefghijklmnopqrst abcdefghijkl") == f"{MASK} {MASK}"


def test_what_is_too_short_to_be_a_secret_is_not_masked() -> None:
    assert Mask(["", "abc"]).text("abc") == "abc"


@pytest.mark.parametrize(
    "secret",
    [
        "Bearer abcdefgh12345678",
        "mmcp_abcdefgh12345678",
        "MMCP_abcdefgh12345678",
        "sk-abcdefgh1234567890",
        "ghp_abcdefgh12345678",
        "aks_live_abcdefgh",
        "hf_abcdefgh12345678",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh",
        "sig=abcdefgh12345678",
        "api_key=abcdefgh12345678",
        "BASIC abcdefgh12345678",
        "pk-abcdefgh1234567890",
        "rk-abcdefgh1234567890",
        "gho_abcdefgh12345678",
        "github_pat_abcdefgh12345678",
        "xoxb-abcdefgh12345678",
        "Signature=abcdefgh12345678",
        "TOKEN=abcdefgh12345678",
        "apikey=abcdefgh12345678",
        "\u017fecret=abcdefgh12345678",  # a long s, which is an s where case does not count
        "to\u212aen=abcdefgh12345678",  # the sign of Kelvin
        "PassWord=abcdefgh12345678",
    ],
)
def test_what_has_the_shape_of_a_credential_is_masked_where_no_text_of_a_user_is(secret: str) -> None:
    masked = mask_shapes(f"before {secret} after")

    assert "abcdefgh" not in masked
    assert "hbGciOi" not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    record = logging.makeLogRecord({"msg": "a line", "fact": f"before {secret} after"})
    assert "abcdefgh" not in JsonFormatter().format(record)


@given(secret=secrets, before=around, after=around, number=st.integers(-(2**60), 2**60))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("slashes", [True, False])
def test_a_reply_is_valid_json_after_masking_and_says_the_rest_unchanged(
    secret: str, before: str, after: str, number: int, ascii_only: Any, slashes: Any
) -> None:
    plain = {"n": number, "x": [1.5, None, True], "ü": "Zoë"}
    reply = {**plain, "said": before + secret + after, "deep": [{"at": f"?{quote(secret, safe='')}"}]}
    text = json.dumps(reply, ensure_ascii=ascii_only)
    if slashes:  # as PHP writes them
        text = text.replace("/", "\\/")

    masked = json.loads(Mask([secret]).body(text.encode()))

    assert masked["said"] == before + MASK + after
    assert masked["deep"] == [{"at": f"?{MASK}"}]
    assert {name: masked[name] for name in plain} == plain


@pytest.mark.parametrize("secret", ["1234567890", "12345678.5", '":1,"choices":', "choices", '{"n"', "assistant"])
def test_no_key_however_odd_makes_a_reply_unreadable(secret: str) -> None:
    """A caller may call anything a key. What it must not do is break the reply it is in."""
    reply = {"n": 1234567890, "f": 12345678.5, "choices": [{"role": "assistant"}], "key": f"a{secret}b"}
    body = json.dumps(reply, separators=(",", ":")).encode()

    masked = json.loads(Mask([secret]).body(body))

    assert masked["n"] == 1234567890
    assert masked["key"] == f"a{MASK}b"


@pytest.mark.parametrize("secret", [KEY, ODD])
@pytest.mark.parametrize("written", [json.dumps, lambda text: json.dumps(text).replace("/", "\\/")])
def test_an_event_of_a_stream_is_masked_as_a_whole_reply_is(secret: str, written: Any) -> None:
    mask = Mask([secret])
    for text in (f"the {secret}", f"été {secret}\n", "nothing / here"):
        data = written({"text": text})
        assert mask.event(data) == mask.body(data.encode()).decode()
        assert json.loads(mask.event(data)) == {"text": text.replace(secret, MASK)}


def test_a_reply_without_a_secret_is_passed_on_byte_for_byte() -> None:
    body = b'{ "a": 1.0,\n "b": "\\u00fc\\n" , "a": 2 }'

    assert Mask([KEY, ODD]).body(body) is body


def test_a_reply_that_is_no_json_is_masked_as_text() -> None:
    assert Mask([KEY]).body(f"<html>\xff{KEY}</html>".encode("latin-1")) == b"<html>\xff[masked]</html>"


@given(
    secret=secrets,
    texts=st.lists(st.one_of(around, st.just("SECRET"), st.just("HALF")), max_size=6),
    cuts=st.lists(st.integers(1, 20), min_size=1, max_size=8),
)
@settings(max_examples=200, deadline=None)
def test_a_secret_in_any_pieces_never_shows_and_nothing_else_is_lost(
    secret: str, texts: list[str], cuts: list[int]
) -> None:
    half = secret[: len(secret) // 2] + " "
    whole = " ".join({"SECRET": secret, "HALF": half}.get(text, text) for text in texts)
    mask, held, told, at = Mask([secret]), "", "", 0
    for number in range(len(whole)):
        if at >= len(whole):
            break
        size = cuts[number % len(cuts)]
        held += whole[at : at + size]
        at += size
        ready = len(held) - mask.held_back(held)
        told += mask.text(held[:ready])
        held = held[ready:]
    told += mask.text(held)

    assert told == mask.text(whole)
    assert not leaks(told, secret)


@pytest.mark.parametrize("secret", ["abcdefghijka", "xyxyxyxyxyxyx", KEY[:-1] + KEY[0]])
def test_a_secret_that_ends_as_it_begins_is_not_let_out_except_for_its_last_letters(secret: str) -> None:
    mask = Mask([secret])
    text = f"It is {secret}"

    ready = text[: len(text) - mask.held_back(text)]

    assert secret[:6] not in mask.text(ready)


# The ways out of a running server.


def echo_key(**members: Any) -> dict[str, Any]:
    """A chat reply that is full of the key."""
    encoded = base64.b64encode(f"user:{KEY}".encode()).decode()
    text = f"Plain {KEY}, in a URL https://x.example/?key={quote(KEY)}, in base64 {encoded}."
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": f"I saw {KEY}."}]}
    call = {"id": "abcdefghi", "function": {"name": "f", "arguments": json.dumps({"key": KEY})}}
    return {
        "id": KEY,
        "model": f"model-{KEY}",
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "service_tier": KEY},
        "choices": [
            {
                "finish_reason": f"because-{KEY}",
                "message": {"content": [thought, {"type": "text", "text": text}], "tool_calls": [call]},
            }
        ],
        **members,
    }


FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {"key": {"type": "integer"}}}}


HEADERS = {"mistral-correlation-id": KEY, "retry-after": KEY, "x-ratelimit-limit-req-minute": KEY}
ECHOES: list[tuple[Fault, str, dict[str, Any]]] = [
    (Fault(body=echo_key()), "mistral_chat", {"prompt": "?"}),
    (Fault(body=echo_key()), "mistral_function_call", {"prompt": "?", "functions": [FUNCTION]}),
    (Fault(echo_key=True, headers=HEADERS), "mistral_chat", {"prompt": "?"}),
    (
        Fault(status=422, body={"detail": [{"loc": ["body", KEY], "msg": f"no {KEY}", "input": KEY}]}),
        "mistral_moderate",
        {"inputs": ["?"]},
    ),
    (
        Fault(status=400, body={"message": f"Invalid model: {KEY}", "code": KEY, "type": KEY}),
        "mistral_chat",
        {"prompt": "?"},
    ),
    (Fault(status=500), "mistral_chat", {"prompt": "?"}),
    (Fault(drop="mid_body"), "mistral_chat", {"prompt": "?"}),
    # Last: a key that Mistral refused is not sent again for a while.
    (Fault(echo_key=True, status=401), "mistral_embed", {"inputs": ["?"]}),
]


async def collect_echoes(client: Client, sandbox: Sandbox) -> list[str]:
    """All echoes, as a caller sees them."""
    results: list[str] = []
    for fault, name, arguments in ECHOES:
        sandbox.faults.append(fault)
        result = await client.call_tool(name, arguments)
        results.append(result.model_dump_json(by_alias=True))
    assert len(sandbox.requests) == len(ECHOES)
    assert all(MASK in result for result in results[:3])
    return results


@pytest.mark.parametrize("transport", ["in-memory", "http-2026", "http-2025"])
async def test_a_key_that_mistral_echoes_comes_back_nowhere(
    transport: str, mistral_url: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "mistral_mcp")
    with anyio.fail_after(20):
        async with TRANSPORTS[transport](mistral_url, max_retries=0) as client:
            results = await collect_echoes(client, sandbox)

    assert not any(leaks(result, KEY) for result in results)
    assert not leaks(caplog.text, KEY)


async def test_nor_does_it_on_stdio_or_in_its_log_at_debug(mistral_url: str, sandbox: Sandbox) -> None:
    parameters = stdio_parameters(mistral_url, log_level="DEBUG", max_retries=0)
    with tempfile.TemporaryFile("w+") as log, anyio.fail_after(20):
        async with Client(stdio_client(parameters, errlog=log)) as client:
            results = await collect_echoes(client, sandbox)
        log.seek(0)
        logged = log.read()

    assert not any(leaks(result, KEY) for result in results)
    assert not leaks(logged, KEY)


async def test_a_key_among_the_callers_own_texts_is_masked_on_its_way_back(client: Client) -> None:
    documents = [f"The key is {KEY}.", "The key is under the mat."]

    result = await client.call_tool("mistral_rank", {"query": "Where is the key?", "documents": documents})

    assert not result.is_error
    assert not leaks(result.model_dump_json(), KEY)


class Broken(Reply):
    """A reply whose reading fails in a way nobody foresaw."""

    def model_post_init(self, _: object) -> None:
        raise RuntimeError(f"it is {KEY} and {quote(ODD, safe='')}")


class BrokenCall(Call[Broken]):
    path = "/v1/models"
    method = "GET"


class Nothing(Result):
    number: int

    def to_text(self) -> str:
        return "nothing"


crashing = Toolset()


@crashing.tool("Crash while reading", effect="reads")
async def crash_reading(mistral: Mistral) -> Nothing:
    """Send a call whose reply crashes."""
    await mistral.send(BrokenCall())
    return Nothing(number=1)


@crashing.tool("Crash on a value", effect="reads")
async def crash_validating(mistral: Mistral) -> Nothing:
    """Make a result of what is none."""
    key = mistral.caller.key
    assert key is not None
    return Nothing.model_validate({"number": key.get_secret_value()})


@crashing.tool("Crash in a group", effect="reads")
async def crash_in_a_group(mistral: Mistral) -> Nothing:
    """Crash with the key in an exception of an exception."""
    key = mistral.caller.key
    assert key is not None
    try:
        {}[key.get_secret_value()]
    except KeyError as error:
        raise ExceptionGroup("several", [ValueError(key.get_secret_value())]) from error


@asynccontextmanager
async def connect_with_toolset(toolset: Toolset, url: str, key: str) -> AsyncGenerator[Client]:
    given = Settings.model_validate({"route": url})

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncGenerator[Served]:
        upstream = Upstream(given)
        yield Served(
            given, from_key(key), upstream, MemoryStore(60), None, Ledger(MemoryUsage(), digest_of_key), None
        )
        await upstream.aclose()

    server = MCPServer(
        "crashing", tools=[MistralTool.of(declared) for declared in toolset.declarations], lifespan=lifespan
    )
    async with Client(server) as client:
        yield client


@pytest.mark.parametrize("name", ["crash_reading", "crash_validating", "crash_in_a_group"])
@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter(), logging.Formatter()])
async def test_a_crash_in_a_tool_tells_the_caller_nothing_and_the_log_no_key(
    name: str, formatter: logging.Formatter, mistral_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect_with_toolset(crashing, mistral_url, KEY) as client:
        result = await client.call_tool(name, {})

    assert result.is_error
    assert text_of(result) == f"Error executing tool {name}"
    [record] = [record for record in caplog.records if record.exc_info]
    logged = formatter.format(record)
    assert name in logged
    assert "test_masking.py" in logged
    assert MASK in logged
    assert not leaks(logged, KEY)


@pytest.mark.parametrize("route", ["lava://byok", "cloudflare://acc/gw"])
async def test_a_gateways_tokens_are_masked_like_the_key(route: str) -> None:
    """Lava's credential is one base64 of both secrets: neither shows, whichever way the gateway repeats it."""
    token = "rOuTeToKeN9876543210zyxwvutsrqpo"

    async def gateway(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            await request.body()
            message = f"{dict(request.headers)}"
            reply = {"choices": [{"message": {"content": message}, "finish_reason": "stop"}]}
            await Response(json.dumps(reply), 200, {"content-type": "application/json"})(scope, receive, send)

    class ToLoopback(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            request.url = httpx2.URL(url).copy_with(raw_path=request.url.raw_path)
            return await super().handle_async_request(request)

    async with serve_app(gateway) as url:
        given = Settings.model_validate({"route": route, "route_token": token})
        wire = ToLoopback()

        @asynccontextmanager
        async def lifespan(_: object) -> AsyncGenerator[Served]:
            yield Served(
                given,
                from_key(KEY),
                Upstream(given, wire),
                MemoryStore(60),
                None,
                Ledger(MemoryUsage(), digest_of_key),
                None,
            )
            await wire.aclose()

        async with Client(MCPServer("gateway", tools=tools.build("core"), lifespan=lifespan)) as client:
            result = await client.call_tool("mistral_chat", {"prompt": "?"})

    shown = result.model_dump_json()
    assert "[masked]" in shown
    assert not leaks(shown, KEY)
    assert not leaks(shown, token)


@pytest.mark.parametrize("size", [1, 3, 7, 11, 40])
async def test_a_streamed_key_is_masked_in_progress_and_result(size: int) -> None:
    """In chunks of any size: never whole, and never in two halves."""
    text = (
        f"The key {KEY} is in https://x.example/?k={KEY}&z and {base64.b64encode(KEY.encode()).decode()}, so {KEY}"
    )
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    deltas: list[dict[str, Any]] = [{"content": piece} for piece in pieces]
    thoughts = [{"type": "thinking", "thinking": [{"type": "text", "text": piece}]} for piece in pieces]
    events = [
        json.dumps({"choices": [{"delta": delta, "finish_reason": None}]})
        for delta in [*({"content": [thought]} for thought in thoughts), *deltas]
    ]
    events += [json.dumps({"choices": [{"delta": {"content": ""}, "finish_reason": "stop"}]}), "[DONE]"]
    body = "".join(f"data: {event}\n\n" for event in events)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await Request(scope, receive).body()
            await Response(body, 200, {"content-type": "text/event-stream"})(scope, receive, send)

    heard: list[str] = []

    async def hear(_: float, __: float | None, message: str | None) -> None:
        heard.append(message or "")

    async with serve_app(app) as url, connect_over_http(url) as client:
        result = await client.call_tool("mistral_chat", {"prompt": "?"}, progress_callback=hear)

    assert not any(leaks("".join(heard[at:]), KEY) for at in range(len(heard)))
    assert not leaks(result.model_dump_json(), KEY)
    assert result.structured_content["text"] == "".join(heard) == Mask([KEY]).text(text)
    assert MASK in result.structured_content["thinking"]


@pytest.mark.parametrize("status", [200, 400])
async def test_a_key_in_the_place_of_a_correlation_id_is_masked(status: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await Request(scope, receive).body()
            headers = {"mistral-correlation-id": f"id-{KEY}", "content-type": "application/json"}
            reply = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}
            await Response(json.dumps(reply), status, headers)(scope, receive, send)

    async with serve_app(app) as url, connect_in_memory(url) as client:
        result = await client.call_tool("mistral_chat", {"prompt": "?"})

    assert result.is_error == (status != 200)
    assert not leaks(result.model_dump_json(by_alias=True), KEY)


async def test_half_a_key_at_the_end_of_a_broken_stream_is_not_shown() -> None:
    body = f"data: {json.dumps({'choices': [{'delta': {'content': f'The key is {KEY[:28]}'}}]})}\n\n"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await Request(scope, receive).body()
            await Response(body, 200, {"content-type": "text/event-stream"})(scope, receive, send)

    async def hear(*_: object) -> None:
        pass

    async with serve_app(app) as url, connect_over_http(url) as client:
        result = await client.call_tool("mistral_chat", {"prompt": "?"}, progress_callback=hear)

    assert result.is_error
    assert "The key is" in text_of(result)
    assert KEY[:10] not in result.model_dump_json()


async def test_no_key_is_in_what_is_told_of_a_way_that_cannot_be_gone() -> None:
    async with connect_in_memory("http://127.0.0.1:9", max_retries=0) as client:
        result = await client.call_tool("mistral_chat", {"prompt": f"{KEY}"})

    assert result.is_error
    assert not leaks(result.model_dump_json(), KEY)


def test_of_a_value_only_texts_are_looked_at_and_vectors_are_ignored():
    vector = [0.5] * 1_000
    masked = Mask([KEY]).value({KEY: [f"a {KEY}", 1, None, {"b": KEY}], "embeddings": [vector]})

    assert masked == {"[masked]": ["a [masked]", 1, None, {"b": "[masked]"}], "embeddings": [vector]}
    assert masked["embeddings"][0] is vector
