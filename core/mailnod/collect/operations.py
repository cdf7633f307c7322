"""Answer what operators and crawlers ask of a collector that has a host to itself: health, metrics, robots.txt."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from mailnod.collect.collector import NOT_ALLOWED
from mailnod.collect.metrics import CONTENT_TYPE
from mailnod.model import Reply

__all__ = ["Operations"]

_SAFE = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'"),
)


class Operations:
    """Replies that concern no hit.

    :param find_troubles: returns why hits cannot be collected as they should, in words; it may read files.
    :param write_metrics: returns the metrics page; None has none.
    """

    def __init__(
        self, *, find_troubles: Callable[[], Sequence[str]], write_metrics: Callable[[], bytes] | None = None
    ) -> None:
        self._find_troubles = find_troubles
        self._write_metrics = write_metrics
        #: What is answered here; every other path is not.
        self.paths = frozenset({*_SAME, "/-/ready", *(() if write_metrics is None else ("/-/metrics",))})

    def reply(self, method: str, path: str) -> Reply:
        """Return the reply to one of :attr:`paths`; it may read files."""
        if method not in ("GET", "HEAD"):
            return NOT_ALLOWED
        if path == "/-/ready":
            troubles = list(self._find_troubles())
            body = {"status": "unavailable" if troubles else "ready", "reasons": troubles}
            return _reply(503 if troubles else 200, "application/json", f"{json.dumps(body)}\n".encode())
        if path == "/-/metrics" and self._write_metrics is not None:
            return _reply(200, CONTENT_TYPE, self._write_metrics())
        return _SAME[path]


def _reply(status: int, content_type: str, body: bytes) -> Reply:
    headers = (("Content-Type", content_type), ("Content-Length", str(len(body))), *_SAFE)
    return Reply(status=status, headers=headers, body=body)


#: What is the same at all times.
_SAME = {
    # It says that the process answers, and nothing of its disks: to start it anew would not mend them.
    "/-/health": _reply(200, "application/json", b'{"status": "ok"}\n'),
    # A crawler that follows a tracked link is counted as a click, and finds nothing that it may list.
    "/robots.txt": _reply(200, "text/plain", b"User-agent: *\nDisallow: /\n"),
}
