"""One turn of a conversation: tool executions, function calls, and the message."""

import base64
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mistral_mcp.sandbox.answers.check_guardrails import check_guardrails
from mistral_mcp.sandbox.answers.choose_answer import choose_answer
from mistral_mcp.sandbox.answers.completions import Answer
from mistral_mcp.sandbox.answers.read_pages import PIXEL
from mistral_mcp.sandbox.protocol.chat_request import ChatRequest, CompletionArgs
from mistral_mcp.sandbox.protocol.clock import iso_time
from mistral_mcp.sandbox.protocol.endpoint import Account
from mistral_mcp.sandbox.protocol.entries import BuiltIn, Entry, entries_to_messages
from mistral_mcp.sandbox.protocol.messages import (
    ConnectorTool,
    FunctionTool,
    Message,
    UserMessage,
    text_of,
)
from mistral_mcp.sandbox.protocol.replies import compact
from mistral_mcp.sandbox.protocol.rules import check_chat
from mistral_mcp.sandbox.protocol.strict import as_list
from mistral_mcp.sandbox.protocol.tokens import count_tokens
from mistral_mcp.sandbox.state.conversations import Conversation
from mistral_mcp.sandbox.state.files import SIGNED_URL_BASE, add_output
from mistral_mcp.sandbox.state.fine_tuned_models import require_model

MAKES_FILE = re.compile(r"\b(?:chart|csv|file|plot|table)", re.IGNORECASE)


@dataclass(frozen=True)
class Turn:
    """The outcome of one turn. `model` is the id of the model that answered."""

    model: str
    outputs: list[Entry]
    usage: dict[str, Any]
    guardrails: list[Any] | None

    @property
    def tokens(self) -> int:
        return int(self.usage["total_tokens"])


def finish_entry(account: Account, entry: Entry, prefix: str) -> Entry:
    """The entry with its id and its times."""
    name = account.new_id(prefix).replace("-", "")
    now = iso_time()
    return {
        "object": "entry",
        **entry,
        "created_at": now,
        "completed_at": now,
        "id": f"{prefix}_{name}",
    }


def take_turn(account: Account, conversation: Conversation, args: CompletionArgs) -> Turn:
    """Answer the conversation's entries. Raises the same `ApiError` as chat does."""
    messages = entries_to_messages(conversation.entries, conversation.instructions)
    functions = [tool for tool in conversation.tools if isinstance(tool, FunctionTool)]
    chosen: dict[str, Any] = {name: value for name, value in args if value is not None}
    body = ChatRequest.model_construct(
        model=conversation.model or conversation.agent_model,
        messages=messages,
        tools=functions,
        **chosen,
    )

    model = require_model(account, body.model, "completion_chat")
    meter = account.meter(model.id)
    meter.admit()
    prompt = check_chat(body, model)
    results = check_guardrails(conversation.guardrails, text_of(messages[-1].content))

    answer = choose_answer(body).limit(as_list(args.stop), args.max_tokens)
    outputs = _build_outputs(account, conversation, messages, answer)

    usage = _build_usage(prompt, answer.tokens, outputs)
    turn = Turn(model.id, outputs, usage, results.get("guardrails"))
    meter.spend(turn.tokens)
    return turn


def _build_usage(prompt: int, completion: int, outputs: Sequence[Entry]) -> dict[str, Any]:
    """The tokens, and how often each built-in tool ran."""
    runs = [entry for entry in outputs if entry["type"] == "tool.execution"]
    connector_tokens = sum(count_tokens(compact(entry)) for entry in runs)
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion + connector_tokens,
        "connector_tokens": None,
        "connectors": None,
    }
    if runs:
        usage["connector_tokens"] = connector_tokens
        usage["connectors"] = dict(Counter(entry["name"] for entry in runs))
    return usage


