"""`POST /v1/classifications` and `POST /v1/chat/classifications`, for fine-tuned classifiers only."""

import re
import uuid
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from mistral_mcp.sandbox.protocol.endpoint import Account, Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import invalid_model, invalid_request
from mistral_mcp.sandbox.protocol.messages import Message, text_of
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply
from mistral_mcp.sandbox.protocol.strict import Metadata, Strict, as_list
from mistral_mcp.sandbox.protocol.tokens import count_tokens
from mistral_mcp.sandbox.protocol.usage import input_usage
from mistral_mcp.sandbox.state.fine_tuned_models import FineTunedModels

PREFIX = "ft:classifier:"
TARGETS = ({"name": "sentiment", "labels": ["negative", "neutral", "positive"]},)
"""The targets of a classifier that was not created here."""
LABEL_WORDS = {"negative": r"bad|hate|awful|terribl|worst", "positive": r"good|great|love|excellent|thank|best"}


class ClassificationRequest(Strict):
    model: str
    input: str | list[str]
    metadata: Metadata | None = None


class Instructions(Strict):
    messages: list[Message]


class ChatClassificationRequest(Strict):
    model: str
    input: Instructions | list[Instructions]


def classify(call: Call) -> Reply:
    """One result for each text."""
    body = call.body(ClassificationRequest)
    return _classify_texts(call, body.model, as_list(body.input))


def classify_chat(call: Call) -> Reply:
    """One result for each conversation."""
    body = call.body(ChatClassificationRequest)
    chats = as_list(body.input)
    return _classify_texts(
        call, body.model, ["\n".join(text_of(message.content) for message in chat.messages) for chat in chats]
    )


def _classify_texts(call: Call, model: str, texts: Sequence[str]) -> Reply:
    if not model.startswith(PREFIX):
        raise invalid_model(model)
    targets = _find_targets(call.account, model)
    meter = call.account.meter(model)
    meter.admit()
    if not texts:
        raise invalid_request("Input cannot be empty.")
    tokens = sum(count_tokens(text) for text in texts)
    meter.spend(tokens)
    results = [{target["name"]: {"scores": _score_labels(text, target)} for target in targets} for text in texts]
    reply = {
        "id": uuid.uuid4().hex,
        "usage": input_usage(tokens),
        "model": model,
        "results": results,
    }
    return json_reply(reply, headers=meter.headers(tokens, token_quota=False))


def _find_targets(account: Account, model: str) -> Sequence[Mapping[str, Any]]:
    own = account.section(FineTunedModels).find(model)
    if own is not None and own.archived:
        raise invalid_model(model)
    if own:
        return own.targets
    return TARGETS


def _score_labels(text: str, target: Mapping[str, Any]) -> dict[str, float]:
    """The score of each label: high if the label or a related word is in the text. With a single class they add up to 1."""
    raw: dict[str, float] = {}
    for label in target["labels"]:
        words = f"{re.escape(label)}|{LABEL_WORDS.get(label, re.escape(label))}"
        noise = zlib.crc32(f"{label}/{text}".encode()) / 0xFFFFFFFF
        score = 0.5
        if re.search(words, text, re.IGNORECASE):
            score = 9.0
        raw[label] = score + noise / 10

    if target.get("loss_function") == "multi_class":
        return {label: round(value / 10, 6) for label, value in raw.items()}
    total = sum(raw.values())
    return {label: round(value / total, 6) for label, value in raw.items()}


ENDPOINTS = (
    Endpoint("POST", "/v1/classifications", classify),
    Endpoint("POST", "/v1/chat/classifications", classify_chat),
)
