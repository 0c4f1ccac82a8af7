"""Replaces the handles of upload links, `up_…`, by file ids in all arguments, before these are validated."""

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

import anyio

from mistral_mcp.errors import BadArgument
from mistral_mcp.kept_results import Owner
from mistral_mcp.mistral.api.files import ListFilesCall
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.upload_links import HANDLE, UploadLink, UploadLinks, Uploads

_EVERY = 1.0  # seconds between checks for an expected file
_LONGEST_WAIT = 300.0
_DEPTH = 6  # levels of nested arguments
_MOST_ITEMS = 1_000  # items of a list that are searched for handles


class UploadHandles:
    """One caller's upload links."""

    def __init__(self, links: UploadLinks | None, owner: Owner) -> None:
        self._links = links
        self._owner = owner

    async def create(self, mistral: MistralClient, purpose: str) -> UploadLink:
        """Create a link. Raises `BadArgument` if this server offers none, or an `UpstreamError` if Mistral refuses the key."""
        if self._links is None:
            raise BadArgument(
                "This server offers no upload links.",
                "Use mistral_upload_file, or give a path or an https URL instead.",
            )
        if self._owner.credentials.connection_id is None:
            # A connection's key was checked already. With any other, whoever has a list of keys could try them by links.
            await mistral.send(ListFilesCall(page=0, page_size=1))
        return await self._links.create(self._owner, mistral.caller, purpose)

    async def resolve(self, arguments: dict[str, Any], mistral: MistralClient) -> dict[str, Any]:
        """The arguments with file ids in place of handles; in a list, the ids of all files of a link."""
        if self._links is None or not any(True for _ in _handles(arguments)):
            return arguments
        found = {handle: await self._wait_for_files(handle, mistral) for handle in set(_handles(arguments))}
        return {name: _replace(value, found, 1) for name, value in arguments.items()}

    async def _wait_for_files(self, handle: str, mistral: MistralClient) -> list[str]:
        assert self._links is not None  # noqa: S101 - checked by `resolve`
        ends_at = time.monotonic() + _LONGEST_WAIT
        while True:
            uploads = await self._links.find(self._owner, handle)
            ids = _ids(handle, uploads)
            if ids:
                return ids
            if mistral.progress is None or not uploads.is_open or time.monotonic() > ends_at:
                raise _nothing_yet(uploads)
            await mistral.progress.waiting("Waiting for the file to be uploaded")
            await anyio.sleep(_EVERY)


def _ids(handle: str, uploads: Uploads) -> list[str]:
    ids = [file.id for file in uploads.files]
    _, slash, number = handle.partition("/")
    if slash and int(number) > 0:
        return ids[int(number) - 1 : int(number)]
    return ids


def _nothing_yet(uploads: Uploads) -> BadArgument:
    if uploads.files:
        return BadArgument(
            f"{len(uploads.files)} files were uploaded by this link.", "Name one of them: up_…/1 is the first."
        )
    if uploads.is_open:
        return BadArgument("No file was uploaded by this link yet.", "Ask the user to open it, then try again.")
    return BadArgument("No file was uploaded by this link, and it has ended.", "Ask for a new one.")


def _handles(members: dict[str, Any] | list[Any], depth: int = 0) -> Iterator[str]:
    """The handles in arguments, at any depth."""
    if isinstance(members, dict):
        items = members.values()
    else:
        items = members
    for item in islice(items, _MOST_ITEMS):
        if item is None:
            continue  # most parameters of most calls
        if isinstance(item, str):
            if item.startswith("up_") and HANDLE.fullmatch(item):
                yield item
        elif isinstance(item, dict | list) and depth < _DEPTH:
            yield from _handles(cast("dict[str, Any] | list[Any]", item), depth + 1)


def _replace(value: Any, found: dict[str, list[str]], depth: int = 0) -> Any:
    if depth > _DEPTH:
        return value
    if isinstance(value, dict):
        return {name: _replace(item, found, depth + 1) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        replaced: list[Any] = []
        for item in cast("list[Any]", value):
            if isinstance(item, str):
                ids = found.get(item)
            else:
                ids = None
            replaced += [_replace(item, found, depth + 1)] if ids is None else ids
        return replaced
    if not isinstance(value, str) or value not in found:
        return value
    ids = found[value]
    if len(ids) > 1:
        raise BadArgument(
            f"{len(ids)} files were uploaded by this link.", "Name one of them: up_…/1 is the first."
        )
    return ids[0]
