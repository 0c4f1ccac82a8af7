"""The files of one key, which uploads, batches, OCR, transcription and fine-tuning share."""

import hashlib
import json
import mimetypes
from dataclasses import dataclass, field
from typing import Any, cast

from mistral_mcp.sandbox.protocol.clock import unix_time
from mistral_mcp.sandbox.protocol.endpoint import Account
from mistral_mcp.sandbox.protocol.errors import detail_error
from mistral_mcp.sandbox.protocol.replies import compact
from mistral_mcp.sandbox.state.store import Store

CAPACITY = 32 * 1024 * 1024
"""Bytes stored for one key at most."""
SIGNED_URL_BASE = "https://mistralaifilesapiprodswe.blob.core.windows.net/files"
"""The beginning of signed URLs, as in real ones."""
FRESH = "sandbox-fresh"
"""Files whose names begin so are 404 the first time they are looked up."""
LINE_FORMATS = ("batch", "fine-tune")


@dataclass(frozen=True)
class StoredFile:
    """A file and its metadata."""

    id: str
    filename: str
    data: bytes
    purpose: str
    sample_type: str
    mimetype: str
    source: str = "upload"
    visibility: str = "workspace"
    expires_at: int | None = None
    created_at: int = field(default_factory=unix_time)

    @property
    def lines(self) -> list[bytes]:
        """The lines that are not blank."""
        return [line for line in self.data.splitlines() if line.strip()]

    def card(self) -> dict[str, Any]:
        """The file object of the API, its members in the order of the recording."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.data),
            "created_at": self.created_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "sample_type": self.sample_type,
            "num_lines": len(self.lines) if self.purpose in LINE_FORMATS else 0,
            "mimetype": self.mimetype,
            "source": self.source,
            "signature": hashlib.md5(self.data, usedforsecurity=False).hexdigest(),
            "expires_at": self.expires_at,
            "visibility": self.visibility,
        }


class Files(Store[StoredFile]):
    """All files of one key."""

    def __init__(self) -> None:
        super().__init__()
        self._fresh: set[str] = set()

    def get(self, name: str) -> StoredFile:
        """The file with this id. 404 if there is none, or the first time for a fresh one."""
        if name in self._fresh:
            self._fresh.remove(name)
            raise detail_error(404, "File not found")
        return super().get(name)

    @property
    def size(self) -> int:
        return sum(len(file.data) for file in self)

    def make_room(self, size: int) -> None:
        """Remove the oldest files until this many bytes fit in."""
        while len(self) and self.size + size > CAPACITY:
            self.remove(next(iter(self)).id)

    def add(self, file: StoredFile) -> StoredFile:
        """Store the file. 413 if the key's files would be too large."""
        if self.size + len(file.data) > CAPACITY:
            raise detail_error(
                413, f"The sandbox keeps {CAPACITY} bytes of files for one key, and they are used up."
            )
        if file.filename.startswith(FRESH):
            self._fresh.add(file.id)
        return self.put(file.id, file)


def add_request_file(account: Account, filename: str, purpose: str, sample_type: str, data: bytes) -> StoredFile:
    """Store a file that came with a request rather than as an upload. 413 if the key's files would be too large."""
    file = StoredFile(account.new_id("file"), filename, data, purpose, sample_type, guess_type(filename))
    return account.section(Files).add(file)


def find_by_link(account: Account, url: str) -> StoredFile | None:
    """The file of a signed URL; None if it is not one of ours."""
    name = url.removeprefix(f"{SIGNED_URL_BASE}/").partition("/")[0]
    if url.startswith(SIGNED_URL_BASE):
        return account.section(Files).find(name)
    return None


def add_output(account: Account, filename: str, purpose: str, sample_type: str, data: bytes) -> StoredFile:
    """Store a file that Mistral has created, removing the oldest files if there is no room."""
    kind = guess_type(filename)
    file = StoredFile(account.new_id("file"), filename, data, purpose, sample_type, kind, source="mistral")
    files = account.section(Files)
    files.make_room(len(data))
    return files.put(file.id, file)


def guess_type(filename: str) -> str:
    """The media type that the name suggests."""
    if filename.endswith(".jsonl"):
        return "application/jsonl"
    return mimetypes.guess_type(filename)[0] or "application/octet-stream"


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    """The rows as JSON Lines."""
    return "".join(f"{compact(row)}\n" for row in rows).encode()


def check_lines(file: StoredFile) -> None:
    """Check the lines of a JSONL file for batches or fine-tuning. 422 with the errors of all lines."""
    try:
        file.data.decode()
    except UnicodeDecodeError:
        raise detail_error(422, "Failed to decode data, please encode your file using UTF-8.") from None

    errors: list[dict[str, Any]] = []
    for number, line in enumerate(file.lines, 1):
        message = _line_error(line, file.purpose)
        if message:
            errors.append({"message": message, "line_number": number})
    if not file.lines:
        errors = [{"message": "file is empty", "line_number": 0}]
    if not errors:
        return

    page = "finetuning"
    if file.purpose == "batch":
        page = "batch"
    docs = f"https://docs.mistral.ai/capabilities/{page}"
    described = f"Found {len(errors)} errors in this file. You can view supported formats here: {docs}. "
    raise detail_error(422, "Invalid file format.", description=described, errors=errors)


def _line_error(line: bytes, purpose: str) -> str | None:
    """The error in this line, None if there is none."""
    try:
        row: Any = json.loads(line)
    except ValueError as wrong:
        return f"line contains invalid json: {wrong}"
    if not isinstance(row, dict):
        return "line is not a json object"
    fields = cast("dict[str, Any]", row)
    if purpose == "batch":
        if isinstance(fields.get("body"), dict):
            return None
        return "line is missing required field: body"
    if fields.keys() & {"messages", "text", "prompt"}:
        return None
    return "line has neither messages nor text"
