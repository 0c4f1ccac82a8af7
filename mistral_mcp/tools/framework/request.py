"""The context of a tool call: the running server's shared objects, and a client with the caller's key."""

from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext

from mistral_mcp.credentials import Credentials, CredentialSource
from mistral_mcp.errors import MissingCredential
from mistral_mcp.kept_results import Owner, ResultStore
from mistral_mcp.mistral.client import MistralClient, Upstream
from mistral_mcp.mistral.progress import Progress
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.settings import Settings
from mistral_mcp.tools.framework.kept import KeptResults
from mistral_mcp.tools.framework.upload_handles import UploadHandles
from mistral_mcp.upload_links import UploadLinks
from mistral_mcp.usage.budgets import Budgets
from mistral_mcp.usage.ledger import Ledger

Mistral = MistralClient
"""Type of a tool's first parameter, `mistral`: the client for Mistral, filled per request, not part of the input schema.

The SDK's `Resolve` is not used: its preparations for asking the user cost more than a tool does.
"""


@dataclass(frozen=True)
class Served:
    """What all calls share while the server runs: the SDK's lifespan context."""

    settings: Settings
    credentials: CredentialSource
    upstream: Upstream
    result_store: ResultStore
    upload_links: UploadLinks | None
    ledger: Ledger
    budgets: Budgets | None


@dataclass(frozen=True, slots=True)
class CallContext:
    """What one call may use: a client with the caller's key, and the caller's stored results."""

    credentials: Credentials
    mistral: MistralClient
    kept_results: KeptResults
    upload_handles: UploadHandles


async def call_context(request: ServerRequestContext[Served, Any]) -> CallContext:
    """The context of this request. Raises a `CredentialError` without a key."""
    served = request.lifespan_context
    found = await served.credentials(request.request)
    mistral = _client(request, served, found)
    if request.request is None:
        owner = Owner(found)
    else:
        owner = Owner(found, served.settings.public_url, request.request)
    return CallContext(
        found,
        mistral,
        KeptResults(served.result_store, owner, mistral.caller.mask),
        UploadHandles(served.upload_links, owner),
    )


async def client_for(request: ServerRequestContext[Served, Any]) -> MistralClient:
    """A client with the key of this request. Raises a `CredentialError` if there is none."""
    return (await call_context(request)).mistral


def _client(request: ServerRequestContext[Served, Any], served: Served, found: Credentials) -> MistralClient:
    settings = served.settings
    route = found.route or settings.route
    # The operator's token is never sent on a tenant's own route.
    if found.route:
        route_token = found.route_token
    else:
        route_token = settings.route_token
    if found.key is None and not route.pays(route_token):
        raise MissingCredential(
            f"There is no Mistral key: {found.source} is not set.",
            "Set it in this server's entry of your MCP client (a key comes from https://console.mistral.ai), "
            "then restart the server.",
        )
    is_tenant = request.request is not None and found.route is None
    caller = Caller.of(found.key, found.source, route, route_token, *found.also_secret, is_tenant=is_tenant)
    listens = bool(request.meta and request.meta.get("progress_token") is not None)
    if listens:
        progress = Progress(request.session.report_progress)
    else:
        progress = None
    return served.upstream.client(caller, progress, caller_trace(request))


def caller_trace(request: ServerRequestContext[Served, Any]) -> dict[str, str]:
    """The trace context of the HTTP request; one in `_meta` is already current through the SDK's span."""
    if request.request is None:
        return {}
    headers = request.request.headers.raw  # to decode all of them would take ten times as long
    return {name.decode(): value.decode("latin-1") for name, value in headers if name in _TRACE}


_TRACE = frozenset({b"traceparent", b"tracestate"})
