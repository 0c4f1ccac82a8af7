"""What a client reads before anything else: how the tools that this caller is offered go together."""

MAX_CHARACTERS = 512

# What no tool's own description says: each line with the tools it speaks of. The first that fit are taken.
_LINES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset(), "Mistral AI's models as tools. Calls cost money; each result says how much."),
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
    """At most 512 characters, and only of what is offered."""
    text = ""
    for tools, line in _LINES:
        longer = f"{text} {line}".strip()
        if tools <= offered and len(longer) <= MAX_CHARACTERS:
            text = longer
    return text
