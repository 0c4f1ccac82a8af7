"""Mistral's rules for the messages of a conversation: their order, empty messages, and the ids of tool calls."""

import re
from collections.abc import Sequence

from mistral_mcp.sandbox.protocol.errors import ApiError, refusal
from mistral_mcp.sandbox.protocol.messages import AssistantMessage, Message, TextChunk, ThinkChunk, ToolMessage

FOLLOWERS = {
    "system": {"system", "user", "assistant"},
    "user": {"system", "user", "assistant"},
    "assistant": {"assistant", "user", "tool"},
    "tool": {"assistant", "tool"},
}
CALL_ID = re.compile(r"^[a-zA-Z0-9]{9}$")


def check_history(messages: Sequence[Message]) -> None:
    """Check all rules. 400 with the code of the first that is broken."""
    check_order(messages)
    for message in messages:
        if isinstance(message, AssistantMessage):
            check_assistant(message)
        elif isinstance(message, ToolMessage):
            check_call_id(message.tool_call_id)
    check_results(messages)


def check_order(messages: Sequence[Message]) -> None:
    """Which role may follow which, and which may be last."""
    if not messages:
        raise _order_error("Conversation must have at least one message")
    previous = messages[0].role
    for message in messages[1:]:
        if message.role not in FOLLOWERS[previous]:
            raise _order_error(f"Unexpected role '{message.role}' after role '{previous}'")
        previous = message.role
    last = messages[-1]
    if not (last.role in ("user", "tool") or (isinstance(last, AssistantMessage) and last.prefix)):
        message = (
            f"Expected last role User or Tool (or Assistant with prefix True) for serving but got {last.role}"
        )
        raise _order_error(message)


def check_assistant(message: AssistantMessage) -> None:
    """It has content or tool calls, at most one leading thinking chunk, and unique tool call ids."""
    if _is_empty(message) and not message.tool_calls:
        raise _assistant_error("Assistant message must have either content or tool_calls, but not none.")
    thoughts = _count_leading_thoughts(message)
    if thoughts > 1:
        raise _assistant_error(f"Expected at most one leading ThinkChunk, got {thoughts}")
    ids = [call.id for call in message.tool_calls or []]
    for call_id in ids:
        check_call_id(call_id)
    if len(set(ids)) < len(ids):
        raise _call_error("Tool call ids must be unique within a message.")


def check_call_id(call_id: str | None) -> None:
    """Nine letters and digits, in a tool call and in its result."""
    if call_id is None:
        raise _call_error("Tool call id has to be defined.")
    if not CALL_ID.match(call_id):
        raise _call_error(f"Tool call id was {call_id} but must be a-z, A-Z, 0-9, with a length of 9.")


def check_results(messages: Sequence[Message]) -> None:
    """As many tool results as tool calls."""
    expected = 0
    for message in messages:
        if isinstance(message, ToolMessage):
            expected -= 1
            continue
        if expected:
            break
        if isinstance(message, AssistantMessage):
            expected = len(message.tool_calls or [])
    if expected:
        raise _order_error("Not the same number of function calls and responses")


def _is_empty(message: AssistantMessage) -> bool:
    """Without content, or with empty texts only."""
    if isinstance(message.content, list):
        return all(isinstance(chunk, TextChunk) and not chunk.text for chunk in message.content)
    return not message.content


def _count_leading_thoughts(message: AssistantMessage) -> int:
    """The thinking chunks before the first text; empty texts between them do not count."""
    if not isinstance(message.content, list):
        return 0
    thoughts = 0
    for chunk in message.content:
        if isinstance(chunk, ThinkChunk):
            thoughts += 1
        elif not isinstance(chunk, TextChunk) or chunk.text:
            break
    return thoughts


def _order_error(message: str) -> ApiError:
    return refusal(400, message, "invalid_request_message_order", "3230")


def _assistant_error(message: str) -> ApiError:
    return refusal(400, message, "invalid_request_assistant_message", "3240")


def _call_error(message: str) -> ApiError:
    return refusal(400, message, "invalid_function_call", "3280")
