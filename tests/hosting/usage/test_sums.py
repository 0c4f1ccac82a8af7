"""Usage as rows of the vault's database, which every replica adds to."""

import anyio
import pytest
from sqlalchemy import func, select

from mistral_mcp.hosting.usage.sums import VaultUsage
from mistral_mcp.hosting.vault.tables import done, usage
from mistral_mcp.hosting.vault.vault import Vault
from mistral_mcp.settings import Settings
from mistral_mcp.usage.store import Batch
from mistral_mcp.usage.sums import NAMES, Key, Sums
from tests.hosting.conftest import Clock

CHAT = Key("2026-11-21", "mistral_chat", "mistral-small-latest")
EMBED = Key("2026-11-21", "mistral_embed", "mistral-embed")


@pytest.fixture
def sums(vault: Vault) -> VaultUsage:
    return VaultUsage(vault.database, vault.now)


async def test_replicas_add_up(settings: Settings, vault: Vault, sums: VaultUsage):
    async with Vault.open(settings) as other:
        stores = [sums, VaultUsage(other.database, vault.now)]

        async def add(store: VaultUsage) -> None:
            for _ in range(10):
                rows = {CHAT: Sums(calls=1, cost=3), EMBED: Sums(calls=2, errors=1)}
                await store.add(Batch({"a": rows, "b": rows}))

        async with anyio.create_task_group() as group:
            for store in stores:
                group.start_soon(add, store)

    expected = {CHAT: Sums(calls=20, cost=60), EMBED: Sums(calls=40, errors=20)}
    assert await sums.read("a", "2026-11-01") == expected
    assert await sums.read_all("2026-11-01") == {"a": expected, "b": expected}
    assert await sums.read("a", "2026-11-22") == {}


async def test_a_batch_that_is_tried_again_counts_once(sums: VaultUsage):
    batch = Batch({"a": {CHAT: Sums(calls=1)}})
    await sums.add(batch)
    await sums.add(batch)

    assert await sums.read("a", "2026-11-01") == {CHAT: Sums(calls=1)}


async def test_the_largest_sums_fit(sums: VaultUsage):
    largest = Sums(**dict.fromkeys(NAMES, 10**15))
    await sums.add(Batch({"a": {CHAT: largest}}))

    assert await sums.read("a", "2026-11-01") == {CHAT: largest}


async def test_old_days_and_batches_are_swept(vault: Vault, sums: VaultUsage, clock: Clock):
    await sums.add(Batch({"a": {CHAT: Sums(calls=1)}}))
    clock.pass_by(days=300)
    await vault.sweep()
    kept = await sums.read("a", "2026-11-01")
    clock.pass_by(days=110)
    await vault.sweep()

    assert kept == {CHAT: Sums(calls=1)}
    for table in (usage, done):
        count = select(func.count()).select_from(table)
        assert await vault.database.read(lambda connection, count=count: connection.scalar(count)) == 0
