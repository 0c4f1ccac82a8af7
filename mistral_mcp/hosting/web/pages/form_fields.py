"""Reads the fields of the pages' forms."""

from typing import Any

from mistral_mcp.hosting.web.connect import ConnectionChanges, ConnectionRequest
from mistral_mcp.hosting.web.forms import Form
from mistral_mcp.hosting.web.pages.toolset_choices import KEEP, read_toolsets
from mistral_mcp.settings import Settings

_EXPIRIES = (30, 90, 365)  # days


def offer_expiries(settings: Settings) -> list[int]:
    """Lifetimes in days that the operator allows."""
    most = settings.max_expiry_days
    return [days for days in _EXPIRIES if most is None or days <= most]


def connection_request(form: Form, allowed: tuple[str, ...]) -> ConnectionRequest:
    """Raises `ValidationError`. Empty fields count as not given."""
    route = form.one("route")
    if route.startswith("cloudflare"):
        route = f"{route}://{form.one('route_account')}/{form.one('route_gateway')}"
    texts = {
        name: form.one(name) for name in ("api_key", "label", "expires_in_days", "route_token", "signup_code")
    }
    given: dict[str, Any] = {name: text for name, text in (texts | {"route": route}).items() if text}
    toolsets = read_toolsets(form, allowed)
    return ConnectionRequest(toolsets=toolsets, read_only=bool(form.one("read_only")), **given)


def connection_changes(form: Form, allowed: tuple[str, ...]) -> ConnectionChanges:
    """Raises `ValidationError`. An empty key and "keep" change nothing."""
    given = _terms_in_clear(form)
    given["read_only"] = bool(form.one("read_only"))
    if form.one("preset") != KEEP:
        given["toolsets"] = read_toolsets(form, allowed)
    if form.one("api_key"):
        given["api_key"] = form.one("api_key")
    expires = form.one("expires_in_days")
    if expires != "keep":
        given["expires_in_days"] = expires or None
    return ConnectionChanges(**given)


def terms_in_clear(form: Form) -> ConnectionChanges:
    """The label and the budgets alone. Raises `ValidationError`."""
    return ConnectionChanges(**_terms_in_clear(form))


def _terms_in_clear(form: Form) -> dict[str, Any]:
    given: dict[str, Any] = {"label": form.one("label")}
    for name in ("budget_usd", "budget_calls_per_day"):
        if name in form.fields:
            given[name] = form.one(name).replace(",", ".") or None
    return given
