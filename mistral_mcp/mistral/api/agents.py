"""Completions by an agent that was made in Mistral's console or by its API.

Source: `POST /v1/agents/completions`. Mistral calls this API deprecated, in favour of
conversations with an `agent_id`.
"""

from mistral_mcp.mistral.api.chat import Conversational


class AgentCall(Conversational):
    """A chat whose model, instructions and sampling are the agent's."""

    path = "/v1/agents/completions"

    agent_id: str
