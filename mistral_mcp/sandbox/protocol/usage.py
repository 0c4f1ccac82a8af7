"""What a reply has cost, in the two forms of the recordings."""

from typing import Any


def completion_usage(prompt: int, completion: int, *, cached: int = 0, tier: str = "standard") -> dict[str, Any]:
    """As chat and FIM report it."""
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "service_tier": tier,
    }


def input_usage(prompt: int) -> dict[str, Any]:
    """As embeddings and moderation report it: every member is there, and most are null."""
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
