"""The tables by which people read what ``mailnod inspect`` found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from mailnod.cli.output import clean, count, make_console, make_table, stack
from mailnod.model import Mode
from mailnod_desktop.services.images import score_alt
from mailnod_desktop.services.model import CLIP_BYTES, Body, Finding, Inspection, LinkRow

__all__ = ["print_detail", "print_findings", "print_grouped", "print_overview"]

_STYLES: Final = {"error": "bold red", "warning": "yellow", "notice": "cyan"}
#: More rows than anybody reads in a terminal.
_MAX_ROWS: Final = 300


def print_detail(inspection: Inspection) -> None:
    """Lay one mail open: how it is tracked and why, its sizes, its links, and what is to be looked at."""
    from rich.text import Text

    console = make_console()
    summary, decision = inspection.parsed.summary, inspection.decision
    console.print(Text(clean(summary.subject or inspection.parsed.mail.name), style="bold"))
    if summary.recipients:
        console.print(Text(clean(f"To {_name(summary.recipients)}"), style="dim"))
    axes = (f"{axis} {'on' if mode is not Mode.NONE else 'off'}" for axis, mode in _list_axes(inspection))
    sent = ", as it was sent" if inspection.as_sent else ""
    console.print(Text(clean(f"{', '.join(axes).capitalize()}, by route {decision.route!r}{sent}:")))
    for reason in (*decision.reasons, *inspection.unknown):
        console.print(Text(clean(f"  {reason}"), style="dim"))
    for number, body in enumerate(inspection.bodies):
        console.print(Text(_describe_size(number, body, many=len(inspection.bodies) > 1)))
    if inspection.error:
        console.print(Text(clean(f"It leaves as it came: {inspection.error.rstrip('.?')}."), style="bold red"))
    if inspection.links:
        _print_links(inspection.links)
    print_findings([("", finding, 1) for finding in inspection.findings])


def print_overview(rows: Sequence[Sequence[str]]) -> None:
    """Print a line for each mail."""
    from rich.text import Text

    table = make_table(f"Inspected {count(len(rows), 'mail')}")
    table.add_column("mail", overflow="fold", ratio=2)
    table.add_column("subject", overflow="fold", ratio=3)
    for name in ("tracked", "KB", "errors", "warnings", "notices"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows[:_MAX_ROWS]:
        table.add_row(*(Text(clean(cell), style=_dim_zero(cell)) for cell in row))
    console = make_console()
    console.print()
    console.print(table)
    if len(rows) > _MAX_ROWS:
        console.print(f"… and {len(rows) - _MAX_ROWS:,} more; --json and --html-report have all of them.")


def print_grouped(findings: Sequence[tuple[str, Finding]]) -> None:
    """Print what is to be looked at in many mails: of each mail and rule the first finding, and how many there are."""
    numbers = Counter((name, finding.rule) for name, finding in findings)
    firsts: dict[tuple[str, str], Finding] = {}
    for name, finding in findings:
        firsts.setdefault((name, finding.rule), finding)
    print_findings([(key[0], finding, numbers[key]) for key, finding in firsts.items()])


def print_findings(findings: Sequence[tuple[str, Finding, int]]) -> None:
    """Print findings, each with the name of its mail ("" for the only one) and how many there are of its kind."""
    from rich.text import Text

    console = make_console()
    console.print()
    if not findings:
        console.print("No findings.", style="green")
        return
    table = make_table("Findings")
    table.add_column("rule", no_wrap=True)
    table.add_column("what is the matter, and what to do", overflow="fold")
    for name, finding, number in findings[:_MAX_ROWS]:
        rule = stack(finding.rule, finding.severity, style=_STYLES[finding.severity])
        more = f"{number - 1:,} more of the same kind." if number > 1 else ""
        table.add_row(rule, stack(f"{name}: {finding.message}" if name else finding.message, finding.advice, more))
    console.print(table)
    if len(findings) > _MAX_ROWS:
        console.print(Text(f"… and {len(findings) - _MAX_ROWS:,} more; --json and --html-report have all of them."))


def _print_links(links: Sequence[LinkRow]) -> None:
    from rich.text import Text

    table = make_table("Links")
    table.add_column("#", justify="right")
    table.add_column("leads to", overflow="fold")
    table.add_column("what was done", overflow="fold")
    for row in links[:_MAX_ROWS]:
        name = str(row.link.index + 1) if row.link else {"pixel": "pixel", "honeypot": "hidden"}[row.kind]
        style = "green" if row.tracked else "yellow"
        table.add_row(name, stack(row.url or row.tracked_url or "-", row.label), Text(clean(row.reason), style=style))
    console = make_console()
    console.print()
    console.print(table)
    if len(links) > _MAX_ROWS:
        console.print(f"… and {len(links) - _MAX_ROWS:,} more; --json has all of them.")


def _describe_size(number: int, body: Body, *, many: bool) -> str:
    edits = count(len(body.plan.edits) if body.plan else 0, "edit")
    share = 100 * body.rewritten_bytes / CLIP_BYTES
    name = f"HTML body {number + 1}" if many else "HTML"
    score, why = score_alt(body.original)
    return (
        f"{name}: {body.original_bytes:,} B before, {body.rewritten_bytes:,} B after ({edits}), {share:.0f} % of the "
        f"102 KB that Gmail shows. Images off: {score} of 100, because {why}."
    )


def _list_axes(inspection: Inspection) -> tuple[tuple[str, Mode], ...]:
    return ("opens", inspection.decision.opens), ("clicks", inspection.decision.clicks)


def _name(recipients: Sequence[str]) -> str:
    return recipients[0] if len(recipients) == 1 else f"{recipients[0]} and {len(recipients) - 1:,} more"


def _dim_zero(cell: str) -> str:
    return "dim" if cell == "0" else ""
