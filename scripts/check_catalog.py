"""Compare our prices with two public price lists: fails if both agree on a price and ours differs, warns if ours are old.

python scripts/check_catalog.py             check only the age of our prices; needs no network
python scripts/check_catalog.py --compare   download the lists of requirements-prices.txt into a temporary folder
python scripts/check_catalog.py --lists DIR compare with lists that were downloaded before
"""

import argparse
import datetime as dt
import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from mistral_mcp.mistral.catalog import Catalog

ROOT = Path(__file__).parents[1]
OLD = 30  # days
NEAR = 0.005  # relative difference that is ignored: some lists round the price of a second

Prices = dict[str, dict[str, float]]
"""By model: US dollars for a million tokens, 1,000 pages, a minute, or a million characters."""

_LITELLM = {
    "input_cost_per_token": ("input", 1e6),
    "cache_read_input_token_cost": ("cached_input", 1e6),
    "output_cost_per_token": ("output", 1e6),
    "ocr_cost_per_page": ("1000 pages", 1e3),
    "annotation_cost_per_page": ("1000 annotated pages", 1e3),
    "input_cost_per_second": ("minute", 60),
    "input_cost_per_character": ("million characters", 1e6),
}
_GENAI = {
    "input_mtok": "input",
    "cache_read_mtok": "cached_input",
    "output_mtok": "output",
    "input_document_kpages": "1000 pages",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--compare", action="store_true", help="download the public lists and compare")
    parser.add_argument("--lists", type=Path, help="a folder with the lists, downloaded before")
    given = parser.parse_args()
    warn_where_old()
    if given.lists:
        return report(given.lists)
    if not given.compare:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--target",
            folder,
        ]
        if subprocess.run([*pip, "-r", str(ROOT / "requirements-prices.txt")], check=False).returncode:  # noqa: S603
            print("skipped: the price lists cannot be fetched from here")
            return 0
        return report(Path(folder))


def warn_where_old() -> None:
    date = Catalog.load().date
    age = (dt.datetime.now(dt.UTC).date() - date).days
    if age > OLD:
        print(f"warning: the prices in catalog.json were read on {date}, {age} days ago", file=sys.stderr)


def report(folder: Path) -> int:
    differing = list(differences(litellm(folder), genai(folder)))
    print("\n".join(differing) or "no price on which both lists agree differs from ours")
    return bool(differing)


def differences(one: Prices, other: Prices) -> Iterator[str]:
    """The prices on which both lists agree, but ours differs or is missing."""
    for model in sorted(one.keys() & other.keys()):
        ours = own(model)
        for what in sorted(one[model].keys() & other[model].keys()):
            theirs = one[model][what]
            if near(theirs, other[model][what]) and not near(theirs, ours.get(what)):
                yield f"{model}, {what}: ours is {ours.get(what)}, both lists say {theirs:g}"


def near(one: float, other: float | None) -> bool:
    return other is not None and abs(one - other) <= NEAR * max(abs(one), abs(other))


def own(model: str) -> Mapping[str, float]:
    price = Catalog.load().price_of(model)
    if price is None:
        return {}
    tokens = {
        "input": price.input_usd_per_mtok,
        "cached_input": price.cached_input_usd_per_mtok,
        "output": price.output_usd_per_mtok,
    }
    known = {what: usd for what, usd in tokens.items() if usd is not None}
    return known | {unit.per: unit.usd for unit in price.units}


def litellm(folder: Path) -> Prices:
    models = json.loads((folder / "litellm" / "model_prices_and_context_window_backup.json").read_bytes())
    return {
        name.removeprefix("mistral/"): {
            what: entry[key] * factor for key, (what, factor) in _LITELLM.items() if entry.get(key) is not None
        }
        for name, entry in models.items()
        if name.startswith("mistral/")
    }


def genai(folder: Path) -> Prices:
    sys.path.insert(0, str(folder))
    providers: Iterable[Any] = importlib.import_module("genai_prices.data").providers
    models: list[Any] = next(provider.models for provider in providers if provider.id == "mistral")
    found: Prices = {}
    for model in models:
        for name in matched_names(model.match):
            found[name] = as_of_today(model.prices)
    return found


def matched_names(match: Any) -> Iterator[str]:
    """The exact names in a matcher; prefixes are ignored, because they match many models."""
    if hasattr(match, "equals"):
        yield match.equals
    for clause in getattr(match, "or_", ()):
        yield from matched_names(clause)


def as_of_today(prices: Any) -> dict[str, float]:
    """The prices valid today: of a list of dated prices, the last one that has started."""
    if isinstance(prices, list):
        conditional = cast("list[Any]", prices)
        today = dt.datetime.now(dt.UTC).date()
        started = [each for each in conditional if getattr(each.constraint, "start_date", dt.date.min) <= today]
        prices = started[-1].prices
    return {what: float(usd) for name, what in _GENAI.items() if (usd := getattr(prices, name, None)) is not None}


if __name__ == "__main__":
    sys.exit(main())
