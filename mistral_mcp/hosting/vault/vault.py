"""Stored connections: create, look up, change, rotate, revoke. `tables` says what is stored, and who could read it.

async with Vault.open(settings) as vault:
    issued = await vault.create(SecretStr(key), label="laptop")
    credentials = await vault.credentials(issued.token, "the X-API-Key header")
"""

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import sqlalchemy
from pydantic import SecretStr
from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import BadArgument, VaultUnavailable
from mistral_mcp.hosting.vault import maintenance, master_keys, records
from mistral_mcp.hosting.vault.cache import Found, LookupCache
from mistral_mcp.hosting.vault.database import Database, default_data_dir, parse_url
from mistral_mcp.hosting.vault.maintenance import Resealed
from mistral_mcp.hosting.vault.records import Connection
from mistral_mcp.hosting.vault.sealing import MasterKeys
from mistral_mcp.hosting.vault.tables import connections, tokens
from mistral_mcp.hosting.vault.tokens import Token, new_token, parse_token
from mistral_mcp.route import Route
from mistral_mcp.settings import Settings

__all__ = ["AlreadyCreated", "Connection", "IssuedToken", "Resealed", "Vault"]

NEVER_USED_AFTER = timedelta(days=30)
ENDED_AFTER = timedelta(days=90)
LONGEST_LABEL = 100
LONGEST_EXPIRY = 3650  # days
_HOUR = 60  # minutes

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A new token. It is stored nowhere: show it once."""

    token: SecretStr
    connection: Connection


class AlreadyCreated(BadArgument):
    """Raised by `create`: there is a connection of this id, created from the same form."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


_BY_DIGEST = (
    select(
        connections,
        tokens.c.id.label("token_id"),
        tokens.c.digest,
        tokens.c.wrapped_key,
        tokens.c.master_key,
        tokens.c.ended_at,
    )
    .join_from(tokens, connections)
    .where(tokens.c.digest == bindparam("digest"))
)


