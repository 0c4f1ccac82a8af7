"""The result of a transcription: its text and segments, and where the rest is stored if it is long."""

from pydantic import Field

from mistral_mcp.mistral.api.audio import Segment, TranscriptionReply
from mistral_mcp.mistral.api.usage import UsageReply
from mistral_mcp.tools.framework.kept import LONG, Kept, KeptResults
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result, Usage, unit_cost_of

MEMBERS = 60
"""Characters that a segment's member names take in the structured result."""


class AudioUsage(Usage):
    audio_seconds: Maybe[float] = None


class Transcription(Result):
    """The transcript; of a long recording its beginning, and where all of it is stored."""

    text: str
    language: Maybe[str] = None
    segments: Maybe[list[Segment]] = Field(default=None, description="times in seconds")
    kept: Maybe[Kept] = Field(default=None, description="the whole transcript")
    model: str
    usage: AudioUsage

    def to_text(self) -> str:
        if self.segments:
            text = "\n".join(map(segment_line, self.segments))
        else:
            text = self.text
        if self.kept is None:
            return text
        return f"{text}\n\n{self.kept.note(len(text))}"


def segment_line(segment: Segment) -> str:
    """A segment of speech, or a word, as a line of text."""
    if segment.speaker_id:
        speaker = f" {segment.speaker_id}:"
    else:
        speaker = ""
    return f"[{segment.start or 0:.1f}-{segment.end or 0:.1f}]{speaker} {segment.text.strip()}"


async def transcription_of(
    mistral: Mistral, kept_results: KeptResults, reply: TranscriptionReply, model: str
) -> Transcription:
    """The result for a reply; a long one is stored and shortened."""
    segments = reply.segments or []
    shown = _fitting_segments(segments)
    kept: Kept | None = None
    if len(shown) < len(segments) or len(reply.text) > LONG:
        whole = "\n".join(map(segment_line, segments)) or reply.text
        kept = await kept_results.keep(whole, filename="transcript.txt")
    return Transcription(
        text=reply.text[:LONG],
        language=reply.language,
        segments=shown or None,
        kept=kept,
        model=model,
        usage=_usage(mistral, reply.usage or UsageReply(), model),
    )


def _fitting_segments(segments: list[Segment]) -> list[Segment]:
    room = LONG
    for position, segment in enumerate(segments):
        room -= len(segment_line(segment)) + MEMBERS
        if room < 0:
            return segments[:position]
    return segments


def _usage(mistral: Mistral, usage: UsageReply, model: str) -> AudioUsage:
    seconds = usage.prompt_audio_seconds
    if seconds is None:
        minutes = None
    else:
        minutes = seconds / 60
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return AudioUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=usage.total_tokens or prompt + completion,
        cached_tokens=usage.cached_tokens or None,
        cost_usd=unit_cost_of(mistral, model, minutes, "minute"),
        audio_seconds=seconds,
    )
