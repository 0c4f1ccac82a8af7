"""`POST /v1/embeddings`."""

import base64
import struct
import uuid
from array import array
from typing import Annotated, Literal

from pydantic import Field

from mistral_mcp.sandbox.answers.embed_text import Vector, embed_text
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import invalid_args, invalid_model, invalid_request, refusal
from mistral_mcp.sandbox.protocol.replies import Reply, compact
from mistral_mcp.sandbox.protocol.strict import Metadata, Strict, as_list
from mistral_mcp.sandbox.protocol.tokens import count_tokens
from mistral_mcp.sandbox.protocol.usage import input_usage
from mistral_mcp.sandbox.state.models import Model, find_base_model

MAX_INPUTS = 512
MAX_TOKENS = 16_384
BITS = 8

CODE_DIMENSION = 1536
CODE_MAX_DIMENSION = 3072
TEXT_DIMENSION = 1024

Dtype = Literal["float", "int8", "uint8", "binary", "ubinary"]


class EmbeddingRequest(Strict):
    model: str
    input: str | list[str]
    metadata: Metadata | None = None
    output_dimension: Annotated[int, Field(gt=0)] | None = None
    output_dtype: Dtype = "float"
    encoding_format: Literal["float", "base64"] = "float"


def embed(call: Call) -> Reply:
    """Vectors made from hashed words: texts that share words are near each other."""
    body = call.body(EmbeddingRequest)
    model = find_base_model(body.model)
    if model is None or not model.embeds:
        raise invalid_model(body.model)
    meter = call.account.meter(model.id)
    meter.admit()
    inputs = as_list(body.input)
    tokens = _count_inputs(inputs, model)
    dimension = _choose_dimension(body, model)
    data = ",".join(
        f'{{"object":"embedding","embedding":{_write_vector(embed_text(text, dimension), body)},"index":{index}}}'
        for index, text in enumerate(inputs)
    )
    meter.spend(tokens)
    # Written by hand: `json` would take longer to serialise millions of numbers than it takes to compute them.
    reply = (
        f'{{"id":"{uuid.uuid4().hex}","object":"list","data":[{data}],'
        f'"model":{compact(body.model)},"usage":{compact(input_usage(tokens))}}}'
    )
    headers = {"content-type": "application/json", **meter.headers(tokens, token_quota=False)}
    return Reply(200, reply.encode(), headers)


def _count_inputs(inputs: list[str], model: Model) -> int:
    """The tokens of all inputs. 400 if there are too many inputs or tokens."""
    if not inputs:
        raise invalid_request("Input cannot be empty.")
    if len(inputs) > MAX_INPUTS:
        raise _too_large("Too many inputs in request, split into more batches.")
    counts = [count_tokens(text) for text in inputs]
    if sum(counts) > MAX_TOKENS:
        raise _too_large("Too many tokens overall, split into more batches.")
    if max(counts) > model.context:
        raise invalid_args(
            f"Prompt contains {max(counts)} tokens and 0 draft tokens, "
            f"too large for model with {model.context} maximum context length"
        )
    return sum(counts)


def _too_large(message: str) -> Exception:
    return refusal(400, message, "invalid_request_prompt", "3210")


def _choose_dimension(body: EmbeddingRequest, model: Model) -> int:
    """The number of values in a vector. Only the code model lets the caller choose it."""
    if "codestral" not in model.id:
        if body.output_dimension is not None:
            raise invalid_args(f"Model {body.model} does not support output_dimension")
        if body.output_dtype != "float":
            raise invalid_args(f"Model {body.model} does not support output_dtype {body.output_dtype}")
        return TEXT_DIMENSION
    dimension = body.output_dimension or CODE_DIMENSION
    if dimension > CODE_MAX_DIMENSION:
        raise invalid_args(f"output_dimension must be at most {CODE_MAX_DIMENSION}")
    if body.output_dtype in ("binary", "ubinary") and dimension % BITS:
        raise invalid_args(f"output_dimension must be a multiple of {BITS} for {body.output_dtype}")
    return dimension


def _write_vector(vector: Vector, body: EmbeddingRequest) -> str:
    """The vector as JSON, in the requested type and encoding."""
    if body.output_dtype == "float":
        if body.encoding_format == "float":
            return vector.json
        return _base64(struct.pack(f"<{len(vector.values)}f", *vector.values))
    values = _quantise(vector.values, body.output_dtype)
    if body.encoding_format == "float":
        return compact(values)
    typecode = "B"
    if min(values) < 0:
        typecode = "b"
    return _base64(array(typecode, values).tobytes())


def _base64(data: bytes) -> str:
    return f'"{base64.b64encode(data).decode()}"'


def _quantise(values: list[float], dtype: Dtype) -> list[int]:
    """Integers of 8 bits, for the binary types with the signs of 8 values in each."""
    if dtype in ("int8", "uint8"):
        scale = 127 / max(abs(value) for value in values)
        shift = 0
        if dtype == "uint8":
            shift = 128
        return [round(value * scale) + shift for value in values]

    groups = [values[start : start + BITS] for start in range(0, len(values), BITS)]
    packed = [_pack_signs(group) for group in groups]
    if dtype == "ubinary":
        return packed
    return [byte - 128 for byte in packed]


def _pack_signs(values: list[float]) -> int:
    """One bit for each of up to 8 values, the first in the highest bit: 1 if it is positive."""
    return sum(128 >> place for place, value in enumerate(values) if value > 0)


ENDPOINTS = (Endpoint("POST", "/v1/embeddings", embed),)
