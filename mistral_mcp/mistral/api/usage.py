"""Token counts as Mistral reports them. Any member may be null or missing."""

from typing import Annotated, Generic, TypeVar

from pydantic import BeforeValidator

from mistral_mcp.mistral.call import Call, Reply, null_is
from mistral_mcp.mistral.catalog import Catalog
from mistral_mcp.mistral.consumption import Consumption, Meter

NumberT = TypeVar("NumberT", int, float)


def _number(value: object) -> object:
    """The number; None for the empty object that Mistral may send if there is no audio."""
    if isinstance(value, int | float):
        return value
    return None


class PromptDetails(Reply):
    cached_tokens: int | None = None


class UsageReply(Reply):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    num_cached_tokens: int | None = None
    """Cached input is reported in one of three places; it is a part of `prompt_tokens`."""
    prompt_tokens_details: PromptDetails | None = None
    prompt_token_details: PromptDetails | None = None
    prompt_audio_seconds: Annotated[float | None, BeforeValidator(_number)] = None
    """Audio in a chat, or in a transcription."""
    service_tier: str | None = None

    @property
    def cached_tokens(self) -> int:
        if self.num_cached_tokens:
            return self.num_cached_tokens
        for details in (self.prompt_tokens_details, self.prompt_token_details):
            if details and details.cached_tokens:
                return details.cached_tokens
        return 0

    def __add__(self, other: "UsageReply") -> "UsageReply":
        """The sum of two requests of one tool call; what neither reported stays unknown."""
        return UsageReply(
            prompt_tokens=_sum(self.prompt_tokens, other.prompt_tokens),
            completion_tokens=_sum(self.completion_tokens, other.completion_tokens),
            total_tokens=_sum(self.total_tokens, other.total_tokens),
            num_cached_tokens=self.cached_tokens + other.cached_tokens,
            prompt_audio_seconds=_sum(self.prompt_audio_seconds, other.prompt_audio_seconds),
            service_tier=other.service_tier or self.service_tier,
        )


class TokenReply(Reply):
    """A reply that counts its tokens."""

    model: Annotated[str, null_is("")] = ""
    usage: UsageReply | None = None


TokenReplyT = TypeVar("TokenReplyT", bound=TokenReply)


class TokenCall(Call[TokenReplyT], Generic[TokenReplyT]):
    """A call that is paid by the token."""

    @property
    def model_name(self) -> str:
        """The model, as far as the caller knows it."""
        return ""

    def measure(self, reply: TokenReplyT, meter: Meter) -> None:
        meter_tokens(meter, reply.model or self.model_name, reply.usage)


class ModelCall(TokenCall[TokenReplyT], Generic[TokenReplyT]):
    """A call that names its model, and computes without storing anything."""

    repeatable = True

    model: str

    @property
    def model_name(self) -> str:
        return self.model


def token_cost(
    catalog: Catalog, model: str, usage: UsageReply | None, *, regional: bool, batch: bool = False
) -> float | None:
    """The cost of the tokens; None if they were not reported, or a price is unknown."""
    if usage is None or usage.prompt_tokens is None:
        return None
    # Embedding models may report no completion tokens at all.
    if usage.completion_tokens is None and usage.total_tokens != usage.prompt_tokens:
        return None
    return catalog.cost_usd(
        model,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens or 0,
        cached_tokens=usage.cached_tokens,
        audio_seconds=usage.prompt_audio_seconds or 0,
        regional=regional,
        batch=batch,
        priority=usage.service_tier == "priority",
    )


def meter_tokens(meter: Meter, model: str, usage: UsageReply | None) -> None:
    """Count a reply's tokens, and what they cost."""
    cost = token_cost(meter.catalog, model, usage, regional=meter.regional)
    meter.add(consumption_of(model, usage, cost), usage)


def consumption_of(model: str, usage: UsageReply | None, cost_usd: float | None) -> Consumption:
    """A reply's tokens and seconds, with their cost."""
    counted = usage or UsageReply()
    prompt, completion = counted.prompt_tokens or 0, counted.completion_tokens or 0
    return Consumption(
        model,
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=counted.total_tokens or prompt + completion,
        cached_tokens=counted.cached_tokens,
        seconds=counted.prompt_audio_seconds or 0,
        cost_usd=cost_usd,
    )


def _sum(one: NumberT | None, other: NumberT | None) -> NumberT | None:
    if one is None:
        return other
    if other is None:
        return one
    return one + other
