"""`mistral-mcp doctor`."""

import os
import shutil
import sys
from typing import TYPE_CHECKING

import click
from pydantic import SecretStr

from mistral_mcp.cli.environment import api_key, has_hosting, start
from mistral_mcp.cli.options import LOGS, STDIO, option, settings_options
from mistral_mcp.cli.terminal import waiting

if TYPE_CHECKING:
    from mistral_mcp.cli.findings import Finding

_COLOURS = {"ok": "green", "failed": "red", "skipped": "yellow"}


@click.command()
@option("--json", "as_json", variable="DOCTOR_JSON", about="Print JSON.", is_flag=True)
@settings_options(*STDIO, *LOGS)
def doctor(as_json: bool, **given: object) -> None:  # noqa: FBT001 - an option
    """Check key, network, Mistral and vault.

    One line a check; exits with 1 if one fails.
    """
    settings = start(given)

    import anyio  # noqa: PLC0415

    from mistral_mcp.cli import checks  # noqa: PLC0415
    from mistral_mcp.cli.findings import format_json, format_line  # noqa: PLC0415
    from mistral_mcp.selection import AllowedToolsets  # noqa: PLC0415

    AllowedToolsets.of(settings)  # refuses what a start would refuse
    count = None
    if has_hosting():
        from mistral_mcp.hosting.commands import count_connections as count  # noqa: PLC0415
    key = api_key(os.environ)

    async def examine() -> "list[Finding]":
        findings: list[Finding] = []
        steps = checks.examine(
            settings, SecretStr(key) if key else None, count, lambda check: report(f"Checking {check}")
        )
        while True:
            with waiting("Checking") as report:
                finding = await anext(steps, None)
            if finding is None:
                return findings
            findings.append(finding)
            if not as_json:
                if sys.stdout.isatty():
                    width = shutil.get_terminal_size().columns
                else:
                    width = None
                state, rest = format_line(finding, width).split(finding.state, 1)
                click.echo(state + click.style(finding.state, fg=_COLOURS[finding.state]) + rest)

    findings = anyio.run(examine)
    if as_json:
        click.echo(format_json(findings))
    sys.exit(any(finding.state == "failed" for finding in findings))
