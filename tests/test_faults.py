"""Every fault that Mistral and the ways to it can have: what the caller gets, after how many attempts, and in what time.

Each row has a sandbox of its own behind one address, told apart by the model's name, so that the rows of a transport run
side by side over one server.
"""

import json
import re
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http import HTTPStatus
from itertools import chain
from typing import Any

import anyio
import jsonschema_rs
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp.client import Client
from mcp_types import CallToolResult

from mistral_mcp.sandbox import Fault, Sandbox, serve_app
from tests.conftest import KEY, TRANSPORTS, connect_over_http, text_of

pytestmark = pytest.mark.slow

TIMEOUT = 4.0
CHAT = ("mistral_chat", {"prompt": "Write a poem"})
EMBED = ("mistral_embed", {"inputs": ["one", "two"]})
MODERATE = ("mistral_moderate", {"inputs": ["a nice day"]})
CODE = ("mistral_code_complete", {"prompt": "def f("})
REAL = {
    "mistral_chat": "mistral-small-latest",
    "mistral_embed": "mistral-embed",
    "mistral_moderate": "mistral-moderation-latest",
    "mistral_code_complete": "codestral-latest",
}


class Rows:
    """A Mistral for each row, at one address. A request goes to the row that its model names."""

    def __init__(self) -> None:
        self.sandboxes: dict[str, Sandbox] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        asked = json.loads(body + message["body"])
        row, _, asked["model"] = asked["model"].partition("/")
        sent = json.dumps(asked).encode()
        whole = {"type": "http.request", "body": sent, "more_body": False}
        pending = [whole]

        async def replay() -> Any:
            return pending.pop() if pending else await receive()

        lines = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        await self.sandboxes[row](
            {**scope, "headers": [*lines, (b"content-length", b"%d" % len(sent))]}, replay, send
        )


@dataclass(frozen=True)
class Row:
    """A fault and what must come of it."""

    name: str
    faults: Sequence[Fault]
    words: str = ""
    """Matches the text of the error; empty: it recovers."""
    hits: int = 1
    """Requests that reach Mistral."""
    error: dict[str, Any] = field(default_factory=dict)
    """`mistral-mcp/error`, where a number may be a range; `retry_after` is left alone unless given."""
    call: tuple[str, dict[str, Any]] = CHAT
    listens: bool = False
    seconds: tuple[float, float] = (0.0, 3.9)
    partial: bool = False
    """Whether the text ends with what had come."""


def fail_three_times(fault: Fault) -> list[Fault]:
    return [replace(fault, times=3)]


SERVER_ERROR = r"failed with a server error"
CUT = r"dropped the connection before its answer was complete"
UNREADABLE = r"sent a reply that cannot be read"
BROKE_OFF = r"broke off before its end"
AGAIN = (0.7, 3.9)
"""Two waits: a quarter to half a second, and twice that."""

