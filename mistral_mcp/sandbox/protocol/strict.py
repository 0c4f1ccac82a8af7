"""Bodies that are closed to anything unknown, as Mistral's are (reference, "Strict request bodies")."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mistral_mcp.sandbox.protocol.errors import ApiError, invalid_body, invalid_fields


class Strict(BaseModel):
    """Knows its fields, refuses others, and takes no number for a string."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Lax(BaseModel):
    """Query parameters and form fields: all of them arrive as text, and unknown ones are passed over.

    One that may be repeated has a tuple as its default.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)


def _parse_metadata(written: str) -> dict[str, Any]:
    """What is no object is no filter: the official SDK sends a string of its own where it has none."""
    found: Any = json.loads(written)
    if isinstance(found, dict):
        return cast("dict[str, Any]", found)
    return {}


MetadataFilter = Annotated[dict[str, Any], BeforeValidator(_parse_metadata)]
"""A filter by metadata, written as JSON."""


class Paging(Lax):
    """The pages that lists on the platform paths come in."""

    page: Annotated[int, Field(ge=0)] = 0
    page_size: Annotated[int, Field(ge=1, le=1000)] = 100

    def cut(self, items: Sequence[Any]) -> list[Any]:
        """The items on this page."""
        start = self.page * self.page_size
        return list(items[start : start + self.page_size])


T = TypeVar("T")


def as_list(value: T | list[T] | None) -> list[T]:
    """What may be one thing or several, as several."""
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
    """The body as this shape, or the 422 that Mistral answers: in shape B, unless `error` says otherwise."""
    try:
        return shape.model_validate_json(body or b"null")
    except ValidationError as wrong:
        raise error(_details(wrong, "body") if body else [MISSING]) from None


def parse_fields(
    shape: type[LaxShape], fields: Mapping[str, Sequence[Any]], place: str, error: ErrorShape = invalid_fields
) -> LaxShape:
    """Query parameters or form fields as this shape, or a 422: in shape C, unless `error` says otherwise.

    Of several values for what may not be repeated, the last one counts.
    """
    known = {name: fields[name] for name in shape.model_fields if fields.get(name)}
    repeatable = {name for name, field in shape.model_fields.items() if isinstance(field.default, tuple)}
    try:
        return shape.model_validate(
            {name: tuple(values) if name in repeatable else values[-1] for name, values in known.items()}
        )
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
    """One of pydantic's details, as FastAPI hands it on."""
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
