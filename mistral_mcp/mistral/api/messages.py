"""Conversations as Mistral takes them: tool-call ids of nine characters, and no turn or member that it refuses.

A conversation goes out as it is where Mistral may take it. What it refuses on every model is left out or moved, and one
order of roles is mended only after a refusal: current models take a user turn right after a tool's result, older ones do
not. Rules and texts are those of the live API, as several public projects met them.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, JsonValue, model_validator

from mistral_mcp.errors import RequestRefused
from mistral_mcp.mistral.api.content import one_leading_thinking

Turn = dict[str, JsonValue]
"""One turn on the wire."""

ReplyT = TypeVar("ReplyT")

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CALL_ID = re.compile(r"[a-zA-Z0-9]{9}")
_USER_AFTER_TOOL = re.compile(r"'user' after role 'tool'")

# Members that one role takes; on other roles they are refused with a 422.
_ROLE_OF = {
    "name": "tool",
    "tool_call_id": "tool",
    "tool_calls": "assistant",
    "prefix": "assistant",
}
# What other vendors' clients put into messages; empty it carries nothing.
_OTHER_VENDORS = {"refusal", "annotations", "audio", "function_call", "reasoning_content", *_ROLE_OF}


class Message(BaseModel):
    """One turn. Content is text or a list of Mistral's chunks."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[dict[str, JsonValue]] | None = None
    tool_calls: list[dict[str, JsonValue]] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    prefix: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_refused_members(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        message = cast("dict[str, JsonValue]", value)
        if message.get("role") == "developer":
            role = "system"
        else:
            role = message.get("role")
        taken = {name: item for name, item in message.items() if _is_taken(name, item, role)}
        if "role" in message:
            return {**taken, "role": role}
        return taken

    @property
    def is_empty(self) -> bool:
        """Whether an assistant's turn has neither content nor calls, which Mistral refuses."""
        if self.role != "assistant" or self.tool_calls:
            return False
        if isinstance(self.content, list):
            return all(chunk.get("type", "text") == "text" and not chunk.get("text") for chunk in self.content)
        return not self.content


def _is_taken(name: str, item: JsonValue, role: JsonValue) -> bool:
    if name in _OTHER_VENDORS and not item:
        return False
    return _ROLE_OF.get(name, role) == role


def wire_call_id(call_id: str) -> str:
    """A tool-call id in the nine characters that Mistral takes.

    Another vendor's id always becomes the same nine, so a conversation can be continued by any replica at any time.
    """
    if _CALL_ID.fullmatch(call_id):
        return call_id
    number = int.from_bytes(hashlib.blake2b(call_id.encode(errors="replace"), digest_size=8).digest())
    characters = ""
    for _ in range(9):
        number, digit = divmod(number, len(_ALPHABET))
        characters += _ALPHABET[digit]
    return characters


def conversation(messages: list[Message]) -> list[Turn]:
    """The messages as they go out."""
    unanswered: list[str] = []
    turns: list[Turn] = []
    for message in _system_turns_first(messages):
        if message.is_empty:
            continue
        turn = cast("Turn", message.model_dump(exclude_none=True))
        if message.tool_calls:
            calls = _wire_calls(message.tool_calls, len(turns))
            turn["tool_calls"] = cast("JsonValue", calls)
            unanswered = [str(call["id"]) for call in calls]
        if message.role == "tool":
            turn["tool_call_id"] = _answered_call(message, unanswered)
        if message.role == "assistant":
            turn["content"] = one_leading_thinking(turn.get("content", ""))
        # A tool's result may be null at other vendors; Mistral wants the member.
        turn.setdefault("content", "")
        turns.append(turn)
    return turns


def _system_turns_first(messages: list[Message]) -> list[Message]:
    """Mistral takes system turns only before the first answer: later ones are moved there."""
    first = next((index for index, message in enumerate(messages) if message.role in {"assistant", "tool"}), None)
    if first is None:
        return messages
    start = 0
    while messages[start].role == "system":
        start += 1
    late = [message for message in messages[first:] if message.role == "system"]
    rest = [message for message in messages[first:] if message.role != "system"]
    return [*messages[:start], *late, *messages[start:first], *rest]


def _wire_calls(calls: list[dict[str, JsonValue]], position: int) -> list[dict[str, JsonValue]]:
    """Calls with an id each that no other call of the turn has, and without members that are null."""
    known: set[str] = set()
    wire: list[dict[str, JsonValue]] = []
    for index, call in enumerate(calls):
        given = call.get("id")
        if isinstance(given, str) and given:
            call_id = wire_call_id(given)
        else:
            call_id = wire_call_id(f"{position}.{index}")
        if call_id in known:
            call_id = wire_call_id(f"{call_id} {position}.{index}")
        known.add(call_id)
        members = {name: value for name, value in call.items() if value is not None}
        wire.append({**members, "id": call_id})
    return wire


def _answered_call(message: Message, unanswered: list[str]) -> str:
    """The id of the call that a tool's turn answers: its own, else the first call without an answer."""
    if message.tool_call_id:
        call_id = wire_call_id(message.tool_call_id)
    elif unanswered:
        call_id = unanswered[0]
    else:
        call_id = wire_call_id("")
    if call_id in unanswered:
        unanswered.remove(call_id)
    return call_id


async def send_conversation(turns: list[Turn], send: Callable[[list[Turn]], Awaitable[ReplyT]]) -> ReplyT:
    """Send turns; where Mistral takes no user turn right after a tool's, once more with an assistant's between them."""
    try:
        return await send(turns)
    except RequestRefused as error:
        if error.code != "3230" or not _USER_AFTER_TOOL.search(error.what):
            raise
    return await send(_with_assistant_between(turns))


def _with_assistant_between(turns: list[Turn]) -> list[Turn]:
    mended: list[Turn] = []
    for turn in turns:
        if mended and mended[-1]["role"] == "tool" and turn["role"] == "user":
            mended.append({"role": "assistant", "content": "Noted."})
        mended.append(turn)
    return mended
