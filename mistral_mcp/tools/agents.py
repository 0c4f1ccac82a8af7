"""Toolset `agents`: agents that were created at Mistral."""

from typing import Annotated

from pydantic import Field, JsonValue

from mistral_mcp.json_schema import compile_schema
from mistral_mcp.mistral.api.chat import AgentCall, response_format_of
from mistral_mcp.mistral.api.completions import complete
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.functions import (
    AnyFunction,
    FunctionCall,
    Functions,
    ToolChoice,
    assistant_message,
    calls_text,
)
from mistral_mcp.tools.framework.kept import KeptResults
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Answer, Maybe, usage_of
from mistral_mcp.usage.bounds import Charge

toolset = Toolset()


class AgentAnswer(Answer):
    """An agent's answer, or its function calls."""

    calls: list[FunctionCall]
    assistant_message: Maybe[dict[str, JsonValue]] = Field(
        default=None, description="with calls: the message to put before their results"
    )

    def to_text(self) -> str:
        return calls_text(self.calls, super().to_text())


@toolset.tool("Ask an agent", effect="reads", charge=Charge())
async def mistral_agent_complete(
    mistral: Mistral,
    kept_results: KeptResults,
    agent_id: Annotated[
        str,
        Field(description="ag_…, as Mistral's console or GET /v1/agents lists it.", min_length=1, max_length=100),
    ],
    prompt: parameters.Prompt = None,
    messages: parameters.MessagesWithCalls = None,
    max_tokens: parameters.MaxTokens = None,
    stop: parameters.Stop = None,
    random_seed: parameters.RandomSeed = None,
    functions: Annotated[
        list[AnyFunction] | None, Field(description="Functions it may call.", max_length=128)
    ] = None,
    tool_choice: ToolChoice = None,
    response_format: parameters.ResponseFormat = None,
    json_schema: parameters.JsonSchema = None,
) -> AgentAnswer:
    """Ask an agent that was created at Mistral, with its own model and instructions. Nothing is stored."""
    if json_schema is not None:
        schema = await compile_schema(json_schema, where="json_schema")
    else:
        schema = None
    # The agent may have functions of its own.
    known = await Functions.compile(functions or [], others=True)
    call = AgentCall(
        agent_id=agent_id,
        messages=await parameters.build_messages(mistral, prompt, messages),
        max_tokens=max_tokens,
        stop=stop,
        random_seed=random_seed,
        tools=known.to_api() or None,
        tool_choice=known.tool_choice(tool_choice),
        response_format=response_format_of(json_schema, response_format),
    )
    reply = await complete(mistral, call)
    calls = await known.check_reply(reply)
    answer = AgentAnswer(
        text=reply.text,
        model=reply.model,
        finish_reason=reply.finish_reason,
        usage=usage_of(mistral, reply.model, reply.usage),
        parsed=None if calls else await parameters.parsed_answer(reply, schema, response_format),
        thinking=reply.thinking or None,
        calls=calls,
        assistant_message=assistant_message(reply) if calls else None,
    )
    return await answer.fit(kept_results)
