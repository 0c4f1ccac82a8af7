"""Stores a tool's results that are too long or too binary for a context.

A tool that may do so takes `kept_results: KeptResults` after `mistral`; it is filled per request, and the tool
`mistral_read_result` is offered along with it.

    text, kept = await kept_results.keep_if_long(reply.text, filename="transcript.txt")
    kept = await kept_results.keep(data, mime_type="audio/mpeg", filename="speech.mp3")
    return Speech(…, kept=kept)
"""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict

from mistral_mcp.bounds.heavy_work import run_heavy
from mistral_mcp.kept_results import Content, HoldMemory, Owner, ResultStore, any_size
from mistral_mcp.masking import Mask
from mistral_mcp.mistral.call import Maybe

LONG = 40_000
"""Characters that one result may show: some 10,000 tokens."""

_SURROGATES = re.compile("[\ud800-\udfff]")

_LARGE = 256 * 1024  # bytes or characters; what is larger is worked on beside the event loop

READ_TOOL = "mistral_read_result"


class Kept(BaseModel):
    """Where the whole result is: read it with mistral_read_result, or get it from its path or URL."""

    model_config = ConfigDict(extra="allow")

    handle: str
    url: Maybe[str] = None
    path: Maybe[str] = None
    mime_type: str
    bytes: int
    characters: Maybe[int] = None
    expires_at: str | None

    def note(self, shown: int = 0) -> str:
        """A note on how much is shown, and how to get the rest."""
        if self.path or self.url:
            where = f", or get all of it from {self.path or self.url}"
        else:
            where = ""
        if self.characters is None:
            place = self.path or self.url or f"handle {self.handle}"
            return f"[Kept: {self.bytes:,} bytes, {self.mime_type}: {place}]"
        return (
            f"[Shown are {shown:,} of {self.characters:,} characters. Read on with {READ_TOOL}, handle {self.handle}, "
            f"offset {shown}{where}.]"
        )


class KeptResults:
    """Stores and reads the results of one caller."""

    def __init__(self, store: ResultStore, owner: Owner, mask: Mask) -> None:
        self._store = store
        self._owner = owner
        self._mask = mask

    @property
    def over_http(self) -> bool:
        """Whether the call came over HTTP."""
        return self._owner.base_url is not None

    async def keep(
        self, content: str | bytes, *, mime_type: str = "text/plain", filename: str, **facts: Any
    ) -> Kept:
        """Store a result. `facts` become members of `kept`.

        The caller's secrets are masked in it. Raises `ResultTooLarge`.
        """
        if len(content) > _LARGE:
            data, characters = await run_heavy(self._to_bytes, content)
        else:
            data, characters = self._to_bytes(content)
        location = await self._store.keep(self._owner, Content(data, mime_type, filename))
        return Kept(
            handle=location.handle,
            url=location.url,
            path=location.path,
            mime_type=mime_type,
            bytes=len(data),
            characters=characters,
            expires_at=location.expires_at and location.expires_at.isoformat().replace("+00:00", "Z"),
            **facts,
        )

    def _to_bytes(self, content: str | bytes) -> tuple[bytes, int | None]:
        """Without the caller's secrets; and the characters of a text."""
        if isinstance(content, bytes):
            return self._mask.binary(content), None
        text = self._mask.text(content)
        try:
            return text.encode(), len(text)
        except UnicodeEncodeError:
            return _SURROGATES.sub("\ufffd", text).encode(), len(text)

    async def keep_if_long(
        self, text: str, *, filename: str, mime_type: str = "text/plain", limit: int = LONG
    ) -> tuple[str, Kept | None]:
        """The text if it is short; else its beginning, and where all of it is stored."""
        if len(text) <= limit:
            return text, None
        text = self._mask.text(text)  # before it is cut: a part of a secret would not be masked
        return text[:limit], await self.keep(text, mime_type=mime_type, filename=filename)

    async def read(self, handle: str, hold_memory: HoldMemory = any_size) -> Content:
        """Raises `UnknownResult` or `ExpiredResult`, and what `hold_memory` raises."""
        return await self._store.read(self._owner, handle, hold_memory)


def shorten_text(text: str, room: int) -> str:
    """The text cut to the room."""
    if len(text) <= room:
        return text
    return f"{text[:room]}…"
