"""A report on inspected mails as one HTML page, which runs and loads nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from html import escape

from mailnod_desktop.services.findings import SEVERITIES
from mailnod_desktop.services.model import Inspection
from mailnod_desktop.services.reading import ReadingError
from mailnod_desktop.services.report_parts import make_mail, make_pill, make_table
from mailnod_desktop.services.report_style import STYLE
from mailnod_desktop.services.text import shorten
from mailnod_desktop.services.wording import count

__all__ = ["Report"]

_COLOURS = {"error": "bad", "warning": "warn", "notice": "info"}


class Report:
    """A report that grows mail by mail."""

    def __init__(self) -> None:
        self._sections: list[str] = []
        self._rows: list[tuple[str, ...]] = []
        self._errors: list[ReadingError] = []
        self._severities: Counter[str] = Counter()

    def add(self, inspection: Inspection, *, picture: bytes | None = None) -> None:
        """Add one mail.

        :param picture: a PNG of it.
        """
        anchor = f"mail-{len(self._sections) + 1}"
        self._sections.append(make_mail(inspection, anchor=anchor, picture=picture))
        found: Counter[str] = Counter(finding.severity for finding in inspection.findings)
        self._severities.update(found)
        summary = inspection.parsed.summary
        clicks = [row for row in inspection.links if row.kind == "click"]
        self._rows.append(
            (
                f'<a href="#{anchor}">{escape(shorten(summary.subject or inspection.parsed.mail.name, 200))}</a>',
                escape(shorten(inspection.parsed.mail.name, 200)),
                f"{sum(row.tracked for row in clicks):,} of {len(clicks):,}",
                f"{max((body.rewritten_bytes for body in inspection.bodies), default=0) / 1024:,.1f} KB",
                _make_counts(found),
            )
        )

    def add_error(self, error: ReadingError) -> None:
        """Add a file that could not be read."""
        self._errors.append(error)

    def finish(self) -> str:
        """Return the page."""
        title = f"Inspected {count(len(self._sections), 'mail')}"
        overview = ""
        if len(self._rows) > 1:
            columns = ("Mail", "File", "Tracked links", "HTML", "Findings")
            overview = f'<div class="card">{make_table(columns, self._rows, numbers=frozenset({2, 3}))}</div>'
        errors = "".join(
            f'<div class="finding bad"><p><b>{escape(shorten(error.name, 200))}</b>: {escape(error.problem)}.</p>'
            f'<p class="muted">{escape(error.advice)}</p></div>'
            for error in self._errors
        )
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta http-equiv="Content-Security-Policy" '
            "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
            "form-action 'none'\">\n"
            '<meta name="referrer" content="no-referrer">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
            f'<h1>{escape(title)}</h1>\n<p class="muted">What open and click tracking by Mailnod makes of them.</p>\n'
            f'<div class="pills">{_make_counts(self._severities)}</div>\n{errors}\n{overview}\n'
            + "\n".join(self._sections)
            + "\n</main>\n</body>\n</html>\n"
        )


def _make_counts(found: Mapping[str, int]) -> str:
    pills = [
        make_pill(count(found[severity], severity), _COLOURS[severity])
        for severity in SEVERITIES
        if found.get(severity)
    ]
    return " ".join(pills) or make_pill("no findings", "good")
