"""A connection as its holder sees it: the address, an entry for each client, what it is and may do."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from mistral_mcp.hosting.vault.vault import Connection
from mistral_mcp.hosting.web.pages.problems import describe_status
from mistral_mcp.hosting.web.pages.rendering import Renderer, language_of
from mistral_mcp.hosting.web.responses import secret_url
from mistral_mcp.hosting.web.test_calls import TestCall, can_test
from mistral_mcp.install.snippets import snippets
from mistral_mcp.selection import AllowedToolsets

Action = Literal["created", "rotated", "changed", "shown", "revoked"]


@dataclass(frozen=True)
class View:
    """A connection after an action."""

    connection: Connection
    token: SecretStr
    action: Action
    test_call: TestCall | None = None
    problem: str = ""


def render_connection(renderer: Renderer, request: Request, view: View) -> Response:
    url = secret_url(renderer.settings, request, view.token)
    bound = AllowedToolsets.of(renderer.settings)
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
        toolsets=bound.allowed,
        chosen=view.connection.toolsets or bound.allowed,
        always_read_only=bound.read_only,
        action=view.action,
        connection=view.connection,
        url=url,
        token=view.token.get_secret_value(),
        snippets=snippets(url, language=language),
        can_test=can_test(view.connection),
        test_call=view.test_call,
        test_problem=test_problem,
        local=not url.startswith("https://"),
    )
