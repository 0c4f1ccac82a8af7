"""One member is changed, and not a byte of anything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistral_mcp.install import json_text

ENTRY = {"command": "/bin/mistral-mcp", "args": [], "env": {"A": "// no comment", "B": "/* nor this, */ ,}"}}

AS_IT_WAS = [
    '// Zed\n{\n  "theme": "x", // dark\n  "s": {\n    "a": {"c": 1},\n  },\n}\n',
    '{\n  "s": {\n    "a": {"c": 1} // about a\n  }\n}\n',
    '{\n  "s": {\n    "a": {"c": 1}, // about a\n    // end\n  }\n}\n',
    '{\n  "s": {\n    // none yet\n  }\n}\n',
    '{\n  "s": { // none yet\n  }\n}\n',
    '{\n  "s": {}\n}\n',
    '{\n  "s": {},\n}\n',
    '{\n  "s": {\n\n  }\n}\n',
    '{"s": {"a": 1}}',
    '{"s": {"a": 1,}}',
    '{ "s": { "a": 1 } }',
    '{"s":\n{\n"a":{}}\n}',
    '{\r\n  "s": {\r\n    "a": 1, // b\r\n  }\r\n}\r\n',
    '{\n  "s": {\n    "a": 1 /* x */,\n    "b": {\n      "c": 2\n    } // tail\n    // after\n  }, // s ends\n  "t": [1, 2, ],\n}\n',
]
WITHOUT_A_PLACE = [
    "// only\n{}\n",
    "{\n  // nothing here\n}\n",
    "{ /* x */ }",
    '{"other": 1}',
    '{\n\t"x": 1\n}',
    '{\n  "x": 1 // note\n}\n',
]


def holds_in_order(letters: str, text: str) -> bool:
    """Whether the text holds them all, in their order: things were put between, nothing was taken or moved."""
    rest = iter(text)
    return all(letter in rest for letter in letters)


@pytest.mark.parametrize("before", AS_IT_WAS)
def test_a_member_that_is_put_in_and_taken_out_leaves_the_text_as_it_was(before: str):
    after = json_text.with_member(before, ("s", "new"), ENTRY)

    assert json_text.parse(after)["s"] == {**json_text.parse(before)["s"], "new": ENTRY}
    assert holds_in_order(before, after)
    assert json_text.without_member(after, ("s", "new")) == before


@pytest.mark.parametrize("before", WITHOUT_A_PLACE)
def test_a_place_that_is_not_there_yet_is_made_and_every_comment_stays(before: str):
    after = json_text.with_member(before, ("s", "new"), ENTRY)

    assert json_text.parse(after) == {**json_text.parse(before), "s": {"new": ENTRY}}
    assert all(word in after for word in before.replace("{", " ").replace("}", " ").split())


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ("a", '{\n  "s": {\n    // one\n    "b": 2, // two\n    "c": 3 // three\n  }\n}'),
        ("b", '{\n  "s": {\n    // one\n    "a": 1,\n    // two\n    "c": 3 // three\n  }\n}'),
        ("c", '{\n  "s": {\n    // one\n    "a": 1,\n    "b": 2 // two\n    // three\n  }\n}'),
    ],
)
def test_a_member_goes_with_its_line_and_one_comma_and_comments_stay(gone: str, left: str):
    text = '{\n  "s": {\n    // one\n    "a": 1,\n    "b": 2, // two\n    "c": 3 // three\n  }\n}'

    assert json_text.without_member(text, ("s", gone)) == left


blanks = st.sampled_from(["", " ", "\n", "\n  ", "\t", " // note, }\n", ' /* { " , */ ', '\n// "quoted"\n'])
names = st.sampled_from(["a", "b", "c d", "//", "/*", "}", ","])
values = st.recursive(
    st.sampled_from(["1", "true", "null", '"x"', '"// no"', '"a, ]"', "[]", "{}"]),
    lambda inner: st.builds(
        lambda items, blank, comma: f"[{blank}{f',{blank}'.join(items)}{comma}{blank}]",
        st.lists(inner, min_size=1, max_size=3),
        blanks,
        st.sampled_from(["", ","]),
    ),
    max_leaves=4,
)


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[str] = values) -> str:
    """An object as a person might write it."""
    members = draw(st.dictionaries(names, inner, max_size=3))
    text = draw(blanks)
    for place, (name, value) in enumerate(members.items()):
        comma = "," if place else ""
        text += f"{comma}{draw(blanks)}{json.dumps(name)}{draw(blanks)}:{draw(blanks)}{value}{draw(blanks)}"
    trailing = draw(st.sampled_from(["", ","])) if members else ""
    return f"{{{text}{trailing}{draw(blanks)}}}"


@given(objects(), objects(), blanks, blanks, st.booleans())
def test_whatever_a_person_wrote_keeps_its_data_and_its_words(
    servers: str,
    other: str,
    head: str,
    tail: str,
    trailing: bool,  # noqa: FBT001
):
    comma = "," if trailing else ""
    text = f'{head}{{"other": {other}, "s": {servers}{comma}}}{tail}'
    before = json_text.parse(text)

    after = json_text.with_member(text, ("s", "new"), ENTRY)
    back = json_text.without_member(after, ("s", "new"))

    assert json_text.parse(after) == {**before, "s": {**before["s"], "new": ENTRY}}
    assert json_text.parse(back) == before
    assert "".join(back.split()) == "".join(text.split())  # blanks aside
