"""Toolset `files`: what batches, OCR, fine-tuning and transcription read, and what batches write."""

import base64
import io
from collections.abc import Iterator
from typing import Annotated, Literal, cast
from urllib.parse import quote

import anyio.to_thread
from mcp_types import BlobResourceContents, ContentBlock, EmbeddedResource
from pydantic import BaseModel, Field, PrivateAttr
from pydantic_core import from_json

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.api import files
from mistral_mcp.mistral.api.files import FileReply
from mistral_mcp.mistral.multipart import FilePart
from mistral_mcp.tools.framework import file_content
from mistral_mcp.tools.framework.cut_text import cut
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.paging import Page, PageSize, format_time, list_text, next_page
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result

toolset = Toolset()

TEXT = 20_000  # characters of a file in a result
ATTACHED = 10 * 1024 * 1024  # bytes
LINE = 64 * 1024 * 1024  # bytes of one request in a batch, images and all

Purpose = Literal["batch", "ocr", "fine-tune", "audio", "agentic_safety"]
FileId = Annotated[str, Field(description="As listed.", min_length=1)]


class File(BaseModel):
    """A file at Mistral."""

    id: str
    filename: str
    bytes: int | None
    purpose: str | None
    created_at: int | None = Field(description="Seconds since 1970.")
    expires_at: Maybe[int] = None
    mimetype: Maybe[str] = None
    num_lines: Maybe[int] = None
    source: Maybe[str] = None

    def line(self) -> str:
        size = "size unknown" if self.bytes is None else f"{self.bytes:,} bytes"
        goes = f", goes {format_time(self.expires_at)}" if self.expires_at is not None else ""
        return f"{self.id}  {self.filename}: {self.purpose}, {size}, {format_time(self.created_at)}{goes}"


class Files(Result):
    """One page of files, newest first."""

    files: list[File]
    total: int | None
    next_page: Maybe[int] = None

    def to_text(self) -> str:
        return list_text([file.line() for file in self.files], "No file.", self.next_page, self.total)


class OneFile(Result, File):
    """One file."""

    def to_text(self) -> str:
        return self.line()


class Attached(BaseModel):
    """What travels beside the result, as an embedded resource."""

    uri: str
    mime_type: str
    bytes: int


class Download(Result):
    """What is in a file: as text, or beside the result."""

    filename: str
    text: Maybe[str] = None
    attachment: Maybe[Attached] = None

    _blob: bytes = PrivateAttr(default=b"")

    def to_text(self) -> str:
        return f"{self.filename} is attached, {len(self._blob):,} bytes." if self.text is None else self.text

    def extra_content(self) -> list[ContentBlock]:
        if self.attachment is None:
            return []
        blob = base64.b64encode(self._blob).decode()
        contents = BlobResourceContents(uri=self.attachment.uri, mime_type=self.attachment.mime_type, blob=blob)
        return [EmbeddedResource(type="resource", resource=contents)]

    @classmethod
    def of(cls, file: FileReply, content: bytes) -> "Download":
        """Text as text where it is short enough; anything else attached, and the whole of what was cut."""
        text = _text_in(content)
        result = cls(filename=file.filename)
        if text is not None:
            result.text = cut(text, "The attachment has all of it; mistral_get_file_url gives a link.", TEXT)
        if text is None or len(text) > TEXT:
            kind = file.mimetype or ("application/octet-stream" if text is None else "text/plain")
            uri = f"mistral-mcp://files/{quote(file.id, safe='')}/{quote(file.filename, safe='')}"
            result.attachment = Attached(uri=uri, mime_type=kind, bytes=len(content))
            result._blob = content
        return result


class FileUrl(Result):
    """A link that reads the file without a key."""

    url: str
    expires_in_hours: int

    def to_text(self) -> str:
        return f"{self.url}\nWhoever has this link can read the file, for {self.expires_in_hours} hours."


class Deletion(Result):
    """What was deleted."""

    id: str
    deleted: bool

    def to_text(self) -> str:
        return f"{self.id} is deleted." if self.deleted else f"{self.id} is still there."


@toolset.tool("List files", effect="reads")
async def mistral_list_files(
    mistral: Mistral,
    page: Page = 0,
    page_size: PageSize = 20,
    purpose: Annotated[Purpose | None, Field(description="Only these.")] = None,
    search: Annotated[str | None, Field(description="Part of a filename.")] = None,
) -> Files:
    """See which files are kept at Mistral, newest first."""
    reply = await mistral.send(files.ListFilesCall(page=page, page_size=page_size, purpose=purpose, search=search))
    return Files(
        files=[File(**file.model_dump()) for file in reply.data],
        total=reply.total,
        next_page=next_page(page, page_size, len(reply.data), reply.total),
    )


