"""What is tried again, when, and what never is. Time passes in a list: no test here waits."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

import httpx2
import pytest
from pydantic import SecretStr

from mistral_mcp import errors
from mistral_mcp.mistral import failures
from mistral_mcp.mistral.progress import Progress
from mistral_mcp.mistral.transports.bodies import BodyTooLarge
from mistral_mcp.mistral.transports.exchange import Caller, Exchange
from mistral_mcp.mistral.transports.retries import Retries
from mistral_mcp.route import Route
from mistral_mcp.sandbox import Fault, Sandbox, serve_app

Step = int | httpx2.Response | Exception


class Body(httpx2.AsyncByteStream):
    """A body as it comes from the network: it may break off, and somebody has to close it."""

    def __init__(self, content: bytes = b"", breaks: Exception | None = None) -> None:
        self.content = content
        self.breaks = breaks
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.content
        if self.breaks:
            raise self.breaks

    async def aclose(self) -> None:
        self.closed = True


class Script(httpx2.AsyncBaseTransport):
    """Answers as the script says, and with 200 once it has ended."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.sent: list[bytes] = []
        self.replies: list[httpx2.Response] = []
        self.closed = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        step = self.steps.pop(0) if self.steps else 200
        if not isinstance(step, Exception) or not isinstance(step, failures.NEVER_ARRIVED):
            self.sent.append(b"".join([part async for part in request.stream]))
        else:
            self.sent.append(b"")
        if isinstance(step, Exception):
            raise step
        response = httpx2.Response(step, stream=Body(b"{}")) if isinstance(step, int) else step
        self.replies.append(response)
        return response

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class Run:
    """One request through `Retries`, and what came of it."""

    script: Script
    exchange: Exchange
    request: httpx2.Request
    slept: list[float] = field(default_factory=list)
    jitter: Callable[[], float] = lambda: 1.0
    max_retries: int = 2

    async def go(self) -> httpx2.Response:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        retries = Retries(self.script, self.max_retries, self.jitter, sleep)
        return await retries.handle_async_request(self.request)


def run(*steps: Step, repeatable: bool = True, seconds: float = 55, progress: Progress | None = None) -> Run:
    caller = Caller.of(SecretStr("k" * 32), "MISTRAL_API_KEY", Route(kind="direct"), None)
    exchange = Exchange(caller, repeatable, time.monotonic() + seconds, progress=progress)
    request = httpx2.Request(
        "POST", "https://api.mistral.ai/v1/x", content=b"body", extensions={"exchange": exchange}
    )
    return Run(Script(*steps), exchange, request)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 520, 521, 522, 523, 524])
async def test_what_may_pass_is_tried_again(status: int):
    made = run(status, status)
    assert (await made.go()).status_code == 200
    assert made.exchange.attempts == 3
    assert made.script.sent == [b"body"] * 3


@pytest.mark.parametrize(
    "status", [200, 201, 204, 301, 400, 401, 402, 403, 404, 408, 409, 413, 422, 501, 505, 529]
)
async def test_nothing_else_is(status: int):
    made = run(status)
    assert (await made.go()).status_code == status
    assert (made.exchange.attempts, made.slept) == (1, [])


BROKEN = [
    httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ReadError,
    httpx2.ReadTimeout, httpx2.WriteError, httpx2.WriteTimeout, httpx2.RemoteProtocolError, httpx2.CloseError,
]  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_broken_connection_is_tried_again(kind: type[httpx2.TransportError]):
    made = run(kind("gone"), kind("gone"))
    assert (await made.go()).status_code == 200
    assert made.exchange.attempts == 3


@pytest.mark.parametrize(
    "kind", [httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, httpx2.DecodingError, httpx2.ProxyError]
)
async def test_what_would_only_fail_again_is_not(kind: type[httpx2.RequestError]):
    made = run(kind("never"))
    with pytest.raises(kind):
        await made.go()
    assert made.exchange.attempts == 1


async def test_after_the_last_attempt_the_response_is_handed_on_as_it_is():
    made = run(503, 502, 500)
    response = await made.go()
    assert (response.status_code, response.content, made.exchange.attempts) == (500, b"{}", 3)
    assert failures.error_of(response.extensions["failure"], made.exchange).attempts == 3


