"""Deliveries and their recipients."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from mailnod.model import Delivery, DeliveryState
from mailnod.store import consents, rollups
from mailnod.store.addresses import get_domain
from mailnod.store.rows import DELIVERY_COLUMNS, list_columns, read_delivery, to_micros, to_text, write_delivery

__all__ = ["DELIVERY_FIELDS", "WENT_TO", "add_delivery", "get_deliveries", "get_delivery", "set_state"]

_INSERT = f"""
    INSERT INTO deliveries ({list_columns(DELIVERY_COLUMNS)}) VALUES (?{", ?" * (len(DELIVERY_COLUMNS) - 1)})
    ON CONFLICT (id) DO NOTHING
"""
_INSERT_RECIPIENT = """
    INSERT INTO recipients (hash, domain, address) VALUES (?, ?, ?)
    ON CONFLICT (hash) DO UPDATE SET address = coalesce(address, excluded.address)
    RETURNING id
"""
#: What :func:`~mailnod.store.rows.read_delivery` reads, of a row of deliveries named ``d``. An erased address is "".
DELIVERY_FIELDS = f"""
    {list_columns(DELIVERY_COLUMNS, of="d")},
    (SELECT json_group_array(address) FROM (
        SELECT coalesce(r.address, '') AS address
        FROM delivery_recipients AS dr LEFT JOIN recipients AS r ON r.id = dr.recipient_id
        WHERE dr.delivery_id = d.id ORDER BY dr.position))
"""
#: The ids of the deliveries that went to an address, which is given by its hash.
WENT_TO = """
    SELECT dr.delivery_id FROM delivery_recipients AS dr JOIN recipients AS r ON r.id = dr.recipient_id WHERE r.hash = ?
"""


def add_delivery(connection: sqlite3.Connection, delivery: Delivery, *, consent_mark: int | None) -> None:
    """Write a delivery and its recipients; one that is there already stays as it is.

    :param consent_mark: the newest record of consent when consent was read; a delivery to somebody who has withdrawn
        since is suppressed at once. None checks nothing.
    """
    if connection.execute(_INSERT, write_delivery(delivery)).rowcount == 0:
        return
    for position, address in enumerate(delivery.envelope.recipients):
        recipient = consents.find_recipient(connection, address)
        row = (recipient, to_text(get_domain(address)), to_text(address))
        (recipient_id,) = connection.execute(_INSERT_RECIPIENT, row).fetchall()[0]
        connection.execute("INSERT INTO delivery_recipients VALUES (?, ?, ?)", (delivery.id, position, recipient_id))
        if consent_mark is not None and consents.has_withdrawn_since(connection, recipient, consent_mark):
            consents.suppress_delivery(connection, delivery.id)
    if delivery.accepted_at is not None:
        rollups.count_delivery(connection, delivery, accepted_at=delivery.accepted_at)


def set_state(connection: sqlite3.Connection, delivery_id: bytes, state: DeliveryState, *, at: datetime) -> None:
    """Note what became of a delivery; one that was accepted stays accepted, and counts once."""
    delivery = get_delivery(connection, delivery_id)
    if delivery is None or delivery.accepted_at is not None:
        return
    accepted_at = at if state is DeliveryState.ACCEPTED else None
    connection.execute(
        "UPDATE deliveries SET state = ?, accepted_at = ? WHERE id = ?",
        (state.value, None if accepted_at is None else to_micros(accepted_at), delivery_id),
    )
    if accepted_at is not None:
        rollups.count_delivery(connection, delivery, accepted_at=accepted_at)


def get_delivery(connection: sqlite3.Connection, delivery_id: bytes) -> Delivery | None:
    """Return one delivery; None where it is not known."""
    found = _select(connection, "WHERE d.id = ?", [delivery_id])
    return found[0] if found else None


def get_deliveries(
    connection: sqlite3.Connection, *, message_id: str | None, recipient: str | None, limit: int
) -> list[Delivery]:
    """Return deliveries, those added last first."""
    conditions, parameters = ["TRUE"], list[object]()
    if message_id is not None:
        conditions.append("d.message_id = ?")
        parameters.append(to_text(message_id))
    if recipient is not None:
        conditions.append(f"d.id IN ({WENT_TO})")
        parameters.append(consents.find_recipient(connection, recipient))
    return _select(connection, f"WHERE {' AND '.join(conditions)} ORDER BY d.seq DESC LIMIT ?", [*parameters, limit])


def _select(connection: sqlite3.Connection, clauses: str, parameters: Sequence[object]) -> list[Delivery]:
    rows = connection.execute(f"SELECT {DELIVERY_FIELDS} FROM deliveries AS d {clauses}", parameters)
    return [read_delivery(row) for row in rows]
