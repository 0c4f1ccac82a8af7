"""What a person may do with the connections of a key that they hold, without any of the connections' tokens.

So a connection that OAuth's consent made, whose token nobody has seen, can be looked at and ended, and one whose address was
lost. A key changes neither the key nor the tools of a connection: whoever found it would have clients call with another's.
"""

from dataclasses import replace

from pydantic import SecretStr

from mistral_mcp.credentials import validate_user_key
from mistral_mcp.errors import BadArgument, RefusedCredential
from mistral_mcp.hosting.vault.by_key import ConnectionsByKey
from mistral_mcp.hosting.vault.connection import Connection
from mistral_mcp.hosting.web.connect import ConnectionChanges, Tenancy
from mistral_mcp.hosting.web.forms import KeyProofs


class NotAKey(BadArgument):
    """Raised for a text that is neither a token of ours nor a Mistral key."""


class NoConnectionOfKey(RefusedCredential):
    """Raised for a key that no live connection was made with, and for a connection of another key."""


class KeyHolders:
    """`proof` is what `prove` gave, good for as long as a form. All but `prove` raise `StaleForm` and `NoConnectionOfKey`."""

    def __init__(self, tenancy: Tenancy) -> None:
        vault = tenancy.vault
        self._tenancy = tenancy
        self._connections = ConnectionsByKey(vault.database, vault.derive_keys, vault.now)

    async def prove(self, key: SecretStr, address: str) -> str:
        """Raises `NotAKey`, `NoConnectionOfKey`, `TooManyFailures` or `VaultUnavailable`."""
        if "://" in key.get_secret_value():
            raise NotAKey(
                "This is an address, and holds no token of this server's.", "Paste the whole secret URL."
            )
        try:
            validate_user_key(key, "this form")
        except RefusedCredential as error:
            raise NotAKey(error.what, error.advice) from None
        digests = self._connections.digests(key)
        with self._tenancy.throttle.counting(address):
            if not await self._connections.list_of(digests):
                raise NoConnectionOfKey("No connection here was made with this key.", "Paste another key.")
        return self._proofs.issue(digests)

    async def list_of(self, proof: str) -> list[Connection]:
        """Those that are live, newest first; it may be empty."""
        return await self._connections.list_of(self._proofs.verify(proof))

    async def find(self, proof: str, connection_id: str) -> Connection:
        for connection in await self.list_of(proof):
            if connection.id == connection_id:
                return connection
        raise NoConnectionOfKey("This connection has ended, or was made with another key.", "Paste the key again.")

    async def update(
        self,
        proof: str,
        connection_id: str,
        changes: ConnectionChanges,
        address: str,
    ) -> None:
        """Its label and budgets."""
        connection = replace(
            await self.find(proof, connection_id),
            label=changes.label.strip(),
            budget_usd=changes.budget_usd,
            budget_calls_per_day=changes.budget_calls_per_day,
        )
        await self._connections.update(connection)
        self._tenancy.record("changed", connection.id, address)

    async def end_grant(
        self,
        proof: str,
        connection_id: str,
        grant_id: str,
        address: str,
    ) -> None:
        connection = await self.find(proof, connection_id)
        await self._tenancy.end_grant(connection, grant_id, address)

    async def revoke(
        self,
        proof: str,
        connection_id: str,
        address: str,
    ) -> Connection:
        """End it for every client, and erase what was sealed."""
        connection = await self.find(proof, connection_id)
        await self._tenancy.vault.revoke_by_ids([connection.id])
        self._tenancy.record("revoked", connection.id, address)
        return connection

    @property
    def _proofs(self) -> KeyProofs:
        return KeyProofs(self._tenancy.vault.derive_keys("key proofs"))
