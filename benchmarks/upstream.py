"""The other side of the wire for benchmarks: a raw ASGI app that answers chat, embeddings and models from constants."""

import json
import sys

import uvicorn
from starlette.types import Receive, Scope, Send

_CHAT = json.dumps({
    "id": "0" * 32, "object": "chat.completion", "created": 1787150053, "model": "mistral-small-latest",
    "usage": {"prompt_tokens": 24, "total_tokens": 31, "completion_tokens": 7},
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello there."}}],
}).encode()  # fmt: skip
_MODELS = json.dumps({"object": "list", "data": [{"id": "mistral-small-latest", "object": "model"}]}).encode()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    body = _MODELS if scope["path"] == "/v1/models" else _CHAT
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", lifespan="off")
