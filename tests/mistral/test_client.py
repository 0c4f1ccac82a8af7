"""One call through the whole stack, over a real socket: what is repeated, what ends it, and what it leaves behind."""

import itertools
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from email.utils import formatdate
from typing import Any

import anyio
import httpx2
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from mistral_mcp import Settings
from mistral_mcp.bounds.heavy_work import work_for
from mistral_mcp.errors import (
    BadArgument,
    NotAllowed,
    PaymentRequired,
    RateLimited,
    ReplyTooLarge,
    TimedOut,
    Unavailable,
    UpstreamError,
)
from mistral_mcp.mistral.api.chat import ChatCall
from mistral_mcp.mistral.api.completions import complete
from mistral_mcp.mistral.api.files import DownloadFileCall
from mistral_mcp.mistral.api.models import GetModelCall
from mistral_mcp.mistral.call import Call, Reply
from mistral_mcp.mistral.client import MistralClient, Upstream
from mistral_mcp.mistral.progress import Progress
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.route import Route
from mistral_mcp.sandbox import Fault, Sandbox, serve_app
from tests.conftest import KEY

Client = Callable[..., MistralClient]


async def ignore_report(*_: object) -> None:
    """A listener that minds nothing it is told."""


@asynccontextmanager
async def make_clients(url: str, **settings: object) -> AsyncGenerator[Client]:
    """Makes clients, one for each tool call, of one key and one pool."""
    upstream = Upstream(Settings.model_validate({"route": url, **settings}))

    def client(report: Any = None, key: str = KEY) -> MistralClient:
        caller = Caller.of(SecretStr(key), "MISTRAL_API_KEY", Route.parse(url), None)
        return upstream.client(caller, Progress(report) if report else None)

    try:
        yield client
    finally:
        await upstream.aclose()


@pytest.fixture
async def client(mistral_url: str) -> AsyncIterator[Client]:
    async with make_clients(mistral_url) as client:
        yield client


CALL = ChatCall(model="mistral-small-latest", messages=[{"role": "user", "content": "Hi"}])
POEM = ChatCall(model="mistral-small-latest", messages=[{"role": "user", "content": "Write a poem"}])


class Made(Reply):
    choices: list[Any]


class Create(Call[Made]):
    """Like a chat on the wire, but made to count: sending it twice would make two."""

    path = "/v1/chat/completions"
    model: str = "mistral-small-latest"
    messages: tuple[dict[str, str], ...] = ({"role": "user", "content": "Hi"},)


# What is sent again.

AMBIGUOUS = {
    "500": Fault(status=500),
    "502 by the edge": Fault.bad_gateway(),
    "503": Fault(status=503),
    "504": Fault(status=504),
    "524": Fault.bad_gateway(524),
    "cut before an answer": Fault(drop="before_headers"),
    "cut in the answer": Fault(drop="mid_body"),
    "cut before the body": Fault(cut_after=0),
    "no JSON": Fault(malformed=True),
    "nothing": Fault(empty=True),
    "a page": Fault(html=True),
}


@pytest.mark.parametrize("fault", AMBIGUOUS)
async def test_what_creates_is_not_sent_again_after_what_may_have_reached_mistral(
    fault: str, client: Client, sandbox: Sandbox
) -> None:
    sandbox.faults.append(AMBIGUOUS[fault])

    with pytest.raises(Unavailable, match="check before retrying") as caught:
        await client().send(Create())

    assert len(sandbox.requests) == 1
    assert caught.value.attempts == 1


@pytest.mark.parametrize("fault", [Fault.rate_limited(), Fault.capacity(), Fault.capacity(backend=True)])
async def test_what_creates_is_sent_again_after_a_limiter_refused_it(
    fault: Fault, client: Client, sandbox: Sandbox
) -> None:
    sandbox.faults.append(fault)
    mistral = client()

    assert (await mistral.send(Create())).choices
    assert len(sandbox.requests) == mistral.attempts == 2


async def test_what_creates_and_hangs_may_have_been_done(mistral_url: str, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(hang=True))
    async with make_clients(mistral_url, timeout=0.3) as client:
        with pytest.raises(TimedOut, match="check before retrying"):
            await client().send(Create())

    assert len(sandbox.requests) == 1


async def test_what_computes_is(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(drop="mid_body"))
    mistral = client()

    assert (await mistral.send(CALL)).text
    assert len(sandbox.requests) == mistral.attempts == 2
    assert sandbox.requests[0].body == sandbox.requests[1].body


@pytest.mark.parametrize("fault", [Fault(cut_after=0), Fault(drop="before_headers"), Fault(status=500)])
async def test_a_stream_that_broke_before_its_first_piece_is_requested_again(
    fault: Fault, client: Client, sandbox: Sandbox
) -> None:
    sandbox.faults.append(fault)
    mistral = client(ignore_report)

    reply = await complete(mistral, CALL)

    assert reply.text == (await complete(client(), CALL)).text
    assert mistral.attempts == 2
    assert len(sandbox.requests) == 3


