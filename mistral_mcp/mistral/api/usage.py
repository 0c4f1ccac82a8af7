"""Token counts as Mistral reports them. Any member may be null or missing."""

from typing import Annotated, TypeVar

from pydantic import BeforeValidator

from mistral_mcp.mistral.call import Reply

NumberT = TypeVar("NumberT", int, float)


def _number(value: object) -> object:
    """Where there is no audio, Mistral may send an empty object."""
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
    """Cached input is counted in one of three places; it is a part of `prompt_tokens`."""
    prompt_tokens_details: PromptDetails | None = None
    prompt_token_details: PromptDetails | None = None
    prompt_audio_seconds: Annotated[float | None, BeforeValidator(_number)] = None
    """Audio in a chat, or in a transcription."""
    service_tier: str | None = None

    @property
    def cached_tokens(self) -> int:
        details = [self.prompt_tokens_details, self.prompt_token_details]
        counts = [self.num_cached_tokens, *(found.cached_tokens for found in details if found)]
        return next(filter(None, counts), 0)

    def __add__(self, other: "UsageReply") -> "UsageReply":
        """The sum of two requests of one tool call; what neither counted stays unknown."""
        return UsageReply(
            prompt_tokens=_sum(self.prompt_tokens, other.prompt_tokens),
            completion_tokens=_sum(self.completion_tokens, other.completion_tokens),
            total_tokens=_sum(self.total_tokens, other.total_tokens),
            num_cached_tokens=self.cached_tokens + other.cached_tokens,
            prompt_audio_seconds=_sum(self.prompt_audio_seconds, other.prompt_audio_seconds),
            service_tier=other.service_tier or self.service_tier,
        )


def _sum(one: NumberT | None, other: NumberT | None) -> NumberT | None:
    if one is None:
        return other
    if other is None:
        return one
    return one + other
