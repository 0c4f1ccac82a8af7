"""Upload links: a person uploads files on a page of this server, which forwards them to Mistral; tools get a handle.

`hosting` stores the links in its vault; without it there are none, and tools say what to do instead.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mistral_mcp.kept_results import Owner
from mistral_mcp.mistral.transports.exchange import Caller

HANDLE = re.compile(r"up_[A-Za-z0-9_-]{32}(?:/([0-9]{1,2}))?")
"""A handle; `up_…/2` is the second of several files."""

MOST_FILES = 10


@dataclass(frozen=True, slots=True)
class UploadLink:
    """A link for a person, and the handle of the files uploaded there."""

    handle: str
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that was received and forwarded to Mistral."""

    id: str
    filename: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Uploads:
    """The files uploaded at a link so far."""

    files: tuple[UploadedFile, ...]
    is_open: bool
    """Whether more files may be uploaded."""


class UploadLinks(Protocol):
    """Stores upload links."""

    async def create(self, owner: Owner, caller: Caller, purpose: str) -> UploadLink:
        """Create a link whose page can upload with the caller's key, and do nothing else."""
        ...

    async def find(self, owner: Owner, handle: str) -> Uploads:
        """Raises `UnknownUpload` or `ExpiredUpload`."""
        ...


def new_handle() -> str:
    """A handle of 192 random bits."""
    return f"up_{secrets.token_urlsafe(24)}"
