"""What a transcription becomes: text, segments with their times, and all of it attached where it is long."""

import base64

from mcp_types import BlobResourceContents, ContentBlock, EmbeddedResource
from pydantic import BaseModel, Field, PrivateAttr

from mistral_mcp.mistral.api import audio as wire
from mistral_mcp.mistral.api.audio import TranscriptionReply
from mistral_mcp.tools.framework.cut_text import LONG, cut
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result, Usage, unit_cost_of


class Segment(BaseModel):
    """A stretch of speech, or a word; times in seconds."""

    start: float | None
    end: float | None
    text: str
    speaker_id: Maybe[str] = None

    def line(self) -> str:
        speaker = f" {self.speaker_id}:" if self.speaker_id else ""
        return f"[{self.start or 0:.1f}-{self.end or 0:.1f}]{speaker} {self.text.strip()}"


class AudioUsage(Usage):
    audio_seconds: Maybe[float] = None


class Transcription(Result):
    """What was said. A long one is cut, and attached as a whole."""

    text: str
    language: Maybe[str] = None
    segments: Maybe[list[Segment]] = None
    attachment: Maybe[str] = Field(default=None, description="URI of the whole, as JSON.")
    model: str
    usage: AudioUsage

    _whole: str = PrivateAttr(default="")

    def to_text(self) -> str:
        text = "\n".join(segment.line() for segment in self.segments) if self.segments else self.text
        return text if self.attachment is None or not self.segments else f"{text}\n\n[Cut: all of it is attached.]"

    def extra_content(self) -> list[ContentBlock]:
        if self.attachment is None:
            return []
        blob = base64.b64encode(self._whole.encode()).decode()
        contents = BlobResourceContents(uri=self.attachment, mime_type="application/json", blob=blob)
        return [EmbeddedResource(type="resource", resource=contents)]

    @classmethod
    def of(cls, mistral: Mistral, reply: TranscriptionReply, model: str) -> "Transcription":
        segments = [Segment(**segment.model_dump()) for segment in reply.segments or ()]
        shown: list[Segment] = []
        room = LONG
        for segment in segments:
            room -= len(segment.line()) + _MEMBERS
            if room < 0:
                break
            shown.append(segment)
        long = len(shown) < len(segments) or len(reply.text) > LONG
        result = cls(
            text=cut(reply.text, "All of it is attached."),
            language=reply.language,
            segments=shown or None,
            attachment="mistral-mcp://transcriptions/whole.json" if long else None,
            model=model,
            usage=_usage(mistral, reply, model),
        )
        result._whole = reply.model_dump_json(include={"text", "segments"}) if long else ""
        return result


_MEMBERS = 60  # characters that a segment's member names take in the structured result


def _usage(mistral: Mistral, reply: TranscriptionReply, model: str) -> AudioUsage:
    usage = reply.usage or wire.AudioUsage()
    prompt, completion, seconds = usage.prompt_tokens or 0, usage.completion_tokens or 0, usage.prompt_audio_seconds
    minutes = None if seconds is None else seconds / 60
    return AudioUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=usage.total_tokens or prompt + completion,
        cached_tokens=usage.cached_tokens or None,
        cost_usd=unit_cost_of(mistral, model, minutes, "minute"),
        audio_seconds=seconds,
    )
