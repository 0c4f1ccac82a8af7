"""Public documents, with CORS for all sites: cacheable, with an ETag, and 304 for current copies."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_HEADERS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET",
    "access-control-allow-headers": "Accept, Content-Type, If-None-Match",
    "cache-control": "public, max-age=3600",
    "x-content-type-options": "nosniff",
}


def public_document(path: str, media_type: str, write: Callable[[Request], bytes]) -> Route:
    """The route of a document that `write` returns, which may depend on the request's host."""

    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=_HEADERS)
        content = write(request)
        etag = f'"{sha256(content).hexdigest()[:32]}"'
        headers = {**_HEADERS, "etag": etag}
        if _has_it(request.headers, etag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(content, headers=headers, media_type=media_type)

    return Route(path, answer, methods=["GET", "HEAD", "OPTIONS"])


def _has_it(headers: Mapping[str, str], etag: str) -> bool:
    """Whether If-None-Match has the tag (RFC 9110 section 13.1.2): a list, weak tags included, or `*`."""
    tags = headers.get("if-none-match", "").split(",")
    known = {tag.strip().removeprefix("W/") for tag in tags}
    return etag in known or "*" in known
