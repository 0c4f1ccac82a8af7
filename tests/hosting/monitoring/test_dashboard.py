"""The dashboard, the alert rules and docs/hosting.md name only metrics that a real server has."""

import json
import re
from collections.abc import Iterator
from itertools import chain, product
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from mistral_mcp.sandbox import Fault, Sandbox
from tests.conftest import KEY
from tests.hosting.monitoring.conftest import Call, samples_of

ROOT = Path(__file__).parents[3]
DASHBOARD = json.loads((ROOT / "manifests/grafana-dashboard.json").read_text(encoding="utf-8"))
ALERTS = YAML(typ="safe", pure=True).load((ROOT / "manifests/prometheus-alerts.yaml").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = list(chain.from_iterable(group["rules"] for group in ALERTS["groups"]))
NAME = re.compile(r"\b(?:mistral_mcp|process)_\w+")
SELECTED = re.compile(r"(\b(?:mistral_mcp|process)_\w+)\{([^}]*)\}")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
OF_THE_SCRAPER = {"job", "instance"}


def queries() -> list[str]:
    targets = chain.from_iterable(panel.get("targets", []) for panel in DASHBOARD["panels"])
    return [each["expr"] for each in (*targets, *RULES)]


@pytest.fixture
async def exported_series(http: httpx2.AsyncClient, call: Call, sandbox: Sandbox) -> dict[str, set[str]]:
    """Each series that a server has once it has served, with the names of its labels."""
    await http.post("/connections", json={"api_key": KEY})
    await http.get("/connections/current", headers={"authorization": "Bearer mmcp_unknown"})
    sandbox.faults.append(Fault(status=503))
    await call("mistral_chat", {"prompt": "Hi"})
    await call("mistral_chat", {"prompt": "Hi", "model": "unknown"})
    text = (await http.get("/metrics")).text
    return {sample.name: set(sample.labels) for sample in samples_of(text_string_to_metric_families(text))}


def missing_labels(query: str, exported: dict[str, set[str]]) -> Iterator[str]:
    """Labels that a query asks for, and its series have not."""
    for name, selectors in SELECTED.findall(query):
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selectors))
        yield from (f"{name}{{{label}}}" for label in asked - exported[name] - OF_THE_SCRAPER)
    known = set().union(*(exported[name] for name in NAME.findall(query))) | OF_THE_SCRAPER
    for labels in GROUPED.findall(query):
        yield from (label for label in re.split(r",\s*", labels) if label not in known)


async def test_every_query_of_the_dashboard_and_of_the_alerts_is_of_series_that_there_are(
    exported_series: dict[str, set[str]],
) -> None:
    named = set(chain.from_iterable(map(NAME.findall, queries())))

    assert len(named) > 15
    assert not named - set(exported_series)
    assert not list(chain.from_iterable(missing_labels(query, exported_series) for query in queries()))


async def test_the_documentation_names_series_that_there_are(exported_series: dict[str, set[str]]) -> None:
    text = (ROOT / "docs/hosting.md").read_text(encoding="utf-8")
    families = {re.sub(r"_(?:bucket|sum|count)$", "", name) for name in exported_series}
    named = set(NAME.findall(text))

    assert named
    assert not named - set(exported_series) - families


def cells_of(panel: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """The cells of the dashboard's grid that a panel covers."""
    at = panel["gridPos"]
    return product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"]))


def test_every_panel_shows_something_and_no_two_overlap() -> None:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    cells = list(chain.from_iterable(map(cells_of, panels)))

    assert all(panel["targets"] and panel["title"] for panel in panels)
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    for rule in RULES:
        assert set(rule["annotations"]) == {"summary", "what_to_do"}
        assert rule["labels"]["severity"] in {"page", "ticket"}
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
