"""Opening a database: what is created, and the errors if it cannot be."""

import contextlib
import os
import re
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Connection, text

from mistral_mcp.errors import BadSetting, MistralMcpError, VaultUnavailable
from mistral_mcp.hosting.vault.database import Database, _migrate, parse_url
from mistral_mcp.hosting.vault.tables import VERSION, VERSION_TABLE, metadata, version
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.settings import Settings
from tests.conftest import skip_without
from tests.hosting.conftest import MASTER_KEY, Clock

KEY = SecretStr("tEsTkEy0123456789abcdefghijklmn1")


def data_dir_of(settings: Settings) -> Path:
    assert settings.data_dir
    return settings.data_dir


async def open_and_fail(settings: Settings) -> MistralMcpError:
    """What a start says that cannot be."""
    with pytest.raises((BadSetting, VaultUnavailable)) as caught:
        async with Vault.open(settings):
            pass
    assert "Traceback" not in str(caught.value)
    return caught.value


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in (folder, *folder.iterdir())}


async def test_nobody_else_on_the_machine_may_read_the_files(sqlite_settings: Settings):
    before = os.umask(0)
    try:
        async with Vault.open(sqlite_settings) as vault:
            await vault.create(KEY)
            found = modes(data_dir_of(sqlite_settings))
    finally:
        os.umask(before)

    assert found == {
        "data": "0o700",
        "vault.db": "0o600",
        "vault.db-wal": "0o600",
        "vault.db-shm": "0o600",
        "master.key": "0o600",
    }


@pytest.mark.parametrize("migrated", [False, True])
async def test_new_tables_and_migrated_ones_are_what_the_code_describes(
    settings: Settings, vault: Vault, *, migrated: bool
):
    def compare_tables(connection: Connection) -> tuple[list[object], str | None]:
        if migrated:
            for tables in (metadata, version.metadata):
                tables.drop_all(connection)
            _migrate(connection)
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        return compare_metadata(context, metadata), context.get_current_revision()

    assert await vault._database.write(compare_tables) == ([], VERSION)


@pytest.mark.parametrize(
    "spelling", ["postgres://{}", "postgresql://{}", "postgresql+asyncpg://{}", "postgresql+psycopg://{}"]
)
async def test_every_spelling_of_a_postgres_url_is_taken(postgres_url: str, spelling: str, tmp_path: Path):
    url = spelling.format(postgres_url.partition("://")[2])

    database = Database(parse_url(SecretStr(url), tmp_path))
    async with database.running():
        assert database.is_shared
        count = text("SELECT count(*) FROM mmcp_connections")
        assert await database.read(lambda connection: connection.scalar(count)) == 0
    assert len(modes(tmp_path)) == 1  # Postgres leaves nothing here


async def test_a_sqlite_url_names_the_file(tmp_path: Path):
    path = tmp_path / "some" / "where.db"

    async with Vault.open(Settings.model_validate({"database_url": f"sqlite:///{path}", "data_dir": tmp_path})):
        assert path.exists()


@pytest.mark.parametrize(
    "url",
    [
        "mysql://root:hunter2@host/db",
        "hunter2",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://host:hunter2/db",
        "",
    ],
)
async def test_other_urls_are_refused_and_not_repeated(url: str, tmp_path: Path):
    error = await open_and_fail(Settings.model_validate({"database_url": url, "data_dir": tmp_path}))

    assert isinstance(error, BadSetting)
    assert str(error).startswith("DATABASE_URL ")
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    "content", [b"this is no database, but somebody's letter\n" * 200, b"SQLite format 3\0" * 9]
)
async def test_a_file_that_is_no_database_is_left_alone(sqlite_settings: Settings, content: bytes):
    path = data_dir_of(sqlite_settings) / "vault.db"
    path.parent.mkdir()
    path.write_bytes(content)

    error = await open_and_fail(sqlite_settings)

    assert isinstance(error, BadSetting)
    assert f"{path}: The vault's file is not a SQLite database" in str(error)
    assert path.read_bytes() == content