@pytest.mark.parametrize(
    "fault", [Fault(cut_after=1), Fault(cut_after=3), Fault(drop="mid_body"), Fault(no_done=True)]
)
async def test_and_never_after_it(fault: Fault, client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(fault)

    with pytest.raises(Unavailable):
        await complete(client(ignore_report), POEM)

    assert len(sandbox.requests) == 1


NEVER = {
    "limit of 0": (Fault.not_on_plan(times=None), NotAllowed, "plan"),
    "plan": (Fault.tier_not_allowed(times=None), NotAllowed, "plan"),
    "labs": (Fault.labs_not_enabled(times=None), NotAllowed, "Labs"),
    "guardrail": (Fault.guardrail_blocked(times=None), NotAllowed, "guardrail"),
    "402": (Fault(status=402, times=None), PaymentRequired, "spend limit"),
    "spend limit, 429": (
        Fault(status=429, body={"message": "Monthly spend limit reached"}, times=None),
        PaymentRequired,
        "spend limit",
    ),
    "suspended, 403": (
        Fault(status=403, body={"message": "Access suspended: unpaid invoice"}, times=None),
        PaymentRequired,
        "spend limit",
    ),
    "400": (Fault(status=400, times=None), UpstreamError, "refused the request"),
    "401": (Fault(status=401, times=None), UpstreamError, "MISTRAL_API_KEY"),
    "422": (Fault(status=422, times=None), UpstreamError, "field model"),
}


@pytest.mark.parametrize("listens", [False, True])
@pytest.mark.parametrize("refusal", NEVER)
async def test_what_will_not_change_is_asked_once(
    refusal: str, listens: Any, client: Client, sandbox: Sandbox
) -> None:
    fault, kind, words = NEVER[refusal]
    sandbox.faults.append(fault)

    with anyio.fail_after(2), pytest.raises(kind, match=words) as caught:
        await complete(client(ignore_report if listens else None), CALL)

    assert len(sandbox.requests) == 1
    assert caught.value.attempts == 1


@pytest.mark.parametrize(
    ("header", "value"), [("retry-after", "120"), ("retry-after", "a date"), ("retry-after-ms", "120000")]
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_that_does_not_fit_is_refused_at_once_with_the_time_to_come_back(
    header: str, value: str, status: int, client: Client, sandbox: Sandbox
) -> None:
    value = value if value.isdigit() else formatdate(time.time() + 120, usegmt=True)
    sandbox.faults.append(Fault(status=status, headers={header: value}, times=None))

    with anyio.fail_after(2), pytest.raises(UpstreamError, match=r"Try again in (120|11\d) s") as caught:
        await client().send(CALL)

    assert len(sandbox.requests) == 1
    assert caught.value.retry_after == pytest.approx(120, abs=3)


async def test_and_so_is_the_next_call_of_this_key_without_a_request(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault.rate_limited(120))
    with pytest.raises(RateLimited):
        await client().send(CALL)

    with anyio.fail_after(2), pytest.raises(RateLimited, match=r"Try again in 1[12]\d s") as caught:
        await client().send(CALL)

    assert len(sandbox.requests) == 1
    assert caught.value.status is None
    assert (await client(key="another-key-0123456789").send(CALL)).text


async def test_a_wait_that_fits_is_waited_for_and_reported(client: Client, sandbox: Sandbox) -> None:
    heard: list[str | None] = []

    async def hear(_: float, __: float | None, message: str | None) -> None:
        heard.append(message)

    sandbox.faults.append(Fault(status=429, headers={"retry-after-ms": "700"}))
    started = time.monotonic()
    reply = await complete(client(hear), CALL)

    assert time.monotonic() - started >= 0.7
    assert heard[0] == "HTTP 429 from Mistral at " + sandbox.requests[0].headers["host"] + "; waiting 1 s"
    assert "".join(message or "" for message in heard[1:]) == reply.text


# Deadlines.


async def test_the_deadline_bounds_a_call_that_hangs(mistral_url: str, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(hang=True, times=None))
    async with make_clients(mistral_url, timeout=0.4) as client:
        started = time.monotonic()
        with anyio.fail_after(5), pytest.raises(TimedOut) as caught:
            await client().send(CALL)

        assert 0.4 <= time.monotonic() - started < 1.4
        assert "did not finish in one attempt within 0.4 s, waits and attempts included" in str(caught.value)
        with anyio.fail_after(1):
            await sandbox.requests[0].wait_for_disconnect()


async def test_the_deadline_counts_attempts_and_the_waits_between_them(mistral_url: str, sandbox: Sandbox) -> None:
    sandbox.faults.extend([Fault(status=500), Fault(hang=True)])
    async with make_clients(mistral_url, timeout=1) as client:
        started = time.monotonic()
        with anyio.fail_after(5), pytest.raises(TimedOut) as caught:
            await client().send(CALL)

    assert 1 <= time.monotonic() - started < 2
    assert caught.value.attempts == 2
    assert "within 1 s, waits and attempts included" in str(caught.value)
    assert "2 attempts" in str(caught.value)


async def test_a_call_whose_turn_does_not_come_is_reported(mistral_url: str, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(hang=True, times=1))
    given = {"timeout": 0.5, "stream_timeout": 5, "max_concurrency": 1}
    async with make_clients(mistral_url, **given) as client, anyio.create_task_group() as group:
        group.start_soon(complete, client(ignore_report), CALL)
        await sandbox.wait_for_request()
        with anyio.fail_after(3), pytest.raises(TimedOut) as caught:
            await client().send(CALL)
        group.cancel_scope.cancel()

    assert len(sandbox.requests) == 1
    assert "waited in the queue for 0.5 s" in str(caught.value)
    assert "other calls with this key" in str(caught.value)
    assert "look before" not in str(caught.value)


async def test_a_stream_that_falls_silent_ends_with_what_had_come(sandbox: Sandbox) -> None:
    slow = Sandbox(chunk_delay=0.15)
    async with serve_app(slow) as url, make_clients(url, stream_timeout=1) as client:
        started = time.monotonic()
        with anyio.fail_after(5), pytest.raises(TimedOut) as caught:
            await complete(client(ignore_report), POEM)

        assert 1 <= time.monotonic() - started < 2
        assert caught.value.partial.startswith("Sandbox answer from")
        assert caught.value.correlation_id
        with anyio.fail_after(1):
            await slow.requests[0].wait_for_disconnect()


async def test_each_of_several_requests_of_one_call_is_reported_with_its_own_attempts(
    mistral_url: str, sandbox: Sandbox
) -> None:
    """The one that times out is not the one that was begun last."""
    async with make_clients(mistral_url, timeout=1.2) as client:
        mistral = client()
        failures: list[UpstreamError] = []

        async def send_slowly() -> None:
            sandbox.faults.extend([Fault(status=500), Fault(hang=True)])
            try:
                await mistral.send(CALL)
            except UpstreamError as error:
                failures.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(send_slowly)
            await sandbox.wait_for_request(2)
            await mistral.send(CALL)

    assert [(type(error), error.attempts) for error in failures] == [(TimedOut, 2)]


# Giving up.


async def send(mistral: MistralClient) -> None:
    await mistral.send(CALL)


async def stream(mistral: MistralClient) -> None:
    await complete(mistral, POEM)


PLACES = 3
WAYS = {"whole": (send, None), "streamed": (stream, ignore_report)}


@pytest.mark.parametrize(
    ("stage", "way"),
    [
        *itertools.product(
            ["before the answer", "while waiting to try again", "while waiting for its turn"], WAYS
        ),
        ("in the answer", "streamed"),
    ],
)
async def test_whoever_gives_up_frees_place_and_connection_at_once(way: str, stage: str) -> None:
    """More often than there are places: one that leaked would be missed."""
    run, report = WAYS[way]
    heard = anyio.Event()

    async def hear(*_: object) -> None:
        heard.set()

    mistral = Sandbox(chunk_delay=0.05)
    async with serve_app(mistral) as url, make_clients(url, max_concurrency=PLACES) as client:
        for number in range(1, PLACES + 3):
            mistral.reset()
            asked = 1
            if stage == "before the answer":
                mistral.faults.append(Fault(hang=True))
            if stage == "while waiting to try again":
                mistral.faults.append(Fault(status=429, headers={"retry-after": "30"}, match="/v1/fim"))
                mistral.faults.append(Fault(status=503, headers={"retry-after": "30"}))
            if stage == "while waiting for its turn":
                mistral.faults.append(Fault(hang=True, times=PLACES))
                asked = PLACES
            with anyio.fail_after(5):
                async with anyio.create_task_group() as group:
                    for _ in range(asked + (stage == "while waiting for its turn")):
                        group.start_soon(run, client(hear if stage == "in the answer" else report))
                    request = await mistral.wait_for_request(asked)
                    if stage == "in the answer":
                        await heard.wait()
                        heard = anyio.Event()
                    group.cancel_scope.cancel()
                if stage != "while waiting to try again":
                    with anyio.fail_after(1):
                        await request.wait_for_disconnect()
            assert mistral.active == 0, number
        mistral.reset()
        await expect_free_places(mistral, client)


async def expect_free_places(mistral: Sandbox, client: Client) -> None:
    """As many calls as there are places reach Mistral at once."""
    mistral.faults.append(Fault(hang=True, times=PLACES))
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            for _ in range(PLACES):
                group.start_soon(send, client())
            await mistral.wait_for_request(PLACES)
            group.cancel_scope.cancel()


async def test_whoever_stops_reading_a_stream_frees_place_and_connection(
    mistral_url: str, sandbox: Sandbox
) -> None:
    slow = Sandbox(chunk_delay=0.02)
    streamed = POEM.model_copy(update={"stream": True})
    async with serve_app(slow) as url, make_clients(url, max_concurrency=PLACES) as client:
        for _ in range(PLACES + 2):
            async with aclosing(client(ignore_report).stream(streamed, model=streamed.model)) as events:
                async for _ in events:
                    break
            with anyio.fail_after(1):
                await slow.requests[-1].wait_for_disconnect()
        slow.reset()
        await expect_free_places(slow, client)


async def test_one_connection_serves_calls_that_follow_each_other_streamed_or_failed(sandbox: Sandbox) -> None:
    ports: set[int] = set()

    async def note_port(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            ports.add(scope["client"][1])
        await sandbox(scope, receive, send)

    async with serve_app(note_port) as url, make_clients(url) as client:
        for _ in range(3):
            await client().send(CALL)
            await complete(client(ignore_report), POEM)
            sandbox.faults.append(Fault(status=400))
            with pytest.raises(UpstreamError):
                await client().send(CALL)

    assert len(ports) == 1


async def test_a_stream_that_continues_after_done_is_not_waited_for() -> None:
    """And its connection is given up rather than read to an end that never comes."""

    async def stream_endlessly(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await Request(scope, receive).body()
        event = {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        body = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode()
        await send({"type": "http.response.body", "body": body, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serve_app(stream_endlessly) as url, make_clients(url) as client:
        with anyio.fail_after(2):
            assert (await complete(client(ignore_report), CALL)).text == "Hi"


class Loquacious(httpx2.AsyncBaseTransport):
    """A model that never stops talking."""

    def __init__(self) -> None:
        self.talk = Talk()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=self.talk)


class Talk(httpx2.AsyncByteStream):
    pieces = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        event = json.dumps({"choices": [{"index": 0, "delta": {"content": "word " * 20_000}}]})
        while True:
            self.pieces += 1
            yield f"data: {event}\n\n".encode()


async def test_a_streamed_text_has_an_end() -> None:
    wire = Loquacious()
    upstream = Upstream(Settings(), wire)
    mistral = upstream.client(
        Caller.of(SecretStr(KEY), "a test", upstream.settings.route, None), Progress(ignore_report)
    )
    with pytest.raises(ReplyTooLarge, match="larger than"):
        await complete(mistral, CALL)

    assert wire.talk.pieces < 100
    await upstream.aclose()


async def test_an_id_beyond_every_bound_is_refused_before_anything_is_sent(client: Client) -> None:
    with pytest.raises(BadArgument, match="longer than 200 characters"):
        await client().send(GetModelCall(model_id="x" * 201))


async def test_the_debug_log_names_paths_by_their_template(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(UpstreamError):
        await client().send(GetModelCall(model_id="somebody-s-own-model\u009b"))

    assert "GET /v1/models/{model_id}: HTTP 404" in caplog.text
    assert "somebody" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("mistral_mcp")
    )


async def test_a_reply_of_more_values_than_any_answer_holds_is_not_built() -> None:
    """Five million empty objects are fifteen megabytes, and take more than a second that nobody else gets."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await Request(scope, receive).body()
            data = b'{"id": "m", "x": [' + b"{}," * 400_000 + b'"a, [b], {c}"]}'
            await Response(data, media_type="application/json")(scope, receive, send)

    async with serve_app(app) as url, make_clients(url) as client:
        with pytest.raises(ReplyTooLarge):
            await client().send(GetModelCall(model_id="m"))


async def test_a_large_reply_of_few_values_is_read() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await Request(scope, receive).body()
            data = json.dumps({"id": "m", "description": 'of "[{,' * 300_000})
            await Response(data, media_type="application/json")(scope, receive, send)

    async with serve_app(app) as url, make_clients(url) as client:
        assert (await client().send(GetModelCall(model_id="m"))).id == "m"


async def test_each_caller_takes_one_file_at_a_time_into_memory(sandbox: Sandbox, mistral_url: str) -> None:
    sandbox.faults.append(Fault(delay=0.05, times=None))
    most: dict[str, int] = {}

    async def download(client: Client, key: str) -> None:
        work_for(key)
        with suppress(UpstreamError):
            await client(key=key).send(DownloadFileCall(file_id="no-such-file"))
        most[key] = max(most.get(key, 0), sandbox.peak)

    async with make_clients(mistral_url, max_retries=0) as client, anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(download, client, f"{KEY}{number % 2}")

    assert set(most.values()) == {2}
