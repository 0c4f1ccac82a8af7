"""Mistral's models as MCP tools.

from mistral_mcp import Settings, create_server
from mistral_mcp.credentials import from_key

server = create_server(Settings(), from_key("..."))
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mistral_mcp.server import create_server
    from mistral_mcp.settings import Settings

__all__ = ["Settings", "__version__", "create_server"]


def __getattr__(name: str) -> object:
    """The public names, imported on first access: `mistral-mcp --help` needs neither."""
    if name == "create_server":
        from mistral_mcp.server import create_server  # noqa: PLC0415

        return create_server
    if name == "Settings":
        from mistral_mcp.settings import Settings  # noqa: PLC0415

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
