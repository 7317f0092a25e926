"""`moneyback doctor`: one look at everything moneyback leans on."""

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cli.exits import Exit
from cli.output import AsJson, emit_cells, emit_json, plain

if TYPE_CHECKING:
    from refunds.flow.examine import Finding

# Whatever is dear to import is imported by the command that needs it, so that help comes at once.
# ruff: noqa: PLC0415

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def command(*, as_json: AsJson = False) -> int:
    """Examine everything moneyback leans on; exit 1 on a failure.

    Database, clock, time zones, Redis, mail, gateways, disk and processes. Each finding ends in what to do.
    """
    from cli.opening import joined, settings_of_command
    from refunds.flow.examine import Level, examine

    settings = settings_of_command()
    with joined(settings) as house:
        findings = examine(house.parts, redis_url=settings.redis_url, data_dir=settings.data_dir)
    failed = any(finding.level is Level.FAIL for finding in findings)
    if as_json:
        emit_json(
            {
                "ok": not failed,
                "findings": [
                    {
                        "subject": finding.subject,
                        "level": finding.level.value,
                        "what": finding.what,
                        "fix": finding.fix or None,
                    }
                    for finding in findings
                ],
            },
        )
    else:
        for finding in findings:
            emit_finding(finding)
    return Exit.FAILED if failed else Exit.OK


def emit_finding(finding: "Finding") -> None:
    """One finding on stdout: level, what was found, and how to mend it."""
    level, fix = finding.level.value, f"fix: {finding.fix}" if finding.fix else ""
    if not sys.stdout.isatty():
        emit_cells([part for part in (level, finding.subject, finding.what, fix) if part])
        return
    console = Console(highlight=False)
    console.print(
        Text.assemble((f"{level:<5}", _STYLES[level]), (f"{finding.subject}: ", "bold"), plain(finding.what))
    )
    if fix:
        console.print(Text(f"     {plain(fix)}"))
