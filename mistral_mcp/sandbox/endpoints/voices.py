"""`/v1/audio/voices`: the preset voices, and those a key has created."""

import base64
import binascii
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from mistral_mcp.sandbox.answers.make_audio import audio_seconds, make_silence
from mistral_mcp.sandbox.protocol.endpoint import Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import detail_error, invalid_fields, invalid_value
from mistral_mcp.sandbox.protocol.replies import Reply, data_reply, json_reply
from mistral_mcp.sandbox.protocol.strict import Count, Lax, Strict
from mistral_mcp.sandbox.state.voices import PRESETS, VOXTRAL_2, Voice, Voices, find_voice

MAX_SAMPLE_SIZE = 1024 * 1024


Gender = Literal["female", "male", "neutral"]


class VoiceUpdate(Strict):
    name: str | None = None
    languages: list[str] | None = None
    gender: Gender | None = None
    age: Count | None = None
    tags: list[str] | None = None
    description: Annotated[str, Field(max_length=500)] | None = None
    retention_notice: Count | None = None


class NewVoice(Strict):
    name: str
    sample_audio: str
    sample_filename: str | None = None
    languages: list[str] = []
    gender: Gender | None = None
    age: Count | None = None
    tags: list[str] | None = None
    color: str | None = None
    description: Annotated[str, Field(max_length=500)] | None = None
    retention_notice: Count = 30


class VoiceFilter(Lax):
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    offset: Count = 0
    type: Literal["all", "custom", "preset"] = "all"


def list_voices(call: Call) -> Reply:
    query = call.query(VoiceFilter)
    found = [*call.account.section(Voices), *VOXTRAL_2]
    found = [each for each in found if query.type in ("all", each.card()["type"])]
    page = {
        "items": [each.card() for each in found[query.offset : query.offset + query.limit]],
        "total": len(found),
        "page": query.offset // query.limit + 1,
        "page_size": query.limit,
        "total_pages": -(-len(found) // query.limit),
    }
    return json_reply(page)


class VoiceSearch(Lax):
    page_size: Annotated[int, Field(ge=1, le=100)] = 10
    page_token: str | None = None
    type: Literal["all", "custom", "preset"] = "all"
    gender: tuple[Gender, ...] = ()
    language: tuple[str, ...] = ()
    query: str | None = None
    kind: Literal["ivc", "pvc"] | None = None

    @property
    def start(self) -> int:
        """The index of the page's first voice, from its token. 422 if the token is invalid."""
        if self.page_token is None:
            return 0
        if not self.page_token.isdecimal():
            raise invalid_value("page_token is not one of ours", "query", "page_token")
        return int(self.page_token)

    def matches(self, voice: Voice) -> bool:
        card = voice.card()
        return (
            self.type in ("all", card["type"])
            and (not self.gender or voice.gender in self.gender)
            and (not self.language or any(_speaks(voice, wanted) for wanted in self.language))
            and (self.query or "").lower() in f"{voice.name} {voice.description or ''}".lower()
            and (self.kind is None or (self.kind == "ivc") == (card["type"] == "custom"))
        )


def _speaks(voice: Voice, language: str) -> bool:
    """Whether the voice speaks this language: `en` matches any English, `en_gb` only British English."""
    wanted = language.lower().replace("-", "_")
    return any(spoken == wanted or spoken.startswith(f"{wanted}_") for spoken in voice.languages)


def search_voices(call: Call) -> Reply:
    """A page of the voices that match, and the token of the next page."""
    query = call.query(VoiceSearch)
    found = [voice for voice in (*call.account.section(Voices), *PRESETS) if query.matches(voice)]
    end = query.start + query.page_size
    following = None
    if end < len(found):
        following = str(end)
    return json_reply(
        {
            "data": [voice.card() for voice in found[query.start : end]],
            "next_page_token": following,
        }
    )


def get_voice(call: Call) -> Reply:
    return json_reply(find_voice(call.account, call.params["voice_id"]).card())


def create(call: Call) -> Reply:
    body = call.body(NewVoice, invalid_fields)
    try:
        sample = base64.b64decode(body.sample_audio, validate=True)
    except binascii.Error:
        raise invalid_value("sample_audio is not base64", "body", "sample_audio") from None
    if len(sample) > MAX_SAMPLE_SIZE:
        raise detail_error(413, f"The sandbox takes samples of at most {MAX_SAMPLE_SIZE} bytes.")
    audio_seconds(sample)
    fields = body.model_dump(exclude={"sample_audio", "sample_filename"})
    voice = Voice(
        id=call.account.new_id("voice"),
        sample=sample,
        **fields,
    )
    return json_reply(call.account.section(Voices).put(voice.id, voice).card())


def update(call: Call) -> Reply:
    """Change only the members that were sent."""
    changes = call.body(VoiceUpdate, invalid_fields).model_dump(exclude_unset=True)
    own = call.account.section(Voices)
    changed = replace(own.get(call.uuid("voice_id")), **changes)
    return json_reply(own.put(changed.id, changed).card())


def delete(call: Call) -> Reply:
    """Reply with the deleted voice."""
    return json_reply(call.account.section(Voices).remove(call.uuid("voice_id")).card())


def sample(call: Call) -> Reply:
    return data_reply(
        find_voice(call.account, call.params["voice_id"]).sample or make_silence(0.1, "wav"), "audio/wav"
    )


ENDPOINTS = (
    Endpoint("GET", "/v2/audio/voices", search_voices),
    Endpoint("GET", "/v1/audio/voices", list_voices),
    Endpoint("POST", "/v1/audio/voices", create),
    Endpoint("GET", "/v1/audio/voices/{voice_id}", get_voice),
    Endpoint("PATCH", "/v1/audio/voices/{voice_id}", update),
    Endpoint("DELETE", "/v1/audio/voices/{voice_id}", delete),
    Endpoint("GET", "/v1/audio/voices/{voice_id}/sample", sample),
)
