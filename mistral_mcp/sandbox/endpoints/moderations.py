"""`POST /v1/moderations` and `POST /v1/chat/moderations`."""

import uuid
from collections.abc import Sequence
from typing import Any

from mistral_mcp.sandbox.answers.moderate_text import THRESHOLD, moderate_text
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import invalid_request
from mistral_mcp.sandbox.protocol.messages import Message, text_of
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply
from mistral_mcp.sandbox.protocol.strict import Metadata, Strict, as_list
from mistral_mcp.sandbox.protocol.tokens import count_tokens
from mistral_mcp.sandbox.protocol.usage import input_usage
from mistral_mcp.sandbox.state.fine_tuned_models import require_model


class ModerationRequest(Strict):
    model: str
    input: str | list[str]
    metadata: Metadata | None = None


class ChatModerationRequest(Strict):
    model: str
    input: list[Message] | list[list[Message]]


def moderate(call: Call) -> Reply:
    """Moderate each text by itself."""
    body = call.body(ModerationRequest)
    texts = as_list(body.input)
    return _moderate_texts(call, body.model, texts, sum(count_tokens(text) for text in texts))


def moderate_chat(call: Call) -> Reply:
    """Moderate the last message of each conversation; tokens are counted for all messages."""
    body = call.body(ChatModerationRequest)
    conversations: list[Any] = list(body.input)
    if not conversations or not isinstance(conversations[0], list):
        conversations = [conversations]
    if not all(conversations):
        raise invalid_request("Conversation must have at least one message")

    tokens = 0
    for messages in conversations:
        tokens += sum(count_tokens(text_of(message.content)) for message in messages)
    last = [text_of(messages[-1].content) for messages in conversations]
    return _moderate_texts(call, body.model, last, tokens)


def _moderate_texts(call: Call, name: str, texts: Sequence[str], tokens: int) -> Reply:
    model = require_model(call.account, name, "moderation")
    meter = call.account.meter(model.id)
    meter.admit()
    if not texts:
        raise invalid_request("Input cannot be empty.")
    results: list[dict[str, Any]] = []
    for text in texts:
        found = moderate_text(text, model.id)
        flags = {category: score >= THRESHOLD for category, score in found.items()}
        results.append({"categories": flags, "category_scores": found})
    meter.spend(tokens)
    reply = {
        "id": uuid.uuid4().hex,
        "usage": input_usage(tokens),
        "model": name,
        "results": results,
    }
    return json_reply(reply, headers=meter.headers(tokens, token_quota=False))


ENDPOINTS = (
    Endpoint("POST", "/v1/moderations", moderate),
    Endpoint("POST", "/v1/chat/moderations", moderate_chat),
)
