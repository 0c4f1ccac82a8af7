"""`POST /v1/audio/speech`."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from mistral_mcp.sandbox.answers.make_audio import (
    SECONDS_PER_CHARACTER,
    Format,
    audio_seconds,
    decode_audio,
    make_silence,
)
from mistral_mcp.sandbox.answers.moderate_text import THRESHOLD, moderate_text
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import invalid_args, invalid_request, invalid_value, refusal
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply, named_stream_reply
from mistral_mcp.sandbox.protocol.strict import Metadata, Strict
from mistral_mcp.sandbox.protocol.tokens import count_tokens
from mistral_mcp.sandbox.protocol.usage import input_usage
from mistral_mcp.sandbox.state.fine_tuned_models import require_model
from mistral_mcp.sandbox.state.voices import find_voice

DEFAULT_MODEL = "voxtral-mini-tts-latest"
REFUSED = ("sexual", "hate_and_discrimination", "violence_and_threats")
CHUNKS = 4
PHONETIC = (
    "a aɪ aʊ b d dʒ e eɪ f g h i j k l m n o oʊ p s t tʃ u v w z æ ð ŋ ɑ ɔ ɔɪ ɖ ə ɚ ɛ ɜ ɪ ɱ ɹ ɾ ʃ ʈ ʊ ʋ ʌ ʒ ʔ θ "  # noqa: RUF001 - sounds
    "ʁ r ɑ̃ ʀ x y ɔ̃ ɐ œ ɛ̃ ʝ ɲ ts ɥ ʏ ø β ɦ pf ʎ ɣ ɳ ɔʏ œ̃ ɟʝ ɬ q"  # noqa: RUF001 - sounds
)
PHONEMES = frozenset(PHONETIC.split())


class SpeechRequest(Strict):
    """One of the few bodies whose unknown members are ignored."""

    model_config = ConfigDict(extra="ignore")

    input: str
    model: str | None = None
    metadata: Metadata | None = None
    stream: bool = False
    prompt_cache_key: str | None = None
    voice_id: str | None = None
    ref_audio: str | None = None
    response_format: Format = "mp3"
    expressiveness: Annotated[float, Field(ge=1)] | None = None
    phoneme_hints: dict[str, list[str]] | None = None
    conversation_history: list[dict[str, Any]] | None = None
    instruction: str | None = None


def speak(call: Call) -> Reply:
    """Silence whose length depends on that of the text, as base64 in JSON or as a stream."""
    body = call.body(SpeechRequest)
    model = require_model(call.account, body.model or DEFAULT_MODEL, "audio_speech")
    meter = call.account.meter(model.id)
    meter.admit()
    if not body.input.strip():
        raise invalid_request("Input cannot be empty.")
    if count_tokens(body.input) > model.context:
        raise invalid_args(f"Input of {len(body.input)} characters is too long.")
    if body.instruction is not None:
        raise invalid_request("instruction is not available for this model.")
    _check_phonemes(body.phoneme_hints or {})
    if body.ref_audio is not None:
        audio_seconds(decode_audio(body.ref_audio))
    elif body.voice_id is not None:
        find_voice(call.account, body.voice_id)

    found = moderate_text(body.input, "mistral-moderation-2603")
    if any(found[category] >= THRESHOLD for category in REFUSED):
        raise refusal(403, "Input was refused by content moderation.", "content_moderation")

    audio = make_silence(len(body.input) * SECONDS_PER_CHARACTER, body.response_format)
    if body.stream:
        return named_stream_reply(_events(audio, count_tokens(body.input)))
    headers = meter.unit_headers("input-characters", len(body.input))
    return json_reply({"audio_data": base64.b64encode(audio).decode()}, headers=headers)


def _check_phonemes(hints: Mapping[str, Sequence[str]]) -> None:
    """422 for a phoneme that is not in the list of those known."""
    for word, phonemes in hints.items():
        unknown = [phoneme for phoneme in phonemes if phoneme not in PHONEMES]
        if unknown:
            raise invalid_value("unknown phoneme", "body", "phoneme_hints", word, value=unknown[0])


def _events(audio: bytes, tokens: int) -> Iterator[dict[str, Any]]:
    step = -(-len(audio) // CHUNKS)
    for start in range(0, len(audio), step):
        data = base64.b64encode(audio[start : start + step]).decode()
        yield {"type": "speech.audio.delta", "audio_data": data}
    yield {"type": "speech.audio.done", "usage": input_usage(tokens)}


ENDPOINTS = (Endpoint("POST", "/v1/audio/speech", speak),)
