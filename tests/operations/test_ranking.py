"""Whether a question finds the operation that answers it: measured over questions as people ask them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from mistral_mcp.operations.operation import operations
from mistral_mcp.operations.ranking import MAX_CHARACTERS, search, stem


@dataclass(frozen=True)
class Question:
    written: str
    language: str
    text: str
    answers: frozenset[str]


def read() -> list[Question]:
    lines = (Path(__file__).parent / "questions.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [Question(when, language, text, frozenset(ids.split(","))) for when, language, text, ids in rows]


QUESTIONS = read()
SET = [each for each in QUESTIONS if each.written != "practice"]


def recall(questions: list[Question], at: int) -> float:
    hits = sum(bool(each.answers & {found.id for found in search(each.text, at)}) for each in questions)
    return hits / len(questions)


def test_the_set_is_what_it_says_it_is():
    assert len(SET) == 120
    assert sum(each.written == "after" for each in SET) == 40
    assert sum(each.language == "fr" for each in SET) >= 20
    assert len({each.text for each in QUESTIONS}) == len(QUESTIONS)
    assert frozenset().union(*(each.answers for each in QUESTIONS)) <= operations().keys()


def test_questions_find_their_operation(capsys: pytest.CaptureFixture[str]):
    parts = {"the set": SET}
    parts |= {f"written {when}": [each for each in SET if each.written == when] for when in ("before", "after")}
    parts |= {f"in {code}": [each for each in SET if each.language == code] for code in ("en", "fr")}
    numbers = {name: (recall(part, 1), recall(part, 3)) for name, part in parts.items()}
    with capsys.disabled():
        for name, (first, third) in numbers.items():
            print(f"\n{name}: {len(parts[name])} questions, recall@1 {first:.3f}, recall@3 {third:.3f}", end="")  # noqa: T201 - the numbers are the point

    assert numbers["the set"][0] >= 0.8
    assert numbers["the set"][1] >= 0.95
    assert numbers["written after"][0] >= 0.8
    assert numbers["written after"][1] >= 0.95


def test_an_id_finds_itself():
    assert [each for each in operations() if search(each, 1)[0].id != each] == []


@pytest.mark.parametrize("question", ["", "?!", "zzzzqqq", "the of and", "é" * 10_000, "list " * 5_000])
def test_a_question_of_no_use_does_no_harm(question: str):
    assert len(search(question[: 10 * MAX_CHARACTERS], 5)) <= 5


@pytest.mark.parametrize(
    ("one", "other"), [("libraries", "library"), ("running", "run"), ("tagged", "tag"), ("voices", "voice")]
)
def test_endings_make_no_difference(one: str, other: str):
    assert stem(one) == stem(other)
