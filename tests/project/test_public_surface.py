"""All that users, models and operators see of the project, as one file whose diff a review reads.

Accept a change with `UPDATE_SNAPSHOTS=1 .venv/bin/pytest tests/project/test_public_surface.py`.
"""

import ast
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mcp.client import Client

import mistral_mcp
from mistral_mcp import Settings, errors, tools
from mistral_mcp.cli.main import main
from mistral_mcp.instructions import instructions
from mistral_mcp.mistral import failure_messages
from mistral_mcp.mistral.failure_messages import FailureKind
from mistral_mcp.sandbox import Sandbox, serve_app
from mistral_mcp.tools.framework.adapter import MistralTool
from tests.conftest import connect_in_memory

SURFACE = Path(__file__).parent / "public_surface.txt"
PACKAGE = Path(mistral_mcp.__file__).parent


async def test_the_public_surface_is_what_was_reviewed() -> None:
    async with serve_app(Sandbox()) as url, connect_in_memory(url, toolsets="all,fine_tuning") as client:
        sections = {
            "Tools": list(describe_tools()),
            "Prompts": await describe_prompts(client),
            "Resources": await describe_resources(client),
            "Instructions": list(describe_instructions()),
            "Settings": list(describe_settings()),
            "Commands": list(describe_commands(main, "mistral-mcp")),
            "Error sentences": sorted(set(error_sentences())),
        }
    now = "\n\n".join(f"## {title}\n\n" + "\n".join(lines) for title, lines in sections.items()) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SURFACE.write_text(now, encoding="utf-8")

    assert SURFACE.read_text(encoding="utf-8") == now


def describe_tools() -> Iterator[str]:
    for toolset, offered in tools.build_all(local_files=True).items():
        for tool in offered:
            yield f"{toolset}/{tool.name}({', '.join(parameters_of(tool))}): {tool.title}"
            yield f"    {effect_of(tool)}; {tool.description}"
            yield f"    -> {', '.join((tool.output_schema or {})['properties'])}"


def parameters_of(tool: MistralTool) -> Iterator[str]:
    required = tool.parameters.get("required", ())
    for name, schema in tool.parameters["properties"].items():
        default = f" = {schema['default']}" if "default" in schema else ""
        mark = "" if name in required else "?"
        yield f"{name}{mark}: {type_of(schema)}{default}"


def type_of(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "|".join(map(str, schema["enum"]))
    if schema["type"] == "array":
        return f"[{type_of(schema['items'])}]"
    if schema["type"] == "object" and "properties" in schema:
        return f"{{{', '.join(schema['properties'])}}}"
    return schema["type"]


def effect_of(tool: MistralTool) -> str:
    assert tool.annotations is not None
    hints = {"read-only": tool.annotations.read_only_hint, "destructive": tool.annotations.destructive_hint}
    return ", ".join(
        name for name, holds in {**hints, "idempotent": tool.annotations.idempotent_hint}.items() if holds
    )


async def describe_prompts(client: Client) -> list[str]:
    return [
        f"{prompt.name}({', '.join(argument.name for argument in prompt.arguments or ())}): {prompt.description}"
        for prompt in (await client.list_prompts()).prompts
    ]


async def describe_resources(client: Client) -> list[str]:
    listed = (await client.list_resources()).resources
    templates = (await client.list_resource_templates()).resource_templates
    return [f"{resource.uri}: {resource.description}" for resource in listed] + [
        f"{template.uri_template}: {template.description}" for template in templates
    ]


def describe_instructions() -> Iterator[str]:
    for toolsets in (tools.DEFAULT, tuple(tools.TOOLSETS)):
        yield f"{','.join(toolsets)}: {instructions(tools.names(toolsets, read_only=False))}"


def describe_settings() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        yield f"MISTRAL_MCP_{name.upper()} = {field.default}: {field.description}"


def describe_commands(command: click.Command, name: str) -> Iterator[str]:
    options = [option.opts[0] for option in command.params]
    yield f"{name} {' '.join(options)}".rstrip()
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from describe_commands(inner, f"{name} {inner.name}")


def error_sentences() -> Iterator[str]:
    """What is written where an error is made, `{…}` standing for what differs; and the sentences of `failure_messages`."""
    classes = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
    for path in PACKAGE.rglob("*.py"):
        if "sandbox" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and name_of(node.func) in classes:
                    yield " ".join(filter(None, map(text_of, node.args)))
    for kind in vars(failure_messages).values():
        if isinstance(kind, FailureKind):
            yield f"{kind.what} {kind.advice}".strip()


def name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def text_of(node: ast.expr) -> str:
    """A literal text; an f-string with `{…}` in place of what is filled in; nothing for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "{…}" for part in node.values)
    return ""
