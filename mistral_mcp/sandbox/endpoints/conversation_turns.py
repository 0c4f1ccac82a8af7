"""One turn of a conversation: what runs, what is called, and what is said."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from mistral_mcp.sandbox.answers.check_guardrails import Guardrail, guarded
from mistral_mcp.sandbox.answers.completions import Answer
from mistral_mcp.sandbox.answers.read_pages import PIXEL
from mistral_mcp.sandbox.endpoints import chat
from mistral_mcp.sandbox.endpoints.agents import MODEL
from mistral_mcp.sandbox.protocol.endpoint import Account
from mistral_mcp.sandbox.protocol.entries import ConversationTool, Entry, as_messages
from mistral_mcp.sandbox.protocol.messages import (
    ConnectorTool,
    FunctionTool,
    Message,
    ResponseFormat,
    UserMessage,
    text_of,
)
from mistral_mcp.sandbox.protocol.replies import compact
from mistral_mcp.sandbox.protocol.strict import Count, Strict
from mistral_mcp.sandbox.protocol.tokens import count
from mistral_mcp.sandbox.state.files import produced
from mistral_mcp.sandbox.state.fine_tuned_models import able

Share = Annotated[float, Field(ge=0, le=1)]


class CompletionArgs(Strict):
    """The arguments of chat that conversations take. The temperature ends at 1."""

    stop: str | list[str] | None = None
    presence_penalty: chat.Penalty | None = None
    frequency_penalty: chat.Penalty | None = None
    temperature: Share | None = None
    top_p: Share | None = None
    max_tokens: Count | None = None
    random_seed: Count | None = None
    prediction: chat.Prediction | None = None
    response_format: ResponseFormat | None = None
    tool_choice: Literal["auto", "none", "any", "required"] | None = None
    reasoning_effort: chat.Effort | None = None


def moment() -> str:
    """Now, as the API writes it."""
    return datetime.now(UTC).isoformat()


@dataclass
class Conversation:
    """What is kept of a conversation."""

    id: str
    model: str | None
    agent_id: str | None
    agent_version: int | str | None = None
    instructions: str | None = None
    tools: Sequence[ConversationTool] = ()
    args: CompletionArgs = field(default_factory=CompletionArgs)
    guardrails: Sequence[Guardrail] = ()
    name: str | None = None
    description: str | None = None
    metadata: dict[str, Any] | None = None
    entries: list[Entry] = field(default_factory=list[Entry])
    created_at: str = field(default_factory=moment)
    updated_at: str = field(default_factory=moment)

    @property
    def speaker(self) -> dict[str, str | None]:
        """Who it is that answers."""
        return {"agent_id": self.agent_id, "model": self.model or MODEL}


@dataclass(frozen=True)
class Turn:
    """What came of it."""

    model: str
    outputs: list[Entry]
    usage: dict[str, Any]
    guardrails: list[Any] | None

    @property
    def tokens(self) -> int:
        return int(self.usage["total_tokens"])


def finished(account: Account, entry: Entry, prefix: str) -> Entry:
    """The entry with its id and its time."""
    name = account.new_id(prefix).replace("-", "")
    now = moment()
    return {"object": "entry", **entry, "created_at": now, "completed_at": now, "id": f"{prefix}_{name}"}


def take(account: Account, conversation: Conversation, args: CompletionArgs) -> Turn:
    """Answer the entries that are there."""
    messages = as_messages(conversation.entries, conversation.instructions)
    functions = [tool for tool in conversation.tools if isinstance(tool, FunctionTool)]
    chosen: dict[str, Any] = {name: value for name, value in args if value is not None}
    name = conversation.model or MODEL
    body = chat.ChatRequest.model_construct(model=name, messages=messages, tools=functions, **chosen)
    model = able(account, body.model, "completion_chat")
    meter = account.meter(model.id)
    meter.admit()
    prompt = chat.checked(body, model)
    told = guarded(conversation.guardrails, text_of(messages[-1].content))
    stops = [args.stop] if isinstance(args.stop, str) else args.stop or []
    answer = chat.answer_to(body).limited(stops, args.max_tokens)
    outputs = _outputs(account, conversation, messages, answer)
    ran = [entry["name"] for entry in outputs if entry["type"] == "tool.execution"]
    connector_tokens = sum(count(compact(entry)) for entry in outputs if entry["type"] == "tool.execution")
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": answer.tokens,
        "total_tokens": prompt + answer.tokens + connector_tokens,
        "connector_tokens": connector_tokens if ran else None,
        "connectors": {name: ran.count(name) for name in ran} if ran else None,
    }
    meter.spend(prompt + answer.tokens + connector_tokens)
    return Turn(model.id, outputs, usage, told.get("guardrails"))


def _outputs(account: Account, conversation: Conversation, messages: Sequence[Message], answer: Answer) -> list[Entry]:
    """Calls of functions; or what ran on Mistral's side, and then a message."""
    speaker = conversation.speaker
    if answer.calls:
        calls = [_call(call["function"], call["id"], speaker) for call in answer.calls]
        return [finished(account, call, "fc") for call in calls]
    outputs: list[Entry] = []
    cited: list[Entry] = []
    said = text_of(messages[-1].content)
    tools = [tool for tool in conversation.tools if not isinstance(tool, FunctionTool)]
    for tool in tools if isinstance(messages[-1], UserMessage) else []:
        name = tool.connector_id if isinstance(tool, ConnectorTool) else tool.type
        to_confirm = tool.tool_configuration and tool.tool_configuration.requires_confirmation
        status = _confirmation(conversation.entries, to_confirm[0]) if to_confirm else "allowed"
        if to_confirm and status is None:
            function = {"name": to_confirm[0], "arguments": json.dumps({"query": said})}
            identity = account.new_id("confirm").replace("-", "")[:9]
            pending = {**_call(function, identity, speaker), "confirmation_status": "pending"}
            return [*outputs, finished(account, pending, "fc")]
        if status == "allowed":
            arguments = json.dumps({"query": said})
            ran = {"type": "tool.execution", "name": name, "arguments": arguments, "info": _info(name), **speaker}
            outputs.append(finished(account, ran, "tool_exec"))
            cited += _cited(account, name)
    content = answer.content
    if cited:
        content = [*([{"type": "text", "text": content}] if isinstance(content, str) else content), *cited]
    message = {"type": "message.output", "role": "assistant", "content": content, **speaker}
    return [*outputs, finished(account, message, "msg")]


