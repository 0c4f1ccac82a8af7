"""Large inputs: split, concurrent, in order, exact, and told of as they go."""

import base64
import json
import struct
import time
from array import array
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from mistral_mcp import Settings
from mistral_mcp.errors import (
    BadArgument,
    InvalidApiKey,
    RequestRefused,
    TimedOut,
    TooManyInputs,
    Unavailable,
    UpstreamError,
)
from mistral_mcp.mistral.api import embeddings
from mistral_mcp.mistral.api.embeddings import Vectors
from mistral_mcp.mistral.client import MistralClient, Upstream
from mistral_mcp.mistral.progress import Progress
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.route import Route
from mistral_mcp.sandbox import Fault, Sandbox, serve_app
from mistral_mcp.sandbox.answers.embed_text import embed_text as sandbox_vector
from tests.conftest import KEY, connect_in_memory, read_kept_file, text_of

DIMENSIONS = 1024
MODEL = "mistral-embed"

Reports = list[tuple[float, float | None, str | None]]


@asynccontextmanager
async def client_of(
    mistral: Any, reports: Reports | None = None, **given: object
) -> AsyncGenerator[MistralClient]:
    async def report(*what: Any) -> None:
        assert reports is not None
        reports.append(what)

    async with serve_app(mistral) as url:
        upstream = Upstream(Settings.model_validate({"route": url, **given}))
        caller = Caller.of(SecretStr(KEY), "MISTRAL_API_KEY", Route.parse(url), None)
        yield upstream.client(caller, Progress(report) if reports is not None else None)
        await upstream.aclose()


async def embed_text(mistral: MistralClient, inputs: list[str], **options: Any) -> Vectors:
    bounds = {"model": MODEL, "max_bytes": 128 * 1024 * 1024}
    return await embeddings.embed(mistral, inputs=inputs, **bounds | options)


def as_float32(texts: list[str]) -> bytes:
    return b"".join(array("f", sandbox_vector(text, DIMENSIONS).values).tobytes() for text in texts)


def texts(count: int) -> list[str]:
    return [f"text number {number} of many" for number in range(count)]


async def test_thousands_of_inputs_come_in_order_exact_small_and_much_faster_than_one_by_one(
    tmp_path: Path,
) -> None:
    mistral, inputs = Sandbox(latency=0.05), texts(3000)
    async with serve_app(mistral) as url, connect_in_memory(url, output_dir=tmp_path) as client:
        started = time.monotonic()
        for text in inputs[:30]:
            await client.call_tool("mistral_embed", {"inputs": [text]})
        one_by_one = (time.monotonic() - started) / 30 * len(inputs)

        started = time.monotonic()
        result = await client.call_tool("mistral_embed", {"inputs": inputs})
        at_once = time.monotonic() - started

    assert one_by_one > 5 * at_once, (one_by_one, at_once)
    shape = [3000, DIMENSIONS]
    kept = result.structured_content["kept"]
    assert kept["shape"] == shape
    assert len(text_of(result)) + len(json.dumps(result.structured_content)) < 20_000
    assert read_kept_file(kept) == as_float32(inputs)
    assert mistral.peak <= 8


