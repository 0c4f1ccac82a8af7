"""Shapes that are real and rare, shown by the models that only the sandbox has (`models.SANDBOX_MODELS`)."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from mistral_mcp.sandbox.answers.completions import Answer, Completion
from mistral_mcp.sandbox.protocol.messages import AssistantMessage, Message, ToolMessage, UserMessage, text_of

LEARNING = frozenset({"sandbox-bad-arguments", "sandbox-not-json", "sandbox-bad-json"})
"""Models that get it wrong until they are told so."""
COMPLAINT = re.compile(
    r"error|invalid|valid|schema|required|must|expected|missing|wrong|correct|does not|do not|is not|not of type",
    re.IGNORECASE,
)


def is_corrected(model: str, messages: Sequence[Message]) -> bool:
    """Whether the last turn tells a learning model what was wrong with its answer."""
    answered = any(isinstance(message, AssistantMessage) for message in messages[:-1])
    return (
        model in LEARNING and answered and any(COMPLAINT.search(text_of(each.content)) for each in _last_turn(messages))
    )


def find_task(model: str, messages: Sequence[Message]) -> str:
    """What the user asked for: the last user turn, or the one before the complaints about its answer."""
    asked = [text_of(message.content) for message in messages if isinstance(message, UserMessage)]
    if is_corrected(model, messages):
        asked = [text for number, text in enumerate(asked) if number == 0 or not COMPLAINT.search(text)]
    return asked[-1] if asked else ""


def write_arguments(model: str, filled: dict[str, Any], schema: Any, *, corrected: bool) -> Any:
    """The arguments of a call: a string of JSON, but for the odd models."""
    if model == "sandbox-object-arguments":
        return filled
    if model == "sandbox-bad-arguments" and not corrected:
        filled = _break(filled, schema)
    text = json.dumps(filled, ensure_ascii=False)
    return f"{text[:-1]}, oops" if model == "sandbox-not-json" and not corrected else text


def write_document(model: str, filled: Any, schema: Any, *, corrected: bool) -> Any:
    """An answer under a json_schema."""
    return _break(filled, schema) if model == "sandbox-bad-json" and not corrected else filled


def apply_edge_case(completion: Completion) -> Completion:
    """The completion as the odd models send it."""
    match completion.model:
        case "sandbox-chunks":
            return replace(completion, answers=[_split_with_references(answer) for answer in completion.answers])
        case "sandbox-choice-messages":
            return replace(completion, nested=True)
        case "sandbox-odd-finish":
            answers = [replace(answer, finish_reason="sandbox_ended") for answer in completion.answers]
            return replace(completion, answers=answers)
        case "sandbox-null-usage":
            nothing: dict[str, None] = dict.fromkeys(completion.usage)
            return replace(completion, usage=nothing)
        case _:
            return completion


def _break(value: Any, schema: Any) -> Any:
    """The value with something in it that the schema does not allow."""
    if not isinstance(value, dict):
        return {"unexpected": value}
    filled = cast("dict[str, Any]", value)
    properties = cast("dict[str, Any]", cast("dict[str, Any]", schema).get("properties", {}))
    for name, part in properties.items():
        if name in filled:
            wrong: Any = "not an object" if part.get("type") == "object" else {"unexpected": True}
            return {**filled, name: wrong}
    return {**filled, "unexpected": True}


def _last_turn(messages: Sequence[Message]) -> list[Message]:
    """The tool results at the end, or else the last message."""
    turn = list(messages[-1:])
    for message in reversed(messages[:-1]):
        if not (isinstance(message, ToolMessage) and isinstance(turn[-1], ToolMessage)):
            break
        turn.append(message)
    return turn


def _split_with_references(answer: Answer) -> Answer:
    """The text in two halves, each with a reference to a source after it."""
    if answer.calls:
        return answer
    middle = len(answer.text) // 2
    chunks: list[dict[str, Any]] = []
    for number, half in enumerate((answer.text[:middle], answer.text[middle:])):
        chunks += [{"type": "text", "text": half}, {"type": "reference", "reference_ids": [number, f"source-{number}"]}]
    return replace(answer, chunks=tuple(chunks))
