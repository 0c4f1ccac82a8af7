"""Completions by an agent that was made in Mistral's console or by its API.

Source: `POST /v1/agents/completions`. Mistral calls this API deprecated, in favour of
conversations with an `agent_id`.
"""

from pydantic import JsonValue

from mistral_mcp.mistral.api.chat import Completion


class AgentCall(Completion):
    """A chat whose model, instructions and sampling are the agent's."""

    path = "/v1/agents/completions"

    agent_id: str
    messages: list[dict[str, JsonValue]]
    response_format: dict[str, JsonValue] | None = None
    tools: list[dict[str, JsonValue]] | None = None
    tool_choice: str | dict[str, JsonValue] | None = None
