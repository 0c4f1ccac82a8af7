"""The base models. Ids, context windows and dates are those of Mistral's documentation in 2026."""

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
VISION = CHAT | {"vision"}
REASONING = VISION | {"reasoning"}
FINE_TUNING = frozenset({"fine_tuning"})
TRANSCRIPTION = frozenset({"audio", "audio_transcription"})
SPEECH = frozenset({"audio_speech"})
MODERATION = frozenset({"moderation"})


@dataclass(frozen=True)
class Model:
    """A model with all of its names; `context` is in tokens. There is no capability for embeddings: the id tells."""

    id: str
    context: int
    capabilities: frozenset[str] = field(default_factory=frozenset[str])
    aliases: tuple[str, ...] = ()
    temperature: float | None = 0.3
    top_p: float = 1.0
    """The server's default, which has to be 1 for greedy sampling."""
    efforts: tuple[str, ...] | None = ()
    """The values of `reasoning_effort` that it accepts; None for all."""
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


ON_OR_OFF = ("none", "high")
THREE_LEVELS = ("low", "medium", "high")
GLM_LEVELS = ("low", "high", "max")
ENDS_2027 = "2027-04-30T12:00:00Z"

MODELS: tuple[Model, ...] = (
    Model(
        "mistral-large-4-0",
        1_048_576,
        REASONING | {"unified_resources"},
        ("mistral-large-4",),
        1.0,
        efforts=THREE_LEVELS,
    ),
    Model(
        "mistral-large-2512",
        262_144,
        VISION,
        ("mistral-large-latest",),
        deprecation=ENDS_2027,
        replacement="mistral-large-4",
    ),
    Model(
        "mistral-medium-3-5",
        262_144,
        REASONING,
        (
            "mistral-medium-latest",
            "mistral-medium",
            "mistral-medium-3",
            "mistral-medium-3.5",
            "mistral-medium-2604",
            "magistral-medium-latest",
        ),
        top_p=0.95,
        efforts=ON_OR_OFF,
        deprecation=ENDS_2027,
        replacement="mistral-large-4",
    ),
    Model(
        "mistral-small-2603",
        262_144,
        REASONING,
        ("mistral-small-latest", "magistral-small-latest"),
        efforts=ON_OR_OFF,
    ),
    Model("ministral-14b-2512", 262_144, VISION, ("ministral-14b-latest",)),
    Model("ministral-8b-2512", 262_144, VISION | FINE_TUNING, ("ministral-8b-latest",)),
    Model("ministral-3b-2512", 262_144, VISION | FINE_TUNING, ("ministral-3b-latest",)),
    Model(
        "codestral-2508",
        131_072,
        CHAT | {"completion_fim"},
        ("codestral-latest", "mistral-code-latest", "mistral-code-fim-latest"),
    ),
    Model("zai-glm-5-3", 262_144, CHAT | {"reasoning"}, ("zai-glm-5", "zai-glm-latest"), efforts=GLM_LEVELS),
    Model("zai-glm-5-3-flash", 262_144, CHAT | {"reasoning"}, efforts=GLM_LEVELS),
    Model("labs-leanstral-1-5-1", 131_072, CHAT | {"reasoning"}, efforts=ON_OR_OFF),
    Model("deepseek-v4-1-flash-1017", 131_072, CHAT, efforts=None),
    Model("open-mistral-nemo-2407", 131_072, CHAT | FINE_TUNING, ("open-mistral-nemo",)),
    Model("voxtral-small-2507", 32_768, CHAT | {"audio"}, ("voxtral-small-latest",), 0.2),
    Model(
        "voxtral-mini-2602",
        16_384,
        TRANSCRIPTION,
        ("voxtral-mini-latest",),
        None,
        deprecation=ENDS_2027,
        replacement="voxtral-mini-transcribe-3-0",
    ),
    Model("voxtral-mini-2507", 16_384, TRANSCRIPTION, temperature=None),
    Model(
        "voxtral-mini-transcribe-3-0",
        32_768,
        TRANSCRIPTION,
        ("voxtral-mini-transcribe-3", "voxtral-mini-transcribe-latest"),
        None,
    ),
    Model(
        "voxtral-small-transcribe-3-0",
        32_768,
        TRANSCRIPTION,
        ("voxtral-small-transcribe-3", "voxtral-small-transcribe-latest"),
        None,
    ),
    Model(
        "voxtral-mini-transcribe-realtime-3-0",
        32_768,
        frozenset({"audio", "audio_transcription_realtime"}),
        ("voxtral-mini-transcribe-realtime-3", "voxtral-mini-transcribe-realtime-latest"),
        None,
    ),
    Model("voxtral-mini-tts-3-0", 4_096, SPEECH, ("voxtral-mini-tts-3", "voxtral-mini-tts-latest"), None),
    Model(
        "voxtral-mini-tts-2603",
        4_096,
        SPEECH,
        temperature=None,
        deprecation=ENDS_2027,
        replacement="voxtral-mini-tts-3-0",
    ),
    Model("mistral-ocr-4-1", 16_384, frozenset({"ocr"}), ("mistral-ocr-latest", "mistral-ocr-4"), None),
    Model("mistral-embed-2312", 8_192, aliases=("mistral-embed",), temperature=None),
    Model("codestral-embed-2505", 8_192, aliases=("codestral-embed",), temperature=None),
    Model("mistral-moderation-2603", 131_072, MODERATION, ("mistral-moderation-latest",), None),
    Model(
        "mistral-moderation-2411",
        8_192,
        MODERATION,
        temperature=None,
        deprecation="2026-06-30T12:00:00Z",
        replacement="mistral-moderation-latest",
    ),
)

