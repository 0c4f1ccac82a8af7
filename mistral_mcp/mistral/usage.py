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
        """The sum of two requests of one tool call."""
        prompt = (self.prompt_tokens or 0) + (other.prompt_tokens or 0)
        completion = (self.completion_tokens or 0) + (other.completion_tokens or 0)
        total = (self.total_tokens or 0) + (other.total_tokens or 0)
        cached = PromptDetails(cached_tokens=self.cached_tokens + other.cached_tokens)
        return UsageReply(
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=total,
            prompt_tokens_details=cached,
            service_tier=other.service_tier or self.service_tier,
        )
