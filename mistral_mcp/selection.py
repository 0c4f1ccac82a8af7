"""Which tools a caller gets: within the operator's bound, within the connection's, what the request selects.

| | toolsets | read only |
|---|---|---|
| operator | `TOOLSETS`; unset: `core,models`, and callers may select any | `READ_ONLY` |
| connection | what it was made with | what it was made with |
| request | `X-MCP-Toolsets: core,files`, `?toolsets=core,files` | `X-MCP-Readonly: true`, `?read_only=true` |

Each line can only narrow what the lines above it allow. Names a request may not have are passed over, so that one URL
serves servers of different versions; a request of which nothing is left is refused.
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
"""Where the HTTP front leaves a request's selection in the ASGI scope."""

_NOTHING: Mapping[str, str] = MappingProxyType({})
_FALSE = frozenset({"", "false", "f", "no", "n", "off", "0"})


@dataclass(frozen=True)
class Selection:
    """What one request may list and call."""

    toolsets: tuple[str, ...]
    read_only: bool


def selection_of(request: HTTPConnection | None) -> Selection | None:
    """What the HTTP front found for this request; None on stdio and in memory."""
    if request is not None:
        return request.scope.get(SCOPE)
    return None


@dataclass(frozen=True)
class AllowedToolsets:
    """What may be selected, and what is where nothing is selected."""

    allowed: tuple[str, ...]
    chosen: tuple[str, ...]
    read_only: bool

    @classmethod
    def of(cls, settings: Settings) -> "AllowedToolsets":
        """The operator's. Raises `BadSetting` for a toolset that does not exist."""
        if settings.toolsets is None:
            return cls(tuple(TOOLSETS), DEFAULT, settings.read_only)
        for name in settings.toolsets:
            if name not in TOOLSETS and name != "all":
                meant = nearest(name, TOOLSETS)
                raise BadSetting(
                    f"MISTRAL_MCP_TOOLSETS names {name!r}, and there is no such toolset"
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
        """What a request gets. Raises `NothingSelected`."""
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
    """Those of the allowed that are named, in the order of `TOOLSETS`."""
    wanted = set(names)
    if "all" in wanted:
        wanted |= set(TOOLSETS) - RETIRED
    return tuple(name for name in allowed if name in wanted)
