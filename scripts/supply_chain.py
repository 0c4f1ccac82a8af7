"""What the lock brings: `python scripts/supply_chain.py FOLDER`.

Installs the lock of what runs into an environment of its own and writes into FOLDER

    mistral-mcp.cdx.json       an SBOM (CycloneDX 1.6, valid by its schema), with licences and who needs whom
    THIRD_PARTY_NOTICES.txt    the licences, as they are in the image too

and looks the lock up among known vulnerabilities, unless that data cannot be reached, which it says. It fails where a package
is missing from the SBOM, has no licence or one that we cannot distribute beside ours, or is known to be vulnerable.
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
    """Name and version of each package of a lock; with `everywhere`, of those that every platform installs."""
    found = _REQUIREMENT.findall(lock)
    return {(canonical(name), version) for name, version, marker in found if not (marker and everywhere)}


def sbom_problems(bom: dict[str, Any], lock: str) -> list[str]:
    """What an SBOM lacks, or has too much."""
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
    """Whether the lock may be used, and what was found; a package that was not looked up is not taken for a sound one."""
    if report is None:
        return True, "not checked: the data on vulnerabilities cannot be reached from here"
    packages = report["dependencies"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    vulnerable = [
        f"{package['name']} {package['version']}: {vulnerability['id']}"
        for package in packages
        for vulnerability in package.get("vulns", ())
    ]
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
    """The interpreter of a new environment with these requirements."""
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements])
    return python


def audit(python: Path, work: Path) -> dict[str, Any] | None:
    """What pip-audit reports; None where it reached nothing."""
    report = work / "audit.json"
    options = ["--disable-pip", "--require-hashes", "--requirement", LOCK, "--progress-spinner", "off"]
    command = [python, "-m", "pip_audit", *options, "--format", "json", "--output", report]
    subprocess.run([*map(str, command)], check=False, capture_output=True)  # noqa: S603 - it ends with 1 for findings
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
