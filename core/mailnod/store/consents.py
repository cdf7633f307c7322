"""What recipients wish, and the deliveries that are suppressed because of it."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from mailnod.model import Consent, ConsentRecord, ConsentState
from mailnod.store.addresses import hash_address
from mailnod.store.bodies import erase_bodies_of
from mailnod.store.rows import CONSENT_COLUMNS, list_columns, read_consent_record, to_micros, write_consent_record

__all__ = [
    "append_record",
    "complete_record",
    "find_recipient",
    "get_consent",
    "get_history",
    "get_key",
    "get_mark",
    "get_suppressed",
    "get_withdrawn_since",
    "sum_up",
    "suppress_delivery",
    "withdraws",
]

_APPEND = (
    f"INSERT INTO consents (recipient_hash, {list_columns(CONSENT_COLUMNS)}) VALUES (?{', ?' * len(CONSENT_COLUMNS)})"
)
_HISTORY = f"SELECT {list_columns(CONSENT_COLUMNS)} FROM consents WHERE recipient_hash = ? ORDER BY id"
#: Deliveries that are no longer known are kept: nothing says when they expire.
_SUPPRESSED = """
    SELECT s.delivery_id FROM suppressed AS s LEFT JOIN deliveries AS d ON d.id = s.delivery_id
    WHERE s.seq > :after AND (:now IS NULL OR d.expires_at IS NULL OR d.expires_at > :now)
"""
_SUPPRESS_RECIPIENT = """
    INSERT INTO suppressed (delivery_id)
    SELECT deliveries.id FROM deliveries JOIN delivery_recipients ON delivery = seq
    JOIN recipients ON recipients.id = recipient_id WHERE recipients.hash = ?
    ON CONFLICT (delivery_id) DO NOTHING
"""


def find_recipient(connection: sqlite3.Connection, address: str) -> bytes:
    """Return the hash under which this store knows an address, whether it has met it or not."""
    return hash_address(address, key=get_key(connection))


def get_key(connection: sqlite3.Connection) -> bytes:
    """Return the key of this store's hashes of addresses."""
    ((key,),) = connection.execute("SELECT value FROM meta WHERE name = 'recipient_key'").fetchall()
    return bytes(key)


def append_record(connection: sqlite3.Connection, recipient: bytes, record: ConsentRecord) -> ConsentRecord:
    """Append to a recipient's history; where the recipient withdraws, suppress what was sent, and erase its bodies.

    What has expired is suppressed too: the time of a record is its author's word, and must not spare a delivery.

    :returns: the record as it was written, each axis resolved.
    """
    before = get_consent(connection, recipient, purpose=record.purpose)
    record = complete_record(record, before)
    connection.execute(_APPEND, (recipient, *write_consent_record(record)))
    if withdraws(record, before):
        connection.execute(_SUPPRESS_RECIPIENT, (recipient,))
        erase_bodies_of(connection, recipient)
    return record


def get_consent(connection: sqlite3.Connection, recipient: bytes, *, purpose: str) -> Consent:
    """Return what holds for a recipient and a purpose."""
    return sum_up(get_history(connection, recipient), purpose=purpose)


def complete_record(record: ConsentRecord, before: Consent) -> ConsentRecord:
    """Return a record in which an axis that it leaves alone stands as it was."""
    return replace(
        record,
        opens=before.opens if record.opens is None else record.opens,
        clicks=before.clicks if record.clicks is None else record.clicks,
    )


def sum_up(history: Iterable[ConsentRecord], *, purpose: str) -> Consent:
    """Return what a recipient's history says of a purpose.

    The record that was appended last speaks, unless a denial bears a later time: an import of old grants, or a clock
    that was set back, must not undo it.

    :param history: every record of the recipient, in the order in which it was appended.
    """
    records = [record for record in history if record.purpose == purpose]
    if not records:
        return Consent()
    last = records[-1]
    later = [record for record in records if record.recorded_at > last.recorded_at]
    denied, unknown = ConsentState.DENIED, ConsentState.UNKNOWN
    return Consent(
        opens=denied if any(record.opens is denied for record in later) else last.opens or unknown,
        clicks=denied if any(record.clicks is denied for record in later) else last.clicks or unknown,
        source=last.source,
        evidence=f"record of {last.recorded_at:%Y-%m-%d %H:%M} UTC, text {last.text_version!r}",
    )


def get_history(connection: sqlite3.Connection, recipient: bytes) -> list[ConsentRecord]:
    """Return everything that was recorded for a recipient, in the order in which it was appended."""
    return [read_consent_record(row) for row in connection.execute(_HISTORY, (recipient,))]


def get_mark(connection: sqlite3.Connection) -> int:
    """Return the number of the newest record, whoever it is about; 0 where there is none."""
    ((newest,),) = connection.execute("SELECT coalesce(max(id), 0) FROM consents").fetchall()
    return int(newest)


def get_withdrawn_since(connection: sqlite3.Connection, mark: int) -> frozenset[bytes]:
    """Return who has a denial recorded after the record that a mark names, whatever came after it."""
    rows = connection.execute(
        "SELECT recipient_hash FROM consents WHERE id > ? AND 'denied' IN (opens, clicks)", (mark,)
    )
    return frozenset(recipient for (recipient,) in rows)


def suppress_delivery(connection: sqlite3.Connection, delivery_id: bytes) -> None:
    """Let no hit on a delivery be recorded from now on."""
    connection.execute(
        "INSERT INTO suppressed (delivery_id) VALUES (?) ON CONFLICT (delivery_id) DO NOTHING", (delivery_id,)
    )


def get_suppressed(connection: sqlite3.Connection, *, after: int, now: datetime | None) -> tuple[frozenset[bytes], int]:
    """Return the deliveries suppressed after a cursor, and the new cursor.

    :param now: leaves out those that no longer record at this time; None leaves out nothing.
    """
    ((cursor,),) = connection.execute("SELECT max(coalesce(max(seq), 0), ?) FROM suppressed", (after,)).fetchall()
    rows = connection.execute(_SUPPRESSED, {"after": after, "now": None if now is None else to_micros(now)})
    return frozenset(delivery_id for (delivery_id,) in rows), int(cursor)


def withdraws(record: ConsentRecord, before: Consent) -> bool:
    """Return whether a record takes back what held before it, so that what was sent is suppressed."""
    denied = ConsentState.DENIED
    if record.opens is denied and record.clicks is denied:
        # Said again, it is meant for what was sent in between too.
        return True
    opens_go = record.opens is denied and before.opens is not denied
    clicks_go = record.clicks is denied and before.clicks is not denied
    return opens_go or clicks_go
