"""Numbers and times in words, the same wherever they are read."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["count", "format_time"]


def count(number: int, what: str, *, many: str = "") -> str:
    """Return a number with its word: "1 hit", "2 hits".

    :param many: the word for all other numbers; "" puts an "s" behind it.
    """
    return f"{number:,} {what if number == 1 else many or f'{what}s'}"


def format_time(moment: datetime) -> str:
    """Return a time in UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
