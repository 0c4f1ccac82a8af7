"""The page of a connection: its URL, an entry for each client, its settings and usage."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from mistral_mcp.hosting.vault.sign_ins.grant_records import WRITE, Grant
from mistral_mcp.hosting.vault.vault import Connection
from mistral_mcp.hosting.web.connect import Tenancy
from mistral_mcp.hosting.web.pages.form_fields import offer_expiries
from mistral_mcp.hosting.web.pages.languages import Language
from mistral_mcp.hosting.web.pages.problems import describe_status
from mistral_mcp.hosting.web.pages.rendering import Renderer, language_of
from mistral_mcp.hosting.web.pages.toolset_choices import KEEP, offer_presets, offer_toolsets, preset_of
from mistral_mcp.hosting.web.pages.usage_pictures import UsagePictures, draw, format_amount, format_dollars
from mistral_mcp.hosting.web.responses import secret_url
from mistral_mcp.hosting.web.test_calls import TestCall, can_test
from mistral_mcp.selection import AllowedToolsets
from mistral_mcp.usage.answer import UsageAnswer, next_day, next_month

if TYPE_CHECKING:
    from mistral_mcp.install.snippets import Snippet

Action = Literal["created", "rotated", "changed", "shown", "revoked", "grant_ended"]


@dataclass(frozen=True)
class View:
    """A connection after an action."""

    connection: Connection
    token: SecretStr | None
    """None where it is shown to the holder of its key."""
    action: Action
    test_call: TestCall | None = None
    problem: str = ""
    grants: Sequence[Grant] = ()
    """OAuth clients with a grant."""
    usage: UsageAnswer | None = None
    """None for a new connection."""
    used_until: datetime | None = None
    """When the usage was read."""
    proof: str = ""
    """That the person holds the connection's key; empty where there is a token."""


async def add_details(tenancy: Tenancy, view: View) -> View:
    """With the clients that signed in, and what was used. Raises `VaultUnavailable`."""
    grants = await tenancy.vault.grants.list_of(view.connection.id)
    usage = await tenancy.usage_of(view.connection)
    return replace(view, grants=grants, usage=usage, used_until=tenancy.vault.now())


def _draw(usage: UsageAnswer | None, language: Language) -> UsagePictures | None:
    if usage is None or not usage["by_day"]:
        return None
    return draw(usage, language)


# Where each client runs; all others are programs on the computer.
_DEVICES: dict[str, frozenset[str]] = {
    "web": frozenset({"claude", "chatgpt", "vibe-work"}),
    "terminal": frozenset({"claude-code", "codex", "gemini", "vibe", "copilot-cli", "opencode"}),
    "any": frozenset({"json"}),
}
_ORDER = ("web", "computer", "terminal", "any")


def _entries_by_device(url: str, language: Language) -> "dict[str, list[Snippet]]":
    """What to enter in each client, by where it runs."""
    from mistral_mcp.install.snippets import snippets  # noqa: PLC0415 - half a megabyte, for pages only

    devices: dict[str, list[Snippet]] = {device: [] for device in _ORDER}
    for snippet in snippets(url, language=language):
        device = next((name for name, hosts in _DEVICES.items() if snippet.host in hosts), "computer")
        devices[device].append(snippet)
    return devices


async def render_connection(renderer: Renderer, request: Request, view: View) -> Response:
    url = token = ""
    if view.token is not None:
        url, token = secret_url(renderer.settings, request, view.token), view.token.get_secret_value()
    bound = AllowedToolsets.of(renderer.settings)
    presets = await offer_presets(bound)
    if view.connection.toolsets is None:
        chosen, preset = bound.chosen, KEEP
    else:
        chosen = view.connection.toolsets
        preset = preset_of(chosen, presets)
    language = language_of(request)
    test_problem = ""
    if view.test_call is not None and not view.test_call.worked:
        test_problem = describe_status(view.test_call.status, language)
    if view.problem:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    else:
        status = HTTPStatus.OK
    return renderer.render(
        request,
        "connection.html",
        status,
        problem=view.problem,
        presets=presets,
        preset=preset,
        toolsets=await offer_toolsets(bound),
        chosen=chosen,
        read_only=view.connection.read_only,
        expiries=offer_expiries(renderer.settings),
        most_days=renderer.settings.max_expiry_days,
        grants=view.grants,
        usage=view.usage,
        pictures=_draw(view.usage, language),
        next_day=view.used_until and next_day(view.used_until),
        next_month=view.used_until and next_month(view.used_until),
        amount=partial(format_amount, language=language),
        dollars=partial(format_dollars, language=language),
        may_write=WRITE,
        always_read_only=bound.read_only,
        action=view.action,
        connection=view.connection,
        url=url,
        token=token,
        proof=view.proof,
        devices=_entries_by_device(url, language),
        can_test=can_test(view.connection),
        test_call=view.test_call,
        test_problem=test_problem,
        local=not url.startswith("https://"),
    )
