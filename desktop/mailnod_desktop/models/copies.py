"""The copies of two recipients as one text before and after, so that what differs can be seen."""

from __future__ import annotations

from dataclasses import replace

from mailnod.html.plan import Edit, Plan
from mailnod.tokens import TOKEN_CHARS
from mailnod_desktop.models.tokens import read_token
from mailnod_desktop.services.diff import DiffRow, Span, make_diff
from mailnod_desktop.services.model import Body, Inspection

__all__ = ["compare_copies", "list_comparable"]


def list_comparable(inspection: Inspection) -> tuple[str, ...]:
    """Return the recipients whose copies have the same edits as the one that is shown, and other tokens.

    Who allowed opens alone gets another text, and is left out. Of a mail that was sent before there is one copy.
    """
    shown = read_token(inspection.token or "")
    if shown is None or inspection.as_sent:
        return ()
    facts = {address: read_token(token) for address, token in inspection.tokens.items()}
    return tuple(address for address, one in facts.items() if one is not None and one.modes == shown.modes)


def compare_copies(body: Body, plan: Plan, one: str, other: str) -> tuple[Body, tuple[DiffRow, ...]]:
    """Return the copies with two tokens, and the rows in which they differ.

    :param plan: by which the body is rewritten.
    """
    before, after = plan.fill(one), plan.fill(other)
    edits: list[Edit] = []
    position = 0
    for piece in plan.pieces[:-1]:
        position += len(piece)
        # An edit needs something before its token; that character is the same in both.
        edits.append(Edit(position - 1, position + TOKEN_CHARS, piece[-1:]))
        position += TOKEN_CHARS
    copies = replace(body, original=before, rewritten=after)
    both = replace(plan, source=before, links=(), edits=tuple(edits), honeypot=None)
    return copies, tuple(_trim(row) for row in make_diff(replace(copies, plan=both)))


def _trim(row: DiffRow) -> DiffRow:
    return replace(
        row,
        old_spans=tuple(_skip_first(span) for span in row.old_spans),
        new_spans=tuple(_skip_first(span) for span in row.new_spans),
    )


def _skip_first(span: Span) -> Span:
    return span._replace(start=min(span.start + 1, span.end), reason="")
