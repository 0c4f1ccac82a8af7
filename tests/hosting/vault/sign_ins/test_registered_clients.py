"""Clients that registered themselves: sealed secrets, and a table that cannot be filled for long."""

import json

import pytest
from pydantic import SecretStr
from sqlalchemy import func, insert, select

from mistral_mcp.hosting.vault.sign_ins.registered_clients import MOST_CLIENTS, RegisteredClient, TooManyClients
from mistral_mcp.hosting.vault.tables import clients
from mistral_mcp.hosting.vault.vault import Vault
from tests.hosting.conftest import Clock
from tests.hosting.vault.sign_ins.test_grants import REQUEST, code_of

CLIENT = RegisteredClient(json.dumps({"client_name": "A client"}), SecretStr("s3cret-of-a-client"))


async def count(vault: Vault) -> int:
    statement = select(func.count()).select_from(clients)
    return await vault.registered_clients._database.read(lambda each: each.execute(statement).scalar_one())


async def fill(vault: Vault, clock: Clock) -> None:
    """As a flood does, from many addresses."""
    rows = [
        {"client_id": f"flood-{number}", "described": "{}", "created_at": clock.now()}
        for number in range(MOST_CLIENTS)
    ]
    await vault.registered_clients._database.write(lambda each: each.execute(insert(clients), rows))


async def test_a_secret_comes_back_and_is_not_readable_at_rest(vault: Vault):
    await vault.registered_clients.add("one", CLIENT)
    statement = select(clients.c.sealed_secret)
    sealed = await vault.registered_clients._database.read(lambda each: each.execute(statement).scalar_one())

    assert await vault.registered_clients.find("one") == CLIENT
    assert b"s3cret" not in sealed
    assert await vault.registered_clients.find("other") is None


async def test_a_client_that_nobody_gave_a_grant_goes_after_a_day(vault: Vault, clock: Clock):
    await vault.registered_clients.add("client", CLIENT)
    await vault.registered_clients.add("unused", CLIENT)
    await code_of(vault)
    clock.pass_by(days=1.1)
    await vault.sweep()

    assert REQUEST.client_id == "client"
    assert await vault.registered_clients.find("client") == CLIENT
    assert await vault.registered_clients.find("unused") is None


async def test_a_flood_of_registrations_is_bounded_and_makes_room_after_an_hour(vault: Vault, clock: Clock):
    await vault.registered_clients.add("client", CLIENT)
    await code_of(vault)
    await fill(vault, clock)
    with pytest.raises(TooManyClients):
        await vault.registered_clients.add("late", CLIENT)
    assert await count(vault) == MOST_CLIENTS + 1

    clock.pass_by(seconds=3601)
    await vault.registered_clients.add("late", CLIENT)
    assert await vault.registered_clients.find("late") == CLIENT
    assert await vault.registered_clients.find("client") == CLIENT
    assert await count(vault) == 2
