"""`/manage` with a Mistral key in place of an address: the connections that were made with it, and what its holder may do."""

from pydantic import SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from mistral_mcp.hosting.web.connect import Tenancy
from mistral_mcp.hosting.web.forms import Form
from mistral_mcp.hosting.web.key_holders import KeyHolders
from mistral_mcp.hosting.web.pages.connection_page import (
    Action,
    View,
    add_details,
    render_connection,
)
from mistral_mcp.hosting.web.pages.form_fields import terms_in_clear
from mistral_mcp.hosting.web.pages.problems import describe_fields
from mistral_mcp.hosting.web.pages.rendering import Renderer, language_of
from mistral_mcp.hosting.web.responses import client_address


class KeyPage:
    def __init__(self, tenancy: Tenancy, renderer: Renderer) -> None:
        self._tenancy = tenancy
        self._renderer = renderer
        self._holders = KeyHolders(tenancy)

    async def answer(self, request: Request, form: Form) -> Response:
        """Raises what `KeyHolders` raises."""
        proof = form.one("proof")
        if not proof:
            key = SecretStr(form.one("token"))
            proof = await self._holders.prove(key, client_address(request))
        if not form.one("connection"):
            return await self._list(request, proof)
        if form.one("do") == "revoke":
            return await self._revoke(request, proof, form)
        view = await self._act(request, proof, form)
        view = await add_details(self._tenancy, view)
        return await render_connection(self._renderer, request, view)

    async def _list(self, request: Request, proof: str) -> Response:
        connections = await self._holders.list_of(proof)
        return self._renderer.render(
            request,
            "key_connections.html",
            connections=connections,
            proof=proof,
        )

    async def _revoke(self, request: Request, proof: str, form: Form) -> Response:
        connection = await self._holders.revoke(
            proof,
            form.one("connection"),
            client_address(request),
        )
        return self._renderer.render(
            request,
            "revoked.html",
            connection=connection,
            proof=proof,
        )

    async def _act(self, request: Request, proof: str, form: Form) -> View:
        """What cannot be changed is said above the connection as it is."""
        holders, address = self._holders, client_address(request)
        connection_id = form.one("connection")
        action: Action = "shown"
        problem = ""
        match form.one("do"):
            case "change":
                try:
                    changes = terms_in_clear(form)
                    await holders.update(proof, connection_id, changes, address)
                    action = "changed"
                except ValidationError as error:
                    problems = describe_fields(error, language_of(request))
                    problem = " ".join(problems.values())
            case "end_grant":
                await holders.end_grant(proof, connection_id, form.one("grant"), address)
                action = "grant_ended"
            case _:
                pass
        return View(
            connection=await holders.find(proof, connection_id),
            token=None,
            action=action,
            problem=problem,
            proof=proof,
        )
