"""Toolset `core`: chat."""

from mistral_mcp.json_schema import compile_schema
from mistral_mcp.mistral.api.chat import ChatCall, response_format_of
from mistral_mcp.mistral.api.completions import complete
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.kept import KeptResults
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Answer, usage_of
from mistral_mcp.usage.bounds import Charge

toolset = Toolset()


@toolset.tool("Chat with Mistral", effect="reads", charge=Charge())
async def mistral_chat(
    mistral: Mistral,
    kept_results: KeptResults,
    prompt: parameters.Prompt = None,
    messages: parameters.Messages = None,
    system: parameters.System = None,
    model: parameters.Model = None,
    images: parameters.Images = None,
    documents: parameters.Documents = None,
    temperature: parameters.Temperature = None,
    top_p: parameters.TopP = None,
    max_tokens: parameters.MaxTokens = None,
    stop: parameters.Stop = None,
    random_seed: parameters.RandomSeed = None,
    json_schema: parameters.JsonSchema = None,
    response_format: parameters.ResponseFormat = None,
    reasoning_effort: parameters.ReasoningEffort = None,
) -> Answer:
    """Ask a Mistral model, with images and documents. Give prompt or messages."""
    if json_schema is not None:
        schema = await compile_schema(json_schema, where="json_schema")
    else:
        schema = None
    call = ChatCall(
        model=model or mistral.settings.chat_model,
        messages=await parameters.build_messages(
            mistral, prompt, messages, system, images=images, documents=documents
        ),
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        stop=stop,
        random_seed=random_seed,
        response_format=response_format_of(json_schema, response_format),
        reasoning_effort=reasoning_effort,
    )
    reply = await complete(mistral, call)
    answer = Answer(
        text=reply.text,
        model=reply.model or call.model,
        finish_reason=reply.finish_reason,
        usage=usage_of(mistral, reply.model or call.model, reply.usage),
        parsed=await parameters.parsed_answer(reply, schema, response_format),
        thinking=reply.thinking or None,
    )
    return await answer.fit(kept_results)
