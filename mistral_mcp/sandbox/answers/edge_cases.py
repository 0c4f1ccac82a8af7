"""Rare shapes of real answers, one for each model that only the sandbox has (`models.SANDBOX_MODELS`)."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from mistral_mcp.sandbox.answers.completions import Answer, Completion
from mistral_mcp.sandbox.protocol.messages import AssistantMessage, Message, ToolMessage, UserMessage, text_of

CORRECTABLE = frozenset({"sandbox-bad-arguments", "sandbox-not-json", "sandbox-bad-json"})
"""Models that answer wrongly until the conversation says what is wrong."""
COMPLAINT = re.compile(
    r"error|invalid|valid|schema|required|must|expected|missing|wrong|correct|does not|do not|is not|not of type",
    re.IGNORECASE,
)


def is_corrected(model: str, messages: Sequence[Message]) -> bool:
    """Whether the last turn tells a correctable model what was wrong with its answer."""
    answered = any(isinstance(message, AssistantMessage) for message in messages[:-1])
    return (
        model in CORRECTABLE
        and answered
        and any(COMPLAINT.search(text_of(each.content)) for each in _last_turn(messages))
    )


def find_task(model: str, messages: Sequence[Message]) -> str:
    """The user's task: the last user message, or the last one that is not a complaint about an answer."""
    tasks = [text_of(message.content) for message in messages if isinstance(message, UserMessage)]
    if is_corrected(model, messages):
        tasks = [text for number, text in enumerate(tasks) if number == 0 or not COMPLAINT.search(text)]
    if tasks:
        return tasks[-1]
    return ""


def write_arguments(model: str, filled: dict[str, Any], schema: Any, *, corrected: bool) -> Any:
    """The arguments of a tool call: JSON in a string, except for the models that show other shapes."""
    if model in ("sandbox-object-arguments", "sandbox-object-fragments"):
        return filled
    if model == "sandbox-bad-arguments" and not corrected:
        filled = _violate_schema(filled, schema)
    text = json.dumps(filled, ensure_ascii=False)
    if model == "sandbox-not-json" and not corrected:
        return f"{text[:-1]}, oops"
    return text


def write_document(model: str, filled: Any, schema: Any, *, corrected: bool) -> Any:
    """The answer for a json_schema; `sandbox-bad-json` violates it until it is corrected."""
    if model == "sandbox-bad-json" and not corrected:
        return _violate_schema(filled, schema)
    return filled


def apply_edge_case(completion: Completion) -> Completion:
    """The completion in the rare shape that its model shows, if it shows one."""
    change_usage = USAGES.get(completion.model)
    if change_usage is not None:
        return replace(completion, usage=change_usage(completion.usage))
    change_answer = ANSWERS.get(completion.model)
    if change_answer is not None:
        return replace(completion, answers=[change_answer(answer) for answer in completion.answers])
    if completion.model == "sandbox-other-model":
        return replace(completion, model="mistral-small-2603")
    return replace(completion, nested=completion.model == "sandbox-choice-messages")


def _end_oddly(answer: Answer) -> Answer:
    return replace(answer, finish_reason="sandbox_ended")


def _empty_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(usage)


def _misplace_cache(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Half of the prompt cached, reported where older deployments report it, and half of the answer reasoning tokens."""
    cached = usage["prompt_tokens"] // 2
    thinking = {"completion_tokens_details": {"reasoning_tokens": usage["completion_tokens"] // 2}}
    elsewhere = {name: value for name, value in usage.items() if name != "prompt_tokens_details"}
    return {
        **elsewhere,
        **thinking,
        "num_cached_tokens": cached,
        "prompt_token_details": {"cached_tokens": cached},
    }


def _write_calls(answer: Answer) -> Answer:
    """The tool calls as text."""
    if not answer.calls:
        return answer
    written = "".join(
        f"[TOOL_CALLS]{call['function']['name']}{call['function']['arguments']}" for call in answer.calls
    )
    return Answer(written)


def _rename_calls(answer: Answer) -> Answer:
    """The tool calls with ids that some of Mistral's models send, but that Mistral rejects when they are sent back."""
    calls = tuple({**call, "id": f"chatcmpl-tool-{call['id']}"} for call in answer.calls)
    return replace(answer, calls=calls)


def _split_thinking(answer: Answer) -> Answer:
    """Two thinking chunks with an empty text between them."""
    if answer.calls:
        return answer
    thought = answer.thinking or "First this. Then that."
    middle = len(thought) // 2
    halves = [{"type": "thinking", "thinking": [_text(part)]} for part in (thought[:middle], thought[middle:])]
    return replace(answer, chunks=(halves[0], _text(""), halves[1], _text(answer.text)))


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _violate_schema(value: Any, schema: Any) -> Any:
    """The value with a member that the schema does not allow."""
    if not isinstance(value, dict):
        return {"unexpected": value}
    filled = cast("dict[str, Any]", value)
    properties = cast("dict[str, Any]", cast("dict[str, Any]", schema).get("properties", {}))
    for name, part in properties.items():
        if name in filled:
            wrong: Any = {"unexpected": True}
            if part.get("type") == "object":
                wrong = "not an object"
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
    """The text in two halves, each followed by a reference to a source."""
    if answer.calls:
        return answer
    middle = len(answer.text) // 2
    chunks: list[dict[str, Any]] = []
    for number, half in enumerate((answer.text[:middle], answer.text[middle:])):
        chunks += [_text(half), {"type": "reference", "reference_ids": [number, f"source-{number}"]}]
    return replace(answer, chunks=tuple(chunks))


USAGES: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "sandbox-null-usage": _empty_usage,
    "sandbox-cached-usage": _misplace_cache,
}
ANSWERS: Mapping[str, Callable[[Answer], Answer]] = {
    "sandbox-chunks": _split_with_references,
    "sandbox-odd-finish": _end_oddly,
    "sandbox-call-as-text": _write_calls,
    "sandbox-foreign-ids": _rename_calls,
    "sandbox-split-thinking": _split_thinking,
}
