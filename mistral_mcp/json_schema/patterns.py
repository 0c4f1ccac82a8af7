"""Callers' regular expressions, searched within bounds."""

import re
from contextlib import suppress
from time import thread_time

from mistral_mcp.json_schema.work import STEP, STEPS, TooMuchWork, current_check

MAX_CHARACTERS = 10_000  # of a pattern
MAX_WEIGHT = 50_000  # of all patterns of a schema: their atoms, each as often as it may be repeated
MAX_COMPILED = 8 << 20  # bytes, all patterns of a schema

_ATOM = re.compile(r"\\[pP]\{[^}]*\}|\\.|\[(?:\\.|[^\]\\])*\]|\{\d*(?:,\d*)?\}|.", re.DOTALL)
_REPEATED = re.compile(r"\{(\d*)(?:,(\d*))?\}")


def weight(pattern: str) -> int:
    """How large a pattern becomes when its counted repetitions are written out: what an automaton of it weighs at least.

    Our own estimate, so that the bound does not change with the library's version.
    """
    groups: list[list[int]] = [[0]]
    for atom in _ATOM.findall(pattern):
        group = groups[-1]
        if atom == "(":
            groups.append([0])
        elif atom == ")" and len(groups) > 1:
            inner = sum(groups.pop())
            groups[-1].append(inner + 1)
        elif repeated := _REPEATED.fullmatch(atom):
            group[-1] *= max(*(min(int(count or 1), MAX_WEIGHT) for count in repeated.groups("1")), 1)
        else:
            group.append(1)
    return sum(sum(group) for group in groups)


class Pattern:
    """Searches in linear time or, where that is impossible, with bounded backtracking. ValueError if it is not a regular
    expression or takes more than `room` bytes.
    """

    def __init__(self, pattern: str, room: int) -> None:
        import jsonschema_rs  # noqa: PLC0415 - most servers meet no schema

        self._out_of_steps = jsonschema_rs.ValidationErrorKind.BacktrackLimitExceeded
        few_steps_back = jsonschema_rs.FancyRegexOptions(
            backtrack_limit=1_000, size_limit=1 << 16, dfa_size_limit=1 << 18
        )
        sizes = (1 << 13, 1 << 15, 1 << 17, 1 << 20)
        linear = [(size, False, jsonschema_rs.RegexOptions(size, 4 * size)) for size in sizes]
        several = (1 + pattern.count("(")) << 16  # any group may be a lookaround, which is compiled separately
        for self.size, self._backs, options in [*linear, (several, True, few_steps_back)]:
            with suppress(jsonschema_rs.ValidationError):
                if self.size <= room:
                    self._search = jsonschema_rs.Draft202012Validator(
                        {"pattern": pattern}, pattern_options=options
                    )
                    return
        raise ValueError(pattern)

    def is_in(self, text: str) -> bool:
        """Search, and charge the time it took. Refuses to start if the slowest measured rate would take too long."""
        length, check = len(text), current_check.get()
        if length * self.size // 40_000 * (1 + self._backs * length // 10) > STEPS:
            raise TooMuchWork
        started = thread_time()
        error = next(self._search.iter_errors(text.encode("utf-8", "replace").decode()), None)
        check.spend(2 + int((thread_time() - started) / STEP))
        if error and isinstance(error.kind, self._out_of_steps):
            raise TooMuchWork
        return error is None
