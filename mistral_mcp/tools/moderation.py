"""Toolset `core`: moderation."""

from typing import Annotated

from pydantic import BaseModel, Field

from mistral_mcp.mistral.api.classifications import (
    ChatModerationCall,
    ModerationCall,
    ModerationReply,
    ModerationResult,
)
from mistral_mcp.mistral.api.messages import Message, conversation, send_conversation
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.arguments import exactly_one_of
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.fitting import keep_if_large
from mistral_mcp.tools.framework.kept import Kept, KeptResults
from mistral_mcp.tools.framework.model_capability import needs_capability
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result, Usage, usage_of
from mistral_mcp.usage.bounds import Charge

toolset = Toolset()

DIGITS = 6
"""Decimals of a score."""


class Verdict(BaseModel):
    """The verdict on one input."""

    flagged: bool
    categories: list[str] = Field(description="names flagged")
    scores: dict[str, float]

    @classmethod
    def of(cls, result: ModerationResult) -> "Verdict":
        return cls(
            flagged=any(result.categories.values()),
            categories=[category for category, flagged in result.categories.items() if flagged],
            scores={category: round(score, DIGITS) for category, score in result.category_scores.items()},
        )

    def without_low_scores(self) -> "Verdict":
        """With the scores of what was flagged alone."""
        scores = {name: self.scores[name] for name in self.categories if name in self.scores}
        return self.model_copy(update={"scores": scores})

    def text(self) -> str:
        if not self.flagged:
            return "not flagged"
        scores = [f"{name} {self.scores.get(name, 0):.2f}" for name in self.categories]
        return f"flagged: {', '.join(scores)}"


class Moderation(Result):
    """One verdict for each input, or one for a conversation's last message."""

    flagged: bool
    results: list[Verdict]
    model: str
    usage: Maybe[Usage] = None
    kept: Maybe[Kept] = Field(default=None, description="the results with all scores")

    def to_text(self) -> str:
        lines = [f"[{index}] {result.text()}" for index, result in enumerate(self.results)]
        if self.kept is not None:
            lines.append(f"\nAll scores are kept. {self.kept.note()}")
        return "\n".join(lines)


@toolset.tool("Moderate content", effect="reads", charge=Charge("moderation_model", is_split=True))
async def mistral_moderate(
    mistral: Mistral,
    kept_results: KeptResults,
    inputs: Annotated[
        list[parameters.Text] | None, Field(description="Texts.", min_length=1, max_length=512)
    ] = None,
    messages: Annotated[parameters.Messages, Field(description="Or a conversation.")] = None,
    model: parameters.Model = None,
) -> Moderation:
    """Check texts or a conversation for harmful content."""
    exactly_one_of(inputs=inputs, messages=messages)
    name = model or mistral.settings.moderation_model
    async with needs_capability(mistral, name, "moderation"):
        reply = await _moderate(mistral, name, inputs or [], messages)
    if len(reply.results) != len(inputs or [messages]):
        raise mistral.unusable_reply("does not hold one verdict for each input")
    results = [Verdict.of(result) for result in reply.results]
    kept = await keep_if_large(results, kept_results, "moderation.json")
    if kept is not None:
        results = [result.without_low_scores() for result in results]
    return Moderation(
        flagged=any(result.flagged for result in results),
        results=results,
        model=reply.model or name,
        usage=usage_of(mistral, reply.model or name, reply.usage) if reply.usage else None,
        kept=kept,
    )


async def _moderate(
    mistral: Mistral, model: str, inputs: list[str], messages: list[Message] | None
) -> ModerationReply:
    if messages is None:
        return await mistral.send(ModerationCall(model=model, input=inputs), model=model)
    return await send_conversation(
        conversation(messages),
        lambda turns: mistral.send(ChatModerationCall(model=model, input=turns), model=model),
    )
