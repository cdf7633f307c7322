"""What a store promises; every engine runs the same contract suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

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
from mailnod.store.rollups import BreakdownOf, CellBy

__all__ = ["ARCHIVE_LEASE", "REJUDGE_LEASE", "WORKER_LEASE", "GroupBy", "Inbox", "Store"]

#: The lease under which one worker at a time drains, judges and publishes.
WORKER_LEASE = "worker"
#: The lease of who judges everything again; while another holds it, a worker gives its own back after each pass.
REJUDGE_LEASE = "rejudge"
#: The lease of who moves events into an archive: two at once would take the same ones.
ARCHIVE_LEASE = "archive"

GroupBy = Literal["all", "message", "campaign", "route", "link", "hour"]


class Store(Protocol):
    """Deliveries, consents, observations, verdicts and rollups.

    Every method raises :class:`~mailnod.errors.StoreUnavailableError` where the environment is at fault (disk full,
    locked, read-only, unreadable) and :class:`~mailnod.errors.StoreBugError` where we are. Nothing is opened before the
    first call, and everything is opened anew after a fork. Methods may be called from any thread.
    """

    # -- send ---------------------------------------------------------------------------------------------------------

    def add_deliveries(self, deliveries: Sequence[Delivery], *, consent_mark: int | None = None) -> None:
        """Write deliveries and their recipients, durably, before the mails leave: all in one transaction, or none.

        A delivery whose id is there already stays as it is. An address that is erased later reads as "" among the
        envelope's recipients.

        :param consent_mark: what :meth:`get_consent_mark` said before anybody was asked for consent: where a recipient
            has withdrawn since, the delivery is suppressed at once. None checks nothing.
        """
        ...

    def set_delivery_states(self, ids: Sequence[bytes], state: DeliveryState, *, at: datetime) -> None:
        """Note that the mail server took or refused deliveries, and count accepted ones in the rollups, each once.

        All are noted in one transaction, or none. A delivery that was accepted stays accepted; one that is not known is
        passed over. Tests (:attr:`~mailnod.model.Delivery.test`) and their events are never counted. A power cut may
        undo the last states.
        """
        ...

    def keep_bodies(self, bodies: Sequence[KeptBody]) -> None:
        """Keep the HTML of deliveries for some days, what several of them share once.

        Deliveries that are not known, that are suppressed or that have a body are passed over. A power cut may undo
        the last ones.
        """
        ...

    # -- consent ------------------------------------------------------------------------------------------------------

    def record_consent(self, address: str, record: ConsentRecord) -> ConsentRecord:
        """Append to a recipient's history.

        An axis that is None stays as :meth:`get_consent` has it for that purpose, read in the same transaction.

        Where an axis becomes DENIED, every delivery already sent to the address on that purpose or any other is
        suppressed in the same transaction, shared bodies included, and what was kept of the HTML of those that went to
        nobody else is erased. A record that denies both axes does so even where
        they were denied before. A later grant lifts no suppression.

        :returns: the record as it was written, each axis resolved.
        """
        ...

    def get_consent(self, address: str, *, purpose: str) -> Consent:
        """Return the latest word of a recipient on a purpose; UNKNOWN where there is none.

        The latest is what was recorded last, unless a denial bears a later ``recorded_at``: neither an import of old
        grants nor a clock that was set back undoes it.
        """
        ...

    def get_consent_mark(self) -> int:
        """Return the number of the newest record of consent, whoever it is about; 0 where there is none.

        Ask for it before consent, and hand it to :meth:`add_deliveries`: clocks do not tell which of two came first.
        """
        ...

    def get_consent_history(self, address: str) -> list[ConsentRecord]:
        """Return everything that was recorded for an address, oldest first."""
        ...

    # -- collect ------------------------------------------------------------------------------------------------------

    def get_suppressed(self, *, after: int = 0, now: datetime | None = None) -> tuple[frozenset[bytes], int]:
        """Return the deliveries suppressed after a cursor, and the new cursor; 0 asks for all of them.

        :param now: leaves out deliveries that no longer record at this time, whose tokens say so themselves; None
            leaves out nothing. Who keeps the set in memory replaces it now and then by what 0 brings, so that it
            shrinks.
        """
        ...

    def get_destination(self, delivery_id: bytes, index: int) -> str | None:
        """Return where a short link of a delivery leads; None where it has none of that number.

        Redirects work for ever: what this reads is kept when the delivery itself is forgotten.
        """
        ...

    def add_observations(self, observations: Sequence[Observation], *, settle_s: float) -> list[Observation]:
        """Take observations in from a journal, each once, and queue them for judging.

        Observations of suppressed deliveries are discarded. An observation is due ``settle_s`` seconds after its hit;
        those already judged whose window it falls into (see :meth:`get_windows`) are queued again.

        :returns: those that were new, in the order given.
        """
        ...

    def add_overflow(self, overflow: Sequence[Overflow]) -> None:
        """Take in how many hits were not recorded one by one; of one id the highest count stands."""
        ...

    def get_overflow(self) -> list[OverflowCount]:
        """Return how many hits were not recorded one by one, a line for each reason and kind, in that order."""
        ...

    # -- judge --------------------------------------------------------------------------------------------------------

    def get_due(self, *, now: datetime, limit: int = 500, settle_s: float | None = None) -> list[Observation]:
        """Return observations whose settle time has passed and that wait for judging, oldest first.

        :param settle_s: the settle time: what would be due more than a minute later than a hit of this moment bears the
            time of a clock that has been set back since, and is due too, or it would wait until that hour comes again.
            None leaves it waiting.
        """
        ...

    def count_waiting(self) -> int:
        """Return how many observations wait for judging, due or not, those to be judged again included."""
        ...

    def get_hit_mark(self) -> int:
        """Return the number of the newest observation; 0 where there is none.

        Ask for it before :meth:`get_due` and :meth:`get_windows`, and hand it to :meth:`publish`.
        """
        ...

    def get_windows(self, observations: Sequence[Observation]) -> list[Window]:
        """Return for each observation its delivery, all hits on that within ten minutes, and of the address within one.

        A window holds at most 200 observations, the nearest in time, ordered by time; the judged one is among them.
        """
        ...

    def publish(
        self,
        judgements: Sequence[tuple[Observation, Verdict]],
        *,
        now: datetime,
        hit_mark: int | None = None,
        holder: str | None = None,
    ) -> list[Publication]:
        """Append verdicts, publish or revise events, and move the rollups by signed deltas, in one transaction.

        A verdict equal to the observation's latest one changes nothing. Judged observations leave the queue; those
        that the store does not hold are passed over. An event is the first of its delivery, type and class (people or
        machines) where none of an earlier time exists; one order breaks ties, here and in lists. Where a late hit or a
        revision makes another event the first, both events are marked anew without being revised.
        One whose verdict is :attr:`counted <mailnod.model.Verdict.counted_as>` nowhere moves no rollup, is never the
        first, and hides none.

        :param hit_mark: what :meth:`get_hit_mark` said before the windows were read: an observation into whose window
            a hit has come since is passed over and stays in the queue. None checks nothing.
        :param holder: who publishes; where :data:`WORKER_LEASE` is not theirs any more, nothing is published and
            nothing leaves the queue. None checks nothing.
        :returns: what changed, in the order of the hits.
        """
        ...

    # -- report -------------------------------------------------------------------------------------------------------

    def get_events(self, filter: EventFilter) -> list[EventRecord]:
        """Return events with their latest verdict, newest first, whatever the effort."""
        ...

    def search_events(self, filter: EventFilter) -> EventPage:
        """Return one page of what :meth:`get_events` would, within some milliseconds however many events there are.

        Where few of the many events that were looked at are let through, the page is not full and says how far back
        it looked; its ``next_id`` goes on from there.
        """
        ...

    def find_events(self, prefix: str, *, limit: int = 2) -> list[EventRecord]:
        """Return the events whose ids begin so, by id.

        :param prefix: 1 to 32 lower-case hexadecimal digits; 32 are one id.
        :param limit: at most this many: 2 are enough to see that a prefix is ambiguous.
        """
        ...

    def get_judged(self, filter: EventFilter, *, after: tuple[datetime, bytes] | None = None) -> list[EventRecord]:
        """Return events with their latest verdict, oldest first: the pages by which all of them are gone through.

        :param after: time of the hit and id of the last event of the page before; None begins at the oldest. Revisions
            and new events in between neither repeat nor skip any.
        """
        ...

    def count_events(self, filter: EventFilter) -> int:
        """Return how many events there are, whatever limit the filter has."""
        ...

    def get_verdicts(self, observation_id: bytes) -> list[tuple[datetime, Verdict]]:
        """Return every verdict on an observation, oldest first, with the millisecond of its publication."""
        ...

    def get_deliveries(
        self,
        *,
        message_id: str | None = None,
        recipient: str | None = None,
        before_id: bytes | None = None,
        limit: int = 100,
    ) -> list[Delivery]:
        """Return deliveries, newest first.

        :param message_id: only those of this message.
        :param recipient: one address; only those that went to it, alone or with others.
        :param before_id: only those added before the one with this id: the next page.
        :param limit: at most this many, 1 to 10,000, and the nearest of them where it is outside.
        """
        ...

    def get_body(self, delivery_id: bytes, *, now: datetime) -> tuple[str, ...] | None:
        """Return the HTML parts of a delivery as they were before they were edited; None where none are kept.

        :param now: the current time; what is over by then is not shown, though no sweep has come by yet.
        """
        ...

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
        """Return the counts of one campaign or route from the rollups: its hours, the newest first, or its links.

        Links with most events come first, and opens, which have none, are in no line; nor is a line without events.
        Tests are left out, and what lies in an archive is not. Keys are those of :meth:`get_metrics`.

        :param since: the first hour that is asked for, and ``until`` the first one that is not; each begins then. Only
            ``by="hour"`` knows them.
        :param limit: how many lines, 1 to 10,000, and the nearest of them where it is outside.
        """
        ...

    def get_metrics(
        self, *, by: GroupBy = "all", limit: int = 100, before: str | None = None, key: str | None = None
    ) -> list[Metrics]:
        """Return counts from the rollups; "all" gives one line, always.

        Campaigns and routes with most deliveries, and then events, come first, links with most clicks, messages and
        hours newest first.

        A line's key is the Message-ID, the name of the campaign or route, the destination of the link without query and
        fragment, or the hour in UTC ("2026-03-01T12:00Z"): of the hit for events, of the acceptance for deliveries.
        Links have no deliveries, because which mails carried them is not kept. Uniques of a link or an hour are
        deliveries with an event in it.

        :param limit: how many lines, 1 to 10,000, and the nearest of them where it is outside.
        :param before: the key of the last line that was seen, to go on after it; None begins with the first.
        :param key: the only line that is asked for; None asks for all of them.
        """
        ...

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
        """Erase the address, agent and headers of hits that came before a time and were judged, and keep their traces.

        A hit that waits for a verdict keeps all. Agents and headers that no other hit came with are gone altogether.

        :param cutoffs: the time of each route that has its own, by name.
        :param name_network: names the class of the network of an address; None where it has none.
        :param after: the cursor of the call before; 0 begins at the oldest hit.
        :param limit: how many hits are looked at, in one transaction.
        :returns: how many hits were minimised, and the cursor for the next call; None where all were looked at.
        """
        ...

    def erase_bodies(self, now: datetime, *, limit: int = 500) -> int:
        """Erase the HTML of deliveries whose days are over; text that others still keep stays with them.

        :param limit: of how many deliveries at most, in one transaction; of fewer where their text is long.
        :returns: of how many it was erased; 0 where none is left.
        """
        ...

    def get_traces(self, observation_id: bytes) -> Traces | None:
        """Return what stayed of a minimised hit; None where it was not minimised."""
        ...

    def scrub(self) -> bool:
        """Leave nothing of what was erased in logs and free pages.

        :returns: False where somebody who is reading still holds some of it; try again when they have ended.
        """
        ...

    def remove_events(self, observation_ids: Sequence[bytes]) -> int:
        """Remove events, with their observations and verdicts, whose copies lie in an archive; every count stays.

        Only where no more hits of their deliveries are recorded: the next one would be taken for the first.

        :returns: how many were there.
        """
        ...

    def note_part(self, name: str, *, done: bool) -> None:
        """Note that a file of an archive is complete, or that the events in it are removed too."""
        ...

    def get_unfinished_parts(self) -> list[str]:
        """Return the files of an archive that are noted and not done, oldest first."""
        ...

    # -- upkeep -------------------------------------------------------------------------------------------------------

    def acquire_lease(self, name: str, *, holder: str, now: datetime, ttl_s: float) -> bool:
        """Take or renew an expiring lease; False while another holder's has not expired."""
        ...

    def release_lease(self, name: str, *, holder: str) -> None:
        """Give a lease back; nothing happens where it is not ours."""
        ...

    def get_lease_holder(self, name: str, *, now: datetime) -> str | None:
        """Return who holds a lease that has not expired; None where nobody does."""
        ...

    def check(self, *, quick: bool = False) -> list[str]:
        """Return what is wrong with the store, in words; empty where all is well. Reads everything once.

        :param quick: look for damage only, and not at whether everything agrees.
        """
        ...

    def close(self) -> None:
        """Close this process's connections; a later call opens them again."""
        ...


@runtime_checkable
class Inbox(Protocol):
    """What a store may promise besides: hosts bring their hits first, which is quick, and one of them takes all in.

    To bring and to take in do together what :meth:`Store.add_observations` does. What was brought is on disk, so it may
    leave its journal; nothing reads it before it is taken in, but for :meth:`Store.count_waiting`.
    """

    def bring_observations(self, observations: Sequence[Observation]) -> None:
        """Write observations down in one transaction, known and suppressed ones included."""
        ...

    def take_in(self, *, settle_s: float, limit: int, read: bool = True) -> tuple[int, list[Observation]]:
        """Take in what was brought first, each observation once, unless another process is at it.

        :param settle_s: how long after its hit an observation is due.
        :param limit: about how many are taken in, in one transaction.
        :param read: whether those that were new are returned.
        :returns: how many batches were taken in, 0 where none waits or another process is at it; and what was new.
        """
        ...
