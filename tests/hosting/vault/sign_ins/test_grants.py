"""Grants on both kinds of database: codes, access and refresh tokens, and their expiry."""

import pytest
from pydantic import SecretStr

from mistral_mcp.errors import RefusedCredential, RevokedOrExpired
from mistral_mcp.hosting.vault.sign_ins.grant_records import READ, SCOPES, GrantRequest, InvalidGrant
from mistral_mcp.hosting.vault.vault import Vault
from tests.hosting.conftest import Clock

KEY = SecretStr("tEsTkEy0123456789abcdefghijklmn1")
RESOURCE = "https://mcp.example/mcp"
REQUEST = GrantRequest(
    client_id="client",
    client_name="A client",
    redirect_uri="https://client.example/callback",
    redirect_uri_explicit=True,
    code_challenge="challenge",
    scopes=SCOPES,
    resource=RESOURCE,
)


async def code_of(vault: Vault) -> tuple[SecretStr, SecretStr]:
    """A connection's token, and a code for it."""
    token = (await vault.create(KEY)).token
    return token, await vault.grants.issue_code(token, REQUEST)


async def test_a_code_becomes_tokens_that_open_the_key(vault: Vault):
    _, code = await code_of(vault)
    issued = await vault.grants.redeem(code, "code")

    credentials = await vault.granted_credentials(issued.access, RESOURCE, "this connection")
    assert credentials.key == KEY
    assert not credentials.read_only


async def test_whoever_may_only_read_gets_read_only_credentials(vault: Vault):
    _, code = await code_of(vault)
    issued = await vault.grants.redeem(code, "code", (READ,))

    assert (await vault.granted_credentials(issued.access, RESOURCE, "this connection")).read_only


async def test_each_secret_ends_in_its_time(vault: Vault, clock: Clock):
    _, late = await code_of(vault)
    clock.pass_by(3 * 60)
    with pytest.raises(InvalidGrant):
        await vault.grants.redeem(late, "code")
    _, code = await code_of(vault)
    issued = await vault.grants.redeem(code, "code")
    clock.pass_by(3_601)
    with pytest.raises(RevokedOrExpired):
        await vault.granted_credentials(issued.access, RESOURCE, "this connection")
    clock.pass_by(days=61)
    with pytest.raises(InvalidGrant):
        await vault.grants.redeem(issued.refresh, "refresh")


async def test_no_kind_of_secret_stands_for_another(vault: Vault):
    token, code = await code_of(vault)
    issued = await vault.grants.redeem(code, "code")

    for secret in (token, code, issued.refresh):
        with pytest.raises(RefusedCredential):
            await vault.granted_credentials(secret, RESOURCE, "this connection")
    for secret in (code, issued.access, issued.refresh):
        with pytest.raises(RefusedCredential):
            await vault.credentials(secret, "this connection")


async def test_a_token_for_another_server_is_refused(vault: Vault):
    _, code = await code_of(vault)
    issued = await vault.grants.redeem(code, "code")

    with pytest.raises(RefusedCredential):
        await vault.granted_credentials(issued.access, "https://other.example/mcp", "this connection")


async def test_revoking_the_connection_ends_its_grants(vault: Vault):
    token, code = await code_of(vault)
    issued = await vault.grants.redeem(code, "code")
    await vault.granted_credentials(issued.access, RESOURCE, "this connection")
    await vault.revoke(token)

    with pytest.raises(RevokedOrExpired):
        await vault.granted_credentials(issued.access, RESOURCE, "this connection")
    with pytest.raises(InvalidGrant):
        await vault.grants.redeem(issued.refresh, "refresh")


async def test_grants_are_listed_and_one_can_be_ended_by_whoever_holds_the_connection(vault: Vault):
    token, code = await code_of(vault)
    issued = await vault.grants.redeem(code, "code")
    connection = await vault.describe(token)
    [grant] = await vault.grants.list_of(connection.id)
    await vault.grants.revoke_by_id("another", grant.id)
    await vault.granted_credentials(issued.access, RESOURCE, "this connection")
    await vault.grants.revoke_by_id(connection.id, grant.id)

    assert await vault.grants.list_of(connection.id) == []
    with pytest.raises(RevokedOrExpired):
        await vault.granted_credentials(issued.access, RESOURCE, "this connection")
    assert (await vault.credentials(token, "this connection")).key == KEY


async def test_the_sweep_leaves_nothing_of_what_expired(vault: Vault, clock: Clock):
    token, code = await code_of(vault)
    await vault.grants.redeem(code, "code")
    await vault.credentials(token, "this connection")
    connection = await vault.describe(token)
    clock.pass_by(days=100)
    await vault.sweep()

    assert await vault.grants.list_of(connection.id) == []
