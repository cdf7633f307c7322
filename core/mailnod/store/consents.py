"""What recipients wish, and the deliveries that are suppressed because of it."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from mailnod.model import Consent, ConsentRecord, ConsentState
from mailnod.store.addresses import hash_address
from mailnod.store.rows import CONSENT_COLUMNS, list_columns, read_consent_record, write_consent_record

__all__ = [
    "append_record",
    "find_recipient",
    "get_consent",
    "get_history",
    "get_mark",
    "get_suppressed",
    "has_withdrawn_since",
    "suppress_delivery",
]

_APPEND = (
    f"INSERT INTO consents (recipient_hash, {list_columns(CONSENT_COLUMNS)}) VALUES (?{', ?' * len(CONSENT_COLUMNS)})"
)
_HISTORY = f"SELECT {list_columns(CONSENT_COLUMNS)} FROM consents WHERE recipient_hash = ? ORDER BY id"
_SUPPRESS_RECIPIENT = """
    INSERT INTO suppressed (delivery_id)
    SELECT delivery_id FROM delivery_recipients JOIN recipients ON recipients.id = recipient_id
    WHERE recipients.hash = ?
    ON CONFLICT (delivery_id) DO NOTHING
"""


def find_recipient(connection: sqlite3.Connection, address: str) -> bytes:
    """Return the hash under which this store knows an address, whether it has met it or not."""
    (key,) = connection.execute("SELECT value FROM meta WHERE name = 'recipient_key'").fetchone()
    return hash_address(address, key=key)


def append_record(connection: sqlite3.Connection, recipient: bytes, record: ConsentRecord) -> None:
    """Append to a recipient's history, and suppress what was sent where the recipient withdraws."""
    before = get_consent(connection, recipient, purpose=record.purpose)
    connection.execute(_APPEND, (recipient, *write_consent_record(record)))
    if _withdraws(record, before):
        connection.execute(_SUPPRESS_RECIPIENT, (recipient,))


def get_consent(connection: sqlite3.Connection, recipient: bytes, *, purpose: str) -> Consent:
    """Return what holds for a recipient and a purpose.

    The record that was appended last speaks, unless a denial bears a later time: an import of old grants, or a clock
    that was set back, must not undo it.
    """
    records = [record for record in get_history(connection, recipient) if record.purpose == purpose]
    if not records:
        return Consent()
    last = records[-1]
    later = [record for record in records if record.recorded_at > last.recorded_at]
    return Consent(
        opens=_deny_if_any(last.opens, [record.opens for record in later]),
        clicks=_deny_if_any(last.clicks, [record.clicks for record in later]),
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


def has_withdrawn_since(connection: sqlite3.Connection, recipient: bytes, mark: int) -> bool:
    """Return whether a denial was recorded after the record that a mark names, whatever came after it."""
    row = connection.execute(
        "SELECT 1 FROM consents WHERE recipient_hash = ? AND id > ? AND 'denied' IN (opens, clicks) LIMIT 1",
        (recipient, mark),
    ).fetchone()
    return row is not None


def suppress_delivery(connection: sqlite3.Connection, delivery_id: bytes) -> None:
    """Let no hit on a delivery be recorded from now on."""
    connection.execute(
        "INSERT INTO suppressed (delivery_id) VALUES (?) ON CONFLICT (delivery_id) DO NOTHING", (delivery_id,)
    )


def get_suppressed(connection: sqlite3.Connection, *, after: int) -> tuple[frozenset[bytes], int]:
    """Return the deliveries suppressed after a cursor, and the new cursor."""
    rows = connection.execute("SELECT seq, delivery_id FROM suppressed WHERE seq > ? ORDER BY seq", (after,)).fetchall()
    return frozenset(delivery_id for _, delivery_id in rows), rows[-1][0] if rows else after


def _withdraws(record: ConsentRecord, before: Consent) -> bool:
    denied = ConsentState.DENIED
    if record.opens is denied and record.clicks is denied:
        # Said again, it is meant for what was sent in between too.
        return True
    opens_go = record.opens is denied and before.opens is not denied
    clicks_go = record.clicks is denied and before.clicks is not denied
    return opens_go or clicks_go


def _deny_if_any(last: ConsentState, others: Sequence[ConsentState]) -> ConsentState:
    return ConsentState.DENIED if ConsentState.DENIED in others else last
