"""Says reason codes in sentences, for people who ask why."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from mailnod.judge.knowledge import read_table

__all__ = ["say"]


def say(code: str) -> str | None:
    """Return what a reason code means, in one sentence; None where no rule of ours has it.

    :param code: as in :attr:`mailnod.model.Verdict.reason_codes`.
    """
    if code.startswith("override."):
        return f"The plugin {code.removeprefix('override.')!r} set the verdict, whatever the rules say."
    return _read().get(code)


@cache
def _read() -> Mapping[str, str]:
    return read_table("sentences")
