"""The conversations of one key."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mistral_mcp.sandbox.protocol.chat_request import CompletionArgs, Guardrail
from mistral_mcp.sandbox.protocol.clock import iso_time
from mistral_mcp.sandbox.protocol.entries import ConversationTool, Entry
from mistral_mcp.sandbox.state.store import Store

AGENT_MODEL = "mistral-medium-latest"
"""The model of agents that were created without one."""


@dataclass
class Conversation:
    """A conversation with its settings and entries."""

    id: str
    model: str | None
    agent_id: str | None
    agent_version: int | str | None = None
    agent_model: str = AGENT_MODEL
    instructions: str | None = None
    tools: Sequence[ConversationTool] = ()
    args: CompletionArgs = field(default_factory=CompletionArgs)
    guardrails: Sequence[Guardrail] = ()
    name: str | None = None
    description: str | None = None
    metadata: dict[str, Any] | None = None
    entries: list[Entry] = field(default_factory=list[Entry])
    created_at: str = field(default_factory=iso_time)
    updated_at: str = field(default_factory=iso_time)

    @property
    def speaker(self) -> dict[str, str | None]:
        """The members of an output entry that name its author."""
        return {"agent_id": self.agent_id, "model": self.model or self.agent_model}


class Conversations(Store[Conversation]):
    """All conversations of one key."""

    missing = "Conversation not found"
