"""Toolset `files`: the inputs of batches, OCR and transcription, and the outputs of batches."""

import io
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Literal, cast

from pydantic import Field
from pydantic_core import from_json

from mistral_mcp.bounds.cycles import run_in_thread
from mistral_mcp.errors import BadArgument
from mistral_mcp.kept_results import MAX_BYTES
from mistral_mcp.mistral.api import files
from mistral_mcp.mistral.api.files import FileReply
from mistral_mcp.mistral.multipart import FilePart
from mistral_mcp.tools.framework import file_content
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.kept import Kept, KeptResults
from mistral_mcp.tools.framework.paging import Page, PageSize, counted, list_text, next_page
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Deleted, Maybe, Result

toolset = Toolset()

LINE = 64 * 1024 * 1024  # bytes of one request in a batch, images and all

Purpose = Literal["batch", "ocr", "fine-tune", "audio", "agentic_safety"]
FileId = Annotated[str, Field(description="File id.", min_length=1, max_length=100)]


def file_line(file: FileReply) -> str:
    """A file as a line of text."""
    facts = [file.purpose or "no purpose", "size unknown" if file.bytes is None else counted(file.bytes, "byte")]
    facts += [f"uploaded {file.created_at}"] if file.created_at else []
    facts += [f"expires {file.expires_at}"] if file.expires_at else []
    return f"{file.id}  {file.filename}: {', '.join(facts)}"


class File(Result, FileReply):
    """A file at Mistral."""

    def to_text(self) -> str:
        return file_line(self)


class Files(Result):
    """One page of files, newest first."""

    files: list[FileReply]
    total: int | None
    next_page: Maybe[int] = None

    def to_text(self) -> str:
        return list_text([file_line(file) for file in self.files], "No files.", self.next_page, self.total)


class Download(Result):
    """A file's content: its text or the beginning, and where the rest is stored."""

    filename: str
    text: Maybe[str] = None
    kept: Maybe[Kept] = None

    def to_text(self) -> str:
        if self.kept is None:
            return self.text or f"{self.filename} is empty."
        if self.text is None:
            return f"{self.filename} is not text.\n{self.kept.note()}"
        return f"{self.text}\n\n{self.kept.note(len(self.text))}"


class FileUrl(Result):
    """A link to the file that works without a key."""

    url: str
    expires_in_hours: int

    def to_text(self) -> str:
        hours = counted(self.expires_in_hours, "hour")
        return f"{self.url}\nAnyone with this link can read the file, for {hours}."


@toolset.tool("List files", effect="reads")
async def mistral_list_files(
    mistral: Mistral,
    page: Page = 0,
    page_size: PageSize = 20,
    purpose: Annotated[Purpose | None, Field(description="Only files for this.")] = None,
    search: Annotated[str | None, Field(description="Part of the filename.", max_length=255)] = None,
) -> Files:
    """List the files stored at Mistral, newest first."""
    reply = await mistral.send(files.ListFilesCall(page=page, page_size=page_size, purpose=purpose, search=search))
    following = next_page(page, page_size, len(reply.data), reply.total)
    return Files(files=reply.data, total=reply.total, next_page=following)


@toolset.tool("Get a file's details", effect="reads")
async def mistral_get_file(mistral: Mistral, file_id: FileId) -> File:
    """Look up a file's name, size, purpose and dates, without its content."""
    return File.from_reply(await mistral.send(files.GetFileCall(file_id=file_id)))


@toolset.tool("Upload a file", effect="creates")
async def mistral_upload_file(
    mistral: Mistral,
    filename: file_content.Filename,
    purpose: Annotated[Purpose, Field(description="For batch: JSONL of {custom_id, body}.")],
    content: file_content.Text = None,
    content_base64: file_content.Base64 = None,
    path: file_content.LocalPath = None,
) -> File:
    """Upload a file to Mistral, for a batch, OCR or transcription. Give its content in one of the ways."""
    async with file_content.open_file_part(
        mistral, filename, content=content, content_base64=content_base64, path=path, max_bytes=files.LARGEST
    ) as part:
        if purpose == "batch":
            await run_in_thread(partial(_check_batch, part))
        return File.from_reply(await mistral.send(files.UploadFileCall(purpose=purpose, file=part)))


