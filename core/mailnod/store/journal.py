"""Where a collector writes hits down before it answers: a file for each process, synced at every commit.

No process waits for another one's disk or locks here. Where the journal does not take a hit in time (its disk is full,
read-only, broken or slow), a spool elsewhere takes it, and where that fails too, the loss is counted.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from weakref import WeakSet

from mailnod.errors import StoreBugError, StoreError, StoreLateError, StoreUnavailableError
from mailnod.model import Kind, Observation, Overflow, Recorded
from mailnod.store.circuit import Circuit
from mailnod.store.commits import Committer
from mailnod.store.database import explain_error
from mailnod.store.entries import write_entries
from mailnod.store.files import OpenRaw, RawFile
from mailnod.store.journal_file import JournalWriter
from mailnod.store.lane import JournalLane
from mailnod.store.processes import PerProcess
from mailnod.store.spool import Spool

__all__ = ["Journal", "JournalCounts"]

#: How long a hit waits for journal and spool together, because a reply has a quarter of a second; and what part of that
#: it waits for the journal.
_PATIENCE_S = 0.22
_JOURNAL_SHARE = 0.55

#: How long a hit waits for the journal where there is no spool to turn to.
_PATIENCE_ALONE_S = 10.0

#: For how long nothing is tried on a disk that failed.
_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalCounts:
    """What became of the hits of one process since it began; those beyond a cap are not among them."""

    #: Hits that the journal took.
    journaled: int
    #: Hits that the spool took, because the journal did not in time.
    spooled: int
    #: Hits that were answered and that neither took.
    lost: int
    #: Commits of the journal, and how long they took together, in seconds.
    commits: int
    commit_s: float


class Journal:
    """An append-only log of observations; safe to use from any thread and after a fork.

    :param folder: where the journals of all processes lie; made on first use, readable by its owner alone.
    :param spool_folders: where hits go that the journal does not take, in the order in which they are tried. Where
        there are none, a hit waits up to ten seconds for the journal.
    :param patience_s: how long a hit waits altogether where there is a spool.
    :param spool_limit_bytes: how large a spool may grow.
    :param lanes: whether event loops get processes that write for them.
    :param opens: opens the file of a journal that threads write to.
    :param monotonic: seconds of a clock that is never set back.
    """

    def __init__(
        self,
        folder: Path,
        *,
        spool_folders: Sequence[Path] = (),
        patience_s: float = _PATIENCE_S,
        spool_limit_bytes: int = 256_000_000,
        lanes: bool = False,
        opens: OpenRaw = RawFile,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._has_lanes = lanes
        folder = folder.absolute()
        spool_folders = tuple(spool_folders)

        def make() -> _Recorder:
            spool = Spool(spool_folders, limit_bytes=spool_limit_bytes) if spool_folders else None
            return _Recorder(folder, spool, patience_s=patience_s, opens=opens, monotonic=monotonic)

        self._recorder = PerProcess(make)

    @property
    def counts(self) -> JournalCounts:
        """What became of this process's hits."""
        return self._recorder.get().count()

    def append(self, observation: Observation) -> None:
        """Write an observation down; it is on a disk when this returns.

        :raises StoreError: as :meth:`append_all` does.
        """
        self.append_all((observation,))

    def append_all(self, items: Sequence[Recorded]) -> None:
        """Write down, in one transaction, what is on a disk when this returns.

        :param items: at least one. A count of overflow takes the place of what was written under its id before.
        :raises StoreLateError: neither disk has answered in time; they are written when one does, and counted as lost
            where that fails.
        :raises StoreError: neither the journal nor the spool takes them; a later call may succeed again. What failed
            is not tried again for a second.
        """
        self._recorder.get().record(items)

    def open_lane(self) -> JournalLane | None:
        """Return a way for one event loop, which need not wait; None where there is none."""
        return self._recorder.get().open_lane() if self._has_lanes else None

    def lose(self, kind: Kind, number: int = 1) -> None:
        """Count hits that were answered and not written down; their number itself is, once a disk takes it."""
        self._recorder.get().lose(kind, number)

    def close(self) -> None:
        """Close this process's file and leave it to the drain; a later append begins another."""
        self._recorder.get().close()


