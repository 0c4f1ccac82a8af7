"""The operator's commands on the vault: `mistral-mcp connections …`."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from mistral_mcp.credentials import validate_user_key
from mistral_mcp.errors import BadArgument
from mistral_mcp.hosting.monitoring.connection_audit import log_connection_event
from mistral_mcp.hosting.vault.vault import Connection, Vault
from mistral_mcp.route import Route
from mistral_mcp.settings import Settings
from mistral_mcp.tools import TOOLSETS

_TOGETHER = 500
_ADDRESS = "operator"
"""In audit lines, where those of requests have the client's address."""
_COLUMNS = ("ID", "KEY", "LABEL", "TOOLSETS", "CREATED", "LAST USED", "STATE")


async def count_connections(settings: Settings) -> int:
    async with Vault.open(settings) as vault:
        return len(await vault.connections())


async def list_connections(settings: Settings, *, as_json: bool = False) -> str:
    """A line for each connection, and the number on each master key; or JSON."""
    async with Vault.open(settings) as vault:
        connections = await vault.connections()
    if as_json:
        return json.dumps({"connections": [_to_json(connection) for connection in connections]}, indent=1)
    if not connections:
        return "There are no connections."
    rows = [_COLUMNS, *(_row(connection) for connection in connections)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = [align(row, widths) for row in rows]
    counts = Counter[str]()
    for connection in connections:
        counts.update(connection.master_keys)
    lines += ["", *(f"{count} on master key {key}" for key, count in sorted(counts.items()))]
    return "\n".join(lines)


def align(row: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(connection: Connection) -> tuple[str, ...]:
    toolsets = ",".join(connection.toolsets or ("default",))
    return (
        connection.id,
        f"…{connection.key_hint}" if connection.key_hint else "-",
        connection.label or "-",
        f"{toolsets} (read-only)" if connection.read_only else toolsets,
        _format_day(connection.created_at),
        _format_day(connection.last_used_at),
        _state(connection),
    )


def _to_json(connection: Connection) -> dict[str, object]:
    return {
        "id": connection.id,
        "label": connection.label,
        "key_hint": connection.key_hint,
        "toolsets": connection.toolsets,
        "read_only": connection.read_only,
        "route": str(connection.route) if connection.route else None,
        "budget_usd": connection.budget_usd,
        "budget_calls_per_day": connection.budget_calls_per_day,
        "created_at": _format_time(connection.created_at),
        "last_used_at": _format_time(connection.last_used_at),
        "expires_at": _format_time(connection.expires_at),
        "revoked_at": _format_time(connection.revoked_at),
        "master_keys": connection.master_keys,
    }


def _format_time(when: datetime | None) -> str | None:
    if when:
        return when.strftime("%Y-%m-%dT%H:%M:%SZ")
    return None


def _state(connection: Connection) -> str:
    if connection.revoked_at:
        return "revoked"
    if connection.expires_at:
        return f"until {_format_day(connection.expires_at)}"
    return "live"


def _format_day(when: datetime | None) -> str:
    if when:
        return when.strftime("%Y-%m-%d")
    return "never"


async def create_connection(
    settings: Settings,
    key: SecretStr,
    *,
    label: str,
    toolsets: Iterable[str] | None,
    read_only: bool,
    expires_in_days: int | None,
    route: str | None = None,
) -> str:
    """Create a connection without checking the key at Mistral. The returned text has its token, which is shown only once.

    `route` may be any URL, such as a sandbox's, so that a reviewer's connection costs nothing.
    """
    if toolsets is None:
        names = None
    else:
        names = tuple(toolsets)
    unknown = [name for name in names or () if name not in TOOLSETS]
    if unknown:
        raise BadArgument(f"There is no toolset {unknown[0]!r}.", f"There are {', '.join(TOOLSETS)}.")
    validate_user_key(key, "the prompt")
    async with Vault.open(settings) as vault:
        issued = await vault.create(
            key,
            label=label,
            toolsets=names,
            read_only=read_only,
            expires_in_days=expires_in_days,
            route=_parse_route(route),
            by_operator=True,
        )
    log_connection_event("created", issued.connection.id, _ADDRESS)
    token = issued.token.get_secret_value()
    base = settings.public_url or f"http://{settings.host}:{settings.port}"
    return f"{issued.connection.id}\n\nShown this once; treat it like a password:\n  {base}/c/{token}/mcp"


def _parse_route(text: str | None) -> Route | None:
    if text is None:
        return None
    try:
        route = Route.parse(text)
    except ValueError as error:
        raise BadArgument(f"The route cannot be used: {error}.") from None
    if route.kind in {"lava", "lava-byok"}:
        raise BadArgument("A lava route needs its own token.", "Create this connection on the page, or by POST.")
    return route


async def revoke_connection(settings: Settings, connection_id: str) -> str:
    """Revoke a connection, and erase its secrets."""
    async with Vault.open(settings) as vault:
        if not await vault.revoke_by_ids([connection_id]):
            raise BadArgument(
                f"No live connection has the id {connection_id!r}.", "See mistral-mcp connections list."
            )
    log_connection_event("revoked", connection_id, _ADDRESS)
    return f"{connection_id} is revoked; every replica refuses it within 5 s."


async def revoke_connections(
    settings: Settings, *, label: str | None = None, older_than_days: int | None = None
) -> str:
    """Revoke all connections, or those of a label, or those created so many days ago."""
    async with Vault.open(settings) as vault:
        live = [each for each in await vault.connections() if not each.revoked_at]
        if label is not None:
            live = [each for each in live if each.label == label]
        if older_than_days is not None:
            long_ago = datetime.now(UTC) - timedelta(days=older_than_days)
            live = [each for each in live if each.created_at <= long_ago]
        revoked: list[str] = []
        for start in range(0, len(live), _TOGETHER):
            ended = await vault.revoke_by_ids([each.id for each in live[start : start + _TOGETHER]])
            for connection_id in ended:
                log_connection_event("revoked", connection_id, _ADDRESS)
            revoked += ended
    return f"{len(revoked)} connections are revoked; every replica refuses them within 5 s."


async def reseal_connections(settings: Settings, *, report: Callable[[str], None] = lambda _: None) -> str:
    """Re-encrypt all tokens under the first master key; needs no client token."""
    async with Vault.open(settings) as vault:
        result = await vault.reseal(lambda done, total: report(f"{done} of {total} re-encrypted"))
    lines = [f"{result.moved} re-encrypted under the first master key."]
    lines += [
        f"{count} stay on master key {key}, which is not in MASTER_KEYS." for key, count in result.left.items()
    ]
    return "\n".join(lines)
