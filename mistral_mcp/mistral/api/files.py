"""Files kept at Mistral, for batches, OCR, fine-tuning and transcription.

Source: `/v1/files`. The wire name of a size is `bytes`. Replies that list or create are read as
leniently as all others: a purpose or kind that is new is a string like any other.
"""

from mistral_mcp.mistral.call import Call, Maybe, Moment, Reply
from mistral_mcp.mistral.multipart import Upload

LARGEST = 512 * 1024 * 1024
"""Bytes of one file."""


class FileReply(Reply):
    id: str
    filename: str = ""
    bytes: int | None = None
    purpose: str | None = None
    created_at: Moment | None = None
    expires_at: Maybe[Moment] = None
    mimetype: Maybe[str] = None
    num_lines: Maybe[int] = None
    source: Maybe[str] = None


class FileList(Reply):
    data: list[FileReply] = []
    total: int | None = None


class DeletedReply(Reply):
    id: str = ""
    deleted: bool = True


class SignedUrlReply(Reply):
    url: str
    """Whoever has it can read the file: it holds a signature."""


class ListFilesCall(Call[FileList]):
    path = "/v1/files"
    method = "GET"
    repeatable = True

    page: int
    page_size: int
    purpose: str | None = None
    search: str | None = None


class GetFileCall(Call[FileReply]):
    path = "/v1/files/{file_id}"
    method = "GET"
    repeatable = True

    file_id: str


class UploadFileCall(Upload[FileReply]):
    path = "/v1/files"

    purpose: str


class DownloadFileCall(Call[bytes]):
    path = "/v1/files/{file_id}/content"
    method = "GET"
    repeatable = True

    file_id: str


class SignedUrlCall(Call[SignedUrlReply]):
    path = "/v1/files/{file_id}/url"
    method = "GET"
    repeatable = True

    file_id: str
    expiry: int | None = None
    """Hours, 1 to 168."""


class DeleteFileCall(Call[DeletedReply]):
    path = "/v1/files/{file_id}"
    method = "DELETE"

    file_id: str
