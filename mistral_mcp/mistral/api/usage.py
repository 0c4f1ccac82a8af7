"""Token counts as Mistral reports them. Any member may be null or missing."""

from mistral_mcp.mistral.call import Reply


class PromptDetails(Reply):
    cached_tokens: int | None = None


class UsageReply(Reply):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    service_tier: str | None = None

    @property
    def cached_tokens(self) -> int:
        return (self.prompt_tokens_details and self.prompt_tokens_details.cached_tokens) or 0

    def __add__(self, other: "UsageReply") -> "UsageReply":
        """The sum of two requests of one tool call; what neither counted stays unknown."""
        prompt = _sum(self.prompt_tokens, other.prompt_tokens)
        completion = _sum(self.completion_tokens, other.completion_tokens)
        total = _sum(self.total_tokens, other.total_tokens)
        cached = PromptDetails(cached_tokens=self.cached_tokens + other.cached_tokens)
        return UsageReply(
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=total,
            prompt_tokens_details=cached,
            service_tier=other.service_tier or self.service_tier,
        )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)
