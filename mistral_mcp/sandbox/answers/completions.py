"""Answers of chat and FIM, as a whole reply and as a stream."""

import time
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mistral_mcp.sandbox.protocol.replies import compact
from mistral_mcp.sandbox.protocol.tokens import split_tokens

PADDING = "abcdefghijklmnopqrstuvwxyz0123456789"
FILLER = " more"


@dataclass(frozen=True)
class Answer:
    """The answer of one choice: text, thinking before it, tool calls, or content that is given as chunks."""

    text: str = ""
    thinking: str | None = None
    calls: tuple[dict[str, Any], ...] = ()
    chunks: tuple[dict[str, Any], ...] | None = None
    finish_reason: str = "stop"

    @property
    def content(self) -> str | list[dict[str, Any]]:
        """The `content` of the message."""
        if self.chunks is not None:
            return list(self.chunks)
        if self.thinking is None:
            return self.text
        thought = _thinking_chunk(self.thinking, closed=True)
        if self.calls:
            return [thought]
        return [thought, _text_chunk(self.text)]

    @property
    def tokens(self) -> int:
        """The completion tokens."""
        spoken = len(split_tokens(self.text)) + len(split_tokens(self.thinking or ""))
        return spoken + sum(len(split_tokens(compact(call["function"]))) for call in self.calls)

    def limit(self, stop: Sequence[str], max_tokens: int | None, min_tokens: int | None = None) -> "Answer":
        """The answer, cut at the first stop sequence or after `max_tokens`, and padded to `min_tokens`. Tool calls stay whole."""
        if self.calls:
            return self

        text, reason = self.text, self.finish_reason
        missing = (min_tokens or 0) - len(split_tokens(text))
        if missing > 0:
            # One more than is missing, since the first may merge with a blank that was a token of its own.
            text += FILLER * (missing + 1)

        ends = [text.index(word) for word in stop if word and word in text]
        if ends:
            text, reason = text[: min(ends)], "stop"

        thinking = self.thinking
        if max_tokens is not None:
            thoughts, words = split_tokens(thinking or ""), split_tokens(text)
            if len(thoughts) + len(words) > max_tokens:
                if thinking is not None:
                    thinking = "".join(thoughts[:max_tokens])
                text, reason = "".join(words[: max(max_tokens - len(thoughts), 0)]), "length"

        chunks = None
        if text == self.text:
            chunks = self.chunks
        return Answer(text, thinking, (), chunks, reason)


@dataclass(frozen=True)
class Completion:
    """One reply of chat or FIM. `nested` puts each message into a list, as some runs with built-in tools do."""

    model: str
    answers: Sequence[Answer]
    usage: Mapping[str, Any]
    nested: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def body(self) -> dict[str, Any]:
        """The reply as a JSON object, its members in the order of the recordings."""
        return {
            "id": self.id,
            "created": self.created,
            "model": self.model,
            "usage": dict(self.usage),
            "object": "chat.completion",
            "choices": [self._choice(index, answer) for index, answer in enumerate(self.answers)],
            **self.extra,
        }

    def events(self) -> list[str]:
        """The reply as the payloads of a stream. The usage comes with the last finish_reason."""
        events: list[str] = []
        for index, answer in enumerate(self.answers):
            events.append(self._event(index, {"role": "assistant", "content": ""}))
            *deltas, last = _deltas(answer)
            events += [self._event(index, delta, number=number) for number, delta in enumerate(deltas)]
            usage = None
            if index == len(self.answers) - 1:
                usage = self.usage
            events.append(self._event(index, last, answer.finish_reason, usage, len(deltas)))
        return [*events, "[DONE]"]

    def _choice(self, index: int, answer: Answer) -> dict[str, Any]:
        calls = list(answer.calls) or None
        message = {
            "role": "assistant",
            "tool_calls": calls,
            "content": answer.content,
        }
        content: dict[str, Any] = {"message": message}
        if self.nested:
            content = {"messages": [message]}
        return {
            "index": index,
            "finish_reason": answer.finish_reason,
            **content,
        }

    def _event(
        self,
        index: int,
        delta: Mapping[str, Any],
        finish_reason: str | None = None,
        usage: Mapping[str, Any] | None = None,
        number: int | None = None,
    ) -> str:
        event: dict[str, Any] = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}],
        }
        if usage is not None:
            event["usage"] = usage
        if number is not None:
            # Mistral's padding hides the length of the tokens; here its length only has to vary, reproducibly.
            event["p"] = PADDING[: 1 + zlib.crc32(f"{number}{compact(delta)}".encode()) % len(PADDING)]
        return compact(event)


def _deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    """At least one delta. Thinking comes as lists of chunks, the text after it as plain strings."""
    if answer.chunks is not None:
        yield from ({"content": [chunk]} for chunk in answer.chunks)
        return
    if answer.thinking is not None:
        for number, piece in enumerate(_split_text(answer.thinking)):
            yield {"content": [_thinking_chunk(piece, closed=number > 0)]}
    if answer.calls:
        # A tool call is sent whole, together with the finish_reason.
        yield {"content": "", "tool_calls": list(answer.calls)}
        return
    yield from ({"content": piece} for piece in _split_text(answer.text) or [""])


def _split_text(text: str) -> list[str]:
    """The text in chunks of one or two tokens."""
    tokens = split_tokens(text)
    chunks: list[str] = []
    at = 0
    while at < len(tokens):
        size = 1 + zlib.crc32(tokens[at].encode()) % 2
        chunks.append("".join(tokens[at : at + size]))
        at += size
    return chunks


def _thinking_chunk(text: str, *, closed: bool) -> dict[str, Any]:
    thought: dict[str, Any] = {"type": "thinking", "thinking": [_text_chunk(text)]}
    if closed:
        return {**thought, "closed": True}
    return thought


def _text_chunk(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
