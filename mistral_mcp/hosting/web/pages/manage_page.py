"""`/manage` takes a secret URL, answers with its connection, and does what the buttons there say; `key_page` takes a key."""

from http import HTTPStatus

from pydantic import SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mistral_mcp.credentials import TOKEN_PREFIX
from mistral_mcp.errors import BadArgument, MistralMcpError, RefusedCredential, UpstreamError
from mistral_mcp.hosting.web.connect import Tenancy
from mistral_mcp.hosting.web.forms import Form, read_form
from mistral_mcp.hosting.web.pages.connection_page import View, add_details, render_connection
from mistral_mcp.hosting.web.pages.form_fields import connection_changes
from mistral_mcp.hosting.web.pages.key_page import KeyPage
from mistral_mcp.hosting.web.pages.problems import describe, describe_fields
from mistral_mcp.hosting.web.pages.rendering import Renderer, language_of, texts_for
from mistral_mcp.hosting.web.responses import client_address
from mistral_mcp.hosting.web.test_calls import run_test_call
from mistral_mcp.http.responses import error_status
from mistral_mcp.selection import AllowedToolsets

PATH = "/manage"


class NoAddress(BadArgument):
    """Raised for a text without one of this server's tokens."""


class ManagePage:
    def __init__(self, tenancy: Tenancy, renderer: Renderer) -> None:
        self._tenancy = tenancy
        self._renderer = renderer
        self._key_page = KeyPage(tenancy, renderer)

    def routes(self) -> list[Route]:
        return [Route(PATH, self.manage, methods=["GET", "POST"])]

    async def manage(self, request: Request) -> Response:
        """A field for the secret URL or the key; sent, the connection that it belongs to."""
        if request.method != "POST":
            return self._renderer.render(request, "manage.html", problem="")
        try:
            form = await read_form(request)
            self._renderer.form_tokens.verify(form.one("stamp"))
            if TOKEN_PREFIX not in form.one("token").lower():
                return await self._key_page.answer(request, form)
            view = await self._act(request, find_token(form.one("token")), form)
        except MistralMcpError as error:
            status, headers = error_status(error)
            if isinstance(error, RefusedCredential):
                status = HTTPStatus.NOT_FOUND
            problem = describe(error, language_of(request))
            return self._renderer.render(request, "manage.html", status, headers, problem=problem)
        if view.action == "revoked":
            return self._renderer.render(request, "revoked.html", connection=view.connection, proof="")
        view = await add_details(self._tenancy, view)
        return await render_connection(self._renderer, request, view)

    async def _act(self, request: Request, token: SecretStr, form: Form) -> View:
        tenancy, address = self._tenancy, client_address(request)
        match form.one("do"):
            case "rotate":
                issued = await tenancy.rotate(token, address)
                return View(issued.connection, issued.token, "rotated")
            case "revoke":
                connection = await tenancy.describe(token, address)
                await tenancy.revoke(token, address)
                return View(connection, token, "revoked")
            case "try":
                return await self._try(request, token, address)
            case "change":
                return await self._change(request, token, form, address)
            case "end_grant":
                connection = await tenancy.describe(token, address)
                await tenancy.end_grant(connection, form.one("grant"), address)
                return View(connection, token, "grant_ended")
            case _:
                return View(await tenancy.describe(token, address), token, "shown")

    async def _try(self, request: Request, token: SecretStr, address: str) -> View:
        connection = await self._tenancy.describe(token, address)
        prompt = texts_for(request)["connection"]["try_prompt"]
        test_call = await run_test_call(request.app, connection, token, prompt)
        await self._tenancy.vault.write_last_used()
        return View(await self._tenancy.describe(token, address), token, "shown", test_call)

    async def _change(self, request: Request, token: SecretStr, form: Form, address: str) -> View:
        """Apply changes; on a problem, show a message above the unchanged connection."""
        language = language_of(request)
        problem = ""
        try:
            changes = connection_changes(form, AllowedToolsets.of(self._tenancy.settings).allowed)
            await self._tenancy.update(token, changes, address)
        except ValidationError as error:
            problem = " ".join(describe_fields(error, language).values())
        except (BadArgument, UpstreamError) as error:
            problem = describe(error, language)
        connection = await self._tenancy.describe(token, address)
        if problem:
            return View(connection, token, "shown", problem=problem)
        return View(connection, token, "changed")


def find_token(text: str) -> SecretStr:
    """The token in a secret URL, or alone."""
    _, prefix, rest = text.partition(TOKEN_PREFIX)
    token = "".join(character if character.isalnum() else " " for character in rest).partition(" ")[0]
    if not prefix or not token:
        raise NoAddress("This is not an address of this server.", "Paste the whole secret URL, or its token.")
    return SecretStr(prefix + token)
