"""Deliveries and their recipients."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mailnod.model import Delivery, DeliveryState
from mailnod.store.addresses import get_domain, hash_address
from mailnod.store.postgres import consents, links, rollups
from mailnod.store.postgres.server import Connection
from mailnod.store.rollups import Accepted, Groups
from mailnod.store.rows import DELIVERY_COLUMNS, list_columns, read_delivery, to_micros, to_text, write_delivery

__all__ = ["DELIVERY_FIELDS", "WENT_TO", "add_deliveries", "get_deliveries", "get_known", "set_states"]

_TYPES = {
    "id": "bytea", "sent_at": "bigint", "opens": "smallint", "clicks": "smallint", "link_count": "integer",
    "accepted_at": "bigint", "test": "boolean", "expires_at": "bigint",
}  # fmt: skip
_INSERT = f"""
    INSERT INTO mailnod.deliveries ({list_columns(DELIVERY_COLUMNS)})
    SELECT * FROM unnest({", ".join(f"%s::{_TYPES.get(name, 'text')}[]" for name in DELIVERY_COLUMNS)})
    ON CONFLICT DO NOTHING RETURNING id
"""
#: Sorted, so that two transactions that know the same people never wait for each other.
_LEARN = """
    INSERT INTO mailnod.recipients AS known (hash, domain, address)
    SELECT new.hash, new.domain, new.address
    FROM unnest(%s::bytea[], %s::text[], %s::text[]) AS new (hash, domain, address)
    LEFT JOIN mailnod.recipients AS r ON r.hash = new.hash WHERE r.address IS NULL ORDER BY new.hash
    ON CONFLICT (hash) DO UPDATE SET address = coalesce(known.address, excluded.address)
"""
_ADDRESS = """
    INSERT INTO mailnod.delivery_recipients (delivery_id, position, recipient_id)
    SELECT new.delivery_id, new.position, r.id
    FROM unnest(%s::bytea[], %s::integer[], %s::bytea[]) AS new (delivery_id, position, hash)
    JOIN mailnod.recipients AS r ON r.hash = new.hash
"""
_SET_STATES = """
    UPDATE mailnod.deliveries SET state = %s, accepted_at = %s WHERE id IN (
        SELECT id FROM mailnod.deliveries WHERE id = ANY(%s) AND accepted_at IS NULL ORDER BY id FOR UPDATE
    ) RETURNING message_id, campaign, route, opens, clicks, link_count, test
"""
#: What :func:`~mailnod.store.rows.read_delivery` reads, of a row of deliveries named ``d``. An erased address is "".
DELIVERY_FIELDS = f"""
    {list_columns(DELIVERY_COLUMNS, of="d")},
    (SELECT coalesce(json_agg(coalesce(r.address, '') ORDER BY dr.position)::text, '[]')
        FROM mailnod.delivery_recipients AS dr LEFT JOIN mailnod.recipients AS r ON r.id = dr.recipient_id
        WHERE dr.delivery_id = d.id),
    (SELECT destinations FROM mailnod.short_links AS sl JOIN mailnod.link_sets AS ls ON ls.hash = sl.link_set
        WHERE sl.delivery_id = d.id)
"""
#: The ids of the deliveries that went to an address, which is given by its hash.
WENT_TO = """
    SELECT dr.delivery_id FROM mailnod.delivery_recipients AS dr JOIN mailnod.recipients AS r ON r.id = dr.recipient_id
    WHERE r.hash = %s
"""


def add_deliveries(
    connection: Connection, deliveries: Sequence[Delivery], *, consent_mark: int | None, key: bytes
) -> None:
    """Write deliveries and their recipients; one that is there already stays as it is.

    :param consent_mark: the newest record of consent when consent was read; a delivery to somebody who has withdrawn
        since is suppressed at once. None checks nothing.
    :param key: the key under which the store hashes addresses.
    """
    withdrawn = frozenset[bytes]() if consent_mark is None else consents.get_withdrawn_since(connection, consent_mark)
    # The first of those that bear the same id counts, here as in the next call.
    by_id: dict[bytes, Delivery] = {}
    for delivery in deliveries:
        by_id.setdefault(delivery.id, delivery)
    if not by_id:
        return
    rows = [write_delivery(delivery) for delivery in by_id.values()]
    inserted = connection.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])
    ids = {bytes(row[0]) for row in inserted}
    new = [delivery for delivery in by_id.values() if delivery.id in ids]
    recipients = {
        address: hash_address(address, key=key) for delivery in new for address in delivery.envelope.recipients
    }
    _write_recipients(connection, new, recipients)
    links.assign(connection, new)
    suppressed = [d.id for d in new if any(recipients[address] in withdrawn for address in d.envelope.recipients)]
    consents.suppress(connection, suppressed)
    rollups.count_accepted(
        connection, [Accepted.of(d, at=d.accepted_at) for d in new if d.accepted_at is not None and not d.test]
    )


def set_states(connection: Connection, ids: Sequence[bytes], state: DeliveryState, *, at: datetime) -> None:
    """Note what became of deliveries; one that was accepted stays accepted, and counts once."""
    taken = state is DeliveryState.ACCEPTED
    rows = connection.execute(_SET_STATES, (state.value, to_micros(at) if taken else None, list(ids))).fetchall()
    accepted = [
        Accepted(Groups(message_id=message_id, campaign=campaign, route=route), at, bool(opens), bool(clicks and links))
        for message_id, campaign, route, opens, clicks, links, test in rows
        if taken and not test
    ]
    rollups.count_accepted(connection, accepted)


def get_known(connection: Connection, ids: Sequence[bytes]) -> dict[bytes, Delivery]:
    """Return those deliveries of some ids that are known."""
    return {delivery.id: delivery for delivery in _select(connection, "WHERE d.id = ANY(%s)", [list(ids)])}


def get_deliveries(
    connection: Connection,
    *,
    message_id: str | None,
    recipient: bytes | None,
    before_id: bytes | None,
    limit: int,
) -> list[Delivery]:
    """Return deliveries, those added last first.

    :param recipient: the hash of an address.
    """
    conditions, parameters = ["TRUE"], list[object]()
    if message_id is not None:
        conditions.append("d.message_id = %s")
        parameters.append(to_text(message_id))
    if recipient is not None:
        conditions.append(f"d.id IN ({WENT_TO})")
        parameters.append(recipient)
    if before_id is not None:
        conditions.append("d.seq < (SELECT seq FROM mailnod.deliveries WHERE id = %s)")
        parameters.append(before_id)
    return _select(connection, f"WHERE {' AND '.join(conditions)} ORDER BY d.seq DESC LIMIT %s", [*parameters, limit])


def _write_recipients(connection: Connection, deliveries: Sequence[Delivery], recipients: dict[str, bytes]) -> None:
    # Two spellings of one address are one person, whose first spelling is kept.
    people = {hashed: address for address, hashed in reversed(recipients.items())}
    domains = [to_text(get_domain(address)) for address in people.values()]
    connection.execute(_LEARN, (list(people), domains, [to_text(address) for address in people.values()]))
    rows = [
        (delivery.id, position, recipients[address])
        for delivery in deliveries
        for position, address in enumerate(delivery.envelope.recipients)
    ]
    connection.execute(_ADDRESS, [list(column) for column in zip(*rows, strict=True)] or [[], [], []])


def _select(connection: Connection, clauses: str, parameters: Sequence[object]) -> list[Delivery]:
    rows = connection.execute(f"SELECT {DELIVERY_FIELDS} FROM mailnod.deliveries AS d {clauses}".encode(), parameters)
    return [read_delivery(row) for row in rows]
