"""Documents and images in arguments: by https URL, data URL, file id, or path in the server's folder."""

import base64
import binascii
import re
from typing import Literal
from uuid import UUID

import anyio.to_thread

from mistral_mcp.errors import BadArgument
from mistral_mcp.local_files import open_local_file
from mistral_mcp.mistral.api import files
from mistral_mcp.mistral.api.content import Chunk
from mistral_mcp.tools.framework.request import Mistral

INLINE = 20 * 1024 * 1024  # bytes of a local file
MAX_SOURCE = 96 * 1024 * 1024  # characters; a data URL is as long as its file and a third
OFFICE = re.compile(r"(?i)\.(docx|pptx)$|officedocument\.(wordprocessingml|presentationml)")

_HTTPS = re.compile(r"(?i)https://[^\s/]+")
_DATA = re.compile(r"(?i)data:([a-z0-9.+-]+/[a-z0-9.+-]+)(?:;[\w=-]+)*;base64,")
_OTHER_SCHEME = re.compile(r"(?i)(data|https?|file|ftp):")
_IMAGE_NAME = re.compile(r"(?i)\.(png|jpe?g|gif|webp|avif|bmp|tiff?|heic)$")


async def image_chunk(mistral: Mistral, source: str, argument: str) -> Chunk:
    """An image as a chunk of a message. Raises `BadArgument`."""
    url = await _url(mistral, source, argument) or await _signed_url(mistral, str(UUID(source)))
    return {"type": "image_url", "image_url": url}


async def document_chunk(mistral: Mistral, source: str, argument: str, *, by_id: bool = True) -> Chunk:
    """A document, or an image, as a chunk. `by_id`: whether it may hold a file id, as everywhere except in conversations.

    Raises `BadArgument`.
    """
    url = await _url(mistral, source, argument)
    if url is None and by_id:
        return {"type": "file", "file_id": str(UUID(source))}
    if url is None:
        url = await _signed_url(mistral, str(UUID(source)))
    if _kind(url) == "image":
        return {"type": "image_url", "image_url": url}
    return {"type": "document_url", "document_url": url}


async def read_audio(mistral: Mistral, source: str, argument: str) -> str:
    """A recording as base64, from a data URL, file id or path. Raises `BadArgument`."""
    if _is_file_id(source):
        content = await mistral.send(files.DownloadFileCall(file_id=str(UUID(source))))
        return (await anyio.to_thread.run_sync(base64.b64encode, content)).decode()
    url = await _url(mistral, source, argument)
    data = _DATA.match(url or "")
    if url is None or data is None:
        raise BadArgument(
            f"{argument} is a web address, which speech does not support.", "Give the file itself or its id."
        )
    return url[data.end() :]


async def decode_data_url(url: str) -> bytes | None:
    """The content of a data URL; None for any other URL, and for invalid base64."""
    data = _DATA.match(url)
    if data is None:
        return None
    try:
        return await anyio.to_thread.run_sync(base64.b64decode, url[data.end() :])
    except (binascii.Error, ValueError):
        return None


def is_office_document(chunk: Chunk) -> bool:
    """Whether it is certainly a .docx or .pptx."""
    url = str(chunk.get("document_url", ""))
    data = _DATA.match(url)
    return bool(OFFICE.search(data[1] if data else _without_query(url)))


async def _url(mistral: Mistral, source: str, argument: str) -> str | None:
    """The source as a URL; None for a file id."""
    if _HTTPS.match(source):
        return source
    if data := _DATA.match(source):
        await _check_base64(source, data.end(), argument)
        return source
    if _is_file_id(source):
        return None
    if mistral.settings.files_dir is None or _OTHER_SCHEME.match(source):
        raise _refusal(mistral, argument)
    return await _data_url(mistral, source, argument)


async def _data_url(mistral: Mistral, path: str, argument: str) -> str:
    async with open_local_file(mistral.settings.files_dir, path, max_bytes=files.LARGEST) as part:
        if part.size > INLINE:
            raise BadArgument(
                f"The file of {argument} is larger than the {INLINE // 1024 // 1024} MB that can be sent inline.",
                "Upload it with mistral_upload_file for ocr, and give its id.",
            )
        content = await anyio.to_thread.run_sync(part.open().read)
        content_type = part.content_type
    encoded = await anyio.to_thread.run_sync(base64.b64encode, content)
    return f"data:{content_type};base64,{encoded.decode()}"


async def _check_base64(url: str, start: int, argument: str) -> None:
    def decode() -> bytes:
        return base64.b64decode(url[start:], validate=True)

    try:
        content = await anyio.to_thread.run_sync(decode)
    except (binascii.Error, ValueError):
        raise BadArgument(f"The base64 of {argument} cannot be decoded.", "Send it without line breaks.") from None
    if not content:
        raise BadArgument(f"The data URL of {argument} is empty.", "Give the file's content.")


async def _signed_url(mistral: Mistral, file_id: str) -> str:
    """A signed link to a file, for requests that take no file ids."""
    return (await mistral.send(files.SignedUrlCall(file_id=file_id, expiry=1))).url


def _kind(url: str) -> Literal["image", "document"]:
    data = _DATA.match(url)
    if data:
        is_image = data[1].lower().startswith("image/")
    else:
        is_image = bool(_IMAGE_NAME.search(_without_query(url)))
    if is_image:
        return "image"
    return "document"


def _without_query(url: str) -> str:
    return url.partition("?")[0].partition("#")[0]


def _is_file_id(source: str) -> bool:
    try:
        UUID(source)
    except ValueError:
        return False
    return True


def _refusal(mistral: Mistral, argument: str) -> BadArgument:
    ways = "an https URL, a data URL with base64, or a file id"
    if mistral.settings.files_dir is not None:
        ways = "an https URL, a data URL with base64, a file id, or a path in the server's folder"
    return BadArgument(f"{argument} is not {ways}.", "Give one of these; mistral_upload_file gives a file id.")