@toolset.tool("Download a file", effect="reads")
async def mistral_download_file(mistral: Mistral, kept_results: KeptResults, file_id: FileId) -> Download:
    """Read a file's content. What is long or not text is kept, to be read on or downloaded."""
    file = await mistral.send(files.GetFileCall(file_id=file_id))
    if (file.bytes or 0) > MAX_BYTES:
        raise _too_large(file.bytes or 0)
    content = await mistral.send(files.DownloadFileCall(file_id=file_id))
    if len(content) > MAX_BYTES:
        raise _too_large(len(content))
    text = _text_in(content)
    if text is not None:
        del content  # which would be in memory twice
        text, kept = await kept_results.keep_if_long(
            text, filename=file.filename, mime_type=file.mimetype or "text/plain"
        )
        return Download(filename=file.filename, text=text, kept=kept)
    mime_type = file.mimetype or "application/octet-stream"
    return Download(
        filename=file.filename, kept=await kept_results.keep(content, mime_type=mime_type, filename=file.filename)
    )


@toolset.tool("Get a link to a file", effect="reads")
async def mistral_get_file_url(
    mistral: Mistral,
    file_id: FileId,
    expiry_hours: Annotated[int, Field(description="Hours the link works.", ge=1, le=168)] = 24,
) -> FileUrl:
    """Get a link that reads a file without a key, to download it or to pass it on."""
    reply = await mistral.send(files.SignedUrlCall(file_id=file_id, expiry=expiry_hours))
    return FileUrl(url=reply.url, expires_in_hours=expiry_hours)


@toolset.tool("Delete a file", effect="deletes")
async def mistral_delete_file(mistral: Mistral, file_id: FileId) -> Deleted:
    """Delete a file from Mistral permanently."""
    reply = await mistral.send(files.DeleteFileCall(file_id=file_id))
    return Deleted(id=reply.id or file_id, deleted=reply.deleted)


def _text_in(content: bytes) -> str | None:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    return text


def _too_large(size: int) -> BadArgument:
    return BadArgument(
        f"The file has {size:,} bytes, too many to be stored.", "mistral_get_file_url gives a link to it."
    )


def _check_batch(part: FilePart) -> None:
    """Refuse an invalid batch file, and name the line. Mistral would refuse all of it, after the whole upload."""
    lines_by_id: dict[str, int] = {}
    rows = 0
    for number, line in _lines(part):
        if not line.strip():
            continue
        rows += 1
        custom_id = _custom_id(number, line)
        if custom_id is None:
            continue
        if custom_id in lines_by_id:
            raise _bad_line(number, f"has the custom_id of line {lines_by_id[custom_id]}")
        lines_by_id[custom_id] = number
    if not rows:
        raise BadArgument("The file is empty.", "Give one JSON object {custom_id, body} a line.")


def _custom_id(number: int, line: bytes) -> str | None:
    """The id in a line of a batch. Raises `BadArgument` if the line is not a request."""
    try:
        row = from_json(line, allow_inf_nan=False)
    except ValueError:
        raise _bad_line(number, "is not JSON") from None
    if not isinstance(row, dict) or not isinstance(cast("dict[str, object]", row).get("body"), dict):
        raise _bad_line(number, "has no body that is an object")
    custom_id = cast("dict[str, object]", row).get("custom_id")
    if custom_id is not None and not isinstance(custom_id, str):
        raise _bad_line(number, "has a custom_id that is not a string")
    return custom_id


def _lines(part: FilePart) -> Iterator[tuple[int, bytes]]:
    if isinstance(part.content, bytes):
        handle = io.BytesIO(part.content)
    else:
        handle = part.content
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
