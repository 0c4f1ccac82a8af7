"""Print the licences of all installed dependencies of mistral-mcp: `PYTHON scripts/third_party_notices.py > NOTICES`.

Run it with the interpreter of the environment in question. It needs the standard library only, and fails if a package does
not state its licence.
"""

import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PackagePath, distributions
from pathlib import Path

OURS = "mistral-mcp"
LINE = "=" * 100
_NAMES = ("licen", "copying", "notice", "authors")
_CLASSIFIER = "License :: "


def licence(package: Distribution) -> str:
    """The stated licence: an SPDX expression, or else the licence text, or else the classifiers; "" if there is none."""
    for name in ("License-Expression", "License"):
        text = first(package, name).strip()
        if text and "\n" not in text and text != "UNKNOWN":
            return text
    classifiers = [line for line in package.metadata.get_all("Classifier") or [] if line.startswith(_CLASSIFIER)]
    return ", ".join(line.rpartition(" :: ")[2] for line in classifiers)


def first(package: Distribution, name: str) -> str:
    """The first value of a metadata field; "" if it has none."""
    return next(iter(package.metadata.get_all(name) or []), "")


def texts(package: Distribution) -> list[str]:
    """The texts of its licence files."""
    files = [file for file in package.files or [] if is_licence(file)]
    return [Path(file.locate()).read_text(encoding="utf-8", errors="replace").strip() for file in sorted(files)]


def is_licence(file: PackagePath) -> bool:
    return ".dist-info" in file.parts[0] and file.name.lower().startswith(_NAMES)


def notices(packages: Iterable[Distribution]) -> str:
    """One section for each package, sorted by name. Raises `ValueError` if packages have no licence."""
    named = {package.metadata["Name"].lower(): package for package in packages}
    named.pop(OURS, None)
    unknown = [name for name, package in sorted(named.items()) if not licence(package) and not texts(package)]
    if unknown:
        raise ValueError(f"These say nothing about their licence: {', '.join(unknown)}.")
    sections = [section(package) for _, package in sorted(named.items())]
    head = (
        f"{OURS} is distributed with the following {len(sections)} packages, each under the licence of its own.\n"
    )
    return "\n".join([head, *sections])


def section(package: Distribution) -> str:
    metadata = package.metadata
    pages = [line.partition(", ")[2] for line in metadata.get_all("Project-URL") or []]
    lines = [LINE, f"{metadata['Name']} {metadata['Version']}", f"Licence: {licence(package) or 'see below'}"]
    page = first(package, "Home-page") or next(iter(pages), "")
    if page:
        lines.append(f"From: {page}")
    return "\n\n".join(["\n".join(lines), *texts(package)]) + "\n"


if __name__ == "__main__":
    try:
        print(notices(distributions()))
    except ValueError as error:
        sys.exit(str(error))