ROWS = [
    # It passes, and nobody notices.
    Row("no fault", []),
    Row("500, then well", [Fault(status=500)], hits=2),
    Row("503 twice, then well", [Fault(status=503, times=2)], hits=3),
    Row("502 page, then well", [Fault.bad_gateway()], hits=2),
    Row("504 page, then well", [Fault.bad_gateway(504)], hits=2),
    Row("524 page, then well", [Fault.bad_gateway(524)], hits=2),
    Row("cut before an answer, then well", [Fault(drop="before_headers")], hits=2),
    Row("cut in the answer, then well", [Fault(drop="mid_body")], hits=2),
    Row("cut before the body, then well", [Fault(cut_after=0)], hits=2, call=EMBED),
    Row("throttled, then well", [Fault.rate_limited()], hits=2),
    Row("throttled for a second, then well", [Fault.rate_limited(1)], hits=2, seconds=(1.0, 3.9)),
    Row("asked to wait by date", [Fault(status=503, headers={"retry-after": "DATE+2"})], hits=2, seconds=(0.5, 3.9)),
    Row("asked to wait 800 ms", [Fault(status=503, headers={"retry-after-ms": "800"})], hits=2, seconds=(0.8, 3.9)),
    Row("asked to wait for nonsense", [Fault(status=503, headers={"retry-after": "soon"})], hits=2),
    Row("asked to wait since long", [Fault(status=503, headers={"retry-after": "-5"})], hits=2),
    Row("no capacity, then well", [Fault.capacity(backend=True)], hits=2),
    Row("slow", [Fault(delay=1)], seconds=(1.0, 3.9)),
    Row("three faults in turn", [Fault(status=500), Fault(drop="before_headers"), Fault(delay=0.1)], hits=3),
    Row("moderation: 500, then well", [Fault(status=500)], hits=2, call=MODERATE),
    Row("code: cut, then well", [Fault(drop="mid_body")], hits=2, call=CODE),
    # It does not pass.
    Row("500 for good", fail_three_times(Fault(status=500)), SERVER_ERROR, 3, {"status": 500, "code": "3000"}, seconds=AGAIN),
    Row("502 page for good", fail_three_times(Fault.bad_gateway()), SERVER_ERROR, 3, {"status": 502}, seconds=AGAIN),
    Row("503 and no body", fail_three_times(Fault(status=503, empty=True)), SERVER_ERROR, 3, {"status": 503}, seconds=AGAIN),
    Row("cut for good", fail_three_times(Fault(drop="before_headers")), CUT, 3, seconds=AGAIN),
    Row("cut in the answer for good", fail_three_times(Fault(drop="mid_body")), CUT, 3, seconds=AGAIN),
    Row(
        "throttled for good", fail_three_times(Fault.rate_limited()), r"rate limit for the model .* is used up", 3,
        {"status": 429, "code": "1300", "retry_after": 60}, seconds=AGAIN,
    ),
    Row(
        "no capacity for good", fail_three_times(Fault.capacity()), r"no capacity for the model .*not a limit of yours", 3,
        {"status": 429, "code": "3505", "retry_after": 60}, seconds=AGAIN,
    ),
    Row("hangs", [Fault(hang=True)], r"did not finish in one attempt within 4 s", seconds=(4.0, 8.0)),
    Row("500, then hangs", [Fault(status=500), Fault(hang=True)], r"did not finish within 4 s", 2, seconds=(4.0, 8.0)),
    Row("answers too late", [Fault(delay=9)], r"did not finish in one attempt", seconds=(4.0, 8.0), call=EMBED),
    # It will not pass, and is asked once.
    Row(
        "throttled beyond the deadline", [Fault.rate_limited(120)], r"Try again in 120 s",
        error={"status": 429, "code": "1300", "retry_after": 120},
    ),
    Row(
        "down beyond the deadline", [Fault(status=503, headers={"retry-after": "600"})], r"Try again in 10 minutes",
        error={"status": 503, "code": "1100", "retry_after": 600},
    ),
    Row("limit of 0", [Fault.not_on_plan()], r"not on this workspace's .*key is fine", error={"status": 429, "code": "1300"}),
    Row("plan", [Fault.tier_not_allowed()], r"plan; the key is fine", error={"status": 403, "code": "1910"}),
    Row("labs", [Fault.labs_not_enabled()], r"Labs.*the key is fine", error={"status": 403, "code": "1913"}),
    Row("guardrail", [Fault.guardrail_blocked()], r"guardrail.*violence_and_threats.*key is fine", error={"status": 403}),
    Row("spend limit", [Fault(status=429, body={"message": "Spend limit hit"})], r"spend limit", error={"status": 429}),
    Row("402", [Fault(status=402)], r"spend limit is reached or a payment is due", error={"status": 402}),
    Row("400", [Fault(status=400)], r"refused the request: Bad request\. Correct it", error={"status": 400}),
    Row("401", [Fault(status=401)], r"refused the key from (MISTRAL_API_KEY|the X-Mistral-Api-Key header)", error={"status": 401}),
    Row("404 page", [Fault(status=404, html=True)], r"does not offer this call", error={"status": 404}),
    Row("413", [Fault(status=413)], r"larger than .* accepts", error={"status": 413}),
    Row("422", [Fault(status=422)], r"Field required \(field model\)", error={"status": 422}),
    Row("unknown model", [Fault.invalid_model("x")], r"unknown to Mistral.*mistral_list_models", error={"status": 400, "code": "1500"}),
    Row("301", [Fault(status=301)], r"answered with a redirect", error={"status": 301}),
    Row("echoes the key", [Fault(echo_key=True)], r"Authorization: (Bearer )?\[masked\]", error={"status": 400}),
    Row("no JSON", [Fault(malformed=True)], UNREADABLE, error={"status": 200}),
    Row("nothing", [Fault(empty=True)], UNREADABLE + ".*it is empty", error={"status": 200}),
    Row("a page", [Fault(html=True)], UNREADABLE + ".*it is a web page", error={"status": 200}),
    Row("another's reply", [Fault(body={"object": "list"})], UNREADABLE, error={"status": 200}),
    Row("vectors missing", [Fault(body={"data": []})], r"one vector for each input", call=EMBED),
    # Streams.
    Row("stream: no fault", [], listens=True),
    Row("stream: 500, then well", [Fault(status=500)], hits=2, listens=True),
    Row("stream: cut before its first piece", [Fault(cut_after=0)], hits=2, listens=True),
    Row("stream: cut before headers", [Fault(drop="before_headers")], hits=2, listens=True),
    Row("stream: cut in the middle", [Fault(drop="mid_body")], CUT, listens=True, partial=True),
    Row("stream: cut after four pieces", [Fault(cut_after=4)], CUT, listens=True, partial=True),
    Row("stream: ends without [DONE]", [Fault(no_done=True)], BROKE_OFF, listens=True, partial=True),
    Row(
        "stream: error in the middle", [Fault(error_event=True)], SERVER_ERROR, error={"status": 500, "code": "3000"},
        listens=True, partial=True,
    ),
    Row("stream: error at once", [Fault(error_event=True, cut_after=0)], SERVER_ERROR, error={"status": 500, "code": "3000"}, listens=True),
    Row("stream: hangs", [Fault(hang=True)], r"did not finish in one attempt within 4 s", listens=True, seconds=(4.0, 8.0)),
    Row("stream: throttled beyond the deadline", [Fault.rate_limited(120)], r"Try again in 120 s", error={"status": 429, "code": "1300", "retry_after": 120}, listens=True),
    Row("stream: no JSON instead", [Fault(malformed=True)], r"event stream", listens=True),
]  # fmt: skip


