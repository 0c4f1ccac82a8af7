"""The connect page: a form over the steps of `connect`, for a browser with or without JavaScript.

`/` takes a key and answers with the connection; `/manage` takes a secret URL and answers with what it is, and does what its
buttons say. There is no cookie and no redirect: a token is in the body of an answer, and nowhere else.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from mistral_mcp import tools
from mistral_mcp.credentials import TOKEN_PREFIX
from mistral_mcp.errors import BadArgument, InvalidApiKey, MistralMcpError, SignupRefused
from mistral_mcp.hosting.vault.records import WrongField
from mistral_mcp.hosting.vault.vault import AlreadyMade, Connection
from mistral_mcp.hosting.web import forms
from mistral_mcp.hosting.web.connect import Connect, NewConnection, status_of
from mistral_mcp.hosting.web.forms import Form, Stamps
from mistral_mcp.hosting.web.test_calls import Trial, can_try, try_out
from mistral_mcp.install.snippets import snippets
from mistral_mcp.selection import AllowedToolsets

if TYPE_CHECKING:
    from jinja2 import Environment

    from mistral_mcp.hosting.app import Hosted

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

# What a person reads beside a field whose value cannot be taken; in the order of the form.
_WRONG = {
    "api_key": "This does not look like a Mistral API key, and was not sent on. Keys come from console.mistral.ai.",
    "label": "A label is one line of at most 100 characters.",
    "expires_in_days": "Choose one of these.",
    "toolsets": "Choose at least one.",
    "route": "A Cloudflare route needs the account id and the gateway's name: letters, digits, - and _.",
    "route_token": "Lava needs its secret key here. A token without a route of your own has no use: leave it out.",
}
_NO_KEY = "Paste your Mistral API key here. Keys come from console.mistral.ai."


class Pages:
    """The pages, and the files they are made of."""

    paths = frozenset({"/", "/manage"})
    """These check by themselves where a form came from."""

    def __init__(self, hosted: "Hosted", connect: Connect) -> None:
        self._hosted = hosted
        self._connect = connect

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.home, methods=["GET", "POST"]),
            Route("/manage", self.manage, methods=["GET", "POST"]),
            Mount("/static", _Static(directory=_HERE / "static"), name="static"),
        ]

    async def home(self, request: Request) -> Response:
        """A form; sent, the connection that it made."""
        if request.method != "POST":
            return self._form(Form())
        form = Form()
        try:
            form = await forms.read(request)
            form_id = self._stamps.check(form.one("stamp"))
            created = await self._connect.make(request, _asked(form), form_id)
        except AlreadyMade:
            return self._page("already.html", 409)
        except (MistralMcpError, ValidationError) as error:
            status, headers = status_of(error) if isinstance(error, MistralMcpError) else (422, {})
            return self._form(form, self._problems(form, error), status, headers)
        return self._connection(request, created.connection, created.token, "made")

    async def manage(self, request: Request) -> Response:
        """A field for the secret URL; sent, the connection that it belongs to."""
        if request.method != "POST":
            return self._page("manage.html", problem="")
        done, tried, vault = "shown", None, self._hosted.vault
        try:
            form = await forms.read(request)
            self._stamps.check(form.one("stamp"))
            token = _token_in(form.one("token"))
            with self._hosted.guarding(request, ended=410, unknown=404):
                connection = await vault.describe(token)
                match form.one("do"):
                    case "rotate":
                        created, done = await vault.rotate(token), "rotated"
                        token, connection = created.token, created.connection
                    case "revoke":
                        await vault.revoke(token)
                        done = "revoked"
                    case "try":
                        tried = await try_out(request.app, connection, token)
                        await vault.write_last_used()
                        connection = await vault.describe(token)
                    case _:
                        pass
        except MistralMcpError as error:
            return self._page("manage.html", *status_of(error), problem=str(error))
        if done != "shown":
            self._hosted.metrics.connections.labels(done).inc()
        if done == "revoked":
            return self._page("revoked.html", connection=connection)
        return self._connection(request, connection, token, done, tried)

    def address(self) -> Response:
        """What a person reads who opens a secret URL. It repeats nothing of that URL."""
        hosts = [(snippet.title, snippet.where) for snippet in snippets("https://") if snippet.language == "text"]
        return self._page("address.html", hosts=hosts)

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
        templates.filters["day"] = _day
        return templates

    @property
    def _stamps(self) -> Stamps:
        return Stamps(self._hosted.vault.keys_for("form stamps"))

    def _page(
        self, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Response:
        # Behind a proxy the pages may begin at a path of its choice.
        root = urlsplit(self._hosted.settings.public_url or "").path
        text = self._templates.get_template(template).render(values | {"root": root, "stamp": self._stamps.new()})
        return HTMLResponse(text, status, {**_HEADERS, **(headers or {})})

    def _form(
        self,
        form: Form,
        problems: Mapping[str, str] | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """With what was typed, but for the secrets; problems by field, those of no field under ''."""
        bound = AllowedToolsets.of(self._hosted.settings)
        chosen = form.all("toolsets") if form.fields else bound.chosen
        toolsets = [(name, _listed(tools.titles(name))) for name in bound.allowed]
        return self._page(
            "connect.html",
            status,
            headers,
            toolsets=toolsets,
            chosen=chosen,
            typed=form.one,
            signup=self._hosted.settings.signup,
            problems=problems or {},
            always_read_only=bound.read_only,
        )

    def _connection(
        self, request: Request, connection: Connection, token: SecretStr, done: str, tried: Trial | None = None
    ) -> Response:
        url = self._connect.url(request, token)
        return self._page(
            "connection.html",
            done=done,
            connection=connection,
            url=url,
            token=token.get_secret_value(),
            snippets=snippets(url),
            can_try=can_try(connection),
            tried=tried,
            local=not url.startswith("https://"),
        )

    def _problems(self, form: Form, error: MistralMcpError | ValidationError) -> dict[str, str]:
        """A sentence for each field that is to blame."""
        match error:
            case ValidationError():
                fields = {str(detail["loc"][0]) for detail in error.errors(include_url=False, include_input=False)}
                return {name: sentence for name, sentence in _WRONG.items() if name in fields}
            case WrongField(field="api_key") if not form.one("api_key"):
                return {"api_key": _NO_KEY}
            case WrongField():
                return {error.field: _WRONG[error.field]}
            case InvalidApiKey() if not form.one("route"):
                return {"api_key": str(error)}
            case SignupRefused() if self._hosted.settings.signup == "code":
                return {"signup_code": str(error)}
            case _:
                return {"": str(error)}


def _asked(form: Form) -> NewConnection:
    """Raises `ValidationError`. What was left empty was not asked for."""
    route = form.one("route")
    if route.startswith("cloudflare"):
        route = f"{route}://{form.one('route_account')}/{form.one('route_gateway')}"
    texts = {name: form.one(name) for name in ("api_key", "label", "expires_in_days", "route_token", "signup_code")}
    given: dict[str, Any] = {name: text for name, text in (texts | {"route": route}).items() if text}
    return NewConnection(toolsets=tuple(form.all("toolsets")), read_only=bool(form.one("read_only")), **given)


def _token_in(text: str) -> SecretStr:
    """Out of a secret URL, or alone."""
    _, prefix, rest = text.partition(TOKEN_PREFIX)
    token = "".join(character if character.isalnum() else " " for character in rest).partition(" ")[0]
    if not prefix or not token:
        raise BadArgument("There is no address of this server's in that.", "Paste the whole secret URL, or its token.")
    return SecretStr(prefix + token)


def _listed(titles: Sequence[str]) -> str:
    """One phrase of them."""
    return ", ".join([titles[0], *(title[:1].lower() + title[1:] for title in titles[1:])])


def _day(when: datetime | None) -> str:
    return f"{when.day} {when:%B %Y}" if when else "never"


class _Static(StaticFiles):
    """Asked for anew each time, and sent only when changed, so that no page meets the files of another version."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update({"cache-control": "no-cache", "x-content-type-options": "nosniff"})
        return response
