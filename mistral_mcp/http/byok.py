"""Bring your own key: the caller's Mistral key is in a header, is used for that request, and is never stored."""

from http import HTTPStatus

from starlette.requests import HTTPConnection

from mistral_mcp.credentials import KEY_HEADERS, Credentials, from_headers, is_token, validate_user_key
from mistral_mcp.errors import RefusedCredential
from mistral_mcp.http.endpoint import CredentialResolver
from mistral_mcp.settings import Settings


def key_resolver(settings: Settings) -> CredentialResolver:
    """Resolves the caller's own key, on a server without a vault."""

    async def resolve(request: HTTPConnection) -> Credentials:
        secret, source, _ = from_headers(request.headers, KEY_HEADERS)
        if is_token(secret):
            raise RefusedCredential(
                f"{source.capitalize()} holds a connection's token, and this server has no stored connections.",
                "Send your Mistral key instead.",
            )
        if not settings.byok:
            raise RefusedCredential("This server takes no Mistral keys.", "Ask its operator for a connection.")
        return validate_user_key(secret, source)

    return resolve


async def refuse_secret_url(_: HTTPConnection) -> Credentials:
    """The resolver of secret URLs on a server without a vault."""
    error = RefusedCredential("This server has no stored connections.", "Send your Mistral key to /mcp instead.")
    error.status = HTTPStatus.NOT_FOUND
    raise error
