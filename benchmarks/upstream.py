"""The upstream of the benchmarks: a raw ASGI app that answers chat, embeddings and models from constants.

A streamed chat with the prompt `stream COUNT GAP` is answered with COUNT chunks, GAP milliseconds apart.
"""

import asyncio
import base64
import json
import struct
import sys
from functools import cache

import uvicorn
from starlette.types import Receive, Scope, Send

from benchmarks.wire import answer_to_header

_CHAT = json.dumps({
    "id": "0" * 32, "object": "chat.completion", "created": 1787150053, "model": "mistral-small-latest",
    "usage": {"prompt_tokens": 24, "total_tokens": 31, "completion_tokens": 7},
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ANSWER"}}],
})  # fmt: skip
_MODELS = json.dumps({"object": "list", "data": [{"id": "mistral-small-latest", "object": "model"}]}).encode()
_VECTOR = base64.b64encode(struct.pack("<1024f", *(number / 1024 for number in range(1024)))).decode()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if b'"stream":true' in body:
        await _stream(json.loads(body)["messages"][-1]["content"], send)
        return
    match scope["path"]:
        case "/v1/models":
            answer = _MODELS
        case "/v1/embeddings":
            answer = _embeddings(len(json.loads(body)["input"]))
        case _:
            answer = _chat(dict(scope["headers"]).get(b"authorization", b""))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


@cache  # a few thousand keys at most in one run
def _chat(authorization: bytes) -> bytes:
    return _CHAT.replace("ANSWER", answer_to_header(authorization)).encode()


@cache
def _embeddings(count: int) -> bytes:
    rows = [{"object": "embedding", "index": index, "embedding": _VECTOR} for index in range(count)]
    usage = {"prompt_tokens": count, "total_tokens": count}
    return json.dumps({"object": "list", "model": "mistral-embed", "data": rows, "usage": usage}).encode()


async def _stream(prompt: str, send: Send) -> None:
    _, count, gap = prompt.split()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
    )
    for number in range(int(count)):
        if number:
            await asyncio.sleep(int(gap) / 1000)
        await send({"type": "http.response.body", "body": _chunk(number == int(count) - 1), "more_body": True})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


@cache
def _chunk(last: bool) -> bytes:  # noqa: FBT001 - one of two
    choice = {"index": 0, "delta": {"content": " word"}, "finish_reason": "stop" if last else None}
    usage = {"prompt_tokens": 24, "total_tokens": 31, "completion_tokens": 7}
    chunk = {
        "id": "0" * 32,
        "object": "chat.completion.chunk",
        "created": 1787150053,
        "model": "mistral-small-latest",
        "choices": [choice],
        **({"usage": usage} if last else {}),
    }
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", lifespan="off", backlog=4096, timeout_keep_alive=75)
