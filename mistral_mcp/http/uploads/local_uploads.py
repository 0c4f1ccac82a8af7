"""Upload links of stdio: a page on this machine's loopback, at a free port, with a secret path. Its server stops when all links have expired.

    uploads = LocalUploads(settings)
    server = create_server(settings, credentials, upload_links=uploads)
    async with anyio.create_task_group() as group:
        await group.start(uploads.run)      # from now on pages can be served

Files are streamed to Mistral, as in `hosting`.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import anyio
from anyio.abc import TaskGroup, TaskStatus

from mistral_mcp.errors import BadArgument, ExpiredUpload, UnknownUpload
from mistral_mcp.kept_results import Owner
from mistral_mcp.mistral.transports.exchange import Caller
from mistral_mcp.settings import Settings
from mistral_mcp.upload_links import MOST_FILES, UploadedFile, UploadLink, Uploads, new_handle

OPEN_SECONDS = 15 * 60.0
_UNDER_WAY_SECONDS = 5.0
MOST_LINKS = 100
"""Links in memory; the oldest are dropped."""


@dataclass
class _Link:
    caller: Caller
    purpose: str
    closes_at: float
    begun: int = 0
    files: list[UploadedFile] = field(default_factory=list[UploadedFile])


class LocalUploads:
    """The `UploadLinks` of stdio, and the `OpenLinks` of its page; in memory."""

    def __init__(self, settings: Settings, *, open_seconds: float = OPEN_SECONDS) -> None:
        self._settings = settings
        self._open_seconds = open_seconds
        self._links: OrderedDict[str, _Link] = OrderedDict()
        self._group: TaskGroup | None = None
        self._base: str | None = None
        self._starting = anyio.Lock()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve pages while there are open links, until cancelled."""
        async with anyio.create_task_group() as self._group:
            task_status.started()
            await anyio.sleep_forever()

    async def create(self, owner: Owner, caller: Caller, purpose: str) -> UploadLink:  # noqa: ARG002 - there is one user
        handle = new_handle()
        self._links[handle] = _Link(caller, purpose, time.monotonic() + self._open_seconds)
        while len(self._links) > MOST_LINKS:
            self._links.popitem(last=False)
        base = await self._ensure_server()
        closes_at = datetime.fromtimestamp(int(time.time() + self._open_seconds), UTC)
        return UploadLink(handle, f"{base}/uploads/{handle}", closes_at)

    async def find(self, owner: Owner, handle: str) -> Uploads:  # noqa: ARG002 - there is one user
        link = self._find(handle)
        return Uploads(tuple(link.files), is_open=self._is_open(link))

    async def look(self, handle: str) -> Uploads:
        """The uploads of a link, for its page. Raises `UnknownUpload` or `ExpiredUpload`."""
        link = self._find(handle)
        if not self._is_open(link):
            raise ExpiredUpload
        return Uploads(tuple(link.files), is_open=True)

    async def begin(self, handle: str) -> tuple[Caller, str]:
        """Count a file whose upload begins. Raises as `look` does."""
        link = self._find(handle)
        if not self._is_open(link):
            raise ExpiredUpload
        link.begun += 1
        return link.caller, link.purpose

    async def finish(self, handle: str, file: UploadedFile | None) -> None:
        """Record the uploaded file; None: the upload failed, and does not count."""
        link = self._find(handle)
        if file is None:
            link.begun -= 1
        else:
            link.files.append(file)

    async def is_revoked(self, handle: str) -> bool:  # noqa: ARG002 - there is one user, who revokes nothing
        return False

    def _find(self, handle: str) -> _Link:
        link = self._links.get(handle.partition("/")[0])
        if link is None:
            raise UnknownUpload
        return link

    def _is_open(self, link: _Link) -> bool:
        return link.closes_at > time.monotonic() and link.begun < MOST_FILES

    def _seconds_open(self) -> float:
        """Seconds until the last link expires and no upload is running."""
        last = max((link.closes_at for link in self._links.values()), default=0)
        if any(link.begun > len(link.files) for link in self._links.values()):
            return max(last - time.monotonic(), _UNDER_WAY_SECONDS)
        return last - time.monotonic()

    async def _ensure_server(self) -> str:
        async with self._starting:
            if self._base is None:
                if self._group is None:
                    raise BadArgument("This server cannot show a page.", "Use mistral_upload_file instead.")
                self._base = cast("str", await self._group.start(self._serve))
            return self._base

    async def _serve(self, *, task_status: TaskStatus[str]) -> None:
        """Serve the page while a link is open."""
        from mistral_mcp.http.uploads.local_upload_server import serve_page  # noqa: PLC0415 - uvicorn; most runs show no page

        async with serve_page(self, self._settings) as base:
            task_status.started(base)
            while (seconds := self._seconds_open()) > 0:  # noqa: ASYNC110 - more links may come meanwhile
                await anyio.sleep(seconds)
            self._base = None
