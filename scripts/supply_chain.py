"""Check the locked dependencies: `python scripts/supply_chain.py FOLDER`.

Installs the runtime lock into a virtual environment and writes into FOLDER

    mistral-mcp.cdx.json       an SBOM (CycloneDX 1.6, validated), with licences and the dependency graph
    THIRD_PARTY_NOTICES.txt    the licences, as in the image

It also looks the lock up in a vulnerability database, and says so if that cannot be reached. It fails if a package is missing
from the SBOM, has no licence or one that is incompatible with ours, or has a known vulnerability.
"""

import json
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.txt"
TOOLS = ("cyclonedx-bom==7.5.0", "pip-audit==2.10.1")
INSTALLER = ("pip", "setuptools")
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)\s*(;)?", re.MULTILINE)
_STRONG_COPYLEFT = re.compile(r"(?<![A-Za-z])(A?GPL|SSPL|BUSL)")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str, *, everywhere: bool = False) -> set[tuple[str, str]]:
    """The name and version of each package in a lock; with `everywhere`, only of those that every platform installs."""
    found = _REQUIREMENT.findall(lock)
    return {(canonical(name), version) for name, version, marker in found if not (marker and everywhere)}


def sbom_problems(bom: dict[str, Any], lock: str) -> list[str]:
    """The differences between an SBOM and the lock, and licence problems, one line each."""
    components = bom["components"]
    present = {(canonical(component["name"]), component["version"]) for component in components}
    missing = pins(lock, everywhere=True) - present
    problems = [f"missing: {name} {version}" for name, version in sorted(missing)]
    problems += [f"not in the lock: {name} {version}" for name, version in sorted(present - pins(lock))]
    problems += [f"no licence: {component['name']}" for component in components if not component.get("licenses")]
    for component in components:
        licences = json.dumps(component.get("licenses", []))
        if _STRONG_COPYLEFT.search(licences):
            problems.append(f"a licence that we cannot distribute beside ours: {component['name']}")
    return problems


def audit_summary(report: dict[str, Any] | None) -> tuple[bool, str]:
    """Whether the check passes, and a summary of it. A package that was not looked up is not counted as free of vulnerabilities."""
    if report is None:
        return True, "not checked: the data on vulnerabilities cannot be reached from here"
    packages = report["dependencies"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    vulnerable: list[str] = []
    for package in packages:
        ids = [vulnerability["id"] for vulnerability in package.get("vulns", ())]
        vulnerable += [f"{package['name']} {package['version']}: {each}" for each in ids]
    if vulnerable:
        return False, "\n".join(vulnerable)
    if len(skipped) == len(packages):
        return (
            True,
            "not checked: the data on vulnerabilities has none of these packages, as where there is a mirror alone",
        )
    if skipped:
        return True, f"none known; not checked: {', '.join(skipped)}"
    return True, f"none known of {len(packages)} packages"


def run(command: Iterable[object], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], text=True, check=True, **options)  # noqa: S603


def environment(folder: Path, *requirements: object) -> Path:
    """Create a virtual environment with these requirements, and return its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements])
    return python


def audit(python: Path, work: Path) -> dict[str, Any] | None:
    """The report of pip-audit; None if it could not reach the database."""
    report = work / "audit.json"
    options = ["--disable-pip", "--require-hashes", "--requirement", LOCK, "--progress-spinner", "off"]
    command = [python, "-m", "pip_audit", *options, "--format", "json", "--output", report]
    subprocess.run([*map(str, command)], check=False, capture_output=True)  # noqa: S603 - it exits with 1 if it finds something
    if report.exists():
        return json.loads(report.read_text(encoding="utf-8"))
    return None


def main(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    lock = LOCK.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        tools = environment(work / "tools", *TOOLS)
        runtime = environment(work / "runtime", "--require-hashes", "--requirement", LOCK)
        run([runtime, "-m", "pip", "uninstall", "--quiet", "--yes", *INSTALLER], stderr=subprocess.DEVNULL)
        bom = folder / "mistral-mcp.cdx.json"
        options = ["--pyproject", ROOT / "pyproject.toml", "--output-reproducible", "--validate", "-o", bom]
        run([tools, "-m", "cyclonedx_py", "environment", runtime, *options])
        problems = sbom_problems(json.loads(bom.read_text(encoding="utf-8")), lock)
        print(f"{bom.name:26} {len(pins(lock))} packages in the lock; " + ("; ".join(problems) or "complete"))
        notices = run([runtime, ROOT / "scripts/third_party_notices.py"], stdout=subprocess.PIPE).stdout
        (folder / "THIRD_PARTY_NOTICES.txt").write_text(notices, encoding="utf-8")
        print(f"{'THIRD_PARTY_NOTICES.txt':26} {len(notices) // 1024} kB")
        sound, summary = audit_summary(audit(tools, work))
        print(f"{'vulnerabilities':26} {summary}")
    return 1 if problems or not sound else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
