"""OAuth clients: those that registered themselves (RFC 7591), and those whose id is the URL of a document about them.

Anybody may register, so a client's metadata is not trusted: its name is shown as its own claim, next to its redirect host.
"""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from mcp.server.auth.provider import RegistrationError
from mcp.shared.auth import InvalidRedirectUriError, InvalidScopeError, OAuthClientInformationFull
from pydantic import AnyUrl, SecretStr, ValidationError

from mistral_mcp.hosting.oauth.client_documents import ClientDocuments, Document, is_document_url
from mistral_mcp.hosting.vault.sign_ins.grant_records import SCOPES
from mistral_mcp.hosting.vault.sign_ins.registered_clients import (
    RegisteredClient,
    RegisteredClients,
    TooManyClients,
)
from mistral_mcp.route import LOOPBACK

_LONGEST_ID = 64
_MOST_ADDRESSES, _LONGEST_ADDRESS, _LONGEST_NAME = 10, 500, 100
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{1,60}")
_DANGEROUS_SCHEMES = frozenset("about blob data file ftp http javascript vbscript view-source ws wss".split())  # noqa: SIM905


class Client(OAuthClientInformationFull):
    """The SDK's client, but with loopback addresses on any port (RFC 8252, 7.3) and scopes that only clients know."""

    def validate_redirect_uri(self, redirect_uri: AnyUrl | None) -> AnyUrl:
        registered = self.redirect_uris or []
        if redirect_uri is not None and any(
            _without_port(redirect_uri) == _without_port(each) for each in registered
        ):
            return redirect_uri
        if redirect_uri is None and len(registered) == 1:
            return registered[0]
        raise InvalidRedirectUriError("This client has not registered the redirect_uri.")

    def validate_scope(self, requested_scope: str | None) -> list[str] | None:
        if requested_scope is None:
            return None
        requested = [scope for scope in requested_scope.split() if scope != "offline_access"]
        if not set(requested) <= set(SCOPES):
            raise InvalidScopeError(f"The scopes are {' and '.join(SCOPES)}.")
        return requested or None


class Clients:
    """Finds and registers clients."""

    def __init__(self, registered: RegisteredClients, documents: ClientDocuments) -> None:
        self._registered = registered
        self._documents = documents

    async def find(self, client_id: str, may_fetch: Callable[[], bool] = lambda: True) -> Client | None:
        """`may_fetch`: whether a document that is not cached may be fetched."""
        if is_document_url(client_id):
            return await self._fetch_client(client_id, may_fetch)
        if len(client_id) > _LONGEST_ID:
            return None
        found = await self._registered.find(client_id)
        if found is None:
            return None
        if found.secret:
            secret = found.secret.get_secret_value()
        else:
            secret = None
        return Client.model_validate_json(found.described).model_copy(update={"client_secret": secret})

    async def _fetch_client(self, url: str, may_fetch: Callable[[], bool]) -> Client | None:
        document = await self._documents.fetch(url, may_fetch)
        if document is None:
            return None
        try:
            return client_of(document)
        except (ValidationError, RegistrationError):
            return None

    async def register(self, client: OAuthClientInformationFull) -> None:
        """Raises `RegistrationError`."""
        check_client(client)
        described = client.model_dump_json(exclude={"client_secret"}, exclude_none=True)
        if client.client_secret:
            secret = SecretStr(client.client_secret)
        else:
            secret = None
        try:
            await self._registered.add(client.client_id, RegisteredClient(described, secret))
        except TooManyClients:
            raise RegistrationError(
                "invalid_client_metadata", "Too many clients are registered here; try again tomorrow."
            ) from None


def client_of(document: Document) -> Client:
    """The client that a metadata document describes. Raises `ValidationError` or `RegistrationError`.

    Only the used metadata counts: names and addresses. It has no secret, whatever the document says.
    """
    names = ("client_id", "client_name", "client_uri", "redirect_uris")
    used = {name: document[name] for name in names if name in document}
    client = Client.model_validate(used | {"token_endpoint_auth_method": "none", "scope": " ".join(SCOPES)})
    check_client(client)
    return client


def check_client(client: OAuthClientInformationFull) -> None:
    """Check sizes, and refuse addresses that a browser would execute. Raises `RegistrationError`."""
    addresses = client.redirect_uris or []
    if not 1 <= len(addresses) <= _MOST_ADDRESSES:
        raise RegistrationError("invalid_redirect_uri", f"redirect_uris has 1 to {_MOST_ADDRESSES} addresses.")
    for address in addresses:
        if not is_safe_redirect(str(address)):
            raise RegistrationError(
                "invalid_redirect_uri", "A redirect_uri is https, http on loopback, or a scheme of an app's own."
            )
    name = client.client_name or ""
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise RegistrationError(
            "invalid_client_metadata", f"client_name is one line of {_LONGEST_NAME} characters."
        )


def is_safe_redirect(address: str) -> bool:
    parts = urlsplit(address)
    if len(address) > _LONGEST_ADDRESS or parts.fragment or parts.username:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    if parts.scheme == "http":
        return parts.hostname in LOOPBACK
    return bool(_PRIVATE_SCHEME.fullmatch(parts.scheme)) and parts.scheme not in _DANGEROUS_SCHEMES


def is_elsewhere(address: str) -> bool:
    """Whether an address is a web page rather than a program on the person's own device."""
    parts = urlsplit(address)
    return parts.scheme in {"http", "https"} and parts.hostname not in LOOPBACK


def _without_port(address: AnyUrl) -> str:
    """The address without its port if it is loopback, where every port is the same."""
    parts = urlsplit(str(address))
    if parts.scheme == "http" and parts.hostname in LOOPBACK and "@" not in parts.netloc:
        return parts._replace(netloc=parts.hostname or "").geturl()
    return parts.geturl()
