"""Vectors, and the limits of one request."""

import base64
import math
import struct
import time
from itertools import product

import httpx2
import pytest

from mistral_mcp.sandbox.answers.embed_text import embed_text


@pytest.fixture
def embed(api: httpx2.AsyncClient):
    async def ask(texts: str | list[str], **fields: object) -> httpx2.Response:
        return await api.post("/v1/embeddings", json={"model": "mistral-embed", "input": texts, **fields})

    return ask


@pytest.fixture
def embed_code(embed):
    async def ask(**fields: object) -> list:
        reply = await embed("print(1)", model="codestral-embed", **fields)
        assert reply.status_code == 200, reply.text
        return reply.json()["data"][0]["embedding"]

    return ask


def similarity(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_a_vector_has_length_one_and_fits_single_precision(embed):
    vector = (await embed("The quick brown fox")).json()["data"][0]["embedding"]
    assert len(vector) == 1024
    assert math.sqrt(similarity(vector, vector)) == pytest.approx(1, abs=1e-3)
    assert list(struct.unpack("<1024f", struct.pack("<1024f", *vector))) == vector


async def test_texts_that_share_words_are_near_each_other(embed):
    texts = ["a cat on a sofa", "the cats and the sofa", "quarterly tax report"]
    cat, cats, tax = [item["embedding"] for item in (await embed(texts)).json()["data"]]
    assert similarity(cat, cats) > 0.4
    assert abs(similarity(cat, tax)) < 0.2


async def test_the_same_text_has_the_same_vector_wherever_it_stands(embed):
    data = (await embed(["x", "y", "x", "", "!?"])).json()["data"]
    assert data[0]["embedding"] == data[2]["embedding"] != data[1]["embedding"]
    assert [item["index"] for item in data] == [0, 1, 2, 3, 4]


async def test_base64_is_the_same_vector_in_little_endian_single_precision(embed):
    numbers = (await embed("x")).json()["data"][0]["embedding"]
    packed = (await embed("x", encoding_format="base64")).json()["data"][0]["embedding"]
    assert list(struct.unpack("<1024f", base64.b64decode(packed))) == numbers


async def test_the_code_model_has_other_dimensions_and_types(embed_code):
    assert len(await embed_code()) == 1536
    assert len(await embed_code(output_dimension=3072)) == 3072
    assert len(await embed_code(output_dtype="binary")) == 192
    for dtype, low, high in (("int8", -128, 127), ("uint8", 0, 255), ("binary", -128, 127), ("ubinary", 0, 255)):
        values = await embed_code(output_dimension=256, output_dtype=dtype)
        assert all(isinstance(value, int) and low <= value <= high for value in values)


async def test_types_of_a_byte_are_a_byte_each_in_base64(embed_code):
    for dtype, code in (("int8", "b"), ("uint8", "B"), ("binary", "b"), ("ubinary", "B")):
        asked = {"output_dimension": 64, "output_dtype": dtype}
        values = await embed_code(**asked)
        packed = base64.b64decode(await embed_code(**asked, encoding_format="base64"))
        assert list(struct.unpack(f"{len(values)}{code}", packed)) == values


async def test_bits_are_the_signs(embed_code):
    signs = [value > 0 for value in await embed_code(output_dimension=64)]
    packed = await embed_code(output_dimension=64, output_dtype="ubinary")
    assert [bool(byte & 128 >> place) for byte, place in product(packed, range(8))] == signs


@pytest.mark.parametrize(
    "fields",
    [
        {"output_dimension": 512},
        {"output_dtype": "int8"},
        {"model": "codestral-embed", "output_dimension": 3073},
        {"model": "codestral-embed", "output_dimension": 100, "output_dtype": "binary"},
    ],
)
async def test_what_a_model_cannot_do_is_refused(fields: dict, embed):
    reply = await embed("x", **fields)
    assert (reply.status_code, reply.json()["code"]) == (400, "3051")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["x"] * 513, "Too many inputs in request, split into more batches."),
        (["word " * 4000] * 4, "Too many tokens overall, split into more batches."),
    ],
)
async def test_a_request_that_brings_too_much_is_3210(texts: list, message: str, embed):
    body = (await embed(texts)).json()
    assert (body["type"], body["code"], body["message"]) == ("invalid_request_prompt", "3210", message)


async def test_a_text_longer_than_the_window_is_3051(embed):
    assert (await embed("word " * 7000)).json()["code"] == "3051"


async def test_512_texts_are_answered(embed):
    assert len((await embed(["x"] * 512)).json()["data"]) == 512


async def test_no_text_at_all_is_refused(embed):
    assert (await embed([])).status_code == 400


async def test_headers_tell_the_cost_and_no_token_quota(embed):
    reply = await embed(["four", "five"])
    assert reply.headers["x-ratelimit-tokens-query-cost"] == str(reply.json()["usage"]["total_tokens"]) == "2"
    assert "x-ratelimit-limit-req-minute" in reply.headers
    assert "x-ratelimit-limit-tokens-minute" not in reply.headers


def test_two_thousand_short_texts_take_well_under_a_second():
    started = time.perf_counter()
    for number in range(2000):
        embed_text(f"document {number} about the river and the {number % 7} houses", 1024)
    assert time.perf_counter() - started < 1
