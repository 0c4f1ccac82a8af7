"""One JSON-RPC message as clients really send it: repaired where that is safe, else refused with a JSON-RPC error.

The SDK leaves several of these unanswered: a client would wait until it gives up.
"""

import asyncio
import json
import math
import re
from dataclasses import dataclass
from functools import partial
from typing import Literal, NoReturn, cast

from mcp_types import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR

from mistral_mcp.bounds.cycles import run_in_thread
from mistral_mcp.bounds.json_size import count_separators, holds_more_than, without_texts

MAX_DEPTH = 100
"""Levels of nested objects and lists."""
MAX_VALUES = 150_000
"""Values in one message. Parsing so many takes some 40 ms; 8 MiB could hold 2.7 million of the smallest."""
MAX_MEMBERS = 1000
"""Members of a request's params, and of the arguments of a call."""
MAX_NAME = 256
"""Characters of an id, and of a method."""

_PARSED_AT_ONCE = 256 * 1024  # bytes; larger messages are parsed in a thread

_BOM = b"\xef\xbb\xbf"
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_DIGITS = 100

_VERSION_KEY = b"io.modelcontextprotocol/protocolVersion"

MessageId = str | int | None


class MessageError(Exception):
    """A message that gets an error response. `id` is the message's, if it has a usable one."""

    def __init__(self, code: int, text: str, message_id: MessageId = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.id = message_id

    def answer(self) -> dict[str, object]:
        """The JSON-RPC error to send."""
        return {"jsonrpc": "2.0", "id": self.id, "error": {"code": self.code, "message": self.text}}


@dataclass(frozen=True, slots=True)
class Message:
    """A request, a notification or a response."""

    body: bytes
    """What the SDK parses: the message as received, or repaired."""
    method: str | None
    """None: a response."""
    id: MessageId
    """None: a notification."""
    is_self_contained: bool
    """Whether it names its protocol version, as requests do since 2026: they need no `initialize`."""
    tool: str = ""
    """Name of the called tool; empty for other methods."""
    wants_progress: bool = False
    """Whether progress may be reported while the request runs."""


class MessageReader:
    """Parses the one message in a body or a line; large ones in a thread, one at a time."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._turn = asyncio.Lock()

    async def read(self, body: bytes) -> Message:
        """Raises `MessageError`."""
        if len(body) > self._largest:
            raise MessageError(INVALID_REQUEST, f"A message has at most {self._largest:,} bytes.")
        if len(body) <= _PARSED_AT_ONCE:
            return _read(body)
        async with self._turn:
            return await run_in_thread(partial(_read, body))


def _read(body: bytes) -> Message:
    body = _as_utf8(body.removeprefix(_BOM).strip())
    _check_bounds(body)
    value = _parse(body)
    if not isinstance(value, dict):
        if isinstance(value, list):
            what = "A batch"
        else:
            what = "A message that is not an object"
        raise MessageError(INVALID_REQUEST, f"{what} is not accepted: send one JSON-RPC message at a time.")
    message = cast("dict[str, object]", value)
    method = _check_envelope(message)
    if _drop_unusable_progress_token(message) or _SURROGATE.search(body):
        body = _serialize(message)
    message_id = cast("MessageId", message.get("id"))
    return Message(body, method, message_id, _VERSION_KEY in body, _find_tool(message), _wants_progress(message))


def _find_tool(message: dict[str, object]) -> str:
    match message:
        case {"method": "tools/call", "params": {"name": str(name)}}:
            return name
        case _:
            return ""


def _wants_progress(message: dict[str, object]) -> bool:
    match message:
        case {"params": {"_meta": {"progressToken": str() | int()}}}:
            return True
        case _:
            return False


def _as_utf8(body: bytes) -> bytes:
    try:
        body.decode()
    except UnicodeDecodeError:
        return body.decode(errors="replace").encode()
    return body


def _serialize(message: dict[str, object]) -> bytes:
    """A lone surrogate, which clients that cut texts produce, becomes U+FFFD."""
    return _LONE_SURROGATE.sub("\ufffd", json.dumps(message, ensure_ascii=False)).encode()


def _check_bounds(body: bytes) -> None:
    """Bounds the number of values and the nesting, counted before any value is built."""
    if count_separators(body) <= MAX_DEPTH:
        return
    if holds_more_than(MAX_VALUES, body):
        raise MessageError(INVALID_REQUEST, f"The message holds more than {MAX_VALUES:,} values.")
    depth = 0
    for bracket in without_texts(body).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise MessageError(INVALID_REQUEST, f"The message is nested more than {MAX_DEPTH} deep.")


def _parse(body: bytes) -> object:
    try:
        return _DECODER.decode(body.decode())
    except (ValueError, RecursionError):
        raise MessageError(PARSE_ERROR, "The message is not valid JSON.") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ValueError(digits)
    return value


def _short(digits: str) -> int:
    """Parsing a long number takes quadratic time."""
    if len(digits) > _MAX_DIGITS:
        raise ValueError(digits)
    return int(digits)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite, parse_int=_short)


def _check_envelope(message: dict[str, object]) -> str | None:
    """The method; None of a response."""
    message_id: MessageId = None
    if "id" in message:
        message_id = _usable_id(message["id"])
    if message.get("jsonrpc") != "2.0":
        raise MessageError(INVALID_REQUEST, 'A message has the member "jsonrpc" with the value "2.0".', message_id)
    if "method" not in message and ("result" in message or "error" in message):
        return None
    method = message.get("method")
    if not isinstance(method, str) or len(method) > MAX_NAME:
        raise MessageError(
            INVALID_REQUEST, f"A request names its method, a text of at most {MAX_NAME} characters.", message_id
        )
    params = message.get("params")
    if isinstance(params, dict):
        _check_members(cast("dict[str, object]", params), message_id)
        _check_params(method, cast("dict[str, object]", params), message_id)
    elif params is not None:
        raise MessageError(INVALID_REQUEST, "The params of a request are an object.", message_id)
    return method


def _check_members(params: dict[str, object], message_id: MessageId) -> None:
    """Bounds the number of members: each costs the SDK several steps before any tool runs."""
    arguments = params.get("arguments")
    for each in (params, arguments):
        if isinstance(each, dict) and len(cast("dict[str, object]", each)) > MAX_MEMBERS:
            raise MessageError(INVALID_PARAMS, f"There are more than {MAX_MEMBERS} arguments.", message_id)


def _check_params(method: str, params: dict[str, object], message_id: MessageId) -> None:
    """Checks for what the SDK would refuse without saying why."""
    problem = ""
    if method.endswith("/list") and params.get("cursor") is not None:
        problem = "The cursor is unknown: every list here is one page."
    elif method == "tools/call" and not (isinstance(params.get("name"), str) and params["name"]):
        problem = "The name of the tool is missing: a call has params.name and params.arguments."
    elif method == "tools/call" and not isinstance(params.get("arguments"), dict | None):
        problem = "The arguments of a call are an object, by name."
    if problem:
        raise MessageError(INVALID_PARAMS, problem, message_id)


def _usable_id(value: object) -> str | int:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise MessageError(INVALID_REQUEST, "The id of a request is a text or an integer.")
    if len(str(value)) > MAX_NAME:
        raise MessageError(INVALID_REQUEST, f"The id of a request has at most {MAX_NAME} characters.")
    return value


def _drop_unusable_progress_token(message: dict[str, object]) -> bool:
    """Whether it dropped a token that is neither text nor integer: no progress can be reported to it, but the call works."""
    match message:
        case {"params": {"_meta": {"progressToken": bool() | float() | None | dict() | list()}}}:
            meta = cast("dict[Literal['params'], dict[Literal['_meta'], dict[str, object]]]", message)
            del meta["params"]["_meta"]["progressToken"]
            return True
        case _:
            return False
