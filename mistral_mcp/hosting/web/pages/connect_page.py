"""`/` takes a key, and shows the connection created with it."""

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mistral_mcp.errors import InvalidApiKey, MistralMcpError
from mistral_mcp.hosting.vault.connection import WrongField
from mistral_mcp.hosting.vault.vault import AlreadyCreated
from mistral_mcp.hosting.web.connect import Tenancy, WrongSignupCode
from mistral_mcp.hosting.web.forms import Form, read_form
from mistral_mcp.hosting.web.pages.connection_page import View, render_connection
from mistral_mcp.hosting.web.pages.form_fields import connection_request, offer_expiries
from mistral_mcp.hosting.web.pages.notices import places
from mistral_mcp.hosting.web.pages.problems import describe, describe_fields
from mistral_mcp.hosting.web.pages.rendering import Renderer, language_of, texts_for
from mistral_mcp.hosting.web.pages.toolset_choices import OWN, offer_presets, offer_toolsets, preset_of
from mistral_mcp.hosting.web.responses import client_address
from mistral_mcp.http.responses import error_status
from mistral_mcp.http.targets import base_url
from mistral_mcp.selection import AllowedToolsets

PATH = "/"


class ConnectPage:
    def __init__(self, tenancy: Tenancy, renderer: Renderer) -> None:
        self._tenancy = tenancy
        self._renderer = renderer
        self._settings = tenancy.settings

    def routes(self) -> list[Route]:
        return [Route(PATH, self.home, methods=["GET", "POST"])]

    async def home(self, request: Request) -> Response:
        """GET: the form. POST: the connection created."""
        if "json" in request.headers.get("content-type", ""):
            raise HTTPException(HTTPStatus.NOT_FOUND)  # an MCP client with the wrong path
        form = Form()
        if request.method != "POST":
            return await self._page(request, form)
        try:
            form = await read_form(request)
            form_id = self._renderer.form_tokens.verify(form.one("stamp"))
            asked = connection_request(form, AllowedToolsets.of(self._settings).allowed)
            issued = await self._tenancy.create(asked, client_address(request), form_id)
        except AlreadyCreated:
            return self._renderer.render(request, "already.html", HTTPStatus.CONFLICT)
        except ValidationError as error:
            problems = describe_fields(error, language_of(request))
            return await self._page(request, form, problems, HTTPStatus.UNPROCESSABLE_ENTITY)
        except MistralMcpError as error:
            return await self._page(request, form, _problem_by_field(request, form, error), *error_status(error))
        view = View(issued.connection, issued.token, "created")
        return await render_connection(self._renderer, request, view)

    async def _page(
        self,
        request: Request,
        form: Form,
        problems: Mapping[str, str] | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The form with the submitted values except secrets; problems by field, other problems under ''."""
        bound = AllowedToolsets.of(self._settings)
        presets = await offer_presets(bound)
        if form.fields:
            chosen = form.all("toolsets")
            preset = form.one("preset") or OWN
        else:
            chosen = bound.chosen
            preset = preset_of(chosen, presets)
        return self._renderer.render(
            request,
            "connect.html",
            status,
            headers,
            presets=presets,
            preset=preset,
            toolsets=await offer_toolsets(bound),
            chosen=chosen,
            read_only=bool(form.one("read_only")),
            places=places(language_of(request)),
            sign_in_url=self._sign_in_url(request),
            expiries=offer_expiries(self._settings),
            most_days=self._settings.max_expiry_days,
            typed=form.one,
            signup=self._settings.signup,
            problems=problems or {},
            always_read_only=bound.read_only,
        )

    def _sign_in_url(self, request: Request) -> str:
        """The URL to sign in; empty if OAuth is off."""
        if not self._settings.oauth:
            return ""
        return base_url(self._settings, request) + "/mcp"


def _problem_by_field(request: Request, form: Form, error: MistralMcpError) -> dict[str, str]:
    """The message, under the name of the invalid field."""
    sentence = describe(error, language_of(request))
    match error:
        case WrongField(field="api_key") if not form.one("api_key"):
            return {"api_key": texts_for(request)["fields"]["no_api_key"]}
        case WrongField():
            return {error.field: sentence}
        case InvalidApiKey() if not form.one("route"):
            return {"api_key": sentence}
        case WrongSignupCode():
            return {"signup_code": sentence}
        case _:
            return {"": sentence}
