"""`make operations`: compile the catalogue of operations, and print which were added and removed.

Its sources are Mistral's OpenAPI file, the installed SDK, and `operations.tsv` with our own descriptions. It writes one data
file for the tools, and one for the sandbox, which shares nothing with them.
"""

import json
import sys
from pathlib import Path
from typing import Any

from scripts.operations import from_openapi, from_sdk
from scripts.operations.merge import merge
from scripts.operations.schemas import closure, with_open_names

ROOT = Path(__file__).parents[2]
OPENAPI = ROOT / "tests" / "fixtures" / "mistral" / "openapi-2026-08.yaml"
WORDS = Path(__file__).parent / "operations.tsv"
CATALOGUE = ROOT / "mistral_mcp" / "operations" / "operations.json"
SANDBOX = ROOT / "mistral_mcp" / "sandbox" / "operations.json"

LEFT_OUT = "/v1/admin/"
"""Operations that need an admin key, including key management."""


def words() -> dict[str, dict[str, str]]:
    """Our description of each operation, by `METHOD path`."""
    columns = ("operation", "id", "effect", "summary", "watch", "instead", "shows")
    lines = WORDS.read_text(encoding="utf-8").splitlines()
    rows = [dict(zip(columns, line.split("\t"), strict=False)) for line in lines if not line.startswith("#")]
    return {row.pop("operation"): {name: value for name, value in row.items() if value} for row in rows}


def compile_catalogues() -> tuple[dict[str, Any], dict[str, Any]]:
    """The content of the tools' file and of the sandbox's."""
    merged = merge(from_openapi.read(OPENAPI), from_sdk.read())
    found = {
        key: each
        for key, each in sorted(merged["operations"].items(), key=_by_path)
        if LEFT_OUT not in each["path"]
    }
    said = words()
    if found.keys() != said.keys():
        for key in sorted(found.keys() - said.keys()):
            print(f"no description in {WORDS.name}: {key}")
        for key in sorted(said.keys() - found.keys()):
            print(f"{WORDS.name} describes an operation that no longer exists: {key}")
        sys.exit(1)
    operations: list[dict[str, Any]] = []
    for key, each in found.items():
        facts = {
            name: each[name]
            for name in ("method", "path", "params", "body", "replies", "deprecated")
            if each.get(name)
        }
        operations.append({"id": said[key]["id"], **said[key], **facts})
    definitions = _open_replies(operations, closure(operations, merged["$defs"]))
    ours = {"operations": operations, "$defs": definitions}
    wire = [
        {name: each[name] for name in each.keys() & {"method", "path", "params", "body", "replies"}}
        for each in operations
    ]
    return ours, {"operations": [dict(sorted(each.items())) for each in wire], "$defs": definitions}


def _open_replies(operations: list[dict[str, Any]], definitions: dict[str, Any]) -> dict[str, Any]:
    """Allow unknown members and enum values in replies; requests stay strict."""
    sent = closure([[each.get("params"), each.get("body")] for each in operations], definitions)
    for each in operations:
        each["replies"] = with_open_names(each["replies"], definitions)
    opened = dict(definitions)
    for name in definitions.keys() - sent.keys():
        opened[name] = with_open_names(definitions[name], definitions)
        if opened[name].get("additionalProperties") is False:
            del opened[name]["additionalProperties"]
    return closure(operations, opened)


def _by_path(item: tuple[str, dict[str, Any]]) -> tuple[str, int]:
    return item[1]["path"], ["GET", "POST", "PUT", "PATCH", "DELETE"].index(item[1]["method"])


def render(document: dict[str, Any]) -> str:
    """JSON with one line for each operation and definition, so that diffs are readable."""
    operations = ",\n".join(_line(each) for each in document["operations"])
    definitions = ",\n".join(f"{json.dumps(name)}:{_line(each)}" for name, each in document["$defs"].items())
    return f'{{"operations":[\n{operations}\n],\n"$defs":{{\n{definitions}\n}}}}\n'


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def main() -> None:
    ours, sandbox = compile_catalogues()
    before: set[str] = set()
    if CATALOGUE.exists():
        before = {
            f"{each['method']} {each['path']}" for each in json.loads(CATALOGUE.read_text("utf-8"))["operations"]
        }
    after = {f"{each['method']} {each['path']}" for each in ours["operations"]}
    CATALOGUE.write_text(render(ours), encoding="utf-8")
    SANDBOX.write_text(render(sandbox), encoding="utf-8")
    for key in sorted(after - before):
        print(f"+ {key}")
    for key in sorted(before - after):
        print(f"- {key}")
    print(f"{len(after)} operations: {len(after - before)} added, {len(before - after)} removed")


if __name__ == "__main__":
    main()
