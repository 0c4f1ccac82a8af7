"""Routes that directories require: `/privacy`, `/terms`, `/support`, and a token that proves ownership of the server.

The three redirect to the operator's pages; without one, `/privacy` describes what this server does.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from mistral_mcp.hosting.web.pages.notices import Notices
from mistral_mcp.http.responses import PRIVATE
from mistral_mcp.settings import Settings

_Endpoint = Callable[[Request], Awaitable[Response]]


def legal_routes(settings: Settings, notices: Notices) -> list[Route]:
    return [
        Route("/privacy", _redirect_or(settings.privacy_url, notices.privacy)),
        Route("/terms", _redirect_or(settings.terms_url, notices.not_found)),
        Route("/support", _redirect_or(settings.support_url, notices.not_found)),
        Route("/.well-known/openai-apps-challenge", _challenge(settings.apps_challenge)),
    ]


def _redirect_or(url: str | None, page: _Endpoint) -> _Endpoint:
    async def redirect(_: Request) -> Response:
        return RedirectResponse(str(url), HTTPStatus.FOUND)

    if url:
        return redirect
    return page


def _challenge(token: str | None) -> _Endpoint:
    """ChatGPT's portal requires exactly its token as the body."""

    async def answer(_: Request) -> Response:
        if token is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return PlainTextResponse(token, headers=PRIVATE)

    return answer
