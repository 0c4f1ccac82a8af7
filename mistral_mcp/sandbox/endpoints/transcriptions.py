"""`POST /v1/audio/transcriptions`: multipart forms only; streams have named events."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from mistral_mcp.sandbox.answers.make_audio import LINKED_SECONDS, audio_seconds
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import (
    ApiError,
    error_body,
    invalid_args,
    invalid_body,
    invalid_request,
    unreadable_file,
)
from mistral_mcp.sandbox.protocol.replies import Reply, json_reply, named_stream_reply
from mistral_mcp.sandbox.protocol.strict import Lax, parse_fields
from mistral_mcp.sandbox.protocol.tokens import count_tokens, split_tokens
from mistral_mcp.sandbox.state.documents import UNREACHABLE
from mistral_mcp.sandbox.state.files import Files, find_by_link
from mistral_mcp.sandbox.state.fine_tuned_models import require_model

TOKENS_PER_SECOND = 12.5
MAX_BIASES = 100
MAX_SECONDS = 3 * 3600
LONG_SECONDS = 600
SECONDS_OF_BOTH = 7
"""The length of the two sentences, at 150 words a minute."""
NOT_A_FORM = "Invalid request, make sure the request is formatted as a multipart/form-data request."


class TranscriptionRequest(Lax):
    """The fields of the form; unknown ones are ignored."""

    model: str
    file_url: Annotated[str, Field(min_length=1, max_length=2083)] | None = None
    file_id: str | None = None
    language: Annotated[str, Field(pattern=r"^\w{2}$")] | None = None
    temperature: float | None = None
    stream: bool = False
    diarize: bool = False
    context_bias: tuple[str, ...] = ()
    timestamp_granularities: tuple[Literal["segment", "word"], ...] = ()
    speaker_references: str | None = None
    return_language: bool = False

    @property
    def is_voxtral_3(self) -> bool:
        return "transcribe" in self.model


def transcribe(call: Call) -> Reply:
    """Transcribe the audio of a form. 422 for a JSON body, with a `message` that is a string."""
    if call.form is None:
        raise ApiError(json_reply(error_body(422, NOT_A_FORM, "invalid_request_error"), 422))
    return _answer(call, call.form.fields)


def transcribe_line(call: Call) -> Reply:
    """Transcribe the audio of a line of a batch, whose body is JSON instead of a form."""
    body = cast("dict[str, Any]", json.loads(call.request.body))
    fields: dict[str, list[Any]] = {}
    for name, value in body.items():
        if isinstance(value, list):
            fields[name] = cast("list[Any]", value)
        else:
            fields[name] = [value]
    return _answer(call, fields)


def _answer(call: Call, fields: Mapping[str, Sequence[Any]]) -> Reply:
    body = parse_fields(TranscriptionRequest, fields, "body", invalid_body)
    model = require_model(call.account, body.model, "audio_transcription")
    _check(body)
    meter = call.account.meter(model.id)
    meter.admit()
    name, length = _find_recording(call, body)
    whole = math.ceil(length)
    if length > MAX_SECONDS:
        raise invalid_args(f"Audio of {whole} seconds is too long: at most {MAX_SECONDS} are allowed.")
    reply = _reply(body, _compose_sentences(name, body, length), length)
    if body.stream:
        return named_stream_reply(_events(reply))
    return json_reply({**reply, "finish_reason": None}, headers=meter.unit_headers("audio-seconds", whole))


def _check(body: TranscriptionRequest) -> None:
    if body.speaker_references is not None and not body.diarize:
        raise invalid_request("speaker_references needs diarize.")
    if body.return_language and body.language is not None:
        raise invalid_request("return_language and language cannot be used together.")
    if body.is_voxtral_3:
        _check_voxtral_3(body)
    else:
        _check_voxtral_2(body)


def _check_voxtral_3(body: TranscriptionRequest) -> None:
    """Segment timestamps only, which speakers need too. `context_bias` may contain phrases."""
    if "word" in body.timestamp_granularities:
        raise invalid_request("timestamp_granularities 'word' is not supported for this model.")
    if body.diarize and not body.timestamp_granularities:
        raise invalid_request("diarize needs timestamp_granularities 'segment'.")


def _check_voxtral_2(body: TranscriptionRequest) -> None:
    """Timestamps only without a language. `context_bias` has at most a hundred single words."""
    if body.language is not None and body.timestamp_granularities:
        raise invalid_request("language and timestamp_granularities cannot be used together.")
    if len(body.context_bias) > MAX_BIASES:
        raise invalid_args(f"context_bias has {len(body.context_bias)} items, at most {MAX_BIASES} are allowed.")
    for bias in body.context_bias:
        if not re.fullmatch(r"[^,\s]+", bias):
            raise invalid_args(f"context_bias items must not contain commas or whitespace: {bias!r}")


def _find_recording(call: Call, body: TranscriptionRequest) -> tuple[str, float]:
    """The name of the audio and its length in seconds. 422 unless exactly one source is given, 400 if it is unreadable."""
    upload = call.form and call.form.files.get("file")
    if sum(each is not None for each in (upload, body.file_url, body.file_id)) != 1:
        message = "Value error, exactly one of file, file_url and file_id must be provided"
        raise invalid_body(
            [
                {
                    "type": "value_error",
                    "loc": ["body"],
                    "msg": message,
                    "input": None,
                }
            ]
        )
    if upload:
        return upload.filename, audio_seconds(upload.data)
    url = body.file_url or ""
    if body.file_id:
        file = call.account.section(Files).get(body.file_id)
    else:
        file = find_by_link(call.account, url)
    if file is not None:
        return file.filename, audio_seconds(file.data)
    if not url.startswith("https://") or UNREACHABLE.match(url):
        raise unreadable_file(f"Audio could not be fetched from url: {url[:100]}")
    return url.partition("?")[0].rpartition("/")[2], LINKED_SECONDS


def _compose_sentences(name: str, body: TranscriptionRequest, length: float) -> list[str]:
    """The sentences of the transcript; for long audio as many as fit into its length."""
    sentences = [f"This is the sandbox, which has heard {name}.", "It cannot listen, so it always says the same."]
    if length >= LONG_SECONDS:
        sentences *= int(length / SECONDS_OF_BOTH)
    biases = " and ".join(bias.replace("_", " ") for bias in body.context_bias)
    if biases:
        return [*sentences, f"It was told to expect {biases}."]
    return sentences


def _reply(body: TranscriptionRequest, sentences: list[str], length: float) -> dict[str, Any]:
    text = " ".join(sentences)
    audio = round(length * TOKENS_PER_SECOND)
    spoken = len(split_tokens(text))
    prompt = count_tokens(" ".join(body.context_bias)) + 5
    usage = {
        "prompt_audio_seconds": math.ceil(length),
        "prompt_tokens": prompt,
        "total_tokens": prompt + audio + spoken,
        "completion_tokens": spoken,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": audio},
        "service_tier": "standard",
    }
    segments = []
    if body.timestamp_granularities or body.diarize:
        segments = _segments(body, sentences, length)
    language = body.language
    if body.return_language:
        language = "en"
    return {
        "model": body.model,
        "text": text,
        "language": language,
        "segments": segments,
        "usage": usage,
    }


def _segments(body: TranscriptionRequest, sentences: list[str], length: float) -> list[dict[str, Any]]:
    """The sentences, or words if requested, spread evenly over the length. The two speakers alternate by sentence."""
    parts: list[tuple[str, int]] = []
    for number, sentence in enumerate(sentences):
        texts = [sentence]
        if "word" in body.timestamp_granularities:
            texts = sentence.split()
        parts += [(text, number % 2 + 1) for text in texts]

    step = length / len(parts)
    segments: list[dict[str, Any]] = []
    for place, (text, speaker) in enumerate(parts):
        segment = {
            "type": "transcription_segment",
            "text": text,
            "start": round(place * step, 2),
            "end": round((place + 1) * step, 2),
        }
        if body.diarize:
            segment["speaker_id"] = f"speaker_{speaker}"
        segments.append(segment)
    return segments


def _events(reply: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "transcription.language", "audio_language": reply["language"] or "en"}
    if reply["segments"]:
        yield from ({**segment, "type": "transcription.segment"} for segment in reply["segments"])
    else:
        yield from ({"type": "transcription.text.delta", "text": piece} for piece in split_tokens(reply["text"]))
    yield {"type": "transcription.done", **reply}


ENDPOINTS = (Endpoint("POST", "/v1/audio/transcriptions", transcribe),)
