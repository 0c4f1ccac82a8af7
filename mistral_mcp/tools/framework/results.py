"""Result models of tools: the base class, usage, and small parts that results share."""

from typing import Annotated, ClassVar, Self

from mcp_types import ContentBlock
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from mistral_mcp.mistral.api.chat import CUT_SHORT
from mistral_mcp.mistral.api.usage import UsageReply, consumption_of, token_cost
from mistral_mcp.mistral.call import Maybe, Reply, is_none
from mistral_mcp.mistral.catalog import Per
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.tools.framework.kept import LONG, Kept, KeptResults

MaybeJson = Annotated[JsonValue, Field(exclude_if=is_none)]
"""Like `Maybe`, for any JSON value."""


class Result(BaseModel):
    """A tool's result. Its fields are the structured content; both these and the text must make sense alone."""

    model_config = ConfigDict(protected_namespaces=())

    has_own_bound: ClassVar[bool] = False
    """Whether the tool itself bounds its size."""

    @classmethod
    def from_reply(cls, reply: Reply, **members: object) -> Self:
        """A result with a reply's members; `members` are added, or replace them."""
        return cls.model_validate({**dict(reply), **members})

    def to_text(self) -> str:
        """The text content, written for a reader."""
        raise NotImplementedError

    def extra_content(self) -> list[ContentBlock]:
        """Further content that is neither text nor fields, such as pictures."""
        return []


class Deleted(Result):
    """The result of a deletion."""

    id: str
    deleted: bool = True

    def to_text(self) -> str:
        if self.deleted:
            return f"{self.id} is deleted."
        return f"{self.id} was not deleted."


class Usage(BaseModel):
    """Tokens of this call, and what they cost."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: Maybe[int] = None
    cost_usd: float | None = Field(description="null where the price is unknown")


class Answer(Result):
    """A model's answer."""

    text: str
    model: str
    finish_reason: str
    usage: Usage
    parsed: MaybeJson = Field(default=None, description="the answer as JSON, where that was asked for")
    thinking: Maybe[str] = None
    kept: Maybe[Kept] = None

    async def fit(self, kept_results: KeptResults) -> Self:
        """The answer; a text too long to show is stored."""
        self.text, self.kept = await kept_results.keep_if_long(
            self.text, filename="answer.md", mime_type="text/markdown"
        )
        if self.kept is not None:
            self.parsed = None  # it repeats the whole text
        if self.thinking is not None and len(self.thinking) > LONG:
            self.thinking = f"{self.thinking[:LONG]}…"
        return self

    def to_text(self) -> str:
        return self.text + kept_note(self.kept, self.text) + cut_note(self.finish_reason)


def kept_note(kept: Kept | None, shown: str) -> str:
    """A note on how much of a text is shown, and where the rest is."""
    if kept is None:
        return ""
    return f"\n\n{kept.note(len(shown))}"


def cut_note(finish_reason: str) -> str:
    """A sentence for a reader, where an answer ends because it reached its maximum length."""
    if finish_reason in CUT_SHORT:
        return "\n\n[The answer is cut: it reached the maximum number of tokens.]"
    return ""


class UnitUsage(BaseModel):
    """Usage that is not counted in tokens; subclasses add the unit."""

    cost_usd: float | None = Field(description="null where the price is unknown")


def usage_of(mistral: MistralClient, model: str, reply: UsageReply | None, *, batch: bool = False) -> Usage:
    """The usage of a reply, priced by the dated catalogue if the reply reports it."""
    used = mistral.meter.of_reply(reply)
    if used is None or used.model != model or batch:
        cost = token_cost(mistral.catalog, model, reply, regional=mistral.meter.regional, batch=batch)
        used = consumption_of(model, reply, cost)
    return Usage(
        prompt_tokens=used.prompt_tokens,
        completion_tokens=used.completion_tokens,
        total_tokens=used.total_tokens,
        cached_tokens=used.cached_tokens or None,
        cost_usd=used.cost_usd,
    )


def unit_cost_of(mistral: MistralClient, model: str, amount: float | None, per: Per) -> float | None:
    """The cost of an amount of pages, minutes or characters on this route; None if unknown."""
    if amount is None:
        return None
    return mistral.catalog.unit_cost_usd(model, amount, per, regional=mistral.meter.regional)
