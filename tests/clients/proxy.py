"""The recorder over HTTP: a proxy that forwards everything unchanged, and records the messages."""

import itertools
from collections.abc import AsyncGenerator

import httpx2
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.clients.signing_in import SignIn
from tests.clients.witness import Log

_OF_ONE_HOP = {b"connection", b"keep-alive", b"transfer-encoding"}


def create_app(upstream: str, http: httpx2.AsyncClient, log: Log, sign_in: SignIn | None = None) -> Starlette:
    """Before the server at `upstream`. `sign_in` hears of every exchange."""
    links = map(str, itertools.count())

    async def pass_on(request: Request) -> Response:
        link, body = next(links), await request.body()
        log.add(link, body, request.headers.get("mcp-protocol-version"), _credential(request.headers))
        # Whatever is compressed could not be read here.
        came = sign_in.headers(request) if sign_in else request.headers.raw
        headers = [pair for pair in came if pair[0] not in _OF_ONE_HOP | {b"accept-encoding"}]
        headers.append((b"accept-encoding", b"identity"))
        target = httpx2.URL(upstream).copy_with(raw_path=_path(request))
        asked = http.build_request(request.method, target, headers=headers, content=body)
        answer = await http.send(asked, stream=True)
        if sign_in:
            sign_in.note_call(request, body, answer.status_code)

        async def pass_through() -> AsyncGenerator[bytes]:
            passed = b""
            try:
                async for chunk in answer.aiter_raw():
                    passed += chunk
                    log.add(link, passed)  # what was seen before is passed over
                    yield chunk
            finally:
                await answer.aclose()
                if sign_in:
                    sign_in.note(request, body, answer.status_code, passed)

        response = StreamingResponse(pass_through(), answer.status_code)
        response.raw_headers = [pair for pair in answer.headers.raw if pair[0].lower() not in _OF_ONE_HOP]
        return response

    return Starlette(routes=[Route("/{path:path}", pass_on, methods=["GET", "POST", "DELETE"])])


def _path(request: Request) -> bytes:
    query: bytes = request.scope["query_string"]
    return request.scope["raw_path"] + (b"?" + query if query else b"")


def _credential(headers: Headers) -> str | None:
    """What a request brings, without its value."""
    for name in ("Authorization", "X-API-Key", "X-Mistral-Api-Key"):
        if value := headers.get(name):
            scheme = "Bearer " if value.lower().startswith("bearer ") else ""
            kind = "TOKEN" if "mmcp_" in value else "KEY"
            return f"{name}: {scheme}{kind}"
    return None