async def test_a_folder_that_is_a_file_is_refused(sqlite_settings: Settings):
    data_dir_of(sqlite_settings).write_text("not a folder")

    error = await open_and_fail(sqlite_settings)

    assert isinstance(error, BadSetting)
    assert "cannot be written" in str(error)


async def test_tables_of_a_newer_version_are_left_alone(settings: Settings):
    newer = text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")  # noqa: S608 - our own name
    async with Vault.open(settings) as vault:
        await vault._database.write(lambda database: database.execute(newer))

    error = await open_and_fail(settings)

    assert isinstance(error, BadSetting)
    assert "of a newer mistral-mcp" in str(error)


class Disk:
    """A file system of half a megabyte."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        with (self.folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1024))

    def make_room(self) -> None:
        (self.folder / "filler").unlink()

    def mount(self, options: str) -> bool:
        mount = shutil.which("mount")
        command = [str(mount), "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return mount is not None and subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    disk.folder.mkdir()
    if not disk.mount("size=512k"):
        skip_without("the right to mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk.folder)], check=True)  # noqa: S603, S607


async def create_many(vault: Vault) -> None:
    for _ in range(1000):
        await vault.create(KEY, label="x" * 100)


async def test_a_full_disk_is_reported_and_nothing_is_lost(disk: Disk, clock: Clock):
    async with Vault.open(Settings(data_dir=disk.folder / "data"), now=clock.now, clock=clock) as vault:
        created = await vault.create(KEY)
        disk.fill()

        with pytest.raises(VaultUnavailable, match="disk of the vault's database is full"):
            await create_many(vault)
        clock.pass_by(10)
        assert (await vault.credentials(created.token, "a header")).key == KEY

        disk.make_room()
        again = await vault.create(KEY)
        assert (await vault.credentials(again.token, "a header")).key == KEY


async def test_a_start_on_a_full_disk_is_reported_and_leaves_no_half_made_key(disk: Disk):
    settings = Settings(data_dir=disk.folder / "data")
    disk.fill()

    error = await open_and_fail(settings)
    assert isinstance(error, VaultUnavailable)
    assert "full" in str(error)
    assert not (disk.folder / "data" / "master.key").exists()

    disk.make_room()
    async with Vault.open(settings) as vault:
        await vault.create(KEY)


async def test_a_read_only_disk_is_reported_and_nothing_is_lost(disk: Disk):
    settings = Settings(data_dir=disk.folder / "data")
    async with Vault.open(settings) as vault:
        created = await vault.create(KEY)

    assert disk.mount("remount,ro")
    error = await open_and_fail(settings)
    assert isinstance(error, BadSetting)
    assert re.search(r"data/vault\.db: .* cannot be written", str(error))

    assert disk.mount("remount,rw")
    async with Vault.open(settings) as vault:
        assert (await vault.credentials(created.token, "a header")).key == KEY


async def test_a_new_vault_on_a_read_only_disk_is_reported(disk: Disk):
    assert disk.mount("remount,ro")

    error = await open_and_fail(Settings(data_dir=disk.folder / "data"))

    assert isinstance(error, BadSetting)
    assert "cannot be written" in str(error)


def postgres_settings(url: str, **changes: str) -> Settings:
    for old, new in changes.items():
        url = re.sub(old, new, url)
    return Settings.model_validate({"database_url": url, "master_keys": MASTER_KEY})


async def test_a_postgres_that_is_not_there_is_reported():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = await open_and_fail(
            postgres_settings(f"postgresql://me:hunter2@127.0.0.1:{taken.getsockname()[1]}/db")
        )

    assert isinstance(error, VaultUnavailable)
    assert "Postgres at 127.0.0.1: Postgres cannot be reached." in str(error)
    assert "hunter2" not in str(error)


async def test_a_host_that_does_not_exist_is_reported():
    error = await open_and_fail(postgres_settings("postgresql://me@nowhere.invalid/db"))

    assert "Postgres at nowhere.invalid: Postgres cannot be reached." in str(error)


@pytest.mark.parametrize("part", ["user", "database"])
async def test_a_postgres_that_refuses_is_reported(postgres_url: str, part: str):
    pattern, wrong = {"user": (r"//\w+@", "//nobody_we_know@"), "database": (r"/\w+\?", "/nothing_we_know?")}[part]

    error = await open_and_fail(postgres_settings(re.sub(pattern, wrong, postgres_url)))

    assert isinstance(error, VaultUnavailable)
    assert "Postgres refuses the connection. Check the user, the password and the name" in str(error)


async def test_an_option_that_postgres_does_not_know_is_reported(postgres_url: str):
    error = await open_and_fail(postgres_settings(postgres_url + "&pgbouncer=true"))

    assert isinstance(error, BadSetting)
    assert "an option that Postgres does not know" in str(error)


async def test_a_user_without_rights_is_reported(postgres: tuple[psycopg.Connection, str], postgres_url: str):
    connection, role = postgres[0], f"mmcp_weak_{os.getpid()}"
    connection.execute(f"CREATE ROLE {role} LOGIN")
    try:
        error = await open_and_fail(postgres_settings(re.sub(r"//\w+@", f"//{role}@", postgres_url)))
    finally:
        connection.execute(f"DROP ROLE {role}")

    assert isinstance(error, BadSetting)
    assert "may not create or use the vault's tables" in str(error)


class Proxy:
    """A way to Postgres that can be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self.target = host, port
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=self.port)
        self.port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - no Django here
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, self._serve)
            yield
            group.cancel_scope.cancel()

    async def _serve(self, near: anyio.abc.SocketStream) -> None:
        async with near, await anyio.connect_tcp(*self.target) as far, anyio.create_task_group() as group:
            group.start_soon(self._copy, near, far)
            await self._copy(far, near)
            group.cancel_scope.cancel()

    async def _copy(self, source: anyio.abc.SocketStream, target: anyio.abc.SocketStream) -> None:
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                await target.send(await source.receive())


