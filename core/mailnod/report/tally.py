"""Count events one by one: those that a query found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from mailnod.model import BreakdownLine, EventRecord
from mailnod.report.breakdown import BreakdownBy
from mailnod.store.rollups import name_link

__all__ = ["TallyBy", "tally"]

TallyBy = Literal["all", "message", "hour"] | BreakdownBy

_KEYS: Mapping[TallyBy, Callable[[EventRecord], str | None]] = {
    "all": lambda _: "",
    "message": lambda r: None if r.delivery is None else r.delivery.envelope.message_id,
    "campaign": lambda r: None if r.delivery is None else r.delivery.envelope.campaign,
    "route": lambda r: None if r.delivery is None else r.delivery.decision.route,
    "link": lambda r: None if r.event.url is None else name_link(r.event.url),
    "hour": lambda r: f"{r.event.occurred_at:%Y-%m-%dT%H:00Z}",
    "month": lambda r: f"{r.event.occurred_at:%Y-%m}",
    "class": lambda r: r.event.verdict.classification.value,
    "client": lambda r: r.event.verdict.client_name,
    "device": lambda r: r.event.verdict.device_type,
}


def tally(records: Iterable[EventRecord], *, by: TallyBy) -> list[BreakdownLine]:
    """Return the counts of each group, the largest first; months and hours come newest first.

    :param records: what is counted, in any order; what counts nowhere is passed over, and so is, by link, what has
        none.
    """
    get_key = _KEYS[by]
    events: dict[str, dict[str, list[bytes]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        who = record.event.verdict.counted_as
        key = get_key(record)
        if who is not None and not (by == "link" and key is None):
            what = "opens" if record.event.type == "message.opened" else "clicks"
            events[key or ""][f"{who}_{what}"].append(record.event.delivery_id)
    lines = [_make_line(key, counted) for key, counted in events.items()]
    if by in ("month", "hour"):
        return sorted(lines, key=lambda line: line.key, reverse=True)
    return sorted(lines, key=lambda line: (-_get_size(line), line.key))


def _make_line(key: str, counted: Mapping[str, list[bytes]]) -> BreakdownLine:
    def get(measure: str) -> list[bytes]:
        return counted.get(measure, [])

    return BreakdownLine(
        key=key,
        human_opens=len(get("human_opens")),
        human_opens_unique=len(set(get("human_opens"))),
        human_clicks=len(get("human_clicks")),
        human_clicks_unique=len(set(get("human_clicks"))),
        machine_opens=len(get("machine_opens")),
        machine_clicks=len(get("machine_clicks")),
    )


def _get_size(line: BreakdownLine) -> int:
    return line.human_opens + line.human_clicks + line.machine_opens + line.machine_clicks
