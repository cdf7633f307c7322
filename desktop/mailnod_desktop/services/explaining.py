"""Lay one event of a store open: how it was judged, and what today's rules would say."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mailnod import Settings
from mailnod.assessor import Assessor
from mailnod.explanation import Explanation, lay_open, to_plain_explanation
from mailnod.judge.classify import Judge
from mailnod.model import Traces
from mailnod.plugins import Plugins
from mailnod.report.plain import to_plain
from mailnod.store.sqlite import SQLiteStore

__all__ = ["Details", "EventMissingError", "Explainer", "make_assessor", "to_plain_details"]


class EventMissingError(Exception):
    """The store holds no such event, or not any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Everything that is known of an event."""

    explanation: Explanation
    #: What stayed of its evidence, where that was erased; None where it was not.
    traces: Traces | None


def make_assessor(path: Path, plugins: Plugins, *, environ: Mapping[str, str] = os.environ) -> Assessor:
    """Return what judges the hits of a store as its worker does: by the lists of networks beside it, and by plugins.

    :param environ: where ``MAILNOD_NETWORKS`` may name other lists.
    """
    settings = Settings.from_mapping(
        {"MAILNOD_DATABASE": str(path), "MAILNOD_NETWORKS": environ.get("MAILNOD_NETWORKS") or None}
    )
    return Assessor(judge=Judge(networks=settings.networks_file), plugins=plugins)


class Explainer:
    """Lays events open; it reads one store at a time, may be used from any thread, and loads the rules on first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._store: SQLiteStore | None = None
        self._assessor: Assessor | None = None

    def explain(self, path: Path, event_id: bytes) -> Details:
        """Lay an event open.

        :raises EventMissingError: the store has none of that id.
        :raises StoreError: the store cannot be read.
        :raises ConfigurationError: a plugin cannot be loaded.
        """
        store, assessor = self._open(path)
        found = store.find_events(event_id.hex(), limit=1)
        if not found:
            raise EventMissingError("This event is not in the store any more: it was removed, or moved to an archive.")
        explanation = lay_open(found[0], store=store, assessor=assessor)
        traces = store.get_traces(event_id) if found[0].observation.purged else None
        return Details(explanation=explanation, traces=traces)

    def close(self) -> None:
        """Close the store, waiting for those who read it."""
        with self._lock:
            store, self._store, self._path = self._store, None, None
        if store is not None:
            store.close()

    def _open(self, path: Path) -> tuple[SQLiteStore, Assessor]:
        if path != self._path:
            self.close()
        with self._lock:
            if self._store is None or self._assessor is None:
                self._store, self._path = SQLiteStore(path, read_only=True), path
                self._assessor = make_assessor(path, Plugins())
            return self._store, self._assessor


def to_plain_details(details: Details) -> dict[str, object]:
    """Return what JSON says of an event: the same as ``mailnod explain --json``, and what stayed of erased evidence."""
    plain: dict[str, object] = to_plain(to_plain_explanation(details.explanation))
    return plain if details.traces is None else {**plain, "traces": to_plain(details.traces)}
