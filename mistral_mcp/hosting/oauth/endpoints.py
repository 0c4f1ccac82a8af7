"""The endpoints that OAuth clients call: metadata, `/authorize`, `/token`, `/register`, `/revoke`.

The SDK's handlers do the work. Added here is what they lack: `iss` in error redirects (RFC 9207), the `resource` of a token
request (RFC 8707), and revocation by public clients (RFC 7009).
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from mcp.server.auth.handlers.authorize import AuthorizationHandler
from mcp.server.auth.handlers.register import RegistrationHandler
from mcp.server.auth.handlers.token import TokenHandler
from mcp.server.auth.middleware.client_auth import AuthenticationError, ClientAuthenticator
from mcp.server.auth.provider import construct_redirect_uri
from mcp.server.auth.settings import ClientRegistrationOptions
from mcp.server.transport_security import RequestBodyLimitMiddleware
from mcp.shared.auth import OAuthMetadata, ProtectedResourceMetadata
from pydantic import BaseModel, SecretStr
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, request_response
from starlette.types import ASGIApp

from mistral_mcp.errors import TooManyFailures
from mistral_mcp.hosting.oauth.clients import Clients, is_elsewhere
from mistral_mcp.hosting.oauth.provider import ConsentRequests, Provider
from mistral_mcp.hosting.vault.sign_ins.grant_records import SCOPES
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.http.targets import base_url
from mistral_mcp.settings import Settings

_LARGEST_BODY = 16 * 1024  # bytes
_AUTH_METHODS = ["none", "client_secret_post", "client_secret_basic"]

Handler = Callable[[Request], Awaitable[Response]]


def resource_url(settings: Settings, request: HTTPConnection) -> str:
    return f"{base_url(settings, request)}/mcp"


def challenge(settings: Settings, request: HTTPConnection, error: str = "") -> str:
    """`WWW-Authenticate` of a 401 or 403 on `/mcp`."""
    metadata = f"{base_url(settings, request)}/.well-known/oauth-protected-resource/mcp"
    parts = [f'resource_metadata="{metadata}"', f'scope="{" ".join(SCOPES)}"']
    if error:
        parts.insert(0, f'error="{error}"')
    return f"Bearer {', '.join(parts)}"


@dataclass(frozen=True)
class OAuthEndpoints:
    """The routes, over a vault and its clients."""

    settings: Settings
    vault: Vault
    clients: Clients
    count_registration: Callable[[HTTPConnection], None]
    """Raises `TooManyFailures` if the request's address registered too many clients."""
    may_fetch: Callable[[HTTPConnection], bool]
    """Counts a fetch of a client's document; False: there were too many for the request's address."""

    def routes(self) -> list[BaseRoute]:
        resource, server = "/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server"
        return [
            *(_open_route(path, self.resource_metadata, "GET") for path in (f"{resource}/mcp", resource)),
            *(_open_route(path, self.server_metadata, "GET") for path in (server, f"{server}/mcp")),
            Route("/authorize", _with_small_body(self.authorize), methods=["GET", "POST"]),
            _open_route("/token", self.token, "POST"),
            _open_route("/register", self.register, "POST"),
            _open_route("/revoke", self.revoke, "POST"),
        ]

    @property
    def consent_requests(self) -> ConsentRequests:
        return ConsentRequests(self.vault.derive_keys("oauth consent"))

    def provider(self, request: Request) -> Provider:
        resource = resource_url(self.settings, request)
        return Provider(
            self.clients, self.vault.grants, self.consent_requests, resource, partial(self.may_fetch, request)
        )

    async def resource_metadata(self, request: Request) -> Response:
        """RFC 9728."""
        base = base_url(self.settings, request)
        members: dict[str, object] = {
            "resource": f"{base}/mcp",
            "authorization_servers": [base],
            "scopes_supported": SCOPES,
            "resource_name": "mistral-mcp",
            "resource_documentation": base,
        }
        return _document(ProtectedResourceMetadata.model_validate(members))

    async def server_metadata(self, request: Request) -> Response:
        """RFC 8414."""
        base = base_url(self.settings, request)
        members: dict[str, object] = {
            "issuer": base,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "registration_endpoint": f"{base}/register",
            "revocation_endpoint": f"{base}/revoke",
            "scopes_supported": SCOPES,
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": _AUTH_METHODS,
            "revocation_endpoint_auth_methods_supported": _AUTH_METHODS,
            "code_challenge_methods_supported": ["S256"],
            "client_id_metadata_document_supported": True,
            "authorization_response_iss_parameter_supported": True,
            "ui_locales_supported": ["en", "fr"],
        }
        return _document(OAuthMetadata.model_validate(members))

    async def authorize(self, request: Request) -> Response:
        """Redirect to the consent page; errors go back to the client, with `iss`.

        Anybody may register an address: nobody is redirected to a web page without seeing its host first (RFC 9700, 4.11.2).
        """
        if request.method == "GET" and "client_id" not in request.query_params:
            endpoint = resource_url(self.settings, request)
            return _oauth_error("invalid_request", f"Clients send people here. Add {endpoint} to your MCP client.")
        await request.form()  # an invalid form is a 400 here; the SDK's handler would log an error
        answer = await AuthorizationHandler(self.provider(request)).handle(request)
        location = answer.headers.get("location", "")
        if not location or location.startswith("consent?"):
            return answer
        issuer = base_url(self.settings, request)
        location = construct_redirect_uri(location, iss=issuer)
        if is_elsewhere(location):
            location = f"consent?refused={self.consent_requests.sign_answer(location)}"
        return RedirectResponse(location, 302, {"cache-control": "no-store"})

    async def token(self, request: Request) -> Response:
        provider = self.provider(request)
        named = (await request.form()).get("resource")
        if isinstance(named, str) and named.rstrip("/") != provider.resource:
            return _oauth_error("invalid_target", f"This server's resource is {provider.resource}.")
        return await TokenHandler(provider, ClientAuthenticator(provider)).handle(request)

    async def register(self, request: Request) -> Response:
        try:
            self.count_registration(request)
        except TooManyFailures as error:
            answer = _oauth_error("invalid_client_metadata", str(error), error.status)
            answer.headers["retry-after"] = str(math.ceil(error.retry_after or 0))
            return answer
        options = ClientRegistrationOptions(enabled=True, valid_scopes=list(SCOPES), default_scopes=list(SCOPES))
        return await RegistrationHandler(self.provider(request), options).handle(request)

    async def revoke(self, request: Request) -> Response:
        """RFC 7009, with client authentication or as a public client; unknown tokens are not an error."""
        try:
            client = await ClientAuthenticator(self.provider(request)).authenticate_request(request)
        except AuthenticationError as error:
            return _oauth_error("invalid_client", error.message, 401)
        token = (await request.form()).get("token")
        if not isinstance(token, str):
            return _oauth_error("invalid_request", "token is missing.")
        await self.vault.grants.revoke(SecretStr(token), client.client_id)
        return Response(status_code=200, headers={"cache-control": "no-store"})


def _document(model: BaseModel) -> Response:
    return JSONResponse(model.model_dump(mode="json", exclude_none=True), headers={"cache-control": "max-age=300"})


def _oauth_error(error: str, description: str, status: int = 400) -> Response:
    body = {"error": error, "error_description": description}
    return JSONResponse(body, status, {"cache-control": "no-store"})


def _open_route(path: str, handler: Handler, method: str) -> Route:
    """A route with CORS for clients in web pages of any site: there are no cookies, and credentials are in the request."""
    headers = ["authorization", "content-type", "mcp-protocol-version"]
    open_to_all = CORSMiddleware(
        _with_small_body(handler), allow_origins=["*"], allow_methods=[method], allow_headers=headers
    )
    return Route(path, open_to_all, methods=[method, "OPTIONS"])


def _with_small_body(handler: Handler) -> ASGIApp:
    return RequestBodyLimitMiddleware(request_response(handler), _LARGEST_BODY)
