"""The content of a message: text, or a list of chunks (text, thinking, images, references …)."""

from typing import cast

from pydantic import JsonValue

Chunk = dict[str, JsonValue]


def chunks_of(content: JsonValue) -> list[Chunk]:
    """The chunks of a content that is a list; text is one chunk, and a lone chunk a list of one."""
    if isinstance(content, str):
        if content:
            return [text_chunk(content)]
        return []
    if isinstance(content, dict):
        return [content]
    if not isinstance(content, list):
        return []
    return [chunk for chunk in content if isinstance(chunk, dict)]


def text_of(content: JsonValue) -> str:
    """The text of a content, without its other chunks."""
    if isinstance(content, str):
        return content
    texts = [chunk.get("text") for chunk in chunks_of(content) if chunk.get("type", "text") == "text"]
    return "".join(text for text in texts if isinstance(text, str))


def thinking_of(content: JsonValue) -> str:
    """The thinking in a content, apart from its text."""
    thinking = [chunk.get("thinking") for chunk in chunks_of(content) if chunk.get("type") == "thinking"]
    return "".join(text_of(part) for part in thinking)


def text_chunk(text: str) -> Chunk:
    return {"type": "text", "text": text}


def thinking_chunk(text: str) -> Chunk:
    return {"type": "thinking", "thinking": [text_chunk(text)], "closed": True}


def one_leading_thinking(content: JsonValue) -> JsonValue:
    """The content with the thinking chunks at its start put into one: Mistral takes no second one there."""
    chunks = chunks_of(content)
    leading = 0
    while leading < len(chunks) and _is_thinking_or_empty(chunks[leading]):
        leading += 1
    thinking = [chunk for chunk in chunks[:leading] if chunk.get("type") == "thinking"]
    if len(thinking) < 2:  # noqa: PLR2004 - two would be refused
        return content
    return cast("JsonValue", [thinking_chunk(thinking_of(cast("JsonValue", thinking))), *chunks[leading:]])


def _is_thinking_or_empty(chunk: Chunk) -> bool:
    return chunk.get("type") == "thinking" or chunk == text_chunk("")


class ContentBuilder:
    """Pieces of content put together: text to text, thinking to thinking, anything else as it is."""

    def __init__(self) -> None:
        self._chunks: list[Chunk] = []
        self._texts: list[str] = []
        """Pieces of text since the last chunk; most answers are nothing else, and come in thousands of them."""

    def add(self, content: JsonValue) -> None:
        if isinstance(content, str):
            self._texts.append(content)
            return
        for chunk in chunks_of(content):
            self._add_texts()
            self._add(chunk)

    def content(self) -> JsonValue:
        """All of it: text where there is nothing else."""
        self._add_texts()
        if all(chunk["type"] == "text" for chunk in self._chunks):
            return text_of(cast("JsonValue", self._chunks))
        return cast("JsonValue", self._chunks)

    def _add_texts(self) -> None:
        self._add(text_chunk("".join(self._texts)))
        self._texts.clear()

    def _add(self, chunk: Chunk) -> None:
        match chunk.get("type", "text"):
            case "text":
                self._add_text(chunk)
            case "thinking":
                self._add_thinking(chunk)
            case _:
                self._chunks.append(chunk)

    def _add_text(self, chunk: Chunk) -> None:
        last = self._last("text")
        if last is not None:
            last["text"] = text_of(cast("JsonValue", [last, chunk]))
        elif text_of([chunk]):
            self._chunks.append({**chunk, "type": "text"})

    def _add_thinking(self, chunk: Chunk) -> None:
        last = self._last("thinking")
        if last is not None:
            last["thinking"] = [text_chunk(thinking_of(cast("JsonValue", [last, chunk])))]
        else:
            self._chunks.append({**chunk, "closed": True})

    def _last(self, kind: str) -> Chunk | None:
        """The last chunk, if it is of this kind."""
        if self._chunks and self._chunks[-1].get("type") == kind:
            return self._chunks[-1]
        return None
