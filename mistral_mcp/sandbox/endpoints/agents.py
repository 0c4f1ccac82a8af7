"""`POST /v1/agents/completions`: the deprecated agents API, a chat whose model and instructions are an agent's."""

import re
from typing import Any

from mistral_mcp.sandbox.endpoints.chat import Asked, ChatRequest, answered
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import refusal
from mistral_mcp.sandbox.protocol.replies import Reply

AGENT = re.compile(r"^ag[_:](?!.*unknown)")
MODEL = "mistral-medium-latest"
"""What every agent runs on."""


class AgentRequest(Asked):
    agent_id: str


def check_agent(agent_id: str) -> None:
    """Any agent will do, except those with `unknown` in their id."""
    if not AGENT.match(agent_id):
        raise refusal(404, f"Agent {agent_id} not found.", "not_found_error")


def complete(call: Call) -> Reply:
    """Answer as the agent."""
    body = call.body(AgentRequest)
    check_agent(body.agent_id)
    asked: dict[str, Any] = {name: value for name, value in body if name != "agent_id"}
    return answered(call, ChatRequest.model_construct(model=MODEL, **asked))


ENDPOINTS = (Endpoint("POST", "/v1/agents/completions", complete),)
