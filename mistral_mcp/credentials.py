"""Whose key is this request's.

A credential source is asked for every request, and answers for that request alone. On stdio it is `from_key`; on HTTP the
front (`http`) reads the headers with `from_headers`, once, and leaves what it found in the request's scope.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from mistral_mcp.errors import AmbiguousCredential, MissingCredential, RefusedCredential
from mistral_mcp.route import Route

SCOPE = "mistral_mcp.credentials"
"""Where the HTTP front leaves the request's credentials in the ASGI scope."""

HEADERS = ("X-Mistral-Api-Key", "X-API-Key", "Authorization")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one connection may do, and with whose key."""

    key: SecretStr | None
    """None where none was given; some routes pay otherwise."""
    source: str
    """In words an error can use: "MISTRAL_API_KEY", "the X-API-Key header"."""
    route: Route | None = None
    """The connection's own route; None: the operator's."""
    route_token: SecretStr | None = None
    toolsets: tuple[str, ...] | None = None
    """What the connection was limited to; None: not at all."""
    read_only: bool = False
    also_secret: tuple[SecretStr, ...] = field(default=())
    """Masked wherever the key is, and never sent: the token that stood for the key."""


CredentialSource = Callable[[HTTPConnection | None], Awaitable[Credentials]]
"""Gives the credentials of a request (None on stdio and in memory), or raises a `CredentialError`."""


def from_key(key: str | SecretStr | None) -> CredentialSource:
    """One key for the process: stdio."""
    text = (key.get_secret_value() if isinstance(key, SecretStr) else key or "").strip()
    # Some clients pass on a reference to a variable that is not set as it stands: `${MISTRAL_API_KEY}`.
    missing = not text or text.startswith("$")

    async def source(_: HTTPConnection | None) -> Credentials:
        return Credentials(None, "MISTRAL_API_KEY") if missing else own_key(SecretStr(text), "MISTRAL_API_KEY")

    return source


async def from_scope(request: HTTPConnection | None) -> Credentials:
    """What the HTTP front found for this very request."""
    credentials: Credentials | None = request.scope.get(SCOPE) if request is not None else None
    if credentials is None:
        raise MissingCredential(*_NONE)
    return credentials


def from_headers(headers: Headers) -> tuple[SecretStr, str]:
    """The one credential in a request's headers and the header it came in; of either kind, a key or a token of ours.

    Raises a `CredentialError` where there is none, more than one, or one that cannot be meant for us.
    """
    found: dict[str, str] = {}
    other_scheme = False
    for name in HEADERS:
        for value in headers.getlist(name):
            text = value.strip()
            if name == "Authorization":
                scheme, _, text = text.partition(" ")
                text = text.strip()
                if scheme.lower() != "bearer":
                    other_scheme = True
                    continue
            if text:
                found.setdefault(text, name)
    if len(found) > 1:
        raise AmbiguousCredential(
            "The request carries two different credentials.", f"Send one, in one of {', '.join(HEADERS)}."
        )
    if not found:
        if other_scheme:
            raise RefusedCredential("Authorization takes only the scheme Bearer.", _NONE[1])
        raise MissingCredential(*_NONE)
    [(text, name)] = found.items()
    return SecretStr(text), f"the {name} header"


_NONE = (
    "The request carries no credential.",
    (
        "Send your Mistral key as X-Mistral-Api-Key, X-API-Key or Authorization: Bearer, "
        "or a connection's token as X-API-Key or Authorization: Bearer."
    ),
)

# Shapes that belong to somebody else. A credential that strayed here must not travel on to Mistral.
_FOREIGN = re.compile(
    r"eyJ|gh[pousr]_|github_pat_|glpat-|sk-|sk_|pk_|rk_|aks_|AKIA|ASIA|AIza|ya29\.|xox[abeprs]-|hf_|npm_|pypi-|SG\.|dop_v1_"
)
_KEY = re.compile(r"[\x21-\x7e]{8,512}")
TOKEN_PREFIX = "mmcp_"  # noqa: S105 - the prefix of tokens, not one


def is_token(secret: SecretStr) -> bool:
    """Whether it is, or wants to be, a token of this server's vault: the prefix is reserved in any case."""
    return secret.get_secret_value()[: len(TOKEN_PREFIX)].lower() == TOKEN_PREFIX


def own_key(secret: SecretStr, source: str) -> Credentials:
    """A caller's own Mistral key, for this request and never stored."""
    text = secret.get_secret_value()
    if TOKEN_PREFIX in text.lower():
        raise RefusedCredential(
            f"What {source} carries holds a connection's token, which is no Mistral key, and was not sent on.",
            "Send a Mistral API key (from https://console.mistral.ai).",
        )
    if _FOREIGN.match(text):
        raise RefusedCredential(
            f"What {source} carries has the shape of another service's credential and was not sent on.",
            "Send a Mistral API key (from https://console.mistral.ai).",
        )
    if not _KEY.fullmatch(text):
        raise RefusedCredential(f"What {source} carries is not a key.", "Send a Mistral API key, without spaces.")
    return Credentials(secret, source)
