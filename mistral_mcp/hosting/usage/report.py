"""The operator's usage report: `mistral-mcp connections usage`."""

import json

from mistral_mcp.hosting.commands import align
from mistral_mcp.hosting.usage.sums import VaultUsage
from mistral_mcp.hosting.vault.vault import Connection, Vault
from mistral_mcp.settings import Settings
from mistral_mcp.usage.answer import NO_LIMITS, Limits, UsageAnswer, first_of_month, usage_answer

_COLUMNS = ("ID", "LABEL", "TODAY", "MONTH", "ERRORS", "TOKENS", "USD", "LEFT")


class Entry(UsageAnswer):
    """The usage of a connection, or of a caller's own key, whose `id` is a digest."""

    id: str
    label: str | None


async def list_usage(settings: Settings, *, as_json: bool = False) -> str:
    """A line for each, the most expensive first; or JSON."""
    entries = await _read_entries(settings)
    if as_json:
        return json.dumps({"connections": entries}, indent=1)
    if not entries:
        return "There are no connections, and nothing was used this month."
    rows = [_COLUMNS, *(_row(entry) for entry in entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "\n".join(align(row, widths) for row in rows)


async def _read_entries(settings: Settings) -> list[Entry]:
    async with Vault.open(settings) as vault:
        now = vault.now()
        used = await VaultUsage(vault.database, vault.now).read_all(first_of_month(now))
        connections = {connection.id: connection for connection in await vault.connections()}
    ceiling = Limits(settings.budget_usd, settings.budget_calls_per_day)
    entries: list[Entry] = []
    for owner in {**connections, **used}:
        connection = connections.get(owner)
        limits = _limits_of(connection).lower_of(ceiling)
        answer = usage_answer(used.get(owner, {}), limits, now)
        label = connection.label if connection else None
        entries.append({"id": owner, "label": label, **answer})
    return sorted(entries, key=lambda entry: (-entry["month"]["cost_usd"], -entry["month"]["calls"]))


def _limits_of(connection: Connection | None) -> Limits:
    if connection is None:
        return NO_LIMITS
    return Limits(connection.budget_usd, connection.budget_calls_per_day)


def _row(entry: Entry) -> tuple[str, ...]:
    month = entry["month"]
    if entry["label"] is None:
        label = "(a key of their own)"
    else:
        label = entry["label"] or "-"
    return (
        entry["id"],
        label,
        str(entry["today"]["calls"]),
        str(month["calls"]),
        str(month["errors"]),
        str(month["total_tokens"]),
        f"{month['cost_usd']:.4f}",
        _remaining_text(entry),
    )


def _remaining_text(entry: Entry) -> str:
    budget = entry["budget"]
    if budget is None:
        return "-"
    parts: list[str] = []
    if budget["left_usd"] is not None:
        parts.append(f"${budget['left_usd']:.4f}")
    if budget["left_calls"] is not None:
        parts.append(f"{budget['left_calls']} calls")
    return ", ".join(parts)
