"""`/v1/files`: upload, list, look up, download, delete."""

import hashlib
import re
import time
from typing import Annotated, Literal

from pydantic import Field

from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import detail_error, invalid_fields
from mistral_mcp.sandbox.protocol.forms import Form
from mistral_mcp.sandbox.protocol.replies import Reply, data_reply, json_reply
from mistral_mcp.sandbox.protocol.strict import Lax, Paging, parse_fields
from mistral_mcp.sandbox.state.files import SIGNED_URL_BASE, Files, StoredFile, check_lines, guess_type

HOUR = 3600
READ_BY_OCR = re.compile(
    r"application/(?!zip|octet-stream|vnd\.openxmlformats-officedocument\.spreadsheetml)|image/|text/"
)

# In the same order as in the tools: `typing` caches equal literals, with the order of the one that came first.
Purpose = Literal["batch", "ocr", "fine-tune", "audio", "agentic_safety"]
SAMPLE_TYPES: dict[Purpose, str] = {
    "fine-tune": "instruct",
    "batch": "batch_request",
    "ocr": "ocr_input",
    "audio": "audio_input",
    "agentic_safety": "instruct",
}


class UploadFields(Lax):
    purpose: Purpose = "fine-tune"
    visibility: Literal["workspace", "user"] = "workspace"
    expiry: Annotated[int, Field(ge=1)] | None = None
    """Taken as hours; Mistral does not document the unit."""


class FileFilter(Paging):
    include_total: bool = True
    sample_type: tuple[str, ...] = ()
    source: tuple[Literal["upload", "repository", "mistral"], ...] = ()
    mimetypes: tuple[str, ...] = ()
    search: str | None = None
    purpose: Purpose | None = None

    def admit(self, file: StoredFile) -> bool:
        """Whether the file matches."""
        return (
            (not self.sample_type or file.sample_type in self.sample_type)
            and (not self.source or file.source in self.source)
            and (not self.mimetypes or file.mimetype in self.mimetypes)
            and (self.search or "").lower() in file.filename.lower()
            and self.purpose in (None, file.purpose)
        )


class Expiry(Lax):
    expiry: Annotated[int, Field(ge=1, le=168)] = 24


def upload(call: Call) -> Reply:
    """Store a file. Files for batches and fine-tuning have their lines checked at once."""
    form = call.form or Form()
    fields = parse_fields(UploadFields, form.fields, "body")
    if "file" not in form.files:
        raise invalid_fields(
            [
                {
                    "type": "missing",
                    "loc": ["body", "file"],
                    "msg": "Field required",
                    "input": None,
                }
            ]
        )

    part = form.files["file"]
    kind = part.content_type.split(";")[0]
    if kind in ("", "application/octet-stream"):
        kind = guess_type(part.filename)
    file = StoredFile(
        id=call.account.new_id("file"),
        filename=part.filename,
        data=part.data,
        purpose=fields.purpose,
        sample_type=SAMPLE_TYPES[fields.purpose],
        mimetype=kind,
        visibility=fields.visibility,
        expires_at=fields.expiry and int(time.time()) + fields.expiry * HOUR,
    )
    if fields.purpose in ("batch", "fine-tune"):
        check_lines(file)
    elif fields.purpose == "ocr" and not READ_BY_OCR.match(file.mimetype):
        supported = "only application/pdf, image/.* and documents of common offices are currently supported"
        message = f"Received file with mimetype {file.mimetype}, {supported}"
        raise detail_error(422, "Invalid file format.", message=message)
    return json_reply(call.account.section(Files).add(file).card())


def list_files(call: Call) -> Reply:
    """Newest first."""
    query = call.query(FileFilter)
    found = [file for file in call.account.section(Files).newest_first() if query.admit(file)]
    total = None
    if query.include_total:
        total = len(found)
    return json_reply(
        {
            "data": [file.card() for file in query.cut(found)],
            "object": "list",
            "total": total,
        }
    )


def get_file(call: Call) -> Reply:
    return json_reply({**_file(call).card(), "deleted": False})


def delete_file(call: Call) -> Reply:
    file = call.account.section(Files).remove(call.uuid("file_id"))
    return json_reply(
        {
            "id": file.id,
            "object": "file",
            "deleted": True,
        }
    )


def content(call: Call) -> Reply:
    return data_reply(_file(call).data)


def signed_url(call: Call) -> Reply:
    """A URL in the form of the real ones. It leads nowhere, but the sandbox's OCR and transcription accept it."""
    file, hours = _file(call), call.query(Expiry).expiry
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + hours * HOUR))
    signature = hashlib.sha256(f"{call.key}/{file.id}/{until}".encode()).hexdigest()
    return json_reply(
        {"url": f"{SIGNED_URL_BASE}/{file.id}/{file.id}?se={until}&sp=r&sv=2025-01-05&sr=b&sig={signature}"}
    )


def _file(call: Call) -> StoredFile:
    return call.account.section(Files).get(call.uuid("file_id"))


ENDPOINTS = (
    Endpoint("POST", "/v1/files", upload),
    Endpoint("GET", "/v1/files", list_files),
    Endpoint("GET", "/v1/files/{file_id}", get_file),
    Endpoint("DELETE", "/v1/files/{file_id}", delete_file),
    Endpoint("GET", "/v1/files/{file_id}/content", content),
    Endpoint("GET", "/v1/files/{file_id}/url", signed_url),
)
