"""Read the times that options take: 24h ago, or a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

__all__ = ["read_time"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_time(option: str, value: str | None, now: datetime) -> datetime | None:
    """Return the time that an option names, in UTC; None where it names none.

    :param value: a number with s, m, h, d or w, which is so long before ``now``; or an ISO 8601 time, in UTC where it
        names no zone.
    :raises click.BadParameter: it is neither.
    """
    if value is None:
        return None
    if match := re.fullmatch(r"(\d{1,6})([smhdw])", value):
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither like 24h nor an ISO 8601 time", param_hint=option) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