@toolset.tool("Look a file up", effect="reads")
async def mistral_get_file(mistral: Mistral, file_id: FileId) -> OneFile:
    """See one file's name, size, purpose and date, without its content."""
    reply = await mistral.send(files.GetFileCall(file_id=file_id))
    return OneFile(**reply.model_dump())


@toolset.tool("Upload a file", effect="creates")
async def mistral_upload_file(
    mistral: Mistral,
    filename: file_content.Filename,
    purpose: Annotated[Purpose, Field(description="batch takes JSONL of {custom_id, body}.")],
    content: Annotated[str | None, Field(description="Text.")] = None,
    content_base64: file_content.Base64 = None,
    path: file_content.LocalPath = None,
) -> OneFile:
    """Keep a file at Mistral, for a batch, OCR or transcription. Give its content in one of the ways."""
    file_content.content_argument(mistral, {"content": content, "content_base64": content_base64, "path": path})
    async with file_content.open_file_part(
        mistral, filename, content=content, content_base64=content_base64, path=path, max_bytes=files.LARGEST
    ) as part:
        if purpose == "batch":
            await anyio.to_thread.run_sync(_check_lines, part)
        reply = await mistral.send(files.UploadFileCall(purpose=purpose, file=part))
    return OneFile(**reply.model_dump())


@toolset.tool("Download a file", effect="reads")
async def mistral_download_file(mistral: Mistral, file_id: FileId) -> Download:
    """Read a file. What is long or no text comes attached, up to 10 MB."""
    file = await mistral.send(files.GetFileCall(file_id=file_id))
    content = b"" if _too_large(file.bytes or 0) else await mistral.send(files.DownloadFileCall(file_id=file_id))
    size = max(file.bytes or 0, len(content))
    if _too_large(size):
        raise BadArgument(f"The file has {size:,} bytes, too many for a result.", "mistral_get_file_url gives a link.")
    return Download.of(file, content)


@toolset.tool("Get a link to a file", effect="reads")
async def mistral_get_file_url(
    mistral: Mistral,
    file_id: FileId,
    expiry_hours: Annotated[int, Field(description="How long it works.", ge=1, le=168)] = 24,
) -> FileUrl:
    """Get a link that reads a file without a key, for a large download or as an image's URL."""
    reply = await mistral.send(files.SignedUrlCall(file_id=file_id, expiry=expiry_hours))
    return FileUrl(url=reply.url, expires_in_hours=expiry_hours)


@toolset.tool("Delete a file", effect="deletes")
async def mistral_delete_file(mistral: Mistral, file_id: FileId) -> Deletion:
    """Delete a file at Mistral, for good."""
    reply = await mistral.send(files.DeleteFileCall(file_id=file_id))
    return Deletion(id=reply.id or file_id, deleted=reply.deleted)


def _text_in(content: bytes) -> str | None:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _too_large(size: int) -> bool:
    return size > ATTACHED


def _check_lines(part: FilePart) -> None:
    """Refuse what is no batch, and name the line. Mistral would refuse it whole, after all of it had been sent."""
    known: dict[str, int] = {}
    rows = 0
    for number, line in _lines(part):
        if not line.strip():
            continue
        rows += 1
        try:
            row = from_json(line, allow_inf_nan=False)
        except ValueError:
            raise _bad_line(number, "is not JSON") from None
        if not isinstance(row, dict) or not isinstance(cast("dict[str, object]", row).get("body"), dict):
            raise _bad_line(number, "has no body that is an object")
        custom_id = cast("dict[str, object]", row).get("custom_id")
        if custom_id is None:
            continue
        if not isinstance(custom_id, str):
            raise _bad_line(number, "has a custom_id that is no string")
        if custom_id in known:
            raise _bad_line(number, f"has the custom_id of line {known[custom_id]}")
        known[custom_id] = number
    if not rows:
        raise BadArgument("The file is empty.", "Give one JSON object {custom_id, body} a line.")


def _lines(part: FilePart) -> Iterator[tuple[int, bytes]]:
    handle = io.BytesIO(part.content) if isinstance(part.content, bytes) else part.content
    handle.seek(0)
    number = 0
    while line := handle.readline(LINE + 1):
        number += 1
        if len(line) > LINE:
            raise _bad_line(number, f"is longer than {LINE // 1024 // 1024} MB")
        yield number, line


def _bad_line(number: int, what: str) -> BadArgument:
    return BadArgument(
        f"Line {number} {what}.", "A batch is JSONL: one object {custom_id, body} a line, ids all different."
    )
