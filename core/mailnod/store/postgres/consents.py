"""What recipients wish, and the deliveries that are suppressed because of it."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mailnod.model import Consent, ConsentRecord
from mailnod.store.consents import complete_record, sum_up, withdraws
from mailnod.store.postgres import locks
from mailnod.store.postgres.bodies import erase_bodies_of
from mailnod.store.postgres.server import Connection
from mailnod.store.rows import CONSENT_COLUMNS, list_columns, read_consent_record, to_micros, write_consent_record

__all__ = [
    "append_record",
    "get_consent",
    "get_history",
    "get_key",
    "get_mark",
    "get_suppressed",
    "get_withdrawn_since",
    "suppress",
]

_APPEND = f"""
    INSERT INTO mailnod.consents (recipient_hash, {list_columns(CONSENT_COLUMNS)})
    VALUES (%s{", %s" * len(CONSENT_COLUMNS)})
"""
_HISTORY = f"SELECT {list_columns(CONSENT_COLUMNS)} FROM mailnod.consents WHERE recipient_hash = %s ORDER BY id"
#: Deliveries that are no longer known are kept: nothing says when they expire.
_SUPPRESSED = """
    SELECT s.delivery_id FROM mailnod.suppressed AS s LEFT JOIN mailnod.deliveries AS d ON d.id = s.delivery_id
    WHERE s.seq > %(after)s AND (%(now)s::bigint IS NULL OR d.expires_at IS NULL OR d.expires_at > %(now)s)
"""
_SENT_TO = """
    SELECT delivery_id FROM mailnod.delivery_recipients AS dr JOIN mailnod.recipients AS r ON r.id = dr.recipient_id
    WHERE r.hash = %s
"""


def get_key(connection: Connection) -> bytes:
    """Return the key under which this store hashes addresses and texts."""
    ((key,),) = connection.execute("SELECT value FROM mailnod.meta WHERE name = 'recipient_key'").fetchall()
    return bytes(key)


def append_record(connection: Connection, recipient: bytes, record: ConsentRecord) -> ConsentRecord:
    """Append to a recipient's history; where the recipient withdraws, suppress what was sent, and erase its bodies.

    Deliveries that are written meanwhile wait, and find the record; so neither can miss the other.

    :returns: the record as it was written, each axis resolved.
    """
    locks.take(connection, "consents")
    before = get_consent(connection, recipient, purpose=record.purpose)
    record = complete_record(record, before)
    connection.execute(_APPEND, (recipient, *write_consent_record(record)))
    if withdraws(record, before):
        suppress(connection, [row[0] for row in connection.execute(_SENT_TO, (recipient,))])
        erase_bodies_of(connection, recipient)
    return record


def get_consent(connection: Connection, recipient: bytes, *, purpose: str) -> Consent:
    """Return what holds for a recipient and a purpose."""
    return sum_up(get_history(connection, recipient), purpose=purpose)


def get_history(connection: Connection, recipient: bytes) -> list[ConsentRecord]:
    """Return everything that was recorded for a recipient, in the order in which it was appended."""
    return [read_consent_record(row) for row in connection.execute(_HISTORY, (recipient,))]


def get_mark(connection: Connection) -> int:
    """Return the number of the newest record, whoever it is about; 0 where there is none."""
    ((newest,),) = connection.execute("SELECT coalesce(max(id), 0) FROM mailnod.consents").fetchall()
    return int(newest)


def get_withdrawn_since(connection: Connection, mark: int) -> frozenset[bytes]:
    """Return who has denied either axis after the record that a mark names; records wait until the transaction ends."""
    locks.take(connection, "consents", shared=True)
    rows = connection.execute(
        "SELECT recipient_hash FROM mailnod.consents WHERE id > %s AND 'denied' IN (opens, clicks)", (mark,)
    )
    return frozenset(bytes(recipient) for (recipient,) in rows)


def suppress(connection: Connection, delivery_ids: Sequence[bytes]) -> None:
    """Let no hit on these deliveries be recorded from now on."""
    if not delivery_ids:
        return
    locks.take(connection, "suppressed")
    connection.execute(
        "INSERT INTO mailnod.suppressed (delivery_id) SELECT unnest(%s::bytea[]) ON CONFLICT DO NOTHING",
        (list(delivery_ids),),
    )


def get_suppressed(connection: Connection, *, after: int, now: datetime | None) -> tuple[frozenset[bytes], int]:
    """Return the deliveries suppressed after a cursor, and the new cursor.

    :param now: leaves out those that no longer record at this time; None leaves out nothing.
    """
    ((newest,),) = connection.execute("SELECT coalesce(max(seq), 0) FROM mailnod.suppressed").fetchall()
    rows = connection.execute(_SUPPRESSED, {"after": after, "now": None if now is None else to_micros(now)})
    return frozenset(bytes(delivery_id) for (delivery_id,) in rows), max(int(newest), after)
