"""How verdicts are appended, and events published, revised and counted."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from mailnod.model import Event, Observation, Publication, Verdict
from mailnod.store import slots
from mailnod.store.deliveries import DELIVERY_JOINS
from mailnod.store.events import JUDGED_FIELDS, JUDGED_JOINS, JUDGED_WIDTH, TYPES, read_judged
from mailnod.store.lines import Lines
from mailnod.store.names import intern_verdict
from mailnod.store.observations import find_slot
from mailnod.store.rollups import Groups, list_moves
from mailnod.store.rows import to_micros
from mailnod.store.tallies import Tally

__all__ = ["publish"]

_JUDGED = f"""
    SELECT {JUDGED_FIELDS}, o.delivery, d.mailing_id, m.test, d.message_id, campaigns.name, routes.name
    FROM observations AS o LEFT JOIN events AS e ON e.slot = o.slot {JUDGED_JOINS} {DELIVERY_JOINS}
    WHERE o.slot = ?
"""
_ADD = "INSERT INTO events (slot, revision, first, verdict_id, delay, mailing_id) VALUES (?, ?, ?, ?, ?, ?)"
_KEEP = "INSERT INTO revised SELECT slot, revision, verdict_id, delay FROM events WHERE slot = ?"
_REVISE = "UPDATE events SET revision = ?, first = ?, verdict_id = ?, delay = ? WHERE slot = ?"
_CORRECT = "UPDATE events SET first = ? WHERE slot = ?"


def publish(
    connection: sqlite3.Connection, judgements: Sequence[tuple[Observation, Verdict]], *, now: datetime
) -> list[Publication]:
    """Append verdicts, publish or revise events, and move the rollups, in the order of the hits."""
    found = [(find_slot(connection, observation.id), verdict) for observation, verdict in judgements]
    # What was erased while it was judged is passed over.
    known = sorted(((slot, verdict) for slot, verdict in found if slot is not None), key=lambda judged: judged[0])
    batch = _Batch(connection, now)
    published = [batch.publish(slot, verdict) for slot, verdict in known]
    batch.end()
    connection.executemany("DELETE FROM queue WHERE slot = ?", [(slot,) for slot, _ in known])
    return [publication for publication in published if publication is not None]


class _Batch:
    """What one transaction has read already."""

    def __init__(self, connection: sqlite3.Connection, now: datetime) -> None:
        self._connection = connection
        self._now = to_micros(now)
        self._lines = Lines(connection)
        self._tallies: dict[int | bytes, Tally] = {}
        self._verdicts: dict[Verdict, int] = {}
        #: Which events were written as first ones, and which not.
        self._written: dict[int, bool] = {}

    def publish(self, slot: int, verdict: Verdict) -> Publication | None:
        """Publish a verdict on the observation in a slot; None where it says nothing new."""
        row = self._connection.execute(_JUDGED, (slot,)).fetchone()
        observation, previous = read_judged(row)
        delivery, mailing, test, *groups = row[JUDGED_WIDTH:]
        if previous is not None and previous.verdict == verdict:
            return None
        if delivery not in self._tallies:
            self._tallies[delivery] = Tally(self._connection, delivery)
        tally = self._tallies[delivery]
        hit = observation.hit
        type_ = TYPES[hit.kind]
        if previous is not None:
            # What an event was before is not before it.
            tally.mark(slot, type_, previous.verdict, -1)
        event = Event(
            id=observation.id,
            type=type_,
            delivery_id=observation.delivery_id,
            seq=0 if previous is None else previous.seq + 1,
            verdict=verdict,
            first=tally.is_first(slot, type_, verdict),
            occurred_at=hit.received_at,
            url=hit.url,
            link_index=hit.link_index,
        )
        tally.mark(slot, type_, verdict, 1)
        self._written[slot] = event.first
        self._write(slot, event, mailing)
        if not test:
            belongs = Groups(message_id=groups[0], campaign=groups[1], route=groups[2])
            if previous is not None:
                self._move(tally, previous, belongs, -1)
            self._move(tally, event, belongs, 1)
        return Publication(event=event, previous=previous)

    def end(self) -> None:
        """Write what was counted, and which other events are the first ones now."""
        self._lines.write()
        for tally in self._tallies.values():
            for first, slots_ in zip((True, False), tally.list_corrections(), strict=True):
                stale = [(first, slot) for slot in slots_ if self._written.get(slot) is not first]
                self._connection.executemany(_CORRECT, stale)

    def _move(self, tally: Tally, event: Event, groups: Groups, sign: Literal[1, -1]) -> None:
        for counted, lines, measure in list_moves(event, groups):
            uniques = tally.count(counted, measure, sign)
            for line in lines:
                self._lines.move(line, measure, sign)
                self._lines.move(line, f"{measure}_unique", uniques)

    def _write(self, slot: int, event: Event, mailing: int | None) -> None:
        verdict_id = self._verdicts.get(event.verdict)
        if verdict_id is None:
            verdict_id = self._verdicts[event.verdict] = intern_verdict(self._connection, event.verdict)
        row = (event.seq, event.first, verdict_id, (self._now - slots.get_micros(slot)) // 1000)
        if event.seq == 0:
            self._connection.execute(_ADD, (slot, *row, mailing))
        else:
            self._connection.execute(_KEEP, (slot,))
            self._connection.execute(_REVISE, (*row, slot))