async def test_after_the_last_attempt_the_exception_is_raised_as_it_is():
    last = httpx2.ReadError("third")
    made = run(httpx2.ReadError("first"), httpx2.ReadError("second"), last)
    with pytest.raises(httpx2.ReadError) as raised:
        await made.go()
    assert raised.value is last
    assert made.exchange.attempts == 3


async def test_without_retries_there_is_one_attempt():
    made = run(503)
    made.max_retries = 0
    assert (await made.go()).status_code == 503
    assert (made.exchange.attempts, made.slept) == (1, [])


# What creates


@pytest.mark.parametrize("kind", [kind for kind in BROKEN if issubclass(kind, failures.NEVER_ARRIVED)])
async def test_what_creates_is_sent_again_if_it_never_left(kind: type[httpx2.TransportError]):
    made = run(kind("gone"), repeatable=False)
    assert (await made.go()).status_code == 200
    assert made.exchange.attempts == 2


async def test_what_creates_is_sent_again_if_a_limiter_refused_it():
    made = run(429, repeatable=False)
    assert (await made.go()).status_code == 200
    assert made.exchange.attempts == 2


@pytest.mark.parametrize("kind", [kind for kind in BROKEN if not issubclass(kind, failures.NEVER_ARRIVED)])
async def test_what_creates_is_not_sent_again_if_it_may_have_arrived(kind: type[httpx2.TransportError]):
    made = run(kind("gone"), repeatable=False)
    with pytest.raises(kind):
        await made.go()
    assert made.exchange.attempts == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 524])
async def test_what_creates_is_not_sent_again_after_a_server_error(status: int):
    made = run(status, repeatable=False)
    assert (await made.go()).status_code == status
    assert made.exchange.attempts == 1


async def stream_body() -> AsyncIterator[bytes]:
    yield b"once"


@pytest.mark.parametrize("step", [503, 429, httpx2.ReadError("gone")])
async def test_a_body_that_was_streamed_is_not_sent_again(step: Step):
    made = run(step)
    made.request = httpx2.Request(
        "POST", made.request.url, content=stream_body(), extensions=made.request.extensions
    )
    with pytest.raises(httpx2.ReadError) if isinstance(step, Exception) else nullcontext():
        await made.go()
    assert made.script.sent == [b"once"]


async def test_a_body_that_was_not_started_may_be_sent():
    made = run(httpx2.ConnectError("refused"))
    made.request = httpx2.Request(
        "POST", made.request.url, content=stream_body(), extensions=made.request.extensions
    )
    assert (await made.go()).status_code == 200
    assert made.script.sent == [b"", b"once"]


# Refusals that no waiting cures


@pytest.mark.parametrize(
    "refusal",
    [
        httpx2.Response(429, headers={"x-ratelimit-limit-req-minute": "0"}, json={"code": "1300"}),
        httpx2.Response(429, json={"object": "error", "message": "Monthly spend limit reached."}),
        httpx2.Response(
            429, json={"object": "error", "type": "tier_not_allowed", "code": "1910", "message": "No."}
        ),
        httpx2.Response(429, json={"name": "AiGatewayError", "internalCode": 2041, "error": [{"code": 2041}]}),
        httpx2.Response(429, json={"name": "AiGatewayError", "error": [{"code": 2003}]}),
    ],
    ids=["a limit of 0", "a spend limit", "a plan", "a gateway's spend limit", "a gateway's rate limit"],
)
async def test_a_429_that_cannot_pass_is_not_tried_again(refusal: httpx2.Response):
    made = run(refusal)
    response = await made.go()
    assert (response.status_code, response.content) == (429, refusal.content)
    assert (made.exchange.attempts, made.slept) == (1, [])


@pytest.mark.parametrize(
    "refusal", [errors.RateLimited("Full."), errors.UnsupportedByRoute("No way."), ValueError("a bug")]
)
async def test_what_the_transports_inside_refuse_passes_through_untouched(refusal: Exception):
    made = run(503, refusal)
    with pytest.raises(type(refusal)) as raised:
        await made.go()
    assert raised.value is refusal