async def test_a_database_that_becomes_unavailable_is_reported_and_comes_back_without_a_restart(
    postgres_url: str, clock: Clock, caplog: pytest.LogCaptureFixture
):
    host, port = re.findall(r"@([\w.]+):(\d+)/", postgres_url)[0]
    proxy = Proxy(host, int(port))
    async with contextlib.AsyncExitStack() as stack:
        async with proxy.running():
            settings = postgres_settings(postgres_url.replace(f"{host}:{port}", f"127.0.0.1:{proxy.port}"))
            vault = await stack.enter_async_context(Vault.open(settings, now=clock.now, clock=clock))
            created, other = await vault.create(KEY), await vault.create(KEY)
            assert (await vault.credentials(created.token, "a header")).key == KEY

        assert (await vault.credentials(created.token, "a header")).key == KEY  # known for a few seconds more
        for attempt in (vault.credentials(other.token, "a header"), vault.create(KEY), vault.check_ready()):
            with pytest.raises(VaultUnavailable, match="Postgres cannot be reached") as caught:
                await attempt
            assert (caught.value.status, caught.value.retry_after) == (503, 5)
        with pytest.raises(VaultUnavailable):
            await vault.write_last_used()

        async with proxy.running():
            await vault.check_ready()
            assert (await vault.credentials(other.token, "a header")).key == KEY
            await vault.write_last_used()
            assert (await vault.describe(created.token)).last_used_at == clock.now()
            await stack.aclose()
    assert [record.message.partition(":")[2] for record in caplog.records if "Postgres" in record.message] == [
        " Postgres cannot be reached. Check that it runs, and the host and port in DATABASE_URL.",
        " the database answers again.",
    ]


async def test_a_database_that_is_locked_for_too_long_is_reported(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mistral_mcp.hosting.vault.database.PATIENCE", 0.5)
    async with Vault.open(sqlite_settings) as vault:
        created = await vault.create(KEY)
        with contextlib.closing(sqlite3.connect(data_dir_of(sqlite_settings) / "vault.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(VaultUnavailable, match="does not answer in time"):
                await vault.create(KEY)
            assert (await vault.credentials(created.token, "a header")).key == KEY
            other.rollback()
        await vault.create(KEY)
