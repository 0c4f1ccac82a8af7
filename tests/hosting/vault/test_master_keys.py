"""Where the master keys come from, the errors if they do not fit, and their rotation."""

import hashlib
import logging
import secrets
from pathlib import Path

import pytest
from pydantic import SecretStr

from mistral_mcp.errors import BadSetting, VaultUnavailable
from mistral_mcp.hosting.vault import maintenance
from mistral_mcp.hosting.vault.maintenance import Resealed
from mistral_mcp.hosting.vault.sealing import MasterKeys
from mistral_mcp.hosting.vault.vault import IssuedToken, Vault
from mistral_mcp.settings import Settings
from tests.hosting.conftest import Clock

KEY = SecretStr("tEsTkEy0123456789abcdefghijklmn1")
OLD, NEW, WRONG = (hashlib.sha256(name.encode()).hexdigest() for name in ("old", "new", "wrong"))


def set_master_keys(settings: Settings, *keys: str) -> Settings:
    return settings.model_copy(update={"master_keys": tuple(SecretStr(key) for key in keys)})


def id_of(key: str) -> str:
    return MasterKeys([bytes.fromhex(key)]).first


async def make(settings: Settings, count: int = 1) -> list[IssuedToken]:
    async with Vault.open(settings) as vault:
        return [await vault.create(KEY) for _ in range(count)]


async def read_keys(settings: Settings, created: list[IssuedToken]) -> set[SecretStr | None]:
    async with Vault.open(settings) as vault:
        return {(await vault.credentials(each.token, "a header")).key for each in created}


async def open_and_fail(settings: Settings) -> str:
    with pytest.raises(BadSetting) as caught:
        async with Vault.open(settings):
            pass
    return str(caught.value)


async def test_a_master_key_is_made_once_and_the_log_says_where(
    sqlite_settings: Settings, caplog: pytest.LogCaptureFixture
):
    created = await make(sqlite_settings)

    assert await read_keys(sqlite_settings, created) == {KEY}
    [record] = caplog.records
    assert (record.levelno, str(sqlite_settings.data_dir) in record.message) == (logging.WARNING, True)


async def test_the_file_may_hold_a_ring_as_the_setting_does(sqlite_settings: Settings):
    created = await make(sqlite_settings)
    path = sqlite_settings.data_dir / "master.key"
    path.write_text(f"{NEW}\n{path.read_text()}")

    async with Vault.open(sqlite_settings) as vault:
        assert await vault.reseal() == Resealed(moved=1, left={})
    path.write_text(NEW)

    assert await read_keys(sqlite_settings, created) == {KEY}


@pytest.mark.parametrize("content", ["", "not hex", "ab" * 31, "ab" * 32 + " cd", "é" * 64])
async def test_a_file_without_a_key_is_reported(sqlite_settings: Settings, content: str):
    await make(sqlite_settings)
    (sqlite_settings.data_dir / "master.key").write_text(content)

    assert "master.key holds no master key." in await open_and_fail(sqlite_settings)


async def test_a_file_that_others_may_read_is_warned_about(
    sqlite_settings: Settings, caplog: pytest.LogCaptureFixture
):
    await make(sqlite_settings)
    (sqlite_settings.data_dir / "master.key").chmod(0o644)
    caplog.clear()

    await make(sqlite_settings)

    assert "can be read by other users" in caplog.text


async def test_without_its_key_file_a_vault_with_connections_does_not_start_and_makes_no_other(
    sqlite_settings: Settings,
):
    created = await make(sqlite_settings, 3)
    path = sqlite_settings.data_dir / "master.key"
    kept = path.read_text()
    path.unlink()

    message = await open_and_fail(sqlite_settings)

    assert f"There is no {path}, and the stored connections need it: 3 on master key {id_of(kept)}." in message
    assert not path.exists()
    path.write_text(kept)
    assert await read_keys(sqlite_settings, created) == {KEY}


async def test_on_postgres_a_start_without_master_keys_is_refused(postgres_url: str, tmp_path: Path):
    settings = Settings.model_validate({"database_url": postgres_url, "data_dir": tmp_path / "data"})

    assert "With Postgres, MASTER_KEYS must be set" in await open_and_fail(settings)


async def test_wrong_master_keys_are_reported_and_nothing_is_lost(settings: Settings):
    created = await make(set_master_keys(settings, OLD), 2)

    message = await open_and_fail(set_master_keys(settings, WRONG))

    assert f"MASTER_KEYS opens none of the stored connections: 2 on master key {id_of(OLD)}." in message
    assert OLD not in message
    assert WRONG not in message
    assert await read_keys(set_master_keys(settings, OLD), created) == {KEY}


