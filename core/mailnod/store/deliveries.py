"""Deliveries and their recipients."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from mailnod.model import Delivery, DeliveryState
from mailnod.store import consents, names, rollups
from mailnod.store.addresses import get_domain, hash_address
from mailnod.store.lines import count_accepted
from mailnod.store.links import LinkSets
from mailnod.store.rows import DELIVERY_COLUMNS, list_columns, read_delivery, to_micros, to_text, write_delivery

__all__ = [
    "DELIVERY_FIELDS",
    "DELIVERY_JOINS",
    "WENT_TO",
    "add_deliveries",
    "get_deliveries",
    "get_delivery",
    "set_states",
]

_STATES = tuple(DeliveryState)
_INSERT = """
    INSERT INTO deliveries
        (id, message, message_id, subject, sent_at, mailing_id, metadata, opens, clicks, reasons, link_count, state,
         accepted_at, expires_at)
    VALUES (:id,
        coalesce(
            (SELECT min(seq) FROM deliveries WHERE message_id = :message_id),
            (SELECT coalesce(max(seq), 0) + 1 FROM deliveries)),
        :message_id, :subject, :sent_at, :mailing_id, :metadata, :opens, :clicks, :reasons, :link_count, :state,
        :accepted_at, :expires_at)
    ON CONFLICT (id) DO NOTHING RETURNING seq
"""
_INSERT_RECIPIENT = """
    INSERT INTO recipients (hash, domain_id, address) VALUES (?, ?, ?)
    ON CONFLICT (hash) DO UPDATE SET address = coalesce(address, excluded.address)
    RETURNING id
"""
_NAME_STATE = " ".join(f"WHEN {number} THEN '{state}'" for number, state in enumerate(_STATES))
_COLUMNS = list_columns(DELIVERY_COLUMNS, of="d")
for _column, _expression in {
    "campaign": "campaigns.name",
    "route": "routes.name",
    "tags": "m.tags",
    "test": "m.test",
    "state": f"CASE d.state {_NAME_STATE} END",
}.items():
    _COLUMNS = _COLUMNS.replace(f"d.{_column}", _expression)
_FIND_RECIPIENT = "SELECT id FROM recipients WHERE hash = ? AND address IS NOT NULL"
_SET_STATE = """
    UPDATE deliveries SET state = ?, accepted_at = ? WHERE id = ? AND accepted_at IS NULL
    RETURNING seq
"""
#: What :func:`~mailnod.store.rows.read_delivery` reads, of rows joined by :data:`DELIVERY_JOINS`. An erased address
#: is "".
DELIVERY_FIELDS = f"""
    {_COLUMNS},
    (SELECT json_group_array(address) FROM (
        SELECT coalesce(r.address, '') AS address
        FROM delivery_recipients AS dr LEFT JOIN recipients AS r ON r.id = dr.recipient_id
        WHERE dr.delivery = d.seq ORDER BY dr.position)),
    (SELECT destinations FROM short_links AS sl JOIN link_sets AS ls ON ls.id = sl.link_set_id
        WHERE sl.delivery_id = d.id)
"""
#: What belongs to a row of deliveries named ``d``.
DELIVERY_JOINS = """
    LEFT JOIN mailings AS m ON m.id = d.mailing_id
    LEFT JOIN names AS campaigns ON campaigns.id = m.campaign_id
    LEFT JOIN names AS routes ON routes.id = m.route_id
"""
_CARRIED = f"""
    SELECT d.message_id, campaigns.name, routes.name, d.opens, d.clicks, d.link_count, m.test
    FROM deliveries AS d {DELIVERY_JOINS} WHERE d.seq = ?
"""
#: The numbers of the deliveries that went to an address, which is given by its hash.
WENT_TO = """
    SELECT dr.delivery FROM delivery_recipients AS dr JOIN recipients AS r ON r.id = dr.recipient_id WHERE r.hash = ?
"""


class _Mailings:
    """Writes deliveries of one transaction; what many of them have in common is looked up once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[object, ...], int] = {}

    def add(self, delivery: Delivery) -> int | None:
        """Return the number of a delivery that was written, and None where it is there already."""
        row = dict(zip(DELIVERY_COLUMNS, write_delivery(delivery), strict=True))
        common = (row["campaign"], row["route"], row["tags"], row["test"])
        if common not in self._known:
            campaign, route, tags, test = common
            self._known[common] = names.intern_mailing(
                self._connection, campaign=campaign, route=route, tags=tags, test=test
            )
        values = {**row, "mailing_id": self._known[common], "state": _STATES.index(delivery.state)}
        found = self._connection.execute(_INSERT, values).fetchall()
        return int(found[0][0]) if found else None


