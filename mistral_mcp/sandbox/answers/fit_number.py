"""A number within the bounds of a JSON Schema."""

import math
from collections.abc import Callable, Mapping
from typing import Any


def fit_number(schema: Mapping[str, Any], next_number: Callable[[], str | None], *, whole: bool) -> float:
    """The first number of the prompt that the schema allows, or else any that it allows. `next_number` returns None at the end."""
    bounds = _Bounds(schema, whole=whole)
    for written in iter(next_number, None):
        value = float(written)
        if bounds.admit(value):
            if value.is_integer() and "." not in written:
                return int(value)
            return value
    value = bounds.choose()
    if float(value).is_integer():
        return int(value)
    return value


class _Bounds:
    """The bounds and the step of a number."""

    def __init__(self, schema: Mapping[str, Any], *, whole: bool) -> None:
        self._low: float = schema.get("minimum", -math.inf)
        self._high: float = schema.get("maximum", math.inf)
        self._above: float = schema.get("exclusiveMinimum", -math.inf)
        self._below: float = schema.get("exclusiveMaximum", math.inf)
        self._step: float = schema.get("multipleOf", 1 if whole else 0)

    def admit(self, value: float) -> bool:
        on_step = not self._step or math.isclose(value / self._step, round(value / self._step), abs_tol=1e-9)
        return self._low <= value <= self._high and self._above < value < self._below and on_step

    def choose(self) -> float:
        """1 if that is allowed; otherwise close to a bound, or half-way between them."""
        bottom, top = max(self._low, self._above), min(self._high, self._below)
        if math.isfinite(bottom):
            edge = bottom
        elif math.isfinite(top):
            edge = top
        else:
            edge = 0
        step = self._step or 1
        steps = [(math.ceil(edge / step) + shift) * step for shift in (0, 1, -1)]
        middle = []
        if math.isfinite(top - bottom):
            middle = [(bottom + top) / 2]
        return next((value for value in (1, *steps, *middle, edge) if self.admit(value)), edge)
