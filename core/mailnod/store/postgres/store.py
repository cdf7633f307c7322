"""The store in a PostgreSQL database: the same promises as the SQLite store, for any number of app servers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from mailnod.errors import StoreUnavailableError
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
from mailnod.store.addresses import hash_address
from mailnod.store.base import WORKER_LEASE, GroupBy
from mailnod.store.bodies import pack
from mailnod.store.circuit import Circuit
from mailnod.store.postgres import bodies as originals
from mailnod.store.postgres import consents, events, inbox, lease, links, locks, retention, rollups
from mailnod.store.postgres import deliveries as sent
from mailnod.store.postgres import observations as hits
from mailnod.store.postgres import overflow as counts
from mailnod.store.postgres.server import Connection, Server
from mailnod.store.rollups import BreakdownOf, CellBy

__all__ = ["PostgresStore"]

#: How long a mail that is being sent waits for the server, a new connection included.
_SEND_PATIENCE_S = 0.25

#: How long a reader who follows a short link waits for the server.
_REDIRECT_PATIENCE_S = 2.0

#: For how long mails go out untracked, without another wait, after the store failed one.
_SEND_PAUSE_S = 5.0


class PostgresStore:
    """A :class:`~mailnod.store.base.Store` in a PostgreSQL database, in the schema ``mailnod``.

    :param url: as libpq reads it, such as "postgresql://user:secret@one,two/mail". Where it names several hosts, the
        one that takes writes is used, and another one after a failover.
    :param read_only: never write or migrate; a standby will do.
    :param timeout_s: how long a call waits for the server before it gives up. Calls that a mail waits for wait a
        quarter of a second at most, and after one of them has failed they all fail at once for five seconds.
    :param monotonic: seconds of a clock that is never set back, by which those five are told.
    :raises ConfigurationError: the URL cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        read_only: bool = False,
        timeout_s: float = 60.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = Server(url, read_only=read_only, timeout_s=timeout_s)
        self._sending = Circuit(pause_s=_SEND_PAUSE_S, monotonic=monotonic)
        #: Of its own, because mail is tracked whether its body can be kept or not.
        self._keeping = Circuit(pause_s=_SEND_PAUSE_S, monotonic=monotonic)
        #: The store's own key, which never changes.
        self._key: bytes | None = None

    # -- send ---------------------------------------------------------------------------------------------------------

    def add_deliveries(self, deliveries: Sequence[Delivery], *, consent_mark: int | None = None) -> None:
        """Write deliveries and their recipients."""
        with self._sending.guard(), self._server.write(patience_s=_SEND_PATIENCE_S) as connection:
            key = self._get_key(connection)
            sent.add_deliveries(connection, deliveries, consent_mark=consent_mark, key=key)

    def set_delivery_states(self, ids: Sequence[bytes], state: DeliveryState, *, at: datetime) -> None:
        """Note what became of deliveries."""
        # Should the power fail, the delivery is there and says "prepared", which loses no hit and no consent.
        with self._sending.guard(), self._server.write(durable=False, patience_s=_SEND_PATIENCE_S) as connection:
            sent.set_states(connection, ids, state, at=at)

    def keep_bodies(self, bodies: Sequence[KeptBody]) -> None:
        """Keep the HTML of deliveries for some days."""
        # To compress takes longer than to write, and nobody waits for it.
        packed = pack(bodies)
        with self._keeping.guard(), self._server.write(durable=False, patience_s=_SEND_PATIENCE_S) as connection:
            originals.keep_bodies(connection, bodies, packed, key=self._get_key(connection))

    # -- consent ------------------------------------------------------------------------------------------------------

    def record_consent(self, address: str, record: ConsentRecord) -> ConsentRecord:
        """Append to a recipient's history, and suppress what was sent where the recipient withdraws."""
        with self._server.write() as connection:
            return consents.append_record(connection, self._hash(connection, address), record)

    def get_consent(self, address: str, *, purpose: str) -> Consent:
        """Return what holds for a recipient and a purpose."""
        with self._sending.guard(), self._server.read(patience_s=_SEND_PATIENCE_S) as connection:
            return consents.get_consent(connection, self._hash(connection, address), purpose=purpose)

    def get_consent_mark(self) -> int:
        """Return the number of the newest record of consent."""
        with self._sending.guard(), self._server.read(patience_s=_SEND_PATIENCE_S) as connection:
            return consents.get_mark(connection)

    def get_consent_history(self, address: str) -> list[ConsentRecord]:
        """Return everything that was recorded for an address, oldest first."""
        with self._server.read() as connection:
            return consents.get_history(connection, self._hash(connection, address))

    # -- collect ------------------------------------------------------------------------------------------------------

    def get_suppressed(self, *, after: int = 0, now: datetime | None = None) -> tuple[frozenset[bytes], int]:
        """Return the deliveries suppressed after a cursor, and the new cursor."""
        with self._server.read() as connection:
            return consents.get_suppressed(connection, after=after, now=now)

    def get_destination(self, delivery_id: bytes, index: int) -> str | None:
        """Return where a short link of a delivery leads."""
        with self._server.read(patience_s=_REDIRECT_PATIENCE_S) as connection:
            return links.get_destination(connection, delivery_id, index)

    def add_observations(self, observations: Sequence[Observation], *, settle_s: float) -> list[Observation]:
        """Take observations in, each once, and queue them for judging."""
        with self._server.write() as connection:
            key = self._get_key(connection)
            return hits.add_observations(connection, observations, settle_s=settle_s, key=key)

    def bring_observations(self, observations: Sequence[Observation]) -> None:
        """Write observations down in the inbox."""
        if observations:
            with self._server.write() as connection:
                inbox.add_batch(connection, observations, key=self._get_key(connection))

    def take_in(self, *, settle_s: float, limit: int, read: bool = True) -> tuple[int, list[Observation]]:
        """Take in the oldest of what waits in the inbox."""
        with self._server.write() as connection:
            return hits.take_in(connection, settle_s=settle_s, limit=limit, read=read)

    def add_overflow(self, overflow: Sequence[Overflow]) -> None:
        """Take in how many hits were not recorded one by one."""
        with self._server.write() as connection:
            counts.add_overflow(connection, overflow)

    def get_overflow(self) -> list[OverflowCount]:
        """Return how many hits were not recorded one by one."""
        with self._server.read() as connection:
            return counts.get_overflow(connection)

    # -- judge --------------------------------------------------------------------------------------------------------

    def get_due(self, *, now: datetime, limit: int = 500, settle_s: float | None = None) -> list[Observation]:
        """Return the observations that are due, those due longest first."""
        with self._server.read() as connection:
            return hits.get_due(connection, now=now, limit=limit, settle_s=settle_s)

    def count_waiting(self) -> int:
        """Return how many observations wait for judging, due or not."""
        with self._server.read() as connection:
            return hits.count_waiting(connection)

    def get_hit_mark(self) -> int:
        """Return the number of the newest observation."""
        with self._server.read() as connection:
            return hits.get_mark(connection)

    def get_windows(self, observations: Sequence[Observation]) -> list[Window]:
        """Return what each observation is judged by."""
        with self._server.read() as connection:
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
        with self._server.write() as connection:
            if holder is not None and not lease.is_held(connection, WORKER_LEASE, holder=holder):
                return []
            # Nothing comes into a window between the look at it and the verdict's commit.
            locks.take(connection, "hits")
            if hit_mark is not None:
                stale = hits.find_stale(connection, [observation for observation, _ in judgements], mark=hit_mark)
                judgements = [(judged, verdict) for judged, verdict in judgements if judged.id not in stale]
            return events.publish(connection, judgements, now=now)

    # -- report -------------------------------------------------------------------------------------------------------

    def get_events(self, filter: EventFilter) -> list[EventRecord]:
        """Return events with their latest verdict, newest first."""
        with self._server.read() as connection:
            return events.get_events(connection, filter, key=self._get_key(connection))

    def search_events(self, filter: EventFilter) -> EventPage:
        """Return one page of events with their latest verdict, newest first."""
        with self._server.read() as connection:
            return events.search_events(connection, filter, key=self._get_key(connection))

    def find_events(self, prefix: str, *, limit: int = 2) -> list[EventRecord]:
        """Return the events whose ids begin so, by id."""
        with self._server.read() as connection:
            return events.find_events(connection, prefix, limit=_cap(limit))

    def get_judged(self, filter: EventFilter, *, after: tuple[datetime, bytes] | None = None) -> list[EventRecord]:
        """Return events with their latest verdict, oldest first."""
        with self._server.read() as connection:
            return events.get_judged(connection, filter, after=after, key=self._get_key(connection))

    def count_events(self, filter: EventFilter) -> int:
        """Return how many events there are."""
        with self._server.read() as connection:
            return events.count_events(connection, filter, key=self._get_key(connection))

    def get_verdicts(self, observation_id: bytes) -> list[tuple[datetime, Verdict]]:
        """Return every verdict on an observation, oldest first."""
        with self._server.read() as connection:
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
        with self._server.read() as connection:
            hashed = None if recipient is None else self._hash(connection, recipient)
            return sent.get_deliveries(
                connection, message_id=message_id, recipient=hashed, before_id=before_id, limit=_cap(limit)
            )

    def get_body(self, delivery_id: bytes, *, now: datetime) -> tuple[str, ...] | None:
        """Return the HTML parts of a delivery as they were before they were edited, until their days are over."""
        with self._server.read() as connection:
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
        with self._server.read() as connection:
            return rollups.get_breakdown(connection, of, name, by=by, since=since, until=until, limit=_cap(limit))

    def get_metrics(
        self, *, by: GroupBy = "all", limit: int = 100, before: str | None = None, key: str | None = None
    ) -> list[Metrics]:
        """Return counts from the rollups."""
        with self._server.read() as connection:
            return rollups.get_metrics(connection, by=by, limit=_cap(limit), before=before, key=key)

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
        with self._server.write() as connection:
            key = self._get_key(connection)
            return retention.minimise(
                connection, cutoff, cutoffs=cutoffs, name_network=name_network, key=key, after=after, limit=limit
            )

    def erase_bodies(self, now: datetime, *, limit: int = 500) -> int:
        """Erase the HTML of deliveries whose days are over."""
        with self._server.write() as connection:
            return originals.erase_bodies(connection, now, limit=_cap(limit))

    def get_traces(self, observation_id: bytes) -> Traces | None:
        """Return what stayed of a minimised hit; None where it was not minimised."""
        with self._server.read() as connection:
            return retention.get_traces(connection, observation_id)

    def scrub(self) -> bool:
        """Vacuum the tables that raw facts were erased from; the server's own log is the operator's to keep."""
        with self._server.maintain() as connection:
            return retention.vacuum(connection)

    def remove_events(self, observation_ids: Sequence[bytes]) -> int:
        """Remove events that lie in an archive; every count stays."""
        with self._server.write() as connection:
            return retention.remove_events(connection, observation_ids)

    def note_part(self, name: str, *, done: bool) -> None:
        """Note how far the file of an archive is."""
        with self._server.write() as connection:
            retention.note_part(connection, name, done=done)

    def get_unfinished_parts(self) -> list[str]:
        """Return the files of an archive that are noted and not done, oldest first."""
        with self._server.read() as connection:
            return retention.get_unfinished_parts(connection)

    # -- upkeep -------------------------------------------------------------------------------------------------------

    def acquire_lease(self, name: str, *, holder: str, now: datetime, ttl_s: float) -> bool:
        """Take or renew an expiring lease; False while another holder's has not expired."""
        # After a failover a lease that was lost with the old server is taken anew.
        with self._server.write(durable=False) as connection:
            return lease.is_free(connection, name, holder=holder, now=now, ttl_s=ttl_s) and lease.acquire(
                connection, name, holder=holder, now=now, ttl_s=ttl_s
            )

    def release_lease(self, name: str, *, holder: str) -> None:
        """Give a lease back; nothing happens where it is not ours."""
        with self._server.write(durable=False) as connection:
            lease.release(connection, name, holder=holder)

    def get_lease_holder(self, name: str, *, now: datetime) -> str | None:
        """Return who holds a lease that has not expired."""
        with self._server.read() as connection:
            return lease.get_holder(connection, name, now=now)

    def check(self, *, quick: bool = False) -> list[str]:
        """Read through what must agree and return what does not, in words; damage is the server's to find."""
        if quick:
            return []
        try:
            with self._server.read() as connection:
                return list(_find_wrong(connection))
        except StoreUnavailableError as error:
            return [str(error)]

    def close(self) -> None:
        """Close this process's connections; a later call opens them again."""
        self._server.close()

    def _hash(self, connection: Connection, address: str) -> bytes:
        return hash_address(address, key=self._get_key(connection))

    def _get_key(self, connection: Connection) -> bytes:
        if self._key is None:
            self._key = consents.get_key(connection)
        return self._key


#: What must be empty; the server checks its pages itself, where they have checksums.
_WRONG = {
    "events have no observation": """
        SELECT count(*) FROM mailnod.events AS e WHERE NOT EXISTS (
            SELECT 1 FROM mailnod.observations AS o WHERE o.id = e.observation_id AND o.delivery_id = e.delivery_id)
    """,
    "events have no verdict": """
        SELECT count(*) FROM mailnod.events AS e WHERE NOT EXISTS (
            SELECT 1 FROM mailnod.verdicts AS v
            WHERE v.observation_id = e.observation_id AND v.seq = e.seq AND v.delivery_id = e.delivery_id)
    """,
    "observations wait in the queue and are not there": """
        SELECT count(*) FROM mailnod.queue AS q WHERE NOT EXISTS (
            SELECT 1 FROM mailnod.observations AS o WHERE o.id = q.observation_id AND o.delivery_id = q.delivery_id)
    """,
}


def _find_wrong(connection: Connection) -> Iterator[str]:
    connection.deadline = math.inf
    for what, query in _WRONG.items():
        ((number,),) = connection.execute(query).fetchall()
        if number:
            yield f"{number} {what}"


def _cap(limit: int) -> int:
    return min(max(limit, 1), 10_000)
