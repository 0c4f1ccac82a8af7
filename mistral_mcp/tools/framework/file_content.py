"""A file in the arguments: as text, as base64, or by its path in the server's folder."""

import base64
import binascii
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import AfterValidator, Field

from mistral_mcp.bounds.cycles import run_in_thread
from mistral_mcp.errors import BadArgument
from mistral_mcp.local_files import open_local_file
from mistral_mcp.mistral.multipart import FilePart
from mistral_mcp.tools.framework.arguments import exactly_one_of
from mistral_mcp.tools.framework.declare import LocalOnly
from mistral_mcp.tools.framework.request import Mistral


def _filename(name: str) -> str:
    if re.fullmatch(r"[^/\\\x00-\x1f\x7f]{1,255}", name):
        return name
    raise ValueError("a file name has no slashes and no line breaks")


Filename = Annotated[
    str, AfterValidator(_filename), Field(description="File name with its extension.", max_length=255)
]
Text = Annotated[str | None, Field(description="Content as text.", max_length=64 * 1024 * 1024)]
Base64 = Annotated[str | None, Field(description="Content as base64.", max_length=96 * 1024 * 1024)]
LocalPath = Annotated[
    str | None, LocalOnly(), Field(description="Path in the server's folder.", min_length=1, max_length=4096)
]


def exactly_one_source(mistral: Mistral, **sources: str | None) -> str:
    """The name of the one argument that holds the content. Raises `BadArgument` if none or several do."""
    if mistral.settings.files_dir is None:
        sources.pop("path", None)
    return exactly_one_of(**sources)


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
    """Open the file for an upload, under its own name unless one is given. Raises `BadArgument`."""
    exactly_one_source(mistral, content=content, content_base64=content_base64, path=path)
    if path is not None:
        async with open_local_file(mistral.settings.files_dir, path, max_bytes=max_bytes, name=filename) as part:
            yield part
        return
    if content_base64 is None:
        data = (content or "").encode()
    else:
        data = await decode_base64(content_base64)
    yield FilePart.of(filename or "file", data)


async def decode_base64(text: str, argument: str = "content_base64") -> bytes:
    """Decode base64. Raises `BadArgument`."""
    try:
        return await run_in_thread(lambda: base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise BadArgument(f"{argument} is not base64.", "Encode the bytes again, without line breaks.") from None
