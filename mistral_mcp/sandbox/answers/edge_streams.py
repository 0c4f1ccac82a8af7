"""Rare shapes of real streams, one for each model that only the sandbox has."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from mistral_mcp.sandbox.answers.completions import Completion
from mistral_mcp.sandbox.protocol.errors import error_body
from mistral_mcp.sandbox.protocol.replies import Reply, compact, named_stream_reply, stream_reply

Event = dict[str, Any]

FRAGMENT_SIZE = 7
"""Characters of a call's arguments in one fragment."""
BYTE_ORDER_MARK = "\ufeff"
REJECTED_ID = "ee61e87d-25d8"


def stream_completion(completion: Completion) -> Reply:
    """The completion as a stream, in the shape that its model shows."""
    events = completion.events()
    match completion.model:
        case "sandbox-fragments" | "sandbox-changing-ids":
            return stream_reply([*chain.from_iterable(_fragment(event, completion.model) for event in events)])
        case "sandbox-object-fragments":
            return stream_reply([_without_index(event) for event in events])
        case "sandbox-odd-stream":
            return replace(stream_reply(list(_odd_frames(events))), framed=True)
        case "sandbox-error-in-ok":
            return replace(stream_reply([f"{compact(inner_error())}\n\n"]), framed=True)
        case _:
            return stream_reply(events)


def stream_conversation(model: str | None, payloads: Iterable[Mapping[str, Any]]) -> Reply:
    """The events of a conversation; with tool calls in fragments or unknown events, if the model shows these."""
    if model == "sandbox-fragments":
        return named_stream_reply(chain.from_iterable(map(_fragment_call, payloads)))
    if model != "sandbox-odd-stream":
        return named_stream_reply(payloads)
    started, *rest = payloads
    unknown = {"type": "conversation.response.requires_action", "created_at": started["created_at"]}
    return named_stream_reply([started, unknown, *_with_lists(rest)])


def inner_error() -> dict[str, Any]:
    """An error body inside a 200, without its status: `type` and `code` tell which error it is."""
    message = f"Tool call id was {REJECTED_ID} but must be a-z, A-Z, 0-9, with a length of 9."
    body = error_body(400, message, "invalid_function_call", "3280")
    del body["raw_status_code"]
    return body


def _fragment_call(payload: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A tool call whose arguments arrive in pieces, one of which is valid JSON by itself."""
    if payload["type"] != "function.call.delta":
        yield payload
        return
    arguments = str(payload["arguments"])
    for piece in ("{", '"nested": ', "{}", ", ", arguments[1:]):
        yield {**payload, "arguments": piece}


def _with_lists(payloads: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The payloads with each text as a list of chunks."""
    for payload in payloads:
        content = payload.get("content")
        if isinstance(content, str):
            payload = {**payload, "content": [{"type": "text", "text": content}]}  # noqa: PLW2901
        yield payload


def _fragment(event: str, model: str) -> Iterator[str]:
    """Each tool call of the event in fragments, of which only the first has a name; then the rest of the event."""
    if '"tool_calls"' not in event:
        yield event
        return
    whole = json.loads(event)
    choice = whole["choices"][0]
    for call in choice["delta"].pop("tool_calls"):
        for fragment in _call_fragments(call, changing=model == "sandbox-changing-ids"):
            delta = {"content": "", "tool_calls": [fragment]}
            piece = {
                **whole,
                "choices": [
                    {
                        "index": choice["index"],
                        "delta": delta,
                        "finish_reason": None,
                    }
                ],
            }
            piece.pop("usage", None)
            yield compact(piece)
    yield compact(whole)


def _call_fragments(call: Event, *, changing: bool) -> Iterator[Event]:
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    index = call["index"]
    if changing:
        first = f"chatcmpl-tool-{index:08x}"
    else:
        first = call["id"]
    yield {
        "index": index,
        "id": first,
        "type": "function",
        "function": {"name": name, "arguments": ""},
    }
    later: Event = {"index": index, "id": "null", "type": "function"}
    if changing:
        later["id"] = f"toolcall{index}"
    for at in range(0, len(arguments), FRAGMENT_SIZE):
        yield {
            **later,
            "function": {"name": "", "arguments": arguments[at : at + FRAGMENT_SIZE]},
        }


def _without_index(event: str) -> str:
    if '"tool_calls"' not in event:
        return event
    whole = json.loads(event)
    for call in whole["choices"][0]["delta"]["tool_calls"]:
        del call["index"]
    return compact(whole)


def _odd_frames(events: Sequence[str]) -> Iterator[str]:
    """All that a reader of event streams must tolerate: a BOM, comments, CRLF, unknown events, missing members, blanks."""
    first, *middle, last, done = events
    yield f"{BYTE_ORDER_MARK}: a comment\nretry: 1000\ndata: {first}\n\n"
    unknown = {"object": "sandbox.unknown"}
    yield f"event: sandbox.unknown\ndata: {compact(unknown)}\n\n"
    for event in middle:
        yield f"data: {event}\r\n\r\n"
        yield ": keep-alive\n\n"
    whole = json.loads(last)
    usage = whole.pop("usage")
    bare = {name: whole[name] for name in ("id", "object", "model")}
    payloads: list[Event] = [whole, {**bare, "usage": usage}, {**bare, "choices": []}]
    for payload in payloads:
        yield f"data: {compact(payload)}\n\n"
    yield f"data: {done}   \n\n\n  \n"
