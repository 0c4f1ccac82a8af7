"""Toolset `audio`: speech to text, and text to speech."""

import base64
import binascii
import re
from typing import Annotated, Literal, Self

import anyio.to_thread
from mcp_types import AudioContent, ContentBlock
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints

from mistral_mcp.errors import BadArgument
from mistral_mcp.mistral.api import audio, files
from mistral_mcp.mistral.api.audio import SpeechCall, TranscriptionCall, Voice, is_voxtral_2, transcribe
from mistral_mcp.tools.framework import file_content, parameters
from mistral_mcp.tools.framework.attached_files import read_audio
from mistral_mcp.tools.framework.declare import Toolset
from mistral_mcp.tools.framework.estimates.estimate import Estimate
from mistral_mcp.tools.framework.estimates.recordings import (
    estimate_file,
    estimate_part,
    estimate_speech,
    estimate_url,
)
from mistral_mcp.tools.framework.kept import Kept, KeptResults
from mistral_mcp.tools.framework.model_capability import needs_capability
from mistral_mcp.tools.framework.paging import PageSize, counted
from mistral_mcp.tools.framework.request import Mistral
from mistral_mcp.tools.framework.results import Maybe, Result, UnitUsage, unit_cost_of
from mistral_mcp.tools.framework.transcripts import Transcription, transcription_of
from mistral_mcp.usage.bounds import Charge

toolset = Toolset()

MIME_TYPES = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "opus": "audio/opus",
    "pcm": "audio/pcm",
}

Timestamps = Literal["none", "segment", "word"]
Expected = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
Phonemes = Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=8)]], Field(max_length=100)]


class Pronunciation(BaseModel):
    """The phonemes of a word."""

    model_config = ConfigDict(extra="forbid")

    word: Annotated[str, Field(min_length=1, max_length=100)]
    phonemes: Annotated[Phonemes, Field(description="IPA.")]


Language = Annotated[str, StringConstraints(min_length=2, max_length=35)]


@toolset.tool("Transcribe audio", effect="reads", charge=Charge(model=audio.TRANSCRIBE, asks_dry_run=True))
async def mistral_transcribe(
    mistral: Mistral,
    kept_results: KeptResults,
    url: Annotated[str | None, Field(description="https URL.", pattern="^https://", max_length=2083)] = None,
    file_id: Annotated[
        str | None, Field(description="Id of an uploaded file.", min_length=1, max_length=100)
    ] = None,
    content_base64: file_content.Base64 = None,
    filename: Annotated[file_content.Filename | None, Field(description="Goes with content_base64.")] = None,
    path: file_content.LocalPath = None,
    language: Annotated[
        str | None, Field(description="Language spoken, two letters.", pattern="^[a-z]{2}$")
    ] = None,
    timestamps: Annotated[Timestamps, Field(description="Add start and end times.")] = "none",
    diarize: Annotated[bool, Field(description="Tell speakers apart.")] = False,
    context_bias: Annotated[
        list[Expected] | None, Field(description="Words and phrases to expect.", max_length=100)
    ] = None,
    return_language: Annotated[bool, Field(description="Detect the language.")] = False,
    temperature: Annotated[float | None, Field(description="Sampling temperature.", ge=0, le=1.5)] = None,
    model: parameters.Model = None,
    dry_run: parameters.DryRun = None,
) -> Transcription | Estimate:
    """Turn speech into text. Give url, file_id, or content_base64 with filename."""
    source = file_content.exactly_one_source(
        mistral, url=url, file_id=file_id, content_base64=content_base64, path=path
    )
    if source == "content_base64" and filename is None:
        raise BadArgument(
            "filename is missing; its extension says the format of content_base64.", "Give it, such as a.mp3."
        )
    name = model or (audio.TRANSCRIBE_WORDS if timestamps == "word" else audio.TRANSCRIBE)
    _check_transcription(name, language, timestamps, context_bias or [], return_language=return_language)
    if diarize and timestamps == "none" and not is_voxtral_2(name):
        timestamps = "segment"
    call = TranscriptionCall(
        model=name,
        file_url=url,
        file_id=file_id,
        language=language,
        temperature=temperature,
        diarize=diarize or None,
        context_bias=context_bias,
        timestamp_granularities=None if timestamps == "none" else [timestamps],
        return_language=return_language or None,
    )
    if dry_run and url is not None:
        return estimate_url(mistral, name)
    if dry_run and file_id is not None:
        return await estimate_file(mistral, file_id, name)
    async with needs_capability(mistral, name, "audio_transcription"):
        if source in {"url", "file_id"}:
            reply = await transcribe(mistral, call)
        else:
            async with file_content.open_file_part(
                mistral, filename, content=None, content_base64=content_base64, path=path, max_bytes=files.LARGEST
            ) as part:
                if dry_run:
                    return await estimate_part(mistral, part, name)
                reply = await transcribe(mistral, call.model_copy(update={"file": part}))
    return await transcription_of(mistral, kept_results, reply, reply.model or name)


def _check_transcription(
    model: str, language: str | None, timestamps: Timestamps, expected: list[str], *, return_language: bool
) -> None:
    """Refuse what the two generations of Voxtral do not support. Raises `BadArgument`."""
    if language is not None and return_language:
        raise BadArgument("language and return_language exclude each other.", "Leave one out.")
    if not is_voxtral_2(model):
        return
    if language is not None and timestamps != "none":
        raise BadArgument(
            "This model takes either language or timestamps.", f"Leave one out, or use {audio.TRANSCRIBE}."
        )
    if any(re.search(r"[,\s]", phrase) for phrase in expected):
        raise BadArgument(
            "This model's context_bias takes single words, without spaces and commas.",
            f"Give single words, or use {audio.TRANSCRIBE}.",
        )


