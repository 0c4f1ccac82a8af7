"""The toolset `audio`, against the sandbox."""

import base64
import io
import json
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp.client import Client
from mcp_types import AudioContent, BlobResourceContents, CallToolResult, EmbeddedResource

from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.faults import Fault
from mistral_mcp.tools.framework import transcripts as _transcripts
from tests.conftest import in_memory, over_http, refuses_at_once, text_of

URL = "https://example.com/talk.mp3"


def recording() -> bytes:
    """Two seconds of silence."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 16_000)
    return buffer.getvalue()


@pytest.fixture
async def client(mistral_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    (tmp_path / "talk.wav").write_bytes(recording())
    async with in_memory(mistral_url, toolsets="audio,files", files_dir=tmp_path) as client:
        yield client


@pytest.fixture
async def listener(mistral_url: str) -> AsyncIterator[Client]:
    """A client over HTTP, where progress is told."""
    async with over_http(mistral_url, toolsets="audio") as client:
        yield client


async def heard(client: Client, arguments: dict[str, object]) -> tuple[CallToolResult, list[str]]:
    told: list[str] = []

    async def listen(_: float, __: float | None, message: str | None) -> None:
        if message:
            told.append(message)

    return await client.call_tool("mistral_transcribe", arguments, progress_callback=listen), told


async def test_speech_becomes_text_priced_by_the_minute(client: Client) -> None:
    result = await client.call_tool("mistral_transcribe", {"url": URL})

    structured = result.structured_content
    assert structured["text"] == text_of(result)
    assert "talk.mp3" in structured["text"]
    assert structured["usage"]["audio_seconds"] == 3
    assert structured["usage"]["cost_usd"] == 0.00015
    assert set(structured) == {"text", "model", "usage"}


async def test_the_form_holds_only_what_was_asked_for(client: Client, sandbox: Sandbox) -> None:
    await client.call_tool("mistral_transcribe", {"url": URL, "context_bias": ["Bob", "Al"], "diarize": True})

    request = sandbox.requests[-1]
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    names = [line for line in request.body.decode().splitlines() if line.startswith("Content-Disposition")]
    fields = ["model", "file_url", "diarize", "context_bias", "context_bias"]
    assert names == [f'Content-Disposition: form-data; name="{field}"' for field in fields]


@pytest.mark.parametrize(
    "given",
    [{"content_base64": base64.b64encode(recording()).decode(), "filename": "talk.wav"}, {"path": "talk.wav"}],
)
async def test_a_recording_goes_along(client: Client, sandbox: Sandbox, given: dict[str, str]) -> None:
    result = await client.call_tool("mistral_transcribe", given)

    assert result.structured_content["usage"]["audio_seconds"] == 2
    assert b'name="file"; filename="talk.wav"' in sandbox.requests[-1].body
    assert recording() in sandbox.requests[-1].body


async def test_an_uploaded_recording_is_named_by_its_id(client: Client) -> None:
    content = base64.b64encode(recording()).decode()
    given = {"filename": "talk.wav", "purpose": "audio", "content_base64": content}
    file = await client.call_tool("mistral_upload_file", given)
    result = await client.call_tool("mistral_transcribe", {"file_id": file.structured_content["id"]})

    assert result.structured_content["usage"]["audio_seconds"] == 2


async def test_times_and_speakers_come_as_segments(client: Client) -> None:
    asked = {"url": URL, "timestamps": "segment", "diarize": True}
    result = await client.call_tool("mistral_transcribe", asked)

    first = result.structured_content["segments"][0]
    assert set(first) == {"start", "end", "text", "speaker_id"}
    assert text_of(result).startswith(f"[0.0-{first['end']:.1f}] {first['speaker_id']}: This is the sandbox")


async def test_a_caller_who_listens_gets_the_same_in_pieces(client: Client, listener: Client, sandbox: Sandbox) -> None:
    for asked in ({"url": URL}, {"url": URL, "timestamps": "word"}):
        whole = await client.call_tool("mistral_transcribe", asked)
        result, told = await heard(listener, asked)
        assert b'name="stream"' in sandbox.requests[-1].body
        assert result.structured_content["text"] == whole.structured_content["text"]
        assert result.structured_content["usage"] == whole.structured_content["usage"]
        assert result.structured_content.get("segments") == whole.structured_content.get("segments")
        assert "".join(told) in {"", whole.structured_content["text"]}


async def test_a_stream_that_breaks_keeps_what_had_come(listener: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(no_done=True))
    result, _ = await heard(listener, {"url": URL})

    assert result.is_error
    assert "This is the sandbox" in text_of(result)


async def test_a_transcription_is_tried_again(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(status=503))
    result = await client.call_tool("mistral_transcribe", {"path": "talk.wav"})

    assert not result.is_error
    assert len(sandbox.requests) == 2
    assert sandbox.requests[0].body == sandbox.requests[1].body


async def test_a_long_transcript_is_cut_and_attached_as_a_whole(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_transcripts, "LONG", 200)
    asked = {"url": URL, "timestamps": "word"}
    result = await client.call_tool("mistral_transcribe", asked)

    assert len(result.structured_content["segments"]) < 4
    assert "[Cut: all of it is attached.]" in text_of(result)
    attached = result.content[1]
    assert isinstance(attached, EmbeddedResource)
    assert isinstance(attached.resource, BlobResourceContents)
    assert str(attached.resource.uri) == result.structured_content["attachment"]
    whole = json.loads(base64.b64decode(attached.resource.blob))
    assert len(whole["segments"]) == 17
    assert whole["text"].endswith("same.")


async def test_a_text_becomes_audio_content(client: Client, sandbox: Sandbox) -> None:
    voices = await client.call_tool("mistral_list_voices", {"limit": 1})
    voice = voices.structured_content["voices"][0]["slug"]
    result = await client.call_tool("mistral_speak", {"text": "Hello world", "voice_id": voice, "format": "wav"})

    audio = result.content[1]
    assert isinstance(audio, AudioContent)
    assert audio.mime_type == "audio/wav"
    sound = base64.b64decode(audio.data)
    assert sound.startswith(b"RIFF")
    assert result.structured_content == {
        "model": "voxtral-mini-tts-latest",
        "format": "wav",
        "bytes": len(sound),
        "voice_id": voice,
        "usage": {"characters": 11, "cost_usd": 0.000176},
    }
    assert audio.data not in text_of(result)
    assert sandbox.requests[-1].json == {
        "model": "voxtral-mini-tts-latest",
        "input": "Hello world",
        "voice_id": voice,
        "response_format": "wav",
    }


@pytest.mark.parametrize("form", ["mp3", "wav", "flac", "opus", "pcm"])
async def test_every_format_has_its_mime_type(client: Client, form: str) -> None:
    result = await client.call_tool("mistral_speak", {"text": "Hello", "format": form})

    audio = result.content[1]
    assert isinstance(audio, AudioContent)
    assert audio.mime_type == {"mp3": "audio/mpeg"}.get(form, f"audio/{form}")
    assert len(base64.b64decode(audio.data)) == result.structured_content["bytes"]


async def test_a_text_that_moderation_refuses_is_told_so(client: Client) -> None:
    result = await client.call_tool("mistral_speak", {"text": "I will kill you and your family"})

    assert result.is_error
    assert "moderation" in text_of(result)


async def test_voices_come_in_pages(client: Client) -> None:
    first = await client.call_tool("mistral_list_voices", {"limit": 10})
    assert len(first.structured_content["voices"]) == 10
    offset = first.structured_content["next_offset"]
    assert f"more from offset {offset}" in text_of(first)

    rest = await client.call_tool("mistral_list_voices", {"limit": 10, "offset": offset})
    assert len(rest.structured_content["voices"]) == rest.structured_content["total"] - 10
    assert "next_offset" not in rest.structured_content
    nobody = await client.call_tool("mistral_list_voices", {"type": "custom"})
    assert text_of(nobody) == "There is no such voice."


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("transcribe", {}, "Give exactly one of url, file_id, content_base64, path"),
        ("transcribe", {"url": URL, "file_id": "x"}, "none or several are given"),
        ("transcribe", {"url": "http://example.com/a.mp3"}, "url"),
        ("transcribe", {"url": URL, "language": "fr", "timestamps": "word"}, "takes either language or timestamps"),
        ("transcribe", {"url": URL, "language": "french"}, "language"),
        ("transcribe", {"url": URL, "context_bias": ["two words"]}, "a word to expect has no commas or blanks"),
        ("transcribe", {"url": URL, "context_bias": ["w"] * 101}, "context_bias has more than 100 items"),
        ("transcribe", {"url": URL, "timestamps": "page"}, "must be none, segment or word"),
        ("transcribe", {"content_base64": "AAAA"}, "filename is missing"),
        ("transcribe", {"content_base64": "?", "filename": "a.wav"}, "content_base64 is not base64"),
        ("transcribe", {"path": "../talk.wav"}, "path leads out of the server's folder"),
        ("speak", {}, "text is missing"),
        ("speak", {"text": ""}, "text is empty"),
        ("speak", {"text": "x", "format": "ogg"}, "format must be mp3"),
        ("list_voices", {"limit": 0}, "limit must be at least 1"),
        ("list_voices", {"type": "mine"}, "type must be all"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, tool: str, arguments: dict[str, object], sentence: str
) -> None:
    await refuses_at_once(client, sandbox, f"mistral_{tool}", arguments, sentence)