def _build_outputs(
    account: Account, conversation: Conversation, messages: Sequence[Message], answer: Answer
) -> list[Entry]:
    """Function calls; or the executions of built-in tools, and then a message."""
    speaker = conversation.speaker
    if answer.calls:
        calls = [_build_call_entry(call["function"], call["id"], speaker) for call in answer.calls]
        return [finish_entry(account, call, "fc") for call in calls]

    outputs: list[Entry] = []
    cited: list[Entry] = []
    query = json.dumps({"query": text_of(messages[-1].content)})
    tools: list[BuiltIn] = []
    if isinstance(messages[-1], UserMessage):
        tools = [tool for tool in conversation.tools if not isinstance(tool, FunctionTool)]
    for tool in tools:
        name = tool.type
        if isinstance(tool, ConnectorTool):
            name = tool.connector_id
        confirmed = _confirm(account, conversation, tool, query)
        if isinstance(confirmed, dict):
            return [*outputs, confirmed]
        if confirmed:
            ran = {
                "type": "tool.execution",
                "name": name,
                "arguments": query,
                "info": _execution_info(name),
            }
            outputs.append(finish_entry(account, {**ran, **speaker}, "tool_exec"))
            cited += _build_citations(account, conversation, name, query)

    content = answer.content
    if cited:
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        content = [*content, *cited]
    message = {
        "type": "message.output",
        "role": "assistant",
        "content": content,
        **speaker,
    }
    return [*outputs, finish_entry(account, message, "msg")]


def _confirm(account: Account, conversation: Conversation, tool: BuiltIn, query: str) -> bool | Entry:
    """Whether a tool may run, or the pending call that asks for confirmation."""
    asked = tool.tool_configuration and tool.tool_configuration.requires_confirmation
    if not asked:
        return True
    status = _find_confirmation(conversation.entries, asked[0])
    if status is not None:
        return status == "allowed"
    identity = account.new_id("confirm").replace("-", "")[:9]
    call = _build_call_entry({"name": asked[0], "arguments": query}, identity, conversation.speaker)
    return finish_entry(account, {**call, "confirmation_status": "pending"}, "fc")


def _build_call_entry(function: dict[str, Any], identity: str, speaker: dict[str, str | None]) -> Entry:
    return {
        "type": "function.call",
        "tool_call_id": identity,
        "name": function["name"],
        "arguments": function["arguments"],
        "confirmation_status": None,
        **speaker,
    }


def _find_confirmation(entries: Sequence[Entry], name: str) -> str | None:
    """The confirmation status of this call since the last user message."""
    for entry in reversed(entries):
        if entry["type"] == "message.input":
            return None
        if entry["type"] == "function.call" and entry["name"] == name and entry["confirmation_status"] is not None:
            return str(entry["confirmation_status"])
    return None


def _execution_info(name: str) -> dict[str, Any]:
    """The `info` of an execution, which is the only place with the output of code."""
    if name == "code_interpreter":
        return {"code": "print(6 * 7)", "code_output": "42\n"}
    return {}


def _build_citations(account: Account, conversation: Conversation, name: str, query: str) -> list[Entry]:
    """The chunks that a tool adds to the message: a source, or a file to download. Code creates a file if asked to."""
    if name == "image_generation" or (name == "code_interpreter" and MAKES_FILE.search(query)):
        return _build_files(account, conversation, name)
    if name in ("web_search", "web_search_premium", "document_library"):
        source = {"title": "Sandbox source", "url": f"https://example.com/{name}", "favicon": None}
        return [
            {
                "type": "tool_reference",
                "tool": name,
                "description": "A page of the sandbox.",
                **source,
            }
        ]
    return []


def _build_files(account: Account, conversation: Conversation, name: str) -> list[Entry]:
    """An image or a table as a file; with `sandbox-image-urls` as signed URLs without a file id."""
    if conversation.model == "sandbox-image-urls":
        signed = f"{SIGNED_URL_BASE}/generated/{name}.png?sig=sandbox"
        return [
            {"type": "image_url", "image_url": {"url": signed}},
            {
                "type": "document_url",
                "document_url": signed.replace(".png", ".pdf"),
                "document_name": f"{name}.pdf",
            },
        ]
    if name == "image_generation":
        file_name, kind, data = "image_generated_0", "png", base64.b64decode(PIXEL)
    else:
        file_name, kind, data = "table_0", "csv", b"a,b\n6,7\n"
    file = add_output(account, f"{file_name}.{kind}", "ocr", "ocr_input", data)
    return [
        {
            "type": "tool_file",
            "tool": name,
            "file_id": file.id,
            "file_name": file_name,
            "file_type": kind,
        }
    ]
