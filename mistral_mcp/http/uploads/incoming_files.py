"""Streams a file from a browser or curl to Mistral: never whole in memory, never on disk."""

import mimetypes
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from email.message import Message
from urllib.parse import unquote

import httpx2
from pydantic import Field, InstanceOf
from starlette.requests import Request

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.api.files import LARGEST, FileReply
from mistral_mcp.mistral.call import Call

_LONGEST_HEAD = 16 * 1024  # bytes before the file in a form
_BOUNDARY = re.compile(r"[ -~]{1,70}")


class NotOurForm(BadArgument):
    """A form that none of our pages sends."""


class OversizeFile(BadArgument):
    """A file larger than Mistral accepts."""


class EmptyFile(BadArgument):
    """An empty file."""


class BrokenFile(BadArgument):
    """A file that arrived incomplete, or cannot be read a second time."""


class SeveralFiles(BadArgument):
    """More than one file in a form."""


class IncomingFile:
    """A file whose content is read as it arrives, once."""

    def __init__(self, filename: str, size: int, source: AsyncIterator[bytes]) -> None:
        if size > LARGEST:
            raise OversizeFile(
                f"The file is larger than {LARGEST // 1024 // 1024} MB, the most that Mistral takes."
            )
        if size <= 0:
            raise EmptyFile("The file is empty.", "Choose another.")
        self.filename = _clean(filename)
        self.size = size
        self._source: AsyncIterator[bytes] | None = source

    async def chunks(self) -> AsyncGenerator[bytes]:
        source, self._source = self._source, None
        if source is None:
            raise BrokenFile("Mistral did not accept the file at the first attempt.", "Send it again.")
        left = self.size
        async for chunk in source:
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
        if left:
            raise BrokenFile("The file's length differs from the request's Content-Length.", "Send it again.")


class ForwardFileCall(Call[FileReply]):
    """`UploadFileCall` for a file that is still arriving: httpx2's forms need complete files."""

    path = "/v1/files"

    purpose: str
    file: InstanceOf[IncomingFile] = Field(exclude=True)

    def payload(self) -> tuple[httpx2.AsyncByteStream, dict[str, str]]:
        form = _FileForm(self.purpose, self.file)
        return form, form.headers


class _FileForm(httpx2.AsyncByteStream):
    def __init__(self, purpose: str, file: IncomingFile) -> None:
        boundary, self._file = secrets.token_hex(16), file
        kind = mimetypes.guess_type(file.filename)[0] or "application/octet-stream"
        begin = f"--{boundary}\r\nContent-Disposition: form-data; name="
        name = file.filename.replace("\\", "%5C").replace('"', "%22")
        head = f'{begin}"purpose"\r\n\r\n{purpose}\r\n{begin}"file"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
        self._head, self._tail = head.encode(errors="replace"), f"\r\n--{boundary}--\r\n".encode()
        self.headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(len(self._head) + file.size + len(self._tail)),
        }

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        yield self._head
        async for chunk in self._file.chunks():
            yield chunk
        yield self._tail


def _clean(filename: str) -> str:
    """A file name without a path, which old browsers send, and without control characters."""
    name = re.split(r"[/\\]", filename)[-1]
    return "".join(letter for letter in name if letter.isprintable())[:200] or "file"


def read_raw(request: Request) -> IncomingFile:
    """The body is the file, as `curl -T` sends it; its name is the last part of the path."""
    filename = unquote(request.path_params.get("filename", "")) or "file"
    return IncomingFile(filename, _length(request), request.stream())


async def read_form(request: Request) -> IncomingFile:
    """The one file of a form, in its last part. Its size follows from the request's Content-Length."""
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    boundary = str(header.get_param("boundary") or "")
    if not _BOUNDARY.fullmatch(boundary):
        raise NotOurForm("This is not one of this page's forms.")
    total, stream = _length(request), request.stream()
    buffer, start = b"", -1
    async for chunk in stream:
        buffer += chunk
        start = buffer.find(b"\r\n\r\n")
        if start >= 0 or len(buffer) > _LONGEST_HEAD:
            break
    head, rest = buffer[:start], buffer[start + 4 :]
    part = Message()
    for line in head.decode("utf-8", "replace").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        part[name.strip()] = value.strip()
    filename = part.get_filename()
    if start < 0 or not head.startswith(f"--{boundary}".encode()) or filename is None:
        raise NotOurForm("This is not one of this page's forms.")
    tail = f"\r\n--{boundary}--\r\n".encode()
    size = total - start - 4 - len(tail)
    return IncomingFile(filename, size, _without_tail(rest, stream, size, tail))


async def _without_tail(
    first: bytes, stream: AsyncIterator[bytes], size: int, tail: bytes
) -> AsyncGenerator[bytes]:
    left, end = size, b""
    for_first = first[:left]
    left -= len(for_first)
    end += first[len(for_first) :]
    if for_first:
        yield for_first
    async for chunk in stream:
        content = chunk[:left]
        left -= len(content)
        end += chunk[len(content) :]
        if content:
            yield content
    if end != tail:
        raise SeveralFiles("The form holds more than one file.", "Send one at a time.")


def _length(request: Request) -> int:
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise BadArgument("The request does not say how long it is.", "Send a file rather than a stream.")
    return int(length)