async def test_a_connection_on_a_missing_key_is_reported_and_the_others_work(
    settings: Settings, caplog: pytest.LogCaptureFixture
):
    [old] = await make(set_master_keys(settings, OLD))
    [new] = await make(set_master_keys(settings, NEW, OLD))

    async with Vault.open(set_master_keys(settings, NEW)) as vault:
        assert (await vault.credentials(new.token, "a header")).key == KEY
        with pytest.raises(VaultUnavailable, match="lacks the master key"):
            await vault.credentials(old.token, "a header")
        assert (await vault.describe(old.token)).key_hint == "lmn1"
        await vault.revoke(old.token)

    assert f"but not all: 1 on master key {id_of(OLD)}." in caplog.text


async def test_resealed_offline_everything_opens_without_the_old_key(settings: Settings):
    created = await make(set_master_keys(settings, OLD), 20)

    async with Vault.open(set_master_keys(settings, NEW, OLD)) as vault:
        assert {each.master_keys for each in await vault.connections()} == {(id_of(OLD),)}
        assert await vault.reseal() == Resealed(moved=20, left={})
        assert await vault.reseal() == Resealed(moved=0, left={})
        assert {each.master_keys for each in await vault.connections()} == {(id_of(NEW),)}

    assert await read_keys(set_master_keys(settings, NEW), created) == {KEY}
    assert "opens none" in await open_and_fail(set_master_keys(settings, OLD))


async def test_resealing_goes_in_batches_and_tells_how_far_it_is(settings: Settings):
    created = await make(set_master_keys(settings, OLD), 20)
    reports: list[tuple[int, int]] = []
    async with Vault.open(set_master_keys(settings, NEW, OLD)) as vault:
        resealed = await maintenance.reseal(
            vault._database, vault._ring, lambda done, of: reports.append((done, of)), batch=7
        )

    assert resealed == Resealed(moved=20, left={})
    assert reports == [(7, 20), (14, 20), (20, 20)]

    assert await read_keys(set_master_keys(settings, NEW), created) == {KEY}


async def test_what_no_key_opens_is_counted_and_left_as_it_is(settings: Settings):
    lost = await make(set_master_keys(settings, OLD), 2)
    kept = await make(set_master_keys(settings, WRONG, OLD), 3)

    async with Vault.open(set_master_keys(settings, NEW, WRONG)) as vault:
        assert await vault.reseal() == Resealed(moved=3, left={id_of(OLD): 2})

    assert await read_keys(set_master_keys(settings, NEW), kept) == {KEY}
    assert await read_keys(set_master_keys(settings, NEW, OLD), lost) == {KEY}


async def test_a_token_that_ended_while_it_was_resealed_stays_erased(settings: Settings, clock: Clock):
    [created] = await make(set_master_keys(settings, OLD))
    async with Vault.open(set_master_keys(settings, NEW, OLD), now=clock.now, clock=clock) as vault:
        await vault.revoke(created.token)

        assert await vault.reseal() == Resealed(moved=0, left={})
        assert [each.master_keys for each in await vault.connections()] == [()]


async def test_what_is_made_meanwhile_is_on_the_first_key(settings: Settings):
    ring = [secrets.token_hex(32) for _ in range(3)]
    for newest in range(3):
        created = await make(set_master_keys(settings, *reversed(ring[: newest + 1])))

        async with Vault.open(set_master_keys(settings, *reversed(ring[: newest + 1]))) as vault:
            [found] = [each for each in await vault.connections() if each.id == created[0].connection.id]
            assert found.master_keys == (id_of(ring[newest]),)


@pytest.mark.parametrize("weak", ["00" * 32, "ff" * 32, "0123" * 16])
async def test_a_master_key_that_can_be_guessed_is_refused(settings: Settings, weak: str):
    message = await open_and_fail(set_master_keys(settings, weak))

    assert "can be guessed" in message
    assert weak not in message


async def test_a_weak_key_that_connections_need_is_warned_about(
    settings: Settings, caplog: pytest.LogCaptureFixture
):
    async with Vault.open(set_master_keys(settings, NEW)) as vault:
        await vault.create(KEY)

    async with Vault.open(set_master_keys(settings, NEW, "00" * 32)):
        assert "can be guessed" in caplog.text


async def test_a_folder_that_others_may_read_is_warned_about(
    sqlite_settings: Settings, caplog: pytest.LogCaptureFixture
):
    sqlite_settings.data_dir.mkdir(mode=0o755)
    sqlite_settings.data_dir.chmod(0o755)

    await make(sqlite_settings)

    assert f"{sqlite_settings.data_dir} can be read by other users" in caplog.text
