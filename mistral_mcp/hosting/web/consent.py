"""The consent page: a person sees which client requests what, and grants it a new or an existing connection.

`/authorize` signs the request, and the form sends it back, so that no cookie and no stored state is needed. A client's name is
its own claim; what counts is the redirect host, which is shown next to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from mcp.server.auth.provider import construct_redirect_uri
from pydantic import SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from mistral_mcp.errors import InvalidApiKey, MistralMcpError, SignupRefused
from mistral_mcp.hosting.oauth.client_documents import is_document_url
from mistral_mcp.hosting.oauth.clients import Client, is_safe_redirect
from mistral_mcp.hosting.oauth.endpoints import OAuthEndpoints
from mistral_mcp.hosting.oauth.provider import ConsentRequest
from mistral_mcp.hosting.vault.connection import WrongField
from mistral_mcp.hosting.vault.sign_ins.grant_records import READ, SCOPES, WRITE, GrantRequest
from mistral_mcp.hosting.web.connect import ConnectionRequest, Tenancy
from mistral_mcp.hosting.web.forms import Form, read_form
from mistral_mcp.hosting.web.pages.manage_page import find_token
from mistral_mcp.hosting.web.pages.problems import describe
from mistral_mcp.hosting.web.pages.rendering import Renderer, language_of, texts_for
from mistral_mcp.hosting.web.pages.toolset_choices import offer_presets, preset_of, read_toolsets
from mistral_mcp.hosting.web.responses import client_address
from mistral_mcp.http.responses import error_status
from mistral_mcp.http.targets import base_url
from mistral_mcp.selection import AllowedToolsets

PATH = "/consent"
_LONGEST_NAME = 100


@dataclass(frozen=True)
class ConsentPage:
    """Agreeing creates a grant, and its authorization code goes back to the client."""

    oauth: OAuthEndpoints
    tenancy: Tenancy
    renderer: Renderer

    def routes(self) -> list[BaseRoute]:
        return [Route(PATH, self.consent, methods=["GET", "POST"])]

    async def consent(self, request: Request) -> Response:
        form = Form()
        try:
            if refused := request.query_params.get("refused"):
                return self._show_refusal(request, refused)
            if request.method == "POST":
                form = await read_form(request)
            signed = form.one("request") or request.query_params.get("request", "")
            asked = self.oauth.consent_requests.verify(signed)
            client = await self.oauth.clients.find(asked.client_id)
            if client is None or not is_safe_redirect(asked.redirect_uri):
                return self.renderer.render(request, "consent_gone.html", HTTPStatus.BAD_REQUEST)
        except MistralMcpError as error:
            return self.renderer.render(request, "consent_gone.html", *error_status(error))
        shown = _Shown(asked, client, signed, base_url(self.oauth.settings, request))
        if request.method != "POST":
            return await self._page(request, shown, form)
        if form.one("decision") != "allow":
            return _back(shown, error="access_denied", error_description="The person did not agree.")
        return await self._allow(request, shown, form)

    def _show_refusal(self, request: Request, signed: str) -> Response:
        """The page for a request that `/authorize` refused, with a link back to the client. Raises `StaleConsent`."""
        location = self.oauth.consent_requests.verify_answer(signed)
        parts = urlsplit(location)
        return self.renderer.render(
            request,
            "consent_refused.html",
            HTTPStatus.BAD_REQUEST,
            keep={"refused": signed},
            reason=dict(parse_qsl(parts.query)).get("error_description", ""),
            returns_to=parts.netloc,
            location=location,
        )

    async def _allow(self, request: Request, shown: "_Shown", form: Form) -> Response:
        try:
            self.renderer.form_tokens.verify(form.one("stamp"))
            code = await self._grant(request, shown, form)
        except ValidationError:
            problems = {"api_key": texts_for(request)["fields"]["api_key"]}
            return await self._page(request, shown, form, problems, HTTPStatus.UNPROCESSABLE_ENTITY)
        except MistralMcpError as error:
            status, headers = error_status(error)
            sentence = describe(error, language_of(request))
            return await self._page(request, shown, form, {_field(error, form): sentence}, status, headers)
        return _back(shown, code=code.get_secret_value())

    async def _grant(self, request: Request, shown: "_Shown", form: Form) -> SecretStr:
        """Create the grant, and return its code. Raises as `Tenancy.create`, or a `CredentialError`."""
        tenancy, address = self.tenancy, client_address(request)
        grant = shown.grant_request(form)
        if existing := form.one("token"):
            with tenancy.throttle.counting(address):
                return await tenancy.vault.grants.issue_code(find_token(existing), grant)
        key, signup_code = form.one("api_key"), form.one("signup_code")
        issued = await tenancy.create(
            ConnectionRequest(
                api_key=SecretStr(key) if key else None,
                label=grant.client_name,
                toolsets=read_toolsets(form, self._allowed_toolsets.allowed) or None,
                signup_code=SecretStr(signup_code) if signup_code else None,
            ),
            address,
        )
        # Nobody has seen the connection's own token: only the grant opens it.
        return await tenancy.vault.grants.issue_code(issued.token, grant, replaces=True)

    @property
    def _allowed_toolsets(self) -> AllowedToolsets:
        return AllowedToolsets.of(self.tenancy.settings)

    async def _page(
        self,
        request: Request,
        shown: "_Shown",
        form: Form,
        problems: Mapping[str, str] | None = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Response:
        # The form redirects to the client, and browsers apply form-action to redirects.
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            f"form-action 'self' {shown.form_action}; base-uri 'none'; frame-ancestors 'none'"
        )
        texts = texts_for(request)["consent"]
        presets = await offer_presets(self._allowed_toolsets)
        return self.renderer.render(
            request,
            "consent.html",
            status,
            {"content-security-policy": policy, **(headers or {})},
            keep={"request": shown.signed},
            name=shown.client_name or texts["no_name"],
            verified_host=shown.document_host,
            returns_to=shown.host or texts["the_app"].format(scheme=shown.form_action),
            presets=presets,
            preset=form.one("preset") or preset_of(self._allowed_toolsets.chosen, presets),
            may_write=WRITE in shown.asked.scopes,
            signed=shown.signed,
            signup=self.tenancy.settings.signup,
            uses_token=bool(form.one("token")),
            problems=problems or {},
        )


@dataclass(frozen=True)
class _Shown:
    asked: ConsentRequest
    client: Client
    signed: str
    issuer: str

    @property
    def client_name(self) -> str:
        """The client's own name, on one line; empty if it has none."""
        name = "".join(character for character in self.client.client_name or "" if character.isprintable())
        return name[:_LONGEST_NAME].strip()

    @property
    def document_host(self) -> str:
        """The host that vouches for the client; empty for one that registered itself."""
        if is_document_url(self.asked.client_id):
            return urlsplit(self.asked.client_id).netloc
        return ""

    @property
    def host(self) -> str:
        """The redirect host; empty for an app on the person's own machine."""
        parts = urlsplit(self.asked.redirect_uri)
        if parts.scheme in {"http", "https"}:
            return parts.netloc
        return ""

    @property
    def form_action(self) -> str:
        parts = urlsplit(self.asked.redirect_uri)
        if parts.scheme in {"http", "https"}:
            return f"{parts.scheme}://{parts.netloc}"
        return f"{parts.scheme}:"

    def grant_request(self, form: Form) -> GrantRequest:
        """The grant that the form allows, within the client's request."""
        if form.one("access") == "write":
            agreed = SCOPES
        else:
            agreed = (READ,)
        return GrantRequest(
            client_id=self.asked.client_id,
            client_name=self.client_name,
            redirect_uri=self.asked.redirect_uri,
            redirect_uri_explicit=self.asked.redirect_uri_explicit,
            code_challenge=self.asked.code_challenge,
            scopes=tuple(scope for scope in agreed if scope in self.asked.scopes) or (READ,),
            resource=self.asked.resource,
        )


def _back(shown: _Shown, **answer: str) -> Response:
    """Redirect to the client, with `state` and `iss`."""
    location = construct_redirect_uri(
        shown.asked.redirect_uri, **answer, state=shown.asked.state, iss=shown.issuer
    )
    return RedirectResponse(
        location, HTTPStatus.SEE_OTHER, {"cache-control": "no-store", "referrer-policy": "no-referrer"}
    )


def _field(error: MistralMcpError, form: Form) -> str:
    """The name of the invalid field."""
    match error:
        case WrongField() | InvalidApiKey():
            return "api_key"
        case SignupRefused():
            return "signup_code"
        case _ if form.one("token"):
            return "token"
        case _:
            return ""
