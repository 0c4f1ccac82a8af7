"""Choose the answer to a conversation: tool calls, JSON, or text."""

import json
from collections.abc import Sequence
from typing import Any

from mistral_mcp.sandbox.answers.answer_text import answer_text, think
from mistral_mcp.sandbox.answers.choose_functions import build_tool_call, choose_functions, fill_arguments
from mistral_mcp.sandbox.answers.completions import Answer
from mistral_mcp.sandbox.answers.edge_cases import find_task, is_corrected, write_arguments, write_document
from mistral_mcp.sandbox.answers.fill_schema import fill_schema
from mistral_mcp.sandbox.answers.prompt_hints import Hints
from mistral_mcp.sandbox.protocol.chat_request import ChatRequest
from mistral_mcp.sandbox.protocol.messages import AssistantMessage, Message, text_of


def choose_answer(body: ChatRequest) -> Answer:
    """Tool calls if a function fits the prompt; otherwise JSON if the response format asks for it, or text."""
    prompt = find_task(body.model, body.messages)
    corrected = is_corrected(body.model, body.messages)

    always_thinks = body.model.startswith("magistral")
    thinking = None
    if always_thinks or body.reasoning_effort not in (None, "none"):
        thinking = think(prompt)

    functions = choose_functions(
        body.tools or [],
        body.tool_choice,
        body.messages,
        prompt,
        parallel=body.parallel_tool_calls,
        again=corrected,
    )
    if functions:
        hints = Hints(prompt)
        calls: list[dict[str, Any]] = []
        for place, function in enumerate(functions):
            filled = fill_arguments(function, hints)
            written = write_arguments(body.model, filled, function.parameters, corrected=corrected)
            calls.append(build_tool_call(function, written, place, turn=len(body.messages)))
        return Answer(thinking=thinking, calls=tuple(calls), finish_reason="tool_calls")

    text = _write_json(body, prompt, corrected=corrected) or answer_text(body.model, body.messages, prompt)
    return Answer(_prefix(body.messages) + text, thinking)


def _write_json(body: ChatRequest, prompt: str, *, corrected: bool) -> str | None:
    """The answer as JSON, if the response format asks for it."""
    wanted = body.response_format
    if wanted.type == "text":
        return None
    document: Any = {"answer": f"Sandbox answer from {body.model}", "you_said": prompt}
    if wanted.json_schema is not None:
        schema = wanted.json_schema.schema_
        document = write_document(body.model, fill_schema(schema, Hints(prompt)), schema, corrected=corrected)
    return json.dumps(document, ensure_ascii=False)


def _prefix(messages: Sequence[Message]) -> str:
    """The prefix of the answer, if the conversation ends with one. Mistral repeats it in the answer."""
    last = messages[-1]
    if isinstance(last, AssistantMessage) and last.prefix:
        return text_of(last.content)
    return ""