class Vault:
    """Every method raises `VaultUnavailable` while the database is away, and works again once it is back."""

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], datetime] = _utc_now,
        clock: Callable[[], float] = time.monotonic,
        minute: float = 60.0,
    ) -> None:
        """Raises `BadSetting`. `now` dates what is stored, `clock` says how old a look-up is, `minute` is how long
        maintenance waits between its runs.
        """
        self._settings = settings
        self._data_dir = settings.data_dir or default_data_dir()
        self._database = Database(parse_url(settings.database_url, self._data_dir))
        self._keys: MasterKeys | None = None
        self._now = now
        self._lookups = LookupCache(self._load, clock)
        self._minute = minute
        self._used: dict[str, datetime] = {}

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
        """A vault that runs. Raises `BadSetting` or `VaultUnavailable`, in one sentence that says what to fix."""
        vault = cls(settings, now=now, clock=clock, minute=minute)
        async with vault.running():
            yield vault

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Migrates, finds the master keys, and runs maintenance. Raises as `open` does."""
        async with self._database.running():
            in_use = await maintenance.count_tokens_by_key(self._database)
            self._keys = master_keys.find(self._settings, self._data_dir, in_use, is_shared=self._database.is_shared)
            maintaining = asyncio.create_task(self._maintain())
            try:
                yield
            finally:
                maintaining.cancel()
                await asyncio.wait([maintaining])
                await self._lookups.aclose()
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
    ) -> IssuedToken:
        """Store a key; None only where the route pays by its own token. Raises `BadArgument`.

        With an id from `records.new_id`, the connection is created once, however often and of whatever replica that is
        asked.
        """
        if len(label) > LONGEST_LABEL or not label.isprintable():
            raise BadArgument(f"label is one line of at most {LONGEST_LABEL} characters.")
        if expires_in_days is not None and not 1 <= expires_in_days <= LONGEST_EXPIRY:
            raise BadArgument(f"expires_in_days is between 1 and {LONGEST_EXPIRY}.")
        records.check_route(api_key, route, route_token)
        now, token = self._now(), new_token()
        connection = Connection(
            id=connection_id or records.new_id(),
            label=label,
            key_hint=records.key_hint(api_key),
            toolsets=None if toolsets is None else tuple(toolsets),
            read_only=read_only,
            route=route,
            created_at=now,
            last_used_at=None,
            expires_at=now + timedelta(days=expires_in_days) if expires_in_days else None,
            revoked_at=None,
        )
        row, data_key = records.new_row(connection, api_key, route_token)
        token_row = records.new_token_row(token, connection.id, data_key, self._ring, now)

        def work(database: sqlalchemy.Connection) -> None:
            try:
                database.execute(insert(connections), row)
            except IntegrityError:
                raise AlreadyCreated("This connection was made before.") from None
            database.execute(insert(tokens), token_row)

        await self._database.write(work)
        return IssuedToken(token=token.text, connection=connection)

    async def credentials(self, token: SecretStr, source: str) -> Credentials:
        """For every call. Raises `RefusedCredential` (mistyped, unknown), `RevokedOrExpired`, `VaultUnavailable`."""
        found = await self._lookups.find(parse_token(token))
        self._used[found.connection_id] = self._now()
        return replace(found.credentials, source=source)

    async def describe(self, token: SecretStr) -> Connection:
        """For pages: the same errors, always read anew, and not counted as use."""
        return records.connection_of(await self._read_live(parse_token(token)))

    async def rotate(self, token: SecretStr) -> IssuedToken:
        """A new token for the same connection; the old one ends at once."""
        old, new, now = parse_token(token), new_token(), self._now()

        def work(database: sqlalchemy.Connection) -> Row[Any]:
            row = self._lock_live(database, old)
            data_key = records.unseal_data_key(row, old, self._ring)
            database.execute(insert(tokens), records.new_token_row(new, row.id, data_key, self._ring, now))
            database.execute(update(tokens).where(tokens.c.id == row.token_id).values(ended_at=now, wrapped_key=None))
            return row

        row = await self._database.write(work, erases=True)
        self._lookups.forget(row.id)
        return IssuedToken(token=new.text, connection=records.connection_of(row))

    async def revoke(self, token: SecretStr) -> Connection:
        """The connection ends with all its tokens, and what was sealed is erased."""
        row = await self._read_live(parse_token(token))
        await self.revoke_by_id(row.id)
        return records.connection_of(row)

    async def revoke_by_id(self, connection_id: str) -> bool:
        """The same for the operator. False: there is none, or it was revoked before."""
        ends = update(connections).where(connections.c.id == connection_id, connections.c.revoked_at.is_(None))
        ends = ends.values(revoked_at=self._now(), **maintenance.ERASED)
        closes = update(tokens).where(tokens.c.connection_id == connection_id).values(wrapped_key=None)

        def work(database: sqlalchemy.Connection) -> bool:
            count = database.execute(ends).rowcount
            database.execute(closes)
            return count > 0

        try:
            return await self._database.write(work, erases=True)
        finally:
            self._lookups.forget(connection_id)

    async def connections(self) -> list[Connection]:
        """All, oldest first, for the operator."""
        every = select(connections).order_by(connections.c.created_at)
        live = select(tokens.c.connection_id, tokens.c.master_key).where(tokens.c.wrapped_key.is_not(None))

        def work(database: sqlalchemy.Connection) -> list[Connection]:
            rows = database.execute(every).all()
            keys: dict[str, set[str]] = {}
            for connection_id, key_id in database.execute(live):
                keys.setdefault(connection_id, set()).add(key_id)
            return [records.connection_of(row, tuple(sorted(keys.get(row.id, ())))) for row in rows]

        return await self._database.read(work)

    async def reseal(self, progress: Callable[[int, int], None] = lambda _done, _total: None) -> Resealed:
        """Re-encrypt all tokens under the first master key; needs no token, and the vault may be in use."""
        return await maintenance.reseal(self._database, self._ring, progress)

    async def sweep(
        self, *, never_used_after: timedelta = NEVER_USED_AFTER, ended_after: timedelta = ENDED_AFTER
    ) -> int:
        """Delete what nobody ever used, and what ended long ago; erase what expired. Returns how many were deleted."""
        await self.write_last_used()
        return await maintenance.sweep(self._database, self._now(), never_used_after, ended_after)

    async def write_last_used(self) -> None:
        """Since the last time; what cannot be written now is kept for the next."""
        used, self._used = self._used, {}
        try:
            await maintenance.write_last_used(self._database, used)
        except VaultUnavailable:
            self._used = used | self._used
            raise

    def derive_keys(self, purpose: str) -> list[bytes]:
        """Every replica derives the same; they open nothing here. The first is for new things, all for old ones."""
        return self._ring.derive_keys(purpose)

    async def check_ready(self) -> None:
        """Raises `VaultUnavailable` unless connections can be looked up."""
        self._database.check_file()
        await self._database.read(lambda database: database.execute(_BY_DIGEST, {"digest": b""}).one_or_none())

    async def _load(self, token: Token) -> Found:
        row = await self._read_live(token)
        return Found(row.id, records.unseal_credentials(row, token, self._ring))

    async def _read_live(self, token: Token) -> Row[Any]:
        return await self._database.read(lambda database: self._find_live(database, token))

    def _find_live(self, database: sqlalchemy.Connection, token: Token) -> Row[Any]:
        row = database.execute(_BY_DIGEST, {"digest": token.digest}).one_or_none()
        return records.check_live(row, self._now())

    def _lock_live(self, database: sqlalchemy.Connection, token: Token) -> Row[Any]:
        """The connection first, as everyone does, and then a look at what it became meanwhile."""
        of_token = select(tokens.c.connection_id).where(tokens.c.digest == token.digest)
        database.execute(select(connections.c.id).where(connections.c.id.in_(of_token)).with_for_update())
        return self._find_live(database, token)

    @property
    def _ring(self) -> MasterKeys:
        if self._keys is None:
            raise VaultUnavailable("The vault is not open yet.", "Try again in a few seconds.")
        return self._keys

    async def _maintain(self) -> None:
        """Once a minute dates of use, once an hour the sweep."""
        for run in itertools.count(1):
            await asyncio.sleep(self._minute)
            try:
                self._lookups.purge()
                await self._database.erase()
                await (self.write_last_used() if run % _HOUR else self.sweep())
            except VaultUnavailable:
                pass  # it is in the log, and there is a next minute
            except Exception:  # noqa: BLE001 - a bug in one run must not end maintenance for good
                _log.exception("Vault maintenance failed; retrying in a minute.")
