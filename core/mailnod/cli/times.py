"""Read the times that options take: 24h ago, or a moment."""

from __future__ import annotations

from datetime import datetime

import click

from mailnod import query

__all__ = ["read_time"]


def read_time(option: str, value: str | None, now: datetime) -> datetime | None:
    """Return the time that an option names, in UTC; None where it names none.

    :param value: a number with s, m, h, d or w, which is so long before ``now``; or an ISO 8601 time, in UTC where it
        names no zone.
    :raises click.BadParameter: it is neither.
    """
    if value is None:
        return None
    try:
        return query.read_time(value, now=now)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{value!r} is neither like 24h nor an ISO 8601 time", param_hint=option) from None
