"""Grants: what a person allowed an OAuth client to do with a connection.

A grant has three kinds of secret, and each is one more token of its connection: it wraps the connection's data key, and only
its digest is stored. The authorization code is valid once, an access token for an hour, a refresh token until it is replaced.

A refresh token stays valid until its successor is used, so that a lost response does not end the grant. If it is used after
that, it was copied: the whole grant is revoked.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy
from pydantic import SecretStr
from sqlalchemy import Row, func, insert, select, update

from mistral_mcp.errors import RefusedCredential, RevokedOrExpired
from mistral_mcp.hosting.vault import records, statements
from mistral_mcp.hosting.vault.cache import Found, LookupCache
from mistral_mcp.hosting.vault.connection import new_id
from mistral_mcp.hosting.vault.database import Database
from mistral_mcp.hosting.vault.sealing import MasterKeys
from mistral_mcp.hosting.vault.sign_ins.grant_records import (
    LIFETIMES,
    Given,
    Grant,
    GrantRequest,
    InvalidGrant,
    Issued,
    Kind,
    UnknownToken,
    binding,
    end_grant,
    end_predecessors,
    find_secret,
    grant_of,
    grant_row,
    limit_to_scopes,
    lock_secret,
    why_dead,
)
from mistral_mcp.hosting.vault.tables import grants, tokens
from mistral_mcp.hosting.vault.tokens import Token, new_token, parse_token


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
        """Issue a code for this grant. `token` opens the connection; `replaces`: nobody else has the token, so it is revoked.

        Raises a `CredentialError`.
        """
        opener, code, now = parse_token(token), new_token(), self._now()
        grant_id = new_id()

        def work(database: sqlalchemy.Connection) -> None:
            with records.report_damage():
                row = statements.lock_live(database, opener, now)
                data_key = records.unseal_data_key(row, opener, self._ring())
            database.execute(insert(grants), grant_row(grant_id, row.id, request, now))
            self._insert(
                database, "code", code, Given(grant_id, row.id, "", request.scopes, request.resource), data_key
            )
            if replaces:
                ends = update(tokens).where(tokens.c.id == row.token_id)
                database.execute(ends.values(ended_at=now, wrapped_key=None))

        await self._database.write(work, erases=replaces)
        return code.text

    async def find(self, secret: SecretStr, kind: Kind) -> Grant | None:
        """The grant of this code or refresh token; None for an invalid one."""
        try:
            token = parse_token(secret)
        except RefusedCredential:
            return None
        row = await self._database.read(lambda database: find_secret(database, token, kind))
        if row is None:
            return None
        return grant_of(row)

    async def redeem(self, secret: SecretStr, kind: Kind, scopes: tuple[str, ...] | None = None) -> Issued:
        """New secrets for a code or a refresh token. Raises `InvalidGrant`; a reused one revokes the grant."""
        old, now = parse_token(secret), self._now()
        access, refresh = new_token(), new_token()

        def work(database: sqlalchemy.Connection) -> tuple[str, ...] | None:
            row = lock_secret(database, old, kind)
            if row is None:
                raise InvalidGrant("It is unknown.")
            if row.ended_at is not None:
                end_grant(database, row.grant_id, now)
                return None
            if problem := why_dead(row, now):
                raise InvalidGrant(problem)
            data_key = self._unseal(row, old)
            granted = scopes or tuple(row.token_scopes.split())
            end_predecessors(database, row, now)
            given = Given(row.grant_id, row.id, row.token_id, granted, row.grant_resource)
            self._insert(database, "access", access, given, data_key)
            self._insert(database, "refresh", refresh, given, data_key)
            return granted

        granted = await self._database.write(work, erases=True)
        if granted is None:
            self._lookups.clear()
            raise InvalidGrant("It was used before, so everything that came of it was revoked.")
        return Issued(access.text, refresh.text, granted)

    async def credentials(self, token: SecretStr, resource: str) -> Found:
        """The credentials of an access token. Raises a `CredentialError`, also for a token of another resource."""
        found = await self._lookups.find(parse_token(token))
        if found.resource != resource:
            raise RefusedCredential("The access token is for another server.", "Sign in again.")
        return found

    async def revoke(self, secret: SecretStr, client_id: str) -> None:
        """Revoke the grant of an access or refresh token; unknown tokens are ignored (RFC 7009)."""
        try:
            token = parse_token(secret)
        except RefusedCredential:
            return

        def work(database: sqlalchemy.Connection) -> None:
            row = find_secret(database, token, None)
            if row is not None and row.grant_client_id == client_id:
                end_grant(database, row.grant_id, self._now())

        await self._database.write(work, erases=True)
        self._lookups.clear()

    async def revoke_by_id(self, connection_id: str, grant_id: str) -> None:
        """Revoke a grant, for the holder of the connection."""

        def work(database: sqlalchemy.Connection) -> None:
            of_connection = select(grants.c.id).where(
                grants.c.id == grant_id, grants.c.connection_id == connection_id
            )
            if database.execute(of_connection).one_or_none() is not None:
                end_grant(database, grant_id, self._now())

        await self._database.write(work, erases=True)
        self._lookups.clear()

    async def list_of(self, connection_id: str) -> list[Grant]:
        """The active grants, oldest first."""
        renewed_at = func.max(tokens.c.created_at).label("renewed_at")
        live = select(grants, renewed_at).join(tokens, tokens.c.grant_id == grants.c.id).group_by(*grants.c)
        live = live.where(grants.c.connection_id == connection_id, grants.c.ended_at.is_(None))
        rows = await self._database.read(
            lambda database: database.execute(live.order_by(grants.c.created_at)).all()
        )
        return [grant_of(row, prefix="") for row in rows]

    def forget(self, connection_id: str) -> None:
        """Drop cached credentials of a changed connection."""
        self._lookups.forget(connection_id)

    def purge(self) -> None:
        self._lookups.purge()

    async def aclose(self) -> None:
        await self._lookups.aclose()

    async def _load(self, token: Token) -> Found:
        row = await self._database.read(lambda database: find_secret(database, token, "access"))
        if row is None:
            raise UnknownToken("The access token is unknown.", "Sign in again.")
        if problem := why_dead(row, self._now()):
            raise RevokedOrExpired(problem, "Sign in again.")
        with records.report_damage():
            secrets = records.unseal_secrets(row, self._unseal(row, token))
            credentials = records.credentials_of(row, token, secrets)
        return Found(row.id, limit_to_scopes(credentials, row.token_scopes.split()), row.grant_resource)

    def _unseal(self, row: Row[Any], token: Token) -> bytes:
        bound = binding(row.kind, row.token_scopes, row.grant_resource, row.token_expires_at)
        return records.unseal_data_key(row, token, self._ring(), bound)

    def _insert(
        self,
        database: sqlalchemy.Connection,
        kind: Kind,
        token: Token,
        given: Given,
        data_key: bytes,
    ) -> None:
        now, scopes = self._now(), " ".join(given.scopes)
        expires_at = now + LIFETIMES[kind]
        bound = binding(kind, scopes, given.resource, expires_at)
        row = records.new_token_row(token, given.connection_id, data_key, self._ring(), now, bound)
        row |= {"kind": kind, "grant_id": given.grant_id, "parent_id": given.parent_id}
        database.execute(insert(tokens), row | {"scopes": scopes, "expires_at": expires_at})
