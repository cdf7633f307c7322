"""The parts of a report on one mail, as HTML in which everything from the mail is escaped."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from mailnod.model import Mode
from mailnod_desktop.services.diff import DiffRow, Span, make_diff
from mailnod_desktop.services.images import score_alt
from mailnod_desktop.services.model import CLIP_BYTES, Body, Finding, Inspection, LinkRow
from mailnod_desktop.services.text import clean_text, shorten
from mailnod_desktop.services.wording import count

__all__ = ["make_mail", "make_pill", "make_table"]

_MAX_ROWS: Final = 500
_MAX_DIFF_ROWS: Final = 1000
_MAX_VALUE_CHARS: Final = 2000
_COLOURS: Final = {"error": "bad", "warning": "warn", "notice": "info"}


def make_mail(inspection: Inspection, *, anchor: str, picture: bytes | None) -> str:
    """Return the section of one mail.

    :param anchor: what links to it name.
    :param picture: a PNG of it; None where there is none.
    """
    parsed = inspection.parsed
    summary = parsed.summary
    lines = [
        f'<section class="card" id="{escape(anchor)}">',
        f"<h2>{_text(summary.subject or '(no subject)')}</h2>",
        f'<p class="muted">{_text(parsed.mail.name)}{_make_people(inspection)}</p>',
        f'<div class="pills">{"".join(_make_pills(inspection))}</div>',
    ]
    if inspection.error:
        lines.append(f'<p class="bad"><b>Leaves as it came:</b> {_text(inspection.error)}</p>')
    lines += [_make_size(number, body) for number, body in enumerate(inspection.bodies)]
    lines.append(_make_findings(inspection.findings))
    lines.append(f"<h3>Links</h3>{_make_links(inspection.links)}")
    lines.append(_make_reasons("Why it is tracked so", inspection.decision.reasons))
    if inspection.unknown:
        lines.append(_make_reasons("What cannot be known of it", inspection.unknown))
    lines += [_make_diff(number, body) for number, body in enumerate(inspection.bodies)]
    if picture is not None:
        data = b64encode(picture).decode("ascii")
        lines.append(
            f'<details><summary>Picture</summary><img class="picture" alt="The mail as it leaves" '
            f'src="data:image/png;base64,{data}"></details>'
        )
    if parsed.headers:
        rows = ((_text(name), _text(value)) for name, value in parsed.headers[:_MAX_ROWS])
        lines.append(f"<details><summary>Headers</summary>{make_table(('Name', 'Value'), rows)}</details>")
    lines.append("</section>")
    return "\n".join(filter(None, lines))


def make_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: frozenset[int] = frozenset()) -> str:
    """Return a table whose cells are HTML already.

    :param numbers: positions of columns that hold numbers.
    """
    kinds = ["number" if position in numbers else "long" for position in range(len(columns))]
    head = "".join(
        f'<th class="{kind}" scope="col">{escape(column)}</th>' for column, kind in zip(columns, kinds, strict=True)
    )
    body = "".join(
        f"<tr>{''.join(f'<td class={kind}>{cell}</td>' for cell, kind in zip(row, kinds, strict=True))}</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def make_pill(text: str, colour: str) -> str:
    """Return a rounded label; its text says what its colour does."""
    return f'<span class="pill {colour}">{_text(text)}</span>'


def _text(text: str) -> str:
    return escape(shorten(text, _MAX_VALUE_CHARS))


def _make_people(inspection: Inspection) -> str:
    summary = inspection.parsed.summary
    sender = f" · from {_text(summary.sender)}" if summary.sender else ""
    if not summary.recipients:
        return sender
    first, more = summary.recipients[0], len(summary.recipients) - 1
    return f"{sender} · to {_text(first)}{f' and {more:,} more' if more else ''}"


def _make_pills(inspection: Inspection) -> Iterator[str]:
    decision = inspection.decision
    for name, mode in (("opens", decision.opens), ("clicks", decision.clicks)):
        on = mode is not Mode.NONE
        yield make_pill(f"{name} {'on' if on else 'off'}", "good" if on else "off")
    yield make_pill(f"route {decision.route}", "info")
    if inspection.as_sent:
        yield make_pill("as it was sent", "info")
    clicks = [row for row in inspection.links if row.kind == "click"]
    yield make_pill(f"{sum(row.tracked for row in clicks):,} of {count(len(clicks), 'link')} tracked", "off")


def _make_size(number: int, body: Body) -> str:
    # The bar ends at the larger one, so that both the size and the limit are seen.
    whole = max(body.rewritten_bytes, body.original_bytes, CLIP_BYTES) * 1.04
    before, after, limit = (100 * size / whole for size in (body.original_bytes, body.rewritten_bytes, CLIP_BYTES))
    over = " over" if body.rewritten_bytes > CLIP_BYTES else ""
    added = body.rewritten_bytes - body.original_bytes
    edits = len(body.plan.edits) if body.plan else 0
    share = 100 * body.rewritten_bytes / CLIP_BYTES
    score, why = score_alt(body.original)
    return (
        f"<h3>HTML body {number + 1}</h3>"
        f'<div class="meter" role="img" aria-label="{share:.0f} per cent of 102 KB"><i class="{over.strip()}" '
        f'style="width:{after:.2f}%"></i><i class="before{over}" style="width:{before:.2f}%"></i>'
        f'<b style="left:{limit:.2f}%"></b></div>'
        f"<p>{body.original_bytes:,} B before, {body.rewritten_bytes:,} B after "
        f"({added:+,} B, {count(edits, 'edit')}): {share:.0f} % of the 102 KB that Gmail shows.</p>"
        f'<p class="muted">Images off: {score} of 100, because {_text(why)}.</p>'
    )


def _make_findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return '<h3>Findings</h3><p class="good">Nothing to be looked at.</p>'
    return f"<h3>Findings</h3>{''.join(map(_make_finding, findings))}"


def _make_finding(finding: Finding) -> str:
    colour = _COLOURS[finding.severity]
    excerpt = f'<p class="excerpt">{_text(finding.excerpt)}</p>' if finding.excerpt else ""
    return (
        f'<div class="finding {colour}">{make_pill(f"{finding.severity}: {finding.rule}", colour)}'
        f'<p>{_text(finding.message)}</p><p class="muted">{_text(finding.advice)}</p>{excerpt}</div>'
    )


def _make_links(links: Sequence[LinkRow]) -> str:
    if not links:
        return '<p class="muted">There are none.</p>'
    rows = ([*_make_link(row)] for row in links[:_MAX_ROWS])
    more = f'<p class="muted">… and {len(links) - _MAX_ROWS:,} more.</p>' if len(links) > _MAX_ROWS else ""
    return make_table(("#", "State", "Leads to", "Why", "Text"), rows, numbers=frozenset({0})) + more


def _make_link(row: LinkRow) -> Iterator[str]:
    yield str(row.link.index + 1) if row.link else ""
    state = "tracked" if row.tracked else "left alone"
    state = {"pixel": "pixel" if row.tracked else "no pixel", "honeypot": "hidden link"}.get(row.kind, state)
    yield make_pill(state, "good" if row.tracked else "off")
    yield f"<code>{_text(row.url or row.tracked_url)}</code>"
    yield _text(row.reason)
    yield _text(row.label)


def _make_reasons(title: str, reasons: Sequence[str]) -> str:
    items = "".join(f"<li>{_text(reason)}</li>" for reason in reasons)
    return f'<h3>{escape(title)}</h3><ul class="plain">{items}</ul>'


def _make_diff(number: int, body: Body) -> str:
    rows = make_diff(body)
    if not rows:
        return ""
    lines = "".join(map(_make_diff_row, rows[:_MAX_DIFF_ROWS]))
    more = f'<p class="muted">… and {len(rows) - _MAX_DIFF_ROWS:,} more rows.</p>' if len(rows) > _MAX_DIFF_ROWS else ""
    edits = count(len(body.plan.edits) if body.plan else 0, "edit")
    return (
        f"<details open><summary>Source of body {number + 1}: {edits}</summary>"
        f'<div class="scroll"><table class="diff">{lines}</table></div>{more}</details>'
    )


def _make_diff_row(row: DiffRow) -> str:
    if row.kind == "gap":
        return f'<tr class="gap"><td colspan="4">{count(row.hidden, "line")} left out</td></tr>'
    changed = row.kind == "changed"
    return (
        f'<tr><td class="number">{row.old_number or ""}</td>'
        f'<td class="{"removed" if changed else ""}">{_mark(row.old, row.old_spans)}</td>'
        f'<td class="number">{row.new_number or ""}</td>'
        f'<td class="{"added" if changed else ""}">{_mark(row.new, row.new_spans)}</td></tr>'
    )


def _mark(text: str, spans: Sequence[Span]) -> str:
    kept: list[str] = []
    position = 0
    for span in spans:
        if span.end > span.start:
            kept += (_code(text[position : span.start]), f'<mark title="{escape(span.reason)}">')
            kept += (_code(text[span.start : span.end]), "</mark>")
            position = span.end
    return "".join((*kept, _code(text[position:])))


def _code(text: str) -> str:
    return escape(clean_text(text.replace("\t", "    ")))
