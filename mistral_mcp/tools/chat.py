"""Toolset `core`: chat."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from mistral_mcp.json_schema import CallerSchema
from mistral_mcp.mistral.api.chat import ChatCall, complete, response_format_of
from mistral_mcp.tools.framework import parameters as ask
from mistral_mcp.tools.framework.toolset import Mistral, Result, Toolset, Usage, absent, usage_of

toolset = Toolset()


class Chat(Result):
    """A model's answer."""

    text: str
    model: str
    finish_reason: str
    usage: Usage
    parsed: JsonValue = Field(default=None, exclude_if=absent, description="The answer as JSON, with json_schema.")
    thinking: str | None = Field(default=None, exclude_if=absent)

    def for_reader(self) -> str:
        return self.text


@toolset.tool("Chat with Mistral", effect="reads")
async def mistral_chat(
    mistral: Mistral,
    prompt: ask.Prompt = None,
    messages: ask.Messages = None,
    system: ask.System = None,
    model: ask.Model = None,
    images: ask.Images = None,
    temperature: ask.Temperature = None,
    top_p: ask.TopP = None,
    max_tokens: ask.MaxTokens = None,
    stop: ask.Stop = None,
    random_seed: ask.RandomSeed = None,
    json_schema: ask.JsonSchema = None,
    response_format: Annotated[
        Literal["text", "json_object"] | None, Field(description="json_object: any JSON; ask for it too.")
    ] = None,
    reasoning_effort: Annotated[str | None, Field(description="none or high; some models know more.")] = None,
) -> Chat:
    """Ask a Mistral model: questions, writing, translation, images, data as JSON. Give prompt or messages."""
    schema = CallerSchema(json_schema, where="json_schema") if json_schema is not None else None
    call = ChatCall(
        model=model or mistral.settings.chat_model,
        messages=ask.turns(prompt, messages, system, images),
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        stop=stop,
        random_seed=random_seed,
        response_format=response_format_of(json_schema, response_format),
        reasoning_effort=reasoning_effort,
    )
    reply = await complete(mistral, call)
    return Chat(
        text=reply.text,
        model=reply.model or call.model,
        finish_reason=reply.finish_reason,
        usage=usage_of(mistral, reply.model or call.model, reply.usage),
        parsed=ask.parsed_answer(reply, schema) if schema else None,
        thinking=reply.thinking or None,
    )
