"""What the fields of the pages' forms ask for, and what is said beside one whose value cannot be used."""

from typing import Any

from pydantic import ValidationError

from mistral_mcp.hosting.web.connect import ConnectionChanges, ConnectionRequest
from mistral_mcp.hosting.web.forms import Form

# What a person reads beside a field whose value cannot be used; in the order of the form.
WRONG = {
    "api_key": "This does not look like a Mistral API key, and was not sent on. Keys come from console.mistral.ai.",
    "label": "A label is one line of at most 100 characters.",
    "expires_in_days": "Choose one of these.",
    "toolsets": "Choose at least one.",
    "route": "A Cloudflare route needs the account id and the gateway's name: letters, digits, - and _.",
    "route_token": "Lava needs its secret key here. A token without a route of your own has no use: leave it out.",
}
NO_KEY = "Paste your Mistral API key here. Keys come from console.mistral.ai."


def wrong_fields(error: ValidationError) -> dict[str, str]:
    fields = {str(detail["loc"][0]) for detail in error.errors(include_url=False, include_input=False)}
    return {name: sentence for name, sentence in WRONG.items() if name in fields}


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
