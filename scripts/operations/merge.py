"""Merge two sources into one catalogue: the OpenAPI file has bounds, the SDK newer operations and members."""

import json
import re
from typing import Any

from scripts.operations.schemas import Rename, as_object, closure, inline, plain, require_tags

WRAPPED = ("OptionalNullable_", "Nullable_")


def merge(openapi: dict[str, Any], sdk: dict[str, Any]) -> dict[str, Any]:
    """`{"operations": {"METHOD path": …}, "$defs": …}`, with all schemas in plain form."""
    definitions = {name: plain(schema, str) for name, schema in openapi["$defs"].items()}
    theirs = {name: plain(schema, _sdk_name) for name, schema in sdk["$defs"].items()}
    definitions |= {_sdk_name(name): schema for name, schema in theirs.items()}

    operations = {_key(each): _plain_operation(each, str) for each in openapi["operations"]}
    spelled = {_shape(key): key for key in operations}
    for each in sdk["operations"]:
        newer = _plain_operation(each, _sdk_name)
        key = spelled.get(_shape(_key(each)))
        if key is None:
            operations[_key(each)] = newer
        else:
            _add_newer(operations[key], newer, definitions)
    for operation in operations.values():
        _with_plain_body(operation, definitions)
    return _tidy(operations, definitions)


def _key(operation: dict[str, Any]) -> str:
    return f"{operation['method']} {operation['path']}"


def _shape(key: str) -> str:
    """The key without the names of path parameters, which differ between the sources."""
    return re.sub(r"\{\w+\}", "{}", key)


def _sdk_name(name: str) -> str:
    return f"sdk.{name}"


def _plain_operation(given: dict[str, Any], rename: Rename) -> dict[str, Any]:
    # Header parameters only repeat query parameters.
    params = [
        {**each, "schema": plain(each["schema"], rename)} for each in given["params"] if each["in"] != "header"
    ]
    made = {**given, "params": params}
    if "body" in given:
        made["body"] = {**given["body"], "schema": plain(given["body"]["schema"], rename)}
    made["replies"] = [_plain_reply(each, rename) for each in given["replies"]]
    return made


def _plain_reply(reply: dict[str, Any], rename: Rename) -> dict[str, Any]:
    if "schema" not in reply:
        return reply
    return {**reply, "schema": plain(reply["schema"], rename)}


def _add_newer(operation: dict[str, Any], newer: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Add what only the SDK has: parameters, and members at the top level of a body."""
    operation["sdk"] = newer["name"]
    if newer.get("deprecated"):
        operation["deprecated"] = True
    known = {each["name"] for each in operation["params"]}
    operation["params"] += [
        each for each in newer["params"] if each["name"] not in known and each["in"] == "query"
    ]
    if "body" not in operation or "body" not in newer:
        return
    ours = as_object(operation["body"]["schema"], definitions)
    added = as_object(newer["body"]["schema"], definitions)
    if "properties" not in ours or "properties" not in added:
        return
    members = {name: schema for name, schema in added["properties"].items() if name not in ours["properties"]}
    if members:
        operation["body"]["schema"] = {**ours, "properties": {**ours["properties"], **members}}


def _with_plain_body(operation: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Make a nullable body optional, and merge a body of several parts into one object."""
    body = operation.get("body")
    if body is None:
        return
    schema = body["schema"]
    if {"type": "null"} in schema.get("anyOf", []):
        body["required"] = False
        arms = _arms(schema)
        body["schema"] = {"anyOf": arms} if len(arms) > 1 else arms[0]
    if "allOf" in _target(body["schema"], definitions):
        body["schema"] = as_object(body["schema"], definitions)


def _target(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    return definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _arms(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [arm for arm in schema["anyOf"] if arm != {"type": "null"}]


def _tidy(operations: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Inline the SDK's wrappers, merge equal definitions, drop unused ones, and remove the SDK's prefix from names."""

    def is_wrapper(name: str) -> bool:
        return name.removeprefix("sdk.").startswith(WRAPPED) or _is_alias(definitions[name])

    operations = {
        key: _plain_operation(inline(each, definitions, is_wrapper), str) for key, each in operations.items()
    }
    definitions = {
        name: plain(inline(schema, definitions, is_wrapper), str) for name, schema in definitions.items()
    }
    definitions = closure([operations], definitions)
    renamed = _choose_names(definitions)
    document = json.loads(
        re.sub(
            r'"#/\$defs/([^"]+)"',
            lambda found: f'"#/$defs/{renamed[found[1]]}"',
            json.dumps({"operations": operations, "$defs": definitions}),
        )
    )
    document["$defs"] = {renamed[name]: schema for name, schema in document["$defs"].items()}
    document["$defs"] = closure([document["operations"]], document["$defs"])
    require_tags(document["$defs"], document["operations"])
    return document


def _is_alias(schema: Any) -> bool:
    """Whether a definition is short enough to be inlined: a plain type or a constant."""
    return "properties" not in schema and len(json.dumps(schema)) < 80  # noqa: PLR2004


def _choose_names(definitions: dict[str, Any]) -> dict[str, str]:
    """New names: without the SDK's prefix if there is no conflict, or if both sources have the same definition."""
    names: dict[str, str] = {}
    for name, schema in definitions.items():
        bare = name.removeprefix("sdk.")
        same = json.dumps(schema, sort_keys=True) == json.dumps(definitions.get(bare), sort_keys=True).replace(
            "sdk.", ""
        )
        names[name] = bare if bare not in definitions or same else name
    return names