def _call(function: dict[str, Any], identity: str, speaker: dict[str, str | None]) -> Entry:
    return {
        "type": "function.call",
        "tool_call_id": identity,
        "name": function["name"],
        "arguments": function["arguments"],
        "confirmation_status": None,
        **speaker,
    }


def _confirmation(entries: Sequence[Entry], name: str) -> str | None:
    """What has been said about this call since the user last spoke."""
    for entry in reversed(entries):
        if entry["type"] == "message.input":
            return None
        if entry["type"] == "function.call" and entry["name"] == name and entry["confirmation_status"] is not None:
            return str(entry["confirmation_status"])
    return None


def _info(name: str) -> dict[str, Any]:
    return {"code": "print(6 * 7)", "code_output": "42\n"} if name == "code_interpreter" else {}


def _cited(account: Account, name: str) -> list[Entry]:
    """What a tool leaves in the message: a source, or a file that can be downloaded."""
    if name == "image_generation":
        image = produced(account, "image_generated_0.png", "ocr", "ocr_input", base64.b64decode(PIXEL))
        told = {"file_id": image.id, "file_name": "image_generated_0", "file_type": "png"}
        return [{"type": "tool_file", "tool": name, **told}]
    if name in ("web_search", "web_search_premium", "document_library"):
        url = f"https://example.com/{name}"
        return [{"type": "tool_reference", "tool": name, "title": "Sandbox source", "url": url}]
    return []
