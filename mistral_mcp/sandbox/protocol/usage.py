"""The `usage` of a reply, in the two forms of the recordings."""

import math
from typing import Any

AUDIO_TOKENS_PER_SECOND = 12.5


def completion_usage(
    prompt: int,
    completion: int,
    *,
    cached: int = 0,
    tier: str = "standard",
    audio_seconds: float = 0.0,
) -> dict[str, Any]:
    """The usage of chat and FIM. Cached and audio tokens are included in the prompt tokens."""
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "service_tier": tier,
    }
    if audio_seconds:
        audio = round(audio_seconds * AUDIO_TOKENS_PER_SECOND)
        usage["prompt_audio_seconds"] = math.ceil(audio_seconds)
        usage["prompt_tokens_details"] = {"cached_tokens": cached, "audio_tokens": audio}
    return usage


def input_usage(prompt: int) -> dict[str, Any]:
    """The usage of embeddings and moderation: it has every member, and most are null."""
    return {
        "prompt_audio_seconds": None,
        "prompt_tokens": prompt,
        "total_tokens": prompt,
        "completion_tokens": 0,
        "request_count": None,
        "prompt_tokens_details": None,
        "completion_tokens_details": None,
        "service_tier": None,
        "prompt_token_details": None,
    }
