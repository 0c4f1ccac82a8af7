"""The guardrails of a chat request: moderation of its input, before the answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from mistral_mcp.sandbox.answers.moderate_text import THRESHOLD, moderate_text
from mistral_mcp.sandbox.protocol.chat_request import Guardrail, Moderation
from mistral_mcp.sandbox.protocol.errors import ApiError
from mistral_mcp.sandbox.protocol.replies import json_reply

BLOCKED = "Content blocked by guardrail"


def check_guardrails(guardrails: Sequence[Guardrail], text: str) -> Mapping[str, Any]:
    """The `guardrails` member of the reply. 403 in shape F if one of them blocks the text."""
    results: list[dict[str, Any]] = []
    for guardrail in guardrails:
        for name, default in (
            ("moderation_llm_v1", "mistral-moderation-2411"),
            ("moderation_llm_v2", "mistral-moderation-2603"),
        ):
            moderation: Moderation | None = getattr(guardrail, name)
            if moderation is None:
                continue
            result = _apply_moderation(moderation, default, text)
            if result["violated"] and moderation.action == "block":
                body = {
                    "error": {"message": BLOCKED, "status": 403},
                    "guardrails": {"results": {name: result}},
                }
                raise ApiError(json_reply(body, 403))
            results.append({name: result})
    if results:
        return {"guardrails": results}
    return {}


def _apply_moderation(moderation: Moderation, default: str, text: str) -> dict[str, Any]:
    model = moderation.model_name or default
    custom = moderation.custom_category_thresholds or {}
    decisions: dict[str, Any] = {}
    for category, score in moderate_text(text, model).items():
        if moderation.ignore_other_categories and category not in custom:
            continue
        threshold = custom.get(category)
        if threshold is None:
            threshold = THRESHOLD
        # A threshold of 1 switches a category off.
        decisions[category] = {
            "threshold": threshold,
            "score": score,
            "violated": threshold < 1 and score >= threshold,
        }
    violated = any(decision["violated"] for decision in decisions.values())
    return {
        "model_name": model,
        "decisions": decisions,
        "violated": violated,
        "action": moderation.action,
    }
