"""A call's arguments: what is mended before they are checked, and what is wrong with them in plain words."""

from typing import Any

from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mistral_mcp.errors import BadArgument
from mistral_mcp.masking import Mask
from mistral_mcp.suggest import nearest


class Arguments(FuncMetadata):
    """Hosts that send a list as JSON in a string are helped; text that happens to be JSON stays text."""

    texts: frozenset[str]
    """The parameters that take text."""

    def pre_parse_json(self, data: dict[str, Any]) -> dict[str, Any]:
        parsed = super().pre_parse_json({name: value for name, value in data.items() if name not in self.texts})
        return {name: parsed.get(name, value) for name, value in data.items()}


def text_parameters(schema: dict[str, Any]) -> frozenset[str]:
    """The names of the parameters that take text."""
    properties: dict[str, dict[str, Any]] = schema.get("properties", {})
    return frozenset(
        name
        for name, parameter in properties.items()
        if any(arm.get("type") == "string" for arm in [parameter, *parameter.get("anyOf", [])])
    )


def exactly_one_of(**given: object) -> str:
    """The name of the one argument that is given. Raises `BadArgument` where none or several are."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) == 1:
        return names[0]
    found = f"{' and '.join(names)} are given together" if names else "none of them is given"
    raise BadArgument(f"Exactly one of {', '.join(given)} is needed, and {found}.", "Give exactly one.")


def explain(error: ValidationError, parameters: dict[str, Any], mask: Mask) -> BadArgument:
    """One sentence of what is wrong with the arguments, and none of what they held."""
    known = list(parameters["properties"])
    details = error.errors(include_url=False, include_input=False, include_context=False)
    # A union reports once for each arm that did not fit: one report a parameter is enough.
    first = {str(detail["loc"][0]) if detail["loc"] else "": detail for detail in reversed(details)}
    problems = [_problem(detail, known, mask) for detail in reversed(first.values())]
    return BadArgument(f"{'; '.join(problems[:4])}.", "Correct the arguments and call again.")


def _problem(detail: ErrorDetails, known: list[str], mask: Mask) -> str:
    # The caller's own names: masked while they are whole, and cut so that none floods a context.
    where = mask.text(".".join(str(part) for part in detail["loc"] if not _is_arm(part)))[:64]
    match detail["type"]:
        case "extra_forbidden" if len(detail["loc"]) == 1:
            return unknown_argument(where, known)
        case "missing":
            return f"{where} is missing"
        case _:
            message = detail["msg"].removeprefix("Value error, ")
            return f"{where}: {message[:1].lower()}{message[1:]}".removeprefix(": ")


def unknown_argument(name: str, known: list[str]) -> str:
    meant = nearest(name, known)
    return f"unknown argument {name!r}" + (f", did you mean {meant!r}?" if meant else f"; known are {', '.join(known)}")


def _is_arm(part: int | str) -> bool:
    """Whether a part of a location names an arm of a union, which means nothing to a caller."""
    return isinstance(part, str) and ("[" in part or part in {"str", "int", "float", "bool"})
