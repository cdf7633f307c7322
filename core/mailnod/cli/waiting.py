"""Say how many hits wait to be judged, for who looks right after one."""

from __future__ import annotations

from mailnod.cli.context import CliContext
from mailnod.cli.output import count

__all__ = ["describe_waiting"]


def describe_waiting(cli: CliContext) -> str:
    """Return "1 hit waits to be judged", those counted that still lie in journals or a spool; "" where none does."""
    waiting = cli.reader.count_waiting() + cli.count_pending()
    return f"{count(waiting, 'hit')} {'waits' if waiting == 1 else 'wait'} to be judged" if waiting else ""
