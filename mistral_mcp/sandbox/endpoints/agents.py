"""`POST /v1/agents/completions`: the deprecated agents API, a chat whose model and instructions are an agent's."""

import re
from typing import Any

from mistral_mcp.sandbox.endpoints.chat import answer_chat
from mistral_mcp.sandbox.protocol.chat_request import ChatRequest, CompletionFields
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import refusal
from mistral_mcp.sandbox.protocol.replies import Reply
from mistral_mcp.sandbox.state.conversations import AGENT_MODEL

AGENT = re.compile(r"^ag[_:](?!.*unknown)")


class AgentRequest(CompletionFields):
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
    return answer_chat(call, ChatRequest.model_construct(model=AGENT_MODEL, **asked))


ENDPOINTS = (Endpoint("POST", "/v1/agents/completions", complete),)