async def ignore_report(*_: object) -> None:
    """A listener that minds nothing it is told."""


@asynccontextmanager
async def serve_and_connect(transport: str, rows: Rows, **given: Any) -> AsyncGenerator[Client]:
    defaults = {"timeout": TIMEOUT, "stream_timeout": TIMEOUT, "max_concurrency": 100}
    async with serve_app(rows) as url, TRANSPORTS[transport](url, **(defaults | given)) as client:
        yield client


@dataclass
class Seen:
    """A row's result."""

    result: CallToolResult
    seconds: float
    sandbox: Sandbox


async def play(client: Client, rows: Rows, table: Sequence[Row]) -> list[Seen]:
    """Many rows at a time, the slowest first."""
    seen: dict[int, Seen] = {}
    most = anyio.CapacityLimiter(12)

    async def call_row(number: int, row: Row) -> None:
        async with most:
            sandbox = rows.sandboxes[f"row{number}"] = Sandbox()
            date = formatdate(time.time() + 2, usegmt=True)
            for fault in row.faults:
                headers = {name: date if value == "DATE+2" else value for name, value in fault.headers.items()}
                sandbox.faults.append(replace(fault, headers=headers))
            name, arguments = row.call
            arguments = {**arguments, "model": f"row{number}/{REAL[name]}"}
            started = time.monotonic()
            result = await client.call_tool(
                name, arguments, progress_callback=ignore_report if row.listens else None
            )
            seen[number] = Seen(result, time.monotonic() - started, sandbox)

    ordered = sorted(enumerate(table), key=lambda item: -item[1].seconds[0])
    # A key that Mistral refused is not sent again for a while: those rows come last.
    for refuses_key in (False, True):
        async with anyio.create_task_group() as group:
            for number, row in ordered:
                if any(fault.status == HTTPStatus.UNAUTHORIZED for fault in row.faults) == refuses_key:
                    group.start_soon(call_row, number, row)
    return [seen[number] for number in range(len(table))]


