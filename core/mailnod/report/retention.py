"""Erase raw addresses, user agents, headers and bodies when their time is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailnod.model import Route
from mailnod.store.base import Store

__all__ = ["Retention", "Swept", "sweep"]

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how many days raw facts are kept."""

    #: 0 keeps them until they are judged.
    days: int = 28
    #: Routes that say otherwise, by name.
    days_by_route: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, routes: Mapping[str, Route], *, days: int) -> Retention:
        """Return what routes say, and where they say nothing, so many days."""
        own = {name: route.retention_days for name, route in routes.items() if route.retention_days is not None}
        return cls(days=days, days_by_route=own)

    @property
    def immediate(self) -> bool:
        """Whether any raw facts are erased as soon as they are judged."""
        return 0 in (self.days, *self.days_by_route.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one sweep did."""

    #: Hits whose raw facts were erased.
    minimised: int = 0
    #: Mails whose HTML was erased.
    bodies: int = 0
    #: False where somebody who is still reading, or a file that is in use, holds on to what was erased; sweep again.
    clean: bool = True


def sweep(
    store: Store,
    *,
    retention: Retention,
    now: datetime,
    name_network: Callable[[str], str | None],
    go_on: Callable[[], bool] = lambda: True,
    report: Callable[[int], None] = lambda _: None,
) -> Swept:
    """Erase the raw facts of judged hits and the HTML of mails whose time is over, and every copy that the store has.

    Each batch is a transaction of its own: a sweep that was killed is finished by the next one.

    :param name_network: names the class of the network of an address, None where it has none.
    :param go_on: asked before each batch; False ends the sweep there.
    :param report: told after each batch how many hits it erased the facts of.
    :raises StoreError: the store cannot be used.
    """
    cutoffs = {route: now - timedelta(days=days) for route, days in retention.days_by_route.items()}
    cutoff = now - timedelta(days=retention.days)
    minimised = 0
    cursor: int | None = 0
    while cursor is not None and go_on():
        erased, cursor = store.minimise(cutoff, cutoffs=cutoffs, name_network=name_network, after=cursor, limit=BATCH)
        minimised += erased
        report(erased)
    bodies, more = 0, True
    while more and go_on():
        erased = store.erase_bodies(now, limit=BATCH)
        bodies, more = bodies + erased, erased > 0
    return Swept(minimised=minimised, bodies=bodies, clean=store.scrub())
