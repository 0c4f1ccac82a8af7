"""Toolset `audio`: speech to text, and text to speech."""

import re
from typing import Annotated, Literal

from mcp_types import AudioContent, ContentBlock
from pydantic import AfterValidator, BaseModel, Field, PrivateAttr

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.api import audio as wire
from mistral_mcp.mistral.api import files
from mistral_mcp.mistral.multipart import FilePart
from mistral_mcp.tools.framework import file_content, parameters
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result, UnitUsage, unit_cost_of
from mistral_mcp.tools.framework.transcripts import Transcription

toolset = Toolset()

_MIME = {"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "opus": "audio/opus", "pcm": "audio/pcm"}


def _word(text: str) -> str:
    if text and not re.search(r"[,\s]", text):
        return text
    raise ValueError("a word to expect has no commas or blanks")


@toolset.tool("Transcribe audio", effect="reads")
async def mistral_transcribe(
    mistral: Mistral,
    url: Annotated[str | None, Field(description="https.", pattern="^https://", max_length=2083)] = None,
    file_id: Annotated[str | None, Field(description="Of an uploaded file.", min_length=1)] = None,
    content_base64: file_content.Base64 = None,
    filename: Annotated[file_content.Filename | None, Field(description="With content_base64.")] = None,
    path: file_content.LocalPath = None,
    language: Annotated[
        str | None, Field(description="Two letters; not with timestamps.", pattern="^[a-z]{2}$")
    ] = None,
    timestamps: Annotated[Literal["none", "segment", "word"], Field(description="Times of each.")] = "none",
    diarize: Annotated[bool, Field(description="Tell speakers apart.")] = False,
    context_bias: Annotated[
        list[Annotated[str, AfterValidator(_word)]] | None,
        Field(description="Words to expect.", max_length=100),
    ] = None,
    temperature: Annotated[float | None, Field(description="0: greedy.", ge=0)] = None,
    model: parameters.Model = None,
) -> Transcription:
    """Turn speech into text. Give url, file_id, or content_base64 with filename."""
    ways = {"url": url, "file_id": file_id, "content_base64": content_base64, "path": path}
    way = file_content.content_argument(mistral, ways)
    if language is not None and timestamps != "none":
        raise BadArgument("Mistral takes either language or timestamps, and both are given.", "Leave one out.")
    if way == "content_base64" and filename is None:
        raise BadArgument("filename is missing, whose ending says what content_base64 is.", "Give it, such as a.mp3.")
    name = model or wire.TRANSCRIBE
    call = wire.TranscriptionCall(
        model=name,
        file_url=url,
        file_id=file_id,
        language=language,
        temperature=temperature,
        diarize=diarize or None,
        context_bias=context_bias,
        timestamp_granularities=None if timestamps == "none" else [timestamps],
    )
    if way in {"url", "file_id"}:
        reply = await wire.transcribe(mistral, call)
    else:
        file = file_content.open_file_part(
            mistral, filename, content=None, content_base64=content_base64, path=path, max_bytes=files.LARGEST
        )
        async with file as part:
            reply = await wire.transcribe(mistral, _with(call, part))
    return Transcription.of(mistral, reply, reply.model or name)


def _with(call: wire.TranscriptionCall, file: FilePart) -> wire.TranscriptionCall:
    return call.model_copy(update={"file": file})


class SpeechUsage(UnitUsage):
    characters: int


class Speech(Result):
    """The audio travels beside this."""

    model: str
    format: wire.Format
    bytes: int
    voice_id: Maybe[str] = None
    usage: SpeechUsage

    _data: str = PrivateAttr(default="")

    def to_text(self) -> str:
        return f"{self.bytes:,} bytes of {self.format} audio from {self.model} are attached."

    def extra_content(self) -> list[ContentBlock]:
        return [AudioContent(type="audio", data=self._data, mime_type=_MIME[self.format])]

    @classmethod
    def of(cls, mistral: Mistral, call: wire.SpeechCall, data: str) -> "Speech":
        cost = unit_cost_of(mistral, call.model, len(call.input), "million characters")
        result = cls(
            model=call.model,
            format=call.response_format,
            bytes=len(data) * 3 // 4 - data[-2:].count("="),
            voice_id=call.voice_id,
            usage=SpeechUsage(characters=len(call.input), cost_usd=cost),
        )
        result._data = data
        return result


@toolset.tool("Speak a text", effect="reads")
async def mistral_speak(
    mistral: Mistral,
    text: Annotated[str, Field(description="Best under 300 words.", min_length=1, max_length=20_000)],
    voice_id: Annotated[str | None, Field(description="See mistral_list_voices.")] = None,
    format: Annotated[wire.Format, Field(description="pcm: float32.")] = "mp3",  # noqa: A002 - the tool's own name for it
    model: parameters.Model = None,
) -> Speech:
    """Turn a text into speech."""
    call = wire.SpeechCall(model=model or wire.SPEAK, input=text, voice_id=voice_id, response_format=format)
    reply = await mistral.send(call, model=call.model)
    return Speech.of(mistral, call, reply.audio_data)


class Voice(BaseModel):
    id: str
    name: str
    slug: Maybe[str] = Field(default=None, description="Works as voice_id too.")
    languages: list[str]
    gender: Maybe[str] = None
    description: Maybe[str] = None

    def line(self) -> str:
        facts = [", ".join(self.languages), self.gender, self.description]
        return f"{self.slug or self.id}  {self.name} ({'; '.join(fact for fact in facts if fact)})"


class Voices(Result):
    """One page of voices."""

    voices: list[Voice]
    total: int
    next_offset: Maybe[int] = None

    def to_text(self) -> str:
        lines = [voice.line() for voice in self.voices] or ["There is no such voice."]
        rest = [f"({self.total} in all; more from offset {self.next_offset})"] if self.next_offset else []
        return "\n".join([*lines, *rest])


@toolset.tool("List voices", effect="reads")
async def mistral_list_voices(
    mistral: Mistral,
    limit: Annotated[int, Field(description="At most.", ge=1, le=100)] = 20,
    offset: Annotated[int, Field(description="How many to pass over.", ge=0)] = 0,
    type: Annotated[Literal["all", "custom", "preset"], Field(description="Whose.")] = "all",  # noqa: A002 - Mistral's name for it
) -> Voices:
    """See the voices that can speak."""
    reply = await mistral.send(wire.ListVoicesCall(limit=limit, offset=offset, type=type))
    end = offset + len(reply.items)
    voices = [Voice(**voice.model_dump()) for voice in reply.items]
    return Voices(voices=voices, total=reply.total, next_offset=end if reply.items and end < reply.total else None)