# The third differs from the second in nothing that comes after it.
@pytest.mark.parametrize(
    ("transport", "table"),
    [("stdio", ROWS), ("http-2026", ROWS), ("http-2025", ROWS[::4])],
)
async def test_every_fault_ends_as_it_should(transport: str, table: list[Row]) -> None:
    rows = Rows()
    wrong: list[str] = []
    with anyio.fail_after(30):
        async with serve_and_connect(transport, rows) as client:
            for row, seen in zip(table, await play(client, rows, table), strict=True):
                wrong += [f"{row.name}: {problem}" for problem in problems(row, seen)]

    assert not wrong, "\n".join(wrong)


def problems(row: Row, seen: Seen) -> list[str]:
    """What is not as the row says."""
    result, text, meta = seen.result, text_of(seen.result), dict(seen.result.meta or {})
    said, _, partial = text.partition("\n\nReceived before it broke:\n")
    attempts = meta.get("mistral-mcp/attempts", 1)
    report = meta.get("mistral-mcp/error")
    expected = {"status": None, "code": None, **row.error}
    found = {name: (report or {}).get(name) for name in expected}
    lasting = meta.get("mistral-mcp/correlation_id")
    whole = not row.faults or not row.faults[-1].interruption.cut
    answered = [request for request in seen.sandbox.requests if request.status is not None]
    checks = {
        f"is_error is {result.is_error}": result.is_error == bool(row.words),
        f"{len(seen.sandbox.requests)} requests": len(seen.sandbox.requests) == row.hits,
        f"{attempts} attempts": attempts == row.hits,
        f"took {seen.seconds:.1f} s": row.seconds[0] <= seen.seconds <= row.seconds[1],
        "the key is in it": KEY not in result.model_dump_json(),
        "it leaves requests open": seen.sandbox.active == 0,
        "no correlation id": bool(lasting) or not whole or answered[-1:] != list(seen.sandbox.requests)[-1:],
        "streamed": [b'"stream": true' in request.body for request in seen.sandbox.requests]
        == [row.listens] * row.hits,
    }
    if row.words:
        checks |= {
            f"says {text!r}": re.search(row.words, said) is not None,
            f"has the facts {report}": found == expected,
            "is no sentence": re.fullmatch(r"[A-Z].*[.)]", said) is not None and "\n" not in said,
            "does not say what to do": len(re.findall(r"[.] (?=[A-Z])", said)) >= 1,
            "names no attempts": row.hits == 1 or f"{row.hits} attempts" in said,
            "names no status": "status" not in row.error or f"HTTP {row.error['status']}" in said,
            "names no correlation id": not lasting or f"correlation id {lasting}" in said,
            f"partial is {partial!r}": partial.startswith("Sandbox answer from") == row.partial,
            "structured": result.structured_content is None,
        }
    else:
        checks |= {"no result": bool(result.structured_content), "error facts": report is None}
    return [problem for problem, fine in checks.items() if not fine]


def test_the_table_has_every_fault_the_sandbox_can_make() -> None:
    used = list(chain.from_iterable(row.faults for row in ROWS))
    for name in ("malformed", "empty", "html", "echo_key", "hang", "no_done", "error_event", "cut_after", "delay"):
        assert any(getattr(fault, name) not in (None, False, 0.0) for fault in used), name
    assert {fault.drop for fault in used} == {None, "before_headers", "mid_body"}
    assert any(fault.headers for fault in used)
    assert any(isinstance(fault.body, dict) for fault in used)
    assert len(ROWS) == len({row.name for row in ROWS}) >= 25


# Any sequence of faults.

