"""Credentials of a request to an MCP endpoint: a connection's token or a caller's own key in a header, or a secret URL."""

import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import SecretStr
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from mistral_mcp import tools
from mistral_mcp.credentials import (
    KEY_HEADERS,
    Credentials,
    find_in_headers,
    from_headers,
    is_token,
    validate_user_key,
)
from mistral_mcp.credentials import SCOPE as CREDENTIALS
from mistral_mcp.errors import (
    AmbiguousCredential,
    CredentialError,
    InsufficientScope,
    MissingCredential,
    RefusedCredential,
    RevokedOrExpired,
    TooManyFailures,
)
from mistral_mcp.hosting.oauth.endpoints import challenge, resource_url
from mistral_mcp.hosting.vault.sign_ins.grant_records import UnknownToken
from mistral_mcp.hosting.vault.tokens import parse_token
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.hosting.web.responses import client_address
from mistral_mcp.hosting.web.running import TOKEN_DIGEST
from mistral_mcp.hosting.web.throttle import Throttle
from mistral_mcp.http.endpoint import TOOL
from mistral_mcp.http.responses import error_response
from mistral_mcp.mistral.transports.refused_keys import RefusedKeys
from mistral_mcp.settings import Settings


@dataclass(frozen=True)
class Resolvers:
    """Refused credentials are rate-limited per client address, and get the status that fits the endpoint."""

    settings: Settings
    vault: Vault
    refused_keys: RefusedKeys
    throttle: Throttle

    async def by_header(self, request: HTTPConnection) -> Credentials:
        """Credentials from a header. With OAuth, a refusal says where to sign in."""
        try:
            return await self._by_header(request)
        except CredentialError as error:
            if self.settings.oauth and error.status == HTTPStatus.UNAUTHORIZED:
                if isinstance(error, MissingCredential):
                    problem = ""
                else:
                    problem = "invalid_token"
                error.challenge = challenge(self.settings, request, problem)
            raise

    async def _by_header(self, request: HTTPConnection) -> Credentials:
        secret, source, is_bearer = from_headers(request.headers, _accepted_credentials(self.settings))
        address = client_address(request)
        with self.throttle.counting(address):
            if is_token(secret) and self.settings.oauth and is_bearer:
                return await self._by_access_token(request, secret)
            if is_token(secret):
                return await self._by_token(request, secret, HTTPStatus.UNAUTHORIZED, HTTPStatus.UNAUTHORIZED)
            if not self.settings.byok:
                raise RefusedCredential("This server takes no Mistral keys.", "Send a connection's token.")
            if is_bearer and self.settings.oauth:
                raise RefusedCredential(
                    "Authorization takes this server's own tokens only, and its value is not one.",
                    "Send a Mistral key as X-Mistral-Api-Key.",
                )
            credentials = validate_user_key(secret, source)
        if not self.refused_keys.is_accepted(secret):
            self.throttle.check(address)
        return credentials

    async def _by_access_token(self, request: HTTPConnection, token: SecretStr) -> Credentials:
        """Credentials of a grant, or else of a connection."""
        try:
            resource = resource_url(self.settings, request)
            credentials = await self.vault.granted_credentials(token, resource, "this connection")
        except UnknownToken:
            return await self._by_token(request, token, HTTPStatus.UNAUTHORIZED, HTTPStatus.UNAUTHORIZED)
        except RevokedOrExpired as error:
            error.status = HTTPStatus.UNAUTHORIZED
            raise
        request.scope[TOKEN_DIGEST] = parse_token(token).digest
        return credentials

    async def by_url(self, request: HTTPConnection) -> Credentials:
        """Credentials from a secret URL; a header must have the same token, or none."""
        token = SecretStr(request.path_params["token"])
        beside = find_in_headers(request.headers)
        if beside is not None and beside.secret != token:
            raise AmbiguousCredential(
                "The request has another credential in a header.",
                "Send no credentials in headers with a secret URL.",
            )
        # Never 401: clients would start a sign-in, and copy the token into other URLs.
        with self.throttle.counting(client_address(request)):
            return await self._by_token(request, token, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)

    def ask_for_scope(self, app: ASGIApp) -> ASGIApp:
        """Middleware: a call beyond the scope of its access token gets a challenge with the needed scope."""

        async def check_scope(scope: Scope, receive: Receive, send: Send) -> None:
            credentials: Credentials = scope[CREDENTIALS]
            if not (credentials.may_step_up and _is_writing_tool(scope[TOOL])):
                await app(scope, receive, send)
                return
            error = InsufficientScope(
                "This access token may only read and compute.", "Sign in again, and allow everything."
            )
            error.challenge = challenge(self.settings, HTTPConnection(scope), "insufficient_scope")
            await error_response(error)(scope, receive, send)

        return check_scope

    def count_refused_keys(self, app: ASGIApp) -> ASGIApp:
        """Middleware: counts callers' own keys that Mistral refuses as failures of the client's address."""

        async def count_refusals(scope: Scope, receive: Receive, send: Send) -> None:
            credentials: Credentials = scope[CREDENTIALS]
            began = time.monotonic()
            try:
                await app(scope, receive, send)
            finally:
                if credentials.key is not None and self.refused_keys.refused_since(credentials.key, began):
                    with suppress(TooManyFailures):
                        self.throttle.fail(client_address(HTTPConnection(scope)), "InvalidApiKey")

        return count_refusals

    async def _by_token(
        self, request: HTTPConnection, token: SecretStr, unknown: HTTPStatus, ended: HTTPStatus
    ) -> Credentials:
        try:
            credentials = await self.vault.credentials(token, "this connection")
        except RevokedOrExpired as error:
            error.status = ended
            raise
        except RefusedCredential as error:
            error.status = unknown
            raise
        request.scope[TOKEN_DIGEST] = parse_token(token).digest
        return credentials


def _accepted_credentials(settings: Settings) -> str:
    """The accepted credentials as advice; a raw key as Bearer only if OAuth is off."""
    connection = "a connection's token as X-API-Key or Authorization: Bearer."
    if not settings.byok:
        advice = f"Send {connection}"
    elif settings.oauth:
        advice = f"Send your Mistral key as X-Mistral-Api-Key or X-API-Key, or {connection}"
    else:
        advice = f"{KEY_HEADERS[:-1]}, or {connection}"
    if settings.oauth:
        return f"{advice} Or sign in, if your client can."
    return advice


def _is_writing_tool(name: str) -> bool:
    every = tuple(tools.TOOLSETS)
    writing = tools.names(every, read_only=False) - tools.names(every, read_only=True)
    return name in writing
