"""What is counted of one delivery's events, so that a delivery with several of them is one unique."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from typing import Literal

from mailnod.model import EventType, Verdict
from mailnod.store.events import TYPES
from mailnod.store.observations import KINDS
from mailnod.store.rollups import Group, list_counted, list_measures
from mailnod.store.rows import VERDICT_COLUMNS, from_micros, list_columns, read_verdict
from mailnod.store.slots import get_micros

__all__ = ["Tally"]

_EVENTS = f"""
    SELECT o.slot, o.kind, l.value, e.verdict_id, {list_columns(VERDICT_COLUMNS, of="v")}
    FROM observations AS o CROSS JOIN events AS e ON e.slot = o.slot JOIN verdicts AS v ON v.id = e.verdict_id
    LEFT JOIN links AS l ON l.id = o.link_id
    WHERE o.delivery = ?
"""  # noqa: S608


class Tally:
    """The events of one delivery, read once and kept up while a batch is published.

    :param delivery: what observations call it.
    """

    def __init__(self, connection: sqlite3.Connection, delivery: int | bytes) -> None:
        self._counts: Counter[tuple[Group, str]] = Counter()
        self._slots: defaultdict[tuple[EventType, bool], list[int]] = defaultdict(list)
        verdicts: dict[int, Verdict] = {}
        for slot, kind, url, verdict_id, *columns in connection.execute(_EVENTS, (delivery,)):
            verdict = verdicts.get(verdict_id) or verdicts.setdefault(verdict_id, read_verdict(columns))
            type_ = TYPES[KINDS[kind]]
            self.mark(slot, type_, verdict, 1)
            at = from_micros(get_micros(slot))
            for counted in list_counted(occurred_at=at, url=url):
                for measure in list_measures(type_, verdict):
                    self._counts[counted, measure] += 1
        self._known_firsts = self._list_firsts()

    def list_corrections(self) -> tuple[set[int], set[int]]:
        """Return the events that have become the first of their kind and class, and those that are no more."""
        now, before = self._list_firsts(), self._known_firsts
        self._known_firsts = now
        return now - before, before - now

    def _list_firsts(self) -> set[int]:
        return {slots[0] for slots in self._slots.values() if slots}

    def is_first(self, slot: int, type_: EventType, verdict: Verdict) -> bool:
        """Return whether nothing earlier of this type counts for people too, or for machines too."""
        known = self._slots[type_, verdict.machine]
        return verdict.counted_as is not None and (not known or slot < known[0])

    def mark(self, slot: int, type_: EventType, verdict: Verdict, sign: Literal[1, -1]) -> None:
        """Note when an event is, or that it is no more what it was; one that counts nowhere hides none."""
        if verdict.counted_as is None:
            return
        slots = self._slots[type_, verdict.machine]
        if sign > 0:
            insort(slots, slot)
        else:
            del slots[bisect_left(slots, slot)]

    def count(self, counted: Group, measure: str, sign: Literal[1, -1]) -> int:
        """Count an event in, or out where a revision takes its place.

        :returns: by how much the number of deliveries with at least one changes.
        """
        self._counts[counted, measure] += sign
        return sign if self._counts[counted, measure] == (1 if sign > 0 else 0) else 0