# How long it waits


@pytest.mark.parametrize(
    ("jitter", "waits"),
    [(1.0, [0.5, 1, 2, 4, 8, 8]), (0.0, [0.25, 0.5, 1, 2, 4, 4]), (0.5, [0.375, 0.75, 1.5, 3, 6, 6])],
)
async def test_waits_double_up_to_eight_seconds_and_are_jittered(jitter: float, waits: list[float]):
    made = run(*[503] * 6)
    made.max_retries, made.jitter = 6, lambda: jitter
    await made.go()
    assert made.slept == waits


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "20"}, 20),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "0"}, 0.5),
        ({"retry-after": "-1"}, 0.5),
        ({"retry-after": "soon"}, 0.5),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.5),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_that_is_requested_is_honoured(status: int, headers: dict[str, str], wait: float):
    made = run(httpx2.Response(status, headers=headers))
    assert (await made.go()).status_code == 200
    assert made.slept == [wait]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_that_cannot_fit_is_not_started_and_the_error_says_when_to_come_back(status: int):
    made = run(httpx2.Response(status, headers={"retry-after": "20"}, content=b""), seconds=10)
    response = await made.go()
    assert (response.status_code, made.exchange.attempts, made.slept) == (status, 1, [])
    error = failures.error_of(response.extensions["failure"], made.exchange)
    assert error.retry_after == 20
    assert "Try again in 20 s" in str(error)


@pytest.mark.parametrize(
    ("kind", "repeatable", "attempts"),
    [
        ("application/json", True, 2),
        ("Application/JSON; charset=utf-8", True, 2),
        ("application/json", False, 1),
        ("application/octet-stream", True, 1),
    ],
)
async def test_json_that_never_began_is_requested_again(kind: str, attempts: int, *, repeatable: bool):
    empty = httpx2.Response(200, headers={"content-type": kind}, stream=Body())
    made = run(empty, repeatable=repeatable)
    assert (await made.go()).content == (b"{}" if attempts > 1 else b"")
    assert made.exchange.attempts == attempts


async def test_a_broken_connection_is_raised_at_once_when_the_deadline_is_near():
    made = run(httpx2.ConnectError("refused"), seconds=0.3)
    with pytest.raises(httpx2.ConnectError):
        await made.go()
    assert (made.exchange.attempts, made.slept) == (1, [])


