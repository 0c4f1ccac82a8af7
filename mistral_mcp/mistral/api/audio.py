"""Speech to text, text to speech, and its voices.

Source: `/v1/audio/…`.
"""

from typing import Literal

from pydantic import Field, TypeAdapter

from mistral_mcp.mistral.api.usage import UsageReply
from mistral_mcp.mistral.call import Call, Reply
from mistral_mcp.mistral.client import MistralClient
from mistral_mcp.mistral.multipart import Upload
from mistral_mcp.mistral.stream import assemble

TRANSCRIBE = "voxtral-mini-latest"
SPEAK = "voxtral-mini-tts-latest"

Format = Literal["mp3", "wav", "flac", "opus", "pcm"]


class Segment(Reply):
    text: str
    start: float | None = None
    end: float | None = None
    speaker_id: str | None = None


class AudioUsage(UsageReply):
    prompt_audio_seconds: float | None = None


class TranscriptionReply(Reply):
    text: str
    model: str = ""
    language: str | None = None
    segments: list[Segment] | None = None
    usage: AudioUsage | None = None


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
    stream: Literal[True] | None = None


class SpeechReply(Reply):
    audio_data: str
    """Base64."""


class SpeechCall(Call[SpeechReply]):
    path = "/v1/audio/speech"
    repeatable = True

    model: str
    input: str
    voice_id: str | None = None
    response_format: Format


class Voice(Reply):
    id: str
    name: str = ""
    slug: str | None = None
    languages: list[str] = []
    gender: str | None = None
    description: str | None = None


class VoiceList(Reply):
    items: list[Voice] = []
    total: int = 0


class ListVoicesCall(Call[VoiceList]):
    path = "/v1/audio/voices"
    method = "GET"
    repeatable = True

    limit: int
    offset: int
    type: Literal["all", "custom", "preset"] | None = None


class _Event(Reply):
    type: str = Field(pattern=r"^transcription\.(language|segment|text\.delta|done)$")
    text: str = ""
    model: str = ""
    language: str | None = None
    segments: list[Segment] | None = None
    usage: AudioUsage | None = None
    start: float | None = None
    end: float | None = None
    speaker_id: str | None = None


_event = TypeAdapter(_Event)


async def transcribe(mistral: MistralClient, call: TranscriptionCall) -> TranscriptionReply:
    """Transcribe; streamed where somebody listens, and the same reply either way."""
    if mistral.progress is None:
        return await mistral.send(call, model=call.model)
    streamed = call.model_copy(update={"stream": True})
    return await assemble(mistral, mistral.progress, streamed, _Assembly(), model=call.model)


class _Assembly:
    """A streamed transcription, whose last event holds it as a whole."""

    def __init__(self) -> None:
        self.text = ""
        self.thinks = False
        self._segments: list[Segment] = []
        self._done: _Event | None = None

    @property
    def finished(self) -> bool:
        return self._done is not None

    def add(self, data: str) -> str:
        """Add an event's data; gives the text it brought. The language that was heard is told in a stream only, so it is left out."""
        event = _event.validate_json(data)
        self.thinks = event.type != "transcription.text.delta"
        if event.type == "transcription.done":
            self._done = event
        elif event.type == "transcription.segment":
            self._segments.append(Segment.model_validate(event.model_dump()))
        else:
            self.text += event.text
            return event.text
        return ""

    def reply(self) -> TranscriptionReply:
        done = self._done or _Event(type="transcription.done")
        return TranscriptionReply(
            text=done.text or self.text,
            model=done.model,
            language=done.language,
            segments=done.segments or self._segments,
            usage=done.usage,
        )
