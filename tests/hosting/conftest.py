"""A vault on each kind of database, a clock that only tests move, and a hosted server on a real socket."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from mistral_mcp.hosting.app import create_app
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.settings import Settings
from tests.conftest import serving, skip_without

MASTER_KEY = "0123456789abcdef" * 4
POSTGRES = f"{os.environ.get('PGHOST', '127.0.0.1')}:{os.environ.get('PGPORT', '5432')}/{os.environ.get('PGDATABASE', 'test')}"
SCHEMA = f"mmcp_test_{os.getpid()}"


def tool_call(
    call: tuple[str, dict[str, Any]], era: str = "2026-07-28", *, listens: bool = False
) -> dict[str, Any]:
    """A tool's name and arguments as httpx2 is to send them."""
    tool, arguments = call
    meta: dict[str, Any] = {"progressToken": 7} if listens else {}
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": era}
    if era == "2026-07-28":
        prefix = "io.modelcontextprotocol/"
        meta |= {f"{prefix}protocolVersion": era, f"{prefix}clientCapabilities": {}}
        headers |= {"mcp-method": "tools/call", "mcp-name": tool}
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    return {"headers": headers, "json": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}}


@dataclass
class Clock:
    """Both clocks of a vault: `clock()` counts, `clock.now()` dates."""

    seconds: float = 0.0
    start: datetime = field(default=datetime(2026, 11, 21, 12, tzinfo=UTC))

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)

    def pass_by(self, seconds: float = 0, *, days: float = 0) -> None:
        self.seconds += seconds + days * 86_400


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[tuple[psycopg.Connection, str]]:
    """A connection to Postgres, and the URL of a schema of this test run's own."""
    for user in filter(None, (os.environ.get("PGUSER"), "postgres", "root")):
        url = f"postgresql://{user}@{POSTGRES}"
        with suppress(psycopg.OperationalError):
            connection = psycopg.connect(url, connect_timeout=3, autocommit=True)
            break
    else:
        skip_without("Postgres")
    with connection:
        yield connection, f"{url}?options=-csearch_path%3D{SCHEMA}%20-csynchronous_commit%3Doff"
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


@pytest.fixture
def postgres_url(postgres: tuple[psycopg.Connection, str]) -> str:
    """The same, empty."""
    connection, url = postgres
    connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
    return url


@pytest.fixture
def sqlite_settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """An empty place for a vault, of each kind."""
    if request.param == "sqlite":
        return request.getfixturevalue("sqlite_settings")
    url = request.getfixturevalue("postgres_url")
    return Settings.model_validate({"database_url": url, "master_keys": MASTER_KEY, "data_dir": tmp_path / "data"})


@pytest.fixture
def hosting(mistral_url: str, tmp_path: Path) -> dict[str, Any]:
    """The settings of a hosted server; a module or a test adds its own."""
    return {"route": mistral_url, "data_dir": tmp_path / "data"}


@pytest.fixture
async def base(hosting: dict[str, Any]) -> AsyncIterator[str]:
    async with serving(create_app(Settings.model_validate(hosting))) as url:
        yield url


@pytest.fixture
async def http(base: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=base) as client:
        yield client


@pytest.fixture
async def vault(settings: Settings, clock: Clock) -> AsyncIterator[Vault]:
    async with Vault.open(settings, now=clock.now, clock=clock) as vault:
        yield vault
