"""Assembles a streamed reply, and reports its pieces as progress."""

from contextlib import aclosing
from typing import Any, Protocol, TypeVar

from pydantic import JsonValue, ValidationError, model_validator

from mistral_mcp.bounds.memory import LARGE
from mistral_mcp.errors import UpstreamError
from mistral_mcp.masking import MASK, Mask
from mistral_mcp.mistral.call import Call, Reply
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.mistral.progress import Progress

_ReplyT = TypeVar("_ReplyT", bound=Reply)
_ReplyT_co = TypeVar("_ReplyT_co", bound=Reply, covariant=True)


class StreamEvent(Reply):
    """Any event of a stream except an error; missing members have their defaults."""

    object: JsonValue = None
    type: JsonValue = None
    error: JsonValue = None
    detail: JsonValue = None

    @model_validator(mode="after")
    def _is_no_error(self) -> "StreamEvent":
        if self.error or self.detail or str(self.object).lower() == "error" or str(self.type).endswith("error"):
            raise ValueError("an error")
        return self


class Assembly(Protocol[_ReplyT_co]):
    """Assembles the reply that would have been sent in one piece."""

    thinks: bool
    """Whether the last piece was thinking, which is not shown."""

    @property
    def text(self) -> str:
        """The text so far."""
        ...

    @property
    def finished(self) -> bool: ...

    def add(self, data: str) -> str:
        """Add an event's data; returns its text. Raises `ValidationError` if it is not part of an answer."""
        ...

    def reply(self) -> _ReplyT_co: ...


async def assemble(
    mistral: MistralClient,
    progress: Progress,
    call: Call[Any],
    assembly: Assembly[_ReplyT],
    *,
    model: str = "",
    tokens: int = 0,
) -> _ReplyT:
    """Stream a call into the assembly. Raises an `UpstreamError` with the text received so far, if it breaks off."""
    try:
        with mistral.deadline():
            await _listen(mistral, progress, call, assembly, model, tokens)
    except UpstreamError as error:
        error.partial = _visible_part(assembly.text, mistral.caller.mask)
        error.correlation_id = error.correlation_id or mistral.correlation_id
        error.attempts = max(error.attempts, mistral.attempts)
        raise
    reply = assembly.reply()
    call.measure(reply, mistral.meter)
    # A secret that arrived in two pieces is complete only now.
    return type(reply).model_validate_json(mistral.caller.mask.body(reply.model_dump_json().encode()))


async def _listen(
    mistral: MistralClient, progress: Progress, call: Call[Any], assembly: Assembly[Reply], model: str, tokens: int
) -> None:
    mask, held, size, text = mistral.caller.mask, "", 0, 0
    kept, room = 0, LARGE
    async with aclosing(mistral.stream(call, model=model, tokens=tokens)) as events:
        async for data in events:
            size += len(data)
            if size > call.max_bytes or text > _LONGEST_TEXT:
                raise mistral.endless_reply()
            kept += max((len(data) - _ENVELOPE) * _COPIES, _SMALLEST)
            if kept > room:
                step = max(kept - room, LARGE)
                await mistral.memory.add(step)
                room += step
            try:
                piece = assembly.add(data)
            except ValidationError:
                raise mistral.event_error(data) from None
            if assembly.thinks:
                await progress.thinking()
            text += len(piece)
            if piece:
                # The end of a piece may begin a secret: it waits for the next piece.
                held += piece
                ready = len(held) - mask.held_back(held)
                await progress.text(mask.text(held[:ready]))
                held = held[ready:]
    if not assembly.finished:
        raise mistral.cut_reply()
    await progress.text(mask.text(held))
    await progress.flush()


def _visible_part(partial: str, mask: Mask) -> str:
    """A partial text without the secret that may begin at its end."""
    half = mask.held_back(partial)
    if half < _TELLS:
        return mask.text(partial)
    return mask.text(partial[: len(partial) - half]) + MASK


_ENVELOPE = 256  # bytes of an event that are not kept: its id, its model, names of members
_SMALLEST = 64  # bytes of the object for a small piece
_COPIES = 4  # of a text, as measured: in the answer, in the next report of progress, and while both grow
_LONGEST_TEXT = 8 * 1024 * 1024  # characters; no model writes as much
_TELLS = 4  # characters; fewer are of any word
