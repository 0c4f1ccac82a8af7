"""A log line for each tool call: who, what, its outcome and its cost; no content, no text of the caller."""

import logging
import re
from collections.abc import Sequence
from functools import lru_cache

from mistral_mcp.logs import Members
from mistral_mcp.usage.calls import OTHER, CallRecord

_log = logging.getLogger("mistral_mcp.audit")

_CLIENTS = {
    "claude-code": "claude-code",
    "claude": "claude",
    "codex": "codex",
    "gemini": "gemini",
    "vibe": "vibe",
    "le-chat": "le-chat",
    "cursor": "cursor",
    "visual studio code": "vscode",
    "vscode": "vscode",
    "copilot": "copilot",
    "openai": "openai",
    "chatgpt": "openai",
    "windsurf": "windsurf",
    "zed": "zed",
    "goose": "goose",
    "cline": "cline",
    "continue": "continue",
    "opencode": "opencode",
    "jetbrains": "jetbrains",
    "librechat": "librechat",
    "lm studio": "lm-studio",
    "lmstudio": "lm-studio",
    "n8n": "n8n",
    "inspector": "inspector",
    "mcp-remote": "mcp-remote",
}
"""Substrings of known clients' names, and the label of each. The first match counts."""
_CLIENT = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in _CLIENTS))


@lru_cache(maxsize=1024)
def client_label(name: str | None) -> str | None:
    """A client's label, of a closed set, since clients may send any name; None if it sent none."""
    if name is None:
        return None
    found = _CLIENT.search(name.lower())
    if found is None:
        return OTHER
    return _CLIENTS[found[0]]


class AuditLog:
    """A `CallObserver`."""

    def calls_ended(self, records: Sequence[CallRecord]) -> None:
        if _log.isEnabledFor(logging.INFO):
            for record in records:
                self._write(record)

    def _write(self, record: CallRecord) -> None:
        used = record.used
        members = {
            "event": "tool_call",
            "request_id": record.request_id,
            "correlation_id": record.correlation_id,
            "connection_id": record.connection_id,
            "client": client_label(record.client),
            "tool": record.tool,
            "model": record.model,
            "route": record.route,
            "outcome": record.outcome,
            "status": record.status,
            "attempts": record.attempts,
            "ms": record.ms,
            "prompt_tokens": used.prompt_tokens,
            "completion_tokens": used.completion_tokens,
            "cost_usd": used.cost_usd,
        }
        line = _log.makeRecord(_log.name, logging.INFO, "", 0, "tool_call %s", (Members(members),), None)
        line.created, line.msecs = record.ended_at, record.ended_at % 1 * 1000
        _log.handle(line)
