"""Bodies that are forms. One without a file may come as `application/x-www-form-urlencoded`: the official SDK sends it so."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from mistral_mcp.sandbox.protocol.request import Received

LARGEST_FIELD = 16 * 1024 * 1024


@dataclass(frozen=True)
class Upload:
    """A part that is a file."""

    filename: str
    content_type: str
    data: bytes


@dataclass(frozen=True)
class Form:
    """The parts of a body. A name may come more than once among the fields."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict[str, list[str]])
    files: Mapping[str, Upload] = field(default_factory=dict[str, Upload])


async def read_form(request: Received) -> Form | None:
    """The form in this request, or None if there is none or it cannot be read."""
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/x-www-form-urlencoded"):
        return Form(parse_qs(request.body.decode(errors="replace")))
    if not kind.startswith("multipart/form-data"):
        return None

    async def stream() -> AsyncGenerator[bytes]:
        yield request.body

    parser = MultiPartParser(Headers(request.headers), stream(), max_part_size=LARGEST_FIELD)
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
