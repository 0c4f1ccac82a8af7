"""Several processes on one database, and processes that are killed."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import chain

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from mistral_mcp.hosting.vault.tables import connections, tokens
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.settings import Settings

pytestmark = pytest.mark.slow

# Says when it is ready; then opens the vault and creates connections, a few at a time, and says each token that it was
# given, in one write.
WRITER = """
import anyio, json, os, sys
from pydantic import SecretStr
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.settings import Settings

async def create(vault, count, name):
    for number in range(count):
        key = f"tEsTkEy{name}{number:020}"
        created = await vault.create(SecretStr(key), label=name)
        os.write(1, (json.dumps([created.token.get_secret_value(), key]) + "\\n").encode())

async def main(settings, count):
    async with Vault.open(settings) as vault, anyio.create_task_group() as group:
        for worker in range(5):
            group.start_soon(create, vault, count // 5, f"{os.getpid():08}w{worker}")

settings = Settings.model_validate(json.loads(sys.argv[1]))
os.write(1, b"ready\\n")
sys.stdin.readline()
anyio.run(main, settings, int(sys.argv[2]))
"""

Start = Callable[[int], "subprocess.Popen[str]"]


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    """Starts a writer, which waits to be told to go."""
    options = {
        "data_dir": str(settings.data_dir),
        "database_url": settings.database_url.get_secret_value() if settings.database_url else None,
        "master_keys": [key.get_secret_value() for key in settings.master_keys],
    }
    with contextlib.ExitStack() as stack:

        def start(count: int) -> "subprocess.Popen[str]":
            command = [sys.executable, "-c", WRITER, json.dumps(options), str(count)]
            process = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()


async def test_processes_that_start_on_one_empty_database_at_once_all_succeed(settings: Settings, start: Start):
    processes = [start(5) for _ in range(3)]
    for process in processes:
        go(process)
    finished = [process.communicate() for process in processes]

    assert [process.returncode for process in processes] == [0] * 3, [errors for _, errors in finished]
    lines = chain.from_iterable(out.splitlines() for out, _ in finished)
    made = [json.loads(line) for line in lines]
    assert len(made) == 15
    async with Vault.open(settings) as vault:
        assert len(await vault.connections()) == 15
        for token, key in made:
            assert (await vault.credentials(SecretStr(token), "a header")).key == SecretStr(key)
    assert "".join(errors for _, errors in finished).count("Created a master key") == (
        settings.database_url is None
    )


async def test_killed_in_the_middle_of_500_what_was_answered_works_and_nothing_is_half_written(
    settings: Settings, start: Start
):
    process = start(500)
    go(process)
    assert process.stdout
    answered = [process.stdout.readline() for _ in range(100)]
    process.kill()
    answered += process.stdout.readlines()
    assert process.wait() == -9
    made = [json.loads(line) for line in answered if line.endswith("\n")]
    assert 100 <= len(made) < 500

    async with Vault.open(settings) as vault:
        for token, key in made:
            assert (await vault.credentials(SecretStr(token), "a header")).key == SecretStr(key)
        both = select(connections.c.id, tokens.c.id).join_from(connections, tokens, full=True)
        rows = await vault._database.read(lambda database: database.execute(both).all())
        # At most the five that were under way were written and not answered any more.
        assert len(made) <= len(rows) <= len(made) + 5
        assert all(connection and token for connection, token in rows)
