"""The models there are for everyone. Ids, windows and dates are those of Mistral's documentation in 2026."""

from dataclasses import dataclass, field

CAPABILITIES = (
    "completion_chat",
    "function_calling",
    "reasoning",
    "completion_fim",
    "fine_tuning",
    "vision",
    "ocr",
    "classification",
    "moderation",
    "audio",
    "audio_transcription",
    "audio_transcription_realtime",
    "audio_speech",
    "unified_resources",
)

CHAT = frozenset({"completion_chat", "function_calling"})
SEEING = CHAT | {"vision"}
THINKING = SEEING | {"reasoning"}
TUNABLE = frozenset({"fine_tuning"})


@dataclass(frozen=True)
class Model:
    """One model, under all of its names. There is no capability for embeddings: it is told by the id."""

    id: str
    context: int
    capabilities: frozenset[str] = field(default_factory=frozenset[str])
    aliases: tuple[str, ...] = ()
    temperature: float | None = 0.3
    top_p: float = 1.0
    """The default of the server: with greedy sampling it has to be 1."""
    deprecation: str | None = None
    replacement: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.id, *self.aliases)

    @property
    def embeds(self) -> bool:
        return "embed" in self.id

    def can(self, capability: str) -> bool:
        """Whether it has this capability."""
        return capability in self.capabilities


MODELS: tuple[Model, ...] = (
    Model("mistral-large-4-0", 524_288, THINKING | {"unified_resources"}, ("mistral-large-4",), 1.0),
    Model("mistral-large-2512", 262_144, SEEING, ("mistral-large-latest",)),
    Model(
        "mistral-medium-3-5",
        262_144,
        THINKING,
        ("mistral-medium-latest", "mistral-medium", "mistral-medium-3", "mistral-medium-3.5", "mistral-medium-2604"),
        top_p=0.95,
    ),
    Model("mistral-small-2603", 262_144, THINKING, ("mistral-small-latest",)),
    Model("ministral-14b-2512", 262_144, SEEING, ("ministral-14b-latest",)),
    Model("ministral-8b-2512", 262_144, SEEING | TUNABLE, ("ministral-8b-latest",)),
    Model("ministral-3b-2512", 262_144, SEEING | TUNABLE, ("ministral-3b-latest",)),
    Model("codestral-2508", 131_072, CHAT | {"completion_fim"}, ("codestral-latest",)),
    Model(
        "magistral-medium-2509",
        131_072,
        THINKING,
        ("magistral-medium-latest",),
        0.7,
        deprecation="2026-07-31T12:00:00Z",
        replacement="mistral-medium-latest",
    ),
    Model("open-mistral-nemo-2407", 131_072, CHAT | TUNABLE, ("open-mistral-nemo",)),
    Model("voxtral-small-2507", 32_768, CHAT | {"audio"}, ("voxtral-small-latest",), 0.2),
    Model("voxtral-mini-2602", 16_384, frozenset({"audio", "audio_transcription"}), ("voxtral-mini-latest",), None),
    Model("voxtral-mini-tts-2603", 4_096, frozenset({"audio_speech"}), ("voxtral-mini-tts-latest",), None),
    Model("mistral-ocr-4-1", 16_384, frozenset({"ocr"}), ("mistral-ocr-latest", "mistral-ocr-4"), None),
    Model("mistral-embed-2312", 8_192, aliases=("mistral-embed",), temperature=None),
    Model("codestral-embed-2505", 8_192, aliases=("codestral-embed",), temperature=None),
    Model(
        "mistral-moderation-2603",
        131_072,
        frozenset({"moderation"}),
        ("mistral-moderation-latest",),
        None,
    ),
    Model(
        "mistral-moderation-2411",
        8_192,
        frozenset({"moderation"}),
        temperature=None,
        deprecation="2026-06-30T12:00:00Z",
        replacement="mistral-moderation-latest",
    ),
)

RETIRED = frozenset(
    {"mistral-large-2402", "mistral-small-2402", "open-mistral-7b", "codestral-2501", "pixtral-12b-2409"}
)

SANDBOX_MODELS: dict[str, str] = {
    "sandbox-bad-arguments": "tool calls whose arguments break the schema, until the conversation says what was wrong",
    "sandbox-not-json": "tool calls whose arguments are no JSON, until the conversation says what was wrong",
    "sandbox-object-arguments": "tool calls whose arguments are an object instead of a string of JSON",
    "sandbox-bad-json": "answers that do not match the json_schema, until the conversation says what was wrong",
    "sandbox-chunks": "content as a list of text and reference chunks",
    "sandbox-choice-messages": "`choices[].messages` instead of `choices[].message`",
    "sandbox-odd-finish": "a finish_reason nobody has heard of",
    "sandbox-null-usage": "usage whose members are null",
}
"""Models only the sandbox has, for shapes that are real and rare. They answer by id and are not listed."""


def find_base_model(name: str) -> Model | None:
    """The model with this id or alias."""
    if name in SANDBOX_MODELS:
        return Model(name, 131_072, THINKING)
    return next((model for model in MODELS if name in model.names), None)
