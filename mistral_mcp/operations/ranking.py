"""Ranks operations for a question: BM25 over their ids, paths, summaries and the names of their arguments.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with weighted fields.
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

from mistral_mcp.operations.operation import READS, Operation, operations

MAX_CHARACTERS = 500  # of a question

SATURATION = 1.2  # BM25's k1
LENGTH = 0.4  # BM25's b
SYNONYM = 0.8  # weight of a synonym, relative to the word itself
LATER = 0.06  # subtracted for each following synonym, which is less likely
BESIDE = 0.8  # for each word of an id that is not in the question
VERB = 1.35  # where a word of the question is the operation's verb
OLD = 0.6  # for an operation that another has replaced
FIELDS = {"id": 2.0, "summary": 2.0, "path": 0.6, "names": 0.3}

OTHER = 0.75  # for changes, if the question asks; for what does not delete, if something is to end
NUMBER = 1.15  # for a list if the question is in the plural, for one thing if in the singular
UNASKED = 0.6  # for deletions, if the question mentions none

Postings = dict[str, list[tuple[str, float]]]


def search(question: str, limit: int) -> list[Operation]:
    """The operations that best match the question, best first."""
    index, known, groups = _index(), operations(), _query(question)
    scores: defaultdict[str, float] = defaultdict(float)
    for group in groups:
        # Several words for one thing count once.
        best: dict[str, float] = {}
        for word, weight in group.items():
            for name, score in index.get(word, ()):
                best[name] = max(weight * score, best.get(name, 0.0))
        for name, score in best.items():
            scores[name] += score
    query = Query.of(words(question[:MAX_CHARACTERS]), set(chain.from_iterable(groups)))
    for name in scores:
        scores[name] *= _fit(known[name], query)
    if question.strip() in known:
        scores[question.strip()] = math.inf
    return [known[name] for name in sorted(scores, key=lambda name: (-scores[name], len(name), name))[:limit]]


@dataclass(frozen=True)
class Query:
    """What a question asks for, beyond its words."""

    asked: frozenset[str]
    """The stems of its words and of their synonyms."""
    plurals: frozenset[str]
    is_question: bool
    ends: bool
    """Whether something is to be deleted, stopped or closed."""

    @classmethod
    def of(cls, said: list[str], asked: set[str]) -> "Query":
        plurals = frozenset(stem(word) for word in said if word.endswith("s") and not word.endswith("ss"))
        return cls(frozenset(asked), plurals, bool(said) and said[0] in QUESTIONS, bool(asked & ENDING))


def _fit(operation: Operation, query: Query) -> float:
    """A factor: higher if the question names the operation's verb; lower if it would have said more to mean this one: further
    words of the id, that an old version is wanted, that something is deleted or changed.
    """
    verb, nouns = _verb(operation.id), _nouns(operation.id)
    fit = BESIDE ** len(nouns - query.asked)
    if verb in query.asked:
        fit *= VERB
    elif query.ends and operation.effect != "delete":
        fit *= OTHER
    if operation.deprecated:
        fit *= OLD
    if operation.effect == "delete" and not query.ends:
        fit *= UNASKED
    if query.is_question and operation.effect not in READS:
        fit *= OTHER
    if verb in ("list", "get") and _last_noun(operation.id) in query.asked:
        fit *= NUMBER if (verb == "list") is (_last_noun(operation.id) in query.plurals) else 1.0
    return fit


@cache
def _last_noun(name: str) -> str:
    """The thing that an operation is about: `version` of `agents.versions.list`."""
    parts = words(name.rpartition(".")[0])
    if parts:
        return stem(parts[-1])
    return ""


@cache
def _verb(name: str) -> str:
    """What an operation does, by its id: the first word of the last part."""
    return stem(words(name.rpartition(".")[2])[0])


@cache
def _nouns(name: str) -> frozenset[str]:
    """The words of an id without its verb."""
    return frozenset(stem(word) for word in words(name)) - {_verb(name)}


QUESTIONS = frozenset(
    [
        "is",
        "are",
        "has",
        "have",
        "did",
        "does",
        "do",
        "was",
        "were",
        "what",
        "which",
        "who",
        "whose",
        "where",
        "why",
        "how",
        "when",
        "show",
        "see",
        "list",
        "quel",
        "quels",
        "quelle",
        "quelles",
        "qui",
        "combien",
        "ou",
        "pourquoi",
        "comment",
        "lister",
        "voir",
    ]
)

ENDING = frozenset({"delet", "remov", "stop", "unshar", "clos", "end", "unregister"})


def words(text: str) -> list[str]:
    """The words of a text, in lower case, without accents."""
    text = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    plain = unicodedata.normalize("NFKD", text.lower())
    return re.findall(r"[a-z0-9]+", "".join(letter for letter in plain if not unicodedata.combining(letter)))


@cache
def stem(word: str) -> str:
    """Strip English endings; the result need not be a word."""
    if word.endswith("ies") and len(word) > 4:  # noqa: PLR2004 - "ties"
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:  # noqa: PLR2004 - "gas"
        word = word[:-1]
    for ending in ("ing", "ed", "ion", "er"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":  # noqa: PLR2004 - "add"
                word = word[:-1]
            break
    return word.removesuffix("e")


def _query(question: str) -> list[dict[str, float]]:
    """For each word or phrase of the question, the stems that match it, with their weights."""
    groups: list[dict[str, float]] = []
    text, known = f" {' '.join(words(question[:MAX_CHARACTERS]))} ", _synonyms()
    for phrase in _phrases():
        if f" {phrase} " in text:
            text = text.replace(f" {phrase} ", f" {phrase.replace(' ', '_')} ")
    for said in [word.replace("_", " ") for word in text.split()]:
        meant = known.get(said, known.get(stem(said), ""))
        for part in meant.split("+"):
            group = {stem(word): SYNONYM - LATER * place for place, word in enumerate(part.split())}
            if " " in said:
                group = {word: weight + 1.0 - SYNONYM for word, weight in group.items()}
            elif known.get(said) != "" and part == meant:
                group[stem(said)] = 1.0
            if group and group not in groups:
                groups.append(group)
    return groups


@cache
def _synonyms() -> dict[str, str]:
    """Synonyms: a word or phrase, and the words it stands for; single words also by their stems."""
    lines = Path(__file__).with_name("synonyms.tsv").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if not line.startswith("#")]
    stems = {stem(said): meant for said, meant in pairs if " " not in said and meant}
    return {**stems, **dict(pairs)}


@cache
def _phrases() -> tuple[str, ...]:
    """Longest first."""
    return tuple(sorted((said for said in _synonyms() if " " in said), key=len, reverse=True))


@cache
def _index() -> Postings:
    """For each stem, the operations that hold it, with their BM25 weights."""
    documents = {name: _document(operation) for name, operation in operations().items()}
    average = sum(sum(document.values()) for document in documents.values()) / len(documents)
    holders = Counter(chain.from_iterable(documents.values()))
    index: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    for name, document in documents.items():
        length = sum(document.values()) / average
        for word, frequency in document.items():
            rarity = math.log(1 + (len(documents) - holders[word] + 0.5) / (holders[word] + 0.5))
            held = frequency * (SATURATION + 1) / (frequency + SATURATION * (1 - LENGTH + LENGTH * length))
            index[word].append((name, rarity * held))
    return dict(index)


def _document(operation: Operation) -> dict[str, float]:
    """How often each stem occurs in an operation, weighted by field."""
    names = [*(parameter.name for parameter in operation.parameters), *operation.members]
    fields = {"id": operation.id, "summary": operation.summary, "path": operation.path, "names": " ".join(names)}
    found: defaultdict[str, float] = defaultdict(float)
    for field, text in fields.items():
        for word in {stem(word) for word in words(text)}:
            found[word] += FIELDS[field]
    return found
