"""`GET /results/{handle}` of the core: a result kept in this process's memory, as a file to save."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mistral_mcp.errors import ExpiredResult, UnknownResult
from mistral_mcp.kept_results import ResultStore


def download_from(store: ResultStore) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint. Whoever has the handle has the result, so nothing else is asked."""

    async def download(request: Request) -> Response:
        try:
            content = await store.download(request.path_params["handle"])
        except (UnknownResult, ExpiredResult) as error:
            return JSONResponse({"error": {"message": str(error)}}, error.status, {"cache-control": "no-store"})
        headers = {
            # Always saved, never shown: it is whatever a model or a file held.
            "content-disposition": f"attachment; filename*=UTF-8''{quote(content.filename, safe='')}",
            "cache-control": "no-store",
            "content-security-policy": "default-src 'none'; sandbox",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        }
        return Response(content.data, headers=headers, media_type="application/octet-stream")

    return download
