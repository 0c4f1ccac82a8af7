"""Classification of texts and of conversations by a fine-tuned classifier.

Source: `POST /v1/classifications`, `POST /v1/chat/classifications`. The wire name is `input`.
"""

from pydantic import JsonValue

from mistral_mcp.mistral.api.usage import UsageReply
from mistral_mcp.mistral.call import Call, Reply


class TargetReply(Reply):
    scores: dict[str, float] = {}


class ClassificationReply(Reply):
    model: str = ""
    results: list[dict[str, TargetReply]]
    """By target; which there are is the classifier's own affair."""
    usage: UsageReply | None = None


class ClassificationCall(Call[ClassificationReply]):
    """Texts, each by itself."""

    path = "/v1/classifications"
    repeatable = True

    model: str
    input: list[str]


class ChatClassificationCall(Call[ClassificationReply]):
    """One conversation, as a member `messages`."""

    path = "/v1/chat/classifications"
    repeatable = True

    model: str
    input: dict[str, list[dict[str, JsonValue]]]
