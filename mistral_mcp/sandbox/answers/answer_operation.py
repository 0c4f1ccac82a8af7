"""Replies that fit an operation's schema: a sample made from the schema, overlaid with the values that are known."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from mistral_mcp.sandbox.answers.fill_schema import fill_schema
from mistral_mcp.sandbox.answers.prompt_hints import Hints
from mistral_mcp.sandbox.protocol.operation import Operation, resolve, standalone

Place = tuple[str, ...]
"""A path of member names from the top of a reply."""

LIST_DEPTH = 2
"""How deep in a reply a list is searched for."""

FINAL_STATUSES = ("COMPLETED", "completed", "SUCCESS", "SUCCEEDED", "ready", "active")
"""A `status` member gets the first of these that its schema allows: everything finishes at once in the sandbox."""


def answer_operation(operation: Operation, *known: Mapping[str, Any]) -> Any:
    """The reply, with those of the known members that fit its schema. Later mappings override earlier ones."""
    reply = _finish_status(operation, _fill_sample(operation))
    for members in known:
        reply = _overlay(operation, reply, members)
    return reply


def answer_list(operation: Operation, place: Place, things: Sequence[Mapping[str, Any]]) -> Any:
    """A reply with these objects in its list at `place`. Each is a sample item, overlaid with those of its members that fit."""
    schema: Mapping[str, Any] = resolve(operation.replies[0]["schema"])
    for name in place:
        schema = resolve(schema["properties"][name])

    pattern = fill_schema(standalone(schema["items"]), Hints(""))
    sample = _fill_sample(operation)
    if not isinstance(pattern, dict):
        return sample

    items: list[dict[str, Any]] = []
    for thing in things:
        item = cast("dict[str, Any]", pattern)
        for name, value in thing.items():
            changed = {**item, name: value}
            if _fits(operation, _put(sample, place, [changed])):
                item = changed
        items.append(item)

    return _put(sample, place, items)


def list_place(operation: Operation) -> Place | None:
    """Where the reply has its list: `("data",)`, `()` if the reply itself is a list, None if it has none."""
    schema = resolve(operation.replies[0].get("schema", {}))
    return next(_lists(schema, ()), None)


def _lists(schema: Mapping[str, Any], place: Place) -> Iterator[Place]:
    if schema.get("type") == "array":
        yield place
    elif len(place) < LIST_DEPTH:
        members = cast("dict[str, Any]", schema.get("properties", {}))
        # Lists at this level come before nested ones: `data` before the lists inside another member.
        nearest = sorted(members.items(), key=lambda member: resolve(member[1]).get("type") != "array")
        for name, member in nearest:
            yield from _lists(resolve(member), (*place, name))


@functools.cache
def _fill_sample(operation: Operation) -> Any:
    if operation.reply:
        return fill_schema(operation.reply, Hints(""))
    return None


def _finish_status(operation: Operation, reply: Any) -> Any:
    members = cast("dict[str, Any]", reply if isinstance(reply, dict) else {})
    changed = ({**members, "status": status} for status in FINAL_STATUSES if "status" in members)
    return next((each for each in changed if _fits(operation, each)), cast("Any", reply))


def _overlay(operation: Operation, reply: Any, members: Mapping[str, Any]) -> Any:
    if not isinstance(reply, dict):
        return reply
    properties = cast("dict[str, Any]", resolve(operation.replies[0]["schema"]).get("properties", {}))
    for name, value in members.items():
        changed = {**cast("dict[str, Any]", reply), name: value}
        if (name in properties or name in reply) and _fits(operation, changed):
            reply = changed
    return cast("Any", reply)


def _fits(operation: Operation, reply: Any) -> bool:
    return operation.reply_validator.is_valid(reply)


def _put(reply: Any, place: Place, items: Sequence[Any]) -> Any:
    if not place:
        return items
    return {
        **reply,
        place[0]: _put(reply.get(place[0], {}), place[1:], items),
    }
