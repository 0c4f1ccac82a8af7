"""Prompts that a person picks from a menu. Each is a text that tells the model which tools to use."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Annotated, Any, cast

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.prompts import Prompt
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, PromptArgument
from pydantic import Field

from mistral_mcp.suggest import nearest
from mistral_mcp.tools.framework.request import Served

MAX_TEXT = 1_000_000  # characters of one argument

Text = Annotated[str, Field(description="The text.")]
Code = Annotated[str, Field(description="The code.")]
Model = Annotated[str, Field(description="A Mistral model; empty for the default.")]


def review_code(code: Code, concern: Annotated[str, Field(description="What to look at most.")] = "") -> str:
    """Have Mistral review code for faults, risks and unclear parts."""
    return (
        "Use mistral_chat with a code model to review the code below"
        + (f", above all for {concern}" if concern else "")
        + ". Then tell me the findings, the gravest first, each with the line it is about, why it matters and a fix. "
        f"Leave out praise and matters of taste.\n\n```\n{code}\n```"
    )


def translate(
    text: Text, language: Annotated[str, Field(description="Into which language.")], model: Model = ""
) -> str:
    """Translate a text and keep its tone and layout."""
    return (
        f"Use mistral_chat{_with(model)} to translate the text below into {language}. Keep tone, layout, names and code as "
        f"they are, and give me the translation only.\n\n{text}"
    )


def summarise(
    text: Text,
    length: Annotated[str, Field(description="How long, for example: three sentences.")] = "five points",
) -> str:
    """Summarise a text to the length you name."""
    return (
        f"Use mistral_chat to summarise the text below in {length}. Keep figures, names and dates exact, and add nothing "
        f"that is not in it.\n\n{text}"
    )


def extract_as_json(
    text: Text,
    fields: Annotated[str, Field(description="What to extract, for example: name, date of birth, city.")],
) -> str:
    """Extract data from a text as JSON that follows a schema."""
    return (
        f"Write a JSON schema for these fields: {fields}. Every field may be null where the text does not say. Then call "
        f"mistral_chat with the text below as prompt and that schema as json_schema, and show me `parsed`.\n\n{text}"
    )


def find_nearest(
    question: Annotated[str, Field(description="What you are looking for.")],
    documents: Annotated[str, Field(description="The texts, one a line.")],
) -> str:
    """Find which of several texts answer a question best."""
    return (
        "Call mistral_rank with the question as query and the lines below as documents. Then answer the question from the "
        f"best ones only, and quote the lines you used.\n\nQuestion: {question}\n\n{documents}"
    )


def complete_code(code: Annotated[str, Field(description="Code with <GAP> where something is missing.")]) -> str:
    """Fill the gap in a piece of code."""
    return (
        "Call mistral_code_complete with the text before <GAP> as prompt and the text after it as suffix, and show me "
        f"the whole with the gap filled.\n\n```\n{code}\n```"
    )


def check_content(text: Text) -> str:
    """Check a text for harmful content before it is published."""
    return (
        "Call mistral_moderate with the text below as its only input. Tell me whether it is flagged, for which categories "
        f"and how strongly, and which passage is the cause.\n\n{text}"
    )


def choose_model(task: Annotated[str, Field(description="What the model is for.")]) -> str:
    """Find the Mistral model that fits a task and a budget."""
    return (
        f"Call mistral_list_models and recommend the two models that fit this task best: {task}. Compare capabilities, "
        "context windows and prices, say what a thousand calls would cost, and leave out models that are going away."
    )


def do_anything_at_mistral(
    task: Annotated[str, Field(description="What to do, for example: run my report workflow every Monday.")],
) -> str:
    """Do anything that Mistral's API can do: agents, workflows, connectors, libraries, prompts, datasets and the rest."""
    return (
        "Do the task below at Mistral in three steps, as often as it takes. First mistral_api_search with a few plain words, "
        "the thing and what to do with it. Then mistral_api_describe of the operation that fits, which shows what it takes "
        "and an example. Then mistral_api_read where its effect is read or compute, and mistral_api_write where it creates, "
        "changes or deletes; before anything is deleted or shared, ask me. Use ids as they were listed or answered, never "
        "guessed ones. Where something runs on, look how far it is with the operation that the description names. In the "
        f"end tell me what was done, with the ids.\n\nTask: {task}"
    )


