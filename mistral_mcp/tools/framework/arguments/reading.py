"""Reads a call's arguments: they are bounded, normalised and validated, in this order.

* For a parameter that is not required `null`, `""`, `{}` and `[]` mean *not given*.
* One value where a list is expected becomes a list of one; a string of JSON is parsed where no string is expected.
* What OpenAI and Mistral wrap around a schema, a function or a choice is taken off (`wrappers`).
* Six names that clients add by themselves are dropped.
"""

from types import new_class
from typing import Any, cast

from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from pydantic import GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema

from mistral_mcp.errors import BadArgument
from mistral_mcp.masking import Mask
from mistral_mcp.tools.framework.arguments.kinds import is_object
from mistral_mcp.tools.framework.arguments.problems import explain, refusal, unknown_arguments
from mistral_mcp.tools.framework.arguments.shapes import Shape, excess, read_members
from mistral_mcp.tools.framework.arguments.wrappers import unwrap

ADDED_BY_HOSTS = frozenset({"sessionId", "action", "chatInput", "tool", "toolCallId", "random_string"})


class Arguments(FuncMetadata):
    """A tool's parameters, and how a call's arguments are read."""

    shape: Shape

    def read(self, arguments: dict[str, Any], known: list[str], mask: Mask) -> dict[str, Any]:
        """The arguments to pass to the function. `known`: the parameters that are offered. Raises `BadArgument`."""
        given = {name: value for name, value in arguments.items() if name not in ADDED_BY_HOSTS}
        if problems := unknown_arguments((name for name in given if name not in known), known, mask):
            raise refusal(problems)
        if problem := excess(given, self.shape):
            raise refusal([mask.text(problem)])
        # Twice, because a wrapper may be a string of JSON, or hold one.
        meant = read_members(unwrap(read_members(given, self.shape)), self.shape)
        try:
            return self.arg_model.model_validate(meant).model_dump_one_level()
        except ValidationError as error:
            raise refusal(explain(error, mask)) from None


def exactly_one_of(**given: object) -> str:
    """The name of the one argument that is given. Raises `BadArgument` if none or several are."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) == 1:
        return names[0]
    if names:
        found = f"{' and '.join(names)} are given together"
    else:
        found = "none of them is given"
    raise BadArgument(f"Exactly one of {', '.join(given)} is needed, and {found}.", "Give exactly one.")


def strict(model: type[ArgModelBase]) -> type[ArgModelBase]:
    """An argument model that forbids extra names, and validates lists up to the first invalid item."""

    def body(namespace: dict[str, Any]) -> None:
        @classmethod
        def core_schema(cls: type, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ARG001 - pydantic's
            schema = handler(source)
            _fail_fast(schema)
            return schema

        namespace["__get_pydantic_core_schema__"] = core_schema

    options = {"extra": "forbid", "hide_input_in_errors": True}
    return cast("type[ArgModelBase]", new_class(model.__name__, (model,), options, body))


def _fail_fast(schema: Any) -> None:
    if is_object(schema):
        if schema.get("type") == "list":
            schema["fail_fast"] = True
        for inner in schema.values():
            _fail_fast(inner)
    elif isinstance(schema, list | tuple):
        for inner in cast("list[Any]", schema):
            _fail_fast(inner)