TIGHT = 1.0
statuses = st.sampled_from([301, 400, 401, 402, 403, 404, 413, 422, 429, 500, 502, 503, 504, 520, 524, 529])
headers = st.sampled_from(
    [
        {},
        {},
        {"retry-after": "0"},
        {"retry-after": "1"},
        {"retry-after": "3600"},
        {"retry-after": "Wed, 21 Oct 2099 07:28:00 GMT"},
        {"retry-after": KEY},
        {"retry-after-ms": "200"},
        {"retry-after-ms": "NaN"},
        {"retry-after": "1e400"},
        {"x-ratelimit-limit-req-minute": "0"},
        {"x-ratelimit-limit-req-minute": "1", "x-ratelimit-remaining-req-minute": "0"},
        {"x-ratelimit-limit-tokens-minute": "many", "x-ratelimit-remaining-tokens-minute": "-1"},
        {"content-type": "text/html"},
        {"content-type": f"text/{KEY}"},
        {"x-lava-request-id": KEY},
    ]
)
odd_bodies = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"null", b"[]", b'"text"', b"{}", b'{"choices": []}', b'{"data": [{"embedding": "AAA"}]}']),
    st.sampled_from(
        [KEY.encode(), f'{{"message": "{KEY}", "code": "{KEY}"}}'.encode(), b'{"error": {"message": 1}}']
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(KEY),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["message", "detail", "error", "code", "choices", "data", "guardrails"]), inner
            )
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)


def make_fault(**members: Any) -> Fault | None:
    """The fault, if it makes sense."""
    try:
        return Fault(**members)
    except ValueError:
        return None


faults = st.one_of(
    st.builds(make_fault, status=statuses, headers=headers),
    st.builds(make_fault, status=statuses | st.just(200), body=odd_bodies, headers=headers),
    st.builds(make_fault, status=statuses | st.just(200), html=st.just(value=True), headers=headers),
    st.builds(make_fault, status=statuses, echo_key=st.just(value=True), headers=headers),
    st.sampled_from(["before_headers", "mid_body"]).map(lambda drop: Fault(drop=drop)),
    st.builds(make_fault, cut_after=st.integers(0, 6)),
    st.builds(make_fault, no_done=st.just(value=True), cut_after=st.none() | st.integers(0, 6)),
    st.builds(make_fault, error_event=st.just(value=True), cut_after=st.none() | st.integers(0, 6)),
    st.sampled_from(
        [Fault(malformed=True), Fault(empty=True), Fault(hang=True), Fault(delay=0.3), Fault(delay=5)]
    ),
    st.sampled_from([Fault.capacity(), Fault.not_on_plan(), Fault.guardrail_blocked(), Fault.rate_limited(0.2)]),
).filter(lambda fault: fault is not None)

any_row = st.builds(
    Row,
    name=st.just("any"),
    faults=st.lists(faults, max_size=5),
    call=st.sampled_from([CHAT, CHAT, EMBED, MODERATE, CODE]),
    listens=st.booleans(),
)


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_any_sequence_of_faults_ends_in_time_with_few_requests_a_proper_result_and_no_secret(retries: int) -> None:
    rows = Rows()
    given_settings = {"timeout": TIGHT, "stream_timeout": TIGHT, "max_retries": retries, "max_concurrency": 100}

    @asynccontextmanager
    async def run_server() -> AsyncGenerator[tuple[Client, dict[str, Any]]]:
        async with serve_app(rows) as url, connect_over_http(url, **given_settings) as client:
            listed = (await client.list_tools()).tools
            yield client, {tool.name: jsonschema_rs.validator_for(tool.output_schema) for tool in listed}

    with start_blocking_portal() as portal, portal.wrap_async_context_manager(run_server()) as (client, schemas):

        @given(table=st.lists(any_row, min_size=6, max_size=12))
        @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
        def sequences(table: list[Row]) -> None:
            for row, seen in zip(table, portal.call(play, client, rows, table), strict=True):
                dumped = seen.result.model_dump_json()
                assert seen.seconds < TIGHT + 1
                assert len(seen.sandbox.requests) <= retries + 1
                assert KEY not in dumped
                assert seen.sandbox.active == 0
                if seen.result.is_error:
                    assert "mistral-mcp/error" in seen.result.meta, text_of(seen.result)
                    assert "Error executing tool" not in text_of(seen.result)
                    assert text_of(seen.result)
                else:
                    assert schemas[row.call[0]].is_valid(seen.result.structured_content)

        sequences()
