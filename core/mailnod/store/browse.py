"""Look through a store of any size, without writing to it: which events there are, and a few of them at a time.

A window that shows a million events never holds them. It knows the slot of each, which is eight bytes, and reads the
rows that are in sight. Every read is a short transaction, so that whoever writes to the store can empty its log.
"""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
import sys
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from mailnod.errors import StoreUnavailableError
from mailnod.model import Classification, EventFilter, Kind
from mailnod.store import slots
from mailnod.store.arms import Arm, choose_arms, get_bounds, join_conditions, join_tables
from mailnod.store.conditions import Condition, list_conditions, list_terms
from mailnod.store.database import Database, get_primary_code
from mailnod.store.observations import KINDS
from mailnod.store.rows import from_micros, to_micros

__all__ = ["Browser", "Part", "Row", "State", "from_time", "to_time"]

#: So many rows are looked at in one transaction, which takes some hundredths of a second.
EFFORT = 50_000
#: A row costs so many times as much where texts are put together to look through them, or recipients are looked up.
_COSTS = {"text": 5, "rcpt": 2, "subject": 2, "url": 2}
#: So many slots are asked for in one statement.
_MOST = 5_000
_CLASSES = tuple(Classification)
_BY_VALUE = {one.value: one for one in _CLASSES}
_EXTREMES = "SELECT (SELECT min(slot) FROM events), (SELECT max(slot) FROM events)"
_ROWS = """
    SELECT e.slot, o.id, o.kind, v.classification, v.machine, v.proxy_type, v.probability, v.client_name,
        v.reason_codes, e.revision, e.first, coalesce(m.test, 0), d.subject, d.message_id, n.name, s.ip,
        l.value || coalesce(o.rest, ''),
        (SELECT coalesce(r.address, '') FROM delivery_recipients AS dr LEFT JOIN recipients AS r
            ON r.id = dr.recipient_id WHERE dr.delivery = o.delivery ORDER BY dr.position LIMIT 1),
        (SELECT count(*) FROM delivery_recipients AS dr WHERE dr.delivery = o.delivery)
    FROM events AS e CROSS JOIN observations AS o ON o.slot = e.slot CROSS JOIN verdicts AS v ON v.id = e.verdict_id
    LEFT JOIN deliveries AS d ON d.seq = o.delivery
    LEFT JOIN mailings AS m ON m.id = d.mailing_id
    LEFT JOIN names AS n ON n.id = m.campaign_id
    LEFT JOIN links AS l ON l.id = o.link_id
    LEFT JOIN signals AS s ON s.slot = e.slot
    WHERE e.slot IN (SELECT value FROM json_each(?)) ORDER BY e.slot DESC
"""


class Row(NamedTuple):
    """What a list shows of an event, with its latest verdict."""

    #: Where it stands in the order of all events (:mod:`mailnod.store.slots`).
    slot: int
    id: bytes
    #: When the hit was, in UTC.
    at: datetime
    kind: Kind
    classification: Classification
    machine: bool
    #: The mail's first recipient; "" where it was erased, None where the mail is not known.
    recipient: str | None
    #: How many recipients share the copy.
    recipients: int
    subject: str | None
    message_id: str | None
    campaign: str | None
    proxy: str | None
    #: 0 (a person, certainly) to 100 (a machine, certainly).
    probability: int
    #: None once raw signals are erased.
    ip: str | None
    client: str | None
    #: The destination of a click.
    url: str | None
    reasons: tuple[str, ...]
    #: How often it was judged anew.
    revision: int
    #: Whether it is the delivery's first of its kind.
    first: bool
    #: Whether it belongs to a test.
    test: bool


class State(NamedTuple):
    """What a store is like at a moment."""

    #: Differs from the one before where anything was written in between.
    version: tuple[int, int]
    #: Slots of the oldest and the newest event; None where there is none.
    oldest: int | None
    newest: int | None


class Part(NamedTuple):
    """A part of what a filter lets through."""

    #: The newest first.
    slots: array[int]
    #: Everything down to this slot was looked at; None where nothing is left below.
    floor: int | None


def to_time(slot: int) -> datetime:
    """Return the time of a slot, in UTC."""
    return from_micros(slots.get_micros(slot))


def from_time(at: datetime) -> int:
    """Return the first slot of a time."""
    return slots.to_slot(to_micros(at))


