"""Hits and counts as lines of a file, each with a checksum, and back; what was torn or damaged is told from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import BinaryIO, NamedTuple, get_args
from zlib import crc32

from mailnod.model import Kind, Observation, Overflow, Recorded
from mailnod.store.rows import read_observation, read_overflow, write_observation, write_overflow

__all__ = ["Entry", "read_entries", "read_entry", "write_entries"]

_KINDS = get_args(Kind)
# json.loads would look for the encoding and for spaces first, which takes as long as the rest.
_parse = json.JSONDecoder().raw_decode
#: How many texts are remembered as they are written: a few programs send nearly all that comes.
_REMEMBERED = 512
#: How much of a file is read at once, and the longest line that is looked for: no entry is nearly as long.
_CHUNK_BYTES = 256 * 1024
_MAX_LINE_BYTES = 1024 * 1024


class Entry(NamedTuple):
    """What a line holds."""

    #: None where the line is damaged or torn.
    item: Recorded | None
    #: Where the next line begins, in bytes from the start of the file.
    end: int
    #: Whether what stands there was written in one piece, as far as one can see: it has an end, and no bytes that no
    #: line has, such as those of a place that was made ready and never written.
    whole: bool


def write_entries(items: Sequence[Recorded]) -> bytes:
    """Return hits and counts as lines.

    A flood writes the same counts again and again; of each the highest is enough.
    """
    hits = [_write_hit(item) for item in items if isinstance(item, Observation)]
    if len(hits) == len(items):
        return b"".join(hits)
    counts = sorted((item for item in items if isinstance(item, Overflow)), key=lambda item: item.count)
    return b"".join([*hits, *map(_write_count, {item.id: item for item in counts}.values())])


def read_entry(line: bytes) -> Recorded | None:
    """Return what a line holds; None where it is damaged.

    :param line: without what ends it; spaces at its end are no part of it.
    """
    check, _, text = line.rstrip().partition(b" ")
    if check != b"%08x" % crc32(text):
        return None
    try:
        # What has the right checksum is what was written, with nothing behind it.
        (kind, id_, *row), _ = _parse(text.decode("ascii"))
        if kind == "count":
            return read_overflow([bytes.fromhex(id_), *row])
        row[0] = bytes.fromhex(row[0])
        observation = read_observation([bytes.fromhex(id_), *row])
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return None
    # The store could not take anything else, and would be asked for ever.
    sound = len(observation.id) == 16 and len(observation.delivery_id) == 8 and observation.hit.kind in _KINDS
    return observation if sound else None


def read_entries(file: BinaryIO, start: int, *, past_zeros: bool) -> Iterator[Entry]:
    """Yield what the lines of a file hold; empty ones are passed over.

    :param start: where the first line begins, in bytes from the start of the file.
    :param past_zeros: whether to look for lines behind zeros, where a line would begin; otherwise they are the end.
    """
    file.seek(start)
    rest, at = b"", start
    while chunk := file.read(_CHUNK_BYTES):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for line in lines:
            if line.startswith(b"\0") and not past_zeros:
                return
            at += len(line) + 1
            text = line.lstrip(b"\0")
            if text and not text.isspace():
                yield Entry(read_entry(text), at, b"\0" not in line)
        if rest.startswith(b"\0"):
            if not past_zeros:
                return
            kept = rest.lstrip(b"\0")
            # One of them stays, to say that what follows was not written in one piece.
            at += max(len(rest) - len(kept) - 1, 0)
            rest = b"\0" + kept if kept else b"\0"
        if len(rest) > _MAX_LINE_BYTES:
            at += len(rest)
            yield Entry(None, at, False)
            rest = b""
    if rest.strip(b"\0 "):
        yield Entry(None, at + len(rest), False)


def _write_hit(observation: Observation) -> bytes:
    # Put together by hand, because an encoder takes longer than all else that is done here for a hit.
    id_, delivery_id, kind, method, ip, agent, headers, micros, index, url, checked = write_observation(observation)
    text = (
        f'["hit","{id_.hex()}","{delivery_id.hex()}","{kind}",{_quote(method)},{_quote(ip)},{_quote(agent)},'
        f"{_quote(headers)},{micros},{'null' if index is None else index},{_quote(url)},"
        f"{'true' if checked else 'false'}]"
    )
    return _check(text.encode("ascii"))


def _write_count(overflow: Overflow) -> bytes:
    id_, *row = write_overflow(overflow)
    return _check(json.dumps(["count", id_.hex(), *row], separators=(",", ":")).encode("ascii"))


def _check(text: bytes) -> bytes:
    return b"%08x %b\n" % (crc32(text), text)


@lru_cache(maxsize=_REMEMBERED)
def _quote(text: str | None) -> str:
    return "null" if text is None else encode_basestring_ascii(text)
