"""`/v1/audio/voices`: the ones for everyone, and those a key has made itself."""

import base64
import binascii
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from mistral_mcp.sandbox.answers.make_audio import seconds, silence
from mistral_mcp.sandbox.protocol.endpoint import Account, Call, Endpoint
from mistral_mcp.sandbox.protocol.errors import plain, unfit, unfit_value
from mistral_mcp.sandbox.protocol.replies import Reply, data_reply, json_reply
from mistral_mcp.sandbox.protocol.strict import Count, Lax, Strict
from mistral_mcp.sandbox.state.store import Shelf

LARGEST_SAMPLE = 1024 * 1024


def _now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass(frozen=True)
class Voice:
    """A voice. Presets have a slug, under which they are found as well."""

    id: str
    name: str
    slug: str | None = None
    languages: list[str] = field(default_factory=list[str])
    gender: str | None = None
    age: int | None = None
    tags: list[str] | None = None
    color: str | None = None
    description: str | None = None
    retention_notice: int = 30
    sample: bytes = b""
    created_at: str = field(default_factory=_now)

    def card(self) -> dict[str, Any]:
        """The voice as the API shows it."""
        return {
            "name": self.name,
            "slug": self.slug,
            "languages": self.languages,
            "gender": self.gender,
            "age": self.age,
            "tags": self.tags,
            "color": self.color,
            "description": self.description,
            "retention_notice": self.retention_notice,
            "id": self.id,
            "created_at": self.created_at,
            "user_id": None if self.slug else "00000000-0000-4000-8000-000000000002",
            "type": "preset" if self.slug else "custom",
        }


class Voices(Shelf[Voice]):
    """The voices that one key has made."""


def _preset(number: int, language: str, name: str, mood: str) -> Voice:
    return Voice(
        id=f"00000000-0000-4000-8000-{number:012x}",
        name=f"{name} - {mood.title()}",
        slug=f"{language[:2]}_{name.lower()}_{mood}",
        languages=[language],
        gender="male" if name == "Paul" else "female",
        tags=[mood],
        created_at="2026-03-01T00:00:00+00:00",
    )


PRESETS = tuple(
    _preset(256 + number, language, name, mood)
    for number, (language, name, mood) in enumerate(
        (language, name, mood)
        for language, name in (("en_us", "Paul"), ("en_gb", "Jane"), ("fr_fr", "Marie"))
        for mood in ("neutral", "happy", "sad", "angry")
    )
)

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


class Wanted(Lax):
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    offset: Count = 0
    type: Literal["all", "custom", "preset"] = "all"


def voice(account: Account, name: str) -> Voice:
    """The voice with this id or slug; 404 if there is none."""
    preset = next((each for each in PRESETS if name in (each.id, each.slug)), None)
    return preset or account.section(Voices).get(name)


def list_voices(call: Call) -> Reply:
    wanted = call.query(Wanted)
    found = [*call.account.section(Voices), *PRESETS]
    found = [each for each in found if wanted.type in ("all", each.card()["type"])]
    page = {
        "items": [each.card() for each in found[wanted.offset : wanted.offset + wanted.limit]],
        "total": len(found),
        "page": wanted.offset // wanted.limit + 1,
        "page_size": wanted.limit,
        "total_pages": -(-len(found) // wanted.limit),
    }
    return json_reply(page)


def get_voice(call: Call) -> Reply:
    return json_reply(voice(call.account, call.params["voice_id"]).card())


def create(call: Call) -> Reply:
    body = call.body(NewVoice, unfit)
    try:
        sample = base64.b64decode(body.sample_audio, validate=True)
    except binascii.Error:
        raise unfit_value("sample_audio is not base64", "body", "sample_audio") from None
    if len(sample) > LARGEST_SAMPLE:
        raise plain(413, f"The sandbox takes samples of at most {LARGEST_SAMPLE} bytes.")
    seconds(sample)
    told = body.model_dump(exclude={"sample_audio", "sample_filename"})
    made = Voice(id=call.account.new_id("voice"), sample=sample, **told)
    return json_reply(call.account.section(Voices).put(made.id, made).card())


def update(call: Call) -> Reply:
    """Only what was sent is changed."""
    changes = call.body(VoiceUpdate, unfit).model_dump(exclude_unset=True)
    own = call.account.section(Voices)
    changed = replace(own.get(call.uuid("voice_id")), **changes)
    return json_reply(own.put(changed.id, changed).card())


def delete(call: Call) -> Reply:
    """Answers with the voice that is gone."""
    return json_reply(call.account.section(Voices).remove(call.uuid("voice_id")).card())


def sample(call: Call) -> Reply:
    return data_reply(voice(call.account, call.params["voice_id"]).sample or silence(0.1, "wav"), "audio/wav")


ENDPOINTS = (
    Endpoint("GET", "/v1/audio/voices", list_voices),
    Endpoint("POST", "/v1/audio/voices", create),
    Endpoint("GET", "/v1/audio/voices/{voice_id}", get_voice),
    Endpoint("PATCH", "/v1/audio/voices/{voice_id}", update),
    Endpoint("DELETE", "/v1/audio/voices/{voice_id}", delete),
    Endpoint("GET", "/v1/audio/voices/{voice_id}/sample", sample),
)
