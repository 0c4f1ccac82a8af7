"""What the operator does with the vault from the command line: `mistral-mcp connections …`."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from pydantic import SecretStr

from mistral_mcp.credentials import own_key
from mistral_mcp.errors import BadArgument
from mistral_mcp.hosting.vault.vault import Connection, Vault
from mistral_mcp.settings import Settings
from mistral_mcp.tools import TOOLSETS


async def count_connections(settings: Settings) -> int:
    """How many connections there are."""
    async with Vault.open(settings) as vault:
        return len(await vault.connections())


async def list_connections(settings: Settings) -> str:
    """Every connection in a line, and how many are on which master key."""
    async with Vault.open(settings) as vault:
        connections = await vault.connections()
    if not connections:
        return "There are no connections."
    rows = [("ID", "KEY", "LABEL", "TOOLSETS", "MADE", "LAST USED", "STATE"), *map(_row, connections)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    on = Counter(key for connection in connections for key in connection.master_keys)
    lines += ["", *(f"{count} on master key {key}" for key, count in sorted(on.items()))]
    return "\n".join(lines)


def _row(connection: Connection) -> tuple[str, ...]:
    state = "revoked" if connection.revoked_at else "live"
    if connection.expires_at and state == "live":
        state = f"until {_day(connection.expires_at)}"
    return (
        connection.id,
        f"…{connection.key_hint}" if connection.key_hint else "-",
        connection.label or "-",
        (",".join(connection.toolsets or ()) or "default") + (" (read-only)" if connection.read_only else ""),
        _day(connection.created_at),
        _day(connection.last_used_at),
        state,
    )


def _day(when: datetime | None) -> str:
    return when.strftime("%Y-%m-%d") if when else "never"


async def create_connection(
    settings: Settings,
    key: SecretStr,
    *,
    label: str,
    toolsets: Iterable[str] | None,
    read_only: bool,
    expires_in_days: int | None,
) -> str:
    """Make a connection, without asking Mistral about the key; its token is in the text, this once."""
    names = None if toolsets is None else tuple(toolsets)
    if unknown := [name for name in names or () if name not in TOOLSETS]:
        raise BadArgument(f"There is no toolset {unknown[0]!r}.", f"There are {', '.join(TOOLSETS)}.")
    own_key(key, "the prompt")
    async with Vault.open(settings) as vault:
        made = await vault.create(
            key, label=label, toolsets=names, read_only=read_only, expires_in_days=expires_in_days
        )
    token = made.token.get_secret_value()
    base = settings.public_url or f"http://{settings.host}:{settings.port}"
    return f"{made.connection.id}\n\nShown this once; treat it like a password:\n  {base}/c/{token}/mcp"


async def revoke_connection(settings: Settings, connection_id: str) -> str:
    """End a connection and erase what was sealed."""
    async with Vault.open(settings) as vault:
        if not await vault.revoke_by_id(connection_id):
            raise BadArgument(f"No live connection has the id {connection_id!r}.", "See mistral-mcp connections list.")
    return f"{connection_id} is revoked; every replica refuses it within 5 s."


async def reseal_connections(settings: Settings, *, report: Callable[[str], None] = lambda _: None) -> str:
    """Turn every token's outer seal to the first master key; `report` hears how far it is."""
    async with Vault.open(settings) as vault:
        result = await vault.reseal(lambda done, of: report(f"{done} of {of} turned"))
    left = "".join(
        f"\n{count} stay on master key {key}, which is not in MASTER_KEYS." for key, count in result.left.items()
    )
    return f"{result.moved} turned to the first master key.{left}"
