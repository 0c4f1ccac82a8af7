"""The preset voices, and the voices that one key has created."""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

from mistral_mcp.sandbox.protocol.clock import iso_time
from mistral_mcp.sandbox.protocol.endpoint import Account
from mistral_mcp.sandbox.state.store import Store

OWNER = "00000000-0000-4000-8000-000000000002"


@dataclass(frozen=True)
class Voice:
    """A voice. The presets of Voxtral 2 can be looked up by id or slug; those of Voxtral 3 have no slug."""

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
    created_at: str = field(default_factory=iso_time)
    preset: bool = False

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
            "user_id": None if self.preset else OWNER,
            "type": "preset" if self.preset else "custom",
        }


class Voices(Store[Voice]):
    """The voices that one key has created."""


def _preset(number: int, language: str, name: str, mood: str) -> Voice:
    return Voice(
        id=f"00000000-0000-4000-8000-{number:012x}",
        name=f"{name} - {mood.title()}",
        slug=f"{language[:2]}_{name.lower()}_{mood}",
        languages=[language],
        gender="male" if name == "Paul" else "female",
        tags=[mood],
        created_at="2026-03-01T00:00:00+00:00",
        preset=True,
    )


VOXTRAL_3 = tuple(
    Voice(
        id=f"voice_{number}",
        name=name,
        languages=[language],
        gender=gender,
        created_at="2026-10-22T00:00:00+00:00",
        preset=True,
    )
    for number, name, language, gender in (
        (478, "Ava", "en_us", "female"),
        (479, "Noah", "en_us", "male"),
        (480, "Emma", "en_gb", "female"),
        (481, "Lucas", "de_de", "male"),
        (482, "Sofia", "es_es", "female"),
        (483, "Marco", "it_it", "male"),
        (484, "Anna", "pt_br", "female"),
        (485, "Arjun", "hi_in", "male"),
        (447, "Robin", "en_us", "neutral"),
        (592, "Chloe", "fr_fr", "female"),
    )
)
VOXTRAL_2 = tuple(
    _preset(256 + number, language, name, mood)
    for number, ((language, name), mood) in enumerate(
        product(
            (("en_us", "Paul"), ("en_gb", "Jane"), ("fr_fr", "Marie")),
            ("neutral", "happy", "sad", "angry"),
        )
    )
)
PRESETS = VOXTRAL_3 + VOXTRAL_2


def find_voice(account: Account, name: str) -> Voice:
    """The voice with this id or slug; 404 if there is none."""
    preset = next((each for each in PRESETS if name in (each.id, each.slug)), None)
    return preset or account.section(Voices).get(name)
