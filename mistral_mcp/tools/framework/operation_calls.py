"""Calls an operation of the catalogue: its file, pacing and retries, and the result of its reply."""

import base64
import binascii
import json
import mimetypes
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast
from urllib.parse import unquote_to_bytes

import anyio
from pydantic import JsonValue, ValidationError
from pydantic_core import from_json

from mistral_mcp.bounds.heavy_work import run_heavy
from mistral_mcp.errors import BadArgument
from mistral_mcp.local_files import open_local_file
from mistral_mcp.mistral.api.files import LARGEST, DownloadFileCall, GetFileCall
from mistral_mcp.mistral.api.operations import meter_units, operation_call
from mistral_mcp.mistral.api.usage import UsageReply, meter_tokens
from mistral_mcp.mistral.multipart import FilePart
from mistral_mcp.operations.arguments import Request, is_file
from mistral_mcp.operations.operation import READS, Operation
from mistral_mcp.operations.reply import mask_secrets, shorten
from mistral_mcp.tools.framework.kept import LONG, READ_TOOL, Kept, KeptResults
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, MaybeJson, Result, Usage, usage_of

EVENTS = 100  # of a stream, in one result
LARGE = 100_000  # bytes; larger replies are processed in a thread, and a stream is followed no further
FOLLOWED = 10  # seconds that a stream is followed


_FILE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class OperationResult(Result):
    """The reply of an operation."""

    operation: str
    status: int
    result: MaybeJson = None
    kept: Maybe[Kept] = None
    note: Maybe[str] = None
    usage: Maybe[Usage] = None

    def to_text(self) -> str:
        if self.result is None and self.kept is not None:
            return self.kept.note()
        if self.result is None:
            return f"Done (HTTP {self.status})."
        if isinstance(self.result, str):
            text = self.result
        else:
            text = _compact(self.result)
        if self.note:
            return f"{text}\n\n[{self.note}]"
        return text


async def call_operation(
    mistral: Mistral, kept_results: KeptResults, operation: Operation, request: Request
) -> OperationResult:
    """Send a validated request, and return its reply, shortened for a context."""
    if operation.is_stream:
        return await _follow(mistral, operation, request)
    kind = operation_call(
        operation.method,
        operation.path,
        repeatable=operation.effect in READS,
        binary=not operation.is_json,
    )
    async with _file_part(mistral, operation, request) as (content, part, file):
        call = kind(
            segments=request.path,
            query=request.query,
            content=content,
            is_form=operation.is_form,
            part=part,
            file=file,
        )
        body = await mistral.send(call, model=_model(content), tokens=_tokens(operation, content))
    result = OperationResult(operation=operation.id, status=mistral.status or 0)
    if not body.strip():
        return result
    if operation.is_json:
        return await _with_json(mistral, kept_results, operation, request, body, result)
    return await _with_file(kept_results, operation, body, result)


@dataclass(frozen=True)
class _Shown:
    """A JSON reply as shown, and all of it if it was shortened."""

    reply: JsonValue
    note: str
    whole: str
    usage: JsonValue


def _read_json(operation: Operation, body: bytes) -> _Shown:
    """Raises ValueError."""
    reply: JsonValue = from_json(body, allow_inf_nan=False)
    if isinstance(reply, dict):
        usage = reply.get("usage") or reply.get("usage_info")
    else:
        usage = None
    reply = mask_secrets(reply)
    shown, note = shorten(operation, reply)
    if shown is None and reply is not None:
        whole = _compact(reply)
        return _Shown(whole[:LONG], "The beginning of a long reply.", whole, usage)
    return _Shown(shown, note, _compact(reply) if note else "", usage)


async def _with_json(
    mistral: Mistral,
    kept_results: KeptResults,
    operation: Operation,
    request: Request,
    body: bytes,
    result: OperationResult,
) -> OperationResult:
    try:
        # In a thread if it is long.
        if len(body) > LARGE:
            shown = await run_heavy(_read_json, operation, body)
        else:
            shown = _read_json(operation, body)
    except ValueError:
        raise mistral.unusable_reply("is not JSON") from None
    result.result, result.usage = shown.reply, _usage(mistral, operation, request, shown.usage)
    if shown.note:
        filename, kind = f"{operation.id}.json", "application/json"
        result.kept = await kept_results.keep(shown.whole, mime_type=kind, filename=filename)
        result.note = f"{shown.note} All of it: {READ_TOOL} with handle {result.kept.handle}."
    return result


