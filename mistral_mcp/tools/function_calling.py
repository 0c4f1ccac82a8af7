"""Toolset `core`: function calling. The model chooses functions; the caller runs them."""

import json
from typing import Annotated

from pydantic import Field, JsonValue

from mistral_mcp.mistral.api.chat import ChatCall
from mistral_mcp.mistral.api.completions import complete
from mistral_mcp.mistral.api.usage import UsageReply
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.fitting import keep_beginning
from mistral_mcp.tools.framework.functions import (
    AnyFunction,
    FunctionCall,
    Functions,
    ToolChoice,
    assistant_message,
    calls_text,
)
from mistral_mcp.tools.framework.kept import Kept, KeptResults
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result, Usage, cut_note, kept_note, usage_of
from mistral_mcp.usage.bounds import Charge

toolset = Toolset()


class FunctionCalls(Result):
    """The model's function calls, and the message to put into `messages` before their results."""

    calls: list[FunctionCall]
    text: str
    kept: Maybe[Kept] = None
    assistant_message: dict[str, JsonValue]
    finish_reason: str
    model: str
    usage: Usage

    def to_text(self) -> str:
        return calls_text(self.calls, self.text + kept_note(self.kept, self.text) + cut_note(self.finish_reason))


@toolset.tool("Call functions", effect="reads", charge=Charge())
async def mistral_function_call(
    mistral: Mistral,
    kept_results: KeptResults,
    functions: Annotated[list[AnyFunction], Field(description="Functions.", min_length=1, max_length=128)],
    prompt: parameters.Prompt = None,
    messages: parameters.MessagesWithCalls = None,
    system: parameters.System = None,
    tool_choice: ToolChoice = None,
    parallel_tool_calls: Annotated[bool | None, Field(description="Allow several calls.")] = None,
    model: parameters.Model = None,
    temperature: parameters.Temperature = None,
    top_p: parameters.TopP = None,
    max_tokens: parameters.MaxTokens = None,
    stop: parameters.Stop = None,
    random_seed: parameters.RandomSeed = None,
    max_repairs: Annotated[int, Field(description="Retries for invalid arguments.", ge=0, le=5)] = 0,
) -> FunctionCalls:
    """Let a Mistral model choose functions and their arguments; you run them."""
    known = await Functions.compile(functions)
    call = ChatCall(
        model=model or mistral.settings.chat_model,
        messages=await parameters.build_messages(mistral, prompt, messages, system),
        tools=known.to_api(),
        tool_choice=known.tool_choice(tool_choice),
        parallel_tool_calls=parallel_tool_calls,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        stop=stop,
        random_seed=random_seed,
    )
    reply = await complete(mistral, call)
    calls = await known.check_reply(reply)
    usage = reply.usage or UsageReply()
    for _ in range(max_repairs):
        if all(made.valid for made in calls):
            break
        turns = [*call.messages, assistant_message(reply), *(_complaint(made) for made in calls)]
        # It chose to call functions: when retried, it should not answer in text.
        if call.tool_choice in {None, "auto"}:
            choice = "any"
        else:
            choice = call.tool_choice
        call = call.model_copy(update={"messages": turns, "tool_choice": choice})
        reply = await complete(mistral, call)
        calls = await known.check_reply(reply)
        usage = usage + (reply.usage or UsageReply())
    name = reply.model or call.model
    text, kept = await keep_beginning(reply.text, kept_results)
    return FunctionCalls(
        calls=calls,
        text=text,
        kept=kept,
        assistant_message=assistant_message(reply),
        finish_reason=reply.finish_reason,
        model=name,
        usage=usage_of(mistral, name, usage),
    )


def _complaint(call: FunctionCall) -> dict[str, JsonValue]:
    """The result for a call in a repeated turn: every call needs one."""
    problem = (
        "; ".join(call.errors) or "this call is valid, but another of the same turn is not: repeat it unchanged"
    )
    content = json.dumps({"error": f"Not run: {problem}. Make all calls again, with correct arguments."})
    return {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": content}
