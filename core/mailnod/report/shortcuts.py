"""Answer a query for counts from the rollups, where they have what it asks for."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import cast

from mailnod.model import BreakdownLine, EventFilter
from mailnod.report.tally import TallyBy
from mailnod.store.base import GroupBy, Store
from mailnod.store.rollups import CELL_MEASURES

__all__ = ["read_rollups"]


def read_rollups(store: Store, wanted: EventFilter, *, by: TallyBy, limit: int) -> list[BreakdownLine] | None:
    """Return what :func:`~mailnod.report.tally.tally` would of the events that match; None where no rollup says it.

    Rollups know one campaign, route, message or link as a whole, and the hours and links of one campaign or route. What
    lies in an archive counts here, and it does not event by event.

    :param wanted: without tests.
    :param limit: at most this many lines.
    """
    bare = replace(wanted, since=None, until=None, terms=())
    if bare != EventFilter(test=False, limit=wanted.limit) or len(wanted.terms) != 1:
        return None
    (term,) = wanted.terms
    if term.negated or len(term.values) != 1 or term.field not in ("campaign", "route", "message", "link"):
        return None
    (name,) = term.values
    timeless = wanted.since is None and wanted.until is None
    if timeless and by in ("all", term.field):
        found = store.get_metrics(by=cast("GroupBy", term.field), key=name)
        counts = [(line.key, {measure: asdict(line)[measure] for measure in CELL_MEASURES}) for line in found]
        return [BreakdownLine(key="" if by == "all" else key, **count) for key, count in counts if any(count.values())]
    if term.field not in ("campaign", "route") or not (by == "hour" or (by == "link" and timeless)):
        return None
    if not (_is_whole(wanted.since) and _is_whole(wanted.until)):
        return None
    return store.get_breakdown(term.field, name, by=by, since=wanted.since, until=wanted.until, limit=limit)


def _is_whole(moment: datetime | None) -> bool:
    """Return whether a time is none, or the beginning of an hour in UTC."""
    if moment is None:
        return True
    return not moment.utcoffset() and (moment.minute, moment.second, moment.microsecond) == (0, 0, 0)
