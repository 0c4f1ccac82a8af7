"""Which tools a caller gets: what the request selects, within the limits of the connection and of the operator.

| | toolsets | read only |
|---|---|---|
| operator | `TOOLSETS`; unset: `core,models`, and callers may select any | `READ_ONLY` |
| connection | as chosen when it was created | as chosen when it was created |
| request | `X-MCP-Toolsets: core,files`, `?toolsets=core,files` | `X-MCP-Readonly: true`, `?read_only=true` |

Each line can only narrow what the lines above it allow. Names that a request may not select are ignored, so that one URL
works with servers of different versions; a request that selects nothing allowed is refused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from starlette.requests import HTTPConnection

from mistral_mcp.credentials import Credentials
from mistral_mcp.errors import BadSetting, NothingSelected
from mistral_mcp.settings import Settings
from mistral_mcp.suggest import nearest
from mistral_mcp.tools import DEFAULT, RETIRED, TOOLSETS

SCOPE = "mistral_mcp.selection"
"""Key of the ASGI scope under which the HTTP endpoint stores the request's selection."""

_NOTHING: Mapping[str, str] = MappingProxyType({})
_FALSE = frozenset({"", "false", "f", "no", "n", "off", "0"})


@dataclass(frozen=True)
class Selection:
    """What one request may list and call."""

    toolsets: tuple[str, ...]
    read_only: bool


def selection_of(request: HTTPConnection | None) -> Selection | None:
    """The selection that the HTTP endpoint stored for this request; None on stdio and in memory."""
    if request is not None:
        return request.scope.get(SCOPE)
    return None


@dataclass(frozen=True)
class AllowedToolsets:
    """Which toolsets may be selected, and which are the default."""

    allowed: tuple[str, ...]
    chosen: tuple[str, ...]
    read_only: bool

    @classmethod
    def of(cls, settings: Settings) -> "AllowedToolsets":
        """As the operator's settings allow. Raises `BadSetting` for a toolset that does not exist."""
        if settings.toolsets is None:
            return cls(tuple(TOOLSETS), DEFAULT, settings.read_only)
        for name in settings.toolsets:
            if name not in TOOLSETS and name != "all":
                meant = nearest(name, TOOLSETS)
                raise BadSetting(
                    f"MISTRAL_MCP_TOOLSETS names an unknown toolset, {name!r}"
                    + (f"; did you mean {meant}?" if meant else "."),
                    f"There are {', '.join(TOOLSETS)}, or all.",
                )
        names = _within(tuple(TOOLSETS), settings.toolsets)
        return cls(names, names, settings.read_only)

    def select(
        self,
        credentials: Credentials | None = None,
        headers: Mapping[str, str] = _NOTHING,
        query: Mapping[str, str] = _NOTHING,
    ) -> Selection:
        """The selection of a request. Raises `NothingSelected`."""
        allowed, chosen, read_only = self.allowed, self.chosen, self.read_only
        if credentials is not None:
            read_only = read_only or credentials.read_only
            if credentials.toolsets is not None:
                allowed = chosen = _within(allowed, credentials.toolsets)
        for asked, toolsets_name, read_only_name in (
            (headers, "x-mcp-toolsets", "x-mcp-readonly"),
            (query, "toolsets", "read_only"),
        ):
            if names := asked.get(toolsets_name, "").strip():
                allowed = chosen = _within(allowed, [name.strip().lower() for name in names.split(",")])
            read_only = read_only or asked.get(read_only_name, "").strip().lower() not in _FALSE
        if not chosen:
            raise NothingSelected(
                "None of the toolsets selected is offered here.", f"Select from {', '.join(self.allowed)}."
            )
        return Selection(chosen, read_only)


def _within(allowed: tuple[str, ...], names: Iterable[str]) -> tuple[str, ...]:
    """The allowed toolsets that are named, in the order of `TOOLSETS`."""
    wanted = set(names)
    if "all" in wanted:
        wanted |= set(TOOLSETS) - RETIRED
    return tuple(name for name in allowed if name in wanted)
