"""Grants: what a person let an OAuth client do with a connection.

A grant has three kinds of secret, and each is one more token of its connection: it wraps the connection's data key, and only
its digest is stored. The authorization code is good once, an access token for an hour, a refresh token until it is replaced.

A refresh token stays good until its successor is used, so that an answer lost on the way costs nobody the grant. One that
comes back after that was copied: the whole grant ends.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy
from pydantic import SecretStr
from sqlalchemy import Row, bindparam, insert, select, update

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import MistralMcpError, RefusedCredential, RevokedOrExpired
from mistral_mcp.hosting.vault import records, statements
from mistral_mcp.hosting.vault.cache import Found, LookupCache
from mistral_mcp.hosting.vault.database import Database
from mistral_mcp.hosting.vault.sealing import MasterKeys
from mistral_mcp.hosting.vault.tables import connections, grants, tokens
from mistral_mcp.hosting.vault.tokens import Token, new_token, parse_token

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
    """What a client asks for, and a person agreed to."""

    client_id: str
    client_name: str
    redirect_uri: str
    redirect_uri_explicit: bool
    """Whether the client sent it, or it was its only registered one."""
    code_challenge: str
    scopes: tuple[str, ...]
    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(GrantRequest):
    """One that was given."""

    id: str
    connection_id: str
    created_at: datetime
    ended_at: datetime | None
    expires_at: datetime | None
    """When the secret it was looked up by expires."""


@dataclass(frozen=True, slots=True)
class Issued:
    """New secrets of a grant, stored nowhere."""

    access: SecretStr
    refresh: SecretStr
    scopes: tuple[str, ...]


class UnknownToken(RefusedCredential):
    """Raised for what is no access token; it may be a connection's own."""


@dataclass(frozen=True, slots=True)
class _Given:
    """What a new secret belongs to, and the secret that it came of."""

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


