"""A turn of a conversation as a stream of named events."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from mistral_mcp.sandbox.protocol.clock import iso_time
from mistral_mcp.sandbox.protocol.entries import Entry
from mistral_mcp.sandbox.protocol.tokens import split_tokens


def conversation_events(
    conversation_id: str, outputs: Sequence[Entry], usage: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """From `conversation.response.started` to `conversation.response.done`."""
    yield {
        "type": "conversation.response.started",
        "created_at": iso_time(),
        "conversation_id": conversation_id,
    }
    for index, entry in enumerate(outputs):
        for event in _entry_events(entry):
            name = event.pop("type")
            yield {
                "type": name,
                "created_at": iso_time(),
                "output_index": index,
                "id": entry["id"],
                **event,
            }
    yield {
        "type": "conversation.response.done",
        "created_at": iso_time(),
        "usage": usage,
    }


def _entry_events(entry: Entry) -> Iterator[Entry]:
    speaker = {"model": entry.get("model"), "agent_id": entry.get("agent_id")}
    match entry["type"]:
        case "tool.execution":
            ran = {"name": entry["name"], "arguments": entry["arguments"]}
            yield {"type": "tool.execution.started", **ran, **speaker}
            yield {"type": "tool.execution.delta", **ran}
            yield {
                "type": "tool.execution.done",
                "name": entry["name"],
                "info": entry["info"],
            }
        case "function.call":
            call = {name: entry[name] for name in ("name", "tool_call_id", "arguments", "confirmation_status")}
            yield {"type": "function.call.delta", **call, **speaker}
        case _:
            content: Any = entry["content"]
            if isinstance(content, str):
                chunks = [{"type": "text", "text": content}]
            else:
                chunks = cast("list[Entry]", content)
            for place, chunk in enumerate(chunks):
                # Text is sent as strings, token by token; any other chunk is sent whole.
                parts: list[Any] = [chunk]
                if chunk["type"] == "text":
                    parts = split_tokens(chunk["text"])
                for part in parts:
                    delta = {"content_index": place, "role": "assistant", "content": part}
                    yield {"type": "message.output.delta", **delta, **speaker}
