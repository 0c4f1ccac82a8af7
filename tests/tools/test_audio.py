"""The toolset `audio`, against the sandbox."""

import base64
import io
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp.client import Client
from mcp_types import AudioContent, CallToolResult

from mistral_mcp.sandbox import Sandbox
from mistral_mcp.sandbox.faults import Fault
from mistral_mcp.tools.framework import transcripts
from tests.conftest import connect_in_memory, connect_over_http, expect_refusal_at_once, read_kept_file, text_of

URL = "https://example.com/talk.mp3"


def silent_recording() -> bytes:
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
    (tmp_path / "talk.wav").write_bytes(silent_recording())
    async with connect_in_memory(
        mistral_url, toolsets="audio,files", files_dir=tmp_path, output_dir=tmp_path / "results"
    ) as client:
        yield client


@pytest.fixture
async def listener(mistral_url: str) -> AsyncIterator[Client]:
    """A client over HTTP, with progress reports."""
    async with connect_over_http(mistral_url, toolsets="audio") as client:
        yield client


async def call_and_listen(client: Client, arguments: dict[str, object]) -> tuple[CallToolResult, list[str]]:
    reports: list[str] = []

    async def listen(_: float, __: float | None, message: str | None) -> None:
        if message:
            reports.append(message)

    return await client.call_tool("mistral_transcribe", arguments, progress_callback=listen), reports


async def test_speech_becomes_text_priced_by_the_minute(client: Client) -> None:
    result = await client.call_tool("mistral_transcribe", {"url": URL})

    structured = result.structured_content
    assert structured["text"] == text_of(result)
    assert "talk.mp3" in structured["text"]
    assert structured["usage"]["audio_seconds"] == 3
    assert structured["model"] == "voxtral-mini-transcribe-latest"
    assert set(structured) == {"text", "model", "usage"}


async def test_the_form_holds_only_what_was_requested(client: Client, sandbox: Sandbox) -> None:
    await client.call_tool("mistral_transcribe", {"url": URL, "context_bias": ["Bob", "Al"], "diarize": True})

    request = sandbox.requests[-1]
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    names = [line for line in request.body.decode().splitlines() if line.startswith("Content-Disposition")]
    fields = ["model", "file_url", "diarize", "context_bias", "context_bias", "timestamp_granularities"]
    assert names == [f'Content-Disposition: form-data; name="{field}"' for field in fields]


@pytest.mark.parametrize(
    "given",
    [
        {"content_base64": base64.b64encode(silent_recording()).decode(), "filename": "talk.wav"},
        {"path": "talk.wav"},
    ],
)
async def test_a_recording_goes_along(client: Client, sandbox: Sandbox, given: dict[str, str]) -> None:
    result = await client.call_tool("mistral_transcribe", given)

    assert result.structured_content["usage"]["audio_seconds"] == 2
    assert b'name="file"; filename="talk.wav"' in sandbox.requests[-1].body
    assert silent_recording() in sandbox.requests[-1].body


async def test_an_uploaded_recording_is_named_by_its_id(client: Client) -> None:
    content = base64.b64encode(silent_recording()).decode()
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


async def test_a_caller_who_listens_gets_the_same_in_pieces(
    client: Client, listener: Client, sandbox: Sandbox
) -> None:
    for asked in ({"url": URL}, {"url": URL, "timestamps": "word"}):
        whole = await client.call_tool("mistral_transcribe", asked)
        result, reports = await call_and_listen(listener, asked)
        assert b'name="stream"' in sandbox.requests[-1].body
        assert result.structured_content["text"] == whole.structured_content["text"]
        assert result.structured_content["usage"] == whole.structured_content["usage"]
        assert result.structured_content.get("segments") == whole.structured_content.get("segments")
        assert "".join(reports) in {"", whole.structured_content["text"]}


async def test_a_stream_that_breaks_keeps_what_had_come(listener: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(no_done=True))
    result, _ = await call_and_listen(listener, {"url": URL})

    assert result.is_error
    assert "This is the sandbox" in text_of(result)