async def test_waits_are_reported():
    heard: list[tuple[float, str | None]] = []

    async def report(progress: float, _total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    made = run(
        httpx2.Response(503, headers={"retry-after": "7"}), httpx2.ReadError("gone"), progress=Progress(report)
    )
    await made.go()
    assert heard == [(1, "HTTP 503 from Mistral; waiting 7 s"), (2, "No answer from Mistral; waiting 1 s")]


# Bodies and connections


async def test_a_failure_that_is_discarded_is_read_and_closed():
    made = run(503, 429)
    await made.go()
    for discarded in made.script.replies[:2]:
        assert discarded.is_closed
        assert discarded.is_stream_consumed


async def test_a_failure_that_breaks_off_counts_by_its_status():
    def break_off() -> httpx2.Response:
        headers = {"content-encoding": "gzip", "content-length": "99", "retry-after": "3"}
        return httpx2.Response(503, headers=headers, stream=Body(b"\x1f\x8b", httpx2.ReadError("cut")))

    made = run(break_off(), break_off(), break_off())
    response = await made.go()
    assert (response.status_code, response.content, made.slept) == (503, b"", [3, 3])
    assert str(failures.error_of(response.extensions["failure"], made.exchange)) == (
        "Mistral failed with a server error. Try again in 3 s. (HTTP 503, 3 attempts)"
    )


def answer(breaks: Exception | None = None, kind: str = "application/json") -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": kind}, stream=Body(b'{"id"', breaks))


async def test_a_plain_answer_that_breaks_off_is_requested_again():
    made = run(answer(httpx2.ReadError("cut")), answer())
    response = await made.go()
    assert (await response.aread(), made.exchange.attempts) == (b'{"id"', 2)
    assert all(reply.is_closed for reply in made.script.replies)


class Endless(httpx2.AsyncByteStream):
    """A body that never ends, and says how much of it was taken."""

    def __init__(self) -> None:
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += 1 << 20
            yield b"x" * (1 << 20)


@pytest.mark.parametrize("status", [404, 503])
async def test_of_a_failure_without_end_only_the_beginning_is_kept(status: int):
    made = run(
        httpx2.Response(status, headers={"content-type": "application/json"}, stream=(endless := Endless()))
    )
    await made.go()
    assert endless.taken <= 21 << 20


@pytest.mark.parametrize("repeatable", [True, False])
async def test_a_reply_without_end_is_read_as_far_as_its_call_takes_in(repeatable: bool):  # noqa: FBT001 - a row
    made = run(httpx2.Response(200, stream=(endless := Endless())), repeatable=repeatable)
    made.exchange.max_bytes = 5 << 20
    with pytest.raises(BodyTooLarge):
        await made.go()
    assert endless.taken <= 6 << 20
    assert made.exchange.attempts == 1


async def test_a_broken_answer_to_what_creates_is_not_requested_again():
    made = run(answer(httpx2.ReadError("cut")), repeatable=False)
    with pytest.raises(httpx2.ReadError):
        await made.go()
    assert made.exchange.attempts == 1


async def test_a_stream_is_handed_on_unread():
    made = run(answer(kind="text/event-stream; charset=utf-8"))
    response = await made.go()
    assert not response.is_stream_consumed


async def test_closing_passes_on():
    script = Script()
    await Retries(script).aclose()
    assert script.closed


# Over a real connection


OVER_THE_WIRE: dict[str, tuple[list[Fault], bool, int, str]] = {
    "a page, then none": ([Fault.bad_gateway(502)], True, 2, ""),
    "two throttles, then none": ([Fault.rate_limited(times=2)], True, 3, ""),
    "cut before the answer": ([Fault(drop="before_headers")], True, 2, ""),
    "cut in the answer": ([Fault(drop="mid_body")], True, 2, ""),
    "cut, and it creates": ([Fault(drop="before_headers")], False, 1, "dropped the connection before its answer"),
    "down for good": (
        [Fault(status=503, times=None)],
        True,
        3,
        "failed with a server error: Service unavailable.",
    ),
    "no plan": ([Fault.not_on_plan(times=None)], True, 1, "is not on this workspace's Mistral plan"),
    "no capacity": ([Fault.capacity(times=None)], True, 3, "Mistral has no capacity for"),
    "an echoed key": ([Fault(echo_key=True)], True, 1, "Cannot use the header Authorization: Bearer [masked]"),
    "too long a pause": ([Fault.rate_limited(90)], True, 1, "Try again in 90 s"),
}


@pytest.mark.parametrize("case", OVER_THE_WIRE)
async def test_the_sandboxs_faults_end_as_they_should(case: str):
    faults, repeatable, attempts, text = OVER_THE_WIRE[case]
    made = run(repeatable=repeatable)
    sandbox = Sandbox()
    sandbox.faults.extend(faults)

    async def sleep(_seconds: float) -> None:
        pass

    async with serve_app(sandbox) as base, httpx2.AsyncHTTPTransport() as wire:
        request = httpx2.Request(
            "POST", f"{base}/v1/embeddings", headers={"authorization": f"Bearer {'k' * 32}"},
            json={"model": "mistral-embed", "input": ["hello"]}, extensions={"exchange": made.exchange},
        )  # fmt: skip
        try:
            response = await Retries(wire, sleep=sleep).handle_async_request(request)
            await response.aread()
            sentence = (
                ""
                if response.is_success
                else str(failures.error_of(response.extensions["failure"], made.exchange))
            )
        except httpx2.HTTPError as error:
            sentence = str(failures.connection_error(error, made.exchange))
    assert (len(sandbox.requests), made.exchange.attempts) == (attempts, attempts)
    assert (text in sentence) if text else not sentence
    assert "k" * 32 not in sentence
