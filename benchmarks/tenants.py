"""Many tenants of one or more servers: with connections in the vault, or with their keys in headers."""

from collections.abc import Sequence

from pydantic import BaseModel, TypeAdapter

from benchmarks.bench import Bench
from benchmarks.plans import Plan
from benchmarks.processes import CannotMeasure, Server
from benchmarks.wire import as_bytes, http, mcp

_CALLERS = 32


class _Made(BaseModel):
    token: str


_made = TypeAdapter(_Made)


async def connect(bench: Bench, keys: Sequence[str], servers: Sequence[Server], each: int = 1) -> Plan:
    """Make a connection for each key, at the first server; a plan that calls at their secret URLs, servers in turn."""
    port = servers[0].port
    # Each from an address of its own: sign-ups of one address are limited.
    asked = [
        http(port, "/connections", as_bytes({"api_key": key}), _from(number), expect='"token"')
        for number, key in enumerate(keys)
    ]
    outcome = (await bench.load(Plan(targets=asked, callers=8, calls=len(asked), keep=True))).outcome
    if outcome.errors:
        raise CannotMeasure(f"connections could not be made: {outcome.errors}")
    paths = [f"/c/{_made.validate_json(answer).token}/mcp" for answer in outcome.answers]
    return _plan(keys, servers, each, paths)


def _from(number: int) -> dict[str, str]:
    return {"x-forwarded-for": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}


def own_targets(keys: Sequence[str], servers: Sequence[Server], each: int = 1) -> Plan:
    """The same calls at `/mcp`, keys in headers."""
    return _plan(keys, servers, each, None)


def _plan(keys: Sequence[str], servers: Sequence[Server], each: int, paths: Sequence[str] | None) -> Plan:
    """Every answer tells which key went out, and must be its tenant's."""
    targets = [
        mcp(
            servers[number % len(servers)].port,
            "mistral_chat",
            {"prompt": "Hello"},
            era="2026-07-28",
            key=key,
            path=paths[number] if paths else "/mcp",
            in_header=paths is None,
        )
        for number, key in enumerate(keys)
    ]
    return Plan(targets=targets, callers=_CALLERS, calls=len(targets) * each)
