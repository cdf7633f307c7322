"""The collector alone as an ASGI app, for any server: ``uvicorn --factory mailnod.asgi:create_app``."""

from __future__ import annotations

import os
from pathlib import Path

from mailnod.collect.asgi import ASGIApp, make_app
from mailnod.collect.counters import Counters
from mailnod.collect.metrics import write_metrics
from mailnod.collect.operations import Operations
from mailnod.settings import Settings
from mailnod.tracker import Tracker

__all__ = ["create_app"]


def create_app(
    settings: Settings | None = None, *, metrics: bool = False, metrics_folder: Path | None = None
) -> ASGIApp:
    """Make the collector, with health and readiness, robots.txt and, where wished, metrics.

    The server should support ASGI's lifespan and must not log requests, because their paths hold tokens.

    :param settings: None reads them from the environment.
    :param metrics: whether ``/-/metrics`` is answered. Who reaches the pixel reaches that page too, and sees how much
        mail is opened.
    :param metrics_folder: a folder in which the processes of the server count together; emptied by nobody, so give each
        run a new one. None counts each process alone.
    :raises ConfigurationError: a setting is wrong, or ``MAILNOD_SECRET_KEYS`` is missing.
    """
    counters = Counters(metrics_folder)
    tracker = Tracker(settings or Settings.from_environ(os.environ), counters=counters, lanes=True)
    operations = Operations(
        find_troubles=tracker.find_troubles,
        write_metrics=(lambda: write_metrics(counters.read())) if metrics else None,
    )
    return make_app(tracker, operations=operations, on_end=tracker.close)
