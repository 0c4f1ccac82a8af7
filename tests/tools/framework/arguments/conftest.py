"""Parses a call's arguments without a server. Tool schemas are built in each test run, never on import."""

import functools
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from mistral_mcp.errors import BadArgument
from mistral_mcp.masking import Mask
from mistral_mcp.tools import batch, chat, conversations, embeddings, function_calling
from mistral_mcp.tools.framework.adapter import MistralTool
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Result
from tests.conftest import KEY

Read = Callable[..., dict[str, Any]]
Refuse = Callable[..., str]

probes = Toolset()


class Thing(BaseModel):
    name: str


@probes.tool("Probe", effect="reads")
async def mistral_probe(
    mistral: Mistral,
    even: Annotated[int, Field(multiple_of=2)] = 0,
    names: Annotated[list[Annotated[str, Field(min_length=3)]] | None, Field(min_length=2)] = None,
    whole: int | list[int] | None = None,
    number: float | list[float] | None = None,
    truth: bool | list[bool] | None = None,  # noqa: FBT001 - a tool's signature is its input schema
    thing: Thing | list[int] | None = None,
) -> Result:
    """What no real tool takes, and one might."""
    raise NotImplementedError


@probes.tool("Nothing", effect="reads")
async def mistral_nothing(mistral: Mistral) -> Result:
    """Take nothing."""
    raise NotImplementedError


DECLARATIONS = [
    *batch.toolset.declarations,
    *chat.toolset.declarations,
    *conversations.toolset.declarations,
    *embeddings.toolset.declarations,
    *function_calling.toolset.declarations,
    *probes.declarations,
]
DECLARED = {declared.name: declared for declared in DECLARATIONS}


@pytest.fixture(scope="session")
def build() -> Callable[[str], MistralTool]:
    return functools.cache(lambda tool: MistralTool.of(DECLARED[tool]))


@pytest.fixture
def read(build: Callable[[str], MistralTool]) -> Read:
    """What the tool's function is given of such arguments, but for what is None."""

    def read(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        made = build(tool)
        meant = made.arguments.read(arguments, list(made.parameters["properties"]), Mask([KEY]))
        return {name: value for name, value in meant.items() if value is not None}

    return read


@pytest.fixture
def refuse(read: Read) -> Refuse:
    """What the tool says of such arguments, without the advice that all of them end with."""

    def refuse(tool: str, arguments: dict[str, Any]) -> str:
        with pytest.raises(BadArgument) as refused:
            read(tool, arguments)
        return str(refused.value).removesuffix(" Correct the arguments and call again.")

    return refuse