def _with(model: str) -> str:
    if model:
        return f" with the model {model}"
    return ""


# Each prompt, and the tools it uses: the prompt is offered only where all of them are.
_PROMPTS: dict[Callable[..., str], frozenset[str]] = {
    review_code: frozenset({"mistral_chat"}),
    translate: frozenset({"mistral_chat"}),
    summarise: frozenset({"mistral_chat"}),
    extract_as_json: frozenset({"mistral_chat"}),
    find_nearest: frozenset({"mistral_rank"}),
    complete_code: frozenset({"mistral_code_complete"}),
    check_content: frozenset({"mistral_moderate"}),
    choose_model: frozenset({"mistral_list_models"}),
    do_anything_at_mistral: frozenset(
        {"mistral_api_search", "mistral_api_describe", "mistral_api_read", "mistral_api_write"}
    ),
}
_TOOLS = {function.__name__: tools for function, tools in _PROMPTS.items()}


def declare(server: MCPServer[Served]) -> None:
    """Offer the prompts."""
    for function in _PROMPTS:
        title = (
            function.__name__.replace("_", " ").capitalize().replace("json", "JSON").replace("mistral", "Mistral")
        )
        server.add_prompt(Prompt.from_function(function, title=title))


def names() -> frozenset[str]:
    return frozenset(_TOOLS)


def fits(prompt: str, offered: frozenset[str]) -> bool:
    """Whether all tools that a prompt uses are offered."""
    return _TOOLS[prompt] <= offered


class Prompts:
    """Validates requests for prompts; the SDK would answer a wrong one with an internal error."""

    def __init__(self, server: MCPServer[Served]) -> None:
        self._server = server

    async def check(self, params: Mapping[str, Any], offered: frozenset[str]) -> None:
        """Raises `MCPError` for an unknown prompt or wrong arguments."""
        name, asked = str(params.get("name")), params.get("arguments")
        if not isinstance(asked, dict | None):
            raise MCPError(code=INVALID_PARAMS, message="The arguments of a prompt are an object.")
        prompts = {prompt.name: prompt for prompt in await self._server.list_prompts()}
        if name not in prompts:
            meant = nearest(name, prompts)
            if meant:
                hint = f"; did you mean {meant}?"
            else:
                hint = "."
            raise MCPError(code=INVALID_PARAMS, message=f"There is no such prompt{hint}")
        if not fits(name, offered):
            missing = ", ".join(sorted(_TOOLS[name] - offered))
            raise MCPError(code=INVALID_PARAMS, message=f"This prompt needs {missing}, which is not offered here.")
        problems = _problems(prompts[name].arguments or [], cast("dict[str, object]", asked or {}))
        if problems:
            raise MCPError(code=INVALID_PARAMS, message=f"{'; '.join(problems)}.")


def _problems(arguments: list[PromptArgument], given: dict[str, object]) -> list[str]:
    """What is wrong with a prompt's arguments: at most four things."""
    known = {argument.name for argument in arguments}
    missing = (argument.name for argument in arguments if argument.required and argument.name not in given)
    problems = [f"{name} is missing" for name in missing]
    problems += [f"unknown argument {name[:64]!r}" for name in islice(given.keys() - known, 4)]
    too_long = (name for name in known & given.keys() if len(str(given[name])) > MAX_TEXT)
    problems += [f"{name} is longer than {MAX_TEXT:,} characters" for name in too_long]
    return problems[:4]
