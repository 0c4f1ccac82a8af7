"""Speech and its voices."""

import base64

import httpx2
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

from mistral_mcp.sandbox.answers.make_audio import make_silence

# The SDK warns of every list, for the sake of single parameters.
pytestmark = pytest.mark.filterwarnings("ignore:.*DEPRECATED:DeprecationWarning")

SAMPLE = base64.b64encode(make_silence(1.0, "wav")).decode()


@pytest.mark.parametrize(
    ("form", "start"),
    [("mp3", b"\xff\xfb"), ("wav", b"RIFF"), ("flac", b"fLaC"), ("opus", b"OggS"), ("pcm", b"\0\0")],
)
async def test_speech_comes_as_base64_in_the_format_requested(form: str, start: bytes, sdk: Mistral):
    reply = await sdk.audio.speech.complete_async(input="Good morning", response_format=form)
    assert base64.b64decode(reply.audio_data).startswith(start)


async def test_longer_texts_take_longer(api: httpx2.AsyncClient):
    short, long = [await api.post("/v1/audio/speech", json={"input": "Hello " * times}) for times in (1, 50)]
    assert len(short.content) < len(long.content)
    assert long.headers["x-ratelimit-input-characters-query-cost"] == "300"


async def test_it_streams_the_same_bytes_in_parts(sdk: Mistral):
    whole = await sdk.audio.speech.complete_async(input="Good morning", voice_id="en_paul_neutral")
    stream = await sdk.audio.speech.complete_async(input="Good morning", stream=True)
    events = [event async for event in stream]
    assert {event.event for event in events[:-1]} == {"speech.audio.delta"}
    parts = [base64.b64decode(event.data.audio_data) for event in events[:-1]]
    assert (b"".join(parts), len(parts)) == (base64.b64decode(whole.audio_data), 4)
    assert (events[-1].event, events[-1].data.usage.prompt_tokens) == ("speech.audio.done", 3)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"input": " "}, 400),
        ({"model": "mistral-small-latest"}, 400),
        ({"input": "x" * 20_000}, 400),
        ({"input": "I will kill you"}, 403),
        ({"voice_id": "nobody"}, 404),
        ({"response_format": "ogg"}, 422),
        ({"expressiveness": 0.5}, 422),
        ({"voice": "of OpenAI, passed over"}, 200),
    ],
)
async def test_what_is_not_allowed_is_refused(fields: dict, status: int, api: httpx2.AsyncClient):
    reply = await api.post("/v1/audio/speech", json={"input": "Hello", **fields})
    assert reply.status_code == status


async def test_voices_come_in_pages_by_limit_and_offset(sdk: Mistral):
    first = await sdk.audio.voices.list_async()
    rest = await sdk.audio.voices.list_async(limit=10, offset=10)
    assert (len(first.items), len(rest.items), first.total, first.total_pages, rest.page) == (10, 2, 12, 2, 2)
    assert {voice.type for voice in first.items} == {"preset"}
    assert (await sdk.audio.voices.get_async(voice_id="en_paul_neutral")).id == first.items[0].id


async def test_a_voice_can_be_made_used_changed_heard_and_deleted(sdk: Mistral):
    voices = sdk.audio.voices
    made = await voices.create_async(name="Mine", sample_audio=SAMPLE, gender="neutral")
    assert [voice.id for voice in (await voices.list_async(type_="custom")).items] == [made.id]
    assert (await sdk.audio.speech.complete_async(input="Hello", voice_id=made.id)).audio_data
    assert (await voices.update_async(voice_id=made.id, name="Yours")).gender == "neutral"
    heard = await voices.get_sample_audio_async(voice_id=made.id)
    assert await heard.aread() == base64.b64decode(SAMPLE)
    assert (await voices.delete_async(voice_id=made.id)).name == "Yours"
    with pytest.raises(SDKError, match="404"):
        await voices.get_async(voice_id=made.id)


async def test_other_keys_see_nothing_of_it(sdk: Mistral, stranger: Mistral):
    made = await sdk.audio.voices.create_async(name="Mine", sample_audio=SAMPLE)
    assert (await stranger.audio.voices.list_async(type_="custom")).total == 0
    with pytest.raises(SDKError, match="404"):
        await stranger.audio.speech.complete_async(input="Hello", voice_id=made.id)


async def test_a_preset_cannot_be_deleted_and_a_sample_has_to_be_a_recording(api: httpx2.AsyncClient):
    assert (await api.delete("/v1/audio/voices/00000000-0000-4000-8000-000000000100")).status_code == 404
    assert (await api.delete("/v1/audio/voices/en_paul_neutral")).status_code == 422
    for sample, status in (("!", 422), (base64.b64encode(b"text").decode(), 400)):
        reply = await api.post("/v1/audio/voices", json={"name": "x", "sample_audio": sample})
        assert reply.status_code == status
    assert (await api.get("/v1/audio/voices", params={"limit": 0})).status_code == 422


async def test_voices_are_searched_by_language_gender_and_name(api: httpx2.AsyncClient):
    async def names(**query: object) -> list[str]:
        reply = await api.get("/v2/audio/voices", params={"page_size": 100, **query})
        assert reply.status_code == 200
        return [voice["id"] for voice in reply.json()["data"]]

    assert await names(language="fr", gender="female", query="chloe") == ["voice_592"]
    assert "voice_480" in await names(language=["en_gb", "it"])
    assert "voice_483" in await names(language=["en_gb", "it"])
    assert await names(type="custom") == []
    first = (await api.get("/v2/audio/voices")).json()
    second = (await api.get("/v2/audio/voices", params={"page_token": first["next_page_token"]})).json()
    assert (len(first["data"]), len(second["data"])) == (10, 10)
    assert (await api.get("/v2/audio/voices", params={"page_token": "x"})).status_code == 422


async def test_the_sdk_lists_the_new_voices(sdk: Mistral):
    page = await sdk.audio.voices.search_async(language=["en_gb"])
    assert page.result.data[0].id == "voice_480"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"expressiveness": 0.5}, 422),
        ({"expressiveness": 2.0, "phoneme_hints": {"tomato": ["t", "ə", "m"]}}, 200),
        ({"phoneme_hints": {"tomato": ["zz"]}}, 422),
        ({"instruction": "Whisper"}, 400),
        ({"ref_audio": "bm8gc291bmQ="}, 400),
        ({"voice_id": "voice_478"}, 200),
        ({"conversation_history": [{"role": "user", "audio": "x"}]}, 200),
    ],
)
async def test_voxtral_3_speaks(fields: dict, status: int, api: httpx2.AsyncClient):
    asked = {"model": "voxtral-mini-tts-latest", "input": "Hello", **fields}
    assert (await api.post("/v1/audio/speech", json=asked)).status_code == status
