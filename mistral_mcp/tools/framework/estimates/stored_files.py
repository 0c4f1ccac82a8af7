"""Files at Mistral, as far as an estimate may read them: the metadata, and the content of small ones."""

from mistral_mcp.mistral.api import files
from mistral_mcp.mistral.api.files import FileReply
from mistral_mcp.tools.framework.request import Mistral

MOST_BYTES = 20 * 1024 * 1024
"""Larger files are not fetched for an estimate."""


async def look_up(mistral: Mistral, file_id: str) -> tuple[FileReply, bytes | None]:
    """A file's metadata, and its content if it is small. Neither costs anything."""
    file = await mistral.send(files.GetFileCall(file_id=file_id))
    if file.bytes is None or file.bytes > MOST_BYTES:
        return file, None
    return file, await mistral.send(files.DownloadFileCall(file_id=file_id))