async def test_twenty_thousand_inputs_are_taken() -> None:
    """Thirty megabytes of vectors a second is the sandbox's pace; small ones are served as they are on the wire."""
    async with client_of(Counting(dimensions=4)) as mistral:
        vectors = await embed_text(mistral, texts(20_000))

    assert vectors.little_endian() == struct.pack("<80000f", *(float(n // 4) for n in range(80_000)))
    assert vectors.usage.total_tokens == 20_000


async def test_one_more_is_not(mistral_url: str, sandbox: Sandbox) -> None:
    async with connect_in_memory(mistral_url) as client:
        result = await client.call_tool("mistral_embed", {"inputs": ["x"] * 20_001})

    assert result.is_error
    assert "20,000" in text_of(result)
    assert not sandbox.requests


async def test_many_megabytes_of_text_are_split_by_their_tokens() -> None:
    counting = Counting(dimensions=1)
    inputs = [f"{number} " + "word " * 1500 for number in range(1200)]  # 9 MB
    async with client_of(counting) as mistral:
        vectors = await embed_text(mistral, inputs)

    assert [row[0] for row in vectors.rows] == list(range(1200))
    assert max(counting.sizes) <= 12_000 * 3


class Counting:
    """Answers each input with the number at its beginning, or the first that is in it; and writes down what it got."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self.parts: list[int] = []
        self.sizes: list[int] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        asked = await Request(scope, receive).json()
        self.parts.append(len(asked["input"]))
        self.sizes.append(sum(map(len, asked["input"])))
        data = [
            {"index": index, "embedding": self.row(float(next(word for word in text.split() if word.isdigit())))}
            for index, text in enumerate(asked["input"])
        ]
        reply = {
            "data": data[::-1],
            "model": MODEL,
            "usage": {"prompt_tokens": len(data), "total_tokens": len(data)},
        }
        await Response(json.dumps(reply), 200, {"content-type": "application/json"})(scope, receive, send)

    def row(self, number: float) -> str:
        return base64.b64encode(struct.pack(f"<{self.dimensions}f", *([number] * self.dimensions))).decode()


@given(lengths=st.lists(st.integers(1, 40_000), min_size=1, max_size=300))
@settings(max_examples=60, deadline=None)
def test_parts_hold_all_inputs_in_order_within_both_limits(lengths: list[int]) -> None:
    inputs = ["ä" * (length // 2 + 1) for length in lengths]
    parts = list(embeddings._parts(inputs))

    assert list(chain.from_iterable(part.inputs for part in parts)) == inputs
    assert [part.start for part in parts] == [
        sum(len(part.inputs) for part in parts[:n]) for n in range(len(parts))
    ]
    for part in parts:
        assert 1 <= len(part.inputs) <= 128
        assert len(part.inputs) == 1 or sum(len(text.encode()) // 3 + 1 for text in part.inputs) <= 12_000


# Progress.


async def test_progress_has_a_total_grows_and_ends_at_it() -> None:
    reports: Reports = []
    async with client_of(Sandbox(latency=0.02), reports, max_concurrency=2) as mistral:
        await embed_text(mistral, texts(1500))

    far = [progress for progress, *_ in reports]
    totals = [total for _, total, _ in reports if total is not None]
    assert far == sorted(set(far))
    assert len(far) > 2
    assert reports[-1][0] == reports[-1][1] == totals[-1]
    assert totals[0] >= 1500


async def test_progress_grows_although_parts_wait_and_are_tried_again() -> None:
    mistral, reports = Sandbox(latency=0.1), list[Any]()
    mistral.faults.extend([Fault(pass_through=True, times=3), Fault(status=500, times=2)])
    async with client_of(mistral, reports, max_concurrency=1) as client:
        await embed_text(client, texts(1000))

    far = [progress for progress, *_ in reports]
    assert any("HTTP 500" in (message or "") for *_, message in reports)
    assert far == sorted(set(far))
    assert reports[-1][0] == reports[-1][1]


# Limits that are not written down.


@pytest.mark.parametrize("most", [1, 3, 50])
async def test_what_mistral_finds_too_much_is_halved_until_it_fits(most: int) -> None:
    counting = Counting(dimensions=2)

    async def limit_tokens(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = await Request(scope, receive).body()
        if len(json.loads(body)["input"]) > most:
            error = {"object": "error", "message": "Too many inputs in request.", "code": "3210"}
            await Response(json.dumps(error), 400, {"content-type": "application/json"})(scope, receive, send)
            return

        async def receive_again() -> Any:
            return {"type": "http.request", "body": body}

        await counting(scope, receive_again, send)

    async with client_of(limit_tokens) as mistral:
        vectors = await embed_text(mistral, texts(300))

    assert [row.tolist() for row in vectors.rows] == [[float(n)] * 2 for n in range(300)]
    assert max(counting.parts) <= most
    assert vectors.usage.prompt_tokens == 300


async def test_one_input_that_is_too_much_alone_is_refused_by_its_number(
    mistral_url: str, sandbox: Sandbox
) -> None:
    fault = Fault(status=400, body={"message": "Too many tokens overall.", "code": "3210"}, times=None)
    sandbox.faults.append(fault)
    async with client_of(sandbox, max_concurrency=1) as mistral:
        with pytest.raises(TooManyInputs, match=r"^Input 0 failed: .*Too many tokens overall") as caught:
            await embed_text(mistral, texts(300))

    assert caught.value.code == "3210"


# A part that fails.


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(status=422), RequestRefused),
        (Fault(status=401), InvalidApiKey),
        (Fault(status=500, times=3), Unavailable),
        (Fault(malformed=True), Unavailable),
        (Fault(body={"data": []}), Unavailable),
    ],
)
async def test_one_failed_part_fails_the_call_and_names_its_inputs(
    fault: Fault, kind: type[UpstreamError]
) -> None:
    mistral = Sandbox()
    mistral.faults.extend([Fault(pass_through=True, times=2), fault])
    async with client_of(mistral, max_concurrency=1) as client:
        with pytest.raises(kind, match=r"^Inputs 256 to 383 failed: "):
            await embed_text(client, texts(1000))

    assert len(mistral.requests) == 2 + (fault.times or 1)


async def test_the_other_parts_are_given_up_with_it(mistral_url: str) -> None:
    mistral = Sandbox()
    mistral.faults.extend([Fault(hang=True, times=3), Fault(status=400)])
    async with client_of(mistral, max_concurrency=4) as client:
        with anyio.fail_after(5), pytest.raises(RequestRefused, match="Inputs 384 to 511 failed"):
            await embed_text(client, texts(3000))
        with anyio.fail_after(1):
            for request in list(mistral.requests)[:3]:
                await request.wait_for_disconnect()

    assert len(mistral.requests) == 4


async def test_the_deadline_is_that_of_the_whole(mistral_url: str) -> None:
    async with client_of(Sandbox(latency=0.3), timeout=1, max_concurrency=1) as client:
        started = time.monotonic()
        with anyio.fail_after(5), pytest.raises(TimedOut, match=r"^Inputs \d+ to \d+ failed: "):
            await embed_text(client, texts(3000))

    assert 1 <= time.monotonic() - started < 2


async def test_one_request_is_not_told_of_as_a_part(mistral_url: str, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(status=400))
    async with client_of(sandbox) as client:
        with pytest.raises(RequestRefused, match=r"^Mistral at "):
            await embed_text(client, ["one", "two"])


# What vectors look like.


def reply_with(*rows: Any, **members: Any) -> Callable[..., Any]:
    """A Mistral that always gives these rows."""
    data = [{"object": "embedding", "embedding": row, "index": index} for index, row in enumerate(rows)]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await Request(scope, receive).body()
            body = json.dumps({"data": data, "model": MODEL, "usage": None, **members})
            await Response(body, 200, {"content-type": "application/json"})(scope, receive, send)

    return app


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_base64_and_numbers_give_the_same_bits(numbers: list[float]) -> None:
    encoded = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()

    assert embeddings._row(encoded, "float").tobytes() == embeddings._row(numbers, "float").tobytes()


async def test_parts_whose_vectors_differ_in_length_are_no_answer() -> None:
    lengths = iter([1, 2])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            asked = await Request(scope, receive).json()
            length = next(lengths)
            data = [{"embedding": [1.0] * length, "index": index} for index, _ in enumerate(asked["input"])]
            await Response(json.dumps({"data": data}), 200, {"content-type": "application/json"})(
                scope, receive, send
            )

    async with client_of(app, max_concurrency=1) as mistral:
        with pytest.raises(Unavailable, match="different lengths"):
            await embed_text(mistral, texts(200))


async def test_numbers_are_taken_where_base64_was_requested() -> None:
    async with client_of(reply_with([0.5, -0.25], [1, 2])) as mistral:
        vectors = await embed_text(mistral, ["one", "two"])

    assert [row.tolist() for row in vectors.rows] == [[0.5, -0.25], [1.0, 2.0]]


@pytest.mark.parametrize(("dtype", "low", "high"), [("int8", -128, 127), ("uint8", 0, 255), ("ubinary", 0, 255)])
async def test_small_types_keep_their_range(dtype: Any, low: int, high: int) -> None:
    async with client_of(reply_with([low, 0.0, high])) as mistral:
        vectors = await embed_text(mistral, ["one"], output_dtype=dtype)

    assert vectors.rows[0].tolist() == [low, 0, high]
    assert len(vectors.little_endian()) == 3


@pytest.mark.parametrize(
    ("rows", "dtype"),
    [
        (["AAA="], None),
        (["no base64 at all"], None),
        (["é"], None),
        ([[0.5], [0.5, 0.25]], None),
        ([base64.b64encode(b"\0" * 8).decode(), base64.b64encode(b"\0" * 4).decode()], None),
        ([[300]], "int8"),
        ([[-1]], "uint8"),
        ([[None]], None),
        ([[]], None),
        ([""], None),
        ([{"a": 1}], None),
        ([], None),
        ([[1.0]] * 3, None),
    ],
)
async def test_vectors_that_cannot_be_are_a_malformed_reply_and_no_crash(rows: list[Any], dtype: Any) -> None:
    inputs = ["one", "two"] if len(rows) == 2 else ["one"]
    async with client_of(reply_with(*rows)) as mistral:
        with pytest.raises(Unavailable, match="reply") as caught:
            await embed_text(mistral, inputs, output_dtype=dtype)

    assert "Try again" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, 0),
        ({"model": "codestral-embed", "output_dimension": 1_024}, 0),
        ({"model": "sandbox-embed-of-another-name"}, 1),
    ],
    ids=["a known model", "the dimensions that are asked for", "an unknown model: after its first part"],
)
async def test_vectors_that_could_not_be_kept_are_not_paid_for(options: dict[str, Any], sent: int) -> None:
    mistral = Counting(dimensions=1_024)
    async with client_of(mistral) as client:
        with pytest.raises(BadArgument, match="larger than 2 MB"):
            await embed_text(client, texts(513), max_bytes=512 * 4_096, **options)

    assert len(mistral.parts) == sent
