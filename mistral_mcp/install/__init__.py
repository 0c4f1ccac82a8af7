"""What each MCP host wants to be told: for `mistral-mcp install`, the connect page and the manifests."""

from mistral_mcp.install.hosts import HOSTS, Host, Machine, Scope, is_secret_url, remote_entry, stdio_entry
from mistral_mcp.install.snippets import Snippet, deeplink, snippets

__all__ = [
    "HOSTS",
    "Host",
    "Machine",
    "Scope",
    "Snippet",
    "deeplink",
    "is_secret_url",
    "remote_entry",
    "snippets",
    "stdio_entry",
]
