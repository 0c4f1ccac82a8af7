"""Classification of texts and of conversations, by a fine-tuned classifier or for moderation.

Source: `POST /v1/classifications`, `POST /v1/moderations`, and both below `/v1/chat`. The wire name is `input`.
"""

from pydantic import JsonValue

from mistral_mcp.mistral.api.usage import UsageReply, meter_tokens
from mistral_mcp.mistral.call import Call, Reply
from mistral_mcp.mistral.consumption import Meter


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

    def measure(self, reply: ClassificationReply, meter: Meter) -> None:
        meter_tokens(meter, reply.model or self.model, reply.usage)


class ChatClassificationCall(Call[ClassificationReply]):
    """One conversation, as a member `messages`."""

    path = "/v1/chat/classifications"
    repeatable = True

    model: str
    input: dict[str, list[dict[str, JsonValue]]]

    def measure(self, reply: ClassificationReply, meter: Meter) -> None:
        meter_tokens(meter, reply.model or self.model, reply.usage)


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

    def measure(self, reply: ModerationReply, meter: Meter) -> None:
        meter_tokens(meter, reply.model or self.model, reply.usage)


class ChatModerationCall(Call[ModerationReply]):
    """The last message of a conversation, in its context."""

    path = "/v1/chat/moderations"
    repeatable = True

    model: str
    input: list[dict[str, JsonValue]]

    def measure(self, reply: ModerationReply, meter: Meter) -> None:
        meter_tokens(meter, reply.model or self.model, reply.usage)
