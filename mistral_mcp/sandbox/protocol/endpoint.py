"""Endpoints, how a request's path is matched to one, and what it receives."""

import functools
import re
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from starlette.routing import compile_path

from mistral_mcp.sandbox.protocol.errors import invalid_body, invalid_fields
from mistral_mcp.sandbox.protocol.forms import Form
from mistral_mcp.sandbox.protocol.rate_limits import Limits, Meter
from mistral_mcp.sandbox.protocol.replies import Reply
from mistral_mcp.sandbox.protocol.request import Received
from mistral_mcp.sandbox.protocol.strict import ErrorShape, LaxShape, Shape, parse, parse_fields

Section = TypeVar("Section")


@dataclass
class Account:
    """The state of one key: its rate limits, cached prompts, and the objects it has created."""

    key: str
    limits: Limits
    now: Callable[[], float]
    meters: dict[str, Meter] = field(default_factory=dict[str, Meter])
    cached_prompts: set[str] = field(default_factory=set[str])
    _sections: dict[type, Any] = field(default_factory=dict[type, Any])
    _numbers: Counter[str] = field(default_factory=Counter[str])

    def meter(self, model: str) -> Meter:
        """The key's use of the model, counted against its rate limits."""
        return self.meters.setdefault(model, Meter(self.limits, self.now))

    def section(self, kind: type[Section]) -> Section:
        """The key's objects in one section of the API, such as `Files`; empty at first."""
        return cast("Section", self._sections.setdefault(kind, kind()))

    def new_id(self, kind: str) -> str:
        """The UUID of the next object of this kind. The nth id of a kind is the same in every run."""
        self._numbers[kind] += 1
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.key}/{kind}/{self._numbers[kind]}"))


@dataclass(frozen=True)
class Call:
    """One authorised request to an endpoint."""

    request: Received
    key: str
    account: Account
    params: dict[str, str]
    form: Form | None = None

    def body(self, shape: type[Shape], error: ErrorShape = invalid_body) -> Shape:
        """The body, validated; 422 if it does not fit the shape."""
        return parse(shape, self.request.body, error)

    def query(self, shape: type[LaxShape]) -> LaxShape:
        """The query parameters, validated; 422 in shape C if they do not fit."""
        query = self.request.query
        return parse_fields(shape, {name: query.getlist(name) for name in query}, "query")

    def uuid(self, name: str) -> str:
        """A path parameter that has to be a UUID; 422 in shape C if it is not."""
        written = self.params[name]
        try:
            return str(uuid.UUID(written))
        except ValueError:
            message = "Input should be a valid UUID"
            detail = {
                "type": "uuid_parsing",
                "loc": ["path", name],
                "msg": message,
                "input": written,
            }
            raise invalid_fields([detail]) from None


@dataclass(frozen=True)
class Endpoint:
    """A method, a path (with `{names}` for its parameters), and the function that answers."""

    method: str
    path: str
    answer: Callable[[Call], Reply]

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters in this path, or None if it does not match."""
        found = self._pattern.match(path)
        return found and found.groupdict()

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        return compile_path(self.path)[0]
