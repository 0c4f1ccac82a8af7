"""The connect page: forms over the steps of `connect`, for a browser with or without JavaScript.

`/` takes a key and answers with the connection; `/manage` takes a secret URL and answers with what it is, and does what its
buttons say. There is no cookie and no redirect: a token is in the body of an answer, and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from mistral_mcp import tools
from mistral_mcp.credentials import TOKEN_PREFIX
from mistral_mcp.errors import (
    BadArgument,
    InvalidApiKey,
    MistralMcpError,
    RefusedCredential,
    SignupRefused,
    UpstreamError,
)
from mistral_mcp.hosting.vault.maintenance import ENDED_AFTER, NEVER_USED_AFTER
from mistral_mcp.hosting.vault.records import WrongField
from mistral_mcp.hosting.vault.vault import AlreadyCreated, Connection
from mistral_mcp.hosting.web.connect import Tenancy
from mistral_mcp.hosting.web.form_fields import NO_KEY, WRONG, connection_changes, connection_request, wrong_fields
from mistral_mcp.hosting.web.forms import Form, FormTokens, read_form
from mistral_mcp.hosting.web.responses import client_address, error_status, secret_url
from mistral_mcp.hosting.web.test_calls import TestCall, can_test, run_test_call
from mistral_mcp.http.targets import base_url
from mistral_mcp.install.snippets import snippets
from mistral_mcp.selection import AllowedToolsets

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True)
class _View:
    """A connection, as `/manage` shows it after an action."""

    connection: Connection
    token: SecretStr
    action: str
    test_call: TestCall | None = None
    problem: str = ""


class Pages:
    """The pages, and the files they are made of."""

    paths = frozenset({"/", "/manage"})
    """These check by themselves where a form came from."""

    def __init__(self, tenancy: Tenancy) -> None:
        self.tenancy = tenancy
        self._settings = tenancy.settings

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.home, methods=["GET", "POST"]),
            Route("/manage", self.manage, methods=["GET", "POST"]),
            Mount("/static", _Static(directory=_HERE / "static"), name="static"),
        ]

    async def home(self, request: Request) -> Response:
        """A form; sent, the connection that it created."""
        if "json" in request.headers.get("content-type", ""):
            raise HTTPException(HTTPStatus.NOT_FOUND)  # an MCP client that was given the wrong path
        form = Form()
        if request.method != "POST":
            return self._connect_page(form)
        try:
            form = await read_form(request)
            form_id = self.form_tokens.verify(form.one("stamp"))
            issued = await self.tenancy.create(connection_request(form), client_address(request), form_id)
        except AlreadyCreated:
            return self.render("already.html", HTTPStatus.CONFLICT)
        except ValidationError as error:
            return self._connect_page(form, wrong_fields(error), HTTPStatus.UNPROCESSABLE_ENTITY)
        except MistralMcpError as error:
            return self._connect_page(form, self._problem(form, error), *error_status(error))
        return self._connection_page(request, _View(issued.connection, issued.token, "created"))

    async def manage(self, request: Request) -> Response:
        """A field for the secret URL; sent, the connection that it belongs to."""
        if request.method != "POST":
            return self.render("manage.html", problem="")
        try:
            form = await read_form(request)
            self.form_tokens.verify(form.one("stamp"))
            view = await self._act(request, find_token(form.one("token")), form)
        except MistralMcpError as error:
            status, headers = error_status(error)
            if isinstance(error, RefusedCredential):
                status = HTTPStatus.NOT_FOUND
            return self.render("manage.html", status, headers, problem=str(error))
        if view.action == "revoked":
            return self.render("revoked.html", connection=view.connection)
        return self._connection_page(request, view)

    async def secret_url(self, request: Request) -> Response:
        """What a person reads who opens a secret URL: whether it is live. It repeats nothing of that URL."""
        try:
            await self.tenancy.describe(SecretStr(request.path_params["token"]), client_address(request))
        except MistralMcpError as error:
            status, headers = error_status(error)
            if isinstance(error, RefusedCredential):
                status = HTTPStatus.NOT_FOUND
            return self.render("dead.html", status, headers, problem=str(error))
        return self.render("address.html", hosts=_places())

    async def endpoint(self, request: Request) -> Response:
        """What a person reads who opens /mcp."""
        url = base_url(self._settings, request) + "/mcp"
        return self.render("endpoint.html", url=url, byok=self._settings.byok)

    async def not_found(self, _: Request) -> Response:
        """What a person reads at a path of nothing."""
        return self.render("not_found.html", HTTPStatus.NOT_FOUND)

    async def privacy(self, _: Request) -> Response:
        """What this server stores, where its operator has no policy of their own."""
        return self.render(
            "privacy.html",
            unused_days=NEVER_USED_AFTER.days,
            ended_days=ENDED_AFTER.days,
            result_minutes=f"{self._settings.result_ttl:g}",
        )

    async def _act(self, request: Request, token: SecretStr, form: Form) -> _View:
        tenancy, address = self.tenancy, client_address(request)
        match form.one("do"):
            case "rotate":
                issued = await tenancy.rotate(token, address)
                return _View(issued.connection, issued.token, "rotated")
            case "revoke":
                connection = await tenancy.describe(token, address)
                await tenancy.revoke(token, address)
                return _View(connection, token, "revoked")
            case "try":
                test_call = await run_test_call(request.app, await tenancy.describe(token, address), token)
                await tenancy.vault.write_last_used()
                return _View(await tenancy.describe(token, address), token, "shown", test_call)
            case "change":
                return await self._change(token, form, address)
            case _:
                return _View(await tenancy.describe(token, address), token, "shown")

    async def _change(self, token: SecretStr, form: Form, address: str) -> _View:
        """What cannot be changed is said above the connection as it is."""
        problem = ""
        try:
            changes = connection_changes(form, AllowedToolsets.of(self._settings).allowed)
            await self.tenancy.update(token, changes, address)
        except ValidationError as error:
            problem = " ".join(wrong_fields(error).values())
        except (BadArgument, UpstreamError) as error:
            problem = str(error)
        connection = await self.tenancy.describe(token, address)
        return _View(connection, token, "shown" if problem else "changed", problem=problem)

    @cached_property
    def _templates(self) -> "Environment":
        from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - many serve no page, ever

        templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )
        templates.filters["day"] = _format_day
        return templates

    @property
    def form_tokens(self) -> FormTokens:
        return FormTokens(self.tenancy.vault.derive_keys("form stamps"))

    def render(
        self, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Response:
        # Behind a proxy the pages may begin at a path of its choice.
        root = urlsplit(self._settings.public_url or "").path
        shared = {"root": root, "stamp": self.form_tokens.issue()}
        text = self._templates.get_template(template).render(values | shared)
        return HTMLResponse(text, status, {**_HEADERS, **(headers or {})})

    def _connect_page(
        self,
        form: Form,
        problems: Mapping[str, str] | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """With what was typed, but for the secrets; problems by field, those of no field under ''."""
        bound = AllowedToolsets.of(self._settings)
        if form.fields:
            chosen = form.all("toolsets")
        else:
            chosen = bound.chosen
        toolsets = [(name, _join_titles(tools.titles(name))) for name in bound.allowed]
        return self.render(
            "connect.html",
            status,
            headers,
            toolsets=toolsets,
            chosen=chosen,
            typed=form.one,
            signup=self._settings.signup,
            problems=problems or {},
            always_read_only=bound.read_only,
        )

    def _connection_page(self, request: Request, view: _View) -> Response:
        url = secret_url(self._settings, request, view.token)
        bound = AllowedToolsets.of(self._settings)
        return self.render(
            "connection.html",
            HTTPStatus.UNPROCESSABLE_ENTITY if view.problem else HTTPStatus.OK,
            problem=view.problem,
            toolsets=bound.allowed,
            chosen=view.connection.toolsets or bound.allowed,
            always_read_only=bound.read_only,
            action=view.action,
            connection=view.connection,
            url=url,
            token=view.token.get_secret_value(),
            snippets=snippets(url),
            can_test=can_test(view.connection),
            test_call=view.test_call,
            local=not url.startswith("https://"),
        )

    def _problem(self, form: Form, error: MistralMcpError) -> dict[str, str]:
        """A sentence, beside the field that is to blame."""
        match error:
            case WrongField(field="api_key") if not form.one("api_key"):
                return {"api_key": NO_KEY}
            case WrongField():
                return {error.field: WRONG[error.field]}
            case InvalidApiKey() if not form.one("route"):
                return {"api_key": str(error)}
            case SignupRefused() if self._settings.signup == "code":
                return {"signup_code": str(error)}
            case _:
                return {"": str(error)}


def find_token(text: str) -> SecretStr:
    """In a secret URL, or alone."""
    _, prefix, rest = text.partition(TOKEN_PREFIX)
    token = "".join(character if character.isalnum() else " " for character in rest).partition(" ")[0]
    if not prefix or not token:
        raise BadArgument(
            "There is no address of this server's in that.", "Paste the whole secret URL, or its token."
        )
    return SecretStr(prefix + token)


def _join_titles(titles: Sequence[str]) -> str:
    return ", ".join([titles[0], *(title[:1].lower() + title[1:] for title in titles[1:])])


def _format_day(when: datetime | None) -> str:
    if when:
        return f"{when.day} {when:%B %Y}"
    return "never"


class _Static(StaticFiles):
    """Revalidated each time, and sent only when changed, so that no page meets the files of another version."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update({"cache-control": "no-cache", "x-content-type-options": "nosniff"})
        return response


def _places() -> list[tuple[str, str]]:
    """Clients, and where each takes an address."""
    return [(snippet.title, snippet.where) for snippet in snippets("https://") if snippet.language == "text"]
