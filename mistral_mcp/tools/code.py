"""Toolset `core`: code completion, fill in the middle."""

from typing import Annotated

from pydantic import Field

from mistral_mcp.mistral.api.chat import FimCall
from mistral_mcp.mistral.api.completions import complete
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.kept import Kept, KeptResults
from mistral_mcp.tools.framework.model_capability import needs_capability
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result, Usage, cut_note, kept_note, usage_of
from mistral_mcp.tools.framework.slim_schema import MAX_INTEGER
from mistral_mcp.usage.bounds import Charge

toolset = Toolset()


class CodeCompletion(Result):
    """The code between prompt and suffix."""

    completion: str
    finish_reason: str
    model: str
    kept: Maybe[Kept] = None
    usage: Usage

    def to_text(self) -> str:
        return self.completion + kept_note(self.kept, self.completion) + cut_note(self.finish_reason)


@toolset.tool("Complete code", effect="reads", charge=Charge("code_model"))
async def mistral_code_complete(
    mistral: Mistral,
    kept_results: KeptResults,
    prompt: Annotated[str, Field(description="Code before the cursor.", min_length=1)],
    suffix: Annotated[str | None, Field(description="Code after it.")] = None,
    model: parameters.Model = None,
    max_tokens: parameters.MaxTokens = None,
    min_tokens: Annotated[int | None, Field(description="Minimum tokens.", ge=0, le=MAX_INTEGER)] = None,
    stop: parameters.Stop = None,
    temperature: parameters.Temperature = None,
    top_p: parameters.TopP = None,
    random_seed: parameters.RandomSeed = None,
) -> CodeCompletion:
    """Complete code with Codestral, after prompt or between prompt and suffix."""
    call = FimCall(
        model=model or mistral.settings.code_model,
        prompt=prompt,
        suffix=suffix,
        max_tokens=max_tokens,
        min_tokens=min_tokens,
        stop=stop,
        temperature=temperature,
        top_p=top_p,
        random_seed=random_seed,
    )
    async with needs_capability(mistral, call.model, "completion_fim"):
        reply = await complete(mistral, call)
    name = reply.model or call.model
    completion, kept = await kept_results.keep_if_long(reply.text, filename="completion.txt")
    return CodeCompletion(
        completion=completion,
        kept=kept,
        finish_reason=reply.finish_reason,
        model=name,
        usage=usage_of(mistral, name, reply.usage),
    )
