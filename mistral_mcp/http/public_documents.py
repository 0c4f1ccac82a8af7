"""Documents that anybody may read, other sites' pages too: cacheable, with an ETag, and 304 for who has them already."""

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
    """The route of a document that `write` gives, which may differ by the address that the server is asked at."""

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
    """RFC 9110 section 13.1.2: a list of tags, of which a weak one is as good, or `*`."""
    tags = headers.get("if-none-match", "").split(",")
    known = {tag.strip().removeprefix("W/") for tag in tags}
    return etag in known or "*" in known
