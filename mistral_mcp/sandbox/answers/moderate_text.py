"""Moderation by keyword."""

import re
import zlib

THRESHOLD = 0.5

WORDS = {
    "sexual": "sex sexual porn nude erotic",
    "hate_and_discrimination": "hate racist inferior slur vermin",
    "violence_and_threats": "kill murder shoot stab attack hurt beat",
    "dangerous": "bomb explosive weapon poison grenade",
    "criminal": "steal launder smuggle counterfeit hack burglary",
    "selfharm": "suicide selfharm self-harm",
    "health": "diagnose diagnosis dosage medication prescription symptom",
    "financial": "invest investment stocks portfolio mortgage",
    "law": "lawsuit lawyer sue legal attorney",
    "pii": "passport ssn phone address",
    "jailbreaking": "jailbreak DAN unrestricted ignore-previous",
}
PHRASES = {
    "selfharm": re.compile(r"(?:hurt|kill|harm) (?:myself|yourself)", re.IGNORECASE),
    "pii": re.compile(r"[\w.+-]+@[\w-]+\.\w+|\b\d{3}-\d{2}-\d{4}\b"),
    "jailbreaking": re.compile(r"ignore (?:all |your |the )*(?:previous |prior )?instructions", re.IGNORECASE),
}
DANGEROUS_AND_CRIMINAL = "dangerous_and_criminal_content"
"""The category of the 2411 model that the 2603 model splits."""


def moderate_text(text: str, model: str) -> dict[str, float]:
    """A score for each category of the model, from 0 to 1: high if one of the category's words occurs, near 0 otherwise."""
    found = {category: _score(category, text) for category in WORDS}
    if "2411" not in model:
        return found
    joined = max(found.pop("dangerous"), found.pop("criminal"))
    del found["jailbreaking"]
    names = list(found)
    before = {name: found[name] for name in names[:3]}
    after = {name: found[name] for name in names[3:]}
    return {**before, DANGEROUS_AND_CRIMINAL: joined, **after}


def _score(category: str, text: str) -> float:
    words = "|".join(re.escape(word) for word in WORDS[category].split())
    hits = len(re.findall(rf"\b(?:{words})(?:s|es|ed|ing)?\b", text, re.IGNORECASE))
    if category in PHRASES:
        hits += len(PHRASES[category].findall(text))
    noise = zlib.crc32(f"{category}{text}".encode()) / 0xFFFFFFFF
    if hits:
        return round(1 - 0.1 / hits - 0.02 * noise, 6)
    return round(0.0001 + 0.01 * noise, 6)
