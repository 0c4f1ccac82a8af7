"""Server-sent events as Mistral sends them: some begin with a byte order mark, some errors are bare JSON lines."""

from collections.abc import AsyncGenerator

import anyio
import anyio.lowlevel
import httpx2

from mistral_mcp.mistral.transports.bodies import BodyTooLarge, without_entity_headers

_BOM = b"\xef\xbb\xbf"
_EVENT = 8 * 1024 * 1024  # bytes; one event may carry a whole tool call
_WHOLE = 256 * 1024 * 1024  # bytes of a stream
_TURN = 64 * 1024  # bytes after which other tasks get a turn, and a disconnect is noticed


async def read_events(response: httpx2.Response) -> AsyncGenerator[str]:
    """The data of each event, up to and without `[DONE]`. Raises `BodyTooLarge`, and what httpx2 raises."""
    lenient = httpx2.Response(
        response.status_code,
        headers=without_entity_headers(response.headers),
        stream=_LenientStream(response),
        request=response.request,
    )
    events = aiter(httpx2.EventSource(lenient, max_event_size=_EVENT))
    async for event in events:
        if event.data.strip() == "[DONE]":
            # Read what has arrived, so that the connection can be reused, but do not wait for more.
            with anyio.move_on_after(0.2):
                await anext(events, None)
            return
        if event.data:  # else it only has a reconnection time or an id
            yield event.data


class _LenientStream(httpx2.AsyncByteStream):
    """The bytes of an event stream, with bare JSON lines turned into data, and bounded in size.

    A stream that always has data would block all other tasks, and never notice that its reader disconnected: so it yields to
    the event loop regularly.
    """

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        size = turn = 0
        at_line_start = True
        async for chunk in self._response.aiter_bytes():
            size += len(chunk)
            if size > _WHOLE:
                raise BodyTooLarge
            if size - turn > _TURN:
                turn = size
                await anyio.lowlevel.checkpoint()
            if size == len(chunk):
                piece = chunk.removeprefix(_BOM)
            else:
                piece = chunk
            yield _with_data_fields(piece, at_line_start=at_line_start)
            at_line_start = chunk.endswith(b"\n")
        yield b"\n\n"  # the last event may lack its end


def _with_data_fields(piece: bytes, *, at_line_start: bool) -> bytes:
    """Prefix lines that are bare JSON with `data:`."""
    if b"\n{" in piece:
        piece = piece.replace(b"\n{", b"\ndata: {")
    if at_line_start and piece.startswith(b"{"):
        return b"data: " + piece
    return piece
