"""Read the ids that lists are paged by."""

from __future__ import annotations

import click

__all__ = ["read_id"]


def read_id(option: str, value: str, *, digits: int) -> bytes:
    """Return the bytes of an id that an option names; hyphens are passed over.

    :param digits: how many hexadecimal digits it has.
    :raises click.BadParameter: it has not.
    """
    try:
        raw = bytes.fromhex(value.replace("-", ""))
    except ValueError:
        raw = b""
    if len(raw) * 2 != digits:
        raise click.BadParameter(f"{value!r} is not an id, {digits} hexadecimal digits", param_hint=option)
    return raw
