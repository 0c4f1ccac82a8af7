"""Credentials of a request to an MCP endpoint: a connection's token or a caller's own key in a header, or a secret URL."""

from dataclasses import dataclass
from http import HTTPStatus

from pydantic import SecretStr
from starlette.requests import HTTPConnection

from mistral_mcp.credentials import Credentials, from_headers, is_token, own_key
from mistral_mcp.errors import AmbiguousCredential, MissingCredential, RefusedCredential, RevokedOrExpired
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.hosting.web.responses import client_address
from mistral_mcp.hosting.web.throttle import Throttle
from mistral_mcp.settings import Settings


@dataclass(frozen=True)
class Resolvers:
    """Refused credentials are rate-limited per client address, and get the status of the endpoint they were sent to."""

    settings: Settings
    vault: Vault
    throttle: Throttle

    async def by_header(self, request: HTTPConnection) -> Credentials:
        secret, source = from_headers(request.headers)
        with self.throttle.counting(client_address(request)):
            if is_token(secret):
                return await self._by_token(secret, HTTPStatus.UNAUTHORIZED, HTTPStatus.UNAUTHORIZED)
            if not self.settings.byok:
                raise RefusedCredential("This server takes no Mistral keys.", "Send a connection's token.")
            return own_key(secret, source)

    async def by_url(self, request: HTTPConnection) -> Credentials:
        """A header beside the secret URL must carry the same token, or none."""
        token = SecretStr(request.path_params["token"])
        if _other_credential(request, token):
            raise AmbiguousCredential(
                "The request carries another credential beside the secret URL.", "Send no header with this URL."
            )
        # Never 401: clients would look for a sign-in, and copy the token into other addresses on the way.
        with self.throttle.counting(client_address(request)):
            return await self._by_token(token, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)

    async def _by_token(self, token: SecretStr, unknown: HTTPStatus, ended: HTTPStatus) -> Credentials:
        try:
            return await self.vault.credentials(token, "this connection")
        except RevokedOrExpired as error:
            error.status = ended
            raise
        except RefusedCredential as error:
            error.status = unknown
            raise


def _other_credential(request: HTTPConnection, token: SecretStr) -> bool:
    try:
        secret, _ = from_headers(request.headers)
    except MissingCredential:
        return False
    except RefusedCredential:
        return True
    return secret != token
