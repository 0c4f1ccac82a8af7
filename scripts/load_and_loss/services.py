"""Start Postgres, Redis and replicas of `serve` on free ports, so that they can be killed and started again."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx2
from anyio.abc import Process

MASTER_KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0" * 2
START_TIMEOUT = 60.0
PROXY = "127.0.0.1"
"""The load sends each tenant's address, as a load balancer does: sign-ups are rate-limited by address."""


def free_port() -> int:
    """A port that is not in use."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def find_program(name: str) -> str:
    """The path of a Postgres program, which Debian does not put into PATH."""
    debian = (str(found) for found in Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or next(debian, name)


def make_folder(folder: Path) -> None:
    """Create a folder that other users can access, because Postgres runs as another user."""
    folder.mkdir()
    folder.parent.chmod(0o755)


@dataclass
class Postgres:
    """A Postgres server with its data in a folder."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    async def create(self) -> None:
        """Create the database cluster. Postgres refuses to run as root, so root switches to the user `postgres`."""
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        await self._run("initdb", "-A", "trust", "-U", "postgres", "-D", f"{self.folder}/data")

    async def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off"
        await self._run(
            "pg_ctl", "-w", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-o", options, "start"
        )

    async def stop(self) -> None:
        """Stop at once, as in a power failure: committed data is in its write-ahead log."""
        await self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")

    async def _run(self, program: str, *arguments: str) -> None:
        command = [find_program(program), *arguments]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", *command]
        # The server that `pg_ctl start` leaves running would keep a pipe open.
        result = await anyio.run_process(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
        if result.returncode:
            raise RuntimeError(f"{program} failed with {result.returncode}")


@dataclass
class Redis:
    """A Redis server that stores nothing on disk."""

    folder: Path
    port: int = field(default_factory=free_port)
    _process: Process | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        command = [
            "redis-server",
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(self.folder),
        ]
        self._process = await anyio.open_process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()


@dataclass
class Replica:
    """One process of `serve`."""

    settings: Mapping[str, str]
    log: Path
    port: int = field(default_factory=free_port)
    _process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start the process, without waiting until it is ready."""
        command = [sys.executable, "-m", "mistral_mcp", "serve", "--port", str(self.port)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MISTRAL_")}
        environment |= {f"MISTRAL_MCP_{name}": value for name, value in self.settings.items()}
        with self.log.open("ab") as log:
            self._process = await anyio.open_process(command, env=environment, stdout=log, stderr=log)

    async def until_ready(self) -> None:
        async with httpx2.AsyncClient() as client:
            with anyio.fail_after(START_TIMEOUT):
                while not await self._is_ready(client):  # noqa: ASYNC110 - another process decides
                    await anyio.sleep(0.1)

    async def kill(self) -> None:
        """Kill the process with SIGKILL, as the kernel does when memory runs out."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()

    async def _is_ready(self, client: httpx2.AsyncClient) -> bool:
        try:
            return (await client.get(f"{self.url}/readyz")).is_success
        except httpx2.TransportError:
            return False


@dataclass(frozen=True)
class Deployment:
    """All services of a deployment."""

    postgres: Postgres
    redis: Redis
    replicas: list[Replica]


@asynccontextmanager
async def deployment(folder: Path, route: str) -> AsyncGenerator[Deployment]:
    """Start two replicas with one Postgres and one Redis, and stop them on exit."""
    postgres, redis = Postgres(folder / "postgres"), Redis(folder)
    settings = {
        "ROUTE": route,
        "MASTER_KEYS": MASTER_KEY,
        "DATABASE_URL": postgres.url,
        "REDIS_URL": redis.url,
        "TRUSTED_PROXIES": PROXY,
        "LOG_LEVEL": "WARNING",
    }
    replicas = [Replica(settings, folder / f"replica-{number}.log") for number in (1, 2)]
    make_folder(folder / "postgres")
    await postgres.create()
    try:
        await postgres.start()
        await redis.start()
        for replica in replicas:
            await replica.start()
        for replica in replicas:
            await replica.until_ready()
        yield Deployment(postgres, redis, replicas)
    finally:
        with anyio.CancelScope(shield=True):
            for replica in replicas:
                await replica.stop()
            await redis.stop()
            await postgres.stop()
