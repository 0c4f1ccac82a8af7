"""Toolset `core`: moderation."""

from typing import Annotated

from pydantic import BaseModel, Field

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.api.messages import conversation, send_conversation
from mistral_mcp.mistral.api.moderations import ChatModerationCall, ModerationCall
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result, Usage, usage_of

toolset = Toolset()


class Verdict(BaseModel):
    """What was found in one input."""

    flagged: bool
    categories: list[str] = Field(description="Names flagged.")
    scores: dict[str, float]


class Moderation(Result):
    """One verdict for each input, or one for a conversation's last message."""

    flagged: bool
    results: list[Verdict]
    model: str
    usage: Maybe[Usage] = None

    def to_text(self) -> str:
        lines = [f"[{index}] {_verdict(result)}" for index, result in enumerate(self.results)]
        return "\n".join(lines)


def _verdict(result: Verdict) -> str:
    if not result.flagged:
        return "not flagged"
    return "flagged: " + ", ".join(f"{name} {result.scores.get(name, 0):.2f}" for name in result.categories)


@toolset.tool("Moderate content", effect="reads")
async def mistral_moderate(
    mistral: Mistral,
    inputs: Annotated[list[str] | None, Field(description="Texts.", min_length=1, max_length=512)] = None,
    messages: Annotated[
        list[parameters.Turn] | None, Field(description="A conversation, judged by its last message.", min_length=1)
    ] = None,
    model: parameters.Model = None,
) -> Moderation:
    """Check texts or a conversation for harmful content: hate, violence, self-harm, personal data. Give one of the two."""
    if (inputs is None) == (messages is None):
        both = "both are given" if inputs else "both are missing"
        raise BadArgument(f"Either inputs or messages is moderated, and {both}.", "Give one of the two.")
    name = model or mistral.settings.moderation_model
    if messages is not None:
        reply = await send_conversation(
            conversation(messages),
            lambda turns: mistral.send(ChatModerationCall(model=name, input=turns), model=name),
        )
    else:
        reply = await mistral.send(ModerationCall(model=name, input=inputs or []), model=name)
    if len(reply.results) != len(inputs or [messages]):
        raise mistral.unusable_reply("does not hold one verdict for each input")
    results = [
        Verdict(
            flagged=any(result.categories.values()),
            categories=[category for category, flagged in result.categories.items() if flagged],
            scores=result.category_scores,
        )
        for result in reply.results
    ]
    return Moderation(
        flagged=any(result.flagged for result in results),
        results=results,
        model=reply.model or name,
        usage=usage_of(mistral, reply.model or name, reply.usage) if reply.usage else None,
    )
