"""Plans with many tenants: with connections in the vault, or with their keys in headers."""

from collections.abc import Sequence

from pydantic import BaseModel, TypeAdapter

from benchmarks.bench import Bench
from benchmarks.plans import Plan
from benchmarks.processes import CannotMeasure, Server
from benchmarks.wire import as_bytes, http, mcp

_CALLERS = 32


class _Created(BaseModel):
    token: str


_created = TypeAdapter(_Created)


async def create_connections(bench: Bench, keys: Sequence[str], servers: Sequence[Server], each: int = 1) -> Plan:
    """Create a connection for each key at the first server. Returns a plan that calls their secret URLs, at the servers in turn."""
    port = servers[0].port
    # Each from another address, because sign-ups are rate-limited by address.
    sign_ups = [
        http(port, "/connections", as_bytes({"api_key": key}), _client_address(number), expect='"token"')
        for number, key in enumerate(keys)
    ]
    outcome = (await bench.load(Plan(targets=sign_ups, callers=8, calls=len(sign_ups), keep=True))).outcome
    if outcome.errors:
        raise CannotMeasure(f"connections could not be created: {outcome.errors}")
    paths = [f"/c/{_created.validate_json(answer).token}/mcp" for answer in outcome.answers]
    return _plan(keys, servers, each, paths)


def _client_address(number: int) -> dict[str, str]:
    return {"x-forwarded-for": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}


def plan_with_own_keys(keys: Sequence[str], servers: Sequence[Server], each: int = 1) -> Plan:
    """A plan of the same calls at `/mcp`, with the keys in headers."""
    return _plan(keys, servers, each, None)


def _plan(keys: Sequence[str], servers: Sequence[Server], each: int, paths: Sequence[str] | None) -> Plan:
    """Every answer depends on the key that was sent to the upstream, which must be the tenant's."""
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
