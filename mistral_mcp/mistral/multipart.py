"""Calls whose body is a form: fields, and a file that is read as it is sent.

    class UploadCall(Upload[FileReply]):
        path = "/v1/files"
        purpose: str

    await mistral.send(UploadCall(purpose="ocr", file=FilePart("scan.pdf", handle, size)))

httpx2 writes the form, as browsers do.
"""

import io
import mimetypes
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar, Generic, cast

import httpx2
from pydantic import Field, InstanceOf, JsonValue

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.call import Call, ReplyT

CHUNK = 64 * 1024  # bytes


@dataclass(frozen=True)
class FilePart:
    """A file to upload: the first `size` bytes of a handle, which its opener closes."""

    filename: str
    content: bytes | BinaryIO
    size: int

    @classmethod
    def of(cls, filename: str, content: bytes) -> "FilePart":
        return cls(filename, content, len(content))

    @property
    def content_type(self) -> str:
        return mimetypes.guess_type(self.filename)[0] or "application/octet-stream"

    def open(self) -> "SizedFile":
        """The content, from the start, so that it can be sent again."""
        if isinstance(self.content, bytes):
            handle = io.BytesIO(self.content)
        else:
            handle = self.content
        return SizedFile(handle, self.size)


class SizedFile(io.RawIOBase):
    """Exactly `size` bytes of a file, even if something writes to it meanwhile."""

    def __init__(self, handle: BinaryIO, size: int) -> None:
        self._handle = handle
        self._size = self._left = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size - self._left

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek to the start, or to the end for the size."""
        if whence == io.SEEK_END:
            return self._size
        self._handle.seek(offset)
        self._left = self._size - offset
        return offset

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            wanted = self._left
        else:
            wanted = min(size, self._left)
        chunk = self._handle.read(wanted)
        if len(chunk) < wanted and not chunk:
            raise BadArgument("The file became shorter while it was read.", "Try again when nothing writes to it.")
        self._left -= len(chunk)
        return chunk


class Form(httpx2.AsyncByteStream):
    """A form's bytes. Each iteration starts at the beginning."""

    def __init__(self, fields: list[tuple[str, str]], name: str, file: FilePart | None) -> None:
        # A part without a filename is a field: this keeps the body a form without a file.
        parts: list[tuple[str, tuple[str | None, object, str | None]]] = [
            (field, (None, _encodable(value), None)) for field, value in fields
        ]
        if file is not None:
            parts.append((name, (file.filename, file.open(), file.content_type)))
        written = httpx2.Request("POST", "https://form.invalid", files=cast("Any", parts))
        self.names = {field for field, _ in fields}
        self.headers = {
            header: value for header, value in written.headers.items() if header.startswith("content-")
        }
        self._stream = cast("httpx2.AsyncByteStream", written.stream)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)


class Upload(Call[ReplyT], Generic[ReplyT]):
    """A call that sends its fields and its file as a form. A list is a field for each of its items."""

    part: ClassVar[str] = "file"
    """Name of the file's field in the form."""

    file: InstanceOf[FilePart] | None = Field(default=None, exclude=True)

    def payload(self) -> tuple[httpx2.AsyncByteStream, dict[str, str]]:
        exclude = {*self.path_names(), *self.in_query}
        members: dict[str, JsonValue] = self.model_dump(
            mode="json", exclude_none=True, by_alias=True, exclude=exclude
        )
        fields: list[tuple[str, str]] = []
        for name, value in members.items():
            if isinstance(value, list):
                items = value
            else:
                items = [value]
            fields += [(name, _text(item)) for item in items]
        form = Form(fields, self.part, self.file)
        return form, form.headers


def _text(value: JsonValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _encodable(text: str) -> str:
    """Replace lone surrogates, which cannot be encoded."""
    return text.encode(errors="replace").decode()
