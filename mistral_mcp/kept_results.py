"""Results too long or too binary for a context: stored for a while, and read page by page with a handle.

Three stores implement one interface, `ResultStore`: `MemoryStore` (the core's `serve`), `FolderStore` (stdio), and the vault of
`hosting`. A store is handed to `create_server(…, result_store=…)`.

A store has three methods:

    location = await store.keep(owner, content)        # during a call: an unguessable handle, and a path or URL
    content = await store.read(owner, location.handle) # by the tool mistral_read_result, for the same owner only
    content = await store.download(location.handle)    # for `GET url`: the handle is the credential

`read` and `download` raise `UnknownResult` for a result that was never stored here (or that is another owner's), and
`ExpiredResult` for one that was, as far as the store can tell the two apart.
"""

import mimetypes
import os
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import anyio.to_thread
from cachetools import TTLCache
from starlette.requests import HTTPConnection

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import ExpiredResult, ResultTooLarge, UnknownResult

MAX_BYTES = 64 * 1024 * 1024
"""Bytes: the largest result, and the total of all results in memory."""

_SWEEP_SECONDS = 60

HANDLE = re.compile(r"kr_[A-Za-z0-9_-]{16,100}")

Clock = Callable[[], float]

HoldMemory = Callable[[int], Awaitable[None]]
"""Waits until so many bytes may be taken into memory."""


async def any_size(size: int) -> None:
    """For whoever reads nothing large, or is alone."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns a result, and how the caller reached this server."""

    credentials: Credentials
    public_url: str | None = None
    """PUBLIC_URL; None on stdio and in memory."""
    request: HTTPConnection | None = None

    @property
    def base_url(self) -> str | None:
        """`https://host/path` as the caller wrote it, without a slash at its end; None on stdio and in memory."""
        if self.public_url or self.request is None:
            return self.public_url
        return str(self.request.base_url).rstrip("/")

    @property
    def identity(self) -> str:
        """The same for all calls of one connection, or with one key."""
        if self.credentials.connection_id is not None:
            return self.credentials.connection_id
        key = self.credentials.key
        if key:
            return key.get_secret_value()
        return ""


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a result, already without the caller's secrets, and how to show them."""

    data: bytes
    mime_type: str
    filename: str


@dataclass(frozen=True, slots=True)
class Location:
    """Where a result is stored: at a path, at a URL, or only under its handle."""

    handle: str
    expires_at: datetime | None
    """None: until the user deletes it."""
    url: str | None = None
    path: str | None = None


class ResultStore(Protocol):
    """Stores results."""

    async def keep(self, owner: Owner, content: Content) -> Location:
        """Raises `ResultTooLarge`."""
        ...

    async def read(self, owner: Owner, handle: str, hold_memory: HoldMemory = any_size) -> Content:
        """Raises `UnknownResult` or `ExpiredResult`, and what `hold_memory` raises."""
        ...

    async def download(self, handle: str) -> Content:
        """Raises `UnknownResult` or `ExpiredResult`."""
        ...


class MemoryStore:
    """In this process's memory: the oldest are evicted when there is no room.

    `downloads`: whether the server answers `GET {base_url}/results/{handle}`.
    """

    def __init__(self, ttl_seconds: float, *, downloads: bool = False, clock: Clock = time.monotonic) -> None:
        self._ttl = ttl_seconds
        self._downloads = downloads
        self._kept: TTLCache[str, tuple[str, Content]] = TTLCache(
            MAX_BYTES, ttl_seconds, timer=clock, getsizeof=lambda kept: len(kept[1].data) + 1
        )

    async def keep(self, owner: Owner, content: Content) -> Location:
        handle = new_handle()
        try:
            self._kept[handle] = owner.identity, content
        except ValueError:  # larger than the whole store
            raise ResultTooLarge(len(content.data), MAX_BYTES) from None
        if self._downloads and owner.base_url:
            url = f"{owner.base_url}/results/{handle}"
        else:
            url = None
        return Location(handle, expiry(self._ttl), url=url)

    async def read(self, owner: Owner, handle: str, hold_memory: HoldMemory = any_size) -> Content:
        identity, content = self._find(handle)
        if not secrets.compare_digest(identity.encode(), owner.identity.encode()):
            raise UnknownResult
        await hold_memory(len(content.data))
        return content

    async def download(self, handle: str) -> Content:
        return self._find(handle)[1]

    def _find(self, handle: str) -> tuple[str, Content]:
        try:
            return self._kept[handle]
        except KeyError:
            raise UnknownResult from None


class FolderStore:
    """In a folder of the user's machine, one file a result.

    `ttl_seconds`: older results are deleted, by `sweep_regularly` and whenever one is stored; None: never, they are the user's.
    """

    def __init__(self, folder: Path, ttl_seconds: float | None, *, clock: Clock = time.time) -> None:
        self._folder = folder.expanduser()
        self._ttl = ttl_seconds
        self._clock = clock

    async def keep(self, owner: Owner, content: Content) -> Location:  # noqa: ARG002 - one user, one folder
        if len(content.data) > MAX_BYTES:
            raise ResultTooLarge(len(content.data), MAX_BYTES)
        handle = new_handle()
        path = await anyio.to_thread.run_sync(self._write, handle, content)
        return Location(handle, None if self._ttl is None else expiry(self._ttl), path=str(path))

    async def read(self, owner: Owner, handle: str, hold_memory: HoldMemory = any_size) -> Content:  # noqa: ARG002 - as above
        return await self.download(handle)

    async def download(self, handle: str) -> Content:
        return await anyio.to_thread.run_sync(self._read, handle)

    async def sweep_regularly(self) -> None:
        """Delete expired results, of this run or an earlier one, until cancelled."""
        while True:
            await anyio.to_thread.run_sync(self._delete_expired)
            await anyio.sleep(_SWEEP_SECONDS)

    def _write(self, handle: str, content: Content) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._delete_expired()
        path = self._folder.resolve() / f"{handle}-{_safe_filename(content.filename)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.data)
        return path

    def _read(self, handle: str) -> Content:
        if not HANDLE.fullmatch(handle):
            raise UnknownResult
        path = next(self._folder.glob(f"{handle}-*"), None)
        if path is None or path.is_symlink():
            raise UnknownResult
        if self._ttl is not None and path.stat().st_mtime + self._ttl < self._clock():
            raise ExpiredResult
        filename = path.name.removeprefix(f"{handle}-")
        return Content(
            path.read_bytes(), mimetypes.guess_type(filename)[0] or "application/octet-stream", filename
        )

    def _delete_expired(self) -> None:
        if self._ttl is None:
            return
        for path in self._folder.glob("kr_*"):
            # Another process may sweep the same folder.
            with suppress(OSError):
                if path.lstat().st_mtime + self._ttl < self._clock():
                    path.unlink()


def new_handle() -> str:
    """A handle of 192 random bits."""
    return f"kr_{secrets.token_urlsafe(24)}"


def expiry(ttl_seconds: float) -> datetime:
    """When something stored now expires."""
    return datetime.fromtimestamp(int(time.time() + ttl_seconds), UTC)


def _safe_filename(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[-80:].lstrip(".") or "result"