RETIRED = frozenset(
    {
        "mistral-large-2402",
        "mistral-small-2402",
        "open-mistral-7b",
        "codestral-2501",
        "pixtral-12b-2409",
        "magistral-medium-2509",
        "mistral-medium-2505",
        "mistral-medium-2508",
        "mistral-ocr-4-0",
        "labs-leanstral-1-5",
        "zai-glm-5-2",
    }
)
RETIRED_ALIASES = {"sandbox-refused-alias": "mistral-medium-3.5"}
"""Retired aliases: the error message names the model instead of the alias."""

SANDBOX_MODELS: dict[str, str] = {
    "sandbox-bad-arguments": "tool calls whose arguments break the schema, until the conversation says what was wrong",
    "sandbox-not-json": "tool calls whose arguments are not JSON, until the conversation says what was wrong",
    "sandbox-object-arguments": "tool calls whose arguments are an object instead of a string of JSON",
    "sandbox-bad-json": "answers that do not match the json_schema, until the conversation says what was wrong",
    "sandbox-chunks": "content as a list of text and reference chunks",
    "sandbox-choice-messages": "`choices[].messages` instead of `choices[].message`",
    "sandbox-odd-finish": "an unknown finish_reason",
    "sandbox-null-usage": "usage whose members are null",
    "sandbox-cached-usage": "cached tokens under `num_cached_tokens` and the misspelt `prompt_token_details`",
    "sandbox-other-model": "a reply that names another model than the requested one",
    "sandbox-call-as-text": "a tool call written into the content",
    "sandbox-foreign-ids": "tool calls with ids that Mistral rejects when they are sent back",
    "sandbox-fragments": "streamed tool calls in fragments, of which only the first has an id and a name",
    "sandbox-changing-ids": "streamed tool calls in fragments whose id is another one after the first",
    "sandbox-object-fragments": "streamed tool calls whose arguments are an object, and without an index",
    "sandbox-split-thinking": "thinking that is split by empty texts, two leading chunks in a whole reply",
    "sandbox-odd-stream": "streams with a byte order mark, comments, CRLF, unknown events, chunks without choices, and "
    "blanks after [DONE]",
    "sandbox-error-in-ok": "an error inside a 200; in a stream a line without `data:`",
    "sandbox-image-urls": "conversations whose images and documents are signed URLs without a file id",
    "sandbox-odd-rows": "batches whose bodies are strings, whose last row has no response, and whose total is 0",
    "sandbox-null-annotation": "OCR whose document_annotation is null although it was requested",
    "sandbox-long-page": "OCR whose document is one page of 60,000 characters",
}
"""Models that only the sandbox has, each for a rare shape of real answers. They are not in the list of models."""


def find_base_model(name: str) -> Model | None:
    """The base model with this id or alias, None if there is none."""
    if name in SANDBOX_MODELS:
        return Model(name, 131_072, REASONING | {"audio", "ocr"}, efforts=None)
    return next((model for model in MODELS if name in model.names), None)