async def test_a_transcription_is_tried_again(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault(status=503))
    result = await client.call_tool("mistral_transcribe", {"path": "talk.wav"})

    assert not result.is_error
    assert len(sandbox.requests) == 2
    assert sandbox.requests[0].body == sandbox.requests[1].body


async def test_a_long_transcript_is_cut_and_kept_as_a_whole(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "LONG", 200)
    asked = {"url": URL, "timestamps": "word"}
    result = await client.call_tool("mistral_transcribe", asked)

    kept = result.structured_content["kept"]
    assert len(result.structured_content["segments"]) < 4
    assert f"handle {kept['handle']}, offset {text_of(result).index('[Shown') - 2}" in text_of(result)
    whole = read_kept_file(kept).decode()
    assert len(whole.splitlines()) == 17
    assert whole.endswith("same.")
    assert len(result.content) == 1


VOXTRAL_2 = {"model": "voxtral-mini-latest"}


@pytest.mark.parametrize(
    ("asked", "granularity"),
    [
        ({"diarize": True}, "segment"),
        ({"diarize": True, "timestamps": "segment", "language": "fr"}, "segment"),
        ({"diarize": True, **VOXTRAL_2}, None),
        ({"timestamps": "word"}, "word"),
    ],
)
async def test_each_generation_gets_the_timestamps_that_it_takes(
    client: Client, sandbox: Sandbox, asked: dict[str, object], granularity: str | None
) -> None:
    result = await client.call_tool("mistral_transcribe", {"url": URL, **asked})

    assert not result.is_error, text_of(result)
    body = sandbox.requests[-1].body.decode()
    assert (f'name="timestamp_granularities"\r\n\r\n{granularity}\r\n' in body) == (granularity is not None)


async def test_words_get_their_times_from_the_model_that_has_them(client: Client) -> None:
    result = await client.call_tool("mistral_transcribe", {"url": URL, "timestamps": "word"})
    assert result.structured_content["model"] == "voxtral-mini-latest"


async def test_phrases_may_be_expected(client: Client, sandbox: Sandbox) -> None:
    result = await client.call_tool("mistral_transcribe", {"url": URL, "context_bias": ["Le Mans, 24 hours"]})

    assert not result.is_error, text_of(result)
    assert b'name="context_bias"\r\n\r\nLe Mans, 24 hours\r\n' in sandbox.requests[-1].body


async def test_a_text_becomes_audio_that_is_kept(client: Client, sandbox: Sandbox) -> None:
    voices = await client.call_tool("mistral_list_voices", {"page_size": 1})
    voice = voices.structured_content["voices"][0]["id"]
    result = await client.call_tool("mistral_speak", {"text": "Hello world", "voice_id": voice, "format": "wav"})

    structured = result.structured_content
    sound = read_kept_file(structured["kept"])
    assert sound.startswith(b"RIFF")
    assert (structured["bytes"], structured["kept"]["mime_type"]) == (len(sound), "audio/wav")
    assert structured["usage"]["characters"] == 11
    assert structured["kept"]["path"] in text_of(result)
    assert len(result.content) == 1
    assert sandbox.requests[-1].json == {
        "model": "voxtral-mini-tts-latest",
        "input": "Hello world",
        "voice_id": voice,
        "response_format": "wav",
    }


@pytest.mark.parametrize("form", ["mp3", "wav", "flac", "opus", "pcm"])
async def test_audio_is_attached_where_it_is_requested(client: Client, form: str) -> None:
    result = await client.call_tool("mistral_speak", {"text": "Hello", "format": form, "inline": True})

    audio = result.content[1]
    assert isinstance(audio, AudioContent)
    assert audio.mime_type == {"mp3": "audio/mpeg"}.get(form, f"audio/{form}")
    assert base64.b64decode(audio.data) == read_kept_file(result.structured_content["kept"])


