"""Measure how dense the code is, and list what breaks a rule: `python scripts/density.py [FOLDER …]`.

"Participles" are functions named by one; a nested conditional expression is inside another or inside an f-string; a crowded
comprehension has two `for`s, or two `if`s.
The limits are this project's own. Other libraries, measured by this script: httpx2 6.5 tokens per line, Starlette 7.4.
"""

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

LIMITS = {"participles": 2.0, "tokens": 8.5, "conditionals": 15.0, "nested": 0.0, "crowded": 0.0}
PROGRAM_LIMITS = {**LIMITS, "tokens": 10.0}
"""Of programs that nobody imports: they are full of tables and of literal requests."""
TEST_LIMITS = {"nested": 0.0, "crowded": 0.0}
"""Of tests, whose names are sentences."""
LIMITS_OF = {
    "mistral_mcp": LIMITS,
    "scripts": PROGRAM_LIMITS,
    "benchmarks": PROGRAM_LIMITS,
    "tests": TEST_LIMITS,
}

_IRREGULAR = frozenset(
    "begun born bought bound broken brought built caught chosen done drawn driven eaten fallen fed felt found forgotten "
    "given gone got grown heard held hidden kept known laid led left lent lost made meant met paid ridden risen said seen "
    "sent shaken shown sold sought spent spoken stolen stuck sworn taken taught thought thrown told torn understood woken "
    "won worn written".split()
)
_NO_PARTICIPLE = frozenset(
    "bed bleed embed exceed feed indeed need proceed red seed shed speed succeed unembed wed weed".split()
)
_PREDICATES = frozenset("are can did does had has have if is must needs not on should was were when".split())
_F_STRING_START = getattr(tokenize, "FSTRING_START", None)
_F_STRING_END = getattr(tokenize, "FSTRING_END", None)
_PREPOSITIONS = frozenset("as at by for from in into of on to with".split())


@dataclass
class Density:
    """The measurements of one folder of Python files."""

    lines: int = 0
    tokens: int = 0
    conditionals: int = 0
    comprehensions: int = 0
    functions: int = 0
    participles: list[str] = field(default_factory=list[str])
    nested: list[str] = field(default_factory=list[str])
    """Conditional expressions inside another or inside an f-string."""
    crowded: list[str] = field(default_factory=list[str])
    """Comprehensions with two `for`s or two `if`s."""

    def places(self) -> dict[str, list[str]]:
        return {"participles": self.participles, "nested": self.nested, "crowded": self.crowded}

    def rates(self) -> dict[str, float]:
        """Participles in percent of all functions, tokens per line of code, the others per 1,000 lines of code."""
        return {
            "participles": 100 * len(self.participles) / max(self.functions, 1),
            "tokens": self.tokens / max(self.lines, 1),
            "conditionals": 1000 * self.conditionals / max(self.lines, 1),
            "nested": 1000 * len(self.nested) / max(self.lines, 1),
            "crowded": 1000 * len(self.crowded) / max(self.lines, 1),
            "comprehensions": 1000 * self.comprehensions / max(self.lines, 1),
        }


def measure(folder: Path) -> Density:
    density = Density()
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        count_tokens(density, text, docstring_lines(tree))
        for node in ast.walk(tree):
            count_node(density, node, path.relative_to(folder))
    return density


def docstring_lines(tree: ast.AST) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def count_tokens(density: Density, text: str, docstrings: set[int]) -> None:
    """Count names, operators, numbers and strings outside docstrings, and the lines that have at least one of them."""
    lines: set[int] = set()
    for token in code_tokens(text):
        if token.start[0] not in docstrings:
            density.tokens += 1
            lines.update(range(token.start[0], token.end[0] + 1))
    density.lines += len(lines)


def code_tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """An f-string counts as one token, as before Python 3.12, so that every version gives the same result."""
    counted = {tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING}
    depth = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == _F_STRING_START:
            depth += 1
        elif token.type == _F_STRING_END:
            depth -= 1
            if depth == 0:
                yield token
        elif depth == 0 and token.type in counted:
            yield token


def count_node(density: Density, node: ast.AST, path: Path) -> None:
    if isinstance(node, ast.IfExp | ast.JoinedStr) and has_conditional_inside(node):
        density.nested.append(f"{path.as_posix()}:{node.lineno}")
    if isinstance(node, ast.IfExp):
        density.conditionals += 1
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        density.comprehensions += 1
        if is_crowded(node.generators):
            density.crowded.append(f"{path.as_posix()}:{node.lineno}")
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        density.functions += 1
        if is_named_by_participle(node.name):
            density.participles.append(f"{path.as_posix()}:{node.lineno} {node.name}")


def has_conditional_inside(node: ast.expr) -> bool:
    return any(isinstance(each, ast.IfExp) for each in ast.walk(node) if each is not node)


def is_crowded(loops: list[ast.comprehension]) -> bool:
    return len(loops) > 1 or len(loops[0].ifs) > 1


def is_named_by_participle(name: str) -> bool:
    """True for `_told`, `told_by` and `shown`; false for `is_sent`, and for `allowed_hosts`, a noun for what it returns."""
    words = name.strip("_").split("_")
    if words[0] in _PREDICATES:
        return False
    return is_participle(words[-1]) or (len(words) > 1 and is_participle(words[0]) and words[1] in _PREPOSITIONS)


def is_participle(word: str) -> bool:
    return word in _IRREGULAR or (word.endswith("ed") and word not in _NO_PARTICIPLE)


def main(folders: list[str]) -> int:
    missed = 0
    for folder in folders or LIMITS_OF:
        density, limits = measure(Path(folder)), LIMITS_OF.get(folder, LIMITS)
        print(f"{folder}: {density.functions} functions, {density.lines} lines of code")
        for name, rate in density.rates().items():
            limit = limits.get(name)
            missed += limit is not None and rate > limit
            bound = "" if limit is None else f"  at most {limit}"
            print(f"  {name:15}{rate:6.1f}{bound}")
        for name, places in density.places().items():
            if name in limits:
                print("".join(f"    {name}: {place}\n" for place in places), end="")
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
