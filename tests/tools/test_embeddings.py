"""mistral_embed and mistral_rank, against the sandbox."""

import base64
import gc
import json
import time
from array import array
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest
from mcp.client import Client
from mcp_types import CallToolResult

from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import connect_in_memory, connect_over_http, expect_refusal_at_once, read_kept_file, text_of


@pytest.fixture
async def client(mistral_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    async with connect_in_memory(mistral_url, output_dir=tmp_path) as client:
        yield client


def rows_of(result: CallToolResult) -> list[list[float]]:
    kept = result.structured_content["kept"]
    count, dimensions = kept["shape"]
    assert (kept["dtype"], kept["byte_order"]) == ("float32", "little")
    numbers = array("f", read_kept_file(kept)).tolist()
    assert len(numbers) == count * dimensions
    return [numbers[row * dimensions : (row + 1) * dimensions] for row in range(count)]


async def test_ranked_documents_are_cut_to_what_a_result_can_show(client: Client) -> None:
    documents = ["again " * 2_000] * 20
    result = await client.call_tool("mistral_rank", {"query": "again", "documents": documents, "top_k": 20})

    shown = [hit["document"] for hit in result.structured_content["results"]]
    assert len(shown) == 20
    assert all(document == f"{documents[0][:2_000]}…" for document in shown)
    assert len(text_of(result)) < 42_000


async def test_one_vector_comes_inline(client: Client) -> None:
    result = await client.call_tool("mistral_embed", {"inputs": ["Hello"]})

    structured = result.structured_content
    assert structured["count"] == 1
    assert structured["dimensions"] == 1024
    assert structured["dtype"] == "float32"
    assert len(structured["embeddings"][0]) == 1024
    assert "kept" not in structured
    assert all(float(f"{number:.6g}") == number for number in structured["embeddings"][0])
    assert text_of(result).startswith("1 vector of 1024 dimensions")
    assert len(text_of(result)) < 200
    assert structured["usage"]["prompt_tokens"] > 0


async def test_more_numbers_than_a_context_takes_are_kept(client: Client) -> None:
    result = await client.call_tool("mistral_embed", {"inputs": ["one", "two"]})
    inline = await client.call_tool("mistral_embed", {"inputs": ["one", "two"], "output": "inline"})

    assert "embeddings" not in result.structured_content
    for row, shown in zip(rows_of(result), inline.structured_content["embeddings"], strict=True):
        assert row == pytest.approx(shown, rel=1e-5)
    assert len(text_of(result)) < 400


async def test_a_single_vector_can_be_kept(client: Client) -> None:
    result = await client.call_tool("mistral_embed", {"inputs": ["one"], "output": "link"})

    assert len(rows_of(result)[0]) == 1024


@pytest.mark.parametrize(
    ("dtype", "numpy_dtype", "dimensions"),
    [("float", "float32", 256), ("int8", "int8", 256), ("uint8", "uint8", 256), ("binary", "int8", 32)],
)
async def test_codestral_embed_gives_the_dtype_and_dimension_requested(
    client: Client, dtype: str, numpy_dtype: str, dimensions: int
) -> None:
    result = await client.call_tool(
        "mistral_embed",
        {"inputs": ["def f():"], "model": "codestral-embed", "output_dtype": dtype, "output_dimension": 256},
    )

    assert not result.is_error, text_of(result)
    assert result.structured_content["dtype"] == numpy_dtype
    assert result.structured_content["dimensions"] == dimensions


async def test_many_inputs_come_back_in_order_from_several_requests(client: Client, sandbox: Sandbox) -> None:
    inputs = [f"text number {number}" for number in range(300)]
    result = await client.call_tool("mistral_embed", {"inputs": inputs})
    alone = await client.call_tool("mistral_embed", {"inputs": [inputs[299]]})

    assert rows_of(result)[299] == pytest.approx(alone.structured_content["embeddings"][0], rel=1e-5)
    assert len(sandbox.requests) == 4


async def test_a_part_that_mistral_finds_too_large_is_halved(client: Client, sandbox: Sandbox) -> None:
    """Four tokens a byte are more than the estimate expects."""
    inputs = ["a b c d e f g h i j k l m n o p q r s t u v w x y z " * 40] * 12
    result = await client.call_tool("mistral_embed", {"inputs": inputs})

    assert not result.is_error, text_of(result)
    assert result.structured_content["count"] == 12


async def test_a_failed_part_fails_the_call_and_names_its_inputs(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(status=400, body={"object": "error", "message": "No.", "code": "3051"}))
    result = await client.call_tool("mistral_embed", {"inputs": [f"text {n}" for n in range(300)]})

    assert result.is_error
    assert "Inputs 0 to 127 failed" in text_of(result)


async def test_more_numbers_than_a_result_takes_are_kept_even_when_requested(client: Client) -> None:
    result = await client.call_tool("mistral_embed", {"inputs": ["x"] * 257, "output": "inline"})

    assert "embeddings" not in result.structured_content
    assert len(rows_of(result)) == 257


@pytest.mark.parametrize("tool", ["mistral_embed", "mistral_rank"])
async def test_a_chat_model_is_told_to_be_no_embeddings_model(client: Client, tool: str) -> None:
    given = {"inputs": ["a"]} if tool == "mistral_embed" else {"query": "a", "documents": ["b"]}
    result = await client.call_tool(tool, {**given, "model": "mistral-small-latest"})
    unknown = await client.call_tool(tool, {**given, "model": "no-such-model"})

    assert "exists, but not for embeddings" in text_of(result)
    assert "capability embeddings" in text_of(result)
    assert "no-such-model" in text_of(unknown)
    assert "exists" not in text_of(unknown)


async def test_ranking_finds_the_nearest_first(client: Client) -> None:
    documents = ["cats and dogs", "the price of bread", "a dog and a cat", "quantum field theory"]
    result = await client.call_tool("mistral_rank", {"query": "dog cat", "documents": documents, "top_k": 2})

    hits = result.structured_content["results"]
    assert hits[0]["document"] == "a dog and a cat"
    assert hits[0]["index"] == 2
    assert hits[0]["score"] > hits[1]["score"]
    assert len(hits) == 2
    assert "a dog and a cat" in text_of(result)


@pytest.fixture
def freeze_old_garbage() -> Iterator[None]:
    """What other tests left is not looked through for garbage, which takes a tenth of a second each time."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("freeze_old_garbage")
async def test_ranking_thousands_does_not_hold_up_others(client: Client, sandbox: Sandbox) -> None:
    """No turn of the loop is a large part of the whole work. Both are processor time, which no busy neighbour changes."""
    await client.call_tool("mistral_rank", {"query": "a", "documents": ["b"]})  # the first call makes the schemas
    size, parts = 128, 50
    # Ready-made, since the sandbox shares this loop.
    vector = base64.b64encode(array("f", range(1_024)).tobytes()).decode()
    reply = json.dumps({"data": [{"index": index, "embedding": vector} for index in range(size)]})
    sandbox.faults.append(Fault(status=200, body=reply, times=parts))
    documents = [f"document number {number}" for number in range(parts * size - 1)]
    longest = 0.0

    async def heartbeat() -> None:
        nonlocal longest
        while True:
            before = time.process_time()
            await anyio.sleep(0.005)
            longest = max(longest, time.process_time() - before)

    async with anyio.create_task_group() as group:
        started = time.process_time()
        group.start_soon(heartbeat)
        result = await client.call_tool("mistral_rank", {"query": "number 7", "documents": documents})
        whole = time.process_time() - started
        group.cancel_scope.cancel()

    assert len(result.structured_content["results"]) == 5
    assert not sandbox.faults
    assert longest < whole / 10


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("mistral_embed", {"inputs": []}, "inputs is empty"),
        ("mistral_embed", {"inputs": ["x"] * 20_001}, "inputs has more than 20,000 items"),
        ("mistral_embed", {"inputs": [""]}, "inputs[0] is empty"),
        ("mistral_embed", {"inputs": ["x"], "output": "file"}, "output must be auto, inline or"),
        ("mistral_rank", {"query": "x", "documents": []}, "documents is empty"),
        ("mistral_rank", {"documents": ["x"]}, "query is missing"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, tool: str, arguments: dict[str, object], sentence: str
) -> None:
    await expect_refusal_at_once(client, sandbox, tool, arguments, sentence)


NAN_IN_BASE64 = '"AADAfwAAgD8="'  # and 1


@pytest.mark.parametrize("vector", ["[NaN, 1]", "[1, -Infinity]", "[1, 1e300]", NAN_IN_BASE64])
async def test_a_vector_that_holds_no_number_makes_the_reply_unreadable(
    client: Client, sandbox: Sandbox, vector: str
) -> None:
    sandbox.faults.append(Fault(status=200, body=f'{{"data": [{{"index": 0, "embedding": {vector}}}]}}'))
    result = await client.call_tool("mistral_embed", {"inputs": ["x"]})

    assert result.is_error
    assert "that cannot be read" in text_of(result)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}, None),
        ({"prompt_tokens": 1_000_000, "total_tokens": 1_000_000}, 0.1),
        ({"prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000}, 0.1),
    ],
)
async def test_vectors_whose_tokens_were_not_counted_cost_nobody_knows_what(
    client: Client, sandbox: Sandbox, usage: object, cost: float | None
) -> None:
    body = {"model": "mistral-embed", "data": [{"index": 0, "embedding": [1, 0]}], "usage": usage}
    sandbox.faults.append(Fault(status=200, body=body))
    result = await client.call_tool("mistral_embed", {"inputs": ["x"]})

    assert result.structured_content["usage"]["cost_usd"] == cost


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_what_comes_inline_over_http_is_no_more_than_clients_take(mistral_url: str, mode: str) -> None:
    """The SDK's client gives up on an event of more than a megabyte, and with it on the whole connection."""
    async with connect_over_http(mistral_url, mode=mode) as client:
        most = await client.call_tool("mistral_embed", {"inputs": ["a"] * 64, "output": "inline"})
        more = await client.call_tool("mistral_embed", {"inputs": ["a"] * 256, "output": "inline"})

    assert len(most.structured_content["embeddings"]) == 64
    assert more.structured_content["kept"]["shape"] == [256, 1024]
