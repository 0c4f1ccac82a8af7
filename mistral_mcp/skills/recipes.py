"""The recipes on disk: name, text, and the tools that each uses."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent
_TOOL = re.compile(r"\bmistral_[a-z_]+\b")


@dataclass(frozen=True)
class Recipe:
    """One SKILL.md. Its frontmatter is `name: value` lines and nothing more, so that it needs no YAML parser."""

    text: str
    frontmatter: Mapping[str, str]
    tools: frozenset[str]
    """Tools that its text names: the recipe is offered only where all of them are."""

    @classmethod
    def parse(cls, text: str) -> "Recipe":
        _, header, _ = text.split("---\n", 2)
        pairs = (line.split(": ", 1) for line in header.splitlines())
        return cls(text, dict(pairs), frozenset(_TOOL.findall(text)))

    @property
    def name(self) -> str:
        return self.frontmatter["name"]

    @property
    def description(self) -> str:
        return self.frontmatter["description"]

    @property
    def uri(self) -> str:
        return f"skill://{self.name}/SKILL.md"

    @property
    def title(self) -> str:
        """The first heading."""
        heading = re.search(r"^# (.+)$", self.text, re.MULTILINE)
        if heading:
            return heading[1]
        return self.name

    @property
    def size(self) -> int:
        return len(self.text.encode())

    @property
    def digest(self) -> str:
        return f"sha256:{sha256(self.text.encode()).hexdigest()}"


@cache
def recipes() -> tuple[Recipe, ...]:
    """All recipes, by name."""
    files = sorted(FOLDER.glob("*/SKILL.md"))
    return tuple(Recipe.parse(file.read_bytes().decode()) for file in files)


def offered_recipes(offered: frozenset[str]) -> list[Recipe]:
    """The recipes whose tools are all offered."""
    return [recipe for recipe in recipes() if recipe.tools <= offered]
