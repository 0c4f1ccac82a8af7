"""Credentials of a request: whose Mistral key it uses.

A credential source is called for every request, and its result holds for that request alone. On stdio it is `from_key`; on
HTTP the endpoint (`http`) reads the headers once, with `from_headers`, and stores the credentials in the request's ASGI scope.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from mistral_mcp.errors import AmbiguousCredential, MissingCredential, RefusedCredential
from mistral_mcp.route import Route

SCOPE = "mistral_mcp.credentials"
"""Key of the ASGI scope under which the HTTP endpoint stores the request's credentials."""

HEADERS = ("X-Mistral-Api-Key", "X-API-Key", "Authorization")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one connection may do, and with whose key."""

    key: SecretStr | None
    """None where the request has none; some routes pay with their own token."""
    source: str
    """Where the key came from, as errors name it: "MISTRAL_API_KEY", "the X-API-Key header"."""
    route: Route | None = None
    """The connection's own route; None: the operator's."""
    route_token: SecretStr | None = None
    toolsets: tuple[str, ...] | None = None
    """Toolsets the connection is limited to; None: no limit."""
    read_only: bool = False
    may_step_up: bool = False
    """Whether only the scope of an OAuth access token makes it read-only."""
    connection_id: str | None = None
    """Id of the vault's connection; None for a caller's own key."""
    budget_usd: float | None = None
    """The connection's own monthly budget in US dollars; None: it has none."""
    budget_calls_per_day: int | None = None
    also_secret: tuple[SecretStr, ...] = field(default=())
    """The token that was exchanged for the key: masked wherever the key is, and never sent upstream."""


CredentialSource = Callable[[HTTPConnection | None], Awaitable[Credentials]]
"""Returns the credentials of a request (None on stdio and in memory), or raises a `CredentialError`."""


def from_key(key: str | SecretStr | None) -> CredentialSource:
    """One key for the process: stdio."""
    text = strip_quotes(key.get_secret_value() if isinstance(key, SecretStr) else key or "")

    async def source(_: HTTPConnection | None) -> Credentials:
        if text:
            return validate_user_key(SecretStr(text), "MISTRAL_API_KEY")
        return Credentials(None, "MISTRAL_API_KEY")

    return source


async def from_scope(request: HTTPConnection | None) -> Credentials:
    """The credentials that the HTTP endpoint stored for this request."""
    credentials: Credentials | None = request.scope.get(SCOPE) if request is not None else None
    if credentials is None:
        raise MissingCredential(_NONE, KEY_HEADERS)
    return credentials


class HeaderCredential(NamedTuple):
    """A credential as it was received: a Mistral key or one of our tokens."""

    secret: SecretStr
    source: str
    """The header, as errors name it: "the X-API-Key header"."""
    is_bearer: bool


def find_in_headers(headers: Headers) -> HeaderCredential | None:
    """The one credential in a request's headers. Raises `AmbiguousCredential` if several differ."""
    found: dict[str, str] = {}
    for name in HEADERS:
        for value in headers.getlist(name):
            if name == "Authorization":
                text = _bearer_token(value)
            else:
                text = strip_quotes(value)
            if text:
                found.setdefault(text, name)
    if len(found) > 1:
        raise AmbiguousCredential(
            "The request carries two different credentials.", f"Send one, in one of {', '.join(HEADERS)}."
        )
    for text, name in found.items():
        return HeaderCredential(SecretStr(text), f"the {name} header", name == "Authorization")
    return None


def from_headers(headers: Headers, advice: str) -> HeaderCredential:
    """Like `find_in_headers`, but also raises a `CredentialError`, with this advice, if there is none."""
    if credential := find_in_headers(headers):
        return credential
    if headers.get("Authorization", "").partition(" ")[0].lower() not in {"", "bearer"}:
        raise RefusedCredential("Authorization takes only the scheme Bearer.", advice)
    raise MissingCredential(_NONE, advice)


def _bearer_token(authorization: str) -> str:
    scheme, _, text = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return strip_quotes(text)
    return ""


def strip_quotes(text: str) -> str:
    """A value without the quotes that some configuration left around it."""
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`"
    if quoted:
        return text[1:-1].strip()
    return text


_NONE = "The request carries no credential."
KEY_HEADERS = "Send your Mistral key as X-Mistral-Api-Key, X-API-Key or Authorization: Bearer."

# Prefixes of other services' credentials. One that was sent here by mistake must not be forwarded to Mistral.
_FOREIGN = re.compile(
    r"eyJ|gh[pousr]_|github_pat_|glpat-|sk-|sk_|pk_|rk_|aks_|AKIA|ASIA|AIza|ya29\.|xox[abeprs]-|hf_|npm_|pypi-|SG\.|dop_v1_"
)
# Placeholders that a client or a person left in place of a key.
_PLACEHOLDER = re.compile(
    r"""\$.*|%\w+%|\{\{.*\}\}|<.*>|\[.*\]|(?:env|input|secrets?|process\.env)[:.].*|undefined|null|none|changeme|x{3,}"""
    r"""|\.{3,}|(?:\w+_)?api[-_ ]?key|(?:your|my|insert|paste|enter|replace)[-_ ].*(?:key|token|here|me).*""",
    re.IGNORECASE | re.DOTALL,
)
_KEY = re.compile(r"[\x21-\x7e]{8,512}")
_SHORTEST_KEY = 8
_SEND_A_KEY = "Send a Mistral API key (from https://console.mistral.ai)."
TOKEN_PREFIX = "mmcp_"  # noqa: S105 - the prefix of tokens, not one


def is_token(secret: SecretStr) -> bool:
    """Whether it has the prefix of this server's tokens, in upper or lower case."""
    return secret.get_secret_value()[: len(TOKEN_PREFIX)].lower() == TOKEN_PREFIX


def validate_user_key(secret: SecretStr, source: str) -> Credentials:
    """A caller's own Mistral key, for this request and never stored. Raises `RefusedCredential` if it cannot be one."""
    text = secret.get_secret_value()
    if _PLACEHOLDER.fullmatch(text):
        raise RefusedCredential(
            f"The value of {source} is a placeholder: a variable in it was not expanded.",
            "Set that variable where the MCP client runs, or put the Mistral API key itself there.",
        )
    if TOKEN_PREFIX in text.lower():
        raise RefusedCredential(
            f"The value of {source} holds a connection's token, which is not a Mistral key. It was not forwarded.",
            _SEND_A_KEY,
        )
    if _FOREIGN.match(text):
        raise RefusedCredential(
            f"The value of {source} looks like another service's credential. It was not forwarded.",
            _SEND_A_KEY,
        )
    if not _KEY.fullmatch(text):
        raise RefusedCredential(f"The value of {source} is not a key.", _how_to_send(text))
    return Credentials(secret, source)


def _how_to_send(text: str) -> str:
    if text.lower().startswith("bearer "):
        return 'Send the Mistral API key alone, without "Bearer".'
    if len(text) < _SHORTEST_KEY:
        return "It is too short: send the whole Mistral API key."
    return "Send a Mistral API key, without spaces."
