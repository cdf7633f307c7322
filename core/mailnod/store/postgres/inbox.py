"""Hits that a host has brought and that nobody has taken in yet.

To bring hits must be quick, because until then they lie on one disk of one host; to take them in is not, because every
index has a place to find for each. So a batch is brought as one row, and may leave its journal once that is committed.
"""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from mailnod.model import Observation
from mailnod.store.postgres.arrays import (
    Array,
    ArrayDumper,
    pack_array,
    pack_bool,
    pack_bytes,
    pack_each,
    pack_int,
    pack_text,
)
from mailnod.store.postgres.server import Connection
from mailnod.store.rows import OBSERVATION_COLUMNS, to_micros, to_text, write_observation

__all__ = ["INTERNED", "add_batch", "count_hits", "find_oldest", "floor_use"]

#: Columns whose values repeat, and are kept once.
INTERNED = ("user_agent", "headers", "url")

#: How exactly the last use of a text is remembered.
_USE_MICROS = 10 * 60 * 1_000_000
#: How many batches are taken in together at most; those of hosts that have little to bring are small.
_BATCHES = 100

#: The types of the arrays, and the numbers of those of their elements in the server's ``pg_type``.
_TYPES = {
    "id": "bytea",
    "delivery_id": "bytea",
    "kind": "text",
    "method": "text",
    "ip": "text",
    "user_agent": "bigint",
    "headers": "bigint",
    "received_at": "bigint",
    "link_index": "bigint",
    "url": "bigint",
    "checked": "boolean",
    "text_ids": "bigint",
    "texts": "text",
    "texts_last_used": "bigint",
}
_OIDS = {"boolean": 16, "bytea": 17, "bigint": 20, "text": 25}
_ADD = f"""
    INSERT INTO mailnod.inbox (hits, {", ".join(_TYPES)})
    VALUES (%s, {", ".join(f"%b::{type_}[]" for type_ in _TYPES.values())}) RETURNING number
"""
_HEADERS_AT = OBSERVATION_COLUMNS.index("headers")
_OLDEST = "SELECT number, hits FROM mailnod.inbox ORDER BY number LIMIT %s"


def add_batch(connection: Connection, observations: Sequence[Observation], *, key: bytes) -> int:
    """Write observations down as one batch, and return its number.

    :param observations: at least one.
    :param key: the key under which the store hashes texts.
    """
    cursor = connection.cursor()
    cursor.adapters.register_dumper(Array, ArrayDumper)
    columns = _pack(observations, key)
    arrays = [pack_array(_OIDS[type_], columns[name]) for name, type_ in _TYPES.items()]
    row = cursor.execute(_ADD.encode(), (len(observations), *arrays)).fetchone()
    assert row is not None, "the statement returns what it inserts"  # noqa: S101
    return int(row[0])


def find_oldest(connection: Connection, *, limit: int) -> list[int]:
    """Return the numbers of the oldest batches that hold so many hits together, and of one in any case."""
    numbers, total = list[int](), 0
    for number, hits in connection.execute(_OLDEST, (_BATCHES,)):
        total += hits
        if numbers and total > limit:
            break
        numbers.append(number)
    return numbers


def count_hits(connection: Connection) -> int:
    """Return how many hits wait to be taken in, those counted that are known or suppressed."""
    ((count,),) = connection.execute("SELECT coalesce(sum(hits), 0) FROM mailnod.inbox").fetchall()
    return int(count)


def floor_use(micros: int) -> int:
    """Return the time of a use as texts remember it: exact enough to erase them, coarse enough to be written rarely."""
    return micros - micros % _USE_MICROS


def _pack(observations: Sequence[Observation], key: bytes) -> dict[str, list[bytes]]:
    """Return the elements of each array, whose values are those that :func:`write_observation` returns."""
    columns: Iterable[Sequence[Any]] = zip(*observations, strict=True)
    ids, hits, delivery_ids, checked = columns
    columns = zip(*hits, strict=True)
    kinds, methods, ips, agents, headers, received, links, urls = columns
    # Few programs send nearly all that comes, and where their hits were read together their headers are one object.
    written = {id_: _write_headers(one) for id_, one in dict(zip(map(id, headers), observations, strict=True)).items()}
    header_texts = [written[id(one)] for one in headers]
    micros = list(map(to_micros, received))
    last_used = _find_last_use(micros, agents=agents, headers=header_texts, urls=urls)
    texts = list(map(to_text, last_used))
    numbers = [pack_int(_hash_text(text, key)) for text in texts]
    refer = dict(zip(last_used, numbers, strict=True)).__getitem__
    return {
        "id": list(map(pack_bytes, ids)),
        "delivery_id": list(map(pack_bytes, delivery_ids)),
        "kind": pack_each(kinds, pack_text),
        "method": pack_each(methods, _pack_text),
        "ip": pack_each(ips, _pack_text),
        "user_agent": pack_each(agents, refer),
        "headers": pack_each(header_texts, refer),
        "received_at": list(map(pack_int, micros)),
        "link_index": pack_each(links, pack_int),
        "url": pack_each(urls, refer),
        "checked": pack_each(checked, pack_bool),
        "text_ids": numbers,
        "texts": list(map(pack_text, texts)),
        "texts_last_used": pack_each(last_used.values(), pack_int),
    }


def _find_last_use(
    micros: Iterable[int], *, agents: Sequence[str | None], headers: Sequence[str | None], urls: Iterable[str | None]
) -> dict[str, int | None]:
    """Return each text that hits refer to with the time of its last use; None for destinations, which stay."""
    uses = list(map(floor_use, micros))
    said = {*zip(uses, agents, strict=True), *zip(uses, headers, strict=True)}
    # The latest use comes last, and stands.
    last: dict[str, int | None] = {text: at for at, text in sorted(said, key=itemgetter(0)) if text is not None}
    return last | {url: None for url in urls if url is not None}


def _write_headers(observation: Observation) -> str | None:
    text: str | None = write_observation(observation)[_HEADERS_AT]
    return text


def _pack_text(value: str) -> bytes:
    """Return an element of the type text of what came from outside."""
    return pack_text(to_text(value))


def _hash_text(text: str, key: bytes) -> int:
    """Return the number of a text: 64 bits of its keyed BLAKE2b hash, which nobody can aim at without the key."""
    digest = hashlib.blake2b(text.encode(), digest_size=8, key=key, person=b"mailnod-text").digest()
    return int.from_bytes(digest, "big", signed=True)