MAX_INLINE = 4 * 1024 * 1024
"""Characters of base64; larger audio is stored but not attached."""


class SpeechUsage(UnitUsage):
    characters: int


class Speech(Result):
    """Where the audio is stored."""

    model: str
    format: audio.Format
    bytes: int
    voice_id: Maybe[str] = None
    kept: Kept
    usage: SpeechUsage

    _audio: str | None = PrivateAttr(default=None)

    def to_text(self) -> str:
        return f"{counted(self.bytes, 'byte')} of {self.format} audio from {self.model}.\n{self.kept.note()}"

    def with_audio(self, encoded: str) -> Self:
        self._audio = encoded
        return self

    def extra_content(self) -> list[ContentBlock]:
        if self._audio is None:
            return []
        return [AudioContent(type="audio", data=self._audio, mime_type=MIME_TYPES[self.format])]


@toolset.tool("Speak a text", effect="reads", charge=Charge(model=audio.SPEAK, asks_dry_run=True))
async def mistral_speak(
    mistral: Mistral,
    kept_results: KeptResults,
    text: Annotated[str, Field(description="Best under 300 words.", min_length=1, max_length=20_000)],
    voice_id: Annotated[
        str | None, Field(description="Id or slug from mistral_list_voices.", min_length=1, max_length=100)
    ] = None,
    ref_audio: Annotated[
        str | None, Field(description="Voice to imitate: file id, data URL or path.", min_length=1)
    ] = None,
    expressiveness: Annotated[float | None, Field(description="Strength of delivery.", ge=1, le=5)] = None,
    phoneme_hints: Annotated[
        list[Pronunciation] | None, Field(description="How words are pronounced.", max_length=100)
    ] = None,
    format: Annotated[audio.Format, Field(description="Audio format.")] = "mp3",  # noqa: A002 - the tool's own name for it
    inline: Annotated[bool, Field(description="Attach the audio too.")] = False,
    model: parameters.Model = None,
    dry_run: parameters.DryRun = None,
) -> Speech | Estimate:
    """Turn text into speech. The audio comes as a link or a path."""
    if dry_run:
        return estimate_speech(mistral, model or audio.SPEAK, text)
    call = SpeechCall(
        model=model or audio.SPEAK,
        input=text,
        voice_id=voice_id,
        ref_audio=None if ref_audio is None else await read_audio(mistral, ref_audio, "ref_audio"),
        expressiveness=expressiveness,
        phoneme_hints={hint.word: hint.phonemes for hint in phoneme_hints or ()} or None,
        response_format=format,
    )
    async with needs_capability(mistral, call.model, "audio_speech"):
        reply = await mistral.send(call, model=call.model)
    try:
        data = await anyio.to_thread.run_sync(base64.b64decode, reply.audio_data)
    except binascii.Error:
        raise mistral.unusable_reply("holds audio that cannot be decoded") from None
    kept = await kept_results.keep(data, mime_type=MIME_TYPES[format], filename=f"speech.{format}")
    usage = SpeechUsage(
        characters=len(text), cost_usd=unit_cost_of(mistral, call.model, len(text), "million characters")
    )
    result = Speech(model=call.model, format=format, bytes=len(data), voice_id=voice_id, kept=kept, usage=usage)
    if inline and len(reply.audio_data) <= MAX_INLINE:
        return result.with_audio(reply.audio_data)
    return result


def voice_line(voice: Voice) -> str:
    """A voice as a line of text."""
    facts = [", ".join(voice.languages), voice.gender, voice.description]
    return f"{voice.slug or voice.id}  {voice.name} ({'; '.join(fact for fact in facts if fact)})"


class Voices(Result):
    """One page of voices."""

    voices: list[Voice]
    next_page_token: Maybe[str] = None

    def to_text(self) -> str:
        lines = [voice_line(voice) for voice in self.voices] or ["No voices."]
        if self.next_page_token:
            rest = [f"(more with page_token {self.next_page_token})"]
        else:
            rest = []
        return "\n".join([*lines, *rest])


@toolset.tool("List voices", effect="reads")
async def mistral_list_voices(
    mistral: Mistral,
    page_size: PageSize = 20,
    page_token: Annotated[
        str | None, Field(description="next_page_token of the last page.", max_length=1_000)
    ] = None,
    type: Annotated[Literal["all", "custom", "preset"], Field(description="Kind of voice.")] = "all",  # noqa: A002 - Mistral's name for it
    language: Annotated[list[Language] | None, Field(description="Such as en or fr.", max_length=50)] = None,
    gender: Annotated[list[audio.Gender] | None, Field(description="Gender.", max_length=3)] = None,
    search: Annotated[str | None, Field(description="Words to search for.", max_length=255)] = None,
) -> Voices:
    """List the voices that mistral_speak can use."""
    call = audio.ListVoicesCall(
        page_size=page_size, page_token=page_token, type=type, language=language, gender=gender, query=search
    )
    reply = await mistral.send(call)
    return Voices(voices=reply.data, next_page_token=reply.next_page_token)
