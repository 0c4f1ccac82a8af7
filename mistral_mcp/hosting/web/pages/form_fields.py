"""What the fields of the pages' forms ask for."""

from typing import Any

from mistral_mcp.hosting.web.connect import ConnectionChanges, ConnectionRequest
from mistral_mcp.hosting.web.forms import Form


def connection_request(form: Form) -> ConnectionRequest:
    """Raises `ValidationError`. What was left empty was not given."""
    route = form.one("route")
    if route.startswith("cloudflare"):
        route = f"{route}://{form.one('route_account')}/{form.one('route_gateway')}"
    texts = {
        name: form.one(name) for name in ("api_key", "label", "expires_in_days", "route_token", "signup_code")
    }
    given: dict[str, Any] = {name: text for name, text in (texts | {"route": route}).items() if text}
    return ConnectionRequest(toolsets=tuple(form.all("toolsets")), read_only=bool(form.one("read_only")), **given)


def connection_changes(form: Form, allowed: tuple[str, ...]) -> ConnectionChanges:
    """Raises `ValidationError`. An empty key and "keep" change nothing; every toolset there is means no limit."""
    chosen = tuple(form.all("toolsets"))
    given: dict[str, Any] = {"label": form.one("label"), "read_only": bool(form.one("read_only"))}
    if set(chosen) == set(allowed):
        given["toolsets"] = None
    else:
        given["toolsets"] = chosen
    if form.one("api_key"):
        given["api_key"] = form.one("api_key")
    expires = form.one("expires_in_days")
    if expires != "keep":
        given["expires_in_days"] = expires or None
    return ConnectionChanges(**given)
