"""Texts that come again and again, each kept once and known by a number."""

# ruff: noqa: S608
# Statements are put together from constants alone; every value is bound.

from __future__ import annotations

import hashlib
import json
import sqlite3
from typing import Literal

from mailnod.model import Traces, Verdict
from mailnod.store.rows import VERDICT_COLUMNS, list_columns, write_verdict

__all__ = ["intern_features", "intern_mailing", "intern_raw", "intern_text", "intern_verdict"]

#: The tables, and the column that holds the text.
Table = Literal["domains", "names", "links", "features"]
_COLUMNS: dict[Table, str] = {
    "domains": "name",
    "names": "name",
    "links": "value",
    "features": "value",
}
_FIND = {table: f"SELECT id FROM {table} WHERE {column} = ?" for table, column in _COLUMNS.items()}
_ADD = {table: f"INSERT INTO {table} ({column}) VALUES (?) RETURNING id" for table, column in _COLUMNS.items()}
_FIND_MAILING = """
    SELECT id FROM mailings WHERE coalesce(campaign_id, 0) = coalesce(?, 0) AND route_id = ? AND tags = ? AND test = ?
"""
_ADD_MAILING = "INSERT INTO mailings (campaign_id, route_id, tags, test) VALUES (?, ?, ?, ?) RETURNING id"
_ADD_VERDICT = f"""
    INSERT INTO verdicts (digest, {list_columns(VERDICT_COLUMNS)}) VALUES (?{", ?" * len(VERDICT_COLUMNS)}) RETURNING id
"""


def intern_text(connection: sqlite3.Connection, table: Table, text: str) -> int:
    """Return the number of a text, which is added where it is new."""
    return _intern(connection, _FIND[table], _ADD[table], (text,))


def intern_raw(
    connection: sqlite3.Connection, table: Literal["user_agents", "header_sets"], text: str, *, key: bytes
) -> int:
    """Return the number of a text that will be erased, which is added where it is new.

    :param key: the store's, under which the text is hashed.
    """
    digest = hashlib.blake2b(text.encode(), key=key, digest_size=16, person=b"raw text").digest()
    found = connection.execute(f"SELECT id FROM {table} WHERE hash = ?", (digest,)).fetchone()
    add = f"INSERT INTO {table} (hash, value) VALUES (?, ?) RETURNING id"
    return int((found or connection.execute(add, (digest, text)).fetchall()[0])[0])


def intern_features(connection: sqlite3.Connection, traces: Traces) -> int:
    """Return the number of what the traces of many hits have in common: all but the hash of the address."""
    user_agent_hash = None if traces.user_agent_hash is None else traces.user_agent_hash.hex()
    features = json.dumps([user_agent_hash, traces.network, traces.header_names], separators=(",", ":"))
    return intern_text(connection, "features", features)


def intern_mailing(connection: sqlite3.Connection, *, campaign: str | None, route: str, tags: str, test: bool) -> int:
    """Return the number of what a delivery has in common with others of its kind.

    :param tags: as a JSON list.
    """
    campaign_id = None if campaign is None else intern_text(connection, "names", campaign)
    row = (campaign_id, intern_text(connection, "names", route), tags, test)
    return _intern(connection, _FIND_MAILING, _ADD_MAILING, row)


def intern_verdict(connection: sqlite3.Connection, verdict: Verdict) -> int:
    """Return the number of a verdict, which is added where nothing was judged so before."""
    row = write_verdict(verdict)
    digest = hashlib.blake2b(json.dumps(row).encode(), digest_size=16).digest()
    found = connection.execute("SELECT id FROM verdicts WHERE digest = ?", (digest,)).fetchone()
    return int((found or connection.execute(_ADD_VERDICT, (digest, *row)).fetchall()[0])[0])


def _intern(connection: sqlite3.Connection, find: str, add: str, row: tuple[object, ...]) -> int:
    found = connection.execute(find, row).fetchone()
    return int((found or connection.execute(add, row).fetchall()[0])[0])