class _Recorder:
    """What takes the hits of one process: its journal, the spool, and the count of what is lost."""

    def __init__(
        self,
        folder: Path,
        spool: Spool | None,
        *,
        patience_s: float,
        opens: OpenRaw,
        monotonic: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._patience_s = patience_s
        journal_s = patience_s * _JOURNAL_SHARE if spool is not None else _PATIENCE_ALONE_S
        writer = JournalWriter(folder, opens=opens)
        self._journal = Committer[Recorded](
            lambda items: writer.write(write_entries(items)),
            close=writer.drop_file,
            patience_s=journal_s,
            name="mailnod-journal",
        )
        #: Those of event loops that are still there.
        self._lanes: WeakSet[JournalLane] = WeakSet()
        self._circuit = Circuit(pause_s=_PAUSE_S, monotonic=monotonic)
        self._spool: Committer[Recorded] | None = None
        if spool is not None:
            self._spool = Committer(spool.write, patience_s=patience_s, fail_late=self._lose_late, name="mailnod-spool")
        #: Guards what follows.
        self._counting = Lock()
        self._journaled = self._spooled = 0
        #: What the lanes have committed.
        self._commits, self._commit_s = 0, 0.0
        self._lost: dict[Kind, Overflow] = {}
        #: Whether a disk has the count of what is lost.
        self._told = True

    def count(self) -> JournalCounts:
        with self._counting:
            return JournalCounts(
                journaled=self._journaled,
                spooled=self._spooled,
                lost=sum(overflow.count for overflow in self._lost.values()),
                commits=self._journal.commits + self._commits,
                commit_s=self._journal.commit_s + self._commit_s,
            )

    def record(self, items: Sequence[Recorded]) -> None:
        hits = sum(isinstance(item, Observation) for item in items)
        lost = () if self._told else self._take_lost()
        try:
            spooled = self._write((*items, *lost))
        except BaseException:
            if lost:
                # What comes late may still be written; to write the same count again does no harm.
                self._told = False
            raise
        with self._counting:
            if spooled:
                self._spooled += hits
            else:
                self._journaled += hits

    def _write(self, items: Sequence[Recorded]) -> bool:
        """Write items down; True where the spool took them."""
        began_at = time.monotonic()
        try:
            self._to_journal(items)
        except StoreError as error:
            if self._spool is None:
                raise
            patience_s = began_at + self._patience_s - time.monotonic()
            self._to_spool(self._spool, items, error, patience_s=patience_s)
            return True
        return False

    def open_lane(self) -> JournalLane | None:
        def note(hits: int, took_s: float, error: OSError | None) -> None:
            self._circuit.note(None if error is None else StoreUnavailableError(str(_explain(error, self._folder))))
            if error is None:
                with self._counting:
                    self._journaled += hits
                    self._commits += 1
                    self._commit_s += took_s

        try:
            lane = JournalLane(self._folder, may_take=lambda: self._told and self._circuit.may_try(), note=note)
        except OSError:
            return None
        self._lanes.add(lane)
        return lane

    def lose(self, kind: Kind, number: int) -> None:
        now = datetime.now(UTC)
        with self._counting:
            known = self._lost.get(kind)
            if known is None:
                known = Overflow(
                    id=secrets.token_bytes(16), reason="lost", key="", kind=kind, first_at=now, last_at=now
                )
            self._lost[kind] = replace(known, last_at=now, count=known.count + number)
            self._told = False

    def close(self) -> None:
        if not self._told:
            with contextlib.suppress(StoreError):
                self.record(())
        for lane in list(self._lanes):
            lane.close()
        self._journal.close()
        if self._spool is not None:
            self._spool.close()

    def _take_lost(self) -> Sequence[Overflow]:
        with self._counting:
            self._told = True
            return list(self._lost.values())

    def _to_journal(self, items: Sequence[Recorded]) -> None:
        if self._journal.is_stuck():
            raise StoreUnavailableError(f"the disk does not answer: {str(self._folder)!r}")
        # A disk that is slow is asked again as soon as it has answered, and one that fails after a pause.
        with self._circuit.guard():
            try:
                written = self._journal.commit(items)
            except StoreError:
                raise
            except BaseException as error:
                raise _explain(error, self._folder) from error
        if not written:
            raise StoreUnavailableError(f"the disk did not take a hit in time: {str(self._folder)!r}")

    def _to_spool(
        self, spool: Committer[Recorded], items: Sequence[Recorded], why: StoreError, *, patience_s: float
    ) -> None:
        try:
            written = spool.commit(items, patience_s=patience_s)
        except (StoreError, OSError) as error:
            raise StoreUnavailableError(f"{why}; and the spool did not take it: {error}") from error
        if not written:
            raise StoreLateError(f"{why}; and the spool has not answered either")

    def _lose_late(self, items: Sequence[Recorded]) -> None:
        for item in items:
            if isinstance(item, Observation):
                self.lose(item.hit.kind, 1)


def _explain(error: BaseException, folder: Path) -> StoreError:
    """Return what an appender raises for what went wrong in its batch, a new error for each thread."""
    if isinstance(error, OSError):
        failure = explain_error(error, path=folder)
    elif isinstance(error, Exception):
        failure = StoreBugError(f"a hit could not be written to {str(folder)!r}: {error!r}")
    else:
        failure = StoreUnavailableError(f"the process was interrupted while it wrote to {str(folder)!r}")
    failure.__cause__ = error
    return failure
