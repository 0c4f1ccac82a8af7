"""What is said of the lock: an SBOM without gaps, a licence for each package, and no vulnerability overlooked."""

from importlib.metadata import Distribution, PathDistribution, distributions
from pathlib import Path
from typing import Any

import pytest

from scripts import supply_chain, third_party_notices

LOCK = """\
anyio==4.16.0 \\
    --hash=sha256:00
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:00
ruamel-yaml==0.19.1 \\
    --hash=sha256:00
"""


def component(name: str, version: str, licence: str = "MIT") -> dict[str, Any]:
    return {"name": name, "version": version, "licenses": [{"license": {"id": licence}}]}


COMPLETE = [component("anyio", "4.16.0"), component("ruamel.yaml", "0.19.1")]


@pytest.mark.parametrize(
    ("components", "problem"),
    [
        (COMPLETE, ""),
        ([*COMPLETE, component("colorama", "0.4.6")], ""),
        (COMPLETE[:1], "missing: ruamel-yaml 0.19.1"),
        ([*COMPLETE, component("pip", "26")], "not in the lock: pip 26"),
        ([*COMPLETE, component("colorama", "0.4.6", "AGPL-3.0-only")], "cannot distribute beside ours: colorama"),
        ([*COMPLETE, component("colorama", "0.4.6", "LGPL-3.0-only")], ""),
        ([*COMPLETE, {"name": "colorama", "version": "0.4.6"}], "no licence: colorama"),
    ],
)
def test_an_sbom_has_each_package_of_the_lock_with_a_licence_and_nothing_else(
    components: list[dict[str, Any]], problem: str
):
    problems = supply_chain.sbom_problems({"components": components}, LOCK)

    assert len(problems) == bool(problem)
    assert problem in "".join(problems)


def make_package(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": "1", "vulns": [], **more}


@pytest.mark.parametrize(
    ("report", "sound", "words"),
    [
        (None, True, "not checked"),
        ({"dependencies": [make_package("a"), make_package("b")]}, True, "none known of 2"),
        ({"dependencies": [{"name": "a", "skip_reason": "not found"}]}, True, "not checked"),
        ({"dependencies": [make_package("a"), {"name": "b", "skip_reason": "not found"}]}, True, "not checked: b"),
        ({"dependencies": [make_package("a", vulns=[{"id": "PYSEC-1"}])]}, False, "a 1: PYSEC-1"),
    ],
)
def test_a_package_that_was_not_looked_up_is_not_taken_for_a_sound_one(
    report: dict[str, Any] | None, *, sound: bool, words: str
):
    assert supply_chain.audit_summary(report)[0] == sound
    assert words in supply_chain.audit_summary(report)[1]


def test_the_notices_have_each_installed_package_with_its_licence():
    text = third_party_notices.notices(distributions())

    assert "\nanyio " in text
    assert "Licence: MIT" in text
    assert "Permission is hereby granted" in text
    assert "\nmistral-mcp " not in text


def test_a_package_that_says_nothing_about_its_licence_stops_the_notices(tmp_path: Path):
    metadata = tmp_path / "silent-1.dist-info/METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: silent\nVersion: 1\n")
    silent: Distribution = PathDistribution(metadata.parent)

    with pytest.raises(ValueError, match="silent"):
        third_party_notices.notices([silent])


def test_the_lock_is_read_with_its_markers():
    assert supply_chain.pins(LOCK) - supply_chain.pins(LOCK, everywhere=True) == {("colorama", "0.4.6")}
    assert len(supply_chain.pins(supply_chain.LOCK.read_text(encoding="utf-8"))) > 40