def add_deliveries(connection: sqlite3.Connection, deliveries: Sequence[Delivery], *, consent_mark: int | None) -> None:
    """Write deliveries and their recipients; one that is there already stays as it is.

    :param consent_mark: the newest record of consent when consent was read; a delivery to somebody who has withdrawn
        since is suppressed at once. None checks nothing.
    """
    key = consents.get_key(connection)
    withdrawn = frozenset[bytes]() if consent_mark is None else consents.get_withdrawn_since(connection, consent_mark)
    link_sets = LinkSets(connection)
    mailings = _Mailings(connection)
    accepted: list[rollups.Accepted] = []
    for delivery in deliveries:
        seq = mailings.add(delivery)
        if seq is None:
            continue
        hashes = [hash_address(address, key=key) for address in delivery.envelope.recipients]
        connection.executemany(
            "INSERT INTO delivery_recipients VALUES (?, ?, ?)",
            [
                (seq, position, _learn_recipient(connection, recipient, address))
                for position, (recipient, address) in enumerate(zip(hashes, delivery.envelope.recipients, strict=True))
            ],
        )
        if delivery.destinations is not None:
            link_sets.assign(delivery.id, delivery.destinations)
        if not withdrawn.isdisjoint(hashes):
            consents.suppress_delivery(connection, delivery.id)
        if delivery.accepted_at is not None and not delivery.test:
            accepted.append(rollups.Accepted.of(delivery, at=delivery.accepted_at))
    count_accepted(connection, accepted)


def set_states(connection: sqlite3.Connection, ids: Sequence[bytes], state: DeliveryState, *, at: datetime) -> None:
    """Note what became of deliveries; one that was accepted stays accepted, and counts once."""
    taken = state is DeliveryState.ACCEPTED
    values = (_STATES.index(state), to_micros(at) if taken else None)
    accepted: list[rollups.Accepted] = []
    for delivery_id in ids:
        changed = connection.execute(_SET_STATE, (*values, delivery_id)).fetchall()
        for (seq,) in changed if taken else []:
            ((message_id, campaign, route, opens, clicks, links, test),) = connection.execute(
                _CARRIED, (seq,)
            ).fetchall()
            if not test:
                groups = rollups.Groups(message_id=message_id, campaign=campaign, route=route)
                accepted.append(rollups.Accepted(groups, at, bool(opens), bool(clicks and links)))
    count_accepted(connection, accepted)


def _learn_recipient(connection: sqlite3.Connection, recipient: bytes, address: str) -> int:
    """Return the number of a recipient's row, which knows the address from now on."""
    # Most are known, and to look is cheaper than to write what is there.
    known = connection.execute(_FIND_RECIPIENT, (recipient,)).fetchall()
    if not known:
        domain_id = names.intern_text(connection, "domains", to_text(get_domain(address)))
        row = (recipient, domain_id, to_text(address))
        known = connection.execute(_INSERT_RECIPIENT, row).fetchall()
    return int(known[0][0])


def get_delivery(connection: sqlite3.Connection, delivery_id: bytes) -> Delivery | None:
    """Return one delivery; None where it is not known."""
    found = _select(connection, "WHERE d.id = ?", [delivery_id])
    return found[0] if found else None


def get_deliveries(
    connection: sqlite3.Connection,
    *,
    message_id: str | None,
    recipient: str | None,
    before_id: bytes | None,
    limit: int,
) -> list[Delivery]:
    """Return deliveries, those added last first."""
    conditions, parameters = ["TRUE"], list[object]()
    if message_id is not None:
        conditions.append("d.message_id = ?")
        parameters.append(to_text(message_id))
    if recipient is not None:
        conditions.append(f"d.seq IN ({WENT_TO})")
        parameters.append(consents.find_recipient(connection, recipient))
    if before_id is not None:
        conditions.append("d.seq < (SELECT seq FROM deliveries WHERE id = ?)")
        parameters.append(before_id)
    return _select(connection, f"WHERE {' AND '.join(conditions)} ORDER BY d.seq DESC LIMIT ?", [*parameters, limit])


def _select(connection: sqlite3.Connection, clauses: str, parameters: Sequence[object]) -> list[Delivery]:
    rows = connection.execute(f"SELECT {DELIVERY_FIELDS} FROM deliveries AS d {DELIVERY_JOINS} {clauses}", parameters)
    return [read_delivery(row) for row in rows]
