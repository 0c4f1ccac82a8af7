"""The operations of Mistral's OpenAPI file."""

from pathlib import Path
from typing import Any, cast

import yaml

METHODS = ("get", "post", "put", "patch", "delete")


def read(path: Path) -> dict[str, Any]:
    """`{"operations": […], "$defs": {…}}`, in the same form as `from_sdk.read`."""
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for template, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                shared = item.get("parameters", [])
                operation = _operation(method.upper(), template.partition("#")[0], item[method], shared, document)
                twin = found.setdefault((operation["method"], operation["path"]), operation)
                if twin is not operation:  # the streaming variant
                    twin["replies"] += [reply for reply in operation["replies"] if reply not in twin["replies"]]
    return {
        "operations": list(found.values()),
        "$defs": {**document["components"]["schemas"], **_local(document["paths"])},
    }


def _local(node: Any) -> dict[str, Any]:
    """Definitions inside the schema of one operation."""
    found: dict[str, Any] = {}
    if isinstance(node, dict):
        members = cast("dict[str, Any]", node)
        found |= members.get("$defs", {})
        node = list(members.values())
    if isinstance(node, list):
        for value in cast("list[Any]", node):
            found |= _local(value)
    return found


def _operation(
    method: str, path: str, given: dict[str, Any], shared: list[Any], document: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {"method": method, "path": path, "name": given.get("operationId", "")}
    operation["params"] = [_parameter(each, document) for each in [*shared, *given.get("parameters", [])]]
    if body := given.get("requestBody"):
        media, content = next(iter(body["content"].items()))
        operation["body"] = {
            "media": media,
            "required": body.get("required", False),
            "schema": content.get("schema", {}),
        }
    operation["replies"] = []
    for status, response in given["responses"].items():
        if status.startswith("2"):
            operation["replies"] += _replies(status, response)
    if given.get("deprecated"):
        operation["deprecated"] = True
    return operation


def _parameter(given: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in given:
        given = document["components"]["parameters"][given["$ref"].rpartition("/")[2]]
    required = given.get("required", False)
    return {"name": given["name"], "in": given["in"], "required": required, "schema": given.get("schema", {})}


def _replies(status: str, response: dict[str, Any]) -> list[dict[str, Any]]:
    content: dict[str, Any] = response.get("content") or {}
    if not content:
        return [{"status": status}]
    return [
        {"status": status, "media": media, "schema": each.get("schema", {})} for media, each in content.items()
    ]
