"""A file that a caller sends along: as text, as base64, or by its path in the server's folder."""

import base64
import binascii
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import AfterValidator, Field

from mistral_mcp.errors import BadArgument
from mistral_mcp.local_files import opened
from mistral_mcp.mistral.multipart import FilePart
from mistral_mcp.tools.framework.declare import LocalOnly
from mistral_mcp.tools.framework.request import Mistral


def _filename(name: str) -> str:
    if re.fullmatch(r"[^/\\\x00-\x1f\x7f]{1,255}", name):
        return name
    raise ValueError("a file name has no slashes and no line breaks")


Filename = Annotated[str, AfterValidator(_filename), Field(description="With its extension.")]
Base64 = Annotated[str | None, Field(description="The bytes, in base64.", max_length=96 * 1024 * 1024)]
LocalPath = Annotated[str | None, LocalOnly(), Field(description="A file in the server's folder.", min_length=1)]


def content_argument(mistral: Mistral, ways: dict[str, str | None]) -> str:
    """The one way that the content comes in. Raises `BadArgument` where none or several are given."""
    given = [name for name, value in ways.items() if value is not None]
    if len(given) == 1:
        return given[0]
    names = [name for name in ways if name != "path" or mistral.settings.files_dir is not None]
    raise BadArgument(
        "The content comes in one way, and none or several are given.", f"Give exactly one of {', '.join(names)}."
    )


@asynccontextmanager
async def open_file_part(
    mistral: Mistral,
    filename: str | None,
    *,
    content: str | None,
    content_base64: str | None,
    path: str | None,
    max_bytes: int,
) -> AsyncGenerator[FilePart]:
    """The file, ready to be sent; under the name it has itself where none is given."""
    if path is not None:
        async with opened(mistral.settings.files_dir, path, max_bytes=max_bytes, name=filename) as part:
            yield part
        return
    data = decode_base64(content_base64) if content_base64 is not None else (content or "").encode()
    yield FilePart.of(filename or "file", data)


def decode_base64(text: str) -> bytes:
    """What base64 stands for. Raises `BadArgument`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadArgument("content_base64 is not base64.", "Encode the bytes anew, without line breaks.") from None
