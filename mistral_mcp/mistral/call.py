"""Requests to Mistral: one class an endpoint.

    class EmbeddingCall(Call[EmbeddingReply]):
        path = "/v1/embeddings"
        repeatable = True
        model: str
        input: list[str]

Fields named in the path fill it; the others are the body of a POST or PATCH and the query of a GET or DELETE. Mistral
validates bodies strictly, so nothing that was left out is sent; its replies may gain fields, so unknown ones are ignored.

A reply is JSON of any type, a bare list included; `Call[bytes]` returns the raw body, `Call[None]` ignores it.
"""

import re
from datetime import UTC, datetime
from functools import cache
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal, TypeVar, cast
from urllib.parse import quote, urlencode

import httpx2
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.consumption import Meter

_LONGEST_ID = 200

ReplyT = TypeVar("ReplyT")
Method = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
T = TypeVar("T")


def is_none(value: object) -> bool:
    return value is None


Maybe = Annotated[T | None, Field(exclude_if=is_none)]
"""For members that results leave out rather than show as null: `description: Maybe[str] = None`."""


def iso_utc(value: object) -> object:
    """Convert Mistral's times, seconds since 1970 or ISO 8601, to `2026-11-28T19:23:31Z`; other values are returned as they are."""
    try:
        if isinstance(value, int | float):
            moment = datetime.fromtimestamp(value, UTC)
        elif isinstance(value, str):
            moment = datetime.fromisoformat(value)
        else:
            return value
    except (OverflowError, ValueError, OSError):
        return str(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Moment = Annotated[str, BeforeValidator(iso_utc)]
"""A time in ISO 8601, in UTC, whichever way Mistral sent it."""


class Reply(BaseModel):
    """A reply or a part of one. Unknown fields are ignored: Mistral adds some without notice."""

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,  # not valid JSON, and null in a result
        protected_namespaces=(),
        populate_by_name=True,  # for results that inherit it
        defer_build=True,  # until first use
    )


def null_is(default: object) -> BeforeValidator:
    """For members that Mistral may send as null."""

    def replace_null(value: object) -> object:
        if value is None:
            return default
        return value

    return BeforeValidator(replace_null)


class Call(BaseModel, Generic[ReplyT]):
    """A request and the type of its reply."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), defer_build=True)

    path: ClassVar[str]
    method: ClassVar[Method] = "POST"
    repeatable: ClassVar[bool] = False
    """Whether it is safe to send twice: it reads or computes, and creates nothing."""
    in_query: ClassVar[frozenset[str]] = frozenset()
    """Fields that go into the query of a POST."""
    max_bytes: ClassVar[int] = 64 * 1024 * 1024
    """The largest accepted reply, in bytes."""

    if not TYPE_CHECKING:

        def __class_getitem__(cls, reply: object) -> object:
            """`Call[SomeReply]`, for each of which pydantic would make another class: 0.4 MB, and a part of the start."""
            if isinstance(reply, TypeVar):
                return super().__class_getitem__(reply)
            return GenericAlias(cls, reply)

    def url(self) -> str:
        """Path and query. Raises `BadArgument` for a value that would leave its path segment."""
        names = self.path_names()
        path = self.path.format_map({name: path_segment(name, getattr(self, name)) for name in names})
        include = None
        if self.method in ("POST", "PATCH", "PUT"):
            if not self.in_query:
                return path
            include = set(self.in_query)
        query = self.model_dump(mode="json", exclude_none=True, by_alias=True, include=include, exclude=set(names))
        if not query:
            return path
        lowered = {k: str(v).lower() if isinstance(v, bool) else v for k, v in query.items()}
        return f"{path}?{urlencode(lowered, doseq=True)}"

    def body(self) -> bytes | None:
        """The JSON body; None if there is none."""
        exclude = {*self.path_names(), *self.in_query}
        if self.method not in ("POST", "PATCH", "PUT") or type(self).model_fields.keys() <= exclude:
            return None
        return self.model_dump_json(exclude_none=True, by_alias=True, exclude=exclude).encode()

    def payload(self) -> tuple[bytes | httpx2.AsyncByteStream | None, dict[str, str]]:
        """The body to send, or a stream of it, and its headers."""
        body = self.body()
        if body is None:
            return None, {} if self.method in ("GET", "DELETE") else {"content-length": "0"}
        return body, {"content-type": "application/json", "content-length": str(len(body))}

    def measure(self, reply: ReplyT, meter: Meter) -> None:
        """Count a reply's usage; by default there is none."""

    @classmethod
    def path_names(cls) -> tuple[str, ...]:
        """The fields that are part of the path."""
        return _path_names(cls.path)

    @classmethod
    def is_binary(cls) -> bool:
        """Whether the reply is a file rather than JSON."""
        return _reply_type(cls) is bytes

    @classmethod
    def read(cls, body: bytes) -> ReplyT:
        """The reply in a body. Raises `ValidationError`."""
        kind = _reply_type(cls)
        if kind is bytes:
            return cast("ReplyT", body)
        return cast("ReplyT", None if kind is None else _adapter(cls).validate_json(body))


@cache
def _reply_type(call: type[Call[Any]]) -> Any:
    for base in call.__mro__:
        for parent in vars(base).get("__orig_bases__", ()):
            if isinstance(parent, GenericAlias) and not isinstance(kind := parent.__args__[0], TypeVar):
                return kind
    raise TypeError(f"{call.__name__} does not say what its reply is: subclass Call[SomeReply]")


@cache
def _adapter(call: type[Call[Any]]) -> TypeAdapter[Any]:
    """Built on first use: most processes use a few endpoints only."""
    return TypeAdapter(_reply_type(call))


@cache
def _path_names(path: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\{(\w+)\}", path))


def path_segment(name: str, value: object) -> str:
    """One path segment. Some proxies resolve dots even when they are encoded, so they are refused."""
    text = str(value)
    if len(text) > _LONGEST_ID:
        raise BadArgument(f"{name} is longer than {_LONGEST_ID} characters.", "Use the id as listed.")
    if not text.strip() or text.strip(".") == "" or re.search(r"[/\\?#%\x00-\x20\x7f]", text):
        raise BadArgument(f"{name} is not a valid id.", "Use the id as listed, without slashes or spaces.")
    return quote(text, safe=":@,+=~!$&'()*;")
