"""Speech to text, text to speech, and its voices.

Source: `/v1/audio/…`.
"""

import re
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from mistral_mcp.mistral.api.usage import UsageReply, consumption_of
from mistral_mcp.mistral.call import Call, Maybe, Reply, null_is
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.mistral.consumption import Meter
from mistral_mcp.mistral.multipart import Upload
from mistral_mcp.mistral.stream import StreamEvent, assemble

TRANSCRIBE = "voxtral-mini-transcribe-latest"
TRANSCRIBE_WORDS = "voxtral-mini-latest"
"""Voxtral 2, which alone gives a time for each word."""
SPEAK = "voxtral-mini-tts-latest"

_VOXTRAL_2 = re.compile(r"^voxtral-(mini|small)-(2507|2602|latest)$")

Format = Literal["mp3", "wav", "flac", "opus", "pcm"]
Gender = Literal["female", "male", "neutral"]


class Segment(Reply):
    text: str
    start: float | None = None
    end: float | None = None
    speaker_id: Maybe[str] = None


class TranscriptionReply(Reply):
    text: str
    model: str = ""
    language: str | None = None
    segments: list[Segment] | None = None
    usage: UsageReply | None = None


class TranscriptionCall(Upload[TranscriptionReply]):
    """Multipart only, whether a file goes with it or not."""

    path = "/v1/audio/transcriptions"
    repeatable = True

    model: str
    file_url: str | None = None
    file_id: str | None = None
    language: str | None = None
    temperature: float | None = None
    diarize: Literal[True] | None = None
    context_bias: list[str] | None = None
    timestamp_granularities: list[Literal["segment", "word"]] | None = None
    return_language: Literal[True] | None = None
    """Voxtral 3 then tells which language it heard."""
    stream: Literal[True] | None = None

    def measure(self, reply: TranscriptionReply, meter: Meter) -> None:
        model, seconds = reply.model or self.model, reply.usage and reply.usage.prompt_audio_seconds
        if seconds is None:
            cost = None
        else:
            cost = meter.catalog.unit_cost_usd(model, seconds / 60, "minute", regional=meter.regional)
        meter.add(consumption_of(model, reply.usage, cost))


class SpeechReply(Reply):
    audio_data: str
    """Base64."""


class SpeechCall(Call[SpeechReply]):
    path = "/v1/audio/speech"
    repeatable = True

    model: str
    input: str
    voice_id: str | None = None
    ref_audio: str | None = None
    """Base64."""
    expressiveness: float | None = None
    phoneme_hints: dict[str, list[str]] | None = None
    response_format: Format

    def measure(self, reply: SpeechReply, meter: Meter) -> None:  # noqa: ARG002 - it counts nothing
        meter.add_units(self.model, len(self.input), "million characters")


class Voice(Reply):
    id: str
    name: str = ""
    slug: Maybe[str] = Field(default=None, description="works as voice_id too")
    languages: Annotated[list[str], null_is([])] = []
    gender: Maybe[str] = None
    description: Maybe[str] = None


class VoiceList(Reply):
    data: list[Voice] = []
    next_page_token: str | None = None


class ListVoicesCall(Call[VoiceList]):
    path = "/v2/audio/voices"
    method = "GET"
    repeatable = True

    page_size: int
    page_token: str | None = None
    type: Literal["all", "custom", "preset"] | None = None
    language: list[str] | None = None
    gender: list[Gender] | None = None
    query: str | None = None


def is_voxtral_2(model: str) -> bool:
    """Whether a model is of the second generation, which takes no language beside timestamps, and words without blanks."""
    return bool(_VOXTRAL_2.match(model))


class _Event(StreamEvent):
    text: Annotated[str, null_is("")] = ""
    model: Annotated[str, null_is("")] = ""
    language: str | None = None
    audio_language: str | None = None
    segments: list[Segment] | None = None
    usage: UsageReply | None = None
    start: float | None = None
    end: float | None = None
    speaker_id: str | None = None


_event = TypeAdapter(_Event)


async def transcribe(mistral: MistralClient, call: TranscriptionCall) -> TranscriptionReply:
    """Transcribe; streamed where somebody listens, and the same reply either way."""
    if mistral.progress is None:
        return await mistral.send(call, model=call.model)
    streamed = call.model_copy(update={"stream": True})
    return await assemble(mistral, mistral.progress, streamed, _Assembly(call), model=call.model)


class _Assembly:
    """A streamed transcription, whose last event holds it as a whole."""

    def __init__(self, call: TranscriptionCall) -> None:
        self.text = ""
        self.thinks = False
        self._tells_language = call.return_language
        self._language: str | None = None
        self._segments: list[Segment] = []
        self._done: _Event | None = None

    @property
    def finished(self) -> bool:
        return self._done is not None

    def add(self, data: str) -> str:
        """Add an event's data; gives the text it brought. Events of other types are passed over.

        The language that was heard is told in a stream only, so it is left out where nobody asked for it.
        """
        event = _event.validate_json(data)
        self.thinks = event.type != "transcription.text.delta"
        match event.type:
            case "transcription.done":
                self._done = event
            case "transcription.language" if self._tells_language:
                self._language = event.audio_language
            case "transcription.segment":
                self._segments.append(Segment.model_validate(event.model_dump()))
            case "transcription.text.delta":
                self.text += event.text
                return event.text
            case _:
                pass
        return ""

    def reply(self) -> TranscriptionReply:
        done = self._done or _Event(type="transcription.done")
        return TranscriptionReply(
            text=done.text or self.text,
            model=done.model,
            language=done.language or self._language,
            segments=done.segments or self._segments,
            usage=done.usage,
        )
