"""An inspection as plain values, as ``mailnod inspect --json`` prints it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailnod.model import Mode
from mailnod_desktop.services.images import score_alt
from mailnod_desktop.services.model import CLIP_BYTES, Body, Finding, Inspection, LinkRow
from mailnod_desktop.services.reading import ReadingError

__all__ = ["FIELDS", "describe_error", "describe_inspection"]

#: Every field of a mail and what it holds, for the documentation.
FIELDS: Mapping[str, str] = {
    "name": "the file, and for one of a mailbox its number",
    "subject": "decoded",
    "sender": "decoded",
    "recipients": "bare addresses, each once",
    "sent_at": "ISO 8601 in UTC, or null",
    "size_bytes": "of the whole mail",
    "attachments": "how many",
    "error": 'why the mail leaves as it came, or ""',
    "as_sent": "whether a tracker of ours had rewritten it before; it is then shown as it was sent",
    "unknown": "what cannot be known of such a mail, in sentences",
    "route": "the name of the route",
    "opens": "whether opens are tracked",
    "clicks": "whether clicks are tracked",
    "reasons": "why, in order",
    "token": "what the copy was filled with, or null",
    "bodies": "for each HTML body `original_bytes`, `rewritten_bytes`, `clipped`, `pixel` (where it stands), `edits` "
    "(how many) and `alt_score` (0 to 100)",
    "links": "for each link, the pixel and the hidden link `body`, `kind` (`click`, `text` for one in plain text where "
    "the route tracks those, `pixel` or `honeypot`), `index` (from 0; tables and findings count from 1), `url`, "
    "`tracked`, `reason`, `tracked_url`, `offset` and `label`",
    "findings": "for each one `rule`, `severity`, `message`, `advice`, `body`, `offset` and `excerpt`",
    "took_ms": "how long the rewriting took",
}


def describe_inspection(inspection: Inspection) -> dict[str, Any]:
    """Return an inspection as JSON knows it, with the keys of :data:`FIELDS`."""
    summary, decision = inspection.parsed.summary, inspection.decision
    sent_at = summary.sent_at
    return {
        "name": inspection.parsed.mail.name,
        "subject": summary.subject,
        "sender": summary.sender,
        "recipients": list(summary.recipients),
        "sent_at": sent_at and sent_at.isoformat().replace("+00:00", "Z"),
        "size_bytes": summary.size_bytes,
        "attachments": summary.attachments,
        "error": inspection.error,
        "as_sent": inspection.as_sent,
        "unknown": list(inspection.unknown),
        "route": decision.route,
        "opens": decision.opens is not Mode.NONE,
        "clicks": decision.clicks is not Mode.NONE,
        "reasons": list(decision.reasons),
        "token": inspection.token,
        "bodies": [_describe_body(body) for body in inspection.bodies],
        "links": [_describe_link(row) for row in inspection.links],
        "findings": [_describe_finding(finding) for finding in inspection.findings],
        "took_ms": round(inspection.took_ms, 2),
    }


def describe_error(error: ReadingError) -> dict[str, str]:
    """Return why a file could not be read, as JSON knows it."""
    return {"name": error.name, "problem": error.problem, "advice": error.advice}


def _describe_body(body: Body) -> dict[str, Any]:
    return {
        "original_bytes": body.original_bytes,
        "rewritten_bytes": body.rewritten_bytes,
        "clipped": body.rewritten_bytes > CLIP_BYTES,
        "pixel": body.plan.pixel if body.plan else "none",
        "edits": len(body.plan.edits) if body.plan else 0,
        "alt_score": score_alt(body.original)[0],
    }


def _describe_link(row: LinkRow) -> dict[str, Any]:
    return {
        "body": row.body,
        "kind": row.kind,
        "index": row.link.index if row.link else None,
        "url": _make_sound(row.url),
        "tracked": row.tracked,
        "reason": row.reason,
        "tracked_url": row.tracked_url,
        "offset": row.offset,
        "label": row.label,
    }


def _describe_finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "message": finding.message,
        "advice": finding.advice,
        "body": finding.body,
        "offset": finding.offset,
        "excerpt": finding.excerpt,
    }


def _make_sound(text: str) -> str:
    """Return a text without bytes that did not decode, which many readers of JSON refuse."""
    return text.encode("utf-8", "replace").decode("utf-8")
