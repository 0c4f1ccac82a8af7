"""Pages without a form, for people who open a URL that is meant for programs."""

from http import HTTPStatus

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from mistral_mcp.errors import MistralMcpError, RefusedCredential
from mistral_mcp.hosting.vault.maintenance import ENDED_AFTER
from mistral_mcp.hosting.web.connect import Tenancy
from mistral_mcp.hosting.web.pages.languages import Language
from mistral_mcp.hosting.web.pages.problems import describe
from mistral_mcp.hosting.web.pages.rendering import Renderer, language_of
from mistral_mcp.hosting.web.responses import client_address
from mistral_mcp.http.responses import error_status
from mistral_mcp.http.targets import base_url
from mistral_mcp.usage.store import KEPT_DAYS


class Notices:
    def __init__(self, tenancy: Tenancy, renderer: Renderer) -> None:
        self._tenancy = tenancy
        self._renderer = renderer
        self._settings = tenancy.settings

    async def secret_url(self, request: Request) -> Response:
        """Whether a secret URL is valid. The page quotes nothing of it."""
        try:
            await self._tenancy.describe(SecretStr(request.path_params["token"]), client_address(request))
        except MistralMcpError as error:
            status, headers = error_status(error)
            if isinstance(error, RefusedCredential):
                status = HTTPStatus.NOT_FOUND
            problem = describe(error, language_of(request))
            return self._renderer.render(request, "dead.html", status, headers, problem=problem)
        return self._renderer.render(request, "address.html", hosts=places(language_of(request)))

    async def endpoint(self, request: Request) -> Response:
        """A page that explains /mcp."""
        url = base_url(self._settings, request) + "/mcp"
        return self._renderer.render(request, "endpoint.html", url=url, byok=self._settings.byok)

    async def not_found(self, request: Request) -> Response:
        """The page for unknown paths."""
        return self._renderer.render(request, "not_found.html", HTTPStatus.NOT_FOUND)

    async def privacy(self, request: Request) -> Response:
        """What this server stores, if its operator has no policy of their own."""
        return self._renderer.render(
            request,
            "privacy.html",
            ended_days=ENDED_AFTER.days,
            usage_days=KEPT_DAYS,
            result_minutes=f"{self._settings.result_ttl:g}",
        )


def places(language: Language) -> list[tuple[str, str]]:
    """Clients, and where to enter a URL in each."""
    from mistral_mcp.install.snippets import snippets  # noqa: PLC0415 - half a megabyte, for pages only

    every = snippets("https://", language=language)
    return [(snippet.title, snippet.where) for snippet in every if snippet.language == "text"]
