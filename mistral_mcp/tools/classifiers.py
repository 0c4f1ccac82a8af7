"""Toolset `classifiers`: classification by a model that was fine-tuned for it."""

from typing import Annotated

from pydantic import BaseModel, Field

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.api.classifications import ChatClassificationCall, ClassificationCall, TargetReply
from mistral_mcp.mistral.api.messages import conversation, send_conversation
from mistral_mcp.tools.framework import parameters
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result, Usage, usage_of

toolset = Toolset()


class Target(BaseModel):
    """One question the classifier answers."""

    label: str | None = Field(description="The best; null where there is none.")
    scores: dict[str, float]

    @classmethod
    def of(cls, reply: TargetReply) -> "Target":
        return cls(label=max(reply.scores, key=reply.scores.__getitem__, default=None), scores=reply.scores)


class Classification(Result):
    """By target, for each input, or for the one conversation."""

    results: list[dict[str, Target]]
    model: str
    usage: Maybe[Usage] = None

    def to_text(self) -> str:
        return "\n".join(
            f"[{index}] " + ", ".join(f"{name}: {_best(target)}" for name, target in targets.items())
            for index, targets in enumerate(self.results)
        )


def _best(target: Target) -> str:
    return "none" if target.label is None else f"{target.label} {target.scores[target.label]:.2f}"


@toolset.tool("Classify", effect="reads")
async def mistral_classify(
    mistral: Mistral,
    model: Annotated[str, Field(description="Id, ft:classifier:….", min_length=1)],
    inputs: Annotated[list[str] | None, Field(description="Texts.", min_length=1, max_length=512)] = None,
    messages: Annotated[
        list[parameters.Turn] | None, Field(description="A conversation, classified as a whole.", min_length=1)
    ] = None,
) -> Classification:
    """Label texts or a conversation with your own fine-tuned classifier. Give one of the two."""
    if (inputs is None) == (messages is None):
        both = "both are given" if inputs else "both are missing"
        raise BadArgument(f"Either inputs or messages is classified, and {both}.", "Give one of the two.")
    if messages is not None:
        reply = await send_conversation(
            conversation(messages),
            lambda turns: mistral.send(ChatClassificationCall(model=model, input={"messages": turns}), model=model),
        )
    else:
        reply = await mistral.send(ClassificationCall(model=model, input=inputs or []), model=model)
    if len(reply.results) != len(inputs or [messages]):
        raise mistral.unusable_reply("does not hold one result for each input")
    return Classification(
        results=[{name: Target.of(target) for name, target in targets.items()} for targets in reply.results],
        model=reply.model or model,
        usage=usage_of(mistral, reply.model or model, reply.usage) if reply.usage else None,
    )
