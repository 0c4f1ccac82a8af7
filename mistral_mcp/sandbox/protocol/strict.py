"""Validation of bodies, query parameters and form fields. Like Mistral's, bodies reject unknown members."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mistral_mcp.sandbox.protocol.errors import ApiError, invalid_body, invalid_fields


class Strict(BaseModel):
    """A body: rejects unknown members, and does not convert between types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Lax(BaseModel):
    """Query parameters and form fields: converted from text, and unknown ones are ignored.

    The default of one that may be repeated is a tuple.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)


def _parse_metadata(written: str) -> dict[str, Any]:
    """JSON other than an object is no filter: the official SDK sends a string when it has none."""
    found: Any = json.loads(written)
    if isinstance(found, dict):
        return cast("dict[str, Any]", found)
    return {}


MetadataFilter = Annotated[dict[str, Any], BeforeValidator(_parse_metadata)]
"""A filter by metadata, written as JSON."""


class Paging(Lax):
    """The paging parameters of lists on the platform endpoints."""

    page: Annotated[int, Field(ge=0)] = 0
    page_size: Annotated[int, Field(ge=1, le=1000)] = 100

    def cut(self, items: Sequence[Any]) -> list[Any]:
        """The items on this page."""
        start = self.page * self.page_size
        return list(items[start : start + self.page_size])


T = TypeVar("T")


def as_list(value: T | list[T] | None) -> list[T]:
    """One value, or a list of them, as a list."""
    if value is None:
        return []
    if isinstance(value, list):
        return cast("list[T]", value)
    return [value]


Shape = TypeVar("Shape", bound=Strict)
LaxShape = TypeVar("LaxShape", bound=Lax)
ErrorShape = Callable[[Sequence[Mapping[str, Any]]], ApiError]

Temperature = Annotated[float, Field(ge=0, le=1.5)]
TopP = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Metadata = dict[str, Any]


def parse(shape: type[Shape], body: bytes, error: ErrorShape = invalid_body) -> Shape:
    """The body as this shape. Raises the 422 that Mistral answers, in shape B unless `error` makes another."""
    try:
        return shape.model_validate_json(body or b"null")
    except ValidationError as wrong:
        details: Sequence[Mapping[str, Any]] = [MISSING]
        if body:
            details = _details(wrong, "body")
        raise error(details) from None


def parse_fields(
    shape: type[LaxShape], fields: Mapping[str, Sequence[Any]], place: str, error: ErrorShape = invalid_fields
) -> LaxShape:
    """Query parameters or form fields as this shape. Raises a 422, in shape C unless `error` makes another.

    If a field that may not be repeated has several values, the last one counts.
    """
    values: dict[str, Any] = {}
    for name, field in shape.model_fields.items():
        if not fields.get(name):
            continue
        if isinstance(field.default, tuple):
            values[name] = tuple(fields[name])
        else:
            values[name] = fields[name][-1]
    try:
        return shape.model_validate(values)
    except ValidationError as wrong:
        raise error(_details(wrong, place)) from None


MISSING: Mapping[str, Any] = {
    "type": "missing",
    "loc": ["body"],
    "msg": "Field required",
    "input": None,
}


def _details(wrong: ValidationError, place: str) -> list[dict[str, Any]]:
    return [_detail(error, place) for error in wrong.errors(include_url=False)]


def _detail(error: Mapping[str, Any], place: str) -> dict[str, Any]:
    """One of pydantic's error details, as FastAPI returns it."""
    if error["type"] == "json_invalid":
        return {
            "type": "json_invalid",
            "loc": ["body", 0],
            "msg": "JSON decode error",
            "input": {},
            "ctx": error["ctx"],
        }
    detail = {
        "type": error["type"],
        "loc": [place, *error["loc"]],
        "msg": error["msg"],
        "input": json.loads(json.dumps(error["input"], default=str)),
    }
    if "ctx" in error:
        detail["ctx"] = json.loads(json.dumps(error["ctx"], default=str))
    return detail