class Grants:
    """The grants of a vault. Every method raises `VaultUnavailable` while the database is away."""

    def __init__(
        self,
        database: Database,
        ring: Callable[[], MasterKeys],
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._ring = ring
        self._now = now
        self._lookups = LookupCache(self._load, clock)

    async def issue_code(self, token: SecretStr, request: GrantRequest, *, replaces: bool = False) -> SecretStr:
        """A code for this grant. `token` opens the connection; `replaces`: nobody else has it, so it ends.

        Raises a `CredentialError`.
        """
        opener, code, now = parse_token(token), new_token(), self._now()
        grant_id = records.new_id()

        def work(database: sqlalchemy.Connection) -> None:
            with records.report_damage():
                row = statements.lock_live(database, opener, now)
                data_key = records.unseal_data_key(row, opener, self._ring())
            database.execute(insert(grants), _grant_row(grant_id, row.id, request, now))
            self._insert(
                database, "code", code, _Given(grant_id, row.id, "", request.scopes, request.resource), data_key
            )
            if replaces:
                ends = update(tokens).where(tokens.c.id == row.token_id)
                database.execute(ends.values(ended_at=now, wrapped_key=None))

        await self._database.write(work, erases=replaces)
        return code.text

    async def find(self, secret: SecretStr, kind: Kind) -> Grant | None:
        """The grant that this code or refresh token belongs to; None for one that is not good."""
        try:
            token = parse_token(secret)
        except RefusedCredential:
            return None
        row = await self._database.read(lambda database: _find(database, token, kind))
        if row is None:
            return None
        return _grant_of(row)

    async def redeem(self, secret: SecretStr, kind: Kind, scopes: tuple[str, ...] | None = None) -> Issued:
        """New secrets for a code, or for a refresh token. Raises `InvalidGrant`; one that was used before ends the grant."""
        old, now = parse_token(secret), self._now()
        access, refresh = new_token(), new_token()

        def work(database: sqlalchemy.Connection) -> tuple[str, ...] | None:
            row = _lock(database, old, kind)
            if row is None:
                raise InvalidGrant("It is unknown.")
            if row.ended_at is not None:
                _end_grant(database, row.grant_id, now)
                return None
            if problem := _why_dead(row, now):
                raise InvalidGrant(problem)
            data_key = self._unseal(row, old)
            granted = scopes or tuple(row.token_scopes.split())
            _end_predecessors(database, row, now)
            given = _Given(row.grant_id, row.id, row.token_id, granted, row.grant_resource)
            self._insert(database, "access", access, given, data_key)
            self._insert(database, "refresh", refresh, given, data_key)
            return granted

        granted = await self._database.write(work, erases=True)
        if granted is None:
            self._lookups.clear()
            raise InvalidGrant("It was used before, so everything that came of it was revoked.")
        return Issued(access.text, refresh.text, granted)

    async def credentials(self, token: SecretStr, resource: str) -> Found:
        """For every call with an access token. Raises a `CredentialError`, also where it is for another resource."""
        found = await self._lookups.find(parse_token(token))
        if found.resource != resource:
            raise RefusedCredential("The access token is for another server.", "Sign in again.")
        return found

    async def revoke(self, secret: SecretStr, client_id: str) -> None:
        """End the grant that an access or refresh token belongs to; nothing happens for what is unknown (RFC 7009)."""
        try:
            token = parse_token(secret)
        except RefusedCredential:
            return

        def work(database: sqlalchemy.Connection) -> None:
            row = _find(database, token, None)
            if row is not None and row.grant_client_id == client_id:
                _end_grant(database, row.grant_id, self._now())

        await self._database.write(work, erases=True)
        self._lookups.clear()

    async def revoke_by_id(self, connection_id: str, grant_id: str) -> None:
        """For the person who holds the connection."""

        def work(database: sqlalchemy.Connection) -> None:
            of_connection = select(grants.c.id).where(
                grants.c.id == grant_id, grants.c.connection_id == connection_id
            )
            if database.execute(of_connection).one_or_none() is not None:
                _end_grant(database, grant_id, self._now())

        await self._database.write(work, erases=True)
        self._lookups.clear()

    async def list_of(self, connection_id: str) -> list[Grant]:
        """Those that have not ended, oldest first."""
        live = select(grants).where(grants.c.connection_id == connection_id, grants.c.ended_at.is_(None))
        rows = await self._database.read(
            lambda database: database.execute(live.order_by(grants.c.created_at)).all()
        )
        return [_grant_of(row, prefix="") for row in rows]

    def forget(self, connection_id: str) -> None:
        """Drop what is known of a connection that changed."""
        self._lookups.forget(connection_id)

    def purge(self) -> None:
        self._lookups.purge()

    async def aclose(self) -> None:
        await self._lookups.aclose()

    async def _load(self, token: Token) -> Found:
        row = await self._database.read(lambda database: _find(database, token, "access"))
        if row is None:
            raise UnknownToken("The access token is unknown.", "Sign in again.")
        if problem := _why_dead(row, self._now()):
            raise RevokedOrExpired(problem, "Sign in again.")
        with records.report_damage():
            secrets = records.unseal_secrets(row, self._unseal(row, token))
            credentials = records.credentials_of(row, token, secrets)
        return Found(row.id, _limit_to_scopes(credentials, row.token_scopes.split()), row.grant_resource)

    def _unseal(self, row: Row[Any], token: Token) -> bytes:
        bound = _binding(row.kind, row.token_scopes, row.grant_resource, row.token_expires_at)
        return records.unseal_data_key(row, token, self._ring(), bound)

    def _insert(
        self,
        database: sqlalchemy.Connection,
        kind: Kind,
        token: Token,
        given: _Given,
        data_key: bytes,
    ) -> None:
        now, scopes = self._now(), " ".join(given.scopes)
        expires_at = now + LIFETIMES[kind]
        bound = _binding(kind, scopes, given.resource, expires_at)
        row = records.new_token_row(token, given.connection_id, data_key, self._ring(), now, bound)
        row |= {"kind": kind, "grant_id": given.grant_id, "parent_id": given.parent_id}
        database.execute(insert(tokens), row | {"scopes": scopes, "expires_at": expires_at})


def _end_predecessors(database: sqlalchemy.Connection, row: Row[Any], now: datetime) -> None:
    """A code ends when it is used. A refresh token that is used ends all others but those that came of itself."""
    ends = update(tokens).where(tokens.c.grant_id == row.grant_id, tokens.c.ended_at.is_(None))
    if row.kind == "code":
        ends = ends.where(tokens.c.id == row.token_id)
    else:
        ends = ends.where(
            tokens.c.kind == "refresh", tokens.c.id != row.token_id, tokens.c.parent_id != row.token_id
        )
    database.execute(ends.values(ended_at=now, wrapped_key=None))


def _binding(kind: str, scopes: str, resource: str, expires_at: datetime) -> tuple[str, ...]:
    """What a secret may be used for is sealed with it: who can write the database widens nothing."""
    return kind, scopes, resource, expires_at.astimezone(UTC).isoformat(timespec="microseconds")


def _limit_to_scopes(credentials: Credentials, scopes: list[str]) -> Credentials:
    if WRITE in scopes:
        return credentials
    return replace(credentials, read_only=True)


def _find(database: sqlalchemy.Connection, token: Token, kind: Kind | None) -> Row[Any] | None:
    row = database.execute(_BY_DIGEST, {"digest": token.digest}).one_or_none()
    if row is not None and kind in {None, row.kind}:
        return row
    return None


def _lock(database: sqlalchemy.Connection, token: Token, kind: Kind) -> Row[Any] | None:
    """The connection first, as everyone does."""
    of_token = select(tokens.c.connection_id).where(tokens.c.digest == token.digest)
    database.execute(select(connections.c.id).where(connections.c.id.in_(of_token)).with_for_update())
    return _find(database, token, kind)


def _why_dead(row: Row[Any], now: datetime) -> str:
    """Empty for what is good, and for what was used before, which is another matter."""
    for what, when in (
        ("The connection was revoked", row.revoked_at),
        ("The connection expired", row.expires_at),
        ("The grant was revoked", row.grant_ended_at),
        ("It expired", row.token_expires_at),
    ):
        if when is not None and when <= now:
            return f"{what} on {when:%Y-%m-%d at %H:%M} UTC."
    return ""


def _end_grant(database: sqlalchemy.Connection, grant_id: str, now: datetime) -> None:
    database.execute(
        update(grants).where(grants.c.id == grant_id, grants.c.ended_at.is_(None)).values(ended_at=now)
    )
    database.execute(update(tokens).where(tokens.c.grant_id == grant_id).values(ended_at=now, wrapped_key=None))


def _grant_row(grant_id: str, connection_id: str, request: GrantRequest, now: datetime) -> dict[str, Any]:
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


def _grant_of(row: Row[Any], prefix: str = "grant_") -> Grant:
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
    )
