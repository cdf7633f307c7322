"""The store in one SQLite file, which other processes may read at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from mailnod.errors import StoreError, StoreUnavailableError
from mailnod.model import (
    BreakdownLine,
    Consent,
    ConsentRecord,
    Delivery,
    DeliveryState,
    EventFilter,
    EventPage,
    EventRecord,
    KeptBody,
    Metrics,
    Observation,
    Overflow,
    OverflowCount,
    Publication,
    Traces,
    Verdict,
    Window,
)
from mailnod.store import bodies as originals
from mailnod.store import consents, events, lease, lines, links, publishing, retention, search
from mailnod.store import deliveries as sent
from mailnod.store import observations as hits
from mailnod.store import overflow as counts
from mailnod.store.base import WORKER_LEASE, GroupBy
from mailnod.store.circuit import Circuit
from mailnod.store.database import Database, OpenFile, open_file
from mailnod.store.rollups import BreakdownOf, CellBy

__all__ = ["SQLiteStore"]


#: How long a mail that is being sent waits for the lock of another process.
_SEND_PATIENCE_S = 0.25

#: For how long mails go out untracked, without another wait, after the store failed one.
_SEND_PAUSE_S = 5.0


class SQLiteStore:
    """A :class:`~mailnod.store.base.Store` on plain ``sqlite3``: write-ahead log, every commit synced to the disk.

    :param path: the file; it and its folder are made on first use, readable by their owner alone.
    :param read_only: never write, migrate or make anything. The folder must still be writable to SQLite, which keeps
        its index of the log beside the file, unless another process has the store open.
    :param busy_timeout_s: how long a call waits for another process's lock before it gives up. Calls that a mail waits
        for (those on deliveries, and on what holds for a recipient) wait a quarter of a second at most, and after one
        of them has failed they all fail at once for five seconds: a campaign is not held up by a store that is stuck.
    :param opens: opens the file.
    :param monotonic: seconds of a clock that is never set back, by which those five are told.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        busy_timeout_s: float = 5.0,
        opens: OpenFile = open_file,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = Database(path, read_only=read_only, busy_timeout_s=busy_timeout_s, opens=opens)
        self._sending = Circuit(pause_s=_SEND_PAUSE_S, monotonic=monotonic)
        #: Of its own, because mail is tracked whether its body can be kept or not.
        self._keeping = Circuit(pause_s=_SEND_PAUSE_S, monotonic=monotonic)

    # -- send ---------------------------------------------------------------------------------------------------------

    def add_deliveries(self, deliveries: Sequence[Delivery], *, consent_mark: int | None = None) -> None:
        """Write deliveries and their recipients."""
        with self._sending.guard(), self._database.write(patience_s=_SEND_PATIENCE_S) as connection:
            sent.add_deliveries(connection, deliveries, consent_mark=consent_mark)

    def set_delivery_states(self, ids: Sequence[bytes], state: DeliveryState, *, at: datetime) -> None:
        """Note what became of deliveries."""
        # Should the power fail, the delivery is there and says "prepared", which loses no hit and no consent.
        with self._sending.guard(), self._database.write(durable=False, patience_s=_SEND_PATIENCE_S) as connection:
            sent.set_states(connection, ids, state, at=at)

    def keep_bodies(self, bodies: Sequence[KeptBody]) -> None:
        """Keep the HTML of deliveries for some days."""
        # To compress takes longer than to write, and nobody waits for it.
        packed = originals.pack(bodies)
        with self._keeping.guard(), self._database.write(durable=False, patience_s=_SEND_PATIENCE_S) as connection:
            originals.keep_bodies(connection, bodies, packed, key=consents.get_key(connection))

    # -- consent ------------------------------------------------------------------------------------------------------

    def record_consent(self, address: str, record: ConsentRecord) -> ConsentRecord:
        """Append to a recipient's history, and suppress what was sent where the recipient withdraws."""
        with self._database.write() as connection:
            return consents.append_record(connection, consents.find_recipient(connection, address), record)

    def get_consent(self, address: str, *, purpose: str) -> Consent:
        """Return what holds for a recipient and a purpose."""
        with self._sending.guard(), self._database.read(patience_s=_SEND_PATIENCE_S) as connection:
            return consents.get_consent(connection, consents.find_recipient(connection, address), purpose=purpose)

    def get_consent_mark(self) -> int:
        """Return the number of the newest record of consent."""
        with self._sending.guard(), self._database.read(patience_s=_SEND_PATIENCE_S) as connection:
            return consents.get_mark(connection)

    def get_consent_history(self, address: str) -> list[ConsentRecord]:
        """Return everything that was recorded for an address, oldest first."""
        with self._database.read() as connection:
            return consents.get_history(connection, consents.find_recipient(connection, address))

    # -- collect ------------------------------------------------------------------------------------------------------

    def get_suppressed(self, *, after: int = 0, now: datetime | None = None) -> tuple[frozenset[bytes], int]:
        """Return the deliveries suppressed after a cursor, and the new cursor."""
        with self._database.read() as connection:
            return consents.get_suppressed(connection, after=after, now=now)

    def get_destination(self, delivery_id: bytes, index: int) -> str | None:
        """Return where a short link of a delivery leads."""
        with self._database.read() as connection:
            return links.get_destination(connection, delivery_id, index)

    def add_observations(self, observations: Sequence[Observation], *, settle_s: float) -> list[Observation]:
        """Take observations in, each once, and queue them for judging."""
        with self._database.write() as connection:
            return hits.add_observations(connection, observations, settle_s=settle_s)

    def add_overflow(self, overflow: Sequence[Overflow]) -> None:
        """Take in how many hits were not recorded one by one."""
        with self._database.write() as connection:
            counts.add_overflow(connection, overflow)

    def get_overflow(self) -> list[OverflowCount]:
        """Return how many hits were not recorded one by one."""
        with self._database.read() as connection:
            return counts.get_overflow(connection)

    # -- judge --------------------------------------------------------------------------------------------------------

    def get_due(self, *, now: datetime, limit: int = 500, settle_s: float | None = None) -> list[Observation]:
        """Return the observations that are due, those due longest first."""
        with self._database.read() as connection:
            return hits.get_due(connection, now=now, limit=limit, settle_s=settle_s)

    def count_waiting(self) -> int:
        """Return how many observations wait for judging, due or not."""
        with self._database.read() as connection:
            return hits.count_waiting(connection)

    def get_hit_mark(self) -> int:
        """Return the number of the newest observation."""
        with self._database.read() as connection:
            return hits.get_mark(connection)

    def get_windows(self, observations: Sequence[Observation]) -> list[Window]:
        """Return what each observation is judged by."""
        with self._database.read() as connection:
            return hits.get_windows(connection, observations)

    def publish(
        self,
        judgements: Sequence[tuple[Observation, Verdict]],
        *,
        now: datetime,
        hit_mark: int | None = None,
        holder: str | None = None,
    ) -> list[Publication]:
        """Append verdicts, publish or revise events, and move the rollups, in one transaction."""
        with self._database.write() as connection:
            if holder is not None and not lease.is_held(connection, WORKER_LEASE, holder=holder):
                return []
            if hit_mark is not None:
                stale = hits.find_stale(connection, [observation for observation, _ in judgements], mark=hit_mark)
                judgements = [(judged, verdict) for judged, verdict in judgements if judged.id not in stale]
            return publishing.publish(connection, judgements, now=now)

    # -- report -------------------------------------------------------------------------------------------------------

    def get_events(self, filter: EventFilter) -> list[EventRecord]:
        """Return events with their latest verdict, newest first."""
        with self._database.read() as connection:
            return search.get_events(connection, filter)

    def search_events(self, filter: EventFilter) -> EventPage:
        """Return one page of events with their latest verdict, newest first, as far as its effort goes."""
        with self._database.read() as connection:
            return search.search_events(connection, filter)

    def find_events(self, prefix: str, *, limit: int = 2) -> list[EventRecord]:
        """Return the events whose ids begin so, by id."""
        with self._database.read() as connection:
            return events.find_events(connection, prefix, limit=_cap(limit))

    def get_judged(self, filter: EventFilter, *, after: tuple[datetime, bytes] | None = None) -> list[EventRecord]:
        """Return events with their latest verdict, oldest first."""
        with self._database.read() as connection:
            return search.get_judged(connection, filter, after=after)

    def count_events(self, filter: EventFilter) -> int:
        """Return how many events there are."""
        with self._database.read() as connection:
            return search.count_events(connection, filter)

    def get_verdicts(self, observation_id: bytes) -> list[tuple[datetime, Verdict]]:
        """Return every verdict on an observation, oldest first."""
        with self._database.read() as connection:
            return events.get_verdicts(connection, observation_id)

    def get_deliveries(
        self,
        *,
        message_id: str | None = None,
        recipient: str | None = None,
        before_id: bytes | None = None,
        limit: int = 100,
    ) -> list[Delivery]:
        """Return deliveries, those added last first."""
        with self._database.read() as connection:
            return sent.get_deliveries(
                connection, message_id=message_id, recipient=recipient, before_id=before_id, limit=_cap(limit)
            )

    def get_body(self, delivery_id: bytes, *, now: datetime) -> tuple[str, ...] | None:
        """Return the HTML parts of a delivery as they were before they were edited, until their days are over."""
        with self._database.read() as connection:
            kept = originals.get_kept_body(connection, delivery_id)
        return None if kept is None or kept.erase_at <= now else kept.parts

    def get_breakdown(
        self,
        of: BreakdownOf,
        name: str,
        *,
        by: CellBy,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> list[BreakdownLine]:
        """Return the counts of one campaign or route apart by hours or links, from the rollups."""
        with self._database.read() as connection:
            return lines.get_breakdown(connection, of, name, by=by, since=since, until=until, limit=_cap(limit))

    def get_metrics(
        self, *, by: GroupBy = "all", limit: int = 100, before: str | None = None, key: str | None = None
    ) -> list[Metrics]:
        """Return counts from the rollups."""
        with self._database.read() as connection:
            return lines.get_metrics(connection, by=by, limit=_cap(limit), before=before, key=key)

    # -- retention ----------------------------------------------------------------------------------------------------

    def minimise(
        self,
        cutoff: datetime,
        *,
        cutoffs: Mapping[str, datetime],
        name_network: Callable[[str], str | None],
        after: int = 0,
        limit: int = 500,
    ) -> tuple[int, int | None]:
        """Erase raw facts of hits, and keep their traces."""
        with self._database.write() as connection:
            return retention.minimise(
                connection, cutoff, cutoffs=cutoffs, name_network=name_network, after=after, limit=limit
            )

    def erase_bodies(self, now: datetime, *, limit: int = 500) -> int:
        """Erase the HTML of deliveries whose days are over."""
        with self._database.write() as connection:
            return originals.erase_bodies(connection, now, limit=_cap(limit))

    def get_traces(self, observation_id: bytes) -> Traces | None:
        """Return what stayed of a minimised hit; None where it was not minimised."""
        with self._database.read() as connection:
            return retention.get_traces(connection, observation_id)

    def scrub(self) -> bool:
        """Empty the write-ahead log; deleted rows are overwritten as they go, and what has moved before it is here."""
        with self._database.write() as connection:
            retention.rewrite_raw(connection)
        return self._database.truncate_log()

    def remove_events(self, observation_ids: Sequence[bytes]) -> int:
        """Remove events that lie in an archive; every count stays."""
        with self._database.write() as connection:
            return retention.remove_events(connection, observation_ids)

    def note_part(self, name: str, *, done: bool) -> None:
        """Note how far the file of an archive is."""
        with self._database.write() as connection:
            retention.note_part(connection, name, done=done)

    def get_unfinished_parts(self) -> list[str]:
        """Return the files of an archive that are noted and not done, oldest first."""
        with self._database.read() as connection:
            return retention.get_unfinished_parts(connection)

    # -- upkeep -------------------------------------------------------------------------------------------------------

    def acquire_lease(self, name: str, *, holder: str, now: datetime, ttl_s: float) -> bool:
        """Take or renew an expiring lease; False while another holder's has not expired."""
        # After a power cut no holder lives, so a lease need not outlast one.
        with self._database.write(durable=False) as connection:
            return lease.acquire(connection, name, holder=holder, now=now, ttl_s=ttl_s)

    def release_lease(self, name: str, *, holder: str) -> None:
        """Give a lease back; nothing happens where it is not ours."""
        with self._database.write(durable=False) as connection:
            lease.release(connection, name, holder=holder)

    def get_lease_holder(self, name: str, *, now: datetime) -> str | None:
        """Return who holds a lease that has not expired."""
        with self._database.read() as connection:
            return lease.get_holder(connection, name, now=now)

    def check(self, *, quick: bool = False) -> list[str]:
        """Read the whole file and return what is wrong with it, in words."""
        if quick:
            return self._check_quickly()
        try:
            with self._database.read() as connection:
                damage = [line for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok"]
                broken = {row[0] for row in connection.execute("PRAGMA foreign_key_check")}
        except StoreUnavailableError as error:
            return [str(error)]
        return damage + [f"rows of {table!r} refer to rows that are not there" for table in sorted(broken)]

    def close(self) -> None:
        """Close this process's connections; a later call opens them again."""
        self._database.close()

    def _check_quickly(self) -> list[str]:
        damage: list[str] = []
        try:
            with self._database.read() as connection:
                tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            for table in tables:
                # Each on its own, so that a fork need not wait for all of them.
                with self._database.read() as connection:
                    found = connection.execute(f'PRAGMA quick_check("{table}")').fetchall()
                damage += [f"{table}: {line}" for (line,) in found if line != "ok"]
        except StoreError as error:
            damage.append(str(error))
        return damage


def _cap(limit: int) -> int:
    # To SQLite a negative limit means none.
    return min(max(limit, 1), 10_000)
