"""A scratch store with the real collector in front of it, and the clock of both."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

from mailnod.explanation import Explanation, lay_open
from mailnod.model import (
    HONEYPOT_INDEX,
    ConsentRecord,
    ConsentState,
    Delivery,
    DeliveryState,
    EventFilter,
    EventRecord,
    Metrics,
)
from mailnod.settings import Settings
from mailnod.testing import FrozenClock
from mailnod.tokens import Keyring
from mailnod.tracker import Tracker
from mailnod_desktop.services.clients import Move
from mailnod_desktop.services.loopback import Loopback
from mailnod_desktop.services.model import LinkRow
from mailnod_desktop.services.simulation import Asked, SimulatedHit, name_row

__all__ = ["Stage"]

#: The simulated clock begins so long ago, so that hours may pass in a scenario and nothing lies in the future.
_HEAD_START = timedelta(hours=12)
#: Two hits are never of the same moment, so that each is found again by its time.
_LEAST_GAP_S = 0.001


class Stage:
    """Where plays happen: nothing of it is anywhere else, and all of it is gone when it is closed.

    :param settings: what the app's routes say is taken from them.
    :param folder: in which its own is made; None takes the system's for temporary files.
    """

    def __init__(self, keyring: Keyring, settings: Settings, *, folder: Path | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mailnod-simulator-", dir=folder))
        try:
            self.database = self._folder / "simulated.db"
            self.clock = FrozenClock(datetime.now(UTC).replace(microsecond=0) - _HEAD_START)
            networks = settings.networks_file
            own = replace(
                settings,
                database=self.database,
                journals=None,
                spool=self._folder / "spool",
                # Personas name their addresses as a proxy on this machine would.
                trusted_proxies=(ip_network("127.0.0.1/32"),),
                networks=networks if networks.exists() else None,
                settle_s=0.0,
                worker="none",
            )
            # A plugin may tell others of each event, and these are none.
            self._tracker = Tracker(own, keyring=keyring, clock=self.clock, load_entry_points=False)
            self.loopback = Loopback(self._tracker.wsgi_app())
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._asked: dict[datetime, Asked] = {}
        self._sent: dict[bytes, datetime] = {}

    def send(self, delivery: Delivery, *, withdrawn: bool) -> datetime:
        """Note a delivery as sent, once; return when that was.

        :param withdrawn: whether its recipients take their consent back at once.
        """
        if delivery.id not in self._sent:
            store, now = self._tracker.store, self.clock.now()
            store.add_deliveries([delivery])
            store.set_delivery_states([delivery.id], DeliveryState.ACCEPTED, at=delivery.envelope.sent_at)
            self._sent[delivery.id] = delivery.envelope.sent_at
            if withdrawn:
                for address in delivery.envelope.recipients:
                    store.record_consent(address, _withdraw(now))
        return self._sent[delivery.id]

    def ask(self, move: Move, rows: Sequence[LinkRow], fill: Callable[[str], str], *, limit: int) -> Iterator[Asked]:
        """Do what a move says, one request after the other.

        :param fill: turns an address of the inspected copy into the one of the copy that was sent.
        """
        for number, row in enumerate(rows[:limit]):
            self.clock.advance(max(move.pause_s if number else move.after_s, _LEAST_GAP_S))
            address = move.addresses[number % len(move.addresses)] if move.addresses else move.client.address
            client = replace(move.client, address=address)
            url = fill(row.tracked_url)
            response = client.request(url, method=move.method, at=f"127.0.0.1:{self.loopback.port}")
            yield Asked(
                client=client,
                address=address,
                method=move.method,
                row=row,
                url=url,
                at=self.clock.now(),
                response=response,
            )

    def work(self) -> None:
        """Take in what was recorded, and judge all that is due."""
        # A hit is answered although a busy disk has not written it yet; to close waits for that.
        self._tracker.close()
        while self._tracker.work_once():
            pass

    def read_events(self) -> list[EventRecord]:
        """Return every event."""
        return self._tracker.store.get_events(EventFilter(limit=10_000))

    def read_metrics(self) -> Metrics:
        """Return all counts."""
        (metrics,) = self._tracker.store.get_metrics()
        return metrics

    def remember(self, asked: Iterable[Asked]) -> None:
        """Keep what was asked, to tell of it again when its verdict changes."""
        self._asked.update((one.at, one) for one in asked)

    def tell(self, one: Asked, record: EventRecord | None, sent_at: datetime) -> SimulatedHit:
        """Put together what is known of one hit."""
        link = one.row.link
        return SimulatedHit(
            client=one.client.name,
            address=one.address,
            method=one.method,
            what=name_row(one.row),
            link_index=HONEYPOT_INDEX if one.row.kind == "honeypot" else None if link is None else link.index,
            path=_shorten(one.url),
            at_s=(one.at - sent_at).total_seconds(),
            status=one.response.status,
            location=one.response.headers.get("location"),
            explanation=None if record is None else self._explain(record),
        )

    def tell_again(self, record: EventRecord) -> SimulatedHit:
        """Put together what is known of a hit of an earlier play."""
        one = self._asked[record.observation.hit.received_at]
        return self.tell(one, record, self._sent[record.observation.delivery_id])

    def close(self) -> None:
        """Stop listening, close the store and remove it."""
        self.loopback.close()
        self._tracker.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _explain(self, record: EventRecord) -> Explanation:
        return lay_open(record, store=self._tracker.store, assessor=self._tracker.worker.assessor)


def _withdraw(at: datetime) -> ConsentRecord:
    denied = ConsentState.DENIED
    return ConsentRecord(recorded_at=at, purpose="statistics", opens=denied, clicks=denied, source="simulator")


def _shorten(url: str) -> str:
    """Return what of an address tells hits apart: its path with the beginning of the token."""
    path = "/" + url.partition("://")[2].partition("/")[2]
    head, slash, last = path.partition("?")[0].rpartition("/")
    token, dot, rest = last.partition(".")
    return f"{head}{slash}{token[:8]}…{dot}{rest}" if len(token) > 12 else head + slash + last
