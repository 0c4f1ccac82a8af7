"""Toolset `files`: a link where a person uploads files, so that their bytes never pass through the model."""

from typing import Annotated

from pydantic import Field

from mistral_mcp.tools.files import Purpose
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Result
from mistral_mcp.tools.framework.upload_handles import UploadHandles

toolset = Toolset()


class UploadRequest(Result):
    """A link to give to the user."""

    upload_url: str
    handle: str = Field(description="Stands for the file wherever a file id does.")
    expires_at: str

    def to_text(self) -> str:
        return (
            f"Ask the user to open {self.upload_url} and upload there, until {self.expires_at}. "
            f"Then use {self.handle} in place of a file id."
        )


@toolset.tool("Ask the user for files", effect="creates")
async def mistral_request_upload(
    mistral: Mistral,
    upload_handles: UploadHandles,
    purpose: Annotated[Purpose, Field(description="What the files are for.")] = "ocr",
) -> UploadRequest:
    """Get a link where the user uploads files from their device; the handle stands for them in other tools."""
    link = await upload_handles.create(mistral, purpose)
    expires_at = link.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return UploadRequest(upload_url=link.url, handle=link.handle, expires_at=expires_at)
