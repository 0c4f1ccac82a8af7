"""`/privacy`, `/terms` and `/support`: a redirect to the operator's own, else, for privacy, what this server does."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mistral_mcp.hosting.web.pages import Pages
from mistral_mcp.settings import Settings

_Endpoint = Callable[[Request], Awaitable[Response]]


def legal_routes(settings: Settings, pages: Pages) -> list[Route]:
    return [
        Route("/privacy", _redirect_or(settings.privacy_url, pages.privacy)),
        Route("/terms", _redirect_or(settings.terms_url, pages.not_found)),
        Route("/support", _redirect_or(settings.support_url, pages.not_found)),
    ]


def _redirect_or(url: str | None, page: _Endpoint) -> _Endpoint:
    async def redirect(_: Request) -> Response:
        return RedirectResponse(str(url), HTTPStatus.FOUND)

    if url:
        return redirect
    return page
