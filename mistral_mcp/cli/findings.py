"""What the checks of `mistral-mcp doctor` find, for a reader and for programs."""

import json
import textwrap
from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    check: str
    state: State
    detail: str


def format_line(finding: Finding, width: int | None = None) -> str:
    """One finding for a reader; over several lines of its column where there is a width."""
    start = f"{finding.state:>7}  {finding.check:<8} "
    if width is None:
        return start + finding.detail
    return textwrap.fill(
        finding.detail, width, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False
    )


def format_json(findings: list[Finding]) -> str:
    """All of them for a program."""
    ok = all(finding.state != "failed" for finding in findings)
    return json.dumps({"ok": ok, "checks": [asdict(finding) for finding in findings]}, indent=1)
