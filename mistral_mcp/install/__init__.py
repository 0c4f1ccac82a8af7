"""The entry of this server for each MCP host: for `mistral-mcp install`, the connect page and the manifests."""

from mistral_mcp.install.deeplinks import deeplink
from mistral_mcp.install.entries import is_secret_url
from mistral_mcp.install.hosts import HOSTS, Host, Scope, remote_entry, stdio_entry
from mistral_mcp.install.machine import Machine, start_command
from mistral_mcp.install.snippets import Snippet, snippets

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
    "start_command",
    "stdio_entry",
]
