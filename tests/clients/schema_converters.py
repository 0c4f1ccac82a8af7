"""What libraries make of our input schemas: their own converters, in an environment of their own.

    env/bin/python tests/clients/schema_converters.py .venv/bin/mistral-mcp

`scripts/clients.sh` makes the environment, and runs it. Lists all tools over stdio, converts each by OpenAI's strict rules (openai-agents, pydantic-ai) and to Gemini's declarations
(google-genai), and fails where one is refused, or where an object or a list loses what it may hold.
"""

import copy
import importlib.metadata
import os
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import anyio
from agents.strict_schema import ensure_strict_json_schema
from google.genai import _mcp_utils as genai
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import Tool
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer

Schema = dict[str, Any]

# What nobody can name the members of; taken as text that holds JSON too.
FREE = {"json_schema", "parameters", "body", "metadata", "arguments"}


def convert_by_openai_agents(tool: Tool) -> Schema:
    return ensure_strict_json_schema(copy.deepcopy(tool.input_schema))


def convert_by_pydantic_ai(tool: Tool) -> Schema:
    return OpenAIJsonSchemaTransformer(copy.deepcopy(tool.input_schema), strict=True).walk()


def convert_by_google_genai(tool: Tool) -> Schema:
    [declaration] = genai.mcp_to_gemini_tool(tool).function_declarations or []
    parameters = declaration.parameters
    return parameters.model_dump(mode="json", exclude_none=True) if parameters else {}


CONVERTERS: dict[str, Callable[[Tool], Schema]] = {
    "openai-agents": convert_by_openai_agents,
    "pydantic-ai-slim": convert_by_pydantic_ai,
    "google-genai": convert_by_google_genai,
}


def losses(ours: Schema, theirs: Schema, path: str) -> Iterator[str]:
    """What the converted schema no longer takes."""
    for name, member in ours.get("properties", {}).items():
        where = f"{path}.{name}"
        converted = theirs.get("properties", {}).get(name)
        if converted is None:
            yield f"{where} is lost"
        else:
            yield from losses(member, _without_null(converted), where)
    if ours.get("type") == "array":
        if not theirs.get("items"):
            yield f"{path}: the items have lost their type"
        else:
            yield from losses(ours["items"], _without_null(theirs["items"]), f"{path}[]")
    if (
        ours.get("type") == "object"
        and not ours.get("properties")
        and path.count(".")
        and path.rsplit(".", maxsplit=1)[-1] not in FREE
    ):
        yield f"{path} can only be empty"


def _without_null(schema: Schema) -> Schema:
    arms = [arm for arm in schema.get("anyOf", ()) if arm.get("type") != "null"]
    return arms[0] if len(arms) == 1 else schema


def problems(tool: Tool, convert: Callable[[Tool], Schema]) -> list[str]:
    try:
        converted = convert(tool)
    except Exception as error:  # noqa: BLE001 - whatever a library raises is its refusal
        return [f"{tool.name}: {type(error).__name__}: {error}"[:300]]
    return list(losses(tool.input_schema, converted, tool.name))


async def main(command: str) -> bool:
    environment = {**os.environ, "MISTRAL_MCP_TOOLSETS": "all,fine_tuning", "MISTRAL_MCP_FILES_DIR": "."}
    async with Client(StdioServerParameters(command=command, args=[], env=environment)) as client:
        tools = (await client.list_tools()).tools
    fine = True
    for library, convert in CONVERTERS.items():
        found = list(chain.from_iterable(problems(tool, convert) for tool in tools))
        print(f"{library} {importlib.metadata.version(library)}: {len(tools)} tools, {len(found)} problems")  # noqa: T201 - a report
        print(*(f"    {problem}" for problem in found), sep="\n", end="")  # noqa: T201
        fine = fine and not found
    return fine


if __name__ == "__main__":
    sys.exit(not anyio.run(main, sys.argv[1]))
