"""Resources that a person may attach (the models with their prices, this connection's usage), and completions.

The SDK passes no request to static resources and completions, but these need the caller's own key. So the server's dispatch
answers them, and they are declared to the SDK only to be listed.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from cachetools import TTLCache
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    ReadResourceResult,
    TextResourceContents,
)
from pydantic import ValidationError

from mistral_mcp.errors import BadArgument, CredentialError, MistralMcpError, UnknownModel
from mistral_mcp.mistral.api.models import GetModelCall, ListModelsCall, fold_aliases
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.tools.framework.request import Served, call_context, client_for
from mistral_mcp.tools.models import Model
from mistral_mcp.usage.answer import UsageAnswer

MODELS = "mistral://models"
USAGE = "mistral://usage"

_CACHE_SECONDS = 60.0
_CACHED_NAMES = 100_000  # of all keys together
_LONGEST_ID = 200
_MOST_COMPLETIONS = 100  # what the protocol allows in one answer

Request = ServerRequestContext[Served, Any]


def declare(server: MCPServer[Served]) -> None:
    """List the resources, and announce completions."""

    @server.resource(MODELS, title="Models", mime_type="application/json")
    def models() -> str:
        """Models this key may use, with context windows, and prices with the day they were read."""
        raise NotImplementedError

    @server.resource(MODELS + "/{model}", title="One model", mime_type="application/json")
    def one_model(model: str) -> str:
        """One model by id or alias."""
        raise NotImplementedError

    @server.resource(USAGE, title="Usage", mime_type="application/json")
    def usage() -> str:
        """This connection's calls, tokens and cost: today, this month, what is left of its budget. Batches are not counted."""
        raise NotImplementedError

    @server.completion()
    async def complete(*_: object) -> Completion | None:
        raise NotImplementedError

    del models, one_model, usage, complete


def _model_id(uri: str) -> str:
    """The model's id in the URI. Raises `BadArgument` if it is longer than any model's."""
    name = unquote(uri[: len(MODELS) + 1 + 3 * _LONGEST_ID + 1].removeprefix(f"{MODELS}/"))
    if len(name) > _LONGEST_ID:
        raise BadArgument(
            f"A model's id has at most {_LONGEST_ID} characters.", "Read mistral://models for the ids."
        )
    return name


async def _usage(request: Request) -> UsageAnswer:
    call = await call_context(request)
    return await request.lifespan_context.ledger.usage_of_caller(call.credentials)


@contextmanager
def _as_protocol_errors() -> Generator[None]:
    """Translates our errors to MCP's: a resource has no failed result."""
    try:
        yield
    except (BadArgument, CredentialError, UnknownModel) as error:
        raise MCPError(code=INVALID_PARAMS, message=str(error)) from None
    except MistralMcpError as error:
        raise MCPError(code=INTERNAL_ERROR, message=str(error)) from None


class Resources:
    """Answers `resources/read` and `completion/complete`."""

    def __init__(self) -> None:
        self._names: TTLCache[str, list[str]] = TTLCache(_CACHED_NAMES, _CACHE_SECONDS, getsizeof=len)

    async def read(self, request: Request) -> ReadResourceResult:
        with _as_protocol_errors():
            return await self._read(request)

    async def complete(self, request: Request) -> CompleteResult:
        """Model names for every argument called `model`; nothing for any other."""
        with _as_protocol_errors():
            return await self._complete(request)

    async def _read(self, request: Request) -> ReadResourceResult:
        uri = str((request.params or {}).get("uri", ""))
        if uri == USAGE:
            content: object = await _usage(request)
        elif uri == MODELS:
            mistral = await client_for(request)
            reply = await mistral.send(ListModelsCall())
            content = [
                Model.of(card, mistral.catalog).model_dump(mode="json") for card in fold_aliases(reply.data)
            ]
        elif uri.startswith(f"{MODELS}/"):
            mistral = await client_for(request)
            name = _model_id(uri)
            card = await mistral.send(GetModelCall(model_id=name), model=name)
            content = Model.of(card, mistral.catalog).model_dump(mode="json")
        else:
            raise MCPError(code=INVALID_PARAMS, message="There is no such resource.", data={"uri": uri})
        text = json.dumps(content, indent=1, ensure_ascii=False)
        return ReadResourceResult(
            contents=[TextResourceContents(uri=uri, mime_type="application/json", text=text)]
        )

    async def _complete(self, request: Request) -> CompleteResult:
        try:
            params = CompleteRequestParams.model_validate(request.params or {})
        except ValidationError:
            raise MCPError(code=INVALID_PARAMS, message="The completion request is incomplete.") from None
        names: list[str] = []
        if params.argument.name == "model":
            wanted = params.argument.value.lower()
            names = [name for name in await self._models(await client_for(request)) if wanted in name.lower()]
            names.sort(key=lambda name: (not name.lower().startswith(wanted), name))
        shown = names[:_MOST_COMPLETIONS]
        return CompleteResult(
            completion=Completion(values=shown, total=len(names), has_more=len(names) > len(shown))
        )

    async def _models(self, mistral: MistralClient) -> list[str]:
        """The names of a key's models, fetched at most once a minute."""
        whose = mistral.caller.digest
        names = self._names.get(whose)
        if names is None:
            reply = await mistral.send(ListModelsCall())
            names = sorted({card.id for card in reply.data})
            if len(names) <= _CACHED_NAMES:
                self._names[whose] = names
        return names
