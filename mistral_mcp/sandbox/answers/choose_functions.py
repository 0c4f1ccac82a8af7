"""Choose which of the offered functions to call, and with which arguments."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any, cast

from mistral_mcp.sandbox.answers.fill_schema import fill_schema
from mistral_mcp.sandbox.answers.prompt_hints import Hints
from mistral_mcp.sandbox.protocol.messages import Function, FunctionTool, Message, Tool, ToolChoice, ToolMessage
from mistral_mcp.sandbox.protocol.replies import compact

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_LENGTH = 9
MIN_WORD_LENGTH = 3
"""Letters; shorter words are ignored."""
COMMON = (
    "get set the and for use with from into that this what when where which who how are was not can you your all any "
    "call calls tool function value values given current number string list name new one two make do does"
)


def choose_functions(
    tools: Sequence[Tool],
    choice: str | ToolChoice,
    messages: Sequence[Message],
    text: str,
    *,
    parallel: bool,
    again: bool,
) -> list[Function]:
    """The functions to call for this text. None after tool results, unless they should be called `again`."""
    functions = [tool.function for tool in tools if isinstance(tool, FunctionTool)]
    if choice == "none" or not functions:
        return []
    if isinstance(choice, ToolChoice):
        return [function for function in functions if function.name == choice.function.name]
    wanted = _find_functions(functions, text)
    if choice in ("any", "required"):
        wanted = wanted or functions[:1]
    elif isinstance(messages[-1], ToolMessage) and not again:
        wanted = []
    if parallel:
        return wanted
    return wanted[:1]


def build_tool_call(function: Function, arguments: Any, place: int, turn: int) -> dict[str, Any]:
    """A tool call as Mistral sends it. The same call in the same turn always has the same id."""
    digest = hashlib.sha256(f"{turn}/{place}/{function.name}/{compact(arguments)}".encode()).digest()
    return {
        "id": "".join(ALPHANUMERIC[byte % len(ALPHANUMERIC)] for byte in digest[:ID_LENGTH]),
        "type": "function",
        "function": {"name": function.name, "arguments": arguments},
        "index": place,
    }


def fill_arguments(function: Function, hints: Hints) -> dict[str, Any]:
    """Arguments that satisfy the function's schema."""
    return cast("dict[str, Any]", fill_schema({"type": "object", **function.parameters}, hints))


def _find_functions(functions: Sequence[Function], text: str) -> list[Function]:
    """Those with a word of their name in the text; otherwise those whose description shares the most words with it."""
    words = _words(text)
    named = [function for function in functions if _words(function.name) & words]
    if named:
        return named
    shared = {function.name: len(_words(_describe(function)) & words) for function in functions}
    most = max(shared.values())
    return [function for function in functions if most and shared[function.name] == most]


def _describe(function: Function) -> str:
    properties = function.parameters.get("properties")
    names = ""
    if isinstance(properties, dict):
        names = " ".join(cast("dict[str, Any]", properties))
    return f"{function.description} {names}"


def _words(text: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|_|-", " ", text)
    words = {word.lower() for word in re.findall(r"[^\W\d_]+", spaced)}
    return {word.removesuffix("s") for word in words.difference(COMMON.split()) if len(word) >= MIN_WORD_LENGTH}
