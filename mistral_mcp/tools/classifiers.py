"""Toolset `classifiers`: classification by a model that was fine-tuned for it."""

from typing import Annotated

from pydantic import BaseModel, Field

from mistral_mcp.mistral.api.classifications import (
    ChatClassificationCall,
    ClassificationCall,
    ClassificationReply,
    TargetReply,
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


class Target(BaseModel):
    """The classifier's answer for one target."""

    label: str | None = Field(description="the best; null where there is none")
    scores: dict[str, float]

    @classmethod
    def of(cls, reply: TargetReply) -> "Target":
        return cls(label=max(reply.scores, key=reply.scores.__getitem__, default=None), scores=reply.scores)

    def without_low_scores(self) -> "Target":
        """With the score of the best alone."""
        scores = {name: score for name, score in self.scores.items() if name == self.label}
        return self.model_copy(update={"scores": scores})

    def text(self) -> str:
        if self.label is None:
            return "none"
        return f"{self.label} {self.scores[self.label]:.2f}"


class Classification(Result):
    """Results by target, for each input or for the conversation."""

    results: list[dict[str, Target]]
    model: str
    usage: Maybe[Usage] = None
    kept: Maybe[Kept] = Field(default=None, description="the results with all scores")

    def to_text(self) -> str:
        lines = [f"[{index}] {_targets_text(targets)}" for index, targets in enumerate(self.results)]
        if self.kept is not None:
            lines.append(f"\nAll scores are kept. {self.kept.note()}")
        return "\n".join(lines)


def _targets_text(targets: dict[str, Target]) -> str:
    return ", ".join(f"{name}: {target.text()}" for name, target in targets.items())


@toolset.tool("Classify", effect="reads", charge=Charge(is_split=True))
async def mistral_classify(
    mistral: Mistral,
    kept_results: KeptResults,
    model: Annotated[str, Field(description="Classifier's id, ft:classifier:….", min_length=1, max_length=256)],
    inputs: Annotated[
        list[parameters.Text] | None, Field(description="Texts.", min_length=1, max_length=512)
    ] = None,
    messages: Annotated[parameters.Messages, Field(description="Or a conversation.")] = None,
) -> Classification:
    """Label texts or a conversation with your own fine-tuned classifier."""
    exactly_one_of(inputs=inputs, messages=messages)
    async with needs_capability(mistral, model, "classification"):
        reply = await _classify(mistral, model, inputs or [], messages)
    if len(reply.results) != len(inputs or [messages]):
        raise mistral.unusable_reply("does not hold one result for each input")
    results = [_targets(targets) for targets in reply.results]
    kept = await keep_if_large(results, kept_results, "classification.json")
    if kept is not None:
        results = [_best_scores(targets) for targets in results]
    return Classification(
        results=results,
        model=reply.model or model,
        usage=usage_of(mistral, reply.model or model, reply.usage) if reply.usage else None,
        kept=kept,
    )


async def _classify(
    mistral: Mistral, model: str, inputs: list[str], messages: list[Message] | None
) -> ClassificationReply:
    if messages is None:
        return await mistral.send(ClassificationCall(model=model, input=inputs), model=model)
    return await send_conversation(
        conversation(messages),
        lambda turns: mistral.send(ChatClassificationCall(model=model, input={"messages": turns}), model=model),
    )


def _targets(reply: dict[str, TargetReply]) -> dict[str, Target]:
    return {name: Target.of(target) for name, target in reply.items()}


def _best_scores(targets: dict[str, Target]) -> dict[str, Target]:
    return {name: target.without_low_scores() for name, target in targets.items()}
