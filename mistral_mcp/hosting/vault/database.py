"""The way to the tables: SQLite or Postgres, with the newest migrations."""

import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import anyio
from pydantic import SecretStr
from sqlalchemy import Connection, event, insert, inspect, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from mistral_mcp.errors import BadSetting, VaultUnavailable
from mistral_mcp.hosting.vault import database_failures as failures
from mistral_mcp.hosting.vault.tables import VERSION, metadata, version

PATIENCE = 5.0  # seconds: for a connection, for a lock, for an answer
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x6D6D6370  # any number that only we use; on SQLite the write lock does it

# Unless the URL says otherwise.
_LIBPQ: dict[str, object] = {
    "connect_timeout": int(PATIENCE),
    "tcp_user_timeout": int(PATIENCE * 1000),
    "prepare_threshold": None,  # PgBouncer may give each transaction another connection
}

_log = logging.getLogger(__name__)


class Database:
    """An open database with the newest tables. Every failure is an error of ours, of `failures`."""

    def __init__(self, url: URL) -> None:
        self.shared = url.get_backend_name() == "postgresql"
        """Whether other hosts may use it too."""
        self._name = f"Postgres at {url.host or 'the local socket'}" if self.shared else str(url.database)
        self._down = False
        if self.shared:
            options: dict[str, Any] = {
                "pool_size": 10,
                "max_overflow": 10,
                "pool_timeout": PATIENCE,
                "pool_recycle": 300,
                "pool_pre_ping": True,  # so that a restart of Postgres is not noticed
                "connect_args": {name: value for name, value in _LIBPQ.items() if name not in url.query},
            }
        else:
            options = {
                "pool_size": 5,
                "max_overflow": 0,
                "pool_timeout": PATIENCE,
                "connect_args": {"timeout": PATIENCE},
            }
        self._engine = create_async_engine(url, hide_parameters=True, **options)
        # One statement needs no transaction; on SQLite there is none unless `writing` begins it.
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT") if self.shared else self._engine
        if not self.shared:
            event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)

    @classmethod
    @asynccontextmanager
    async def open(cls, database_url: SecretStr | None, data_dir: Path) -> AsyncGenerator[Self]:
        """With the newest tables. Raises `BadSetting` for what only a person can mend, else `VaultUnavailable`."""
        self = cls(_url(database_url, data_dir))
        try:
            with failures.at_start(self._name):
                await self._make_ready()
            yield self
        finally:
            await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """For single statements that change nothing."""
        async with self._ours(PATIENCE), self._reading.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction: all of it, or nothing."""
        async with self._ours(2 * PATIENCE), self._engine.begin() as connection:
            await self._begin(connection)
            yield connection

    def check_file(self) -> None:
        """Raises `VaultUnavailable` where SQLite's file was deleted: it would go on, and lose what it is given."""
        if not self.shared and not Path(str(self._engine.url.database)).exists():
            raise VaultUnavailable("The vault's file is gone.", "Put it back, and start the server again.")

    @asynccontextmanager
    async def _ours(self, seconds: float) -> AsyncGenerator[None]:
        """Bounded in time, failures translated; the log hears of it when they begin and when they are over."""
        try:
            with failures.translated(), anyio.fail_after(seconds):
                yield
        except VaultUnavailable as error:
            if not self._down:
                self._down = True
                _log.warning("%s: %s", self._name, error)
            raise
        if self._down:
            self._down = False
            _log.warning("%s: the database answers again.", self._name)

    async def _begin(self, connection: AsyncConnection) -> None:
        if not self.shared:  # else a reader that begins to write could find the database changed, and fail
            await connection.exec_driver_sql("BEGIN IMMEDIATE")

    async def _make_ready(self) -> None:
        """The file, and the newest tables in it; one process after the other."""
        if not self.shared:
            _private_file(Path(str(self._engine.url.database)))
            async with self._engine.connect() as connection:
                # Two processes that turn a new file to WAL at once do not wait for one another, as they do elsewhere.
                with anyio.fail_after(PATIENCE):
                    while not await connection.run_sync(_turned_to_wal):  # noqa: ASYNC110 - there is no event in another process
                        await anyio.sleep(0.02)
        async with self._engine.begin() as connection:
            await self._begin(connection)
            if self.shared:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            await connection.run_sync(_upgrade)


def default_data_dir() -> Path:
    """Where nobody said: `cli` knows the user's environment, and says."""
    return Path.home() / ".local" / "share" / "mistral-mcp"


def _url(given: SecretStr | None, data_dir: Path) -> URL:
    if given is None:
        return URL.create("sqlite+aiosqlite", database=str(data_dir / "vault.db"))
    try:
        url = make_url(given.get_secret_value())
    except (ArgumentError, ValueError):  # its text may hold the password
        raise BadSetting(
            "DATABASE_URL is no URL.", "It is sqlite:///path or postgresql://user:password@host/name."
        ) from None
    match url.drivername.partition("+")[0]:
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
        case "sqlite" if url.database and url.database != ":memory:" and not url.query:
            return url.set(drivername="sqlite+aiosqlite")
        case _:
            raise BadSetting("DATABASE_URL must be sqlite:///path, with a file, or postgresql://….")


def _private_file(path: Path) -> None:
    """Made with its mode, not given it later; SQLite gives -wal and -shm the mode of the file beside them."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # Python begins no transactions of its own; `writing` does
    cursor = connection.cursor()
    for pragma in ("foreign_keys = ON", "secure_delete = ON", "synchronous = FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _turned_to_wal(connection: Connection) -> bool:
    try:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    except OperationalError as error:
        if failures.is_busy(error):
            return False
        raise
    return True


def _upgrade(connection: Connection) -> None:
    found = _version(connection)
    if found is None:
        metadata.create_all(connection, checkfirst=False)
        version.create(connection, checkfirst=True)
        connection.execute(insert(version).values(version_num=VERSION))
    elif found != VERSION:
        _migrate(connection)
        _log.info("The tables went from version %s to %s.", found, VERSION)


def _version(connection: Connection) -> str | None:
    """None where there are no tables yet."""
    return connection.scalar(select(version.c.version_num)) if inspect(connection).has_table(version.name) else None


def _migrate(connection: Connection) -> None:
    # Of no use where the tables are new or of this version, and as large as the rest of the vault's libraries.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise failures.Misplaced(
            "The tables are of a newer mistral-mcp than this one.", "Start that version, or a newer one."
        ) from None
