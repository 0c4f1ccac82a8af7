"""The root of the error tree, and a helper for error sentences."""

from collections.abc import Sequence


class MistralMcpError(Exception):
    """The root. `str()` is what the model reads: no secret, no upstream body, no input of the caller's."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what, advice)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.what} {self.advice}".strip()


def one_of(names: Sequence[str]) -> str:
    """`a, b or c`, for sentences that name the alternatives."""
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
