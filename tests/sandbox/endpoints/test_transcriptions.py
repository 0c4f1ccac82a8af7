"""Transcription: valid and rejected requests, and the transcript."""

from itertools import pairwise

import httpx2
import pytest
from mistralai.client import Mistral

from mistral_mcp.sandbox.answers.make_audio import audio_seconds, make_silence

MODEL = "voxtral-mini-latest"
SOUND = make_silence(3.0, "wav")
FILE = {"file": ("talk.wav", SOUND, "audio/wav")}


@pytest.fixture
def transcribe(api: httpx2.AsyncClient):
    async def send(files: dict | None = FILE, **fields: object) -> httpx2.Response:
        return await api.post("/v1/audio/transcriptions", data={"model": MODEL, **fields}, files=files)

    return send


async def test_a_recording_can_be_sent_linked_to_or_uploaded_before(sdk: Mistral):
    file = await sdk.files.upload_async(file={"file_name": "talk.wav", "content": SOUND}, purpose="audio")
    link = await sdk.files.get_signed_url_async(file_id=file.id)
    for source in (
        {"file": {"file_name": "talk.wav", "content": SOUND}},
        {"file_id": file.id},
        {"file_url": link.url},
        {"file_url": "https://example.com/talk.wav?x=1"},
    ):
        reply = await sdk.audio.transcriptions.complete_async(model=MODEL, **source)
        assert "heard talk.wav" in reply.text
        assert (reply.usage.prompt_audio_seconds, reply.language, reply.segments) == (3, None, [])


async def test_a_reply_has_the_members_of_the_recording(transcribe):
    reply = await transcribe()
    assert list(reply.json()) == ["model", "text", "language", "segments", "usage", "finish_reason"]
    assert reply.headers["x-ratelimit-audio-seconds-query-cost"] == "3"


async def test_segments_are_sentences_or_words_in_order(sdk: Mistral):
    file = {"file_name": "a.wav", "content": SOUND}
    sentences, words = [
        (
            await sdk.audio.transcriptions.complete_async(model=MODEL, file=file, timestamp_granularities=each)
        ).segments
        for each in (["segment"], ["word"])
    ]
    assert 1 < len(sentences) < len(words)
    assert (words[0].start, words[-1].end) == (0.0, 3.0)
    assert all(one.end <= two.start for one, two in pairwise(words))


async def test_speakers_are_distinguished(sdk: Mistral):
    reply = await sdk.audio.transcriptions.complete_async(
        model=MODEL, file_url="https://a.example/b.mp3", diarize=True
    )
    assert [segment.speaker_id for segment in reply.segments] == ["speaker_1", "speaker_2"]


async def test_it_streams_with_names(sdk: Mistral, transcribe):
    stream = await sdk.audio.transcriptions.stream_async(model=MODEL, file_url="https://a.example/b.mp3")
    events = [event async for event in stream]
    assert list(dict.fromkeys(event.event for event in events)) == [
        "transcription.language",
        "transcription.text.delta",
        "transcription.done",
    ]
    assert "".join(event.data.text for event in events[1:-1]) == events[-1].data.text
    parts = (await transcribe(stream="true", diarize="true")).text
    assert "event: transcription.segment\n" in parts
    assert "[DONE]" not in parts


async def test_a_language_and_biases_are_heard(transcribe):
    body = (await transcribe(language="fr", context_bias=["Le_Chat", "Voxtral"])).json()
    assert body["language"] == "fr"
    assert "Le Chat and Voxtral" in body["text"]


async def test_json_is_refused_with_a_message_that_is_a_string(api: httpx2.AsyncClient):
    reply = await api.post(
        "/v1/audio/transcriptions", json={"model": MODEL, "file_url": "https://a.example/b.mp3"}
    )
    assert reply.status_code == 422
    assert reply.json()["message"].endswith("formatted as a multipart/form-data request.")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"language": "fr", "timestamp_granularities": "word"}, 400, None),
        ({"context_bias": "two words"}, 400, "3051"),
        ({"context_bias": "a,b"}, 400, "3051"),
        ({"context_bias": ["a"] * 101}, 400, "3051"),
        ({"speaker_references": "{}"}, 400, None),
        ({"model": "mistral-small-latest"}, 400, "1500"),
        ({"language": "french"}, 422, None),
        ({"timestamp_granularities": "minute"}, 422, None),
        ({"file_url": "https://a.example/b.mp3"}, 422, None),
    ],
)
async def test_what_is_not_allowed_is_refused(fields: dict, status: int, code: str | None, transcribe):
    reply = await transcribe(**fields)
    assert (reply.status_code, reply.json()["code"]) == (status, code)


async def test_what_is_no_recording_is_3310(transcribe):
    assert (await transcribe({"file": ("a.wav", b"text")})).json()["code"] == "3310"
    assert (await transcribe(None, file_url="https://nothing.invalid/a.mp3")).json()["code"] == "3310"
    assert (await transcribe(None)).status_code == 422
    assert (await transcribe(None, file_id="unknown")).status_code == 404


async def test_unknown_parts_are_ignored(transcribe):
    assert (await transcribe(prompt="x")).status_code == 200


async def test_lengths_are_read_from_the_recording():
    assert audio_seconds(make_silence(2.0, "wav")) == pytest.approx(2)
    assert audio_seconds(make_silence(2.0, "mp3")) == pytest.approx(2, abs=0.1)


VOXTRAL_3 = "voxtral-mini-transcribe-latest"


@pytest.mark.parametrize(
    "fields",
    [
        {"timestamp_granularities": "word"},
        {"diarize": "true"},
        {"return_language": "true", "language": "fr"},
    ],
)
async def test_voxtral_3_refuses(fields: dict, transcribe):
    assert (await transcribe(model=VOXTRAL_3, **fields)).status_code == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"timestamp_granularities": "segment", "language": "fr"},
        {"diarize": "true", "timestamp_granularities": "segment"},
        {"context_bias": ["Le Chat, the product", "two words"]},
    ],
)
async def test_voxtral_3_takes(fields: dict, transcribe):
    assert (await transcribe(model=VOXTRAL_3, **fields)).status_code == 200


async def test_the_language_is_reported_when_requested(transcribe):
    assert (await transcribe(model=VOXTRAL_3, return_language="true")).json()["language"] == "en"