@pytest.mark.parametrize("way", ["path", "data", "file"])
async def test_a_voice_is_imitated_from_a_recording(client: Client, sandbox: Sandbox, way: str) -> None:
    encoded = base64.b64encode(silent_recording()).decode()
    given = {"filename": "talk.wav", "purpose": "audio", "content_base64": encoded}
    file = await client.call_tool("mistral_upload_file", given)
    sources = {
        "path": "talk.wav",
        "data": f"data:audio/wav;base64,{encoded}",
        "file": file.structured_content["id"],
    }
    asked = {
        "text": "Hello",
        "ref_audio": sources[way],
        "expressiveness": 2,
        "phoneme_hints": [{"word": "Hello", "phonemes": ["h", "ə"]}],
    }
    result = await client.call_tool("mistral_speak", asked)

    assert not result.is_error, text_of(result)
    sent = sandbox.requests[-1].json
    assert sent["ref_audio"] == encoded
    assert (sent["expressiveness"], sent["phoneme_hints"]) == (2, {"Hello": ["h", "ə"]})


async def test_a_text_that_moderation_refuses_is_reported(client: Client) -> None:
    result = await client.call_tool("mistral_speak", {"text": "I will kill you and your family"})

    assert result.is_error
    assert "moderation" in text_of(result)


async def test_voices_come_in_pages(client: Client) -> None:
    first = await client.call_tool("mistral_list_voices", {"page_size": 10})
    assert len(first.structured_content["voices"]) == 10
    token = first.structured_content["next_page_token"]
    assert f"more with page_token {token}" in text_of(first)

    rest = await client.call_tool("mistral_list_voices", {"page_size": 100, "page_token": token})
    assert rest.structured_content["voices"]
    assert "next_page_token" not in rest.structured_content
    nobody = await client.call_tool("mistral_list_voices", {"type": "custom"})
    assert text_of(nobody) == "No voices."


async def test_voices_are_found_by_language_and_gender(client: Client, sandbox: Sandbox) -> None:
    asked = {"language": ["en", "fr"], "gender": ["female"], "search": "a"}
    result = await client.call_tool("mistral_list_voices", asked)

    assert not result.is_error, text_of(result)
    query = sandbox.requests[-1].query
    assert query.getlist("language") == ["en", "fr"]
    assert (query["gender"], query["query"]) == ("female", "a")


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("transcribe", {}, "Exactly one of url, file_id, content_base64, path is needed"),
        ("transcribe", {"url": URL, "file_id": "x"}, "url and file_id are given together"),
        ("transcribe", {"url": "http://example.com/a.mp3"}, "url"),
        (
            "transcribe",
            {"url": URL, "language": "fr", "timestamps": "segment", **VOXTRAL_2},
            "takes either language or timestamps",
        ),
        ("transcribe", {"url": URL, "language": "fr", "return_language": True}, "exclude each other"),
        ("transcribe", {"url": URL, "language": "french"}, "language"),
        ("transcribe", {"url": URL, "context_bias": ["two words"], **VOXTRAL_2}, "single words"),
        ("transcribe", {"url": URL, "context_bias": ["w"] * 101}, "context_bias has more than 100 items"),
        ("transcribe", {"url": URL, "timestamps": "page"}, "must be none, segment or word"),
        ("transcribe", {"content_base64": "AAAA"}, "filename is missing"),
        ("transcribe", {"content_base64": "?", "filename": "a.wav"}, "content_base64 is not base64"),
        ("transcribe", {"path": "../talk.wav"}, "path leads out of the server's folder"),
        ("speak", {}, "text is missing"),
        ("speak", {"text": ""}, "text is empty"),
        ("speak", {"text": "x", "format": "ogg"}, "format must be mp3"),
        ("list_voices", {"page_size": 0}, "page_size must be at least 1"),
        ("speak", {"text": "x", "ref_audio": "https://example.com/a.mp3"}, "ref_audio is a web address"),
        ("speak", {"text": "x", "expressiveness": 0.5}, "expressiveness"),
        ("list_voices", {"type": "mine"}, "type must be all"),
    ],
)
async def test_bad_input_gets_one_sentence_before_any_request(
    client: Client, sandbox: Sandbox, tool: str, arguments: dict[str, object], sentence: str
) -> None:
    await expect_refusal_at_once(client, sandbox, f"mistral_{tool}", arguments, sentence)
