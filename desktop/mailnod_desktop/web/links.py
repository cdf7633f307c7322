"""Which links of a body a browser sees, and what their ``href`` is in each pane."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailnod.html.entities import decode_attribute
from mailnod_desktop.services.model import LinkRow

__all__ = ["find_hrefs"]

# HTML Standard, section 13.2.5.43 and following: how comments end.
_COMMENT = re.compile(r"<!--(?:>|->|.*?(?:--!?>|\Z))", re.DOTALL)


def find_hrefs(html: str, rows: Sequence[LinkRow], *, rewritten: bool) -> list[tuple[int, str]]:
    """List the links of a body that are elements of the page, in document order.

    Links in conditional comments are live in Outlook alone; a browser has no element for them.

    :param html: the original body, which the rows' offsets count in.
    :param rows: all rows of the body.
    :param rewritten: whether to return what leaves instead of what came.
    :returns: position within ``rows`` and ``href`` of each.
    """
    comments = [match.span() for match in _COMMENT.finditer(html)] if "<!--" in html else []
    found = []
    for number, row in enumerate(rows):
        if row.link is None or any(start <= row.offset < end for start, end in comments):
            continue
        tracked = rewritten and row.tracked_url
        found.append((number, row.tracked_url if tracked else decode_attribute(row.link.raw)))
    return found
