"""Responses to unknown paths, which name the right endpoint."""

from http import HTTPStatus
from typing import cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mistral_mcp.http.endpoint import BrowserPage, is_browser
from mistral_mcp.http.responses import PRIVATE, json_rpc_error
from mistral_mcp.http.targets import base_url
from mistral_mcp.settings import Settings

BYOK_WAY_IN = "Send your Mistral key there as X-Mistral-Api-Key."


class NotFound:
    """The response to requests without a route.

    Clients probe many paths: for a sign-in, for metadata, for an older transport. All get JSON that names the endpoint.
    """

    def __init__(self, settings: Settings, way_in: str, browser_page: BrowserPage | None) -> None:
        self._settings = settings
        self._way_in = way_in
        self._browser_page = browser_page

    async def __call__(self, request: Request, error: Exception) -> Response:
        refused = cast("HTTPException", error)
        if refused.status_code == HTTPStatus.NOT_FOUND and self._browser_page and is_browser(request):
            return await self._browser_page(request)
        what = "There is nothing at this path."
        if refused.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            what = "This path does not support that method."
        elif refused.status_code != HTTPStatus.NOT_FOUND:
            what = str(refused.detail)
        text = f"{what} The MCP endpoint of this server is {base_url(self._settings, request)}/mcp. {self._way_in}"
        return json_rpc_error(refused.status_code, text, dict(refused.headers or {}))


async def plain_page(request: Request) -> Response:
    """The page for a person at /mcp, on a server without pages."""
    url = str(request.url.replace(query=""))
    return PlainTextResponse(
        f"This is an MCP server for Mistral's models. Add {url} to your MCP client as a remote server.\n{BYOK_WAY_IN}\n",
        headers=PRIVATE,
    )


async def no_connections_page(_: Request) -> Response:
    """The page for a person at a secret URL, on a server without connections."""
    return PlainTextResponse("This server keeps no connections.\n", HTTPStatus.NOT_FOUND, PRIVATE)
