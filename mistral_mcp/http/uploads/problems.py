"""What a person reads of an error where files are uploaded, in English and French: `problems.toml`."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mistral_mcp.errors import MistralMcpError

_FILE = Path(__file__).with_name("problems.toml")


@cache
def read_problems(language: str) -> Mapping[str, str]:
    """Sentences by class of error."""
    import tomllib  # noqa: PLC0415 - only pages need it, and many servers show none

    return tomllib.loads(_FILE.read_text(encoding="utf-8"))[language]


def describe(error: MistralMcpError, language: str) -> str:
    """By its class, or the nearest parent that has a sentence."""
    sentences = read_problems(language)
    parents = (parent.__name__ for parent in type(error).__mro__)
    return sentences[next(name for name in parents if name in sentences)]
