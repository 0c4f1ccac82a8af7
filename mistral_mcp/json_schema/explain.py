"""What is wrong with a value, in sentences that begin with a path and repeat no value."""

import json
from collections.abc import Iterator
from typing import Any

from mistral_mcp.json_schema.values import Path, cut, show_path

# Keywords of which the library's message tells more than their value, and nothing of the checked one but names.
MESSAGES_SAFE_TO_SHOW = {"required", "dependentRequired", "dependencies", "unevaluatedProperties"}


def explain(error: Any, above: Path = ()) -> Iterator[str]:
    """Of several alternatives the one that was meant says what is wrong, if only one can have been meant."""
    path = (*above, *error.relative_path)
    arms: dict[int, list[Any]] = {}
    for fault in error.context:
        if fault.relative_schema_path:  # not of an alternative that is just false
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
    """The value, or its tag as in `kind: {const: …}`, is another one altogether."""
    return len(error.path) <= {None: 0, "type": 0, "const": 1, "enum": 1}.get(error.validator, -1)
