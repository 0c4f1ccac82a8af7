"""A file on its way from a browser, or from curl, to Mistral: never whole in memory, never on disk."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from email.message import Message
from urllib.parse import unquote

from starlette.requests import Request

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.api.files import LARGEST
from mistral_mcp.mistral.multipart import FilePart

_LONGEST_HEAD = 16 * 1024  # bytes before the file in a form
_BOUNDARY = re.compile(r"[ -~]{1,70}")


class IncomingFile(FilePart):
    """A file whose content is read while it comes; it can be read once."""

    _source: AsyncIterator[bytes] | None

    @classmethod
    def of_stream(cls, filename: str, size: int, source: AsyncIterator[bytes]) -> "IncomingFile":
        if size > LARGEST:
            raise BadArgument(f"The file is larger than {LARGEST // 1024 // 1024} MB, the most that Mistral takes.")
        if size <= 0:
            raise BadArgument("The file is empty.", "Choose another.")
        file = cls(_clean(filename), b"", size)
        object.__setattr__(file, "_source", source)
        return file

    async def chunks(self) -> AsyncGenerator[bytes]:
        source = self._source
        if source is None:
            raise BadArgument("Mistral could not take the file at once.", "Send it again.")
        object.__setattr__(self, "_source", None)
        left = self.size
        async for chunk in source:
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
        if left:
            raise BadArgument("The file was not as long as its request said.", "Send it again.")


def _clean(filename: str) -> str:
    """A name without a path, as browsers of long ago sent, and without control characters."""
    name = re.split(r"[/\\]", filename)[-1]
    return "".join(letter for letter in name if letter.isprintable())[:200] or "file"


def read_raw(request: Request) -> IncomingFile:
    """The body is the file, as `curl -T` sends it; its name is the last part of the path."""
    filename = unquote(request.path_params.get("filename", "")) or "file"
    return IncomingFile.of_stream(filename, _length(request), request.stream())


async def read_form(request: Request) -> IncomingFile:
    """The one file of a form, which is its last part. Its size is what the request's leaves for it."""
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    boundary = str(header.get_param("boundary") or "")
    if not _BOUNDARY.fullmatch(boundary):
        raise BadArgument("This is not one of this page's forms.")
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
        raise BadArgument("This is not one of this page's forms.")
    tail = f"\r\n--{boundary}--\r\n".encode()
    size = total - start - 4 - len(tail)
    return IncomingFile.of_stream(filename, size, _without_tail(rest, stream, size, tail))


async def _without_tail(first: bytes, stream: AsyncIterator[bytes], size: int, tail: bytes) -> AsyncGenerator[bytes]:
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
        raise BadArgument("The form holds more than one file.", "Send one at a time.")


def _length(request: Request) -> int:
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise BadArgument("The request does not say how long it is.", "Send a file rather than a stream.")
    return int(length)
