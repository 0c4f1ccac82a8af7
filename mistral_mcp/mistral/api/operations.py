"""Any operation of Mistral's API: one class for each method and path, made when it is first called.

    call = operation_call("GET", "/v1/agents/{agent_id}", repeatable=True, binary=False)
    body = await mistral.send(call(segments={"agent_id": "ag_1"}, query={}))

What the reply is, is for whoever knows the operation: here it is the body as it came.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, cast
from urllib.parse import urlencode

import httpx2
from pydantic import InstanceOf, JsonValue
from pydantic_core import to_json

from mistral_mcp.mistral.call import Call, Method, path_segment
from mistral_mcp.mistral.catalog import Per
from mistral_mcp.mistral.consumption import Meter
from mistral_mcp.mistral.multipart import FilePart, Form

MAX_JSON = 8 * 1024 * 1024
"""Bytes of a JSON reply: as objects it takes some twenty times as much memory."""


class OperationCall(Call[bytes]):
    """A request by method and path."""

    binary: ClassVar[bool] = False

    segments: dict[str, str] = {}
    query: dict[str, JsonValue] = {}
    content: JsonValue = None
    """The JSON body, if any."""
    file: InstanceOf[FilePart] | None = None
    """With a file, or with `is_form`, `content` goes out as the fields of a form."""
    is_form: bool = False
    part: str = "file"

    def url(self) -> str:
        segments = {name: path_segment(name, self.segments.get(name, "")) for name in self.path_names()}
        path = self.path.format_map(segments)
        if fields := _fields(self.query):
            return f"{path}?{urlencode(fields)}"
        return path

    def body(self) -> bytes | None:
        if self.content is None:
            return None
        return to_json(self.content)

    def payload(self) -> tuple[bytes | httpx2.AsyncByteStream | None, dict[str, str]]:
        if not self.is_form:
            return super().payload()
        members = cast("dict[str, JsonValue]", self.content or {})
        form = Form(_fields(members), self.part, self.file)
        return form, form.headers

    @classmethod
    def is_binary(cls) -> bool:
        return cls.binary


@lru_cache(maxsize=512)
def operation_call(method: Method, path: str, *, repeatable: bool, binary: bool) -> type[OperationCall]:
    """The class of the calls of one operation."""
    members: dict[str, object] = {"__module__": __name__, "method": method, "path": path}
    members |= {"repeatable": repeatable, "binary": binary}
    if not binary:
        members["max_bytes"] = MAX_JSON
    return type("OperationCall", (OperationCall,), members)


def meter_units(meter: Meter, path: str, body: JsonValue, counted: JsonValue) -> None:
    """Count what is not paid by the token: pages read, characters spoken."""
    if not isinstance(body, dict):
        return
    model, text = body.get("model"), body.get("input")
    name = model if isinstance(model, str) else ""
    if path == "/v1/audio/speech" and isinstance(text, str):
        meter.add_units(name, len(text), "million characters")
    if path == "/v1/ocr" and isinstance(counted, dict):
        pages = counted.get("pages_processed")
        annotated = body.get("document_annotation_format") or body.get("bbox_annotation_format")
        per: Per = "1000 annotated pages" if annotated else "1000 pages"
        if isinstance(pages, int):
            meter.add_units(name, pages, per)


def _fields(members: Mapping[str, JsonValue]) -> list[tuple[str, str]]:
    """As queries and forms have them: a list is its name and an item, for each item."""
    fields: list[tuple[str, str]] = []
    for name, value in members.items():
        fields += [(name, _text(item)) for item in _items(value)]
    return fields


def _items(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, list):
        return value
    return [value]


def _text(value: JsonValue) -> str:
    """What has members is JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))
