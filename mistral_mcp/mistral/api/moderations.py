"""Moderation of texts and of conversations.

Source: `POST /v1/moderations`, `POST /v1/chat/moderations`. The wire name is `input`.
"""

from pydantic import JsonValue

from mistral_mcp.mistral.api.usage import UsageReply
from mistral_mcp.mistral.call import Call, Reply


class ModerationResult(Reply):
    categories: dict[str, bool] = {}
    """An open map: the names differ from model to model."""
    category_scores: dict[str, float] = {}


class ModerationReply(Reply):
    model: str = ""
    results: list[ModerationResult]
    usage: UsageReply | None = None


class ModerationCall(Call[ModerationReply]):
    """Texts, each by itself."""

    path = "/v1/moderations"
    repeatable = True

    model: str
    input: list[str]


class ChatModerationCall(Call[ModerationReply]):
    """The last message of a conversation, in its context."""

    path = "/v1/chat/moderations"
    repeatable = True

    model: str
    input: list[dict[str, JsonValue]]
