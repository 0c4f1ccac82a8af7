"""Declares typed functions as tools.

    @toolset.tool("Embed texts", effect="reads", charge=Charge("embed_model", is_split=True))
    async def mistral_embed(mistral: Mistral, inputs: list[str]) -> Embeddings:
        "Turn texts into vectors, for search, clustering or classification."

The signature is the input schema, the docstring the description, the return model the output schema. `effect` becomes the
four hints.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import JsonValue

from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Result
from mistral_mcp.usage.bounds import Charge, Needs


class LocalOnly:
    """Marks, in `Annotated`, a parameter that is offered only if the server may read local files."""


Effect = Literal["reads", "creates", "changes", "deletes", "cancels", "writes"]
"""`reads`: stores and changes nothing at Mistral, though it costs money. `writes`: may do any of the other effects."""

Function = Callable[..., Awaitable[Result]]
ResultT = TypeVar("ResultT", bound=Result)

FindNeeds = Callable[[Mistral, Mapping[str, JsonValue]], Awaitable[Needs]]
"""Estimates what a call needs of a budget, from its validated arguments. Raises `MistralMcpError`: the call itself then
reports why.
"""


@dataclass(frozen=True)
class Declaration:
    """A function, its title and its effect, and what its calls cost."""

    function: Function
    title: str
    effect: Effect
    charge: Charge | None = None
    """None: its calls cost nothing."""
    find_needs: FindNeeds | None = None
    """In place of `charge`, for what neither the arguments nor a dry run tell."""

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def keeps_results(self) -> bool:
        """Whether it takes `kept_results`, so that it may store long results."""
        return "kept_results" in inspect.signature(self.function).parameters

    @property
    def takes_upload_links(self) -> bool:
        """Whether it takes `upload_handles`, so that it may create upload links."""
        return "upload_handles" in inspect.signature(self.function).parameters


class Toolset:
    """The tools of one file. Declaring costs nothing: no schema is built yet."""

    def __init__(self) -> None:
        self.declarations: list[Declaration] = []

    def tool(
        self,
        title: str,
        *,
        effect: Effect,
        charge: Charge | None = None,
        find_needs: FindNeeds | None = None,
    ) -> Callable[[Callable[..., Awaitable[ResultT]]], Callable[..., Awaitable[ResultT]]]:
        def declare(function: Callable[..., Awaitable[ResultT]]) -> Callable[..., Awaitable[ResultT]]:
            self.declarations.append(Declaration(function, title, effect, charge, find_needs))
            return function

        return declare

    def names(self) -> list[str]:
        return [declared.name for declared in self.declarations]

    def titles(self) -> list[str]:
        return [declared.title for declared in self.declarations]