async def _with_file(
    kept_results: KeptResults, operation: Operation, body: bytes, result: OperationResult
) -> OperationResult:
    """The result of a reply that is a file: shown if it is text, else stored."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        extension = mimetypes.guess_extension(operation.media) or ""
        filename = f"{operation.id}{extension}"
        result.kept = await kept_results.keep(body, mime_type=operation.media, filename=filename)
        return result
    result.result, result.kept = await kept_results.keep_if_long(text, filename=f"{operation.id}.txt")
    if result.kept is not None:
        result.note = f"The beginning. All of it: {READ_TOOL} with handle {result.kept.handle}."
    return result


async def _follow(mistral: Mistral, operation: Operation, request: Request) -> OperationResult:
    """The events of a stream within a few seconds: it may never end by itself."""
    kind = operation_call(operation.method, operation.path, repeatable=True, binary=False)
    events: list[JsonValue] = []
    ended, size = False, 0
    stream = mistral.stream(kind(segments=request.path, query=request.query, content=request.body))
    try:
        with mistral.deadline(), anyio.move_on_after(FOLLOWED):
            async for event in stream:
                size += len(event)
                if size > LARGE:
                    break
                events.append(_event(event))
                if len(events) == EVENTS:
                    break
            else:
                ended = True
    finally:
        with anyio.CancelScope(shield=True):
            await stream.aclose()
    shown, note = shorten(operation, mask_secrets(events))
    result = OperationResult(operation=operation.id, status=mistral.status or 0, result=shown or [])
    if ended:
        more = ""
    else:
        more = f"The stream goes on; these are its first {len(events)} events."
    result.note = " ".join(filter(None, [note, more])) or None
    return result


def _event(data: str) -> JsonValue:
    try:
        return from_json(data)
    except ValueError:
        return data


@asynccontextmanager
async def _file_part(
    mistral: Mistral, operation: Operation, request: Request
) -> AsyncGenerator[tuple[JsonValue, str, FilePart | None]]:
    """The body without its file, the name of the file's member, and the file."""
    body = request.body
    if not operation.is_form or not isinstance(body, dict):
        yield body, "file", None
        return
    part = next((name for name, schema in operation.members.items() if is_file(schema)), "file")
    given = body.get(part)
    fields: JsonValue = {name: value for name, value in body.items() if name != part}
    if given is None:
        yield fields, part, None
        return
    async with _open_upload(mistral, given) as file:
        yield fields, part, file


@asynccontextmanager
async def _open_upload(mistral: Mistral, given: JsonValue) -> AsyncGenerator[FilePart]:
    """A file by data URL or by path, or an object of one of these, `content` or `content_base64`, with a `filename`."""
    if isinstance(given, dict):
        source = cast("dict[str, JsonValue]", given)
    else:
        source = {"path": given}
    texts = {name: value for name, value in source.items() if isinstance(value, str)}
    name = texts.get("filename")
    place = texts.get("path") or texts.get("data_url") or ""
    if place.startswith("data:"):
        yield _from_data_url(place, name)
    elif "content" in texts:
        yield FilePart.of(name or "file.txt", texts["content"].encode())
    elif "content_base64" in texts:
        yield FilePart.of(name or "file", _from_base64(texts["content_base64"]))
    elif _FILE_ID.fullmatch(place):
        yield await _from_mistral(mistral, place, name)
    elif place:
        async with open_local_file(mistral.settings.files_dir, place, max_bytes=LARGEST, name=name) as file:
            yield file
    else:
        raise BadArgument("The file is missing.", "Give a path, a data URL, or {filename, content}.")


async def _from_mistral(mistral: Mistral, file_id: str, name: str | None) -> FilePart:
    """A file that is already at Mistral, possibly uploaded by a link."""
    file = await mistral.send(GetFileCall(file_id=file_id))
    content = await mistral.send(DownloadFileCall(file_id=file_id))
    return FilePart.of(name or file.filename, content)


def _from_data_url(url: str, name: str | None) -> FilePart:
    head, comma, data = url[len("data:") :].partition(",")
    if not comma:
        raise BadArgument("The file's data URL has no comma.", "Write data:TYPE;base64,DATA.")
    kind = head.partition(";")[0]
    if head.endswith(";base64"):
        content = _from_base64(data)
    else:
        content = unquote_to_bytes(data)
    return FilePart.of(name or f"file{mimetypes.guess_extension(kind) or '.bin'}", content)


def _from_base64(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise BadArgument("The file is not base64.", "Encode the bytes again, without line breaks.") from None


def _model(content: JsonValue) -> str:
    if isinstance(content, dict):
        model = content.get("model")
    else:
        model = None
    if isinstance(model, str):
        return model
    return ""


def _tokens(operation: Operation, content: JsonValue) -> int:
    """Estimated tokens of a request that computes, for pacing."""
    if operation.effect == "compute":
        return len(_compact(content)) // 4
    return 0


def _usage(mistral: Mistral, operation: Operation, request: Request, counted: JsonValue) -> Usage | None:
    """The usage, if the reply counts tokens."""
    if not isinstance(counted, dict) or "prompt_tokens" not in counted:
        meter_units(mistral.meter, operation.path, request.body, counted)
        return None
    try:
        usage = UsageReply.model_validate(counted)
    except ValidationError:
        return None
    model = _model(request.body)
    meter_tokens(mistral.meter, model, usage)
    return usage_of(mistral, model, usage)


def _compact(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
