"""Grants as values and as rows: when their secrets end, and what these are bound to."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy
from pydantic import SecretStr
from sqlalchemy import Row, bindparam, select, update

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import MistralMcpError, RefusedCredential
from mistral_mcp.hosting.vault.tables import connections, grants, tokens
from mistral_mcp.hosting.vault.tokens import Token

Kind = Literal["code", "access", "refresh"]

LIFETIMES: dict[Kind, timedelta] = {
    "code": timedelta(minutes=2),
    "access": timedelta(hours=1),
    "refresh": timedelta(days=60),
}
READ, WRITE = "mistral:read", "mistral:write"
SCOPES = (READ, WRITE)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRequest:
    """What a client requested, and a person agreed to."""

    client_id: str
    client_name: str
    redirect_uri: str
    redirect_uri_explicit: bool
    """Whether the client sent `redirect_uri`; else it is its only registered one."""
    code_challenge: str
    scopes: tuple[str, ...]
    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(GrantRequest):
    """A stored grant."""

    id: str
    connection_id: str
    created_at: datetime
    ended_at: datetime | None
    expires_at: datetime | None
    """When the secret it was looked up by expires."""
    renewed_at: datetime | None = None
    """When its client last got a token, which is at most an hour before each use; None if not looked up."""


@dataclass(frozen=True, slots=True)
class Issued:
    """New secrets of a grant, stored nowhere."""

    access: SecretStr
    refresh: SecretStr
    scopes: tuple[str, ...]


class UnknownToken(RefusedCredential):
    """Raised for an unknown access token; it may be a connection's own token."""


@dataclass(frozen=True, slots=True)
class Given:
    """The grant of a new secret, and the secret that it replaces."""

    grant_id: str
    connection_id: str
    parent_id: str
    scopes: tuple[str, ...]
    resource: str


class InvalidGrant(MistralMcpError):
    """Raised for a code or refresh token that is unknown, expired or used; `error_description` of the answer."""


_BY_DIGEST = (
    select(
        connections,
        tokens.c.id.label("token_id"),
        tokens.c.digest,
        tokens.c.wrapped_key,
        tokens.c.master_key,
        tokens.c.kind,
        tokens.c.ended_at,
        tokens.c.expires_at.label("token_expires_at"),
        tokens.c.scopes.label("token_scopes"),
        *(grants.c[name].label(f"grant_{name}") for name in grants.c.keys()),  # noqa: SIM118 - no dictionary
    )
    .join_from(tokens, connections)
    .join(grants, grants.c.id == tokens.c.grant_id)
    .where(tokens.c.digest == bindparam("digest"))
)


def end_predecessors(database: sqlalchemy.Connection, row: Row[Any], now: datetime) -> None:
    """A code ends when it is used. A used refresh token ends all others except its own successors."""
    ends = update(tokens).where(tokens.c.grant_id == row.grant_id, tokens.c.ended_at.is_(None))
    if row.kind == "code":
        ends = ends.where(tokens.c.id == row.token_id)
    else:
        ends = ends.where(
            tokens.c.kind == "refresh", tokens.c.id != row.token_id, tokens.c.parent_id != row.token_id
        )
    database.execute(ends.values(ended_at=now, wrapped_key=None))


def binding(kind: str, scopes: str, resource: str, expires_at: datetime) -> tuple[str, ...]:
    """The context that binds a secret to its permissions: write access to the database cannot widen them."""
    return kind, scopes, resource, expires_at.astimezone(UTC).isoformat(timespec="microseconds")


def limit_to_scopes(credentials: Credentials, scopes: list[str]) -> Credentials:
    if WRITE in scopes:
        return credentials
    return replace(credentials, read_only=True, may_step_up=not credentials.read_only)


def find_secret(database: sqlalchemy.Connection, token: Token, kind: Kind | None) -> Row[Any] | None:
    row = database.execute(_BY_DIGEST, {"digest": token.digest}).one_or_none()
    if row is not None and kind in {None, row.kind}:
        return row
    return None


def lock_secret(database: sqlalchemy.Connection, token: Token, kind: Kind) -> Row[Any] | None:
    """Lock the secret's row; the connection first, as all transactions do."""
    of_token = select(tokens.c.connection_id).where(tokens.c.digest == token.digest)
    database.execute(select(connections.c.id).where(connections.c.id.in_(of_token)).with_for_update())
    return find_secret(database, token, kind)


def why_dead(row: Row[Any], now: datetime) -> str:
    """Why a secret is invalid; empty if it is valid, or if it was used before, which is handled elsewhere."""
    for what, when in (
        ("The connection was revoked", row.revoked_at),
        ("The connection expired", row.expires_at),
        ("The grant was revoked", row.grant_ended_at),
        ("It expired", row.token_expires_at),
    ):
        if when is not None and when <= now:
            return f"{what} on {when:%Y-%m-%d at %H:%M} UTC."
    return ""


def end_grant(database: sqlalchemy.Connection, grant_id: str, now: datetime) -> None:
    database.execute(
        update(grants).where(grants.c.id == grant_id, grants.c.ended_at.is_(None)).values(ended_at=now)
    )
    database.execute(update(tokens).where(tokens.c.grant_id == grant_id).values(ended_at=now, wrapped_key=None))


def grant_row(grant_id: str, connection_id: str, request: GrantRequest, now: datetime) -> dict[str, Any]:
    return {
        "id": grant_id,
        "connection_id": connection_id,
        "client_id": request.client_id,
        "client_name": request.client_name,
        "redirect_uri": request.redirect_uri,
        "redirect_uri_explicit": request.redirect_uri_explicit,
        "code_challenge": request.code_challenge,
        "scopes": " ".join(request.scopes),
        "resource": request.resource,
        "created_at": now,
    }


def grant_of(row: Row[Any], prefix: str = "grant_") -> Grant:
    def value(name: str) -> Any:
        return getattr(row, prefix + name)

    return Grant(
        id=value("id"),
        connection_id=value("connection_id"),
        client_id=value("client_id"),
        client_name=value("client_name"),
        redirect_uri=value("redirect_uri"),
        redirect_uri_explicit=value("redirect_uri_explicit"),
        code_challenge=value("code_challenge"),
        scopes=tuple(value("scopes").split()),
        resource=value("resource"),
        created_at=value("created_at"),
        ended_at=value("ended_at"),
        expires_at=getattr(row, "token_expires_at", None),
        renewed_at=getattr(row, "renewed_at", None),
    )
