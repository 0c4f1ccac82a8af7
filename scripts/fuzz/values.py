"""Generated values: some that fit a schema, and some that fit nothing."""

from typing import Any

from hypothesis import strategies as st

HOSTILE = [
    "", " ", "\x00", "\ud83d", "%2f", "%00", "../..", "..%2f..", "{}", "[]", "null", "true", "-1", "1e999", "9" * 400,
    "\u202e", "\r\nX-A: b", "<script>", "' OR 1=1 --", "${jndi:x}", "file:///etc/passwd", "http://169.254.169.254/",
    "data:text/plain;base64,", "data:;base64,!!!", "mmcp_x", "kr_" + "A" * 43, "up_" + "A" * 43, "x" * 300, "x" * 20_000,
]  # fmt: skip

texts = st.one_of(st.text(max_size=40), st.sampled_from(HOSTILE))
numbers = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0, -1, 2**31, 2**63, 1e308])
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)


def from_schema(schema: dict[str, Any], known: dict[str, list[Any]], name: str = "") -> st.SearchStrategy[Any]:
    """Mostly values that fit, so that the code behind the first check is reached too.

    `known` has existing ids and names, by the name of the member that takes them.
    """
    fitting: st.SearchStrategy[Any]
    match schema:
        case _ if name in known:
            fitting = st.sampled_from(known[name])
        case {"enum": list()}:
            fitting = st.sampled_from(schema["enum"])
        case {"type": "string"}:
            fitting = texts
        case {"type": "integer"}:
            fitting = st.integers(schema.get("minimum", -5), schema.get("maximum", 10**6))
        case {"type": "number"}:
            fitting = st.floats(schema.get("minimum", -5), schema.get("maximum", 1e6))
        case {"type": "boolean"}:
            fitting = st.booleans()
        case {"type": "array", "items": dict()}:
            fitting = st.lists(from_schema(schema["items"], known, name), max_size=4)
        case {"type": "object", "properties": dict()}:
            fitting = _objects(schema["properties"], schema.get("required", []), known)
        case _:
            fitting = anything
    return st.one_of(fitting, fitting, fitting, fitting, fitting, anything)


def _objects(
    properties: dict[str, Any], required: list[str], known: dict[str, list[Any]]
) -> st.SearchStrategy[dict[str, Any]]:
    members = {name: from_schema(schema, known, name) for name, schema in properties.items()}
    needed = {name: members.pop(name) for name in required}
    return st.fixed_dictionaries(needed, optional=members)
