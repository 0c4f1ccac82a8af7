"""The secrets of compose.yaml: made once, for nobody else to read, and such that Postgres and Redis take them."""

import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import psycopg
import pytest
import redis
from ruamel.yaml import YAML

from tests.conftest import skip_without

MANIFESTS = Path(__file__).parents[2] / "manifests"
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    return make_secrets(tmp_path)


def make_secrets(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    shutil.copy(MANIFESTS / "compose-secrets.sh", folder)
    subprocess.run([folder / "compose-secrets.sh"], check=True)  # noqa: S603 - ours
    return folder / "secrets"


def read(secret: Path) -> str:
    return secret.read_text(encoding="utf-8").strip()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_every_secret_that_compose_mounts_is_made_and_the_folder_is_closed_to_others(secrets: Path):
    compose = YAML(typ="safe", pure=True).load((MANIFESTS / "compose.yaml").read_text(encoding="utf-8"))

    assert {file.name for file in secrets.iterdir()} == set(compose["secrets"])
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert len(read(secrets / "master-keys")) == 64


def test_they_are_never_made_twice(secrets: Path):
    before = read(secrets / "master-keys")
    again = subprocess.run([secrets.parent / "compose-secrets.sh"], check=False, capture_output=True, text=True)  # noqa: S603

    assert again.returncode == 1
    assert "would be lost" in again.stderr
    assert read(secrets / "master-keys") == before


def test_redis_lets_nobody_in_without_the_password(secrets: Path):
    program = shutil.which("redis-server")
    if program is None:
        skip_without("Redis")
    port = free_port()
    command = [program, secrets / "redis.conf", "--port", str(port), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            url = read(secrets / "redis-url").replace("@redis:6379", f"@127.0.0.1:{port}")
            with redis.Redis.from_url(
                url, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.1), 50)
            ) as client:
                assert client.ping()
            with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
                stranger.ping()
        finally:
            process.terminate()


@contextmanager
def postgres(secrets: Path, port: int) -> Iterator[None]:
    """As compose.yaml starts it: with TLS, by the certificate. Its folder is its own user's, which pytest's are not."""
    with tempfile.TemporaryDirectory() as folder:
        yield from start_postgres(secrets, Path(folder), port)


def start_postgres(secrets: Path, folder: Path, port: int) -> Iterator[None]:
    shutil.copy(secrets / "postgres.crt", folder)
    key = folder / "postgres.key"
    shutil.copy(secrets / "postgres.key", key)
    shutil.copy(secrets / "postgres-password", folder)
    key.chmod(0o600)
    user: dict[str, str] = {}
    if os.geteuid() == 0:
        user = {"user": "postgres"}
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres")
    bin_folder = POSTGRES[-1].parent
    made = ["-U", "mistral_mcp", "--auth-host=scram-sha-256", f"--pwfile={folder / 'postgres-password'}"]
    subprocess.run([bin_folder / "initdb", "-D", folder / "data", *made], check=True, capture_output=True, **user)  # noqa: S603
    options = ["ssl=on", f"ssl_cert_file={folder / 'postgres.crt'}", f"ssl_key_file={key}", f"port={port}"]
    options += [f"unix_socket_directories={folder}", "listen_addresses=127.0.0.1"]
    command = [bin_folder / "postgres", "-D", folder / "data", *(f"-c{option}" for option in options)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, **user) as process:  # noqa: S603
        try:
            yield
        finally:
            process.terminate()


async def connect(url: str) -> psycopg.Connection:
    with anyio.fail_after(20):
        while True:
            try:
                return psycopg.connect(url, dbname="postgres", hostaddr="127.0.0.1")
            except psycopg.OperationalError as error:
                if "refused" not in str(error) and "starting up" not in str(error):
                    raise
                await anyio.sleep(0.1)  # until it listens


@pytest.mark.slow
async def test_postgres_uses_tls_by_the_certificate_that_serve_demands(secrets: Path, tmp_path: Path):
    if not POSTGRES:
        skip_without("Postgres")
    port = free_port()
    url = read(secrets / "database-url").replace("postgres:5432", f"postgres:{port}")
    with postgres(secrets, port):
        ours = url.replace("/run/secrets/postgres.crt", str(secrets / "postgres.crt"))
        with await connect(ours) as connection:
            assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (
                True,
            )
        another = make_secrets(tmp_path / "elsewhere") / "postgres.crt"
        other = url.replace("/run/secrets/postgres.crt", str(another))
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            await connect(other)
