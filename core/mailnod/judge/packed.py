"""Keeps what publishers' lists came down to in one file: small, versioned, checksummed, replaced as a whole.

The file is a mark with the version of its form, the SHA-256 of what follows, and compressed: the length of a JSON head,
the head, and for each part four columns of 64-bit numbers, the halves of where its intervals begin and end.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailnod.errors import NetworksError, describe_error
from mailnod.judge.networks import Interval, Part
from mailnod.store.files import sync_path

__all__ = ["pack", "read_packed", "unpack", "write_packed"]

_MARK = b"MAILNODNETWORKS\x01"
_DIGEST_BYTES = 32
#: Neither the file nor what it unpacks to ever comes near these.
_MOST_PACKED_BYTES = 16 << 20
_MOST_BYTES = 64 << 20
_LOW = (1 << 64) - 1


def pack(parts: Iterable[Part]) -> bytes:
    """Put parts into one file's content."""
    heads: list[dict[str, Any]] = []
    columns = bytearray()
    for part in sorted(parts, key=lambda one: one.name):
        heads.append(
            {
                "name": part.name,
                "source": part.source,
                "fetched_at": part.fetched_at.astimezone(UTC).isoformat(),
                "rows": part.rows,
                "intervals": len(part.intervals),
            }
        )
        for column in _split(part.intervals):
            columns += _to_little(column).tobytes()
    head = json.dumps(heads).encode()
    packed = zlib.compress(len(head).to_bytes(4, "little") + head + columns, 9)
    return _MARK + hashlib.sha256(packed).digest() + packed


def unpack(content: bytes) -> list[Part]:
    """Read the parts of a packed file.

    :param content: the whole file; it may be damaged, or no such file at all.
    :raises NetworksError: it cannot be used.
    """
    if content[: len(_MARK)] != _MARK:
        raise NetworksError("it is no file of packed networks, or one of another version of Mailnod")
    digest, packed = content[len(_MARK) :][:_DIGEST_BYTES], content[len(_MARK) + _DIGEST_BYTES :]
    if hashlib.sha256(packed).digest() != digest:
        raise NetworksError("its checksum is wrong: it is damaged or cut")
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(packed, _MOST_BYTES)
        if unpacker.unconsumed_tail:
            raise ValueError("more in it than any lists hold")
        start = 4 + int.from_bytes(data[:4], "little")
        parts = []
        for head in json.loads(data[4:start]):
            intervals, start = _join(data, start, int(head["intervals"]))
            fetched_at = datetime.fromisoformat(head["fetched_at"])
            parts.append(
                Part(
                    name=str(head["name"]),
                    source=str(head["source"]),
                    fetched_at=fetched_at.astimezone(UTC),
                    rows=int(head["rows"]),
                    intervals=intervals,
                )
            )
    except (ValueError, KeyError, TypeError, OverflowError, zlib.error) as error:
        raise NetworksError(f"its content makes no sense: {describe_error(error)}") from None
    return parts


def read_packed(path: Path) -> list[Part]:
    """Read a packed file.

    :returns: its parts; none where there is no file.
    :raises NetworksError: there is one, and it cannot be used.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_PACKED_BYTES + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise NetworksError(f"it cannot be read: {describe_error(error)}") from None
    if len(content) > _MOST_PACKED_BYTES:
        raise NetworksError("it is larger than any such file can be")
    return unpack(content)


def write_packed(path: Path, parts: Iterable[Part]) -> None:
    """Replace a packed file as a whole: a reader sees the old one or the new one, after a power cut too.

    :raises NetworksError: it cannot be written; what was there is still there.
    """
    content = pack(parts)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        sync_path(path.parent)
    except OSError as error:
        raise NetworksError(f"{path} cannot be written: {describe_error(error)}") from error


def _split(intervals: Sequence[Interval]) -> tuple[array[int], array[int], array[int], array[int]]:
    return (
        array("Q", (first >> 64 for first, _ in intervals)),
        array("Q", (first & _LOW for first, _ in intervals)),
        array("Q", (last >> 64 for _, last in intervals)),
        array("Q", (last & _LOW for _, last in intervals)),
    )


def _join(data: bytes, start: int, count: int) -> tuple[list[Interval], int]:
    columns: list[array[int]] = []
    for _ in range(4):
        column = array("Q", data[start : start + 8 * count])
        if len(column) != count:
            raise ValueError("columns shorter than the head says")
        columns.append(_to_little(column))
        start += 8 * count
    intervals = [(a << 64 | b, c << 64 | d) for a, b, c, d in zip(*columns, strict=True)]
    before = -1
    for first, last in intervals:
        if not before < first <= last:
            raise ValueError("intervals that are not in order")
        before = last
    return intervals, start


def _to_little(column: array[int]) -> array[int]:
    """Swap the bytes of a column where the machine's order is not the file's."""
    if sys.byteorder == "big":
        column.byteswap()
    return column
