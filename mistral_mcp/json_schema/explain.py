"""Explains validation errors in sentences that begin with a path and quote no value."""

import json
from collections.abc import Iterator
from typing import Any

from mistral_mcp.json_schema.values import Path, cut, show_path

# Keywords whose message in the library says more than their value does, and quotes nothing of the instance but names.
MESSAGES_SAFE_TO_SHOW = {"required", "dependentRequired", "dependencies", "unevaluatedProperties"}


def explain(error: Any, above: Path = ()) -> Iterator[str]:
    """The errors of a value; of `anyOf` and `oneOf`, those of the only alternative that can have been intended, if there is one."""
    path = (*above, *error.relative_path)
    arms: dict[int, list[Any]] = {}
    for fault in error.context:
        if fault.relative_schema_path:  # not of an alternative that is simply `false`
            arms.setdefault(fault.relative_schema_path[0], []).append(fault)
    meant = [arm for arm in arms.values() if not any(map(_is_foreign, arm))]
    if len(meant) == 1:
        for fault in meant[0]:
            yield from explain(fault, path)
    elif error.context:
        yield f"{show_path(path)}: fits none of {len(error.validator_value)} alternatives"
    elif error.validator is None:
        yield f"{show_path(path)}: has something that is not allowed"
    elif error.validator in MESSAGES_SAFE_TO_SHOW:
        yield f"{show_path(path)}: {error.message}"
    else:
        yield f"{show_path(path)}: does not fit {cut(json.dumps({error.validator: error.validator_value}))}"


def _is_foreign(error: Any) -> bool:
    """Whether the type of the value, or its tag as in `kind: {const: …}`, is of another alternative."""
    return len(error.path) <= {None: 0, "type": 0, "const": 1, "enum": 1}.get(error.validator, -1)
