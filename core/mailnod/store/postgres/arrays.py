"""Arrays in the form in which PostgreSQL takes them, put together a column at a time.

psycopg takes lists too, and looks at each of their values; of thousands of hits, most columns hold few different ones.
The form is that of ``array_recv`` in the server's ``arrayfuncs.c``: the number of dimensions, a flag, the type of the
elements, length and lower bound, and then each element behind its length, -1 for NULL.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from psycopg.adapt import Dumper
from psycopg.pq import Format

__all__ = ["Array", "ArrayDumper", "pack_array", "pack_bool", "pack_bytes", "pack_each", "pack_int", "pack_text"]

T = TypeVar("T")

_NULL = struct.pack(">i", -1)
_INT = struct.Struct(">iq")


class Array(bytes):
    """An array as the server takes it; the statement says of which type."""


class ArrayDumper(Dumper):
    """Hands an array over as it is."""

    format = Format.BINARY

    def dump(self, obj: Array) -> Array:
        """Return what the server gets."""
        return obj


def pack_array(oid: int, elements: Sequence[bytes]) -> Array:
    """Return the array of some packed elements.

    :param oid: of the type of the elements, as ``pg_type`` has it.
    """
    bounds = struct.pack(">ii", len(elements), 1) if elements else b""
    return Array(b"".join((struct.pack(">iiI", bool(elements), 1, oid), bounds, *elements)))


def pack_each(values: Collection[T | None], pack: Callable[[T], bytes]) -> list[bytes]:
    """Return values packed, each different one once."""
    packed = {value: _NULL if value is None else pack(value) for value in set(values)}
    return list(map(packed.__getitem__, values))


def pack_bytes(value: bytes) -> bytes:
    """Return an element of the type bytea."""
    return len(value).to_bytes(4, "big") + value


def pack_text(value: str) -> bytes:
    """Return an element of the type text."""
    return pack_bytes(value.encode())


def pack_int(value: int) -> bytes:
    """Return an element of the type bigint."""
    return _INT.pack(8, value)


def pack_bool(value: bool) -> bytes:
    """Return an element of the type boolean."""
    return pack_bytes(b"\1" if value else b"\0")
