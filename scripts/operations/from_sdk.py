"""The operations of the installed SDK: read from its generated methods, with the schemas of its models."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Annotated, Any

import mistralai.client
from mistralai.client.utils.metadata import FieldMetadata
from pydantic import BaseModel, Field, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

REF = "#/$defs/{model}"


@dataclass
class Found:
    """A method of the SDK, with Python types."""

    method: str
    path: str
    name: str
    params: list[tuple[str, str, bool, Any]] = field(default_factory=list[tuple[str, str, bool, Any]])
    """Name, place, whether it is required, type."""
    body: tuple[str, bool, Any] | None = None
    """Media type, whether it is required, type."""
    replies: list[tuple[str, str, Any]] = field(default_factory=list[tuple[str, str, Any]])
    """Status, media type ("" without content), type."""
    deprecated: bool = False


def read() -> dict[str, Any]:
    """`{"operations": […], "$defs": {…}}`, in the same form as `from_openapi.read`."""
    found: dict[tuple[str, str], Found] = {}
    for each in methods():
        key = (each.method, each.path.partition("#")[0])
        if key in found:  # the streaming variant adds its replies
            found[key].replies += [reply for reply in each.replies if reply not in found[key].replies]
        else:
            each.path = key[1]
            found[key] = each
    types = list(chain.from_iterable(map(_types, found.values())))
    schemas, definitions = TypeAdapter.json_schemas(
        [(number, "validation", TypeAdapter(kind)) for number, kind in enumerate(types)],
        by_alias=True,
        ref_template=REF,
    )
    numbered = iter(range(len(types)))

    def next_schema() -> dict[str, Any]:
        return schemas[(next(numbered), "validation")]

    operations = [_describe(each, next_schema) for each in found.values()]
    return {"operations": operations, "$defs": definitions.get("$defs", {})}


def _types(found: Found) -> Iterator[Any]:
    yield from (kind for *_, kind in found.params)
    if found.body:
        yield found.body[2]
    yield from (kind for _, media, kind in found.replies if media)


def _describe(found: Found, next_schema: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {"method": found.method, "path": found.path, "name": found.name}
    operation["params"] = [
        {"name": name, "in": place, "required": required, "schema": next_schema()}
        for name, place, required, _ in found.params
    ]
    if found.body:
        media, required, _ = found.body
        operation["body"] = {"media": media, "required": required, "schema": next_schema()}
    replies: list[dict[str, Any]] = []
    for status, media, _ in found.replies:
        reply: dict[str, Any] = {"status": status}
        if media:
            reply |= {"media": media, "schema": next_schema()}
        replies.append(reply)
    operation["replies"] = replies
    if found.deprecated:
        operation["deprecated"] = True
    return operation


def methods() -> Iterator[Found]:
    for module in pkgutil.iter_modules(mistralai.client.__path__):
        if module.ispkg or module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"mistralai.client.{module.name}")
        with open(loaded.__file__ or "", encoding="utf-8") as source:  # noqa: PTH123
            tree = ast.parse(source.read())
        for group in tree.body:
            if not isinstance(group, ast.ClassDef):
                continue
            for method in group.body:
                if isinstance(method, ast.FunctionDef):
                    yield from _method(method, f"{module.name}.{method.name}", vars(loaded))


def _method(method: ast.FunctionDef, name: str, names: dict[str, Any]) -> Iterator[Found]:
    calls = [node for node in ast.walk(method) if isinstance(node, ast.Call)]
    built = [call for call in calls if ast.unparse(call.func) == "self._build_request"]
    if not built:
        return
    arguments = {keyword.arg: keyword.value for keyword in built[0].keywords}
    found = Found(ast.literal_eval(arguments["method"]), ast.literal_eval(arguments["path"]), name)
    found.deprecated = any("deprecated" in ast.unparse(mark) for mark in method.decorator_list)
    required = ast.literal_eval(arguments["request_body_required"])
    request = _request_type(method, names)
    if request is not None:
        _read_request(found, request, required=required)
    for call in calls:
        if ast.unparse(call.func) == "utils.serialize_request_body" and found.body is None:
            _, _, optional, kind, body = call.args
            media = {"json": "application/json", "multipart": "multipart/form-data"}[ast.literal_eval(kind)]
            found.body = (media, required and not ast.literal_eval(optional), eval(ast.unparse(body), names))  # noqa: S307
    found.replies = list(_replies(method, names))
    yield found


def _request_type(method: ast.FunctionDef, names: dict[str, Any]) -> type[BaseModel] | None:
    for node in ast.walk(method):
        if (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == "request"
            and isinstance(node.value, ast.Call)
        ):
            kind = eval(ast.unparse(node.value.func), names)  # noqa: S307
            return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    return None


def _read_request(found: Found, request: type[BaseModel], *, required: bool) -> None:
    for name, member in request.model_fields.items():
        marks = [mark for mark in member.metadata if isinstance(mark, FieldMetadata)]
        if not marks:
            continue
        mark = marks[0]
        for place, here in (("path", mark.path), ("query", mark.query), ("header", mark.header)):
            if here:
                found.params.append((member.alias or name, place, member.is_required(), _annotation(member)))
        if mark.request:
            media = mark.request.media_type
            found.body = (media, required and member.is_required(), _annotation(member))


def _annotation(member: FieldInfo) -> Any:
    """The type, with its default if it has a meaningful one."""
    if member.default is PydanticUndefined or type(member.default).__name__ == "Unset" or member.default is None:
        return member.annotation
    return Annotated[
        member.annotation, Field(json_schema_extra={"default": getattr(member.default, "value", member.default)})
    ]


def _replies(method: ast.FunctionDef, names: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for node in ast.walk(method):
        if not isinstance(node, ast.If) or "match_response(http_res" not in ast.unparse(node.test):
            continue
        call = next(call for call in ast.walk(node.test) if isinstance(call, ast.Call) and len(call.args) > 2)  # noqa: PLR2004
        status: str | list[str] = ast.literal_eval(call.args[1])
        statuses = [status] if isinstance(status, str) else status
        media = ast.literal_eval(call.args[2])
        for each in statuses:
            if each.startswith("2"):
                yield each, *_reply_type(node, media, names)


def _reply_type(branch: ast.If, media: str, names: dict[str, Any]) -> tuple[str, Any]:
    for statement in branch.body:
        for call in (node for node in ast.walk(statement) if isinstance(node, ast.Call)):
            function = ast.unparse(call.func)
            if function == "unmarshal_json_response":
                return media, eval(ast.unparse(call.args[0]), names)  # noqa: S307
            if function.startswith("eventstreaming.EventStream"):
                event = next(
                    node
                    for node in ast.walk(call)
                    if isinstance(node, ast.Attribute) and "models." in ast.unparse(node)
                )
                return "text/event-stream", eval(ast.unparse(event), names)  # noqa: S307
    return ("", None) if media == "*" else (media, Any)
