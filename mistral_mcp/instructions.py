"""The server's instructions to clients. No sentence of them, or of an error, names a tool that this caller is not offered."""

import re
from collections.abc import Callable

MAX_CHARACTERS = 512

# What no tool's description says: each line with the tools it mentions. The first lines that fit are used.
_LINES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset(), "Mistral AI's models as tools. Calls cost money; each result says how much."),
    (frozenset({"mistral_api_search"}), "What no other tool does, mistral_api_search finds."),
    (frozenset({"mistral_ocr"}), "mistral_ocr reads PDFs and scans, a range of pages at a time."),
    (
        frozenset({"mistral_function_call"}),
        "mistral_function_call: run the calls yourself, then send assistant_message and a tool message each in messages.",
    ),
    (
        frozenset({"mistral_rank", "mistral_embed"}),
        "To compare texts use mistral_rank; mistral_embed only for the vectors themselves.",
    ),
    (frozenset({"mistral_list_models"}), "mistral_list_models shows models and prices."),
    (frozenset({"mistral_read_result"}), "Long results are kept: read on with mistral_read_result."),
    (frozenset({"mistral_upload_file"}), "Files are uploaded once and named by id."),
    (frozenset({"mistral_get_batch_job"}), "A batch runs for minutes to hours: ask mistral_get_batch_job later."),
)


def instructions(offered: frozenset[str]) -> str:
    """At most 512 characters, about the offered tools only."""
    text = ""
    for tools, line in _LINES:
        longer = f"{text} {line}".strip()
        if tools <= offered and len(longer) <= MAX_CHARACTERS:
            text = longer
    return text


_SENTENCE_ENDS = re.compile(r"(?<=[.;?!])\s+")
_TOOL = re.compile(r"\bmistral_[a-z_]+\b")


def omit_unoffered_tools(text: str, offered: frozenset[str], toolset_of: Callable[[str], str | None]) -> str:
    """An error's text; a sentence about a tool that is not offered names its toolset instead."""
    first, gap, rest = text.partition("\n\n")
    sentences = [_omit_from_sentence(sentence, offered, toolset_of) for sentence in _SENTENCE_ENDS.split(first)]
    return " ".join(sentences) + gap + rest


def _omit_from_sentence(sentence: str, offered: frozenset[str], toolset_of: Callable[[str], str | None]) -> str:
    toolsets = [toolset_of(name) for name in _TOOL.findall(sentence) if name not in offered]
    missing = next(filter(None, toolsets), None)
    if missing is None:
        return sentence
    return f"A tool for this is in the toolset {missing}, which is not selected here."


def names_others(text: str, offered: frozenset[str]) -> bool:
    """Whether a text may name a tool that is not offered."""
    return not offered.issuperset(_TOOL.findall(text.partition("\n\n")[0]))
