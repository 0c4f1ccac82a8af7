"""Form bodies. A form without a file may be `application/x-www-form-urlencoded`, as the official SDK sends it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from mistral_mcp.sandbox.protocol.request import Received

MAX_FIELD_SIZE = 16 * 1024 * 1024


@dataclass(frozen=True)
class Upload:
    """A file in a form."""

    filename: str
    content_type: str
    data: bytes


@dataclass(frozen=True)
class Form:
    """The parts of a form. A field name may occur more than once."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict[str, list[str]])
    files: Mapping[str, Upload] = field(default_factory=dict[str, Upload])


async def read_form(request: Received) -> Form | None:
    """The form in this request, or None if there is none or it cannot be parsed."""
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/x-www-form-urlencoded"):
        return Form(parse_qs(request.body.decode(errors="replace")))
    if not kind.startswith("multipart/form-data"):
        return None

    async def stream() -> AsyncGenerator[bytes]:
        yield request.body

    parser = MultiPartParser(Headers(request.headers), stream(), max_part_size=MAX_FIELD_SIZE)
    try:
        parts = await parser.parse()
    except (MultiPartException, KeyError):
        return None
    fields: dict[str, list[str]] = {}
    files: dict[str, Upload] = {}
    for name, part in parts.multi_items():
        if isinstance(part, UploadFile):
            files[name] = Upload(part.filename or "", part.content_type or "", await part.read())
        else:
            fields.setdefault(name, []).append(part)
    await parts.close()
    return Form(fields, files)
