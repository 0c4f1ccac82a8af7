"""Classification of texts and of conversations, by a fine-tuned classifier or for moderation.

Source: `POST /v1/classifications`, `POST /v1/moderations`, and both below `/v1/chat`. The wire name is `input`.
"""

from pydantic import JsonValue

from mistral_mcp.mistral.api.usage import ModelCall, TokenReply
from mistral_mcp.mistral.call import Reply


class TargetReply(Reply):
    scores: dict[str, float] = {}


class ClassificationReply(TokenReply):
    results: list[dict[str, TargetReply]]
    """By target; which there are is the classifier's own affair."""


class ClassificationCall(ModelCall[ClassificationReply]):
    """Texts, each by itself."""

    path = "/v1/classifications"

    input: list[str]


class ChatClassificationCall(ModelCall[ClassificationReply]):
    """One conversation, as a member `messages`."""

    path = "/v1/chat/classifications"

    input: dict[str, list[dict[str, JsonValue]]]


class ModerationResult(Reply):
    categories: dict[str, bool] = {}
    """An open map: the names differ from model to model."""
    category_scores: dict[str, float] = {}


class ModerationReply(TokenReply):
    results: list[ModerationResult]


class ModerationCall(ModelCall[ModerationReply]):
    """Texts, each by itself."""

    path = "/v1/moderations"

    input: list[str]


class ChatModerationCall(ModelCall[ModerationReply]):
    """The last message of a conversation, in its context."""

    path = "/v1/chat/moderations"

    input: list[dict[str, JsonValue]]
