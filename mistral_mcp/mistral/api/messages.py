"""Conversations as Mistral takes them: roles in order, tool-call ids of nine characters, no member it does not know.

Rules and texts are those of the live API, as several public projects met them.
"""

import hashlib
import re
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NINE = re.compile(r"[a-zA-Z0-9]{9}")

# What other vendors' clients put into messages and Mistral refuses with a 422; empty they carry nothing.
_FOREIGN = (
    "refusal",
    "annotations",
    "audio",
    "function_call",
    "reasoning_content",
    "name",
    "tool_calls",
    "tool_call_id",
)


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
    def _without_foreign_nothings(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        message = cast("dict[str, JsonValue]", value)
        return {key: item for key, item in message.items() if item or key not in _FOREIGN}


class CallIds(BaseModel):
    """Tool-call ids of other vendors as Mistral's nine characters, and back.

    The same foreign id always gets the same nine, so a conversation can be continued by any replica at any time.
    """

    foreign: dict[str, str] = Field(default_factory=dict)

    def nine(self, foreign_id: str) -> str:
        if _NINE.fullmatch(foreign_id):
            return foreign_id
        number = int.from_bytes(hashlib.blake2b(foreign_id.encode(), digest_size=8).digest())
        nine = ""
        for _ in range(9):
            number, digit = divmod(number, len(_ALPHABET))
            nine += _ALPHABET[digit]
        self.foreign[nine] = foreign_id
        return nine

    def back(self, nine: str) -> str:
        return self.foreign.get(nine, nine)


def conversation(messages: list[Message], ids: CallIds) -> list[dict[str, JsonValue]]:
    """The messages as they go out.

    An assistant turn is put where Mistral demands one: between a tool's result and the next user turn.
    """
    out: list[dict[str, JsonValue]] = []
    for message in messages:
        if out and out[-1]["role"] == "tool" and message.role in {"user", "system"}:
            out.append({"role": "assistant", "content": "Noted."})
        wire = cast("dict[str, JsonValue]", message.model_dump(exclude_none=True))
        if message.tool_calls:
            wire["tool_calls"] = [_with_nine(call, ids) for call in message.tool_calls]
            wire.setdefault("content", "")
        if message.tool_call_id is not None:
            wire["tool_call_id"] = ids.nine(message.tool_call_id)
        if message.role != "assistant":
            # A tool's result may be null at other vendors; Mistral wants the member.
            wire.setdefault("content", "")
        out.append(wire)
    return out


def _with_nine(call: dict[str, JsonValue], ids: CallIds) -> JsonValue:
    call_id = call.get("id")
    return {**call, "id": ids.nine(call_id)} if isinstance(call_id, str) else call


def text_of(content: JsonValue) -> str:
    """The text of a reply's content, which is a string, null, or a list of chunks."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    chunks = [chunk for chunk in content if isinstance(chunk, dict)]
    texts = [chunk.get("text") for chunk in chunks if chunk.get("type", "text") == "text"]
    return "".join(text for text in texts if isinstance(text, str))


def thinking_of(content: JsonValue) -> str:
    """The thinking in a reply's content, apart from the text."""
    if not isinstance(content, list):
        return ""
    chunks = [chunk for chunk in content if isinstance(chunk, dict)]
    return "".join(text_of(chunk.get("thinking")) for chunk in chunks if chunk.get("type") == "thinking")