class Browser:
    """Reads a store for a window, from any thread, and never writes to it.

    :param path: the store's file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path, read_only=True, busy_timeout_s=2.0)
        #: The connection whose versions each thread was told, and its number.
        self._watched = threading.local()
        self._watches = itertools.count(1)

    def close(self) -> None:
        """Close the connections of every thread."""
        self._watched = threading.local()
        self._database.close()

    def get_state(self) -> State:
        """Return what the store is like now; it takes some microseconds.

        Versions compare within one thread.

        :raises StoreUnavailableError: as every method here does, with words that say what to do.
        """
        with self._read() as connection:
            watched = self._watched
            if getattr(watched, "connection", None) is not connection:
                # Versions of another connection say nothing.
                watched.connection, watched.number = connection, next(self._watches)
            ((version,),) = connection.execute("PRAGMA data_version").fetchall()
            ((oldest, newest),) = connection.execute(_EXTREMES).fetchall()
        return State((watched.number, version), oldest, newest)

    def count_all(self) -> int:
        """Return how many events there are; it takes about 10 ms for each million."""
        with self._read() as connection:
            ((number,),) = connection.execute("SELECT count(*) FROM events").fetchall()
        return int(number)

    def find_part(self, filter: EventFilter, *, below: int | None = None, effort: int = EFFORT) -> Part:
        """Find the newest events that a filter lets through, as far as an effort goes.

        :param below: only slots below this one; None begins with the newest.
        :param effort: how many rows are looked at, at most; fewer where each costs more.
        """
        with self._read() as connection:
            low, high = get_bounds(connection, filter)
            high = high if below is None else min(high, below - 1)
            arms, known = choose_arms(connection, filter)
            conditions = list_conditions(connection, filter, known=known)
            cost = max((_COSTS.get(term.field, 1) for term in list_terms(filter) if term not in known), default=1)
            share = max(effort // cost // max(len(arms), 1), 64)
            floors = [_find_floor(connection, arm, low=low, high=high, share=share) for arm in arms]
            floor = max((found for found in floors if found is not None), default=None)
            low = low if floor is None else floor
            found = [_find_slots(connection, arm, conditions, low=low, high=high) for arm in arms]
        if len(found) == 1:
            return Part(found[0], floor)
        return Part(array("q", sorted((slot for some in found for slot in some), reverse=True)), floor)

    def find_parts(
        self, filter: EventFilter, *, effort: int = EFFORT, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Part]:
        """Yield all that a filter lets through, newest first, each part read in a transaction of its own.

        :param stop: asked before each part whether to end early.
        """
        below: int | None = None
        while not stop():
            part = self.find_part(filter, below=below, effort=effort)
            yield part
            if part.floor is None:
                return
            below = part.floor

    def find_new(self, filter: EventFilter, *, after: int) -> Part:
        """Find what a filter lets through above a slot; a part of it where that is very much.

        :param after: only slots above this one.
        """
        # The bound is a time for a filter, and a slot is finer: what is left over falls out below.
        since = to_time(after)
        narrowed = replace(filter, since=since if filter.since is None else max(since, filter.since))
        part = self.find_part(narrowed)
        return Part(array("q", (slot for slot in part.slots if slot > after)), part.floor)

    def get_rows(self, wanted: Iterable[int]) -> list[Row]:
        """Return the events in some slots, newest first; what was removed meanwhile is missing."""
        asked = list(wanted)
        rows: list[Row] = []
        for start in range(0, len(asked), _MOST):
            with self._read() as connection:
                found = connection.execute(_ROWS, (json.dumps(asked[start : start + _MOST]),)).fetchall()
            try:
                rows += map(_read_row, found)
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
                raise StoreUnavailableError(
                    f"the database {str(self.path)!r} holds what Mailnod never writes ({error}); it is damaged"
                ) from error
        return rows

    def count(self, filter: EventFilter, *, stop: Callable[[], bool] = lambda: False) -> int:
        """Return how many events a filter lets through; so far, where it was stopped."""
        return sum(len(part.slots) for part in self.find_parts(filter, stop=stop))

    def get_timeline(
        self,
        filter: EventFilter,
        edges: Sequence[datetime],
        *,
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Count the events between each two times, by class, the newest bucket first.

        :param edges: ascending times; bucket ``n`` goes from the one at ``n`` up to the next, exclusively.
        :param stop: asked often whether to end early; a bucket that was not counted to its end is not yielded.
        :returns: the number of a bucket, and its counts in the order of :class:`~mailnod.model.Classification`.
        """
        for number in range(len(edges) - 2, -1, -1):
            since, until = edges[number], edges[number + 1]
            since = since if filter.since is None else max(since, filter.since)
            until = until if filter.until is None else min(until, filter.until)
            counts = (0,) * len(_CLASSES)
            if since < until:
                counted = self._count_classes(replace(filter, since=since, until=until), stop)
                if counted is None:
                    return
                counts = counted
            yield number, counts

    def _count_classes(self, filter: EventFilter, stop: Callable[[], bool]) -> tuple[int, ...] | None:
        """Count what a filter lets through by class; None where it was stopped."""
        sums = [0] * len(_CLASSES)
        below: int | None = None
        while not stop():
            with self._read() as connection:
                low, high = get_bounds(connection, filter)
                high = high if below is None else below - 1
                arms, known = choose_arms(connection, filter)
                conditions = list_conditions(connection, filter, known=known)
                share = max(EFFORT // max(len(arms), 1), 64)
                floors = [_find_floor(connection, arm, low=low, high=high, share=share) for arm in arms]
                below = max((found for found in floors if found is not None), default=None)
                for arm in arms:
                    counts = _count(connection, arm, conditions, low=low if below is None else below, high=high)
                    sums = [one + more for one, more in zip(sums, counts, strict=True)]
            if below is None:
                return tuple(sums)
        return None

    @contextlib.contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._database.read() as connection:
                yield connection
        except StoreUnavailableError as error:
            advice = _advise(error, self.path)
            if advice:
                raise StoreUnavailableError(f"{error}; {advice}") from error
            raise


def _find_floor(connection: sqlite3.Connection, arm: Arm, *, low: int, high: int, share: int) -> int | None:
    """Return the last slot of so many of an arm's newest; None where it has no more."""
    slot = f"{arm.table}.slot"
    # Only the run itself is counted here, so that the index it lies in is all that is read.
    table = "events AS e" if arm.table == "e" else "observations AS o"
    row = connection.execute(
        f"SELECT {slot} FROM {table} WHERE {arm.where} AND {slot} BETWEEN ? AND ? ORDER BY {slot} DESC "
        "LIMIT 1 OFFSET ?",
        (*arm.value, low, high, share - 1),
    ).fetchone()
    return None if row is None or row[0] <= low else int(row[0])


def _find_slots(
    connection: sqlite3.Connection, arm: Arm, conditions: Sequence[Condition], *, low: int, high: int
) -> array[int]:
    match, values = join_conditions(conditions)
    source = join_tables(arm.table, match)
    slot = f"{arm.table}.slot"
    # In one text of hexadecimal digits: each row that is handed over alone takes Python's lock once more, and a window
    # that draws meanwhile waits for it each time.
    ((digits,),) = connection.execute(
        f"SELECT group_concat(printf('%016x', slot), '') FROM (SELECT e.slot AS slot {source} "
        f"WHERE {arm.where} AND {slot} BETWEEN ? AND ? AND {match} ORDER BY {slot} DESC)",
        (*arm.value, low, high, *values),
    ).fetchall()
    found = array("q", bytes.fromhex(digits or ""))
    if sys.byteorder == "little":
        found.byteswap()
    return found


def _count(
    connection: sqlite3.Connection, arm: Arm, conditions: Sequence[Condition], *, low: int, high: int
) -> tuple[int, ...]:
    match, values = join_conditions(conditions)
    sums = ", ".join(f"total(v.classification = '{one.value}')" for one in _CLASSES)
    source = join_tables(arm.table, f"{sums}, {match}")
    row = connection.execute(
        f"SELECT {sums} {source} WHERE {arm.where} AND {arm.table}.slot BETWEEN ? AND ? AND {match}",
        (*arm.value, low, high, *values),
    ).fetchone()
    return tuple(map(int, row))


def _read_row(columns: Sequence[Any]) -> Row:
    slot, kept, kind, classification, machine, proxy, probability, client, reasons, revision, first, *mail = columns
    test, subject, message_id, campaign, ip, url, recipient, recipients = mail
    # By place, because names cost a third of the time.
    return Row(
        slot,
        slots.join_id(kept, slot),
        to_time(slot),
        KINDS[kind],
        _BY_VALUE[classification],
        bool(machine),
        recipient,
        recipients,
        subject,
        message_id,
        campaign,
        proxy,
        probability,
        ip,
        client,
        url,
        _read_reasons(reasons),
        revision,
        bool(first),
        bool(test),
    )


@lru_cache(maxsize=4_096)
def _read_reasons(text: str) -> tuple[str, ...]:
    """Return reason codes; a few thousand verdicts are given again and again."""
    return tuple(json.loads(text))


def _advise(error: StoreUnavailableError, path: Path) -> str:
    """Return what to do about a store that cannot be read; "" where the error says it already."""
    cause = error.__cause__
    copy = "have its owner run 'mailnod snapshot copy.db', and open the copy"
    if isinstance(cause, PermissionError):
        return f"it belongs to another user: {copy}"
    if not isinstance(cause, sqlite3.Error):
        return ""
    code = get_primary_code(cause)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        return "try again in a moment"
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        if not os.access(path, os.R_OK):
            return f"it belongs to another user: {copy}"
        if not os.access(path.parent, os.W_OK):
            # Readers of a write-ahead log share an index of it, which lies beside the file.
            return f"its folder is read-only for you, and nobody has it open who could share its log: {copy}"
    return "name the file that the app's DATABASE setting names" if code == sqlite3.SQLITE_NOTADB else ""
