"""What users of Mailnod need in their own tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["FrozenClock"]


class FrozenClock:
    """A clock that stands still until it is moved.

    :param now: aware; None begins at 2026-01-01 12:00 UTC.
    """

    def __init__(self, now: datetime | None = None) -> None:
        self._now = (now or datetime(2026, 1, 1, 12, tzinfo=UTC)).astimezone(UTC)

    def now(self) -> datetime:
        """Return the time at which the clock stands, aware, in UTC."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        self._now += timedelta(seconds=seconds)
