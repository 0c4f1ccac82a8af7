"""Stored connections: create, look up, change, rotate, revoke. `tables` documents what is stored, and who could read it.

async with Vault.open(settings) as vault:
    issued = await vault.create(SecretStr(key), label="laptop")
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Self

import sqlalchemy
from pydantic import SecretStr

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import VaultUnavailable
from mistral_mcp.hosting.vault import maintenance, master_keys, records, statements
from mistral_mcp.hosting.vault.cache import LookupCache
from mistral_mcp.hosting.vault.connection import (
    Connection,
    IssuedToken,
    check_route,
    check_terms,
    key_hint,
    new_id,
)
from mistral_mcp.hosting.vault.database import Database, default_data_dir, parse_url
from mistral_mcp.hosting.vault.digests import key_digests, owner_name
from mistral_mcp.hosting.vault.maintenance import Resealed
from mistral_mcp.hosting.vault.pending import PendingWrites
from mistral_mcp.hosting.vault.reader import ConnectionReader
from mistral_mcp.hosting.vault.records import Secrets
from mistral_mcp.hosting.vault.results import VaultResults
from mistral_mcp.hosting.vault.sealing import MasterKeys, new_key
from mistral_mcp.hosting.vault.sign_ins.grants import Grants
from mistral_mcp.hosting.vault.sign_ins.registered_clients import RegisteredClients
from mistral_mcp.hosting.vault.statements import AlreadyCreated, TooManyConnections
from mistral_mcp.hosting.vault.tokens import new_token, parse_token
from mistral_mcp.hosting.vault.uploads import VaultUploads
from mistral_mcp.route import Route
from mistral_mcp.settings import Settings

__all__ = ["AlreadyCreated", "Connection", "IssuedToken", "Resealed", "TooManyConnections", "Vault"]


_utc_now = partial(datetime.now, UTC)


class Vault:
    """Stored connections. Every method raises `VaultUnavailable` while the database is unavailable."""

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], datetime] = _utc_now,
        clock: Callable[[], float] = time.monotonic,
        minute: float = 60.0,
    ) -> None:
        """Raises `BadSetting`. `now` dates stored rows, `clock` measures the age of look-ups, `minute` is the
        interval of maintenance in seconds.
        """
        self._settings = settings
        self._data_dir = settings.data_dir or default_data_dir()
        self.database = self._database = Database(parse_url(settings.database_url, self._data_dir))
        self._keys: MasterKeys | None = None
        self.now = now
        self._pending = PendingWrites(self._database)
        self._reader = ConnectionReader(self._database, lambda: self._ring, self._pending, now)
        self._lookups = LookupCache(self._reader.load, clock)
        self.grants = Grants(self._database, lambda: self._ring, now, clock)
        self.registered_clients = RegisteredClients(
            self._database, partial(self.derive_keys, "oauth client secrets"), now
        )
        self._minute = minute
        self.owner_name = name_of = partial(owner_name, derive_keys=self.derive_keys)
        self.results = VaultResults(self._database, name_of, now, settings.result_ttl)
        self.uploads = VaultUploads(self._database, name_of, now)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        *,
        now: Callable[[], datetime] = _utc_now,
        clock: Callable[[], float] = time.monotonic,
        minute: float = 60.0,
    ) -> AsyncGenerator[Self]:
        """A running vault. Raises `BadSetting` or `VaultUnavailable`, with a sentence that says what to fix."""
        vault = cls(settings, now=now, clock=clock, minute=minute)
        async with vault.running():
            yield vault

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Migrates the tables, loads the master keys, and runs maintenance. Raises as `open` does."""
        async with self._database.running():
            in_use = await maintenance.count_tokens_by_key(self._database)
            self._keys = master_keys.find(
                self._settings, self._data_dir, in_use, is_shared=self._database.is_shared
            )
            maintaining = asyncio.create_task(maintenance.run_every(self._minute, self._maintain))
            try:
                yield
            finally:
                maintaining.cancel()
                await asyncio.wait([maintaining])
                await self._lookups.aclose()
                await self.grants.aclose()
                with suppress(VaultUnavailable):
                    await self.write_last_used()

    async def create(
        self,
        api_key: SecretStr | None,
        *,
        label: str = "",
        toolsets: Sequence[str] | None = None,
        read_only: bool = False,
        expires_in_days: int | None = None,
        route: Route | None = None,
        route_token: SecretStr | None = None,
        connection_id: str | None = None,
        budget_usd: float | None = None,
        budget_calls_per_day: int | None = None,
        most_per_key: int | None = None,
        by_operator: bool = False,
    ) -> IssuedToken:
        """Store a key; None only if the route pays by its own token. Raises `BadArgument`.

        With an id from `new_id`, the connection is created only once, however often and at whichever replica this is
        called. `most_per_key` bounds the live connections of one key. `by_operator` is whether the route may be any address.
        """
        check_terms(label, expires_in_days)
        if not by_operator:
            check_route(api_key, route, route_token)
        now, token, data_key = self.now(), new_token(), new_key()
        connection = Connection(
            id=connection_id or new_id(),
            label=label,
            key_hint=key_hint(api_key),
            toolsets=None if toolsets is None else tuple(toolsets),
            read_only=read_only,
            route=route,
            budget_usd=budget_usd,
            budget_calls_per_day=budget_calls_per_day,
            created_at=now,
            last_used_at=None,
            expires_at=self.expiry(expires_in_days),
            revoked_at=None,
        )
        secrets = Secrets(api_key, route_token)
        digests = key_digests(secrets, self.derive_keys)
        row = records.connection_row(connection, secrets, data_key, digests[0])
        token_row = records.new_token_row(token, connection.id, data_key, self._ring, now)

        def work(database: sqlalchemy.Connection) -> None:
            if most_per_key is not None:
                statements.check_count(database, digests, most_per_key, now)
            statements.insert_connection(database, row, token_row)

        await self._database.write(work)
        return IssuedToken(token=token.text, connection=connection)

    async def credentials(self, token: SecretStr, source: str) -> Credentials:
        """The credentials of a token. Raises `RefusedCredential` (mistyped, unknown), `RevokedOrExpired`, `VaultUnavailable`."""
        found = await self._lookups.find(parse_token(token))
        self._pending.note_use(found.connection_id, self.now())
        return replace(found.credentials, source=source)

    async def granted_credentials(self, token: SecretStr, resource: str, source: str) -> Credentials:
        """The credentials of an OAuth access token, which must have been issued for this resource."""
        found = await self.grants.credentials(token, resource)
        self._pending.note_use(found.connection_id, self.now())
        return replace(found.credentials, source=source)

    async def find_invalid(self, digests: Sequence[bytes]) -> set[bytes]:
        """Those of tokens that are no longer valid, not cached."""
        find_live = partial(statements.find_live_digests, digests=digests, now=self.now())
        return set(digests) - await self._database.read(find_live)

    async def describe(self, token: SecretStr) -> Connection:
        """The connection, for pages: the same errors as `credentials`, not cached, and not counted as use."""
        return records.connection_of(await self._reader.read_live(parse_token(token)))

    async def update(
        self, token: SecretStr, change: Callable[[Connection], Connection], api_key: SecretStr | None = None
    ) -> Connection:
        """Change a connection's terms or its key; the token stays valid. Raises `BadArgument`, or as `credentials`."""
        parsed, now = parse_token(token), self.now()

        def work(database: sqlalchemy.Connection) -> Connection:
            with records.report_damage():
                row = statements.lock_live(database, parsed, now)
                data_key = records.unseal_data_key(row, parsed, self._ring)
                secrets = records.unseal_secrets(row, data_key)
            changed = change(records.connection_of(row))
            if api_key is not None:
                secrets = replace(secrets, api_key=api_key)
                changed = replace(changed, key_hint=key_hint(api_key))
            check_terms(changed.label, None)
            digest = key_digests(secrets, self.derive_keys)[0]
            statements.update_connection(database, records.connection_row(changed, secrets, data_key, digest))
            return changed

        changed = await self._database.write(work, erases=True)
        self._forget([changed.id])
        return changed

    async def rotate(self, token: SecretStr) -> IssuedToken:
        """Issue a new token for the connection; the old one is invalid at once."""
        old, new, now = parse_token(token), new_token(), self.now()

        def work(database: sqlalchemy.Connection) -> Connection:
            with records.report_damage():
                row = statements.lock_live(database, old, now)
                data_key = records.unseal_data_key(row, old, self._ring)
            token_row = records.new_token_row(new, row.id, data_key, self._ring, now)
            statements.replace_token(database, row.token_id, token_row, now)
            return records.connection_of(row)

        connection = await self._database.write(work, erases=True)
        self._lookups.forget(connection.id)
        return IssuedToken(token=new.text, connection=connection)

    async def revoke(self, token: SecretStr) -> str:
        """Revoke the connection with all its tokens, and erase its secrets. Returns its id."""
        parsed, now = parse_token(token), self.now()
        connection_id = await self._database.read(lambda database: statements.find_live_id(database, parsed, now))
        await self.revoke_by_ids([connection_id])
        return connection_id

    async def revoke_by_ids(self, ids: Sequence[str]) -> list[str]:
        """Revoke connections by id, for the operator. Returns those that were live."""
        end = partial(statements.end_connections, ids=ids, now=self.now())
        try:
            return await self._database.write(end, erases=True)
        finally:
            self._forget(ids)

    def _forget(self, ids: Sequence[str]) -> None:
        for connection_id in ids:
            self._lookups.forget(connection_id)
            self.grants.forget(connection_id)

    async def connections(self) -> list[Connection]:
        """All readable connections, oldest first, for the operator."""
        return records.readable_connections(await self._database.read(statements.list_connections))

    async def reseal(self, progress: Callable[[int, int], None] = lambda _done, _total: None) -> Resealed:
        """Re-encrypt all tokens under the first master key; needs no token, and the vault may be in use."""
        return await maintenance.reseal(self._database, self._ring, progress)

    async def sweep(self) -> int:
        """Delete connections that were never used or ended long ago; erase expired ones. Returns the number deleted."""
        await self.write_last_used()
        await maintenance.sweep_usage(self._database, self.now())
        return await maintenance.sweep(self._database, self.now())

    async def write_last_used(self) -> None:
        """Write dates of last use and re-encrypted rows; what fails is kept for the next time."""
        await self._pending.write()

    def expiry(self, days: int | None) -> datetime | None:
        if days is None:
            return None
        return self.now() + timedelta(days=days)

    def derive_keys(self, purpose: str) -> list[bytes]:
        """Keys that every replica derives alike; they open no secrets. The first is for new data, all for existing data."""
        return self._ring.derive_keys(purpose)

    async def check_ready(self) -> None:
        """Raises `VaultUnavailable` unless connections can be looked up."""
        self._database.check_file()
        await self.find_invalid([b""])

    @property
    def _ring(self) -> MasterKeys:
        if self._keys is None:
            raise VaultUnavailable("The vault is not open yet.", "Try again in a few seconds.")
        return self._keys

    async def _maintain(self, run: int) -> None:
        """Once a minute write dates of use, once an hour sweep."""
        self._lookups.purge()
        self.grants.purge()
        await self._database.erase()
        await maintenance.sweep_results(self._database, self.now())
        if run % 60:
            await self.write_last_used()
        else:
            await self.sweep()
