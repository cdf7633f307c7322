"""What ``mailnod inspect`` shows and writes, mail by mail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mailnod.cli.output import clean, count, print_json
from mailnod.errors import ConfigurationError
from mailnod_desktop.commands.inspect_tables import print_detail, print_grouped, print_overview
from mailnod_desktop.services.describing import describe_error, describe_inspection
from mailnod_desktop.services.model import Finding, Inspection
from mailnod_desktop.services.reading import ReadingError
from mailnod_desktop.services.report import Report

__all__ = ["Output", "Pictures"]


class Pictures:
    """Draws mails into PNG files.

    :param path: of the file; where there are many mails, a number stands before its ending.
    :param width: in pixels.
    :raises ConfigurationError: what draws is not installed.
    """

    def __init__(self, path: Path, *, width: int, many: bool) -> None:
        self._path = path
        self._width = width
        self._many = many
        try:
            from mailnod_desktop.web import snapshot
        except ImportError as error:
            raise ConfigurationError(
                f"--png needs what draws mails ({error}); install it with: pip install 'mailnod[desktop-web]'"
            ) from error
        self._snapshot = snapshot

    def draw(self, inspection: Inspection, number: int) -> Path:
        """Draw the first HTML body of a mail as it leaves, and return the file.

        :raises ReadingError: it has none, or cannot be drawn.
        """
        parsed = inspection.parsed
        if not inspection.bodies:
            raise ReadingError(parsed.mail.name, "it has no HTML that could be drawn", "Leave --png out for it.")
        path = self._path.with_stem(f"{self._path.stem}-{number}") if self._many else self._path
        try:
            self._snapshot.render_png(
                inspection.bodies[0].rewritten, width=self._width, path=path, inline=parsed.inline
            )
        except (self._snapshot.SnapshotError, OSError) as error:
            raise ReadingError(parsed.mail.name, f"it cannot be drawn: {error}", "Try another --width.") from error
        return path


class Output:
    """Collects what is said about each mail, and says it at the end.

    :param detailed: whether the one mail is laid open, or each of many has a line.
    :param pictures: None draws none.
    :param report: where a page about all of them goes; None writes none.
    """

    def __init__(self, *, detailed: bool, as_json: bool, pictures: Pictures | None, report: Path | None) -> None:
        #: Whether anything could not be read, rewritten or drawn.
        self.failed = False
        self._detailed = detailed
        self._as_json = as_json
        self._pictures = pictures
        self._report_path = report
        self._report = Report() if report is not None else None
        self._number = 0
        self._mails: list[dict[str, Any]] = []
        self._errors: list[ReadingError] = []
        self._rows: list[tuple[str, ...]] = []
        self._findings: list[tuple[str, Finding]] = []
        self._failures: Counter[str] = Counter()
        self._first: Inspection | None = None

    def add_error(self, error: ReadingError) -> None:
        """Take a file that cannot be read."""
        self.failed = True
        self._errors.append(error)
        if self._report is not None:
            self._report.add_error(error)

    def add(self, inspection: Inspection, failures: Sequence[Finding]) -> None:
        """Take one mail.

        :param failures: those of its findings for which the command is to fail.
        """
        self._number += 1
        self.failed = self.failed or bool(inspection.error)
        self._failures.update(finding.rule for finding in failures)
        picture = self._draw(inspection)
        if self._report is not None:
            self._report.add(inspection, picture=picture.read_bytes() if picture else None)
        name = inspection.parsed.mail.name
        if self._as_json:
            self._mails.append(describe_inspection(inspection))
        elif self._detailed:
            self._first = inspection
        else:
            self._rows.append(_make_row(inspection))
            self._findings += [(name, finding) for finding in inspection.findings]

    def finish(self) -> None:
        """Print what was collected, and write the report."""
        if self._report is not None and self._report_path is not None:
            _write(self._report_path, self._report.finish())
        if self._as_json:
            unreadable = [describe_error(error) for error in self._errors]
            print_json({"mails": self._mails, "unreadable": unreadable, "failures": dict(self._failures)})
            return
        if self._first is not None:
            print_detail(self._first)
        elif self._rows:
            print_overview(self._rows)
            print_grouped(self._findings)
        for error in self._errors:
            # Names of files come from strangers too.
            click.echo(clean(str(error)), err=True)
        if self._failures:
            named = ", ".join(f"{rule} ({number:,})" for rule, number in self._failures.items())
            click.echo(f"Failed by {count(sum(self._failures.values()), 'finding')}: {named}.", err=True)

    def _draw(self, inspection: Inspection) -> Path | None:
        if self._pictures is None:
            return None
        try:
            return self._pictures.draw(inspection, self._number)
        except ReadingError as error:
            self.add_error(error)
            return None


def _make_row(inspection: Inspection) -> tuple[str, ...]:
    summary = inspection.parsed.summary
    clicks = [row for row in inspection.links if row.kind == "click"]
    size = max((body.rewritten_bytes for body in inspection.bodies), default=0)
    found = Counter(finding.severity for finding in inspection.findings)
    return (
        inspection.parsed.mail.name,
        summary.subject,
        f"{sum(row.tracked for row in clicks):,}/{len(clicks):,}",
        f"{size / 1024:,.1f}",
        f"{found['error']:,}",
        f"{found['warning']:,}",
        f"{found['notice']:,}",
    )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
