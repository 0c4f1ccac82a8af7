"""Calls whose body is a form: their fields, and a file that is never in memory as a whole unless it came so.

    class UploadCall(Upload[FileReply]):
        path = "/v1/files"
        purpose: str

    await mistral.send(UploadCall(purpose="ocr", file=FilePart("scan.pdf", handle, size)))

Source: `multipart/form-data` as browsers write it (WHATWG HTML, "Constructing form data").
"""

import mimetypes
import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import BinaryIO, ClassVar, Generic

import anyio.to_thread
import httpx2
from pydantic import Field, InstanceOf, JsonValue

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.call import Call, ReplyT

CHUNK = 64 * 1024  # bytes


@dataclass(frozen=True)
class FilePart:
    """A file to send. A handle is read from its start, `size` bytes of it, off the event loop; its opener closes it."""

    filename: str
    content: bytes | BinaryIO
    size: int

    @classmethod
    def of(cls, filename: str, content: bytes) -> "FilePart":
        return cls(filename, content, len(content))

    @property
    def content_type(self) -> str:
        return mimetypes.guess_type(self.filename)[0] or "application/octet-stream"

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The content; always from its start, so that it can be sent again."""
        if isinstance(self.content, bytes):
            for start in range(0, self.size, CHUNK):
                yield self.content[start : start + CHUNK]
            return
        await anyio.to_thread.run_sync(self.content.seek, 0)
        left = self.size
        while left:
            chunk = await anyio.to_thread.run_sync(self.content.read, min(CHUNK, left))
            if not chunk:
                raise BadArgument("The file became shorter while it was read.", "Try again once nobody writes to it.")
            left -= len(chunk)
            yield chunk


class Form(httpx2.AsyncByteStream):
    """A form on the wire. Reading it again begins anew."""

    def __init__(self, fields: list[tuple[str, str]], name: str, file: FilePart | None) -> None:
        boundary = secrets.token_hex(16)
        self._file = file
        begin, end = f"--{boundary}\r\nContent-Disposition: form-data; name=", f"--{boundary}--\r\n"
        head = "".join(f"{begin}{_quoted(key)}\r\n\r\n{value}\r\n" for key, value in fields)
        if file is not None:
            head += f"{begin}{_quoted(name)}; filename={_quoted(file.filename)}\r\n"
            head += f"Content-Type: {file.content_type}\r\n\r\n"
            end = f"\r\n{end}"
        self._head, self._tail = head.encode(errors="replace"), end.encode()
        size = len(self._head) + (file.size if file else 0) + len(self._tail)
        self.headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(size),
        }

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        yield self._head
        if self._file is not None:
            async for chunk in self._file.chunks():
                yield chunk
        yield self._tail


class Upload(Call[ReplyT], Generic[ReplyT]):
    """A call that sends its fields and its file as a form. A list is a field for each of its items."""

    part: ClassVar[str] = "file"
    """The name that the file has in the form."""

    file: InstanceOf[FilePart] | None = Field(default=None, exclude=True)

    def payload(self) -> tuple[httpx2.AsyncByteStream, dict[str, str]]:
        exclude = {*self.path_names(), *self.in_query}
        members: dict[str, JsonValue] = self.model_dump(mode="json", exclude_none=True, by_alias=True, exclude=exclude)
        fields = [
            (name, _text(item))
            for name, value in members.items()
            for item in (value if isinstance(value, list) else [value])
        ]
        form = Form(fields, self.part, self.file)
        return form, form.headers


def _text(value: JsonValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(name: str) -> str:
    """A quoted parameter that no line break, quote or backslash can end early."""
    escaped = "".join(f"%{ord(letter):02X}" if letter in '"\\' or ord(letter) < ord(" ") else letter for letter in name)
    return f'"{escaped}"'
